//! One-time passwords: six digits by which a subscriber says that it is him who buys this, for this much,
//! from this one.
//!
//! ```text
//!   issue ─► live ─┬─ the right digits ─► used        once
//!                  ├─ a later code, too many wrong ones, cancelled ─► revoked
//!                  └─ its time is over
//! ```
//!
//! What is guessed counts per phone and not per code, before the digits are compared: whoever orders
//! anew or sends a thousand at once has no more tries. Kept is an HMAC under a key of its own; the digits
//! stand in one sealed message and nowhere else.

mod check;
mod code;
mod issue;

pub use check::{Verdict, check, revoke};
pub use code::{Bound, Code};
pub use issue::{Issued, LastSent, issue, last_sent};

use crate::{moment::UnixMs, store::StoreError};

/// What holds for codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long a code is taken.
    pub life_ms: i64,
    /// So many wrong ones in a row lock a phone.
    pub wrong_max: i64,
    /// For so long.
    pub lock_ms: i64,
    /// So long after one code another is sent for the same purchase.
    pub cooldown_ms: i64,
    /// So many codes are sent to a phone in a day.
    pub day_max: i64,
}

/// Ten codes of five tries each are fifty guesses a day in a million.
impl Default for Rules {
    fn default() -> Self {
        Self {
            life_ms: 4 * 60_000,
            wrong_max: 5,
            lock_ms: 30 * 60_000,
            cooldown_ms: 60_000,
            day_max: 10,
        }
    }
}

/// Why no code is sent. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There were too many wrong ones.
    #[error("the phone is locked after too many wrong codes, until {} ms", until.0)]
    Locked {
        /// Until when.
        until: UnixMs,
    },
    /// The last one is not long ago.
    #[error("the last code was sent a moment ago; another is sent from {} ms on", until.0)]
    TooSoon {
        /// When the next one can be sent.
        until: UnixMs,
    },
    /// There were too many today.
    #[error("too many codes were sent to the phone today")]
    DayFull,
}

/// Why a code is not made or looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OtpError {
    /// The rules forbid it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The system gives no randomness.
    #[error("a one-time password cannot be made: the system gives no randomness")]
    Randomness,
    /// The clock is far off.
    #[error("the time {0}")]
    Day(#[from] crate::moment::DayFault),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}
