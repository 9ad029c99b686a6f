//! What a purchase does to the books: three entries, and two more if a merchant gives it back; each once.
//!
//! ```text
//!   paid        bank:ID:settlement ─► hold:PURCHASE      in the change to FUNDS_HELD
//!   fulfilled   hold:PURCHASE ─► stock:TYPE or merchant:ID:payable      in the change to FULFILLED
//!   returned    merchant:ID:payable ─► hold:PURCHASE      in the change to COMPENSATING, if he gives it back
//!   kept        hold:PURCHASE ─► merchant:ID:payable      in the change to FULFILLED, if that came to nothing
//!   refunded    hold:PURCHASE ─► bank:ID:settlement      in the change to REFUNDED
//! ```

use sqlx::{AnyConnection, Row as _};

use super::{Purchase, PurchaseError, State, unfit};
use crate::{
    ledger::{self, Account, Entry, Line},
    moment::UnixMs,
    store::{Write, at},
    word::{Id, Reference},
};

const FULFILLED: &str = "fulfilled";
const RETURNED: &str = "returned";
const KEPT: &str = "kept";

/// Writes the entry that belongs to the state that a purchase has come into, if one does.
pub(super) async fn post(
    write: &mut Write,
    purchase: &Purchase,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let hold = Account::Hold(purchase.id.clone());
    let bank = Account::BankSettlement(purchase.bank.clone());
    let (step, credited, debited) = match purchase.state {
        State::FundsHeld => ("paid", hold, bank),
        State::Fulfilled => {
            let was_taken = was_taken_back(write.connection(), &purchase.id).await?;
            let step = if was_taken { KEPT } else { FULFILLED };
            (step, purchase.item.payee(), hold)
        }
        State::Refunded => ("refunded", bank, hold),
        _ => return Ok(()),
    };
    move_money(write, purchase, step, (credited, debited), now).await
}

/// Sets the money of a merchant's order aside again.
///
/// # Errors
/// His account does not cover it; the change is as it was.
pub(super) async fn take_back(
    write: &mut Write,
    purchase: &Purchase,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let hold = Account::Hold(purchase.id.clone());
    let accounts = (hold, purchase.item.payee());
    move_money(write, purchase, RETURNED, accounts, now).await
}

/// Whether a merchant has given a purchase back, whatever came of it.
pub(super) async fn was_taken_back(
    connection: &mut AnyConnection,
    id: &Id,
) -> Result<bool, PurchaseError> {
    let select = "SELECT COUNT(*) FROM entry WHERE reference = $1";
    let row = sqlx::query(select)
        .bind(reference(id, RETURNED)?.to_string())
        .fetch_one(connection);
    let count: i64 = row
        .await
        .and_then(|row| row.try_get(0))
        .map_err(at("entry"))?;
    Ok(count > 0)
}

/// Credits the first account and debits the second.
async fn move_money(
    write: &mut Write,
    purchase: &Purchase,
    step: &str,
    (credited, debited): (Account, Account),
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let lines = [
        Line::debit(debited, purchase.amount),
        Line::credit(credited, purchase.amount),
    ];
    let entry = Entry::new(reference(&purchase.id, step)?, now, lines)?;
    ledger::post(write, &entry).await?;
    Ok(())
}

fn reference(id: &Id, step: &str) -> Result<Reference, PurchaseError> {
    let reference = format!("purchase:{id}:{step}").parse();
    Ok(reference.map_err(|_| unfit("an id that is too long"))?)
}

/// Whether the books hold the money of a purchase.
pub(super) async fn is_held(
    connection: &mut AnyConnection,
    purchase: &Purchase,
) -> Result<bool, PurchaseError> {
    let hold = Account::Hold(purchase.id.clone());
    Ok(ledger::balance(connection, &hold).await?.is_positive())
}
