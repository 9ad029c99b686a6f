//! Where the demo's configuration is, and what of it the demo has to know.

use std::{
    env,
    path::{Path, PathBuf},
};

use sampan::{config::Config, rpc::settings::Listen};

/// Below the root of the repository.
const FILE: &str = "config/demo.toml";

/// The configuration: that of the repository that cargo runs in, or of the current directory.
pub(crate) fn path() -> PathBuf {
    env::var_os("CARGO_MANIFEST_DIR")
        .and_then(|package| Some(Path::new(&package).parent()?.join(FILE)))
        .filter(|path| path.exists())
        .unwrap_or_else(|| FILE.into())
}

/// Where the router listens.
pub(crate) struct Addresses {
    /// As a client of the RPC names it.
    pub(crate) rpc: String,
    /// Of the admin port.
    pub(crate) admin: String,
}

impl Addresses {
    pub(crate) fn of(config: &Config) -> Self {
        let rpc = match &config.rpc.listen {
            Listen::Tcp(address) => format!("http://{address}"),
            Listen::Unix(path) => format!("unix:{}", path.display()),
        };
        let admin = format!("http://{}", config.admin.listen);
        Self { rpc, admin }
    }
}
