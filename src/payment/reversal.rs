//! The part of the desk that takes payments back: 0420, then 0421 until the bank acknowledges.
//!
//! The STAN and the time of a reversal are fixed and durable before its first message, a repeat
//! differs in the MTI alone, and the budget is spent only by messages that the bank could have
//! answered.

use std::time::Duration;

use bytes::Bytes;
use tracing::{error, info, warn};

use super::{
    build,
    desk::{Desk, Dispatch, Leg, RecordId},
    record::{Reversal, Stage},
    state::Event,
};
use crate::{
    iso8583::{MatchKey, Message, Mti, session::Now},
    journal,
    link::{Exchange, settings::ReversalStan},
    outcome::Reason,
};

/// DE39 of a 0430 by which the bank says that it has taken the payment back.
const APPROVED: &[u8] = b"00";

impl Desk {
    /// The payment has just entered the state of being reversed.
    pub(super) fn begin_reversal(&mut self, now: Now, id: RecordId, reason: Reason) {
        self.unsettle(id);
        self.open_reversals.insert((now.monotonic, id));
        if let Some(record) = self.record(id) {
            let stan = record.stan;
            self.unanswered.insert(stan, id);
        }
        match self.build_reversal(now, id, reason) {
            Ok(reversal) => {
                if let Some(record) = self.record(id) {
                    record.reversal = Some(Box::new(reversal));
                }
                self.record_reversal(id);
            }
            Err(why) => {
                error!(bank = %self.bank, "a reversal cannot be built, an operator must look: {why}");
                self.happen(now, id, Event::ReversalRefused);
            }
        }
    }

    fn build_reversal(
        &mut self,
        now: Now,
        id: RecordId,
        reason: Reason,
    ) -> Result<Reversal, String> {
        let record = self.record(id).ok_or("its record is gone")?;
        let (request, own_stan) = (record.request.clone(), record.stan);
        let authorization_id = record.response.authorization_id.clone();
        let settings = std::sync::Arc::clone(&self.settings);
        let request = settings
            .dialect
            .decode(request)
            .map_err(|error| error.to_string())?;
        let held = match settings.reversal.stan {
            ReversalStan::New => self.stans.hold(),
            ReversalStan::Original => None,
        };
        // Under the payment's own STAN the MTI class still tells the two apart.
        let stan = held.unwrap_or(own_stan);
        let encoded = build::reversal(
            &request,
            &authorization_id,
            &settings.reversal,
            reason,
            stan,
            now,
        )
        .map_err(|error| error.to_string())
        .and_then(|message| self.encode_both(message));
        if let (Err(_), Some(unused)) = (&encoded, held) {
            self.stans.release(unused);
        }
        let (first, repeat) = encoded?;
        Ok(Reversal {
            reason,
            stan,
            stan_is_held: held.is_some(),
            key: MatchKey::new(Mti::REVERSAL_ADVICE, stan),
            first,
            repeat,
            stage: Stage::Journalling,
            attempts: 0,
            pause: settings.reversal.repeat_min,
            spent: Duration::ZERO,
            began: now.monotonic,
            response_code: Bytes::new(),
        })
    }

    /// A 0420 and its 0421.
    fn encode_both(&mut self, mut message: Message) -> Result<(Bytes, Bytes), String> {
        let first = self.encode(&message)?;
        message.set_mti(Mti::REVERSAL_ADVICE.repeat());
        Ok((first, self.encode(&message)?))
    }

    fn record_reversal(&mut self, id: RecordId) {
        let Some(reversal) = self.record(id).and_then(|record| record.reversal.as_ref()) else {
            return;
        };
        let record = journal::Record::Reversing {
            reason: reversal.reason,
            reversal: reversal.first.clone(),
        };
        self.journal_first(id, record);
    }

    /// The record of a reversal is durable: now the caller may hear of it, and the bank too.
    pub(super) fn reversal_recorded(&mut self, now: Now, id: RecordId, durable: bool) {
        if durable {
            if let Some(reversal) = self.reversal(id) {
                reversal.stage = Stage::Resting;
            }
            self.tell(id);
            self.send_reversal(now, id);
        } else {
            // The caller still waits and the bank still has the debit, so the journal is tried again.
            let pause = self.settings.reversal.repeat_min;
            self.due.insert((now.monotonic + pause, id));
        }
    }

    /// A reversal's pause is over.
    pub(super) fn send_reversal(&mut self, now: Now, id: RecordId) {
        let deadline = now.monotonic + self.settings.link.response_timeout;
        let Some(reversal) = self.reversal(id) else {
            return;
        };
        if reversal.stage == Stage::Journalling {
            self.record_reversal(id);
            return;
        }
        reversal.stage = Stage::Sent(now.monotonic);
        let dispatch = Dispatch {
            record: id,
            leg: Leg::Reversal,
            key: reversal.key,
            message: reversal.message().clone(),
            deadline,
        };
        self.metrics.reversal_messages.increment(1);
        self.out.dispatches.push(dispatch);
    }

