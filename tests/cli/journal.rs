//! `sampan journal` over a file that the library wrote.

use std::{path::PathBuf, process::Command, sync::mpsc};

use bytes::Bytes;
use sampan::{
    client::{ClientName, PaymentId, PaymentKey},
    digest::Digest,
    iso8583::{Message, Mti, Stan},
    journal::{
        Durable, End, JournalSettings, Kept, KeptRequest, KeptResponse, KeptReversal, Keys,
        MasterKey, Row, RowChange, Stage,
    },
    metrics::StoreMetrics,
    outcome::Reason,
};
use serde_json::{Value, json};

use crate::support::{Ended, NOBODY, Router, Scratch, command, config};

const KEY: &str = "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER_KEY: &str = "e00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const PAN: &str = "9704361234561234";

/// 2026-11-22, 00:00 UTC.
const BEGAN_UTC_MS: i64 = 1_795_305_600_000;

/// The section, with the key in a file that only its owner may read.
fn section(scratch: &Scratch) -> String {
    let key = scratch.write("key", KEY);
    let path = scratch.path("journal.redb");
    format!("[journal]\npath = {path:?}\nkey_file = {key:?}\n")
}

fn configured(scratch: &Scratch) -> String {
    scratch.write("sampan.toml", &section(scratch))
}

fn settings(scratch: &Scratch, key: &str) -> JournalSettings {
    JournalSettings {
        path: PathBuf::from(scratch.path("journal.redb")),
        keys: Keys::new(MasterKey::parse(key).unwrap(), Vec::new()),
    }
}

fn message(mti: Mti, stan: &str) -> Message {
    let mut message = Message::new(mti);
    message
        .set(2, PAN)
        .set(4, "000000150000")
        .set(11, stan)
        .set(37, "632605000123")
        .set(49, "704");
    message
}

fn payment(client: &str, id: &str, stage: Stage) -> Kept {
    Kept {
        bank: "vietcom".into(),
        key: PaymentKey {
            client: ClientName::parse(client).unwrap(),
            id: PaymentId::parse(id).unwrap(),
        },
        fingerprint: Digest::from_bytes([0; 16]),
        began_utc_ms: BEGAN_UTC_MS,
        stan: Stan::new(123).unwrap(),
        request: KeptRequest::of(&message(Mti::FINANCIAL_REQUEST, "000123"), |_| true),
        response: KeptResponse::default(),
        late_response_code: Bytes::new(),
        stage,
    }
}

/// An approved one, and one that is being taken back.
fn payments() -> [Kept; 2] {
    let at_utc_ms = BEGAN_UTC_MS + 1_500;
    let end = End::Approved;
    let mut approved = payment("shop", "order-1", Stage::Ended { end, at_utc_ms });
    approved.response = KeptResponse::new(b"00", b"", std::iter::empty());
    let reversing = Stage::Reversing(KeptReversal {
        reason: Reason::Timeout,
        message: message(Mti::REVERSAL_ADVICE, "000124"),
        began_utc_ms: BEGAN_UTC_MS + 30_000,
        attempts: 2,
        response_code: Bytes::from_static(b"91"),
    });
    [approved, payment("kiosk", "order-2", reversing)]
}

fn write(settings: &JournalSettings) {
    let (journal, _) = Durable::open(settings, StoreMetrics::unseen()).unwrap();
    let (sender, told) = mpsc::channel();
    let row = |kept| Row {
        number: journal.next_number(),
        change: RowChange::Keep(Box::new(kept)),
    };
    let rows = payments().map(row).into();
    journal.append(rows, Box::new(move |result| sender.send(result).unwrap()));
    told.recv().unwrap().unwrap();
    journal.close();
}

fn written() -> (Scratch, String) {
    let scratch = Scratch::new();
    write(&settings(&scratch, KEY));
    let config = configured(&scratch);
    (scratch, config)
}

fn journal(config: &str, args: &[&str]) -> Ended {
    let ended = crate::support::sampan(&[&["journal"], args, &["--config", config]].concat());
    assert!(
        !ended.out.contains(PAN) && !ended.err.contains(PAN),
        "{ended:?}"
    );
    ended
}

#[test]
fn verify_counts_payments_by_state_and_key() {
    let (_scratch, config) = written();
    let ended = journal(&config, &["verify"]);
    let key = MasterKey::parse(KEY).unwrap().id();
    let told = format!(
        "payments 2\nstate approved 1\nstate reversing 1\nkey {key} 2 current\n\
         sound: every page and every record was read\n"
    );
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, told.as_str()),
        "{ended:?}"
    );
}

