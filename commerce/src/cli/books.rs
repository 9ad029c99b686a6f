//! What the commands on the books have in common, and the two that look at all of them: `commerce trial`
//! and `commerce verdict`.

use std::path::Path;

use super::{Exit, Trouble, print};
use crate::{
    config::load_store,
    ledger,
    money::Vnd,
    store::{Location, Store},
    verdict::CHECKS,
};

/// Opens the books of a configuration, of which nothing else is read, does something with them and
/// closes them.
pub(super) fn with_books<T>(
    config: &Path,
    act: impl AsyncFnOnce(&Store) -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    with_books_at(&load_store(config)?, act)
}

/// The same at a place that is known.
pub(super) fn with_books_at<T>(
    location: &Location,
    act: impl AsyncFnOnce(&Store) -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(Trouble::failure)?.block_on(async {
        let store = Store::open(location).await.map_err(Trouble::failure)?;
        let done = act(&store).await;
        store.close().await;
        done
    })
}

/// Prints the trial balance and the accounts whose balance is not what their postings make. A failure
/// if there are any, or if it does not sum to zero.
pub(super) fn trial(config: &Path) -> Result<Exit, Trouble> {
    with_books(config, async |store| {
        let mut read = store.read().await.map_err(Trouble::failure)?;
        let rows = ledger::trial_balance(&mut read).await;
        let rows = rows.map_err(Trouble::failure)?;
        print(format_args!(
            "{:<12} {:>8} {:>24}",
            "KIND", "ACCOUNTS", "DEBIT"
        ))?;
        for row in &rows {
            let (kind, accounts, debit) = (&row.kind, row.accounts, row.debit.to_string());
            print(format_args!("{kind:<12} {accounts:>8} {debit:>24}"))?;
        }
        let sum = Vnd::sum(rows.iter().map(|row| row.debit)).map_err(Trouble::failure)?;
        print(format_args!(
            "{:<12} {:>8} {:>24}",
            "sum",
            "",
            sum.to_string()
        ))?;
        let faults = ledger::faults(&mut read).await.map_err(Trouble::failure)?;
        for account in &faults {
            print(format_args!(
                "WRONG: {account} has not what its postings make"
            ))?;
        }
        Ok(match sum == Vnd::ZERO && faults.is_empty() {
            true => Exit::Success,
            false => Exit::Failure,
        })
    })
}

/// Prints a line for each thing that must hold, `ok …` or `WRONG …`. A failure unless all hold.
pub(super) fn verdict(config: &Path) -> Result<Exit, Trouble> {
    with_books(config, async |store| {
        let mut exit = Exit::Success;
        for check in CHECKS {
            let mut read = store.read().await.map_err(Trouble::failure)?;
            let faults = (check.faults)(&mut read).await.map_err(Trouble::failure)?;
            if faults.is_empty() {
                print(format_args!("ok    {}", check.name))?;
            } else {
                print(format_args!("WRONG {}: {}", check.name, faults.join(", ")))?;
                exit = Exit::Failure;
            }
        }
        Ok(exit)
    })
}
