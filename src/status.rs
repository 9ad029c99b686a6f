//! A link as operators see it: where it leads, how far it is, what it has done.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

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
    /// What ended the last connection or kept it from being made, with what to do; empty if none.
    pub last_error: String,
    /// How much longer nothing is sent, because the peer wanted less.
    pub paused: Option<Duration>,
    /// The last errors of every kind, the newest first, at most [`LAST_ERRORS_MAX`].
    pub last_errors: Vec<LinkError>,
}

/// Errors that a link remembers: what a person reads to understand a bad minute.
pub const LAST_ERRORS_MAX: usize = 8;

/// An error of a link: a connection that ended or was not made, a refused bind, something of the
/// peer's that was contained, requests without an answer, a pause that the peer wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkError {
    /// When it happened last.
    pub at: SystemTime,
    /// What happened, and what to do where that can be said.
    pub what: String,
    /// How often in a row.
    pub times: u64,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.times {
            1 => f.write_str(&self.what),
            times => write!(f, "{} ({times} times in a row)", self.what),
        }
    }
}
