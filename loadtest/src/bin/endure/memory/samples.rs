//! What the router occupies, once a second, and whether that is flat.

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
}
