//! Receipts against the store they survive in, and any order of what may happen.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    sync::mpsc,
    time::Duration,
};

use proptest::prelude::*;
use time::OffsetDateTime;

use super::*;

const HOLD: Duration = Duration::from_secs(30);
const DELIVERED: u8 = 2;
const ENROUTE: u8 = 1;
const EXPIRED: u8 = 3;
const TO: &[u8] = b"84901234567";

fn limits() -> Limits {
    Limits {
        pending_max: 100,
        retention_s: 3_600,
        ended_retention_s: 60,
        early_hold: HOLD,
        refusals_max: 3,
    }
}

fn open(limits: Limits, rules: SmscReceipts, store: Option<Store>) -> Receipts {
    let smscs = ["viettel", "viettel-rx", "mobifone"].map(|smsc| (smsc.into(), rules.clone()));
    Receipts::open(
        limits,
        Record::BeforeAnswer,
        smscs,
        store,
        ReceiptMetrics::unseen(),
    )
    .unwrap()
}

fn plain() -> Receipts {
    open(limits(), SmscReceipts::default(), None)
}

fn now() -> Now {
    Now {
        monotonic: Instant::now(),
        utc: OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap(),
    }
}

fn later(now: Now, by: Duration) -> Now {
    Now {
        monotonic: now.monotonic + by,
        utc: now.utc + by,
    }
}

fn expect(
    receipts: &Receipts,
    now: Now,
    smsc: &str,
    id: &str,
    message_ids: &[&str],
) -> Vec<Change> {
    let message_ids: Vec<Bytes> = message_ids
        .iter()
        .map(|id| Bytes::copy_from_slice(id.as_bytes()))
        .collect();
    let mut expecting = receipts.expecting(now, smsc);
    expecting.expect(&Expected {
        client: &ClientName::parse("shop").unwrap(),
        id,
        destination: TO,
        message_ids: &message_ids,
    });
    let mut changes = Vec::new();
    expecting.end(&mut changes);
    changes
}

/// A part of a request to viettel has got its id late.
fn expect_late(
    receipts: &Receipts,
    now: Now,
    (id, part): (&str, usize),
    message_ids: &[&str],
) -> Vec<Change> {
    let ids = message_ids.iter().map(|id| id.as_bytes().to_vec().into());
    let mut expecting = receipts.expecting(now, "viettel");
    let expected = Expected {
        client: &ClientName::parse("shop").unwrap(),
        id,
        destination: TO,
        message_ids: &ids.collect::<Vec<_>>(),
    };
    expecting.expect_late(&expected, part);
    let mut changes = Vec::new();
    expecting.end(&mut changes);
    changes
}

fn ask(receipts: &Receipts, at: Now, smsc: &str, message_id: &str, state: u8) -> Correlation {
    ask_from(receipts, at, smsc, (message_id, state), TO)
}

fn ask_from(
    receipts: &Receipts,
    at: Now,
    smsc: &str,
    (message_id, message_state): (&str, u8),
    source: &[u8],
) -> Correlation {
    let asked = Asked {
        smsc,
        message_id: message_id.as_bytes(),
        message_state,
        source,
    };
    receipts.correlate(at.monotonic, &asked)
}

/// The request, part, parts and whole state of a receipt, which is then durable.
fn told(receipts: &Receipts, at: Now, smsc: &str, id: &str, state: u8) -> (String, u8, u8, u8) {
    match ask(receipts, at, smsc, id, state) {
        Correlation::Known(known) => {
            receipts.settle(at, [known.mark], true);
            let id = known.id.as_ref().to_owned();
            (id, known.part, known.parts, known.whole_state)
        }
        other => panic!("{other:?}"),
    }
}

/// Waits until everything that was written before is committed.
fn commit(store: &Store, changes: Vec<Change>) {
    let (done, committed) = mpsc::channel();
    store.write(
        changes,
        Box::new(move |written| done.send(written).unwrap()),
    );
    committed.recv().unwrap().unwrap();
}

#[test]
fn a_receipt_finds_its_request_over_any_bind_of_its_account_and_over_no_other() {
    let rules = SmscReceipts {
        account: Some("viettel".into()),
        ..SmscReceipts::default()
    };
    let smscs = [
        ("viettel".into(), SmscReceipts::default()),
        ("viettel-rx".into(), rules),
        ("mobifone".into(), SmscReceipts::default()),
    ];
    let unseen = ReceiptMetrics::unseen();
    let receipts = Receipts::open(limits(), Record::Behind, smscs, None, unseen).unwrap();
    let now = now();
    expect(&receipts, now, "viettel", "order-1", &["4F2A"]);
    assert_eq!(
        ask(&receipts, now, "mobifone", "4F2A", DELIVERED),
        Correlation::Refuse
    );
    assert_eq!(
        told(&receipts, now, "viettel-rx", "4F2A", DELIVERED),
        ("order-1".into(), 1, 1, DELIVERED)
    );
}

