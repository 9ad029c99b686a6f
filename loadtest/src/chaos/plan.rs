//! What goes wrong, and when: a schedule made from a seed. Pure: the same seed and length give the same
//! plan on every machine. It must never depend on how a run goes, or a run could not be tried again.
//!
//! Each kind of fault has dice of its own, so that a new kind leaves the moments of the others alone.

use std::{fmt, ops::Range};

use fastrand::Rng;

use super::{
    banks::Mood,
    disk::Disk,
    proxy::{Ending, Strike, Tamper, Way, Weather},
};

/// Banks of a run.
pub(crate) const BANKS: usize = 2;

/// Nothing goes wrong before: the links have to come up first.
const PEACE_MS: u64 = 1_500;

/// Everything that goes wrong in one run, in its order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// What it was made from.
    pub(crate) seed: u64,
    /// How long faults may begin, and when the last one ends.
    pub(crate) length_ms: u64,
    /// In the order of their moments.
    pub(crate) events: Vec<Event>,
}

/// One fault, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Since the payments began.
    pub(crate) at_ms: u64,
    /// What is done.
    pub(crate) action: Action,
}

/// What can be done to the router and to its world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// To the router's process. One at a time: a next one waits until the router serves again.
    Router(RouterFault),
    /// To one connection of a bank.
    Strike {
        /// Of `0..BANKS`.
        bank: usize,
        /// Which of its connections, modulo their number.
        pick: u32,
        /// What it suffers.
        strike: Strike,
    },
    /// To all connections of a bank, until the next weather.
    Weather {
        /// Of `0..BANKS`.
        bank: usize,
        /// What they suffer.
        weather: Weather,
    },
    /// To a bank, until its next mood.
    Mood {
        /// Of `0..BANKS`.
        bank: usize,
        /// How it behaves.
        mood: Mood,
    },
    /// To what the router may write, until the next one.
    Disk(Disk),
    /// To the router's wall clock, until the next one; its distance from the real one.
    Clock {
        /// Seconds, forwards or backwards.
        offset_s: i64,
    },
    /// A caller drops its stream, with all that is in flight.
    HangUp {
        /// The caller that pays at this bank.
        bank: usize,
    },
}

/// What can happen to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RouterFault {
    /// kill -9, and a start after a while.
    Kill {
        /// How long it is down.
        down_ms: u64,
    },
    /// kill -9, and again while it starts: recovery itself is interrupted.
    KillTwice {
        /// From the start to the second kill.
        after_ms: u64,
    },
    /// SIGTERM, and a start after a while.
    Stop {
        /// How long it is down.
        down_ms: u64,
    },
    /// SIGTERM, and kill -9 while it stops.
    KillStopping {
        /// From SIGTERM to the kill.
        after_ms: u64,
    },
}

impl Plan {
    /// The plan of a seed: everything that began has ended after `seconds`.
    pub(crate) fn new(seed: u64, seconds: u64) -> Self {
        let length_ms = seconds * 1_000;
        let mut maker = Maker {
            length_ms,
            events: Vec::new(),
        };
        // Each kind has a number of its own, so that it draws the same whatever else is planned.
        let dice = |kind: u64| Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ kind);
        maker.router(dice(1));
        maker.disk(dice(2));
        maker.clock(dice(3));
        for bank in 0..BANKS {
            let of_bank = |kind: u64| dice(kind * 100 + bank as u64);
            maker.strikes(of_bank(4), bank);
            maker.weather(of_bank(5), bank);
            maker.moods(of_bank(6), bank);
            maker.hang_ups(of_bank(7), bank);
        }
        let mut events = maker.events;
        // Stable: what has one moment keeps the order of the kinds.
        events.sort_by_key(|event| event.at_ms);
        Self {
            seed,
            length_ms,
            events,
        }
    }

    /// The same plan for a router that lives on.
    pub(crate) fn without_router_faults(mut self) -> Self {
        let is_of_router = |event: &Event| matches!(event.action, Action::Router(_));
        self.events.retain(|event| !is_of_router(event));
        self
    }
}

struct Maker {
    length_ms: u64,
    events: Vec<Event>,
}

impl Maker {
    fn add(&mut self, at_ms: u64, action: Action) {
        self.events.push(Event { at_ms, action });
    }

    /// Moments with such gaps between them, for as long as faults may begin.
    fn moments(&self, dice: &mut Rng, first_ms: Range<u64>, gap_ms: Range<u64>) -> Vec<u64> {
        let mut moments = Vec::new();
        let mut at_ms = PEACE_MS + dice.u64(first_ms);
        while at_ms < self.length_ms {
            moments.push(at_ms);
            at_ms += dice.u64(gap_ms.clone());
        }
        moments
    }

