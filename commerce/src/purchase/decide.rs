//! What is to be done for a purchase, and what follows from what was heard: decisions without a database,
//! a clock or a bank.

use super::{CHARGE_WINDOW_MS, INQUIRY_MAX_MS, Purchase, State, Why, record::Turn};
use crate::{
    backoff,
    moment::UnixMs,
    port::{Charged, Unheard},
};

/// Between asking the bank and asking again: at first before the subscriber wonders, later seldom.
const AGAIN_FIRST_MS: i64 = 1_000;
const AGAIN_MOST_MS: i64 = 5 * 60_000;

/// After this another worker takes a step that the one before should have gone on to at once.
const NEXT_STEP_MS: i64 = 5_000;

/// How long a message takes that its purchase waits for.
const MESSAGE_MS: i64 = 500;

/// Tries to hand a card out whose PIN code cannot be opened, some forty minutes: somebody may have
/// forgotten a key, and the subscriber waits.
const FULFIL_TRIES_MAX: i64 = 15;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// The time for its code is over.
    Expire,
    /// Charge the bank, under the id that it had before if it was asked before.
    Charge,
    /// Ask what became of the charge.
    Find,
    /// Nothing was sent, and it is too late for it now.
    TooLate,
    /// Hand the item out.
    Fulfil,
    /// Have the charge taken back.
    Reverse,
    /// See what became of the message.
    LookAtMessage,
    /// Nothing.
    Rest,
}

/// What a bank said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// That.
    Said(Charged),
    /// That it never had such a charge, or has forgotten it.
    NeverHad,
    /// Nothing.
    Nothing(Unheard),
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It stays where it is, and the same is asked again.
    Stay,
    /// It goes on.
    Go(Turn),
}

/// When a worker has to take a purchase that comes into a state.
pub(super) fn due_on_entry(state: State, now: UnixMs) -> Option<UnixMs> {
    match state {
        State::Charging | State::Compensating => Some(now),
        State::FundsHeld | State::Fulfilling => Some(now.plus_ms(NEXT_STEP_MS)),
        State::Unknown | State::Reversing => {
            let wait_ms = backoff::wait_ms(1, AGAIN_FIRST_MS, AGAIN_MOST_MS);
            Some(now.plus_ms(wait_ms))
        }
        State::Fulfilled => Some(now.plus_ms(MESSAGE_MS)),
        // A purchase awaits its code until that is over, which its order says.
        State::Created
        | State::Authenticating
        | State::Completed
        | State::Cancelled
        | State::Expired
        | State::Failed
        | State::Refunded
        | State::ManualReview => None,
    }
}

/// When a purchase is taken again that stays where it is.
pub(super) fn due_again(attempts: i64, now: UnixMs) -> UnixMs {
    now.plus_ms(backoff::wait_ms(attempts, AGAIN_FIRST_MS, AGAIN_MOST_MS))
}

/// Whether its charge may still be sent.
pub(super) fn may_charge(purchase: &Purchase, now: UnixMs) -> bool {
    let until = purchase.confirmed_at.map(|at| at.plus_ms(CHARGE_WINDOW_MS));
    until.is_some_and(|until| now < until)
}

/// What is to be done for a purchase that a worker has taken.
pub(super) fn call(purchase: &Purchase, now: UnixMs) -> Call {
    match purchase.state {
        State::Authenticating => Call::Expire,
        State::Charging if may_charge(purchase, now) => Call::Charge,
        State::Charging if purchase.charge_asked_at.is_none() => Call::TooLate,
        State::Charging | State::Unknown | State::Reversing => Call::Find,
        State::FundsHeld | State::Fulfilling => Call::Fulfil,
        State::Compensating => Call::Reverse,
        State::Fulfilled => Call::LookAtMessage,
        State::Created
        | State::Completed
        | State::Cancelled
        | State::Expired
        | State::Failed
        | State::Refunded
        | State::ManualReview => Call::Rest,
    }
}

