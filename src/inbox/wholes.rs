//! From the parts of a long message to the message itself: its place among the events of its source,
//! and the one write that stores it and removes its parts.
//!
//! Its place is the one of the part that ended it. That part's key, and as many behind it as there
//! are subscriptions, were kept for its rows, so it is found there after a restart too; and from the
//! moment in which that part is durable the place is kept in the queues, so nothing that came later
//! passes it while it is written. One that is given up has its place where it is given up: behind all
//! that has arrived. It must never remove a part before the whole is stored.

use std::{sync::Arc, time::Instant};

use super::{
    Inbox, Subscription,
    event::{Delivery, EventKind},
    remove,
    state::{Placed, State, Whole},
    subscription::wanted,
};
use crate::store::{StoreError, Table};

impl Inbox {
    /// How many keys a part takes: one for each row that the whole can have.
    pub(super) fn keys_of_a_part(&self) -> u64 {
        self.subscriptions.len() as u64
    }

    /// Writes each message that has become whole, or has waited long enough, in the place of its
    /// parts. They were acknowledged, so it goes to its subscriptions even if those are full.
    pub(super) fn take_up_wholes(self: &Arc<Self>) {
        if !self.lock().has_wholes() {
            return;
        }
        // Keys that are taken now must reach the store before those that are taken later.
        let _in_turn = self.in_turn();
        let mut state = self.lock();
        state.place_given_up(&self.subscriptions);
        let placed = std::mem::take(&mut state.placed);
        drop(state);
        if placed.is_empty() {
            return;
        }
        let mut changes = Vec::new();
        for Placed { whole, key, wanted } in &placed {
            // Removed first, because the key of its last part is that of its first row.
            let parts = whole.parts.iter();
            changes.extend(parts.map(|key| remove((Table::Inbox, *key))));
            changes.extend(self.rows(*key, wanted, whole.received_at_ms, &whole.event));
        }
        let own = Arc::clone(self);
        let done = move |result: Result<(), StoreError>| match result {
            Ok(()) => own.whole_stored(placed),
            // It keeps its place and its keys, and is tried again. If its rows are there all the
            // same, they are written once more.
            Err(_) => own.lock().placed.extend(placed),
        };
        self.store.write(changes, Box::new(done));
    }

    fn whole_stored(&self, placed: Vec<Placed>) {
        let now = Instant::now();
        let mut state = self.lock();
        for Placed { whole, key, wanted } in placed {
            if let EventKind::Message(message) = &whole.event.kind {
                match message.missing_parts.is_empty() {
                    true => self.metrics.reassembled.increment(1),
                    false => self.metrics.incomplete.increment(1),
                }
            }
            for (id, at) in (key..).zip(wanted) {
                state.queues[at].stored(id);
                self.subscriptions[at].metrics.accepted.increment(1);
            }
        }
        state.hand_over(now);
    }
}

impl State {
    fn has_wholes(&self) -> bool {
        !self.wholes.is_empty() || !self.placed.is_empty()
    }

    /// Gives those that a part has ended their places; `keys` were kept with that part.
    pub(super) fn place_ended(&mut self, subscriptions: &[Subscription], keys: u64) {
        for whole in std::mem::take(&mut self.wholes) {
            let wanted = wanted(subscriptions.iter().map(|own| &own.settings), &whole.event);
            match whole.key {
                Some(key) if wanted.len() as u64 <= keys => self.place(whole, key, wanted),
                // Given up; or kept by an earlier process that had fewer subscriptions.
                _ => self.wholes.push(Whole { key: None, ..whole }),
            }
        }
    }

    /// Gives the others places behind all that has arrived. To be called in the inbox's turn.
    fn place_given_up(&mut self, subscriptions: &[Subscription]) {
        for whole in std::mem::take(&mut self.wholes) {
            let wanted = wanted(subscriptions.iter().map(|own| &own.settings), &whole.event);
            let key = self.take_keys(wanted.len() as u64);
            self.place(whole, key, wanted);
        }
    }

    fn place(&mut self, whole: Whole, key: u64, wanted: Vec<usize>) {
        for (id, at) in (key..).zip(&wanted) {
            self.queues[*at].keep_place(Delivery {
                id,
                event: Arc::clone(&whole.event),
                received_at_ms: whole.received_at_ms,
                redelivered: whole.redelivered,
            });
        }
        // Those that an earlier process kept are not counted yet.
        self.next_key = self.next_key.max(key + wanted.len() as u64);
        self.placed.push(Placed { whole, key, wanted });
    }
}
