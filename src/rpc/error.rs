//! Why the RPC does not run, for whoever wrote the configuration.

use std::io;

use tonic::transport;
use tonic_reflection::server as reflection;

use super::settings::Listen;
use crate::client::ClientName;

/// Why the RPC server does not run. Each is for whoever wrote the configuration.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// The address is not loopback and callers could come without TLS.
    #[error("rpc.listen {0} is not loopback: configure [rpc.tls], or listen on loopback")]
    TlsNeeded(Listen),
    /// The address is not loopback and nobody could prove who they are.
    #[error(
        "rpc.listen {0} is not loopback: give at least one [[client]] a token_sha256 or certificate_sha256"
    )]
    CredentialsNeeded(Listen),
    /// Client certificates are configured, and clients will never be asked for one.
    #[error("client {0} has a certificate_sha256: configure rpc.tls.client_ca, which signs it")]
    ClientCaNeeded(ClientName),
    /// A socket file is no place for TLS.
    #[error("rpc.listen is a Unix socket: remove [rpc.tls], or listen on an address")]
    TlsOnUnixSocket,
    /// The socket could not be bound.
    #[error("cannot listen on {listen}: {source}")]
    Listen {
        /// Where.
        listen: Listen,
        /// What the system said.
        source: io::Error,
    },
    /// A PEM file could not be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Certificate and key make no TLS server.
    #[error("the files of [rpc.tls] make no TLS server: {0:?}")]
    Tls(#[source] transport::Error),
    /// The descriptors that were compiled in are broken, which is a fault of Sampan.
    #[error("reflection cannot be built: {0}")]
    Reflection(#[from] reflection::Error),
    /// Serving failed.
    #[error("the RPC server failed: {0:?}")]
    Serve(#[source] transport::Error),
}
