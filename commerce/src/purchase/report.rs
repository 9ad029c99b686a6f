//! What the back office shows of purchases beside the purchases themselves.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{
    LIST_MAX, Purchase, PurchaseError, State,
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

/// How long a purchase may be in a state that should not last: longer than a bank and an SMSC take to
/// answer, short enough that somebody looks before the subscriber calls.
pub const STUCK_AFTER_MS: i64 = 10 * 60_000;

impl Purchase {
    /// Whether an operator has to look at it: it awaits his decision, or has been confirmed and in a state
    /// that should not last for too long.
    pub fn is_stuck(&self, now: UnixMs) -> bool {
        match self.state {
            State::ManualReview => true,
            State::Charging
            | State::FundsHeld
            | State::Fulfilling
            | State::Unknown
            | State::Reversing
            | State::Compensating => self.updated_at < now.plus_ms(-STUCK_AFTER_MS),
            _ => false,
        }
    }
}

/// Those that [are](Purchase::is_stuck), the oldest first, at most [`LIST_MAX`].
///
/// # Errors
/// The database.
pub async fn stuck(
    connection: &mut AnyConnection,
    now: UnixMs,
) -> Result<Vec<Purchase>, PurchaseError> {
    let select = format!(
        "SELECT {COLUMNS} FROM purchase WHERE state IN ('CHARGING', 'FUNDS_HELD', 'FULFILLING',
            'UNKNOWN', 'REVERSING', 'COMPENSATING', 'MANUAL_REVIEW')
            AND (updated_at_ms < $1 OR state = 'MANUAL_REVIEW')
        ORDER BY updated_at_ms, id LIMIT $2"
    );
    let rows = sqlx::query(&select)
        .bind(now.plus_ms(-STUCK_AFTER_MS).0)
        .bind(i64::from(LIST_MAX))
        .fetch_all(connection);
    let rows = rows.await.map_err(at("purchase"))?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}
