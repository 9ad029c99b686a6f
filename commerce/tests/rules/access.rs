//! Which agents may call, from where and how often, and what is kept of every PIN code that they see.

use std::net::IpAddr;

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use commerce::{
    agents,
    http::Caller,
    moment::UnixMs,
    store::Store,
    views::{self, Call},
};
use tower::ServiceExt as _;

use crate::{
    books::{balance, by_hand},
    databases::on_both,
    s2sell::{Shop, THEN},
    shop::{id, type_id},
    web::{Program, ask},
};

/// A shop's agent at an address.
struct Desk<'s> {
    shop: &'s Shop,
    address: Option<&'s str>,
}

impl Desk<'_> {
    async fn send(&self, method: &str, path: &str, body: &str) -> (StatusCode, HeaderMap, String) {
        let request = Request::builder()
            .method(method)
            .uri(format!("/mcapi/s2sell/{path}"))
            .header("X-API-Key", &self.shop.key);
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        if let Some(address) = self.address {
            let address: IpAddr = address.parse().unwrap();
            request.extensions_mut().insert(Caller(address));
        }
        let answer = self.shop.router.clone().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        (head.status, head.headers, body)
    }

    async fn category(&self) -> u16 {
        self.send("GET", "category", "").await.0.as_u16()
    }
}

async fn allow(store: &Store, network: &str) -> Result<(), agents::AgentError> {
    let mut write = store.write().await.unwrap();
    let network = network.parse().unwrap();
    agents::allow(&mut write, &id("agent-1"), network).await?;
    write.commit().await.unwrap();
    Ok(())
}

/// The calls by which the PIN code of the first card was given, with key and address.
async fn seen(store: &Store) -> Vec<(Call, String, Option<String>)> {
    let mut read = store.read().await.unwrap();
    let serial = "029091000008229".parse().unwrap();
    let views = views::of_card(&mut read, &type_id("MOBI10"), &serial).await;
    let told = |view: views::View| {
        assert_eq!((view.viewer.agent, view.at), (id("agent-1"), THEN));
        let address = view.viewer.address.map(|address| address.to_string());
        (view.call, view.viewer.key_prefix, address)
    };
    views.unwrap().into_iter().map(told).collect()
}

