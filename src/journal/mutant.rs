//! Faults on purpose, for the proof machine alone: a build with the feature `mutants` that is told by
//! `SAMPAN_MUTANT` writes the journal too late, or does not read it, and the proof machine has to find
//! that. A production build has nothing of this.

use std::sync::Arc;

use super::{Done, Journal, Kept, Row, RowChange, Stage};
use crate::digest::DigestKey;

/// The environment variable that chooses a fault.
pub const VARIABLE: &str = "SAMPAN_MUTANT";

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A request is sent before its record is written: the write comes with the answer.
    RecordsAfterSending,
    /// A restart begins without the payments of the journal.
    RecoversNothing,
}

impl Fault {
    /// The fault that the environment asks for.
    pub fn asked_for() -> Option<Self> {
        match std::env::var(VARIABLE).ok()?.as_str() {
            "records-after-sending" => Some(Self::RecordsAfterSending),
            "recovers-nothing" => Some(Self::RecoversNothing),
            _ => None,
        }
    }

    /// What a restart finds under this fault.
    pub fn recovered(self, kept: Vec<(u64, Kept)>) -> Vec<(u64, Kept)> {
        match self {
            Self::RecordsAfterSending => kept,
            Self::RecoversNothing => Vec::new(),
        }
    }

    /// The journal under this fault.
    pub fn journal(self, journal: Arc<dyn Journal>) -> Arc<dyn Journal> {
        match self {
            Self::RecordsAfterSending => Arc::new(TooLate(journal)),
            Self::RecoversNothing => journal,
        }
    }
}

struct TooLate(Arc<dyn Journal>);

impl Journal for TooLate {
    fn append(&self, rows: Vec<Row>, done: Done) {
        let is_sending = |row: &Row| matches!(&row.change, RowChange::Keep(kept) if kept.stage == Stage::Sending);
        let later = rows.into_iter().filter(|row| !is_sending(row)).collect();
        self.0.append(later, done);
    }

    fn failure(&self) -> Option<Arc<str>> {
        self.0.failure()
    }

    fn next_number(&self) -> u64 {
        self.0.next_number()
    }

    fn digest_key(&self) -> DigestKey {
        self.0.digest_key()
    }

    fn is_durable(&self) -> bool {
        self.0.is_durable()
    }
}
