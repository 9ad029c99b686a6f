//! What was told of each message, in two bits for each: ten million of them cost little memory and
//! no allocation while they flow.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Relaxed},
};

/// A set of the numbers below a bound.
pub(super) struct Numbers {
    words: Vec<AtomicU64>,
    bound: u64,
}

impl Numbers {
    pub(super) fn below(bound: u64) -> Self {
        let words = bound.div_ceil(64);
        Self {
            words: (0..words).map(|_| AtomicU64::new(0)).collect(),
            bound,
        }
    }

    /// Adds a number; false if it was there, or is not below the bound.
    pub(super) fn add(&self, number: u64) -> bool {
        let place = usize::try_from(number / 64).unwrap_or(usize::MAX);
        let bit = 1 << (number % 64);
        let word = self.words.get(place).filter(|_| number < self.bound);
        word.is_some_and(|word| word.fetch_or(bit, AcqRel) & bit == 0)
    }
}

/// The counts of a run; only ever added to.
#[derive(Default)]
pub(super) struct Counts {
    /// Messages with their first outcome; of these, accepted.
    pub(super) told: AtomicU64,
    pub(super) accepted: AtomicU64,
    /// Messages whose receipt came, for the first time.
    pub(super) receipts: AtomicU64,
    /// Outcomes and receipts of a message that had its own, or of none.
    pub(super) told_again: AtomicU64,
    pub(super) receipts_again: AtomicU64,
    /// Receipts that name no request of the run.
    pub(super) receipts_of_nobody: AtomicU64,
    /// Of those that came again, marked as redelivered.
    pub(super) redelivered: AtomicU64,
}

/// Everything that is known of the run's messages.
pub(super) struct Tally {
    pub(super) told: Numbers,
    pub(super) receipts: Numbers,
    pub(super) counts: Counts,
}

impl Tally {
    pub(super) fn new(messages: u64) -> Self {
        Self {
            told: Numbers::below(messages),
            receipts: Numbers::below(messages),
            counts: Counts::default(),
        }
    }

    /// Accepted messages whose receipts have not come yet.
    pub(super) fn owed(&self) -> u64 {
        let accepted = self.counts.accepted.load(Relaxed);
        accepted.saturating_sub(self.counts.receipts.load(Relaxed))
    }
}

/// The request id of a number.
pub(super) fn request_id(number: u64) -> String {
    format!("m{number}")
}

/// The number of a request id.
pub(super) fn number_of(request_id: &str) -> Option<u64> {
    request_id.strip_prefix('m')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_can_be_added_once_and_only_below_the_bound() {
        let numbers = Numbers::below(130);
        assert!(numbers.add(0) && numbers.add(63) && numbers.add(64) && numbers.add(129));
        assert!(!numbers.add(64) && !numbers.add(130) && !numbers.add(u64::MAX));
    }

    #[test]
    fn a_request_id_tells_its_number() {
        assert_eq!(number_of(&request_id(9_999_999)), Some(9_999_999));
        assert_eq!(number_of(""), None);
        assert_eq!(number_of("x1"), None);
    }
}