#[test]
fn every_part_has_its_receipt_and_the_whole_is_delivered_with_the_last_one() {
    let (receipts, now) = (plain(), now());
    expect(&receipts, now, "viettel", "long", &["a", "b", "c"]);
    let part = |id, state| told(&receipts, now, "viettel", id, state);
    assert_eq!(part("b", ENROUTE), ("long".into(), 2, 3, ENROUTE));
    assert_eq!(part("b", DELIVERED), ("long".into(), 2, 3, ENROUTE));
    assert_eq!(part("c", DELIVERED), ("long".into(), 3, 3, ENROUTE));
    assert_eq!(part("a", DELIVERED), ("long".into(), 1, 3, DELIVERED));
}

#[test]
fn the_whole_has_failed_as_soon_as_one_part_has() {
    let (receipts, now) = (plain(), now());
    expect(&receipts, now, "viettel", "long", &["a", "b"]);
    let part = |id, state| told(&receipts, now, "viettel", id, state).3;
    assert_eq!(part("a", EXPIRED), EXPIRED);
    assert_eq!(part("b", DELIVERED), EXPIRED);
    // A late handset got it after all.
    assert_eq!(part("a", DELIVERED), DELIVERED);
}

#[test]
fn parts_whose_events_are_on_their_way_into_the_store_count_for_the_whole() {
    let (receipts, now) = (plain(), now());
    expect(&receipts, now, "viettel", "long", &["a", "b"]);
    let whole = |id| match ask(&receipts, now, "viettel", id, DELIVERED) {
        Correlation::Known(known) => known.whole_state,
        other => panic!("{other:?}"),
    };
    assert_eq!(whole("a"), ENROUTE);
    assert_eq!(whole("b"), DELIVERED);
}

#[test]
fn a_repeated_receipt_is_told_once() {
    let (receipts, now) = (plain(), now());
    expect(&receipts, now, "viettel", "order-1", &["4F2A"]);
    told(&receipts, now, "viettel", "4F2A", DELIVERED);
    for state in [DELIVERED, ENROUTE, EXPIRED] {
        let again = ask(&receipts, now, "viettel", "4F2A", state);
        assert_eq!(again, Correlation::Repeated, "{state}");
    }
}

#[test]
fn a_repeat_waits_for_the_event_before_it_and_is_told_if_that_was_lost() {
    let (receipts, now) = (plain(), now());
    expect(&receipts, now, "viettel", "order-1", &["4F2A"]);
    let Correlation::Known(first) = ask(&receipts, now, "viettel", "4F2A", DELIVERED) else {
        panic!("not known");
    };
    let again = || ask(&receipts, now, "viettel", "4F2A", DELIVERED);
    assert_eq!(again(), Correlation::Hold);
    receipts.settle(now, [first.mark], false);
    assert!(matches!(again(), Correlation::Known(_)));
}

#[test]
fn an_early_receipt_is_held_and_found_as_soon_as_its_submit_sm_resp_is_there() {
    let (receipts, now) = (plain(), now());
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    receipts.wake_with(Arc::new(move || {
        count.fetch_add(1, Relaxed);
    }));
    let _on_its_way = receipts.on_its_way("viettel");
    let asked = || ask(&receipts, now, "viettel", "4F2A", DELIVERED);
    assert_eq!(asked(), Correlation::Hold);
    assert_eq!(asked(), Correlation::Hold);
    expect(&receipts, now, "viettel", "order-1", &["0001"]);
    assert_eq!(woken.load(Relaxed), 0);
    expect(&receipts, now, "viettel", "order-2", &["4F2A"]);
    assert_eq!(woken.load(Relaxed), 1);
    assert!(matches!(asked(), Correlation::Known(known) if &*known.id == "order-2"));
}

