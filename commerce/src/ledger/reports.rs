//! What the books say: an account's statement, the trial balance, and whether all of it fits.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{Account, LedgerError};
use crate::{
    moment::UnixMs,
    money::Vnd,
    store::{StoreError, at},
    word::Reference,
};

/// Lines of one page of a statement.
pub const STATEMENT_LINES_MAX: u32 = 500;

/// Accounts that [`faults`] names; one is too many, and the rest are found once these are mended.
pub const FAULTS_MAX: u32 = 100;

/// One posting, as the owner of the account sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// Counts the account's postings from 1 without a gap. The next page begins after it.
    pub number: i64,
    /// The entry that it belongs to.
    pub entry: Reference,
    /// When.
    pub at: UnixMs,
    /// What came to the account, or went from it if negative.
    pub amount: Vnd,
    /// What the account had then.
    pub balance: Vnd,
}

/// A page of an account's postings, the oldest first, after the one of that number. Whoever begins at
/// 0 and asks on from each page's last number sees every posting once, also those made meanwhile.
///
/// # Errors
/// The database.
pub async fn statement(
    connection: &mut AnyConnection,
    account: &Account,
    after_number: i64,
    lines_max: u32,
) -> Result<Vec<StatementLine>, LedgerError> {
    let select = "SELECT number, entry, at_ms, amount, balance
        FROM posting JOIN entry ON reference = entry
        WHERE account = $1 AND number > $2 ORDER BY number LIMIT $3";
    let rows = sqlx::query(select)
        .bind(account.to_string())
        .bind(after_number)
        .bind(i64::from(lines_max.min(STATEMENT_LINES_MAX)))
        .fetch_all(connection);
    let rows = rows.await.map_err(at("posting"))?;
    rows.iter().map(|row| line(account, row)).collect()
}

fn line(account: &Account, row: &AnyRow) -> Result<StatementLine, LedgerError> {
    let number = |column| row.try_get::<i64, _>(column).map_err(at("posting"));
    let entry: String = row.try_get(1).map_err(at("posting"))?;
    let unfit = |_| StoreError::Unfit {
        table: "posting",
        reason: "an entry that is no reference".to_owned(),
    };
    Ok(StatementLine {
        number: number(0)?,
        entry: entry.parse().map_err(unfit)?,
        at: UnixMs(number(2)?),
        amount: Vnd::new(account.side().sign() * number(3)?)?,
        balance: Vnd::new(number(4)?)?,
    })
}

/// All accounts of a kind together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialRow {
    /// The first word of their names.
    pub kind: String,
    /// How many there are.
    pub accounts: i64,
    /// What they have together, as a debit; a credit is negative.
    pub debit: Vnd,
}

/// The books at one moment; their debits sum to zero.
///
/// # Errors
/// The database.
pub async fn trial_balance(connection: &mut AnyConnection) -> Result<Vec<TrialRow>, LedgerError> {
    let select = "SELECT kind, COUNT(*), CAST(SUM(side * balance) AS BIGINT)
        FROM account GROUP BY kind ORDER BY kind";
    let rows = sqlx::query(select).fetch_all(connection);
    let rows = rows.await.map_err(at("account"))?;
    let row = |row: &AnyRow| {
        Ok(TrialRow {
            kind: row.try_get(0).map_err(at("account"))?,
            accounts: row.try_get(1).map_err(at("account"))?,
            debit: Vnd::new(row.try_get(2).map_err(at("account"))?)?,
        })
    };
    rows.iter().map(row).collect()
}

/// The accounts whose balance is not what their postings make, at most [`FAULTS_MAX`]. There are none
/// unless somebody changed the tables by hand. It reads every posting.
///
/// # Errors
/// The database.
pub async fn faults(connection: &mut AnyConnection) -> Result<Vec<String>, LedgerError> {
    let select = "SELECT name FROM account WHERE balance <> COALESCE(
            (SELECT SUM(amount) * side FROM posting WHERE account = name), 0)
        ORDER BY name LIMIT $1";
    let rows = sqlx::query(select)
        .bind(i64::from(FAULTS_MAX))
        .fetch_all(connection);
    let rows = rows.await.map_err(at("account"))?;
    let names = rows
        .iter()
        .map(|row| Ok(row.try_get(0).map_err(at("account"))?));
    names.collect()
}
