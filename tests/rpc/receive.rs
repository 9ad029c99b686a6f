//! Receive: the SMSC gets its yes for what is durable, and a subscriber gets it until it acknowledges.

use std::{sync::Arc, time::Instant};

use sampan::{
    inbox::{
        AboutPayment, AboutRequest, Address, BankEvent, Event, EventKind, Identity,
        MobileOriginated, Notice, Receipt, Respond, Responder, Taken, Verdict,
    },
    rpc::proto::{
        Acknowledge, BankEventKind, MessageState, ReceiveBatch, ReceiveRequest, Subscribe,
        event::Kind, receive_request::Request as Ask,
    },
};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, iter, wrappers::ReceiverStream};
use tonic::{Code, Request, Status, Streaming};

use crate::support::Running;

/// A link that tells the test what it is to answer.
struct Link(mpsc::UnboundedSender<(u32, Verdict)>);

impl Respond for Link {
    fn respond(&self, _session: u64, verdicts: &[(u32, Verdict)]) {
        for verdict in verdicts {
            self.0.send(*verdict).unwrap();
        }
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
            peer: "viettel".into(),
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
        ..MobileOriginated::default()
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
        request: Some(AboutRequest {
            request_id: "order-7".into(),
            client: "shop".into(),
            part: 1,
            parts: 2,
            whole_state: 1,
        }),
    })
}

/// A call that is open.
struct Call {
    requests: mpsc::Sender<ReceiveRequest>,
    events: Streaming<ReceiveBatch>,
}

impl Call {
    async fn open(server: &Running, subscribe: Subscribe) -> Self {
        Self::open_as(server, "local", subscribe).await.unwrap()
    }

    async fn open_as(server: &Running, client: &str, subscribe: Subscribe) -> Result<Self, Status> {
        let (requests, inbound) = mpsc::channel(8);
        requests.send(ask(Ask::Subscribe(subscribe))).await.unwrap();
        let mut request = Request::new(ReceiverStream::new(inbound));
        let name = client.parse().unwrap();
        request.metadata_mut().insert("sampan-client", name);
        let response = server.messaging().await.receive(request).await?;
        Ok(Self {
            requests,
            events: response.into_inner(),
        })
    }

    async fn acknowledge(&self, delivery_ids: Vec<u64>) {
        let acknowledge = Ask::Acknowledge(Acknowledge { delivery_ids });
        self.requests.send(ask(acknowledge)).await.unwrap();
    }
}

fn subscription(name: &str) -> Subscribe {
    Subscribe {
        subscription: name.to_owned(),
        ..Subscribe::default()
    }
}

fn ask(request: Ask) -> ReceiveRequest {
    ReceiveRequest {
        request: Some(request),
    }
}

#[tokio::test]
async fn the_smsc_gets_its_yes_without_a_subscriber_and_the_event_is_handed_over_later() {
    let (server, mut smsc) = (Running::start().await, Smsc::new());
    smsc.deliver(&server, 7, message("xin chao"));
    assert_eq!(smsc.told.recv().await, Some((7, Verdict::Acknowledged)));
    let mut call = Call::open(&server, Subscribe::default()).await;
    let mut batch = call.events.next().await.unwrap().unwrap();
    let event = batch.events.remove(0);
    assert_eq!(
        (event.smsc.as_str(), event.link.as_str()),
        ("viettel", "viettel/1")
    );
    assert_eq!(event.source.unwrap().number, "84901234567");
    assert!(!event.redelivered && event.received_at_ms > 0);
    let Some(Kind::Message(message)) = event.kind else {
        panic!("no message");
    };
    assert_eq!(message.text.as_deref(), Some("xin chao"));
    assert_eq!((message.parts, &message.missing_parts[..]), (1, &[][..]));
    assert_eq!(
        (message.tlvs[0].tag, &message.tlvs[0].value[..]),
        (0x0204, &[0, 7][..])
    );
}

#[tokio::test]
async fn a_receipt_is_told_with_its_state() {
    let (server, smsc) = (Running::start().await, Smsc::new());
    let mut call = Call::open_as(&server, "shop", subscription("receipts"))
        .await
        .unwrap();
    smsc.deliver(&server, 1, receipt());
    let batch = call.events.next().await.unwrap().unwrap();
    let Some(Kind::Receipt(receipt)) = &batch.events[0].kind else {
        panic!("no receipt");
    };
    assert_eq!(receipt.message_id, "0a1b");
    assert_eq!(receipt.state(), MessageState::Delivered);
    assert_eq!(receipt.done_date, "2611220205");
    assert_eq!(
        (receipt.request_id.as_str(), receipt.client.as_str()),
        ("order-7", "shop")
    );
    assert_eq!((receipt.part, receipt.parts), (1, 2));
    assert_eq!(receipt.whole_state(), MessageState::Enroute);
}

