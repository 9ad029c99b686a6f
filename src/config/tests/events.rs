//! `[store]`, `[inbox]`, `[[subscription]]`, `[receipts]` and `[requests]`.

use std::{path::PathBuf, time::Duration};

use super::*;
use crate::{
    inbox::{BACKLOG_MAX_BYTES_DEFAULT, BACKLOG_MAX_DEFAULT, InboxSettings},
    receipts, requests,
};

const STORE: &str = "[store]\npath = \"sampan.redb\"\n";

fn without_store() -> String {
    with(STORE, "")
}

#[test]
fn the_stores_path_is_taken_from_the_files_folder() {
    let store = sound(SOUND).store;
    assert_eq!(store, Some(PathBuf::from("/nowhere/sampan.redb")));
    assert_eq!(sound(&without_store()).store, None);
}

#[test]
fn a_store_needs_a_path() {
    refused(
        &with("path = \"sampan.redb\"", ""),
        &["configuration:19: store.path: is missing"],
    );
}

#[test]
fn events_that_a_restart_would_forget_are_warned_of() {
    let lines = [
        "x.toml:1: warning: there is no [store]: a restart forgets MO and receipts that an SMSC was told are safe; add [store] with a path",
    ];
    let text = without_store();
    warned(&text, &lines);
    let bind = |kind: &str| text.replacen("password", &format!("bind = {kind:?}\npassword"), 1);
    warned(&bind("transceiver"), &lines);
    warned(&bind("transmitter"), &[]);
}

#[test]
fn a_simulated_smsc_on_this_machine_needs_no_store() {
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let text = without_store().replacen("smsc.test", host, 1);
        warned(&text, &[]);
    }
}

#[test]
fn a_subscription_has_its_defaults_and_its_keys() {
    let text = with(
        "[store]",
        r#"[[subscription]]
name = "plain"
[[subscription]]
name = "votes"
client = "shop"
receipts = false
smscs = ["one"]
destinations = ["8049", "80*"]
keywords = ["VOTE"]
receipts_of = "shop"
backlog_max = 7
backlog_max_bytes = 65536
[store]"#,
    );
    let subscriptions = sound(&text).inbox.subscriptions;
    let [plain, votes] = &subscriptions[..] else {
        panic!("two were written");
    };
    assert!(plain.messages && plain.receipts && plain.client.is_none());
    assert_eq!(plain.backlog_max, BACKLOG_MAX_DEFAULT);
    assert_eq!(plain.backlog_max_bytes, BACKLOG_MAX_BYTES_DEFAULT);
    assert!(votes.messages && !votes.receipts);
    assert_eq!(votes.client.as_ref().map(|own| own.as_str()), Some("shop"));
    assert_eq!(votes.receipts_of.as_deref(), Some("shop"));
    assert_eq!(votes.smscs.len(), 1);
    assert_eq!(votes.destinations.len(), 2);
    assert_eq!(votes.keywords, ["vote"], "found in any spelling");
    assert_eq!((votes.backlog_max, votes.backlog_max_bytes), (7, 65_536));
}

#[test]
fn the_inbox_has_the_defaults_that_the_code_has() {
    let (read, own) = (sound(SOUND).inbox, InboxSettings::default());
    assert_eq!(read.redeliver_after, own.redeliver_after);
    assert_eq!(read.duplicate_window, own.duplicate_window);
    assert_eq!(read.reassemble, own.reassemble);
    assert_eq!(read.reassembly_timeout, own.reassembly_timeout);
}

#[test]
fn receipts_and_requests_have_their_defaults_and_their_keys() {
    let config = sound(SOUND);
    assert_eq!(config.receipts.limits.pending_max, 1_000_000);
    assert_eq!(config.receipts.record, receipts::Record::BeforeAnswer);
    assert_eq!(config.requests.limits.retention_s, 86_400);
    assert_eq!(config.requests.record, requests::Record::BeforeSending);
    let keys = r#"[receipts]
pending_max = 5
early_hold_ms = 0
refusals_max = 0
record = "behind"
[requests]
ids_max = 6
record = "memory"
[store]"#;
    let config = sound(&with("[store]", keys));
    assert_eq!(config.receipts.limits.pending_max, 5);
    assert_eq!(config.receipts.limits.early_hold, Duration::ZERO);
    assert_eq!(config.receipts.limits.refusals_max, 0);
    assert_eq!(config.receipts.record, receipts::Record::Behind);
    assert_eq!(config.requests.limits.ids_max, 6);
    assert_eq!(config.requests.record, requests::Record::Memory);
}