    /// Something that lasts: it begins, and ends before the next one and with the plan.
    fn lasting(&mut self, from_ms: u64, lasts_ms: u64, begin: Action, end: Action) {
        let until_ms = (from_ms + lasts_ms).min(self.length_ms);
        self.add(from_ms, begin);
        self.add(until_ms, end);
    }

    fn router(&mut self, mut dice: Rng) {
        for at_ms in self.moments(&mut dice, 500..2_500, 3_000..6_500) {
            let fault = match dice.u32(0..20) {
                0..11 => RouterFault::Kill {
                    down_ms: dice.u64(0..800),
                },
                11..14 => RouterFault::KillTwice {
                    after_ms: dice.u64(0..250),
                },
                14..17 => RouterFault::Stop {
                    down_ms: dice.u64(0..400),
                },
                _ => RouterFault::KillStopping {
                    after_ms: dice.u64(0..600),
                },
            };
            self.add(at_ms, Action::Router(fault));
        }
    }

    fn disk(&mut self, mut dice: Rng) {
        for at_ms in self.moments(&mut dice, 3_000..6_000, 9_000..18_000) {
            let disk = match dice.bool() {
                true => Disk::Full,
                false => Disk::Failing,
            };
            let lasts_ms = dice.u64(800..3_000);
            self.lasting(
                at_ms,
                lasts_ms,
                Action::Disk(disk),
                Action::Disk(Disk::Sound),
            );
        }
    }

    fn clock(&mut self, mut dice: Rng) {
        const DAY_S: i64 = 86_400;
        for at_ms in self.moments(&mut dice, 2_000..5_000, 7_000..14_000) {
            let far_s = match dice.u32(0..3) {
                0 => dice.i64(1..90),
                1 => dice.i64(1_800..7_200),
                _ => dice.i64(DAY_S / 2..2 * DAY_S),
            };
            let offset_s = if dice.bool() { far_s } else { -far_s };
            let lasts_ms = dice.u64(1_500..6_000);
            self.lasting(
                at_ms,
                lasts_ms,
                Action::Clock { offset_s },
                Action::Clock { offset_s: 0 },
            );
        }
    }

    fn strikes(&mut self, mut dice: Rng, bank: usize) {
        for at_ms in self.moments(&mut dice, 0..800, 200..1_300) {
            let way = way(&mut dice);
            let strike = match dice.u32(0..16) {
                0..5 => Strike::Cut(ending(&mut dice)),
                5..8 => Strike::Tamper(way, Tamper::CutInside(ending(&mut dice))),
                8..11 => Strike::Tamper(way, Tamper::Duplicate),
                11..14 => Strike::Tamper(way, Tamper::Corrupt(dice.u32(..))),
                _ => Strike::Tamper(way, Tamper::Split),
            };
            let pick = dice.u32(..);
            self.add(at_ms, Action::Strike { bank, pick, strike });
        }
    }

    fn weather(&mut self, mut dice: Rng, bank: usize) {
        for at_ms in self.moments(&mut dice, 500..3_000, 4_000..9_000) {
            let weather = match dice.u32(0..3) {
                0 => Weather {
                    delay_ms: dice.u64(20..400),
                    stalled: None,
                },
                _ => Weather {
                    delay_ms: 0,
                    stalled: Some(way(&mut dice)),
                },
            };
            let lasts_ms = dice.u64(300..3_500);
            self.lasting(
                at_ms,
                lasts_ms,
                Action::Weather { bank, weather },
                Action::Weather {
                    bank,
                    weather: Weather::default(),
                },
            );
        }
    }

    fn moods(&mut self, mut dice: Rng, bank: usize) {
        for at_ms in self.moments(&mut dice, 500..3_000, 4_500..8_000) {
            let Some(mood) = dice.choice(Mood::BAD) else {
                return;
            };
            let lasts_ms = dice.u64(800..4_000);
            self.lasting(
                at_ms,
                lasts_ms,
                Action::Mood { bank, mood },
                Action::Mood {
                    bank,
                    mood: Mood::Usual,
                },
            );
        }
    }

    fn hang_ups(&mut self, mut dice: Rng, bank: usize) {
        for at_ms in self.moments(&mut dice, 2_000..6_000, 6_000..15_000) {
            self.add(at_ms, Action::HangUp { bank });
        }
    }
}

fn way(dice: &mut Rng) -> Way {
    match dice.bool() {
        true => Way::ToBank,
        false => Way::FromBank,
    }
}

