//! The shape of the house, held as tests: what may know of what.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// From the bottom up: a module may use those on its own line and on the lines before it.
const FLOORS: &[&[&str]] = &[
    &[
        "aged", "places", "recent", "digest", "smpp", "iso8583", "window", "rate", "outcome",
        "outbox", "client", "status",
    ],
    &["clock", "message", "metrics", "tap"],
    &["store"],
    &["inbox", "receipts", "requests", "route", "journal"],
    &["link"],
    &["pool"],
    &["messaging", "payment", "links"],
    &["clerk"],
    &["rpc", "admin"],
    &["config"],
    &["app"],
    &["cli"],
];

/// The same of `commerce`.
const COMMERCE_FLOORS: &[&[&str]] = &[
    &["word", "backoff"],
    &["moment", "money", "network"],
    &["clock", "phone", "metrics", "rate"],
    &["work", "port", "seal", "http", "egress"],
    &["store"],
    &[
        "agents",
        "audit",
        "customers",
        "deliveries",
        "ledger",
        "otp",
        "outgoing",
        "router",
        "stock",
    ],
    &["catalogue", "expiry", "intake", "views"],
    &["purchase", "push", "sales"],
    &["backlog", "merchants", "subscribers", "verdict"],
    &["checkout", "office", "reseal", "s2sell"],
    &["config"],
    &["app"],
    &["cli"],
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {}", folder.display());
    found
}

/// The code of a file without its tests and comments.
fn code(source: &str) -> String {
    let tests = source
        .find("#[cfg(test)]\nmod tests {")
        .unwrap_or(source.len());
    source[..tests]
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The module of the crate that a file belongs to.
fn module(path: &Path) -> String {
    let mut folders = path.iter().skip_while(|folder| *folder != "src");
    let first = folders.nth(1).unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn is_test_file(path: &Path) -> bool {
    path.iter()
        .any(|part| part == "tests" || part == "tests.rs" || part == "properties.rs")
}

fn floor(floors: &[&[&str]], module: &str) -> Option<usize> {
    floors.iter().position(|floor| floor.contains(&module))
}

/// The modules of the crate that a piece of code names after `crate::`.
fn uses(code: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            used.extend(first_names(list));
        } else {
            used.push(name(rest));
        }
    }
    used
}

