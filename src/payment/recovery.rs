//! The part of the desk that begins where the last process ended.
//!
//! What had its outcome keeps it. What may have been sent and was not answered is taken back, or is
//! unknown if it moves no money. What was being taken back goes on as 0421 under the STAN and time
//! that the bank has seen. All of this is in the desk before it takes its first payment, and goes
//! through the journal like everything else.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tracing::info;

use super::{
    desk::{Desk, RecordId, utc_ms},
    record::{Record, Resolution, Reversal, Stage},
    recording::Recording,
    row::state_of,
    state::{Event, State},
};
use crate::{
    iso8583::session::Now,
    journal::{self, Kept, KeptReversal, ReversalEnd},
    outcome::Reason,
};

/// Why a payment of the journal cannot be gone on with. The fault is that of the configuration: the
/// journal's own were found when it was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "payment {id} of client {client} (record {number} of the journal) has to be reversed, and bank \
     {bank} as it is configured now cannot be sent its 0420: {what}; start with the dialect and the \
     match that the payment was made with, and change them when `sampan reversals list` is empty"
)]
pub struct RecoveryError {
    /// The bank.
    pub bank: String,
    /// The upstream service.
    pub client: String,
    /// Its payment.
    pub id: String,
    /// The journal's number.
    pub number: u64,
    /// What the dialect said, or which element its answer would be found by.
    pub what: String,
}

impl Desk {
    /// Takes over the bank's payments from the journal. To be called once, before anything else.
    ///
    /// # Errors
    /// A reversal that the bank's dialect cannot write, or the answer to which could not be found.
    pub(super) fn recover(
        &mut self,
        now: Now,
        mut kept: Vec<(u64, Kept)>,
    ) -> Result<(), RecoveryError> {
        kept.sort_by_key(|(number, _)| *number);
        let mut ends = Ends::new(utc_ms(now));
        let mut kept: Vec<(i64, u64, Kept)> = kept
            .into_iter()
            .map(|(number, kept)| (ends.of(&kept), number, kept))
            .collect();
        // Retention ends in the order of the ends.
        kept.sort_by_key(|(end, number, _)| (*end, *number));
        let count = kept.len();
        let mut interrupted = Vec::new();
        for (ended, number, kept) in kept {
            let id = self.restore(now, number, ended, kept)?;
            interrupted.extend(self.resume(now, id));
        }
        let unanswered = interrupted.len();
        for id in interrupted {
            self.happen(now, id, Event::Unanswered(Reason::LinkLost));
        }
        if count > 0 {
            info!(
                bank = %self.bank, payments = count, unanswered, reversing = self.open_reversals.len(),
                failed = self.reversals_failed, "went on with the payments of the journal"
            );
        }
        Ok(())
    }

    /// Puts a payment into the desk as its row says.
    fn restore(
        &mut self,
        now: Now,
        number: u64,
        ended: i64,
        kept: Kept,
    ) -> Result<RecordId, RecoveryError> {
        let (state, reason) = state_of(&kept.stage);
        let (kept_reversal, resolution) = match kept.stage {
            journal::Stage::Sending | journal::Stage::Ended { .. } => (None, None),
            journal::Stage::Reversing(reversal) => (Some(reversal), None),
            journal::Stage::ReversalEnded { reversal, end, .. } => (Some(reversal), by_hand(end)),
        };
        let bank = Arc::clone(&self.bank);
        let at_fault = |what| RecoveryError {
            bank: bank.to_string(),
            client: kept.key.client.to_string(),
            id: kept.key.id.as_str().to_owned(),
            number,
            what,
        };
        let reversal = match kept_reversal {
            // One that could not be built is built when an operator wants it tried again.
            Some(kept) if kept.message.stan().is_some() => {
                match self.restore_reversal(now, kept) {
                    Ok(reversal) => Some(Box::new(reversal)),
                    // Nothing of it will be sent again, so a change of the configuration stops nobody.
                    Err(_) if matches!(state, State::Reversed | State::Resolved) => None,
                    Err(what) => return Err(at_fault(what)),
                }
            }
            Some(_) | None => None,
        };
        if !state.is_settled() {
            // Its 0420 will have the same elements, and would find no answer without them.
            let found = self.settings.match_by.key_of(&kept.request.to_message());
            found.map_err(|error| at_fault(error.to_string()))?;
        }
        let record = Box::new(Record {
            number,
            fingerprint: kept.fingerprint,
            began_utc_ms: kept.began_utc_ms,
            ended_utc_ms: ended,
            amount: kept.request.get(4).and_then(|own| own.try_into().ok()),
            state,
            recording: Recording::durable(state),
            retained_until: None,
            stan: kept.stan,
            exchange: None,
            request: kept.request,
            reason,
            response: kept.response,
            late_response_code: kept.late_response_code[..].into(),
            actual_amount_minor: reversal.as_ref().and_then(|own| own.actual_amount_minor),
            reversal,
            resolution,
            waiting: Vec::new(),
            key: kept.key,
        });
        let digest = self.registry.digest(&record.key);
        self.registry.restore(digest, self.next_place());
        Ok(self.store(record))
    }

