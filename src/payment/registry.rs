//! Which payment an id means, over all banks: an id means one payment, wherever it went.
//!
//! Ids are found by keyed digests, so that a caller who chooses them cannot make two meet, and are
//! digested once on the way of a payment. It must never name a record that does not stand there.

use std::{
    hash::BuildHasherDefault,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use dashmap::DashMap;

use super::{PaymentKey, desk::RecordId};
use crate::digest::{AsItIs, Digest, DigestKey};

/// Parts of the table, each of which grows by itself. To move a whole table of half a million payments
/// would take some hundredths of a second, in which no payment goes on; to move a part takes microseconds.
const PARTS: usize = 1_024;

/// Where the records of all payments stand that are kept. The desks write it, the way in reads it; no
/// guard lives longer than one look.
pub struct Registry {
    key: DigestKey,
    desks: AtomicU32,
    places: DashMap<Digest, Place, BuildHasherDefault<AsItIs>>,
}

/// One desk among those that share a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeskNumber(u32);

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) desk: DeskNumber,
    pub(super) record: RecordId,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            key: DigestKey::random(),
            desks: AtomicU32::new(0),
            places: DashMap::with_hasher_and_shard_amount(BuildHasherDefault::default(), PARTS),
        }
    }
}

impl Registry {
    /// A number for a desk.
    pub(super) fn enlist(&self) -> DeskNumber {
        DeskNumber(self.desks.fetch_add(1, Relaxed))
    }

    /// What an id is found by, for as long as the process lives.
    pub(super) fn digest(&self, key: &PaymentKey) -> Digest {
        let mut digest = self.key.begin();
        digest.field(key.client.as_str().as_bytes());
        digest.field(key.id.as_str().as_bytes());
        digest.end()
    }

    /// Where the payment of an id stands.
    pub(super) fn find(&self, id: Digest) -> Option<Place> {
        self.places.get(&id).map(|place| *place)
    }

    /// Has the id mean the payment at this place; false if it means another one.
    pub(super) fn claim(&self, id: Digest, place: Place) -> bool {
        *self.places.entry(id).or_insert(place) == place
    }

    /// Has the id mean the payment at this place, which the journal has. Should it have two under one
    /// id, of which one was refused because its row was in doubt, the later one is meant.
    pub(super) fn restore(&self, id: Digest, place: Place) {
        self.places.insert(id, place);
    }

    /// The payment at this place is forgotten.
    pub(super) fn forget(&self, id: Digest, place: Place) {
        self.places.remove_if(&id, |_, own| *own == place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{ClientName, PaymentId};

    fn key(client: &str, id: &str) -> PaymentKey {
        PaymentKey {
            client: ClientName::parse(client).unwrap(),
            id: PaymentId::parse(id).unwrap(),
        }
    }

    #[test]
    fn an_id_means_the_first_payment_that_claims_it_until_that_is_forgotten() {
        let registry = Registry::default();
        let id = registry.digest(&key("shop", "p1"));
        let [first, second] = [7, 8].map(|record| Place {
            desk: registry.enlist(),
            record,
        });
        assert!(registry.claim(id, first));
        assert!(!registry.claim(id, second));
        registry.forget(id, second);
        assert_eq!(registry.find(id), Some(first));
        registry.forget(id, first);
        assert_eq!(registry.find(id), None);
        assert!(registry.claim(id, second));
    }

    #[test]
    fn an_id_is_one_client_s() {
        let registry = Registry::default();
        let digest = |client, id| registry.digest(&key(client, id));
        assert_eq!(digest("shop", "p1"), digest("shop", "p1"));
        assert_ne!(digest("shop", "p1"), digest("shopp", "1"));
    }
}
