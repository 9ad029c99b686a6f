//! What users of gateways complain of most, each complaint as a test of its name: see docs/SMPP.md.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use loadtest::{
    fault::{DelayMs, Timing, Trigger},
    smsc::{
        Delivering, IdFormat, Mo, Smsc, SmscBehaviour, scenario::Scenario, scripted::ScriptedSmsc,
    },
};
use sampan::{
    rpc::proto::{
        Event, MessageState, Outcome, Reason, Receipt, SubmitRequest, event::Kind,
        submit_request::Body,
    },
    smpp::session::Sequence,
    status::LinkState,
    window::{Refused, Ring, Window},
};

use crate::support::{
    Router, Setup, Subscriber, assert_messages_agree, eventually, message, soon, submit, submit_all,
};

async fn router_for(smsc: &Smsc, keys: &str) -> Router {
    Setup::new("")
        .smsc("viettel", smsc, keys)
        .message_route(&["viettel"])
        .start_up()
        .await
}

/// An SMSC that plays a scenario of `loadtest/scenarios/smsc/`, and a router bound to it.
async fn playing(name: &str) -> (ScriptedSmsc, Router) {
    let mut all = Scenario::all().unwrap();
    all.retain(|scenario| scenario.name == name);
    let scenario = all.remove(0);
    let keys = scenario.router.clone();
    let smsc = ScriptedSmsc::start(scenario).await.unwrap();
    let router = Setup::new("")
        .smsc_at("viettel", smsc.address(), &keys)
        .message_route(&["viettel"])
        .start_up()
        .await;
    (smsc, router)
}

fn with_receipts(numbers: std::ops::Range<usize>) -> Vec<SubmitRequest> {
    let wanted = |number| SubmitRequest {
        receipt: true,
        ..message(number)
    };
    numbers.map(wanted).collect()
}

fn long(number: usize, receipt: bool) -> SubmitRequest {
    SubmitRequest {
        body: Some(Body::Text("sampan ".repeat(60))),
        receipt,
        ..message(number)
    }
}

fn receipts(events: Vec<Event>) -> Vec<Receipt> {
    let receipt = |event: Event| match event.kind {
        Some(Kind::Receipt(receipt)) => receipt,
        _ => panic!("not a receipt"),
    };
    events.into_iter().map(receipt).collect()
}

