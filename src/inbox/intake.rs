//! The way in: from what a link brings to durable rows, to the SMSC's answer, to the queues.
//!
//! One lock, one write and one answer per turn of a link. It must never answer yes before the store
//! said that the rows are durable.

use std::{sync::Arc, time::Instant};

use super::{
    HELD_MAX, HOLD, Inbox, Subscription, SubscriptionSettings,
    correlate::Correlation,
    event::{Delivery, Event, EventKind},
    millis, record,
    respond::{self, Responder, Verdict},
    seen::{self, Connection, Fingerprint, Repetition},
    state::{Held, State, place},
    subscription::wanted,
};
use crate::store::{Change, StoreError, Table};

/// Where an event goes.
enum Target {
    /// To these subscriptions, one row each.
    Subscriptions(Vec<usize>),
    /// To the parts that wait; the subscriptions are those that would want it.
    Parts(Vec<usize>),
}

/// Which bound of a subscription is reached.
enum Lack {
    /// `backlog_max`
    Events,
    /// `backlog_max_bytes`
    Bytes,
}

/// An event on its way to the store.
struct Arriving {
    event: Arc<Event>,
    bytes: usize,
    fingerprint: Fingerprint,
    target: Target,
    responder: Responder,
    repetition: Repetition,
    /// The key of its first row; the others follow.
    key: u64,
}

impl Arriving {
    fn subscriptions(&self) -> &[usize] {
        match &self.target {
            Target::Subscriptions(all) | Target::Parts(all) => all,
        }
    }

    fn rows(&self) -> u64 {
        match &self.target {
            Target::Subscriptions(all) => all.len() as u64,
            Target::Parts(_) => 1,
        }
    }
}

/// What one write makes durable.
struct Batch {
    arriving: Vec<Arriving>,
    now: Instant,
    at_ms: i64,
    seen_key: u64,
    connection: Connection,
}

impl Inbox {
    /// Takes the events of one turn of one connection.
    pub fn offer(
        self: &Arc<Self>,
        now: Instant,
        events: impl IntoIterator<Item = (Event, Responder)>,
    ) {
        let mut refused = Vec::new();
        let mut arriving = Vec::new();
        let _in_turn = self.in_turn();
        for (event, responder) in events {
            self.sort(
                now,
                event,
                responder,
                now + HOLD,
                &mut arriving,
                &mut refused,
            );
        }
        self.admit(now, arriving, refused);
    }

    /// Asks once more for receipts that came early.
    pub(super) fn offer_held(self: &Arc<Self>, now: Instant, held: Vec<Held>) {
        for held in held {
            // Each may be of another connection, and they are few.
            let (mut arriving, mut refused) = (Vec::new(), Vec::new());
            let (event, responder) = (held.event, held.responder);
            let _in_turn = self.in_turn();
            self.sort(
                now,
                event,
                responder,
                held.until,
                &mut arriving,
                &mut refused,
            );
            self.admit(now, arriving, refused);
        }
    }

    /// Decides what an event is, without the lock.
    fn sort(
        &self,
        now: Instant,
        mut event: Event,
        responder: Responder,
        hold_until: Instant,
        arriving: &mut Vec<Arriving>,
        refused: &mut Vec<(Responder, Verdict)>,
    ) {
        if let EventKind::Receipt(receipt) = &mut event.kind {
            match self
                .correlate
                .correlate(now, &event.peer, &event.source.number, receipt)
            {
                Correlation::Known(about) => receipt.request = Some(about),
                Correlation::Unknown => {}
                Correlation::Repeated => return refused.push((responder, Verdict::Acknowledged)),
                Correlation::Forged => return refused.push((responder, Verdict::Never)),
                Correlation::Hold => {
                    let held = Held {
                        event,
                        responder,
                        until: hold_until,
                    };
                    return self.hold(now, held, refused);
                }
                Correlation::Refuse => return refused.push((responder, Verdict::Later)),
            }
        }
        let settings = self.subscriptions.iter().map(|own| &own.settings);
        let wanted = wanted(settings, &event);
        let target = match self.settings.reassemble && place(&event).is_some() {
            true => Target::Parts(wanted),
            false => Target::Subscriptions(wanted),
        };
        arriving.push(Arriving {
            fingerprint: seen::fingerprint(&event),
            bytes: event.bytes(),
            event: Arc::new(event),
            target,
            responder,
            repetition: Repetition::None,
            key: 0,
        });
    }

    fn hold(&self, now: Instant, held: Held, refused: &mut Vec<(Responder, Verdict)>) {
        let mut state = self.lock();
        if held.until <= now || state.held.len() >= HELD_MAX || state.closed {
            refused.push((held.responder, Verdict::Later));
        } else {
            state.held.push(held);
        }
    }

