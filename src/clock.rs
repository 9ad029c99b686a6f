//! The one place where both clocks are read together: monotonic for timers, UTC for records.

use std::time::Instant;

use time::OffsetDateTime;

use crate::iso8583::session::Now;

/// The time now, on both clocks.
pub fn now() -> Now {
    at(Instant::now())
}

/// UTC now, with a monotonic time that was read a moment ago.
pub fn at(monotonic: Instant) -> Now {
    Now {
        monotonic,
        utc: OffsetDateTime::now_utc(),
    }
}
