//! What a link's one task shares with everybody else: the queue into it, its state, its counts.
//!
//! The queue is open exactly while the link takes traffic. Closing it and taking out what it holds
//! is one step, so a job is either refused at once or found by the link's task: none is stranded.
//! Nothing here may wait or do I/O.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::Notify;

use super::{
    asked::{Answering, Origin},
    lanes::{CLASSES, Lanes, Queued},
    settings::LinkSettings,
};
use crate::{
    inbox::{Respond, Verdict},
    iso8583::{MatchKey, Message},
    metrics::LinkMetrics,
    status::{LAST_ERRORS_MAX, LinkError, LinkState, LinkStatus, PeerKind},
    tap::Tap,
};

/// The shared side of one link; `J` is what it carries.
pub struct Shared<J> {
    /// Such as `viettel/2`.
    pub name: Arc<str>,
    /// What is at the other end.
    pub kind: PeerKind,
    /// Where it leads, and its limits.
    pub settings: Arc<LinkSettings>,
    /// The handles of its metrics.
    pub metrics: LinkMetrics,
    /// Totals since the start.
    pub totals: Totals,
    queue: Mutex<Queue<J>>,
    responses: Mutex<Vec<Response>>,
    condition: Mutex<Condition>,
    /// A copy of the condition's state, for readers in a hurry.
    state: AtomicU8,
    queued: AtomicU32,
    in_flight: AtomicU32,
    /// Those of each class, the most urgent first.
    queued_by_class: [AtomicU32; CLASSES],
    /// Until when the peer is sent nothing because it wanted less.
    paused_until: Mutex<Option<Instant>>,
    /// Whether `paused_until` is set, for readers in a hurry.
    paused: AtomicBool,
    draining: AtomicBool,
    /// Whether `stop` is set, for readers in a hurry.
    stopping: AtomicBool,
    stop: Mutex<Option<Stop>>,
    giving_up: AtomicBool,
    wake: Notify,
    /// Where operators listen to its PDUs.
    pub tap: Tap,
}

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Totals {
    /// Requests written.
    pub submitted: AtomicU64,
    /// Answers that found their request.
    pub answered: AtomicU64,
    /// Requests whose answer did not come in time.
    pub timed_out: AtomicU64,
    /// Connections made again after one was lost.
    pub reconnects: AtomicU64,
}

struct Queue<J> {
    open: bool,
    lanes: Lanes<J>,
}

/// What a link is to see to, besides its jobs: an answer on its way to the peer, most often.
#[derive(Debug)]
pub(super) enum Response {
    /// A verdict of the inbox, for an SMSC.
    Verdict {
        /// Which connection it belongs to.
        session: u64,
        /// The sequence number to echo.
        sequence: u32,
        /// What to answer.
        verdict: Verdict,
    },
    /// The answer to a request of a bank.
    Answer {
        /// What it belongs to.
        origin: Origin,
        /// What to answer.
        answer: Message,
    },
    /// An answer of a bank that came by another of its links.
    HandedOver {
        /// Which request it answers.
        key: MatchKey,
        /// As decoded, its MAC verified.
        answer: Message,
    },
}

/// The times of a stop.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// How long what is in flight is waited for; the link's own drain timeout may end it before.
    pub patience: Instant,
    /// When the connection is cut, whatever the peer has answered.
    pub cut: Instant,
}

struct Condition {
    state: LinkState,
    since: Instant,
    /// What ended the last connection, or kept it from being made.
    last_error: String,
    /// The newest first.
    errors: VecDeque<LinkError>,
}

impl Condition {
    /// The same error again is one entry, so that a peer that is down for an hour does not hide what
    /// happened before.
    fn remember(&mut self, what: &str, times: u64) {
        let at = SystemTime::now();
        if let Some(newest) = self.errors.front_mut()
            && newest.what == what
        {
            newest.at = at;
            newest.times += times;
            return;
        }
        self.errors.truncate(LAST_ERRORS_MAX - 1);
        let what = what.to_owned();
        self.errors.push_front(LinkError { at, what, times });
    }
}

/// Why a link did not take jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It is not up, or it is being drained.
    Closed,
    /// Its queue is full.
    Full,
}