#[test]
fn a_list_is_of_those_that_meet_the_filters() {
    let (_scratch, config) = written();
    let listed = |args: &[&str]| {
        let ended = journal(&config, &[&["list"], args].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        let lines = ended.out.lines().skip(1);
        let ids = lines.map(|line| line.split_whitespace().nth(4).unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(listed(&[]), ["order-1", "order-2"]);
    assert_eq!(listed(&["--state", "reversing"]), ["order-2"]);
    assert_eq!(
        listed(&["--state", "reversing", "--state", "approved"]).len(),
        2
    );
    assert_eq!(listed(&["--client", "shop"]), ["order-1"]);
    assert_eq!(listed(&["--bank", "other"]), [""; 0]);
    assert_eq!(listed(&["--since", "2026-11-22"]).len(), 2);
    assert_eq!(listed(&["--since", "2026-11-22T00:00:01Z"]), [""; 0]);
    for wrong in [["--since", "yesterday"], ["--state", "lost"]] {
        assert_eq!(journal(&config, &["list", wrong[0], wrong[1]]).code, 64);
    }
}

#[test]
fn one_payment_is_shown_by_its_id_or_its_number_with_masked_elements() {
    let (_scratch, config) = written();
    let by_id = journal(&config, &["show", "order-2"]);
    assert_eq!(by_id.code, 0, "{by_id:?}");
    for line in [
        "state                   reversing",
        "request_de2             970436******1234",
        "reversal_reason         timeout",
        "reversal                0420",
        "reversal_de11           000124",
    ] {
        assert!(
            by_id.out.lines().any(|shown| shown == line),
            "{line} in {}",
            by_id.out
        );
    }
    let number = by_id
        .out
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap();
    assert_eq!(journal(&config, &["show", number]).out, by_id.out);
    let none = journal(&config, &["show", "order-3"]);
    assert_eq!((none.code, none.out.as_str()), (1, ""), "{none:?}");
}

#[test]
fn an_export_is_a_line_of_json_for_each_payment() {
    let (_scratch, config) = written();
    let ended = journal(&config, &["export"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let lines = ended
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    let number = lines[0]["number"].as_u64().unwrap();
    assert_eq!(
        lines,
        [
            json!({
                "number": number, "client": "shop", "payment_id": "order-1", "bank": "vietcom",
                "state": "approved", "began": "2026-11-22T00:00:00.000000Z",
                "settled": "2026-11-22T00:00:01.500000Z", "stan": "000123", "rrn": "632605000123",
                "amount_minor": 150_000, "currency": "VND", "response_code": "00",
                "late_response_code": null, "reversal": null,
            }),
            json!({
                "number": number + 1, "client": "kiosk", "payment_id": "order-2", "bank": "vietcom",
                "state": "reversing", "began": "2026-11-22T00:00:00.000000Z", "settled": null,
                "stan": "000123", "rrn": "632605000123", "amount_minor": 150_000,
                "currency": "VND", "response_code": null, "late_response_code": null,
                "reversal": {
                    "reason": "timeout", "stan": "000124", "attempts": 2, "response_code": "91",
                },
            }),
        ]
    );
}

#[test]
fn what_cannot_be_read_is_named_and_ends_in_1() {
    let scratch = Scratch::new();
    write(&settings(&scratch, OTHER_KEY));
    let config = configured(&scratch);
    let key = MasterKey::parse(OTHER_KEY).unwrap().id();
    for command in ["verify", "list", "export"] {
        let ended = journal(&config, &[command]);
        assert_eq!(ended.code, 1, "{ended:?}");
        let why = format!("sealed with key {key}, which is not configured");
        // The journal's own record and the two payments.
        assert_eq!(ended.err.matches(&why).count(), 3, "{ended:?}");
    }
}

#[test]
fn a_file_that_is_not_there_is_not_made() {
    let scratch = Scratch::new();
    let config = configured(&scratch);
    let ended = journal(&config, &["verify"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(!PathBuf::from(scratch.path("journal.redb")).exists());
    let without = scratch.write("none.toml", "");
    let ended = journal(&without, &["verify"]);
    assert_eq!(ended.code, 64, "{ended:?}");
    assert!(ended.err.contains("there is no [journal]"), "{}", ended.err);
}

#[test]
fn a_running_router_holds_its_journal_and_lets_go_of_it_at_its_end() {
    let (scratch, _) = written();
    let router = Router::start(&scratch, &(config(NOBODY, NOBODY) + &section(&scratch)));
    let path = scratch.path("sampan.toml");
    let ended = journal(&path, &["list"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended.err.contains("a running router holds its journal"),
        "{}",
        ended.err
    );
    let ready = router.ask(&["links"]);
    assert_eq!(ready.code, 0, "{ready:?}");
    router.signal("TERM");
    let (_, log) = router.end();
    assert!(!log.contains(PAN), "{log}");
    assert_eq!(journal(&path, &["verify"]).code, 0);
}

#[test]
fn a_router_whose_journal_has_a_record_of_an_unknown_key_does_not_start() {
    let scratch = Scratch::new();
    write(&settings(&scratch, OTHER_KEY));
    let path = scratch.write(
        "sampan.toml",
        &(config(NOBODY, NOBODY) + &section(&scratch)),
    );
    let ended = Command::output(&mut command(&["run", "--config", &path])).unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(
        told.contains("record 0 of ") && told.contains("previous_keys"),
        "{told}"
    );
}
