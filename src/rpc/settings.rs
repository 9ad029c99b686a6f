//! What the RPC has to know: where it listens and who may ask. The configuration builds these.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use crate::{client::ClientName, rate::Rate};

/// Where the RPC listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An IP address and port; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A Unix socket, guarded by the permissions of its directory.
    Unix(PathBuf),
}

impl Listen {
    /// Whether others than this machine may reach it.
    pub fn is_open_to_the_network(&self) -> bool {
        match self {
            Self::Tcp(address) => !address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => false,
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// PEM files. The configuration made sure that each could be read and holds what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, followed by those between it and a root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The roots of clients' certificates; with it, a client may show one in place of a token.
    pub client_ca: Option<PathBuf>,
}

/// The RPC as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcSettings {
    /// Where it listens. Open to the network only with TLS and clients that prove who they are.
    pub listen: Listen,
    /// TLS, or clear text on loopback.
    pub tls: Option<TlsFiles>,
    /// For requests that name no deadline.
    pub default_deadline: Duration,
    /// The longest deadline that a request may name.
    pub deadline_max: Duration,
    /// Requests without an outcome, per stream.
    pub stream_in_flight_max: u32,
}

/// An upstream service that may ask.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// In limits, logs and metrics.
    pub name: ClientName,
    /// SHA-256 of its bearer token.
    pub token_sha256: Option<[u8; 32]>,
    /// SHA-256 of its certificate (DER).
    pub certificate_sha256: Option<[u8; 32]>,
    /// Whether it may see and end other clients' reversals.
    pub is_operator: bool,
    /// Requests without an outcome, over all its streams.
    pub in_flight_max: u32,
    /// Messages that it may send, counted in parts; `None` is no limit.
    pub rate: Option<Rate>,
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings")
            .field("name", &self.name)
            .field("in_flight_max", &self.in_flight_max)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_unix_sockets_are_closed_to_the_network() {
        let open = |address: &str| Listen::Tcp(address.parse().unwrap()).is_open_to_the_network();
        for closed in [
            "127.0.0.1:1",
            "127.8.8.8:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(!open(closed), "{closed}");
        }
        for wide in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[2001:db8::1]:1"] {
            assert!(open(wide), "{wide}");
        }
        assert!(!Listen::Unix("/run/sampan.sock".into()).is_open_to_the_network());
    }
}
