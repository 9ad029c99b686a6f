//! The shop and the partner by themselves: what they believe, and what they answer.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{io, net::SocketAddr};

use loadtest::{
    partner::{Partner, PartnerFault},
    shop::{OrderState, Shop, ShopFaults, ShopSettings, sign},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const SECRET: &str = "5f0c1d2e3b4a59687786a5b4c3d2e1f00112233445566778899aabbccddeeff0";

fn settings(ipns_failed: u32) -> ShopSettings {
    ShopSettings {
        merchant: "shop-1".to_owned(),
        secret: SECRET.to_owned(),
        commerce: "http://127.0.0.1:1".to_owned(),
        faults: ShopFaults {
            ipns_failed,
            ..ShopFaults::default()
        },
    }
}

/// What a server answers to a request that is written by hand.
async fn ask(url: &str, method: &str, headers: &str, body: &str) -> io::Result<String> {
    let (host, path) = url["http://".len()..].split_once('/').unwrap();
    let address: SocketAddr = host.parse().unwrap();
    let mut stream = TcpStream::connect(address).await?;
    let length = body.len();
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn ipn(shop: &Shop, secret: &str, order: &str, amount: i64, result: &str) -> String {
    let body = format!(
        r#"{{"merchant":"shop-1","order":"{order}","purchase":"p","amount":{amount},"result":"{result}","response_code":"","at":1}}"#
    );
    let signature = sign(secret, &[b"1800000000.", body.as_bytes()]);
    let headers = format!("X-Sampan-Timestamp: 1800000000\r\nX-Sampan-Signature: {signature}\r\n");
    ask(&shop.ipn_url(), "POST", &headers, &body).await.unwrap()
}

fn code(answer: &str) -> &str {
    let (_, rest) = answer.split_once("\"RspCode\":\"").unwrap_or(("", "none"));
    &rest[..2]
}

#[tokio::test]
async fn a_forged_ipn_is_refused_by_the_shop_with_97_and_changes_nothing() {
    let shop = Shop::open(settings(0)).await.unwrap();
    shop.place("DH-1", 150_000, "Áo", 1_800_000_000);
    let before = shop.orders();
    let forged = ipn(&shop, &SECRET.replace('5', "6"), "DH-1", 150_000, "PAID").await;
    assert_eq!(code(&forged), "97");
    let unsigned = ask(&shop.ipn_url(), "POST", "", "{}").await.unwrap();
    assert_eq!(code(&unsigned), "97");
    assert_eq!(shop.orders(), before);
    assert_eq!(shop.counts().forged, 2);
}

#[tokio::test]
async fn a_shop_answers_by_the_contract_and_takes_each_state_once() {
    let shop = Shop::open(settings(1)).await.unwrap();
    shop.place("DH-1", 150_000, "Áo", 1_800_000_000);
    let failed = ipn(&shop, SECRET, "DH-1", 150_000, "PAID").await;
    assert!(failed.starts_with("HTTP/1.1 500"), "{failed}");
    for (order, amount, result, wanted) in [
        ("DH-2", 150_000, "PAID", "01"),
        ("DH-1", 150_001, "PAID", "04"),
        ("DH-1", 150_000, "PAID", "00"),
        ("DH-1", 150_000, "PAID", "02"),
        ("DH-1", 150_000, "REFUNDED", "00"),
        ("DH-1", 150_000, "PAID", "02"),
    ] {
        let answer = ipn(&shop, SECRET, order, amount, result).await;
        assert_eq!(code(&answer), wanted, "{order} {amount} {result}");
    }
    let order = shop.orders().remove("DH-1").unwrap();
    assert_eq!((order.state, order.changes), (OrderState::Refunded, 2));
}

#[tokio::test]
async fn a_return_is_shown_if_it_is_signed_and_changes_no_order() {
    let shop = Shop::open(settings(0)).await.unwrap();
    shop.place("DH-1", 150_000, "Áo", 1_800_000_000);
    let query = "order=DH-1&purchase=p&result=PAID&created=1800000000";
    for (secret, status) in [(SECRET, "200"), ("another", "403")] {
        let signature = sign(secret, &[query.as_bytes()]);
        let url = format!("{}?{query}&signature={signature}", shop.return_url());
        let answer = ask(&url, "GET", "", "").await.unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    let order = shop.orders().remove("DH-1").unwrap();
    assert_eq!(
        (order.state, order.returns),
        (OrderState::Open, vec!["PAID".to_owned()])
    );
}

#[tokio::test]
async fn a_partner_has_each_message_once_however_often_it_comes() {
    let faults = [
        PartnerFault::StatusOne,
        PartnerFault::BadXml,
        PartnerFault::Http(503),
    ];
    let partner = Partner::open(faults).await.unwrap();
    let url = format!(
        "{}?message=%C4%90%E1%BA%B7t&phone=84912345678&guid=mo-1",
        partner.url()
    );
    for wanted in [
        "<Status>1</Status>",
        "<Status>2",
        "503",
        "<Status>2</Status>",
    ] {
        let answer = ask(&url, "GET", "", "").await.unwrap();
        assert!(answer.contains(wanted), "{answer}");
    }
    let without = ask(&partner.url(), "GET", "", "").await.unwrap();
    assert!(without.contains("<Status>1</Status>"), "{without}");
    let messages = partner.messages();
    assert_eq!(messages.len(), 1);
    let handed = &messages["mo-1"];
    assert_eq!((handed.message.as_str(), handed.calls), ("Đặt", 4));
}
