//! The table of awaited receipts, pure: time is passed in, and what has to be stored is handed out.
//!
//! ```text
//!  expect ──► awaited ──receipt──► under way ──stored──► told; after the last part, remembered
//!                                      └─ not stored ──► awaited again
//!  receipt of an unknown id ──► held ──expect──► awaited
//!                                 └─ time is over, or no answer is to come ──► refused, some times
//!                                                           └──► given up: uncorrelated
//! ```
//!
//! A state counts as told only after the event that tells it is durable: the SMSC repeats what it
//! got no yes for, and a repeat must not be taken for a duplicate of something that was lost.

use std::{
    collections::HashMap,
    hash::BuildHasherDefault,
    time::{Duration, Instant},
};

use super::{
    entry::{Entry, Facts, Tail},
    state::{self, State},
};
use crate::{
    aged::{Aged, Queue, Slot},
    digest::{AsItIs, Digest},
    places::Places,
    store::rows::Stored,
};

/// Ids that are held or were refused, over all SMSCs. The oldest is forgotten for a new one, and
/// would be held again.
pub const EARLY_MAX: usize = 10_000;

/// The limits of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Parts of messages that are kept; the oldest go first, those that have ended before others.
    pub pending_max: usize,
    /// How long a receipt is awaited, in seconds.
    pub retention_s: u32,
    /// How long a message is remembered after its last part reached an end, in seconds.
    pub ended_retention_s: u32,
    /// How long an unknown id is held.
    pub early_hold: Duration,
    /// How often an id is refused before its receipt is taken without a request.
    pub refusals_max: u8,
}

/// What has become of the table's bounds, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Evicted {
    /// Messages that went although a receipt was awaited.
    pub(super) awaited: u64,
}

/// What a receipt is to the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It belongs to this part of that message, and tells something new.
    News { slot: Slot, part: u8, whole: u8 },
    /// It tells what was told before.
    Repeated,
    /// Not known yet, or the one before it is not stored yet: to be asked again.
    Hold,
    /// Not known: the SMSC is to repeat it.
    Refuse,
    /// Not known, and repeated often enough.
    Unknown,
    /// The number is not the one that the message went to.
    OtherNumber,
}

type ByDigest<T> = HashMap<Digest, T, BuildHasherDefault<AsItIs>>;

#[derive(Clone, Copy)]
struct Place {
    slot: Slot,
    part: u8,
}

impl Place {
    /// Slots have 24 bits, and no more than ten million parts are configured.
    fn packed(self) -> u32 {
        self.slot.number() << 8 | u32::from(self.part)
    }

    fn unpacked(packed: u32) -> Self {
        Self {
            slot: Slot::of(packed >> 8),
            part: packed as u8,
        }
    }
}

/// Room for as many parts as are kept, and for one message that has more.
fn room(limits: &Limits) -> Places {
    Places::with_room(limits.pending_max.saturating_add(u8::MAX.into()))
}

struct Pending {
    /// Under which it is stored.
    number: u64,
    entry: Entry,
}

struct Early {
    digest: Digest,
    since: Instant,
    is_held: bool,
    refusals: u8,
}

/// What is known of a receipt.
pub(super) struct Sought {
    /// Of the id that it names; `None` if that stands for no message.
    pub(super) digest: Option<Digest>,
    /// Its state.
    pub(super) told: u8,
    /// Where it comes from.
    pub(super) source: Tail,
    /// Whether that must be where the message went.
    pub(super) numbers_must_match: bool,
    /// Whether an id that is not known may be given by an answer that is still to come.
    pub(super) may_be_early: bool,
}

/// A state on its way into the store.
#[derive(Clone, Copy)]
struct UnderWay {
    state: State,
    since: Instant,
}

pub(super) struct Table {
    limits: Limits,
    /// By digests, which stand in the entries alone.
    parts: Places,
    pending: Aged<Pending>,
    next_number: u64,
    early: ByDigest<Slot>,
    earlies: Aged<Early>,
    under_way: ByDigest<UnderWay>,
    pub(super) evicted: Evicted,
}

