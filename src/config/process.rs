//! The small sections: `[admin]`, `[log]` and `[stop]`.

use std::{net::SocketAddr, time::Duration};

use tracing::Level;

use super::{form, peer::MILLIS_MAX, reader::Table};

/// The port for operators: `/live`, `/ready` and `/metrics`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSettings {
    /// Another address than the RPC's.
    pub listen: SocketAddr,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The least important level that is written.
    pub level: Level,
    /// For people or for machines.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The end of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopSettings {
    /// How long a stop waits for what is in flight, over all links.
    pub timeout: Duration,
}

/// Reads `[admin]`. `None` only with a fault recorded.
pub(super) fn admin(table: &Table<'_>) -> Option<AdminSettings> {
    let listen = table.text("listen", "127.0.0.1:9470", form::socket_address)?;
    Some(AdminSettings { listen })
}

/// Reads `[log]`. `None` only with a fault recorded.
pub(super) fn log(table: &Table<'_>) -> Option<LogSettings> {
    let level = table.choice(
        "level",
        "info",
        &[
            ("error", Level::ERROR),
            ("warn", Level::WARN),
            ("info", Level::INFO),
            ("debug", Level::DEBUG),
            ("trace", Level::TRACE),
        ],
    );
    let format = table.choice(
        "format",
        "text",
        &[("text", LogFormat::Text), ("json", LogFormat::Json)],
    );
    Some(LogSettings {
        level: level?,
        format: format?,
    })
}

/// Reads `[stop]`.
pub(super) fn stop(table: &Table<'_>) -> StopSettings {
    StopSettings {
        timeout: table.millis("timeout_ms", 30_000, 0..=MILLIS_MAX),
    }
}
