//! What the inbox holds in memory, behind one lock. It does no I/O and tells nobody.

use std::{collections::HashMap, sync::Arc, time::Instant};

use tokio::sync::Notify;

use super::{
    InboxSettings, MESSAGES_IN_PARTS_MAX, PARTS_MAX,
    event::{Delivery, Event, EventKind},
    queue::Queue,
    respond::Responder,
    seen::Seen,
    whole,
};
use crate::smpp::reassembly::{Added, Assembly, Key, Limits};

/// A receipt that came before its submit_sm_resp.
pub(super) struct Held {
    pub event: Event,
    pub responder: Responder,
    /// When the SMSC is told to send it again.
    pub until: Instant,
}

/// A message whose parts are durable, and which is to take their place.
pub(super) struct Whole {
    pub event: Event,
    pub received_at_ms: i64,
    pub redelivered: bool,
    /// The rows of its parts.
    pub parts: Vec<u64>,
}

pub(super) struct State {
    pub queues: Vec<Queue>,
    /// Events on their way to the store, by subscription: room is kept for them.
    pub reserved: Vec<usize>,
    pub next_key: u64,
    pub next_seen: u64,
    pub next_consumer: u64,
    pub wakers: HashMap<u64, Arc<Notify>>,
    pub seen: Seen,
    /// The connection that each link has now.
    pub live: HashMap<Arc<str>, u64>,
    pub held: Vec<Held>,
    parts: Assembly<Delivery>,
    /// Messages to be written in the place of their parts.
    pub wholes: Vec<Whole>,
    /// Rows that should not be there any more.
    pub to_remove: Vec<u64>,
    pub closed: bool,
}

impl State {
    pub(super) fn new(settings: &InboxSettings, subscriptions: usize) -> Self {
        let window_ms = settings.duplicate_window.as_millis();
        let queue = || Queue::new(settings.redeliver_after);
        Self {
            queues: (0..subscriptions).map(|_| queue()).collect(),
            reserved: vec![0; subscriptions],
            next_key: 1,
            next_seen: 1,
            next_consumer: 1,
            wakers: HashMap::new(),
            seen: Seen::new(i64::try_from(window_ms).unwrap_or(i64::MAX)),
            live: HashMap::new(),
            held: Vec::new(),
            parts: Assembly::new(Limits {
                messages_max: MESSAGES_IN_PARTS_MAX,
                parts_max: PARTS_MAX,
                timeout: settings.reassembly_timeout,
            }),
            wholes: Vec::new(),
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

    /// Adds a part that is durable. What becomes whole by it is put to `wholes`.
    pub(super) fn assemble(&mut self, now: Instant, part: Delivery) {
        let Some((key, number)) = place(&part.event) else {
            return self.finish([Some(part)]);
        };
        match self.parts.add(now, key.clone(), number, part) {
            Added::Waiting => {}
            Added::Complete(parts) => self.finish(parts.into_iter().map(Some)),
            Added::Duplicate(part) => {
                let is_same = self
                    .parts
                    .held(&key, number)
                    .is_some_and(|held| held.event.kind == part.event.kind);
                match is_same {
                    // The SMSC sent it again; the first one serves.
                    true => self.to_remove.push(part.id),
                    // A later message with the same reference. Neither can be told whole, and
                    // neither is lost: this part goes on alone.
                    false => self.finish_alone(key.total, number, part),
                }
            }
            Added::Full(part) => {
                if let Some((_, slots)) = self.parts.take_oldest() {
                    self.finish(slots);
                    self.assemble(now, part);
                } else {
                    self.finish_alone(key.total, number, part);
                }
            }
        }
    }

    fn finish_alone(&mut self, total: u8, number: u8, part: Delivery) {
        let mut part = Some(part);
        let slots = (1..=total).map(|slot| match slot == number {
            true => part.take(),
            false => None,
        });
        self.finish(slots.collect::<Vec<_>>());
    }

    /// Takes the messages whose time is over.
    pub(super) fn give_up_parts(&mut self, now: Instant) {
        while let Some((_, slots)) = self.parts.take_expired(now) {
            self.finish(slots);
        }
    }

    fn finish(&mut self, slots: impl IntoIterator<Item = Option<Delivery>>) {
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
            event,
            received_at_ms,
            redelivered: arrived().any(|part| part.redelivered),
            parts: arrived().map(|part| part.id).collect(),
        });
    }
}

/// Where a part belongs; `None` if it is a message by itself.
pub(super) fn place(event: &Event) -> Option<(Key, u8)> {
    let EventKind::Message(message) = &event.kind else {
        return None;
    };
    let part = message.concatenation()?;
    let key = Key {
        scope: Arc::clone(&event.smsc),
        source: event.source.number.clone(),
        destination: event.destination.number.clone(),
        reference: part.reference,
        total: part.total,
    };
    Some((key, part.number))
}
