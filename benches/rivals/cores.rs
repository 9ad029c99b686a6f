//! The protocol cores of the router, as a library of their own.

#![allow(
    missing_docs,
    reason = "their documentation is that of the router's crate"
)]

#[path = "../../src/iso8583/mod.rs"]
pub mod iso8583;
#[path = "../../src/smpp/mod.rs"]
pub mod smpp;
