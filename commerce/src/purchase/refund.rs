//! Gives a merchant's order back that was paid, because he asks for it: all of it, once.
//!
//! The merchant's money is set aside again in the same change, so that he cannot be paid out what his
//! customer gets. Then the saga takes the charge back as it does where it cannot fulfil.

use super::{
    INQUIRY_MAX_MS, Item, NoRefund, Purchase, PurchaseError, Refusal, State, books,
    record::{self, Turn},
    step,
};
use crate::{ledger::LedgerError, moment::UnixMs, money::Vnd, seal::Keys, store::Write, word::Id};

/// For how long after its confirmation a charge can be taken back: an hour less than the router remembers it.
const REFUND_WINDOW_MS: i64 = INQUIRY_MAX_MS - 3_600_000;

/// Begins to give a purchase back, or finds that this was begun before.
///
/// # Errors
/// It is not that merchant's, not paid or not for that amount, it is too late, or his account does not cover
/// it. After a refusal nothing was changed.
pub async fn refund(
    write: &mut Write,
    keys: &Keys,
    merchant: &Id,
    id: &Id,
    amount: Vnd,
    now: UnixMs,
) -> Result<Purchase, PurchaseError> {
    let found = record::find(write.connection(), id).await?;
    let is_his = |purchase: &Purchase| match &purchase.item {
        Item::Order { merchant: his, .. } => his == merchant,
        Item::Card(_) => false,
    };
    let found = found.filter(is_his);
    let mut purchase = found.ok_or_else(|| PurchaseError::NotFound(id.clone()))?;
    let refused = |why| Err(Refusal::NoRefund(why).into());
    if amount != purchase.amount {
        return refused(NoRefund::Part);
    }
    let was_taken = books::was_taken_back(write.connection(), &purchase.id).await?;
    match purchase.state {
        State::Fulfilled | State::Completed if was_taken => return refused(NoRefund::Kept),
        State::Fulfilled | State::Completed => {}
        _ if was_taken => return Ok(purchase),
        _ => return refused(NoRefund::NotPaid),
    }
    let confirmed_at = purchase.confirmed_at.unwrap_or(purchase.created_at);
    if now >= confirmed_at.plus_ms(REFUND_WINDOW_MS) {
        return refused(NoRefund::TooLate);
    }
    match books::take_back(write, &purchase, now).await {
        Err(PurchaseError::Ledger(LedgerError::Limit { .. })) => {
            return refused(NoRefund::Balance);
        }
        taken => taken?,
    }
    let turn = Turn::to(State::Compensating).saying("the merchant gives it back");
    step::go(write, keys, &mut purchase, turn, now).await?;
    Ok(purchase)
}
