//! The table of request ids, pure: time is passed in, and what has to be stored is handed out.
//!
//! ```text
//!  begin ──► in flight ──end: retry is safe──► free again
//!                └─ any other end ──► kept, and told again until the retention is over
//! ```

use std::collections::HashMap;

use slab::Slab;

use super::{
    ended::Ended,
    row::{self, Row},
};
use crate::{
    digest::Digest,
    message::{MessageOutcome, MessageResult},
    outcome::Reason,
    places::Places,
    store::rows::Stored,
};

/// Callers that may wait for one request that is in flight. More would be a loop in their code.
pub const JOINERS_MAX: usize = 8;

/// The limits of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Ids that are kept, those in flight included; the oldest with an outcome go first.
    pub ids_max: usize,
    /// How long an outcome is kept, in seconds.
    pub retention_s: u32,
}

/// A request that has begun and is owed an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdHandle(u32);

#[cfg(test)]
impl IdHandle {
    /// Of no request at all.
    pub(crate) fn for_tests() -> Self {
        Self(u32::MAX)
    }
}

/// What a request is, by its id.
#[derive(Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is new: it may be sent, and is owed an end.
    New(IdHandle),
    /// It has ended before: this is to be told, and nothing sent.
    Repeated(MessageOutcome),
    /// It is in flight: whoever asks may [`join`](super::Open::join).
    InFlight(IdHandle),
    /// Another body had the same id.
    Reused,
    /// There is no room: every id that is kept is in flight.
    Full,
}

/// A request in flight.
struct Open {
    digest: Digest,
    fingerprint: u64,
    /// Under which it is stored.
    number: u64,
}

/// Where an id is: in flight, or among the ended.
#[derive(Clone, Copy)]
enum Place {
    Open(u32),
    Ended(u32),
}

impl Place {
    /// The highest bit says which; the places of either have the others.
    const ENDED: u32 = 1 << 31;

    fn packed(self) -> u32 {
        match self {
            Self::Open(slot) => slot,
            Self::Ended(place) => place | Self::ENDED,
        }
    }

    fn unpacked(packed: u32) -> Self {
        match packed & Self::ENDED {
            0 => Self::Open(packed),
            _ => Self::Ended(packed ^ Self::ENDED),
        }
    }
}

pub(super) struct Table<J> {
    limits: Limits,
    /// Whether anybody wants the changes; a row is not made for nobody.
    is_stored: bool,
    /// By digest, which stands with the id alone.
    places: Places,
    open: Slab<Open>,
    ended: Ended,
    /// Who waits for what is in flight, by its number.
    joiners: HashMap<u64, Vec<J>>,
    next_number: u64,
    /// Where outcomes are packed.
    packed: Vec<u8>,
}

