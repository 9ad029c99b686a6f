//! The RPC floor: the gRPC services of `proto/sampan/v1`, who may call them, and how much.
//!
//! Everything here is thin: it translates, checks that a field can be what it says, and hands on.
//!
//! | module | holds |
//! |---|---|
//! | [`server`], [`settings`], `listener` | the socket, TLS, HTTP/2, health, reflection, stop |
//! | `auth`, `client` | whose call it is, and the limit that all calls of a client share |
//! | `codec` | from a frame's octets to messages, and back |
//! | `stream` | batches down and results up: the hot path of both kinds of traffic |
//! | `messaging`, `payments`, `reversals`, `totals`, `links` | one service each, and its translation |
//!
//! Architecture Invariant: nothing below this module knows of gRPC or protobuf. Nothing here
//! decides about routes, retries or reversals, and nothing here shows card data or message text.

mod auth;
mod client;
mod codec;
mod deadline;
mod debug;
mod error;
mod fault;
mod links;
mod listener;
mod messaging;
mod payments;
mod reason;
mod reversals;
pub mod server;
mod services;
pub mod settings;
mod stream;
mod totals;
mod trace;
mod unfold;

pub use error::RpcError;
pub use messaging::explain_offline;
pub use server::{Counts, Health, Server, Service};
pub use services::Services;

/// The contract as Rust types, compiled from `proto/sampan/v1`; the comments there are its docs.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod proto {
    tonic::include_proto!("sampan.v1");

    mod servers {
        include!(concat!(env!("OUT_DIR"), "/servers/sampan.v1.rs"));
    }
    pub(crate) use servers::*;
}

/// The contract as encoded descriptors, which is what reflection serves.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/sampan_descriptor.bin"));

/// The most items in one batch, in either direction: enough that a batch's own cost vanishes,
/// little enough that one batch does not make others wait.
pub const BATCH_ITEMS_MAX: usize = 1_000;
