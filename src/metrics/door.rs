//! The handles of a port on which a peer connects to us.

use metrics::{Counter, counter};

use crate::status::PeerKind;

use super::{
    Metrics,
    names::{DOOR_ADMITTED, DOOR_REFUSED},
};

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyRefused {
    /// Its address is none of the peer's.
    Source,
    /// The TLS handshake failed.
    Tls,
    /// It said nothing in time.
    Silent,
    /// It said something else than an outbind.
    NoOutbind,
    /// Another system_id or password.
    Credentials,
    /// It was closed before.
    Gone,
    /// There were too many others.
    Crowd,
    /// Each link has a connection.
    NoFreeLink,
}

impl WhyRefused {
    const ALL: [Self; 8] = [
        Self::Source,
        Self::Tls,
        Self::Silent,
        Self::NoOutbind,
        Self::Credentials,
        Self::Gone,
        Self::Crowd,
        Self::NoFreeLink,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Tls => "tls",
            Self::Silent => "silent",
            Self::NoOutbind => "no_outbind",
            Self::Credentials => "credentials",
            Self::Gone => "gone",
            Self::Crowd => "crowd",
            Self::NoFreeLink => "no_free_link",
        }
    }
}

impl Metrics {
    /// The handles of a peer's port.
    pub fn door(&self, kind: PeerKind, peer: &str) -> DoorMetrics {
        let labels = [
            ("kind", kind.as_str().to_owned()),
            ("peer", peer.to_owned()),
        ];
        let refused = |why: WhyRefused| {
            let [kind, peer] = labels.clone();
            let labels = [kind, peer, ("why", why.as_str().to_owned())];
            (why, counter!(DOOR_REFUSED, &labels))
        };
        self.with(|| DoorMetrics {
            admitted: counter!(DOOR_ADMITTED, &labels),
            refused: WhyRefused::ALL.map(refused),
        })
    }
}

/// The handles of one port; see the constants' meanings in this module.
#[derive(Clone)]
pub struct DoorMetrics {
    /// Connections that were let in.
    pub admitted: Counter,
    refused: [(WhyRefused, Counter); WhyRefused::ALL.len()],
}

impl DoorMetrics {
    /// Counts a refused connection.
    pub fn refused(&self, why: WhyRefused) {
        for (own, counter) in &self.refused {
            if *own == why {
                counter.increment(1);
            }
        }
    }
}
