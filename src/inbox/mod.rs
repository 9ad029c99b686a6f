//! What comes in from the SMSCs, mobile originated messages and delivery receipts, and from the banks,
//! what they begin of their own accord, on its way to the upstream services.
//!
//! ```text
//!   link ──► offer ──► correlate ──► store (durable) ──► ESME_ROK
//!                                        │
//!                  parts ──► whole ◄─────┤
//!                                        ▼
//!                        queue of each subscription ──► consumer ──► acknowledged: row removed
//!                                        ▲
//!   bank ──► notices ──► store (durable) ┴──► the bank's answer
//! ```
//!
//! A deliver_sm is answered positively only once the store has told that it is durable. What cannot
//! be stored, or has no room in a subscription that wants it, is answered with a temporary error, so
//! that the SMSC keeps it and sends it again. The inbox must never answer yes on its own, and never
//! forget what it answered yes to before a subscriber acknowledged it.
//!
//! # Order
//! To one subscription, the events of one source address are handed over in the order in which they
//! arrived, also when they are handed over again and after a restart. A message or receipt arrives
//! with the deliver_sm that is answered ESME_ROK; a long message with the one that ends it, whichever
//! part that brings; one that is given up without its last parts, when it is given up. What an SMSC was told to
//! send again has not arrived. The keys of rows are taken in this order and written in this order, so
//! a key says the place of an event.

mod bank_event;
mod consumer;
mod correlate;
mod event;
mod identities;
mod intake;
mod notices;
mod queue;
mod record;
mod respond;
mod seen;
mod state;
mod subscription;
#[cfg(test)]
mod tests;
mod whole;
mod wholes;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tracing::{error, info, warn};

pub use bank_event::{AboutPayment, BankEvent, Reconciliation};
pub use consumer::{AttachError, Consumer};
pub use correlate::{Correlate, Correlation, Uncorrelated};
pub use event::{AboutRequest, Address, Delivery, Event, EventKind, MobileOriginated, Receipt};
pub use identities::{IDENTITIES_MAX, Identity};
pub use notices::{Notice, Taken};
pub use respond::{Respond, Responder, Verdict};
pub use seen::SEEN_MAX;
pub use state::WaitingParts;
pub use subscription::{
    BACKLOG_MAX_BYTES_DEFAULT, BACKLOG_MAX_DEFAULT, DEFAULT, NumberPattern, SubscriptionSettings,
    fold,
};

use crate::{
    clock,
    metrics::{InboxMetrics, SubscriptionMetrics},
    store::{Change, Store, StoreError, Table},
};
use state::State;

/// The most that one consumer may leave unacknowledged.
pub const UNACKNOWLEDGED_MAX: u32 = 10_000;

/// What a consumer leaves unacknowledged at most if it does not say.
pub const UNACKNOWLEDGED_DEFAULT: u32 = 1_000;

/// Receipts that wait for their submit_sm_resp; more are put off. A link has that many in flight.
pub const HELD_MAX: usize = 10_000;

/// How long an early receipt waits before the SMSC is told to send it again.
pub const HOLD: Duration = Duration::from_secs(30);

/// Long messages that wait for parts, and their parts. With more, the one that has waited longest is
/// handed over as it is.
pub const MESSAGES_IN_PARTS_MAX: usize = 10_000;

/// The same, for the parts of all of them.
pub const PARTS_MAX: usize = 50_000;

/// Octets of these parts: twice what as many ordinary ones have, so that only parts of many kilobytes,
/// which nobody needs, reach it.
pub const PARTS_BYTES_MAX: usize = 64 << 20;

/// For how long a bank's repeats are known if the configuration does not say: banks repeat a chargeback
/// for days.
pub const BANK_DUPLICATE_WINDOW_DEFAULT: Duration = Duration::from_secs(7 * 86_400);

/// Rows that are removed with one write of tidying up: one that the store cannot take beside the
/// traffic would be refused again and again.
const REMOVE_MAX: usize = 10_000;

/// How the inbox works.
#[derive(Clone, Debug)]
pub struct InboxSettings {
    /// What a consumer has not acknowledged by then is given back, to be handed over again.
    pub redeliver_after: Duration,
    /// The same from an SMSC over another connection within this time is marked as redelivered.
    pub duplicate_window: Duration,
    /// The same from a bank within this time makes no second event.
    pub bank_duplicate_window: Duration,
    /// Whether long messages are put together.
    pub reassemble: bool,
    /// How long a message waits for its other parts.
    pub reassembly_timeout: Duration,
    /// The subscriptions, without any order; `default` is added if it is not among them.
    pub subscriptions: Vec<SubscriptionSettings>,
}

impl Default for InboxSettings {
    fn default() -> Self {
        Self {
            redeliver_after: Duration::from_secs(30),
            duplicate_window: Duration::from_secs(120),
            bank_duplicate_window: BANK_DUPLICATE_WINDOW_DEFAULT,
            reassemble: true,
            reassembly_timeout: Duration::from_secs(60),
            subscriptions: Vec::new(),
        }
    }
}

