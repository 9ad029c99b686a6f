//! `[expiry]`: how holds whose time is over are ended.

use std::time::Duration;

use super::{super::Table, MILLIS_MAX};

/// The worker that ends holds.
#[derive(Clone, Copy, Debug)]
pub struct ExpirySettings {
    /// How often it looks, give or take a tenth.
    pub interval: Duration,
    /// Holds that it ends before it looks again.
    pub batch_max: u32,
}

pub(in super::super) fn read(table: &Table<'_>) -> Option<ExpirySettings> {
    Some(ExpirySettings {
        interval: table.millis("interval_ms", 5_000, 10..=MILLIS_MAX),
        batch_max: table.number("batch_max", 100, 1..=10_000),
    })
}
