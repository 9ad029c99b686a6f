//! The handles of the store. They are fetched as it is opened, never per commit.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::{
    Metrics,
    names::{
        STORE_BYTES, STORE_COMMIT_CHANGES, STORE_COMMIT_SECONDS, STORE_FAILURES, STORE_HEALTHY,
        STORE_REFUSED, STORE_ROWS, STORE_WAITING,
    },
};

impl Metrics {
    /// The store of messages.
    pub fn store(&self) -> StoreMetrics {
        self.store_file("store")
    }

    /// The journal of payments.
    pub fn journal(&self) -> StoreMetrics {
        self.store_file("journal")
    }

    fn store_file(&self, file: &'static str) -> StoreMetrics {
        self.with(|| StoreMetrics {
            commit_seconds: histogram!(STORE_COMMIT_SECONDS, "file" => file),
            commit_changes: histogram!(STORE_COMMIT_CHANGES, "file" => file),
            failures: counter!(STORE_FAILURES, "file" => file),
            refused: counter!(STORE_REFUSED, "file" => file),
            healthy: gauge!(STORE_HEALTHY, "file" => file),
            waiting: gauge!(STORE_WAITING, "file" => file),
            bytes: gauge!(STORE_BYTES, "file" => file),
            rows: gauge!(STORE_ROWS, "file" => file),
        })
    }
}

/// The handles of one file.
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
    pub rows: Gauge,
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
            rows: Gauge::noop(),
        }
    }
}
