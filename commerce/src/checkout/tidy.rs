//! Forgets orders that nobody has begun to pay.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    merchants::orders,
    moment::UnixMs,
    store::{Store, StoreError},
};

/// How long after its time an order is kept, so that its merchant can still ask.
const KEPT_MS: i64 = 7 * 24 * 3_600_000;

/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(600);

/// Orders that are forgotten at a time, so that the change is short.
const FORGOTTEN_MAX: u32 = 1_000;

/// Forgets them until it is told to stop.
pub(crate) async fn run(store: Store, clock: Clock, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = forget(&store, clock()).await {
            tracing::warn!(%error, "old orders are not forgotten");
        }
        stop.run_until_cancelled(sleep(PAUSE)).await;
    }
}

async fn forget(store: &Store, now: UnixMs) -> Result<(), StoreError> {
    let mut write = store.write().await?;
    orders::forget(&mut write, now.plus_ms(-KEPT_MS), FORGOTTEN_MAX).await?;
    write.commit().await
}
