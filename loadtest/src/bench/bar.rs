//! What a run is held against: a figure, what it has to be, and what is thought possible.

use serde::{Deserialize, Serialize};

/// A figure and what it has to be.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bar {
    /// Which figure.
    pub(super) what: Figure,
    /// What it has to reach.
    pub(super) bar: f64,
    /// What is thought possible.
    pub(super) in_sight: Option<f64>,
}

/// A figure of a run that bars speak of.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Figure {
    /// Messages answered per second.
    MessagesPerS,
    /// Payments answered per second.
    PaymentsPerS,
    /// Events acknowledged per second.
    EventsPerS,
    /// The router's processor time for each of what was done, in microseconds.
    CpuUs,
    /// The share of what the bare exchange reached in the same run.
    OfFloor,
    /// The median latency, in milliseconds.
    P50Ms,
    /// The latency that one of a hundred exceeds, in milliseconds.
    P99Ms,
    /// The router's most memory, in MiB.
    PeakMib,
}

impl Figure {
    /// Whether a run is better with more of it.
    pub(super) fn more_is_better(self) -> bool {
        matches!(
            self,
            Self::MessagesPerS | Self::PaymentsPerS | Self::EventsPerS | Self::OfFloor
        )
    }
}

impl Bar {
    /// Whether it is reached, in a word.
    pub(super) fn verdict(&self, reached: f64) -> &'static str {
        let beats = |wanted: f64| match self.what.more_is_better() {
            true => reached >= wanted,
            false => reached <= wanted,
        };
        match (beats(self.bar), self.in_sight.map(beats)) {
            (_, Some(true)) => "in sight, reached",
            (true, _) => "reached",
            (false, _) => "missed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_reached_from_its_own_side() {
        let bar = |what| Bar {
            what,
            bar: 10.0,
            in_sight: None,
        };
        assert_eq!(bar(Figure::MessagesPerS).verdict(11.0), "reached");
        assert_eq!(bar(Figure::MessagesPerS).verdict(9.0), "missed");
        assert_eq!(bar(Figure::CpuUs).verdict(9.0), "reached");
        assert_eq!(bar(Figure::CpuUs).verdict(11.0), "missed");
        let ambitious = Bar {
            in_sight: Some(12.0),
            ..bar(Figure::MessagesPerS)
        };
        assert_eq!(ambitious.verdict(11.0), "reached");
        assert_eq!(ambitious.verdict(12.0), "in sight, reached");
    }
}
