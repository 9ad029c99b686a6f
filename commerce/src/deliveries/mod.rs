//! Calls that have to reach their target, however often it fails: messages to partners, and what merchants
//! are told.
//!
//! ```text
//!   queue ─► waiting ─ an attempt succeeds ─► done ──┐
//!             ▲ │ └── the last attempt fails ─► dead ─┤
//!      replay │ └──── drop ───────────────► dropped ◄─┘ of dead
//!             └─────────────────────────── of any that still has its payload
//! ```
//!
//! A delivery is queued in the same change as what it tells of, and known by its target and guid for ever:
//! the target gets it at least once, and always under that guid. An attempt is counted before it is made,
//! so that a crash cannot lead to more of them than the schedule has. A replay is a new series of attempts.
//!
//! Nothing here knows what a payload means, and none is shown: it is sealed until a carrier gets it. No
//! change of the database is open while a carrier calls.

mod keep;
mod letters;
mod measures;
mod queue;
mod schedule;
mod worker;

use std::{fmt, future::Future, pin::Pin, time::Duration};

use zeroize::Zeroizing;

use crate::{moment::UnixMs, seal::SealFault, store::StoreError, word::Id};

pub use keep::{Figures, Retention, figures, forget, wipe};
pub use letters::{
    Delivery, Filter, LIST_MAX, Reason, ReasonFault, State, drop, find, list, replay, replay_dead,
};
pub(crate) use queue::context;
pub use queue::{PAYLOAD_BYTES_MAX, Parcel, Queued, WAITING_MAX, queue};
pub use worker::{CALLS_MAX, CALLS_PER_TARGET_MAX, Clock, Ended, LEASE, Worker};

/// What kind of call it is: who carries it, and how often it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A FiboSMS page.
    Fibo,
    /// A webhook as Standard Webhooks has it.
    Webhook,
    /// What became of a purchase, for its merchant.
    Ipn,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fibo, Self::Webhook, Self::Ipn];

    /// By which the tables and metrics know it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fibo => "fibo",
            Self::Webhook => "webhook",
            Self::Ipn => "ipn",
        }
    }

    pub(crate) fn of_word(word: &str) -> Result<Self, StoreError> {
        let mut all = Self::ALL.into_iter();
        let kind = all.find(|kind| kind.word() == word);
        kind.ok_or_else(|| unfit("a kind that is none"))
    }
}

/// One attempt, as its carrier gets it.
pub struct Attempt {
    /// Of which kind.
    pub kind: Kind,
    /// For whom.
    pub target: Id,
    /// By which the target knows it again.
    pub guid: Id,
    /// What is to be told.
    pub payload: Zeroizing<String>,
    /// Which attempt of its series it is, from 1.
    pub number: u32,
}

/// Without the payload.
impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, number) = (self.kind.word(), self.number);
        write!(
            f,
            "Attempt({number} of {kind} {} to {})",
            self.guid, self.target
        )
    }
}

/// How an attempt ended. Its reasons are kept and shown, so they hold nothing of a payload or an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The target has taken it.
    Done,
    /// It has not, or nobody knows.
    Failed {
        /// Why.
        why: String,
        /// How long the target asks to be left alone.
        not_before: Option<Duration>,
    },
    /// It will never take it, so no further attempt is made.
    Undeliverable {
        /// Why.
        why: String,
    },
}

impl Verdict {
    /// A failure after which the schedule decides.
    pub fn failed(why: impl fmt::Display) -> Self {
        Self::Failed {
            why: why.to_string(),
            not_before: None,
        }
    }
}

/// A verdict that is awaited.
pub type Carried<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// Who makes the calls of a kind. One that takes too long is given up.
pub trait Carrier: Send + Sync + 'static {
    /// Makes one attempt.
    fn carry<'a>(&'a self, attempt: &'a Attempt, now: UnixMs) -> Carried<'a>;
}

/// Why a delivery is not queued or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// It is too long.
    #[error("the payload has {0} octets, more than {PAYLOAD_BYTES_MAX}")]
    Long(usize),
    /// It cannot be sealed or opened.
    #[error("the payload of {guid} to {target} {fault}")]
    Seal {
        /// For whom.
        target: Id,
        /// Which.
        guid: Id,
        /// Why.
        fault: SealFault,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn unfit(reason: &str) -> StoreError {
    StoreError::Unfit {
        table: "delivery",
        reason: reason.to_owned(),
    }
}
