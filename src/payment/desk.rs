//! All payments of one bank: who gets which answer, what is recorded, what is sent, when a reversal
//! is repeated.
//!
//! Pure like a protocol core: commands, answers and the time come in, journal entries and messages
//! to send come out. [`super::task`] is the shell that gives it a mailbox and a clock. It must never
//! hand out a message whose record is not durable.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    hash::BuildHasher as _,
    hash::RandomState,
    sync::Arc,
    time::Instant,
};

use bytes::{Bytes, BytesMut};
use tracing::warn;

use super::{
    Money, Payment, PaymentAnswer, PaymentKey,
    build::{self, BuildError},
    record::{Record, Response},
    registry::Registry,
    stans::StanAllocator,
    state::{Decision, Event, State},
};
use crate::{
    iso8583::{MatchKey, Message, Mti, Stan, amount, session::Now},
    journal,
    link::{BankJob, Exchange, settings::BankSettings},
    metrics::PaymentMetrics,
    outbox::{Answers, Reply},
    outcome::Reason,
};

/// Names a record; the slot is used again after the record is gone.
pub(super) type RecordId = u32;

/// A payment that a caller wants made.
pub(super) struct Order {
    pub(super) key: PaymentKey,
    pub(super) payment: Payment,
    pub(super) deadline: Instant,
    pub(super) reply: Reply<PaymentAnswer>,
}

/// What a payment that can be sent needs for its record.
struct Admitted {
    stan: Stan,
    amount: Option<Money>,
    request: Bytes,
    retrieval_reference: Bytes,
}

impl Admitted {
    fn into_record(
        self,
        key: PaymentKey,
        fingerprint: u64,
        deadline: Instant,
        reply: Reply<PaymentAnswer>,
    ) -> Record {
        Record {
            key,
            fingerprint,
            amount: self
                .amount
                .map(|money| amount::zero_filled(money.amount_minor())),
            state: State::Journalling,
            retained_until: None,
            deadline,
            stan: self.stan,
            stan_is_held: true,
            awaits_journal: false,
            request: self.request,
            retrieval_reference: self.retrieval_reference,
            reason: None,
            response: Response::default(),
            late_response_code: Bytes::new(),
            reversal: None,
            waiting: vec![reply],
        }
    }
}

/// Payments of one bank.
pub(super) struct Desk {
    pub(super) bank: Arc<str>,
    pub(super) settings: Arc<BankSettings>,
    pub(super) metrics: PaymentMetrics,
    pub(super) stans: StanAllocator,
    hasher: RandomState,
    registry: Registry,
    records: Vec<Option<Record>>,
    free: Vec<RecordId>,
    by_key: HashMap<PaymentKey, RecordId>,
    /// Unanswered payments, by the STAN under which a late answer may still come.
    pub(super) unanswered: HashMap<Stan, RecordId>,
    /// Settled payments in the order in which their retention ends. An approved payment that is
    /// taken back leaves a stale entry behind, which its record does not know.
    retained: VecDeque<(Instant, RecordId)>,
    settled: usize,
    /// Reversals that rest, by the time of their next message.
    pub(super) due: BTreeSet<(Instant, RecordId)>,
    /// Reversals that are not acknowledged, oldest first.
    pub(super) open_reversals: BTreeSet<(Instant, RecordId)>,
    reversals_failed: u32,
    scratch: BytesMut,
    /// What the shell takes after each turn.
    pub(super) out: Output,
}

/// What a turn of the desk has brought forth.
#[derive(Default)]
pub(super) struct Output {
    /// To be made durable, and then given to [`Desk::durable`].
    pub(super) entries: Vec<journal::Entry>,
    /// The records that wait for those entries.
    pub(super) recorded: Vec<RecordId>,
    /// To be handed to the links.
    pub(super) dispatches: Vec<Dispatch>,
    /// To be told to the callers.
    pub(super) answers: Answers<PaymentAnswer>,
}

/// Which message of a payment an exchange was about: the end of one is never taken for that of the
/// other, whatever the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leg {
    /// The 0200.
    Request,
    /// A 0420 or 0421.
    Reversal,
}

/// A message for a link.
pub(super) struct Dispatch {
    pub(super) record: RecordId,
    pub(super) leg: Leg,
    pub(super) key: MatchKey,
    pub(super) message: Bytes,
    pub(super) deadline: Instant,
}

