//! Holds the metrics, the dashboard, the alerts, their tests and the runbook together: a name or a
//! label that one of them uses exists in what the router renders, nothing that is rendered goes
//! unwatched, and each alert tells what to do.
//!
//! Whether Prometheus itself understands the files is for `scripts/test-prometheus`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and clippy knows only its #[test] functions as tests"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Duration,
};

use sampan::{
    client::{ClientCounts, ClientName},
    metrics::{COUNTERS, GAUGES, HISTOGRAMS, Metrics},
    status::PeerKind,
};
use serde_json::Value;
use time::OffsetDateTime;

/// Labels that Prometheus gives each series of a target.
const TARGET_LABELS: [&str; 2] = ["instance", "job"];

/// Labels whose values are words of the code, and not names that a configuration chooses.
const CLOSED_LABELS: [&str; 10] = [
    "class", "end", "file", "kind", "outcome", "request", "service", "state", "verdict", "why",
];

/// Label names and their values, by series as Prometheus stores them.
type Series = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Everything that a router can render, from one of each of its parts.
fn rendered() -> String {
    let metrics = Metrics::new().unwrap();
    for kind in [PeerKind::Smsc, PeerKind::Bank] {
        let link = metrics.link(kind, "peer", "peer/1");
        link.response_seconds.record(Duration::from_millis(20), 1);
    }
    for kind in [PeerKind::Smsc, PeerKind::Bank] {
        let _door = metrics.door(kind, "peer");
    }
    let _bank_link = metrics.bank_link("bank", "bank/1");
    let _bank_asked = metrics.bank_asked("bank");
    let _messages = metrics.messages("smsc");
    let _payments = metrics.payments("bank");
    for kind in ["ca", "client"] {
        let _certificate = metrics.certificate("smsc", kind, OffsetDateTime::UNIX_EPOCH);
    }
    let _inbox = metrics.inbox();
    let _rate = metrics.client_rate(&ClientName::parse("shop").unwrap());
    let _subscription = metrics.subscription("default");
    for file in [metrics.store(), metrics.journal()] {
        file.commit_seconds.record(0.002);
        file.commit_changes.record(64.0);
    }
    let _receipts = metrics.receipts();
    let _requests = metrics.requests();
    metrics.publish_client(&ClientCounts {
        name: ClientName::parse("shop").unwrap(),
        in_flight: 1,
        in_flight_max: 2,
        streams: 1,
        messages: 1,
        payments: 1,
        refused_invalid: 1,
        refused_limit: 1,
        discarded: 1,
    });
    metrics.render()
}

fn series() -> Series {
    let mut series = Series::new();
    for line in rendered().lines().filter(|line| line.starts_with("sampan")) {
        let (name, labels) = match line.split_once('{') {
            Some((name, rest)) => (name, rest.split_once('}').unwrap().0),
            None => (line.split_once(' ').unwrap().0, ""),
        };
        let known = series.entry(name.to_owned()).or_default();
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (label, value) = label.split_once('=').unwrap();
            let values = known.entry(label.to_owned()).or_default();
            values.insert(value.trim_matches('"').to_owned());
        }
    }
    series
}

/// Where in the text words begin with `sampan_`, and the words.
fn metric_names(text: &str) -> Vec<(usize, &str)> {
    text.match_indices("sampan_")
        .map(|(at, _)| {
            let rest = &text[at..];
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_');
            (at, &rest[..end.unwrap_or(rest.len())])
        })
        .collect()
}

/// The text up to the bracket that closes the one before it.
fn bracketed(text: &str, close: char) -> &str {
    let open = if close == ')' { '(' } else { '{' };
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            c if c == open => depth += 1,
            c if c == close && depth == 0 => return &text[..at],
            c if c == close => depth -= 1,
            _ => {}
        }
    }
    panic!("no {close} in {text}");
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

/// An expression in PromQL, and where it stands.
struct Expression {
    place: String,
    text: String,
    /// Labels that the text beside it, a legend or an annotation, takes from its result.
    shown: Vec<String>,
}

