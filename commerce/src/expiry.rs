//! Gives back what is held once its time is over. Nothing depends on when it comes by: a hold that is
//! over cannot be captured (`ledger`), so this only gives money back sooner or later.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use metrics::{Counter, Gauge, counter, gauge};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    ledger::{self, LedgerError},
    metrics::{HOLDS_DUE, HOLDS_DUE_OLDEST_SECONDS, HOLDS_EXPIRED},
    moment::UnixMs,
    store::Store,
    word::Id,
    work::{Next, repeat},
};

/// Holds that cannot be ended and are looked past. By so many the alert for the oldest has long gone off.
const STUCK_MAX: u32 = 10_000;

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Holds that it ended.
    pub ended: u32,
    /// Holds that cannot be ended, such as one whose money would go beyond its account's ceiling.
    pub stuck: u32,
    /// Whether others may be due.
    pub more: bool,
}

/// Ends holds that are due, the oldest first, at most so many beside those that are known to be stuck.
/// Each is a change of its own; it stops between two.
///
/// # Errors
/// The database.
pub async fn round(
    store: &Store,
    batch_max: u32,
    known_stuck: u32,
    now: UnixMs,
    stop: &CancellationToken,
) -> Result<Round, LedgerError> {
    let holds_max = batch_max.saturating_add(known_stuck.min(STUCK_MAX));
    let mut read = store.read().await?;
    let due = ledger::due(&mut read, now, holds_max).await?;
    drop(read);
    let mut round = Round {
        more: due.len() >= holds_max as usize,
        ..Round::default()
    };
    for id in &due {
        if stop.is_cancelled() {
            break;
        }
        match end(store, id, now).await {
            Ok(()) => round.ended += 1,
            // Another machine or a capture was faster.
            Err(LedgerError::HoldEnded { .. }) => {}
            Err(LedgerError::Store(error)) => return Err(error.into()),
            Err(error) => {
                // Others are mostly stuck for the same reason, in this round and in the next.
                if round.stuck == 0 {
                    tracing::warn!(hold = %id, %error, "a hold that is over cannot be ended");
                }
                round.stuck += 1;
            }
        }
    }
    Ok(round)
}

async fn end(store: &Store, id: &Id, now: UnixMs) -> Result<(), LedgerError> {
    let mut write = store.write().await?;
    ledger::expire(&mut write, id, now).await?;
    Ok(write.commit().await?)
}

/// The worker that ends holds.
pub struct Expiry {
    store: Store,
    clock: Clock,
    interval: Duration,
    batch_max: u32,
    figures: Figures,
    /// Those of the last round, so that they do not stand in the way of others.
    stuck: AtomicU32,
}

impl Expiry {
    /// Looks every `interval`, give or take a tenth, and ends `batch_max` holds before it looks again.
    pub fn new(store: Store, clock: Clock, interval: Duration, batch_max: u32) -> Self {
        Self {
            store,
            clock,
            interval,
            batch_max,
            figures: Figures::fetch(),
            stuck: AtomicU32::new(0),
        }
    }

    /// Works until it is told to stop, and then ends between two holds.
    pub async fn run(self, stop: CancellationToken) {
        let (interval, token, own) = (self.interval, stop.clone(), Arc::new(self));
        let step = || {
            let (own, token) = (Arc::clone(&own), token.clone());
            async move { own.step(&token).await }
        };
        repeat(interval, stop, step).await;
    }

    async fn step(&self, stop: &CancellationToken) -> Next {
        let now = (self.clock)();
        let next = self.end_due(now, stop).await;
        let next = match next {
            Ok(next) => self.tell_what_is_left(now).await.map(|()| next),
            Err(error) => Err(error),
        };
        next.unwrap_or_else(|error| {
            tracing::warn!(%error, "holds that are over wait for the next round");
            Next::Later
        })
    }

    async fn end_due(&self, now: UnixMs, stop: &CancellationToken) -> Result<Next, LedgerError> {
        let stuck = self.stuck.load(Relaxed);
        let round = round(&self.store, self.batch_max, stuck, now, stop).await?;
        self.stuck.store(round.stuck, Relaxed);
        self.figures.ended.increment(round.ended.into());
        self.figures.stuck.increment(round.stuck.into());
        if round.ended > 0 {
            tracing::info!(holds = round.ended, "holds were over and have gone back");
        }
        // What is stuck stays due, so a round that ended nothing would be followed by the same.
        let goes_on = round.more && round.ended > 0;
        Ok(if goes_on { Next::AtOnce } else { Next::Later })
    }

    async fn tell_what_is_left(&self, now: UnixMs) -> Result<(), LedgerError> {
        let mut read = self.store.read().await?;
        let backlog = ledger::backlog(&mut read, now).await?;
        self.figures.due.set(backlog.holds as f64);
        self.figures
            .oldest_s
            .set(backlog.oldest_ms as f64 / 1_000.0);
        Ok(())
    }
}

struct Figures {
    ended: Counter,
    stuck: Counter,
    due: Gauge,
    oldest_s: Gauge,
}

impl Figures {
    fn fetch() -> Self {
        Self {
            ended: counter!(HOLDS_EXPIRED, "result" => "ended"),
            stuck: counter!(HOLDS_EXPIRED, "result" => "stuck"),
            due: gauge!(HOLDS_DUE),
            oldest_s: gauge!(HOLDS_DUE_OLDEST_SECONDS),
        }
    }
}
