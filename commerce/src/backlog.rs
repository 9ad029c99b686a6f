//! Tells how many purchases are stuck and how many messages wait, for those who have to look before the
//! subscribers call.

use std::{sync::Arc, time::Duration};

use metrics::gauge;
use sqlx::{AnyConnection, Row as _};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    metrics::{MESSAGE_OLDEST_SECONDS, MESSAGES_WAITING, Metrics, PURCHASES_STUCK},
    moment::UnixMs,
    purchase::STUCK_AFTER_MS,
    store::{Store, StoreError, at},
    work::{Next, repeat},
};

/// A purchase is stuck after ten minutes, and each look counts all that are open.
const INTERVAL: Duration = Duration::from_secs(30);

/// What there is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Purchases that a person has to look at, as [`crate::purchase::stuck`] lists them.
    pub purchases_stuck: i64,
    /// Messages that are still to be sent.
    pub messages_waiting: i64,
    /// When the oldest of these was queued.
    pub oldest_message: Option<UnixMs>,
}

/// Counts them.
///
/// # Errors
/// The database.
pub async fn backlog(connection: &mut AnyConnection, now: UnixMs) -> Result<Backlog, StoreError> {
    let select = "SELECT
            (SELECT COUNT(*) FROM purchase WHERE state = 'MANUAL_REVIEW' OR (updated_at_ms < $1
                AND state IN ('CHARGING', 'FUNDS_HELD', 'FULFILLING', 'UNKNOWN', 'REVERSING',
                    'COMPENSATING'))),
            (SELECT COUNT(*) FROM outgoing WHERE state = 'waiting'),
            (SELECT MIN(created_at_ms) FROM outgoing WHERE state = 'waiting')";
    let row = sqlx::query(select)
        .bind(now.plus_ms(-STUCK_AFTER_MS).0)
        .fetch_one(connection);
    let row = row.await.map_err(at("purchase"))?;
    let oldest: Option<i64> = row.try_get(2).map_err(at("outgoing"))?;
    Ok(Backlog {
        purchases_stuck: row.try_get(0).map_err(at("purchase"))?,
        messages_waiting: row.try_get(1).map_err(at("outgoing"))?,
        oldest_message: oldest.map(UnixMs),
    })
}

/// The worker that counts them.
pub struct BacklogWatch {
    store: Store,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl BacklogWatch {
    /// Counts those of that store.
    pub fn new(store: Store, clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self {
            store,
            clock,
            metrics,
        }
    }

    /// Works until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let own = Arc::new(self);
        let step = || {
            let own = Arc::clone(&own);
            async move { own.step().await }
        };
        repeat(INTERVAL, stop, step).await;
    }

    async fn step(&self) -> Next {
        let now = (self.clock)();
        match self.look(now).await {
            Ok(backlog) => self.tell(backlog, now),
            Err(error) => tracing::warn!(%error, "what waits cannot be counted now"),
        }
        Next::Later
    }

    async fn look(&self, now: UnixMs) -> Result<Backlog, StoreError> {
        let mut read = self.store.read().await?;
        backlog(&mut read, now).await
    }

    fn tell(&self, backlog: Backlog, now: UnixMs) {
        let age_ms = backlog.oldest_message.map_or(0, |at| (now.0 - at.0).max(0));
        self.metrics.scope(|| {
            gauge!(PURCHASES_STUCK).set(backlog.purchases_stuck as f64);
            gauge!(MESSAGES_WAITING).set(backlog.messages_waiting as f64);
            gauge!(MESSAGE_OLDEST_SECONDS).set(age_ms as f64 / 1_000.0);
        });
    }
}
