//! What follows from the end of a message at one SMSC: its caller is told, the same SMSC gets it
//! again, or the next SMSC of its route does.
//!
//! Pure: a decision over what is known, and nothing else. The rules, the first that fits:
//!
//! 1. After the deadline nothing is tried any more.
//! 2. What was rejected for good, or was refused because of the request itself, is told.
//! 3. What may have arrived never goes to another SMSC, unless the caller has allowed it, the
//!    message is in one part, and the SMSC has not said that it took it.
//! 4. Of a message of which the SMSC has taken some parts, no part ever goes to another SMSC: the
//!    handset could not join them. What is missing goes to the same SMSC again if that wanted less
//!    for a while, or if the bind died and another one is up.
//! 5. If nothing left because a bind died or is drained, and the SMSC has another bind that is up,
//!    that one gets it: the choice of the SMSC was right.
//! 6. The next healthy SMSC of the route gets it, as long as the route allows another one.
//! 7. If none is left, a message that was throttled goes to the same SMSC again, before all others,
//!    until its deadline: the SMSC has said that it will take it, only later.
//! 8. Everything else is told.

use crate::{message::MessageResult, outcome::Reason, smpp::CommandStatus};

/// What is known besides the ends themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation<'a> {
    /// Statuses by which this SMSC says that it gets too much: those after which its binds pause. A
    /// message that is tried again after any other one would come back as fast as the SMSC answers.
    pub(super) throttle_statuses: &'a [CommandStatus],
    /// The deadline has passed.
    pub(super) is_late: bool,
    /// The SMSC has a bind that may take the message again.
    pub(super) is_same_up: bool,
    /// The route allows another SMSC, and a healthy one is left.
    pub(super) has_next: bool,
    /// The caller prefers a second message to none.
    pub(super) resend_after_unknown: bool,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The caller is told.
    Tell,
    /// The same SMSC gets what it did not take again, before all others.
    Again,
    /// The next SMSC gets the whole message.
    Next,
}

/// An end, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The SMSC has it.
    Taken,
    /// The SMSC may have it.
    InDoubt,
    /// The SMSC has it, or it must not be tried again.
    Final,
    /// The SMSC wants less for a while.
    Throttled,
    /// Not now, and not here.
    Refused,
    /// It never left, for a reason that only one bind has.
    Unsent,
}

impl End {
    fn of(result: &MessageResult, throttle_statuses: &[CommandStatus]) -> Self {
        match result {
            MessageResult::Accepted(_) => Self::Taken,
            MessageResult::Rejected {
                temporary: false, ..
            } => Self::Final,
            MessageResult::Rejected { status, .. } => match throttle_statuses.contains(status) {
                true => Self::Throttled,
                false => Self::Refused,
            },
            MessageResult::NotSent { reason, .. } => match reason {
                Reason::NoLink | Reason::Stopping => Self::Unsent,
                Reason::QueueFull => Self::Refused,
                _ => Self::Final,
            },
            // An answer that makes no sense, but came, may be a yes; and what Sampan lost track of
            // may have left.
            MessageResult::Unknown { reason, .. } => match reason {
                Reason::Timeout | Reason::LinkLost => Self::InDoubt,
                _ => Self::Final,
            },
        }
    }
}

