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
    ends: Vec<Option<MessageResult>>,
    open: usize,
}

impl Parts {
    /// A message in `count` parts, none of which has ended.
    pub(super) fn new(count: usize) -> Self {
        Self {
            ends: vec![None; count],
            open: count,
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
        let end = self.ends.get_mut(index)?;
        if end.is_some() {
            return None;
        }
        *end = Some(result);
        self.open -= 1;
        (self.open == 0).then(|| whole(self.ends.iter_mut().filter_map(Option::take).collect()))
    }
}

/// How the whole ended, from how its parts did: as well as the worst of them.
fn whole(ends: Vec<MessageResult>) -> MessageResult {
    let total = ends.len();
    let mut ids = Vec::with_capacity(total);
    let mut rejection = None;
    let mut not_sent = None;
    let mut unknown = None;
    for end in ends {
        match end {
            MessageResult::Accepted(Acceptance::Id(id)) => ids.push(id),
            MessageResult::Accepted(_) => ids.push(Bytes::new()),
            end @ MessageResult::Rejected { .. } => rejection = Some(end),
            end @ MessageResult::Unknown { .. } => unknown = Some(end),
            MessageResult::NotSent { reason, detail } => not_sent = Some((reason, detail)),
        }
    }
    let accepted = ids.len();
    match (unknown.or(rejection), not_sent) {
        (Some(end), _) => end,
        (None, None) => MessageResult::Accepted(Acceptance::Ids(ids)),
        (None, Some((reason, detail))) if accepted == 0 => {
            MessageResult::NotSent { reason, detail }
        }
        (None, Some((reason, detail))) => partly(reason, accepted, total, &detail),
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