/// The figures of one subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Its name.
    pub subscription: Arc<str>,
    /// Events that wait or are unacknowledged.
    pub backlog: usize,
    /// Their octets, as [`Event::bytes`] counts them.
    pub backlog_bytes: usize,
    /// Events at consumers.
    pub unacknowledged: usize,
    /// Open calls of `Receive`.
    pub consumers: usize,
    /// How long the oldest event has been here.
    pub oldest_age: Duration,
}

/// Events between SMSCs or banks and subscribers.
pub struct Inbox {
    settings: InboxSettings,
    /// `default` comes first.
    subscriptions: Vec<Subscription>,
    store: Store,
    correlate: Arc<dyn Correlate>,
    metrics: InboxMetrics,
    /// Held from the question what receipts belong to, and from the taking of keys, until the write is
    /// in the store's channel. The state of a whole message counts the receipts asked before, so they
    /// must also be handed over before, whatever link brought them; and what has the lower key must
    /// be stored first, because its key is its place.
    turn: Mutex<()>,
    state: Mutex<State>,
}

struct Subscription {
    settings: SubscriptionSettings,
    metrics: SubscriptionMetrics,
}

impl Inbox {
    /// Takes up what the store holds. `figures` gives the handles of a subscription.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open(
        settings: InboxSettings,
        store: Store,
        correlate: Arc<dyn Correlate>,
        metrics: InboxMetrics,
        figures: impl Fn(&str) -> SubscriptionMetrics,
    ) -> Result<Arc<Self>, StoreError> {
        let mut wanted = settings.subscriptions.clone();
        let default = match wanted.iter().position(|own| &*own.name == DEFAULT) {
            Some(at) => wanted.remove(at),
            None => SubscriptionSettings::named(DEFAULT),
        };
        wanted.insert(0, default);
        let subscriptions: Vec<_> = wanted
            .into_iter()
            .map(|settings| Subscription {
                metrics: figures(&settings.name),
                settings,
            })
            .collect();
        let mut state = State::new(&settings, subscriptions.len());
        // An acknowledgement for an earlier process must not end another event of this one, so
        // numbers do not begin anew where everything was acknowledged. JSON carries them whole.
        state.next_key = u64::try_from(millis(Instant::now())).unwrap_or(1) << 10;
        load(&store, &subscriptions, &mut state)?;
        let inbox = Arc::new(Self {
            settings,
            subscriptions,
            store,
            correlate,
            metrics,
            turn: Mutex::default(),
            state: Mutex::new(state),
        });
        inbox.take_up_wholes();
        Ok(inbox)
    }

    /// Hands over again what was not acknowledged in time, gives up waiting for parts, asks again for
    /// early receipts, and tidies the store. To be called a few times a second.
    pub fn expire(self: &Arc<Self>, now: Instant) {
        let now_ms = millis(now);
        let mut state = self.lock();
        for (queue, subscription) in state.queues.iter_mut().zip(&self.subscriptions) {
            let count = queue.expire(now);
            subscription.metrics.redelivered.increment(count as u64);
        }
        state.hand_over(now);
        state.give_up_parts(now);
        let held = std::mem::take(&mut state.held);
        let count = state.to_remove.len().min(REMOVE_MAX);
        let mut tidy: Vec<Change> = state.to_remove.drain(..count).map(remove).collect();
        if let Some(key) = state.seen.expire(now_ms) {
            let table = Table::Seen;
            tidy.push(Change::RemoveBelow { table, key });
        }
        if let Some(key) = state.identities.expire(now_ms) {
            let table = Table::BankSeen;
            tidy.push(Change::RemoveBelow { table, key });
        }
        drop(state);
        if !tidy.is_empty() {
            self.remove(tidy);
        }
        self.take_up_wholes();
        self.offer_held(now, held);
        let held = self.lock().held.len();
        self.metrics.receipts_held.set(held as f64);
    }

    /// Refuses what comes from now on. What is stored stays there for the next start.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let held = std::mem::take(&mut state.held);
        drop(state);
        respond::to_all(
            held.into_iter()
                .map(|held| (held.responder, Verdict::Later)),
        );
    }

    /// A connection of a link is over: what it brought and the SMSC sends again is a repetition.
    pub fn disconnected(&self, link: &str, session: u64) {
        let mut state = self.lock();
        if state.live.get(link) == Some(&session) {
            state.live.remove(link);
        }
        // The SMSC sends these again, over another connection.
        state
            .held
            .retain(|held| *held.event.link != *link || held.responder.session != session);
    }

    /// The figures of each subscription.
    pub fn counts(&self, now: Instant) -> Vec<Counts> {
        let now_ms = millis(now);
        let state = self.lock();
        let queues = state.queues.iter().zip(&self.subscriptions);
        queues
            .map(|(queue, subscription)| Counts {
                subscription: Arc::clone(&subscription.settings.name),
                backlog: queue.len(),
                backlog_bytes: queue.bytes(),
                unacknowledged: queue.unacknowledged(),
                consumers: queue.consumers(),
                oldest_age: queue.oldest_ms().map_or(Duration::ZERO, |oldest| {
                    Duration::from_millis(u64::try_from(now_ms.saturating_sub(oldest)).unwrap_or(0))
                }),
            })
            .collect()
    }

    /// Long messages that are not whole yet.
    pub fn waiting_parts(&self, now: Instant) -> WaitingParts {
        let timeout = self.settings.reassembly_timeout;
        self.lock().waiting_parts(now, timeout)
    }

    /// Brings the gauges up to date.
    pub fn publish(&self, now: Instant) {
        let waiting = self.waiting_parts(now);
        self.metrics.parts_waiting.set(waiting.parts as f64);
        self.metrics.parts_bytes.set(waiting.bytes as f64);
        let age_s = waiting.oldest_age.as_secs_f64();
        self.metrics.parts_oldest_age.set(age_s);
        for (counts, subscription) in self.counts(now).iter().zip(&self.subscriptions) {
            let metrics = &subscription.metrics;
            metrics.backlog.set(counts.backlog as f64);
            metrics.backlog_bytes.set(counts.backlog_bytes as f64);
            metrics.unacknowledged.set(counts.unacknowledged as f64);
            metrics.consumers.set(counts.consumers as f64);
            metrics.oldest_age.set(counts.oldest_age.as_secs_f64());
        }
    }

    /// Removes rows; what could not be removed now is tried again later. A row that survives a crash
    /// is handed over once more, marked.
    fn remove(self: &Arc<Self>, changes: Vec<Change>) {
        let rows: Vec<(Table, u64)> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Remove { table, key } => Some((*table, *key)),
                Change::Put { .. } | Change::RemoveBelow { .. } | Change::Batch(_) => None,
            })
            .collect();
        let own = Arc::clone(self);
        let done = move |result: Result<(), StoreError>| {
            if result.is_err() {
                own.lock().to_remove.extend(rows);
            }
        };
        self.store.write(changes, Box::new(done));
    }

    fn in_turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change keeps the state whole, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remove((table, key): (Table, u64)) -> Change {
    Change::Remove { table, key }
}

