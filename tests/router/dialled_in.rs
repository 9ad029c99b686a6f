//! Peers that open the connections themselves: an SMSC by outbind, a bank as a client.

use std::net::SocketAddr;

use loadtest::{
    bank::{Bank, BankBehaviour},
    smsc::{scenario::Scenario, scripted::ScriptedSmsc},
};
use sampan::{
    app::App,
    config::Config,
    rpc::proto::{Outcome, PaymentOutcome},
    status::LinkState,
};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
};

use crate::support::{
    Router, Setup, assert_payments_agree, charge_all, eventually, message, purchase, soon,
    submit_all,
};

/// More than a port looks at together.
const STRANGERS: usize = 100;

const REFUSED: &str = "sampan_peer_connections_refused_total";

fn generous() -> BankBehaviour {
    BankBehaviour {
        open_unknown_minor: Some(1_000_000_000),
        ..BankBehaviour::default()
    }
}

/// A router whose only bank dials in.
async fn router_for_bank(keys: &str) -> (Router, SocketAddr) {
    let router = Setup::new("")
        .bank_reached("vietcom", &format!("listen = \"127.0.0.1:0\"\n{keys}"))
        .payment_route("vietcom")
        .start()
        .await;
    let address = router.listens_for("vietcom");
    (router, address)
}

async fn pays(router: &Router, bank: &Bank) {
    let told = charge_all(router.payments(), (0..100).map(purchase).collect()).await;
    let is_approved = |outcome| outcome == PaymentOutcome::Approved;
    assert!(told.values().all(|own| is_approved(own.outcome())));
    assert_payments_agree(told.values(), &bank.books());
}

/// An SMSC that binds one link and answers everything.
fn smsc() -> Scenario {
    let text = "about = ''\n[[connection]]\nrules = [{ on = 'connect', do = [{ send = { \
                command = 0x0B, sequence = 1, body = '53 4D 53 43 00 70 77 00' } }] }]\n";
    Scenario::parse("outbind", text).unwrap()
}

#[tokio::test]
async fn a_bank_that_dials_in_is_signed_on_and_paid_through_as_one_that_is_dialled() {
    let bank = Bank::start(generous()).await.unwrap();
    let (router, address) = router_for_bank("links = 2").await;
    assert!(
        router
            .of("vietcom")
            .iter()
            .all(|l| l.state == LinkState::Down)
    );
    bank.dial_in(address).await.unwrap();
    bank.dial_in(address).await.unwrap();
    router.until_up().await;
    assert_eq!(bank.totals().sign_ons, 2);
    pays(&router, &bank).await;
    router.stop().await;
    assert_eq!(bank.books().protocol_errors, []);
}

#[tokio::test]
async fn a_bank_that_dials_in_and_signs_on_itself_is_answered_and_up() {
    let bank = Bank::start(BankBehaviour {
        signs_on: true,
        ..generous()
    })
    .await
    .unwrap();
    let (router, address) = router_for_bank("sign_on_by = \"bank\"").await;
    bank.dial_in(address).await.unwrap();
    router.until_up().await;
    pays(&router, &bank).await;
    assert_eq!(bank.totals().sign_ons, 1);
    assert_eq!(bank.books().protocol_errors, []);
}

#[tokio::test]
async fn a_link_that_was_lost_is_up_again_once_the_bank_dials_in_again() {
    let bank = Bank::start(generous()).await.unwrap();
    let (router, address) = router_for_bank("").await;
    bank.dial_in(address).await.unwrap();
    router.until_up().await;
    bank.kill().await;
    router.until_down("vietcom").await;
    bank.restart().await.unwrap();
    bank.dial_in(address).await.unwrap();
    router.until_up().await;
    assert_eq!(router.of("vietcom")[0].reconnects, 1);
    pays(&router, &bank).await;
}

