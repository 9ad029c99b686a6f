//! The one task per bank that gives its desk a mailbox and a clock.
//!
//! It moves what is ready in batches: orders and answers in, then entries to the journal, messages
//! to the links, outcomes to the callers. It decides nothing.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, oneshot, watch},
    time::sleep_until,
};

use super::{
    AboutOriginal, OpenReversal, OperatorError, PaymentAnswer, PaymentKey, RecoveryError,
    ReverseError,
    desk::{Desk, Leg, RecordId},
    orders::Order,
    record::Resolution,
    registry::{DeskNumber, Registry},
    stans::StanAllocator,
    totals::{DayBooks, SettlementDay},
};
use crate::{
    clock,
    iso8583::{MatchKey, Message, session::Now},
    journal::{Journal, Kept},
    link::{BankJob, Exchange, Late, NotTaken, settings::BankSettings},
    metrics::PaymentMetrics,
    outbox::{Outbox, Reply},
    outcome::Reason,
    pool::Pool,
};

/// How often the gauges are brought up to date while nothing else happens.
const PUBLISH: Duration = Duration::from_secs(1);

/// The way to one bank's desk.
pub struct BankDesk {
    number: DeskNumber,
    settings: Arc<BankSettings>,
    mailbox: Arc<Mailbox>,
    open: watch::Receiver<usize>,
}

/// What the desk's task shares with those who want something of it. What waits here is limited by
/// those who put it there: requests in flight per client, and windows per link.
#[derive(Default)]
struct Mailbox {
    commands: Mutex<Vec<Command>>,
    filled: Notify,
}

enum Command {
    Transact(Vec<Order>),
    Reverse(Reverse),
    Reversals(bool, oneshot::Sender<Vec<OpenReversal>>),
    Operate(Operation),
    Lookup(PaymentKey, oneshot::Sender<Option<PaymentAnswer>>),
    Books(
        SettlementDay,
        Option<Vec<(u8, Bytes)>>,
        oneshot::Sender<DayBooks>,
    ),
    Find(Vec<AboutOriginal>, oneshot::Sender<Vec<Option<PaymentKey>>>),
    Recorded(Vec<RecordId>, bool),
    Late(Vec<(MatchKey, Message)>),
    Close,
    GiveUp,
    CountOpen(oneshot::Sender<usize>),
}

/// A payment that its caller takes back.
struct Reverse {
    key: PaymentKey,
    /// What the bank is to keep.
    actual_amount_minor: Option<u64>,
    /// Answered once it is decided what becomes of it.
    reply: Reply<PaymentAnswer>,
    told: oneshot::Sender<Result<(), ReverseError>>,
}

/// What an operator wants done about a reversal.
struct Operation {
    key: PaymentKey,
    operator: String,
    /// The operator's words, if it is settled by hand; `None` if it is to be tried again.
    resolve: Option<String>,
    /// Answered once it is decided what becomes of it.
    reply: Reply<PaymentAnswer>,
    told: oneshot::Sender<Result<(), OperatorError>>,
}

/// What a bank's desk begins with.
pub struct Opening {
    /// The bank.
    pub settings: Arc<BankSettings>,
    /// The bank's STANs, which its links use too.
    pub stans: StanAllocator,
    /// The bank's figures.
    pub metrics: PaymentMetrics,
    /// All desks' ids.
    pub registry: Arc<Registry>,
    /// Where payments are recorded.
    pub journal: Arc<dyn Journal>,
    /// The bank's payments that the journal has.
    pub kept: Vec<(u64, Kept)>,
}

impl Mailbox {
    fn post(&self, command: Command) {
        self.commands
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(command);
        self.filled.notify_one();
    }

