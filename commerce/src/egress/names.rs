//! How a host's name becomes addresses: looked up once for a call, and handed to its connection as they are.

use std::{
    future::{Future, ready},
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Addresses that are awaited.
pub type Looking<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Who knows the addresses of names.
pub trait Names: Send + Sync + 'static {
    /// The addresses of a name.
    fn look_up<'a>(&'a self, host: &'a str) -> Looking<'a>;
}

/// The system: its hosts file and its DNS servers.
#[derive(Clone, Copy, Debug)]
pub struct SystemNames;

impl Names for SystemNames {
    fn look_up<'a>(&'a self, host: &'a str) -> Looking<'a> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Addresses that were looked at already. They are the answer to every name, because the client that has
/// them makes one call.
pub(super) struct Looked(pub(super) Vec<SocketAddr>);

impl Resolve for Looked {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(ready(Ok(addresses)))
    }
}
