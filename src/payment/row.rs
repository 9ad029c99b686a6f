//! Between a record and its row in the journal.
//!
//! A row holds all that tells the caller the outcome, and all that takes the payment back, so that a
//! record that was read from its row goes on as if there had been no restart. It holds no more: what
//! may not be kept was left out when the record was made.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    record::{Record, Resolution, Reversal},
    state::State,
};
use crate::{
    iso8583::{Message, Mti},
    journal::{End, Kept, KeptReversal, ReversalEnd, Stage},
    outcome::Reason,
};

impl Record {
    /// The record as it is now.
    pub(super) fn to_kept(&self, bank: Arc<str>) -> Kept {
        Kept {
            bank,
            key: self.key.clone(),
            fingerprint: self.fingerprint,
            began_utc_ms: self.began_utc_ms,
            stan: self.stan,
            request: self.request.clone(),
            response: self.response.clone(),
            late_response_code: Bytes::copy_from_slice(&self.late_response_code),
            stage: self.stage(),
        }
    }

    fn stage(&self) -> Stage {
        let reason = self.reason.unwrap_or(Reason::Internal);
        match self.state {
            State::Journalling | State::Dispatched | State::Cancelling => Stage::Sending,
            State::Approved => self.ended(End::Approved),
            State::Declined => self.ended(End::Declined),
            State::NotSent => self.ended(End::NotSent(reason)),
            State::Unknown => self.ended(End::Unknown(reason)),
            State::Reversing => Stage::Reversing(self.kept_reversal()),
            State::Reversed => self.reversal_ended(ReversalEnd::Accepted),
            State::ReversalFailed => self.reversal_ended(ReversalEnd::Failed),
            State::Resolved => {
                let Resolution { operator, reason } =
                    self.resolution.as_deref().cloned().unwrap_or_default();
                self.reversal_ended(ReversalEnd::Resolved { operator, reason })
            }
        }
    }

    fn ended(&self, end: End) -> Stage {
        Stage::Ended {
            end,
            at_utc_ms: self.ended_utc_ms,
        }
    }

    fn reversal_ended(&self, end: ReversalEnd) -> Stage {
        Stage::ReversalEnded {
            reversal: self.kept_reversal(),
            end,
            at_utc_ms: self.ended_utc_ms,
        }
    }

    /// A reversal that could not be built is one without elements.
    fn kept_reversal(&self) -> KeptReversal {
        match &self.reversal {
            Some(reversal) => reversal.to_kept(),
            None => KeptReversal {
                reason: self.reason.unwrap_or(Reason::Internal),
                message: Message::new(Mti::REVERSAL_ADVICE),
                began_utc_ms: self.ended_utc_ms,
                attempts: 0,
                response_code: Bytes::new(),
            },
        }
    }
}

impl Reversal {
    fn to_kept(&self) -> KeptReversal {
        KeptReversal {
            reason: self.reason,
            message: self.message.clone(),
            began_utc_ms: self.began_utc_ms,
            attempts: self.attempts,
            response_code: self.response_code.clone(),
        }
    }
}

/// What a stage says of a record: its state, and why it is in it.
pub(super) fn state_of(stage: &Stage) -> (State, Option<Reason>) {
    match stage {
        // Whether its bytes have left is not known, so it is as if they had.
        Stage::Sending => (State::Dispatched, None),
        Stage::Ended { end, .. } => match *end {
            End::Approved => (State::Approved, None),
            End::Declined => (State::Declined, None),
            End::NotSent(reason) => (State::NotSent, Some(reason)),
            End::Unknown(reason) => (State::Unknown, Some(reason)),
        },
        Stage::Reversing(reversal) => (State::Reversing, Some(reversal.reason)),
        Stage::ReversalEnded { reversal, end, .. } => {
            let state = match end {
                ReversalEnd::Accepted => State::Reversed,
                ReversalEnd::Failed => State::ReversalFailed,
                ReversalEnd::Resolved { .. } => State::Resolved,
            };
            (state, Some(reversal.reason))
        }
    }
}
