//! What the router occupies, once a second, and whether that is flat. `/proc` is read here and
//! nowhere else.

use std::{fs, io};

/// Clock ticks per second of `/proc/PID/stat`, the same on every Linux.
const TICKS_PER_S: u64 = 100;
/// Samples without which a run says nothing about its memory.
pub(super) const SAMPLES_MIN: usize = 10;

/// The router at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Messages that have had their receipts.
    pub(super) done: u64,
    pub(super) rss_kib: u64,
    pub(super) store_bytes: u64,
}

/// What the samples after the warm-up say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) samples: usize,
    pub(super) rss_min_kib: u64,
    pub(super) rss_max_kib: u64,
    /// Means of the first and the last quarter: a leak shows in them before it shows in the span.
    pub(super) rss_first_kib: u64,
    pub(super) rss_last_kib: u64,
    pub(super) store_min_bytes: u64,
    pub(super) store_max_bytes: u64,
}

impl Span {
    /// Over the samples from `warm` messages on; `None` if there are too few.
    pub(super) fn of(samples: &[Sample], warm: u64) -> Option<Self> {
        let from = samples.partition_point(|sample| sample.done < warm);
        let rest = samples
            .get(from..)
            .filter(|rest| rest.len() >= SAMPLES_MIN)?;
        let rss = || rest.iter().map(|sample| sample.rss_kib);
        let store = || rest.iter().map(|sample| sample.store_bytes);
        let quarter = rest.len() / 4;
        let mean = |samples: &[Sample]| {
            let sum: u64 = samples.iter().map(|sample| sample.rss_kib).sum();
            sum / (samples.len() as u64).max(1)
        };
        Some(Self {
            samples: rest.len(),
            rss_min_kib: rss().min()?,
            rss_max_kib: rss().max()?,
            rss_first_kib: mean(rest.get(..quarter)?),
            rss_last_kib: mean(rest.get(rest.len() - quarter..)?),
            store_min_bytes: store().min()?,
            store_max_bytes: store().max()?,
        })
    }

    /// How far the largest is over the smallest, in percent.
    pub(super) fn spread_percent(&self) -> f64 {
        let (min, max) = (self.rss_min_kib.max(1) as f64, self.rss_max_kib as f64);
        (max / min - 1.0) * 100.0
    }
}

/// The resident memory of a process in KiB.
pub(super) fn rss_kib(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let digits = line.and_then(|line| line.split_whitespace().next());
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| io::Error::other("the process has no VmRSS: it has ended"))
}

/// What a process has spent of the processors, in milliseconds.
pub(super) fn cpu_ms(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The program's name stands in parentheses and may hold anything; utime and stime are the 12th
    // and 13th field after it.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Ok(ticks * 1_000 / TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(rss: impl IntoIterator<Item = u64>) -> Vec<Sample> {
        (1..)
            .zip(rss)
            .map(|(second, rss_kib)| Sample {
                done: second * 1_000,
                rss_kib,
                store_bytes: second,
            })
            .collect()
    }

    #[test]
    fn what_was_before_the_warm_up_does_not_count() {
        let growing = (1..=20).map(|second| second * 10).chain([200; 20]);
        let span = Span::of(&samples(growing), 20_000).unwrap();
        assert_eq!(
            (span.samples, span.rss_min_kib, span.rss_max_kib),
            (21, 200, 200)
        );
        assert!(span.spread_percent() < 0.001);
    }

    #[test]
    fn memory_that_keeps_growing_is_not_flat() {
        let span = Span::of(&samples((0..100).map(|second| 1_000 + second * 10)), 10_000).unwrap();
        assert!(span.spread_percent() > 20.0);
        assert!(span.rss_last_kib > span.rss_first_kib);
    }

    #[test]
    fn too_few_samples_say_nothing() {
        assert_eq!(Span::of(&samples([100; SAMPLES_MIN]), 2_000), None);
        assert_eq!(Span::of(&[], 0), None);
    }

    #[test]
    fn a_process_that_runs_occupies_memory_and_processors() {
        let own = std::process::id();
        assert!(rss_kib(own).unwrap() > 100);
        cpu_ms(own).unwrap();
    }
}
