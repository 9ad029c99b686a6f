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
mod charges;
mod checkout;
mod databases;
mod deliveries;
mod describe;
mod desk;
mod egress;
mod fake_router;
mod holds;
mod intake;
mod interleavings;
mod ledger;
mod merchant_desk;
mod merchants;
mod messages;
mod networks;
mod office_access;
mod office_pages;
mod office_program;
mod office_sources;
mod otps;
mod partners;
mod pictures;
mod program;
mod purchases;
mod push;
mod reseal;
mod router;
mod s2sell;
mod sagas;
mod serve;
mod shop;
mod stock;
mod store;
mod subscribers;
mod till;
mod town;
mod web;
mod webhooks;
