//! The STANs of one bank: one sequence over all its links, that of 0800s included.
//!
//! A STAN that is in flight is skipped, so the daily wrap cannot give two open exchanges the same.

use std::sync::{Arc, Mutex, PoisonError};

use crate::iso8583::{Stan, stan::Stans};

/// Hands out STANs; clones share one sequence.
#[derive(Clone)]
pub struct StanAllocator(Arc<Mutex<Sequence>>);

struct Sequence {
    next: u32,
    /// One bit per STAN.
    busy: Vec<u64>,
    in_use: u32,
}

/// STANs 1 to 999,999; 0 is left out because some banks take it for "none".
const STANS: u32 = 999_999;

/// Open exchanges of one bank. Far above any window, and low enough that a free STAN is found soon.
const IN_USE_MAX: u32 = STANS / 2;

impl StanAllocator {
    /// Begins with `first`. Not always with 1: a bank may still remember what a process that was
    /// restarted sent today.
    pub fn beginning_with(first: u32) -> Self {
        Self(Arc::new(Mutex::new(Sequence {
            next: first % STANS,
            busy: vec![0; STANS as usize / 64 + 1],
            in_use: 0,
        })))
    }

    /// A STAN that is not in use, now held; `None` if half of them are.
    pub fn hold(&self) -> Option<Stan> {
        let mut sequence = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sequence.in_use >= IN_USE_MAX {
            return None;
        }
        let number = sequence.advance();
        sequence.mark(number, true);
        sequence.in_use += 1;
        Stan::new(number)
    }

    /// Holds this one, for an exchange that an earlier process began; false if it is held already.
    pub(super) fn hold_this(&self, stan: Stan) -> bool {
        let mut sequence = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sequence.is_busy(stan.get()) {
            return false;
        }
        sequence.mark(stan.get(), true);
        sequence.in_use += 1;
        true
    }

    /// How many are held.
    #[cfg(test)]
    pub(super) fn in_use(&self) -> u32 {
        self.0.lock().unwrap().in_use
    }

    /// The exchange is over.
    pub fn release(&self, stan: Stan) {
        let mut sequence = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sequence.is_busy(stan.get()) {
            sequence.mark(stan.get(), false);
            sequence.in_use -= 1;
        }
    }
}

impl Stans for StanAllocator {
    fn next_stan(&mut self) -> Stan {
        let mut sequence = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Stan::new(sequence.advance()).unwrap_or(Stan::MAX)
    }
}

impl Sequence {
    /// The next number that is not busy. At most half of them are, so there is one.
    fn advance(&mut self) -> u32 {
        loop {
            let number = self.next + 1;
            self.next = number % STANS;
            if !self.is_busy(number) {
                return number;
            }
        }
    }

    fn is_busy(&self, number: u32) -> bool {
        let word = self.busy.get(number as usize / 64).copied().unwrap_or(0);
        word >> (number % 64) & 1 == 1
    }

    fn mark(&mut self, number: u32, busy: bool) {
        if let Some(word) = self.busy.get_mut(number as usize / 64) {
            let bit = 1 << (number % 64);
            if busy {
                *word |= bit;
            } else {
                *word &= !bit;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(stans: &StanAllocator) -> u32 {
        stans.hold().unwrap().get()
    }

    #[test]
    fn numbers_run_from_1_to_999999_and_begin_again() {
        let stans = StanAllocator::beginning_with(999_997);
        assert_eq!(held(&stans), 999_998);
        assert_eq!(held(&stans), 999_999);
        assert_eq!(held(&stans), 1);
    }

    #[test]
    fn a_number_in_flight_is_skipped_until_it_is_released() {
        let mut stans = StanAllocator::beginning_with(999_998);
        let last = stans.hold().unwrap();
        assert_eq!(last.get(), 999_999);
        for expected in 1..=999_998 {
            assert_eq!(stans.next_stan().get(), expected);
        }
        assert_eq!(stans.next_stan().get(), 1);
        stans.release(last);
        for _ in 2..=999_998 {
            stans.next_stan();
        }
        assert_eq!(stans.next_stan(), last);
    }

    #[test]
    fn half_of_the_numbers_may_be_in_use_and_no_more() {
        let stans = StanAllocator::beginning_with(0);
        for _ in 0..IN_USE_MAX {
            assert!(stans.hold().is_some());
        }
        assert_eq!(stans.hold(), None);
    }
}
