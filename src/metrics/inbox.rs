//! The handles of the inbox and of its subscriptions. They are fetched as the router starts, never per
//! event.

use metrics::{Counter, Gauge, counter, gauge};

use super::{
    Metrics,
    names::{
        INBOX_ACCEPTED, INBOX_BACKLOG, INBOX_BACKLOG_BYTES, INBOX_CONSUMERS, INBOX_EVENTS,
        INBOX_LONG_MESSAGES, INBOX_OLDEST_AGE, INBOX_PARTS_BYTES, INBOX_PARTS_OLDEST_AGE,
        INBOX_PARTS_WAITING, INBOX_REDELIVERED, INBOX_REFUSED, INBOX_UNACKNOWLEDGED, RECEIPTS_HELD,
    },
};

impl Metrics {
    /// The inbox.
    pub fn inbox(&self) -> InboxMetrics {
        let event = |verdict: &'static str| counter!(INBOX_EVENTS, "verdict" => verdict);
        self.with(|| InboxMetrics {
            acknowledged: event("acknowledged"),
            later: event("later"),
            never: event("never"),
            reassembled: counter!(INBOX_LONG_MESSAGES, "end" => "whole"),
            incomplete: counter!(INBOX_LONG_MESSAGES, "end" => "incomplete"),
            parts_waiting: gauge!(INBOX_PARTS_WAITING),
            parts_bytes: gauge!(INBOX_PARTS_BYTES),
            parts_oldest_age: gauge!(INBOX_PARTS_OLDEST_AGE),
            receipts_held: gauge!(RECEIPTS_HELD),
        })
    }

    /// One subscription of the inbox.
    pub fn subscription(&self, name: &str) -> SubscriptionMetrics {
        let name = || name.to_owned();
        let refused =
            |why: &'static str| counter!(INBOX_REFUSED, "subscription" => name(), "why" => why);
        self.with(|| SubscriptionMetrics {
            accepted: counter!(INBOX_ACCEPTED, "subscription" => name()),
            refused_full: refused("full"),
            refused_bytes: refused("bytes"),
            refused_store: refused("store"),
            redelivered: counter!(INBOX_REDELIVERED, "subscription" => name()),
            backlog: gauge!(INBOX_BACKLOG, "subscription" => name()),
            backlog_bytes: gauge!(INBOX_BACKLOG_BYTES, "subscription" => name()),
            unacknowledged: gauge!(INBOX_UNACKNOWLEDGED, "subscription" => name()),
            consumers: gauge!(INBOX_CONSUMERS, "subscription" => name()),
            oldest_age: gauge!(INBOX_OLDEST_AGE, "subscription" => name()),
        })
    }
}

/// The handles of the inbox.
#[allow(
    missing_docs,
    reason = "the metrics' meanings stand in one place, COUNTERS and GAUGES"
)]
#[derive(Clone)]
pub struct InboxMetrics {
    pub acknowledged: Counter,
    pub later: Counter,
    pub never: Counter,
    pub reassembled: Counter,
    pub incomplete: Counter,
    pub parts_waiting: Gauge,
    pub parts_bytes: Gauge,
    pub parts_oldest_age: Gauge,
    pub receipts_held: Gauge,
}

/// The handles of one subscription.
#[allow(
    missing_docs,
    reason = "the metrics' meanings stand in one place, COUNTERS and GAUGES"
)]
#[derive(Clone)]
pub struct SubscriptionMetrics {
    pub accepted: Counter,
    pub refused_full: Counter,
    pub refused_bytes: Counter,
    pub refused_store: Counter,
    pub redelivered: Counter,
    pub backlog: Gauge,
    pub backlog_bytes: Gauge,
    pub unacknowledged: Gauge,
    pub consumers: Gauge,
    pub oldest_age: Gauge,
}
