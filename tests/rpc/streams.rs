//! Volume: every request of a stream is answered exactly once, and the stream ends as it should.

use std::collections::HashSet;

use sampan::rpc::proto::{Outcome, Reason, SubmitBatch, TransactBatch};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, iter, wrappers::ReceiverStream};
use tonic::{Code, Request};

use crate::{messaging::submit, payments::purchase, support::Running};

const BATCHES: usize = 100;
const BATCH: usize = 100;

#[tokio::test]
async fn ten_thousand_messages_are_each_answered_exactly_once() {
    let server = Running::start().await;
    let batches = (0..BATCHES).map(|batch| SubmitBatch {
        requests: (0..BATCH)
            .map(|nth| submit(&format!("{batch}-{nth}")))
            .collect(),
    });
    let mut messaging = server.messaging().await;
    let mut results = messaging
        .submit_stream(iter(batches.collect::<Vec<_>>()))
        .await
        .unwrap()
        .into_inner();
    let mut seen = HashSet::new();
    while let Some(batch) = results.next().await {
        for result in batch.unwrap().results {
            assert_eq!(result.reason(), Reason::NoRoute);
            assert!(seen.insert(result.request_id), "answered twice");
        }
    }
    assert_eq!(seen.len(), BATCHES * BATCH);
}

#[tokio::test]
async fn ten_thousand_payments_are_each_answered_exactly_once() {
    let server = Running::start().await;
    let batches = (0..BATCHES).map(|batch| TransactBatch {
        requests: (0..BATCH)
            .map(|nth| purchase(&format!("{batch}-{nth}")))
            .collect(),
    });
    let mut payments = server.payments().await;
    let mut results = payments
        .transact_stream(iter(batches.collect::<Vec<_>>()))
        .await
        .unwrap()
        .into_inner();
    let mut seen = HashSet::new();
    while let Some(batch) = results.next().await {
        for result in batch.unwrap().results {
            assert!(seen.insert(result.payment_id), "answered twice");
        }
    }
    assert_eq!(seen.len(), BATCHES * BATCH);
}

#[tokio::test]
async fn a_wrong_item_does_not_break_the_stream() {
    let server = Running::start().await;
    let mut wrong = submit("wrong");
    wrong.destination = None;
    let batch = SubmitBatch {
        requests: vec![submit("first"), wrong, submit("last")],
    };
    let mut messaging = server.messaging().await;
    let results = messaging
        .submit_stream(iter([batch]))
        .await
        .unwrap()
        .into_inner();
    let results: Vec<_> = results.map(|batch| batch.unwrap().results).collect().await;
    let results = results.concat();
    assert_eq!(results.len(), 3);
    let wrong = results
        .iter()
        .find(|result| result.request_id == "wrong")
        .unwrap();
    assert_eq!(wrong.outcome(), Outcome::NotSent);
    assert_eq!(wrong.detail, "requests[1].destination: missing");
}

#[tokio::test]
async fn a_stop_ends_an_idle_stream_and_the_server() {
    let server = Running::start().await;
    let (requests, inbound) = mpsc::channel(1);
    let mut messaging = server.messaging().await;
    let mut results = messaging
        .submit_stream(Request::new(ReceiverStream::new(inbound)))
        .await
        .unwrap()
        .into_inner();
    let batch = SubmitBatch {
        requests: vec![submit("r-1")],
    };
    requests.send(batch).await.unwrap();
    assert_eq!(results.next().await.unwrap().unwrap().results.len(), 1);
    let served = server.stop();
    let end = results.next().await.unwrap().unwrap_err();
    assert_eq!(end.code(), Code::Unavailable);
    drop((messaging, results, requests));
    served.await.unwrap().unwrap();
}
