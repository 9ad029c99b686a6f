//! How a message ends, and what may be asked of it afterwards.

use std::time::{Duration, Instant};

use loadtest::{
    fault::{DelayMs, Timing, Trigger},
    smsc::{Delivering, Refusal, Smsc, SmscBehaviour, status},
};
use sampan::rpc::proto::{
    Address, CancelRequest, Coding, MessageState, Outcome, QueryRequest, Reason, ReplaceRequest,
    SubmitRequest, submit_request::Body,
};

use crate::support::{
    Router, Setup, assert_messages_agree, eventually, message, soon, submit, submit_all,
};

async fn router_for(smsc: &Smsc, keys: &str) -> Router {
    Setup::new("")
        .smsc("viettel", smsc, keys)
        .message_route(&["viettel"])
        .start_up()
        .await
}

fn slow(delay_ms: u64) -> SmscBehaviour {
    SmscBehaviour {
        timing: Timing {
            delay: DelayMs::fixed(delay_ms),
            ..Timing::default()
        },
        ..SmscBehaviour::default()
    }
}

#[tokio::test]
async fn messages_are_spread_over_all_binds_and_each_has_one_outcome() {
    let smsc = Smsc::start(slow(1)).await.unwrap();
    let router = router_for(&smsc, "binds = 3\nwindow = 16").await;
    let told = submit_all(router.messaging(), (0..3_000).map(message).collect()).await;
    assert!(told.values().all(|own| own.outcome() == Outcome::Accepted));
    let books = smsc.books();
    assert_messages_agree(&told, &books);
    assert_eq!(books.messages.len(), 3_000);
    for bind in &books.binds {
        assert!(
            bind.accepted > 500,
            "a bind got too little: {}",
            bind.accepted
        );
    }
}

