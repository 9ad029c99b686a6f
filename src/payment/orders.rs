//! The part of the desk that takes payments in: whether one can be sent, and its record and message if so.
//!
//! It must never let a payment pass that is known already, nor change anything for one that it refuses.

use std::{sync::Arc, time::Instant};

use super::{
    Money, Payment, PaymentAnswer, PaymentKey,
    build::{self, BuildError},
    desk::{Desk, RecordId, utc_ms},
    record::{OpenExchange, Record},
    recording::Recording,
    state::State,
};
use crate::{
    digest::Digest,
    iso8583::{Stan, amount, session::Now},
    journal::{KeptRequest, KeptResponse},
    outbox::Reply,
    outcome::Reason,
};

/// A payment that a caller wants made.
pub(super) struct Order {
    pub(super) key: PaymentKey,
    /// What the registry finds the key by.
    pub(super) digest: Digest,
    pub(super) payment: Payment,
    pub(super) deadline: Instant,
    pub(super) reply: Reply<PaymentAnswer>,
}

/// What a payment that can be sent needs for its record.
struct Admitted {
    stan: Stan,
    amount: Option<Money>,
    exchange: Box<OpenExchange>,
    request: KeptRequest,
}

impl Admitted {
    fn into_record(self, number: u64, order: Order, fingerprint: Digest, now: Now) -> Box<Record> {
        Box::new(Record {
            number,
            key: order.key,
            fingerprint,
            began_utc_ms: utc_ms(now),
            ended_utc_ms: 0,
            amount: self
                .amount
                .map(|money| amount::zero_filled(money.amount_minor())),
            state: State::Journalling,
            recording: Recording::default(),
            retained_until: None,
            stan: self.stan,
            exchange: Some(self.exchange),
            request: self.request,
            reason: None,
            response: KeptResponse::default(),
            late_response_code: Box::default(),
            actual_amount_minor: None,
            reversal: None,
            resolution: None,
            waiting: vec![order.reply],
        })
    }
}

/// A request, once as it is sent and once as it is kept.
struct Encoded {
    exchange: Box<OpenExchange>,
    kept: KeptRequest,
}

impl Desk {
    /// Takes a payment, whose rows in the journal get the number if it comes to any. The outcome of
    /// one that is known already is told again.
    pub(super) fn transact(&mut self, now: Now, number: u64, order: Order) {
        let fingerprint = order.payment.fingerprint(self.digest_key);
        if let Some(id) = self.find_id(order.digest) {
            self.repeat(id, fingerprint, order.reply);
            return;
        }
        match self.admit(now, &order) {
            Ok(admitted) => self.begin(admitted.into_record(number, order, fingerprint, now)),
            Err((reason, detail)) => {
                let mut answer = PaymentAnswer::not_sent(reason, detail);
                answer.bank = Some(Arc::clone(&self.bank));
                self.metrics.not_sent.increment(1);
                self.out.answers.push(order.reply, answer);
            }
        }
    }

    /// The same id again: the stored outcome, or a refusal if the body is another.
    fn repeat(&mut self, id: RecordId, fingerprint: Digest, reply: Reply<PaymentAnswer>) {
        let Some(record) = self.records.get_mut(id as usize).and_then(Option::as_mut) else {
            return;
        };
        if record.fingerprint != fingerprint {
            let detail = "payment_id: used before for another payment; give each payment its own";
            let answer = PaymentAnswer::not_sent(Reason::IdReused, detail);
            self.metrics.not_sent.increment(1);
            self.out.answers.push(reply, answer);
        } else if record.tells_outcome() {
            self.out.answers.push(reply, record.answer(&self.bank));
        } else {
            record.waiting.push(reply);
        }
    }

    /// Whether a payment can be sent, and what is needed for it. The error is for its caller.
    fn admit(&mut self, now: Now, order: &Order) -> Result<Admitted, (Reason, String)> {
        let payment = &order.payment;
        if self.journal_fails {
            let detail = "the journal cannot be written; /ready says why";
            return Err((Reason::Journal, detail.to_owned()));
        }
        if self.kept >= self.settings.records_max && !self.evict_oldest() {
            let detail = "every record of this bank is open; raise records_max";
            return Err((Reason::QueueFull, detail.to_owned()));
        }
        let settings = Arc::clone(&self.settings);
        let terminal = build::terminal(payment, &settings);
        let Some(stan) = self.stans.hold(terminal) else {
            let detail = "too many exchanges with this bank are open";
            return Err((Reason::QueueFull, detail.to_owned()));
        };
        let encoded = self
            .encode_request(order, stan, now)
            .map_err(|detail| (Reason::Invalid, detail))
            .and_then(|encoded| self.refuse_busy(encoded))
            .and_then(|encoded| self.register(order.digest).map(|()| encoded));
        match encoded {
            Ok(encoded) => Ok(Admitted {
                stan,
                amount: payment.transaction.amount(),
                exchange: encoded.exchange,
                request: encoded.kept,
            }),
            Err(refusal) => {
                self.stans.release(stan, terminal);
                Err(refusal)
            }
        }
    }

    /// Refuses a request under the key of an open exchange. One whose key has the STAN in it never is,
    /// because that STAN is free.
    fn refuse_busy(&self, encoded: Encoded) -> Result<Encoded, (Reason, String)> {
        if self.keys.is_free(encoded.exchange.key) {
            return Ok(encoded);
        }
        let detail = format!(
            "retrieval_reference: another payment with the same {} is open at this bank, which could \
             not tell their answers apart; give each its own",
            self.settings.match_by
        );
        Err((Reason::Invalid, detail))
    }

    /// Makes the id mean this bank's payment. Another bank's desk may have been quicker.
    fn register(&self, id: Digest) -> Result<(), (Reason, String)> {
        if self.registry.claim(id, self.next_place()) {
            return Ok(());
        }
        let detail = "payment_id: used a moment ago for another bank";
        Err((Reason::IdReused, detail.to_owned()))
    }

    /// Keeps the record and asks for it to be made durable.
    fn begin(&mut self, record: Box<Record>) {
        let key = record.exchange.as_ref().map(|exchange| exchange.key);
        let id = self.store(record);
        if let Some(key) = key {
            self.keys.hold(key, id);
        }
        self.write(id);
    }

    fn encode_request(&mut self, order: &Order, stan: Stan, now: Now) -> Result<Encoded, String> {
        let message = build::request(&order.payment, &self.settings, stan, now)
            .map_err(|error: BuildError| error.to_string())?;
        let outgoing = self.encode(&message)?;
        let key = self.settings.match_by.key_of(&message);
        let key = key.map_err(|error| error.to_string())?;
        Ok(Encoded {
            exchange: Box::new(OpenExchange {
                key,
                deadline: order.deadline,
                outgoing,
            }),
            kept: build::kept_for_reversal(&message),
        })
    }
}
