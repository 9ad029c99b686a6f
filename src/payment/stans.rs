//! The STANs of one bank: one sequence over all its links, or one for each terminal, as the bank counts
//! them. That of 0800s is the bank's in either case.
//!
//! A STAN that is in flight is skipped, so the daily wrap cannot give two open exchanges of a sequence
//! the same.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    iso8583::{Message, Stan, stan::Stans},
    link::settings::StanPer,
    window::Seed,
};

/// Hands out STANs; clones share the sequences.
#[derive(Clone)]
pub struct StanAllocator {
    per: StanPer,
    sequences: Arc<Mutex<Sequences>>,
}

struct Sequences {
    bank: Sequence,
    /// By DE41, without the spaces that fill it up.
    terminals: HashMap<Box<[u8]>, Sequence>,
    /// Where that of a terminal that is not known yet begins.
    first: u32,
}

struct Sequence {
    next: u32,
    in_use: HashSet<u32, Seed>,
}

/// STANs 1 to 999,999; 0 is left out because some banks take it for "none".
const STANS: u32 = 999_999;

/// Open exchanges of one sequence. Far above any window, and low enough that a free STAN is found soon.
const IN_USE_MAX: usize = STANS as usize / 2;

/// Terminals whose sequences are remembered, some 10 MB. Callers name them, so there is a limit; beyond
/// it, those without an open exchange are forgotten and begin anew.
const TERMINALS_MAX: usize = 131_072;

impl StanAllocator {
    /// Begins behind `first`. Not always with 1: a bank may still remember what a process that was
    /// restarted sent today.
    pub fn beginning_with(first: u32, per: StanPer) -> Self {
        let sequences = Sequences {
            bank: Sequence::behind(first),
            terminals: HashMap::new(),
            first,
        };
        Self {
            per,
            sequences: Arc::new(Mutex::new(sequences)),
        }
    }

    /// Goes on behind what an earlier process sent last from the message's terminal.
    pub fn go_on_behind(&self, message: &Message) {
        let Some(stan) = message.stan() else {
            return;
        };
        let mut sequences = self.lock();
        if let Some(sequence) = sequences.of(self.per, terminal(message)) {
            sequence.next = stan.get() % STANS;
        }
    }

    /// A STAN that is not in use at the terminal, DE41, now held; `None` if half of them are, or too
    /// many terminals have open exchanges.
    pub fn hold(&self, terminal: &[u8]) -> Option<Stan> {
        let mut sequences = self.lock();
        let sequence = sequences.of(self.per, terminal)?;
        if sequence.in_use.len() >= IN_USE_MAX {
            return None;
        }
        let number = sequence.advance();
        sequence.in_use.insert(number);
        Stan::new(number)
    }

    /// Holds that of a message, for an exchange that an earlier process began; false if it is held
    /// already.
    pub(super) fn hold_that_of(&self, message: &Message) -> bool {
        let Some(stan) = message.stan() else {
            return false;
        };
        let mut sequences = self.lock();
        let sequence = sequences.of(self.per, terminal(message));
        sequence.is_some_and(|sequence| sequence.in_use.insert(stan.get()))
    }

    /// How many are held.
    #[cfg(test)]
    pub(super) fn in_use(&self) -> usize {
        let sequences = self.lock();
        let terminals = sequences.terminals.values();
        let sequences = terminals.chain([&sequences.bank]);
        sequences.map(|sequence| sequence.in_use.len()).sum()
    }

