//! What a purchase does to the books: three entries, each once.
//!
//! ```text
//!   paid        bank:ID:settlement ─► hold:PURCHASE      in the change to FUNDS_HELD
//!   fulfilled   hold:PURCHASE ─► stock:TYPE or merchant:ID:payable      in the change to FULFILLED
//!   refunded    hold:PURCHASE ─► bank:ID:settlement      in the change to REFUNDED
//! ```

use sqlx::AnyConnection;

use super::{Purchase, PurchaseError, State, unfit};
use crate::{
    ledger::{self, Account, Entry, Line},
    moment::UnixMs,
    store::Write,
};

/// Writes the entry that belongs to the state that a purchase has come into, if one does.
pub(super) async fn post(
    write: &mut Write,
    purchase: &Purchase,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let hold = Account::Hold(purchase.id.clone());
    let bank = Account::BankSettlement(purchase.bank.clone());
    let (step, from, to) = match purchase.state {
        State::FundsHeld => ("paid", hold, bank),
        State::Fulfilled => ("fulfilled", purchase.item.payee(), hold),
        State::Refunded => ("refunded", bank, hold),
        _ => return Ok(()),
    };
    let reference = format!("purchase:{}:{step}", purchase.id);
    let reference = reference
        .parse()
        .map_err(|_| unfit("an id that is too long"))?;
    let lines = [
        Line::debit(to, purchase.amount),
        Line::credit(from, purchase.amount),
    ];
    ledger::post(write, &Entry::new(reference, now, lines)?).await?;
    Ok(())
}

/// Whether the books hold the money of a purchase.
pub(super) async fn is_held(
    connection: &mut AnyConnection,
    purchase: &Purchase,
) -> Result<bool, PurchaseError> {
    let hold = Account::Hold(purchase.id.clone());
    Ok(ledger::balance(connection, &hold).await?.is_positive())
}
