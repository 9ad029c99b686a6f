//! What messaging remembers beyond a request's end: its id, so that it is sent once, and the ids that
//! the SMSC gave, so that its receipts find it.
//!
//! It stands at the two places where a batch begins and where outcomes leave, so that a whole batch
//! takes each table's lock once and the store one write. It decides nothing about SMSCs.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};

use bytes::Bytes;
use tokio::runtime::Handle;
use tracing::warn;

use super::{
    flights::{Errand, Flight},
    late::LateAnswers,
};
use crate::{
    client::ClientName,
    clock,
    iso8583::session::Now,
    message::{MessageOutbox, MessageOutcome, MessageRequest, MessageResult},
    metrics::Metrics,
    outbox::{Answers, Reply},
    outcome::Reason,
    receipts::{self, Expected, Receipts},
    requests::{self, Begun, IdHandle, RequestIds},
    store::{Change, Store, StoreError, rows::lock},
};

/// Request ids, with whoever waits for the outcome of another's request.
pub type Ids = RequestIds<Reply<MessageOutcome>>;

/// What outlives a request.
#[derive(Clone)]
pub struct Memory {
    /// Ids and their outcomes.
    pub ids: Arc<Ids>,
    /// Awaited receipts.
    pub receipts: Arc<Receipts>,
    /// Messages whose ids may still come.
    late: Arc<Mutex<LateAnswers>>,
    /// Where both are stored; `None` keeps them in memory.
    pub store: Option<Store>,
}

impl Memory {
    /// Takes up what `store` holds. `smscs` are the SMSCs with the manners of their receipts.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open(
        receipts: (receipts::Limits, receipts::Record),
        requests: (requests::Limits, requests::Record),
        smscs: impl IntoIterator<Item = (Arc<str>, receipts::SmscReceipts)>,
        store: Option<Store>,
        metrics: &Metrics,
    ) -> Result<Self, StoreError> {
        let figures = metrics.receipts();
        let receipts = Receipts::open(receipts.0, receipts.1, smscs, store.clone(), figures)?;
        let figures = metrics.requests();
        let ids = Ids::open(requests.0, requests.1, store.clone(), figures)?;
        Ok(Self {
            ids: Arc::new(ids),
            receipts: Arc::new(receipts),
            late: Arc::default(),
            store,
        })
    }

    /// Forgets what is too old. To be called about once a second.
    pub fn keep_house(&self) {
        let now = clock::now();
        self.ids.keep_house(now);
        self.receipts.keep_house(now);
        lock(&self.late).expire(now.monotonic);
    }
}

/// A batch that has begun.
pub(super) struct Admitted<T> {
    /// What is to be sent.
    pub(super) new: Vec<T>,
    /// What is answered without being sent.
    pub(super) answered: Answers<MessageOutcome>,
    /// Of those, how many were not sent for a reason of their own.
    pub(super) not_sent: u64,
    /// Changes that have to be durable before anything is sent; empty if none have.
    pub(super) first: Vec<Change>,
}

/// Outcomes on their way to the callers.
pub(super) struct Closing {
    answers: Answers<MessageOutcome>,
    changes: Vec<Change>,
    /// Whether the callers are told only once the changes are durable.
    must_be_durable: bool,
}

impl Memory {
    /// Sorts a batch into what is new and what is answered at once.
    pub(super) fn admit<T>(
        &self,
        client: &ClientName,
        requests: Vec<MessageRequest>,
        outbox: &Arc<MessageOutbox>,
        mut depart: impl FnMut(Reply<MessageOutcome>, IdHandle, MessageRequest) -> T,
    ) -> Admitted<T> {
        let mut admitted = Admitted {
            new: Vec::with_capacity(requests.len()),
            answered: Answers::new(),
            not_sent: 0,
            first: Vec::new(),
        };
        let mut changes = Vec::new();
        let name = self.ids.names(client);
        let names: Vec<_> = requests.iter().map(|request| name(&request.id)).collect();
        let replies = outbox.replies();
        let mut ids = self.ids.open_batch(clock::now());
        ids.look_ahead(&names);
        for (request, name) in requests.into_iter().zip(names) {
            let reply = replies.reply(request.tag);
            let refused = match ids.begin(name, &request.message) {
                Begun::New(id) => {
                    admitted.new.push(depart(reply, id, request));
                    continue;
                }
                Begun::Repeated(outcome) => {
                    admitted.answered.push(reply, outcome);
                    continue;
                }
                Begun::InFlight(id) => match ids.join(id, reply) {
                    Ok(()) => continue,
                    Err(reply) => (reply, Reason::Limit, TOO_MANY_JOINERS),
                },
                Begun::Reused => (reply, Reason::IdReused, ID_REUSED),
                Begun::Full => (reply, Reason::QueueFull, IDS_FULL),
            };
            let (reply, reason, detail) = refused;
            admitted.not_sent += 1;
            admitted
                .answered
                .push(reply, MessageOutcome::not_sent(reason, detail));
        }
        ids.end(&mut changes);
        match self.ids.record() {
            requests::Record::BeforeSending => admitted.first = changes,
            requests::Record::Behind | requests::Record::Memory => self.ids.write_behind(changes),
        }
        admitted
    }

    /// Takes down how requests have ended.
    pub(super) fn close(&self, told: Vec<(Box<Flight>, MessageOutcome)>) -> Closing {
        let now = clock::now();
        let mut changes = Vec::new();
        let must_be_durable = self.expect(now, &told, &mut changes);
        let mut answers = Answers::with_capacity(told.len());
        let mut ids = self.ids.open_batch(now);
        ids.look_ahead_to_ends(told.iter().filter_map(|(flight, _)| flight.id_handle()));
        for (flight, outcome) in told {
            if let Some(id) = flight.id_handle() {
                for joiner in ids.finish(id, &outcome) {
                    let repeated = true;
                    let outcome = outcome.clone();
                    answers.push(
                        joiner,
                        MessageOutcome {
                            repeated,
                            ..outcome
                        },
                    );
                }
            }
            answers.push(flight.reply, outcome);
        }
        ids.end(&mut changes);
        Closing {
            answers,
            changes,
            must_be_durable,
        }
    }

