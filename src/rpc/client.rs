//! The clients, each with the limit that all its calls share.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use super::settings::ClientSettings;
use crate::{
    client::{ClientCounts, ClientName},
    outcome::Reason,
};

/// Requests in flight of a client that has no `[[client]]` of its own.
pub(super) const IN_FLIGHT_DEFAULT: u32 = 8_192;

/// Names without a `[[client]]` that are known at a time. A caller on this machine chooses its name
/// freely, and each one costs memory and a metric's label.
pub(super) const UNLISTED_MAX: usize = 256;

/// What a request is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Message,
    Payment,
}

/// An upstream service.
#[derive(Debug)]
pub(super) struct Client {
    name: ClientName,
    is_operator: bool,
    in_flight_max: u32,
    // None of the counters guards other memory, so the weakest ordering is enough for all.
    in_flight: AtomicU32,
    streams: AtomicU32,
    messages: AtomicU64,
    payments: AtomicU64,
    refused_invalid: AtomicU64,
    refused_limit: AtomicU64,
    discarded: AtomicU64,
}

impl Client {
    #[cfg(test)]
    pub(super) fn new(name: ClientName, in_flight_max: u32) -> Arc<Self> {
        Self::with(name, in_flight_max, false)
    }

    fn with(name: ClientName, in_flight_max: u32, is_operator: bool) -> Arc<Self> {
        Arc::new(Self {
            name,
            is_operator,
            in_flight_max,
            in_flight: AtomicU32::new(0),
            streams: AtomicU32::new(0),
            messages: AtomicU64::new(0),
            payments: AtomicU64::new(0),
            refused_invalid: AtomicU64::new(0),
            refused_limit: AtomicU64::new(0),
            discarded: AtomicU64::new(0),
        })
    }

    pub(super) fn name(&self) -> &ClientName {
        &self.name
    }

    /// Whether it may decide about payments that are not its own.
    pub(super) fn is_operator(&self) -> bool {
        self.is_operator
    }

    pub(super) fn in_flight_max(&self) -> u32 {
        self.in_flight_max
    }

    /// Takes room for up to `wanted` requests and returns for how many there was some.
    pub(super) fn charge(&self, wanted: u32) -> u32 {
        let grant = |in_flight| wanted.min(self.in_flight_max.saturating_sub(in_flight));
        let before = self
            .in_flight
            .update(Ordering::Relaxed, Ordering::Relaxed, |in_flight| {
                in_flight + grant(in_flight)
            });
        grant(before)
    }

    /// Gives room back that [`Client::charge`] granted.
    pub(super) fn release(&self, count: u32) {
        self.in_flight.fetch_sub(count, Ordering::Relaxed);
    }

    pub(super) fn count_requests(&self, kind: Kind, count: u64) {
        let counter = match kind {
            Kind::Message => &self.messages,
            Kind::Payment => &self.payments,
        };
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn count_refused(&self, reason: Reason) {
        let counter = match reason {
            Reason::Invalid => &self.refused_invalid,
            Reason::Limit => &self.refused_limit,
            // A stop is not the client's doing.
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_discarded(&self, count: u64) {
        self.discarded.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> ClientCounts {
        ClientCounts {
            name: self.name.clone(),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            in_flight_max: self.in_flight_max,
            streams: self.streams.load(Ordering::Relaxed),
            messages: self.messages.load(Ordering::Relaxed),
            payments: self.payments.load(Ordering::Relaxed),
            refused_invalid: self.refused_invalid.load(Ordering::Relaxed),
            refused_limit: self.refused_limit.load(Ordering::Relaxed),
            discarded: self.discarded.load(Ordering::Relaxed),
        }
    }
}

/// A stream that is open, for as long as this lives.
pub(super) struct OpenStream(Arc<Client>);

impl OpenStream {
    pub(super) fn new(client: &Arc<Client>) -> Self {
        client.streams.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(client = %client.name, "stream opened");
        Self(Arc::clone(client))
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
        tracing::debug!(client = %self.0.name, "stream closed");
    }
}

/// All clients by name.
#[derive(Debug)]
pub(super) struct Clients {
    listed: HashMap<ClientName, Arc<Client>>,
    unlisted: Mutex<HashMap<ClientName, Arc<Client>>>,
}

impl Clients {
    pub(super) fn new(settings: &[ClientSettings]) -> Self {
        let listed = settings
            .iter()
            .map(|client| {
                let name = client.name.clone();
                let listed = Client::with(name.clone(), client.in_flight_max, client.is_operator);
                (name, listed)
            })
            .collect();
        Self {
            listed,
            unlisted: Mutex::default(),
        }
    }

    /// The client of that name; `None` if it has no `[[client]]` and too many such are active.
    pub(super) fn named(&self, name: ClientName) -> Option<Arc<Client>> {
        if let Some(listed) = self.listed.get(&name) {
            return Some(Arc::clone(listed));
        }
        let mut unlisted = self.unlisted();
        if let Some(known) = unlisted.get(&name) {
            return Some(Arc::clone(known));
        }
        if unlisted.len() >= UNLISTED_MAX {
            // Nobody else holds it, so it has no call and nothing in flight.
            unlisted.retain(|_, client| Arc::strong_count(client) > 1);
        }
        if unlisted.len() >= UNLISTED_MAX {
            return None;
        }
        // Only where the machine is trusted may a caller choose a name that is not listed, and who may
        // do that may read the journal's key as well.
        let client = Client::with(name.clone(), IN_FLIGHT_DEFAULT, true);
        unlisted.insert(name, Arc::clone(&client));
        Some(client)
    }

    /// Every known client, those of the configuration first.
    pub(super) fn counts(&self) -> Vec<ClientCounts> {
        let unlisted = self.unlisted();
        let all = self.listed.values().chain(unlisted.values());
        all.map(|client| client.counts()).collect()
    }

    fn unlisted(&self) -> MutexGuard<'_, HashMap<ClientName, Arc<Client>>> {
        // A map of whole clients is sound even if another holder of the lock panicked.
        self.unlisted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ClientName {
        ClientName::parse(text).unwrap()
    }

    #[test]
    fn a_client_is_granted_no_more_than_its_limit_over_all_its_calls() {
        let client = Client::new(name("shop"), 10);
        assert_eq!(client.charge(7), 7);
        assert_eq!(client.charge(7), 3);
        assert_eq!(client.charge(1), 0);
        client.release(4);
        assert_eq!(client.charge(9), 4);
    }

    #[test]
    fn two_calls_of_one_name_share_one_limit() {
        let clients = Clients::new(&[]);
        let first = clients.named(name("shop")).unwrap();
        assert_eq!(first.charge(5), 5);
        assert_eq!(clients.named(name("shop")).unwrap().counts().in_flight, 5);
        assert_eq!(clients.named(name("bank")).unwrap().counts().in_flight, 0);
    }

    #[test]
    fn unlisted_names_are_bounded_and_idle_ones_make_room() {
        let clients = Clients::new(&[]);
        let active: Vec<_> = (0..UNLISTED_MAX)
            .map(|n| clients.named(name(&format!("c{n}"))).unwrap())
            .collect();
        assert!(clients.named(name("one-more")).is_none());
        drop(active);
        assert!(clients.named(name("one-more")).is_some());
    }
}
