//! The part of the desk that takes payments back: 0420, then 0421 until the bank acknowledges.
//!
//! The STAN and the time of a reversal are fixed and durable before its first message, a repeat
//! differs in the MTI alone, and the budget is spent only by messages that the bank could have
//! answered. Which reversal's turn it is, [`super::lines`] knows.

use std::{
    hash::BuildHasher as _,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tracing::{error, info, warn};

use super::{
    build,
    desk::{Desk, Dispatch, Leg, RecordId, utc_ms},
    record::{Record, Reversal, Stage},
    stans::terminal,
    state::{Event, State},
};
use crate::{
    iso8583::{MatchKey, Message, session::Now},
    link::{Exchange, settings::ReversalStan},
    outcome::Reason,
};

/// DE39 of a 0430 by which the bank says that it has taken the payment back.
const APPROVED: &[u8] = b"00";

impl Reversal {
    /// Its place among all reversals of the bank.
    pub(super) fn place(&self, id: RecordId) -> (Instant, RecordId) {
        (self.began, id)
    }
}

impl Desk {
    /// The payment has just entered the state of being reversed, for the first time or because an
    /// operator wants it tried again.
    pub(super) fn begin_reversal(&mut self, now: Now, id: RecordId, reason: Reason) {
        self.unsettle(id);
        self.expect_late(id);
        if self.reversal(id).is_none() {
            match self.build_reversal(now, id, reason) {
                Ok(reversal) => {
                    if let Some(record) = self.record(id) {
                        record.reversal = Some(Box::new(reversal));
                    }
                }
                Err(why) => {
                    error!(bank = %self.bank, "a reversal cannot be built, an operator must look: {why}");
                    self.happen(now, id, Event::ReversalRefused);
                    return;
                }
            }
        }
        let settings = Arc::clone(&self.settings);
        if let Some(reversal) = self.reversal(id) {
            reversal.stage = Stage::Journalling;
            reversal.pause = settings.reversal.repeat_min;
            reversal.spent = Duration::ZERO;
            let place = reversal.place(id);
            self.open_reversals.insert(place);
        }
        self.write(id);
    }

    fn build_reversal(
        &mut self,
        now: Now,
        id: RecordId,
        reason: Reason,
    ) -> Result<Reversal, String> {
        let (settings, stans) = (Arc::clone(&self.settings), self.stans.clone());
        let record = self.record(id).ok_or("its record is gone")?;
        // Only of what the bank has approved may a part stay.
        let actual = record
            .actual_amount_minor
            .filter(|_| reason == Reason::Cancelled);
        let request = record.request.to_message();
        let terminal = terminal(&request);
        let held = match settings.reversal.stan {
            ReversalStan::New => stans.hold(terminal),
            ReversalStan::Original => None,
        };
        // Under the payment's own STAN the MTI class still tells the two apart.
        let stan = held.unwrap_or(record.stan);
        let original = build::Original {
            request: &request,
            response: &record.response,
            actual_amount_minor: actual,
        };
        let reversal = build::reversal(original, &settings.reversal, reason, stan, now)
            .map_err(|error| error.to_string())
            .and_then(|message| {
                let began = (now.monotonic, utc_ms(now));
                self.reversal_of(message, reason, began)
            });
        if let (Err(_), Some(unused)) = (&reversal, held) {
            stans.release(unused, terminal);
        }
        reversal.map(|reversal| Reversal {
            stan_is_held: held.is_some(),
            actual_amount_minor: actual,
            ..reversal
        })
    }

    /// A reversal that consists in this 0420, new or from the journal.
    pub(super) fn reversal_of(
        &mut self,
        message: Message,
        reason: Reason,
        (began, began_utc_ms): (Instant, i64),
    ) -> Result<Reversal, String> {
        let stan = message.stan().ok_or("it has no DE11")?;
        let key = self.settings.match_by.key_of(&message);
        let key = key.map_err(|error| error.to_string())?;
        let first = self.encode(&message)?;
        let mut repeat = message.clone();
        repeat.set_mti(message.mti().repeat());
        let repeat = self.encode(&repeat)?;
        Ok(Reversal {
            reason,
            stan,
            stan_is_held: false,
            key,
            first,
            repeat,
            card: self.hasher.hash_one(message.get(2)),
            message,
            stage: Stage::Journalling,
            attempts: 0,
            actual_amount_minor: None,
            pause: self.settings.reversal.repeat_min,
            spent: Duration::ZERO,
            began,
            began_utc_ms,
            response_code: Bytes::new(),
        })
    }

    /// The reversal is durable: now the caller may hear of it, and the bank too.
    pub(super) fn reversal_recorded(&mut self, now: Now, id: RecordId) {
        let Some(reversal) = self.reversal(id) else {
            return;
        };
        if reversal.stage != Stage::Journalling {
            return;
        }
        reversal.stage = Stage::Waiting;
        let (card, place) = (reversal.card, reversal.place(id));
        self.lines.enter(card, place);
        self.tell(id);
        self.send_reversals(now);
    }

    /// Sends the reversals whose turn it is.
    pub(super) fn send_reversals(&mut self, now: Now) {
        while let Some(id) = self.lines.take_ready(now.monotonic) {
            self.send_reversal(now, id);
        }
    }

    fn send_reversal(&mut self, now: Now, id: RecordId) {
        let deadline = now.monotonic + self.settings.link.response_timeout;
        let again = now.monotonic + self.settings.reversal.repeat_min;
        let Some(reversal) = self.reversal(id) else {
            return;
        };
        let (key, card, place) = (reversal.key, reversal.card, reversal.place(id));
        if !self.keys.hold(key, id) {
            // Another reversal has the key until it is over: the STAN of its payment, as long as a day
            // ago, or the same reference. Neither may take the other's 0430 for its own.
            self.lines.rest(card, place, again, 0);
            return;
        }
        let Some(reversal) = self.reversal(id) else {
            return;
        };
        reversal.stage = Stage::Sent(now.monotonic);
        let dispatch = Dispatch {
            record: id,
            leg: Leg::Reversal,
            key,
            message: reversal.encoded().clone(),
            deadline,
        };
        self.metrics.reversal_messages.increment(1);
        self.out.dispatches.push(dispatch);
    }

    /// What a link tells of a reversal's message.
    pub(super) fn reversal_exchanged(&mut self, now: Now, id: RecordId, exchange: Exchange) {
        let Some(reversal) = self.reversal(id) else {
            return;
        };
        let Stage::Sent(at) = std::mem::replace(&mut reversal.stage, Stage::Waiting) else {
            return;
        };
        let message = match exchange {
            Exchange::NotSent(reason) => {
                self.reversal_not_sent(now, id, reason);
                self.send_reversals(now);
                return;
            }
            Exchange::TimedOut | Exchange::Lost | Exchange::GivenUp => None,
            Exchange::Answered(message) => Some(message),
        };
        reversal.attempts += 1;
        reversal.spent += now.monotonic - at;
        match message.as_ref().and_then(|message| message.get(39)) {
            None => self.repeat_later(now, id),
            Some(code) => self.reversal_answered(now, id, code),
        }
        self.send_reversals(now);
    }

    /// No byte left: not an attempt, and the wait costs no budget.
    fn reversal_not_sent(&mut self, now: Now, id: RecordId, reason: Reason) {
        let until = now.monotonic + self.settings.reversal.repeat_min;
        let Some(reversal) = self.reversal(id) else {
            return;
        };
        let (card, place) = (reversal.card, reversal.place(id));
        match reason {
            Reason::NoLink | Reason::Stopping => self.lines.no_link(place, until),
            _ => self.lines.rest(card, place, until, 0),
        }
    }

    fn reversal_answered(&mut self, now: Now, id: RecordId, code: &[u8]) {
        let settings = Arc::clone(&self.settings);
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

    /// A 0430 that missed its timeout. It ends a waiting reversal if it is good news, so that a slow
    /// bank does not see 0421 until the budget is spent; bad news can wait for the next answer.
    pub(super) fn reversal_answered_late(&mut self, now: Now, key: MatchKey, message: &Message) {
        let code = message.get(39).unwrap_or_default();
        let mut final_codes = self.settings.reversal.final_codes.iter();
        if !final_codes.any(|own| own.as_bytes() == code) {
            return;
        }
        let Some(id) = self.keys.holder(key) else {
            return;
        };
        let is_waiting = self
            .reversal(id)
            .is_some_and(|own| own.stage == Stage::Waiting && own.attempts > 0);
        if is_waiting {
            self.reversal_answered(now, id, code);
            self.send_reversals(now);
        }
    }

    fn repeat_later(&mut self, now: Now, id: RecordId) {
        let settings = Arc::clone(&self.settings);
        let Some(reversal) = self.reversal(id) else {
            return;
        };
        let pause = reversal.next_pause(&settings.reversal);
        reversal.spent += pause;
        let (card, place, attempts) = (reversal.card, reversal.place(id), reversal.attempts);
        if reversal.spent >= settings.reversal.budget {
            self.happen(now, id, Event::BudgetSpent);
        } else {
            let until = now.monotonic + pause;
            self.lines.rest(card, place, until, attempts);
        }
    }

    /// The bank has taken it back, an operator must look, or has.
    pub(super) fn end_reversal(&mut self, id: RecordId, state: State) {
        let (bank, stans) = (Arc::clone(&self.bank), self.stans.clone());
        let Some(record) = self.record(id) else {
            return;
        };
        say_how_it_ended(&bank, record, state);
        if let Some(reversal) = record.reversal.as_deref_mut() {
            let (card, place) = (reversal.card, reversal.place(id));
            // A failed one may be tried again, and then under the same STAN.
            let is_over = state != State::ReversalFailed;
            if is_over && std::mem::take(&mut reversal.stan_is_held) {
                stans.release(reversal.stan, terminal(&reversal.message));
            }
            let key = reversal.key;
            self.keys.release(key, id);
            self.lines.leave(card, place);
            self.open_reversals.remove(&place);
        }
        match state {
            State::Reversed => self.metrics.reversed.increment(1),
            State::Resolved => self.metrics.resolved.increment(1),
            _ => self.metrics.reversal_failed.increment(1),
        }
    }

    pub(super) fn reversal(&mut self, id: RecordId) -> Option<&mut Reversal> {
        self.record(id)?.reversal.as_deref_mut()
    }
}

fn say_how_it_ended(bank: &str, record: &Record, state: State) {
    let payment = record.key.id.as_str();
    let (attempts, code) = match &record.reversal {
        Some(reversal) => (reversal.attempts, reversal.response_code.as_ref()),
        None => (0, &b""[..]),
    };
    let code = code.escape_ascii();
    match state {
        State::Reversed => info!(bank, payment, attempts, "reversed"),
        State::Resolved => info!(
            bank,
            payment, attempts, "settled with the bank by an operator"
        ),
        _ => error!(
            bank, client = %record.key.client, payment, attempts, %code,
            "the reversal failed: settle it with the bank by hand, then `sampan reversals resolve`"
        ),
    }
}