#[tokio::test]
async fn throughput_is_not_stuck_at_one_request_per_round_trip() {
    let (round_trip, messages) = (Duration::from_millis(50), 200);
    let smsc = Smsc::start(SmscBehaviour {
        timing: Timing {
            delay: DelayMs::fixed(50),
            ..Timing::default()
        },
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = router_for(&smsc, "window = 100").await;
    let began = Instant::now();
    let told = submit_all(router.messaging(), (0..messages).map(message).collect()).await;
    let took = began.elapsed();
    assert!(told.values().all(|own| own.outcome() == Outcome::Accepted));
    // Two windows' worth need two round trips; one after the other would take two hundred.
    assert!(took < round_trip * messages as u32 / 4, "it took {took:?}");
}

/// Sends fifty messages that ask for receipts to an SMSC that writes ids in these ways, over two binds;
/// gives the requests' ids, and those that the receipts named, both in order.
async fn named_in_receipts(
    given: IdFormat,
    told: IdFormat,
    keys: &str,
    sections: &str,
) -> (Vec<String>, Vec<String>) {
    let smsc = Smsc::start(SmscBehaviour {
        message_ids: given,
        delivering: Delivering {
            delay: DelayMs::fixed(5),
            receipt_ids: told,
            receipt_tlvs: false,
            ..Delivering::default()
        },
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = Setup::new(sections)
        .smsc("viettel", &smsc, &format!("binds = 2\n{keys}"))
        .message_route(&["viettel"])
        .start_up()
        .await;
    let subscriber = Subscriber::new(router.messaging()).await;
    let requests = with_receipts(0..50);
    let mut wanted: Vec<String> = requests.iter().map(|own| own.request_id.clone()).collect();
    submit_all(router.messaging(), requests).await;
    eventually("every receipt came", async || {
        subscriber.events("viettel").len() >= 50
    })
    .await;
    let mut found: Vec<String> = receipts(subscriber.events("viettel"))
        .into_iter()
        .map(|receipt| receipt.request_id)
        .collect();
    found.sort();
    wanted.sort();
    (wanted, found)
}

#[tokio::test]
async fn receipts_find_their_message_whatever_zeros_case_or_base_the_id_has() {
    use IdFormat::{Decimal, Hex, Padded, UpperHex};
    let decimal = "submit_id_format = \"decimal\"\nreceipt_id_format = \"decimal\"";
    let hex = "submit_id_format = \"hex\"\nreceipt_id_format = \"hex\"";
    let hex_then_decimal = "submit_id_format = \"hex\"\nreceipt_id_format = \"decimal\"";
    let decimal_then_hex = "submit_id_format = \"decimal\"\nreceipt_id_format = \"hex\"";
    for (given, told, keys) in [
        (Decimal, Decimal, ""),
        (Decimal, Padded, decimal),
        (Padded, Decimal, decimal),
        (Decimal, Padded, "receipt_id_ignore_zeros = true"),
        (Hex, UpperHex, hex),
        (Hex, UpperHex, "receipt_id_ignore_case = true"),
        (UpperHex, Decimal, hex_then_decimal),
        (Hex, Padded, hex_then_decimal),
        (Decimal, UpperHex, decimal_then_hex),
    ] {
        let (wanted, found) = named_in_receipts(given, told, keys, "").await;
        assert_eq!(
            found, wanted,
            "{given:?} in responses, {told:?} in receipts"
        );
    }
}

#[tokio::test]
async fn an_id_in_another_spelling_is_no_other_messages_id_unless_that_is_configured() {
    let at_once = "[receipts]\nearly_hold_ms = 0\nrefusals_max = 0";
    let (_, found) = named_in_receipts(IdFormat::Decimal, IdFormat::Padded, "", at_once).await;
    assert_eq!(found, vec![String::new(); 50]);
}

#[tokio::test]
async fn every_parts_receipt_counts_and_the_whole_has_one_state() {
    // The SMSC cannot deliver the first part that it takes; the receipts of the others come after it.
    let smsc = Smsc::start(SmscBehaviour {
        delivering: Delivering {
            delay: DelayMs::fixed(5),
            undeliverable: Trigger::First(1),
            ..Delivering::default()
        },
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = router_for(&smsc, "binds = 2").await;
    let subscriber = Subscriber::new(router.messaging()).await;
    for (number, whole) in [
        (1, MessageState::Undeliverable),
        (2, MessageState::Delivered),
    ] {
        let request = long(number, true);
        let accepted = submit(&router.messaging(), request.clone()).await;
        assert_eq!((accepted.outcome(), accepted.parts), (Outcome::Accepted, 3));
        let own = || {
            let mut own = receipts(subscriber.events("viettel"));
            own.retain(|receipt| receipt.request_id == request.request_id);
            own
        };
        eventually("a receipt for each part", async || own().len() == 3).await;
        let mut parts: Vec<_> = own().iter().map(|own| (own.part, own.parts)).collect();
        parts.sort_unstable();
        assert_eq!(parts, [(1, 3), (2, 3), (3, 3)]);
        let told: Vec<MessageState> = own().iter().map(Receipt::whole_state).collect();
        // One receipt decides the whole, and none that comes later takes it back.
        let decided = told.iter().position(|state| *state == whole).unwrap();
        assert!(
            told[decided..].iter().all(|state| *state == whole),
            "{told:?}"
        );
        let mut before = told[..decided].iter();
        assert!(before.all(|state| !is_final(*state)), "{told:?}");
        if whole == MessageState::Delivered {
            assert_eq!(decided, 2, "delivered before its last part: {told:?}");
        }
    }
}

fn is_final(state: MessageState) -> bool {
    !matches!(
        state,
        MessageState::Unspecified | MessageState::Enroute | MessageState::Accepted
    )
}

/// A part of a long MO with this reference in its header.
fn part_of(source: &str, reference: u8, part: u8, parts: u8) -> Mo {
    let mut body = vec![5, 0, 3, reference, parts, part];
    body.extend_from_slice(format!("{reference}/{part} ").as_bytes());
    Mo {
        source: loadtest::smsc::Address::new(source),
        dest: loadtest::smsc::Address::new("8049"),
        data_coding: 0,
        esm_class: 0x40,
        body: loadtest::smsc::Body(body.into()),
        system_id: None,
    }
}

#[tokio::test]
async fn parts_of_an_mo_out_of_order_are_put_together() {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = router_for(&smsc, "binds = 2").await;
    let subscriber = Subscriber::new(router.messaging()).await;
    // Every order of three parts, each message by itself, and at last two of one sender interleaved.
    let orders = [
        [1, 2, 3],
        [1, 3, 2],
        [2, 1, 3],
        [2, 3, 1],
        [3, 1, 2],
        [3, 2, 1],
    ];
    let apart = orders.iter().zip(1u8..).flat_map(|(order, reference)| {
        let source = format!("8498123450{reference}");
        order.map(|part| part_of(&source, reference, part, 3))
    });
    let among = [3, 1, 2]
        .into_iter()
        .flat_map(|part| [7, 8].map(|reference| part_of("84981234567", reference, part, 3)));
    for mo in apart.chain(among) {
        let end = soon("the answer to a part", smsc.inject(mo)).await.unwrap();
        assert_eq!(end.status, Some(loadtest::smsc::status::ROK));
    }
    eventually("every whole came", async || {
        subscriber.events("viettel").len() >= 8
    })
    .await;
    let mut texts = Vec::new();
    for event in subscriber.events("viettel") {
        let Some(Kind::Message(whole)) = event.kind else {
            panic!("not an MO");
        };
        assert_eq!((whole.parts, &*whole.missing_parts), (3, &[][..]));
        texts.extend(whole.text);
    }
    texts.sort();
    let wanted: Vec<String> = (1..=8).map(|n| format!("{n}/1 {n}/2 {n}/3 ")).collect();
    assert_eq!(texts, wanted);
}

#[tokio::test]
async fn already_bound_after_a_drop_is_waited_out() {
    let (smsc, router) = playing("already-bound-after-drop").await;
    let told = submit_all(router.messaging(), (0..3).map(message).collect()).await;
    let lost = told
        .values()
        .filter(|own| own.outcome() == Outcome::Unknown);
    assert_eq!(lost.count(), 1);
    let dropped = Instant::now();
    router
        .until("the bind is up again", |links| {
            links[0].state == LinkState::Up && links[0].reconnects > 0
        })
        .await;
    // 400 ms in this configuration: neither the growing pause's 20 nor the wrong password's 60,000.
    assert!(dropped.elapsed() > Duration::from_millis(200));
    assert_eq!(smsc.seen().of("bind"), 3, "one was refused, once");
    let told = submit_all(router.messaging(), (3..6).map(message).collect()).await;
    assert!(told.values().all(|own| own.outcome() == Outcome::Accepted));
}

#[tokio::test]
async fn throttling_pauses_the_bind_and_loses_no_message() {
    const PAUSE: Duration = Duration::from_millis(100);
    let smsc = Smsc::start(SmscBehaviour {
        throttle: Trigger::First(5),
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = router_for(&smsc, "window = 5\nthrottle_pause_ms = 100").await;
    let began = Instant::now();
    let told = submit_all(router.messaging(), (0..100).map(message).collect()).await;
    assert!(told.values().all(|own| own.outcome() == Outcome::Accepted));
    assert!(began.elapsed() >= PAUSE, "the bind did not pause");
    let totals = smsc.totals();
    // Only what was in flight at the first refusal was refused: the bind paused, not the message.
    assert_eq!(
        (totals.submitted, totals.accepted, totals.throttled),
        (105, 100, 5)
    );
    let mut ids: Vec<&str> = told
        .values()
        .flat_map(|own| own.message_ids.iter().map(String::as_str))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 100, "a message was accepted twice");
    assert_messages_agree(&told, &smsc.books());
}

#[tokio::test]
async fn tps_counts_parts_not_messages() {
    // Three binds that may do twenty a second each, and an account that may do thirty in all.
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = router_for(
        &smsc,
        "window = 100\nbinds = 3\ntps_per_bind = 20\ntps = 30",
    )
    .await;
    let began = Instant::now();
    let requests = (0..20).map(|number| long(number, false)).collect();
    let told = submit_all(router.messaging(), requests).await;
    let took = began.elapsed();
    assert!(told.values().all(|own| own.outcome() == Outcome::Accepted));
    let parts: u32 = told.values().map(|own| own.parts).sum();
    assert_eq!(parts, 60);
    assert_eq!(smsc.totals().accepted, 60);
    // Sixty parts at thirty a second; twenty messages would have been through in less than one.
    assert!(took > Duration::from_millis(1_900), "it took {took:?}");
    // Sixty parts at one a second would not be the rate either.
    assert!(took < Duration::from_secs(10), "it took {took:?}");
}

#[tokio::test]
async fn a_late_answer_never_causes_a_second_send() {
    let (smsc, router) = playing("late-responses").await;
    let first = submit(&router.messaging(), message(1)).await;
    assert_eq!(first.outcome(), Outcome::Unknown);
    assert!(!first.retry_is_safe);
    let second = submit(&router.messaging(), message(2)).await;
    assert_eq!(second.outcome(), Outcome::Accepted);
    eventually("the late answer was counted", async || {
        let text = router.app.metrics().render();
        let mut lines = text.lines();
        lines.any(|line| line.starts_with("sampan_link_unmatched") && line.ends_with(" 1"))
    })
    .await;
    assert_eq!(smsc.seen().of("submit_sm"), 2);
    assert_eq!(router.of("viettel")[0].reconnects, 0);
}

#[test]
fn sequence_numbers_never_collide_at_the_wrap() {
    let now = Instant::now();
    let mut window = Window::<Ring, u32>::new(8);
    let mut next = Sequence::new(0x7FFF_FFFF - 100).unwrap();
    let mut in_flight = HashSet::new();
    // One is never answered: the numbers run around it, through the wrap.
    window.insert(next.get(), now, next.get()).unwrap();
    in_flight.insert(next.get());
    let stuck = next.get();
    for turn in 0..1_000 {
        while window.room() > 0 {
            next = next.next();
            if !window.is_vacant(next.get()) {
                continue;
            }
            match window.insert(next.get(), now, next.get()) {
                Ok(()) => assert!(in_flight.insert(next.get()), "{next:?} is in flight twice"),
                Err(Refused::Full(_) | Refused::Busy(_)) => panic!("a vacant number was refused"),
            }
        }
        let answered: Vec<u32> = in_flight.iter().copied().filter(|n| *n != stuck).collect();
        for number in answered.into_iter().skip(turn % 3) {
            assert_eq!(
                window.take(number),
                Some(number),
                "an answer found another request"
            );
            in_flight.remove(&number);
        }
    }
    assert!(next.get() < 0x7FFF_0000, "it wrapped");
    assert_eq!(window.take(stuck), Some(stuck));
}

#[tokio::test]
async fn off_spec_responses_do_not_end_the_session() {
    for name in ["off-spec-responses", "off-spec-pdus", "wrong-kind"] {
        let (smsc, router) = playing(name).await;
        let told = submit_all(router.messaging(), (0..6).map(message).collect()).await;
        assert_eq!(told.len(), 6, "{name}");
        let after = submit(&router.messaging(), message(6)).await;
        assert_eq!(after.outcome(), Outcome::Accepted, "{name}");
        let link = router.of("viettel").remove(0);
        assert_eq!((link.state, link.reconnects), (LinkState::Up, 0), "{name}");
        assert_eq!(smsc.seen().of("connections"), 1, "{name}");
    }
}

#[tokio::test]
async fn a_window_slot_without_an_answer_expires() {
    let (smsc, router) = playing("unanswered-slots").await;
    let told = submit_all(router.messaging(), (0..10).map(message).collect()).await;
    let mut counts = BTreeMap::<Outcome, usize>::new();
    for result in told.values() {
        *counts.entry(result.outcome()).or_default() += 1;
    }
    // Two fill the window of two and are never answered; the eight behind them get their turn.
    let wanted = BTreeMap::from([(Outcome::Accepted, 8), (Outcome::Unknown, 2)]);
    assert_eq!(counts, wanted);
    assert_eq!(smsc.seen().of("submit_sm"), 10);
    router
        .until("the window is empty", |links| links[0].in_flight == 0)
        .await;
}

/// A router with a client limit, an SMSC that refuses everything for now, and two that share the rest.
async fn shared(refusing: &Smsc, others: [&Smsc; 2]) -> Router {
    let clients = "[[client]]\nname = \"local\"\ntps = 50\ntps_burst_ms = 1000";
    Setup::new(clients)
        .smsc("viettel", refusing, "")
        .smsc("mobifone", others[0], "")
        .smsc("vina", others[1], "")
        .section(
            "[[message_route]]\nname = \"all\"\nprefixes = [\"84\"]\nchoice = \"weighted\"\n\
             smscs = [\"viettel\", \"mobifone\", \"vina\"]\ndefault_source = \"8049\"",
        )
        .start_up()
        .await
}

#[tokio::test]
async fn an_upstream_clients_rate_and_failover_are_kept() {
    let full = Smsc::start(SmscBehaviour {
        refuse: Some(loadtest::smsc::Refusal {
            trigger: Trigger::Always,
            status: loadtest::smsc::status::RSYSERR,
        }),
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let mobifone = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let vina = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = shared(&full, [&mobifone, &vina]).await;
    // The balance: each SMSC is asked in its turn, and what one refuses for now goes to another.
    let began = Instant::now();
    let told = submit_all(router.messaging(), (0..45).map(message).collect()).await;
    for own in told.values() {
        assert_eq!(own.outcome(), Outcome::Accepted, "{}", own.detail);
        assert_ne!(own.smsc, "viettel");
    }
    let asked = full.totals().submitted;
    assert!((13..=17).contains(&asked), "{asked} of 45");
    let moved = told.values().filter(|own| own.attempts == 2).count();
    assert_eq!(moved as u64, asked);
    for other in [&mobifone, &vina] {
        let accepted = other.totals().accepted;
        assert!(accepted >= 13, "{accepted} of 45");
    }
    // The rate of the sender: the rest of its burst and what came in meanwhile; the others are told.
    let told = submit_all(router.messaging(), (45..645).map(message).collect()).await;
    let (sent, limited): (Vec<_>, Vec<_>) = told
        .values()
        .partition(|own| own.outcome() == Outcome::Accepted);
    let may_be = 5 + (began.elapsed().as_secs_f64() * 50.0).ceil() as usize;
    assert!(
        sent.len() <= may_be,
        "{} were sent, not {may_be}",
        sent.len()
    );
    assert!(!limited.is_empty(), "no rate was kept");
    for own in limited {
        let told = (own.outcome(), own.reason(), own.retry_is_safe);
        assert_eq!(told, (Outcome::NotSent, Reason::Limit, true));
    }
    let accepted = mobifone.totals().accepted + vina.totals().accepted;
    assert_eq!(accepted as usize, 45 + sent.len());
}