impl Dispatch {
    /// The job that a link understands.
    pub(super) fn into_job(self, reply: Reply<Exchange>) -> BankJob {
        BankJob {
            key: self.key,
            message: self.message,
            deadline: self.deadline,
            reply,
        }
    }
}

impl Desk {
    pub(super) fn new(
        settings: Arc<BankSettings>,
        stans: StanAllocator,
        metrics: PaymentMetrics,
        registry: Registry,
    ) -> Self {
        Self {
            bank: Arc::clone(&settings.link.peer),
            settings,
            metrics,
            stans,
            hasher: RandomState::new(),
            registry,
            records: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            unanswered: HashMap::new(),
            retained: VecDeque::new(),
            settled: 0,
            due: BTreeSet::new(),
            open_reversals: BTreeSet::new(),
            reversals_failed: 0,
            scratch: BytesMut::new(),
            out: Output::default(),
        }
    }

    /// Takes a payment. The outcome of one that is known already is told again.
    pub(super) fn transact(&mut self, now: Now, order: Order) {
        let fingerprint = self.hasher.hash_one(&order.payment);
        if let Some(&id) = self.by_key.get(&order.key) {
            self.repeat(id, fingerprint, order.reply);
            return;
        }
        let Order {
            key,
            payment,
            deadline,
            reply,
        } = order;
        match self.admit(now, &key, &payment) {
            Ok(admitted) => {
                let record = admitted.into_record(key, fingerprint, deadline, reply);
                self.begin(record);
            }
            Err((reason, detail)) => {
                let mut answer = PaymentAnswer::not_sent(reason, detail);
                answer.bank = Some(Arc::clone(&self.bank));
                self.metrics.not_sent.increment(1);
                self.out.answers.push(reply, answer);
            }
        }
    }

    /// The same id again: the stored outcome, or a refusal if the body is another.
    fn repeat(&mut self, id: RecordId, fingerprint: u64, reply: Reply<PaymentAnswer>) {
        let Some(record) = self.records.get_mut(id as usize).and_then(Option::as_mut) else {
            return;
        };
        if record.fingerprint != fingerprint {
            let detail = "payment_id: used before for another payment; give each payment its own";
            let answer = PaymentAnswer::not_sent(Reason::IdReused, detail);
            self.out.answers.push(reply, answer);
        } else if record.tells_outcome() {
            self.out.answers.push(reply, record.answer(&self.bank));
        } else {
            record.waiting.push(reply);
        }
    }

    /// Whether a payment can be sent, and what is needed for it. The error is for its caller.
    fn admit(
        &mut self,
        now: Now,
        key: &PaymentKey,
        payment: &Payment,
    ) -> Result<Admitted, (Reason, String)> {
        if self.by_key.len() >= self.settings.records_max && !self.forget_oldest(|_| true) {
            let detail = "every record of this bank is open; raise records_max";
            return Err((Reason::QueueFull, detail.to_owned()));
        }
        let Some(stan) = self.stans.hold() else {
            let detail = "too many exchanges with this bank are open";
            return Err((Reason::QueueFull, detail.to_owned()));
        };
        let encoded = self
            .encode_request(payment, stan, now)
            .map_err(|detail| (Reason::Invalid, detail))
            .and_then(|encoded| self.register(key).map(|()| encoded));
        match encoded {
            Ok((request, retrieval_reference)) => Ok(Admitted {
                stan,
                amount: payment.transaction.amount(),
                request,
                retrieval_reference,
            }),
            Err(refusal) => {
                self.stans.release(stan);
                Err(refusal)
            }
        }
    }

    /// Makes the id mean this bank's payment. Another bank's desk may have been quicker.
    fn register(&self, key: &PaymentKey) -> Result<(), (Reason, String)> {
        let owner = self
            .registry
            .entry(key.clone())
            .or_insert_with(|| Arc::clone(&self.bank));
        if *owner == self.bank {
            return Ok(());
        }
        let detail = "payment_id: used a moment ago for another bank";
        Err((Reason::IdReused, detail.to_owned()))
    }

    /// Keeps the record and asks for it to be made durable.
    fn begin(&mut self, record: Record) {
        let key = record.key.clone();
        let sending = journal::Record::Sending(record.request.clone());
        let id = self.store(record);
        self.by_key.insert(key, id);
        self.journal_first(id, sending);
    }

