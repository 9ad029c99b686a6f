//! Under which keys a bank's exchanges are open, over all of its links, and whose the answers are that
//! come late.
//!
//! It must never let two open exchanges have one key: an answer would end the wrong one.

use std::collections::HashMap;

use super::desk::RecordId;
use crate::{iso8583::MatchKey, window::Seed};

/// The keys of one bank. There are no more than records, and one reversal each.
#[derive(Default)]
pub(super) struct Keys {
    open: HashMap<MatchKey, RecordId, Seed>,
    /// Payments whose outcome was told without an answer, by the key of their request. A later one
    /// under the same key takes the place.
    unanswered: HashMap<MatchKey, RecordId, Seed>,
}

impl Keys {
    /// Whether no open exchange has the key.
    pub(super) fn is_free(&self, key: MatchKey) -> bool {
        !self.open.contains_key(&key)
    }

    /// Gives the key to a record's exchange; false if that of another record has it.
    pub(super) fn hold(&mut self, key: MatchKey, id: RecordId) -> bool {
        *self.open.entry(key).or_insert(id) == id
    }

    /// The record's exchange under the key is over.
    pub(super) fn release(&mut self, key: MatchKey, id: RecordId) {
        if self.holder(key) == Some(id) {
            self.open.remove(&key);
        }
    }

    /// Whose exchange is open under the key.
    pub(super) fn holder(&self, key: MatchKey) -> Option<RecordId> {
        self.open.get(&key).copied()
    }

    /// An answer under this key is late, and that record's.
    pub(super) fn expect_late(&mut self, key: MatchKey, id: RecordId) {
        self.unanswered.insert(key, id);
    }

    /// Whose a late answer is.
    pub(super) fn late(&self, key: MatchKey) -> Option<RecordId> {
        self.unanswered.get(&key).copied()
    }

    /// The record is forgotten.
    pub(super) fn forget(&mut self, key: MatchKey, id: RecordId) {
        self.release(key, id);
        if self.late(key) == Some(id) {
            self.unanswered.remove(&key);
        }
    }

    /// How many are open.
    #[cfg(test)]
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }
}
