//! Growing pauses between tries, spread by chance so that many links do not try in step.

use std::time::Duration;

/// Doubles from a smallest to a longest pause.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self {
            min,
            max,
            next: min,
        }
    }

    /// The next pause: between half and all of the current step.
    pub(crate) fn next(&mut self) -> Duration {
        let step = self.next.min(self.max);
        self.next = step.saturating_mul(2).min(self.max);
        step.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// Begins again with the smallest pause after a success that `lasted` so long, unless that is
    /// less than the next pause: a peer that lets us in and drops us at once is not hammered.
    pub(crate) fn succeeded(&mut self, lasted: Duration) {
        if lasted >= self.next {
            self.next = self.min;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_again_after_a_success() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(350));
        for step in [100, 200, 350, 350] {
            let pause = backoff.next();
            assert!(
                ms(step) / 2 <= pause && pause <= ms(step),
                "{pause:?} is not within half and all of {step} ms"
            );
        }
        backoff.succeeded(ms(350));
        assert!(backoff.next() <= ms(100));
    }

    #[test]
    fn a_peer_that_drops_us_at_once_gets_ever_longer_pauses() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(350));
        for step in [100, 200, 350] {
            assert!(backoff.next() >= ms(step) / 2);
            backoff.succeeded(ms(20));
        }
    }
}
