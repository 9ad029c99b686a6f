//! A link as operators see it: where it leads, how far it is, what it has done.

use std::{sync::Arc, time::Duration};

/// What kind of peer a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerKind {
    /// SMPP.
    Smsc,
    /// ISO 8583.
    Bank,
}

impl PeerKind {
    /// A word for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smsc => "smsc",
            Self::Bank => "bank",
        }
    }
}

/// How far a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Waiting before the next try to connect.
    Down,
    /// Connecting, or connected and not bound or signed on yet.
    Connecting,
    /// Bound or signed on.
    Up,
    /// Up, finishes what is in flight, takes nothing new.
    Draining,
    /// Stopped for good.
    Stopped,
}

impl LinkState {
    /// Each of them.
    pub const ALL: [Self; 5] = [
        Self::Down,
        Self::Connecting,
        Self::Up,
        Self::Draining,
        Self::Stopped,
    ];

    /// A word for tables and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        }
    }
}

/// One link as it is now.
#[derive(Clone, Debug)]
pub struct LinkStatus {
    /// The SMSC or bank.
    pub peer: Arc<str>,
    /// What it is.
    pub kind: PeerKind,
    /// Such as `viettel/2`.
    pub name: Arc<str>,
    /// host:port
    pub address: String,
    /// How far it is.
    pub state: LinkState,
    /// Requests whose answer is awaited.
    pub in_flight: u32,
    /// The most that may be in flight.
    pub window: u32,
    /// Requests that wait for a window slot.
    pub queued: u32,
    /// Requests sent since the start.
    pub submitted: u64,
    /// Answers matched since the start.
    pub answered: u64,
    /// Requests that were not answered in time since the start.
    pub timed_out: u64,
    /// Connections lost and made again since the start.
    pub reconnects: u64,
    /// How long the state has lasted.
    pub state_age: Duration,
    /// The last error, with what to do; empty if none.
    pub last_error: String,
    /// How much longer nothing is sent, because the peer wanted less.
    pub paused: Option<Duration>,
}
