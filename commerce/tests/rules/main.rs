//! The rules of the books, each held on a SQLite file and on a real PostgreSQL server.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod access;
mod audit;
mod books;
mod catalogue;
mod databases;
mod deliveries;
mod egress;
mod fake_router;
mod holds;
mod intake;
mod interleavings;
mod ledger;
mod partners;
mod push;
mod router;
mod s2sell;
mod serve;
mod shop;
mod stock;
mod store;
mod web;
mod webhooks;