impl<J> Shared<J> {
    /// A link that is down and has done nothing yet.
    pub fn new(
        kind: PeerKind,
        settings: &Arc<LinkSettings>,
        number: u16,
        metrics: LinkMetrics,
    ) -> Self {
        metrics.window.set(f64::from(settings.window));
        Self {
            name: format!("{}/{number}", settings.peer).into(),
            kind,
            settings: Arc::clone(settings),
            metrics,
            totals: Totals::default(),
            queue: Mutex::new(Queue {
                open: false,
                lanes: Lanes::new(settings.queue_max),
            }),
            responses: Mutex::default(),
            condition: Mutex::new(Condition {
                state: LinkState::Down,
                since: Instant::now(),
                last_error: String::new(),
                errors: VecDeque::new(),
            }),
            state: AtomicU8::new(LinkState::Down as u8),
            queued: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
            queued_by_class: Default::default(),
            paused_until: Mutex::new(None),
            paused: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            stop: Mutex::new(None),
            giving_up: AtomicBool::new(false),
            wake: Notify::new(),
            tap: Tap::default(),
        }
    }

    /// Whether it takes traffic.
    pub fn is_up(&self) -> bool {
        self.state.load(Relaxed) == LinkState::Up as u8
    }

    /// Requests that wait or are in flight: the smaller, the sooner a new one is answered.
    pub fn load(&self) -> u32 {
        self.queued.load(Relaxed) + self.in_flight.load(Relaxed)
    }

    /// Whether it sends nothing for now because the peer wanted less.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Relaxed)
    }

    /// Stops new traffic until [`Shared::resume`].
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
        self.wake.notify_one();
    }

    /// Takes the link back into service.
    pub fn resume(&self) {
        self.draining.store(false, Relaxed);
        self.wake.notify_one();
    }

    /// Waits for no answer to a request any more. The link stays, for what the peer is owed; no
    /// new request may come.
    pub fn give_up(&self) {
        self.giving_up.store(true, Relaxed);
        self.wake.notify_one();
    }

    /// Refuses what is queued, waits for what is in flight, says goodbye to the peer and ends the
    /// link's task. A second call may set earlier times.
    pub fn stop(&self, stop: Stop) {
        *lock(&self.stop) = Some(stop);
        self.stopping.store(true, Relaxed);
        self.wake.notify_one();
    }

    /// The link as it is now.
    pub fn status(&self) -> LinkStatus {
        let condition = lock(&self.condition);
        LinkStatus {
            peer: Arc::clone(&self.settings.peer),
            kind: self.kind,
            name: Arc::clone(&self.name),
            address: self.settings.reach.to_string(),
            // The link's task follows a drain at its next turn; whoever asked for it sees it now.
            state: match condition.state {
                LinkState::Up if self.is_draining() => LinkState::Draining,
                state => state,
            },
            in_flight: self.in_flight.load(Relaxed),
            window: self.settings.window,
            queued: self.queued.load(Relaxed),
            submitted: self.totals.submitted.load(Relaxed),
            answered: self.totals.answered.load(Relaxed),
            timed_out: self.totals.timed_out.load(Relaxed),
            reconnects: self.totals.reconnects.load(Relaxed),
            state_age: condition.since.elapsed(),
            last_error: condition.last_error.clone(),
            paused: self.paused_for(),
            last_errors: condition.errors.iter().cloned().collect(),
        }
    }

    fn paused_for(&self) -> Option<Duration> {
        let until = (*lock(&self.paused_until))?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Tells others how much waits, after every change under the queue's lock.
    fn publish_queue(&self, queue: &Queue<J>) {
        self.queued.store(len_u32(queue.lanes.len()), Relaxed);
        let classes = queue.lanes.len_by_class();
        for (published, len) in self.queued_by_class.iter().zip(classes) {
            published.store(len_u32(len), Relaxed);
        }
    }
}

