//! What the tests of the books have in common.

use commerce::{
    ledger::{self, Account, Entry, LedgerError, Line, Posted},
    moment::UnixMs,
    money::Vnd,
    store::{Store, StoreError},
};
use sqlx::Executor as _;

pub(crate) const NOW: UnixMs = UnixMs(1_800_000_000_000);

pub(crate) fn vnd(dong: i64) -> Vnd {
    Vnd::new(dong).unwrap()
}

pub(crate) fn account(name: &str) -> Account {
    name.parse().unwrap()
}

/// An entry that moves money from the second account to the first.
pub(crate) fn entry(reference: &str, debit: &str, credit: &str, dong: i64) -> Entry {
    let lines = [
        Line::debit(account(debit), vnd(dong)),
        Line::credit(account(credit), vnd(dong)),
    ];
    Entry::new(reference.parse().unwrap(), NOW, lines).unwrap()
}

/// Writes one entry in a change of its own.
pub(crate) async fn post(store: &Store, entry: &Entry) -> Result<Posted, LedgerError> {
    let mut write = store.write().await?;
    let posted = ledger::post(&mut write, entry).await?;
    write.commit().await?;
    Ok(posted)
}

pub(crate) async fn balance(store: &Store, name: &str) -> i64 {
    let mut read = store.read().await.unwrap();
    let balance = ledger::balance(&mut read, &account(name)).await.unwrap();
    balance.dong()
}

/// What somebody at the database's own prompt would do, in one change.
pub(crate) async fn by_hand(store: &Store, statements: &[&str]) -> Result<(), String> {
    let mut write = store.write().await.unwrap();
    for statement in statements {
        let done = write.connection().execute(*statement).await;
        done.map_err(|error| error.to_string())?;
    }
    write.commit().await.map_err(|error| match error {
        StoreError::Refused { reason, .. } => reason,
        other => format!("{other:?}"),
    })
}

/// The books sum to zero, and each balance is what its postings make.
pub(crate) async fn assert_balanced(store: &Store) {
    let mut read = store.read().await.unwrap();
    let rows = ledger::trial_balance(&mut read).await.unwrap();
    let debits: i64 = rows.iter().map(|row| row.debit.dong()).sum();
    assert_eq!(debits, 0, "{rows:?}");
    assert_eq!(ledger::faults(&mut read).await.unwrap(), [""; 0]);
}
