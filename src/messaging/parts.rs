//! One end for a message that travels in several parts.
//!
//! Each part is a request of its own to the SMSC; the caller asked for one message. Pure; nothing
//! here decides how a part ended.

use bytes::Bytes;

use crate::{
    message::{Acceptance, MessageResult},
    outcome::Reason,
};

/// The ends of the parts, as far as they are known.
#[derive(Debug)]
pub(super) struct Parts {
    /// By part; of those that are open, what is told if they get lost.
    ends: Vec<MessageResult>,
    is_open: Vec<bool>,
}

impl Parts {
    /// A message in `count` parts, none of which has ended.
    pub(super) fn new(count: usize) -> Self {
        Self {
            ends: vec![lost(); count],
            is_open: vec![true; count],
        }
    }

    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// A part has ended. Gives the end of the whole with the last of them.
    pub(super) fn conclude(
        &mut self,
        index: usize,
        result: MessageResult,
    ) -> Option<MessageResult> {
        let is_open = self.is_open.get_mut(index)?;
        if !std::mem::take(is_open) {
            return None;
        }
        *self.ends.get_mut(index)? = result;
        let is_last = !self.is_open.contains(&true);
        is_last.then(|| whole(&self.ends))
    }

    /// A part that had timed out was answered after all, before the end of the whole was told: the
    /// answer takes the place of the timeout. False if it had not timed out.
    pub(super) fn answer_late(&mut self, index: usize, result: MessageResult) -> bool {
        let is_open = self.is_open.get(index).copied().unwrap_or(true);
        match self.ends.get_mut(index) {
            Some(end) if !is_open && has_timed_out(end) => {
                *end = result;
                true
            }
            Some(_) | None => false,
        }
    }

    /// The ids of the parts that the SMSC accepted, in the order of the parts, empty for each of the
    /// others; nothing if it accepted none.
    pub(super) fn accepted(&self) -> Vec<Bytes> {
        let is_accepted = |end: &MessageResult| matches!(end, MessageResult::Accepted(_));
        if !self.ends.iter().any(is_accepted) {
            return Vec::new();
        }
        let id = |end: &MessageResult| match end {
            MessageResult::Accepted(Acceptance::Id(id)) => id.clone(),
            _ => Bytes::new(),
        };
        self.ends.iter().map(id).collect()
    }

    /// How the parts ended, once the last of them has.
    pub(super) fn ends(&self) -> &[MessageResult] {
        &self.ends
    }

    /// Opens the parts that the SMSC has not accepted, and gives their indices.
    pub(super) fn reopen(&mut self) -> Vec<usize> {
        let missing = |end: &MessageResult| !matches!(end, MessageResult::Accepted(_));
        let missing = self.ends.iter().map(missing);
        self.is_open = missing.collect();
        let places = self.is_open.iter().enumerate();
        let open = places.filter(|(_, is_open)| **is_open);
        open.map(|(place, _)| place).collect()
    }
}

/// Whether the answer may still come.
pub(super) fn has_timed_out(end: &MessageResult) -> bool {
    matches!(
        end,
        MessageResult::Unknown {
            reason: Reason::Timeout,
            ..
        }
    )
}

fn lost() -> MessageResult {
    MessageResult::Unknown {
        reason: Reason::Internal,
        detail: String::new(),
    }
}

/// How the whole ended, from how its parts did: as well as the worst of them.
fn whole(ends: &[MessageResult]) -> MessageResult {
    let total = ends.len();
    let mut ids = Vec::with_capacity(total);
    let mut rejection = None;
    let mut not_sent = None;
    let mut unknown = None;
    for end in ends {
        match end {
            MessageResult::Accepted(Acceptance::Id(id)) => ids.push(id.clone()),
            MessageResult::Accepted(_) => ids.push(Bytes::new()),
            end @ MessageResult::Rejected { .. } => rejection = Some(end),
            end @ MessageResult::Unknown { .. } => unknown = Some(end),
            MessageResult::NotSent { reason, detail } => not_sent = Some((reason, detail)),
        }
    }
    let accepted = ids.len();
    match (unknown.or(rejection), not_sent) {
        (Some(end), _) => end.clone(),
        (None, None) => MessageResult::Accepted(Acceptance::Ids(ids)),
        (None, Some((reason, detail))) if accepted == 0 => MessageResult::NotSent {
            reason: *reason,
            detail: detail.clone(),
        },
        (None, Some((reason, detail))) => partly(*reason, accepted, total, detail),
    }
}

