//! The router as a whole, over real sockets, between simulators that keep books: what callers are
//! told is held against what the networks saw.
//!
//! Nothing here sleeps to let something happen: every wait is for a condition, with an end.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod complaints;
mod dialled_in;
mod foreign;
mod messages;
mod payments;
mod scenarios;
mod support;
mod tls;
mod trace;
