//! What an operator decides of a purchase that nobody else can, once he has looked at the bank's side.

use super::{
    Purchase, PurchaseError, State, Why, books,
    record::{self, Turn},
    step,
};
use crate::{
    audit::{self, Who},
    moment::UnixMs,
    seal::Keys,
    store::Write,
    word::Id,
};

/// What he has found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The bank has debited the customer and keeps the money: he gets what he has paid for.
    Debited,
    /// The customer has his money, because it was never debited or was given back.
    NotDebited,
    /// Nothing; the bank is asked again.
    AskAgain,
}

impl Settlement {
    /// As the audit log and forms have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Debited => "debited",
            Self::NotDebited => "not-debited",
            Self::AskAgain => "ask-again",
        }
    }
}

/// Lets a purchase in [`State::ManualReview`] go on, because an operator of that name says so for a reason,
/// and writes it into the audit log.
///
/// # Errors
/// It is not there, or not in that state.
pub async fn settle(
    write: &mut Write,
    keys: &Keys,
    id: &Id,
    settlement: Settlement,
    operator: &str,
    reason: &str,
    now: UnixMs,
) -> Result<Purchase, PurchaseError> {
    let found = record::find(write.connection(), id).await?;
    let mut purchase = found.ok_or_else(|| PurchaseError::NotFound(id.clone()))?;
    if purchase.state != State::ManualReview {
        return Err(PurchaseError::NotSettled {
            id: id.clone(),
            state: purchase.state,
            why: "only what is MANUAL_REVIEW awaits an operator",
        });
    }
    let is_held = books::is_held(write.connection(), &purchase).await?;
    let to = match settlement {
        Settlement::Debited => State::FundsHeld,
        Settlement::NotDebited if is_held => State::Refunded,
        Settlement::NotDebited => State::Failed,
        Settlement::AskAgain if is_held => State::Compensating,
        Settlement::AskAgain => State::Unknown,
    };
    let turn = Turn::to(to)
        .because(Why::Settled)
        .saying(format!("by {operator}"));
    step::go(write, keys, &mut purchase, turn, now).await?;
    let (who, subject) = (Who::Operator(operator), format!("purchase:{id}"));
    let detail = format!("{}: {reason}", settlement.word());
    audit::record(write, who, "purchase.resolved", &subject, &detail, now).await?;
    Ok(purchase)
}
