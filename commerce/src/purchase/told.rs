//! What a merchant is told of his order: a delivery that is queued in the same change as the state that it
//! tells of. How it gets to him is not known here.

use serde::Serialize;

use super::{Item, Purchase, PurchaseError, State};
use crate::{
    deliveries::{self, Kind, Parcel},
    moment::UnixMs,
    money::Vnd,
    seal::Keys,
    store::Write,
    word::{Id, Reference},
};

/// What came of a merchant's order, as he is told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The money is his.
    Paid,
    /// It came to nothing, and the customer has his money.
    Failed,
    /// Nobody can say yet.
    Pending,
    /// The customer has his money back.
    Refunded,
}

impl Outcome {
    /// As a merchant reads it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Paid => "PAID",
            Self::Failed => "FAILED",
            Self::Pending => "PENDING",
            Self::Refunded => "REFUNDED",
        }
    }

    /// What a state means to a merchant.
    pub fn of(state: State) -> Self {
        match state {
            State::Fulfilled | State::Completed => Self::Paid,
            State::Cancelled | State::Expired | State::Failed => Self::Failed,
            State::Refunded => Self::Refunded,
            State::Created
            | State::Authenticating
            | State::Charging
            | State::FundsHeld
            | State::Fulfilling
            | State::Unknown
            | State::Reversing
            | State::Compensating
            | State::ManualReview => Self::Pending,
        }
    }
}

/// A merchant's order as he reads it, in an IPN and in answer to his question.
#[derive(Debug, Serialize)]
pub(crate) struct Told<'a> {
    merchant: &'a str,
    order: &'a str,
    purchase: &'a str,
    amount: i64,
    result: &'static str,
    /// The bank's, if it declined; otherwise empty.
    response_code: &'a str,
    /// Since when it is so, in seconds.
    at: i64,
}

impl<'a> Told<'a> {
    /// Of a purchase that pays a merchant's order; nothing of any other.
    pub(crate) fn of(purchase: &'a Purchase) -> Option<Self> {
        let Item::Order {
            merchant,
            reference,
        } = &purchase.item
        else {
            return None;
        };
        Some(Self {
            merchant: merchant.as_str(),
            order: reference.as_str(),
            purchase: purchase.id.as_str(),
            amount: purchase.amount.dong(),
            result: Outcome::of(purchase.state).word(),
            response_code: purchase.response_code.as_deref().unwrap_or_default(),
            at: purchase.updated_at.0.div_euclid(1_000),
        })
    }

    /// Of an order that nobody has begun to pay.
    pub(crate) fn unpaid(
        merchant: &'a Id,
        order: &'a Reference,
        amount: Vnd,
        outcome: Outcome,
        at: UnixMs,
    ) -> Self {
        Self {
            merchant: merchant.as_str(),
            order: order.as_str(),
            purchase: "",
            amount: amount.dong(),
            result: outcome.word(),
            response_code: "",
            at: at.0.div_euclid(1_000),
        }
    }
}

/// Lets a merchant be told of the state that a purchase has come into, if that is an end to him. That the
/// customer's message went out later is none.
pub(super) async fn tell(
    write: &mut Write,
    keys: &Keys,
    purchase: &Purchase,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let (Item::Order { merchant, .. }, Some(told)) = (&purchase.item, Told::of(purchase)) else {
        return Ok(());
    };
    let is_end = purchase.state == State::Fulfilled
        || (purchase.state.is_final() && purchase.state != State::Completed);
    if !is_end {
        return Ok(());
    }
    let guid = guid(purchase)?;
    let parcel = Parcel {
        kind: Kind::Ipn,
        target: merchant,
        guid: &guid,
        // Texts and numbers alone, which are always JSON.
        payload: &serde_json::to_string(&told).unwrap_or_default(),
    };
    deliveries::queue(write, keys, parcel, now).await?;
    Ok(())
}

/// One for each end: a purchase that is given back has two.
fn guid(purchase: &Purchase) -> Result<Id, PurchaseError> {
    Ok(super::derived(&purchase.id, &purchase.version.to_string())?)
}
