//! The catalogue's answers may be kept for a while, and the API is described as it is.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use commerce::{s2sell, store::Store};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::{
    books::{NOW, vnd},
    databases::on_both,
    s2sell::Shop,
    shop::{id, type_id},
    web::{Program, get},
};

/// Every code that the API has, with its status; those of purchases last.
const CODES: [(&str, &str); 11] = [
    ("400", "INVALID"),
    ("401", "UNAUTHORIZED"),
    ("403", "ADDRESS_NOT_ALLOWED"),
    ("404", "NOT_FOUND"),
    ("405", "METHOD_NOT_ALLOWED"),
    ("429", "RATE_LIMITED"),
    ("500", "INTERNAL"),
    ("503", "BUSY"),
    ("402", "INSUFFICIENT_DEPOSIT"),
    ("409", "OUT_OF_STOCK"),
    ("422", "IDEMPOTENCY_KEY_USED"),
];

async fn ask(shop: &Shop, path: &str, tag: Option<&str>) -> (StatusCode, HeaderMap, usize) {
    let request = Request::get(format!("/mcapi/s2sell/{path}")).header("X-API-Key", &shop.key);
    let request = match tag {
        Some(tag) => request.header("If-None-Match", tag),
        None => request,
    };
    let request = request.body(Body::empty()).unwrap();
    let answer = shop.router.clone().oneshot(request).await.unwrap();
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    (head.status, head.headers, body.len())
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers[name].to_str().unwrap()
}

on_both! {
    async fn who_keeps_what_still_stands_hears_so(store: Store) {
        let shop = Shop::open(&store, 1).await;
        for (path, cache) in [
            ("category", "private, max-age=3600"),
            ("category/MOBI", "private, max-age=3600"),
            ("card/MOBI10", "private, no-cache"),
        ] {
            let (status, headers, _) = ask(&shop, path, None).await;
            assert_eq!((status, header(&headers, "cache-control")), (StatusCode::OK, cache));
            assert_eq!(header(&headers, "vary"), "X-API-Key");
            let tag = header(&headers, "etag").to_owned();
            let (status, headers, length) = ask(&shop, path, Some(&tag)).await;
            assert_eq!((status, length), (StatusCode::NOT_MODIFIED, 0), "{path}");
            assert_eq!(header(&headers, "etag"), tag);
            assert_eq!(header(&headers, "cache-control"), cache);
            let (status, ..) = ask(&shop, path, Some("\"another\"")).await;
            assert_eq!(status, StatusCode::OK);
        }
    }

    async fn what_has_changed_has_another_tag(store: Store) {
        let shop = Shop::open(&store, 1).await;
        let tag = async |path: &str| {
            let (_, headers, _) = ask(&shop, path, None).await;
            header(&headers, "etag").to_owned()
        };
        let (offers, offer) = (tag("category/MOBI").await, tag("card/MOBI10").await);
        shop.buy_once("k", "BUYCOUNT=1").await;
        // The list does not say whether there is a card.
        assert_eq!(tag("category/MOBI").await, offers);
        assert_ne!(tag("card/MOBI10").await, offer);
        let mut write = store.write().await.unwrap();
        let (agent, mobi) = (id("agent-1"), type_id("MOBI10"));
        let price = commerce::catalogue::put_agent_price(&mut write, &agent, &mobi, vnd(9_500));
        price.await.unwrap();
        write.commit().await.unwrap();
        assert_ne!(tag("category/MOBI").await, offers);
    }

    async fn a_pin_code_is_never_kept_on_the_way(store: Store) {
        let shop = Shop::open(&store, 1).await;
        shop.buy_once("k", "BUYCOUNT=1&SELLDESTNO=n1").await;
        for path in ["card/MOBI10/029091000008229", "txn/n1"] {
            let (status, headers, _) = ask(&shop, path, Some("*")).await;
            assert_eq!(status, StatusCode::OK);
            assert_eq!(header(&headers, "cache-control"), "no-store");
            assert!(!headers.contains_key("etag"));
        }
    }

    async fn each_described_method_is_served_and_no_other(store: Store) {
        let shop = Shop::open(&store, 0).await;
        let document = document();
        let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        for (path, operations) in document["paths"].as_object().unwrap() {
            for method in &methods {
                let name = method.as_str().to_lowercase();
                let expected = if operations.get(name).is_some() { 401 } else { 405 };
                let path = path.replace(['{', '}'], "");
                let status = without_a_key(&shop.router, method, &path).await;
                assert_eq!(status, expected, "{method} {path}");
            }
        }
    }
}

async fn without_a_key(router: &Router, method: &Method, path: &str) -> u16 {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Body::empty()).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    answer.status().as_u16()
}

fn document() -> Value {
    serde_json::from_str(&s2sell::document().to_json().unwrap()).unwrap()
}

#[test]
fn each_call_is_described_with_every_code_that_it_may_hear() {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 5);
    for operation in paths
        .values()
        .flat_map(|path| path.as_object().unwrap().values())
    {
        let codes = match operation["operationId"].as_str().unwrap() {
            "cardBuy" => &CODES[..],
            _ => &CODES[..8],
        };
        for (status, code) in codes {
            let response = &operation["responses"][status];
            let description = response["description"].as_str().unwrap();
            assert!(
                description.starts_with(&format!("`{code}`: ")),
                "{description}"
            );
            let shape = &response["content"]["application/json"]["schema"]["$ref"];
            assert_eq!(shape, "#/components/schemas/Failure");
        }
    }
    let described = &document["components"]["schemas"]["Code"]["enum"];
    let mut described: Vec<&str> = described
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap())
        .collect();
    let mut codes = CODES.map(|(_, code)| code);
    described.sort_unstable();
    codes.sort_unstable();
    assert_eq!(described, codes);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_served_description_is_the_one_that_the_calls_make() {
    let program = Program::start("", NOW, async |_| {}).await;
    let address = program.app.http_address();
    let (head, body) = get(address, "/mcapi/openapi.json").await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert_eq!(body, s2sell::document().to_json().unwrap());
    let (_, nothing) = get(address, "/mcapi/nothing").await;
    assert!(nothing.contains("\"NOT_FOUND\""), "{nothing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_to_try_it_runs_scripts_of_its_own_alone() {
    let program = Program::start("", NOW, async |_| {}).await;
    let address = program.app.http_address();
    let (head, body) = get(address, "/docs/").await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(head.contains("script-src 'self';"), "{head}");
    assert!(body.contains("swagger-ui-bundle.js"), "{body}");
    assert!(!body.contains("<script>"), "{body}");
    let (_, initializer) = get(address, "/docs/swagger-initializer.js").await;
    assert!(initializer.contains("/mcapi/openapi.json"), "{initializer}");
    let off = Program::start("[s2sell]\ndocs = false\n", NOW, async |_| {}).await;
    for path in ["/docs/", "/mcapi/openapi.json"] {
        let (head, _) = get(off.app.http_address(), path).await;
        assert!(head.starts_with("http/1.1 404 "), "{head}");
    }
    let none = Program::start("[s2sell]\nenabled = false\n", NOW, async |_| {}).await;
    let (head, _) = get(none.app.http_address(), "/mcapi/s2sell/category").await;
    assert!(head.starts_with("http/1.1 404 "), "{head}");
}
