//! The purchase logic: today the books that it stands on.
//!
//! It stands on top of the router and uses nothing of it but the RPC contract in `proto/`: no
//! module of the `sampan` crate is imported here, now or later, so that an upstream service in
//! another language could do the same work. `docs/ARCHITECTURE.md` says where it stands and why
//! it is a process of its own; `docs/COMMERCE.md` says what is there.

pub mod agents;
pub mod catalogue;
pub mod ledger;
pub mod moment;
pub mod money;
pub mod phone;
pub mod port;
pub mod s2sell;
pub mod sales;
pub mod seal;
pub mod stock;
pub mod store;
pub mod word;
