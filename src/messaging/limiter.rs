//! How much each upstream service may send, whatever it opens and however often it asks.
//!
//! Counted in parts, because that is what SMSCs count and carriers bill. What is over the limit is
//! told at once and not kept: the service knows best what can wait. Only clients that have a limit
//! cost anything here.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use metrics::Counter;

use crate::{
    client::ClientName,
    rate::{Bucket, Rate},
};

/// The limits of all clients that have one.
#[derive(Default)]
pub struct Limiter {
    clients: HashMap<ClientName, Client>,
}

struct Client {
    rate: Rate,
    bucket: Mutex<Bucket>,
    refused: Counter,
}

impl Limiter {
    /// Such limits; the counter counts the requests that are over the limit.
    pub fn new(
        limits: impl IntoIterator<Item = (ClientName, Rate, Counter)>,
        now: Instant,
    ) -> Self {
        let clients = limits.into_iter().map(|(name, rate, refused)| {
            let bucket = Mutex::new(Bucket::new(rate, now));
            let client = Client {
                rate,
                bucket,
                refused,
            };
            (name, client)
        });
        Self {
            clients: clients.collect(),
        }
    }

    /// For a batch, which is nearly always of one client.
    pub(super) fn open(&self) -> Batch<'_> {
        Batch {
            limiter: self,
            now: None,
            held: None,
        }
    }
}

/// The limits, for as long as a batch takes.
pub(super) struct Batch<'a> {
    limiter: &'a Limiter,
    /// The time, once somebody with a limit has asked.
    now: Option<Instant>,
    held: Option<Held<'a>>,
}

/// A client's bucket, locked once for all of its messages.
struct Held<'a> {
    name: &'a ClientName,
    client: &'a Client,
    bucket: MutexGuard<'a, Bucket>,
}

impl Batch<'_> {
    /// Whether a message of so many parts may go; if not, the words for its caller. The clock is
    /// only asked if the client has a limit.
    pub(super) fn take(
        &mut self,
        name: &ClientName,
        parts: usize,
        clock: impl FnOnce() -> Instant,
    ) -> Result<(), String> {
        if self.limiter.clients.is_empty() || !self.hold(name) {
            return Ok(());
        }
        let now = *self.now.get_or_insert_with(clock);
        let Some(held) = &mut self.held else {
            return Ok(());
        };
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        if held.bucket.take_whole(now, parts) {
            return Ok(());
        }
        held.client.refused.increment(1);
        let wait = held.bucket.when(now, parts);
        let wait = wait.map_or(0, |at| (at - now).as_millis() + 1);
        Err(format!(
            "{name} may send {} parts per second (tps of its [[client]]); try again in {wait} ms",
            held.client.rate.per_second
        ))
    }

    /// Locks that client's bucket, and no other one; `false` if it has no limit.
    fn hold(&mut self, name: &ClientName) -> bool {
        if self.held.as_ref().is_some_and(|held| held.name == name) {
            return true;
        }
        // The other one first, so that two batches never wait for each other.
        self.held = None;
        let Some((name, client)) = self.limiter.clients.get_key_value(name) else {
            return false;
        };
        // A bucket is whole after every change, so a panic elsewhere does not spoil it.
        let bucket = client.bucket.lock();
        let bucket = bucket.unwrap_or_else(PoisonError::into_inner);
        self.held = Some(Held {
            name,
            client,
            bucket,
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn name(name: &str) -> ClientName {
        ClientName::parse(name).unwrap()
    }

    /// "shop" may send 10 parts per second, half a second's worth of them at once.
    fn limiter(now: Instant) -> Limiter {
        let rate = Rate {
            per_second: 10,
            burst: Duration::from_millis(500),
        };
        Limiter::new([(name("shop"), rate, Counter::noop())], now)
    }

    /// How many messages of so many parts go, one after the other.
    fn gone(limiter: &Limiter, client: &str, parts: usize, now: Instant) -> usize {
        let mut batch = limiter.open();
        let client = name(client);
        (0..100)
            .take_while(|_| batch.take(&client, parts, || now).is_ok())
            .count()
    }

    #[test]
    fn a_limit_is_counted_in_parts() {
        let now = Instant::now();
        assert_eq!(gone(&limiter(now), "shop", 1, now), 5);
        assert_eq!(gone(&limiter(now), "shop", 2, now), 2);
    }

    #[test]
    fn all_batches_of_a_client_share_its_limit() {
        let now = Instant::now();
        let limiter = limiter(now);
        assert_eq!(gone(&limiter, "shop", 1, now), 5);
        assert_eq!(gone(&limiter, "shop", 1, now), 0);
        let later = now + Duration::from_millis(300);
        assert_eq!(gone(&limiter, "shop", 1, later), 3);
    }

    #[test]
    fn a_client_without_a_limit_has_none_and_pays_for_no_other() {
        let now = Instant::now();
        let limiter = limiter(now);
        assert_eq!(gone(&limiter, "bank", 9, now), 100);
        assert_eq!(gone(&limiter, "shop", 1, now), 5);
    }

    #[test]
    fn a_batch_of_several_clients_takes_each_from_its_own_limit() {
        let now = Instant::now();
        let limiter = limiter(now);
        let mut batch = limiter.open();
        let mut gone = 0;
        for _ in 0..8 {
            gone += usize::from(batch.take(&name("shop"), 1, || now).is_ok());
            assert!(batch.take(&name("bank"), 1, || now).is_ok());
        }
        assert_eq!(gone, 5);
    }

    #[test]
    fn whoever_is_over_the_limit_is_told_the_rate_and_when_to_come_back() {
        let now = Instant::now();
        let limiter = limiter(now);
        assert_eq!(gone(&limiter, "shop", 1, now), 5);
        let told = limiter.open().take(&name("shop"), 3, || now).unwrap_err();
        assert_eq!(
            told,
            "shop may send 10 parts per second (tps of its [[client]]); try again in 301 ms"
        );
        let later = now + Duration::from_millis(301);
        assert!(limiter.open().take(&name("shop"), 3, || later).is_ok());
    }

    #[test]
    fn a_message_of_more_parts_than_the_burst_goes_all_the_same() {
        let now = Instant::now();
        let limiter = limiter(now);
        assert_eq!(gone(&limiter, "shop", 20, now), 1);
        let soon = now + Duration::from_millis(1_500);
        assert_eq!(gone(&limiter, "shop", 1, soon), 0, "the rest is owed");
    }
}