    fn encode_request(
        &mut self,
        payment: &Payment,
        stan: Stan,
        now: Now,
    ) -> Result<(Bytes, Bytes), String> {
        let message = build::request(payment, &self.settings, stan, now)
            .map_err(|error: BuildError| error.to_string())?;
        let reference = message.get(37).map(Bytes::copy_from_slice);
        let encoded = self.encode(&message)?;
        Ok((encoded, reference.unwrap_or_default()))
    }

    pub(super) fn encode(&mut self, message: &Message) -> Result<Bytes, String> {
        self.scratch.reserve(512);
        match self.settings.dialect.encode(message, &mut self.scratch) {
            Ok(()) => Ok(self.scratch.split().freeze()),
            Err(error) => {
                self.scratch.clear();
                Err(error.to_string())
            }
        }
    }

    fn store(&mut self, record: Record) -> RecordId {
        if let Some(id) = self.free.pop()
            && let Some(slot) = self.records.get_mut(id as usize)
        {
            *slot = Some(record);
            return id;
        }
        self.records.push(Some(record));
        // records_max keeps the length far below the limit of the type.
        u32::try_from(self.records.len() - 1).unwrap_or(u32::MAX)
    }

    pub(super) fn journal(&mut self, id: RecordId, record: journal::Record) {
        let Some(own) = self.records.get(id as usize).and_then(Option::as_ref) else {
            return;
        };
        self.out.entries.push(journal::Entry {
            bank: Arc::clone(&self.bank),
            key: own.key.clone(),
            record,
        });
    }

    /// As [`Desk::journal`], and the record goes on in [`Desk::durable`].
    pub(super) fn journal_first(&mut self, id: RecordId, entry: journal::Record) {
        if let Some(record) = self.record(id) {
            record.awaits_journal = true;
        }
        self.journal(id, entry);
        self.out.recorded.push(id);
    }

    /// The records' entries are durable, or cannot be made so.
    pub(super) fn durable(&mut self, now: Now, records: &[RecordId], durable: bool) {
        for &id in records {
            let Some(record) = self.record(id) else {
                // Forgotten meanwhile; only now can its slot mean another payment.
                self.free.push(id);
                continue;
            };
            record.awaits_journal = false;
            if record.state == State::Reversing {
                self.reversal_recorded(now, id, durable);
                continue;
            }
            let event = match durable {
                true if record.deadline <= now.monotonic => Event::NotSent(Reason::Deadline),
                true => Event::Durable,
                false => Event::NotDurable,
            };
            self.happen(now, id, event);
        }
    }

    /// Lets an event happen to a payment, and does what follows from the state that it enters.
    pub(super) fn happen(&mut self, now: Now, id: RecordId, event: Event) {
        let Some(record) = self.record(id) else {
            return;
        };
        let Decision::Enter(state, reason) = record.apply(event) else {
            return;
        };
        match state {
            State::Dispatched => self.dispatch_request(id),
            State::Reversing => self.begin_reversal(now, id, reason.unwrap_or(Reason::Internal)),
            State::Approved | State::Declined => {
                let code = record.response.code.clone();
                self.journal(id, journal::Record::Answered(code));
                self.settle(now, id);
            }
            State::NotSent => {
                self.journal(id, journal::Record::NotSent);
                self.settle(now, id);
            }
            State::Unknown => self.settle(now, id),
            State::Reversed => self.end_reversal(now, id, true),
            State::ReversalFailed => self.end_reversal(now, id, false),
            State::Journalling | State::Cancelling => {}
        }
    }

    fn dispatch_request(&mut self, id: RecordId) {
        let Some(record) = self.record(id) else {
            return;
        };
        let dispatch = Dispatch {
            record: id,
            leg: Leg::Request,
            key: MatchKey::new(Mti::FINANCIAL_REQUEST, record.stan),
            message: record.request.clone(),
            deadline: record.deadline,
        };
        self.out.dispatches.push(dispatch);
    }

