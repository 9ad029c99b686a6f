//! The table of request ids, pure: time is passed in, and what has to be stored is handed out.
//!
//! ```text
//!  begin ──► in flight ──end: retry is safe──► free again
//!                └─ any other end ──► kept, and told again until the retention is over
//! ```

use std::{collections::HashMap, sync::Arc};

use hashbrown::HashTable;

use super::row::{self, Row};
use crate::{
    aged::{Aged, Queue, Slot},
    digest::Digest,
    message::{MessageOutcome, MessageResult},
    outcome::Reason,
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
pub struct IdHandle(Slot);

#[cfg(test)]
impl IdHandle {
    /// Of no request at all.
    pub(crate) fn for_tests() -> Self {
        Self(Slot::for_tests())
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

struct Kept {
    digest: Digest,
    fingerprint: u64,
    /// Under which it is stored.
    number: u64,
    since_s: u32,
    /// Packed; empty while in flight.
    outcome: Box<[u8]>,
}

impl Kept {
    fn row(&self) -> Vec<u8> {
        Row {
            digest: self.digest,
            fingerprint: self.fingerprint,
            since_s: self.since_s,
            outcome: &self.outcome,
        }
        .to_bytes()
    }
}

pub(super) struct Table<J> {
    limits: Limits,
    /// Whether anybody wants the changes; a row is not made for nobody.
    is_stored: bool,
    /// By digest, which stands in `kept` alone: a look-up touches few octets of a large table.
    ids: HashTable<Slot>,
    kept: Aged<Kept>,
    /// Who waits for what is in flight, by its number.
    joiners: HashMap<u64, Vec<J>>,
    next_number: u64,
    /// Lends its name, because nearly all outcomes name the same few.
    last_smsc: Option<Arc<str>>,
}

impl<J> Table<J> {
    pub(super) fn new(limits: Limits, is_stored: bool) -> Self {
        Self {
            // At half of what it has room for, a table clears away in place what was removed; with
            // more in it, it would grow once more, some time after it was full.
            ids: HashTable::with_capacity(limits.ids_max.saturating_mul(2)),
            is_stored,
            kept: Aged::with_capacity(limits.ids_max),
            joiners: HashMap::new(),
            next_number: 1,
            last_smsc: None,
            limits,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.kept.total()
    }

    /// Takes back what was stored; false if it is no row. What had no outcome was perhaps sent.
    pub(super) fn restore(&mut self, number: u64, bytes: &[u8], changes: &mut Vec<Stored>) -> bool {
        self.next_number = self.next_number.max(number + 1);
        let Some(row) = Row::from_bytes(bytes) else {
            changes.push(Stored::Remove(number));
            return false;
        };
        // Of two with one id the later one holds.
        if let Some((earlier, _)) = self.find(row.digest) {
            self.remove(earlier, changes);
        }
        if !self.make_room(changes) {
            changes.push(Stored::Remove(number));
            return true;
        }
        let outcome = match row.outcome.is_empty() {
            true => row::pack(&interrupted()),
            false => row.outcome.into(),
        };
        let kept = Kept {
            digest: row.digest,
            fingerprint: row.fingerprint,
            number,
            since_s: row.since_s,
            outcome,
        };
        self.keep(Queue::Ended, kept);
        true
    }

    pub(super) fn begin(
        &mut self,
        now_s: u32,
        digest: Digest,
        fingerprint: u64,
        changes: &mut Vec<Stored>,
    ) -> Begun {
        if let Some((slot, kept)) = self.find(digest) {
            let is_over = !kept.outcome.is_empty() && self.is_over(kept, now_s);
            if !is_over {
                return self.begun_before(slot, fingerprint);
            }
            self.remove(slot, changes);
        }
        if !self.make_room(changes) {
            return Begun::Full;
        }
        let kept = Kept {
            digest,
            fingerprint,
            number: self.next_number,
            since_s: now_s,
            outcome: Box::default(),
        };
        self.next_number += 1;
        if self.is_stored {
            changes.push(Stored::Put(kept.number, kept.row()));
        }
        match self.keep(Queue::Open, kept) {
            Some(slot) => Begun::New(IdHandle(slot)),
            None => Begun::Full,
        }
    }

    fn find(&self, digest: Digest) -> Option<(Slot, &Kept)> {
        let is_it = |slot: &Slot| {
            self.kept
                .get(*slot)
                .is_some_and(|kept| kept.digest == digest)
        };
        let slot = *self.ids.find(digest.short(), is_it)?;
        Some((slot, self.kept.get(slot)?))
    }

    /// Adds an id that is not there; `None` if there are 4 billion.
    fn keep(&mut self, queue: Queue, kept: Kept) -> Option<Slot> {
        let hash = kept.digest.short();
        let slot = self.kept.insert(queue, kept).ok()?;
        let hash_of = |slot: &Slot| self.kept.get(*slot).map_or(0, |kept| kept.digest.short());
        self.ids.insert_unique(hash, slot, hash_of);
        Some(slot)
    }

    fn begun_before(&self, slot: Slot, fingerprint: u64) -> Begun {
        match self.kept.get(slot) {
            Some(kept) if kept.fingerprint != fingerprint => Begun::Reused,
            Some(kept) if kept.outcome.is_empty() => Begun::InFlight(IdHandle(slot)),
            Some(kept) => match row::unpack(&kept.outcome, self.last_smsc.as_ref()) {
                Some(outcome) => Begun::Repeated(outcome),
                None => Begun::Repeated(interrupted()),
            },
            None => Begun::Full,
        }
    }

    /// Tells `joiner` the outcome of a request in flight, or gives it back if too many wait.
    pub(super) fn join(&mut self, IdHandle(slot): IdHandle, joiner: J) -> Result<(), J> {
        let Some(kept) = self.kept.get(slot) else {
            return Err(joiner);
        };
        let joiners = self.joiners.entry(kept.number).or_default();
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
        let Some(kept) = self.kept.get_mut(slot) else {
            return Vec::new();
        };
        let number = kept.number;
        if outcome.retry_is_safe() {
            self.remove(slot, changes);
        } else {
            kept.outcome = row::pack(outcome);
            kept.since_s = now_s;
            if self.is_stored {
                changes.push(Stored::Put(number, kept.row()));
            }
            self.kept.move_to(Queue::Ended, slot);
            if self.last_smsc != outcome.smsc {
                self.last_smsc.clone_from(&outcome.smsc);
            }
        }
        // Nearly always nobody.
        match self.joiners.is_empty() {
            true => Vec::new(),
            false => self.joiners.remove(&number).unwrap_or_default(),
        }
    }

    /// Forgets what is too old, at most `count_max` ids.
    pub(super) fn expire(&mut self, now_s: u32, count_max: usize, changes: &mut Vec<Stored>) {
        for _ in 0..count_max {
            match self.kept.oldest(Queue::Ended) {
                Some((slot, oldest)) if self.is_over(oldest, now_s) => self.remove(slot, changes),
                Some(_) | None => break,
            }
        }
    }

    fn is_over(&self, kept: &Kept, now_s: u32) -> bool {
        kept.since_s.saturating_add(self.limits.retention_s) <= now_s
    }

    fn make_room(&mut self, changes: &mut Vec<Stored>) -> bool {
        if self.kept.total() < self.limits.ids_max {
            return true;
        }
        let oldest = self.kept.oldest(Queue::Ended).map(|(slot, _)| slot);
        if let Some(slot) = oldest {
            self.remove(slot, changes);
        }
        oldest.is_some()
    }

    fn remove(&mut self, slot: Slot, changes: &mut Vec<Stored>) {
        if let Some(kept) = self.kept.remove(slot) {
            if self.is_stored {
                changes.push(Stored::Remove(kept.number));
            }
            let is_it = |own: &Slot| *own == slot;
            if let Ok(found) = self.ids.find_entry(kept.digest.short(), is_it) {
                found.remove();
            }
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
    use super::*;

    /// With some 32 bytes of outcome, and at half load of the table: 72 + 32 + 2 × 5 = 114 bytes.
    #[test]
    fn an_id_takes_at_most_72_bytes_and_its_outcome_and_5_in_a_table_at_half_load() {
        let node = Aged::<Kept>::NODE_BYTES;
        assert!(node <= 72, "{node}");
        assert_eq!(size_of::<Slot>(), 4);
    }
}
