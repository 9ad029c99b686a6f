//! Every metric of Sampan: its name, once, what it means, and the handles that the floors hold.
//!
//! Handles are fetched when a link, a bank or a client comes into being, never per message. No label
//! holds a number, a card or a text: names of peers, links, clients and outcomes only.
//!
//! What these figures are watched for stands in `grafana/` and `docs/RUNBOOK.md`;
//! `tests/observability.rs` holds them together.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram, with_local_recorder,
};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use crate::{
    client::{ClientCounts, ClientName},
    smpp::session::BindRefusal,
    status::{LinkState, PeerKind},
};

/// Names and meanings of all counters.
pub const COUNTERS: &[(&str, &str)] = &[
    (LINK_SUBMITTED, "Requests written to the peer."),
    (LINK_ANSWERED, "Answers that found their request."),
    (LINK_TIMEOUTS, "Requests that were not answered in time."),
    (
        LINK_LOST,
        "Requests in flight when the connection was lost.",
    ),
    (
        LINK_RECONNECTS,
        "Connections made again after one was lost.",
    ),
    (LINK_THROTTLES, "Answers that told the link to send less."),
    (
        LINK_THROTTLED_SECONDS,
        "Seconds of pause that such answers have brought, counted as a pause begins.",
    ),
    (
        LINK_RATE_WAITS,
        "Turns of the link in which its rate let fewer requests go than the window had room for.",
    ),
    (
        LINK_UNMATCHED,
        "Answers without a request: late, repeated or unknown.",
    ),
    (
        LINK_BINDS_REFUSED,
        "Binds that the SMSC refused, by why: credentials, already_bound or other.",
    ),
    (
        LINK_PROTOCOL_ERRORS,
        "What the peer sent and the protocol forbids; contained.",
    ),
    (
        MESSAGE_OUTCOMES,
        "Requests for an SMSC by their outcome; each part of a long message is one.",
    ),
    (
        MESSAGE_FAILOVERS,
        "Messages that an SMSC did not take and that went on to the next one of their route.",
    ),
    (
        PAYMENT_OUTCOMES,
        "Payments by the outcome told to the caller.",
    ),
    (REVERSAL_MESSAGES, "0420 and 0421 handed to a link."),
    (
        REVERSALS_ENDED,
        "Reversals by their end: reversed or failed.",
    ),
    (
        LATE_ANSWERS,
        "Answers of a bank after the outcome was told; they changed nothing.",
    ),
    (
        INBOX_EVENTS,
        "Messages and receipts from SMSCs by what they were answered.",
    ),
    (
        INBOX_ACCEPTED,
        "Events that became durable for a subscription.",
    ),
    (
        INBOX_REFUSED,
        "Events that a subscription could not take, by why: full or store.",
    ),
    (
        INBOX_REDELIVERED,
        "Events given back because they were not acknowledged in time or their consumer went away.",
    ),
    (
        INBOX_LONG_MESSAGES,
        "Long messages put together from their parts, by their end: whole or incomplete.",
    ),
    (RECEIPTS, "Receipts by what they were found to be."),
    (
        RECEIPT_OTHER_NUMBER,
        "Receipts from another number than the one that their message went to.",
    ),
    (
        RECEIPTS_EVICTED,
        "Messages that were forgotten while their receipt was awaited.",
    ),
    (
        REQUEST_IDS,
        "Requests whose id was seen before, by what became of them.",
    ),
    (
        STORE_FAILURES,
        "Commits and openings of the store that failed.",
    ),
    (
        STORE_REFUSED,
        "Writes that the store did not take because too much waited, or it was closed.",
    ),
    (
        CLIENT_REQUESTS,
        "Requests read from a client, by service: messaging or payments.",
    ),
    (
        CLIENT_REFUSED,
        "Requests refused before anything was done, by why: invalid, limit (too many in flight) or rate (tps).",
    ),
    (
        CLIENT_ABANDONED,
        "Outcomes that nobody fetched because the client had gone away.",
    ),
];

