//! Whether the books, the stock and the sales agree with each other: what must hold at every moment,
//! whatever crashed before.
//!
//! Each check is one look at the database, so that it may be asked while the program serves. Whoever
//! adds rows that must agree adds a check to [`CHECKS`].

use std::pin::Pin;

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use crate::{
    ledger::{self, LedgerError},
    money::Vnd,
    purchase,
    store::{StoreError, at},
};

/// Faults that a check names; one is too many.
pub const FAULTS_MAX: u32 = 100;

type Found<'c> = Pin<Box<dyn Future<Output = Result<Vec<String>, LedgerError>> + Send + 'c>>;

/// Something that must hold.
pub struct Check {
    /// What, as a sentence.
    pub name: &'static str,
    /// Finds what it does not hold for, at most [`FAULTS_MAX`].
    pub faults: for<'c> fn(&'c mut AnyConnection) -> Found<'c>,
}

/// Everything that must hold.
pub const CHECKS: &[Check] = &[
    Check {
        name: "each balance is what its postings make",
        faults: |connection| Box::pin(ledger::faults(connection)),
    },
    Check {
        name: "all balances sum to zero",
        faults: |connection| Box::pin(unbalanced(connection)),
    },
    Check {
        name: "each hold has its money until it ends",
        faults: |connection| Box::pin(holds(connection)),
    },
    Check {
        name: "each sale has its cards, and no card two sales",
        faults: |connection| Box::pin(cards_of_sales(connection)),
    },
    Check {
        name: "no card that is set aside is sold or kept for a buyer",
        faults: |connection| Box::pin(cards_set_aside(connection)),
    },
    Check {
        name: "each sale is paid, and nothing else",
        faults: |connection| Box::pin(payments_of_sales(connection)),
    },
    Check {
        name: "each purchase has its card if it is paid, and its money back if it has none",
        faults: |connection| Box::pin(purchases(connection)),
    },
];

async fn purchases(connection: &mut AnyConnection) -> Result<Vec<String>, LedgerError> {
    let found = purchase::verdict(connection).await;
    found.map_err(|error| match error.of_store() {
        Some(error) => LedgerError::Store(error.clone()),
        None => LedgerError::Store(StoreError::Unfit {
            table: "purchase",
            reason: error.to_string(),
        }),
    })
}

async fn unbalanced(connection: &mut AnyConnection) -> Result<Vec<String>, LedgerError> {
    let rows = ledger::trial_balance(connection).await?;
    Ok(match Vnd::sum(rows.iter().map(|row| row.debit))? {
        Vnd::ZERO => Vec::new(),
        difference => vec![format!("debits are {difference} more than credits")],
    })
}

async fn holds(connection: &mut AnyConnection) -> Result<Vec<String>, LedgerError> {
    let select = "SELECT id FROM hold LEFT JOIN account ON name = 'hold:' || id
        WHERE COALESCE(balance, 0) <> CASE state WHEN 'pending' THEN amount ELSE 0 END
        ORDER BY id LIMIT $1";
    let rows = rows(connection, select).await?;
    named(&rows, "hold", |row| row.try_get::<String, _>(0))
}

/// A card has one reservation, so it is enough that the sales have as many as they sold, and that
/// together they have all.
async fn cards_of_sales(connection: &mut AnyConnection) -> Result<Vec<String>, LedgerError> {
    let select = "SELECT number FROM sale WHERE sold <> (
            SELECT COUNT(*) FROM card WHERE reservation = 'sale-' || number AND state = 'sold'
        ) ORDER BY number LIMIT $1";
    let rows = rows(connection, select).await?;
    let mut faults = named(&rows, "sale", |row| row.try_get::<i64, _>(0))?;
    let select = "SELECT
            (SELECT COUNT(*) FROM card WHERE state = 'sold' AND reservation LIKE 'sale-%'),
            (SELECT CAST(COALESCE(SUM(sold), 0) AS BIGINT) FROM sale)";
    faults.extend(differ(connection, select, "cards handed out", "cards of sales").await?);
    Ok(faults)
}

async fn cards_set_aside(connection: &mut AnyConnection) -> Result<Vec<String>, LedgerError> {
    let select = "SELECT card_type || ':' || serial FROM card
        WHERE faulty_at_ms IS NOT NULL AND state <> 'free' ORDER BY card_type, serial LIMIT $1";
    let rows = rows(connection, select).await?;
    named(&rows, "card", |row| row.try_get::<String, _>(0))
}

async fn payments_of_sales(connection: &mut AnyConnection) -> Result<Vec<String>, LedgerError> {
    let select = "SELECT number FROM sale WHERE NOT EXISTS (
            SELECT 1 FROM posting WHERE entry = 'sale:' || sale.number
                AND account = 'agent:' || agent || ':deposit' AND amount = sold * sell_value
        ) ORDER BY number LIMIT $1";
    let rows = rows(connection, select).await?;
    let mut faults = named(&rows, "sale", |row| row.try_get::<i64, _>(0))?;
    let select = "SELECT (SELECT COUNT(*) FROM entry WHERE reference LIKE 'sale:%'),
            (SELECT COUNT(*) FROM sale)";
    faults.extend(differ(connection, select, "entries of sales", "sales").await?);
    Ok(faults)
}

async fn rows(
    connection: &mut AnyConnection,
    select: &'static str,
) -> Result<Vec<AnyRow>, StoreError> {
    let rows = sqlx::query(select)
        .bind(i64::from(FAULTS_MAX))
        .fetch_all(connection);
    rows.await.map_err(at("any"))
}

fn named<T: std::fmt::Display>(
    rows: &[AnyRow],
    kind: &str,
    name: impl Fn(&AnyRow) -> Result<T, sqlx::Error>,
) -> Result<Vec<String>, LedgerError> {
    let fault = |row| Ok(format!("{kind} {}", name(row).map_err(at("any"))?));
    rows.iter().map(fault).collect()
}

/// A fault if the two numbers that are selected are not the same.
async fn differ(
    connection: &mut AnyConnection,
    select: &'static str,
    one: &str,
    other: &str,
) -> Result<Option<String>, LedgerError> {
    let row = sqlx::query(select).fetch_one(connection);
    let row = row.await.map_err(at("any"))?;
    let number = |column| row.try_get::<i64, _>(column).map_err(at("any"));
    let (first, second) = (number(0)?, number(1)?);
    Ok((first != second).then(|| format!("{first} {one}, {second} {other}")))
}
