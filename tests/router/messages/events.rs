//! Receipts and messages from handsets: acknowledged to the SMSC by the subscriber, not by Sampan.

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
struct Subscriber {
    requests: mpsc::Sender<ReceiveRequest>,
    batches: Streaming<ReceiveBatch>,
}

impl Subscriber {
    async fn new(mut client: MessagingClient<Channel>) -> Self {
        let (requests, sent) = mpsc::channel(16);
        let subscribe = Request::Subscribe(Subscribe::default());
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

    async fn next(&mut self) -> Vec<Event> {
        let batch = soon("an event", self.batches.next()).await;
        batch.unwrap().unwrap().events
    }

    async fn acknowledge(&self, events: &[Event]) {
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

#[tokio::test]
async fn an_mo_is_acknowledged_to_the_smsc_only_after_the_subscriber_acknowledged_it() {
    let smsc = smsc().await;
    let router = router_for(&smsc, "").await;
    let mut subscriber = Subscriber::new(router.messaging()).await;
    let mut end = smsc.inject_mo("84981234567", "8049", 0, "BAL");
    let events = subscriber.next().await;
    let Some(Kind::Message(mo)) = &events[0].kind else {
        panic!("not an MO");
    };
    assert_eq!(mo.text.as_deref(), Some("BAL"));
    assert_eq!(events[0].source.as_ref().unwrap().number, "84981234567");
    assert_eq!(smsc.totals().mo_acknowledged, 0);
    assert!(
        end.try_recv().is_err(),
        "answered before the subscriber was"
    );
    subscriber.acknowledge(&events).await;
    let end = soon("the answer to the MO", end).await.unwrap();
    assert_eq!((end.status, end.attempts), (Some(status::ROK), 1));
}

#[tokio::test]
async fn an_mo_without_a_subscriber_goes_back_to_the_smsc_and_comes_again() {
    let smsc = smsc().await;
    let router = router_for(&smsc, "[inbox]\nacknowledge_timeout_ms = 100").await;
    let end = smsc.inject_mo("84981234567", "8049", 0, "BAL");
    eventually("the MO is sent again", async || {
        smsc.totals().deliveries_repeated > 0
    })
    .await;
    let mut subscriber = Subscriber::new(router.messaging()).await;
    let acknowledging = async {
        loop {
            let events = subscriber.next().await;
            subscriber.acknowledge(&events).await;
        }
    };
    let end = tokio::select! {
        () = acknowledging => unreachable!(),
        end = soon("the answer to the MO", end) => end.unwrap(),
    };
    assert_eq!(end.status, Some(status::ROK));
    assert!(end.attempts > 1);
}

#[tokio::test]
async fn an_event_that_a_subscriber_left_unacknowledged_goes_to_the_next_one() {
    let smsc = smsc().await;
    let router = router_for(&smsc, "").await;
    let mut first = Subscriber::new(router.messaging()).await;
    let end = smsc.inject_mo("84981234567", "8049", 0, "BAL");
    first.next().await;
    drop(first);
    let mut second = Subscriber::new(router.messaging()).await;
    let events = second.next().await;
    second.acknowledge(&events).await;
    let end = soon("the answer to the MO", end).await.unwrap();
    assert_eq!(end.status, Some(status::ROK));
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
async fn a_subscriber_that_asks_for_messages_gets_no_receipts() {
    let smsc = smsc().await;
    let router = router_for(&smsc, "[inbox]\nacknowledge_timeout_ms = 100").await;
    let (requests, sent) = mpsc::channel(16);
    let only_messages = Request::Subscribe(Subscribe {
        messages: true,
        ..Subscribe::default()
    });
    requests.send(request(only_messages)).await.unwrap();
    let mut client = router.messaging();
    let batches = soon(
        "the subscription",
        client.receive(ReceiverStream::new(sent)),
    )
    .await;
    let mut subscriber = Subscriber {
        requests,
        batches: batches.unwrap().into_inner(),
    };
    let asks_for_receipt = SubmitRequest {
        receipt: true,
        ..message(1)
    };
    submit(&router.messaging(), asks_for_receipt).await;
    eventually("the receipt went back", async || {
        smsc.totals().deliveries_repeated > 0
    })
    .await;
    drop(smsc.inject_mo("84981234567", "8049", 0, "BAL"));
    let events = subscriber.next().await;
    assert!(matches!(events[0].kind, Some(Kind::Message(_))));
    assert_eq!(events.len(), 1);
}
