//! How many requests a bind may send now: by its own rate, and by that of the account, which all
//! binds of the SMSC share.
//!
//! Binds that wait for the account's tokens get them in turn, because the one that happens to be
//! woken first would otherwise take them all. Pure: the time is passed in. A request is one PDU, so a
//! long message costs as many tokens as it has parts.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::rate::{Bucket, Rate};

/// How long a place in the line is kept for a bind that does not ask: it may have gone down, or have
/// nothing to send any more. One that waits asks twice as often.
const PLACE_KEPT: Duration = Duration::from_millis(100);

/// The rate of an account, shared by its binds.
pub(super) struct Account(Mutex<Line>);

struct Line {
    bucket: Bucket,
    /// Binds that got less than they wanted, the next to be served in front; each is in it once.
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    bind: u16,
    until: Instant,
}

impl Account {
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        Self(Mutex::new(Line {
            bucket: Bucket::new(rate, now),
            waiting: VecDeque::new(),
        }))
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Every change under the lock leaves the line whole, so a panic elsewhere spoils nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Takes up to `wanted` tokens; if there are fewer, also tells when it is the bind's turn again.
    fn take(&mut self, now: Instant, bind: u16, wanted: u32) -> (u32, Option<Instant>) {
        self.waiting.retain(|waiting| waiting.until > now);
        let place = self.waiting.iter().position(|own| own.bind == bind);
        // One token is left for each bind that has waited longer.
        let ahead = place.unwrap_or(self.waiting.len());
        let left = u32::try_from(ahead).unwrap_or(u32::MAX);
        let free = self.bucket.available(now).saturating_sub(left);
        let taken = self.bucket.take(now, wanted.min(free));
        if taken == wanted {
            self.leave(bind);
            return (taken, None);
        }
        let until = now + PLACE_KEPT;
        match place.filter(|_| taken == 0) {
            Some(place) => {
                if let Some(own) = self.waiting.get_mut(place) {
                    own.until = until;
                }
            }
            None => {
                self.leave(bind);
                self.waiting.push_back(Waiting { bind, until });
            }
        }
        let ahead = self.waiting.iter().take_while(|own| own.bind != bind);
        let position = u32::try_from(ahead.count() + 1).unwrap_or(u32::MAX);
        (taken, self.bucket.when(now, position).or(Some(now)))
    }

    fn leave(&mut self, bind: u16) {
        self.waiting.retain(|waiting| waiting.bind != bind);
    }
}

/// What one bind may send.
pub(super) struct Pace {
    bind: u16,
    own: Option<Bucket>,
    account: Option<Arc<Account>>,
    /// When to ask again, if less was granted than was wanted.
    again_at: Option<Instant>,
}

impl Pace {
    /// `own` is the rate of the bind alone; without a rate there is no limit.
    pub(super) fn new(
        bind: u16,
        own: Option<Rate>,
        account: Option<Arc<Account>>,
        now: Instant,
    ) -> Self {
        Self {
            bind,
            own: own.map(|rate| Bucket::new(rate, now)),
            account,
            again_at: None,
        }
    }

    /// Takes leave for up to `wanted` requests; what is not used is given back.
    pub(super) fn grant(&mut self, now: Instant, wanted: u32) -> u32 {
        self.again_at = None;
        let own = self.own.as_ref().map_or(u32::MAX, |own| own.available(now));
        let free = wanted.min(own);
        let (taken, account_at) = self.take_of_account(now, free);
        if let Some(own) = &mut self.own {
            own.take(now, taken);
        }
        if taken < wanted {
            let own_at = self.own.as_ref().and_then(|own| own.next(now));
            self.again_at = own_at.max(account_at).or(Some(now));
        }
        taken
    }

    /// Gives back what was granted and not used.
    pub(super) fn give_back(&mut self, unused: u32) {
        if let Some(own) = &mut self.own {
            own.give_back(unused);
        }
        if let Some(account) = &self.account {
            account.line().bucket.give_back(unused);
        }
    }

    /// When to ask again, if the last grant was less than was wanted.
    pub(super) fn again_at(&self) -> Option<Instant> {
        self.again_at
    }

