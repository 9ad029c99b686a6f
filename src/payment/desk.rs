//! All payments of one bank: what an answer means, who gets it, what follows from it.
//!
//! Pure like a protocol core: commands, answers and the time come in, journal rows and messages to
//! send come out. [`super::task`] is the shell that gives it a mailbox and a clock. It must never
//! hand out a message whose record is not durable, nor tell an outcome that a restart would not know.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    hash::RandomState,
    sync::Arc,
    time::Instant,
};

use bytes::{Bytes, BytesMut};
use tracing::warn;

use super::{
    PaymentAnswer, PaymentKey, ReverseError,
    by_stan::ByStan,
    keys::Keys,
    lines::Lines,
    record::{Record, Stage, told_of},
    registry::{DeskNumber, Place, Registry},
    stans::StanAllocator,
    state::{Decision, Event, State},
    totals::{Evicted, SettlementDay},
    writing::Unwritten,
};
use crate::{
    digest::{Digest, DigestKey},
    iso8583::{MatchKey, Message, mti::Class, session::Now},
    journal::Row,
    link::{BankJob, Exchange, settings::BankSettings},
    metrics::PaymentMetrics,
    outbox::{Answers, Reply},
    outcome::Reason,
};

/// Names a record; the slot is used again after the record is gone.
pub(super) type RecordId = u32;

/// Records that there is room for from the start: to move half a million of them when a table grows
/// takes a tenth of a second, in which no payment goes on. Pages that nothing was put into cost nothing.
const ROOM_MAX: usize = 1 << 20;

/// The time of a record's rows.
pub(super) fn utc_ms(now: Now) -> i64 {
    // Milliseconds fill an i64 only in hundreds of millions of years.
    i64::try_from(now.utc.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
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
    pub(super) registry: Arc<Registry>,
    /// This desk's own in the registry.
    pub(super) number: DeskNumber,
    pub(super) records: Vec<Option<Box<Record>>>,
    pub(super) free: Vec<RecordId>,
    /// How many records there are.
    pub(super) kept: usize,
    pub(super) keys: Keys,
    pub(super) evicted: Evicted,
    /// The totals that the bank has told, by day.
    pub(super) theirs: BTreeMap<SettlementDay, Vec<(u8, Bytes)>>,
    /// All payments by the STAN of their request.
    pub(super) by_stan: ByStan,
    /// Settled payments in the order in which their retention ends. An approved payment that is
    /// taken back leaves a stale entry behind, which its record does not know.
    pub(super) retained: VecDeque<(Instant, RecordId)>,
    pub(super) settled: usize,
    /// Reversals that wait for their turn.
    pub(super) lines: Lines,
    /// Reversals that are not acknowledged, oldest first.
    pub(super) open_reversals: BTreeSet<(Instant, RecordId)>,
    pub(super) reversals_failed: u32,
    pub(super) unwritten: Unwritten,
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
        registry: Arc<Registry>,
        digest_key: DigestKey,
    ) -> Self {
        let room = settings.records_max.min(ROOM_MAX);
        Self {
            bank: Arc::clone(&settings.link.peer),
            lines: Lines::new(settings.reversal.in_flight_max),
            settings,
            metrics,
            stans,
            digest_key,
            hasher: RandomState::new(),
            number: registry.enlist(),
            registry,
            records: Vec::with_capacity(room),
            free: Vec::new(),
            kept: 0,
            keys: Keys::default(),
            by_stan: ByStan::with_capacity(room),
            evicted: Evicted::new(),
            theirs: BTreeMap::new(),
            retained: VecDeque::with_capacity(room),
            settled: 0,
            open_reversals: BTreeSet::new(),
            reversals_failed: 0,
            unwritten: Unwritten::default(),
            journal_fails: false,
            scratch: BytesMut::new(),
            out: Output::default(),
        }
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

    /// Where a record stands among those of all banks.
    pub(super) fn place_of(&self, record: RecordId) -> Place {
        let desk = self.number;
        Place { desk, record }
    }

    /// Where the next record will stand.
    pub(super) fn next_place(&self) -> Place {
        // records_max keeps the length far below the limit of the type.
        let next = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        self.place_of(self.free.last().copied().unwrap_or(next))
    }

    /// The record of a payment, if it is this bank's.
    pub(super) fn id_of(&self, key: &PaymentKey) -> Option<RecordId> {
        self.find_id(self.registry.digest(key))
    }

    /// The same by what the registry finds it by.
    pub(super) fn find_id(&self, digest: Digest) -> Option<RecordId> {
        let place = self.registry.find(digest)?;
        (place.desk == self.number).then_some(place.record)
    }

    pub(super) fn store(&mut self, record: Box<Record>) -> RecordId {
        let stan = record.stan;
        let id = self.place(record);
        self.kept += 1;
        self.by_stan.insert(stan, id);
        id
    }

    fn place(&mut self, record: Box<Record>) -> RecordId {
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
            State::Dispatched => self.dispatch_request(now, id),
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

    fn dispatch_request(&mut self, now: Now, id: RecordId) {
        let exchange = self.record(id).and_then(|own| own.exchange.as_deref_mut());
        let Some(exchange) = exchange else {
            // Not reached: only what is settled has none.
            self.happen(now, id, Event::NotSent(Reason::Internal));
            return;
        };
        let dispatch = Dispatch {
            record: id,
            leg: Leg::Request,
            key: exchange.key,
            message: std::mem::take(&mut exchange.outgoing),
            deadline: exchange.deadline,
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
            (Leg::Request, _, Exchange::Answered(message)) => self.answered_late(id, &message),
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
        record.response = told_of(&message);
        if let Err(why) = record.plausible(&message) {
            warn!(%bank, payment = record.key.id.as_str(), "the answer makes no sense: {why}");
            return Event::Unanswered(Reason::BadAnswer);
        }
        let code = record.response.code();
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
    pub(super) fn late(&mut self, now: Now, key: MatchKey, message: &Message) {
        if key.class() == Class::Reversal {
            self.reversal_answered_late(now, key, message);
        } else if let Some(id) = self.keys.late(key) {
            self.answered_late(id, message);
        }
    }

    /// Records an answer to a payment whose outcome was told before.
    fn answered_late(&mut self, id: RecordId, message: &Message) {
        let metrics = self.metrics.late_answers.clone();
        let bank = Arc::clone(&self.bank);
        let Some(record) = self.record(id) else {
            return;
        };
        let reference = message.get(37);
        let same_payment = reference.is_none_or(|own| own == record.retrieval_reference());
        if !same_payment || !record.is_answered_late() {
            return;
        }
        record.late_response_code = message.get(39).unwrap_or_default().into();
        warn!(
            %bank, payment = record.key.id.as_str(), stan = %record.stan,
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
        let id = self.id_of(key).ok_or(ReverseError::Unknown)?;
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
        let record = self.records.get(self.id_of(key)? as usize)?.as_ref()?;
        Some(record.answer(&self.bank))
    }

    /// When [`Desk::handle_timeout`] has something to do.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let write = self.unwritten.next_timeout();
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
        metrics.records.set(self.kept as f64);
    }

    /// Payments that are not settled yet.
    pub(super) fn open(&self) -> usize {
        self.kept - self.settled
    }

    pub(super) fn record(&mut self, id: RecordId) -> Option<&mut Record> {
        self.records.get_mut(id as usize)?.as_deref_mut()
    }
}