impl<J> Table<J> {
    pub(super) fn new(limits: Limits, is_stored: bool) -> Self {
        Self {
            places: Places::with_room(limits.ids_max),
            is_stored,
            // Address space: growing by copying would stop everybody.
            open: Slab::with_capacity(limits.ids_max),
            ended: Ended::default(),
            joiners: HashMap::new(),
            next_number: 1,
            packed: Vec::new(),
            limits,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Takes back what was stored; false if it is no row. What had no outcome was perhaps sent.
    pub(super) fn restore(&mut self, number: u64, bytes: &[u8], changes: &mut Vec<Stored>) -> bool {
        self.next_number = self.next_number.max(number + 1);
        let Some(mut row) = Row::from_bytes(bytes) else {
            changes.push(Stored::Remove(number));
            return false;
        };
        // Of two with one id the later one holds.
        if let Some(earlier) = self.find(row.digest) {
            self.forget(row.digest, earlier, changes);
        }
        let mut unknown = Vec::new();
        if row.outcome.is_empty() {
            row::pack(&interrupted(), &mut unknown);
            row.outcome = &unknown;
        }
        let is_kept = self.make_room(changes) && {
            let place = Place::Ended(self.ended.push(number, &row));
            self.places.insert(row.digest.short(), place.packed())
        };
        if !is_kept {
            changes.push(Stored::Remove(number));
        }
        true
    }

    /// Ids of a batch are about to begin.
    pub(super) fn look_ahead(&self, digests: impl Iterator<Item = Digest>) {
        self.places.look_ahead(digests.map(Digest::short));
    }

    /// Requests of a batch are about to end.
    pub(super) fn look_ahead_to_ends(&self, requests: impl Iterator<Item = IdHandle>) {
        let open = requests.filter_map(|IdHandle(slot)| self.open.get(slot as usize));
        self.places.look_ahead(open.map(|open| open.digest.short()));
    }

    pub(super) fn begin(
        &mut self,
        now_s: u32,
        digest: Digest,
        fingerprint: u64,
        changes: &mut Vec<Stored>,
    ) -> Begun {
        if let Some(place) = self.find(digest) {
            match self.begun_before(now_s, place, fingerprint) {
                Some(begun) => return begun,
                None => self.forget(digest, place, changes),
            }
        }
        // Fewer are configured than a place has bits for.
        let slot = self.open.vacant_key() as u32;
        let place = Place::Open(slot).packed();
        if !(self.make_room(changes) && self.places.insert(digest.short(), place)) {
            return Begun::Full;
        }
        let number = self.next_number;
        self.next_number += 1;
        self.open.insert(Open {
            digest,
            fingerprint,
            number,
        });
        if self.is_stored {
            let row = Row {
                digest,
                fingerprint,
                since_s: now_s,
                outcome: &[],
            };
            changes.push(Stored::Put(number, row.to_bytes()));
        }
        Begun::New(IdHandle(slot))
    }

    fn find(&self, digest: Digest) -> Option<Place> {
        let is_it = |packed| match Place::unpacked(packed) {
            Place::Open(slot) => {
                let open = self.open.get(slot as usize);
                open.is_some_and(|open| open.digest == digest)
            }
            Place::Ended(place) => self.ended.is(place, digest),
        };
        self.places.find(digest.short(), is_it).map(Place::unpacked)
    }

    /// What a request is whose id is there; `None` if it is kept no longer.
    fn begun_before(&self, now_s: u32, place: Place, fingerprint: u64) -> Option<Begun> {
        match place {
            Place::Open(slot) => {
                let open = self.open.get(slot as usize)?;
                Some(match open.fingerprint == fingerprint {
                    true => Begun::InFlight(IdHandle(slot)),
                    false => Begun::Reused,
                })
            }
            Place::Ended(place) => {
                let ended = self.ended.get(place)?;
                if self.is_over(ended.since_s, now_s) {
                    return None;
                }
                Some(match ended.is_of(fingerprint) {
                    true => Begun::Repeated(self.ended.outcome(&ended).unwrap_or_else(interrupted)),
                    false => Begun::Reused,
                })
            }
        }
    }

    /// Tells `joiner` the outcome of a request in flight, or gives it back if too many wait.
    pub(super) fn join(&mut self, IdHandle(slot): IdHandle, joiner: J) -> Result<(), J> {
        let Some(open) = self.open.get(slot as usize) else {
            return Err(joiner);
        };
        let joiners = self.joiners.entry(open.number).or_default();
        if joiners.len() >= JOINERS_MAX {
            return Err(joiner);
        }
        joiners.push(joiner);
        Ok(())
    }

    /// A request has ended: keeps its outcome, or frees its id. Gives those who wait for it.
    pub(super) fn end(
        &mut self,
        now_s: u32,
        IdHandle(slot): IdHandle,
        outcome: &MessageOutcome,
        changes: &mut Vec<Stored>,
    ) -> Vec<J> {
        let Some(open) = self.open.try_remove(slot as usize) else {
            return Vec::new();
        };
        let was = Place::Open(slot).packed();
        if outcome.retry_is_safe() {
            self.places.remove(open.digest.short(), was);
            if self.is_stored {
                changes.push(Stored::Remove(open.number));
            }
        } else {
            let ended = self.keep(now_s, &open, outcome, changes);
            self.places
                .replace(open.digest.short(), was, ended.packed());
        }
        // Nearly always nobody.
        match self.joiners.is_empty() {
            true => Vec::new(),
            false => self.joiners.remove(&open.number).unwrap_or_default(),
        }
    }

    fn keep(
        &mut self,
        now_s: u32,
        open: &Open,
        outcome: &MessageOutcome,
        changes: &mut Vec<Stored>,
    ) -> Place {
        while !self.ended.has_room() && self.forget_oldest(changes) {}
        self.packed.clear();
        row::pack(outcome, &mut self.packed);
        let row = Row {
            digest: open.digest,
            fingerprint: open.fingerprint,
            since_s: now_s,
            outcome: &self.packed,
        };
        if self.is_stored {
            changes.push(Stored::Put(open.number, row.to_bytes()));
        }
        Place::Ended(self.ended.push(open.number, &row))
    }

    /// Forgets what is too old, at most `count_max` ids.
    pub(super) fn expire(&mut self, now_s: u32, count_max: usize, changes: &mut Vec<Stored>) {
        for _ in 0..count_max {
            match self.ended.oldest() {
                Some((_, oldest)) if self.is_over(oldest.since_s, now_s) => {
                    self.forget_oldest(changes);
                }
                Some(_) | None => break,
            }
        }
    }

    fn is_over(&self, since_s: u32, now_s: u32) -> bool {
        since_s.saturating_add(self.limits.retention_s) <= now_s
    }

    fn make_room(&mut self, changes: &mut Vec<Stored>) -> bool {
        let mut has_room = true;
        while has_room && (self.places.len() >= self.limits.ids_max || !self.ended.has_room()) {
            has_room = self.forget_oldest(changes);
        }
        has_room
    }

    /// Forgets the oldest that has ended; false if there is none.
    fn forget_oldest(&mut self, changes: &mut Vec<Stored>) -> bool {
        while let Some((place, oldest)) = self.ended.oldest() {
            let (digest, number) = (oldest.digest, oldest.number);
            self.ended.pop();
            // If it is not there, it was forgotten before it was the oldest.
            let place = Place::Ended(place).packed();
            if self.places.remove(digest.short(), place) {
                if self.is_stored {
                    changes.push(Stored::Remove(number));
                }
                return true;
            }
        }
        false
    }

    /// Forgets an id that has ended, wherever it stands among them.
    fn forget(&mut self, digest: Digest, place: Place, changes: &mut Vec<Stored>) {
        let Place::Ended(at) = place else { return };
        if let Some(ended) = self.ended.get(at)
            && self.places.remove(digest.short(), place.packed())
            && self.is_stored
        {
            changes.push(Stored::Remove(ended.number));
        }
    }
}

/// The outcome of what a restart has cut off.
fn interrupted() -> MessageOutcome {
    MessageOutcome {
        result: MessageResult::Unknown {
            reason: Reason::LinkLost,
            detail: "Sampan was restarted before the answer; ask the SMSC before a retry".into(),
        },
        smsc: None,
        parts: 0,
        parts_accepted: Vec::new(),
        attempts: 0,
        repeated: true,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{digest::DigestKey, message::Acceptance};

    const COUNT: usize = 100_000;

    fn limits() -> Limits {
        Limits {
            ids_max: COUNT,
            retention_s: 60,
        }
    }

    fn digest(number: usize) -> Digest {
        let mut digester = DigestKey::from_bytes([7; 16]).begin();
        digester.number(number as u64);
        digester.end()
    }

    fn accepted(number: usize) -> MessageOutcome {
        MessageOutcome {
            result: MessageResult::Accepted(Acceptance::Id(Bytes::from(format!("{number:010}")))),
            smsc: Some("viettel".into()),
            parts: 1,
            parts_accepted: Vec::new(),
            attempts: 1,
            repeated: true,
        }
    }

    fn send(table: &mut Table<()>, number: usize) {
        let mut changes = Vec::new();
        let begun = table.begin(0, digest(number), 0, &mut changes);
        let Begun::New(handle) = begun else {
            panic!("{begun:?}");
        };
        table.end(0, handle, &accepted(number), &mut changes);
    }

    #[test]
    fn an_id_takes_at_most_40_bytes_with_its_outcome_and_its_place() {
        let mut table = Table::new(limits(), false);
        for number in 0..COUNT {
            send(&mut table, number);
        }
        let bytes = table.ended.bytes() + table.places.bytes();
        assert!(bytes <= 40 * COUNT, "{bytes}");
    }

    #[test]
    fn its_memory_does_not_grow_any_more_however_much_comes() {
        let mut table = Table::new(limits(), false);
        let mut bytes = 0;
        for number in 0..4 * COUNT {
            send(&mut table, number);
            if number == COUNT {
                bytes = table.ended.bytes();
            }
        }
        assert_eq!(table.len(), COUNT);
        assert!(table.ended.bytes() <= bytes + 2 * 65_536, "{bytes}");
        let again = table.begin(0, digest(3 * COUNT), 0, &mut Vec::new());
        assert_eq!(again, Begun::Repeated(accepted(3 * COUNT)));
        let forgotten = table.begin(0, digest(0), 0, &mut Vec::new());
        assert!(matches!(forgotten, Begun::New(_)));
    }
}
