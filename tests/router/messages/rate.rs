//! How fast messages go, in which order, and what an SMSC that wants less gets.
//!
//! Times are only held from below: a slow machine cannot make a rate look kept that is not, nor the
//! other way round.

use std::time::{Duration, Instant};

use loadtest::{
    fault::{DelayMs, Timing, Trigger},
    smsc::{Smsc, SmscBehaviour},
};
use sampan::{
    rpc::proto::{
        Outcome, PreviewRequest, Reason, SubmitRequest, TrafficClass, preview_request,
        submit_request::Body,
    },
    status::LinkState,
};

use crate::support::{Router, Setup, eventually, message, submit, submit_all};

async fn router_for(smsc: &Smsc, keys: &str) -> Router {
    Setup::new("")
        .smsc("viettel", smsc, keys)
        .message_route(&["viettel"])
        .start_up()
        .await
}

/// A message of three parts.
fn long(number: usize) -> SubmitRequest {
    SubmitRequest {
        body: Some(Body::Text("sampan ".repeat(60))),
        ..message(number)
    }
}

/// A message that is given up soon.
fn short_lived(number: usize) -> SubmitRequest {
    SubmitRequest {
        deadline_ms: 100,
        ..message(number)
    }
}

/// An SMSC that throttles the first submission, and a router whose bind pauses for long then.
async fn throttled(keys: &str) -> (Smsc, Router) {
    let smsc = Smsc::start(SmscBehaviour {
        throttle: Trigger::First(1),
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let keys = format!("throttle_pause_ms = 600000\nthrottle_pause_max_ms = 600000\n{keys}");
    let router = router_for(&smsc, &keys).await;
    let mut client = router.messaging();
    drop(tokio::spawn(async move { client.submit(message(1)).await }));
    eventually("the bind pauses", async || {
        router.of("viettel")[0].paused.is_some()
    })
    .await;
    (smsc, router)
}

#[tokio::test]
async fn a_rate_counts_the_parts_of_a_message_and_not_messages() {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = router_for(&smsc, "tps_per_bind = 20").await;
    let began = Instant::now();
    let result = submit(&router.messaging(), long(1)).await;
    assert_eq!((result.outcome(), result.parts), (Outcome::Accepted, 3));
    // One part at once, the others a twentieth of a second after each other.
    assert!(began.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn all_binds_of_an_smsc_share_the_rate_of_the_account() {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = router_for(&smsc, "binds = 2\ntps = 20").await;
    let began = Instant::now();
    let told = submit_all(router.messaging(), (0..8).map(message).collect()).await;
    assert!(told.values().all(|own| own.outcome() == Outcome::Accepted));
    assert!(began.elapsed() >= Duration::from_millis(350));
    let books = smsc.books();
    let shares: Vec<u64> = books.binds.iter().map(|bind| bind.accepted).collect();
    assert_eq!(shares, [4, 4], "a bind did not get its turns");
}

#[tokio::test]
async fn a_one_time_password_passes_a_campaign_on_a_bind_with_a_window_of_one() {
    const CAMPAIGN: usize = 400;
    let smsc = Smsc::start(SmscBehaviour {
        timing: Timing {
            delay: DelayMs::fixed(5),
            ..Timing::default()
        },
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = router_for(&smsc, "window = 1").await;
    let bulk = (0..CAMPAIGN).map(|number| SubmitRequest {
        traffic_class: TrafficClass::Bulk.into(),
        ..message(number)
    });
    let campaign = tokio::spawn(submit_all(router.messaging(), bulk.collect()));
    router
        .until("the campaign waits", |links| {
            links[0].queued as usize > CAMPAIGN * 3 / 4
        })
        .await;
    let otp = SubmitRequest {
        traffic_class: TrafficClass::Urgent.into(),
        ..message(CAMPAIGN)
    };
    let otp = submit(&router.messaging(), otp).await;
    assert_eq!(otp.outcome(), Outcome::Accepted);
    let told = campaign.await.unwrap();
    assert!(told.values().all(|own| own.outcome() == Outcome::Accepted));
    let books = smsc.books();
    let place = books
        .messages
        .iter()
        .position(|own| own.message_id == otp.message_ids[0]);
    assert!(place.unwrap() < CAMPAIGN / 2, "it was number {place:?}");
}

#[tokio::test]
async fn a_throttle_pauses_the_bind_and_not_only_the_message() {
    let (smsc, router) = throttled("").await;
    let next = submit(&router.messaging(), short_lived(2)).await;
    assert_eq!(next.outcome(), Outcome::NotSent);
    assert_eq!(next.reason(), Reason::Deadline);
    assert_eq!(smsc.totals().submitted, 1, "the bind did not pause");
    let link = &router.of("viettel")[0];
    assert_eq!(link.state, LinkState::Up);
    assert!(link.paused.unwrap() > Duration::from_secs(300));
}

#[tokio::test]
async fn a_pause_outlives_a_reconnect() {
    let (smsc, router) = throttled("").await;
    smsc.unbind_all();
    router
        .until("the bind is back", |links| {
            links[0].reconnects == 1 && links[0].state == LinkState::Up
        })
        .await;
    let next = submit(&router.messaging(), short_lived(2)).await;
    assert_eq!(next.reason(), Reason::Deadline);
    assert_eq!(
        smsc.totals().submitted,
        1,
        "the new connection did not pause"
    );
}

#[tokio::test]
async fn while_one_bind_pauses_the_others_of_the_smsc_go_on() {
    let (smsc, router) = throttled("binds = 2").await;
    let told = submit_all(router.messaging(), (10..60).map(message).collect()).await;
    assert!(told.values().all(|own| own.outcome() == Outcome::Accepted));
    assert!(smsc.totals().throttled == 1);
    let paused = router
        .of("viettel")
        .iter()
        .filter(|own| own.paused.is_some())
        .count();
    assert_eq!(paused, 1);
}

#[tokio::test]
async fn only_the_configured_statuses_throttle() {
    let smsc = Smsc::start(SmscBehaviour {
        throttle: Trigger::First(1),
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let keys = "throttle_statuses = [0x14]\nthrottle_pause_ms = 600000\n\
        throttle_pause_max_ms = 600000\ntemporary_statuses = [0x14]";
    let router = router_for(&smsc, keys).await;
    let first = submit(&router.messaging(), message(1)).await;
    assert_eq!(first.outcome(), Outcome::Rejected);
    let next = submit(&router.messaging(), message(2)).await;
    assert_eq!(next.outcome(), Outcome::Accepted);
}

#[tokio::test]
async fn a_message_whose_validity_passes_in_the_queue_is_not_sent_and_told_so() {
    let (smsc, router) = throttled("").await;
    let valid = SubmitRequest {
        validity_s: 1,
        ..message(2)
    };
    let result = submit(&router.messaging(), valid).await;
    assert_eq!(result.outcome(), Outcome::NotSent);
    assert_eq!(result.reason(), Reason::Deadline);
    assert!(
        result.detail.starts_with("validity_s: "),
        "{}",
        result.detail
    );
    assert!(result.retry_is_safe);
    assert_eq!(smsc.totals().submitted, 1);
}

#[tokio::test]
async fn a_client_over_its_rate_is_told_when_to_come_back_and_disturbs_nothing() {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = Setup::new("[[client]]\nname = \"local\"\ntps = 1\ntps_burst_ms = 1000")
        .smsc("viettel", &smsc, "")
        .message_route(&["viettel"])
        .start_up()
        .await;
    // Three parts where one is there: the next two seconds are spent.
    let first = submit(&router.messaging(), long(1)).await;
    assert_eq!(first.outcome(), Outcome::Accepted);
    let over = submit(&router.messaging(), message(2)).await;
    assert_eq!(over.outcome(), Outcome::NotSent);
    assert_eq!(over.reason(), Reason::Limit);
    assert!(over.retry_is_safe);
    for told in ["local may send 1 parts per second", "try again in "] {
        assert!(over.detail.contains(told), "{}", over.detail);
    }
    assert_eq!(smsc.totals().submitted, 3);
}

#[tokio::test]
async fn messages_over_a_clients_rate_use_up_no_turn_of_a_weighted_route() {
    let one = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let other = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = Setup::new(
        "[[client]]\nname = \"local\"\ntps = 1\ntps_burst_ms = 1000\n\
         [[message_route]]\nname = \"all\"\nprefixes = [\"\"]\nchoice = \"weighted\"\n\
         smscs = [\"one\", \"other\"]\ndefault_source = \"8049\"",
    )
    .smsc("one", &one, "")
    .smsc("other", &other, "")
    .start_up()
    .await;
    // So many parts that the client is over its rate for the rest of the test.
    let first = SubmitRequest {
        body: Some(Body::Text("sampan ".repeat(2_000))),
        ..message(1)
    };
    let first = submit(&router.messaging(), first).await;
    assert_eq!(first.outcome(), Outcome::Accepted);
    let next = || async {
        let asked = PreviewRequest {
            destination: message(2).destination,
            body: Some(preview_request::Body::Text("hello".to_owned())),
            ..PreviewRequest::default()
        };
        let told = router.messaging().preview(asked).await.unwrap();
        told.into_inner().smsc
    };
    let turn = next().await;
    assert_ne!(turn, first.smsc, "equal weights take turns");
    for number in 10..15 {
        let over = submit(&router.messaging(), message(number)).await;
        assert_eq!(over.reason(), Reason::Limit);
        assert_eq!(next().await, turn, "after message {number}");
    }
}
