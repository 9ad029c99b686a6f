//! What a subscriber wants by a message.

use crate::{otp::Code, word::CardTypeId};

/// A message that was understood, or was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// To buy a card.
    Buy {
        /// Of which type.
        card_type: CardTypeId,
    },
    /// To confirm what he has ordered.
    Confirm {
        /// The one-time password.
        code: Code,
    },
    /// To give up what he has ordered.
    Cancel,
    /// To know how his last purchase stands; its card code, if it has one.
    Status,
    /// To know how to buy.
    Help,
    /// Something else.
    Unknown,
}
