//! A run as it is kept: one line of JSON. Figures end in their unit.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::{
    bar::{Bar, Figure},
    load::{BIN_NS, Book},
};

/// Points of the curve of latencies: how many of a hundred are below.
const CURVE_PERCENT: [f64; 12] = [
    10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99, 100.0,
];

/// One run of one scenario.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Record {
    pub(super) scenario: String,
    pub(super) about: String,
    /// From 1.
    pub(super) run: u32,
    pub(super) seconds: f64,
    /// What was set, for a person.
    pub(super) settings: String,
    /// Whether each request was answered once and well, and each event handed over.
    pub(super) is_clean: bool,
    /// What was not as it should be.
    pub(super) faults: Vec<String>,
    pub(super) messages: Option<Traffic>,
    pub(super) payments: Option<Traffic>,
    pub(super) events: Option<Traffic>,
    pub(super) router: Router,
    pub(super) harness: Harness,
    pub(super) floor: Option<Floor>,
    pub(super) machine: Machine,
    pub(super) bars: Vec<Bar>,
    /// Where it stands in a scaling.
    pub(super) point: Option<Point>,
}

/// A run of a scaling.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Point {
    /// What grows.
    pub(super) of: String,
    pub(super) value: u64,
}

/// One kind of traffic.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Traffic {
    pub(super) sent: u64,
    pub(super) answered: u64,
    pub(super) failed: u64,
    pub(super) per_s: f64,
    /// What came per second in an open loop.
    pub(super) offered_per_s: Option<f64>,
    /// In each tenth of a second.
    pub(super) over_time: Vec<u64>,
    pub(super) latency: Latency,
    /// What of the latency is the harness's own: how late requests left that were due.
    pub(super) late_p50_us: f64,
    pub(super) late_p99_us: f64,
}

/// How long answers took, in microseconds.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Latency {
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) p999_us: f64,
    pub(super) max_us: f64,
    /// Percent of the answers, and what they did not exceed.
    pub(super) curve: Vec<(f64, f64)>,
}

/// What the router used, over the measured time.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Router {
    /// For each message, payment and event that was answered.
    pub(super) user_us: f64,
    pub(super) system_us: f64,
    pub(super) cpu_us: f64,
    /// Of how many processors.
    pub(super) cores: f64,
    pub(super) cpu_ms_per_s: f64,
    pub(super) peak_mib: f64,
    /// Twice a second.
    pub(super) rss_mib: Vec<f64>,
    /// How often its threads slept, for each thousand answered.
    pub(super) sleeps_per_1000: f64,
    /// Calls of read and write for each thousand; those of recv and send are not counted by the
    /// kernel. `None` where it does not tell.
    pub(super) reads_per_1000: Option<f64>,
    pub(super) writes_per_1000: Option<f64>,
}

/// What the harness used for each that was answered.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Harness {
    pub(super) generator_us: f64,
    pub(super) sinks_us: f64,
}

/// The same PDUs without a router, each kind by itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Floor {
    /// Exchanges of submit_sm.
    pub(super) messages_per_s: Option<f64>,
    /// Exchanges of 0200.
    pub(super) payments_per_s: Option<f64>,
    /// Exchanges of deliver_sm.
    pub(super) events_per_s: Option<f64>,
    /// What the router exchanged in a second took the bare exchange this share of one.
    pub(super) reached: f64,
}

/// What else the machine did.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Machine {
    pub(super) cores: usize,
    /// Of the processors' time, what neither the router nor the harness used and others did.
    pub(super) others_percent: f64,
    pub(super) idle_percent: f64,
}

impl Traffic {
    pub(super) fn of(book: &Book) -> Self {
        Self {
            sent: book.sent,
            answered: book.answered,
            failed: book.failed,
            per_s: book.in_window as f64 / book.window.seconds(),
            offered_per_s: book.offered_per_s,
            over_time: book.bins.clone(),
            latency: Latency::of(&book.latency_ns),
            late_p50_us: us(book.late_ns.value_at_quantile(0.5)),
            late_p99_us: us(book.late_ns.value_at_quantile(0.99)),
        }
    }

    /// How long a bar of `over_time` is.
    pub(super) fn bin_s() -> f64 {
        BIN_NS as f64 / 1e9
    }
}

