//! The small sections: `[admin]`, `[log]`, `[process]`, `[receipts]`, `[requests]` and `[stop]`.

use std::{net::SocketAddr, time::Duration};

use tracing::Level;

use super::{form, peer::MILLIS_MAX, reader::Table};
use crate::{receipts, requests};

/// Records in memory: at about 200 bytes each, 2 GB.
const RECORDS: std::ops::RangeInclusive<usize> = 1..=10_000_000;
/// A month; longer is a mistaken unit.
const RETENTION_S_MAX: u64 = 2_678_400;

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

/// Receipts that are awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptSettings {
    /// How many, and how long.
    pub limits: receipts::Limits,
    /// When a caller is told of its message.
    pub record: receipts::Record,
}

/// Request ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSettings {
    /// How many, and how long.
    pub limits: requests::Limits,
    /// When they are written down.
    pub record: requests::Record,
}

/// What the process may do beside its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessSettings {
    /// Whether a crash may write its memory to disk: keys, card numbers and texts.
    pub core_dumps: bool,
    /// Whether its memory may be in transparent huge pages, where the system has them on.
    pub huge_pages: bool,
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

/// Reads `[process]`.
pub(super) fn process(table: &Table<'_>) -> ProcessSettings {
    ProcessSettings {
        core_dumps: table.boolean("core_dumps", false),
        huge_pages: table.boolean("huge_pages", true),
    }
}

/// Reads `[receipts]`. `None` only with a fault recorded.
pub(super) fn receipts(table: &Table<'_>) -> Option<ReceiptSettings> {
    let limits = receipts::Limits {
        pending_max: table.number("pending_max", 1_000_000, RECORDS),
        retention_s: retention_s(table, "retention_s", 259_200),
        ended_retention_s: retention_s(table, "ended_retention_s", 3_600),
        early_hold: table.millis("early_hold_ms", 30_000, 0..=MILLIS_MAX),
        refusals_max: table.number("refusals_max", 3, 0..=u8::MAX),
    };
    let record = table.choice(
        "record",
        "before_answer",
        &[
            ("before_answer", receipts::Record::BeforeAnswer),
            ("behind", receipts::Record::Behind),
        ],
    );
    Some(ReceiptSettings {
        limits,
        record: record?,
    })
}

/// Reads `[requests]`. `None` only with a fault recorded.
pub(super) fn requests(table: &Table<'_>) -> Option<RequestSettings> {
    let limits = requests::Limits {
        ids_max: table.number("ids_max", 1_000_000, RECORDS),
        retention_s: retention_s(table, "retention_s", 86_400),
    };
    let record = table.choice(
        "record",
        "before_sending",
        &[
            ("before_sending", requests::Record::BeforeSending),
            ("behind", requests::Record::Behind),
            ("memory", requests::Record::Memory),
        ],
    );
    Some(RequestSettings {
        limits,
        record: record?,
    })
}

fn retention_s(table: &Table<'_>, key: &'static str, default_s: u64) -> u32 {
    let retention = table.seconds(key, default_s, 1..=RETENTION_S_MAX);
    u32::try_from(retention.as_secs()).unwrap_or(u32::MAX)
}

/// Reads `[stop]`.
pub(super) fn stop(table: &Table<'_>) -> StopSettings {
    StopSettings {
        timeout: table.millis("timeout_ms", 30_000, 0..=MILLIS_MAX),
    }
}
