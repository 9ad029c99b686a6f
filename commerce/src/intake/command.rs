//! What a subscriber asks for by a message.

use crate::{otp::Code, word::CardTypeId};

/// A command. What is not understood for certain is none: nothing is bought by guessing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// To buy one card. There may be no such card type.
    Buy {
        /// Which.
        card_type: CardTypeId,
    },
    /// To confirm what was asked for.
    Confirm {
        /// The one-time password.
        code: Code,
    },
    /// To give it up.
    Cancel,
    /// To hear what became of the last purchase.
    Status,
    /// To hear what can be asked for.
    Help,
    /// Something else.
    Unknown,
}

impl Command {
    /// Its name in the books and in metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Buy { .. } => "buy",
            Self::Confirm { .. } => "confirm",
            Self::Cancel => "cancel",
            Self::Status => "status",
            Self::Help => "help",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it only asks, so that whoever says it twice may get two answers.
    pub(super) fn only_asks(&self) -> bool {
        match self {
            Self::Status | Self::Help => true,
            // What is unknown here may be a partner's, and cost something there.
            Self::Buy { .. } | Self::Confirm { .. } | Self::Cancel | Self::Unknown => false,
        }
    }
}
