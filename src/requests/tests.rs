//! Request ids against the store they survive in.

use std::{collections::HashSet, sync::mpsc, time::Duration};

use bytes::Bytes;
use time::OffsetDateTime;

use super::*;
use crate::{
    message::{Acceptance, Body, MessageResult, TrafficClass, Transliteration},
    outcome::Reason,
    smpp::{Address, CommandStatus, Ton, text::Coding},
};

type Ids = RequestIds<u32>;

fn open(store: Option<Store>) -> Ids {
    let limits = Limits {
        ids_max: 4,
        retention_s: 60,
    };
    Ids::open(
        limits,
        Record::BeforeSending,
        store,
        RequestMetrics::unseen(),
    )
    .unwrap()
}

fn now() -> Now {
    Now {
        monotonic: std::time::Instant::now(),
        utc: OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap(),
    }
}

fn message(text: &str) -> Message {
    let destination = Address::international("84901234567").unwrap();
    Message {
        receipt: true,
        ..Message::new(destination, Body::text(text))
    }
}

fn outcome(result: MessageResult) -> MessageOutcome {
    MessageOutcome {
        result,
        smsc: Some("viettel".into()),
        parts: 1,
        parts_accepted: Vec::new(),
        attempts: 1,
        repeated: false,
    }
}

fn accepted() -> MessageOutcome {
    let id = Bytes::from_static(b"4F2A");
    outcome(MessageResult::Accepted(Acceptance::Id(id)))
}

fn repeated(outcome: MessageOutcome) -> Begun {
    Begun::Repeated(MessageOutcome {
        repeated: true,
        ..outcome
    })
}

fn begin(ids: &Ids, at: Now, id: &str, text: &str) -> (Begun, Vec<Change>) {
    let mut open = ids.open_batch(at);
    let name = ids.names(&ClientName::parse("shop").unwrap())(id);
    let begun = open.begin(name, &message(text));
    let mut changes = Vec::new();
    open.end(&mut changes);
    (begun, changes)
}

fn new(ids: &Ids, at: Now, id: &str) -> (IdHandle, Vec<Change>) {
    match begin(ids, at, id, "hello") {
        (Begun::New(handle), changes) => (handle, changes),
        (other, _) => panic!("{other:?}"),
    }
}

fn end(ids: &Ids, at: Now, id: IdHandle, outcome: &MessageOutcome) -> (Vec<u32>, Vec<Change>) {
    let mut open = ids.open_batch(at);
    let joiners = open.finish(id, outcome);
    let mut changes = Vec::new();
    open.end(&mut changes);
    (joiners, changes)
}

fn commit(store: &Store, changes: Vec<Change>) {
    let (done, committed) = mpsc::channel();
    store.write(
        changes,
        Box::new(move |written| done.send(written).unwrap()),
    );
    committed.recv().unwrap().unwrap();
}

#[test]
fn a_request_that_was_accepted_gets_its_first_outcome_again() {
    let (ids, now) = (open(None), now());
    let (handle, _) = new(&ids, now, "order-1");
    end(&ids, now, handle, &accepted());
    let (again, _) = begin(&ids, now, "order-1", "hello");
    assert_eq!(again, repeated(accepted()));
}

#[test]
fn an_id_is_free_again_when_its_outcome_said_that_a_retry_is_safe() {
    let (ids, now) = (open(None), now());
    let throttled = outcome(MessageResult::Rejected {
        status: CommandStatus::ESME_RTHROTTLED,
        temporary: true,
    });
    for safe in [MessageOutcome::not_sent(Reason::NoLink, "down"), throttled] {
        let (handle, _) = new(&ids, now, "order-1");
        end(&ids, now, handle, &safe);
    }
    new(&ids, now, "order-1");
}

#[test]
fn a_permanent_rejection_and_an_unknown_end_are_kept() {
    let (ids, now) = (open(None), now());
    let refused = outcome(MessageResult::Rejected {
        status: CommandStatus(0x0b),
        temporary: false,
    });
    let unknown = outcome(MessageResult::Unknown {
        reason: Reason::Timeout,
        detail: "no answer".into(),
    });
    for (id, kept) in [("order-1", refused), ("order-2", unknown)] {
        let (handle, _) = new(&ids, now, id);
        end(&ids, now, handle, &kept);
        let (again, _) = begin(&ids, now, id, "hello");
        assert_eq!(again, repeated(kept));
    }
}

#[test]
fn the_same_id_with_another_body_is_refused_and_of_another_client_is_another_id() {
    let (ids, now) = (open(None), now());
    let (handle, _) = new(&ids, now, "order-1");
    assert_eq!(begin(&ids, now, "order-1", "other").0, Begun::Reused);
    end(&ids, now, handle, &accepted());
    assert_eq!(begin(&ids, now, "order-1", "other").0, Begun::Reused);
    let mut open = ids.open_batch(now);
    let other = ClientName::parse("bank").unwrap();
    let begun = open.begin(ids.names(&other)("order-1"), &message("hello"));
    assert!(matches!(begun, Begun::New(_)));
}

