//! `[checkout]`: the pages where customers pay merchants, and what merchants may ask.

use super::super::Table;
use crate::rate::Rate;

/// The pages and the calls.
#[derive(Clone, Copy, Debug)]
pub struct CheckoutSettings {
    /// Calls from one address.
    pub rate: Rate,
    /// Whether the calls of merchants are described.
    pub docs: bool,
}

pub(in super::super) fn read(table: &Table<'_>) -> Option<Option<CheckoutSettings>> {
    let is_enabled = table.boolean("enabled", true);
    let settings = CheckoutSettings {
        rate: Rate {
            requests_per_s: table.number("requests_per_s", 10, 1..=100_000),
            burst: table.number("burst", 60, 1..=100_000),
        },
        docs: table.boolean("docs", true),
    };
    Some(is_enabled.then_some(settings))
}
