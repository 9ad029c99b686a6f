//! The one place where both clocks are read together: monotonic for timers, UTC for records.

use std::time::{Instant, SystemTime};

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

/// A time as text, in UTC: `2026-11-22T05:00:00.000001Z`.
pub fn utc_text(at: SystemTime) -> String {
    let utc = OffsetDateTime::from(at);
    let (date, time) = (utc.date(), utc.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.microsecond()
    )
}