/// Names and meanings of all gauges.
pub const GAUGES: &[(&str, &str)] = &[
    (
        LINK_UP,
        "1 while the link is bound or signed on and takes traffic.",
    ),
    (
        LINK_STATE,
        "1 for the state the link is in, 0 for the others: down, connecting, up, draining, stopped.",
    ),
    (LINK_IN_FLIGHT, "Requests whose answer is awaited."),
    (LINK_WINDOW, "The most that may be in flight."),
    (LINK_QUEUED, "Requests that wait to be sent."),
    (
        LINK_QUEUED_BY_CLASS,
        "Those of an SMSC's link by class: urgent, normal or bulk.",
    ),
    (
        LINK_PAUSED,
        "1 while the link sends nothing because the SMSC wanted less.",
    ),
    (
        REVERSALS_PENDING,
        "Reversals that the bank has not acknowledged yet.",
    ),
    (
        REVERSAL_OLDEST_AGE,
        "Age in seconds of the oldest reversal that is not acknowledged.",
    ),
    (REVERSALS_FAILED, "Reversals that wait for an operator."),
    (
        PAYMENT_RECORDS,
        "Payments kept for a look-up, final and open together.",
    ),
    (
        INBOX_BACKLOG,
        "Durable events of a subscription that nobody has acknowledged.",
    ),
    (
        INBOX_UNACKNOWLEDGED,
        "Events of a subscription handed over and not acknowledged.",
    ),
    (
        INBOX_CONSUMERS,
        "Open calls that receive from a subscription.",
    ),
    (
        INBOX_OLDEST_AGE,
        "Age in seconds of the oldest event of a subscription that is not acknowledged.",
    ),
    (
        RECEIPTS_PENDING,
        "Parts of messages whose receipts are awaited or remembered.",
    ),
    (
        REQUEST_IDS_KEPT,
        "Request ids that are kept, those in flight included.",
    ),
    (
        STORE_HEALTHY,
        "1 while the store takes writes, 0 while it is opened again after a failure.",
    ),
    (STORE_WAITING, "Changes that wait for their commit."),
    (STORE_BYTES, "Size of the store's file; 0 in memory."),
    (CLIENT_IN_FLIGHT, "Requests of a client without an outcome."),
    (CLIENT_IN_FLIGHT_MAX, "The most of them that it may have."),
    (CLIENT_STREAMS, "Open streams of a client."),
    (BUILD_INFO, "1, with the version as a label."),
];

/// Names and meanings of all histograms.
pub const HISTOGRAMS: &[(&str, &str)] = &[
    (
        LINK_RESPONSE_SECONDS,
        "Seconds from a request's bytes to its answer.",
    ),
    (
        STORE_COMMIT_SECONDS,
        "Seconds that a commit of the store took, fsync included.",
    ),
    (STORE_COMMIT_CHANGES, "Changes in one commit of the store."),
];

