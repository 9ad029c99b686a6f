//! What comes in from the SMSCs, mobile originated messages and delivery receipts, on its way to
//! the upstream services.
//!
//! A deliver_sm is answered positively only after a subscriber has acknowledged it. Whatever is
//! not acknowledged in time is answered with a temporary error, so that the SMSC keeps it and sends
//! it again: the inbox never holds the only copy. It must never answer yes on its own.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::message::Address;

/// How many events may be waiting or unacknowledged over all subscribers. More are refused with a
/// temporary error, which is the SMSCs' own flow control; the figure is some megabytes of memory.
pub const EVENTS_MAX: usize = 20_000;

/// The most that one subscriber may leave unacknowledged.
pub const UNACKNOWLEDGED_MAX: u32 = 10_000;

/// What a subscriber leaves unacknowledged at most if it does not say.
pub const UNACKNOWLEDGED_DEFAULT: u32 = 1_000;

/// How a deliver_sm is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// ESME_ROK: an upstream service has it.
    Acknowledged,
    /// ESME_RX_T_APPN: send it again later.
    Later,
}

/// The link that owes the SMSC an answer.
pub trait Respond: Send + Sync {
    /// Answers the request `sequence` of the connection `session`; an answer for a connection that
    /// is gone is dropped, because the SMSC will send the event again.
    fn respond(&self, session: u64, sequence: u32, verdict: Verdict);
}

/// The duty to answer one deliver_sm.
#[derive(Clone)]
pub struct Responder {
    /// The link.
    pub link: Arc<dyn Respond>,
    /// Which connection of that link.
    pub session: u64,
    /// The sequence number to echo.
    pub sequence: u32,
}

impl Responder {
    fn respond(&self, verdict: Verdict) {
        self.link.respond(self.session, self.sequence, verdict);
    }
}

/// A message that a subscriber of the mobile network sent.
#[derive(Clone, PartialEq, Eq)]
pub struct MobileOriginated {
    /// Decoded, where data_coding names a text coding.
    pub text: Option<String>,
    /// As received, without the user data header.
    pub data: Bytes,
    /// SMPP 3.4 5.2.19.
    pub data_coding: u8,
    /// SMPP 3.4 5.2.12.
    pub esm_class: u8,
    /// Empty if there was none.
    pub user_data_header: Bytes,
    /// Tag and value as received, message_payload excepted.
    pub tlvs: Vec<(u16, Bytes)>,
}

/// A delivery receipt.
#[derive(Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The SMSC's id of the message that this is about, as received.
    pub message_id: Bytes,
    /// SMPP 3.4 5.2.28; 0 if the receipt names none.
    pub message_state: u8,
    /// The `err` field, or network_error_code in hexadecimal, or empty.
    pub error: Bytes,
    /// `YYMMDDhhmmss` in the SMSC's own time, or empty.
    pub submit_date: Bytes,
    /// The same.
    pub done_date: Bytes,
    /// The receipt's text as received.
    pub data: Bytes,
    /// Tag and value as received.
    pub tlvs: Vec<(u16, Bytes)>,
}

/// The two kinds of event.
#[derive(Clone, PartialEq, Eq)]
pub enum EventKind {
    /// From a subscriber of the mobile network.
    Message(MobileOriginated),
    /// From the SMSC, about a message that was sent.
    Receipt(Receipt),
}

/// An event for upstream services.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    /// Where it comes from.
    pub smsc: Arc<str>,
    /// Which link brought it.
    pub link: Arc<str>,
    /// Who sent it.
    pub source: Address,
    /// To which number.
    pub destination: Address,
    /// What it is.
    pub kind: EventKind,
}

/// What a subscriber wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Mobile originated messages.
    pub messages: bool,
    /// Delivery receipts.
    pub receipts: bool,
    /// Only from these SMSCs; empty means all.
    pub smscs: Vec<String>,
}

impl Filter {
    fn wants(&self, event: &Event) -> bool {
        let kind = match event.kind {
            EventKind::Message(_) => self.messages,
            EventKind::Receipt(_) => self.receipts,
        };
        kind && (self.smscs.is_empty() || self.smscs.iter().any(|smsc| **smsc == *event.smsc))
    }
}

/// An event with the id under which it is to be acknowledged.
pub type Delivery = (u64, Event);

/// The number of events in each stage, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting for a subscriber with room.
    pub waiting: usize,
    /// Handed over, not acknowledged.
    pub unacknowledged: usize,
    /// Open subscriptions.
    pub subscribers: usize,
}

/// Events between SMSCs and subscribers.
pub struct Inbox {
    state: Mutex<State>,
    acknowledge_timeout: Duration,
}