#[tokio::test]
async fn a_chargeback_is_told_with_its_original_and_the_payment_that_it_is_about() {
    let server = Running::start().await;
    let number = |number: &'static str| Address {
        number: number.into(),
        ton: None,
        npi: None,
    };
    let elements: [(u8, &'static str); 9] = [
        (2, "970436******1234"),
        (4, "000000010000"),
        (7, "1122091500"),
        (11, "800000"),
        (15, "1122"),
        (37, "632607000124"),
        (39, "53"),
        (49, "704"),
        (90, "020000012411220732440000097049900000000000"),
    ];
    let event = Event {
        peer: "vietcom".into(),
        link: "vietcom/1".into(),
        source: number("vietcom"),
        destination: number(""),
        kind: EventKind::Bank(BankEvent {
            mti: "0422".parse().unwrap(),
            elements: elements.map(|(n, v)| (n, v.into())).into(),
            payment: Some(AboutPayment {
                client: "shop".into(),
                payment_id: "order-7".into(),
            }),
            reconciliation: None,
        }),
    };
    let (sender, mut told) = mpsc::unbounded_channel();
    let notice = Notice {
        event,
        identity: Identity([1; 16]),
        told: Box::new(move |taken| sender.send(taken).unwrap()),
    };
    server.inbox.notice(Instant::now(), vec![notice]);
    assert_eq!(told.recv().await, Some(Taken::Durable));
    let mut call = Call::open(&server, Subscribe::default()).await;
    let mut batch = call.events.next().await.unwrap().unwrap();
    let event = batch.events.remove(0);
    assert_eq!(
        (event.smsc.as_str(), event.link.as_str()),
        ("", "vietcom/1")
    );
    assert_eq!((&event.source, &event.destination), (&None, &None));
    let Some(Kind::Bank(told)) = event.kind else {
        panic!("no bank's event");
    };
    assert_eq!(
        (told.bank.as_str(), told.kind()),
        ("vietcom", BankEventKind::Chargeback)
    );
    assert_eq!(
        (told.message_type.as_str(), told.masked_pan.as_str()),
        ("0422", "970436******1234")
    );
    let amount = told.amount.as_ref().unwrap();
    assert_eq!(
        (amount.amount_minor, amount.currency.as_str()),
        (10_000, "VND")
    );
    assert_eq!(
        (told.stan.as_str(), told.retrieval_reference.as_str()),
        ("800000", "632607000124")
    );
    assert_eq!(
        (told.reason_code.as_str(), told.settlement_date.as_str()),
        ("53", "1122")
    );
    let original = told.original.as_ref().unwrap();
    assert_eq!(
        (original.message_type.as_str(), original.stan.as_str()),
        ("0200", "000124")
    );
    assert_eq!(original.transmitted, "1122073244");
    let payment = told.payment.as_ref().unwrap();
    assert_eq!(
        (payment.client.as_str(), payment.payment_id.as_str()),
        ("shop", "order-7")
    );
    assert_eq!(told.elements.len(), elements.len());
}

#[tokio::test]
async fn a_subscription_gets_what_it_wants_and_the_default_one_the_rest() {
    let (server, smsc) = (Running::start().await, Smsc::new());
    let mut receipts = Call::open_as(&server, "shop", subscription("receipts"))
        .await
        .unwrap();
    let mut others = Call::open(&server, Subscribe::default()).await;
    smsc.deliver(&server, 1, message("not for that one"));
    smsc.deliver(&server, 2, receipt());
    let batch = receipts.events.next().await.unwrap().unwrap();
    assert!(matches!(&batch.events[..], [event] if matches!(event.kind, Some(Kind::Receipt(_)))));
    let batch = others.events.next().await.unwrap().unwrap();
    assert!(matches!(&batch.events[..], [event] if matches!(event.kind, Some(Kind::Message(_)))));
}

#[tokio::test]
async fn a_subscription_that_is_not_configured_is_not_found_and_anothers_is_denied() {
    let server = Running::start().await;
    let refused = Call::open_as(&server, "shop", subscription("nothing")).await;
    assert_eq!(refused.err().unwrap().code(), Code::NotFound);
    let refused = Call::open_as(&server, "other", subscription("receipts")).await;
    assert_eq!(refused.err().unwrap().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn what_a_subscriber_that_hangs_up_did_not_acknowledge_goes_to_the_next_marked() {
    let (server, smsc) = (Running::start().await, Smsc::new());
    let mut call = Call::open(&server, Subscribe::default()).await;
    smsc.deliver(&server, 9, message("acknowledged"));
    smsc.deliver(&server, 10, message("lost"));
    let mut ids = Vec::new();
    while ids.len() < 2 {
        let batch = call.events.next().await.unwrap().unwrap();
        ids.extend(batch.events.iter().map(|event| event.delivery_id));
    }
    call.acknowledge(vec![ids[0]]).await;
    drop(call.requests);
    assert!(call.events.next().await.is_none());
    drop(call.events);
    let mut next = Call::open(&server, Subscribe::default()).await;
    let batch = next.events.next().await.unwrap().unwrap();
    assert_eq!(batch.events.len(), 1);
    assert!(batch.events[0].redelivered);
    assert_eq!(batch.events[0].delivery_id, ids[1]);
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
