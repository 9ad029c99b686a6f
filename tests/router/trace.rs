//! Trace and the last errors of a link: what an operator sees, and what nobody sees.

use loadtest::{
    fault::Trigger,
    smsc::{Smsc, SmscBehaviour},
};
use sampan::{
    rpc::proto::{ListLinksRequest, TraceBatch, TraceRequest, TracedPdu},
    status::LinkState,
};
use tonic::{Code, Streaming};

use crate::support::{Router, Setup, eventually, message, message_with_text, soon, submit};

const SECRET: &str = "482913";

async fn trace(router: &Router, request: TraceRequest) -> Streaming<TraceBatch> {
    let traced = router.links().trace(request).await;
    traced.unwrap().into_inner()
}

/// PDUs until the condition holds for the last one.
async fn until(
    batches: &mut Streaming<TraceBatch>,
    holds: impl Fn(&TracedPdu) -> bool,
) -> Vec<TracedPdu> {
    let mut pdus = Vec::new();
    while !pdus.last().is_some_and(&holds) {
        let batch = soon("the next PDUs", batches.message()).await.unwrap();
        let batch = batch.expect("the trace goes on");
        assert_eq!(batch.missed, 0);
        pdus.extend(batch.pdus);
    }
    pdus
}

async fn router(smsc: &Smsc, keys: &str) -> Router {
    Setup::new("")
        .smsc("viettel", smsc, keys)
        .message_route(&["viettel"])
        .start_up()
        .await
}

#[tokio::test]
async fn a_trace_shows_a_message_and_its_answer_without_text_and_whole_numbers() {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = router(&smsc, "").await;
    let request = TraceRequest {
        link: "viettel/1".into(),
        octets: true,
        ..TraceRequest::default()
    };
    let mut batches = trace(&router, request).await;
    let sent = message_with_text(1, SECRET);
    submit(&router.messaging(), sent.clone()).await;
    let pdus = until(&mut batches, |pdu| pdu.command == "submit_sm_resp").await;
    let [submit_sm, answer] = &pdus[..] else {
        panic!("{pdus:?}")
    };
    assert_eq!(submit_sm.command, "submit_sm");
    assert!(submit_sm.outgoing && !answer.outgoing);
    assert_eq!(submit_sm.sequence, answer.sequence);
    assert_eq!((submit_sm.connection, &*submit_sm.link), (1, "viettel/1"));
    let shown = &submit_sm.description;
    assert!(shown.contains("short_message=<6 octets>"), "{shown}");
    assert!(shown.contains("destination_addr=1:1:84"), "{shown}");
    assert!(answer.description.contains("message_id=\""), "{answer:?}");
    let length = u32::from_be_bytes(submit_sm.octets[..4].try_into().unwrap());
    assert_eq!(length as usize, submit_sm.octets.len());
    assert!(submit_sm.octets.ends_with(b"xxxxxx"));
    let printed = format!("{}{}", submit_sm.description, answer.description);
    assert!(!printed.contains(SECRET), "{printed}");
    let number = sent.destination.unwrap().number;
    assert!(!printed.contains(&number), "{printed}");
}

#[tokio::test]
async fn a_trace_by_number_shows_that_number_and_its_answers_and_nobody_elses() {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = router(&smsc, "").await;
    let followed = message(7);
    let number = followed.destination.clone().unwrap().number;
    let request = TraceRequest {
        number,
        ..TraceRequest::default()
    };
    let mut batches = trace(&router, request).await;
    for other in 100..110 {
        submit(&router.messaging(), message(other)).await;
    }
    submit(&router.messaging(), followed).await;
    let pdus = until(&mut batches, |pdu| !pdu.outgoing).await;
    let commands: Vec<&str> = pdus.iter().map(|pdu| &*pdu.command).collect();
    assert_eq!(commands, ["submit_sm", "submit_sm_resp"]);
    assert_eq!(pdus[0].sequence, pdus[1].sequence);
}

