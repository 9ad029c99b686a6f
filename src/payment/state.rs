//! The state machine that every payment runs through: pure, total, and the only place where it is
//! decided what an event means for the money.
//!
//! ```text
//!  journalling ──durable──► dispatched ──answered──► approved | declined
//!      │  │                  │  │    │                   │
//!      │  └─cancel─┐ not sent│  │    └─unanswered──┐     └─cancel─┐
//!      │           ▼         ▼  │ cancel           ▼              ▼
//!      └─failed─► not sent ◄─┐  ▼              reversing ◄────────┘
//!                            cancelling ──answered/unanswered──► │ │
//!                              │                        accepted │ │ refused, budget spent
//!                              └─declined─► declined             ▼ ▼
//!                                                        reversed  reversal failed
//!                                                                    │ │ operator
//!                                                  reversing ◄─retry─┘ └─resolve─► resolved
//! ```
//!
//! A request that moves no money is never reversed: unanswered, it is unknown.

use crate::outcome::Reason;

/// How far a payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Its record is not durable yet, so no byte can have left.
    Journalling,
    /// Handed to a link: its bytes may have left.
    Dispatched,
    /// As dispatched, and the caller wants it back whatever the answer is.
    Cancelling,
    /// The bank approved.
    Approved,
    /// The bank declined.
    Declined,
    /// No byte left.
    NotSent,
    /// It may have left, was not answered, and moves no money.
    Unknown,
    /// The bank is told to take it back, again and again.
    Reversing,
    /// The bank has taken it back.
    Reversed,
    /// An operator must look.
    ReversalFailed,
    /// An operator has looked, and settled it with the bank.
    Resolved,
}

impl State {
    /// A word for logs and operators.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Journalling => "journalling",
            Self::Dispatched => "sent",
            Self::Cancelling => "cancelling",
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::NotSent => "not_sent",
            Self::Unknown => "unknown",
            Self::Reversing => "reversing",
            Self::Reversed => "reversed",
            Self::ReversalFailed => "reversal_failed",
            Self::Resolved => "resolved",
        }
    }

    /// Whether nothing more will happen by itself.
    pub fn is_settled(self) -> bool {
        match self {
            Self::Approved
            | Self::Declined
            | Self::NotSent
            | Self::Unknown
            | Self::Reversed
            | Self::ReversalFailed
            | Self::Resolved => true,
            Self::Journalling | Self::Dispatched | Self::Cancelling | Self::Reversing => false,
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The record is durable.
    Durable,
    /// The record could not be made durable.
    NotDurable,
    /// The link had to refuse it: no byte left.
    NotSent(Reason),
    /// An answer that approves.
    Approved,
    /// An answer that declines.
    Declined,
    /// No answer, or none that could be understood.
    Unanswered(Reason),
    /// The caller wants it back.
    CancelAsked,
    /// A 0430 that ends the reversal well.
    ReversalAccepted,
    /// A 0430 that only an operator can deal with.
    ReversalRefused,
    /// The reversal was repeated for as long as it may be.
    BudgetSpent,
    /// An operator wants a failed reversal tried again.
    RetryAsked,
    /// An operator has settled it with the bank.
    Resolved,
}

/// What an event means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// The payment enters another state.
    Enter(State, Option<Reason>),
    /// An answer of the bank after the outcome was told: to be recorded, and nothing else.
    Late,
    /// Nothing.
    Ignore,
}