#[tokio::test]
async fn a_message_that_the_smsc_refuses_is_rejected_with_the_status_by_name() {
    let smsc = Smsc::start(SmscBehaviour {
        refuse: Some(Refusal {
            trigger: Trigger::Always,
            status: status::RINVSRCADR,
        }),
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = router_for(&smsc, "").await;
    let result = submit(&router.messaging(), message(1)).await;
    assert_eq!(result.outcome(), Outcome::Rejected);
    assert!(!result.retry_is_safe);
    let rejection = result.rejection.unwrap();
    assert_eq!(rejection.name, "ESME_RINVSRCADR");
    assert!(!rejection.temporary);
}

#[tokio::test]
async fn a_message_that_is_never_answered_is_unknown_and_not_safe_to_retry() {
    let smsc = Smsc::start(SmscBehaviour {
        silent: Trigger::First(1),
        silent_accepts: true,
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = router_for(&smsc, "response_timeout_ms = 100").await;
    let result = submit(&router.messaging(), message(1)).await;
    assert_eq!(result.outcome(), Outcome::Unknown);
    assert_eq!(result.reason(), Reason::Timeout);
    assert!(!result.retry_is_safe);
    let next = submit(&router.messaging(), message(2)).await;
    assert_eq!(next.outcome(), Outcome::Accepted, "the slot was not freed");
}

#[tokio::test]
async fn a_deadline_that_passes_behind_a_full_window_leaves_the_message_not_sent() {
    let smsc = Smsc::start(SmscBehaviour {
        silent: Trigger::Always,
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = router_for(&smsc, "window = 1\nresponse_timeout_ms = 60000").await;
    let mut client = router.messaging();
    let first = tokio::spawn(async move { client.submit(message(1)).await });
    eventually("the window is full", async || smsc.totals().submitted == 1).await;
    let late = SubmitRequest {
        deadline_ms: 100,
        ..message(2)
    };
    let result = submit(&router.messaging(), late).await;
    assert_eq!(result.outcome(), Outcome::NotSent);
    assert_eq!(result.reason(), Reason::Deadline);
    assert!(result.retry_is_safe);
    assert_eq!(smsc.totals().submitted, 1);
    first.abort();
}

#[tokio::test]
async fn a_throttled_bind_pauses_before_it_sends_again() {
    let pause = Duration::from_millis(300);
    let smsc = Smsc::start(SmscBehaviour {
        throttle: Trigger::First(1),
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = router_for(&smsc, "throttle_pause_ms = 300").await;
    let sent_at = Instant::now();
    let throttled = submit(&router.messaging(), message(1)).await;
    assert_eq!(throttled.outcome(), Outcome::Accepted);
    assert!(sent_at.elapsed() >= pause, "it did not pause");
    assert_eq!(smsc.totals().submitted, 2);
}

#[tokio::test]
async fn a_long_text_goes_out_in_parts_on_one_bind_with_an_id_for_each() {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = router_for(&smsc, "binds = 2").await;
    let long = SubmitRequest {
        body: Some(Body::Text("sampan ".repeat(60))),
        ..message(1)
    };
    let result = submit(&router.messaging(), long).await;
    assert_eq!(result.outcome(), Outcome::Accepted);
    assert_eq!((result.parts, result.message_ids.len()), (3, 3));
    let books = smsc.books();
    let ids: Vec<&str> = books
        .messages
        .iter()
        .map(|m| m.message_id.as_str())
        .collect();
    assert_eq!(ids, result.message_ids);
    let reference = books.messages[0].short_message.0[3];
    for (part, message) in (1u8..).zip(&books.messages) {
        assert_eq!(message.bind, books.messages[0].bind);
        assert_eq!(message.esm_class & 0x40, 0x40);
        let header = [5, 0, 3, reference, 3, part];
        assert_eq!(message.short_message.0[..6], header);
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_told_with_the_field_and_disturbs_nothing() {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = router_for(&smsc, "").await;
    let client = router.messaging();
    let not_gsm7 = SubmitRequest {
        body: Some(Body::Text("đồng".to_owned())),
        coding: Coding::Gsm7.into(),
        ..message(1)
    };
    let nowhere = SubmitRequest {
        destination: Some(Address {
            number: "1555000111".to_owned(),
            ..Address::default()
        }),
        ..message(2)
    };
    let unnamed = SubmitRequest {
        route: "vietnan".to_owned(),
        ..message(3)
    };
    for (request, reason, named) in [
        (not_gsm7, Reason::Invalid, "text"),
        (nowhere, Reason::NoRoute, "destination.number"),
        (unnamed, Reason::NoRoute, "vietnan"),
    ] {
        let result = submit(&client, request).await;
        assert_eq!(result.outcome(), Outcome::NotSent);
        assert_eq!(result.reason(), reason, "{}", result.detail);
        assert!(result.detail.contains(named), "{}", result.detail);
    }
    assert_eq!(
        submit(&client, message(4)).await.outcome(),
        Outcome::Accepted
    );
    assert_eq!(smsc.totals().submitted, 1);
}

#[tokio::test]
async fn an_accepted_message_can_be_queried_replaced_and_cancelled_at_its_smsc() {
    let smsc = Smsc::start(SmscBehaviour {
        delivering: Delivering {
            delay: DelayMs::fixed(600_000),
            ..Delivering::default()
        },
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = router_for(&smsc, "").await;
    let mut client = router.messaging();
    let request = message(1);
    let destination = request.destination.clone();
    let accepted = submit(&client, request).await;
    let message_id = accepted.message_ids[0].clone();
    let source = Some(Address {
        number: "8049".to_owned(),
        ..Address::default()
    });
    let query = QueryRequest {
        request_id: "query".to_owned(),
        smsc: accepted.smsc.clone(),
        message_id: message_id.clone(),
        source: source.clone(),
        deadline_ms: 0,
    };

    let state = soon("query", client.query(query.clone())).await.unwrap();
    assert_eq!(state.into_inner().state(), MessageState::Enroute);

    let replace = ReplaceRequest {
        request_id: "replace".to_owned(),
        smsc: accepted.smsc.clone(),
        message_id: message_id.clone(),
        source: source.clone(),
        text: "another text".to_owned(),
        ..ReplaceRequest::default()
    };
    let replaced = soon("replace", client.replace(replace)).await.unwrap();
    assert_eq!(replaced.into_inner().outcome(), Outcome::Accepted);
    let book = smsc.books().messages[0].clone();
    assert!(book.replaced);
    assert_eq!(book.short_message.0, "another text");

    let cancel = CancelRequest {
        request_id: "cancel".to_owned(),
        smsc: accepted.smsc.clone(),
        message_id,
        source,
        destination,
        deadline_ms: 0,
    };
    let cancelled = soon("cancel", client.cancel(cancel.clone())).await.unwrap();
    assert_eq!(cancelled.into_inner().outcome(), Outcome::Accepted);
    let state = soon("query", client.query(query)).await.unwrap();
    assert_eq!(state.into_inner().state(), MessageState::Deleted);

    let again = soon("cancel", client.cancel(cancel)).await.unwrap();
    assert_eq!(again.into_inner().outcome(), Outcome::Rejected);
}
