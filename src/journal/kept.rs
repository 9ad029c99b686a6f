//! What the journal keeps of one payment: all that a restart needs to tell its caller the outcome, or
//! to take it back under the very identity that the bank has seen.
//!
//! A row is the whole payment, written anew at each step that matters. Whoever makes one must leave
//! out what may never be kept: the PIN block (DE52), the tracks (DE35, 36, 45) and the chip's data
//! (DE55). What remains is card data all the same, so it shows itself without its messages.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use super::Elements;
use crate::{
    client::PaymentKey,
    digest::Digest,
    iso8583::{Message, Mti, Stan},
    outcome::Reason,
};

/// One payment.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// The bank.
    pub bank: Arc<str>,
    /// Whose payment, and which.
    pub key: PaymentKey,
    /// Tells the same id with another body apart, under the journal's own key.
    pub fingerprint: Digest,
    /// When it was accepted, in milliseconds of the Unix epoch.
    pub began_utc_ms: i64,
    /// DE11 of the request.
    pub stan: Stan,
    /// The request without what may not be kept.
    pub request: KeptRequest,
    /// What the bank answered, if it did.
    pub response: KeptResponse,
    /// DE39 of an answer that came after the outcome was told, or empty.
    pub late_response_code: Bytes,
    /// How far it is.
    pub stage: Stage,
}

/// A request. Card data: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptRequest {
    mti: Mti,
    elements: Elements,
}

impl KeptRequest {
    /// Of a message what is to be kept, and may be.
    pub fn of(message: &Message, is_to_be_kept: impl Fn(u8) -> bool) -> Self {
        let kept = message.iter().filter(|(number, _)| is_to_be_kept(*number));
        Self {
            mti: message.mti(),
            elements: Elements::of(kept),
        }
    }

    /// The message type.
    pub fn mti(&self) -> Mti {
        self.mti
    }

    /// The value of an element.
    pub fn get(&self, number: u8) -> Option<&[u8]> {
        self.elements.get(number)
    }

    /// Its elements, rising by number.
    pub fn elements(&self) -> &Elements {
        &self.elements
    }

    /// The message, as far as it is kept.
    pub fn to_message(&self) -> Message {
        let mut message = Message::new(self.mti);
        for (number, value) in self.elements.iter() {
            message.set(number, value);
        }
        message
    }
}

/// What a caller is told of the bank's answer; empty as long as there is none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeptResponse(Elements);

impl KeptResponse {
    /// DE39 and DE38, empty if they are missing, and the others that may be told.
    pub fn new<'v>(
        code: &'v [u8],
        authorization_id: &'v [u8],
        others: impl Iterator<Item = (u8, &'v [u8])>,
    ) -> Self {
        let codes = [(DE_CODE, code), (DE_AUTHORIZATION_ID, authorization_id)];
        let codes = codes.into_iter().filter(|(_, value)| !value.is_empty());
        Self(Elements::of(codes.chain(others.filter(is_other))))
    }

    /// DE39, or empty.
    pub fn code(&self) -> &[u8] {
        self.0.get(DE_CODE).unwrap_or_default()
    }

    /// DE38, or empty.
    pub fn authorization_id(&self) -> &[u8] {
        self.0.get(DE_AUTHORIZATION_ID).unwrap_or_default()
    }

    /// The value of another element.
    pub fn other(&self, number: u8) -> Option<&[u8]> {
        let found = self.others().find(|(own, _)| *own == number);
        found.map(|(_, value)| value)
    }

    /// The other elements. They hold balances.
    pub fn others(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.0.iter().filter(is_other)
    }
}

/// DE38, by which the bank names its approval.
const DE_AUTHORIZATION_ID: u8 = 38;

/// DE39, the response code.
const DE_CODE: u8 = 39;

fn is_other((number, _): &(u8, &[u8])) -> bool {
    ![DE_AUTHORIZATION_ID, DE_CODE].contains(number)
}

/// How far a payment is, as far as a restart has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its bytes may leave, or have left, at any moment from here on.
    Sending,
    /// It ended without a reversal.
    Ended {
        /// In what.
        end: End,
        /// When, in milliseconds of the Unix epoch.
        at_utc_ms: i64,
    },
    /// The bank is told to take it back until it acknowledges that.
    Reversing(KeptReversal),
    /// The taking back is over.
    ReversalEnded {
        /// The reversal.
        reversal: KeptReversal,
        /// How it ended.
        end: ReversalEnd,
        /// When, in milliseconds of the Unix epoch.
        at_utc_ms: i64,
    },
}

