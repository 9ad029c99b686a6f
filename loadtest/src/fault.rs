//! When a fault strikes, and how long an answer takes: the data that both simulators' behaviours
//! are made of. What a fault does is the simulator's own affair.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When a fault strikes, counted over all connections of a simulator since its behaviour was set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Trigger {
    /// The fault is off.
    #[default]
    Never,
    /// Every time.
    Always,
    /// With this probability, 0 to 1.
    Chance(f64),
    /// On the nth, the 2nth, … occasion. `Every(0)` is never.
    Every(u64),
    /// On the first n occasions, then no more.
    First(u64),
}

/// A string that is not a [`Trigger`], a [`DelayMs`] or another value of a command line.
#[derive(Debug, thiserror::Error)]
#[error("{given:?} is not {wanted}")]
pub struct NotUnderstood {
    given: String,
    wanted: &'static str,
}

impl NotUnderstood {
    /// Says what was given and what would have been understood.
    pub(crate) fn new(given: &str, wanted: &'static str) -> Self {
        Self {
            given: given.to_owned(),
            wanted,
        }
    }
}

impl FromStr for Trigger {
    type Err = NotUnderstood;

    /// `never`, `always`, a probability such as `0.01`, `1/100` for every hundredth, or `first:3`.
    fn from_str(given: &str) -> Result<Self, NotUnderstood> {
        let trigger = match given {
            "never" => Some(Self::Never),
            "always" => Some(Self::Always),
            _ => match (given.strip_prefix("1/"), given.strip_prefix("first:")) {
                (Some(n), _) => n.parse().ok().filter(|n| *n > 0).map(Self::Every),
                (_, Some(n)) => n.parse().ok().map(Self::First),
                _ => given
                    .parse()
                    .ok()
                    .filter(|p| (0.0..=1.0).contains(p))
                    .map(Self::Chance),
            },
        };
        trigger.ok_or_else(|| {
            NotUnderstood::new(given, "never, always, a probability (0.01), 1/N or first:N")
        })
    }
}

/// A trigger with its running count.
#[derive(Debug, Default)]
pub(crate) struct Dice {
    trigger: Trigger,
    thrown: AtomicU64,
}

impl Dice {
    pub(crate) fn new(trigger: Trigger) -> Self {
        Self {
            trigger,
            thrown: AtomicU64::new(0),
        }
    }

    /// Counts one occasion and says whether the fault strikes on it.
    pub(crate) fn strikes(&self) -> bool {
        match self.trigger {
            Trigger::Never => false,
            Trigger::Always => true,
            Trigger::Chance(probability) => fastrand::f64() < probability,
            Trigger::Every(n) => {
                n > 0 && (self.thrown.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(n)
            }
            Trigger::First(n) => self.thrown.fetch_add(1, Ordering::Relaxed) < n,
        }
    }
}

/// A delay drawn evenly from `min_ms` to `max_ms`, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DelayMs {
    /// The shortest delay.
    pub min_ms: u64,
    /// The longest delay; less than `min_ms` counts as `min_ms`.
    pub max_ms: u64,
}

impl DelayMs {
    /// Always the same delay.
    pub const fn fixed(ms: u64) -> Self {
        Self {
            min_ms: ms,
            max_ms: ms,
        }
    }

    /// A delay between the two.
    pub const fn between(min_ms: u64, max_ms: u64) -> Self {
        Self { min_ms, max_ms }
    }

    /// Draws one delay.
    pub(crate) fn draw(self) -> Duration {
        let drawn = if self.max_ms > self.min_ms {
            fastrand::u64(self.min_ms..=self.max_ms)
        } else {
            self.min_ms
        };
        Duration::from_millis(drawn)
    }

    fn is_zero(self) -> bool {
        self.min_ms == 0 && self.max_ms == 0
    }
}

impl FromStr for DelayMs {
    type Err = NotUnderstood;

    /// `20` for a fixed delay, `5..50` for a range, in milliseconds.
    fn from_str(given: &str) -> Result<Self, NotUnderstood> {
        let (min, max) = given.split_once("..").unwrap_or((given, given));
        match (min.parse(), max.parse()) {
            (Ok(min_ms), Ok(max_ms)) if min_ms <= max_ms => Ok(Self { min_ms, max_ms }),
            _ => Err(NotUnderstood::new(
                given,
                "milliseconds such as 20 or 5..50",
            )),
        }
    }
}

/// How long a peer takes to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timing {
    /// The delay of every answer.
    pub delay: DelayMs,
    /// Lets answers overtake each other as their delays fall, instead of leaving in order.
    pub shuffle: bool,
    /// Which answers are late on top of the delay.
    pub late: Trigger,
    /// How late those are. Choose more than the response timeout of the one under test.
    pub late_ms: u64,
}

/// When an answer leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// With this turn's write.
    Now,
    /// At its time, but not before an answer that was made earlier.
    InOrder(Instant),
    /// At its time, whatever others do.
    AnyOrder(Instant),
}

/// A [`Timing`] with its running count.
#[derive(Debug)]
pub(crate) struct Pace {
    timing: Timing,
    late: Dice,
}

impl Pace {
    pub(crate) fn new(timing: Timing) -> Self {
        Self {
            timing,
            late: Dice::new(timing.late),
        }
    }

    /// When the answer that is made `now` leaves, and whether it is one of the late ones.
    pub(crate) fn draw(&self, now: Instant) -> (When, bool) {
        let late = self.late.strikes();
        let when = if late {
            let lateness = Duration::from_millis(self.timing.late_ms);
            When::AnyOrder(now + self.timing.delay.draw() + lateness)
        } else if self.timing.delay.is_zero() {
            When::Now
        } else if self.timing.shuffle {
            When::AnyOrder(now + self.timing.delay.draw())
        } else {
            When::InOrder(now + self.timing.delay.draw())
        };
        (when, late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(trigger: Trigger, occasions: usize) -> Vec<usize> {
        let dice = Dice::new(trigger);
        (1..=occasions).filter(|_| dice.strikes()).collect()
    }

    #[test]
    fn every_third_strikes_on_the_third_and_the_sixth() {
        assert_eq!(struck(Trigger::Every(3), 7), [3, 6]);
        assert_eq!(struck(Trigger::Every(0), 7), [0usize; 0]);
    }

    #[test]
    fn the_first_two_strike_and_no_more() {
        assert_eq!(struck(Trigger::First(2), 5), [1, 2]);
    }

    #[test]
    fn a_probability_of_nought_never_strikes_and_of_one_always() {
        assert_eq!(struck(Trigger::Chance(0.0), 50), [0usize; 0]);
        assert_eq!(struck(Trigger::Chance(1.0), 3), [1, 2, 3]);
    }

    #[test]
    fn triggers_and_delays_are_read_from_a_command_line() {
        assert_eq!("0.25".parse::<Trigger>().unwrap(), Trigger::Chance(0.25));
        assert_eq!("1/100".parse::<Trigger>().unwrap(), Trigger::Every(100));
        assert_eq!("first:3".parse::<Trigger>().unwrap(), Trigger::First(3));
        assert_eq!("5..50".parse::<DelayMs>().unwrap(), DelayMs::between(5, 50));
        for wrong in ["1.5", "-1", "1/0", "first:", "often", "NaN", ""] {
            assert!(wrong.parse::<Trigger>().is_err(), "{wrong}");
        }
        for wrong in ["50..5", "x", "5..", "-1"] {
            assert!(wrong.parse::<DelayMs>().is_err(), "{wrong}");
        }
    }
}