#[test]
fn an_unknown_receipt_is_held_then_refused_three_times_then_taken_without_a_request() {
    let (receipts, now) = (plain(), now());
    let _on_its_way = receipts.on_its_way("viettel");
    let at = |s| later(now, Duration::from_secs(s));
    let asked = |s| ask(&receipts, at(s), "viettel", "4F2A", DELIVERED);
    assert_eq!(asked(0), Correlation::Hold);
    assert_eq!(asked(29), Correlation::Hold);
    for s in [30, 31, 40] {
        assert_eq!(asked(s), Correlation::Refuse, "{s}");
    }
    for s in [41, 42, 100] {
        assert_eq!(asked(s), Correlation::Unknown, "{s}");
    }
}

#[test]
fn an_unknown_receipt_is_held_only_while_a_message_of_its_account_is_on_its_way() {
    let rules = SmscReceipts {
        account: Some("viettel".into()),
        ..SmscReceipts::default()
    };
    let smscs = [
        ("viettel".into(), SmscReceipts::default()),
        ("viettel-rx".into(), rules),
        ("mobifone".into(), SmscReceipts::default()),
    ];
    let unseen = ReceiptMetrics::unseen();
    let receipts = Receipts::open(limits(), Record::Behind, smscs, None, unseen).unwrap();
    let now = now();
    let asked = |smsc: &str, id: &str| ask(&receipts, now, smsc, id, DELIVERED);
    assert_eq!(asked("viettel-rx", "before"), Correlation::Refuse);
    let first = receipts.on_its_way("viettel");
    let second = receipts.on_its_way("viettel-rx");
    assert_eq!(asked("viettel-rx", "during"), Correlation::Hold);
    assert_eq!(asked("mobifone", "during"), Correlation::Refuse);
    drop(first);
    assert_eq!(asked("viettel", "during"), Correlation::Hold);
    drop(second);
    // No answer is to come that could make it known.
    assert_eq!(asked("viettel", "during"), Correlation::Refuse);
    assert_eq!(asked("viettel", "after"), Correlation::Refuse);
}

#[test]
fn without_refusals_an_unknown_receipt_is_taken_at_once_where_no_message_is_on_its_way() {
    let refusals_max = 0;
    let limits = Limits {
        refusals_max,
        ..limits()
    };
    let (receipts, now) = (open(limits, SmscReceipts::default(), None), now());
    let asked = |id: &str| ask(&receipts, now, "viettel", id, DELIVERED);
    assert_eq!(asked("4F2A"), Correlation::Unknown);
    assert_eq!(lock(&receipts.table).held(), 0);
    let _on_its_way = receipts.on_its_way("viettel");
    assert_eq!(asked("4F2A"), Correlation::Hold);
}

#[test]
fn a_message_that_timed_out_has_receipts_held_for_the_time_of_a_hold() {
    let (receipts, now) = (plain(), now());
    receipts.timed_out(now.monotonic, "viettel");
    let at = |s| later(now, Duration::from_secs(s));
    let asked = |s, id: &str| ask(&receipts, at(s), "viettel", id, DELIVERED);
    assert_eq!(asked(20, "soon"), Correlation::Hold);
    assert_eq!(asked(29, "soon"), Correlation::Hold);
    assert_eq!(asked(30, "soon"), Correlation::Refuse);
    assert_eq!(asked(30, "late"), Correlation::Refuse);
}

#[test]
fn a_part_that_was_accepted_late_joins_the_others_of_its_message() {
    let (store, now) = (Store::in_memory(), now());
    let open = || open(limits(), SmscReceipts::default(), Some(store.clone()));
    let receipts = open();
    let changes = expect(&receipts, now, "viettel", "long", &["a", "", "c"]);
    commit(&store, changes);
    told(&receipts, now, "viettel", "a", DELIVERED);
    let changes = expect_late(&receipts, now, ("long", 1), &["a", "b", "c"]);
    commit(&store, changes);
    assert_eq!(
        told(&receipts, now, "viettel", "c", DELIVERED),
        ("long".into(), 3, 3, ENROUTE)
    );
    commit(&store, Vec::new());
    drop(receipts);
    // After a restart too.
    let receipts = open();
    assert_eq!(
        told(&receipts, now, "viettel", "b", DELIVERED),
        ("long".into(), 2, 3, DELIVERED)
    );
}

#[test]
fn a_part_that_was_accepted_late_is_awaited_by_itself_where_no_other_part_has_an_id() {
    let (receipts, now) = (plain(), now());
    // The other message happens to have an id that the first one never got.
    expect(&receipts, now, "viettel", "other", &["x"]);
    expect_late(&receipts, now, ("long", 1), &["x", "b", ""]);
    assert_eq!(
        told(&receipts, now, "viettel", "b", DELIVERED),
        ("long".into(), 2, 3, ENROUTE)
    );
    expect_late(&receipts, now, ("whole", 0), &["w"]);
    assert_eq!(
        told(&receipts, now, "viettel", "w", DELIVERED),
        ("whole".into(), 1, 1, DELIVERED)
    );
}