/// In what a payment ended that is not taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The bank approved.
    Approved,
    /// The bank declined.
    Declined,
    /// No byte left.
    NotSent(Reason),
    /// It may have left, was not answered, and moves no money.
    Unknown(Reason),
}

/// How a reversal ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReversalEnd {
    /// The bank has taken the payment back.
    Accepted,
    /// An operator must look: the bank refused, or the budget is spent.
    Failed,
    /// An operator has looked, and settled it with the bank.
    Resolved {
        /// Who, as authenticated.
        operator: String,
        /// What was found, in the operator's words.
        reason: String,
    },
}

/// The taking back of a payment.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptReversal {
    /// Why.
    pub reason: Reason,
    /// The 0420 with its STAN (DE11) and time (DE7), which no repeat may change. Card data.
    pub message: Message,
    /// When it began, in milliseconds of the Unix epoch.
    pub began_utc_ms: i64,
    /// Messages whose bytes may have left. After a crash it may be too low, never too high.
    pub attempts: u32,
    /// DE39 of the last 0430, or empty.
    pub response_code: Bytes,
}

/// Whether an element may never be kept, whatever for (PCI DSS 3.3): the tracks, the PIN block and the
/// chip's data.
pub fn is_never_kept(number: u8) -> bool {
    matches!(number, 35 | 36 | 45 | 52 | 55)
}

/// How far a payment is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeptState {
    /// Its bytes may have left.
    Sending,
    /// The bank approved.
    Approved,
    /// The bank declined.
    Declined,
    /// No byte left.
    NotSent,
    /// It may have left, and moves no money.
    Unknown,
    /// It is being taken back.
    Reversing,
    /// The bank has taken it back.
    Reversed,
    /// The taking back has failed, and an operator must look.
    ReversalFailed,
    /// An operator has settled it with the bank.
    Resolved,
}

impl KeptState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Sending,
        Self::Approved,
        Self::Declined,
        Self::NotSent,
        Self::Unknown,
        Self::Reversing,
        Self::Reversed,
        Self::ReversalFailed,
        Self::Resolved,
    ];

    /// The word, for lists and exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sending => "sending",
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
}

impl Kept {
    /// How far it is, in one word.
    pub fn state(&self) -> KeptState {
        match &self.stage {
            Stage::Sending => KeptState::Sending,
            Stage::Ended { end, .. } => match end {
                End::Approved => KeptState::Approved,
                End::Declined => KeptState::Declined,
                End::NotSent(_) => KeptState::NotSent,
                End::Unknown(_) => KeptState::Unknown,
            },
            Stage::Reversing(_) => KeptState::Reversing,
            Stage::ReversalEnded { end, .. } => match end {
                ReversalEnd::Accepted => KeptState::Reversed,
                ReversalEnd::Failed => KeptState::ReversalFailed,
                ReversalEnd::Resolved { .. } => KeptState::Resolved,
            },
        }
    }

    /// When it was settled, in milliseconds of the Unix epoch; `None` while it is open.
    pub fn settled_utc_ms(&self) -> Option<i64> {
        match &self.stage {
            Stage::Sending | Stage::Reversing(_) => None,
            Stage::Ended { at_utc_ms, .. } | Stage::ReversalEnded { at_utc_ms, .. } => {
                Some(*at_utc_ms)
            }
        }
    }

    /// Its taking back, if there is one.
    pub fn reversal(&self) -> Option<&KeptReversal> {
        match &self.stage {
            Stage::Sending | Stage::Ended { .. } => None,
            Stage::Reversing(reversal) | Stage::ReversalEnded { reversal, .. } => Some(reversal),
        }
    }
}

/// Without messages, answers and fingerprints.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("bank", &self.bank)
            .field("payment", &self.key.id.as_str())
            .field("stan", &self.stan)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// Without the elements.
impl fmt::Debug for KeptResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptResponse")
            .field("code", &self.code().escape_ascii().to_string())
            .finish_non_exhaustive()
    }
}

/// Without the message.
impl fmt::Debug for KeptReversal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptReversal")
            .field("reason", &self.reason)
            .field("attempts", &self.attempts)
            .field("response_code", &self.response_code)
            .finish_non_exhaustive()
    }
}
