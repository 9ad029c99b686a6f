//! All payments of one bank: who gets which answer, what is recorded, what is sent, when a reversal
//! is repeated.
//!
//! Pure like a protocol core: commands, answers and the time come in, journal rows and messages to
//! send come out. [`super::task`] is the shell that gives it a mailbox and a clock. It must never
//! hand out a message whose record is not durable, nor tell an outcome that a restart would not know.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    hash::RandomState,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use tracing::warn;

use super::{
    Money, Payment, PaymentAnswer, PaymentKey, ReverseError,
    build::{self, BuildError},
    lines::Lines,
    record::{Record, Response, Stage},
    recording::{Next, Recording},
    registry::Registry,
    stans::StanAllocator,
    state::{Decision, Event, State},
};
use crate::{
    digest::{Digest, DigestKey},
    iso8583::{MatchKey, Message, Mti, Stan, amount, session::Now},
    journal::{Row, RowChange},
    link::{BankJob, Exchange, settings::BankSettings},
    metrics::PaymentMetrics,
    outbox::{Answers, Reply},
    outcome::Reason,
};

/// Names a record; the slot is used again after the record is gone.
pub(super) type RecordId = u32;

/// How long after a failed write a record is written again.
pub(super) const RECORD_AGAIN: Duration = Duration::from_secs(1);

/// Rows in doubt that are remembered while the journal fails. What is beyond is left to a restart, which
/// takes back what never left: a needless 0420 each, and no money.
const DOUBTFUL_MAX: usize = 65_536;

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
    outgoing: Bytes,
    request: Message,
    retrieval_reference: Bytes,
}

