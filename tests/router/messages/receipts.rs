//! Every receipt reaches its request, in whatever way the SMSC writes ids and whenever it comes.

use std::collections::HashMap;

use loadtest::{
    fault::{DelayMs, Timing, Trigger},
    smsc::{
        Delivering, IdFormat, Refusal, Smsc, SmscBehaviour, scenario::Scenario,
        scripted::ScriptedSmsc, status,
    },
};
use sampan::rpc::proto::{
    Event, MessageState, Outcome, Receipt, SubmitRequest, event::Kind, submit_request::Body,
};

use super::events::Subscriber;
use crate::support::{Router, Setup, message, submit, submit_all};

async fn router_for(smsc: &Smsc, keys: &str) -> Router {
    Setup::new("")
        .smsc("viettel", smsc, keys)
        .message_route(&["viettel"])
        .start_up()
        .await
}

fn with_receipt(number: usize) -> SubmitRequest {
    SubmitRequest {
        receipt: true,
        ..message(number)
    }
}

fn receipt_of(event: Event) -> Receipt {
    match event.kind {
        Some(Kind::Receipt(receipt)) => receipt,
        _ => panic!("no receipt"),
    }
}

/// Sends messages and takes as many receipts, by request and part; none may come twice.
async fn receipts_of(
    router: &Router,
    requests: Vec<SubmitRequest>,
    count: usize,
) -> HashMap<(String, u32), Receipt> {
    let mut subscriber = Subscriber::new(router.messaging()).await;
    let told = submit_all(router.messaging(), requests).await;
    assert!(told.values().all(|own| own.outcome() == Outcome::Accepted));
    let mut receipts = HashMap::new();
    while receipts.len() < count {
        let events = subscriber.next().await;
        subscriber.acknowledge(&events).await;
        for receipt in events.into_iter().map(receipt_of) {
            let of = (receipt.request_id.clone(), receipt.part);
            assert_eq!(receipts.insert(of, receipt), None, "a receipt came twice");
        }
    }
    receipts
}