const LINK_SUBMITTED: &str = "sampan_link_submitted_total";
const LINK_ANSWERED: &str = "sampan_link_answered_total";
const LINK_TIMEOUTS: &str = "sampan_link_timeouts_total";
const LINK_LOST: &str = "sampan_link_lost_requests_total";
const LINK_RECONNECTS: &str = "sampan_link_reconnects_total";
const LINK_THROTTLES: &str = "sampan_link_throttles_total";
const LINK_THROTTLED_SECONDS: &str = "sampan_link_throttled_seconds_total";
const LINK_RATE_WAITS: &str = "sampan_link_rate_waits_total";
const LINK_UNMATCHED: &str = "sampan_link_unmatched_answers_total";
const LINK_BINDS_REFUSED: &str = "sampan_link_binds_refused_total";
const LINK_PROTOCOL_ERRORS: &str = "sampan_link_protocol_errors_total";
const LINK_UP: &str = "sampan_link_up";
const LINK_STATE: &str = "sampan_link_state";
const LINK_IN_FLIGHT: &str = "sampan_link_in_flight";
const LINK_WINDOW: &str = "sampan_link_window";
const LINK_QUEUED: &str = "sampan_link_queued";
const LINK_QUEUED_BY_CLASS: &str = "sampan_link_queued_by_class";
const LINK_PAUSED: &str = "sampan_link_paused";
const LINK_RESPONSE_SECONDS: &str = "sampan_link_response_seconds";
const MESSAGE_OUTCOMES: &str = "sampan_message_outcomes_total";
const MESSAGE_FAILOVERS: &str = "sampan_message_failovers_total";
const PAYMENT_OUTCOMES: &str = "sampan_payment_outcomes_total";
const REVERSAL_MESSAGES: &str = "sampan_reversal_messages_total";
const REVERSALS_ENDED: &str = "sampan_reversals_ended_total";
const REVERSALS_PENDING: &str = "sampan_reversals_pending";
const REVERSAL_OLDEST_AGE: &str = "sampan_reversal_oldest_age_seconds";
const REVERSALS_FAILED: &str = "sampan_reversals_failed";
const PAYMENT_RECORDS: &str = "sampan_payment_records";
const LATE_ANSWERS: &str = "sampan_late_answers_total";
const INBOX_EVENTS: &str = "sampan_inbox_events_total";
const INBOX_ACCEPTED: &str = "sampan_inbox_accepted_total";
const INBOX_REFUSED: &str = "sampan_inbox_refused_total";
const INBOX_REDELIVERED: &str = "sampan_inbox_redelivered_total";
const INBOX_LONG_MESSAGES: &str = "sampan_inbox_long_messages_total";
const INBOX_BACKLOG: &str = "sampan_inbox_backlog";
const INBOX_UNACKNOWLEDGED: &str = "sampan_inbox_unacknowledged";
const RECEIPTS: &str = "sampan_receipts_total";
const RECEIPT_OTHER_NUMBER: &str = "sampan_receipts_other_number_total";
const RECEIPTS_EVICTED: &str = "sampan_receipts_evicted_total";
const RECEIPTS_PENDING: &str = "sampan_receipts_pending";
const REQUEST_IDS: &str = "sampan_request_ids_total";
const REQUEST_IDS_KEPT: &str = "sampan_request_ids_kept";
const INBOX_CONSUMERS: &str = "sampan_inbox_consumers";
const INBOX_OLDEST_AGE: &str = "sampan_inbox_oldest_age_seconds";
const STORE_FAILURES: &str = "sampan_store_failures_total";
const STORE_REFUSED: &str = "sampan_store_refused_total";
const STORE_HEALTHY: &str = "sampan_store_healthy";
const STORE_WAITING: &str = "sampan_store_waiting_changes";
const STORE_BYTES: &str = "sampan_store_bytes";
const STORE_COMMIT_SECONDS: &str = "sampan_store_commit_seconds";
const STORE_COMMIT_CHANGES: &str = "sampan_store_commit_changes";
const CLIENT_REQUESTS: &str = "sampan_client_requests_total";
const CLIENT_REFUSED: &str = "sampan_client_refused_total";
const CLIENT_ABANDONED: &str = "sampan_client_abandoned_outcomes_total";
const CLIENT_IN_FLIGHT: &str = "sampan_client_in_flight";
const CLIENT_IN_FLIGHT_MAX: &str = "sampan_client_in_flight_max";
const CLIENT_STREAMS: &str = "sampan_client_streams";
const BUILD_INFO: &str = "sampan_build_info";

/// From loopback's tenths of a millisecond to a bank's half minute.
const RESPONSE_BUCKETS_S: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];

/// From a fast SSD's fsync to a disk that is in trouble.
const COMMIT_BUCKETS_S: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// From one change to the largest group.
const COMMIT_CHANGES_BUCKETS: [f64; 8] = [1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0];

/// Clients that have figures of their own. A caller on this machine chooses its name freely, and the
/// registry forgets none: later names are served, and do not show.
const CLIENTS_MAX: usize = 1024;

/// The registry of one running router. Two routers in one process do not share any figure.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    clients: Mutex<HashMap<ClientName, ClientMetrics>>,
}

