//! Sampan: one router between upstream services and the two networks that mobile commerce lives
//! on, SMSCs (SMPP 3.4) and banks (ISO 8583:1987).
//!
//! ```text
//!  upstream ──gRPC──► rpc ──► messaging | payment ──► pool ──► link ──► session ──► codec ──► peer
//!           ◄── outcome ◄──── outbox ◄──────────────────────── window ◄────────────────────┘
//!           ◄── events ◄───── inbox ◄───────────────────────────────────────────────────────┘
//! ```
//!
//! Requests go down, answers come back up, and no floor knows of a higher one; a test
//! (`tests/house.rs`) holds that. From the top:
//!
//! | floor | modules |
//! |---|---|
//! | the process | [`cli`], [`app`], [`admin`], [`config`] |
//! | the contract | [`rpc`] |
//! | what a request becomes | [`messaging`], [`payment`], [`clerk`], [`links`], with [`route`], [`journal`], [`inbox`], [`receipts`], [`requests`] beside them, on [`store`] |
//! | the peers | [`pool`], [`link`] |
//! | the protocols, pure | [`smpp`], [`iso8583`], [`window`], [`rate`] |
//! | shared words | [`message`], [`outcome`], [`outbox`], [`client`], [`clock`], [`status`], [`metrics`], [`tap`] |
//!
//! The invariants that all of this serves stand in `docs/ARCHITECTURE.md`.

pub mod admin;
pub mod aged;
pub mod app;
pub mod clerk;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod digest;
pub mod inbox;
pub mod iso8583;
pub mod journal;
pub mod link;
pub mod links;
pub mod message;
pub mod messaging;
pub mod metrics;
pub mod outbox;
pub mod outcome;
pub mod payment;
pub mod places;
pub mod pool;
pub mod rate;
pub mod receipts;
pub mod recent;
pub mod requests;
pub mod route;
pub mod rpc;
pub mod smpp;
pub mod status;
pub mod store;
pub mod tap;
pub mod window;