    /// The exchange of the terminal is over.
    pub fn release(&self, stan: Stan, terminal: &[u8]) {
        let mut sequences = self.lock();
        if let Some(sequence) = sequences.of(self.per, terminal) {
            sequence.in_use.remove(&stan.get());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sequences> {
        // Every change leaves the sequences whole, so a panic elsewhere spoils nothing.
        self.sequences
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stans for StanAllocator {
    fn next_stan(&mut self) -> Stan {
        Stan::new(self.lock().bank.advance()).unwrap_or(Stan::MAX)
    }
}

/// DE41, the terminal.
pub(super) const DE_TERMINAL: u8 = 41;

/// DE41 of a message, as it names a sequence.
pub(super) fn terminal(message: &Message) -> &[u8] {
    message.get(DE_TERMINAL).unwrap_or_default()
}

impl Sequences {
    fn of(&mut self, per: StanPer, terminal: &[u8]) -> Option<&mut Sequence> {
        let terminal = match per {
            StanPer::Bank => return Some(&mut self.bank),
            StanPer::Terminal => terminal.trim_ascii_end(),
        };
        if !self.terminals.contains_key(terminal) {
            if self.terminals.len() >= TERMINALS_MAX {
                self.terminals.retain(|_, own| !own.in_use.is_empty());
                // What was forgotten must not begin today's numbers again.
                self.first = fastrand::u32(..STANS);
            }
            if self.terminals.len() >= TERMINALS_MAX {
                return None;
            }
            let sequence = Sequence::behind(self.first);
            self.terminals.insert(terminal.into(), sequence);
        }
        self.terminals.get_mut(terminal)
    }
}

impl Sequence {
    fn behind(number: u32) -> Self {
        Self {
            next: number % STANS,
            in_use: HashSet::default(),
        }
    }

    /// The next number that is not in use. At most half of them are, so there is one.
    fn advance(&mut self) -> u32 {
        loop {
            let number = self.next + 1;
            self.next = number % STANS;
            if !self.in_use.contains(&number) {
                return number;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn held(stans: &StanAllocator, terminal: &str) -> u32 {
        stans.hold(terminal.as_bytes()).unwrap().get()
    }

    fn of_bank(first: u32) -> StanAllocator {
        StanAllocator::beginning_with(first, StanPer::Bank)
    }

    fn of_terminals(first: u32) -> StanAllocator {
        StanAllocator::beginning_with(first, StanPer::Terminal)
    }

    #[test]
    fn numbers_run_from_1_to_999999_and_begin_again() {
        let stans = of_bank(999_997);
        assert_eq!(held(&stans, "T1"), 999_998);
        assert_eq!(held(&stans, "T2"), 999_999);
        assert_eq!(held(&stans, "T1"), 1);
    }

    #[test]
    fn each_terminal_has_its_own_numbers_where_they_are_counted_so() {
        let stans = of_terminals(999_998);
        assert_eq!(held(&stans, "T1"), 999_999);
        assert_eq!(held(&stans, "T2"), 999_999);
        assert_eq!(held(&stans, "T1      "), 1, "the same terminal, filled up");
        stans.release(Stan::MAX, b"T1");
        assert_eq!(stans.in_use(), 2);
    }

    #[test]
    fn a_terminal_goes_on_behind_what_it_sent_last() {
        let stans = of_terminals(0);
        let mut last = Message::new(crate::iso8583::Mti::FINANCIAL_REQUEST);
        last.set(11, "000500").set(41, "T1");
        stans.go_on_behind(&last);
        assert_eq!(held(&stans, "T1"), 501);
        assert_eq!(held(&stans, "T2"), 1);
    }

    #[test]
    fn a_number_in_flight_is_skipped_until_it_is_released() {
        let mut stans = of_bank(999_998);
        let last = stans.hold(b"").unwrap();
        assert_eq!(last.get(), 999_999);
        for expected in 1..=999_998 {
            assert_eq!(stans.next_stan().get(), expected);
        }
        assert_eq!(stans.next_stan().get(), 1);
        stans.release(last, b"");
        for _ in 2..=999_998 {
            stans.next_stan();
        }
        assert_eq!(stans.next_stan(), last);
    }

    #[test]
    fn half_of_the_numbers_may_be_in_use_and_no_more() {
        let stans = of_bank(0);
        for _ in 0..IN_USE_MAX {
            assert!(stans.hold(b"").is_some());
        }
        assert_eq!(stans.hold(b""), None);
    }

    #[test]
    fn terminals_without_an_open_exchange_give_way_to_new_ones() {
        let stans = of_terminals(0);
        let name = |number: usize| format!("{number:08}").into_bytes();
        let kept = stans.hold(&name(0)).unwrap();
        for number in 1..TERMINALS_MAX + 10 {
            let stan = stans.hold(&name(number)).unwrap();
            stans.release(stan, &name(number));
        }
        assert_eq!(stans.in_use(), 1);
        assert!(stans.lock().terminals.len() < 100);
        assert_ne!(stans.hold(&name(0)), Some(kept));
    }

    proptest! {
        /// Around the daily wrap, which comes soon after 999,990.
        #[test]
        fn no_open_exchange_of_a_sequence_shares_its_stan_with_another(
            first in 999_980_u32..STANS,
            per_terminal: bool,
            // At which terminal, and which open exchange ends; or its numbers have run once around.
            steps in proptest::collection::vec((0_usize..3, 0_usize..8), 1..200),
        ) {
            let per = if per_terminal { StanPer::Terminal } else { StanPer::Bank };
            let stans = StanAllocator::beginning_with(first, per);
            let terminals = ["T1", "T2", "T3"];
            let mut open: Vec<(usize, Stan)> = Vec::new();
            for (terminal, ends) in steps {
                if ends == 7 {
                    let mut before = Message::new(crate::iso8583::Mti::FINANCIAL_REQUEST);
                    before.set(11, format!("{first:06}")).set(41, terminals[terminal]);
                    stans.go_on_behind(&before);
                    continue;
                }
                if let Some((terminal, stan)) = open.get(ends).copied() {
                    open.remove(ends);
                    stans.release(stan, terminals[terminal].as_bytes());
                    continue;
                }
                let stan = stans.hold(terminals[terminal].as_bytes()).unwrap();
                prop_assert!((1..=STANS).contains(&stan.get()));
                let is_of_it = |other: usize| !per_terminal || other == terminal;
                let clash = open.iter().any(|(other, held)| is_of_it(*other) && *held == stan);
                prop_assert!(!clash, "{stan} is in flight");
                let is_near = stan.get() > first || stan.get() < 200;
                prop_assert!(is_near, "{stan} does not follow {first} and what is in flight");
                open.push((terminal, stan));
            }
            prop_assert_eq!(stans.in_use(), open.len());
        }
    }
}
