//! A bank that stops reading: what it did not read must never come to it late.

use std::{collections::HashSet, net::SocketAddr};

use sampan::rpc::proto::{Element, PaymentOutcome, TransactRequest, element::Value};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::oneshot,
};

use crate::support::{Setup, charge_all, lookup_settled, purchase, soon};

/// Together more than the system's buffers and the link's own output hold.
const PAYMENTS: usize = 1_500;

/// A bank by hand. A small receive buffer, so that the sender's side fills soon.
fn listen() -> (TcpListener, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(8).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// One message without its header; `None` at the end of the connection, in the middle of one too.
async fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).await.ok()?;
    let length: usize = std::str::from_utf8(&header).unwrap().parse().unwrap();
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await.ok()?;
    Some(message)
}

/// Answers an 0800 or 0420 by its elements 7, 11 and 39 alone. Of both kinds, 7 and 11 are found by
/// their place: behind the bitmaps, after the fixed elements that come before.
async fn answer(stream: &mut TcpStream, mti: &str, transmission: &str, stan: &str) {
    // Elements 7, 11 and 39: bits 7, 11 and 39 of the first bitmap.
    let body = format!("{mti}0220000002000000{transmission}{stan}00");
    let framed = format!("{:04}{body}", body.len());
    stream.write_all(framed.as_bytes()).await.unwrap();
}

/// Elements 7 and 11 of a message, which begins with DE2 to DE4 where it has them.
fn trace_of(message: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(message);
    let first = u64::from_str_radix(&text[4..20], 16).unwrap();
    let has = |element: u32| first >> (64 - element) & 1 == 1;
    let mut at = if has(1) { 36 } else { 20 };
    if has(2) {
        at += 2 + text[at..at + 2].parse::<usize>().unwrap();
    }
    at += if has(3) { 6 } else { 0 };
    at += if has(4) { 12 } else { 0 };
    assert!(has(7) && has(11) && !has(5) && !has(6) && !has(8) && !has(9) && !has(10));
    (text[at..at + 10].into(), text[at + 10..at + 16].into())
}

/// Signs the router on.
async fn sign_on(stream: &mut TcpStream) {
    let message = read_message(stream).await.unwrap();
    assert!(message.starts_with(b"0800"));
    let (transmission, stan) = trace_of(&message);
    answer(stream, "0810", &transmission, &stan).await;
}

fn large(number: usize) -> TransactRequest {
    let elements = [48, 120, 121, 122, 123, 124, 125].map(|number| Element {
        number,
        value: Some(Value::Text("x".repeat(990))),
    });
    TransactRequest {
        retrieval_reference: format!("R{number:011}"),
        elements: elements.into(),
        ..purchase(number)
    }
}

#[tokio::test]
async fn a_payment_that_a_bank_did_not_read_is_not_sent_and_never_comes_after_its_reversal() {
    let (listener, address) = listen();
    let router = Setup::new("")
        .bank_at(
            "vietcom",
            address,
            "window = 4096\nresponse_timeout_ms = 1500\necho_ms = 0\n\
             [bank.reversal]\nrepeat_min_ms = 50",
        )
        .payment_route("vietcom")
        .start()
        .await;
    let (mut first, _) = listener.accept().await.unwrap();
    sign_on(&mut first).await;
    // The next connection acknowledges what is taken back, and tells the references of all it sees.
    let (told_end, mut end) = oneshot::channel::<()>();
    let second = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        sign_on(&mut stream).await;
        let mut payments = 0;
        loop {
            let message = tokio::select! {
                message = read_message(&mut stream) => message,
                _ = &mut end => None,
            };
            let Some(message) = message else {
                return payments;
            };
            if message.starts_with(b"042") {
                let (transmission, stan) = trace_of(&message);
                answer(&mut stream, "0430", &transmission, &stan).await;
            } else {
                payments += 1;
            }
        }
    });
    router.until_up().await;
    let told = charge_all(router.payments(), (0..PAYMENTS).map(large).collect()).await;
    let of = |outcome| {
        told.values()
            .filter(move |own| own.outcome() == outcome)
            .collect::<Vec<_>>()
    };
    let (not_sent, reversing) = (of(PaymentOutcome::NotSent), of(PaymentOutcome::Reversing));
    assert_eq!(not_sent.len() + reversing.len(), PAYMENTS);
    assert!(!not_sent.is_empty() && !reversing.is_empty());
    assert!(not_sent.iter().all(|own| own.retry_is_safe));
    let last_errors = router.of("vietcom").remove(0).last_errors;
    let is_told = |what: &str| what.contains("the bank does not read");
    assert!(
        last_errors.iter().any(|own| is_told(&own.what)),
        "{last_errors:?}"
    );
    for own in &reversing {
        let settled = lookup_settled(&router.payments(), &own.payment_id).await;
        let outcome = settled.payment.unwrap().outcome();
        assert_eq!(outcome, PaymentOutcome::Reversed);
    }

    // Only now does the bank read on: whatever is still to come of the first connection comes.
    let mut arrived = HashSet::new();
    while let Some(message) = soon("the end", read_message(&mut first)).await {
        let text = String::from_utf8_lossy(&message).into_owned();
        let at = text.find("R00000").unwrap();
        arrived.insert(text[at..at + 12].to_owned());
    }
    for own in &not_sent {
        let number: usize = own.payment_id["payment-".len()..].parse().unwrap();
        assert!(
            !arrived.contains(&format!("R{number:011}")),
            "{number} came late"
        );
    }
    assert!(arrived.len() <= reversing.len());
    told_end.send(()).unwrap();
    assert_eq!(second.await.unwrap(), 0, "no payment is sent a second time");
}