#[tokio::test]
async fn ids_in_hex_find_their_receipts_in_decimal_over_any_bind() {
    let smsc = Smsc::start(SmscBehaviour {
        message_ids: IdFormat::UpperHex,
        delivering: Delivering {
            delay: DelayMs::fixed(5),
            receipt_ids: IdFormat::Padded,
            ..Delivering::default()
        },
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let keys = "binds = 3\nsubmit_id_format = \"hex\"\nreceipt_id_format = \"decimal\"";
    let router = router_for(&smsc, keys).await;
    let receipts = receipts_of(&router, (0..60).map(with_receipt).collect(), 60).await;
    for number in 0..60 {
        let receipt = &receipts[&(format!("message-{number}"), 1)];
        assert_eq!(receipt.whole_state(), MessageState::Delivered);
        assert_eq!((receipt.parts, receipt.client.is_empty()), (1, false));
    }
}

#[tokio::test]
async fn a_receipt_that_comes_before_its_submit_sm_resp_finds_its_request() {
    let smsc = Smsc::start(SmscBehaviour {
        timing: Timing {
            delay: DelayMs::fixed(60),
            ..Timing::default()
        },
        delivering: Delivering {
            delay: DelayMs::fixed(0),
            ..Delivering::default()
        },
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = router_for(&smsc, "binds = 2").await;
    let receipts = receipts_of(&router, (0..10).map(with_receipt).collect(), 10).await;
    for number in 0..10 {
        assert!(receipts.contains_key(&(format!("message-{number}"), 1)));
    }
    let figures = router.app.metrics().render();
    let held = figures
        .lines()
        .find(|line| line.starts_with("sampan_receipts_total{outcome=\"held\"}"));
    assert!(held.is_some_and(|line| !line.ends_with(" 0")), "{held:?}");
}

#[tokio::test]
async fn accepted_parts_of_a_message_that_was_rejected_are_told_and_their_receipts_find_it() {
    let smsc = Smsc::start(SmscBehaviour {
        refuse: Some(Refusal {
            trigger: Trigger::Every(2),
            status: status::RINVDSTADR,
        }),
        delivering: Delivering {
            delay: DelayMs::fixed(5),
            ..Delivering::default()
        },
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = router_for(&smsc, "").await;
    let mut subscriber = Subscriber::new(router.messaging()).await;
    let request = SubmitRequest {
        body: Some(Body::Text("long ".repeat(80))),
        ..with_receipt(1)
    };
    let told = submit(&router.messaging(), request).await;
    assert_eq!(told.outcome(), Outcome::Rejected);
    assert!(!told.retry_is_safe);
    let given: Vec<bool> = told.message_ids.iter().map(|id| !id.is_empty()).collect();
    assert_eq!(given, [true, false, true]);
    let mut parts = Vec::new();
    while parts.len() < 2 {
        let events = subscriber.next().await;
        subscriber.acknowledge(&events).await;
        for receipt in events.into_iter().map(receipt_of) {
            let place = receipt.part as usize - 1;
            assert_eq!(receipt.request_id, "message-1");
            assert_eq!(receipt.message_id, told.message_ids[place]);
            assert_eq!(
                (receipt.parts, receipt.whole_state()),
                (3, MessageState::Enroute)
            );
            parts.push(receipt.part);
        }
    }
    parts.sort_unstable();
    assert_eq!(parts, [1, 3]);
}

#[tokio::test]
async fn every_part_of_a_long_message_has_its_receipt_and_the_whole_one_state() {
    let smsc = Smsc::start(SmscBehaviour {
        delivering: Delivering {
            delay: DelayMs::fixed(5),
            ..Delivering::default()
        },
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = router_for(&smsc, "binds = 2").await;
    let long = SubmitRequest {
        body: Some(Body::Text("long ".repeat(80))),
        ..with_receipt(1)
    };
    let receipts = receipts_of(&router, vec![long], 3).await;
    let of_part = |part| &receipts[&("message-1".to_owned(), part)];
    let whole: Vec<_> = (1..=3).map(|part| of_part(part).whole_state()).collect();
    let delivered = whole
        .iter()
        .filter(|state| **state == MessageState::Delivered);
    assert_eq!(delivered.count(), 1, "{whole:?}");
    assert!((1..=3).all(|part| of_part(part).parts == 3));
}

#[tokio::test]
async fn a_receipt_finds_its_request_also_where_the_answer_came_after_unknown_was_told() {
    let mut scenarios = Scenario::all().unwrap();
    scenarios.retain(|own| own.name == "late-response-then-receipt");
    let scenario = scenarios.remove(0);
    let keys = scenario.router.clone();
    let smsc = ScriptedSmsc::start(scenario).await.unwrap();
    let router = Setup::new("")
        .smsc_at("viettel", smsc.address(), &keys)
        .message_route(&["viettel"])
        .start_up()
        .await;
    let mut subscriber = Subscriber::new(router.messaging()).await;
    // One after the other, so that it is known which has which id.
    let mut requests = Vec::new();
    for number in 1..=2 {
        let told = submit(&router.messaging(), with_receipt(number)).await;
        assert_eq!(told.outcome(), Outcome::Unknown);
        assert!(told.message_ids.is_empty() && !told.retry_is_safe);
        requests.push(with_receipt(number).request_id);
    }
    submit(&router.messaging(), message(3)).await;
    let mut found = HashMap::new();
    while found.len() < 2 {
        let events = subscriber.next().await;
        subscriber.acknowledge(&events).await;
        let receipts = events.into_iter().map(receipt_of);
        found.extend(receipts.map(|own| (own.message_id, own.request_id)));
    }
    for (id, request) in ["first", "second"].into_iter().zip(requests) {
        assert_eq!(found[id], request);
    }
    // What was told stands.
    let again = submit(&router.messaging(), with_receipt(1)).await;
    assert_eq!(again.outcome(), Outcome::Unknown);
    assert!(again.repeated);
}
