//! Writes entries, and with each its accounts' balances.
//!
//! An entry's reference is claimed first, so that two of one reference wait for each other; then its
//! accounts are changed in the order of their names, so that no two entries wait in a ring.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{Account, Entry, LedgerError, Limits, Line};
use crate::{
    money::Vnd,
    store::{Write, at},
    word::Reference,
};

/// Whether something is new in the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It is in the change now.
    New,
    /// The very same was there before.
    Stands,
}

/// Writes an entry. The same entry again is the same entry.
///
/// # Errors
/// Its reference stands for another, or a balance would go beyond its limit. The change goes on as
/// it was before.
pub async fn post(write: &mut Write, entry: &Entry) -> Result<Posted, LedgerError> {
    let mut step = write.step().await?;
    let posted = post_within(&mut step, entry).await?;
    step.commit().await.map_err(at("entry"))?;
    Ok(posted)
}

/// Writes an entry as a part of a larger step, which has to be dropped on an error.
pub(super) async fn post_within(
    connection: &mut AnyConnection,
    entry: &Entry,
) -> Result<Posted, LedgerError> {
    let claim = "INSERT INTO entry (reference, postings, at_ms) VALUES ($1, $2, $3)
        ON CONFLICT (reference) DO NOTHING";
    let claimed = sqlx::query(claim)
        .bind(entry.reference.as_str())
        .bind(count(entry.lines.len()))
        .bind(entry.at.0)
        .execute(&mut *connection);
    if claimed.await.map_err(at("entry"))?.rows_affected() == 0 {
        return same(connection, entry).await;
    }
    for (number, (name, line)) in (1..).zip(&entry.lines) {
        let moved = change(connection, name, line).await?;
        let insert = "INSERT INTO posting (entry, line, account, amount, number, balance)
            VALUES ($1, $2, $3, $4, $5, $6)";
        let inserted = sqlx::query(insert)
            .bind(entry.reference.as_str())
            .bind(number)
            .bind(name.as_str())
            .bind(line.amount.dong())
            .bind(moved.number)
            .bind(moved.balance)
            .execute(&mut *connection);
        inserted.await.map_err(at("posting"))?;
    }
    Ok(Posted::New)
}

/// How many postings there are, which [`super::ENTRY_POSTINGS_MAX`] keeps small.
fn count(postings: usize) -> i64 {
    i64::try_from(postings).unwrap_or(i64::MAX)
}

/// What a posting does to its account.
struct Moved {
    number: i64,
    balance: i64,
}

/// Moves an account's balance within its limits; an account is opened by its first posting.
async fn change(
    connection: &mut AnyConnection,
    name: &str,
    line: &Line,
) -> Result<Moved, LedgerError> {
    if let Some(moved) = change_if_allowed(connection, name, line).await? {
        return Ok(moved);
    }
    open(connection, name, &line.account).await?;
    if let Some(moved) = change_if_allowed(connection, name, line).await? {
        return Ok(moved);
    }
    let change = Vnd::new(line.account.side().sign() * line.amount.dong())?;
    Err(LedgerError::Limit {
        account: line.account.clone(),
        balance: balance(connection, &line.account).await?.plus(change)?,
    })
}

async fn change_if_allowed(
    connection: &mut AnyConnection,
    name: &str,
    line: &Line,
) -> Result<Option<Moved>, LedgerError> {
    let update = "UPDATE account SET balance = balance + side * $2, postings = postings + 1
        WHERE name = $1
            AND (floor IS NULL OR balance + side * $2 >= floor)
            AND (ceiling IS NULL OR balance + side * $2 <= ceiling)
        RETURNING postings, balance";
    let updated = sqlx::query(update)
        .bind(name)
        .bind(line.amount.dong())
        .fetch_optional(connection);
    let moved = |row: AnyRow| {
        Ok(Moved {
            number: row.try_get(0)?,
            balance: row.try_get(1)?,
        })
    };
    let row = updated.await.map_err(at("account"))?;
    Ok(row.map(moved).transpose().map_err(at("account"))?)
}

