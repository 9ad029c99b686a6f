//! How often somebody may call: a bucket of calls that fills again at his rate.
//!
//! A bucket is one number, the time at which it is full again (GCRA, ITU-T I.371). It lives in this
//! process: several machines count each by itself.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

use crate::moment::UnixMs;

/// Callers whose buckets are kept. Far more than call at once; those that are full are forgotten first.
const BUCKETS_MAX: usize = 10_000;

const MICROS_PER_S: i64 = 1_000_000;

/// Calls of one caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In the long run.
    pub requests_per_s: u32,
    /// At once, after a pause.
    pub burst: u32,
}

/// By which callers at that address are known: an IPv6 network of 64 bits is one caller, because each of its
/// hosts has as many addresses as it likes.
pub(crate) fn caller_at(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// A call too many. After so many seconds there is room for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooOften {
    pub(crate) retry_after_s: i64,
}

/// The buckets of all callers, known by a key of that kind.
pub(crate) struct Limiter<K> {
    /// When each is full again, in microseconds.
    full_at_us: Mutex<HashMap<K, i64>>,
}

impl<K> Default for Limiter<K> {
    fn default() -> Self {
        Self {
            full_at_us: Mutex::default(),
        }
    }
}

impl<K: Clone + Eq + Hash> Limiter<K> {
    /// Takes a call from a caller's bucket.
    pub(crate) fn take(&self, rate: Rate, caller: &K, now: UnixMs) -> Result<(), TooOften> {
        let now_us = now.0.saturating_mul(1_000);
        let buckets = self.full_at_us.lock();
        let mut buckets = buckets.unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(caller) {
            buckets.retain(|_, full_at_us| *full_at_us > now_us);
            if buckets.len() >= BUCKETS_MAX {
                buckets.clear();
            }
        }
        let call_us = MICROS_PER_S / i64::from(rate.requests_per_s);
        let bucket_us = call_us * i64::from(rate.burst);
        let full_at_us = buckets.entry(caller.clone()).or_insert(now_us);
        // An empty bucket takes no longer than this to fill; after a clock was put back it would seem so.
        *full_at_us = (*full_at_us).clamp(now_us, now_us.saturating_add(bucket_us));
        let missing_us = *full_at_us + call_us - now_us - bucket_us;
        if missing_us > 0 {
            let retry_after_s = (missing_us + MICROS_PER_S - 1) / MICROS_PER_S;
            return Err(TooOften { retry_after_s });
        }
        *full_at_us += call_us;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(limiter: &Limiter<String>, caller: &str, at_ms: i64) -> Result<(), i64> {
        let rate = Rate {
            requests_per_s: 2,
            burst: 3,
        };
        let taken = limiter.take(rate, &caller.to_owned(), UnixMs(at_ms));
        taken.map_err(|TooOften { retry_after_s }| retry_after_s)
    }

    #[test]
    fn a_caller_may_call_in_bursts_and_in_the_long_run_at_his_rate() {
        let limiter = Limiter::default();
        for _ in 0..3 {
            assert_eq!(taken(&limiter, "a", 1_000), Ok(()));
        }
        assert_eq!(taken(&limiter, "a", 1_000), Err(1));
        assert_eq!(taken(&limiter, "a", 1_499), Err(1));
        assert_eq!(taken(&limiter, "a", 1_500), Ok(()));
        assert_eq!(taken(&limiter, "a", 1_500), Err(1));
        let calls = (0..10_000).filter(|ms| taken(&limiter, "a", 2_000 + ms).is_ok());
        assert_eq!(calls.count(), 20);
    }

    #[test]
    fn a_network_of_ipv6_is_one_caller() {
        let at = |text: &str| caller_at(text.parse().unwrap()).to_string();
        assert_eq!(at("203.0.113.7"), "203.0.113.7");
        assert_eq!(at("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }

    #[test]
    fn each_caller_has_a_bucket_of_his_own() {
        let limiter = Limiter::default();
        let calls = |caller| {
            (0..20)
                .filter(|_| taken(&limiter, caller, 0).is_ok())
                .count()
        };
        assert_eq!((calls("a"), calls("b")), (3, 3));
    }

    #[test]
    fn a_clock_that_was_put_back_locks_nobody_out() {
        let limiter = Limiter::default();
        for _ in 0..3 {
            assert_eq!(taken(&limiter, "a", 1_000_000), Ok(()));
        }
        assert_eq!(taken(&limiter, "a", 0), Err(1));
        assert_eq!(taken(&limiter, "a", 500), Ok(()));
    }

    #[test]
    fn the_buckets_are_no_more_than_their_limit() {
        let limiter = Limiter::default();
        for number in 0..=BUCKETS_MAX {
            assert_eq!(taken(&limiter, &format!("a{number}"), 0), Ok(()));
        }
        assert!(limiter.full_at_us.lock().unwrap().len() <= BUCKETS_MAX);
    }
}
