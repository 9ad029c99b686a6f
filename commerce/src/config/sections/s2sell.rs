//! `[s2sell]`: the API for agents, and how often each of them may call.

use std::collections::BTreeMap;

use super::super::Table;
use crate::{rate::Rate, s2sell::Settings, word::Id};

/// Agents with a rate of their own. Who has more of them raises the rate of all.
const AGENTS_MAX: usize = 1_000;

pub(in super::super) fn read(table: &Table<'_>) -> Option<Option<Settings>> {
    let is_enabled = table.boolean("enabled", true);
    let rate = rate(table);
    let mut agents = BTreeMap::new();
    for (agent, rate) in table.tables("agent", |agent| {
        let rate = self::rate(agent);
        Some((agent.required_text::<Id>("id")?, rate))
    }) {
        if agents.insert(agent.clone(), rate).is_some() {
            table.fault(format!("agent {agent} has two rates"));
        }
    }
    if agents.len() > AGENTS_MAX {
        table.fault(format!("more than {AGENTS_MAX} agents have rates"));
    }
    let day_s = 86_400;
    let settings = Settings {
        rate,
        agents,
        catalogue_max_age: table.seconds("catalogue_max_age_s", 3_600, 0..=day_s),
        docs: table.boolean("docs", true),
    };
    Some(is_enabled.then_some(settings))
}

fn rate(table: &Table<'_>) -> Rate {
    Rate {
        requests_per_s: table.number("requests_per_s", 20, 1..=100_000),
        burst: table.number("burst", 40, 1..=100_000),
    }
}