/// The way into the queue. A job waits in the lane that it names; a class that has filled its share
/// of the queue is full for itself and for what is less urgent.
impl<J: Queued> Shared<J> {
    /// Puts the first `count` jobs into the queue, as far as they fit; the others stay in `jobs`, in
    /// their order.
    pub fn enqueue(&self, jobs: &mut VecDeque<J>, count: usize) -> Result<(), NotTaken> {
        let mut queue = lock(&self.queue);
        if !queue.open {
            return Err(NotTaken::Closed);
        }
        let count = count.min(jobs.len());
        let mut left = VecDeque::new();
        for job in jobs.drain(..count) {
            if let Err(job) = queue.lanes.push(job) {
                left.push_back(job);
            }
        }
        self.publish_queue(&queue);
        drop(queue);
        let is_full = !left.is_empty();
        if left.len() < count {
            self.wake.notify_one();
        }
        if is_full {
            left.append(jobs);
            *jobs = left;
            return Err(NotTaken::Full);
        }
        Ok(())
    }

    /// Puts all jobs, which are of one lane, into the queue, or none of them.
    pub fn enqueue_together(&self, jobs: &mut VecDeque<J>) -> Result<(), NotTaken> {
        let Some(lane) = jobs.front().map(Queued::lane) else {
            return Ok(());
        };
        let mut queue = lock(&self.queue);
        if !queue.open {
            return Err(NotTaken::Closed);
        }
        if queue.lanes.room(lane.class) < jobs.len() {
            return Err(NotTaken::Full);
        }
        while let Some(job) = jobs.pop_front() {
            if let Err(job) = queue.lanes.push(job) {
                // Not reached: there is room for as many of this class.
                jobs.push_front(job);
                break;
            }
        }
        self.publish_queue(&queue);
        drop(queue);
        self.wake.notify_one();
        match jobs.is_empty() {
            true => Ok(()),
            false => Err(NotTaken::Full),
        }
    }

    /// Puts the first `count` jobs before the others of their lanes, as far as they fit; the others
    /// stay in `jobs`. They were taken before, so a queue that has filled up meanwhile has room for
    /// as many as the window holds besides.
    pub fn enqueue_first(&self, jobs: &mut VecDeque<J>, count: usize) -> Result<(), NotTaken> {
        let mut queue = lock(&self.queue);
        if !queue.open {
            return Err(NotTaken::Closed);
        }
        let free = self.queue_first_max().saturating_sub(queue.lanes.len());
        let taken = count.min(free).min(jobs.len());
        for job in jobs.drain(..taken).rev() {
            queue.lanes.push_front(job);
        }
        self.publish_queue(&queue);
        drop(queue);
        if taken > 0 {
            self.wake.notify_one();
        }
        if taken < count {
            Err(NotTaken::Full)
        } else {
            Ok(())
        }
    }

    /// Puts all jobs before the others of their lanes, or none of them.
    pub fn enqueue_together_first(&self, jobs: &mut VecDeque<J>) -> Result<(), NotTaken> {
        let mut queue = lock(&self.queue);
        if !queue.open {
            return Err(NotTaken::Closed);
        }
        if queue.lanes.len() + jobs.len() > self.queue_first_max() {
            return Err(NotTaken::Full);
        }
        while let Some(job) = jobs.pop_back() {
            queue.lanes.push_front(job);
        }
        self.publish_queue(&queue);
        drop(queue);
        self.wake.notify_one();
        Ok(())
    }

    fn queue_first_max(&self) -> usize {
        self.settings.queue_max + self.settings.window as usize
    }
}

/// The side of the link's own task.
impl<J> Shared<J> {
    /// Waits until somebody wants something of the link. Safe to cancel.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Whether to give up, told once.
    pub(super) fn take_give_up(&self) -> bool {
        self.giving_up.load(Relaxed) && self.giving_up.swap(false, Relaxed)
    }

