//! The way in for what a bank began: durable together with its identity, then the bank's answer.
//!
//! It must never tell that an event is taken before the commit that holds it, nor make two events of
//! a message and its repeat. What cannot be stored or has no room is told as "not now", so that the
//! bank sends it again.

use std::{sync::Arc, time::Instant};

use super::{
    Inbox, Subscription,
    event::{Delivery, Event},
    identities::{self, Identity},
    millis,
    state::State,
    subscription::wanted,
};
use crate::store::{Change, StoreError, Table};

/// What became of a bank's event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is durable.
    Durable,
    /// It is a repeat, and what it repeats is durable.
    Repeated,
    /// It could not be made durable, or has no room: the bank is to send it again.
    NotNow,
}

/// Tells it, once, on whatever thread; must not wait.
pub(super) type Told = Box<dyn FnOnce(Taken) + Send>;

/// An event of a bank that waits to have its message answered.
pub struct Notice {
    /// What upstream services get.
    pub event: Event,
    /// What a repeat of it would have in common with it.
    pub identity: Identity,
    /// Tells what became of it.
    pub told: Box<dyn FnOnce(Taken) + Send>,
}

/// One that is on its way to the store.
struct Admitted {
    event: Arc<Event>,
    bytes: usize,
    identity: Identity,
    /// The key of its identity's row.
    identity_key: u64,
    subscriptions: Vec<usize>,
    /// The key of its first row; the others follow.
    key: u64,
    told: Told,
}

impl Inbox {
    /// Takes what a bank began, in its order.
    pub fn notice(self: &Arc<Self>, now: Instant, notices: Vec<Notice>) {
        let at_ms = millis(now);
        let (mut admitted, mut settled) = (Vec::new(), Vec::new());
        // Keys that are taken now must reach the store before those that are taken later.
        let _in_turn = self.in_turn();
        let mut state = self.lock();
        for notice in notices {
            match state.admit_notice(notice, &self.subscriptions) {
                Admission::Goes(one) => admitted.push(one),
                Admission::Waits => {}
                Admission::Settled(told, taken) => settled.push((told, taken)),
            }
        }
        drop(state);
        tell(settled);
        if !admitted.is_empty() {
            self.write_notices(at_ms, now, admitted);
        }
    }

    fn write_notices(self: &Arc<Self>, at_ms: i64, now: Instant, admitted: Vec<Admitted>) {
        let mut changes = Vec::with_capacity(2 * admitted.len());
        for one in &admitted {
            changes.extend(self.rows(one.key, &one.subscriptions, at_ms, &one.event));
            changes.push(Change::Put {
                table: Table::BankSeen,
                key: one.identity_key,
                value: identities::encode(at_ms, one.identity),
            });
        }
        let own = Arc::clone(self);
        let done = move |result: Result<(), StoreError>| match result {
            Ok(()) => own.notices_stored(at_ms, now, admitted),
            Err(error) => own.notices_not_stored(admitted, &error),
        };
        self.store.write(changes, Box::new(done));
    }

    fn notices_stored(&self, at_ms: i64, now: Instant, admitted: Vec<Admitted>) {
        let mut settled = Vec::new();
        let mut state = self.lock();
        for one in admitted {
            state.release_notice(&one);
            let repeats = state.identities.arrived(one.identity);
            state
                .identities
                .remember(one.identity_key, at_ms, one.identity);
            for (id, at) in (one.key..).zip(&one.subscriptions) {
                state.queues[*at].push(Delivery {
                    id,
                    event: Arc::clone(&one.event),
                    received_at_ms: at_ms,
                    redelivered: false,
                });
                self.subscriptions[*at].metrics.accepted.increment(1);
            }
            settled.push((one.told, Taken::Durable));
            settled.extend(repeats.into_iter().map(|told| (told, Taken::Repeated)));
        }
        state.hand_over(now);
        drop(state);
        tell(settled);
    }

    /// They are not durable, or not for sure: the bank keeps them, and the rows are to go if they are
    /// there.
    fn notices_not_stored(&self, admitted: Vec<Admitted>, error: &StoreError) {
        let mut settled = Vec::new();
        let mut state = self.lock();
        for one in admitted {
            state.release_notice(&one);
            let repeats = state.identities.arrived(one.identity);
            if error.is_in_doubt() {
                // The identity goes first: without its event it would have the repeat answered and lost.
                state.to_remove.push((Table::BankSeen, one.identity_key));
                let rows = one.key..one.key + one.subscriptions.len() as u64;
                state.to_remove.extend(rows.map(|key| (Table::Inbox, key)));
            }
            for at in &one.subscriptions {
                self.subscriptions[*at].metrics.refused_store.increment(1);
            }
            let all = std::iter::once(one.told).chain(repeats);
            settled.extend(all.map(|told| (told, Taken::NotNow)));
        }
        drop(state);
        tell(settled);
    }
}

/// What becomes of a notice at once.
enum Admission {
    Goes(Admitted),
    /// For the commit of what it repeats.
    Waits,
    Settled(Told, Taken),
}

impl State {
    fn admit_notice(&mut self, notice: Notice, subscriptions: &[Subscription]) -> Admission {
        let Notice {
            event,
            identity,
            told,
        } = notice;
        if self.closed {
            return Admission::Settled(told, Taken::NotNow);
        }
        if self.identities.knows(identity) {
            return Admission::Settled(told, Taken::Repeated);
        }
        let Some(told) = self.identities.wait(identity, told) else {
            return Admission::Waits;
        };
        let bytes = event.bytes();
        let wanted = wanted(subscriptions.iter().map(|own| &own.settings), &event);
        if !self.has_room(&wanted, bytes, subscriptions) {
            return Admission::Settled(told, Taken::NotNow);
        }
        for at in &wanted {
            self.reserved[*at].events += 1;
            self.reserved[*at].bytes += bytes;
        }
        self.identities.arrives(identity);
        self.next_identity += 1;
        Admission::Goes(Admitted {
            event: Arc::new(event),
            bytes,
            identity,
            identity_key: self.next_identity - 1,
            key: self.take_keys(wanted.len() as u64),
            subscriptions: wanted,
            told,
        })
    }

    fn release_notice(&mut self, one: &Admitted) {
        for at in &one.subscriptions {
            self.reserved[*at].events -= 1;
            self.reserved[*at].bytes -= one.bytes;
        }
    }
}

/// Not under the lock: who is told may have more to bring.
fn tell(settled: Vec<(Told, Taken)>) {
    for (told, taken) in settled {
        told(taken);
    }
}
