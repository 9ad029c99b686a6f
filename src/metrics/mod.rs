//! Every metric of Sampan: the registry, and the handles that the floors hold.
//!
//! | module | what it is |
//! |---|---|
//! | `names` | the name of each metric, once, and what it means |
//! | `response_times` | the one histogram of the hot path |
//! | `link`, `bank`, `door`, `certificates`, `messages`, `payments`, `inbox`, `receipts`, `store`, `client` | the handles, by what holds them |
//!
//! Handles are fetched when a link, a bank or a client comes into being, never per message. No label
//! holds a number, a card or a text: names of peers, links, clients and outcomes only.
//!
//! What these figures are watched for stands in `grafana/` and `docs/RUNBOOK.md`;
//! `tests/observability.rs` holds them together.

use std::{collections::HashMap, sync::Mutex};

use metrics::{describe_counter, describe_gauge, describe_histogram, gauge, with_local_recorder};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use crate::client::ClientName;

mod bank;
mod certificates;
mod client;
mod door;
mod inbox;
mod link;
mod messages;
mod names;
mod payments;
mod receipts;
mod response_times;
mod store;

pub use bank::{AskedMetrics, BankAskedMetrics, BankLinkMetrics};
pub use certificates::CertificateMetrics;
pub use door::{DoorMetrics, WhyRefused};
pub use inbox::{InboxMetrics, SubscriptionMetrics};
pub use link::LinkMetrics;
pub use messages::MessageMetrics;
pub use names::{COUNTERS, GAUGES, HISTOGRAMS};
pub use payments::PaymentMetrics;
pub use receipts::{ReceiptMetrics, RequestMetrics};
pub use response_times::ResponseTimes;
pub use store::StoreMetrics;

use client::ClientMetrics;
use names::{
    BUILD_INFO, LINK_RESPONSE_SECONDS_MEANING, STORE_COMMIT_CHANGES, STORE_COMMIT_SECONDS,
};
use response_times::AllResponseTimes;

/// From a fast SSD's fsync to a disk that is in trouble.
const COMMIT_BUCKETS_S: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// From one change to the largest group.
const COMMIT_CHANGES_BUCKETS: [f64; 8] = [1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0];

/// The registry of one running router. Two routers in one process do not share any figure.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    response_times: AllResponseTimes,
    clients: Mutex<HashMap<ClientName, ClientMetrics>>,
}

impl Metrics {
    /// An empty registry that knows the meaning of every name.
    pub fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new()
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
            response_times: AllResponseTimes::default(),
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
        let mut text = self.handle.render();
        self.response_times
            .render(LINK_RESPONSE_SECONDS_MEANING, &mut text);
        text
    }

    /// Folds the samples of histograms into their buckets. To be called about once a second, so
    /// that they do not pile up while nobody scrapes.
    pub fn run_upkeep(&self) {
        self.handle.run_upkeep();
    }

    fn with<T>(&self, fetch: impl FnOnce() -> T) -> T {
        with_local_recorder(&self.recorder, fetch)
    }
}

#[cfg(test)]
/// The figure of one series, such as `sampan_link_up{kind="bank"}`.
fn figure<'a>(text: &'a str, series: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
}