fn ending(dice: &mut Rng) -> Ending {
    match dice.bool() {
        true => Ending::Closed,
        false => Ending::Reset,
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            length_ms,
            events,
        } = self;
        writeln!(
            f,
            "seed {seed}, {} s, {} events",
            length_ms / 1_000,
            events.len()
        )?;
        events.iter().try_for_each(|event| writeln!(f, "{event}"))
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.at_ms / 1_000, self.at_ms % 1_000);
        write!(f, "{whole:>5}.{rest:03} s  {}", self.action)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Router(fault) => write!(f, "router  {fault:?}"),
            Self::Strike { bank, pick, strike } => {
                write!(f, "bank {bank}  {strike:?} on connection {pick}")
            }
            Self::Weather { bank, weather } => write!(f, "bank {bank}  {weather:?}"),
            Self::Mood { bank, mood } => write!(f, "bank {bank}  {mood:?}"),
            Self::Disk(disk) => write!(f, "disk    {disk:?}"),
            Self::Clock { offset_s } => write!(f, "clock   {offset_s:+} s"),
            Self::HangUp { bank } => write!(f, "caller  of bank {bank} drops its stream"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(plan: &Plan, of_kind: impl Fn(&Action) -> bool) -> usize {
        let events = plan.events.iter();
        events.filter(|event| of_kind(&event.action)).count()
    }

    #[test]
    fn one_seed_gives_one_plan_and_another_seed_another() {
        assert_eq!(Plan::new(7, 60), Plan::new(7, 60));
        assert_ne!(Plan::new(7, 60), Plan::new(8, 60));
        assert_eq!(Plan::new(7, 60).to_string(), Plan::new(7, 60).to_string());
    }

    #[test]
    fn three_runs_of_two_minutes_have_kills_and_cuts_to_spare() {
        let (mut kills, mut cuts) = (0, 0);
        for seed in 1..=3 {
            let plan = Plan::new(seed, 120);
            kills += count(
                &plan,
                |action| matches!(action, Action::Router(fault) if !matches!(fault, RouterFault::Stop { .. })),
            );
            cuts += count(&plan, |action| {
                let Action::Strike { strike, .. } = action else {
                    return false;
                };
                matches!(
                    strike,
                    Strike::Cut(_) | Strike::Tamper(_, Tamper::CutInside(_))
                )
            });
        }
        assert!(kills > 40, "{kills} kills");
        assert!(cuts > 300, "{cuts} cuts");
    }

    #[test]
    fn a_run_of_twenty_seconds_has_a_kill_a_full_disk_and_a_moved_clock() {
        for seed in 0..200 {
            let plan = Plan::new(seed, 20);
            let has = |of_kind: fn(&Action) -> bool| count(&plan, of_kind) > 0;
            assert!(has(|action| matches!(action, Action::Router(_))), "{seed}");
            assert!(
                has(|action| matches!(action, Action::Disk(Disk::Full | Disk::Failing))),
                "{seed}"
            );
            assert!(
                has(|action| matches!(action, Action::Clock { offset_s } if *offset_s != 0)),
                "{seed}"
            );
        }
    }

    #[test]
    fn everything_that_lasts_has_ended_when_the_plan_has() {
        for seed in 0..50 {
            let plan = Plan::new(seed, 30);
            assert!(plan.events.iter().all(|event| event.at_ms <= 30_000));
            let (mut disk, mut clock) = (Disk::Sound, 0);
            let mut weather = [Weather::default(); BANKS];
            let mut mood = [Mood::Usual; BANKS];
            for Event { action, .. } in &plan.events {
                match *action {
                    Action::Disk(new) => disk = new,
                    Action::Clock { offset_s } => clock = offset_s,
                    Action::Weather { bank, weather: new } => weather[bank] = new,
                    Action::Mood { bank, mood: new } => mood[bank] = new,
                    Action::Router(_) | Action::Strike { .. } | Action::HangUp { .. } => {}
                }
            }
            assert_eq!((disk, clock), (Disk::Sound, 0));
            assert_eq!(weather, [Weather::default(); BANKS]);
            assert_eq!(mood, [Mood::Usual; BANKS]);
        }
    }

    #[test]
    fn every_mood_and_every_strike_occurs_in_some_plan() {
        let plans: Vec<_> = (0..20).map(|seed| Plan::new(seed, 120)).collect();
        let actions: Vec<_> = plans.iter().flat_map(|plan| &plan.events).collect();
        for wanted in Mood::BAD {
            assert!(
                actions.iter().any(
                    |event| matches!(&event.action, Action::Mood { mood, .. } if *mood == wanted)
                ),
                "{wanted:?}"
            );
        }
        for (way, ending) in [
            (Way::ToBank, Ending::Closed),
            (Way::FromBank, Ending::Reset),
        ] {
            let wanted = Strike::Tamper(way, Tamper::CutInside(ending));
            assert!(actions.iter().any(
                |event| matches!(&event.action, Action::Strike { strike, .. } if *strike == wanted)
            ));
        }
    }
}
