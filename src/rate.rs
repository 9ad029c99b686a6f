//! A token bucket: how many requests may go now, so that a rate per second is never exceeded.
//!
//! It holds a moment's worth of tokens and not a second's, because an SMSC that grants 100 a second
//! throttles 100 at once. Pure: the time is passed in, nothing is rounded, and nothing drifts. It
//! must never let more go than rate × time + burst.

use std::time::{Duration, Instant};

/// A token is this many grains, and a nanosecond brings `per_second` grains: whole numbers only.
const GRAINS: u64 = 1_000_000_000;

/// A rate, and how much of it may go at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens per second.
    pub per_second: u32,
    /// So much time's worth of tokens may go at once after a pause, but at least one token.
    pub burst: Duration,
}

impl Rate {
    /// The most tokens that may go at once.
    pub fn burst_tokens(self) -> u32 {
        let tokens = u128::from(self.per_second) * self.burst.as_nanos() / u128::from(GRAINS);
        u32::try_from(tokens).unwrap_or(u32::MAX).max(1)
    }
}

/// Tokens that come at a rate and are taken by requests.
///
/// Over any time `t` it gives at most `per_second × t + burst_tokens`; [`Bucket::take_whole`] may
/// exceed that once by what a single request needs beyond the burst.
#[derive(Clone, Debug)]
pub struct Bucket {
    rate: Rate,
    /// As of `at`; below zero after a request that needed more than a full bucket.
    grains: i128,
    at: Instant,
}

impl Bucket {
    /// A full bucket. A rate of zero lets nothing go after the first burst.
    pub fn new(rate: Rate, now: Instant) -> Self {
        let mut bucket = Self {
            rate,
            grains: 0,
            at: now,
        };
        bucket.grains = bucket.full();
        bucket
    }

    /// How many tokens there are.
    pub fn available(&self, now: Instant) -> u32 {
        let tokens = self.grains_at(now).max(0) / i128::from(GRAINS);
        u32::try_from(tokens).unwrap_or(u32::MAX)
    }

    /// Takes as many tokens as there are, up to `wanted`, and says how many.
    pub fn take(&mut self, now: Instant, wanted: u32) -> u32 {
        self.refill(now);
        let taken = wanted.min(self.available(now));
        self.grains -= grains(taken);
        taken
    }

    /// Takes all `wanted` tokens if they are there, or else none. A request that needs more than the
    /// bucket holds goes when it is full, and the rest is owed.
    pub fn take_whole(&mut self, now: Instant, wanted: u32) -> bool {
        self.refill(now);
        let is_granted = self.grains >= grains(wanted).min(self.full());
        if is_granted {
            self.grains -= grains(wanted);
        }
        is_granted
    }

    /// Puts tokens back that were taken and not used.
    pub fn give_back(&mut self, tokens: u32) {
        self.grains = (self.grains + grains(tokens)).min(self.full());
    }

    /// When `wanted` tokens will be there, or the bucket be full if it holds fewer; `None` if that
    /// is so now, or never comes.
    pub fn when(&self, now: Instant, wanted: u32) -> Option<Instant> {
        let missing = grains(wanted).min(self.full()) - self.grains_at(now);
        if missing <= 0 || self.rate.per_second == 0 {
            return None;
        }
        let per_nanosecond = i128::from(self.rate.per_second);
        // Rounded up: a wake-up that comes too early would be in vain.
        let nanoseconds = (missing + per_nanosecond - 1) / per_nanosecond;
        let wait = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        now.max(self.at).checked_add(wait)
    }

    /// When the next token will be there; `None` if one is there now, or never comes.
    pub fn next(&self, now: Instant) -> Option<Instant> {
        self.when(now, 1)
    }

    fn refill(&mut self, now: Instant) {
        self.grains = self.grains_at(now);
        // A time before the last one brings nothing, and is not counted again either.
        self.at = self.at.max(now);
    }

    fn grains_at(&self, now: Instant) -> i128 {
        let elapsed = now.saturating_duration_since(self.at).as_nanos();
        let come = elapsed.saturating_mul(u128::from(self.rate.per_second));
        let come = i128::try_from(come).unwrap_or(i128::MAX);
        self.grains.saturating_add(come).min(self.full())
    }

    fn full(&self) -> i128 {
        grains(self.rate.burst_tokens())
    }
}

