//! `[admin]`: the port for operators and their machines.

use std::net::SocketAddr;

use super::{super::Table, listen::Listen};

/// The port.
#[derive(Clone, Debug)]
pub struct AdminSettings {
    /// Where it listens.
    pub listen: SocketAddr,
}

pub(in super::super) fn read(table: &Table<'_>) -> Option<AdminSettings> {
    let Listen(listen) = table.text("listen", "127.0.0.1:9480")?;
    Some(AdminSettings { listen })
}
