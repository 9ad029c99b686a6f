//! The record of payments: written before a payment's first byte can leave, and again before the
//! caller hears what became of it.
//!
//! The interface is narrow on purpose: rows go in as one group, and a callback tells when they are
//! durable. A file with group commit, or a replicated store on other machines, can stand behind it.
//! [`Volatile`] keeps nothing; with it a killed process forgets what it owed.

mod durable;
mod elements;
pub mod kept;
mod key;
#[cfg(feature = "mutants")]
pub mod mutant;
mod read;
mod record;
mod row;
mod seal;
mod wire;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

pub use durable::{Durable, OpenError, Recovered};
pub use elements::Elements;
pub use kept::{End, Kept, KeptRequest, KeptResponse, KeptReversal, KeptState, ReversalEnd, Stage};
pub use key::{JournalSettings, KeyId, Keys, MasterKey};
pub use read::{Archive, Stored, Unreadable};
pub use row::{Row, RowChange};
pub use seal::RowFault;
pub use wire::Damaged;

use crate::digest::DigestKey;

/// Why rows are not durable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot be written: {0}; payments are refused until it can")]
pub struct JournalError(pub String);

/// Called once, on whatever thread, when a group is durable or cannot be made so.
pub type Done = Box<dyn FnOnce(Result<(), JournalError>) + Send>;

/// Where payments are recorded.
pub trait Journal: Send + Sync {
    /// Makes the rows durable, all or none of them, in their order and before those of later calls.
    /// Never waits. After an error some of them may be there all the same.
    fn append(&self, rows: Vec<Row>, done: Done);

    /// Why nothing can be recorded now; `None` while it can.
    fn failure(&self) -> Option<Arc<str>>;

    /// A number for a new payment's rows. Numbers grow, over restarts too.
    fn next_number(&self) -> u64;

    /// The secret of the fingerprints that rows hold, as old as the rows.
    fn digest_key(&self) -> DigestKey;

    /// Whether what was recorded outlives the process.
    fn is_durable(&self) -> bool;
}

/// Keeps nothing, and says so at once: for tests, and where the bank's own books are enough.
#[derive(Debug)]
pub struct Volatile {
    digest_key: DigestKey,
    numbers: AtomicU64,
}

impl Default for Volatile {
    fn default() -> Self {
        Self {
            digest_key: DigestKey::random(),
            numbers: AtomicU64::new(0),
        }
    }
}

impl Journal for Volatile {
    fn append(&self, rows: Vec<Row>, done: Done) {
        drop(rows);
        done(Ok(()));
    }

    fn failure(&self) -> Option<Arc<str>> {
        None
    }

    fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Relaxed)
    }

    fn digest_key(&self) -> DigestKey {
        self.digest_key
    }

    fn is_durable(&self) -> bool {
        false
    }
}

impl Journal for Durable {
    fn append(&self, rows: Vec<Row>, done: Done) {
        Self::append(self, rows, done);
    }

    fn failure(&self) -> Option<Arc<str>> {
        Self::failure(self)
    }

    fn next_number(&self) -> u64 {
        Self::next_number(self)
    }

    fn digest_key(&self) -> DigestKey {
        Self::digest_key(self)
    }

    fn is_durable(&self) -> bool {
        true
    }
}
