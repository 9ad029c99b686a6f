//! Several runs of one scenario as one: the median of each figure, and from where to where it went.

use super::{bar::Bar, record::Record};

/// A figure over several runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Spread {
    /// Of these values; `None` if there are none.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let (low, high) = ((values.len() - 1) / 2, values.len() / 2);
        let median = (values.get(low)? + values.get(high)?) / 2.0;
        Some(Self { median, min, max })
    }
}

/// The runs of one scenario with the same settings.
pub(super) struct Summary<'a> {
    /// Never empty.
    runs: Vec<&'a Record>,
}

impl<'a> Summary<'a> {
    /// All runs, those of one scenario together, in the order in which each first came.
    pub(super) fn all(records: impl IntoIterator<Item = &'a Record>) -> Vec<Self> {
        let mut summaries: Vec<Self> = Vec::new();
        for record in records {
            let mut like = summaries.iter_mut();
            match like.find(|summary| summary.is_of(record)) {
                Some(summary) => summary.runs.push(record),
                None => summaries.push(Self { runs: vec![record] }),
            }
        }
        summaries
    }

    fn is_of(&self, record: &Record) -> bool {
        self.runs.first().is_some_and(|first| {
            first.scenario == record.scenario
                && first.settings == record.settings
                && first.point == record.point
        })
    }

    /// Its runs.
    pub(super) fn runs(&self) -> &[&'a Record] {
        &self.runs
    }

    /// A figure over its runs, of those that have it.
    pub(super) fn spread(&self, figure: impl Fn(&Record) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.runs.iter().filter_map(|run| figure(run)))
    }

    /// The run in the middle by what it did per second: the one whose curves are drawn.
    pub(super) fn typical(&self) -> Option<&'a Record> {
        let mut runs = self.runs.clone();
        runs.sort_by(|one, other| one.per_s().total_cmp(&other.per_s()));
        runs.get((runs.len().max(1) - 1) / 2).copied()
    }

    /// The bars with what was reached of each.
    pub(super) fn bars(&self) -> Vec<(Bar, Option<Spread>)> {
        let bars = self.runs.first().map_or(&[][..], |first| &first.bars);
        let reached = |bar: &Bar| self.spread(|run| run.figure(bar.what));
        bars.iter().map(|bar| (*bar, reached(bar))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        let median = |values: &[f64]| Spread::of(values.iter().copied()).map(|it| it.median);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }

    #[test]
    fn runs_of_one_scenario_belong_together_unless_they_were_set_otherwise() {
        let run = |scenario: &str, settings: &str, per_s: f64| {
            let mut record = Record::example(scenario, per_s);
            record.settings = settings.to_owned();
            record
        };
        let records = [
            run("a", "x", 100.0),
            run("b", "x", 5.0),
            run("a", "x", 300.0),
            run("a", "y", 7.0),
            run("a", "x", 200.0),
        ];
        let summaries = Summary::all(&records);
        let runs: Vec<_> = summaries.iter().map(|it| it.runs().len()).collect();
        assert_eq!(runs, [3, 1, 1]);
        assert_eq!(summaries[0].typical().unwrap().per_s(), 200.0);
        let spread = summaries[0].spread(|run| Some(run.per_s())).unwrap();
        assert_eq!(
            (spread.median, spread.min, spread.max),
            (200.0, 100.0, 300.0)
        );
    }
}
