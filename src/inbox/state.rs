//! What the inbox holds in memory, behind one lock. It does no I/O and tells nobody.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{
    InboxSettings, MESSAGES_IN_PARTS_MAX, PARTS_BYTES_MAX, PARTS_MAX,
    event::{Delivery, Event, EventKind},
    identities::Identities,
    queue::Queue,
    respond::Responder,
    seen::Seen,
    whole,
};
use crate::{
    smpp::reassembly::{Added, Assembly, Key, Limits},
    store::Table,
};

/// A receipt that came before its submit_sm_resp.
pub(super) struct Held {
    pub event: Event,
    pub responder: Responder,
    /// When the SMSC is told to send it again.
    pub until: Instant,
}

/// A message whose parts are durable, and which is to take their place.
pub(super) struct Whole {
    pub event: Arc<Event>,
    pub received_at_ms: i64,
    pub redelivered: bool,
    /// The rows of its parts.
    pub parts: Vec<u64>,
    /// The first of the keys that were kept with the part that ended it; `None` if none did, and it
    /// was given up.
    pub key: Option<u64>,
}

/// One that has its place in the queues, and is to be written.
pub(super) struct Placed {
    pub whole: Whole,
    /// The key of its first row; the others follow.
    pub key: u64,
    /// Its subscriptions.
    pub wanted: Vec<usize>,
}

/// What is kept free in a subscription.
#[derive(Clone, Copy, Default)]
pub(super) struct Reserved {
    pub events: usize,
    pub bytes: usize,
}

pub(super) struct State {
    pub queues: Vec<Queue>,
    /// Events on their way to the store, by subscription: room is kept for them.
    pub reserved: Vec<Reserved>,
    pub next_key: u64,
    pub next_seen: u64,
    pub next_identity: u64,
    pub next_consumer: u64,
    pub wakers: HashMap<u64, Arc<Notify>>,
    pub seen: Seen,
    pub identities: Identities,
    /// The connection that each link has now.
    pub live: HashMap<Arc<str>, u64>,
    pub held: Vec<Held>,
    parts: Assembly<Delivery>,
    /// Octets of these parts.
    parts_bytes: usize,
    /// Messages that have no place yet among the events of their source.
    pub wholes: Vec<Whole>,
    /// Messages to be written in the place of their parts.
    pub placed: Vec<Placed>,
    /// Rows that should not be there any more, in the order in which they are to go.
    pub to_remove: Vec<(Table, u64)>,
    pub closed: bool,
}

impl State {
    pub(super) fn new(settings: &InboxSettings, subscriptions: usize) -> Self {
        let window_ms = settings.duplicate_window.as_millis();
        let queue = || Queue::new(settings.redeliver_after);
        Self {
            queues: (0..subscriptions).map(|_| queue()).collect(),
            reserved: vec![Reserved::default(); subscriptions],
            next_key: 1,
            next_seen: 1,
            next_identity: 1,
            next_consumer: 1,
            wakers: HashMap::new(),
            seen: Seen::new(i64::try_from(window_ms).unwrap_or(i64::MAX)),
            identities: Identities::new(settings.bank_duplicate_window),
            live: HashMap::new(),
            held: Vec::new(),
            parts: Assembly::new(Limits {
                messages_max: MESSAGES_IN_PARTS_MAX,
                parts_max: PARTS_MAX,
                timeout: settings.reassembly_timeout,
            }),
            parts_bytes: 0,
            wholes: Vec::new(),
            placed: Vec::new(),
            to_remove: Vec::new(),
            closed: false,
        }
    }

    /// Gives consumers what they have room for, and wakes each of them once.
    pub(super) fn hand_over(&mut self, now: Instant) {
        for queue in &mut self.queues {
            queue.hand_over(now);
            for consumer in queue.with_ready() {
                if let Some(waker) = self.wakers.get(&consumer) {
                    waker.notify_one();
                }
            }
        }
    }