/// The time of a record's rows.
pub(super) fn utc_ms(now: Now) -> i64 {
    // Milliseconds fill an i64 only in hundreds of millions of years.
    i64::try_from(now.utc.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

impl Admitted {
    fn into_record(self, number: u64, order: Order, fingerprint: Digest, now: Now) -> Record {
        Record {
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
            deadline: order.deadline,
            stan: self.stan,
            stan_is_held: true,
            outgoing: self.outgoing,
            request: self.request,
            retrieval_reference: self.retrieval_reference,
            reason: None,
            response: Response::default(),
            late_response_code: Bytes::new(),
            actual_amount_minor: None,
            reversal: None,
            resolution: None,
            waiting: vec![order.reply],
        }
    }
}

/// A request, once as it is sent and once as it is kept.
struct Encoded {
    outgoing: Bytes,
    kept: Message,
    retrieval_reference: Bytes,
}

/// Payments of one bank.
pub(super) struct Desk {
    pub(super) bank: Arc<str>,
    pub(super) settings: Arc<BankSettings>,
    pub(super) metrics: PaymentMetrics,
    pub(super) stans: StanAllocator,
    pub(super) digest_key: DigestKey,
    /// Says which card a reversal is about, for the order of reversals.
    pub(super) hasher: RandomState,
    pub(super) registry: Registry,
    pub(super) records: Vec<Option<Record>>,
    pub(super) free: Vec<RecordId>,
    pub(super) by_key: HashMap<PaymentKey, RecordId>,
    /// Unanswered payments, by the STAN under which a late answer may still come.
    pub(super) unanswered: HashMap<Stan, RecordId>,
    /// Settled payments in the order in which their retention ends. An approved payment that is
    /// taken back leaves a stale entry behind, which its record does not know.
    pub(super) retained: VecDeque<(Instant, RecordId)>,
    pub(super) settled: usize,
    /// Reversals that wait for their turn.
    pub(super) lines: Lines,
    /// Reversals that are not acknowledged, oldest first.
    pub(super) open_reversals: BTreeSet<(Instant, RecordId)>,
    pub(super) reversals_failed: u32,
    /// Records that could not be written, by the time of the next try.
    unrecorded: BTreeSet<(Instant, RecordId)>,
    /// Rows of payments that were refused because their write failed. They may be there all the
    /// same, and are removed when the journal works again.
    doubtful: Vec<u64>,
    /// The journal is known to fail, so that nothing new need be tried.
    pub(super) journal_fails: bool,
    scratch: BytesMut,
    /// What the shell takes after each turn.
    pub(super) out: Output,
}

/// What a turn of the desk has brought forth.
#[derive(Default)]
pub(super) struct Output {
    /// To be made durable, and then given to [`Desk::durable`].
    pub(super) rows: Vec<Row>,
    /// The records that wait for those rows.
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
        digest_key: DigestKey,
    ) -> Self {
        Self {
            bank: Arc::clone(&settings.link.peer),
            lines: Lines::new(settings.reversal.in_flight_max),
            settings,
            metrics,
            stans,
            digest_key,
            hasher: RandomState::new(),
            registry,
            records: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            unanswered: HashMap::new(),
            retained: VecDeque::new(),
            settled: 0,
            open_reversals: BTreeSet::new(),
            reversals_failed: 0,
            unrecorded: BTreeSet::new(),
            doubtful: Vec::new(),
            journal_fails: false,
            scratch: BytesMut::new(),
            out: Output::default(),
        }
    }

    /// Takes a payment, whose rows in the journal get the number if it comes to any. The outcome of
    /// one that is known already is told again.
    pub(super) fn transact(&mut self, now: Now, number: u64, order: Order) {
        let fingerprint = order.payment.fingerprint(self.digest_key);
        if let Some(&id) = self.by_key.get(&order.key) {
            self.repeat(id, fingerprint, order.reply);
            return;
        }
        match self.admit(now, &order.key, &order.payment) {
            Ok(admitted) => {
                let record = admitted.into_record(number, order, fingerprint, now);
                self.begin(record);
            }
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
    fn admit(
        &mut self,
        now: Now,
        key: &PaymentKey,
        payment: &Payment,
    ) -> Result<Admitted, (Reason, String)> {
        if self.journal_fails {
            let detail = "the journal cannot be written; /ready says why";
            return Err((Reason::Journal, detail.to_owned()));
        }
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
            Ok(encoded) => Ok(Admitted {
                stan,
                amount: payment.transaction.amount(),
                outgoing: encoded.outgoing,
                request: encoded.kept,
                retrieval_reference: encoded.retrieval_reference,
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
        let id = self.store(record);
        self.by_key.insert(key, id);
        self.write(id);
    }

    fn encode_request(
        &mut self,
        payment: &Payment,
        stan: Stan,
        now: Now,
    ) -> Result<Encoded, String> {
        let mut message = build::request(payment, &self.settings, stan, now)
            .map_err(|error: BuildError| error.to_string())?;
        let reference = message.get(37).map(Bytes::copy_from_slice);
        let outgoing = self.encode(&message)?;
        build::keep_for_reversal(&mut message);
        Ok(Encoded {
            outgoing,
            // A clone takes no more room than it needs.
            kept: message.clone(),
            retrieval_reference: reference.unwrap_or_default(),
        })
    }

    pub(super) fn encode(&mut self, message: &Message) -> Result<Bytes, String> {
        self.scratch.reserve(512);
        match self.settings.session.encode(message, &mut self.scratch) {
            Ok(()) => Ok(self.scratch.split().freeze()),
            Err(error) => {
                self.scratch.clear();
                Err(error.to_string())
            }
        }
    }

    pub(super) fn store(&mut self, record: Record) -> RecordId {
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

    /// Has the record written as it is now; how that ends comes by [`Desk::durable`].
    pub(super) fn write(&mut self, id: RecordId) {
        let bank = Arc::clone(&self.bank);
        let Some(record) = self.record(id) else {
            return;
        };
        if !record.recording.begin(record.state) {
            return;
        }
        let row = Row {
            number: record.number,
            change: RowChange::Keep(Box::new(record.to_kept(bank))),
        };
        self.out.rows.push(row);
        self.out.recorded.push(id);
    }

    /// The records' rows are durable, or cannot be made so.
    pub(super) fn durable(&mut self, now: Now, records: &[RecordId], durable: bool) {
        for &id in records {
            let Some(record) = self.record(id) else {
                // Forgotten meanwhile; only now can its slot mean another payment.
                self.free.push(id);
                continue;
            };
            match record.recording.end(durable) {
                Next::WriteAgain => self.write(id),
                Next::Durable => self.recorded(now, id),
                Next::NotDurable => self.not_recorded(now, id),
            }
        }
        if durable {
            let forget = |number| Row {
                number,
                change: RowChange::Forget,
            };
            self.out.rows.extend(self.doubtful.drain(..).map(forget));
        }
    }

    /// A restart would find the record as it is.
    fn recorded(&mut self, now: Now, id: RecordId) {
        let Some(record) = self.record(id) else {
            return;
        };
        match record.state {
            State::Journalling if record.deadline <= now.monotonic => {
                self.happen(now, id, Event::NotSent(Reason::Deadline));
            }
            State::Journalling => self.happen(now, id, Event::Durable),
            State::Dispatched | State::Cancelling => {}
            State::Reversing => self.reversal_recorded(now, id),
            State::Approved
            | State::Declined
            | State::NotSent
            | State::Unknown
            | State::Reversed
            | State::ReversalFailed
            | State::Resolved => self.settle(now, id),
        }
    }

    /// The record is not durable as it is. Who waits is not kept waiting for a disk.
    fn not_recorded(&mut self, now: Now, id: RecordId) {
        let Some(record) = self.record(id) else {
            return;
        };
        if record.state == State::Journalling {
            let number = record.number;
            if self.doubtful.len() < DOUBTFUL_MAX {
                self.doubtful.push(number);
            }
            self.happen(now, id, Event::NotDurable);
            return;
        }
        self.tell_pending(id);
        self.unrecorded.insert((now.monotonic + RECORD_AGAIN, id));
    }

    /// Writes again what could not be written.
    fn write_again(&mut self, now: Instant) {
        while let Some(&(at, id)) = self.unrecorded.first()
            && at <= now
        {
            self.unrecorded.pop_first();
            self.write(id);
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
        if state.is_settled() {
            record.ended_utc_ms = utc_ms(now);
        }
        match state {
            State::Dispatched => self.dispatch_request(id),
            State::Reversing => self.begin_reversal(now, id, reason.unwrap_or(Reason::Internal)),
            State::NotSent if record.was_never_recorded() => self.settle(now, id),
            State::Approved | State::Declined | State::NotSent | State::Unknown => self.write(id),
            State::Reversed | State::ReversalFailed | State::Resolved => {
                self.end_reversal(id, state);
                self.write(id);
            }
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
            message: std::mem::take(&mut record.outgoing),
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
            (Leg::Request, _, _) => {}
            // An operator has ended it meanwhile.
            (Leg::Reversal, _, _) => {
                if let Some(reversal) = self.reversal(id) {
                    reversal.stage = Stage::Waiting;
                }
            }
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
        let Some(id) = self.unanswered.get(&stan).copied() else {
            return;
        };
        let metrics = self.metrics.late_answers.clone();
        let bank = Arc::clone(&self.bank);
        let Some(record) = self.record(id) else {
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
        self.write(id);
    }

    /// Takes a payment back, but for the amount that the bank is to keep, if one is given. The reply
    /// is answered once it is decided what becomes of it.
    ///
    /// # Errors
    /// There is no such payment, or not so much of it can stay. Then nothing was changed, and the reply
    /// means nothing.
    pub(super) fn cancel(
        &mut self,
        now: Now,
        key: &PaymentKey,
        actual_amount_minor: Option<u64>,
        reply: Reply<PaymentAnswer>,
    ) -> Result<(), ReverseError> {
        let id = *self.by_key.get(key).ok_or(ReverseError::Unknown)?;
        let record = self.record(id).ok_or(ReverseError::Unknown)?;
        record.keeps_part(actual_amount_minor)?;
        if matches!(record.state, State::Dispatched | State::Approved) {
            record.actual_amount_minor = actual_amount_minor;
        }
        self.happen(now, id, Event::CancelAsked);
        if let Some(record) = self.records.get_mut(id as usize).and_then(Option::as_mut) {
            match record.tells_outcome() {
                true => self.out.answers.push(reply, record.answer(&self.bank)),
                false => record.waiting.push(reply),
            }
        }
        Ok(())
    }

    /// What is known of a payment.
    pub(super) fn lookup(&self, key: &PaymentKey) -> Option<PaymentAnswer> {
        let id = *self.by_key.get(key)?;
        let record = self.records.get(id as usize)?.as_ref()?;
        Some(record.answer(&self.bank))
    }

    /// When [`Desk::handle_timeout`] has something to do.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let write = self.unrecorded.first().map(|(at, _)| *at);
        let forget = self.retained.front().map(|(at, _)| *at);
        [self.lines.next_timeout(), write, forget]
            .into_iter()
            .flatten()
            .min()
    }

    /// Sends the reversals that are due, writes again what could not be written, and forgets the
    /// payments whose retention is over.
    pub(super) fn handle_timeout(&mut self, now: Now) {
        self.write_again(now.monotonic);
        self.lines.handle_timeout(now.monotonic);
        self.send_reversals(now);
        while self.forget_oldest(|ends| ends <= now.monotonic) {}
    }

    /// Brings the gauges up to date.
    pub(super) fn publish(&self, now: Instant) {
        let age = self.oldest_reversal_age(now);
        let metrics = &self.metrics;
        metrics
            .reversals_pending
            .set(self.open_reversals.len() as f64);
        metrics.reversal_oldest_age.set(age.as_secs_f64());
        metrics
            .reversals_failed
            .set(f64::from(self.reversals_failed));
        metrics.records.set(self.by_key.len() as f64);
    }

    /// Payments that are not settled yet.
    pub(super) fn open(&self) -> usize {
        self.by_key.len() - self.settled
    }

    pub(super) fn record(&mut self, id: RecordId) -> Option<&mut Record> {
        self.records.get_mut(id as usize)?.as_mut()
    }
}