impl Metrics {
    /// An empty registry that knows the meaning of every name.
    pub fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(
                Matcher::Full(LINK_RESPONSE_SECONDS.into()),
                &RESPONSE_BUCKETS_S,
            )?
            .set_buckets_for_metric(
                Matcher::Full(STORE_COMMIT_SECONDS.into()),
                &COMMIT_BUCKETS_S,
            )?
            .set_buckets_for_metric(
                Matcher::Full(STORE_COMMIT_CHANGES.into()),
                &COMMIT_CHANGES_BUCKETS,
            )?
            .build_recorder();
        let handle = recorder.handle();
        let metrics = Self {
            recorder,
            handle,
            clients: Mutex::default(),
        };
        metrics.with(|| {
            for (name, meaning) in COUNTERS {
                describe_counter!(*name, *meaning);
            }
            for (name, meaning) in GAUGES {
                describe_gauge!(*name, *meaning);
            }
            for (name, meaning) in HISTOGRAMS {
                describe_histogram!(*name, *meaning);
            }
            gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        });
        Ok(metrics)
    }

    /// All figures in Prometheus' text format.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds the samples of histograms into their buckets. To be called about once a second, so
    /// that they do not pile up while nobody scrapes.
    pub fn run_upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// The handles of one link.
    pub fn link(&self, kind: PeerKind, peer: &str, link: &str) -> LinkMetrics {
        let labels = [
            ("kind", kind.as_str().to_owned()),
            ("peer", peer.to_owned()),
            ("link", link.to_owned()),
        ];
        let labels = &labels;
        let refused = |why: &str| match kind {
            PeerKind::Smsc => {
                let [kind, peer, link] = labels.clone();
                counter!(
                    LINK_BINDS_REFUSED,
                    &[kind, peer, link, ("why", why.to_owned())]
                )
            }
            PeerKind::Bank => Counter::noop(),
        };
        let state = |state: LinkState| {
            let [kind, peer, link] = labels.clone();
            let handle = gauge!(
                LINK_STATE,
                &[kind, peer, link, ("state", state.as_str().to_owned())]
            );
            (state, handle)
        };
        let class = |class: &str| {
            let [kind, peer, link] = labels.clone();
            let labels = [kind, peer, link, ("class", class.to_owned())];
            gauge!(LINK_QUEUED_BY_CLASS, &labels)
        };
        // No payment goes before another, so a bank has no classes.
        let classes: &[&str] = match kind {
            PeerKind::Smsc => &["urgent", "normal", "bulk"],
            PeerKind::Bank => &[],
        };
        let metrics = self.with(|| LinkMetrics {
            submitted: counter!(LINK_SUBMITTED, labels),
            answered: counter!(LINK_ANSWERED, labels),
            timeouts: counter!(LINK_TIMEOUTS, labels),
            lost: counter!(LINK_LOST, labels),
            reconnects: counter!(LINK_RECONNECTS, labels),
            throttles: counter!(LINK_THROTTLES, labels),
            throttled_seconds: counter!(LINK_THROTTLED_SECONDS, labels),
            rate_waits: counter!(LINK_RATE_WAITS, labels),
            unmatched: counter!(LINK_UNMATCHED, labels),
            protocol_errors: counter!(LINK_PROTOCOL_ERRORS, labels),
            refused_credentials: refused("credentials"),
            refused_already_bound: refused("already_bound"),
            refused_other: refused("other"),
            up: gauge!(LINK_UP, labels),
            states: LinkState::ALL.map(state),
            in_flight: gauge!(LINK_IN_FLIGHT, labels),
            window: gauge!(LINK_WINDOW, labels),
            queued: gauge!(LINK_QUEUED, labels),
            queued_by_class: classes.iter().copied().map(class).collect(),
            paused: gauge!(LINK_PAUSED, labels),
            response_seconds: histogram!(LINK_RESPONSE_SECONDS, labels),
        });
        metrics.enter(LinkState::Down);
        metrics
    }

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
        })
    }

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
            reversals_pending: gauge!(REVERSALS_PENDING, "bank" => bank()),
            reversal_oldest_age: gauge!(REVERSAL_OLDEST_AGE, "bank" => bank()),
            reversals_failed: gauge!(REVERSALS_FAILED, "bank" => bank()),
            records: gauge!(PAYMENT_RECORDS, "bank" => bank()),
        })
    }

    /// The inbox.
    pub fn inbox(&self) -> InboxMetrics {
        let event = |verdict: &'static str| counter!(INBOX_EVENTS, "verdict" => verdict);
        self.with(|| InboxMetrics {
            acknowledged: event("acknowledged"),
            later: event("later"),
            never: event("never"),
            reassembled: counter!(INBOX_LONG_MESSAGES, "end" => "whole"),
            incomplete: counter!(INBOX_LONG_MESSAGES, "end" => "incomplete"),
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
            refused_store: refused("store"),
            redelivered: counter!(INBOX_REDELIVERED, "subscription" => name()),
            backlog: gauge!(INBOX_BACKLOG, "subscription" => name()),
            unacknowledged: gauge!(INBOX_UNACKNOWLEDGED, "subscription" => name()),
            consumers: gauge!(INBOX_CONSUMERS, "subscription" => name()),
            oldest_age: gauge!(INBOX_OLDEST_AGE, "subscription" => name()),
        })
    }

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

    /// Brings the figures of one upstream service up to date. Names after the first 1,024 have none.
    pub fn publish_client(&self, counts: &ClientCounts) {
        // Figures that are a little old are the worst that another holder's panic leaves behind.
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get_mut(&counts.name) {
            client.publish(counts);
        } else if clients.len() < CLIENTS_MAX {
            let mut client = self.client(&counts.name);
            client.publish(counts);
            clients.insert(counts.name.clone(), client);
        }
    }

    /// Counts the requests of a client that its tps refuses. To be fetched once per `[[client]]`.
    pub fn client_rate(&self, name: &ClientName) -> Counter {
        let name = name.as_str().to_owned();
        self.with(|| counter!(CLIENT_REFUSED, "client" => name, "why" => "rate"))
    }

    fn client(&self, name: &ClientName) -> ClientMetrics {
        let client = || name.as_str().to_owned();
        let requests = |service: &'static str| {
            Total::new(counter!(CLIENT_REQUESTS, "client" => client(), "service" => service))
        };
        let refused = |why: &'static str| {
            Total::new(counter!(CLIENT_REFUSED, "client" => client(), "why" => why))
        };
        self.with(|| ClientMetrics {
            messages: requests("messaging"),
            payments: requests("payments"),
            refused_invalid: refused("invalid"),
            refused_limit: refused("limit"),
            abandoned: Total::new(counter!(CLIENT_ABANDONED, "client" => client())),
            in_flight: gauge!(CLIENT_IN_FLIGHT, "client" => client()),
            in_flight_max: gauge!(CLIENT_IN_FLIGHT_MAX, "client" => client()),
            streams: gauge!(CLIENT_STREAMS, "client" => client()),
        })
    }

    fn with<T>(&self, fetch: impl FnOnce() -> T) -> T {
        with_local_recorder(&self.recorder, fetch)
    }
}