#[tokio::test]
async fn who_connects_from_elsewhere_is_closed_at_once_and_no_bank() {
    let bank = Bank::start(generous()).await.unwrap();
    let (router, address) = router_for_bank("listen_from = [\"192.0.2.0/24\"]").await;
    let mut stranger = TcpStream::connect(address).await.unwrap();
    let read = soon("the end", stranger.read(&mut [0; 64])).await;
    assert_eq!(read.unwrap_or(0), 0, "nothing was said to it");
    assert_eq!(router.figure(REFUSED, "why=\"source\""), 1);
    bank.dial_in(address).await.unwrap();
    eventually("the second is refused", async || {
        router.figure(REFUSED, "why=\"source\"") == 2
    })
    .await;
    assert_eq!(bank.totals().sign_ons, 0);
}

#[tokio::test]
async fn a_connection_for_which_there_is_no_link_is_closed_and_disturbs_none() {
    let bank = Bank::start(generous()).await.unwrap();
    let (router, address) = router_for_bank("connect_timeout_ms = 100").await;
    bank.dial_in(address).await.unwrap();
    router.until_up().await;
    let mut one_more = TcpStream::connect(address).await.unwrap();
    let read = soon("the end", one_more.read(&mut [0; 64])).await;
    assert_eq!(read.unwrap_or(0), 0, "nothing was said to it");
    assert_eq!(router.figure(REFUSED, "why=\"no_free_link\""), 1);
    pays(&router, &bank).await;
    assert_eq!(router.of("vietcom")[0].reconnects, 0);
}

#[tokio::test]
async fn strangers_on_the_port_disturb_no_bind_and_cannot_keep_the_smsc_out() {
    let keys = "outbind_listen = \"127.0.0.1:0\"\noutbind_password = \"pw\"\nbinds = 2\n\
                connect_timeout_ms = 600000";
    let router = Setup::new("")
        .smsc_reached("viettel", keys)
        .message_route(&["viettel"])
        .start()
        .await;
    let address = router.listens_for("viettel");
    let _one = ScriptedSmsc::dial(address, smsc());
    router
        .until("one bind is up", |links| {
            links.iter().any(|link| link.state == LinkState::Up)
        })
        .await;
    let mut strangers = Vec::new();
    for _ in 0..STRANGERS {
        strangers.push(TcpStream::connect(address).await.unwrap());
    }
    eventually("the oldest strangers are driven out", async || {
        router.figure(REFUSED, "why=\"crowd\"") >= STRANGERS as u64 - 64
    })
    .await;
    let told = submit_all(router.messaging(), (0..100).map(message).collect()).await;
    assert!(told.values().all(|own| own.outcome() == Outcome::Accepted));
    let _other = ScriptedSmsc::dial(address, smsc());
    router.until_up().await;
    assert!(router.of("viettel").iter().all(|link| link.reconnects == 0));
}

#[tokio::test]
async fn an_smsc_that_may_be_dialled_and_is_not_there_comes_in_by_outbind() {
    // Taken and given back, so that nobody listens there.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = nobody.local_addr().unwrap();
    drop(nobody);
    let keys = format!(
        "address = \"{dead}\"\noutbind_listen = \"127.0.0.1:0\"\noutbind_password = \"pw\""
    );
    let router = Setup::new("")
        .smsc_reached("viettel", &keys)
        .message_route(&["viettel"])
        .start()
        .await;
    router
        .until("dialling has failed", |links| {
            links[0].last_error.contains("cannot connect")
        })
        .await;
    let _smsc = ScriptedSmsc::dial(router.listens_for("viettel"), smsc());
    router.until_up().await;
    let told = submit_all(router.messaging(), (0..10).map(message).collect()).await;
    assert!(told.values().all(|own| own.outcome() == Outcome::Accepted));
}

#[tokio::test]
async fn a_port_that_is_taken_keeps_the_router_from_starting_and_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let text = format!(
        "[rpc]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[[bank]]\n\
         name = \"vietcom\"\nlisten = \"{address}\"\ncurrency = \"VND\"\n\
         terminal_id = \"T1\"\nmerchant_id = \"M1\"\n"
    );
    let config = Config::parse(&text, std::path::Path::new(""), &|_| None).unwrap();
    let Err(error) = App::start(config).await else {
        panic!("the port is taken");
    };
    let told = error.to_string();
    assert!(
        told.contains("vietcom") && told.contains(&address.to_string()),
        "{told}"
    );
}
