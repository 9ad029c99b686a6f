//! The figures of one running program: the registry, and what each name means.
//!
//! What a module records goes to the registry of the program that it works for, so that two programs
//! in one process share no figure: modules are put together within [`Metrics::scope`], and workers and
//! calls run [`Metrics::around`] themselves. A task that one of them spawns is [`carried`].
//! Each name stands here and nowhere else. No label holds a phone, a path, a key or a text: names of the
//! code, of the configuration and of the catalogue only.

use std::{future::poll_fn, sync::Arc};

use metrics::{describe_counter, describe_gauge, describe_histogram, gauge, with_local_recorder};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

/// 1, with the version as label.
const BUILD_INFO: &str = "commerce_build_info";
/// Whether the program is ready.
pub const READY: &str = "commerce_ready";
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
/// Whether the router hands over what comes in.
pub const INTAKE_CONNECTED: &str = "commerce_intake_connected";
/// Messages of subscribers that were dealt with.
pub const MO: &str = "commerce_mo_total";
/// Receipts of our own messages.
pub const RECEIPTS: &str = "commerce_receipts_total";
/// What banks began, such as chargebacks.
pub const BANK_EVENTS: &str = "commerce_bank_events_total";
/// Events of the router that are of no use here.
pub const EVENTS_IGNORED: &str = "commerce_events_ignored_total";
/// Calls of the router.
pub const ROUTER_CALLS: &str = "commerce_router_calls_total";
/// Steps of purchases.
pub const PURCHASES: &str = "commerce_purchases_total";
/// Steps of purchases that failed.
pub const PURCHASE_STEPS_FAILED: &str = "commerce_purchase_steps_failed_total";
/// Purchases that a person has to look at.
pub const PURCHASES_STUCK: &str = "commerce_purchases_stuck";
/// Messages that are still to be sent.
pub const MESSAGES_WAITING: &str = "commerce_messages_waiting";
/// Since when the oldest of them waits.
pub const MESSAGE_OLDEST_SECONDS: &str = "commerce_message_oldest_wait_seconds";
/// Tries of messages.
pub const MESSAGES: &str = "commerce_messages_total";
/// Calls of partners and merchants.
pub const DELIVERY_ATTEMPTS: &str = "commerce_delivery_attempts_total";
/// Deliveries that wait for an attempt.
pub const DELIVERIES_WAITING: &str = "commerce_deliveries_waiting";
/// Dead letters.
pub const DELIVERIES_DEAD: &str = "commerce_deliveries_dead";
/// Since when the oldest delivery waits.
pub const DELIVERY_OLDEST_SECONDS: &str = "commerce_delivery_oldest_age_seconds";
/// Cards that can be sold.
pub const STOCK_FREE: &str = "commerce_stock_free";
/// Cards that are set aside.
pub const STOCK_FAULTY: &str = "commerce_stock_faulty";
/// Fewer than this are too few.
pub const STOCK_LOW_MARK: &str = "commerce_stock_low_mark";

const COUNTERS: [(&str, &str); 11] = [
    (
        HTTP_REQUESTS,
        "Requests answered, by method, route pattern and status.",
    ),
    (
        HOLDS_EXPIRED,
        "Holds ended because their time was over, by result.",
    ),
    (
        MO,
        "Messages of subscribers that were dealt with, by command and result.",
    ),
    (RECEIPTS, "Receipts of our own messages, by delivery."),
    (
        BANK_EVENTS,
        "Chargebacks and other advices of banks, by bank and kind.",
    ),
    (
        EVENTS_IGNORED,
        "Events of the router that are of no use here.",
    ),
    (
        ROUTER_CALLS,
        "Calls of the router, by call and result (answered, invalid, unheard).",
    ),
    (
        PURCHASES,
        "Steps of purchases, by the state that they led to.",
    ),
    (
        PURCHASE_STEPS_FAILED,
        "Steps of purchases that failed and are tried again.",
    ),
    (MESSAGES, "Tries of messages that go out, by outcome."),
    (
        DELIVERY_ATTEMPTS,
        "Calls of partners and merchants, by kind and result (done, failed, dead).",
    ),
];
const GAUGES: [(&str, &str); 15] = [
    (BUILD_INFO, "1, with the version as label."),
    (
        READY,
        "1 while no worker has ended by itself and the database answers, otherwise 0.",
    ),
    (HTTP_IN_FLIGHT, "Requests that are being answered."),
    (HOLDS_DUE, "Holds that are over and not ended yet."),
    (
        HOLDS_DUE_OLDEST_SECONDS,
        "For how long the oldest of the holds that are due has been over; 0 without one.",
    ),
    (
        INTAKE_CONNECTED,
        "1 while the router hands over what comes in, otherwise 0.",
    ),
    (
        PURCHASES_STUCK,
        "Purchases in MANUAL_REVIEW, or for ten minutes in a state that should not last.",
    ),
    (MESSAGES_WAITING, "Messages that are still to be sent."),
    (
        MESSAGE_OLDEST_SECONDS,
        "Age of the oldest message that is still to be sent; 0 without one.",
    ),
    (
        DELIVERIES_WAITING,
        "Deliveries that wait for an attempt, by kind.",
    ),
    (
        DELIVERIES_DEAD,
        "Dead letters that nobody has replayed or dropped, by kind.",
    ),
    (
        DELIVERY_OLDEST_SECONDS,
        "Age of the oldest delivery that waits, by kind; 0 without one.",
    ),
    (STOCK_FREE, "Cards that can be sold, by card type on sale."),
    (
        STOCK_FAULTY,
        "Cards set aside because their PIN codes cannot be opened, by card type on sale.",
    ),
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

tokio::task_local! {
    /// The registry of the program that a task works for.
    static OWN: Arc<Metrics>;
}

/// Lets a future record in the registry of whoever makes it, in whichever task it runs.
pub fn carried<T>(future: impl Future<Output = T>) -> impl Future<Output = T> {
    let own = OWN.try_with(Arc::clone).ok();
    async move {
        match own {
            Some(own) => own.around(future).await,
            None => future.await,
        }
    }
}

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
        let mut future = Box::pin(OWN.scope(Arc::clone(&self), future));
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