impl Expression {
    fn check(&self, series: &Series) {
        let names = metric_names(&self.text);
        for (at, name) in &names {
            let rest = &self.text[at + name.len()..];
            if let Some(selector) = rest.strip_prefix('{') {
                for matcher in list(bracketed(selector, '}')) {
                    self.check_matcher(series, name, matcher);
                }
            }
        }
        // What is aggregated has the labels that it is aggregated by, and so has what is matched.
        for (at, _) in self.text.match_indices("by (") {
            let labels = bracketed(&self.text[at + 4..], ')');
            let rest = self.text[at + 4 + labels.len() + 1..].trim_start();
            let inner = bracketed(rest.strip_prefix('(').unwrap(), ')');
            for (_, name) in metric_names(inner) {
                list(labels).for_each(|label| self.check_label(series, name, label));
            }
        }
        for (at, _) in self.text.match_indices(" on (") {
            for label in list(bracketed(&self.text[at + 5..], ')')) {
                for (_, name) in &names {
                    self.check_label(series, name, label);
                }
            }
        }
        for label in &self.shown {
            let is_kept = names.iter().all(|(_, name)| has_label(series, name, label));
            assert!(is_kept, "{}: shows {label}, which it has not", self.place);
        }
    }

    fn check_matcher(&self, series: &Series, name: &str, matcher: &str) {
        let (label, value) = matcher.split_once('=').unwrap();
        let label = label.trim_end_matches('!');
        self.check_label(series, name, label);
        if !CLOSED_LABELS.contains(&label) {
            return;
        }
        for word in value.trim_start_matches('~').trim_matches('"').split('|') {
            assert!(
                series[name][label].contains(word),
                "{}: {name} never has {label}={word:?}",
                self.place
            );
        }
    }

    fn check_label(&self, series: &Series, name: &str, label: &str) {
        assert!(
            has_label(series, name, label),
            "{}: {name} has no label {label}",
            self.place
        );
    }
}

fn has_label(series: &Series, name: &str, label: &str) -> bool {
    TARGET_LABELS.contains(&label)
        || series
            .get(name)
            .is_some_and(|labels| labels.contains_key(label))
}

/// The panels' queries.
fn dashboard() -> Vec<Expression> {
    let dashboard: Value = serde_json::from_str(&read("grafana/dashboard.json")).unwrap();
    let mut expressions = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            let legend = target["legendFormat"].as_str().unwrap_or_default();
            let shown = legend
                .split("{{")
                .skip(1)
                .map(|label| label.split("}}").next().unwrap().to_owned());
            expressions.push(Expression {
                place: format!("panel {title:?}"),
                text: target["expr"].as_str().unwrap().to_owned(),
                shown: shown.collect(),
            });
        }
    }
    expressions
}

/// One alert of the rule file.
struct Alert {
    name: String,
    severity: String,
    runbook_url: String,
    expression: Expression,
}

/// The alerts, read as lines: the file is kept plain enough for that, and promtool reads it as YAML.
fn alerts() -> Vec<Alert> {
    let text = read("grafana/alerts.yml");
    text.split("- alert: ").skip(1).map(alert).collect()
}

fn alert(text: &str) -> Alert {
    let name = text.lines().next().unwrap().to_owned();
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key));
        line.unwrap_or_else(|| panic!("{name}: no {key}"))
            .trim()
            .trim_matches('\'')
            .to_owned()
    };
    let mut expression = value("expr:");
    if expression == "|-" {
        let block = text.split_once("|-\n").unwrap().1;
        let lines = block
            .lines()
            .take_while(|line| line.starts_with("          "));
        expression = lines.collect::<Vec<_>>().join("\n");
    }
    let shown = text.split("$labels.").skip(1).map(|label| {
        let end = label.find(|c: char| !c.is_ascii_lowercase()).unwrap();
        label[..end].to_owned()
    });
    Alert {
        severity: value("severity:"),
        runbook_url: value("runbook_url:"),
        expression: Expression {
            place: format!("alert {name}"),
            text: expression,
            shown: shown.collect(),
        },
        name,
    }
}