impl Table {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            parts: room(&limits),
            pending: Aged::with_capacity(limits.pending_max),
            next_number: 1,
            early: HashMap::default(),
            earlies: Aged::with_capacity(0),
            under_way: HashMap::default(),
            evicted: Evicted::default(),
            limits,
        }
    }

    /// Parts that are kept, and messages among them whose receipts are awaited.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.parts.len(), self.pending.len(Queue::Open))
    }

    /// Ids that are held or were refused.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.earlies.total()
    }

    /// Takes back what was stored, in the order of the numbers; false if it is no entry.
    pub(super) fn restore(
        &mut self,
        number: u64,
        record: &[u8],
        changes: &mut Vec<Stored>,
    ) -> bool {
        self.next_number = self.next_number.max(number + 1);
        match Entry::from_record(record) {
            Some(entry) => {
                self.insert(number, entry, changes);
                true
            }
            None => {
                changes.push(Stored::Remove(number));
                false
            }
        }
    }

    /// An SMSC has accepted a message. True if one of its ids is held: what waits may be asked again.
    pub(super) fn expect(&mut self, facts: &Facts<'_>, changes: &mut Vec<Stored>) -> bool {
        if facts.digests.iter().all(Option::is_none) {
            return false;
        }
        let Some(entry) = Entry::new(facts) else {
            return false;
        };
        let number = self.next_number;
        self.next_number += 1;
        changes.push(Stored::Put(number, entry.record()));
        self.insert(number, entry, changes);
        let mut was_held = false;
        for digest in facts.digests.iter().flatten() {
            was_held |= self.forget_early(*digest);
        }
        was_held
    }

    /// A part of a message has got its id after the others, which `facts` has as well. It joins them, so
    /// that the whole has one state; without them, it is as if the message was accepted now. True as for
    /// [`Table::expect`].
    pub(super) fn expect_late(
        &mut self,
        facts: &Facts<'_>,
        part: usize,
        changes: &mut Vec<Stored>,
    ) -> bool {
        let Some(digest) = facts.digests.get(part).copied().flatten() else {
            return false;
        };
        let Ok(part) = u8::try_from(part) else {
            return false;
        };
        // First, because it may be the others that have to go.
        self.make_room(1, changes);
        let Some(slot) = self.slot_of(facts) else {
            return self.expect(facts, changes);
        };
        let Some(pending) = self.pending.get_mut(slot) else {
            return false;
        };
        if !pending.entry.complete(part, digest) {
            return false;
        }
        changes.push(Stored::Put(pending.number, pending.entry.record()));
        self.place(digest, Place { slot, part });
        self.forget_early(digest)
    }

    /// Where a message is, found by the ids of its parts.
    fn slot_of(&self, facts: &Facts<'_>) -> Option<Slot> {
        let digests = facts.digests.iter().flatten();
        let mut slots = digests.filter_map(|digest| self.place_of(*digest).map(|place| place.slot));
        slots.find(|slot| {
            let entry = self.entry(*slot);
            entry.is_some_and(|entry| {
                let request = entry.request();
                usize::from(entry.parts()) == facts.digests.len()
                    && request
                        .is_some_and(|(client, id)| client == *facts.client && *id == *facts.id)
            })
        })
    }

    fn make_room(&mut self, parts: usize, changes: &mut Vec<Stored>) {
        while !self.parts.is_empty() && self.parts.len() + parts > self.limits.pending_max {
            self.evict(changes);
        }
    }

    fn insert(&mut self, number: u64, entry: Entry, changes: &mut Vec<Stored>) {
        let digests: Vec<_> = entry.digests().collect();
        self.make_room(digests.len(), changes);
        let queue = match entry.states().all(State::is_final) {
            true => Queue::Ended,
            false => Queue::Open,
        };
        let Ok(slot) = self.pending.insert(queue, Pending { number, entry }) else {
            return;
        };
        for (part, digest) in (0..).zip(digests) {
            if let Some(digest) = digest {
                self.place(digest, Place { slot, part });
            }
        }
    }

    /// Where the part with this digest is.
    fn place_of(&self, digest: Digest) -> Option<Place> {
        let is_it = |packed| {
            let Place { slot, part } = Place::unpacked(packed);
            self.entry(slot)
                .is_some_and(|entry| entry.digest(part) == Some(digest))
        };
        self.parts.find(digest.short(), is_it).map(Place::unpacked)
    }

    /// An SMSC that gives an id again means the newer message.
    fn place(&mut self, digest: Digest, place: Place) {
        let is_placed = match self.place_of(digest) {
            Some(earlier) => self
                .parts
                .replace(digest.short(), earlier.packed(), place.packed()),
            None => self.parts.insert(digest.short(), place.packed()),
        };
        debug_assert!(is_placed);
    }

    /// Removes the oldest, remembered ones first.
    fn evict(&mut self, changes: &mut Vec<Stored>) {
        let ended = self.pending.oldest(Queue::Ended).map(|(slot, _)| slot);
        let oldest = || self.pending.oldest(Queue::Open).map(|(slot, _)| slot);
        match ended.or_else(oldest) {
            Some(slot) => self.remove(slot, ended.is_none(), changes),
            // Only ids without a message are left, which cannot be: start anew.
            None => self.parts = room(&self.limits),
        }
    }

    fn remove(&mut self, slot: Slot, was_awaited: bool, changes: &mut Vec<Stored>) {
        let Some(pending) = self.pending.remove(slot) else {
            return;
        };
        self.evicted.awaited += u64::from(was_awaited);
        changes.push(Stored::Remove(pending.number));
        for (part, digest) in (0..).zip(pending.entry.digests()) {
            if let Some(digest) = digest {
                // If it is not there, the SMSC has given the id again.
                let place = Place { slot, part };
                self.parts.remove(digest.short(), place.packed());
            }
        }
    }

    /// Forgets what is too old, at most `count_max` messages.
    pub(super) fn expire(&mut self, now_s: u32, count_max: usize, changes: &mut Vec<Stored>) {
        for (queue, retention_s) in [
            (Queue::Ended, self.limits.ended_retention_s),
            (Queue::Open, self.limits.retention_s),
        ] {
            for _ in 0..count_max {
                let Some((slot, oldest)) = self.pending.oldest(queue) else {
                    break;
                };
                if oldest.entry.since_s().saturating_add(retention_s) > now_s {
                    break;
                }
                self.remove(slot, queue == Queue::Open, changes);
            }
        }
    }

    /// What a receipt is. After [`Found::News`] the caller owes a [`Table::settle`].
    pub(super) fn find(&mut self, now: Instant, sought: &Sought) -> (Found, bool) {
        let Some(digest) = sought.digest else {
            // An id that stands for nothing will never be known.
            return (Found::Unknown, true);
        };
        let Some(Place { slot, part }) = self.place_of(digest) else {
            return (self.unknown(now, digest, sought.may_be_early), true);
        };
        let Some(pending) = self.pending.get(slot) else {
            return (Found::Unknown, true);
        };
        let fits = pending.entry.destination().may_be(sought.source);
        if !fits && sought.numbers_must_match {
            return (Found::OtherNumber, fits);
        }
        let told = State(sought.told);
        if let Some(earlier) = self.under_way.get(&digest)
            && now < earlier.since + self.limits.early_hold
        {
            return (Found::Hold, fits);
        }
        if !told.is_news_after(pending.entry.state(part)) {
            return (Found::Repeated, fits);
        }
        let under_way = UnderWay {
            state: told,
            since: now,
        };
        self.under_way.insert(digest, under_way);
        let whole = self.whole(&pending.entry);
        (Found::News { slot, part, whole }, fits)
    }

    /// The state of the whole, with what is under way.
    fn whole(&self, entry: &Entry) -> u8 {
        state::of_whole(entry.states().zip(entry.digests()).map(|(told, digest)| {
            match digest.and_then(|digest| self.under_way.get(&digest)) {
                Some(next) => next.state.after(told),
                None => told,
            }
        }))
    }

    fn unknown(&mut self, now: Instant, digest: Digest, may_be_early: bool) -> Found {
        let Limits {
            early_hold,
            refusals_max,
            ..
        } = self.limits;
        let known = self.early.get(&digest).copied();
        let Some(early) = known.and_then(|slot| self.earlies.get_mut(slot)) else {
            let is_held = may_be_early && !early_hold.is_zero();
            if !is_held && refusals_max == 0 {
                return Found::Unknown;
            }
            return self.first_seen(now, digest, is_held);
        };
        if early.is_held && may_be_early && now < early.since + early_hold {
            return Found::Hold;
        }
        early.is_held = false;
        if early.refusals >= refusals_max {
            // Remembered as given up: what follows under this id, a repetition or the next state, is
            // not held anew, which would keep the SMSC waiting each time.
            return Found::Unknown;
        }
        early.refusals += 1;
        Found::Refuse
    }

    fn first_seen(&mut self, now: Instant, digest: Digest, is_held: bool) -> Found {
        if self.earlies.total() >= EARLY_MAX
            && let Some((slot, _)) = self.earlies.oldest(Queue::Open)
            && let Some(oldest) = self.earlies.remove(slot)
        {
            self.early.remove(&oldest.digest);
        }
        let early = Early {
            digest,
            since: now,
            is_held,
            refusals: u8::from(!is_held),
        };
        if let Ok(slot) = self.earlies.insert(Queue::Open, early) {
            self.early.insert(digest, slot);
        }
        match is_held {
            true => Found::Hold,
            false => Found::Refuse,
        }
    }

    fn forget_early(&mut self, digest: Digest) -> bool {
        let slot = self.early.remove(&digest);
        slot.and_then(|slot| self.earlies.remove(slot))
            .is_some_and(|early| early.is_held)
    }

    /// The event that tells a state is durable, or is not and will come again.
    pub(super) fn settle(
        &mut self,
        now_s: u32,
        digest: Digest,
        is_durable: bool,
        changes: &mut Vec<Stored>,
    ) {
        let Some(under_way) = self.under_way.remove(&digest) else {
            return;
        };
        let Some(Place { slot, part }) = self.place_of(digest) else {
            return;
        };
        let Some(pending) = self.pending.get_mut(slot).filter(|_| is_durable) else {
            return;
        };
        let entry = &mut pending.entry;
        let was_final = entry.states().all(State::is_final);
        let next = under_way.state.after(entry.state(part));
        entry.set_state(part, next);
        let is_final = entry.states().all(State::is_final);
        if is_final && !was_final {
            entry.set_since_s(now_s);
        }
        changes.push(Stored::Put(pending.number, pending.entry.record()));
        if is_final && !was_final {
            self.pending.move_to(Queue::Ended, slot);
        }
    }

    /// The entry of a slot that [`Table::find`] gave.
    pub(super) fn entry(&self, slot: Slot) -> Option<&Entry> {
        self.pending.get(slot).map(|pending| &pending.entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the 70 bytes of its record in an allocation of 80, and some 7 in the table of places, a
    /// message of one part takes 40 + 80 + 7 = 127 bytes.
    #[test]
    fn an_awaited_part_takes_40_bytes_and_its_record_and_a_place() {
        assert_eq!(Aged::<Pending>::NODE_BYTES, 40);
    }
}
