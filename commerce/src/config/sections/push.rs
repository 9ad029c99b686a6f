//! `[push]`: calls of partners, and what may be called besides public addresses.

use std::{fs, path::PathBuf, time::Duration};

use ipnet::IpNet;

use super::super::Table;
use crate::{deliveries::Retention, egress};

/// A day.
const DAY_S: u64 = 86_400;

/// Calls of partners.
#[derive(Clone, Debug)]
pub struct PushSettings {
    /// What may be called.
    pub egress: egress::Rules,
    /// How long deliveries that have ended are kept.
    pub retention: Retention,
}

pub(in super::super) fn read(table: &Table<'_>) -> Option<PushSettings> {
    let days = |key, usual, least| -> Duration {
        let days: u64 = table.number(key, usual, least..=3_650);
        Duration::from_secs(days * DAY_S)
    };
    let networks: Vec<IpNet> = table.list("networks");
    let ports = table.elements("ports");
    let ports = ports.iter().filter_map(|port| port.number(1..=u16::MAX));
    let ports: Vec<u16> = ports.collect();
    // Below the time for which a delivery is kept from other workers.
    let total_timeout = table.millis("timeout_ms", 15_000, 100..=40_000);
    let retention = Retention {
        payload: days("payload_days", 7, 0),
        row: days("row_days", 90, 1),
    };
    Some(PushSettings {
        egress: egress::Rules {
            networks,
            ports,
            total_timeout,
            roots_pem: roots(table)?,
        },
        retention,
    })
}

/// Further root certificates, read at once so that a wrong path is found at the start.
fn roots(table: &Table<'_>) -> Option<Vec<u8>> {
    let Some(item) = table.get("roots") else {
        return Some(Vec::new());
    };
    item.text(|path: &str| fs::read(table.path(PathBuf::from(path))))
}
