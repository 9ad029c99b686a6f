//! Accounts and entries, as they stand in the books.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{Page, unfit};
use crate::{
    ledger::{Account, ENTRY_POSTINGS_MAX},
    moment::UnixMs,
    money::Vnd,
    store::{StoreError, at},
    word::Reference,
};

/// An account with its balance in its own sense.
#[derive(Clone, Debug)]
pub(crate) struct AccountLine {
    pub(crate) account: Account,
    pub(crate) balance: Vnd,
    pub(crate) postings: i64,
    pub(crate) floor: Option<Vnd>,
    pub(crate) ceiling: Option<Vnd>,
}

/// A posting of an entry; a debit is positive.
#[derive(Clone, Debug)]
pub(crate) struct PostingLine {
    pub(crate) account: Account,
    pub(crate) amount: Vnd,
}

const COLUMNS: &str = "name, balance, postings, floor, ceiling";

/// Accounts by name, of one kind if it is said, from after that name.
pub(crate) async fn accounts(
    connection: &mut AnyConnection,
    kind: Option<&str>,
    after: &str,
) -> Result<Page<AccountLine>, StoreError> {
    let of_kind = if kind.is_some() { "AND kind = $3" } else { "" };
    let select =
        format!("SELECT {COLUMNS} FROM account WHERE name > $1 {of_kind} ORDER BY name LIMIT $2");
    let mut query = sqlx::query(&select)
        .bind(after)
        .bind(i64::from(Page::<AccountLine>::ASKED));
    if let Some(kind) = kind {
        query = query.bind(kind);
    }
    let rows = query.fetch_all(connection).await.map_err(at("account"))?;
    let lines = rows.iter().map(line).collect::<Result<_, _>>()?;
    Ok(Page::of(lines))
}

/// The account of that name, if it has been opened.
pub(crate) async fn account(
    connection: &mut AnyConnection,
    account: &Account,
) -> Result<Option<AccountLine>, StoreError> {
    let select = format!("SELECT {COLUMNS} FROM account WHERE name = $1");
    let row = sqlx::query(&select)
        .bind(account.to_string())
        .fetch_optional(connection);
    let row = row.await.map_err(at("account"))?;
    row.as_ref().map(line).transpose()
}

/// When an entry was made, and its postings.
pub(crate) async fn entry(
    connection: &mut AnyConnection,
    reference: &Reference,
) -> Result<Option<(UnixMs, Vec<PostingLine>)>, StoreError> {
    let select = "SELECT at_ms, account, amount FROM entry JOIN posting ON entry = reference
        WHERE reference = $1 ORDER BY line LIMIT $2";
    let rows = sqlx::query(select)
        .bind(reference.as_str())
        .bind(i64::try_from(ENTRY_POSTINGS_MAX).unwrap_or(i64::MAX))
        .fetch_all(connection);
    let rows = rows.await.map_err(at("posting"))?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let made_at = UnixMs(first.try_get(0).map_err(at("entry"))?);
    let posting = |row: &AnyRow| {
        let name: String = row.try_get(1).map_err(at("posting"))?;
        let dong: i64 = row.try_get(2).map_err(at("posting"))?;
        Ok(PostingLine {
            account: name.parse().map_err(|_| unfit("posting"))?,
            amount: Vnd::new(dong).map_err(|_| unfit("posting"))?,
        })
    };
    let postings = rows
        .iter()
        .map(posting)
        .collect::<Result<_, StoreError>>()?;
    Ok(Some((made_at, postings)))
}

fn line(row: &AnyRow) -> Result<AccountLine, StoreError> {
    let limit = |column| {
        let dong: Option<i64> = row.try_get(column).map_err(at("account"))?;
        dong.map(Vnd::new).transpose().map_err(|_| unfit("account"))
    };
    let name: String = row.try_get(0).map_err(at("account"))?;
    let balance: i64 = row.try_get(1).map_err(at("account"))?;
    Ok(AccountLine {
        account: name.parse().map_err(|_| unfit("account"))?,
        balance: Vnd::new(balance).map_err(|_| unfit("account"))?,
        postings: row.try_get(2).map_err(at("account"))?,
        floor: limit(3)?,
        ceiling: limit(4)?,
    })
}
