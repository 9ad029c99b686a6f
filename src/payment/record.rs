//! What is kept of one payment, from the request to the end of its retention.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    PaymentAnswer, PaymentKey, PaymentOutcome, ReversalStatus, ReverseError,
    recording::Recording,
    state::{State, decide},
};
use crate::{
    digest::Digest,
    iso8583::{MatchKey, Message, Stan, mask::Disclosure, mask::disclosure},
    journal::{KeptRequest, KeptResponse},
    link::settings::ReversalSettings,
    outbox::Reply,
    outcome::Reason,
    payment::state::{Decision, Event},
};

/// One payment.
pub(super) struct Record {
    /// That of its rows in the journal.
    pub(super) number: u64,
    pub(super) key: PaymentKey,
    /// Tells the same id with another body apart, without keeping the body.
    pub(super) fingerprint: Digest,
    /// When it was accepted, in milliseconds of the Unix epoch.
    pub(super) began_utc_ms: i64,
    /// When it came to its end, likewise.
    pub(super) ended_utc_ms: i64,
    /// DE4, if money moves.
    pub(super) amount: Option<[u8; 12]>,
    pub(super) state: State,
    /// How much of that the journal has.
    pub(super) recording: Recording,
    /// While it is settled: when it may be forgotten.
    pub(super) retained_until: Option<Instant>,
    pub(super) stan: Stan,
    /// Until it is settled for the first time: no other exchange may use its STAN and its key yet.
    pub(super) exchange: Option<Box<OpenExchange>>,
    /// The request without what may not be kept.
    pub(super) request: KeptRequest,
    /// Why it is in this state, if an answer does not say.
    pub(super) reason: Option<Reason>,
    /// What the bank answered.
    pub(super) response: KeptResponse,
    /// DE39 of an answer that came after the outcome was told, or empty.
    pub(super) late_response_code: Box<[u8]>,
    /// What the bank is to keep of the amount when the payment is taken back: nothing, if `None`.
    pub(super) actual_amount_minor: Option<u64>,
    pub(super) reversal: Option<Box<Reversal>>,
    /// What an operator has written who settled it.
    pub(super) resolution: Option<Box<Resolution>>,
    /// Who is to be told the outcome.
    pub(super) waiting: Vec<Reply<PaymentAnswer>>,
}

/// What an exchange needs until it is over, and nobody afterwards.
pub(super) struct OpenExchange {
    /// What the answer is found by.
    pub(super) key: MatchKey,
    /// When it must have been dispatched.
    pub(super) deadline: Instant,
    /// The encoded request until it is handed to a link, then empty. It may hold a PIN block and
    /// tracks, and so is kept no longer.
    pub(super) outgoing: Bytes,
}

/// How an operator settled a payment that could not be taken back.
#[derive(Clone, Default)]
pub(super) struct Resolution {
    /// Who.
    pub(super) operator: String,
    /// What was found and done, in the operator's words.
    pub(super) reason: String,
}

/// What may be told of an answer: card data is left out.
pub(super) fn told_of(message: &Message) -> KeptResponse {
    // The others are told by fields of their own, or stand in the request.
    const TOLD_ELSEWHERE: [u8; 6] = [2, 3, 7, 11, 37, 65];
    const BALANCES_AND_TEXTS: [u8; 3] = [44, 48, 54];
    let is_told = |number| {
        !TOLD_ELSEWHERE.contains(&number)
            && (disclosure(number) == Disclosure::Clear || BALANCES_AND_TEXTS.contains(&number))
    };
    let value = |number| message.get(number).unwrap_or_default();
    let others = message.iter().filter(|(number, _)| is_told(*number));
    KeptResponse::new(value(39), value(38), others)
}

