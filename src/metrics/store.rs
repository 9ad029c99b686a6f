//! The handles of the store. They are fetched as it is opened, never per commit.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::{
    Metrics,
    names::{
        STORE_BYTES, STORE_COMMIT_CHANGES, STORE_COMMIT_SECONDS, STORE_FAILURES, STORE_HEALTHY,
        STORE_REFUSED, STORE_WAITING,
    },
};

impl Metrics {
    /// The store.
    pub fn store(&self) -> StoreMetrics {
        self.with(|| StoreMetrics {
            commit_seconds: histogram!(STORE_COMMIT_SECONDS),
            commit_changes: histogram!(STORE_COMMIT_CHANGES),
            failures: counter!(STORE_FAILURES),
            refused: counter!(STORE_REFUSED),
            healthy: gauge!(STORE_HEALTHY),
            waiting: gauge!(STORE_WAITING),
            bytes: gauge!(STORE_BYTES),
        })
    }
}

/// The handles of the store.
#[allow(
    missing_docs,
    reason = "the metrics' meanings stand in one place, COUNTERS and GAUGES"
)]
#[derive(Clone)]
pub struct StoreMetrics {
    pub commit_seconds: Histogram,
    pub commit_changes: Histogram,
    pub failures: Counter,
    pub refused: Counter,
    pub healthy: Gauge,
    pub waiting: Gauge,
    pub bytes: Gauge,
}

impl StoreMetrics {
    /// Handles that nobody reads, for a store outside of a router.
    pub fn unseen() -> Self {
        Self {
            commit_seconds: Histogram::noop(),
            commit_changes: Histogram::noop(),
            failures: Counter::noop(),
            refused: Counter::noop(),
            healthy: Gauge::noop(),
            waiting: Gauge::noop(),
            bytes: Gauge::noop(),
        }
    }
}