    fn take_of_account(&self, now: Instant, free: u32) -> (u32, Option<Instant>) {
        let Some(account) = &self.account else {
            return (free, None);
        };
        let mut line = account.line();
        if free == 0 {
            // Its own rate holds it up, so it must not hold up the others.
            line.leave(self.bind);
            return (0, None);
        }
        line.take(now, self.bind, free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(per_second: u32, burst_ms: u64) -> Rate {
        Rate {
            per_second,
            burst: ms(burst_ms),
        }
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// So many binds of one account.
    fn binds(count: u16, own: Option<Rate>, account: Rate, now: Instant) -> Vec<Pace> {
        let account = Arc::new(Account::new(account, now));
        (1..=count)
            .map(|bind| Pace::new(bind, own, Some(Arc::clone(&account)), now))
            .collect()
    }

    /// What each bind is granted if all always want more and are asked in the same order each ms.
    fn granted(binds: &mut [Pace], start: Instant, millis: u64) -> Vec<u32> {
        let mut granted = vec![0; binds.len()];
        for at in 0..=millis {
            for (bind, sum) in binds.iter_mut().zip(&mut granted) {
                *sum += bind.grant(start + ms(at), 50);
            }
        }
        granted
    }

    #[test]
    fn without_a_rate_everything_goes_at_once() {
        let now = Instant::now();
        let mut pace = Pace::new(1, None, None, now);
        assert_eq!(pace.grant(now, 65_536), 65_536);
        assert_eq!(pace.again_at(), None);
    }

    #[test]
    fn all_binds_of_an_account_together_keep_its_rate() {
        let now = Instant::now();
        let mut binds = binds(4, None, rate(1_000, 20), now);
        let granted = granted(&mut binds, now, 2_000);
        assert_eq!(granted.iter().sum::<u32>(), 2_000 + 20);
    }

    #[test]
    fn binds_that_wait_for_the_account_get_its_tokens_in_turn() {
        let now = Instant::now();
        for per_second in [10, 100, 1_000] {
            let mut binds = binds(3, None, rate(per_second, 20), now);
            let granted = granted(&mut binds, now, 3_000);
            let fair = per_second;
            for own in &granted {
                assert!(own.abs_diff(fair) <= fair / 10 + 20, "{granted:?}");
            }
        }
    }

    #[test]
    fn a_bind_keeps_its_own_rate_within_that_of_the_account() {
        let now = Instant::now();
        let mut binds = binds(2, Some(rate(100, 0)), rate(1_000, 0), now);
        let granted = granted(&mut binds, now, 1_000);
        // A burst of one spills what comes while a token lies ready.
        assert!(
            granted.iter().all(|own| (95..=101).contains(own)),
            "{granted:?}"
        );
    }

    #[test]
    fn a_bind_that_its_own_rate_holds_up_does_not_hold_up_the_others() {
        let now = Instant::now();
        let account = Arc::new(Account::new(rate(10, 0), now));
        let own = Some(rate(1, 0));
        let mut slow = Pace::new(1, own, Some(Arc::clone(&account)), now);
        let mut fast = Pace::new(2, None, Some(account), now);
        let mut sum = 0;
        for at in 0..=5_000 {
            let now = now + ms(at);
            sum += slow.grant(now, 9) + fast.grant(now, 9);
        }
        assert_eq!(sum, 51);
    }

    #[test]
    fn a_bind_that_has_gone_does_not_keep_its_place() {
        let now = Instant::now();
        let mut binds = binds(2, None, rate(10, 0), now);
        assert_eq!(binds[0].grant(now, 5), 1);
        assert_eq!(binds[1].grant(now, 5), 0);
        // The first one, which is ahead, never asks again.
        let granted: u32 = (1..=1_000).map(|at| binds[1].grant(now + ms(at), 5)).sum();
        assert!(granted >= 9, "{granted}");
    }

    #[test]
    fn a_bind_that_is_told_to_wait_finds_a_token_when_it_comes_back() {
        let start = Instant::now();
        let mut binds = binds(1, Some(rate(70, 0)), rate(90, 0), start);
        let (mut now, mut granted) = (start, 0);
        while now < start + ms(1_000) {
            granted += binds[0].grant(now, 5);
            let again_at = binds[0].again_at().unwrap();
            assert!(again_at > now, "asked again at once");
            now = again_at;
        }
        assert_eq!(granted, 70);
    }

    #[test]
    fn what_was_granted_and_not_used_can_be_used_by_another_bind() {
        let now = Instant::now();
        let mut binds = binds(2, None, rate(100, 100), now);
        assert_eq!(binds[0].grant(now, 10), 10);
        assert_eq!(binds[1].grant(now, 10), 0);
        binds[0].give_back(4);
        assert_eq!(binds[1].grant(now, 10), 4);
    }
}