/// The handles of one link; see the constants' meanings in this module.
#[allow(
    missing_docs,
    reason = "the metrics' meanings stand in one place, COUNTERS and GAUGES"
)]
#[derive(Clone)]
pub struct LinkMetrics {
    pub submitted: Counter,
    pub answered: Counter,
    pub timeouts: Counter,
    pub lost: Counter,
    pub reconnects: Counter,
    pub throttles: Counter,
    pub throttled_seconds: Counter,
    pub rate_waits: Counter,
    pub unmatched: Counter,
    pub protocol_errors: Counter,
    refused_credentials: Counter,
    refused_already_bound: Counter,
    refused_other: Counter,
    up: Gauge,
    states: [(LinkState, Gauge); LinkState::ALL.len()],
    pub in_flight: Gauge,
    pub window: Gauge,
    pub queued: Gauge,
    pub queued_by_class: Vec<Gauge>,
    pub paused: Gauge,
    pub response_seconds: Histogram,
}

impl LinkMetrics {
    /// Counts a refused bind by what follows from it.
    pub fn bind_refused(&self, class: BindRefusal) {
        let counter = match class {
            BindRefusal::Credentials => &self.refused_credentials,
            BindRefusal::AlreadyBound => &self.refused_already_bound,
            BindRefusal::Other => &self.refused_other,
        };
        counter.increment(1);
    }

