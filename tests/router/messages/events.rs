//! Receipts and messages from handsets: durable before the SMSC gets its yes, handed over until they
//! are acknowledged.

use loadtest::{
    fault::DelayMs,
    smsc::{Delivering, Smsc, SmscBehaviour, status},
};
use sampan::rpc::proto::{
    Acknowledge, Event, MessageState, Outcome, ReceiveBatch, ReceiveRequest, SubmitRequest,
    Subscribe, event::Kind, messaging_client::MessagingClient, receive_request::Request,
};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{Streaming, transport::Channel};

use crate::support::{Router, Setup, eventually, message, soon, submit, submit_all};

/// An upstream service that takes receipts and MO.
pub(super) struct Subscriber {
    requests: mpsc::Sender<ReceiveRequest>,
    batches: Streaming<ReceiveBatch>,
}

impl Subscriber {
    pub(super) async fn new(client: MessagingClient<Channel>) -> Self {
        Self::to(client, "").await
    }

    async fn to(mut client: MessagingClient<Channel>, subscription: &str) -> Self {
        let (requests, sent) = mpsc::channel(16);
        let subscribe = Request::Subscribe(Subscribe {
            subscription: subscription.to_owned(),
            ..Subscribe::default()
        });
        requests.send(request(subscribe)).await.unwrap();
        let batches = soon(
            "the subscription",
            client.receive(ReceiverStream::new(sent)),
        )
        .await;
        Self {
            requests,
            batches: batches.unwrap().into_inner(),
        }
    }

    pub(super) async fn next(&mut self) -> Vec<Event> {
        let batch = soon("an event", self.batches.next()).await;
        batch.unwrap().unwrap().events
    }

    pub(super) async fn acknowledge(&self, events: &[Event]) {
        let delivery_ids = events.iter().map(|event| event.delivery_id).collect();
        let acknowledge = Request::Acknowledge(Acknowledge { delivery_ids });
        self.requests.send(request(acknowledge)).await.unwrap();
    }
}

fn request(request: Request) -> ReceiveRequest {
    ReceiveRequest {
        request: Some(request),
    }
}

async fn smsc() -> Smsc {
    Smsc::start(SmscBehaviour {
        delivering: Delivering {
            delay: DelayMs::fixed(5),
            retry_ms: 20,
            attempts_max: 1_000,
            ..Delivering::default()
        },
        ..SmscBehaviour::default()
    })
    .await
    .unwrap()
}

async fn router_for(smsc: &Smsc, extra: &str) -> Router {
    Setup::new(extra)
        .smsc("viettel", smsc, "binds = 2")
        .message_route(&["viettel"])
        .start_up()
        .await
}

fn text_of(event: &Event) -> &str {
    match &event.kind {
        Some(Kind::Message(mo)) => mo.text.as_deref().unwrap(),
        _ => panic!("not an MO"),
    }
}

#[tokio::test]
async fn an_mo_without_a_subscriber_is_acknowledged_at_once_and_handed_over_later() {
    let smsc = smsc().await;
    let router = router_for(&smsc, "").await;
    let end = smsc.inject_mo("84981234567", "8049", 0, "BAL");
    let end = soon("the answer to the MO", end).await.unwrap();
    assert_eq!((end.status, end.attempts), (Some(status::ROK), 1));
    let mut subscriber = Subscriber::new(router.messaging()).await;
    let events = subscriber.next().await;
    assert_eq!(text_of(&events[0]), "BAL");
    assert!(!events[0].redelivered);
    assert_eq!(events[0].source.as_ref().unwrap().number, "84981234567");
}

/// A file of its own, gone with the test.
pub(super) struct StoreFile(std::path::PathBuf);

