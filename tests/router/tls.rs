//! TLS between the router and its peers: who is trusted, who is not, and what an operator is told.

use loadtest::{
    bank::{Bank, BankBehaviour},
    smsc::{Smsc, SmscBehaviour},
};
use sampan::{
    rpc::proto::{Outcome, PaymentOutcome},
    status::LinkState,
};
use tokio::{io::AsyncReadExt as _, net::TcpListener};

use crate::support::{
    Authority, Setup, TlsClient, TlsFront, charge, charge_all, eventually, message,
    message_with_text, purchase, submit_all,
};

async fn smsc() -> Smsc {
    Smsc::start(SmscBehaviour::default()).await.unwrap()
}

/// What the only link of the SMSC says about a peer that it cannot use.
async fn refusal(front: std::net::SocketAddr, section: &str) -> String {
    let router = Setup::new("")
        .smsc_at("viettel", front, section)
        .start()
        .await;
    router
        .until("the link tells why not", |links| {
            links[0].state == LinkState::Down && !links[0].last_error.is_empty()
        })
        .await;
    let status = router.of("viettel").remove(0);
    assert_eq!(status.last_errors[0].what, status.last_error);
    assert_eq!(status.submitted, 0);
    status.last_error
}

#[tokio::test]
async fn messages_of_every_length_pass_through_tls_in_both_directions() {
    let (authority, smsc) = (Authority::new(), smsc().await);
    let server = authority.issue("127.0.0.1");
    let front = TlsFront::start(&server, None, smsc.address()).await;
    let router = Setup::new("")
        .smsc_at(
            "viettel",
            front.address,
            &format!("window = 64\n{}", authority.section("")),
        )
        .message_route(&["viettel"])
        .start_up()
        .await;
    let long = "0123456789".repeat(100);
    let requests = (0..400).map(|number| match number % 4 {
        0 => message_with_text(number, &long),
        _ => message(number),
    });
    let results = submit_all(router.messaging(), requests.collect()).await;
    assert!(results.values().all(|it| it.outcome() == Outcome::Accepted));
    router.stop().await;
    assert_eq!(smsc.books().binds.len(), 1, "the unbind came through too");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_and_both_names_are_told() {
    let (authority, smsc) = (Authority::new(), smsc().await);
    let server = authority.issue("smsc.example.net");
    let front = TlsFront::start(&server, None, smsc.address()).await;
    let told = refusal(front.address, &authority.section("")).await;
    assert!(told.contains("not for 127.0.0.1"), "{told}");
    assert!(told.contains("smsc.example.net"), "{told}");
    assert!(told.contains("tls.server_name"), "{told}");
    assert_eq!(smsc.totals().connections, 0, "nothing was said to it");
}

#[tokio::test]
async fn the_name_that_is_configured_stands_in_place_of_the_address() {
    let (authority, smsc) = (Authority::new(), smsc().await);
    let server = authority.issue("smsc.example.net");
    let front = TlsFront::start(&server, None, smsc.address()).await;
    let section = authority.section("server_name = \"smsc.example.net\"");
    let router = Setup::new("").smsc_at("viettel", front.address, &section);
    router.start_up().await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let (authority, stranger, smsc) = (Authority::new(), Authority::new(), smsc().await);
    let server = stranger.issue("127.0.0.1");
    let front = TlsFront::start(&server, None, smsc.address()).await;
    let told = refusal(front.address, &authority.section("")).await;
    assert!(told.contains("none of the roots in tls.ca"), "{told}");
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_refused() {
    let (authority, smsc) = (Authority::new(), smsc().await);
    let server = authority.issue_expired("127.0.0.1");
    let front = TlsFront::start(&server, None, smsc.address()).await;
    let told = refusal(front.address, &authority.section("")).await;
    assert!(told.contains("has expired"), "{told}");
}

#[tokio::test]
async fn a_client_certificate_that_the_smsc_wants_is_shown_and_its_lack_is_told() {
    let (authority, smsc) = (Authority::new(), smsc().await);
    let server = authority.issue("127.0.0.1");
    let front = TlsFront::start(&server, Some(&authority.root), smsc.address()).await;
    let told = refusal(front.address, &authority.section("")).await;
    assert!(told.contains("wants a client certificate"), "{told}");
    let stranger = Authority::new();
    let strange = stranger.identity(&stranger.issue("sampan"));
    let told = refusal(front.address, &authority.section(&strange)).await;
    assert!(told.contains("does not accept our certificate"), "{told}");
    let own = authority.identity(&authority.issue("sampan"));
    let router = Setup::new("").smsc_at("viettel", front.address, &authority.section(&own));
    router.start_up().await;
}

#[tokio::test]
async fn a_plain_smsc_behind_a_tls_configuration_is_told_as_such() {
    let (authority, smsc) = (Authority::new(), smsc().await);
    let told = refusal(smsc.address(), &authority.section("")).await;
    assert!(
        told.contains("does not speak TLS") || told.contains("speak TLS?"),
        "{told}"
    );
    assert_eq!(smsc.books().binds.len(), 0);
}

#[tokio::test]
async fn an_smsc_that_wants_tls_is_told_as_such_by_a_plain_configuration() {
    let (authority, smsc) = (Authority::new(), smsc().await);
    let server = authority.issue("127.0.0.1");
    let front = TlsFront::start(&server, None, smsc.address()).await;
    let told = refusal(front.address, "").await;
    assert!(told.contains("answers in TLS"), "{told}");
}

#[tokio::test]
async fn the_handshake_is_part_of_the_time_to_connect() {
    // It takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = silent.accept().await {
            tokio::spawn(async move { stream.read_to_end(&mut Vec::new()).await });
        }
    });
    let authority = Authority::new();
    let section = format!("connect_timeout_ms = 100\n{}", authority.section(""));
    let told = refusal(address, &section).await;
    assert!(
        told.contains("TLS handshake") && told.contains("100 ms"),
        "{told}"
    );
}

