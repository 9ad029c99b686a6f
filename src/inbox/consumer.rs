//! One call of `Receive`: the consumer's end of a subscription.

use std::{sync::Arc, time::Instant};

use tokio::sync::Notify;

use super::{
    Inbox, UNACKNOWLEDGED_DEFAULT, UNACKNOWLEDGED_MAX, event::Delivery, remove,
    subscription::DEFAULT,
};
use crate::{client::ClientName, store::Table};

/// Why a subscription cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachError {
    /// None of that name is configured.
    Unknown,
    /// It belongs to another client.
    Forbidden,
}

/// A consumer. Dropping it gives back what it has not acknowledged.
pub struct Consumer {
    inbox: Arc<Inbox>,
    subscription: usize,
    id: u64,
    filled: Arc<Notify>,
}

impl Inbox {
    /// Opens a consumer of the subscription `name`, empty for the default one. Its events are shared
    /// with the other consumers; those of one source address are at one of them at a time.
    ///
    /// # Errors
    /// There is no such subscription, or it is another client's.
    pub fn attach(
        self: &Arc<Self>,
        name: &str,
        client: &ClientName,
        unacknowledged_max: u32,
    ) -> Result<Consumer, AttachError> {
        let name = if name.is_empty() { DEFAULT } else { name };
        let subscription = self
            .subscriptions
            .iter()
            .position(|own| &*own.settings.name == name)
            .ok_or(AttachError::Unknown)?;
        let owner = self.subscriptions[subscription].settings.client.as_ref();
        if owner.is_some_and(|owner| owner != client) {
            return Err(AttachError::Forbidden);
        }
        let credit = match unacknowledged_max {
            0 => UNACKNOWLEDGED_DEFAULT,
            wanted => wanted.min(UNACKNOWLEDGED_MAX),
        };
        let filled = Arc::new(Notify::new());
        let mut state = self.lock();
        let id = state.next_consumer;
        state.next_consumer += 1;
        state.wakers.insert(id, Arc::clone(&filled));
        state.queues[subscription].attach(id, credit);
        state.hand_over(Instant::now());
        Ok(Consumer {
            inbox: Arc::clone(self),
            subscription,
            id,
            filled,
        })
    }
}

impl Consumer {
    /// Waits for events and takes all that are ready; never empty. Safe to cancel.
    pub async fn next(&self) -> Vec<Delivery> {
        loop {
            let ready = self.inbox.lock().queues[self.subscription].take_ready(self.id);
            if !ready.is_empty() {
                return ready;
            }
            self.filled.notified().await;
        }
    }

    /// Acknowledges deliveries: they are not handed over again. Ids that are unknown, or not at this
    /// consumer any more, are ignored. Returns how many were.
    pub fn acknowledge(&self, ids: &[u64]) -> usize {
        let mut gone = Vec::new();
        let mut state = self.inbox.lock();
        state.queues[self.subscription].acknowledge(self.id, ids, &mut gone);
        state.hand_over(Instant::now());
        drop(state);
        let count = gone.len();
        if count > 0 {
            self.inbox.remove(
                gone.into_iter()
                    .map(|key| remove((Table::Inbox, key)))
                    .collect(),
            );
        }
        count
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let mut state = self.inbox.lock();
        state.wakers.remove(&self.id);
        let before = state.queues[self.subscription].unacknowledged();
        state.queues[self.subscription].detach(self.id);
        let after = state.queues[self.subscription].unacknowledged();
        state.hand_over(Instant::now());
        let metrics = &self.inbox.subscriptions[self.subscription].metrics;
        metrics.redelivered.increment((before - after) as u64);
    }
}