fn grains(tokens: u32) -> i128 {
    i128::from(tokens) * i128::from(GRAINS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(per_second: u32, burst_ms: u64) -> Rate {
        Rate {
            per_second,
            burst: Duration::from_millis(burst_ms),
        }
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_seconds_worth_does_not_go_at_once() {
        let start = Instant::now();
        let mut bucket = Bucket::new(rate(1_000, 20), start);
        assert_eq!(bucket.take(start, 1_000), 20);
        assert_eq!(bucket.take(start, 1), 0);
        assert_eq!(bucket.take(start + ms(5), 1_000), 5);
    }

    #[test]
    fn the_slowest_rate_has_a_burst_of_one() {
        let start = Instant::now();
        let mut bucket = Bucket::new(rate(1, 20), start);
        assert_eq!(bucket.take(start, 5), 1);
        assert_eq!(bucket.next(start), Some(start + ms(1_000)));
        assert_eq!(bucket.take(start + ms(999), 5), 0);
        assert_eq!(bucket.take(start + ms(1_000), 5), 1);
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_does_not_drift() {
        let start = Instant::now();
        // Two tokens, so that none of its grains is spilled for lack of room.
        let mut bucket = Bucket::new(rate(7, 300), start);
        let mut taken = bucket.take(start, 100);
        for step in 0..=600_000_u64 {
            taken += bucket.take(start + ms(step), 100);
        }
        assert_eq!(taken, 2 + 7 * 600);
    }

    #[test]
    fn a_long_idle_time_does_not_add_up() {
        let start = Instant::now();
        let mut bucket = Bucket::new(rate(100, 50), start);
        let later = start + Duration::from_secs(86_400 * 365);
        assert_eq!(bucket.take(later, u32::MAX), 5);
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_brings_nothing() {
        let start = Instant::now() + ms(10_000);
        let mut bucket = Bucket::new(rate(100, 10), start);
        assert_eq!(bucket.take(start, 1), 1);
        for _ in 0..10 {
            assert_eq!(bucket.take(start, 1), 0);
            assert_eq!(bucket.take(start - ms(5_000), 1), 0);
        }
        assert_eq!(bucket.take(start + ms(9), 1), 0);
        assert_eq!(bucket.take(start + ms(10), 1), 1);
    }

    #[test]
    fn what_was_not_used_comes_back_and_no_more_than_the_bucket_holds() {
        let start = Instant::now();
        let mut bucket = Bucket::new(rate(100, 50), start);
        assert_eq!(bucket.take(start, 5), 5);
        bucket.give_back(2);
        assert_eq!(bucket.available(start), 2);
        bucket.give_back(9);
        assert_eq!(bucket.available(start), 5);
    }

    #[test]
    fn a_request_larger_than_the_bucket_goes_when_it_is_full_and_is_paid_for_afterwards() {
        let start = Instant::now();
        let mut bucket = Bucket::new(rate(10, 500), start);
        assert!(bucket.take_whole(start, 8), "5 are there, the rest is owed");
        assert!(!bucket.take_whole(start, 1));
        assert_eq!(bucket.when(start, 1), Some(start + ms(400)));
        assert!(bucket.take_whole(start + ms(400), 1));
        // A large one waits for a full bucket and no longer.
        assert_eq!(bucket.when(start + ms(400), 8), Some(start + ms(900)));
    }

    proptest! {
        #[test]
        fn no_window_of_time_sees_more_than_its_share_and_a_burst(
            per_second in 1_u32..5_000,
            burst_ms in 0_u64..200,
            steps in prop::collection::vec((0_u64..40_000_000, 1_u32..400), 1..120),
        ) {
            let rate = rate(per_second, burst_ms);
            let mut now = Instant::now();
            let mut bucket = Bucket::new(rate, now);
            let mut given = Vec::new();
            for (wait_ns, wanted) in steps {
                now += Duration::from_nanos(wait_ns);
                given.push((now, u128::from(bucket.take(now, wanted))));
            }
            for (first, (start, _)) in given.iter().enumerate() {
                let mut sum = 0;
                for (end, taken) in &given[first..] {
                    sum += taken;
                    let window_ns = (*end - *start).as_nanos();
                    let most = u128::from(per_second) * window_ns / u128::from(GRAINS)
                        + u128::from(rate.burst_tokens());
                    prop_assert!(sum <= most, "{sum} in {window_ns} ns, not {most}");
                }
            }
        }

        #[test]
        fn whoever_waits_until_told_is_never_told_in_vain(
            per_second in 1_u32..100_000,
            burst_ms in 0_u64..100,
            wants in prop::collection::vec(1_u32..50, 1..100),
        ) {
            let mut now = Instant::now();
            let mut bucket = Bucket::new(rate(per_second, burst_ms), now);
            for wanted in wants {
                if bucket.take(now, wanted) == 0 {
                    now = bucket.next(now).unwrap();
                    prop_assert!(bucket.take(now, wanted) > 0);
                }
                prop_assert!(bucket.next(now).is_none_or(|next| next > now));
            }
        }
    }
}
