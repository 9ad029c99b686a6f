//! The purchase logic, and the program that serves it.
//!
//! It stands on top of the router and uses nothing of it but the RPC contract in `proto/`: no
//! module of the `sampan` crate is imported here, now or later, so that an upstream service in
//! another language could do the same work. `docs/ARCHITECTURE.md` says where it stands and why
//! it is a process of its own; `docs/COMMERCE.md` says what is there.

pub mod agents;
pub mod app;
pub mod audit;
pub mod backlog;
mod backoff;
pub mod catalogue;
pub mod checkout;
pub mod cli;
pub mod clock;
pub mod config;
pub mod customers;
pub mod deliveries;
pub mod egress;
pub mod expiry;
pub mod http;
pub mod intake;
pub mod ledger;
pub mod merchants;
pub mod metrics;
pub mod moment;
pub mod money;
pub mod network;
pub mod office;
pub mod otp;
pub mod outgoing;
pub mod phone;
pub mod port;
pub mod purchase;
pub mod push;
pub mod rate;
pub mod reseal;
pub mod router;
pub mod s2sell;
pub mod sales;
pub mod seal;
pub mod stock;
pub mod store;
pub mod subscribers;
pub mod verdict;
pub mod views;
pub mod word;
pub mod work;
