//! How long deliveries are kept, under which key, and how many there are.

use std::time::Duration;

use sqlx::{AnyConnection, Row as _};

use super::Kind;
use crate::{
    moment::UnixMs,
    store::{StoreError, Write, at},
};

const DAY_S: u64 = 24 * 60 * 60;

/// How long deliveries that have ended are kept. Dead letters stay until somebody replays or drops them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// What was to be told: long enough to send it once more when the target has lost it.
    pub payload: Duration,
    /// That it was told, by which a repetition of the same guid is known.
    pub row: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            payload: Duration::from_secs(7 * DAY_S),
            row: Duration::from_secs(90 * DAY_S),
        }
    }
}

impl Retention {
    pub(super) fn payload_before(&self, now: UnixMs) -> UnixMs {
        before(now, self.payload)
    }

    pub(super) fn row_before(&self, now: UnixMs) -> UnixMs {
        before(now, self.row)
    }
}

fn before(now: UnixMs, kept: Duration) -> UnixMs {
    let kept_ms = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
    UnixMs(now.0.saturating_sub(kept_ms))
}

/// Forgets the payloads of up to so many deliveries that were done or dropped before a time, and says how
/// many there were.
///
/// # Errors
/// The database.
pub async fn wipe(write: &mut Write, ended_before: UnixMs, max: u32) -> Result<u64, StoreError> {
    let update = "UPDATE delivery SET payload = NULL, payload_key = NULL
        WHERE state IN ('done', 'dropped') AND number IN (
            SELECT number FROM delivery WHERE state IN ('done', 'dropped')
                AND ended_at_ms < $1 AND payload IS NOT NULL LIMIT $2
        )";
    let updated = sqlx::query(update)
        .bind(ended_before.0)
        .bind(i64::from(max))
        .execute(write.connection());
    Ok(updated.await.map_err(at("delivery"))?.rows_affected())
}

/// Forgets up to so many deliveries that were done or dropped before a time, and says how many there were.
///
/// # Errors
/// The database.
pub async fn forget(write: &mut Write, ended_before: UnixMs, max: u32) -> Result<u64, StoreError> {
    let delete = "DELETE FROM delivery WHERE state IN ('done', 'dropped') AND number IN (
            SELECT number FROM delivery WHERE state IN ('done', 'dropped') AND ended_at_ms < $1
            LIMIT $2
        )";
    let deleted = sqlx::query(delete)
        .bind(ended_before.0)
        .bind(i64::from(max))
        .execute(write.connection());
    Ok(deleted.await.map_err(at("delivery"))?.rows_affected())
}

/// What waits and what is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Of which kind.
    pub kind: Kind,
    /// Deliveries that wait.
    pub waiting: i64,
    /// Dead letters.
    pub dead: i64,
    /// When the oldest of those that wait was queued.
    pub oldest_made_at: Option<UnixMs>,
}

/// The figures of each kind.
///
/// # Errors
/// The database.
pub async fn figures(connection: &mut AnyConnection) -> Result<Vec<Figures>, StoreError> {
    let select = "SELECT
            (SELECT count(*) FROM delivery WHERE state = 'waiting' AND kind = $1),
            (SELECT count(*) FROM delivery WHERE state = 'dead' AND kind = $1),
            (SELECT min(made_at_ms) FROM delivery WHERE state = 'waiting' AND kind = $1)";
    let mut figures = Vec::with_capacity(Kind::ALL.len());
    for kind in Kind::ALL {
        let row = sqlx::query(select)
            .bind(kind.word())
            .fetch_one(&mut *connection);
        let row = row.await.map_err(at("delivery"))?;
        let oldest: Option<i64> = row.try_get(2).map_err(at("delivery"))?;
        figures.push(Figures {
            kind,
            waiting: row.try_get(0).map_err(at("delivery"))?,
            dead: row.try_get(1).map_err(at("delivery"))?,
            oldest_made_at: oldest.map(UnixMs),
        });
    }
    Ok(figures)
}
