//! One request id, one message: however often it is asked for, and across a restart.

use loadtest::{
    fault::{DelayMs, Timing, Trigger},
    smsc::{Smsc, SmscBehaviour},
};
use sampan::rpc::proto::{Outcome, Reason, SubmitRequest, submit_request::Body};

use super::events::StoreFile;
use crate::support::{Router, Setup, message, submit, submit_all};

async fn router_for(smsc: &Smsc, extra: &str, keys: &str) -> Router {
    Setup::new(extra)
        .smsc("viettel", smsc, keys)
        .message_route(&["viettel"])
        .start_up()
        .await
}

async fn smsc() -> Smsc {
    Smsc::start(SmscBehaviour::default()).await.unwrap()
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_outcome_and_sends_nothing() {
    let smsc = smsc().await;
    let router = router_for(&smsc, "", "").await;
    let first = submit(&router.messaging(), message(1)).await;
    let again = submit(&router.messaging(), message(1)).await;
    assert!(!first.repeated && again.repeated);
    assert_eq!(first.message_ids, again.message_ids);
    assert_eq!(first.smsc, again.smsc);
    assert_eq!(smsc.books().messages.len(), 1);
}

#[tokio::test]
async fn the_same_id_with_another_body_is_refused() {
    let smsc = smsc().await;
    let router = router_for(&smsc, "", "").await;
    submit(&router.messaging(), message(1)).await;
    let other = SubmitRequest {
        body: Some(Body::Text("other".into())),
        ..message(1)
    };
    let refused = submit(&router.messaging(), other).await;
    assert_eq!(refused.outcome(), Outcome::NotSent);
    assert_eq!(refused.reason(), Reason::IdReused);
    assert_eq!(smsc.books().messages.len(), 1);
}

#[tokio::test]
async fn calls_and_streams_that_ask_while_it_is_in_flight_get_the_same_outcome() {
    let smsc = Smsc::start(SmscBehaviour {
        timing: Timing {
            delay: DelayMs::fixed(100),
            ..Timing::default()
        },
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = router_for(&smsc, "", "").await;
    let client = router.messaging();
    let (one, other, streamed) = tokio::join!(
        submit(&client, message(1)),
        submit(&client, message(1)),
        submit_all(router.messaging(), vec![message(1)]),
    );
    let streamed = &streamed["message-1"];
    assert_eq!(one.message_ids, other.message_ids);
    assert_eq!(one.message_ids, streamed.message_ids);
    let repeated = [one.repeated, other.repeated, streamed.repeated];
    assert_eq!(repeated.iter().filter(|own| **own).count(), 2);
    assert_eq!(smsc.books().messages.len(), 1);
}

#[tokio::test]
async fn an_id_whose_outcome_allowed_a_retry_may_be_sent_again() {
    let smsc = Smsc::start(SmscBehaviour {
        throttle: Trigger::First(1),
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = router_for(&smsc, "", "throttle_pause_ms = 10").await;
    let mut result = submit(&router.messaging(), message(1)).await;
    while result.retry_is_safe {
        result = submit(&router.messaging(), message(1)).await;
    }
    assert_eq!(result.outcome(), Outcome::Accepted);
    assert!(!result.repeated);
    assert_eq!(smsc.books().messages.len(), 1);
}

#[tokio::test]
async fn after_a_restart_a_repeated_request_gets_the_first_outcome_and_sends_nothing() {
    let (smsc, file) = (smsc().await, StoreFile::new("repeats"));
    let section = file.section();
    let router = router_for(&smsc, &section, "").await;
    let first = submit(&router.messaging(), message(1)).await;
    router.stop().await;
    let router = router_for(&smsc, &section, "").await;
    let again = submit(&router.messaging(), message(1)).await;
    assert!(again.repeated);
    assert_eq!(first.message_ids, again.message_ids);
    assert_eq!(smsc.books().messages.len(), 1);
}