impl Latency {
    fn of(ns: &Histogram<u64>) -> Self {
        let at = |percent: f64| us(ns.value_at_percentile(percent));
        Self {
            p50_us: at(50.0),
            p99_us: at(99.0),
            p999_us: at(99.9),
            max_us: us(ns.max()),
            curve: CURVE_PERCENT.map(|percent| (percent, at(percent))).to_vec(),
        }
    }
}

fn us(ns: u64) -> f64 {
    ns as f64 / 1_000.0
}

impl Record {
    /// What callers asked for, or what came in; `None` where nothing was to do.
    pub(super) fn asked(&self) -> Option<&Traffic> {
        let asked = self.payments.as_ref().or(self.messages.as_ref());
        asked.or(self.events.as_ref())
    }

    /// Messages, payments and events answered per second.
    pub(super) fn per_s(&self) -> f64 {
        let kinds = [&self.messages, &self.payments, &self.events];
        kinds.into_iter().flatten().map(|it| it.per_s).sum()
    }

    /// A figure that bars speak of; `None` if the run has none.
    pub(super) fn figure(&self, figure: Figure) -> Option<f64> {
        let per_s = |traffic: &Option<Traffic>| Some(traffic.as_ref()?.per_s);
        let latency = self.asked().map(|it| &it.latency);
        match figure {
            Figure::MessagesPerS => per_s(&self.messages),
            Figure::PaymentsPerS => per_s(&self.payments),
            Figure::EventsPerS => per_s(&self.events),
            Figure::CpuUs => Some(self.router.cpu_us),
            Figure::OfFloor => Some(self.floor.as_ref()?.reached),
            Figure::P50Ms => Some(latency?.p50_us / 1_000.0),
            Figure::P99Ms => Some(latency?.p99_us / 1_000.0),
            Figure::PeakMib => Some(self.router.peak_mib),
        }
    }
}

#[cfg(test)]
impl Record {
    /// A run of messages, for tests of what is made of records.
    pub(super) fn example(scenario: &str, per_s: f64) -> Self {
        let latency = Latency {
            p50_us: 900.0,
            p99_us: 4_000.0,
            p999_us: 9_000.0,
            max_us: 20_000.0,
            curve: vec![(50.0, 900.0), (99.0, 4_000.0), (100.0, 20_000.0)],
        };
        let messages = Traffic {
            sent: 100,
            answered: 100,
            failed: 0,
            per_s,
            offered_per_s: None,
            over_time: vec![40, 60],
            latency,
            late_p50_us: 1.0,
            late_p99_us: 2.0,
        };
        let router = Router {
            user_us: 1.5,
            system_us: 0.5,
            cpu_us: 2.0,
            cores: 1.0,
            cpu_ms_per_s: 1_000.0,
            peak_mib: 60.0,
            rss_mib: vec![50.0, 60.0],
            sleeps_per_1000: 3.0,
            reads_per_1000: None,
            writes_per_1000: None,
        };
        Self {
            scenario: scenario.to_owned(),
            about: "A load".to_owned(),
            run: 1,
            seconds: 1.0,
            settings: "4 binds".to_owned(),
            is_clean: true,
            faults: Vec::new(),
            messages: Some(messages),
            payments: None,
            events: None,
            router,
            harness: Harness {
                generator_us: 0.3,
                sinks_us: 0.2,
            },
            floor: None,
            machine: Machine {
                cores: 2,
                others_percent: 1.0,
                idle_percent: 0.0,
            },
            bars: vec![Bar {
                what: Figure::MessagesPerS,
                bar: 450_000.0,
                in_sight: None,
            }],
            point: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_and_comes_back_from_it() {
        let record = Record::example("messages-1024", 123_456.0);
        let line = serde_json::to_string(&record).unwrap();
        assert!(!line.contains('\n'));
        let read: Record = serde_json::from_str(&line).unwrap();
        assert_eq!(read.figure(Figure::MessagesPerS), Some(123_456.0));
        assert_eq!(read.figure(Figure::P99Ms), Some(4.0));
        assert_eq!(read.figure(Figure::PaymentsPerS), None);
        assert_eq!(serde_json::to_string(&read).unwrap(), line);
    }
}
