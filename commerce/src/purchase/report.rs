//! What the back office shows of purchases beside the purchases themselves.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{
    LIST_MAX, Purchase, PurchaseError,
    record::{COLUMNS, read},
    unfit,
};
use crate::{
    moment::{Day, UnixMs},
    money::Vnd,
    store::at,
};

/// Days of one report: a year and a day.
const DAYS_MAX: i64 = 366;

/// What was sold on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayCount {
    /// The day of the orders.
    pub day: Day,
    /// How many purchases were fulfilled.
    pub purchases: i64,
    /// For how much together.
    pub amount: Vnd,
}

/// Fulfilled purchases of at least that amount by the day of their order, without the days on which there
/// were none; at most a year and a day.
///
/// # Errors
/// The database.
pub async fn per_day(
    connection: &mut AnyConnection,
    from: Day,
    to: Day,
    least: Vnd,
) -> Result<Vec<DayCount>, PurchaseError> {
    let select = "SELECT created_on, COUNT(*), CAST(SUM(amount) AS BIGINT) FROM purchase
        WHERE created_on BETWEEN $1 AND $2 AND amount >= $3
            AND state IN ('FULFILLED', 'COMPLETED')
        GROUP BY created_on ORDER BY created_on LIMIT $4";
    let rows = sqlx::query(select)
        .bind(from.to_string())
        .bind(to.to_string())
        .bind(least.dong())
        .bind(DAYS_MAX)
        .fetch_all(connection);
    let rows = rows.await.map_err(at("purchase"))?;
    let day = |row: &AnyRow| {
        let day: String = row.try_get(0).map_err(at("purchase"))?;
        let dong = row.try_get(2).map_err(at("purchase"))?;
        Ok(DayCount {
            day: day.parse().map_err(|_| unfit("a day that is none"))?,
            purchases: row.try_get(1).map_err(at("purchase"))?,
            amount: Vnd::new(dong).map_err(|_| unfit("an amount that is none"))?,
        })
    };
    rows.iter().map(day).collect()
}

/// Purchases that are confirmed and have been in a state since before that time that should not last, the
/// oldest first, at most [`LIST_MAX`]: what an operator looks at.
///
/// # Errors
/// The database.
pub async fn stuck(
    connection: &mut AnyConnection,
    before: UnixMs,
) -> Result<Vec<Purchase>, PurchaseError> {
    let select = format!(
        "SELECT {COLUMNS} FROM purchase WHERE state IN ('CHARGING', 'FUNDS_HELD', 'FULFILLING',
            'UNKNOWN', 'REVERSING', 'COMPENSATING', 'MANUAL_REVIEW') AND updated_at_ms < $1
        ORDER BY updated_at_ms, id LIMIT $2"
    );
    let rows = sqlx::query(&select)
        .bind(before.0)
        .bind(i64::from(LIST_MAX))
        .fetch_all(connection);
    let rows = rows.await.map_err(at("purchase"))?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}