#[test]
fn who_asks_while_it_is_in_flight_waits_for_the_same_outcome_and_not_too_many_may() {
    let (ids, now) = (open(None), now());
    let (handle, _) = new(&ids, now, "order-1");
    let (begun, _) = begin(&ids, now, "order-1", "hello");
    assert_eq!(begun, Begun::InFlight(handle));
    let joiners = 0..JOINERS_MAX as u32;
    for joiner in joiners.clone() {
        assert_eq!(ids.open_batch(now).join(handle, joiner), Ok(()));
    }
    assert_eq!(ids.open_batch(now).join(handle, 99), Err(99));
    let (told, _) = end(&ids, now, handle, &accepted());
    assert_eq!(told, joiners.collect::<Vec<_>>());
}

#[test]
fn an_id_is_forgotten_after_its_retention() {
    let (ids, start) = (open(None), now());
    let (handle, _) = new(&ids, start, "order-1");
    end(&ids, start, handle, &accepted());
    let at = |s| Now {
        utc: start.utc + Duration::from_secs(s),
        ..start
    };
    assert_eq!(
        begin(&ids, at(59), "order-1", "hello").0,
        repeated(accepted())
    );
    new(&ids, at(60), "order-1");
}

#[test]
fn ids_are_bounded_the_oldest_outcome_goes_first_and_what_is_in_flight_stays() {
    let (ids, now) = (open(None), now());
    let (first, _) = new(&ids, now, "in-flight");
    for n in 0..5 {
        let (handle, _) = new(&ids, now, &format!("order-{n}"));
        end(&ids, now, handle, &accepted());
    }
    assert_eq!(
        begin(&ids, now, "in-flight", "hello").0,
        Begun::InFlight(first)
    );
    assert_eq!(begin(&ids, now, "order-4", "hello").0, repeated(accepted()));
    for n in 0..3 {
        new(&ids, now, &format!("open-{n}"));
    }
    assert_eq!(begin(&ids, now, "one-more", "hello").0, Begun::Full);
}

#[test]
fn after_a_restart_the_first_outcome_is_told_and_what_had_none_is_unknown() {
    let (store, now) = (Store::in_memory(), now());
    let ids = open(Some(store.clone()));
    let (ended, intent) = new(&ids, now, "ended");
    commit(&store, intent);
    let (_, kept) = end(&ids, now, ended, &accepted());
    commit(&store, kept);
    let (_, intent) = new(&ids, now, "cut-off");
    commit(&store, intent);
    let (released, intent) = new(&ids, now, "released");
    commit(&store, intent);
    let not_sent = MessageOutcome::not_sent(Reason::NoLink, "down");
    let (_, removed) = end(&ids, now, released, &not_sent);
    commit(&store, removed);
    drop(ids);

    let ids = open(Some(store));
    assert_eq!(begin(&ids, now, "ended", "hello").0, repeated(accepted()));
    assert_eq!(begin(&ids, now, "ended", "other").0, Begun::Reused);
    let (cut_off, _) = begin(&ids, now, "cut-off", "hello");
    let Begun::Repeated(outcome) = cut_off else {
        panic!("{cut_off:?}");
    };
    assert!(matches!(outcome.result, MessageResult::Unknown { .. }));
    assert!(outcome.repeated && !outcome.retry_is_safe());
    new(&ids, now, "released");
}

#[test]
fn a_change_of_any_field_that_is_sent_changes_the_fingerprint() {
    let key = DigestKey::random();
    let first = message("hello");
    let changed = [
        Message {
            receipt: false,
            ..first.clone()
        },
        Message {
            validity_s: 1,
            ..first.clone()
        },
        Message {
            schedule_s: 1,
            ..first.clone()
        },
        Message {
            route: "otp".into(),
            ..first.clone()
        },
        Message {
            priority: 1,
            ..first.clone()
        },
        Message {
            protocol_id: 1,
            ..first.clone()
        },
        Message {
            source: Some(first.destination),
            ..first.clone()
        },
        Message {
            tlvs: vec![(1, Bytes::from_static(b"1"))],
            ..first.clone()
        },
        Message {
            service_type: "otp".parse().unwrap(),
            ..first.clone()
        },
        Message {
            transliteration: Transliteration::On,
            ..first.clone()
        },
        Message {
            destination: Address::international("84901234568").unwrap(),
            ..first.clone()
        },
        Message {
            destination: Address::of("84901234567", Some(Ton::NATIONAL), None).unwrap(),
            ..first.clone()
        },
        Message {
            body: Body::Text {
                text: "hello".into(),
                coding: Coding::Ucs2,
            },
            ..first.clone()
        },
        Message {
            body: Body::Binary {
                data: Bytes::from_static(b"hello"),
                data_coding: 0,
                has_user_data_header: false,
            },
            ..first.clone()
        },
        message("hello!"),
        message("hello\0"),
        message(""),
    ];
    let own = fingerprint(key, &first);
    assert_eq!(own, fingerprint(key, &first.clone()));
    let mut all = HashSet::from([own]);
    for changed in changed {
        assert!(all.insert(fingerprint(key, &changed)), "{changed:?}");
    }
    let urgent = Message {
        class: TrafficClass::Urgent,
        ..first
    };
    assert_eq!(own, fingerprint(key, &urgent));
}
