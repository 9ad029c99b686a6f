//! What users of gateways complain of most, each complaint as a test of its name: see docs/SMPP.md.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
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
        Event, MessageState, Outcome, Receipt, SubmitRequest, event::Kind, submit_request::Body,
    },
    smpp::session::Sequence,
    status::LinkState,
    window::{Refused, Ring, Window},
};

use crate::support::{Router, Setup, Subscriber, eventually, message, submit, submit_all};

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

#[tokio::test]
#[ignore = "needs receipts that name their request"]
async fn receipts_find_their_message_whatever_zeros_case_or_base_the_id_has() {
    use IdFormat::{Decimal, Hex, Padded, UpperHex};
    for (given, told, keys) in [
        (Decimal, Padded, "receipt_ids = [\"decimal\"]"),
        (Hex, UpperHex, "receipt_ids = [\"hex\"]"),
        (UpperHex, Decimal, "receipt_ids = [\"hex\", \"decimal\"]"),
        (Padded, Decimal, "receipt_ids = [\"decimal\"]"),
    ] {
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
        let router = router_for(&smsc, &format!("binds = 2\n{keys}")).await;
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
        assert_eq!(
            found, wanted,
            "{given:?} in responses, {told:?} in receipts"
        );
    }
}

#[tokio::test]
#[ignore = "needs receipts that name their request"]
async fn every_parts_receipt_counts_and_the_whole_has_one_state() {
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
        let last = own().pop().unwrap();
        assert_eq!(last.whole_state(), whole);
    }
}

#[tokio::test]
#[ignore = "needs the reassembly of long messages"]
async fn parts_of_an_mo_out_of_order_are_put_together() {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = router_for(&smsc, "binds = 2").await;
    let subscriber = Subscriber::new(router.messaging()).await;
    for part in [3u8, 1, 2] {
        let mut body = vec![5, 0, 3, 0x2A, 3, part];
        body.extend_from_slice(format!("part {part} ").as_bytes());
        let end = smsc.inject(Mo {
            source: loadtest::smsc::Address::new("84981234567"),
            dest: loadtest::smsc::Address::new("8049"),
            data_coding: 0,
            esm_class: 0x40,
            body: loadtest::smsc::Body(body.into()),
            system_id: None,
        });
        drop(end);
    }
    eventually("the whole came", async || {
        !subscriber.events("viettel").is_empty()
    })
    .await;
    let events = subscriber.events("viettel");
    let Some(Kind::Message(whole)) = &events[0].kind else {
        panic!("not an MO");
    };
    assert_eq!(whole.text.as_deref(), Some("part 1 part 2 part 3 "));
    assert_eq!((whole.parts, &*whole.missing_parts), (3, &[][..]));
    assert_eq!(events.len(), 1);
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
#[ignore = "needs throttled messages to be sent again"]
async fn throttling_pauses_the_bind_and_loses_no_message() {
    let smsc = Smsc::start(SmscBehaviour {
        throttle: Trigger::First(5),
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = router_for(&smsc, "window = 5\nthrottle_pause_ms = 20").await;
    let told = submit_all(router.messaging(), (0..100).map(message).collect()).await;
    assert!(told.values().all(|own| own.outcome() == Outcome::Accepted));
    let totals = smsc.totals();
    // Only what was in flight at the first refusal was refused: the bind paused.
    assert_eq!((totals.submitted, totals.accepted), (105, 100));
    assert!(totals.throttled <= 5);
}

#[tokio::test]
#[ignore = "needs the rate of an SMSC account"]
async fn tps_counts_parts_not_messages() {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = router_for(&smsc, "window = 100\nrate_per_s = 30").await;
    let began = Instant::now();
    let told = submit_all(
        router.messaging(),
        (0..20).map(|n| long(n, false)).collect(),
    )
    .await;
    assert!(told.values().all(|own| own.outcome() == Outcome::Accepted));
    let parts: u32 = told.values().map(|own| own.parts).sum();
    assert_eq!(parts, 60);
    // Sixty parts at thirty a second; twenty messages would have been through in less than one.
    assert!(began.elapsed() > Duration::from_millis(1_500));
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

#[tokio::test]
#[ignore = "needs the rate of a client and fail-over between SMSCs"]
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
    let other = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = Setup::new("[[client]]\nname = \"local\"\nrate_per_s = 50")
        .smsc("viettel", &full, "")
        .smsc("mobifone", &other, "")
        .message_route(&["viettel", "mobifone"])
        .start_up()
        .await;
    let began = Instant::now();
    let told: HashMap<_, _> = submit_all(router.messaging(), (0..100).map(message).collect()).await;
    assert!(told.values().all(|own| own.outcome() == Outcome::Accepted));
    assert!(
        told.values()
            .all(|own| own.smsc == "mobifone" && own.attempts == 2)
    );
    assert!(began.elapsed() > Duration::from_millis(1_500));
    assert_eq!(other.totals().accepted, 100);
}