impl StoreFile {
    pub(super) fn new(name: &str) -> Self {
        let name = format!("sampan-{name}-{}.redb", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub(super) fn section(&self) -> String {
        format!("[store]\npath = {:?}", self.0)
    }
}

impl Drop for StoreFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

#[tokio::test]
async fn what_was_acknowledged_to_the_smsc_outlives_the_router() {
    let (smsc, file) = (smsc().await, StoreFile::new("outlives"));
    let router = router_for(&smsc, &file.section()).await;
    let mut subscriber = Subscriber::new(router.messaging()).await;
    let first = smsc.inject_mo("84981234567", "8049", 0, "ONE");
    soon("the answer to the MO", first).await.unwrap();
    let events = subscriber.next().await;
    subscriber.acknowledge(&events).await;
    let second = smsc.inject_mo("84981234567", "8049", 0, "TWO");
    soon("the answer to the MO", second).await.unwrap();
    let seen = subscriber.next().await;
    assert_eq!(text_of(&seen[0]), "TWO");
    drop(subscriber);
    router.stop().await;

    let router = router_for(&smsc, &file.section()).await;
    let mut subscriber = Subscriber::new(router.messaging()).await;
    let again = subscriber.next().await;
    assert_eq!((again.len(), text_of(&again[0])), (1, "TWO"));
    assert!(again[0].redelivered);
    subscriber.acknowledge(&again).await;
    drop(subscriber);
    router.stop().await;
    assert_eq!(smsc.totals().deliveries_repeated, 0);
}

#[tokio::test]
async fn an_event_that_a_subscriber_left_unacknowledged_goes_to_the_next_one() {
    let smsc = smsc().await;
    let router = router_for(&smsc, "").await;
    let mut first = Subscriber::new(router.messaging()).await;
    drop(smsc.inject_mo("84981234567", "8049", 0, "BAL"));
    first.next().await;
    drop(first);
    let mut second = Subscriber::new(router.messaging()).await;
    let events = second.next().await;
    assert_eq!(text_of(&events[0]), "BAL");
    assert!(events[0].redelivered);
}

#[tokio::test]
async fn a_full_backlog_puts_the_smsc_off_until_there_is_room() {
    let smsc = smsc().await;
    let router = router_for(
        &smsc,
        "[[subscription]]\nname = \"default\"\nbacklog_max = 1",
    )
    .await;
    let first = smsc.inject_mo("84981234567", "8049", 0, "ONE");
    soon("the answer to the MO", first).await.unwrap();
    let second = smsc.inject_mo("84981234567", "8049", 0, "TWO");
    eventually("the second is put off", async || {
        smsc.totals().deliveries_repeated > 0
    })
    .await;
    let mut subscriber = Subscriber::new(router.messaging()).await;
    let events = subscriber.next().await;
    assert_eq!(text_of(&events[0]), "ONE");
    subscriber.acknowledge(&events).await;
    let end = soon("the answer to the MO", second).await.unwrap();
    assert_eq!(end.status, Some(status::ROK));
    assert_eq!(text_of(&subscriber.next().await[0]), "TWO");
}

#[tokio::test]
async fn every_receipt_reaches_the_subscriber_with_the_id_that_its_caller_was_told() {
    let smsc = smsc().await;
    let router = router_for(&smsc, "").await;
    let mut subscriber = Subscriber::new(router.messaging()).await;
    let requests = (0..100)
        .map(|number| SubmitRequest {
            receipt: true,
            ..message(number)
        })
        .collect();
    let told = submit_all(router.messaging(), requests).await;
    let mut expected: Vec<String> = told
        .into_values()
        .inspect(|own| assert_eq!(own.outcome(), Outcome::Accepted))
        .flat_map(|own| own.message_ids)
        .collect();
    let mut received = Vec::new();
    while received.len() < expected.len() {
        let events = subscriber.next().await;
        subscriber.acknowledge(&events).await;
        for event in events {
            let Some(Kind::Receipt(receipt)) = event.kind else {
                panic!("not a receipt");
            };
            assert_eq!(receipt.state(), MessageState::Delivered);
            received.push(receipt.message_id);
        }
    }
    expected.sort();
    received.sort();
    assert_eq!(received, expected);
    eventually("the SMSC has its answers", async || {
        smsc.totals().receipts_acknowledged == 100
    })
    .await;
    assert_eq!(smsc.totals().deliveries_repeated, 0);
}

#[tokio::test]
async fn a_subscription_for_receipts_gets_no_messages() {
    let smsc = smsc().await;
    let section = "[[subscription]]\nname = \"receipts\"\nmessages = false";
    let router = router_for(&smsc, section).await;
    let mut receipts = Subscriber::to(router.messaging(), "receipts").await;
    let mut others = Subscriber::new(router.messaging()).await;
    drop(smsc.inject_mo("84981234567", "8049", 0, "BAL"));
    let asks_for_receipt = SubmitRequest {
        receipt: true,
        ..message(1)
    };
    submit(&router.messaging(), asks_for_receipt).await;
    let events = receipts.next().await;
    assert!(matches!(
        events[..],
        [Event {
            kind: Some(Kind::Receipt(_)),
            ..
        }]
    ));
    let events = others.next().await;
    assert_eq!((events.len(), text_of(&events[0])), (1, "BAL"));
}
