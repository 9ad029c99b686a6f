//! The exchanges in flight on one link: its window, and what the other links of the bank know of it.
//!
//! It must never have them forget what is in the window. What has left it they go on handing over until the
//! outcome is on its way, so that an answer that missed its timeout is not told before it.

use std::time::Instant;

use crate::{
    iso8583::{MatchKey, Message},
    link::{bank::Exchange, progress::Span, siblings::Sibling},
    outbox::Reply,
    window::{Keyed, Refused, Window},
};

/// An exchange in flight.
pub(super) struct Pending {
    pub(super) reply: Reply<Exchange>,
    pub(super) sent_at: Instant,
    /// Where its octets stand among those of the connection.
    pub(super) span: Span,
}

/// The exchanges in flight.
pub(super) struct InFlight {
    window: Window<Keyed<MatchKey>, Pending>,
    /// `None` where answers come by the link of the request.
    sibling: Option<Sibling>,
    /// What has left the window, and the siblings do not know it yet.
    ended: Vec<MatchKey>,
}

impl InFlight {
    pub(super) fn new(window: u32, sibling: Option<Sibling>) -> Self {
        Self {
            window: Window::new(window),
            sibling,
            ended: Vec::new(),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        self.window.in_flight()
    }

    /// How many more there may be.
    pub(super) fn room(&self) -> u32 {
        self.window.room()
    }

    /// When the time of the oldest is over.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.window.next_deadline()
    }

    /// One begins. A key in flight is never overwritten: the exchange that has it keeps it.
    pub(super) fn insert(
        &mut self,
        key: MatchKey,
        deadline: Instant,
        pending: Pending,
    ) -> Result<(), Refused<Pending>> {
        self.window.insert(key, deadline, pending)?;
        if let Some(sibling) = &self.sibling {
            sibling.wait(key);
        }
        Ok(())
    }

    pub(super) fn get_mut(&mut self, key: MatchKey) -> Option<&mut Pending> {
        self.window.get_mut(key)
    }

    /// The one with this key, which then is over.
    pub(super) fn take(&mut self, key: MatchKey) -> Option<Pending> {
        let pending = self.window.take(key)?;
        self.left(key);
        Some(pending)
    }

    /// One whose time is over. To be called until there is none.
    pub(super) fn take_expired(&mut self, now: Instant) -> Option<Pending> {
        let (key, pending) = self.window.take_expired(now)?;
        self.left(key);
        Some(pending)
    }

    /// The oldest, whatever its time.
    pub(super) fn take_oldest(&mut self) -> Option<(MatchKey, Pending)> {
        let (key, pending) = self.window.take_oldest()?;
        self.left(key);
        Some((key, pending))
    }

    /// An answer to none of them: to the link that waits for it.
    ///
    /// # Errors
    /// No link does, and the answer comes back.
    pub(super) fn hand_over(&self, key: MatchKey, answer: Message) -> Result<(), Message> {
        match &self.sibling {
            Some(sibling) => sibling.hand_over(key, answer),
            None => Err(answer),
        }
    }

    /// The outcomes of what has ended are on their way: nobody is to hand over answers to it any more.
    pub(super) fn tell_siblings(&mut self) {
        if let Some(sibling) = &self.sibling
            && !self.ended.is_empty()
        {
            let window = &self.window;
            // What was given up and taken back in the same turn goes on.
            let over = self
                .ended
                .drain(..)
                .filter(|key| window.get(*key).is_none());
            sibling.end(over);
        }
    }

    fn left(&mut self, key: MatchKey) {
        if self.sibling.is_some() {
            self.ended.push(key);
        }
    }
}