/// Decides by how the message ended at one SMSC, or each of its parts.
pub(super) fn decide<'a>(
    ends: impl ExactSizeIterator<Item = &'a MessageResult> + Clone,
    situation: Situation<'_>,
) -> Verdict {
    let parts = ends.len();
    let ends = ends.map(|end| End::of(end, situation.throttle_statuses));
    let has = |end| ends.clone().any(|own| own == end);
    let all = |wanted: &[End]| ends.clone().all(|own| wanted.contains(&own));
    let again = match situation.is_same_up {
        true => Verdict::Again,
        false => Verdict::Tell,
    };
    let next_or = |otherwise| match situation.has_next {
        true => Verdict::Next,
        false => otherwise,
    };
    if situation.is_late || has(End::Final) || all(&[End::Taken]) {
        return Verdict::Tell;
    }
    if has(End::InDoubt) {
        return match parts == 1 && situation.resend_after_unknown {
            true => next_or(Verdict::Tell),
            false => Verdict::Tell,
        };
    }
    if has(End::Taken) {
        return match all(&[End::Taken, End::Throttled, End::Unsent]) {
            true => again,
            false => Verdict::Tell,
        };
    }
    if all(&[End::Unsent]) && situation.is_same_up {
        return Verdict::Again;
    }
    match all(&[End::Throttled, End::Unsent]) && has(End::Throttled) {
        true => next_or(again),
        false => next_or(Verdict::Tell),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::message::Acceptance;

    fn taken() -> MessageResult {
        MessageResult::Accepted(Acceptance::Id(Bytes::from_static(b"1")))
    }

    fn rejected(status: CommandStatus, temporary: bool) -> MessageResult {
        MessageResult::Rejected { status, temporary }
    }

    fn throttled() -> MessageResult {
        rejected(CommandStatus::ESME_RTHROTTLED, true)
    }

    fn busy() -> MessageResult {
        rejected(CommandStatus::ESME_RSYSERR, true)
    }

    fn refused() -> MessageResult {
        rejected(CommandStatus::ESME_RINVSRCADR, false)
    }

    fn not_sent(reason: Reason) -> MessageResult {
        let detail = String::new();
        MessageResult::NotSent { reason, detail }
    }

    fn unknown(reason: Reason) -> MessageResult {
        let detail = String::new();
        MessageResult::Unknown { reason, detail }
    }

    /// Another SMSC is left, the same one is up, there is time, and no second message is wanted.
    const EASY: Situation<'_> = Situation {
        throttle_statuses: &[CommandStatus::ESME_RTHROTTLED, CommandStatus::ESME_RMSGQFUL],
        is_late: false,
        is_same_up: true,
        has_next: true,
        resend_after_unknown: false,
    };
    /// As before, and no other SMSC is left.
    const LAST: Situation<'_> = Situation {
        has_next: false,
        ..EASY
    };

    fn of(ends: &[MessageResult], situation: Situation<'_>) -> Verdict {
        decide(ends.iter(), situation)
    }

    fn one(end: &MessageResult, situation: Situation<'_>) -> Verdict {
        decide(std::iter::once(end), situation)
    }

    #[test]
    fn what_the_smsc_took_or_refused_for_good_is_told() {
        for end in [taken(), refused(), not_sent(Reason::Invalid)] {
            assert_eq!(one(&end, EASY), Verdict::Tell, "{end:?}");
        }
    }

    #[test]
    fn what_was_not_sent_or_refused_for_now_goes_to_the_next_smsc() {
        let down = Situation {
            is_same_up: false,
            ..EASY
        };
        for end in [busy(), throttled(), not_sent(Reason::QueueFull)] {
            assert_eq!(one(&end, EASY), Verdict::Next, "{end:?}");
            assert_eq!(one(&end, down), Verdict::Next, "{end:?}");
        }
        for reason in [Reason::NoLink, Reason::Stopping] {
            assert_eq!(of(&[not_sent(reason)], down), Verdict::Next);
        }
    }

    #[test]
    fn what_a_dying_bind_did_not_send_goes_to_another_bind_of_the_same_smsc_first() {
        for reason in [Reason::NoLink, Reason::Stopping] {
            assert_eq!(of(&[not_sent(reason)], EASY), Verdict::Again);
        }
    }

    #[test]
    fn a_throttled_message_comes_again_only_if_no_other_smsc_is_left() {
        let full = rejected(CommandStatus::ESME_RMSGQFUL, true);
        for end in [throttled(), full.clone()] {
            assert_eq!(one(&end, EASY), Verdict::Next);
            assert_eq!(one(&end, LAST), Verdict::Again);
            let down = Situation {
                is_same_up: false,
                ..LAST
            };
            assert_eq!(one(&end, down), Verdict::Tell);
        }
    }

    #[test]
    fn only_a_status_after_which_the_bind_pauses_brings_a_message_again() {
        let own = CommandStatus(0x0400);
        let situation = Situation {
            throttle_statuses: &[own],
            ..LAST
        };
        assert_eq!(one(&rejected(own, true), situation), Verdict::Again);
        for end in [
            throttled(),
            rejected(CommandStatus::ESME_RMSGQFUL, true),
            busy(),
        ] {
            assert_eq!(one(&end, situation), Verdict::Tell, "{end:?}");
        }
    }

    #[test]
    fn a_temporary_rejection_by_the_last_smsc_is_told() {
        for end in [busy(), not_sent(Reason::QueueFull)] {
            assert_eq!(one(&end, LAST), Verdict::Tell);
        }
    }

    #[test]
    fn what_may_have_arrived_goes_nowhere_unless_the_caller_wants_it_to() {
        let wanted = Situation {
            resend_after_unknown: true,
            ..EASY
        };
        for reason in [Reason::Timeout, Reason::LinkLost] {
            assert_eq!(of(&[unknown(reason)], EASY), Verdict::Tell);
            assert_eq!(of(&[unknown(reason)], wanted), Verdict::Next);
        }
        for reason in [Reason::BadAnswer, Reason::Internal] {
            assert_eq!(of(&[unknown(reason)], wanted), Verdict::Tell);
        }
        let parts = [unknown(Reason::Timeout), not_sent(Reason::NoLink)];
        assert_eq!(of(&parts, wanted), Verdict::Tell);
    }

    #[test]
    fn nothing_is_tried_after_the_deadline() {
        let late = Situation {
            is_late: true,
            ..EASY
        };
        for end in [busy(), throttled(), not_sent(Reason::NoLink)] {
            assert_eq!(one(&end, late), Verdict::Tell);
        }
        assert_eq!(of(&[not_sent(Reason::Deadline)], EASY), Verdict::Tell);
    }

    #[test]
    fn missing_parts_of_a_message_that_was_begun_come_again_at_the_same_smsc() {
        let cases = [
            (vec![taken(), throttled()], Verdict::Again),
            (vec![taken(), not_sent(Reason::NoLink)], Verdict::Again),
            (vec![taken(), throttled(), busy()], Verdict::Tell),
            (vec![taken(), refused(), throttled()], Verdict::Tell),
            (
                vec![taken(), unknown(Reason::Timeout), throttled()],
                Verdict::Tell,
            ),
            (vec![taken(), not_sent(Reason::Deadline)], Verdict::Tell),
        ];
        for (parts, expected) in cases {
            assert_eq!(of(&parts, EASY), expected, "{parts:?}");
        }
    }

    #[test]
    fn a_message_of_which_no_part_was_taken_goes_on_as_a_whole() {
        let cases = [
            (
                vec![throttled(), throttled()],
                Verdict::Next,
                Verdict::Again,
            ),
            (vec![throttled(), busy()], Verdict::Next, Verdict::Tell),
            (
                vec![busy(), not_sent(Reason::NoLink)],
                Verdict::Next,
                Verdict::Tell,
            ),
        ];
        for (parts, easy, last) in cases {
            assert_eq!(of(&parts, EASY), easy, "{parts:?}");
            assert_eq!(of(&parts, LAST), last, "{parts:?}");
        }
    }

    fn end() -> impl Strategy<Value = MessageResult> {
        prop_oneof![
            Just(taken()),
            Just(throttled()),
            Just(busy()),
            Just(refused()),
            Just(not_sent(Reason::NoLink)),
            Just(not_sent(Reason::QueueFull)),
            Just(not_sent(Reason::Deadline)),
            Just(unknown(Reason::Timeout)),
            Just(unknown(Reason::BadAnswer)),
        ]
    }

    proptest! {
        #[test]
        fn no_message_that_an_smsc_has_or_may_have_a_part_of_goes_to_another_one(
            ends in prop::collection::vec(end(), 1..6),
            is_late: bool,
            is_same_up: bool,
            has_next: bool,
            resend_after_unknown: bool,
        ) {
            let situation = Situation {
                is_late,
                is_same_up,
                has_next,
                resend_after_unknown,
                ..EASY
            };
            let verdict = of(&ends, situation);
            let has = ends.iter().any(|end| matches!(end, MessageResult::Accepted(_)));
            let may_have = ends.iter().any(|end| matches!(end, MessageResult::Unknown { .. }));
            if verdict == Verdict::Next {
                prop_assert!(!has && has_next && !is_late);
                prop_assert!(!may_have || (resend_after_unknown && ends.len() == 1));
            }
            if verdict == Verdict::Again {
                prop_assert!(!may_have && is_same_up && !is_late);
            }
        }
    }
}