#[test]
fn every_metric_that_is_described_is_rendered_and_the_other_way_round() {
    let described: BTreeSet<String> = [COUNTERS, GAUGES, HISTOGRAMS]
        .concat()
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let text = rendered();
    let typed: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(typed, described);
    for name in typed {
        assert!(text.contains(&format!("# HELP {name} ")), "{name}: no HELP");
    }
}

#[test]
fn every_metric_named_in_a_file_exists() {
    let series = series();
    let files = [
        "grafana/dashboard.json",
        "grafana/alerts.yml",
        "grafana/alerts.test.yml",
        "grafana/prometheus.yml",
        "docs/RUNBOOK.md",
    ];
    for file in files {
        for (_, name) in metric_names(&read(file)) {
            assert!(series.contains_key(name), "{file}: there is no {name}");
        }
    }
}

#[test]
fn every_label_that_a_panel_or_an_alert_uses_exists() {
    let series = series();
    for expression in dashboard() {
        expression.check(&series);
    }
    for alert in alerts() {
        alert.expression.check(&series);
    }
}

#[test]
fn every_series_of_the_alerts_tests_is_one_that_the_router_renders() {
    let series = series();
    let text = read("grafana/alerts.test.yml");
    for line in text
        .lines()
        .filter(|line| line.contains("series: 'sampan_"))
    {
        let (_, text) = line.split_once('\'').unwrap();
        let expression = Expression {
            place: format!("alerts.test.yml: {line}"),
            text: text.trim_end_matches('\'').to_owned(),
            shown: Vec::new(),
        };
        expression.check(&series);
        let (_, name) = metric_names(text)[0];
        for label in series[name].keys() {
            assert!(text.contains(&format!("{label}=")), "{line}: no {label}");
        }
    }
}

#[test]
fn every_metric_is_watched_by_a_panel() {
    let expressions = dashboard();
    let watched: BTreeSet<&str> = expressions
        .iter()
        .flat_map(|expression| metric_names(&expression.text))
        .map(|(_, name)| name)
        .collect();
    for name in series().keys() {
        assert!(watched.contains(name.as_str()), "no panel shows {name}");
    }
}

#[test]
fn every_panel_says_what_to_do_in_which_unit_and_overlaps_no_other() {
    let dashboard: Value = serde_json::from_str(&read("grafana/dashboard.json")).unwrap();
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(x < 24 && taken.insert((x, y)), "{title}: at {x}, {y}");
            }
        }
        if panel["type"] == "row" {
            continue;
        }
        let description = panel["description"].as_str().unwrap_or_default();
        assert!(description.ends_with('.'), "{title}: no description");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        if panel["type"] != "state-timeline" {
            let unit = &panel["fieldConfig"]["defaults"]["unit"];
            assert!(unit.is_string(), "{title}: no unit");
        }
    }
}

#[test]
fn every_alert_has_its_entry_in_the_runbook_and_every_entry_its_alert() {
    let runbook = read("docs/RUNBOOK.md");
    let entries: BTreeSet<&str> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .filter(|heading| heading.starts_with("Sampan"))
        .collect();
    let alerts = alerts();
    for alert in &alerts {
        let anchor = format!("docs/RUNBOOK.md#{}", alert.name.to_lowercase());
        assert_eq!(alert.runbook_url, anchor, "{}", alert.name);
    }
    let names: BTreeSet<&str> = alerts.iter().map(|alert| alert.name.as_str()).collect();
    assert_eq!(entries, names);
}

#[test]
fn every_alert_is_tested_to_fire() {
    let tests = read("grafana/alerts.test.yml");
    for alert in alerts() {
        let is_known = ["warning", "critical"].contains(&alert.severity.as_str());
        assert!(is_known, "{}: severity {}", alert.name, alert.severity);
        let expected: Vec<bool> = tests
            .split(&format!("alertname: {}\n", alert.name))
            .skip(1)
            .map(|rest| rest.trim_start().starts_with("exp_alerts:"))
            .collect();
        assert!(expected.contains(&true), "{}: fires nowhere", alert.name);
    }
}
