//! Messages one at a time: each wrong field is named in the result, and nothing of its value told.

use std::time::Duration;

use sampan::rpc::proto::{
    Address, BinaryBody, CancelRequest, Element, Outcome, QueryRequest, Reason, ReplaceRequest,
    SubmitRequest, SubmitResult, Tlv, TransactRequest, element::Value, submit_request::Body,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::Request;

use crate::support::Running;

pub(crate) fn address(number: &str) -> Address {
    Address {
        number: number.into(),
        ton: None,
        npi: None,
    }
}

pub(crate) fn submit(request_id: &str) -> SubmitRequest {
    SubmitRequest {
        request_id: request_id.into(),
        destination: Some(address("84901234567")),
        body: Some(Body::Text("secret words".into())),
        ..SubmitRequest::default()
    }
}

fn with(change: impl FnOnce(&mut SubmitRequest)) -> SubmitRequest {
    let mut request = submit("r-1");
    change(&mut request);
    request
}

fn destination(change: impl FnOnce(&mut Address)) -> SubmitRequest {
    with(|request| change(request.destination.as_mut().unwrap()))
}

async fn result(server: &Running, request: SubmitRequest) -> SubmitResult {
    server
        .messaging()
        .await
        .submit(request)
        .await
        .unwrap()
        .into_inner()
}

#[tokio::test]
async fn a_sound_message_goes_down_and_its_outcome_comes_back_under_its_id() {
    let server = Running::start().await;
    let result = result(&server, submit("r-1")).await;
    assert_eq!(result.request_id, "r-1");
    assert_eq!(result.outcome(), Outcome::NotSent);
    assert_eq!(result.reason(), Reason::NoRoute);
    assert!(result.retry_is_safe);
}

#[tokio::test]
async fn each_wrong_field_of_a_message_is_named() {
    let server = Running::start().await;
    let tlv = |tag, length| Tlv {
        tag,
        value: vec![0; length].into(),
    };
    let binary = BinaryBody {
        data_coding: 256,
        ..BinaryBody::default()
    };
    let cases = [
        (with(|r| r.request_id.clear()), "request_id: empty"),
        (
            with(|r| r.request_id = "i".repeat(65)),
            "request_id: 65 bytes, at most 64",
        ),
        (with(|r| r.destination = None), "destination: missing"),
        (
            destination(|d| d.number.clear()),
            "destination.number: empty",
        ),
        (
            destination(|d| d.number = "8".repeat(21)),
            "destination.number: 21 bytes, at most 20",
        ),
        (
            destination(|d| d.number = "84\0".into()),
            "destination.number: must be printable ASCII",
        ),
        (
            destination(|d| d.ton = Some(256)),
            "destination.ton: 256 is not between 0 and 255",
        ),
        (
            destination(|d| d.npi = Some(999)),
            "destination.npi: 999 is not between 0 and 255",
        ),
        (
            with(|r| r.source = Some(address(""))),
            "source.number: empty",
        ),
        (with(|r| r.body = None), "body: missing: set text or binary"),
        (
            with(|r| r.body = Some(Body::Binary(binary))),
            "binary.data_coding: 256 is not between 0 and 255",
        ),
        (with(|r| r.coding = 9), "coding: 9 is no Coding"),
        (
            with(|r| r.service_type = "CMTCMT".into()),
            "service_type: 6 bytes, at most 5",
        ),
        (
            with(|r| r.priority = 4),
            "priority: 4 is not between 0 and 3",
        ),
        (
            with(|r| r.protocol_id = 300),
            "protocol_id: 300 is not between 0 and 255",
        ),
        (
            with(|r| r.tlvs = vec![tlv(65_536, 0)]),
            "tlvs[0].tag: 65536 is not between 0 and 65535",
        ),
        (
            with(|r| r.tlvs = vec![tlv(1, 65_536)]),
            "tlvs[0].value: 65536 bytes, at most 65535",
        ),
        (
            with(|r| r.tlvs = vec![tlv(1, 0); 65]),
            "tlvs: 65 of them, at most 64",
        ),
        (
            with(|r| r.route = "r".repeat(65)),
            "route: 65 bytes, at most 64",
        ),
    ];
    for (request, detail) in cases {
        let result = result(&server, request).await;
        assert_eq!(result.detail, detail);
        assert_eq!(result.outcome(), Outcome::NotSent, "{detail}");
        assert_eq!(result.reason(), Reason::Invalid, "{detail}");
        assert!(result.retry_is_safe, "{detail}");
    }
}

#[tokio::test]
async fn an_operation_on_a_message_names_what_is_wrong_with_it() {
    let server = Running::start().await;
    let mut messaging = server.messaging().await;
    let query = QueryRequest {
        request_id: "q-1".into(),
        smsc: "viettel".into(),
        source: Some(address("8049")),
        ..QueryRequest::default()
    };
    let result = messaging
        .query(query.clone())
        .await
        .unwrap()
        .into_inner()
        .result
        .unwrap();
    assert_eq!(
        (result.request_id.as_str(), result.detail.as_str()),
        ("q-1", "message_id: empty")
    );
    let sound = QueryRequest {
        message_id: "m-1".into(),
        ..query
    };
    let result = messaging
        .query(sound)
        .await
        .unwrap()
        .into_inner()
        .result
        .unwrap();
    assert_eq!(result.reason(), Reason::NoRoute);

    let cancel = CancelRequest {
        request_id: "c-1".into(),
        smsc: "viettel".into(),
        message_id: "m-1".into(),
        source: Some(address("8049")),
        ..CancelRequest::default()
    };
    let result = messaging.cancel(cancel).await.unwrap().into_inner();
    assert_eq!(result.detail, "destination: missing");

    let replace = ReplaceRequest {
        request_id: "x-1".into(),
        message_id: "m-1".into(),
        source: Some(address("8049")),
        ..ReplaceRequest::default()
    };
    let result = messaging.replace(replace).await.unwrap().into_inner();
    assert_eq!(
        (result.outcome(), result.detail.as_str()),
        (Outcome::NotSent, "smsc: empty")
    );
}

#[tokio::test]
async fn a_call_with_a_timeout_still_gets_its_outcome() {
    let server = Running::start().await;
    let mut request = Request::new(submit("r-1"));
    request.set_timeout(Duration::from_secs(30));
    let result = server.messaging().await.submit(request).await.unwrap();
    assert_eq!(result.into_inner().reason(), Reason::NoRoute);
}

#[test]
fn a_request_shows_neither_text_nor_card() {
    let shown = format!("{:?}", submit("r-1"));
    assert!(
        shown.contains("r-1") && !shown.contains("secret"),
        "{shown}"
    );
    assert!(!shown.contains("84901234567"), "{shown}");
    let payment = TransactRequest {
        payment_id: "p-1".into(),
        pan: "9704361234567890".into(),
        elements: vec![Element {
            number: 52,
            value: Some(Value::Text("0123456789ABCDEF".into())),
        }],
        ..TransactRequest::default()
    };
    let shown = format!("{payment:?} {:?}", payment.elements);
    assert!(shown.contains("p-1"), "{shown}");
    assert!(
        !shown.contains("9704") && !shown.contains("ABCDEF"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_foreign_protocol_on_the_port_disturbs_nobody() {
    let server = Running::start().await;
    let mut foreign = tokio::net::TcpStream::connect(server.address.unwrap())
        .await
        .unwrap();
    foreign.write_all(b"0200 is no gRPC\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // Closed with or without a reset: either way the connection ends.
    foreign.read_to_end(&mut answer).await.ok();
    let result = result(&server, submit("r-1")).await;
    assert_eq!(result.reason(), Reason::NoRoute);
}