/// The first names of a `{a::b, c::{d, e}}` list, after its opening brace.
fn first_names(list: &str) -> Vec<String> {
    let (mut names, mut depth, mut fresh) = (Vec::new(), 1, true);
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => fresh = true,
            _ if character.is_whitespace() => {}
            _ if fresh => {
                names.push(name(&list[at..]));
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn name(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

#[test]
fn no_floor_knows_of_a_higher_one() {
    assert_eq!(faults("src", FLOORS), Vec::<String>::new());
}

#[test]
fn no_floor_of_commerce_knows_of_a_higher_one() {
    let faults = faults("commerce/src", COMMERCE_FLOORS);
    assert_eq!(faults, Vec::<String>::new());
}

fn faults(folder: &str, floors: &[&[&str]]) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, source) in sources(&root().join(folder)) {
        let own = module(path.strip_prefix(root()).unwrap());
        if is_test_file(&path) || own == "lib" || own == "main" {
            continue;
        }
        let own_floor = floor(floors, &own);
        assert!(own_floor.is_some(), "{own} has no floor in this test");
        let own_floor = own_floor.unwrap();
        for used in uses(&code(&source)) {
            let Some(used_floor) = floor(floors, &used) else {
                continue; // A name of the crate's root in a macro or a path of another crate.
            };
            if used_floor > own_floor {
                faults.push(format!("{}: uses {used}", path.display()));
            }
        }
    }
    faults
}

#[test]
fn protocol_cores_know_nothing_but_themselves() {
    for core in ["smpp", "iso8583"] {
        for (path, source) in sources(&root().join("src").join(core)) {
            let code = code(&source);
            for used in uses(&code) {
                assert_eq!(used, core, "{} uses {used}", path.display());
            }
            for forbidden in [
                "tokio",
                "std::net",
                "Instant::now",
                "SystemTime",
                "now_utc",
                "tracing::",
            ] {
                assert!(
                    is_test_file(&path) || !code.contains(forbidden),
                    "{} knows of {forbidden}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn the_window_and_the_rate_know_neither_clock_nor_crate() {
    for file in ["src/window.rs", "src/rate.rs"] {
        let code = code(&fs::read_to_string(root().join(file)).unwrap());
        assert_eq!(uses(&code), Vec::<String>::new());
        assert!(!code.contains("Instant::now") && !code.contains("tokio"));
    }
}

#[test]
fn only_links_and_servers_own_sockets() {
    let owners = ["link", "rpc", "admin", "cli"];
    for (path, source) in sources(&root().join("src")) {
        let code = code(&source);
        let owns = ["TcpStream", "TcpListener", "UnixListener", "UnixStream"]
            .iter()
            .any(|socket| code.contains(socket));
        assert!(
            !owns
                || owners.contains(&module(path.strip_prefix(root()).unwrap()).as_str())
                || is_test_file(&path),
            "{} owns a socket",
            path.display()
        );
    }
}

#[test]
fn nothing_below_the_contract_knows_of_grpc() {
    for (path, source) in sources(&root().join("src")) {
        let may =
            ["rpc", "app", "cli"].contains(&module(path.strip_prefix(root()).unwrap()).as_str());
        let knows = ["tonic::", "prost::", "rpc::proto"]
            .iter()
            .any(|word| code(&source).contains(word));
        assert!(may || !knows, "{} knows of gRPC", path.display());
    }
}

#[test]
fn the_simulators_share_no_code_with_the_router() {
    for (path, source) in sources(&root().join("loadtest/src")) {
        // Callers may know the contract; loadtest/tests/independence.rs holds them to that.
        let callers = ["bin", "chaos", "bench"];
        let is_upstream = path
            .iter()
            .any(|part| callers.iter().any(|own| part == *own));
        assert!(
            is_upstream || !code(&source).contains("sampan::"),
            "{} uses the router's code",
            path.display()
        );
        let is_program = path.iter().any(|part| part == "bin");
        assert!(
            is_program || !code(&source).contains("commerce::"),
            "{} uses the purchase logic",
            path.display()
        );
    }
}

#[test]
fn commerce_uses_nothing_of_the_router_but_its_contract() {
    let manifest = fs::read_to_string(root().join("commerce/Cargo.toml")).unwrap();
    assert!(
        !manifest.contains("sampan ="),
        "commerce depends on the router"
    );
}

#[test]
fn commerce_calls_addresses_of_others_in_one_place() {
    for (path, source) in sources(&root().join("commerce/src")) {
        let is_egress = path.starts_with(root().join("commerce/src/egress"));
        assert!(
            is_egress || !code(&source).contains("reqwest"),
            "{} calls past the egress",
            path.display()
        );
    }
}

#[test]
fn figures_of_commerce_are_named_in_one_place_and_tasks_carry_their_registry() {
    let names = root().join("commerce/src/metrics.rs");
    // They serve many programs' ports, or make the tasks that are put around a registry.
    let may_spawn = ["app", "http", "cli"];
    for (path, source) in sources(&root().join("commerce/src")) {
        let code = code(&source);
        assert!(
            path == names || !code.contains("\"commerce_"),
            "{} names a figure",
            path.display()
        );
        let spawns = code.match_indices(".spawn(").count();
        let carried = code.matches(".spawn(carried(").count();
        let own = module(path.strip_prefix(root()).unwrap());
        assert!(
            spawns == carried || is_test_file(&path) || may_spawn.contains(&own.as_str()),
            "{} spawns a task whose figures are lost",
            path.display()
        );
    }
}

#[test]
fn a_file_can_be_read_in_one_sitting_and_says_what_it_is_for() {
    for folder in ["src", "loadtest/src", "commerce/src"] {
        for (path, source) in sources(&root().join(folder)) {
            let lines = source.lines().count();
            assert!(lines <= 700, "{} has {lines} lines", path.display());
            assert!(
                is_test_file(&path) || source.starts_with("//!"),
                "{} does not say what it is for",
                path.display()
            );
        }
    }
}