    /// Adds a part that is durable. What becomes whole by it, or has to go for it, is put to `wholes`.
    pub(super) fn assemble(&mut self, now: Instant, part: Delivery) {
        let (id, bytes) = (part.id, part.event.bytes());
        let Some((key, number)) = place(&part.event) else {
            return self.finish([Some(part)], Some(id));
        };
        match self.parts.add(now, key.clone(), number, part) {
            Added::Waiting => {
                self.parts_bytes += bytes;
                self.keep_within_bytes();
            }
            Added::Complete(parts) => {
                // The last one was never counted.
                self.parts_bytes += bytes;
                self.finish_held(parts.into_iter().map(Some), Some(id));
            }
            Added::Duplicate(part) => {
                let is_same = self
                    .parts
                    .held(&key, number)
                    .is_some_and(|held| held.event.kind == part.event.kind);
                match is_same {
                    // The SMSC sent it again; the first one serves.
                    true => self.to_remove.push((Table::Inbox, part.id)),
                    // A later message with the same reference. Neither can be told whole, and
                    // neither is lost: this part goes on alone.
                    false => self.finish_alone(key.total, number, part),
                }
            }
            Added::Full(part) => {
                if let Some((_, slots)) = self.parts.take_oldest() {
                    self.finish_held(slots, None);
                    self.assemble(now, part);
                } else {
                    self.finish_alone(key.total, number, part);
                }
            }
        }
    }

    fn finish_alone(&mut self, total: u8, number: u8, part: Delivery) {
        let id = part.id;
        let mut part = Some(part);
        let slots = (1..=total).map(|slot| match slot == number {
            true => part.take(),
            false => None,
        });
        self.finish(slots.collect::<Vec<_>>(), Some(id));
    }

    fn keep_within_bytes(&mut self) {
        while self.parts_bytes > PARTS_BYTES_MAX
            && let Some((_, slots)) = self.parts.take_oldest()
        {
            self.finish_held(slots, None);
        }
    }

    /// Takes the messages whose time is over.
    pub(super) fn give_up_parts(&mut self, now: Instant) {
        while let Some((_, slots)) = self.parts.take_expired(now) {
            self.finish_held(slots, None);
        }
    }

    /// Ends a message whose parts were held.
    fn finish_held(
        &mut self,
        slots: impl IntoIterator<Item = Option<Delivery>>,
        ended_by: Option<u64>,
    ) {
        let slots: Vec<Option<Delivery>> = slots.into_iter().collect();
        let bytes: usize = slots.iter().flatten().map(|part| part.event.bytes()).sum();
        self.parts_bytes -= bytes;
        self.finish(slots, ended_by);
    }

    fn finish(&mut self, slots: impl IntoIterator<Item = Option<Delivery>>, ended_by: Option<u64>) {
        let slots: Vec<Option<Delivery>> = slots.into_iter().collect();
        let events: Vec<Option<&Event>> = slots
            .iter()
            .map(|slot| slot.as_ref().map(|part| &*part.event))
            .collect();
        let arrived = || slots.iter().flatten();
        let (Some(event), Some(received_at_ms)) = (
            whole::join(&events),
            arrived().map(|part| part.received_at_ms).min(),
        ) else {
            return;
        };
        self.wholes.push(Whole {
            event: Arc::new(event),
            received_at_ms,
            redelivered: arrived().any(|part| part.redelivered),
            parts: arrived().map(|part| part.id).collect(),
            key: ended_by,
        });
    }

    /// Parts that wait for others, their octets, and for how long the longest has waited here.
    pub(super) fn waiting_parts(&self, now: Instant, timeout: Duration) -> WaitingParts {
        let deadline = self.parts.next_deadline();
        WaitingParts {
            parts: self.parts.parts(),
            bytes: self.parts_bytes,
            oldest_age: deadline.map_or(Duration::ZERO, |deadline| {
                timeout.saturating_sub(deadline.saturating_duration_since(now))
            }),
        }
    }
}

/// Long messages that are not whole yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingParts {
    /// Their parts that have arrived.
    pub parts: usize,
    /// The octets of these, as [`Event::bytes`] counts them.
    pub bytes: usize,
    /// How long the oldest message has waited, counted from its first part or the last start.
    pub oldest_age: Duration,
}

/// Where a part belongs; `None` if it is a message by itself.
pub(super) fn place(event: &Event) -> Option<(Key, u8)> {
    let EventKind::Message(message) = &event.kind else {
        return None;
    };
    let part = message.concatenation()?;
    let key = Key {
        scope: Arc::clone(&event.peer),
        source: event.source.number.clone(),
        destination: event.destination.number.clone(),
        reference: part.reference,
        total: part.total,
    };
    Some((key, part.number))
}