    /// What a link tells of a message that it was given.
    pub(super) fn exchanged(&mut self, now: Now, id: RecordId, leg: Leg, exchange: Exchange) {
        let Some(state) = self.record(id).map(|record| record.state) else {
            return;
        };
        match (leg, state, exchange) {
            (Leg::Reversal, State::Reversing, exchange) => {
                self.reversal_exchanged(now, id, exchange);
            }
            (Leg::Request, State::Dispatched | State::Cancelling, exchange) => {
                let event = self.understand(id, exchange);
                self.happen(now, id, event);
            }
            // The outcome was told before, and stands.
            (Leg::Request, _, Exchange::Answered(message)) => self.late(now, &message),
            (Leg::Request | Leg::Reversal, _, _) => {}
        }
    }

    /// Gives up what has no link yet, because Sampan is stopping. What a link has, the link gives
    /// up: it alone knows what has left, and only what has is reversed.
    pub(super) fn give_up(&mut self, now: Now) {
        for id in 0..self.records.len() {
            let id = RecordId::try_from(id).unwrap_or(RecordId::MAX);
            if self
                .record(id)
                .is_some_and(|record| record.state == State::Journalling)
            {
                self.happen(now, id, Event::NotSent(Reason::Stopping));
            }
        }
    }

    /// What an exchange means for a payment that waits for its answer.
    fn understand(&mut self, id: RecordId, exchange: Exchange) -> Event {
        let bank = Arc::clone(&self.bank);
        let settings = Arc::clone(&self.settings);
        let Some(record) = self.record(id) else {
            return Event::Unanswered(Reason::Internal);
        };
        let message = match exchange {
            Exchange::NotSent(reason) => return Event::NotSent(reason),
            Exchange::TimedOut => return Event::Unanswered(Reason::Timeout),
            Exchange::Lost => return Event::Unanswered(Reason::LinkLost),
            Exchange::GivenUp => return Event::Unanswered(Reason::Stopping),
            Exchange::Answered(message) => message,
        };
        record.response = Response::of(&message);
        if let Err(why) = record.plausible(&message) {
            warn!(%bank, payment = record.key.id.as_str(), "the answer makes no sense: {why}");
            return Event::Unanswered(Reason::BadAnswer);
        }
        let code = &record.response.code;
        match settings
            .approved_codes
            .iter()
            .any(|own| own.as_bytes() == code)
        {
            true => Event::Approved,
            false => Event::Declined,
        }
    }

    /// An answer to which no link had a request: the payment was given up before.
    pub(super) fn late(&mut self, now: Now, message: &Message) {
        let Ok(key) = MatchKey::of(message) else {
            return;
        };
        let stan = key.stan();
        if key == MatchKey::new(Mti::REVERSAL_ADVICE, stan) {
            self.reversal_answered_late(now, key, message);
            return;
        }
        let Some(record) = self.unanswered.get(&stan).copied() else {
            return;
        };
        let metrics = self.metrics.late_answers.clone();
        let bank = Arc::clone(&self.bank);
        let Some(record) = self.record(record) else {
            return;
        };
        let same_payment = record.stan == stan
            && message
                .get(37)
                .is_none_or(|own| own == record.retrieval_reference);
        // Either event will do: a late answer changes nothing, whatever it says.
        if !same_payment || record.apply(Event::Declined) != Decision::Late {
            return;
        }
        record.late_response_code = message
            .get(39)
            .map(Bytes::copy_from_slice)
            .unwrap_or_default();
        warn!(
            %bank, payment = record.key.id.as_str(), %stan,
            "a late answer; the outcome that was told stands"
        );
        metrics.increment(1);
    }

    /// Takes a payment back. The reply is answered once it is decided what becomes of it.
    pub(super) fn cancel(&mut self, now: Now, key: &PaymentKey, reply: Reply<PaymentAnswer>) {
        let Some(&id) = self.by_key.get(key) else {
            let answer = PaymentAnswer::not_sent(Reason::NoRoute, "no payment has this id");
            self.out.answers.push(reply, answer);
            return;
        };
        self.happen(now, id, Event::CancelAsked);
        let Some(record) = self.records.get_mut(id as usize).and_then(Option::as_mut) else {
            return;
        };
        if record.tells_outcome() {
            self.out.answers.push(reply, record.answer(&self.bank));
        } else {
            record.waiting.push(reply);
        }
    }

    /// What is known of a payment.
    pub(super) fn lookup(&self, key: &PaymentKey) -> Option<PaymentAnswer> {
        let id = *self.by_key.get(key)?;
        let record = self.records.get(id as usize)?.as_ref()?;
        Some(record.answer(&self.bank))
    }

