//! How often an agent may call: a bucket of calls that fills again at his rate.
//!
//! A bucket is one number, the time at which it is full again (GCRA, ITU-T I.371). It lives in this
//! process: several machines count each by itself.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::{config::S2SellSettings, moment::UnixMs, word::Id};

/// Agents whose buckets are kept. Far more than there are; those that are full are forgotten first.
const BUCKETS_MAX: usize = 10_000;

const MICROS_PER_S: i64 = 1_000_000;

/// A call too many. After so many seconds there is room for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooOften {
    pub(super) retry_after_s: i64,
}

/// The buckets of all agents.
#[derive(Default)]
pub(super) struct Limiter {
    /// When each is full again, in microseconds.
    full_at_us: Mutex<HashMap<Id, i64>>,
}

impl Limiter {
    /// Takes a call from an agent's bucket.
    pub(super) fn take(
        &self,
        settings: &S2SellSettings,
        agent: &Id,
        now: UnixMs,
    ) -> Result<(), TooOften> {
        let rate = settings.agents.get(agent).copied();
        let rate = rate.unwrap_or(settings.rate);
        let now_us = now.0.saturating_mul(1_000);
        let buckets = self.full_at_us.lock();
        let mut buckets = buckets.unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(agent) {
            buckets.retain(|_, full_at_us| *full_at_us > now_us);
            if buckets.len() >= BUCKETS_MAX {
                buckets.clear();
            }
        }
        let call_us = MICROS_PER_S / i64::from(rate.requests_per_s);
        let bucket_us = call_us * i64::from(rate.burst);
        let full_at_us = buckets.entry(agent.clone()).or_insert(now_us);
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
    use std::{collections::BTreeMap, time::Duration};

    use super::*;
    use crate::config::Rate;

    fn settings() -> S2SellSettings {
        let rate = |requests_per_s, burst| Rate {
            requests_per_s,
            burst,
        };
        S2SellSettings {
            rate: rate(2, 3),
            agents: BTreeMap::from([("big".parse().unwrap(), rate(10, 10))]),
            catalogue_max_age: Duration::ZERO,
            docs: false,
        }
    }

    fn taken(limiter: &Limiter, agent: &str, at_ms: i64) -> Result<(), i64> {
        let agent = agent.parse().unwrap();
        let taken = limiter.take(&settings(), &agent, UnixMs(at_ms));
        taken.map_err(|TooOften { retry_after_s }| retry_after_s)
    }

    #[test]
    fn an_agent_may_call_in_bursts_and_in_the_long_run_at_his_rate() {
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
    fn each_agent_has_a_bucket_and_perhaps_a_rate_of_his_own() {
        let limiter = Limiter::default();
        let calls = |agent| {
            (0..20)
                .filter(|_| taken(&limiter, agent, 0).is_ok())
                .count()
        };
        assert_eq!((calls("a"), calls("b"), calls("big")), (3, 3, 10));
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