on_both! {
    async fn an_agent_who_is_bound_to_networks_calls_from_them_alone(store: Store) {
        let shop = Shop::open(&store, 1).await;
        let from = |address| Desk { shop: &shop, address };
        assert_eq!(from(None).category().await, 200);
        allow(&store, "203.0.113.0/24").await.unwrap();
        allow(&store, "2001:db8::/32").await.unwrap();
        for (address, status) in [
            (Some("203.0.113.7"), 200),
            (Some("::ffff:203.0.113.7"), 200),
            (Some("2001:db8::1"), 200),
            (Some("203.0.114.7"), 403),
            // Nobody knows from where.
            (None, 403),
        ] {
            assert_eq!(from(address).category().await, status, "{address:?}");
        }
        let (status, _, body) = from(None).send("POST", "card/MOBI10", "BUYCOUNT=1").await;
        assert_eq!(status, 403);
        assert!(body.starts_with("{\"error\":{\"code\":\"ADDRESS_NOT_ALLOWED\","), "{body}");
        assert_eq!(balance(&store, "agent:agent-1:deposit").await, 100_000);
        let mut write = store.write().await.unwrap();
        let agent = id("agent-1");
        for (network, was_there) in
            [("203.0.113.0/24", true), ("10.0.0.0/8", false), ("2001:db8::/32", true)]
        {
            let forbidden = agents::forbid(&mut write, &agent, network.parse().unwrap());
            assert_eq!(forbidden.await.unwrap(), was_there);
        }
        write.commit().await.unwrap();
        assert_eq!(from(Some("203.0.114.7")).category().await, 200);
    }

    async fn an_agent_has_no_more_networks_than_are_looked_at(store: Store) {
        let _shop = Shop::open(&store, 0).await;
        for number in 0..agents::NETWORKS_MAX {
            allow(&store, &format!("10.0.{number}.0/24")).await.unwrap();
        }
        allow(&store, "10.0.0.0/24").await.unwrap();
        let refused = allow(&store, "10.1.0.0/24").await.unwrap_err();
        assert_eq!(refused, agents::AgentError::Networks(id("agent-1")));
        let mut read = store.read().await.unwrap();
        let networks = agents::networks(&mut read, &id("agent-1")).await.unwrap();
        assert_eq!(networks.len() as i64, agents::NETWORKS_MAX);
    }

    async fn an_agent_who_calls_too_often_is_told_when_to_come_again(store: Store) {
        let settings = "[s2sell]\nrequests_per_s = 1\nburst = 2\n\
            [[s2sell.agent]]\nid = \"agent-2\"\nrequests_per_s = 1\nburst = 1\n";
        let shop = Shop::open_with(&store, 5, settings).await;
        let from = Desk { shop: &shop, address: None };
        assert_eq!(from.category().await, 200);
        assert_eq!(from.send("POST", "card/MOBI10", "BUYCOUNT=1").await.0, 200);
        let (status, headers, body) = from.send("POST", "card/MOBI10", "BUYCOUNT=1").await;
        assert_eq!((status.as_u16(), &headers["retry-after"]), (429, &"1".parse().unwrap()));
        assert!(body.starts_with("{\"error\":{\"code\":\"RATE_LIMITED\","), "{body}");
        assert_eq!(balance(&store, "agent:agent-1:deposit").await, 100_000 - 9_450);
        shop.at(UnixMs(THEN.0 + 999));
        assert_eq!(from.category().await, 429);
        shop.at(UnixMs(THEN.0 + 1_000));
        assert_eq!(from.category().await, 200);
    }

    async fn every_delivery_and_every_look_at_a_pin_code_is_kept(store: Store) {
        let shop = Shop::open(&store, 2).await;
        let from = Desk { shop: &shop, address: Some("203.0.113.7") };
        from.send("POST", "card/MOBI10", "BUYCOUNT=1&SELLDESTNO=n1").await;
        from.send("GET", "card/MOBI10/029091000008229", "").await;
        Desk { shop: &shop, address: None }.send("GET", "txn/n1", "").await;
        // Who sees no PIN code leaves nothing.
        from.send("GET", "card/MOBI10", "").await;
        from.send("GET", "card/MOBI10/029091000008230", "").await;
        from.send("GET", "txn/n2", "").await;
        let prefix = shop.key[..8].to_owned();
        let told = |call, address: Option<&str>| (call, prefix.clone(), address.map(str::to_owned));
        let there = Some("203.0.113.7");
        let expected = [told(Call::Txn, None), told(Call::Card, there), told(Call::Buy, there)];
        assert_eq!(seen(&store).await, expected);
    }

    async fn a_repeated_purchase_is_kept_as_another_look(store: Store) {
        let shop = Shop::open(&store, 2).await;
        shop.buy_once("k1", "BUYCOUNT=1").await;
        shop.buy_once("k1", "BUYCOUNT=1").await;
        // For another purchase: nothing is shown.
        shop.buy_once("k1", "BUYCOUNT=2").await;
        let calls: Vec<Call> = seen(&store).await.into_iter().map(|(call, ..)| call).collect();
        assert_eq!(calls, [Call::Repeat, Call::Buy]);
    }

    async fn what_cannot_be_recorded_is_neither_sold_nor_shown(store: Store) {
        let shop = Shop::open(&store, 2).await;
        let (status, bought) = shop.buy_once("k1", "BUYCOUNT=1&SELLDESTNO=n1").await;
        assert_eq!(status, 200, "{bought}");
        by_hand(&store, &["ALTER TABLE card_view RENAME TO card_view_away"]).await.unwrap();
        let from = Desk { shop: &shop, address: None };
        for (method, path, body) in [
            ("GET", "card/MOBI10/029091000008229", ""),
            ("GET", "txn/n1", ""),
            ("POST", "card/MOBI10", "BUYCOUNT=1"),
        ] {
            let (status, _, body) = from.send(method, path, body).await;
            assert_eq!(status, 500, "{path}: {body}");
            assert!(!body.contains("CARDPINCODE"), "{body}");
        }
        let (status, body) = shop.buy_once("k1", "BUYCOUNT=1&SELLDESTNO=n1").await;
        assert_eq!(status, 500, "{body}");
        assert_eq!(balance(&store, "agent:agent-1:deposit").await, 100_000 - 9_450);
    }

    async fn a_record_of_a_look_cannot_be_changed(store: Store) {
        let shop = Shop::open(&store, 1).await;
        shop.buy_once("k1", "BUYCOUNT=1").await;
        for statement in ["UPDATE card_view SET agent = 'agent-2'", "DELETE FROM card_view"] {
            let refused = by_hand(&store, &[statement]).await.unwrap_err();
            assert!(refused.contains("what was seen stays seen"), "{refused}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_a_call_is_that_of_the_socket_unless_a_trusted_proxy_says_more() {
    for (settings, status) in [
        ("", 403),
        ("[http]\ntrusted_proxies = [\"127.0.0.0/8\"]\n", 200),
    ] {
        let mut key = String::new();
        let program = Program::start(settings, THEN, async |store| {
            key = Shop::open(store, 0).await.key;
            allow(store, "203.0.113.7").await.unwrap();
        })
        .await;
        let request = format!(
            "GET /mcapi/s2sell/category HTTP/1.1\r\nX-API-Key: {key}\r\n\
             X-Forwarded-For: 1.2.3.4, 203.0.113.7\r\n"
        );
        let (head, _) = ask(program.app.http_address(), &request).await;
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
    }
}