    fn take(&self) -> Vec<Command> {
        std::mem::take(&mut *self.commands.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Late for BankDesk {
    fn late(&self, answers: Vec<(MatchKey, Message)>) {
        self.mailbox.post(Command::Late(answers));
    }
}

/// A desk that has no task yet: its links need it, and its task needs the links.
pub struct Unstarted {
    desk: Desk,
    journal: Arc<dyn Journal>,
    mailbox: Arc<Mailbox>,
    open: watch::Sender<usize>,
}

impl BankDesk {
    /// A bank's desk, and what is needed to start its task.
    ///
    /// # Errors
    /// A payment of the journal cannot be gone on with.
    pub fn open(opening: Opening) -> Result<(Arc<Self>, Unstarted), RecoveryError> {
        let Opening {
            settings,
            stans,
            metrics,
            registry,
            journal,
            kept,
        } = opening;
        let mailbox = Arc::new(Mailbox::default());
        let (open, watched) = watch::channel(0);
        let key = journal.digest_key();
        let mut desk = Desk::new(Arc::clone(&settings), stans, metrics, registry, key);
        desk.recover(clock::now(), kept)?;
        let way = Self {
            number: desk.number,
            settings,
            mailbox: Arc::clone(&mailbox),
            open: watched,
        };
        let unstarted = Unstarted {
            desk,
            journal,
            mailbox,
            open,
        };
        Ok((Arc::new(way), unstarted))
    }

    /// The bank.
    pub fn bank(&self) -> &Arc<str> {
        &self.settings.link.peer
    }

    /// Its own in the registry.
    pub(super) fn number(&self) -> DeskNumber {
        self.number
    }

    pub(super) fn transact(&self, orders: Vec<Order>) {
        self.mailbox.post(Command::Transact(orders));
    }

    /// Takes a payment back, but for what the bank is to keep; answers once it is decided what becomes
    /// of it.
    pub(super) async fn reverse(
        &self,
        key: PaymentKey,
        actual_amount_minor: Option<u64>,
    ) -> Result<PaymentAnswer, ReverseError> {
        let outbox = Outbox::new();
        let (told, decided) = oneshot::channel();
        self.mailbox.post(Command::Reverse(Reverse {
            key,
            actual_amount_minor,
            reply: outbox.reply(0),
            told,
        }));
        decided.await.map_err(|_| ReverseError::Stopped)??;
        let mut answers = Vec::new();
        outbox.take_ready(&mut answers).await;
        let answer = answers.pop().map(|(_, answer)| answer);
        answer.ok_or(ReverseError::Stopped)
    }

    /// The reversals that are not over, the oldest first.
    pub(super) async fn reversals(&self, failed_only: bool) -> Vec<OpenReversal> {
        let (told, answer) = oneshot::channel();
        self.mailbox.post(Command::Reversals(failed_only, told));
        answer.await.unwrap_or_default()
    }

    /// An operator has a failed reversal tried again, or settles one by hand, in which case
    /// `resolve` holds the reason.
    pub(super) async fn operate(
        &self,
        key: PaymentKey,
        operator: String,
        resolve: Option<String>,
    ) -> Result<PaymentAnswer, OperatorError> {
        let outbox = Outbox::new();
        let (told, decided) = oneshot::channel();
        self.mailbox.post(Command::Operate(Operation {
            key,
            operator,
            resolve,
            reply: outbox.reply(0),
            told,
        }));
        decided.await.map_err(|_| OperatorError::Stopped)??;
        let mut answers = Vec::new();
        outbox.take_ready(&mut answers).await;
        answers
            .pop()
            .map(|(_, answer)| answer)
            .ok_or(OperatorError::Stopped)
    }

    pub(super) async fn lookup(&self, key: PaymentKey) -> Option<PaymentAnswer> {
        let (told, answer) = oneshot::channel();
        self.mailbox.post(Command::Lookup(key, told));
        answer.await.ok().flatten()
    }

    /// The payments that a bank's messages are about, in their order; `None` where none is known.
    pub async fn find(&self, about: Vec<AboutOriginal>) -> Vec<Option<PaymentKey>> {
        let count = about.len();
        let (told, answer) = oneshot::channel();
        self.mailbox.post(Command::Find(about, told));
        answer.await.unwrap_or_else(|_| vec![None; count])
    }

    /// What both sides say of a day; `theirs`, if it is given, is from now on what the bank says. `None`
    /// once the desk has stopped.
    pub async fn books(
        &self,
        day: SettlementDay,
        theirs: Option<Vec<(u8, Bytes)>>,
    ) -> Option<DayBooks> {
        let (told, answer) = oneshot::channel();
        self.mailbox.post(Command::Books(day, theirs, told));
        answer.await.ok()
    }

    /// Refuses new payments from now on.
    pub fn close(&self) {
        self.mailbox.post(Command::Close);
    }

    /// Waits for no answer any more: what no link has sent is not sent, and what may have moved money
    /// is reversed. No new payment may come, so [`BankDesk::close`] first.
    pub fn give_up(&self) {
        self.mailbox.post(Command::GiveUp);
    }

    /// Waits until every payment is settled. Safe to cancel.
    pub async fn settled(&self) {
        let mut open = self.open.clone();
        // An error means that the task has ended, and then there is nothing to wait for.
        drop(open.wait_for(|open| *open == 0).await);
    }

    /// Payments that are not settled, counted after everything that reached the desk before.
    pub async fn count_open(&self) -> usize {
        let (told, answer) = oneshot::channel();
        self.mailbox.post(Command::CountOpen(told));
        // Without a task nobody settles anything any more, so the last count stands.
        answer.await.unwrap_or_else(|_| *self.open.borrow())
    }
}

impl Unstarted {
    /// Drives the desk until the task is aborted.
    pub async fn run(self, pool: Arc<Pool<BankJob>>) {
        let mut task = Task {
            desk: self.desk,
            mailbox: self.mailbox,
            open: self.open,
            pool,
            journal: self.journal,
            exchanges: Outbox::new(),
            closed: false,
        };
        task.run().await;
    }
}

struct Task {
    desk: Desk,
    mailbox: Arc<Mailbox>,
    open: watch::Sender<usize>,
    pool: Arc<Pool<BankJob>>,
    journal: Arc<dyn Journal>,
    exchanges: Arc<Outbox<Exchange>>,
    closed: bool,
}

impl Task {
    async fn run(&mut self) {
        let mut exchanged = Vec::new();
        loop {
            let now = clock::now();
            // Taken first and obeyed last: a late answer is told after the timeout that it missed,
            // and must find the payment timed out.
            let commands = self.mailbox.take();
            self.take_exchanges(now, &mut exchanged);
            for command in commands {
                self.obey(now, command);
            }
            self.desk.handle_timeout(now);
            self.hand_over();
            self.desk.publish(now.monotonic);
            self.open.send_if_modified(|open| {
                let before = std::mem::replace(open, self.desk.open());
                before != *open
            });
            self.wait(now.monotonic, &mut exchanged).await;
        }
    }

    fn take_exchanges(&mut self, now: Now, exchanged: &mut Vec<(u32, Exchange)>) {
        self.exchanges.try_take_ready(exchanged);
        for (tag, exchange) in exchanged.drain(..) {
            let (record, leg) = untagged(tag);
            self.desk.exchanged(now, record, leg, exchange);
        }
    }

    async fn wait(&self, now: Instant, exchanged: &mut Vec<(u32, Exchange)>) {
        let at = self.desk.next_timeout().unwrap_or(now + PUBLISH);
        let at = at.min(now + PUBLISH);
        tokio::select! {
            () = self.mailbox.filled.notified() => {}
            () = self.exchanges.take_ready(exchanged) => {}
            () = sleep_until(at.into()) => {}
        }
    }

    fn obey(&mut self, now: Now, command: Command) {
        match command {
            Command::Transact(orders) if self.closed => {
                for order in orders {
                    let detail = "Sampan is stopping; try another instance";
                    order
                        .reply
                        .send(PaymentAnswer::not_sent(Reason::Stopping, detail));
                }
            }
            Command::Transact(orders) => {
                self.desk.journal_fails = self.journal.failure().is_some();
                for order in orders {
                    self.desk.transact(now, self.journal.next_number(), order);
                }
            }
            // Whoever asked may have gone away meanwhile; then nobody wants the answer.
            Command::Reverse(wish) => {
                let (key, actual) = (&wish.key, wish.actual_amount_minor);
                drop(
                    wish.told
                        .send(self.desk.cancel(now, key, actual, wish.reply)),
                );
            }
            Command::Reversals(failed_only, told) => {
                drop(told.send(self.desk.reversals(failed_only)));
            }
            Command::Operate(operation) => self.operate(now, operation),
            Command::Lookup(key, told) => {
                drop(told.send(self.desk.lookup(&key)));
            }
            Command::Books(day, theirs, told) => drop(told.send(self.desk.books(day, theirs))),
            Command::Find(about, told) => {
                let found = about.iter().map(|about| self.desk.find(about));
                drop(told.send(found.collect()));
            }
            Command::Recorded(records, durable) => self.desk.durable(now, &records, durable),
            Command::Late(answers) => {
                for (key, message) in &answers {
                    self.desk.late(now, *key, message);
                }
            }
            Command::CountOpen(told) => drop(told.send(self.desk.open())),
            Command::Close => self.closed = true,
            Command::GiveUp => {
                self.desk.give_up(now);
                // First what the links do not have yet, so that they give up all of it.
                self.hand_over();
                self.pool.give_up();
            }
        }
    }

    fn operate(&mut self, now: Now, operation: Operation) {
        let Operation {
            key,
            operator,
            resolve,
            reply,
            told,
        } = operation;
        let decided = match resolve {
            Some(reason) => {
                let resolution = Resolution { operator, reason };
                self.desk.resolve_reversal(now, &key, resolution, reply)
            }
            None => self.desk.retry_reversal(now, &key, &operator, reply),
        };
        drop(told.send(decided));
    }

    /// Gives everyone what the turn has brought forth.
    fn hand_over(&mut self) {
        let out = &mut self.desk.out;
        out.answers.flush();
        if !out.rows.is_empty() {
            let rows = std::mem::take(&mut out.rows);
            let recorded = std::mem::take(&mut out.recorded);
            let mailbox = Arc::clone(&self.mailbox);
            let done = move |result: Result<(), _>| {
                mailbox.post(Command::Recorded(recorded, result.is_ok()));
            };
            self.journal.append(rows, Box::new(done));
        }
        self.dispatch();
    }

    fn dispatch(&mut self) {
        let exchanges = self.exchanges.replies();
        let mut jobs: VecDeque<BankJob> = self
            .desk
            .out
            .dispatches
            .drain(..)
            .map(|dispatch| {
                let reply = exchanges.reply(tag(dispatch.record, dispatch.leg));
                dispatch.into_job(reply)
            })
            .collect();
        if jobs.is_empty() {
            return;
        }
        if let Err(not_taken) = self.pool.submit(&mut jobs) {
            let reason = match not_taken {
                NotTaken::Closed => Reason::NoLink,
                NotTaken::Full => Reason::QueueFull,
            };
            for job in jobs {
                job.reply.send(Exchange::NotSent(reason));
            }
        }
    }
}

/// The tag of an exchange: the record, and in the lowest bit which of its messages. Records are far
/// fewer than 2^31, because each has memory of its own.
fn tag(record: RecordId, leg: Leg) -> u32 {
    record << 1 | u32::from(leg == Leg::Reversal)
}

fn untagged(tag: u32) -> (RecordId, Leg) {
    let leg = match tag & 1 {
        0 => Leg::Request,
        _ => Leg::Reversal,
    };
    (tag >> 1, leg)
}
