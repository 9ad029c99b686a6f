//! How the API is offered, and how often each agent may call.

use std::{collections::BTreeMap, time::Duration};

use crate::{rate::Rate, word::Id};

/// The API.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What an agent may who has no rate of his own.
    pub rate: Rate,
    /// Agents with a rate of their own.
    pub agents: BTreeMap<Id, Rate>,
    /// How long an agent may keep what the catalogue says.
    pub catalogue_max_age: Duration,
    /// Whether its description and a page to try it are served.
    pub docs: bool,
}

impl Settings {
    /// How often that agent may call.
    pub fn rate_of(&self, agent: &Id) -> Rate {
        self.agents.get(agent).copied().unwrap_or(self.rate)
    }
}
