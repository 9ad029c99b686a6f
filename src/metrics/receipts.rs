//! The handles of the awaited receipts and of the request ids. They are fetched as the router starts,
//! never per receipt or request.

use metrics::{Counter, Gauge, counter, gauge};

use super::{
    Metrics,
    names::{
        RECEIPT_OTHER_NUMBER, RECEIPTS, RECEIPTS_EVICTED, RECEIPTS_PENDING, REQUEST_IDS,
        REQUEST_IDS_KEPT,
    },
};

impl Metrics {
    /// The awaited receipts.
    pub fn receipts(&self) -> ReceiptMetrics {
        let receipt = |found: &'static str| counter!(RECEIPTS, "outcome" => found);
        self.with(|| ReceiptMetrics {
            correlated: receipt("correlated"),
            repeated: receipt("repeated"),
            held: receipt("held"),
            refused: receipt("refused"),
            uncorrelated: receipt("uncorrelated"),
            forged: receipt("forged"),
            other_number: counter!(RECEIPT_OTHER_NUMBER),
            evicted: counter!(RECEIPTS_EVICTED),
            pending: gauge!(RECEIPTS_PENDING),
        })
    }

    /// The request ids.
    pub fn requests(&self) -> RequestMetrics {
        let id = |outcome: &'static str| counter!(REQUEST_IDS, "outcome" => outcome);
        self.with(|| RequestMetrics {
            repeated: id("repeated"),
            joined: id("joined"),
            reused: id("reused"),
            full: id("full"),
            kept: gauge!(REQUEST_IDS_KEPT),
        })
    }
}

/// The handles of the awaited receipts.
#[allow(
    missing_docs,
    reason = "the metrics' meanings stand in one place, COUNTERS and GAUGES"
)]
#[derive(Clone)]
pub struct ReceiptMetrics {
    pub correlated: Counter,
    pub repeated: Counter,
    pub held: Counter,
    pub refused: Counter,
    pub uncorrelated: Counter,
    pub forged: Counter,
    pub other_number: Counter,
    pub evicted: Counter,
    pub pending: Gauge,
}

impl ReceiptMetrics {
    /// Handles that nobody reads.
    pub fn unseen() -> Self {
        Self {
            correlated: Counter::noop(),
            repeated: Counter::noop(),
            held: Counter::noop(),
            refused: Counter::noop(),
            uncorrelated: Counter::noop(),
            forged: Counter::noop(),
            other_number: Counter::noop(),
            evicted: Counter::noop(),
            pending: Gauge::noop(),
        }
    }
}

/// The handles of the request ids.
#[allow(
    missing_docs,
    reason = "the metrics' meanings stand in one place, COUNTERS and GAUGES"
)]
#[derive(Clone)]
pub struct RequestMetrics {
    pub repeated: Counter,
    pub joined: Counter,
    pub reused: Counter,
    pub full: Counter,
    pub kept: Gauge,
}

impl RequestMetrics {
    /// Handles that nobody reads.
    pub fn unseen() -> Self {
        Self {
            repeated: Counter::noop(),
            joined: Counter::noop(),
            reused: Counter::noop(),
            full: Counter::noop(),
            kept: Gauge::noop(),
        }
    }
}
