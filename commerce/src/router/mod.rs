//! The router as commerce knows it: a client of its RPC, which fulfils [`port`](crate::port) and receives
//! what comes in.
//!
//! | file | holds |
//! |---|---|
//! | `settings` | where the router is, and how it knows us |
//! | `connection` | one lazy connection that comes back by itself, and how many calls go over it at once |
//! | `banks`, `messages` | each outcome of the contract in the words of the port |
//! | `reception` | the stream of what comes in |
//! | `failure` | calls that bring no outcome |
//!
//! Thin: nothing here decides what a purchase does, or asks again by itself. It never shows a token, an
//! account or a text, and never tells an outcome that the router has not told.

mod banks;
mod connection;
mod failure;
mod messages;
mod reception;
mod settings;

pub use connection::{Router, RouterFault};
pub(crate) use reception::{Acknowledgements, UNACKNOWLEDGED_MAX};
pub use settings::{
    Address, AddressFault, ClientFiles, Sender, Settings, TlsFiles, Token, TokenFault,
};

/// The contract as Rust types, compiled from `proto/sampan/v1`; the comments there are its docs.
#[allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::all,
    reason = "it is made by the compiler of the contract"
)]
pub(crate) mod proto {
    tonic::include_proto!("sampan.v1");
}
