//! Holds docs/SMPP.md and the tests together: each rule names its module and tests that exist and
//! run.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

/// Rules that the table has at least; fewer means that the table is not read as it is written.
const ROWS_MIN: usize = 120;

struct Row {
    rule: String,
    places: Vec<String>,
    tests: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What stands between backticks.
fn names(cell: &str) -> Vec<String> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(root().join("docs/SMPP.md")).unwrap();
    let cells = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line
            .strip_prefix("| ")?
            .strip_suffix(" |")?
            .split(" | ")
            .collect();
        Some(cells)
    });
    let rows = cells.filter(|cells| cells[0] != "rule" && cells[0] != "complaint");
    rows.map(|cells| {
        assert_eq!(cells.len(), 3, "{cells:?}");
        Row {
            rule: cells[0].to_owned(),
            places: names(cells[1]),
            tests: names(cells[2]),
        }
    })
    .collect()
}

fn sources() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = ["src", "tests", "loadtest/src", "loadtest/tests"]
        .map(|folder| root().join(folder))
        .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

/// The names of all functions in the sources, and whether one of the name is a test that is not left
/// out of a run.
fn functions() -> HashMap<String, bool> {
    let mut found = HashMap::new();
    for source in sources() {
        for (at, _) in source.match_indices("fn ") {
            let name: String = source[at + 3..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            let attributes = source[..at]
                .trim_end()
                .rsplit("\n\n")
                .next()
                .unwrap_or_default();
            let is_test = ["#[test]", "#[tokio::test", "proptest!"]
                .iter()
                .any(|mark| attributes.contains(mark));
            *found.entry(name).or_default() |= is_test && !attributes.contains("#[ignore");
        }
    }
    found
}

/// A scenario is run by `every_scenario_ends_as_its_file_says`.
fn is_scenario(name: &str) -> bool {
    let folder = Path::new("loadtest/scenarios/smsc");
    root().join(folder).join(format!("{name}.toml")).is_file()
}

#[test]
fn every_rule_stands_in_a_module_that_exists() {
    let rows = rows();
    assert!(rows.len() >= ROWS_MIN, "{} rows", rows.len());
    for row in rows {
        assert!(!row.places.is_empty(), "no module: {}", row.rule);
        for place in row.places {
            let path = root().join(&place);
            assert!(path.exists(), "{place} does not exist: {}", row.rule);
        }
    }
}

#[test]
fn every_rule_is_held_by_tests_that_run() {
    let functions = functions();
    let runs = |test: &str| functions.get(test).copied().unwrap_or(false);
    let mut faults = Vec::new();
    for row in rows() {
        if row.tests.is_empty() {
            faults.push(format!("no test holds: {}", row.rule));
        }
        let named = row.tests.iter();
        for test in named.filter(|test| !is_scenario(test) && !runs(test)) {
            let is_there = functions.contains_key(test);
            let why = if is_there {
                "does not run"
            } else {
                "does not exist"
            };
            faults.push(format!("{test} {why}: {}", row.rule));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_scenario_holds_a_rule() {
    let named: Vec<String> = rows().into_iter().flat_map(|row| row.tests).collect();
    for entry in fs::read_dir(root().join("loadtest/scenarios/smsc")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(named.iter().any(|own| own == name), "no rule names {name}");
    }
}
