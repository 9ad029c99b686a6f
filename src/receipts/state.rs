//! What a message_state says next to an earlier one (SMPP 3.4 5.2.28), and what the states of its
//! parts say of a whole message.

/// The byte of a part that nothing was told of yet.
pub(super) const NONE: u8 = 0xFF;

/// No state was named in a receipt.
const UNNAMED: u8 = 0;
const ENROUTE: u8 = 1;
const DELIVERED: u8 = 2;
const EXPIRED: u8 = 3;
const DELETED: u8 = 4;
const UNDELIVERABLE: u8 = 5;
const REJECTED: u8 = 8;
/// SMPP 5.0 4.7.15
const SKIPPED: u8 = 9;

/// A message_state as it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State(pub(super) u8);

/// How far a message has come; a state counts only when it is further than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Nothing,
    OnItsWay,
    /// ACCEPTED and UNKNOWN: final by the standard, and in the field followed by others.
    Unsure,
    /// A late handset may still get what has expired.
    Failed,
    Delivered,
}

impl State {
    fn rank(self) -> Rank {
        match self.0 {
            NONE => Rank::Nothing,
            UNNAMED | ENROUTE => Rank::OnItsWay,
            DELIVERED => Rank::Delivered,
            EXPIRED | DELETED | UNDELIVERABLE | REJECTED | SKIPPED => Rank::Failed,
            _ => Rank::Unsure,
        }
    }

    /// Whether it tells more than `earlier`. A receipt that names no state always does, because it
    /// may mean anything.
    pub(super) fn is_news_after(self, earlier: Self) -> bool {
        self.0 == UNNAMED || self.rank() > earlier.rank()
    }

    /// What is remembered after `earlier`.
    pub(super) fn after(self, earlier: Self) -> Self {
        match self.rank() > earlier.rank() {
            true => self,
            false => earlier,
        }
    }

    /// Whether nothing is awaited any more.
    pub(super) fn is_final(self) -> bool {
        self.rank() >= Rank::Failed
    }
}

/// The state of the whole: DELIVERED once every part is, a failure as soon as one part has failed
/// (the first such part's), otherwise ENROUTE.
pub(super) fn of_whole(parts: impl Iterator<Item = State>) -> u8 {
    let mut all_delivered = true;
    for part in parts {
        match part.rank() {
            Rank::Failed => return part.0,
            Rank::Delivered => {}
            Rank::Nothing | Rank::OnItsWay | Rank::Unsure => all_delivered = false,
        }
    }
    if all_delivered { DELIVERED } else { ENROUTE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_state_never_goes_back() {
        let order = [NONE, 1, 6, 3, 2];
        for (at, earlier) in order.iter().enumerate() {
            for (later_at, later) in order.iter().enumerate().skip(1) {
                let is_news = State(*later).is_news_after(State(*earlier));
                assert_eq!(is_news, later_at > at, "{earlier} then {later}");
            }
        }
        assert!(!State(5).is_news_after(State(3)));
    }

    #[test]
    fn a_receipt_without_a_state_is_always_told_and_changes_nothing() {
        assert!(State(0).is_news_after(State(2)));
        assert_eq!(State(0).after(State(2)), State(2));
    }

    #[test]
    fn the_whole_is_delivered_once_every_part_is_and_failed_with_the_first_part_that_is() {
        let whole = |parts: &[u8]| of_whole(parts.iter().copied().map(State));
        assert_eq!(whole(&[2, 2, NONE]), 1);
        assert_eq!(whole(&[2, 2, 6]), 1);
        assert_eq!(whole(&[2, 2, 2]), 2);
        assert_eq!(whole(&[NONE, 5, 2]), 5);
        assert_eq!(whole(&[2, 3, 8]), 3);
    }
}
