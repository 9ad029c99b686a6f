//! What a customer's page shows, which follows from where his order and its purchase stand. Nothing is guessed:
//! what nobody knows is a stage of its own.

use crate::{
    merchants::orders::{Order, PHONE_TRIES_MAX},
    moment::UnixMs,
    purchase::{Outcome, Purchase, State, Why},
};

/// What a page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The order, and the question for a phone.
    Phone,
    /// Nobody has begun to pay in time.
    Over,
    /// Too many phones were tried.
    Tries,
    /// The question for the code.
    Code,
    /// The bank is being asked.
    Waiting,
    /// The bank has not answered, and is asked again.
    Unknown,
    /// What the bank may have debited is being given back.
    Reversing,
    /// A person looks at it.
    Review,
    /// The money is the merchant's.
    Paid,
    /// It came to nothing.
    Failed(Failure),
    /// The merchant gives it back.
    Refunding,
    /// The customer has it back.
    Refunded,
}

/// Why it came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Cancelled,
    Expired,
    Declined,
    Reversed,
    Other,
}

impl Stage {
    pub(super) fn of(order: &Order, purchase: Option<&Purchase>, now: UnixMs) -> Self {
        let Some(purchase) = purchase else {
            return match order.is_open(now) {
                true if order.phone_tries < PHONE_TRIES_MAX => Self::Phone,
                true => Self::Tries,
                false => Self::Over,
            };
        };
        match purchase.state {
            State::Created | State::Authenticating => Self::Code,
            State::Charging | State::FundsHeld | State::Fulfilling => Self::Waiting,
            State::Unknown => Self::Unknown,
            State::Reversing => Self::Reversing,
            State::ManualReview => Self::Review,
            State::Fulfilled | State::Completed => Self::Paid,
            State::Cancelled => Self::Failed(Failure::Cancelled),
            State::Expired => Self::Failed(Failure::Expired),
            State::Failed => Self::Failed(match purchase.why {
                Some(Why::Declined) => Failure::Declined,
                Some(Why::Reversed) => Failure::Reversed,
                _ => Failure::Other,
            }),
            State::Compensating => Self::Refunding,
            State::Refunded => Self::Refunded,
        }
    }

    /// As the page's script compares it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Over => "over",
            Self::Tries => "tries",
            Self::Code => "code",
            Self::Waiting => "waiting",
            Self::Unknown => "unknown",
            Self::Reversing => "reversing",
            Self::Review => "review",
            Self::Paid => "paid",
            Self::Failed(_) => "failed",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
        }
    }

    /// Whether it goes on without the customer, so that his page has to look again.
    pub(super) fn goes_on_by_itself(self) -> bool {
        matches!(
            self,
            Self::Waiting | Self::Unknown | Self::Reversing | Self::Review | Self::Refunding
        )
    }
}

/// What a merchant is told of an order.
pub(super) fn outcome(order: &Order, purchase: Option<&Purchase>, now: UnixMs) -> Outcome {
    match purchase {
        Some(purchase) => Outcome::of(purchase.state),
        None if order.is_open(now) => Outcome::Pending,
        None => Outcome::Failed,
    }
}