    /// Expects the receipts of what was accepted, be it only some parts. True if their callers have to wait for the store.
    fn expect(
        &self,
        now: Now,
        told: &[(Box<Flight>, MessageOutcome)],
        changes: &mut Vec<Change>,
    ) -> bool {
        // Often nobody awaits any, and then the messages themselves need not be looked at.
        if told.iter().all(|(flight, _)| flight.on_its_way.is_none()) {
            return false;
        }
        // Runs of one SMSC, nearly always all of them, share the table's lock.
        for run in told.chunk_by(|(_, one), (_, other)| one.smsc == other.smsc) {
            let mut expecting = None;
            for (flight, outcome) in run {
                let (Errand::Message(submission), Some(smsc)) = (&flight.errand, &outcome.smsc)
                else {
                    continue;
                };
                let message_ids = outcome.message_ids();
                if submission.message.receipt && !message_ids.is_empty() {
                    expecting
                        .get_or_insert_with(|| self.receipts.expecting(now, smsc))
                        .expect(&Expected {
                            client: &submission.client,
                            id: &submission.id,
                            destination: submission.message.destination.addr.as_bytes(),
                            message_ids,
                        });
                }
            }
            if let Some(expecting) = expecting {
                expecting.end(changes);
            }
        }
        !changes.is_empty() && self.receipts.record() == receipts::Record::BeforeAnswer
    }

    /// A message that wants receipts goes to an SMSC, before its first byte does.
    pub(super) fn departs(&self, flight: &mut Flight, smsc: &str) {
        if flight.wants_receipts() {
            flight.on_its_way = self.receipts.on_its_way(smsc);
        }
    }

    /// A message has ended at an SMSC, which may still answer some of it: to be told before the callers
    /// are, because the answer may come as soon.
    pub(super) fn remember_unanswered(&self, smsc: &str, flight: &Flight, result: &MessageResult) {
        if let Some((generation, unanswered)) = flight.unanswered(result) {
            let now = Instant::now();
            self.receipts.timed_out(now, smsc);
            lock(&self.late).remember(now, generation, unanswered);
        }
    }

    /// SMSCs have given ids of messages that had been told UNKNOWN: their receipts are expected.
    pub(super) fn expect_late(
        &self,
        smsc: &str,
        answers: impl IntoIterator<Item = (u32, usize, Bytes)>,
    ) {
        let now = clock::now();
        let mut changes = Vec::new();
        {
            let mut late = lock(&self.late);
            let mut expecting = self.receipts.expecting(now, smsc);
            for (generation, part, id) in answers {
                if let Some(message) = late.answered(now.monotonic, generation, part, id) {
                    expecting.expect_late(&message.expected(), part);
                }
            }
            expecting.end(&mut changes);
        }
        self.receipts.write_behind(changes);
    }

    /// Tells the callers, after their receipts are sure to find them.
    pub(super) fn tell(&self, closing: Closing) {
        let Closing {
            mut answers,
            changes,
            must_be_durable,
        } = closing;
        let Some(store) = &self.store else {
            answers.flush();
            return;
        };
        if !must_be_durable {
            answers.flush();
            if changes.is_empty() {
                return;
            }
        }
        store.write(
            changes,
            Box::new(move |written| {
                // The SMSC has the messages whatever the disk says, and that is what is told.
                if let Err(error) = written {
                    warn!("a restart will forget how these requests ended: {error}");
                }
                answers.flush();
            }),
        );
    }
}

const ID_REUSED: &str =
    "request_id: another request with this id had another body; give each message an id of its own";
const TOO_MANY_JOINERS: &str =
    "request_id: too many calls wait for this request already; wait for its outcome";
const IDS_FULL: &str =
    "every request id that can be kept is in flight; send less, or raise requests.ids_max";

/// Batches whose ids have been written down, in their order, until they are sent. It needs no limit
/// of its own: what waits is in flight for its callers, and those are limited.
pub(super) struct Gate<T>(Mutex<Waiting<T>>);

struct Waiting<T> {
    batches: VecDeque<(Vec<T>, Result<(), StoreError>)>,
    is_open: bool,
}

impl<T> Default for Gate<T> {
    fn default() -> Self {
        Self(Mutex::new(Waiting {
            batches: VecDeque::new(),
            is_open: false,
        }))
    }
}

impl<T> Gate<T> {
    /// Adds a batch. True if nobody takes them at the moment, so that the caller has to.
    pub(super) fn push(&self, batch: Vec<T>, written: Result<(), StoreError>) -> bool {
        let mut waiting = self.lock();
        waiting.batches.push_back((batch, written));
        !std::mem::replace(&mut waiting.is_open, true)
    }

    /// The next batch, or nothing, after which others have to take what comes.
    pub(super) fn pop(&self) -> Option<(Vec<T>, Result<(), StoreError>)> {
        let mut waiting = self.lock();
        let batch = waiting.batches.pop_front();
        waiting.is_open = batch.is_some();
        batch
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        lock(&self.0)
    }
}

/// Runs work away from the store's thread, where there is a runtime to take it.
pub(super) fn elsewhere(runtime: Option<&Handle>, work: impl FnOnce() + Send + 'static) {
    match runtime {
        Some(runtime) => drop(runtime.spawn(async move { work() })),
        None => work(),
    }
}
