//! The turns by which messages are dealt out over the SMSCs of weighted routes. Each message that goes
//! uses one up; one that is refused must use up none, or a client over its limit would shift the weights
//! of the others.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts messages.
#[derive(Default)]
pub(super) struct Turns(AtomicU64);

impl Turns {
    /// The turn of the next message, which has it then.
    pub(super) fn take(&self) -> u64 {
        self.0.fetch_add(1, Relaxed)
    }

    /// The turn that [`Turns::take`] would give.
    pub(super) fn next(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// A message did not go: the next one has its turn. If one of another call has the turn after it
    /// already, it is left out, which the spread bears: whoever comes at any regular turns sees the same
    /// weights.
    pub(super) fn give_back(&self, turn: u64) {
        let after = turn.wrapping_add(1);
        // The outcome is of no interest: either it was the last one, or it is left out.
        self.0.compare_exchange(after, turn, Relaxed, Relaxed).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_is_given_back_is_the_next_one() {
        let turns = Turns::default();
        assert_eq!((turns.take(), turns.next()), (0, 1));
        turns.give_back(0);
        assert_eq!((turns.take(), turns.take()), (0, 1));
    }

    #[test]
    fn a_turn_is_never_dealt_out_twice_because_an_earlier_one_comes_back() {
        let turns = Turns::default();
        let (earlier, later) = (turns.take(), turns.take());
        turns.give_back(earlier);
        assert_eq!((later, turns.take()), (1, 2));
    }
}
