//! The sections of the configuration, each in a file: its settings, and the function that reads its
//! table with defaults and limits.

pub(super) mod admin;
pub(super) mod checkout;
pub(super) mod expiry;
pub(super) mod http;
pub(super) mod keys;
mod listen;
pub(super) mod log;
pub(super) mod office;
pub(super) mod process;
pub(super) mod purchase;
pub(super) mod push;
pub(super) mod router;
pub(super) mod s2sell;
pub(super) mod sms;
pub(super) mod stop;
pub(super) mod store;

/// The longest time that any setting names, in milliseconds: an hour.
const MILLIS_MAX: u64 = 3_600_000;
