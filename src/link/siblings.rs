//! Which link of a bank waits for an answer, for banks that answer by whichever of their connections
//! they like.
//!
//! The link that such an answer comes by hands it to the one that sent the request, whose window
//! decides between answer and timeout like for any other. It must never hand out one answer twice, nor
//! any to a link that does not wait for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    bank::BankJob,
    shared::{Response, Shared},
};
use crate::{
    iso8583::{MatchKey, Message},
    window::Seed,
};

/// What the links of one bank know of each other.
pub(super) struct Siblings {
    links: Vec<Arc<Shared<BankJob>>>,
    /// Who waits, by its place among the links. As many as there are requests in flight, which the
    /// windows limit.
    waiting: Mutex<HashMap<MatchKey, usize, Seed>>,
}

impl Siblings {
    pub(super) fn new(links: Vec<Arc<Shared<BankJob>>>) -> Self {
        let waiting = Mutex::default();
        Self { links, waiting }
    }

    /// A link waits for an answer from now on. A key has one exchange, so nobody else does.
    pub(super) fn wait(&self, key: MatchKey, link: usize) {
        self.lock().entry(key).or_insert(link);
    }

    /// It waits for these no more.
    pub(super) fn end(&self, keys: impl Iterator<Item = MatchKey>, link: usize) {
        let mut waiting = self.lock();
        for key in keys {
            if waiting.get(&key) == Some(&link) {
                waiting.remove(&key);
            }
        }
    }

    /// Hands an answer to the link that waits for it.
    ///
    /// # Errors
    /// Nobody does: the answer comes back.
    pub(super) fn hand_over(&self, key: MatchKey, answer: Message) -> Result<(), Message> {
        // Under the lock: what a link that has ended its waiting does not find now never comes.
        let mut waiting = self.lock();
        let link = waiting.remove(&key).and_then(|link| self.links.get(link));
        match link {
            Some(link) => {
                link.post(Response::HandedOver { key, answer });
                Ok(())
            }
            None => Err(answer),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MatchKey, usize, Seed>> {
        // Every change leaves the table whole, so a panic elsewhere spoils nothing.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One link among its siblings.
#[derive(Clone)]
pub(super) struct Sibling {
    siblings: Arc<Siblings>,
    place: usize,
}

impl Sibling {
    /// The link at that place.
    pub(super) fn new(siblings: Arc<Siblings>, place: usize) -> Self {
        Self { siblings, place }
    }

    pub(super) fn wait(&self, key: MatchKey) {
        self.siblings.wait(key, self.place);
    }

    pub(super) fn end(&self, keys: impl Iterator<Item = MatchKey>) {
        self.siblings.end(keys, self.place);
    }

    pub(super) fn hand_over(&self, key: MatchKey, answer: Message) -> Result<(), Message> {
        self.siblings.hand_over(key, answer)
    }
}
