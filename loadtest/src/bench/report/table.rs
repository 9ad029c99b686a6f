//! The tables of a report, as rows of texts. How they look is the pages' affair.

use super::Report;
use crate::bench::{
    bar::Figure,
    record::{Record, Traffic},
    scale::growth,
    summary::{Spread, Summary},
};

/// A table.
pub(super) struct Table {
    pub(super) title: String,
    /// What it says, in a sentence or two.
    pub(super) about: &'static str,
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

/// All tables of a report; an empty one is left out.
pub(super) fn all(report: &Report<'_>) -> Vec<Table> {
    let mut tables = vec![bars(report), summaries(report), costs(report)];
    tables.extend(report.axes.iter().map(|(of, points)| scaling(of, points)));
    tables.push(runs(report));
    tables.retain(|table| !table.rows.is_empty());
    tables
}

fn bars(report: &Report<'_>) -> Table {
    let mut rows = Vec::new();
    for summary in &report.summaries {
        for (bar, reached) in summary.bars() {
            let verdict = reached.map_or("no figure", |reached| bar.verdict(reached.median));
            rows.push(vec![
                name(summary),
                figure_name(bar.what).to_owned(),
                figure(bar.what, bar.bar),
                or_dash(bar.in_sight.map(|it| figure(bar.what, it))),
                spread(reached, |value| figure(bar.what, value)),
                verdict.to_owned(),
            ]);
        }
    }
    Table {
        title: "Bars".to_owned(),
        about: "What has to be reached on 2 cores that do nothing else, and what is in sight.",
        head: vec![
            "scenario", "figure", "bar", "in sight", "reached", "verdict",
        ],
        rows,
    }
}

fn summaries(report: &Report<'_>) -> Table {
    let mut rows = Vec::new();
    for summary in &report.summaries {
        for (kind, of) in KINDS {
            let traffic =
                |figure: fn(&Traffic) -> f64| summary.spread(|run| of(run).as_ref().map(figure));
            let Some(per_s) = traffic(|it| it.per_s) else {
                continue;
            };
            let offered = summary.spread(|run| of(run).as_ref()?.offered_per_s);
            let ms = |spread: Option<Spread>| or_dash(spread.map(|it| ms(it.median)));
            rows.push(vec![
                name(summary),
                kind.to_owned(),
                spread(Some(per_s), whole),
                or_dash(offered.map(|it| whole(it.median))),
                ms(traffic(|it| it.latency.p50_us)),
                ms(traffic(|it| it.latency.p99_us)),
                ms(traffic(|it| it.latency.p999_us)),
                ms(traffic(|it| it.latency.max_us)),
                ms(traffic(|it| it.late_p99_us)),
            ]);
        }
    }
    Table {
        title: "Throughput and latency".to_owned(),
        about: "Latencies in milliseconds: from the moment at which a request was to leave to its answer, \
                and for events from the SMSC to the subscriber. \"Late\" is what of it is the harness's \
                own, the 99th percentile of how much later than planned requests left.",
        head: vec![
            "scenario",
            "what",
            "per second",
            "offered",
            "p50",
            "p99",
            "p99.9",
            "max",
            "late",
        ],
        rows,
    }
}

fn costs(report: &Report<'_>) -> Table {
    let rows = report.summaries.iter().map(|summary| {
        let median =
            |figure: &dyn Fn(&Record) -> Option<f64>| summary.spread(figure).map(|it| it.median);
        let us = |figure: fn(&Record) -> f64| {
            or_dash(median(&|run| Some(figure(run))).map(|it| format!("{it:.2}")))
        };
        let calls = |figure: fn(&Record) -> Option<f64>| match median(&figure) {
            Some(calls) => format!("{calls:.1}"),
            None => "not available".to_owned(),
        };
        let cpu = summary.spread(|run| Some(run.router.cpu_us));
        let floor = median(&|run| Some(run.floor.as_ref()?.reached));
        vec![
            name(summary),
            spread(cpu, |value| format!("{value:.2}")),
            us(|run| run.router.user_us),
            us(|run| run.router.system_us),
            or_dash(median(&|run| Some(run.router.cores)).map(|it| format!("{it:.2}"))),
            us(|run| run.harness.generator_us),
            us(|run| run.harness.sinks_us),
            or_dash(floor.map(|it| format!("{:.1} %", it * 100.0))),
            or_dash(median(&|run| Some(run.router.peak_mib)).map(|it| format!("{it:.0}"))),
            calls(|run| Some(run.router.sleeps_per_1000)),
            calls(|run| run.router.reads_per_1000),
            calls(|run| run.router.writes_per_1000),
            or_dash(median(&|run| Some(run.machine.others_percent)).map(|it| format!("{it:.0} %"))),
        ]
    });
    Table {
        title: "What it costs".to_owned(),
        about: "Processor time in microseconds for each message, payment and event; the harness's beside \
                the router's, so that nobody measures the harness. Of the floor: the share that the same \
                exchanges without a router take of the time. Sleeps, reads and writes are for each \
                thousand; the kernel does not count recv and send, which sockets mostly see.",
        head: vec![
            "scenario",
            "router",
            "user",
            "system",
            "cores",
            "callers",
            "networks",
            "of the floor",
            "peak MiB",
            "sleeps",
            "reads",
            "writes",
            "others",
        ],
        rows: rows.collect(),
    }
}

fn scaling(of: &str, points: &[Summary<'_>]) -> Table {
    let cost = |summary: &Summary<'_>| summary.spread(|run| Some(run.router.cpu_us));
    let costs: Vec<f64> = points.iter().filter_map(cost).map(|it| it.median).collect();
    let verdict = growth(&costs).map_or(String::new(), |(growth, is_flat)| {
        let word = if is_flat { "flat" } else { "not flat" };
        format!(": {word}, x {growth:.2}")
    });
    let rows = points.iter().filter_map(|summary| {
        let value = summary.runs().first()?.point.as_ref()?.value;
        let peak = summary.spread(|run| Some(run.router.peak_mib))?;
        Some(vec![
            whole(value as f64),
            spread(cost(summary), |value| format!("{value:.2}")),
            spread(summary.spread(|run| Some(run.per_s())), whole),
            format!("{:.0}", peak.median),
        ])
    });
    Table {
        title: format!("Scaling with {of}{verdict}"),
        about: "The router's processor time per message, in microseconds.",
        head: vec!["how many", "router", "per second", "peak MiB"],
        rows: rows.collect(),
    }
}

fn runs(report: &Report<'_>) -> Table {
    let rows = report.records.iter().map(|run| {
        let p99 = run.asked().map(|it| ms(it.latency.p99_us));
        let point = run.point.as_ref();
        let point = point.map_or(String::new(), |it| format!(" ({} {})", it.value, it.of));
        vec![
            format!("{} #{}{point}", run.scenario, run.run),
            run.settings.clone(),
            whole(run.per_s()),
            or_dash(p99),
            format!("{:.2}", run.router.cpu_us),
            format!("{:.1}", run.router.cpu_ms_per_s),
            format!("{:.0} %", run.machine.others_percent),
            if run.is_clean { "yes" } else { "NO" }.to_owned(),
        ]
    });
    Table {
        title: "Every run".to_owned(),
        about: "CPU/s is the router's processor time per second, in milliseconds.",
        head: vec![
            "run",
            "settings",
            "per second",
            "p99 ms",
            "router µs",
            "CPU/s",
            "others",
            "clean",
        ],
        rows: rows.collect(),
    }
}

/// The kinds of traffic of a run.
pub(super) type Kind = (&'static str, fn(&Record) -> &Option<Traffic>);
pub(super) const KINDS: [Kind; 3] = [
    ("messages", |run| &run.messages),
    ("payments", |run| &run.payments),
    ("events", |run| &run.events),
];

pub(super) fn name(summary: &Summary<'_>) -> String {
    summary
        .runs()
        .first()
        .map_or(String::new(), |run| run.scenario.clone())
}

fn figure_name(figure: Figure) -> &'static str {
    match figure {
        Figure::MessagesPerS => "messages/s",
        Figure::PaymentsPerS => "payments/s",
        Figure::EventsPerS => "events/s",
        Figure::CpuUs => "router µs each",
        Figure::OfFloor => "of the floor",
        Figure::P50Ms => "p50 ms",
        Figure::P99Ms => "p99 ms",
        Figure::PeakMib => "peak MiB",
    }
}

fn figure(figure: Figure, value: f64) -> String {
    match figure {
        Figure::MessagesPerS | Figure::PaymentsPerS | Figure::EventsPerS => whole(value),
        Figure::CpuUs | Figure::P50Ms | Figure::P99Ms => format!("{value:.2}"),
        Figure::OfFloor => format!("{:.0} %", value * 100.0),
        Figure::PeakMib => format!("{value:.0}"),
    }
}

/// The median, and the range if it is one.
fn spread(spread: Option<Spread>, show: impl Fn(f64) -> String) -> String {
    let Some(Spread { median, min, max }) = spread else {
        return or_dash(None);
    };
    match min < max {
        true => format!("{} [{} – {}]", show(median), show(min), show(max)),
        false => show(median),
    }
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "—".to_owned())
}

pub(super) fn ms(us: f64) -> String {
    match us / 1_000.0 {
        ms if ms < 10.0 => format!("{ms:.2}"),
        ms if ms < 100.0 => format!("{ms:.1}"),
        ms => format!("{ms:.0}"),
    }
}

/// A whole number with its thousands apart.
pub(super) fn whole(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let shown = [0.0, 999.4, 1_000.0, 1_234_567.0].map(whole);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }
}