    pub(super) fn stop_asked(&self) -> Option<Stop> {
        match self.is_stopping() {
            true => *lock(&self.stop),
            false => None,
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// How many jobs wait.
    pub(super) fn queued(&self) -> u32 {
        self.queued.load(Relaxed)
    }

    /// Moves up to `count` jobs, those whose turn it is, from the queue to `into`.
    pub(super) fn dequeue(&self, count: usize, into: &mut Vec<J>) {
        if self.queued() == 0 {
            return;
        }
        let mut queue = lock(&self.queue);
        queue.lanes.pop(count, into);
        self.publish_queue(&queue);
    }

    /// Takes jobs out of the queue that must not wait any longer; they are the caller's to answer.
    pub(super) fn dequeue_if(&self, into: &mut Vec<J>, over: impl Fn(&J) -> bool) {
        if self.queued() == 0 {
            return;
        }
        let mut queue = lock(&self.queue);
        queue.lanes.remove_if(into, over);
        self.publish_queue(&queue);
    }

    pub(super) fn open_queue(&self) {
        lock(&self.queue).open = true;
    }

    /// Closes the queue and gives what it holds.
    pub(super) fn close_queue(&self) -> VecDeque<J> {
        let mut queue = lock(&self.queue);
        queue.open = false;
        let jobs = queue.lanes.take_all();
        self.publish_queue(&queue);
        jobs
    }

    /// The peer is sent nothing until then; `None` is the end of the pause.
    pub(super) fn pause(&self, until: Option<Instant>) {
        *lock(&self.paused_until) = until;
        self.paused.store(until.is_some(), Relaxed);
        self.metrics
            .paused
            .set(f64::from(u8::from(until.is_some())));
    }

    pub(super) fn take_responses(&self, into: &mut Vec<Response>) {
        into.clear();
        std::mem::swap(&mut *lock(&self.responses), into);
    }

    /// Has the link's task see to it at its next turn. Who posts sees to it that there is a limit.
    pub(super) fn post(&self, response: Response) {
        lock(&self.responses).push(response);
        self.wake.notify_one();
    }

    pub(super) fn publish_load(&self, in_flight: u32) {
        self.in_flight.store(in_flight, Relaxed);
        self.metrics.in_flight.set(f64::from(in_flight));
        self.metrics.queued.set(f64::from(self.queued()));
        for (gauge, queued) in self
            .metrics
            .queued_by_class
            .iter()
            .zip(&self.queued_by_class)
        {
            gauge.set(f64::from(queued.load(Relaxed)));
        }
    }

    /// Tells the new state; true if it changed.
    pub(super) fn enter(&self, state: LinkState) -> bool {
        let mut condition = lock(&self.condition);
        if condition.state == state {
            return false;
        }
        condition.state = state;
        condition.since = Instant::now();
        self.state.store(state as u8, Relaxed);
        self.metrics.enter(state);
        true
    }

    /// A connection ended or could not be made.
    pub(super) fn note_error(&self, error: String) {
        let mut condition = lock(&self.condition);
        condition.remember(&error, 1);
        condition.last_error = error;
    }

    /// Requests of one turn got no answer in time.
    pub(super) fn note_timeouts(&self, requests: u64) {
        let ms = self.settings.response_timeout.as_millis();
        self.note_trouble(
            &format!("a request was not answered within {ms} ms"),
            requests,
        );
    }

    /// Something went wrong that the connection survived, so many times.
    pub(super) fn note_trouble(&self, what: &str, times: u64) {
        lock(&self.condition).remember(what, times);
    }
}

/// The part of the link's task, for tests and benches that play it.
impl<J> Shared<J> {
    /// As if a connection had been bound.
    pub fn play_open(&self) {
        self.open_queue();
        self.enter(LinkState::Up);
    }

    /// Takes up to `count` jobs out of the queue.
    pub fn play_take(&self, count: usize, into: &mut Vec<J>) {
        self.dequeue(count, into);
    }

    /// As if the peer had wanted less.
    #[cfg(test)]
    pub(crate) fn pause_for_tests(&self, paused: bool) {
        self.pause(paused.then(Instant::now));
    }

    /// The next job, as the link's task would take it.
    #[cfg(test)]
    pub(crate) fn take_for_tests(&self) -> Option<J> {
        let mut jobs = Vec::new();
        self.dequeue(1, &mut jobs);
        jobs.pop()
    }
}

impl<J: Send> Respond for Shared<J> {
    fn respond(&self, session: u64, verdicts: &[(u32, Verdict)]) {
        let mut responses = lock(&self.responses);
        let was_empty = responses.is_empty();
        responses.extend(
            verdicts
                .iter()
                .map(|(sequence, verdict)| Response::Verdict {
                    session,
                    sequence: *sequence,
                    verdict: *verdict,
                }),
        );
        drop(responses);
        if was_empty && !verdicts.is_empty() {
            self.wake.notify_one();
        }
    }
}

impl<J: Send> Answering for Shared<J> {
    fn answer(&self, origin: Origin, answer: Message) {
        self.post(Response::Answer { origin, answer });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under these locks leaves the value whole, so a panic elsewhere spoils nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn len_u32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