#[tokio::test]
async fn a_trace_that_waits_for_a_link_shows_its_bind_without_the_password() {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = router(&smsc, "password = \"secret08\"").await;
    let request = TraceRequest {
        octets: true,
        ..TraceRequest::default()
    };
    let mut batches = trace(&router, request).await;
    smsc.kill().await;
    smsc.restart().await.unwrap();
    let pdus = until(&mut batches, |pdu| pdu.command == "bind_transceiver_resp").await;
    let bind = pdus
        .iter()
        .find(|pdu| pdu.command == "bind_transceiver")
        .unwrap();
    assert!(bind.description.contains("password=<8 octets>"), "{bind:?}");
    assert_eq!(bind.connection, 2);
    for pdu in &pdus {
        assert!(!pdu.octets.windows(8).any(|octets| octets == b"secret08"));
    }
}

#[tokio::test]
async fn a_trace_of_what_there_is_not_is_refused_and_a_ninth_one_too() {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = router(&smsc, "").await;
    let refused = async |request: TraceRequest| {
        let status = router.links().trace(request).await.unwrap_err();
        status.code()
    };
    let unknown = TraceRequest {
        link: "viettel/9".into(),
        ..TraceRequest::default()
    };
    assert_eq!(refused(unknown).await, Code::NotFound);
    let no_number = TraceRequest {
        number: "8".repeat(30),
        ..TraceRequest::default()
    };
    assert_eq!(refused(no_number).await, Code::InvalidArgument);
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(trace(&router, TraceRequest::default()).await);
    }
    assert_eq!(
        refused(TraceRequest::default()).await,
        Code::ResourceExhausted
    );
    drop(open);
    eventually("room for another trace", async || {
        router.links().trace(TraceRequest::default()).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_stop_ends_a_trace_and_does_not_wait_for_it() {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = router(&smsc, "").await;
    let mut batches = trace(&router, TraceRequest::default()).await;
    router.stop().await;
    let ended = loop {
        match soon("the end of the trace", batches.message()).await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ended without a word"),
            Err(status) => break status.code(),
        }
    };
    assert_eq!(ended, Code::Unavailable);
}

#[tokio::test]
async fn a_link_tells_its_last_errors_with_their_times_the_newest_first() {
    let smsc = Smsc::start(SmscBehaviour {
        throttle: Trigger::First(1),
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = router(&smsc, "throttle_pause_ms = 1").await;
    let began = std::time::SystemTime::now();
    submit(&router.messaging(), message(1)).await;
    router
        .until("the pause is told", |links| {
            !links[0].last_errors.is_empty()
        })
        .await;
    smsc.kill().await;
    router
        .until("several tries have failed", |links| {
            let newest = &links[0].last_errors[0];
            newest.what.contains("cannot connect") && newest.times > 1
        })
        .await;
    let status = router.of("viettel").remove(0);
    let oldest = status.last_errors.last().unwrap();
    assert!(oldest.what.contains("ESME_RTHROTTLED"), "{oldest:?}");
    assert!(oldest.at >= began);
    assert!(
        status
            .last_errors
            .is_sorted_by(|newer, older| newer.at >= older.at)
    );
    let listed = router.links().list(ListLinksRequest::default()).await;
    let told = listed.unwrap().into_inner().links.remove(0).last_errors;
    assert!(told[0].what.contains("times in a row)"), "{told:?}");
    assert!(told[0].at_ms > 0);
}

#[tokio::test]
async fn requests_without_an_answer_are_one_error_however_many_they_were() {
    let smsc = Smsc::start(SmscBehaviour {
        silent: Trigger::Always,
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let router = router(&smsc, "response_timeout_ms = 50").await;
    for number in 0..3 {
        submit(&router.messaging(), message(number)).await;
    }
    let status = router.of("viettel").remove(0);
    assert_eq!(status.state, LinkState::Up);
    let [error] = &status.last_errors[..] else {
        panic!("{:?}", status.last_errors)
    };
    assert_eq!(
        error.to_string(),
        "a request was not answered within 50 ms (3 times in a row)"
    );
}