    /// Keeps room and keys, then writes.
    fn admit(
        self: &Arc<Self>,
        now: Instant,
        arriving: Vec<Arriving>,
        mut answers: Vec<(Responder, Verdict)>,
    ) {
        let connection: Connection = arriving
            .first()
            .map(|first| (Arc::clone(&first.event.link), first.responder.session));
        let at_ms = millis(now);
        let mut admitted = Vec::with_capacity(arriving.len());
        let mut not_admitted = Vec::new();
        let mut state = self.lock();
        if let Some((link, session)) = &connection {
            let live = state.live.entry(Arc::clone(link)).or_default();
            // What was held may be of an earlier one.
            *live = (*live).max(*session);
        }
        for mut one in arriving {
            match state.admit(at_ms, &mut one, &connection, &self.subscriptions) {
                None => admitted.push(one),
                Some(verdict) => {
                    answers.push((one.responder, verdict));
                    not_admitted.push(one.event);
                }
            }
        }
        let seen_key = state.next_seen;
        state.next_seen += u64::from(!admitted.is_empty());
        drop(state);
        if !not_admitted.is_empty() {
            let mut events = not_admitted.iter().map(|event| &**event);
            self.correlate.settled(&mut events, false);
        }
        respond::to_all(answers);
        if !admitted.is_empty() {
            self.write(Batch {
                arriving: admitted,
                now,
                at_ms,
                seen_key,
                connection,
            });
        }
    }

    fn write(self: &Arc<Self>, batch: Batch) {
        let mut changes = Vec::with_capacity(batch.arriving.len() + 1);
        for one in &batch.arriving {
            match &one.target {
                Target::Subscriptions(all) => {
                    changes.extend(self.rows(one.key, all, batch.at_ms, &one.event));
                }
                Target::Parts(_) => changes.push(Change::Put {
                    table: Table::Inbox,
                    key: one.key,
                    value: record::encode(None, batch.at_ms, &one.event),
                }),
            }
        }
        let fingerprints: Vec<_> = batch.arriving.iter().map(|one| one.fingerprint).collect();
        changes.push(Change::Put {
            table: Table::Seen,
            key: batch.seen_key,
            value: seen::encode(batch.at_ms, &fingerprints),
        });
        let own = Arc::clone(self);
        let done = move |result: Result<(), StoreError>| match result {
            Ok(()) => own.stored(batch, fingerprints),
            Err(error) => own.not_stored(batch, &fingerprints, &error),
        };
        self.store.write(changes, Box::new(done));
    }

    /// The rows of an event, one for each subscription.
    pub(super) fn rows<'a>(
        &'a self,
        first: u64,
        subscriptions: &'a [usize],
        at_ms: i64,
        event: &'a Event,
    ) -> impl Iterator<Item = Change> + 'a {
        (first..).zip(subscriptions).map(move |(key, at)| {
            let name = &self.subscriptions[*at].settings.name;
            Change::Put {
                table: Table::Inbox,
                key,
                value: record::encode(Some(name), at_ms, event),
            }
        })
    }

    /// It is durable: the SMSC gets its yes, and the subscribers the event.
    fn stored(self: &Arc<Self>, mut batch: Batch, fingerprints: Vec<Fingerprint>) {
        let mut state = self.lock();
        let connection = &batch.connection;
        for one in &mut batch.arriving {
            if one.repetition == Repetition::OfArriving
                && state.repetition(batch.at_ms, &one.fingerprint, connection)
                    == Repetition::OfStored
            {
                one.repetition = Repetition::OfStored;
            }
        }
        state
            .seen
            .remember(batch.seen_key, batch.at_ms, fingerprints, connection);
        for one in &batch.arriving {
            state.release(one);
            let delivery = |id| Delivery {
                id,
                event: Arc::clone(&one.event),
                received_at_ms: batch.at_ms,
                redelivered: one.repetition != Repetition::None,
            };
            match &one.target {
                // The part that it repeats has got into the store meanwhile, and serves.
                Target::Parts(_) if one.repetition == Repetition::OfStored => {
                    state.to_remove.push((Table::Inbox, one.key));
                }
                Target::Parts(_) => {
                    state.assemble(batch.now, delivery(one.key));
                    state.place_ended(&self.subscriptions, self.keys_of_a_part());
                }
                Target::Subscriptions(all) => {
                    for (key, at) in (one.key..).zip(all) {
                        state.queues[*at].push(delivery(key));
                        self.subscriptions[*at].metrics.accepted.increment(1);
                    }
                }
            }
        }
        state.hand_over(batch.now);
        drop(state);
        self.settle(&batch, true);
        let answers = batch.arriving.into_iter().map(|one| one.responder);
        respond::to_all(answers.map(|responder| (responder, Verdict::Acknowledged)));
        self.take_up_wholes();
    }

    /// It is not, or not for sure: the SMSC keeps it, and the rows are to go if they are there.
    fn not_stored(&self, batch: Batch, fingerprints: &[Fingerprint], error: &StoreError) {
        let mut state = self.lock();
        state.seen.not_arriving(fingerprints, &batch.connection);
        // Only then: a store that is out of service for an hour refuses millions.
        if error.is_in_doubt() {
            // Gone first, because without the rows of its events it says after a restart that they
            // are here, and a part that the SMSC sends again would be answered and lost.
            state.to_remove.push((Table::Seen, batch.seen_key));
        }
        for one in &batch.arriving {
            state.release(one);
            if error.is_in_doubt() {
                let rows = one.key..one.key + one.rows();
                state.to_remove.extend(rows.map(|key| (Table::Inbox, key)));
            }
            for at in one.subscriptions() {
                self.subscriptions[*at].metrics.refused_store.increment(1);
            }
        }
        drop(state);
        self.settle(&batch, false);
        let answers = batch.arriving.into_iter().map(|one| one.responder);
        respond::to_all(answers.map(|responder| (responder, Verdict::Later)));
    }

    fn settle(&self, batch: &Batch, are_durable: bool) {
        let mut events = batch.arriving.iter().map(|one| &*one.event);
        self.correlate.settled(&mut events, are_durable);
    }
}