    fn restore_reversal(&mut self, now: Now, kept: KeptReversal) -> Result<Reversal, String> {
        let age_ms = u64::try_from(utc_ms(now) - kept.began_utc_ms).unwrap_or(0);
        let began = earlier(now.monotonic, Duration::from_millis(age_ms));
        let actual = kept.message.get(95).and_then(|own| {
            let digits = std::str::from_utf8(own.get(..12)?).ok()?;
            digits.parse().ok()
        });
        let reversal = self.reversal_of(kept.message, kept.reason, (began, kept.began_utc_ms))?;
        Ok(Reversal {
            // Its 0420 may have left, whatever the row says: rows are not written for each message.
            attempts: kept.attempts.max(1),
            actual_amount_minor: actual,
            response_code: kept.response_code,
            ..reversal
        })
    }

    /// Goes on with a payment; gives its id if it was interrupted before its answer.
    fn resume(&mut self, now: Now, id: RecordId) -> Option<RecordId> {
        let retention = self.settings.retention;
        let record = self.record(id)?;
        let state = record.state;
        match state {
            State::Reversing => {
                self.expect_late(id);
                self.hold_reversal_stan(id);
                let reversal = self.reversal(id)?;
                reversal.stage = Stage::Waiting;
                let (key, card, place) = (reversal.key, reversal.card, reversal.place(id));
                // If another one has it, which a change of the configuration may bring about, it has to
                // wait until that is over.
                self.keys.hold(key, id);
                self.open_reversals.insert(place);
                self.lines.enter(card, place);
                None
            }
            state if state.is_settled() => {
                let age_ms = u64::try_from(utc_ms(now) - record.ended_utc_ms).unwrap_or(0);
                let ended = earlier(now.monotonic, Duration::from_millis(age_ms));
                let ends = ended + retention;
                record.retained_until = Some(ends);
                self.keep(id, ends);
                if state == State::ReversalFailed {
                    self.hold_reversal_stan(id);
                }
                None
            }
            // Its own STAN is free: no link of this process waits for an answer to it.
            _ => Some(id),
        }
    }

    fn hold_reversal_stan(&mut self, id: RecordId) {
        let stans = self.stans.clone();
        let own = self.record(id).map(|record| record.stan);
        if let Some(reversal) = self.reversal(id)
            && Some(reversal.stan) != own
        {
            reversal.stan_is_held = stans.hold_that_of(&reversal.message);
        }
    }
}

fn by_hand(end: ReversalEnd) -> Option<Box<Resolution>> {
    match end {
        ReversalEnd::Resolved { operator, reason } => {
            Some(Box::new(Resolution { operator, reason }))
        }
        ReversalEnd::Accepted | ReversalEnd::Failed => None,
    }
}

/// When payments ended, for their retention, whatever was done to the clock meanwhile: what has a
/// higher number was accepted later, so a payment cannot have ended before one of a lower number began,
/// nor in the future.
struct Ends {
    now_utc_ms: i64,
    latest_began_utc_ms: i64,
}

impl Ends {
    fn new(now_utc_ms: i64) -> Self {
        Self {
            now_utc_ms,
            latest_began_utc_ms: i64::MIN,
        }
    }

    /// Of the payment with the next number.
    fn of(&mut self, kept: &Kept) -> i64 {
        let began = kept.began_utc_ms.min(self.now_utc_ms);
        self.latest_began_utc_ms = self.latest_began_utc_ms.max(began);
        let ended = match &kept.stage {
            journal::Stage::Ended { at_utc_ms, .. }
            | journal::Stage::ReversalEnded { at_utc_ms, .. } => *at_utc_ms,
            journal::Stage::Sending | journal::Stage::Reversing(_) => self.now_utc_ms,
        };
        ended.max(self.latest_began_utc_ms).min(self.now_utc_ms)
    }
}

/// The moment so long before; as far back as the clock goes, if it does not go back so far.
fn earlier(now: Instant, by: Duration) -> Instant {
    let mut by = by;
    loop {
        match now.checked_sub(by) {
            Some(then) => return then,
            None => by /= 2,
        }
    }
}
