//! Simulators of the two networks that Sampan stands between, with faults on demand.
//!
//! [`smsc::Smsc`] is an SMPP 3.4 message centre, [`bank::Bank`] an ISO 8583:1987 host. Both keep
//! books of what really reached them, so that a test, the demo or a load run can hold what callers
//! were told against what the networks saw.
//!
//! Architecture Invariant: the simulators share no truth with the code that they test. Nothing of
//! the crate `sampan` is imported here; each has its own wire code, written from its standard and
//! held by golden bytes.
//!
//! Map: [`fault`] says when a fault strikes and how late an answer is, `serve` owns the sockets
//! (one task per connection), [`smsc`] and [`bank`] each decide what to answer. [`child`] is the
//! router as a process, for the proofs that kill it, and [`usage`] what a process uses of the machine.
//! Of those who stand around commerce, [`shop`] is a merchant and [`partner`] gets subscribers' messages.

pub mod bank;
pub mod child;
pub mod fault;
pub mod partner;
mod serve;
pub mod shop;
pub mod smsc;
pub mod usage;
mod utc;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a simulator's shared state. A panic elsewhere must not hide the books from the test that
/// wants to print them, so a poisoned lock is entered all the same.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
