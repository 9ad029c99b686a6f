//! `[stop]`: how long the end of the program may take.

use std::time::Duration;

use super::{super::Table, MILLIS_MAX};

/// The end.
#[derive(Clone, Copy, Debug)]
pub struct StopSettings {
    /// By when requests are answered and workers have ended their step; then they are cut off.
    pub timeout: Duration,
}

pub(in super::super) fn read(table: &Table<'_>) -> Option<StopSettings> {
    Some(StopSettings {
        timeout: table.millis("timeout_ms", 20_000, 0..=MILLIS_MAX),
    })
}
