//! What the generator notes of one kind of traffic: how many were answered well, how late, and whether
//! each was answered once.

use hdrhistogram::{CreationError, Histogram};
use tonic::Status;

use crate::bench::clock::Window;

/// Latencies from 1 µs to 100 s with three digits.
const LATENCY_MIN_NS: u64 = 1_000;
const LATENCY_MAX_NS: u64 = 100_000_000_000;
const DIGITS: u8 = 3;
/// The width of a bar of throughput over time.
pub(in crate::bench) const BIN_NS: u64 = 100_000_000;

/// The book.
#[derive(Clone, Debug)]
pub(in crate::bench) struct Book {
    pub(in crate::bench) window: Window,
    /// What is to come per second, in an open loop.
    pub(in crate::bench) offered_per_s: Option<f64>,
    /// Requests that left, over the whole run.
    pub(in crate::bench) sent: u64,
    /// Requests that were answered, over the whole run.
    pub(in crate::bench) answered: u64,
    /// Of those, the ones with another outcome than the good one.
    pub(in crate::bench) failed: u64,
    /// The numbers of what was sent less those of what was answered: 0 if each was answered once.
    pub(in crate::bench) missing_sum: i128,
    /// Answered between the ends of the window.
    pub(in crate::bench) in_window: u64,
    /// Answered in each [`BIN_NS`] of the window.
    pub(in crate::bench) bins: Vec<u64>,
    /// From the moment at which a request was to leave to its answer, of those of the window.
    pub(in crate::bench) latency_ns: Histogram<u64>,
    /// How much later than they were to do the batches left: what of the latency is the harness's own.
    pub(in crate::bench) late_ns: Histogram<u64>,
    /// Why calls ended before their time.
    pub(in crate::bench) faults: Vec<String>,
}

impl Book {
    /// An empty one.
    ///
    /// # Errors
    /// None with the bounds above.
    pub(in crate::bench) fn new(window: Window) -> Result<Self, CreationError> {
        let bins = (window.end_ns - window.start_ns).div_ceil(BIN_NS);
        Ok(Self {
            window,
            offered_per_s: None,
            sent: 0,
            answered: 0,
            failed: 0,
            missing_sum: 0,
            in_window: 0,
            bins: vec![0; usize::try_from(bins).unwrap_or_default()],
            latency_ns: histogram()?,
            late_ns: histogram()?,
            faults: Vec::new(),
        })
    }

    /// A batch leaves now that was to leave then.
    pub(in crate::bench) fn leaves(&mut self, requests: u64, first: u64, at_ns: u64, now_ns: u64) {
        self.sent += requests;
        let last = first + requests - 1;
        self.missing_sum += i128::from(requests) * i128::from(first + last) / 2;
        if self.window.holds(at_ns) {
            self.late_ns.saturating_record(now_ns.saturating_sub(at_ns));
        }
    }

    /// A request that was to leave then has been answered now.
    pub(in crate::bench) fn answer(&mut self, number: u64, at_ns: u64, now_ns: u64, is_good: bool) {
        self.failed += u64::from(!is_good);
        self.missing_sum -= i128::from(number);
        self.event(at_ns, now_ns);
    }

    /// What the SMSC sent then is here now.
    pub(in crate::bench) fn event(&mut self, at_ns: u64, now_ns: u64) {
        self.answered += 1;
        if self.window.holds(at_ns) {
            self.latency_ns
                .saturating_record(now_ns.saturating_sub(at_ns));
        }
        if self.window.holds(now_ns) {
            self.in_window += 1;
            let bin = usize::try_from((now_ns - self.window.start_ns) / BIN_NS);
            if let Some(bin) = bin.ok().and_then(|bin| self.bins.get_mut(bin)) {
                *bin += 1;
            }
        }
    }

    /// An answer that names no request of ours.
    pub(in crate::bench) fn stranger(&mut self) {
        self.answered += 1;
        self.failed += 1;
    }

    /// A call has ended before its time.
    pub(in crate::bench) fn fault(&mut self, status: &Status) {
        self.faults
            .push(format!("{:?}: {}", status.code(), status.message()));
    }

