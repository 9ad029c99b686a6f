//! How long links wait for their answers: a histogram whose buckets are counted as the answers come.
//!
//! The exporter's own keeps each value with its time until somebody scrapes, which costs more per
//! message than the rest of a link's figures together. It must never lock or allocate per answer.

use std::{
    fmt::{self, Write as _},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::names::LINK_RESPONSE_SECONDS;

/// The upper ends of the buckets, in microseconds and as they are told: from loopback's tenths of a
/// millisecond to a bank's half minute.
const BUCKETS: [(u64, &str); 16] = [
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
    (30_000_000, "30"),
    (60_000_000, "60"),
];

/// The histogram of one link.
#[derive(Clone, Debug)]
pub struct ResponseTimes(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// `kind="smsc",peer="viettel",link="viettel/1"`
    labels: String,
    /// Answers by bucket, each in one; the last holds what is beyond all ends.
    answers: [AtomicU64; BUCKETS.len() + 1],
    sum_ns: AtomicU64,
}

impl ResponseTimes {
    /// So many answers came after such a time.
    pub fn record(&self, time: Duration, answers: u64) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.partition_point(|(end_us, _)| end_us * 1_000 < ns);
        if let Some(count) = self.0.answers.get(bucket) {
            count.fetch_add(answers, Relaxed);
        }
        self.0.sum_ns.fetch_add(ns.saturating_mul(answers), Relaxed);
    }
}

impl Counts {
    fn render(&self, out: &mut String) -> fmt::Result {
        let labels = &self.labels;
        let mut total = 0;
        let ends = BUCKETS.iter().map(|(_, told)| *told).chain(["+Inf"]);
        for (count, end) in self.answers.iter().zip(ends) {
            total += count.load(Relaxed);
            writeln!(
                out,
                "{LINK_RESPONSE_SECONDS}_bucket{{{labels},le=\"{end}\"}} {total}"
            )?;
        }
        let sum_s = Duration::from_nanos(self.sum_ns.load(Relaxed)).as_secs_f64();
        writeln!(out, "{LINK_RESPONSE_SECONDS}_sum{{{labels}}} {sum_s}")?;
        writeln!(out, "{LINK_RESPONSE_SECONDS}_count{{{labels}}} {total}")
    }
}

/// The histograms of all links.
#[derive(Default)]
pub(super) struct AllResponseTimes(Mutex<Vec<ResponseTimes>>);

impl AllResponseTimes {
    /// That of the link with these labels, whose values are names of the configuration.
    pub(super) fn of(&self, labels: &[(&str, String)]) -> ResponseTimes {
        let labels: Vec<_> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let labels = labels.join(",");
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A link that comes back after a reload goes on counting.
        if let Some(known) = all.iter().find(|known| known.0.labels == labels) {
            return known.clone();
        }
        let counts = Counts {
            labels,
            ..Counts::default()
        };
        all.push_mut(ResponseTimes(Arc::new(counts))).clone()
    }

    /// Appends them in Prometheus' text format, under their meaning.
    pub(super) fn render(&self, meaning: &str, out: &mut String) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // To write to a string cannot fail.
        write!(
            out,
            "# HELP {LINK_RESPONSE_SECONDS} {meaning}\n# TYPE {LINK_RESPONSE_SECONDS} histogram\n"
        )
        .ok();
        for link in all.iter() {
            link.0.render(out).ok();
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Metrics, *};
    use crate::{metrics::figure, status::PeerKind};

    #[test]
    fn each_answer_counts_in_all_buckets_that_end_at_its_time_or_later() {
        let metrics = Metrics::new().unwrap();
        let link = metrics.link(PeerKind::Smsc, "viettel", "viettel/1");
        link.response_seconds.record(Duration::from_micros(500), 3);
        link.response_seconds.record(Duration::from_micros(501), 1);
        link.response_seconds.record(Duration::from_secs(61), 1);
        let text = metrics.render();
        let labels = r#"kind="smsc",peer="viettel",link="viettel/1""#;
        let figure = |suffix: &str, le: &str| {
            figure(
                &text,
                &format!("{LINK_RESPONSE_SECONDS}_{suffix}{{{labels}{le}}}"),
            )
            .map(str::to_owned)
        };
        for (le, answers) in [("0.0005", "3"), ("0.001", "4"), ("60", "4"), ("+Inf", "5")] {
            let bucket = figure("bucket", &format!(r#",le="{le}""#));
            assert_eq!(bucket.as_deref(), Some(answers), "{le}");
        }
        assert_eq!(figure("count", "").as_deref(), Some("5"));
        assert_eq!(figure("sum", "").as_deref(), Some("61.002001"));
    }

    #[test]
    fn the_same_link_has_one_histogram() {
        let metrics = Metrics::new().unwrap();
        for _ in 0..2 {
            let link = metrics.link(PeerKind::Bank, "vietcom", "vietcom/1");
            link.response_seconds.record(Duration::from_secs(1), 1);
        }
        let count = format!(
            r#"{LINK_RESPONSE_SECONDS}_count{{kind="bank",peer="vietcom",link="vietcom/1"}}"#
        );
        assert_eq!(figure(&metrics.render(), &count), Some("2"));
    }
}
