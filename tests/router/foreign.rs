//! Peers that speak something else.

use std::io;

use loadtest::{
    bank::{Bank, BankBehaviour},
    smsc::{Smsc, SmscBehaviour},
};
use sampan::{
    rpc::proto::{Outcome, PaymentOutcome},
    status::LinkState,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::support::{Setup, charge, message, purchase, submit};

/// A web server, as far as one can tell from its first words.
async fn web_server() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn refuse_like_the_web(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream));
    }
}

async fn answer(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.fill_buf().await?;
    let words = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    stream.write_all(words).await
}

#[tokio::test]
async fn a_web_server_in_an_smscs_place_is_named_in_links_and_disturbs_no_other_link() {
    let listener = web_server().await;
    let address = listener.local_addr().unwrap();
    tokio::spawn(refuse_like_the_web(listener));
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = Setup::new("")
        .smsc_at("web", address, "")
        .smsc("viettel", &smsc, "")
        .message_route(&["web", "viettel"])
        .start()
        .await;
    router
        .until("one is up, the other tells why not", |links| {
            links[0].state != LinkState::Up
                && !links[0].last_error.is_empty()
                && links[1].state == LinkState::Up
        })
        .await;
    let told = router.of("web")[0].last_error.clone();
    assert!(told.contains("SMPP"), "{told}");
    let result = submit(&router.messaging(), message(1)).await;
    assert_eq!(result.outcome(), Outcome::Accepted);
    assert_eq!(router.of("viettel")[0].reconnects, 0);
}

#[tokio::test]
async fn a_web_server_in_a_banks_place_is_named_in_links_and_disturbs_no_other_link() {
    let listener = web_server().await;
    let address = listener.local_addr().unwrap();
    tokio::spawn(refuse_like_the_web(listener));
    let bank = Bank::start(BankBehaviour {
        open_unknown_minor: Some(1_000_000),
        ..BankBehaviour::default()
    })
    .await
    .unwrap();
    let router = Setup::new("")
        .bank_at("web", address, "")
        .bank("vietcom", &bank, "")
        .payment_route("vietcom")
        .start()
        .await;
    router
        .until("one is up, the other tells why not", |links| {
            links[0].state != LinkState::Up
                && !links[0].last_error.is_empty()
                && links[1].state == LinkState::Up
        })
        .await;
    let told = router.of("web")[0].last_error.clone();
    assert!(told.contains("ISO 8583"), "{told}");
    let result = charge(&router.payments(), purchase(1)).await;
    assert_eq!(result.outcome(), PaymentOutcome::Approved);
    assert_eq!(router.of("vietcom")[0].reconnects, 0);
}