#[test]
fn a_receipt_that_was_earlier_than_a_late_answer_is_found_by_it() {
    let (receipts, now) = (plain(), now());
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    receipts.wake_with(Arc::new(move || {
        count.fetch_add(1, Relaxed);
    }));
    expect(&receipts, now, "viettel", "long", &["a", ""]);
    receipts.timed_out(now.monotonic, "viettel");
    let asked = || ask(&receipts, now, "viettel", "b", DELIVERED);
    assert_eq!(asked(), Correlation::Hold);
    expect_late(&receipts, now, ("long", 1), &["a", "b"]);
    assert_eq!(woken.load(Relaxed), 1);
    assert!(matches!(asked(), Correlation::Known(known) if known.part == 2));
}

#[test]
fn strangers_cannot_fill_the_memory() {
    let (receipts, now) = (plain(), now());
    for n in 0..EARLY_MAX + 10 {
        ask(&receipts, now, "viettel", &format!("x{n}"), DELIVERED);
    }
    let table = lock(&receipts.table);
    assert_eq!(table.held(), EARLY_MAX);
}

#[test]
fn a_receipt_without_an_id_is_handed_over_without_a_request() {
    let (receipts, now) = (plain(), now());
    expect(&receipts, now, "viettel", "order-1", &["0000"]);
    for id in ["", "0000"] {
        let found = ask(&receipts, now, "viettel", id, DELIVERED);
        assert_eq!(found, Correlation::Unknown, "{id:?}");
    }
}

#[test]
fn a_receipt_from_another_number_is_refused_where_numbers_must_match() {
    let strict = SmscReceipts {
        numbers_must_match: true,
        ..SmscReceipts::default()
    };
    for (rules, is_refused) in [(strict, true), (SmscReceipts::default(), false)] {
        let (receipts, now) = (open(limits(), rules, None), now());
        expect(&receipts, now, "viettel", "order-1", &["4F2A"]);
        let from = |number: &[u8]| ask_from(&receipts, now, "viettel", ("4F2A", ENROUTE), number);
        let forged = from(b"84907654321");
        assert_eq!(forged == Correlation::Forged, is_refused);
        if is_refused {
            assert!(matches!(from(b"0901234567"), Correlation::Known(_)));
        }
    }
}

#[test]
fn ids_in_hex_find_receipts_in_decimal_where_that_is_configured() {
    let rules = SmscReceipts {
        ids: IdRules {
            submit: IdFormat::Hex,
            receipt: IdFormat::Decimal,
            ..IdRules::default()
        },
        ..SmscReceipts::default()
    };
    let (receipts, now) = (open(limits(), rules, None), now());
    expect(&receipts, now, "viettel", "order-1", &["39f99dd5"]);
    let found = told(&receipts, now, "viettel", "0972660181", DELIVERED);
    assert_eq!(found.0, "order-1");
}

#[test]
fn what_is_kept_is_bounded_and_what_has_ended_goes_first() {
    let (receipts, now) = (plain(), now());
    expect(&receipts, now, "viettel", "oldest", &["oldest"]);
    expect(&receipts, now, "viettel", "ended", &["ended"]);
    told(&receipts, now, "viettel", "ended", DELIVERED);
    for n in 0..99 {
        expect(&receipts, now, "viettel", "next", &[&format!("n{n}")]);
    }
    assert_eq!(lock(&receipts.table).counts(), (100, 100));
    let is_known = |id| matches!(ask(&receipts, now, "viettel", id, 1), Correlation::Known(_));
    assert!(is_known("oldest"));
    assert!(!is_known("ended"));
    expect(&receipts, now, "viettel", "last", &["last"]);
    assert!(!is_known("oldest"));
    assert_eq!(lock(&receipts.table).evicted.awaited, 1);
}

#[test]
fn what_is_too_old_is_forgotten_and_what_was_told_before_what_is_awaited() {
    let (receipts, now) = (plain(), now());
    expect(&receipts, now, "viettel", "told", &["told"]);
    expect(&receipts, now, "viettel", "awaited", &["awaited"]);
    told(&receipts, now, "viettel", "told", DELIVERED);
    let kept_at = |s| {
        receipts.keep_house(later(now, Duration::from_secs(s)));
        lock(&receipts.table).counts().0
    };
    assert_eq!(kept_at(59), 2);
    assert_eq!(kept_at(60), 1);
    assert_eq!(kept_at(3_599), 1);
    assert_eq!(kept_at(3_600), 0);
}