/// What follows from what was heard of a charge.
pub(super) fn next(purchase: &Purchase, heard: Heard, now: UnixMs) -> Next {
    let next = match purchase.state {
        State::Charging | State::Unknown => of_charge(purchase, heard, now),
        State::Reversing => of_reversing(heard),
        State::Compensating => of_compensating(heard),
        _ => Next::Stay,
    };
    let asked_too_long = now >= purchase.updated_at.plus_ms(INQUIRY_MAX_MS);
    match next {
        Next::Stay if asked_too_long => review(Why::Unanswered, ""),
        next => next,
    }
}

/// While it is not known whether the bank has debited.
fn of_charge(purchase: &Purchase, heard: Heard, now: UnixMs) -> Next {
    let said = match heard {
        Heard::Said(said) => said,
        // It may still be on its way, so that it is sent again under its id or looked at by a person.
        Heard::NeverHad if !may_charge(purchase, now) => return review(Why::Forgotten, ""),
        Heard::NeverHad if purchase.state == State::Unknown => {
            return Next::Go(Turn::to(State::Charging).saying("the router never had it"));
        }
        Heard::NeverHad => return Next::Stay,
        Heard::Nothing(unheard) => return unknown(purchase, unheard.0),
    };
    match said {
        Charged::Approved { authorization } => {
            Next::Go(Turn::to(State::FundsHeld).saying(format!("authorization {authorization}")))
        }
        Charged::Declined { response_code } => Next::Go(Turn {
            to: State::Failed,
            why: Some(Why::Declined),
            detail: format!("response code {response_code}"),
            response_code: Some(response_code),
        }),
        Charged::NotSent { why } => Next::Go(failed(Why::NotSent).saying(why)),
        Charged::Pending => unknown(purchase, "the bank's answer is awaited".to_owned()),
        Charged::Reversing => Next::Go(Turn::to(State::Reversing)),
        Charged::Reversed => Next::Go(failed(Why::Reversed)),
        Charged::ReversalFailed => review(Why::ReversalFailed, ""),
        Charged::Resolved { how } => review(Why::Resolved, &how),
    }
}

/// While the router takes it back by itself.
fn of_reversing(heard: Heard) -> Next {
    match heard {
        Heard::Said(Charged::Reversed) => Next::Go(failed(Why::Reversed)),
        Heard::Said(Charged::Reversing | Charged::Pending) | Heard::Nothing(_) => Next::Stay,
        Heard::Said(Charged::ReversalFailed) => review(Why::ReversalFailed, ""),
        Heard::Said(Charged::Resolved { how }) => review(Why::Resolved, &how),
        Heard::Said(
            Charged::Approved { .. } | Charged::Declined { .. } | Charged::NotSent { .. },
        ) => review(Why::Contradiction, "another end than a reversal"),
        Heard::NeverHad => review(Why::Forgotten, ""),
    }
}

/// While we have it taken back.
fn of_compensating(heard: Heard) -> Next {
    match heard {
        Heard::Said(Charged::Reversed) => Next::Go(Turn::to(State::Refunded)),
        Heard::Said(Charged::Reversing | Charged::Pending | Charged::Approved { .. })
        | Heard::Nothing(_) => Next::Stay,
        Heard::Said(Charged::ReversalFailed) => review(Why::ReversalFailed, ""),
        Heard::Said(Charged::Resolved { how }) => review(Why::Resolved, &how),
        Heard::Said(Charged::Declined { .. } | Charged::NotSent { .. }) => {
            review(Why::Contradiction, "it was approved before")
        }
        Heard::NeverHad => review(Why::Forgotten, ""),
    }
}

/// Whether a card that cannot be opened is tried again.
pub(super) fn may_try_to_fulfil_again(purchase: &Purchase) -> bool {
    purchase.attempts < FULFIL_TRIES_MAX
}

fn unknown(purchase: &Purchase, why: String) -> Next {
    match purchase.state {
        State::Unknown => Next::Stay,
        _ => Next::Go(Turn::to(State::Unknown).saying(why)),
    }
}

fn failed(why: Why) -> Turn {
    Turn::to(State::Failed).because(why)
}

