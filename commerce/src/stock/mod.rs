//! The cards in stock, from the file that brings them to the buyer who gets one.
//!
//! ```text
//!   import ─► free ─ reserve ─► reserved ─ hand_out ─► sold
//!               ▲ │                │
//!               │ │                └── release, or its time is over ─► free
//!               │ └─ set_aside ─► faulty, which is free and not for sale
//!               └── give_back ──────┘
//! ```
//!
//! A card is handed out once: its state changes by a conditional update, and the database refuses any
//! change of a sold card. A PIN code is sealed from its import on, and in clear only in what
//! [`hand_out`] and [`handed_out`] return.

mod card;
mod faulty;
mod file;
mod import;
mod levels;
mod reserve;
mod watch;

pub use card::{AccountNo, Card, Serial, audit_subject};
pub use faulty::{FAULTY_MAX, FaultyCard, faulty, give_back, set_aside};
pub use file::{
    CardFile, FILE_BYTES_MAX, FILE_CARDS_MAX, FileFault, LINE_FAULTS_MAX, LineFault, LineReason,
};
pub use import::import;
pub use levels::{Level, levels};
pub use reserve::{extend, hand_out, handed_out, handed_out_card, release, reserve};
pub use watch::StockWatch;

use crate::{
    moment::{Day, DayFault, UnixMs},
    seal::PinFault,
    store::StoreError,
    word::CardTypeId,
};

/// Whether a card can be reserved at the time that stands for `{now}`: a reservation whose time is
/// over binds nobody, though it still stands in the card. A card that is set aside cannot.
pub(crate) const FREE: &str = "(faulty_at_ms IS NULL AND (state = 'free' OR (state = 'reserved' AND reserved_until_ms <= {now})))";

/// Why the stock does not do something. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StockError {
    /// The file is not taken.
    #[error(transparent)]
    File(#[from] FileFault),
    /// There is no such card type.
    #[error("there is no card type {0}")]
    NoCardType(CardTypeId),
    /// A PIN code cannot be sealed or opened.
    #[error("a card of type {card_type} with serial {serial}: {fault}")]
    Pin {
        /// Its card type.
        card_type: CardTypeId,
        /// Its serial.
        serial: Serial,
        /// Why.
        fault: PinFault,
    },
    /// The clock is far off.
    #[error("the time {0}")]
    Day(#[from] DayFault),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The day by which cards expire.
pub(crate) fn today(now: UnixMs) -> Result<Day, StockError> {
    Ok(Day::of(now)?)
}

fn unfit(reason: &str) -> StoreError {
    StoreError::Unfit {
        table: "card",
        reason: reason.to_owned(),
    }
}