    /// What a link tells of a reversal's message.
    pub(super) fn reversal_exchanged(&mut self, now: Now, id: RecordId, exchange: Exchange) {
        let settings = std::sync::Arc::clone(&self.settings);
        let Some(reversal) = self.reversal(id) else {
            return;
        };
        let message = match exchange {
            Exchange::NotSent(_) => {
                // No byte left: not an attempt, and the wait for a link costs no budget.
                let pause = settings.reversal.repeat_min;
                reversal.stage = Stage::Resting;
                self.due.insert((now.monotonic + pause, id));
                return;
            }
            Exchange::TimedOut | Exchange::Lost | Exchange::GivenUp => None,
            Exchange::Answered(message) => Some(message),
        };
        reversal.attempts += 1;
        match message.as_ref().and_then(|message| message.get(39)) {
            None => self.repeat_later(now, id),
            Some(code) => self.reversal_answered(now, id, code),
        }
    }

    fn reversal_answered(&mut self, now: Now, id: RecordId, code: &[u8]) {
        let settings = std::sync::Arc::clone(&self.settings);
        let is_one_of = |codes: &[String]| codes.iter().any(|own| own.as_bytes() == code);
        if let Some(reversal) = self.reversal(id) {
            reversal.response_code = Bytes::copy_from_slice(code);
        }
        if is_one_of(&settings.reversal.final_codes) {
            if code != APPROVED {
                let (bank, code) = (&self.bank, code.escape_ascii());
                warn!(%bank, %code, "this reversal is over by configuration only: reconcile it");
            }
            self.happen(now, id, Event::ReversalAccepted);
        } else if is_one_of(&settings.reversal.retry_codes) {
            self.repeat_later(now, id);
        } else {
            self.happen(now, id, Event::ReversalRefused);
        }
    }

    /// A 0430 that missed its timeout. It ends a resting reversal if it is good news, so that a slow
    /// bank does not see 0421 until the budget is spent; bad news can wait for the next answer.
    pub(super) fn reversal_answered_late(&mut self, now: Now, key: MatchKey, message: &Message) {
        let code = message.get(39).unwrap_or_default();
        let mut final_codes = self.settings.reversal.final_codes.iter();
        if !final_codes.any(|own| own.as_bytes() == code) {
            return;
        }
        let open: Vec<RecordId> = self.open_reversals.iter().map(|(_, id)| *id).collect();
        let answered = open.into_iter().find(|id| {
            self.reversal(*id).is_some_and(|reversal| {
                reversal.key == key && reversal.stage == Stage::Resting && reversal.attempts > 0
            })
        });
        if let Some(id) = answered {
            self.due.retain(|(_, other)| *other != id);
            self.reversal_answered(now, id, code);
        }
    }

    fn repeat_later(&mut self, now: Now, id: RecordId) {
        let settings = std::sync::Arc::clone(&self.settings);
        let Some(reversal) = self.reversal(id) else {
            return;
        };
        let pause = reversal.next_pause(&settings.reversal);
        if let Stage::Sent(at) = reversal.stage {
            reversal.spent += now.monotonic - at + pause;
        }
        reversal.stage = Stage::Resting;
        if reversal.spent >= settings.reversal.budget {
            self.happen(now, id, Event::BudgetSpent);
        } else {
            self.due.insert((now.monotonic + pause, id));
        }
    }

    /// The bank has taken it back, or an operator must look.
    pub(super) fn end_reversal(&mut self, now: Now, id: RecordId, well: bool) {
        let bank = std::sync::Arc::clone(&self.bank);
        let Some(record) = self.record(id) else {
            return;
        };
        let payment = record.key.id.as_str();
        let held = |reversal: &Reversal| reversal.stan_is_held.then_some(reversal.stan);
        let (stan, began) = match &record.reversal {
            Some(reversal) if well => {
                info!(%bank, payment, attempts = reversal.attempts, "reversed");
                (held(reversal), reversal.began)
            }
            Some(reversal) => {
                let code = reversal.response_code.escape_ascii();
                error!(
                    %bank, client = %record.key.client, payment,
                    attempts = reversal.attempts, code = %code,
                    "the reversal failed: settle it with the bank by hand"
                );
                (held(reversal), reversal.began)
            }
            None => {
                warn!(%bank, payment, "ended without a reversal");
                (None, now.monotonic)
            }
        };
        if let Some(stan) = stan {
            self.stans.release(stan);
        }
        self.open_reversals.remove(&(began, id));
        match well {
            true => self.metrics.reversed.increment(1),
            false => self.metrics.reversal_failed.increment(1),
        }
        self.journal(id, journal::Record::ReversalEnded(well));
        self.settle(now, id);
    }

    fn reversal(&mut self, id: RecordId) -> Option<&mut Reversal> {
        self.record(id)?.reversal.as_deref_mut()
    }
}