#[derive(Default)]
struct State {
    next_id: u64,
    subscribers: Vec<Subscriber>,
    /// Where the search for the next subscriber begins, so that they take turns.
    turn: usize,
    waiting: VecDeque<Waiting>,
    unacknowledged: HashMap<u64, Unacknowledged>,
    closed: bool,
}

struct Waiting {
    event: Event,
    responder: Responder,
    deadline: Instant,
}

struct Unacknowledged {
    subscriber: u64,
    responder: Responder,
    deadline: Instant,
}

struct Subscriber {
    id: u64,
    filter: Filter,
    /// How many more it may be given before it acknowledges.
    credit: u32,
    ready: Vec<Delivery>,
    filled: Arc<Notify>,
}

impl Inbox {
    /// An empty inbox. What is not acknowledged within `acknowledge_timeout` of its arrival goes
    /// back to the SMSC; it should be shorter than the SMSC's own response timer.
    pub fn new(acknowledge_timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            acknowledge_timeout,
        })
    }

    /// Takes events of one turn of a link.
    pub fn offer(&self, now: Instant, events: impl IntoIterator<Item = (Event, Responder)>) {
        let deadline = now + self.acknowledge_timeout;
        let mut state = self.lock();
        for (event, responder) in events {
            if state.closed || state.waiting.len() + state.unacknowledged.len() >= EVENTS_MAX {
                responder.respond(Verdict::Later);
                continue;
            }
            let waiting = Waiting {
                event,
                responder,
                deadline,
            };
            // What waits already had no taker, and nobody has got room since: only what is new is
            // looked at, however long the backlog is.
            match state.taker(&waiting.event) {
                Some(at) => state.give(at, waiting),
                None => state.waiting.push_back(waiting),
            }
        }
        state.wake();
    }

    /// Opens a subscription. Events go to the subscribers that want them in turn, each to one.
    pub fn subscribe(self: &Arc<Self>, filter: Filter, unacknowledged_max: u32) -> Subscription {
        let credit = match unacknowledged_max {
            0 => UNACKNOWLEDGED_DEFAULT,
            wanted => wanted.min(UNACKNOWLEDGED_MAX),
        };
        let filled = Arc::new(Notify::new());
        let mut state = self.lock();
        let id = state.take_id();
        state.subscribers.push(Subscriber {
            id,
            filter,
            credit,
            ready: Vec::new(),
            filled: Arc::clone(&filled),
        });
        state.hand_over();
        Subscription {
            inbox: Arc::clone(self),
            id,
            filled,
        }
    }

    /// Gives back to the SMSCs what was not acknowledged in time. To be called a few times a second.
    pub fn expire(&self, now: Instant) {
        let mut state = self.lock();
        // The timeout is constant, so the queue is sorted by deadline.
        while state.waiting.front().is_some_and(|w| w.deadline <= now) {
            if let Some(waiting) = state.waiting.pop_front() {
                waiting.responder.respond(Verdict::Later);
            }
        }
        let expired: Vec<u64> = state
            .unacknowledged
            .iter()
            .filter(|(_, held)| held.deadline <= now)
            .map(|(id, _)| *id)
            .collect();
        if state.settle(&expired, None, Verdict::Later) > 0 {
            state.forget_unfetched();
        }
    }

    /// Refuses what comes from now on and gives back what waits for a subscriber.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        for waiting in state.waiting.drain(..) {
            waiting.responder.respond(Verdict::Later);
        }
    }

    /// The number of events in each stage.
    pub fn counts(&self) -> Counts {
        let state = self.lock();
        Counts {
            waiting: state.waiting.len(),
            unacknowledged: state.unacknowledged.len(),
            subscribers: state.subscribers.len(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change keeps the state whole, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Gives what waits to subscribers that want it and have room, and wakes each once.
    fn hand_over(&mut self) {
        // Without room anywhere nothing can move, and a long backlog is not walked in vain.
        if self
            .subscribers
            .iter()
            .all(|subscriber| subscriber.credit == 0)
        {
            return;
        }
        for waiting in std::mem::take(&mut self.waiting) {
            match self.taker(&waiting.event) {
                Some(at) => self.give(at, waiting),
                None => self.waiting.push_back(waiting),
            }
        }
        self.wake();
    }

    /// Wakes each subscriber that has something to fetch once.
    fn wake(&self) {
        for subscriber in &self.subscribers {
            if !subscriber.ready.is_empty() {
                subscriber.filled.notify_one();
            }
        }
    }

    /// The next subscriber in turn that wants the event and has room.
    fn taker(&self, event: &Event) -> Option<usize> {
        let count = self.subscribers.len();
        (0..count)
            .map(|step| (self.turn + step) % count)
            .find(|&at| {
                let subscriber = &self.subscribers[at];
                subscriber.credit > 0 && subscriber.filter.wants(event)
            })
    }

    fn give(&mut self, at: usize, waiting: Waiting) {
        let id = self.take_id();
        self.turn = at + 1;
        let subscriber = &mut self.subscribers[at];
        subscriber.credit -= 1;
        subscriber.ready.push((id, waiting.event));
        self.unacknowledged.insert(
            id,
            Unacknowledged {
                subscriber: subscriber.id,
                responder: waiting.responder,
                deadline: waiting.deadline,
            },
        );
    }

    /// Drops what went back to the SMSC before its subscriber fetched it: that would be a duplicate,
    /// and a subscriber that does not read would gather them without end.
    fn forget_unfetched(&mut self) {
        let held = &self.unacknowledged;
        for subscriber in &mut self.subscribers {
            subscriber.ready.retain(|(id, _)| held.contains_key(id));
        }
    }

    /// Ends deliveries with a verdict and gives their subscribers room again. Only those of
    /// `subscriber` if one is named: nobody acknowledges what another was given.
    fn settle(&mut self, ids: &[u64], subscriber: Option<u64>, verdict: Verdict) -> usize {
        let mut settled = 0;
        for id in ids {
            let ours = self
                .unacknowledged
                .get(id)
                .is_some_and(|held| subscriber.is_none_or(|own| held.subscriber == own));
            if !ours {
                continue;
            }
            if let Some(held) = self.unacknowledged.remove(id) {
                held.responder.respond(verdict);
                if let Some(owner) = self
                    .subscribers
                    .iter_mut()
                    .find(|s| s.id == held.subscriber)
                {
                    owner.credit += 1;
                }
                settled += 1;
            }
        }
        if settled > 0 {
            self.hand_over();
        }
        settled
    }
}

/// One subscriber's end. Dropping it gives back what it has not acknowledged.
pub struct Subscription {
    inbox: Arc<Inbox>,
    id: u64,
    filled: Arc<Notify>,
}

impl Subscription {
    /// Waits for events and takes all that are ready; never empty. Safe to cancel.
    pub async fn next(&self) -> Vec<Delivery> {
        loop {
            let ready = {
                let mut state = self.inbox.lock();
                state
                    .subscribers
                    .iter_mut()
                    .find(|s| s.id == self.id)
                    .map(|own| std::mem::take(&mut own.ready))
                    .unwrap_or_default()
            };
            if !ready.is_empty() {
                return ready;
            }
            self.filled.notified().await;
        }
    }

    /// Acknowledges deliveries; the SMSC now gets its yes. Ids that are unknown, not this
    /// subscriber's or expired meanwhile are ignored. Returns how many were in time.
    pub fn acknowledge(&self, ids: &[u64]) -> usize {
        self.inbox
            .lock()
            .settle(ids, Some(self.id), Verdict::Acknowledged)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.inbox.lock();
        let own: Vec<u64> = state
            .unacknowledged
            .iter()
            .filter(|(_, held)| held.subscriber == self.id)
            .map(|(id, _)| *id)
            .collect();
        state.subscribers.retain(|s| s.id != self.id);
        state.settle(&own, None, Verdict::Later);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Smsc(Mutex<Vec<(u32, Verdict)>>);

    impl Respond for Smsc {
        fn respond(&self, _session: u64, sequence: u32, verdict: Verdict) {
            self.0.lock().unwrap().push((sequence, verdict));
        }
    }

    impl Smsc {
        fn told(&self) -> Vec<(u32, Verdict)> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    const TIMEOUT: Duration = Duration::from_secs(5);

    fn address() -> Address {
        Address {
            number: Bytes::from_static(b"84901234567"),
            ton: None,
            npi: None,
        }
    }

    fn message(smsc: &Arc<Smsc>, sequence: u32) -> (Event, Responder) {
        let event = Event {
            smsc: "one".into(),
            link: "one/1".into(),
            source: address(),
            destination: address(),
            kind: EventKind::Message(MobileOriginated {
                text: None,
                data: Bytes::new(),
                data_coding: 0,
                esm_class: 0,
                user_data_header: Bytes::new(),
                tlvs: Vec::new(),
            }),
        };
        let link: Arc<dyn Respond> = Arc::<Smsc>::clone(smsc);
        let responder = Responder {
            link,
            session: 1,
            sequence,
        };
        (event, responder)
    }

    fn messages() -> Filter {
        Filter {
            messages: true,
            ..Filter::default()
        }
    }

    #[tokio::test]
    async fn an_event_is_acknowledged_to_the_smsc_only_after_the_subscriber_did() {
        let (smsc, inbox) = (Arc::new(Smsc::default()), Inbox::new(TIMEOUT));
        let subscription = inbox.subscribe(messages(), 0);
        inbox.offer(Instant::now(), [message(&smsc, 1)]);
        let events = subscription.next().await;
        assert_eq!(smsc.told(), []);
        assert_eq!(subscription.acknowledge(&[events[0].0]), 1);
        assert_eq!(smsc.told(), [(1, Verdict::Acknowledged)]);
        assert_eq!(subscription.acknowledge(&[events[0].0]), 0);
        assert_eq!(smsc.told(), []);
    }

    #[test]
    fn without_a_subscriber_the_smsc_is_told_to_try_later() {
        let (smsc, inbox) = (Arc::new(Smsc::default()), Inbox::new(TIMEOUT));
        let now = Instant::now();
        inbox.offer(now, [message(&smsc, 1)]);
        inbox.expire(now + TIMEOUT / 2);
        assert_eq!(smsc.told(), []);
        inbox.expire(now + TIMEOUT);
        assert_eq!(smsc.told(), [(1, Verdict::Later)]);
        assert_eq!(inbox.counts(), Counts::default());
    }

    #[tokio::test]
    async fn a_subscriber_that_goes_away_gives_back_what_it_did_not_acknowledge() {
        let (smsc, inbox) = (Arc::new(Smsc::default()), Inbox::new(TIMEOUT));
        let subscription = inbox.subscribe(messages(), 0);
        inbox.offer(Instant::now(), [message(&smsc, 1), message(&smsc, 2)]);
        let events = subscription.next().await;
        subscription.acknowledge(&[events[0].0]);
        drop(subscription);
        assert_eq!(
            smsc.told(),
            [(1, Verdict::Acknowledged), (2, Verdict::Later)]
        );
    }

    #[tokio::test]
    async fn a_subscriber_gets_no_more_than_it_may_leave_unacknowledged() {
        let (smsc, inbox) = (Arc::new(Smsc::default()), Inbox::new(TIMEOUT));
        let subscription = inbox.subscribe(messages(), 2);
        inbox.offer(Instant::now(), (1..=3).map(|n| message(&smsc, n)));
        let first = subscription.next().await;
        assert_eq!(first.len(), 2);
        subscription.acknowledge(&[first[0].0]);
        assert_eq!(subscription.next().await.len(), 1);
    }

    #[tokio::test]
    async fn nobody_acknowledges_what_another_was_given() {
        let (smsc, inbox) = (Arc::new(Smsc::default()), Inbox::new(TIMEOUT));
        let (one, two) = (
            inbox.subscribe(messages(), 0),
            inbox.subscribe(messages(), 0),
        );
        inbox.offer(Instant::now(), [message(&smsc, 1), message(&smsc, 2)]);
        let (of_one, of_two) = (one.next().await, two.next().await);
        assert_eq!((of_one.len(), of_two.len()), (1, 1));
        assert_eq!(one.acknowledge(&[of_two[0].0]), 0);
        assert_eq!(smsc.told(), []);
    }

    #[tokio::test]
    async fn what_went_back_to_the_smsc_unfetched_is_not_delivered_any_more() {
        let (smsc, inbox) = (Arc::new(Smsc::default()), Inbox::new(TIMEOUT));
        let subscription = inbox.subscribe(messages(), 2);
        let start = Instant::now();
        // The subscriber does not read, and the SMSC sends the two again and again.
        for round in 0..5 {
            let now = start + TIMEOUT * round;
            inbox.expire(now);
            inbox.offer(now, [message(&smsc, 1), message(&smsc, 2)]);
        }
        assert_eq!(smsc.told().len(), 8);
        assert_eq!(subscription.next().await.len(), 2);
    }

    #[test]
    fn a_full_inbox_refuses_at_once_with_a_temporary_error() {
        let (smsc, inbox) = (Arc::new(Smsc::default()), Inbox::new(TIMEOUT));
        let one_too_many = u32::try_from(EVENTS_MAX).unwrap() + 1;
        inbox.offer(
            Instant::now(),
            (1..=one_too_many).map(|n| message(&smsc, n)),
        );
        assert_eq!(smsc.told(), [(one_too_many, Verdict::Later)]);
    }

    #[test]
    fn an_event_that_nobody_wants_does_not_block_the_one_behind_it() {
        let (smsc, inbox) = (Arc::new(Smsc::default()), Inbox::new(TIMEOUT));
        let elsewhere = Filter {
            smscs: vec!["two".into()],
            ..messages()
        };
        let _subscription = inbox.subscribe(elsewhere, 0);
        let (event, responder) = message(&smsc, 2);
        let wanted = Event {
            smsc: "two".into(),
            ..event
        };
        inbox.offer(Instant::now(), [message(&smsc, 1), (wanted, responder)]);
        let counts = inbox.counts();
        assert_eq!((counts.waiting, counts.unacknowledged), (1, 1));
    }
}
