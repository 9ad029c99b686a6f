//! Runs each scenario a fixed number of times, for `scripts/budget` to count the instructions of.
//!
//! A scenario is a function that is not inlined: callgrind tells what it cost, and all that it called,
//! by its name. What it needs is made ready outside of it and is not counted. It must do the same at each
//! run: nothing here may depend on the time, on addresses or on chance.

#![allow(
    dead_code,
    unused_imports,
    unfulfilled_lint_expectations,
    clippy::unwrap_used,
    reason = "a scenario uses part of what it measures, and fails by panicking"
)]

use std::hint::black_box;

#[path = "../../../src/client.rs"]
mod client;
#[path = "../../../src/iso8583/mod.rs"]
mod iso8583;
#[path = "../../../src/message.rs"]
mod message;
#[path = "../../../src/outbox.rs"]
mod outbox;
#[path = "../../../src/outcome.rs"]
mod outcome;
#[path = "../../../src/route/mod.rs"]
mod route;
#[path = "../../../src/smpp/mod.rs"]
mod smpp;
#[path = "../../../src/window.rs"]
mod window;

mod messages;
mod messaging;
mod payments;
mod routes;

/// How often each scenario does what it is named for.
const TIMES: u32 = 1_024;

/// Keeps the compiler from making one function of two scenarios that read the same.
#[inline(always)]
fn named(scenario: &'static str) {
    black_box(scenario);
}

fn main() {
    messages::run();
    messaging::run();
    payments::run();
    routes::run();
    println!("{TIMES}");
}
