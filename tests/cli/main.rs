//! The built `sampan`, from its command line to its exit code.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod access;
mod decode;
mod dialect;
mod journal;
mod peers;
mod router;
mod support;
mod trace;
mod traffic;
mod usage;