    /// Tells the link's new state.
    pub fn enter(&self, state: LinkState) {
        self.up.set(f64::from(u8::from(state == LinkState::Up)));
        for (other, gauge) in &self.states {
            gauge.set(f64::from(u8::from(*other == state)));
        }
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
    pub reversals_pending: Gauge,
    pub reversal_oldest_age: Gauge,
    pub reversals_failed: Gauge,
    pub records: Gauge,
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
    pub refused_store: Counter,
    pub redelivered: Counter,
    pub backlog: Gauge,
    pub unacknowledged: Gauge,
    pub consumers: Gauge,
    pub oldest_age: Gauge,
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

/// The handles of one client.
struct ClientMetrics {
    messages: Total,
    payments: Total,
    refused_invalid: Total,
    refused_limit: Total,
    abandoned: Total,
    in_flight: Gauge,
    in_flight_max: Gauge,
    streams: Gauge,
}

impl ClientMetrics {
    fn publish(&mut self, counts: &ClientCounts) {
        self.messages.follow(counts.messages);
        self.payments.follow(counts.payments);
        self.refused_invalid.follow(counts.refused_invalid);
        self.refused_limit.follow(counts.refused_limit);
        self.abandoned.follow(counts.discarded);
        self.in_flight.set(f64::from(counts.in_flight));
        self.in_flight_max.set(f64::from(counts.in_flight_max));
        self.streams.set(f64::from(counts.streams));
    }
}

/// A counter that follows a total kept elsewhere.
struct Total {
    counter: Counter,
    seen: u64,
}

impl Total {
    fn new(counter: Counter) -> Self {
        Self { counter, seen: 0 }
    }

    /// A total that shrank began again: its client was idle, was forgotten, and came back.
    fn follow(&mut self, total: u64) {
        self.counter
            .increment(total.checked_sub(self.seen).unwrap_or(total));
        self.seen = total;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(name: &str, messages: u64) -> ClientCounts {
        ClientCounts {
            name: ClientName::parse(name).unwrap(),
            in_flight: 0,
            in_flight_max: 10,
            streams: 0,
            messages,
            payments: 0,
            refused_invalid: 0,
            refused_limit: 0,
            discarded: 0,
        }
    }

    /// The figure of one series, such as `sampan_link_up{kind="bank"}`.
    fn figure<'a>(text: &'a str, series: &str) -> Option<&'a str> {
        text.lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
    }

    #[test]
    fn a_client_that_was_forgotten_and_came_back_is_counted_on() {
        let metrics = Metrics::new().unwrap();
        for total in [3, 5, 1] {
            metrics.publish_client(&counts("shop", total));
        }
        let series = r#"sampan_client_requests_total{client="shop",service="messaging"}"#;
        assert_eq!(figure(&metrics.render(), series), Some("6"));
    }

    #[test]
    fn names_that_callers_choose_do_not_fill_the_registry() {
        let metrics = Metrics::new().unwrap();
        for n in 0..CLIENTS_MAX + 5 {
            metrics.publish_client(&counts(&format!("c{n}"), 1));
        }
        let text = metrics.render();
        let shown = text
            .lines()
            .filter(|line| line.starts_with("sampan_client_streams{"))
            .count();
        assert_eq!(shown, CLIENTS_MAX);
    }

    #[test]
    fn a_link_is_in_one_state_at_a_time_and_begins_down() {
        let metrics = Metrics::new().unwrap();
        let link = metrics.link(PeerKind::Bank, "vietcom", "vietcom/1");
        let state = |state: &str| {
            let series = format!(
                r#"sampan_link_state{{kind="bank",peer="vietcom",link="vietcom/1",state="{state}"}}"#
            );
            figure(&metrics.render(), &series).map(str::to_owned)
        };
        assert_eq!(state("down").as_deref(), Some("1"));
        link.enter(LinkState::Draining);
        assert_eq!(state("down").as_deref(), Some("0"));
        assert_eq!(state("draining").as_deref(), Some("1"));
    }
}