impl State {
    /// Lets an event in, which gives it its keys; otherwise tells how to answer it.
    fn admit(
        &mut self,
        at_ms: i64,
        one: &mut Arriving,
        connection: &Connection,
        subscriptions: &[Subscription],
    ) -> Option<Verdict> {
        if self.closed {
            return Some(Verdict::Later);
        }
        one.repetition = self.repetition(at_ms, &one.fingerprint, connection);
        if one.repetition == Repetition::OfStored && matches!(one.target, Target::Parts(_)) {
            // The part is durable, or already in its whole: only the answer was lost.
            return Some(Verdict::Acknowledged);
        }
        if !self.has_room(one.subscriptions(), one.bytes, subscriptions) {
            return Some(Verdict::Later);
        }
        self.seen.arrives(one.fingerprint, connection);
        one.key = self.take_keys(match one.target {
            Target::Subscriptions(_) => one.rows(),
            // Those of the whole, if this part ends it: its place is the one of that part.
            Target::Parts(_) => subscriptions.len() as u64,
        });
        for at in one.subscriptions() {
            self.reserved[*at].events += 1;
            self.reserved[*at].bytes += one.bytes;
        }
        None
    }

    /// Whether each of these has room for one more event of so many octets; counts the first that has
    /// not.
    pub(super) fn has_room(
        &self,
        wanted: &[usize],
        bytes: usize,
        subscriptions: &[Subscription],
    ) -> bool {
        wanted.iter().all(|at| {
            let Subscription { settings, metrics } = &subscriptions[*at];
            let refused = match self.lack(*at, bytes, settings) {
                None => return true,
                Some(Lack::Events) => &metrics.refused_full,
                Some(Lack::Bytes) => &metrics.refused_bytes,
            };
            refused.increment(1);
            false
        })
    }

    /// What a subscription has too little of for one more event of so many octets.
    fn lack(&self, at: usize, bytes: usize, settings: &SubscriptionSettings) -> Option<Lack> {
        let (queue, reserved) = (&self.queues[at], self.reserved[at]);
        let events = queue.len() + reserved.events;
        if events >= settings.backlog_max {
            return Some(Lack::Events);
        }
        // One that is too large by itself is let in where nothing else is: nobody else could take it.
        let fits = queue.bytes() + reserved.bytes + bytes <= settings.backlog_max_bytes;
        (!fits && events > 0).then_some(Lack::Bytes)
    }

    fn repetition(&self, at_ms: i64, of: &Fingerprint, connection: &Connection) -> Repetition {
        let has_ended = |earlier: &Connection| self.has_ended(earlier);
        self.seen.repetition(of, at_ms, connection, has_ended)
    }

    fn has_ended(&self, connection: &Connection) -> bool {
        match connection {
            // Of an earlier process.
            None => true,
            Some((link, session)) => self.live.get(link) != Some(session),
        }
    }

    fn release(&mut self, one: &Arriving) {
        for at in one.subscriptions() {
            self.reserved[*at].events -= 1;
            self.reserved[*at].bytes -= one.bytes;
        }
    }

    pub(super) fn take_keys(&mut self, count: u64) -> u64 {
        let first = self.next_key;
        self.next_key += count;
        first
    }
}
