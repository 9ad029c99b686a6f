//! The RPC floor through a real gRPC client: who may call, what is refused, how streams run and
//! end. The floors below have no peers, so what passes is NOT_SENT for want of a route.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod introspection;
mod links;
mod messaging;
mod payments;
mod receive;
mod reversals;
mod streams;
mod support;
