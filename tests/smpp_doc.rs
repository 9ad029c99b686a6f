//! Holds docs/SMPP.md and the tests together: each rule names its module and tests that exist and
//! run.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Rules that the table has at least; fewer means that the table is not read as it is written.
const ROWS_MIN: usize = 60;

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

/// Whether a test of this name is in the sources, and is not left out of a run.
fn runs(name: &str, sources: &[String]) -> bool {
    let head = format!("fn {name}(");
    sources.iter().any(|source| {
        source.match_indices(&head).any(|(at, _)| {
            let attributes = source[..at]
                .trim_end()
                .rsplit("\n\n")
                .next()
                .unwrap_or_default();
            let is_test = ["#[test]", "#[tokio::test", "proptest!"]
                .iter()
                .any(|mark| attributes.contains(mark));
            is_test && !attributes.contains("#[ignore")
        })
    })
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
fn every_test_that_a_rule_names_exists() {
    let sources = sources();
    for row in rows() {
        for test in row.tests {
            // One of the complaints may wait for what it complains of.
            let head = format!("fn {test}(");
            let is_there = sources.iter().any(|source| source.contains(&head));
            assert!(
                is_there || is_scenario(&test),
                "{test} does not exist: {}",
                row.rule
            );
        }
    }
}

#[test]
#[ignore = "rules whose cell is pending are being built"]
fn every_rule_is_held_by_tests_that_run() {
    let sources = sources();
    let mut without = Vec::new();
    for row in rows() {
        let held = |test: &String| is_scenario(test) || runs(test, &sources);
        if row.tests.is_empty() || !row.tests.iter().all(held) {
            without.push(row.rule);
        }
    }
    assert!(without.is_empty(), "no test holds:\n{}", without.join("\n"));
}