    /// What is not as it should be, for a person.
    pub(in crate::bench) fn wrongs(&self) -> Vec<String> {
        let mut wrongs = self.faults.clone();
        let (sent, answered, failed) = (self.sent, self.answered, self.failed);
        if failed > 0 {
            wrongs.push(format!("{failed} had another outcome than the good one"));
        }
        if sent != answered {
            wrongs.push(format!("{sent} were sent, {answered} answered"));
        } else if self.missing_sum != 0 {
            wrongs.push("some were answered twice in place of others".to_owned());
        }
        wrongs
    }
}

/// An empty histogram of latencies.
fn histogram() -> Result<Histogram<u64>, CreationError> {
    Histogram::new_with_bounds(LATENCY_MIN_NS, LATENCY_MAX_NS, DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::pace::{Pace, Schedule};

    /// A window of a second that begins at second 1.
    fn book() -> Book {
        let window = Window {
            start_ns: 1_000_000_000,
            end_ns: 2_000_000_000,
        };
        Book::new(window).unwrap()
    }

    const MS: u64 = 1_000_000;

    #[test]
    fn what_was_answered_once_is_in_order() {
        let mut book = book();
        book.leaves(3, 0, 1_100 * MS, 1_100 * MS);
        for number in [2, 0, 1] {
            book.answer(number, 1_100 * MS, 1_110 * MS, true);
        }
        assert_eq!(book.wrongs(), Vec::<String>::new());
        assert_eq!((book.in_window, book.bins[1]), (3, 3));
    }

    #[test]
    fn an_answer_that_comes_twice_or_never_or_says_no_is_told() {
        for (answers, wrong) in [
            (&[(0, true), (0, true)][..], "twice"),
            (&[(0, true)], "2 were sent, 1 answered"),
            (&[(0, true), (1, false)], "another outcome"),
        ] {
            let mut book = book();
            book.leaves(2, 0, 1_100 * MS, 1_100 * MS);
            for (number, is_good) in answers {
                book.answer(*number, 1_100 * MS, 1_110 * MS, *is_good);
            }
            let wrongs = book.wrongs();
            assert_eq!(wrongs.len(), 1);
            assert!(wrongs[0].contains(wrong), "{wrongs:?}");
        }
    }

    /// A router that answers each request of an open loop within 1 ms, except that it stands still for
    /// half a second: the requests that were to leave meanwhile count from when they were to leave.
    #[test]
    fn a_stall_is_charged_to_all_that_should_have_left_meanwhile() {
        let mut book = book();
        let mut pace = Pace::Open(Schedule::of(0, 1, 1_000.0, 1, book.window.start_ns));
        for number in 0..1_000 {
            let due_ns = pace.due_ns(0);
            pace.step();
            let stall = 1_250 * MS..1_750 * MS;
            // What is due while it stands still can only leave after it.
            let left_ns = if stall.contains(&due_ns) {
                stall.end
            } else {
                due_ns
            };
            book.leaves(1, number, due_ns, left_ns);
            book.answer(number, due_ns, left_ns + MS, true);
        }
        let p50_ms = book.latency_ns.value_at_quantile(0.5) / MS;
        let p90_ms = book.latency_ns.value_at_quantile(0.9) / MS;
        assert!((1..=2).contains(&p50_ms), "{p50_ms}");
        // Half of them met the stall, evenly from 1 to 500 ms.
        assert!((390..=410).contains(&p90_ms), "{p90_ms}");
        assert!(book.late_ns.max() / MS >= 499);
    }

    #[test]
    fn what_is_outside_of_the_window_is_counted_and_not_measured() {
        let mut book = book();
        for (number, at) in [(0, 900), (1, 2_100)] {
            book.leaves(1, number, at * MS, at * MS);
            book.answer(number, at * MS, at * MS + MS, true);
        }
        assert_eq!((book.answered, book.in_window), (2, 0));
        assert_eq!(book.latency_ns.len(), 0);
    }
}