/// Opens the account unless it is open.
async fn open(
    connection: &mut AnyConnection,
    name: &str,
    account: &Account,
) -> Result<(), LedgerError> {
    let limits = account.first_limits();
    let insert =
        "INSERT INTO account (name, kind, side, floor, ceiling) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (name) DO NOTHING";
    let inserted = sqlx::query(insert)
        .bind(name)
        .bind(account.kind())
        .bind(account.side().sign())
        .bind(limits.floor.map(Vnd::dong))
        .bind(limits.ceiling.map(Vnd::dong))
        .execute(connection);
    inserted.await.map_err(at("account"))?;
    Ok(())
}

/// Whether the entry that stands is this one; when it was made does not matter.
async fn same(connection: &mut AnyConnection, entry: &Entry) -> Result<Posted, LedgerError> {
    let select = "SELECT account, amount FROM posting WHERE entry = $1 ORDER BY line";
    let rows = sqlx::query(select)
        .bind(entry.reference.as_str())
        .fetch_all(connection);
    let rows = rows.await.map_err(at("posting"))?;
    let line = |row: &AnyRow| Ok((row.try_get(0)?, row.try_get(1)?));
    let stands: Result<Vec<(String, i64)>, sqlx::Error> = rows.iter().map(line).collect();
    let wanted = entry.lines.iter();
    let wanted = wanted.map(|(name, line)| (name.as_str(), line.amount.dong()));
    let stands = stands.map_err(at("posting"))?;
    if stands
        .iter()
        .map(|(name, dong)| (name.as_str(), *dong))
        .eq(wanted)
    {
        return Ok(Posted::Stands);
    }
    Err(conflict(&entry.reference))
}

pub(super) fn conflict(reference: &Reference) -> LedgerError {
    LedgerError::Conflict {
        reference: reference.clone(),
    }
}

/// What an account has, in its own sense: an agent's deposit of 5 is 5. Nothing if it is new.
///
/// # Errors
/// The database.
pub async fn balance(
    connection: &mut AnyConnection,
    account: &Account,
) -> Result<Vnd, LedgerError> {
    let select = sqlx::query("SELECT balance FROM account WHERE name = $1")
        .bind(account.to_string())
        .fetch_optional(connection);
    match select.await.map_err(at("account"))? {
        Some(row) => Ok(Vnd::new(row.try_get(0).map_err(at("account"))?)?),
        None => Ok(Vnd::ZERO),
    }
}

/// What can be taken from an account before it meets its floor; nothing of one without a floor,
/// because that is not somebody's to spend.
///
/// # Errors
/// The database.
pub async fn spendable(
    connection: &mut AnyConnection,
    account: &Account,
) -> Result<Vnd, LedgerError> {
    let select =
        sqlx::query("SELECT balance - COALESCE(floor, balance) FROM account WHERE name = $1")
            .bind(account.to_string())
            .fetch_optional(connection);
    match select.await.map_err(at("account"))? {
        Some(row) => Ok(Vnd::new(row.try_get(0).map_err(at("account"))?)?),
        None => Ok(Vnd::ZERO),
    }
}

/// Gives an account other limits.
///
/// # Errors
/// What it has is beyond them.
pub async fn set_limits(
    write: &mut Write,
    account: &Account,
    limits: Limits,
) -> Result<(), LedgerError> {
    let name = account.to_string();
    open(write.connection(), &name, account).await?;
    let update = "UPDATE account SET floor = $2, ceiling = $3 WHERE name = $1
        AND ($2 IS NULL OR balance >= $2) AND ($3 IS NULL OR balance <= $3)";
    let updated = sqlx::query(update)
        .bind(&name)
        .bind(limits.floor.map(Vnd::dong))
        .bind(limits.ceiling.map(Vnd::dong))
        .execute(write.connection());
    if updated.await.map_err(at("account"))?.rows_affected() == 1 {
        return Ok(());
    }
    Err(LedgerError::Limit {
        account: account.clone(),
        balance: balance(write.connection(), account).await?,
    })
}
