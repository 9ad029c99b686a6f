//! What is bought, and on which way.

use std::fmt;

use crate::{
    ledger::Account,
    word::{CardTypeId, Id, Reference},
};

/// What is bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A card of our stock.
    Card(CardTypeId),
    /// A merchant's order, which he delivers himself.
    Order {
        /// Whose.
        merchant: Id,
        /// His own number of it.
        reference: Reference,
    },
}

impl Item {
    /// Whom its money belongs to once it is fulfilled.
    pub(super) fn payee(&self) -> Account {
        match self {
            Self::Card(card_type) => Account::Stock(card_type.clone()),
            Self::Order { merchant, .. } => Account::MerchantPayable(merchant.clone()),
        }
    }
}

/// In a few words, of which neither has a blank.
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Card(card_type) => write!(f, "{card_type}"),
            Self::Order {
                merchant,
                reference,
            } => write!(f, "{merchant} {reference}"),
        }
    }
}

/// On which way an order came, and its confirmation has to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// By messages.
    Sms,
    /// By a page.
    Web,
}

impl Channel {
    /// As it stands in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Web => "web",
        }
    }

    pub(super) fn of(word: &str) -> Option<Self> {
        [Self::Sms, Self::Web]
            .into_iter()
            .find(|channel| channel.word() == word)
    }
}
