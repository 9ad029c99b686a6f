//! The end of a router and of its binds, with messages in flight.

use std::time::{Duration, Instant};

use loadtest::{
    fault::{DelayMs, Timing, Trigger},
    smsc::{Smsc, SmscBehaviour},
};
use sampan::rpc::proto::{Outcome, Reason};

use crate::support::{Setup, assert_messages_agree, eventually, message, submit, submit_all};

/// How long a stop takes at most in these tests, as configured.
const STOP: Duration = Duration::from_secs(2);

/// Stops a router with one message unanswered and one behind it.
async fn stop_with_a_silent_smsc(then: SmscBehaviour) {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = Setup::new("[stop]\ntimeout_ms = 2000")
        .smsc("viettel", &smsc, "window = 1\nresponse_timeout_ms = 60000")
        .message_route(&["viettel"])
        .start_up()
        .await;
    smsc.set_behaviour(then);
    let begin = |number| {
        let client = router.messaging();
        tokio::spawn(async move { submit(&client, message(number)).await })
    };
    let unanswered = begin(1);
    router
        .until("it is in flight", |links| links[0].in_flight == 1)
        .await;
    let queued = begin(2);
    router
        .until("one waits for the window", |links| links[0].queued == 1)
        .await;
    let began = Instant::now();
    router.stop().await;
    assert!(began.elapsed() < STOP + Duration::from_millis(500));
    // A caller that was cut off would have got an error in place of its outcome.
    let told = unanswered.await.unwrap();
    assert_eq!(told.outcome(), Outcome::Unknown);
    assert!(!told.retry_is_safe);
    let told = queued.await.unwrap();
    assert_eq!(told.outcome(), Outcome::NotSent);
    assert_eq!(told.reason(), Reason::Stopping);
    assert!(told.retry_is_safe);
}

#[tokio::test]
async fn a_stop_tells_the_callers_of_an_smsc_that_answers_no_submit_before_it_ends() {
    stop_with_a_silent_smsc(SmscBehaviour {
        silent: Trigger::Always,
        ..SmscBehaviour::default()
    })
    .await;
}

#[tokio::test]
async fn a_stop_tells_the_callers_of_an_smsc_that_answers_nothing_before_it_ends() {
    stop_with_a_silent_smsc(SmscBehaviour {
        black_hole: true,
        ..SmscBehaviour::default()
    })
    .await;
}

#[tokio::test]
async fn an_smsc_that_unbinds_under_load_leaves_no_message_without_an_outcome() {
    let smsc = Smsc::start(SmscBehaviour {
        timing: Timing {
            delay: DelayMs::between(1, 5),
            ..Timing::default()
        },
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = Setup::new("")
        .smsc("viettel", &smsc, "binds = 3")
        .message_route(&["viettel"])
        .start_up()
        .await;
    let traffic = submit_all(router.messaging(), (0..2_000).map(message).collect());
    let traffic = tokio::spawn(traffic);
    eventually("traffic flows", async || smsc.totals().accepted > 300).await;
    smsc.unbind_all();
    let mut told = traffic.await.unwrap();
    for result in told.values() {
        match result.outcome() {
            Outcome::Accepted | Outcome::Unknown => assert!(!result.retry_is_safe),
            Outcome::NotSent => assert!(result.retry_is_safe, "{}", result.detail),
            Outcome::Rejected | Outcome::Unspecified => panic!("{result:?}"),
        }
    }
    router
        .until("each bind came back once", |links| {
            links.iter().all(|link| link.reconnects == 1)
        })
        .await;
    router.until_up().await;
    let after = submit_all(router.messaging(), (2_000..2_500).map(message).collect()).await;
    assert!(after.values().all(|own| own.outcome() == Outcome::Accepted));
    told.extend(after);
    assert_messages_agree(&told, &smsc.books());
}
