//! One outcome for a message that travels in several parts.
//!
//! Each part is a request of its own to the SMSC; the caller asked for one message. The last part
//! to end tells the outcome of the whole. Nothing here decides how a part ended.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::{
    message::{Acceptance, MessageOutcome, MessageResult},
    outbox::Reply,
    outcome::Reason,
};

/// The duty to answer a message request, or one part of it.
pub struct MessageReply(Duty);

enum Duty {
    Whole(Reply<MessageOutcome>),
    Part { group: Arc<Group>, index: usize },
}

/// What the parts of one message share.
struct Group(Mutex<Progress>);

struct Progress {
    reply: Option<Reply<MessageOutcome>>,
    /// The end of each part, as far as it is known.
    ends: Vec<Option<MessageResult>>,
    open: usize,
}

impl MessageReply {
    /// For a message in one part.
    pub fn whole(reply: Reply<MessageOutcome>) -> Self {
        Self(Duty::Whole(reply))
    }

    /// For a message in `count` parts, in their order.
    pub fn parts(reply: Reply<MessageOutcome>, count: usize) -> impl Iterator<Item = Self> {
        let group = Arc::new(Group(Mutex::new(Progress {
            reply: Some(reply),
            ends: vec![None; count],
            open: count,
        })));
        (0..count).map(move |index| {
            Self(Duty::Part {
                group: Arc::clone(&group),
                index,
            })
        })
    }

    /// The request, or this part of it, has ended. Gives what is now to be told, if anything.
    pub fn conclude(
        self,
        result: MessageResult,
        smsc: &Arc<str>,
    ) -> Option<(Reply<MessageOutcome>, MessageOutcome)> {
        let (reply, result, parts) = match self.0 {
            Duty::Whole(reply) => (reply, result, 1),
            Duty::Part { group, index } => group.conclude(index, result)?,
        };
        let outcome = MessageOutcome {
            result,
            smsc: Some(Arc::clone(smsc)),
            parts,
        };
        Some((reply, outcome))
    }
}

impl Group {
    fn conclude(
        &self,
        index: usize,
        result: MessageResult,
    ) -> Option<(Reply<MessageOutcome>, MessageResult, u8)> {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *progress.ends.get_mut(index)? = Some(result);
        progress.open -= 1;
        if progress.open > 0 {
            return None;
        }
        let reply = progress.reply.take()?;
        let ends: Vec<MessageResult> = progress.ends.drain(..).flatten().collect();
        let parts = u8::try_from(ends.len()).unwrap_or(u8::MAX);
        Some((reply, whole(ends), parts))
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
    use crate::{outbox::Outbox, smpp::CommandStatus};

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

    /// Ends the parts in the given order and gives what the caller is told.
    fn told(ends: Vec<(usize, MessageResult)>) -> MessageOutcome {
        let outbox = Outbox::new();
        let smsc: Arc<str> = "one".into();
        let mut duties: Vec<_> = MessageReply::parts(outbox.reply(0), ends.len())
            .map(Some)
            .collect();
        for (index, end) in ends {
            let mut outcomes = Vec::new();
            assert!(!outbox.try_take_ready(&mut outcomes), "told before the end");
            let duty = duties[index].take().unwrap();
            if let Some((reply, outcome)) = duty.conclude(end, &smsc) {
                reply.send(outcome);
            }
        }
        let mut outcomes = Vec::new();
        outbox.try_take_ready(&mut outcomes);
        assert_eq!(outcomes.len(), 1);
        outcomes.remove(0).1
    }

    #[test]
    fn the_ids_stand_in_the_order_of_the_parts_whatever_the_order_of_the_answers() {
        let outcome = told(vec![(2, id("c")), (0, id("a")), (1, id("b"))]);
        let ids = ["a", "b", "c"].map(Bytes::from_static_str).to_vec();
        assert_eq!(
            outcome.result,
            MessageResult::Accepted(Acceptance::Ids(ids))
        );
        assert_eq!(outcome.parts, 3);
    }

    #[test]
    fn a_message_of_which_no_part_left_is_not_sent() {
        let outcome = told(vec![(0, not_sent()), (1, not_sent())]);
        assert!(outcome.retry_is_safe());
    }

    #[test]
    fn a_message_of_which_a_part_was_accepted_is_never_safe_to_retry() {
        let outcome = told(vec![(0, id("a")), (1, not_sent())]);
        assert!(matches!(outcome.result, MessageResult::Unknown { .. }));
        assert!(!outcome.retry_is_safe());
        let outcome = told(vec![(0, id("a")), (1, rejected())]);
        assert_eq!(outcome.result, rejected());
        assert!(!outcome.retry_is_safe());
    }

    trait FromStaticStr {
        fn from_static_str(text: &'static str) -> Self;
    }

    impl FromStaticStr for Bytes {
        fn from_static_str(text: &'static str) -> Self {
            Self::from_static(text.as_bytes())
        }
    }
}