async fn bank() -> Bank {
    Bank::start(BankBehaviour {
        open_unknown_minor: Some(1_000_000_000),
        ..BankBehaviour::default()
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn payments_pass_through_tls_to_a_bank_that_wants_our_certificate() {
    let (authority, bank) = (Authority::new(), bank().await);
    let server = authority.issue("switch.example.net");
    let front = TlsFront::start(&server, Some(&authority.root), bank.address()).await;
    let own = authority.identity(&authority.issue("sampan"));
    let section = authority.bank_section(&format!("server_name = \"switch.example.net\"\n{own}"));
    let router = Setup::new("")
        .bank_at("vietcom", front.address, &section)
        .payment_route("vietcom")
        .start_up()
        .await;
    let told = charge_all(router.payments(), (0..200).map(purchase).collect()).await;
    assert!(
        told.values()
            .all(|own| own.outcome() == PaymentOutcome::Approved)
    );
    router.stop().await;
    assert_eq!(bank.totals().sign_ons, 1);
}

#[tokio::test]
async fn a_bank_with_a_certificate_of_an_unknown_authority_gets_not_even_a_sign_on() {
    let (authority, stranger, bank) = (Authority::new(), Authority::new(), bank().await);
    let server = stranger.issue("127.0.0.1");
    let front = TlsFront::start(&server, None, bank.address()).await;
    let router = Setup::new("")
        .bank_at("vietcom", front.address, &authority.bank_section(""))
        .payment_route("vietcom")
        .start()
        .await;
    router
        .until("the link tells why not", |links| {
            links[0].last_error.contains("none of the roots in tls.ca")
        })
        .await;
    let told = charge(&router.payments(), purchase(1)).await;
    assert_eq!(told.outcome(), PaymentOutcome::NotSent);
    assert_eq!(bank.totals().connections, 0);
}

#[tokio::test]
async fn a_bank_that_dials_in_by_tls_is_known_by_its_certificate_alone() {
    let (authority, bank) = (Authority::new(), bank().await);
    let own = authority.identity(&authority.issue("sampan.example.net"));
    let section = authority.bank_section(&format!("client_name = \"switch.example.net\"\n{own}"));
    let router = Setup::new("")
        .bank_reached("vietcom", &format!("listen = \"127.0.0.1:0\"\n{section}"))
        .payment_route("vietcom")
        .start()
        .await;
    let address = router.listens_for("vietcom");
    let dial = async |shown| {
        let name = "sampan.example.net";
        TlsClient::start(&authority.root, shown, name, address, bank.address()).await
    };
    let refused = || router.figure("sampan_peer_connections_refused_total", "why=\"tls\"");
    let _without = dial(None).await;
    eventually("one without a certificate is refused", async || {
        refused() == 1
    })
    .await;
    let stranger = Authority::new().issue("switch.example.net");
    let _strange = dial(Some(&stranger)).await;
    eventually("one of another authority is refused", async || {
        refused() == 2
    })
    .await;
    let other = authority.issue("shop.example.net");
    let _other = dial(Some(&other)).await;
    eventually("one with another name is refused", async || refused() == 3).await;
    assert_eq!(bank.totals().sign_ons, 0);
    let own = authority.issue("switch.example.net");
    let _bank = dial(Some(&own)).await;
    router.until_up().await;
    let told = charge(&router.payments(), purchase(1)).await;
    assert_eq!(told.outcome(), PaymentOutcome::Approved);
}