/// Milliseconds since 1970 at `now`, which may lie off the present: what lies between two of them is
/// what lies between the two instants.
fn millis(now: Instant) -> i64 {
    let present = clock::now();
    let ahead = now.saturating_duration_since(present.monotonic);
    let behind = present.monotonic.saturating_duration_since(now);
    let nanoseconds = (present.utc + ahead - behind).unix_timestamp_nanos();
    i64::try_from(nanoseconds / 1_000_000).unwrap_or(i64::MAX)
}

/// Takes up what an earlier process left. All of it may have been handed over.
fn load(
    store: &Store,
    subscriptions: &[Subscription],
    state: &mut State,
) -> Result<(), StoreError> {
    let (now, mut events, mut unreadable, mut orphans) = (Instant::now(), 0_u64, 0_u64, 0_u64);
    let mut last_key = 0;
    store.load(Table::Inbox, &mut |key, row| {
        // What the row before has made whole has the keys up to this one for its rows.
        state.place_ended(subscriptions, key - last_key);
        last_key = key;
        state.next_key = state.next_key.max(key + 1);
        let Some(record) = record::decode(&Bytes::copy_from_slice(row)) else {
            unreadable += 1;
            return;
        };
        events += 1;
        let delivery = Delivery {
            id: key,
            event: Arc::new(record.event),
            received_at_ms: record.received_at_ms,
            redelivered: true,
        };
        let Some(name) = record.subscription else {
            return state.assemble(now, delivery);
        };
        let at = subscriptions
            .iter()
            .position(|own| own.settings.name == name);
        orphans += u64::from(at.is_none());
        state.queues[at.unwrap_or(0)].push(delivery);
    })?;
    state.place_ended(subscriptions, u64::MAX - last_key);
    store.load(Table::Seen, &mut |key, row| {
        state.next_seen = state.next_seen.max(key + 1);
        if let Some((at_ms, fingerprints)) = seen::decode(row) {
            state.seen.remember(key, at_ms, fingerprints, &None);
        }
    })?;
    store.load(Table::BankSeen, &mut |key, row| {
        state.next_identity = state.next_identity.max(key + 1);
        if let Some((at_ms, identity)) = identities::decode(row) {
            state.identities.remember(key, at_ms, identity);
        }
    })?;
    if events > 0 {
        info!(events, "took up events that nobody had acknowledged");
    }
    if orphans > 0 {
        warn!(
            orphans,
            "events of subscriptions that are not configured any more go to `{DEFAULT}`"
        );
    }
    if unreadable > 0 {
        error!(
            unreadable,
            "rows of the inbox cannot be read and stay in the store; were they written by a later version?"
        );
    }
    Ok(())
}