/// The taking back of one payment.
pub(super) struct Reversal {
    pub(super) reason: Reason,
    pub(super) stan: Stan,
    /// The STAN is the reversal's own, to be released at its end. That of the payment is not: it
    /// may be another payment's by now.
    pub(super) stan_is_held: bool,
    pub(super) key: MatchKey,
    /// The 0420. Card data.
    pub(super) message: Message,
    /// The same, encoded. Card data: never shown.
    pub(super) first: Bytes,
    /// The same with another MTI, and nothing else.
    pub(super) repeat: Bytes,
    /// The card's line; reversals of one card go in their order.
    pub(super) card: u64,
    pub(super) stage: Stage,
    /// Messages whose bytes may have left.
    pub(super) attempts: u32,
    /// DE95: what the bank keeps of the amount, if it is to keep any.
    pub(super) actual_amount_minor: Option<u64>,
    pub(super) pause: Duration,
    /// How much of the budget is used up. Time without a link does not count.
    pub(super) spent: Duration,
    pub(super) began: Instant,
    pub(super) began_utc_ms: i64,
    pub(super) response_code: Bytes,
}

/// What a reversal waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its record is not durable yet, so nobody was told and nothing was sent.
    Journalling,
    /// Its turn, or the end of a pause.
    Waiting,
    /// The answer to a message handed to a link then.
    Sent(Instant),
}

impl Record {
    /// Lets an event happen; true if the state changed.
    pub(super) fn apply(&mut self, event: Event) -> Decision {
        let decision = decide(self.state, event, self.amount.is_some());
        if let Decision::Enter(state, reason) = decision {
            self.state = state;
            self.reason = reason.or(self.reason);
        }
        decision
    }

    /// Whether an answer would be late now, whatever it says.
    pub(super) fn is_answered_late(&self) -> bool {
        decide(self.state, Event::Declined, self.amount.is_some()) == Decision::Late
    }

    /// Whether its callers may be told how far it is: what it ended in, or that it is being reversed.
    pub(super) fn tells_outcome(&self) -> bool {
        (self.state.is_settled() || self.state == State::Reversing)
            && self.told_state() == Some(self.state)
    }

    /// How far it is for everybody else: no further than a restart would find it. `None` as long as
    /// that is nothing to tell.
    fn told_state(&self) -> Option<State> {
        if self.recording.has(self.state) || self.was_never_recorded() {
            return Some(self.state);
        }
        // Its end cannot be written yet; that it is being reversed was told before.
        let is_reversed = self.recording.has(State::Reversing);
        is_reversed.then_some(State::Reversing)
    }

    /// Whether it was refused for want of a record. Then there is nothing to wait for, and at worst a
    /// restart takes back what was not there.
    pub(super) fn was_never_recorded(&self) -> bool {
        self.state == State::NotSent && self.reason == Some(Reason::Journal)
    }

    /// Whether so much of the amount can stay with the bank.
    pub(super) fn keeps_part(&self, actual_amount_minor: Option<u64>) -> Result<(), ReverseError> {
        let Some(actual) = actual_amount_minor else {
            return Ok(());
        };
        let whole = self
            .amount
            .and_then(|digits| std::str::from_utf8(&digits).ok()?.parse::<u64>().ok());
        match whole {
            Some(whole) if (1..whole).contains(&actual) => Ok(()),
            Some(whole) => Err(ReverseError::Amount { actual, whole }),
            None => Err(ReverseError::NoMoney),
        }
    }

