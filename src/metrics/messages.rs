//! The handles of the messages to one SMSC. They are fetched as the router starts, never per message.

use metrics::{Counter, counter};

use super::{
    Metrics,
    names::{MESSAGE_FAILOVERS, MESSAGE_LATE_ANSWERS, MESSAGE_OUTCOMES},
};

impl Metrics {
    /// The outcomes of messages to one SMSC, or to none (`-`).
    pub fn messages(&self, smsc: &str) -> MessageMetrics {
        let outcome = |outcome: &'static str| counter!(MESSAGE_OUTCOMES, "smsc" => smsc.to_owned(), "outcome" => outcome);
        self.with(|| MessageMetrics {
            accepted: outcome("accepted"),
            rejected_temporary: outcome("rejected_temporary"),
            rejected_permanent: outcome("rejected_permanent"),
            not_sent: outcome("not_sent"),
            unknown: outcome("unknown"),
            failed_over: counter!(MESSAGE_FAILOVERS, "smsc" => smsc.to_owned()),
            answered_late: counter!(MESSAGE_LATE_ANSWERS, "smsc" => smsc.to_owned()),
        })
    }
}

/// The handles of messages to one SMSC.
#[allow(
    missing_docs,
    reason = "the metrics' meanings stand in one place, COUNTERS and GAUGES"
)]
#[derive(Clone)]
pub struct MessageMetrics {
    pub accepted: Counter,
    pub rejected_temporary: Counter,
    pub rejected_permanent: Counter,
    pub not_sent: Counter,
    pub unknown: Counter,
    pub failed_over: Counter,
    pub answered_late: Counter,
}
