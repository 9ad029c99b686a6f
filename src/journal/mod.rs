//! The record of payments: written before a payment's first byte can leave, and again before the
//! caller hears that it is being reversed.
//!
//! The interface is narrow on purpose: entries go in as one group, and a callback tells when they
//! are durable. A file with group commit, or a replicated store on other machines, can stand behind
//! it. [`Volatile`] keeps nothing; with it a killed process forgets what it owed.

pub mod kept;

use std::{fmt, sync::Arc};

use bytes::Bytes;

pub use kept::{End, Kept, KeptResponse, KeptReversal, ReversalEnd, Stage};

use crate::{client::PaymentKey, outcome::Reason};

/// What is recorded of one payment at one moment.
pub struct Entry {
    /// The bank.
    pub bank: Arc<str>,
    /// Whose payment, and which.
    pub key: PaymentKey,
    /// What happened.
    pub record: Record,
}

/// The moments that a restart has to know of.
#[derive(Clone, PartialEq, Eq)]
pub enum Record {
    /// The request is about to be sent. Holds the encoded message, which is card data.
    Sending(Bytes),
    /// The bank answered: DE39.
    Answered(Bytes),
    /// No byte left.
    NotSent,
    /// It is going to be reversed by this encoded 0420, which is card data.
    Reversing {
        /// Why.
        reason: Reason,
        /// The 0420; a repeat differs in its MTI alone.
        reversal: Bytes,
    },
    /// The reversal ended: whether well.
    ReversalEnded(bool),
}

/// Without the encoded messages, which are card data.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sending(request) => write!(f, "Sending({} bytes)", request.len()),
            Self::Answered(code) => write!(f, "Answered({code:?})"),
            Self::NotSent => f.write_str("NotSent"),
            Self::Reversing { reason, reversal } => {
                write!(f, "Reversing({reason:?}, {} bytes)", reversal.len())
            }
            Self::ReversalEnded(well) => write!(f, "ReversalEnded({well})"),
        }
    }
}

/// Why entries are not durable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot be written: {0}; payments are refused until it can")]
pub struct JournalError(pub String);

/// Called once, on whatever thread, when a group is durable or cannot be made so.
pub type Done = Box<dyn FnOnce(Result<(), JournalError>) + Send>;

/// Where payments are recorded.
pub trait Journal: Send + Sync {
    /// Makes the entries durable, in their order and before those of later calls.
    fn append(&self, entries: Vec<Entry>, done: Done);
}

/// Keeps nothing, and says so at once: for tests, and where the bank's own books are enough.
#[derive(Debug, Default)]
pub struct Volatile;

impl Journal for Volatile {
    fn append(&self, entries: Vec<Entry>, done: Done) {
        drop(entries);
        done(Ok(()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_shows_how_long_its_message_is_and_nothing_of_it() {
        let request = Bytes::from_static(b"0200 9704361234567890");
        let shown = format!("{:?}", Record::Sending(request));
        assert_eq!(shown, "Sending(21 bytes)");
    }
}
