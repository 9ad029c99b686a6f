//! The time of this machine. The program reads it in its outermost loops only and hands it in
//! everywhere else; tests and demonstrations bring a clock of their own.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::moment::UnixMs;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> UnixMs + Send + Sync>;

/// The clock of this machine.
pub fn system() -> Clock {
    Arc::new(now)
}

/// The time of this machine.
pub fn now() -> UnixMs {
    // A clock before 1970 or after the year 292 million is none, and every day of a card is over.
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since_ms = since.map_or(0, |since| since.as_millis());
    UnixMs(i64::try_from(since_ms).unwrap_or(i64::MAX))
}