/// Decides what `event` means for a payment in `state`.
pub fn decide(state: State, event: Event, moves_money: bool) -> Decision {
    use Decision::{Enter, Ignore, Late};
    use State as S;
    match (state, event) {
        (S::Journalling, Event::Durable) => Enter(S::Dispatched, None),
        (S::Journalling, Event::NotDurable) => Enter(S::NotSent, Some(Reason::Journal)),
        (S::Journalling, Event::CancelAsked) => Enter(S::NotSent, Some(Reason::Cancelled)),
        (S::Journalling, Event::NotSent(reason)) => Enter(S::NotSent, Some(reason)),

        (S::Dispatched | S::Cancelling, Event::NotSent(reason)) => Enter(S::NotSent, Some(reason)),
        (S::Dispatched, Event::Approved) => Enter(S::Approved, None),
        (S::Dispatched | S::Cancelling, Event::Declined) => Enter(S::Declined, None),
        (S::Dispatched | S::Cancelling, Event::Unanswered(reason)) if moves_money => {
            Enter(S::Reversing, Some(reason))
        }
        (S::Dispatched | S::Cancelling, Event::Unanswered(reason)) => {
            Enter(S::Unknown, Some(reason))
        }
        (S::Dispatched, Event::CancelAsked) if moves_money => Enter(S::Cancelling, None),
        (S::Cancelling, Event::Approved) => Enter(S::Reversing, Some(Reason::Cancelled)),

        (S::Approved, Event::CancelAsked) if moves_money => {
            Enter(S::Reversing, Some(Reason::Cancelled))
        }
        (S::Reversing, Event::ReversalAccepted) => Enter(S::Reversed, None),
        (S::Reversing, Event::ReversalRefused | Event::BudgetSpent) => {
            Enter(S::ReversalFailed, None)
        }
        (S::ReversalFailed, Event::RetryAsked) if moves_money => Enter(S::Reversing, None),
        (S::Reversing | S::ReversalFailed, Event::Resolved) => Enter(S::Resolved, None),

        // The outcome that the caller was told stands.
        (
            S::Approved
            | S::Declined
            | S::Unknown
            | S::Reversing
            | S::Reversed
            | S::ReversalFailed
            | S::Resolved,
            Event::Approved | Event::Declined,
        ) => Late,

        (
            S::Journalling,
            Event::Approved
            | Event::Declined
            | Event::Unanswered(_)
            | Event::ReversalAccepted
            | Event::ReversalRefused
            | Event::BudgetSpent
            | Event::RetryAsked
            | Event::Resolved,
        )
        | (
            S::Dispatched | S::Cancelling,
            Event::Durable
            | Event::NotDurable
            | Event::CancelAsked
            | Event::ReversalAccepted
            | Event::ReversalRefused
            | Event::BudgetSpent
            | Event::RetryAsked
            | Event::Resolved,
        )
        | (S::NotSent, _)
        | (
            S::Approved
            | S::Declined
            | S::Unknown
            | S::Reversing
            | S::Reversed
            | S::ReversalFailed
            | S::Resolved,
            Event::Durable
            | Event::NotDurable
            | Event::NotSent(_)
            | Event::Unanswered(_)
            | Event::CancelAsked
            | Event::ReversalAccepted
            | Event::ReversalRefused
            | Event::BudgetSpent
            | Event::RetryAsked
            | Event::Resolved,
        ) => Ignore,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 11] = [
        State::Journalling,
        State::Dispatched,
        State::Cancelling,
        State::Approved,
        State::Declined,
        State::NotSent,
        State::Unknown,
        State::Reversing,
        State::Reversed,
        State::ReversalFailed,
        State::Resolved,
    ];

    const EVENTS: [Event; 12] = [
        Event::Durable,
        Event::NotDurable,
        Event::NotSent(Reason::NoLink),
        Event::Approved,
        Event::Declined,
        Event::Unanswered(Reason::Timeout),
        Event::CancelAsked,
        Event::ReversalAccepted,
        Event::ReversalRefused,
        Event::BudgetSpent,
        Event::RetryAsked,
        Event::Resolved,
    ];

    fn after(state: State, event: Event) -> Option<State> {
        match decide(state, event, true) {
            Decision::Enter(state, _) => Some(state),
            Decision::Late | Decision::Ignore => None,
        }
    }

    /// Every sequence of events up to this length, from the beginning.
    fn walk(depth: usize, visit: &mut impl FnMut(State, Event, Decision)) {
        fn from(state: State, depth: usize, visit: &mut impl FnMut(State, Event, Decision)) {
            if depth == 0 {
                return;
            }
            for event in EVENTS {
                let decision = decide(state, event, true);
                visit(state, event, decision);
                if let Decision::Enter(next, _) = decision {
                    from(next, depth - 1, visit);
                }
            }
        }
        from(State::Journalling, depth, visit);
    }

    #[test]
    fn money_that_may_have_moved_is_known_to_be_moved_or_is_taken_back() {
        walk(6, &mut |state, event, decision| {
            let may_have_moved = matches!(state, State::Dispatched | State::Cancelling);
            if let (true, Decision::Enter(next, _)) = (may_have_moved, decision) {
                let safe = match event {
                    Event::NotSent(_) => next == State::NotSent,
                    Event::Declined => next == State::Declined,
                    Event::Approved => matches!(next, State::Approved | State::Reversing),
                    Event::CancelAsked => next == State::Cancelling,
                    _ => next == State::Reversing,
                };
                assert!(safe, "{state:?} on {event:?} enters {next:?}");
            }
        });
    }

    #[test]
    fn a_reversal_ends_only_by_the_bank_or_an_operator() {
        for event in EVENTS {
            match after(State::Reversing, event) {
                Some(State::Reversed) => assert_eq!(event, Event::ReversalAccepted),
                Some(State::ReversalFailed) => {
                    assert!(matches!(event, Event::ReversalRefused | Event::BudgetSpent));
                }
                Some(State::Resolved) => assert_eq!(event, Event::Resolved),
                other => assert_eq!(other, None),
            }
        }
    }

    #[test]
    fn what_is_settled_changes_only_by_the_caller_s_cancel_or_an_operator() {
        for state in STATES.into_iter().filter(|state| state.is_settled()) {
            for event in EVENTS {
                let expected = match (state, event) {
                    (State::Approved, Event::CancelAsked)
                    | (State::ReversalFailed, Event::RetryAsked) => Some(State::Reversing),
                    (State::ReversalFailed, Event::Resolved) => Some(State::Resolved),
                    _ => None,
                };
                assert_eq!(after(state, event), expected, "{state:?} on {event:?}");
            }
        }
    }

    #[test]
    fn a_late_answer_changes_nothing_that_was_told() {
        for state in [
            State::Reversing,
            State::Reversed,
            State::ReversalFailed,
            State::Resolved,
        ] {
            for event in [Event::Approved, Event::Declined] {
                assert_eq!(decide(state, event, true), Decision::Late);
            }
        }
    }

    #[test]
    fn what_moves_no_money_is_never_reversed() {
        for state in STATES {
            for event in EVENTS {
                if state == State::Cancelling {
                    continue; // Not reachable without money.
                }
                let decision = decide(state, event, false);
                assert!(
                    !matches!(decision, Decision::Enter(State::Reversing, _)),
                    "{state:?} on {event:?}"
                );
            }
        }
        assert_eq!(
            decide(State::Dispatched, Event::Unanswered(Reason::Timeout), false),
            Decision::Enter(State::Unknown, Some(Reason::Timeout))
        );
    }

    #[test]
    fn a_payment_cancelled_before_it_was_durable_is_never_sent() {
        assert_eq!(
            after(State::Journalling, Event::CancelAsked),
            Some(State::NotSent)
        );
        assert_eq!(after(State::NotSent, Event::Durable), None);
    }
}
