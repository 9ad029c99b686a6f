//! The figures of one running program: the registry, and what each name means.
//!
//! What a module records goes to the registry of the program that it works for, so that two programs
//! in one process share no figure: modules are put together within [`Metrics::scope`], and workers and
//! calls run [`Metrics::around`] themselves. A task that one of them spawns has to take a handle along.
//! No label holds a phone, a path, a key or a text: names of the code and of the catalogue only.

use std::{future::poll_fn, sync::Arc};

use metrics::{describe_counter, describe_gauge, describe_histogram, gauge, with_local_recorder};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

/// 1, with the version as label.
const BUILD_INFO: &str = "commerce_build_info";
/// Requests that were answered.
pub const HTTP_REQUESTS: &str = "commerce_http_requests_total";
/// How long an answer took.
pub const HTTP_REQUEST_SECONDS: &str = "commerce_http_request_seconds";
/// Requests that are being answered.
pub const HTTP_IN_FLIGHT: &str = "commerce_http_requests_in_flight";
/// Holds that were ended because their time was over.
pub const HOLDS_EXPIRED: &str = "commerce_holds_expired_total";
/// Holds that are over and not ended yet.
pub const HOLDS_DUE: &str = "commerce_holds_due";
/// Since when the oldest of them is.
pub const HOLDS_DUE_OLDEST_SECONDS: &str = "commerce_holds_due_oldest_seconds";
/// Cards that can be sold.
pub const STOCK_FREE: &str = "commerce_stock_free";
/// Fewer than this are too few.
pub const STOCK_LOW_MARK: &str = "commerce_stock_low_mark";

const COUNTERS: [(&str, &str); 2] = [
    (
        HTTP_REQUESTS,
        "Requests answered, by method, route pattern and status.",
    ),
    (
        HOLDS_EXPIRED,
        "Holds ended because their time was over, by result.",
    ),
];
const GAUGES: [(&str, &str); 6] = [
    (BUILD_INFO, "1, with the version as label."),
    (HTTP_IN_FLIGHT, "Requests that are being answered."),
    (HOLDS_DUE, "Holds that are over and not ended yet."),
    (
        HOLDS_DUE_OLDEST_SECONDS,
        "For how long the oldest of the holds that are due has been over; 0 without one.",
    ),
    (STOCK_FREE, "Cards that can be sold, by card type on sale."),
    (
        STOCK_LOW_MARK,
        "Fewer cards than this are too few, by card type; 0 once it is not on sale.",
    ),
];
const HISTOGRAMS: [(&str, &str); 1] = [(
    HTTP_REQUEST_SECONDS,
    "Seconds from the head of a request to its answer, by route pattern.",
)];

/// From a look into memory to the longest wait for the database.
const SECONDS_BUCKETS: [f64; 11] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];

/// The registry.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Metrics {
    /// An empty registry that knows the meaning of every name.
    ///
    /// # Errors
    /// The buckets are none, which is a fault of this file.
    pub fn new() -> Result<Self, BuildError> {
        // Whatever takes time is told in seconds.
        let seconds = Matcher::Suffix("_seconds".to_owned());
        let builder = PrometheusBuilder::new();
        let recorder = builder
            .set_buckets_for_metric(seconds, &SECONDS_BUCKETS)?
            .build_recorder();
        let handle = recorder.handle();
        with_local_recorder(&recorder, || {
            for (name, meaning) in COUNTERS {
                describe_counter!(name, meaning);
            }
            for (name, meaning) in GAUGES {
                describe_gauge!(name, meaning);
            }
            for (name, meaning) in HISTOGRAMS {
                describe_histogram!(name, meaning);
            }
            gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        });
        Ok(Self { recorder, handle })
    }

    /// Lets handles be fetched that belong to this registry.
    pub fn scope<T>(&self, fetch: impl FnOnce() -> T) -> T {
        with_local_recorder(&self.recorder, fetch)
    }

    /// Lets a future record in this registry.
    pub async fn around<T>(self: Arc<Self>, future: impl Future<Output = T>) -> T {
        let mut future = Box::pin(future);
        poll_fn(move |context| self.scope(|| future.as_mut().poll(context))).await
    }

    /// All figures as Prometheus reads them.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Gathers what histograms have taken in, so that it does not pile up where nobody asks.
    pub fn tidy(&self) {
        self.handle.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use metrics::counter;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn what_a_future_records_is_in_its_own_registry_alone() {
        let registries = [(); 2].map(|()| Arc::new(Metrics::new().unwrap()));
        let work = |count: u64| async move {
            counter!("work_total").increment(count);
            yield_now().await;
            counter!("work_total").increment(count);
        };
        let [one, other] = registries.clone();
        tokio::join!(one.around(work(1)), other.around(work(10)));
        for (registry, sum) in registries.iter().zip([2, 20]) {
            let told = registry.render();
            assert!(told.contains(&format!("work_total {sum}\n")), "{told}");
        }
    }
}
