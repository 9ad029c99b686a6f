//! Where a purchase stands, where it can go from there, and why it went.
//!
//! ```text
//!   CREATED ─► AUTHENTICATING ─┬─► CANCELLED, EXPIRED                          nothing was asked of the bank
//!                              │
//!                   the code   ├─► FAILED  no card
//!                   is right   ▼
//!                          CHARGING ───────────► FAILED  declined, not sent, too late: nothing is debited
//!                 approved │  ▲ │ not known
//!                          │  │ └─► UNKNOWN ◄─► asked until it is ─► FUNDS_HELD, FAILED
//!                          │  └───── the router never had it
//!                          │        REVERSING ─► asked until it is taken back ─► FAILED
//!                          ▼
//!                      FUNDS_HELD ─► FULFILLING ─► FULFILLED ─► COMPLETED  an SMSC has the card code
//!                                        │ there is no card
//!                                        ▼
//!                                   COMPENSATING ─► REFUNDED  the bank has acknowledged it
//!                                        ▲
//!   a merchant gives his paid order back ┘  from FULFILLED and COMPLETED
//!
//!   MANUAL_REVIEW  from UNKNOWN, REVERSING, CHARGING and COMPENSATING where nobody can say what the bank
//!                  has; an operator lets it go on to FUNDS_HELD, FAILED or REFUNDED, or be asked about again
//! ```
//!
//! Nothing here knows a database, a clock or a bank.

use std::fmt;

use State as S;

/// Declares words that stand in the database.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As it stands in the database.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The one with that word.
            pub fn of(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// Where a purchase stands.
    State {
        /// It is ordered.
        Created = "CREATED",
        /// A one-time password was sent.
        Authenticating = "AUTHENTICATING",
        /// The subscriber has confirmed it, and the bank is to be charged or is being charged.
        Charging = "CHARGING",
        /// The bank has debited, and the money is set aside in the books.
        FundsHeld = "FUNDS_HELD",
        /// The card is to be handed out; a try has failed.
        Fulfilling = "FULFILLING",
        /// The card is handed out and its code queued; the money is the seller's.
        Fulfilled = "FULFILLED",
        /// An SMSC has the message.
        Completed = "COMPLETED",
        /// The subscriber has given it up.
        Cancelled = "CANCELLED",
        /// He has not confirmed it in time.
        Expired = "EXPIRED",
        /// It came to nothing, and nothing is debited.
        Failed = "FAILED",
        /// Nobody can say yet whether the bank has debited.
        Unknown = "UNKNOWN",
        /// The router takes the charge back.
        Reversing = "REVERSING",
        /// It is paid and cannot be fulfilled: we have it taken back.
        Compensating = "COMPENSATING",
        /// The bank has acknowledged that.
        Refunded = "REFUNDED",
        /// A person has to look.
        ManualReview = "MANUAL_REVIEW",
    }
}

words! {
    /// Why a purchase went another way than wanted.
    Why {
        /// The bank has declined.
        Declined = "declined",
        /// Nothing left the router.
        NotSent = "not_sent",
        /// There is no card.
        OutOfStock = "out_of_stock",
        /// The charge was not sent in time.
        TooLate = "too_late",
        /// The router has taken the charge back.
        Reversed = "reversed",
        /// The card's PIN code cannot be opened.
        Sealed = "sealed",
        /// The charge could not be taken back.
        ReversalFailed = "reversal_failed",
        /// The router's operator has settled the charge by hand.
        Resolved = "resolved",
        /// The router knows nothing of the charge any more.
        Forgotten = "forgotten",
        /// The router's answers contradict each other.
        Contradiction = "contradiction",
        /// There was no answer for too long.
        Unanswered = "unanswered",
        /// Our operator has settled it.
        Settled = "settled",
    }
}

impl State {
    /// Whether nothing becomes of it any more, unless a merchant gives back what was paid.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            S::Completed | S::Cancelled | S::Expired | S::Failed | S::Refunded
        )
    }

    /// Whether it counts as open for its subscriber: its end is not known to him.
    pub fn is_open(self) -> bool {
        !self.is_final() && self != S::Fulfilled
    }

    /// Whether the books hold its money aside.
    pub fn may_hold_money(self) -> bool {
        matches!(
            self,
            S::FundsHeld | S::Fulfilling | S::Compensating | S::ManualReview
        )
    }

    /// Where it can go from here.
    pub fn may_become(self, to: Self) -> bool {
        match self {
            S::Created => to == S::Authenticating,
            S::Authenticating => {
                matches!(to, S::Charging | S::Cancelled | S::Expired | S::Failed)
            }
            S::Charging => matches!(
                to,
                S::FundsHeld | S::Failed | S::Unknown | S::Reversing | S::ManualReview
            ),
            S::Unknown => matches!(
                to,
                S::Charging | S::FundsHeld | S::Failed | S::Reversing | S::ManualReview
            ),
            S::Reversing => matches!(to, S::Failed | S::ManualReview),
            S::FundsHeld => to == S::Fulfilling,
            S::Fulfilling => matches!(to, S::Fulfilled | S::Compensating),
            S::Fulfilled => matches!(to, S::Completed | S::Compensating),
            // Of a merchant's order alone, which `refund` sees to and the database too.
            S::Completed => to == S::Compensating,
            S::Compensating => matches!(to, S::Refunded | S::ManualReview),
            S::ManualReview => {
                matches!(
                    to,
                    S::FundsHeld | S::Failed | S::Refunded | S::Unknown | S::Compensating
                )
            }
            S::Cancelled | S::Expired | S::Failed | S::Refunded => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nexts(from: State) -> impl Iterator<Item = State> {
        let all = State::ALL.iter().copied();
        all.filter(move |to| from.may_become(*to))
    }

    #[test]
    fn a_final_state_leads_nowhere_and_every_other_to_a_final_one() {
        for state in State::ALL.iter().copied() {
            let leads_nowhere = nexts(state).next().is_none();
            let is_end = state.is_final() && state != State::Completed;
            assert_eq!(leads_nowhere, is_end, "{state}");
            let mut reached = vec![state];
            let mut at = 0;
            while let Some(one) = reached.get(at).copied() {
                for next in nexts(one) {
                    if !reached.contains(&next) {
                        reached.push(next);
                    }
                }
                at += 1;
            }
            assert!(reached.iter().any(|one| one.is_final()), "{state}");
        }
    }

    #[test]
    fn a_card_is_handed_out_only_by_way_of_held_funds() {
        let before = |to| {
            let all = State::ALL.iter().copied();
            all.filter(move |from| from.may_become(to))
                .collect::<Vec<_>>()
        };
        assert_eq!(before(State::Fulfilled), [State::Fulfilling]);
        assert_eq!(before(State::Fulfilling), [State::FundsHeld]);
        assert_eq!(
            before(State::Compensating),
            [
                State::Fulfilling,
                State::Fulfilled,
                State::Completed,
                State::ManualReview
            ]
        );
    }

    #[test]
    fn what_was_reversed_or_given_back_is_never_fulfilled() {
        for state in [State::Reversing, State::Compensating] {
            assert!(!nexts(state).any(|to| to == State::FundsHeld), "{state}");
        }
    }

    #[test]
    fn every_word_is_found_again() {
        for state in State::ALL {
            assert_eq!(State::of(state.word()), Some(*state));
        }
        for why in Why::ALL {
            assert_eq!(Why::of(why.word()), Some(*why));
        }
        assert_eq!(State::of("completed"), None);
    }
}
