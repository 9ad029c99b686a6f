//! The pause of a bind whose SMSC has said that it gets too much.
//!
//! The bind pauses, not only the message that was refused: the others would be refused as well, and
//! an SMSC that is flooded answers nobody in time. The pause doubles while the SMSC goes on
//! refusing and shrinks with what it accepts. It belongs to the bind and not to the connection, so
//! a reconnect does not end it. Pure: time and chance are passed in.

use std::time::{Duration, Instant};

/// The pause is drawn out by up to this share of it, so that the binds of an account, refused
/// together, do not come back together. Never shortened: the SMSC may count in whole seconds.
const JITTER: f64 = 0.25;

/// How long a bind pauses, and until when it does.
#[derive(Debug)]
pub(super) struct Throttle {
    first: Duration,
    longest: Duration,
    /// The pause that the next refusal brings, without jitter.
    next: Duration,
    /// When the last pause began: what was sent before then says nothing about what came after.
    began: Option<Instant>,
    until: Option<Instant>,
}

impl Throttle {
    /// `first` is the pause after a single refusal.
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            next: first,
            began: None,
            until: None,
        }
    }

    /// The SMSC has refused a request that was sent at `sent_at`. Gives the new pause, if this
    /// brings one: all refusals of one window are a single step. `chance` is 0 to 1.
    pub(super) fn refused(
        &mut self,
        now: Instant,
        sent_at: Instant,
        chance: f64,
    ) -> Option<Duration> {
        if self.is_of_before(sent_at) {
            return None;
        }
        let pause = self.next.mul_f64(1.0 + JITTER * chance.clamp(0.0, 1.0));
        self.next = self.next.saturating_mul(2).min(self.longest);
        self.began = Some(now);
        self.until = Some(now + pause);
        Some(pause)
    }

    /// The SMSC has accepted a request that was sent at `sent_at`: the next pause is half as long.
    pub(super) fn accepted(&mut self, sent_at: Instant) {
        if self.next > self.first && !self.is_of_before(sent_at) {
            self.next = (self.next / 2).max(self.first);
        }
    }

    /// Until when the bind pauses; `None` if it does not, or the end has been told.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Whether the pause has ended; told once.
    pub(super) fn take_end(&mut self, now: Instant) -> bool {
        let has_ended = self.until.is_some_and(|until| until <= now);
        if has_ended {
            self.until = None;
        }
        has_ended
    }

    fn is_of_before(&self, sent_at: Instant) -> bool {
        self.began.is_some_and(|began| sent_at <= began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn throttle() -> Throttle {
        Throttle::new(ms(1_000), ms(7_000))
    }

    /// Sends after the pause is over, and is refused at once; gives the pause.
    fn refused_again(throttle: &mut Throttle, now: &mut Instant) -> Duration {
        *now = throttle.until().unwrap_or(*now) + ms(1);
        let pause = throttle.refused(*now, *now, 0.0);
        pause.unwrap()
    }

    #[test]
    fn each_refusal_without_a_success_between_doubles_the_pause_up_to_the_longest() {
        let (mut throttle, mut now) = (throttle(), Instant::now());
        let pauses: Vec<Duration> = (0..5)
            .map(|_| refused_again(&mut throttle, &mut now))
            .collect();
        assert_eq!(pauses, [1_000, 2_000, 4_000, 7_000, 7_000].map(ms).to_vec());
    }

    #[test]
    fn all_refusals_of_one_window_are_one_step() {
        let (mut throttle, start) = (throttle(), Instant::now());
        let now = start + ms(50);
        assert_eq!(throttle.refused(now, start, 0.0), Some(ms(1_000)));
        for late in 0..20 {
            let sent_at = start + ms(late);
            assert_eq!(throttle.refused(now + ms(late), sent_at, 0.0), None);
        }
        assert_eq!(throttle.until(), Some(now + ms(1_000)));
        let after = now + ms(1_001);
        assert_eq!(throttle.refused(after, after, 0.0), Some(ms(2_000)));
    }

    #[test]
    fn successes_shrink_the_next_pause_step_by_step() {
        let (mut throttle, mut now) = (throttle(), Instant::now());
        for _ in 0..3 {
            refused_again(&mut throttle, &mut now);
        }
        now = throttle.until().unwrap() + ms(1);
        throttle.accepted(now);
        assert_eq!(refused_again(&mut throttle, &mut now), ms(3_500));
        now = throttle.until().unwrap() + ms(1);
        for _ in 0..10 {
            throttle.accepted(now);
        }
        assert_eq!(refused_again(&mut throttle, &mut now), ms(1_000));
    }

    #[test]
    fn a_success_of_what_was_sent_before_the_pause_says_nothing() {
        let (mut throttle, start) = (throttle(), Instant::now());
        throttle.refused(start + ms(5), start, 0.0);
        throttle.accepted(start);
        let after = start + ms(1_100);
        assert_eq!(throttle.refused(after, after, 0.0), Some(ms(2_000)));
    }

    #[test]
    fn chance_draws_a_pause_out_and_never_shortens_it() {
        let now = Instant::now();
        assert_eq!(throttle().refused(now, now, 1.0), Some(ms(1_250)));
        for chance in [-3.0, 0.0] {
            assert_eq!(throttle().refused(now, now, chance), Some(ms(1_000)));
        }
    }

    #[test]
    fn the_end_of_a_pause_is_told_once() {
        let (mut throttle, now) = (throttle(), Instant::now());
        throttle.refused(now, now, 0.0);
        assert!(!throttle.take_end(now + ms(999)));
        assert!(throttle.take_end(now + ms(1_000)));
        assert!(!throttle.take_end(now + ms(1_001)));
        assert_eq!(throttle.until(), None);
    }
}
