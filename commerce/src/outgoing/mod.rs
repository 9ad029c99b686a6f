//! Messages that go out, from the change that causes them to what became of them.
//!
//! ```text
//!   queue ─► waiting ─┬─► accepted    an SMSC has it
//!                ▲    ├─► refused     it was not taken, and the subscriber does not have it
//!   not heard,   │    ├─► unknown     the subscriber may have it or not
//!   or refused ──┘    └─► late        its time was over before it was sent
//!   for now
//! ```
//!
//! A message is queued in the change that it tells of, and sent under one id for ever. Its text is sealed
//! while it waits and gone as soon as it does not. What becomes of a message moves no money and no
//! purchase's state but the last one: a card code that may not have arrived can be asked for again.

mod queue;
mod worker;

pub use queue::{FORGOTTEN_MAX, Receipt, State, TEXT_BYTES_MAX, forget, queue, receipt, state};
pub(crate) use queue::{context, count_since};
pub use worker::{run, work};

use crate::{seal::SealFault, store::StoreError, word::Id};

/// Why a message is not queued or sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutgoingError {
    /// It is longer than any that is made here.
    #[error("message {0} has more than {TEXT_BYTES_MAX} octets of text")]
    TooLong(Id),
    /// Its text cannot be sealed or opened.
    #[error("the text of message {id} {fault}")]
    Seal {
        /// Which.
        id: Id,
        /// Why.
        fault: SealFault,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}
