//! An address of this machine to listen on. A port of 0 lets the system choose one.

use std::{net::SocketAddr, str::FromStr};

/// An address and port.
pub(super) struct Listen(pub(super) SocketAddr);

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let address = text.parse().map(Self);
        address.map_err(|_| "is not an IP address and port, such as 127.0.0.1:8080")
    }
}