fn partly(reason: Reason, accepted: usize, total: usize, detail: &str) -> MessageResult {
    MessageResult::Unknown {
        reason,
        detail: format!(
            "the SMSC has {accepted} of {total} parts, the others were not sent: {detail}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smpp::CommandStatus;

    fn id(id: &'static str) -> MessageResult {
        MessageResult::Accepted(Acceptance::Id(Bytes::from_static(id.as_bytes())))
    }

    fn not_sent() -> MessageResult {
        MessageResult::NotSent {
            reason: Reason::NoLink,
            detail: String::new(),
        }
    }

    fn rejected() -> MessageResult {
        MessageResult::Rejected {
            status: CommandStatus::ESME_RTHROTTLED,
            temporary: true,
        }
    }

    /// Ends the parts in the given order and gives the end of the whole.
    fn whole_of(ends: Vec<(usize, MessageResult)>) -> MessageResult {
        let mut parts = Parts::new(ends.len());
        let mut whole = None;
        for (index, end) in ends {
            assert_eq!(whole, None, "told before the end");
            whole = parts.conclude(index, end);
        }
        whole.unwrap()
    }

    #[test]
    fn the_ids_stand_in_the_order_of_the_parts_whatever_the_order_of_the_answers() {
        let ids = ["a", "b", "c"].map(|id| Bytes::from_static(id.as_bytes()));
        assert_eq!(
            whole_of(vec![(2, id("c")), (0, id("a")), (1, id("b"))]),
            MessageResult::Accepted(Acceptance::Ids(ids.to_vec()))
        );
    }

    #[test]
    fn the_ids_of_accepted_parts_are_kept_at_their_places_however_the_others_ended() {
        let mut parts = Parts::new(3);
        for (index, end) in [(0, rejected()), (2, id("c")), (1, not_sent())] {
            parts.conclude(index, end);
        }
        let ids = ["", "", "c"].map(|id| Bytes::from_static(id.as_bytes()));
        assert_eq!(parts.accepted(), ids);
        let mut none = Parts::new(2);
        for index in 0..2 {
            none.conclude(index, rejected());
        }
        assert_eq!(none.accepted(), [""; 0]);
    }

    #[test]
    fn a_part_that_is_answered_late_but_before_the_last_one_counts_as_answered() {
        let timeout = || MessageResult::Unknown {
            reason: Reason::Timeout,
            detail: String::new(),
        };
        let mut parts = Parts::new(3);
        parts.conclude(0, timeout());
        parts.conclude(1, rejected());
        assert!(!parts.answer_late(1, id("b")), "it was answered");
        assert!(!parts.answer_late(2, id("c")), "it is open");
        assert!(parts.answer_late(0, id("a")));
        assert!(!parts.answer_late(0, id("x")), "it was answered by now");
        assert_eq!(parts.conclude(2, id("c")), Some(rejected()));
        assert_eq!(parts.accepted(), ["a", "", "c"]);
    }

    #[test]
    fn parts_that_come_again_complete_the_message() {
        let mut parts = Parts::new(3);
        for (index, end) in [(0, id("a")), (1, rejected()), (2, not_sent())] {
            parts.conclude(index, end);
        }
        assert_eq!(parts.reopen(), [1, 2]);
        assert_eq!(parts.conclude(0, id("x")), None, "it is not open");
        assert_eq!(parts.conclude(2, id("c")), None);
        let ids = ["a", "b", "c"].map(|id| Bytes::from_static(id.as_bytes()));
        assert_eq!(
            parts.conclude(1, id("b")),
            Some(MessageResult::Accepted(Acceptance::Ids(ids.to_vec())))
        );
    }

    #[test]
    fn a_message_of_which_no_part_left_is_not_sent() {
        let whole = whole_of(vec![(0, not_sent()), (1, not_sent())]);
        assert_eq!(whole, not_sent());
    }

    #[test]
    fn a_message_of_which_only_some_parts_were_sent_is_unknown_or_rejected_but_never_not_sent() {
        let whole = whole_of(vec![(0, id("a")), (1, not_sent())]);
        assert!(matches!(whole, MessageResult::Unknown { .. }));
        assert_eq!(whole_of(vec![(0, id("a")), (1, rejected())]), rejected());
    }
}