    /// When [`Desk::handle_timeout`] has something to do.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let repeat = self.due.first().map(|(at, _)| *at);
        let forget = self.retained.front().map(|(at, _)| *at);
        repeat.into_iter().chain(forget).min()
    }

    /// Sends the reversals that are due and forgets the payments whose retention is over.
    pub(super) fn handle_timeout(&mut self, now: Now) {
        while let Some(&(at, id)) = self.due.first()
            && at <= now.monotonic
        {
            self.due.pop_first();
            self.send_reversal(now, id);
        }
        while self.forget_oldest(|ends| ends <= now.monotonic) {}
    }

    /// Brings the gauges up to date.
    pub(super) fn publish(&self, now: Instant) {
        let age = self.open_reversals.first().map(|(began, _)| now - *began);
        let metrics = &self.metrics;
        metrics
            .reversals_pending
            .set(self.open_reversals.len() as f64);
        metrics
            .reversal_oldest_age
            .set(age.unwrap_or_default().as_secs_f64());
        metrics
            .reversals_failed
            .set(f64::from(self.reversals_failed));
        metrics.records.set(self.by_key.len() as f64);
    }

    /// Payments that are not settled yet.
    pub(super) fn open(&self) -> usize {
        self.by_key.len() - self.settled
    }

    /// Tells everyone who waits.
    pub(super) fn tell(&mut self, id: RecordId) {
        let Some(record) = self.records.get_mut(id as usize).and_then(Option::as_mut) else {
            return;
        };
        let metrics = &self.metrics;
        match record.state {
            State::Approved => metrics.approved.increment(1),
            State::Declined => metrics.declined.increment(1),
            State::NotSent => metrics.not_sent.increment(1),
            State::Unknown => metrics.unknown.increment(1),
            State::Reversing => metrics.reversing.increment(1),
            State::Journalling
            | State::Dispatched
            | State::Cancelling
            | State::Reversed
            | State::ReversalFailed => {}
        }
        for reply in std::mem::take(&mut record.waiting) {
            self.out.answers.push(reply, record.answer(&self.bank));
        }
    }

    /// Nothing more happens by itself: tells the outcome and begins the retention.
    pub(super) fn settle(&mut self, now: Now, id: RecordId) {
        self.tell(id);
        let ends = now.monotonic + self.settings.retention;
        let Some(record) = self.record(id) else {
            return;
        };
        record.retained_until = Some(ends);
        let (stan, state) = (record.stan, record.state);
        if std::mem::take(&mut record.stan_is_held) {
            self.stans.release(stan);
        }
        if state == State::Unknown {
            self.unanswered.insert(stan, id);
        }
        self.settled += 1;
        if state == State::ReversalFailed {
            // A dead letter is kept until an operator has dealt with it, however long that takes.
            self.reversals_failed += 1;
        } else {
            self.retained.push_back((ends, id));
        }
    }

    /// A settled payment is open again, because the caller takes it back.
    pub(super) fn unsettle(&mut self, id: RecordId) {
        let retained = self
            .record(id)
            .and_then(|record| record.retained_until.take());
        if retained.is_some() {
            self.settled -= 1;
        }
    }

    /// Forgets the payment that has been settled for longest, if its retention may end; false if
    /// there was none to forget.
    fn forget_oldest(&mut self, may_end: impl Fn(Instant) -> bool) -> bool {
        while let Some((ends, id)) = self.retained.pop_front_if(|(ends, _)| may_end(*ends)) {
            let is_stale = self
                .record(id)
                .is_none_or(|record| record.retained_until != Some(ends));
            if is_stale {
                continue;
            }
            if let Some(record) = self.records.get_mut(id as usize).and_then(Option::take) {
                self.forget(id, record);
                return true;
            }
        }
        false
    }

    fn forget(&mut self, id: RecordId, record: Record) {
        if self.unanswered.get(&record.stan) == Some(&id) {
            self.unanswered.remove(&record.stan);
        }
        self.settled -= 1;
        self.by_key.remove(&record.key);
        self.registry.remove(&record.key);
        if !record.awaits_journal {
            self.free.push(id);
        }
    }

    pub(super) fn record(&mut self, id: RecordId) -> Option<&mut Record> {
        self.records.get_mut(id as usize)?.as_mut()
    }
}