fn review(why: Why, detail: &str) -> Next {
    Next::Go(Turn::to(State::ManualReview).because(why).saying(detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        money::Vnd,
        purchase::{Channel, Item},
    };

    const NOW: UnixMs = UnixMs(1_800_000_000_000);

    /// Confirmed and in its state for so long.
    fn purchase(state: State, for_ms: i64) -> Purchase {
        let since = NOW.plus_ms(-for_ms);
        Purchase {
            id: "p".parse().unwrap(),
            phone: "84912345678".parse().unwrap(),
            bank: "vcb".parse().unwrap(),
            channel: Channel::Sms,
            item: Item::Card("MOBI10".parse().unwrap()),
            amount: Vnd::new(10_000).unwrap(),
            state,
            version: 3,
            attempts: 1,
            created_at: since,
            updated_at: since,
            confirmed_at: Some(since),
            charge_asked_at: Some(since),
            response_code: None,
            why: None,
            card_resends: 0,
        }
    }

    fn all_that_is_heard() -> Vec<Heard> {
        let said = [
            Charged::Approved {
                authorization: String::new(),
            },
            Charged::Declined {
                response_code: "51".to_owned(),
            },
            Charged::NotSent { why: String::new() },
            Charged::Pending,
            Charged::Reversing,
            Charged::Reversed,
            Charged::ReversalFailed,
            Charged::Resolved { how: String::new() },
        ];
        let mut heard: Vec<Heard> = said.into_iter().map(Heard::Said).collect();
        heard.push(Heard::NeverHad);
        heard.push(Heard::Nothing(Unheard(String::new())));
        heard
    }

    #[test]
    fn every_answer_at_every_time_leads_where_a_purchase_may_go() {
        for state in State::ALL.iter().copied() {
            for for_ms in [0, CHARGE_WINDOW_MS, INQUIRY_MAX_MS] {
                let purchase = purchase(state, for_ms);
                if !matches!(
                    call(&purchase, NOW),
                    Call::Charge | Call::Find | Call::Reverse
                ) {
                    continue;
                }
                for heard in all_that_is_heard() {
                    match next(&purchase, heard.clone(), NOW) {
                        Next::Stay => assert!(for_ms < INQUIRY_MAX_MS, "{state}: {heard:?}"),
                        Next::Go(turn) => {
                            assert!(state.may_become(turn.to), "{state}: {heard:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn only_an_approval_leads_to_a_card_and_only_a_final_answer_to_a_failure() {
        for state in [State::Charging, State::Unknown, State::Reversing] {
            for heard in all_that_is_heard() {
                let Next::Go(turn) = next(&purchase(state, 0), heard.clone(), NOW) else {
                    continue;
                };
                let is_approved = matches!(heard, Heard::Said(Charged::Approved { .. }));
                assert_eq!(
                    turn.to == State::FundsHeld,
                    is_approved && state != State::Reversing
                );
                let is_final = matches!(
                    heard,
                    Heard::Said(
                        Charged::Declined { .. } | Charged::NotSent { .. } | Charged::Reversed
                    )
                );
                assert!(turn.to != State::Failed || is_final, "{state}: {heard:?}");
            }
        }
    }

    #[test]
    fn a_charge_is_sent_within_its_time_and_what_may_have_been_sent_is_only_asked_about() {
        let fresh = purchase(State::Charging, CHARGE_WINDOW_MS - 1);
        assert_eq!(call(&fresh, NOW), Call::Charge);
        let late = purchase(State::Charging, CHARGE_WINDOW_MS);
        assert_eq!(call(&late, NOW), Call::Find);
        let never_asked = Purchase {
            charge_asked_at: None,
            ..late
        };
        assert_eq!(call(&never_asked, NOW), Call::TooLate);
    }

    #[test]
    fn every_state_that_has_something_to_do_comes_due() {
        for state in State::ALL.iter().copied() {
            let has_to_do = call(&purchase(state, 0), NOW) != Call::Rest;
            // Its order says when the time for its code is over.
            let due = due_on_entry(state, NOW).is_some() || state == State::Authenticating;
            assert_eq!(due, has_to_do, "{state}");
        }
    }
}
