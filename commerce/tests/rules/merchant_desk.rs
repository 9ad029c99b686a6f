//! Merchants for those who run the shop and for those who write one: the command, the pages of the back
//! office, and the description of the calls.

use commerce::{
    merchants,
    store::{Location, Store},
};
use serde_json::Value;

use crate::{
    books::NOW,
    databases::on_both,
    desk::Desk,
    partners::{Page, Reply},
    program::{folder, run_with},
    till::Till,
    web::{Program, get},
};

const TAKEN: Reply = Reply::Says(200, Vec::new(), r#"{"RspCode":"00","Message":""}"#);
const ADD: &str = "merchant add shop-1 --name Floating --ipn-url https://shop.example/ipn \
    --return-url https://shop.example/return --least 1000 --most 5000000";

on_both! {
    async fn the_office_shows_a_merchants_orders_and_no_secret(store: Store) {
        let page = Page::start([TAKEN]).await;
        let till = Till::new(&store, &page).await;
        let (paid, _) = (till.open("DH-1").await, till.open("DH-2").await);
        till.pay(&paid).await;
        let desk = Desk::open(&store).await;
        let victor = desk.log_in("victor").await;
        let list = victor.get("/office/merchants").await;
        assert!(list.text.contains("/office/merchants/shop-1") && list.text.contains("Chợ Nổi"), "{}", list.text);
        let one = victor.get("/office/merchants/shop-1").await;
        assert_eq!(one.status, 200, "{}", one.text);
        let purchase = &till.purchases().await[0].id;
        assert!(one.text.contains(&format!("/office/purchases/{purchase}")), "{}", one.text);
        assert_eq!(one.text.matches("<tr><td").count(), 2, "{}", one.text);
        for shown in ["DH-1", "DH-2", "150,000\u{a0}₫", "https://shop.example/return"] {
            assert!(one.text.contains(shown), "{shown}: {}", one.text);
        }
        assert!(!one.text.contains(till.secret.reveal()));
        let before = victor.get("/office/merchants/shop-1?before=DH-2").await;
        assert_eq!(before.text.matches("<tr><td").count(), 1, "{}", before.text);
        assert_eq!(victor.get("/office/merchants/nobody").await.status, 404);
    }
}

/// A folder of the program on a new SQLite file.
fn shop() -> (tempfile::TempDir, tempfile::TempDir) {
    let books = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(books.path().join("commerce.db"));
    (folder(&location), books)
}

#[test]
fn an_operator_adds_a_merchant_and_sees_each_secret_once() {
    let (folder, _books) = shop();
    let run = |args: &str| run_with(folder.path(), args, "");
    let (code, first, told) = run(ADD);
    assert_eq!(code, 0, "{told}");
    assert_eq!(first.trim().len(), 64, "{first}");
    let (code, _, told) = run(ADD);
    assert!(
        code == 1 && told.contains("there is a merchant shop-1 already"),
        "{told}"
    );
    let (code, second, _) = run("merchant rotate-secret shop-1");
    assert!(
        code == 0 && second.trim().len() == 64 && second != first,
        "{second}"
    );
    let (code, list, _) = run("merchant list");
    assert_eq!(
        (code, list.contains("shop-1") && list.contains("Floating")),
        (0, true),
        "{list}"
    );
    let (code, told, _) = run("merchant end shop-1 --reason they-have-closed");
    assert_eq!(code, 0, "{told}");
    let (code, shown, _) = run("merchant show shop-1");
    assert_eq!(code, 0);
    for part in [
        "ended they-have-closed",
        "https://shop.example/ipn",
        "the secret before is still taken",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    for secret in [&first, &second] {
        assert!(!shown.contains(secret.trim()) && !list.contains(secret.trim()));
    }
    let (code, _, told) = run("merchant show nobody");
    assert!(
        code == 1 && told.contains("there is no merchant nobody"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_to_a_merchant_is_in_the_audit_log_without_his_secret() {
    let (folder, books) = shop();
    let mut secrets = Vec::new();
    for args in [
        ADD,
        "merchant rotate-secret shop-1",
        "merchant end shop-1 --reason they-have-closed",
    ] {
        let (code, said, told) = run_with(folder.path(), args, "");
        assert_eq!(code, 0, "{told}");
        secrets.push(said.trim().to_owned());
    }
    let location = Location::Sqlite(books.path().join("commerce.db"));
    let store = Store::open(&location).await.unwrap();
    let mut read = store.read().await.unwrap();
    let filter = commerce::audit::AuditFilter::default();
    let lines = commerce::audit::list(&mut read, &filter, None, 10)
        .await
        .unwrap();
    let told: Vec<_> = lines.iter().rev().map(|line| line.what.as_str()).collect();
    assert_eq!(
        told,
        ["merchant.added", "merchant.secret", "merchant.ended"]
    );
    assert!(
        lines
            .iter()
            .all(|line| line.who.starts_with("console") && line.subject == "merchant:shop-1")
    );
    assert_eq!(lines[0].detail, "they-have-closed");
    let all = format!("{lines:?}");
    assert!(secrets[..2].iter().all(|secret| !all.contains(secret)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_merchants_calls_are_described_as_they_are_and_only_if_that_is_wanted() {
    let path = "/v1/merchant/openapi.json";
    let program = Program::start("", NOW, async |_| {}).await;
    let address = program.app.http_address();
    let (head, body) = get(address, path).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert_eq!(body, merchants::document().to_json().unwrap());
    let document: Value = serde_json::from_str(&body).unwrap();
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/v1/merchant/query", "/v1/merchant/refund"]);
    for call in paths {
        let (head, body) = get(address, call).await;
        assert!(head.starts_with("http/1.1 405 "), "{head}");
        assert!(body.contains("METHOD_NOT_ALLOWED"), "{body}");
    }
    let (_, initializer) = get(address, "/docs/swagger-initializer.js").await;
    assert!(initializer.contains(path), "{initializer}");
    let off = Program::start("[checkout]\ndocs = false\n", NOW, async |_| {}).await;
    let (head, _) = get(off.app.http_address(), path).await;
    assert!(head.starts_with("http/1.1 404 "), "{head}");
    let (_, initializer) = get(off.app.http_address(), "/docs/swagger-initializer.js").await;
    assert!(!initializer.contains(path), "{initializer}");
}
