//! The messages and operations that are on their way, until each has its end.
//!
//! A flight keeps what its message was, because a request that one SMSC did not take may go to
//! another. The table needs no limit of its own: a flight is a request in flight of an upstream
//! service, and those are limited (`in_flight_max`). It decides nothing.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use slab::Slab;

use super::parts::Parts;
use crate::{
    client::ClientName,
    link::TicketNumber,
    message::{Message, MessageOutcome, MessageResult},
    outbox::Reply,
};

/// A request on its way.
pub(super) struct Flight {
    /// Whom to tell.
    pub(super) reply: Reply<MessageOutcome>,
    /// What has not been dispatched by then is not sent.
    pub(super) deadline: Instant,
    /// What it is.
    pub(super) errand: Errand,
    /// SMSCs that it was given to.
    pub(super) attempts: u8,
    /// How many parts it has now, and how they ended.
    progress: Progress,
}

/// What a flight carries.
pub(super) enum Errand {
    /// A message. Boxed, so that a flight is cheap to move.
    Message(Box<Submission>),
    /// query_sm, cancel_sm or replace_sm, which belong to one SMSC.
    Operation,
}

/// A message that was submitted, and by whom.
pub(super) struct Submission {
    /// Who asked.
    pub(super) client: ClientName,
    /// The caller's id.
    pub(super) id: Arc<str>,
    /// The message.
    pub(super) message: Message,
    /// What the parts of this message have in common.
    pub(super) reference: u16,
}

enum Progress {
    Whole,
    Parts(Parts),
}

impl Flight {
    /// A request that no SMSC was given yet.
    pub(super) fn new(reply: Reply<MessageOutcome>, deadline: Instant, errand: Errand) -> Self {
        Self {
            reply,
            deadline,
            errand,
            attempts: 0,
            progress: Progress::Whole,
        }
    }

    /// It is given to a further SMSC in so many PDUs.
    pub(super) fn depart(&mut self, pdus: usize) {
        self.attempts = self.attempts.saturating_add(1);
        self.progress = match pdus {
            0 | 1 => Progress::Whole,
            count => Progress::Parts(Parts::new(count)),
        };
    }

    /// The number of parts; at least one.
    pub(super) fn parts(&self) -> u8 {
        match &self.progress {
            Progress::Whole => 1,
            Progress::Parts(parts) => u8::try_from(parts.count()).unwrap_or(u8::MAX),
        }
    }

    fn conclude(&mut self, part: usize, result: MessageResult) -> Option<MessageResult> {
        match &mut self.progress {
            Progress::Whole => Some(result),
            Progress::Parts(parts) => parts.conclude(part, result),
        }
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Flights(Mutex<Slab<Flight>>);

impl Flights {
    /// Opens the table for a batch.
    pub(super) fn open(&self) -> Open<'_> {
        // Every change leaves the table whole, so a panic elsewhere does not spoil it.
        Open(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The table, locked for a batch.
pub(super) struct Open<'a>(MutexGuard<'a, Slab<Flight>>);

/// Parts are told apart by the low bits of a ticket's number; a message has at most 255.
const PART_BITS: u32 = 8;

impl Open<'_> {
    /// Takes a flight in, and gives the ticket numbers of its parts, in their order.
    pub(super) fn insert(&mut self, flight: Flight) -> impl Iterator<Item = TicketNumber> + use<> {
        let parts = u64::from(flight.parts());
        let place = (self.0.insert(flight) as u64) << PART_BITS;
        (0..parts).map(move |part| TicketNumber(place | part))
    }

    /// A request has ended, or one part of it. Gives the flight and its end if that was the last.
    pub(super) fn conclude(
        &mut self,
        number: TicketNumber,
        result: MessageResult,
    ) -> Option<(Flight, MessageResult)> {
        let place = usize::try_from(number.0 >> PART_BITS).ok()?;
        let part = (number.0 & ((1 << PART_BITS) - 1)) as usize;
        let end = self.0.get_mut(place)?.conclude(part, result)?;
        Some((self.0.try_remove(place)?, end))
    }
}
