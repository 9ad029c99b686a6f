//! The handles of the payments of one bank and of their reversals. They are fetched as the router
//! starts, never per payment.

use metrics::{Counter, Gauge, counter, gauge};

use super::{
    Metrics,
    names::{
        LATE_ANSWERS, PAYMENT_OUTCOMES, PAYMENT_RECORDS, REVERSAL_MESSAGES, REVERSAL_OLDEST_AGE,
        REVERSALS_ENDED, REVERSALS_FAILED, REVERSALS_PENDING,
    },
};

impl Metrics {
    /// The payments of one bank, or of none (`-`).
    pub fn payments(&self, bank: &str) -> PaymentMetrics {
        let bank = || bank.to_owned();
        let outcome = |outcome: &'static str| counter!(PAYMENT_OUTCOMES, "bank" => bank(), "outcome" => outcome);
        self.with(|| PaymentMetrics {
            approved: outcome("approved"),
            declined: outcome("declined"),
            not_sent: outcome("not_sent"),
            reversing: outcome("reversing"),
            unknown: outcome("unknown"),
            late_answers: counter!(LATE_ANSWERS, "bank" => bank()),
            reversal_messages: counter!(REVERSAL_MESSAGES, "bank" => bank()),
            reversed: counter!(REVERSALS_ENDED, "bank" => bank(), "end" => "reversed"),
            reversal_failed: counter!(REVERSALS_ENDED, "bank" => bank(), "end" => "failed"),
            resolved: counter!(REVERSALS_ENDED, "bank" => bank(), "end" => "resolved"),
            reversals_pending: gauge!(REVERSALS_PENDING, "bank" => bank()),
            reversal_oldest_age: gauge!(REVERSAL_OLDEST_AGE, "bank" => bank()),
            reversals_failed: gauge!(REVERSALS_FAILED, "bank" => bank()),
            records: gauge!(PAYMENT_RECORDS, "bank" => bank()),
        })
    }
}

/// The handles of payments to one bank.
#[allow(
    missing_docs,
    reason = "the metrics' meanings stand in one place, COUNTERS and GAUGES"
)]
#[derive(Clone)]
pub struct PaymentMetrics {
    pub approved: Counter,
    pub declined: Counter,
    pub not_sent: Counter,
    pub reversing: Counter,
    pub unknown: Counter,
    pub late_answers: Counter,
    pub reversal_messages: Counter,
    pub reversed: Counter,
    pub reversal_failed: Counter,
    pub resolved: Counter,
    pub reversals_pending: Gauge,
    pub reversal_oldest_age: Gauge,
    pub reversals_failed: Gauge,
    pub records: Gauge,
}
