//! Receive: events go to a subscriber, and the SMSC gets its yes only for acknowledged ones.

use std::{sync::Arc, time::Instant};

use sampan::{
    inbox::{Event, EventKind, MobileOriginated, Receipt, Respond, Responder, Verdict},
    message::Address,
    rpc::proto::{
        Acknowledge, MessageState, ReceiveBatch, ReceiveRequest, Subscribe, event::Kind,
        receive_request::Request as Ask,
    },
};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, iter, wrappers::ReceiverStream};
use tonic::{Code, Streaming};

use crate::support::Running;

/// A link that tells the test what it is to answer.
struct Link(mpsc::UnboundedSender<(u32, Verdict)>);

impl Respond for Link {
    fn respond(&self, _session: u64, sequence: u32, verdict: Verdict) {
        self.0.send((sequence, verdict)).unwrap();
    }
}

struct Smsc {
    link: Arc<Link>,
    told: mpsc::UnboundedReceiver<(u32, Verdict)>,
}

impl Smsc {
    fn new() -> Self {
        let (sender, told) = mpsc::unbounded_channel();
        Self {
            link: Arc::new(Link(sender)),
            told,
        }
    }

    fn deliver(&self, server: &Running, sequence: u32, kind: EventKind) {
        let address = |number: &'static str| Address {
            number: number.into(),
            ton: Some(1),
            npi: None,
        };
        let event = Event {
            smsc: "viettel".into(),
            link: "viettel/1".into(),
            source: address("84901234567"),
            destination: address("8049"),
            kind,
        };
        let link: Arc<dyn Respond> = Arc::<Link>::clone(&self.link);
        let responder = Responder {
            link,
            session: 1,
            sequence,
        };
        server.inbox.offer(Instant::now(), [(event, responder)]);
    }
}

fn message(text: &str) -> EventKind {
    EventKind::Message(MobileOriginated {
        text: Some(text.to_owned()),
        data: text.to_owned().into(),
        data_coding: 0,
        esm_class: 0,
        user_data_header: Vec::new().into(),
        tlvs: vec![(0x0204, vec![0, 7].into())],
    })
}

fn receipt() -> EventKind {
    EventKind::Receipt(Receipt {
        message_id: "0a1b".into(),
        message_state: 2,
        error: "000".into(),
        submit_date: "2611220204".into(),
        done_date: "2611220205".into(),
        data: "id:0a1b".into(),
        tlvs: Vec::new(),
    })
}

/// A call that is open.
struct Call {
    requests: mpsc::Sender<ReceiveRequest>,
    events: Streaming<ReceiveBatch>,
}

impl Call {
    async fn open(server: &Running, subscribe: Subscribe) -> Self {
        let (requests, inbound) = mpsc::channel(8);
        requests.send(ask(Ask::Subscribe(subscribe))).await.unwrap();
        let response = server
            .messaging()
            .await
            .receive(ReceiverStream::new(inbound))
            .await;
        Self {
            requests,
            events: response.unwrap().into_inner(),
        }
    }

    async fn acknowledge(&self, delivery_ids: Vec<u64>) {
        let acknowledge = Ask::Acknowledge(Acknowledge { delivery_ids });
        self.requests.send(ask(acknowledge)).await.unwrap();
    }
}

fn ask(request: Ask) -> ReceiveRequest {
    ReceiveRequest {
        request: Some(request),
    }
}

#[tokio::test]
async fn the_smsc_gets_its_yes_only_after_the_acknowledgement() {
    let (server, mut smsc) = (Running::start().await, Smsc::new());
    let mut call = Call::open(&server, Subscribe::default()).await;
    smsc.deliver(&server, 7, message("xin chao"));
    let mut batch = call.events.next().await.unwrap().unwrap();
    let event = batch.events.remove(0);
    assert_eq!(
        (event.smsc.as_str(), event.link.as_str()),
        ("viettel", "viettel/1")
    );
    assert_eq!(event.source.unwrap().number, "84901234567");
    let Some(Kind::Message(message)) = event.kind else {
        panic!("no message");
    };
    assert_eq!(message.text.as_deref(), Some("xin chao"));
    assert_eq!(
        (message.tlvs[0].tag, &message.tlvs[0].value[..]),
        (0x0204, &[0, 7][..])
    );
    assert!(smsc.told.try_recv().is_err());
    call.acknowledge(vec![event.delivery_id]).await;
    assert_eq!(smsc.told.recv().await, Some((7, Verdict::Acknowledged)));
}

#[tokio::test]
async fn a_receipt_is_told_with_its_state() {
    let (server, smsc) = (Running::start().await, Smsc::new());
    let mut call = Call::open(&server, Subscribe::default()).await;
    smsc.deliver(&server, 1, receipt());
    let batch = call.events.next().await.unwrap().unwrap();
    let Some(Kind::Receipt(receipt)) = &batch.events[0].kind else {
        panic!("no receipt");
    };
    assert_eq!(receipt.message_id, "0a1b");
    assert_eq!(receipt.state(), MessageState::Delivered);
    assert_eq!(receipt.done_date, "2611220205");
}

#[tokio::test]
async fn a_subscriber_gets_only_the_kind_that_it_asked_for() {
    let (server, smsc) = (Running::start().await, Smsc::new());
    let receipts = Subscribe {
        receipts: true,
        ..Subscribe::default()
    };
    let mut call = Call::open(&server, receipts).await;
    smsc.deliver(&server, 1, message("not for this one"));
    smsc.deliver(&server, 2, receipt());
    let batch = call.events.next().await.unwrap().unwrap();
    assert!(matches!(&batch.events[..], [event] if matches!(event.kind, Some(Kind::Receipt(_)))));
    assert_eq!(server.inbox.counts().waiting, 1);
}

#[tokio::test]
async fn a_subscriber_that_hangs_up_gives_back_what_it_did_not_acknowledge() {
    let (server, mut smsc) = (Running::start().await, Smsc::new());
    let mut call = Call::open(&server, Subscribe::default()).await;
    smsc.deliver(&server, 9, message("lost"));
    call.events.next().await.unwrap().unwrap();
    drop(call.requests);
    assert!(call.events.next().await.is_none());
    assert_eq!(smsc.told.recv().await, Some((9, Verdict::Later)));
}

#[tokio::test]
async fn the_first_request_must_subscribe_and_no_other_may() {
    let server = Running::start().await;
    let acknowledge = || ask(Ask::Acknowledge(Acknowledge::default()));
    let mut messaging = server.messaging().await;
    for first in [vec![acknowledge()], vec![ReceiveRequest::default()], vec![]] {
        let refused = messaging.receive(iter(first)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    let mut call = Call::open(&server, Subscribe::default()).await;
    let again = ask(Ask::Subscribe(Subscribe::default()));
    call.requests.send(again).await.unwrap();
    let refused = call.events.next().await.unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_stop_ends_subscriptions() {
    let server = Running::start().await;
    let mut call = Call::open(&server, Subscribe::default()).await;
    let served = server.stop();
    let end = call.events.next().await.unwrap().unwrap_err();
    assert_eq!(end.code(), Code::Unavailable);
    drop(call);
    served.await.unwrap().unwrap();
}
