//! `[s2sell]`: the API for agents, and how often each of them may call.

use std::{collections::BTreeMap, time::Duration};

use super::super::Table;
use crate::word::Id;

/// Agents with a rate of their own. Who has more of them raises the rate of all.
const AGENTS_MAX: usize = 1_000;

/// Calls of one agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In the long run.
    pub requests_per_s: u32,
    /// At once, after a pause.
    pub burst: u32,
}

/// The API.
#[derive(Clone, Debug)]
pub struct S2SellSettings {
    /// What an agent may who has no rate of his own.
    pub rate: Rate,
    /// Agents with a rate of their own.
    pub agents: BTreeMap<Id, Rate>,
    /// How long an agent may keep what the catalogue says.
    pub catalogue_max_age: Duration,
    /// Whether its description and a page to try it are served.
    pub docs: bool,
}

impl S2SellSettings {
    /// How often that agent may call.
    pub fn rate_of(&self, agent: &Id) -> Rate {
        self.agents.get(agent).copied().unwrap_or(self.rate)
    }
}

pub(in super::super) fn read(table: &Table<'_>) -> Option<Option<S2SellSettings>> {
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
    let settings = S2SellSettings {
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
