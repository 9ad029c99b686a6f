//! `[http]`: the port for customers, agents and partners, and how much of their calls is borne.

use std::{net::SocketAddr, time::Duration};

use super::{super::Table, MILLIS_MAX, listen::Listen};
use crate::{http::Limits, network::Network};

/// The port and its limits.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Connections at once; others wait to be taken.
    pub connections_max: usize,
    /// By when the head of a request is there; a connection without one is closed.
    pub header_timeout: Duration,
    /// How much of all calls together is borne.
    pub limits: Limits,
    /// Proxies that may say from where a call comes.
    pub trusted_proxies: Vec<Network>,
}

pub(in super::super) fn read(table: &Table<'_>) -> Option<HttpSettings> {
    let listen = table.text("listen", "127.0.0.1:8080");
    let settings = |Listen(listen)| HttpSettings {
        listen,
        connections_max: table.number("connections_max", 1_024, 1..=65_536),
        header_timeout: table.millis("header_timeout_ms", 15_000, 100..=MILLIS_MAX),
        limits: Limits {
            requests_max: table.number("requests_max", 256, 1..=65_536),
            request_timeout: table.millis("request_timeout_ms", 30_000, 100..=MILLIS_MAX),
            body_bytes_max: table.number("body_bytes_max", 65_536, 1_024..=16 << 20),
        },
        trusted_proxies: table.list("trusted_proxies"),
    };
    // Asked for in any case, so that no other key seems unknown.
    let unread = Listen(SocketAddr::from(([127, 0, 0, 1], 0)));
    let is_read = listen.is_some();
    let settings = settings(listen.unwrap_or(unread));
    is_read.then_some(settings)
}