    /// Whether an answer with the right STAN is the answer to this payment. A bank that answers
    /// with another amount or reference has not understood the request, or we its answer.
    pub(super) fn plausible(&self, message: &Message) -> Result<(), &'static str> {
        let differs = |number, own: &[u8]| message.get(number).is_some_and(|theirs| theirs != own);
        if !message.mti().is_response() {
            return Err("its MTI is not that of a response");
        }
        if message.get(39).is_none() {
            return Err("it has no DE39");
        }
        if differs(37, self.retrieval_reference()) {
            return Err("its DE37 is not that of the request");
        }
        if self.amount.is_some_and(|own| differs(4, &own)) {
            return Err("its DE4 is not that of the request");
        }
        Ok(())
    }

    /// Whether its deadline has passed before it was dispatched.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        let exchange = self.exchange.as_ref();
        exchange.is_some_and(|exchange| exchange.deadline <= now)
    }

    /// DE37 of the request.
    pub(super) fn retrieval_reference(&self) -> &[u8] {
        self.request.get(37).unwrap_or_default()
    }

    /// What a caller is told of it now.
    pub(super) fn answer(&self, bank: &Arc<str>) -> PaymentAnswer {
        let sent = self.state != State::NotSent;
        let told = self.told_state();
        let mut answer = PaymentAnswer {
            bank: Some(Arc::clone(bank)),
            stan: sent.then_some(self.stan),
            retrieval_reference: match sent {
                true => Bytes::copy_from_slice(self.retrieval_reference()),
                false => Bytes::new(),
            },
            ..PaymentAnswer::bare(told.map_or(PaymentOutcome::Pending, |told| self.outcome(told)))
        };
        if answer.outcome != PaymentOutcome::Pending {
            answer.response = self.response.clone();
            answer.late_response_code = Bytes::copy_from_slice(&self.late_response_code);
            answer.reversal = self.reversal.as_ref().map(|reversal| reversal.status());
        }
        answer
    }

    fn outcome(&self, told: State) -> PaymentOutcome {
        let reason = self.reason.unwrap_or(Reason::Internal);
        let detail = || explain(reason).to_owned();
        match told {
            State::Journalling | State::Dispatched | State::Cancelling => PaymentOutcome::Pending,
            State::Approved => PaymentOutcome::Approved,
            State::Declined => PaymentOutcome::Declined,
            State::NotSent => PaymentOutcome::NotSent {
                reason,
                detail: detail(),
            },
            State::Unknown => PaymentOutcome::Unknown {
                reason,
                detail: detail(),
            },
            State::Reversing => PaymentOutcome::Reversing,
            State::Reversed => PaymentOutcome::Reversed,
            State::ReversalFailed => PaymentOutcome::ReversalFailed,
            State::Resolved => PaymentOutcome::Resolved {
                detail: match &self.resolution {
                    Some(resolution) => resolution.reason.clone(),
                    None => String::new(),
                },
            },
        }
    }
}

impl Reversal {
    pub(super) fn status(&self) -> ReversalStatus {
        ReversalStatus {
            reason: self.reason,
            attempts: self.attempts,
            response_code: self.response_code.clone(),
            stan: self.stan,
            actual_amount_minor: self.actual_amount_minor,
        }
    }

    /// The message to send now: a 0420 as long as none can have left, then 0421.
    pub(super) fn encoded(&self) -> &Bytes {
        match self.attempts {
            0 => &self.first,
            _ => &self.repeat,
        }
    }

    /// The pause before the next message, spread by chance so that a bank that comes back is not
    /// met by all reversals at once; doubled for the time after.
    pub(super) fn next_pause(&mut self, settings: &ReversalSettings) -> Duration {
        let step = self.pause.clamp(settings.repeat_min, settings.repeat_max);
        self.pause = step.saturating_mul(2).min(settings.repeat_max);
        step.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// Why a payment was not sent, or is not known, for a person who can act.
fn explain(reason: Reason) -> &'static str {
    match reason {
        Reason::NoLink => "no link to the bank is signed on; `sampan links` says why",
        Reason::QueueFull => {
            "the queue to the bank is full; send less, or raise queue_max or window"
        }
        Reason::Deadline => "the deadline passed before a link was free",
        Reason::Stopping => "Sampan is stopping, or the link is drained",
        Reason::Journal => "the record could not be made durable; see /ready",
        Reason::Cancelled => "cancelled before it was sent",
        Reason::Timeout => "the bank did not answer in time",
        Reason::LinkLost => "the link was lost before the bank answered",
        Reason::BadAnswer => "the bank's answer could not be understood; see the log",
        Reason::Invalid | Reason::NoRoute | Reason::Limit | Reason::IdReused | Reason::Internal => {
            "a fault of Sampan; see the log"
        }
    }
}
