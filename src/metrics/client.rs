//! The figures of the upstream services. Names that a caller chooses freely must never fill the
//! registry: later names are served, and do not show.

use metrics::{Counter, Gauge, counter, gauge};

use std::sync::PoisonError;

use crate::client::{ClientCounts, ClientName};

use super::{
    Metrics,
    names::{
        CLIENT_ABANDONED, CLIENT_IN_FLIGHT, CLIENT_IN_FLIGHT_MAX, CLIENT_REFUSED, CLIENT_REQUESTS,
        CLIENT_STREAMS,
    },
};

/// Clients that have figures of their own. A caller on this machine chooses its name freely, and the
/// registry forgets none: later names are served, and do not show.
const CLIENTS_MAX: usize = 1024;

impl Metrics {
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
}

/// The handles of one client.
pub(super) struct ClientMetrics {
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
    use super::{super::figure, *};

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
}
