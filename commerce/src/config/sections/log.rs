//! `[log]`: what is logged, and how. No level shows a key, a PIN code or a text.

use tracing::Level;

use super::super::Table;

/// What the log's lines look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// The log.
#[derive(Clone, Copy, Debug)]
pub struct LogSettings {
    /// Down to which level.
    pub level: Level,
    /// How.
    pub format: LogFormat,
}

pub(in super::super) fn read(table: &Table<'_>) -> Option<LogSettings> {
    let levels = [
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("info", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
    ];
    let level = table.choice("level", "info", &levels);
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let format = table.choice("format", "text", &formats);
    Some(LogSettings {
        level: level?,
        format: format?,
    })
}