#[test]
fn an_id_that_is_given_again_means_the_newer_message() {
    let (receipts, now) = (plain(), now());
    expect(&receipts, now, "viettel", "older", &["4F2A"]);
    expect(&receipts, now, "viettel", "newer", &["4F2A"]);
    let found = told(&receipts, now, "viettel", "4F2A", DELIVERED);
    assert_eq!(found.0, "newer");
}

#[test]
fn after_a_restart_a_receipt_finds_its_request_and_a_repeat_is_known() {
    let (store, now) = (Store::in_memory(), now());
    let open = || open(limits(), SmscReceipts::default(), Some(store.clone()));
    let receipts = open();
    let changes = expect(&receipts, now, "viettel", "long", &["a", "b"]);
    commit(&store, changes);
    told(&receipts, now, "viettel", "a", DELIVERED);
    commit(&store, Vec::new());
    drop(receipts);
    let receipts = open();
    assert_eq!(
        ask(&receipts, now, "viettel", "a", DELIVERED),
        Correlation::Repeated
    );
    assert_eq!(
        told(&receipts, now, "viettel", "b", DELIVERED),
        ("long".into(), 2, 2, DELIVERED)
    );
}

#[test]
fn what_was_forgotten_is_gone_from_the_store_too() {
    let (store, now) = (Store::in_memory(), now());
    let receipts = open(limits(), SmscReceipts::default(), Some(store.clone()));
    let changes = expect(&receipts, now, "viettel", "order-1", &["a"]);
    commit(&store, changes);
    receipts.keep_house(later(now, Duration::from_secs(3_600)));
    commit(&store, Vec::new());
    let mut numbers = Vec::new();
    let each = &mut |number, _: &[u8]| numbers.push(number);
    store.load(store::Table::Receipts, each).unwrap();
    assert_eq!(numbers, [store::rows::KEY_NUMBER]);
}

#[derive(Clone, Debug)]
enum Step {
    /// submit_sm_resp of a message.
    Accept,
    /// A receipt of a part, and whether its event becomes durable.
    Receipt(u8, u8, bool),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Accept),
        8 => (0..3_u8, prop::sample::select(vec![1_u8, 2, 3, 6]), any::<bool>())
            .prop_map(|(part, state, durable)| Step::Receipt(part, state, durable)),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the order of submit_sm_resp, receipts, repeats, failures of the store and restarts:
    /// no state of a part is told twice once it is durable, none goes back, and each that is
    /// further than the one before is told.
    #[test]
    fn each_step_of_each_part_is_told_once(steps in prop::collection::vec(step(), 1..40)) {
        let (store, now) = (Store::in_memory(), now());
        let ids = ["a", "b", "c"];
        let rank = |state: u8| match state { 1 => 1, 6 => 2, 3 => 3, 2 => 4, _ => 0 };
        let mut receipts = open(limits(), SmscReceipts::default(), Some(store.clone()));
        let mut on_its_way = receipts.on_its_way("viettel");
        let mut accepted = false;
        let mut told = [0_u8; 3];
        for step in steps {
            match step {
                Step::Accept if !accepted => {
                    commit(&store, expect(&receipts, now, "viettel", "long", &ids));
                    accepted = true;
                    drop(on_its_way.take());
                }
                Step::Accept => {}
                Step::Restart => {
                    commit(&store, Vec::new());
                    receipts = open(limits(), SmscReceipts::default(), Some(store.clone()));
                    on_its_way = receipts.on_its_way("viettel").filter(|_| !accepted);
                }
                Step::Receipt(part, state, durable) => {
                    let at = usize::from(part);
                    let found = ask(&receipts, now, "viettel", ids[at], state);
                    if !accepted {
                        prop_assert_eq!(found, Correlation::Hold);
                    } else if rank(state) > rank(told[at]) {
                        let Correlation::Known(known) = found else {
                            return Err(TestCaseError::fail(format!("{found:?}")));
                        };
                        prop_assert_eq!((known.part, known.parts), (part + 1, 3));
                        receipts.settle(now, [known.mark], durable);
                        if durable {
                            told[at] = state;
                        }
                    } else {
                        prop_assert_eq!(found, Correlation::Repeated);
                    }
                }
            }
        }
    }
}
