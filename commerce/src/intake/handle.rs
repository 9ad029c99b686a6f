//! Who deals with what comes in. What an event causes is in the same change of the database as that it
//! was here, so that it is caused once. Nothing here may wait for a network.

use std::{fmt, future::Future, pin::Pin};

use zeroize::Zeroizing;

use super::command::Command;
use crate::{
    moment::UnixMs,
    phone::Phone,
    store::{StoreError, Write},
    word::Id,
};

/// Something being dealt with.
pub type Handling<'a, T> = Pin<Box<dyn Future<Output = Result<T, HandleError>> + Send + 'a>>;

/// Deals with what comes in, within a change that is committed afterwards.
pub trait Handle: Send + Sync + 'static {
    /// A message, once. Messages of one number come one after another.
    fn message<'a>(
        &'a self,
        write: &'a mut Write,
        mo: &'a Mo,
        now: UnixMs,
    ) -> Handling<'a, Handled>;

    /// A receipt, perhaps more than once: it tells what became of a message of ours, and moves no money.
    fn receipt<'a>(
        &'a self,
        write: &'a mut Write,
        receipt: &'a Receipt,
        now: UnixMs,
    ) -> Handling<'a, ()>;
}

/// What became of a message, in a word for operators, such as `asked-for-otp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handled(pub &'static str);

/// Why something was not dealt with. Its text holds nothing of a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// The database. If it is busy or lost, the event comes again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be dealt with: tried a few times and then set aside for a person.
    #[error("{0}")]
    Fault(String),
}

impl HandleError {
    /// Whether the same goes well once the database is there again.
    pub(super) fn will_pass(&self) -> bool {
        match self {
            Self::Store(StoreError::Busy { .. } | StoreError::Lost { .. }) => true,
            Self::Store(
                StoreError::Unopened { .. }
                | StoreError::Unmigrated { .. }
                | StoreError::Refused { .. }
                | StoreError::Unfit { .. },
            )
            | Self::Fault(_) => false,
        }
    }
}

/// A message of a subscriber.
#[derive(Clone, PartialEq, Eq)]
pub struct Mo {
    /// By which it is known for ever: 32 hexadecimal digits.
    pub id: Id,
    /// By whom.
    pub from: Phone,
    /// To which of our numbers, as the network writes it.
    pub to: String,
    /// The text, which may hold a one-time password.
    pub text: Zeroizing<String>,
    /// What it asks for; nothing if parts of it are missing.
    pub command: Command,
    /// When its SMSC brought it.
    pub received_at: UnixMs,
}

/// Without the text.
impl fmt::Debug for Mo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mo({} {:?} {})", self.id, self.from, self.command.word())
    }
}

/// What has become of a message of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The id under which it was sent.
    pub message: Id,
    /// Of all its parts together.
    pub delivery: Delivery,
    /// The network's error, or empty.
    pub error: String,
    /// When its SMSC brought it.
    pub received_at: UnixMs,
}

/// Where a message of ours is, by the SMSC's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// On its way. It may still be delivered.
    Enroute,
    /// With the subscriber.
    Delivered,
    /// Never to be delivered: its time was over, or it was deleted, undeliverable or rejected.
    Failed,
    /// Read for the subscriber by the operator of the network.
    Accepted,
    /// The SMSC does not know.
    Unknown,
}

impl Delivery {
    /// Its name in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Enroute => "enroute",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Accepted => "accepted",
            Self::Unknown => "unknown",
        }
    }
}
