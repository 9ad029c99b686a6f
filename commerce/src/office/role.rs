//! What operators may do: three roles, each with all that the one before it may.

use std::{fmt, str::FromStr};

/// What an operator is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Does the daily work: stock, and what was not delivered.
    Clerk,
    /// Sees card codes, moves money, and says who may do what.
    Admin,
}

/// What not everybody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// See subscribers' numbers in full.
    Phones,
    /// Import cards, and put card types on and off sale.
    Stock,
    /// Send again what was not delivered.
    Deliveries,
    /// Have every posting of the books read.
    Books,
    /// See the code of a sold card.
    Codes,
    /// Book deposits, and settle purchases by hand.
    Money,
    /// Give agents keys and prices.
    Agents,
    /// Say who is an operator.
    Operators,
    /// Read the audit log.
    Audit,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Clerk, Self::Admin];

    /// As the database and the forms have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Clerk => "clerk",
            Self::Admin => "admin",
        }
    }

    pub(super) fn may(self, right: Right) -> bool {
        self >= right.least()
    }
}

impl Right {
    /// The least role that has it.
    pub(super) fn least(self) -> Role {
        match self {
            Self::Phones | Self::Stock | Self::Deliveries | Self::Books => Role::Clerk,
            Self::Codes | Self::Money | Self::Agents | Self::Operators | Self::Audit => Role::Admin,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A text that is no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not viewer, clerk or admin")]
pub struct RoleFault;

impl FromStr for Role {
    type Err = RoleFault;

    fn from_str(text: &str) -> Result<Self, RoleFault> {
        let found = Self::ALL.into_iter().find(|role| role.word() == text);
        found.ok_or(RoleFault)
    }
}
