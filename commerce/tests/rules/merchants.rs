//! What merchants are told and may ask: each end of an order once, signed, until they have taken it; and an
//! order that was paid is given back whole and once.

use commerce::{
    deliveries,
    ledger::{self, Account, Entry, Line},
    merchants::{self, MerchantError},
    port::Charged,
    purchase::{self, Settlement, State},
    reseal::{Table, reseal},
    store::Store,
};
use serde_json::{Value, json};

use crate::{
    books::{NOW, assert_balanced, balance, vnd},
    databases::on_both,
    partners::{DAY_MS, Page, Reply, Seen, egress},
    reseal::all_anew,
    shop::{id, keys, rotated_keys, second_keys},
    till::{MERCHANT, PHONE, Till, approved, registration},
};

const TAKEN: Reply = Reply::Says(200, Vec::new(), r#"{"RspCode":"00","Message":""}"#);
const LATER: Reply = Reply::Says(200, Vec::new(), r#"{"RspCode":"99","Message":"bận"}"#);

/// What an IPN says, once its signature is right.
fn told(till: &Till, seen: &Seen) -> Value {
    let timestamp = seen.header("x-sampan-timestamp").as_bytes();
    let signature = till.secret.sign(&[timestamp, b".", seen.body.as_bytes()]);
    assert_eq!(seen.header("x-sampan-signature"), signature);
    assert_eq!((seen.method.as_str(), seen.uri.path()), ("POST", "/ipn"));
    serde_json::from_str(&seen.body).unwrap()
}

async fn refund(till: &Till, amount: i64) -> (u16, Value) {
    let body = json!({"merchant": MERCHANT, "order": "DH-1", "amount": amount}).to_string();
    let (status, body) = till.call(&till.secret, "/v1/merchant/refund", &body).await;
    (status, serde_json::from_str(&body).unwrap())
}

async fn query(till: &Till, order: &str) -> (u16, Value) {
    let body = json!({"merchant": MERCHANT, "order": order}).to_string();
    let (status, body) = till.call(&till.secret, "/v1/merchant/query", &body).await;
    (status, serde_json::from_str(&body).unwrap())
}

async fn assert_sound(till: &Till) {
    assert_balanced(&till.store).await;
    let mut read = till.store.read().await.unwrap();
    assert_eq!(purchase::verdict(&mut read).await.unwrap(), [""; 0]);
}

on_both! {
    async fn a_merchant_is_told_that_an_order_is_paid(store: Store) {
        let mut shop = Page::start([TAKEN]).await;
        let till = Till::new(&store, &shop).await;
        let page = till.open("DH-1").await;
        assert_eq!(till.deliver().await, 0);
        till.pay(&page).await;
        assert_eq!(till.deliver().await, 1);
        let ipn = told(&till, &shop.next().await);
        let purchase = till.purchases().await[0].id.to_string();
        let wanted = json!({
            "merchant": MERCHANT, "order": "DH-1", "purchase": purchase, "amount": 150_000,
            "result": "PAID", "response_code": "", "at": NOW.0 / 1_000,
        });
        assert_eq!(ipn, wanted);
        // That its message went out later is no news to him.
        till.send().await;
        till.pass(DAY_MS / 100);
        till.work().await;
        assert_eq!(till.purchases().await[0].state, State::Completed);
        assert_eq!(till.deliver().await, 0);
        assert_sound(&till).await;
    }

    async fn a_merchant_is_told_why_an_order_has_failed(store: Store) {
        let mut shop = Page::start([TAKEN]).await;
        let till = Till::new(&store, &shop).await;
        let page = till.open("DH-1").await;
        till.bank_says([Some(Charged::Declined { response_code: "51".to_owned() })]);
        till.pay(&page).await;
        let page = till.open("DH-2").await;
        till.post(&page, "phone", &[("phone", PHONE)]).await;
        till.post(&page, "cancel", &[]).await;
        assert_eq!(till.deliver().await, 2);
        let mut all = [told(&till, &shop.next().await), told(&till, &shop.next().await)];
        all.sort_by_key(|ipn| ipn["order"].to_string());
        let said = all.each_ref().map(|ipn| (ipn["result"].as_str(), ipn["response_code"].as_str()));
        assert_eq!(said, [(Some("FAILED"), Some("51")), (Some("FAILED"), Some(""))]);
    }

    async fn an_ipn_comes_again_until_it_is_taken(store: Store) {
        let answers = [
            LATER,
            Reply::Says(200, Vec::new(), r#"{"RspCode":"97"}"#),
            Reply::Says(200, Vec::new(), "OK"),
            Reply::status(500),
            Reply::Says(200, Vec::new(), r#"{"RspCode":"02"}"#),
        ];
        let mut shop = Page::start(answers).await;
        let till = Till::new(&store, &shop).await;
        let page = till.open("DH-1").await;
        till.pay(&page).await;
        let mut bodies = Vec::new();
        for attempt in 1..=5 {
            assert_eq!(till.deliver().await, 1, "attempt {attempt}");
            assert_eq!(till.deliver().await, 0, "attempt {attempt}");
            bodies.push(told(&till, &shop.next().await));
            till.pass(DAY_MS);
        }
        assert!(bodies.iter().all(|body| *body == bodies[0]));
        assert_eq!(till.deliver().await, 0);
        assert_eq!(till.deliveries().await[0].state, deliveries::State::Done);
    }

    async fn an_ipn_that_nobody_takes_is_a_dead_letter(store: Store) {
        let shop = Page::start([LATER]).await;
        let till = Till::new(&store, &shop).await;
        let page = till.open("DH-1").await;
        till.pay(&page).await;
        for _ in 0..10 {
            assert_eq!(till.deliver().await, 1);
            till.pass(DAY_MS);
        }
        assert_eq!(till.deliver().await, 0);
        let all = till.deliveries().await;
        assert_eq!((all.len(), all[0].state), (1, deliveries::State::Dead));
        assert!(all[0].why.contains("RspCode 99"), "{}", all[0].why);
    }

    async fn a_merchant_may_ask_how_his_order_stands(store: Store) {
        let shop = Page::start([TAKEN]).await;
        let till = Till::new(&store, &shop).await;
        assert_eq!(query(&till, "DH-1").await.0, 404);
        let page = till.open("DH-1").await;
        let (status, answer) = query(&till, "DH-1").await;
        let wanted = json!({
            "merchant": MERCHANT, "order": "DH-1", "purchase": "", "amount": 150_000,
            "result": "PENDING", "response_code": "", "at": NOW.0 / 1_000, "state": "",
        });
        assert_eq!((status, answer), (200, wanted));
        till.bank_says([None]);
        till.pay(&page).await;
        let (_, answer) = query(&till, "DH-1").await;
        assert_eq!((answer["result"].as_str(), answer["state"].as_str()), (Some("PENDING"), Some("UNKNOWN")));
        till.bank_says([approved()]);
        till.pass(60_000);
        till.work().await;
        assert_eq!(query(&till, "DH-1").await.1["result"], "PAID");
        // An order that nobody began to pay is over after its time.
        till.open("DH-2").await;
        till.pass(30 * 60_000);
        assert_eq!(query(&till, "DH-2").await.1["result"], "FAILED");
    }

    async fn a_call_that_another_has_signed_is_not_believed(store: Store) {
        let shop = Page::start([TAKEN]).await;
        let till = Till::new(&store, &shop).await;
        let page = till.open("DH-1").await;
        till.pay(&page).await;
        let mut write = store.write().await.unwrap();
        let new = registration("shop-2", &shop);
        let other = merchants::add(&mut write, &keys(), &egress(&[&shop]), &new, NOW).await.unwrap();
        write.commit().await.unwrap();
        let body = json!({"merchant": MERCHANT, "order": "DH-1", "amount": 150_000}).to_string();
        let (status, answer) = till.call(&other, "/v1/merchant/refund", &body).await;
        assert_eq!(status, 401, "{answer}");
        // Nor does a merchant see or give back what is another's.
        let body = json!({"merchant": "shop-2", "order": "DH-1", "amount": 150_000}).to_string();
        for path in ["/v1/merchant/query", "/v1/merchant/refund"] {
            assert_eq!(till.call(&other, path, &body).await.0, 404);
        }
        let nobody = json!({"merchant": "nobody", "order": "DH-1"}).to_string();
        let unknown = till.call(&other, "/v1/merchant/query", &nobody).await;
        assert_eq!(unknown.0, 401);
        assert_eq!(till.call(&other, "/v1/merchant/query", "{").await.0, 400);
        assert_eq!(till.purchases().await[0].state, State::Fulfilled);
    }

    async fn a_paid_order_is_given_back_whole_and_once(store: Store) {
        let mut shop = Page::start([TAKEN]).await;
        let till = Till::new(&store, &shop).await;
        let page = till.open("DH-1").await;
        assert_eq!(refund(&till, 150_000).await.0, 409, "it is not paid");
        till.pay(&page).await;
        till.send().await;
        till.pass(60_000);
        till.work().await;
        assert_eq!(till.purchases().await[0].state, State::Completed);
        assert_eq!(balance(&store, "merchant:shop-1:payable").await, 150_000);
        assert_eq!(refund(&till, 149_999).await.0, 409, "not in part");
        till.bank_says([None, Some(Charged::Reversing), Some(Charged::Reversed)]);
        let (status, answer) = refund(&till, 150_000).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!((answer["result"].as_str(), answer["state"].as_str()), (Some("PENDING"), Some("COMPENSATING")));
        assert_eq!(balance(&store, "merchant:shop-1:payable").await, 0);
        assert!(till.get(&page).await.body.contains("đang hoàn tiền"));
        assert_sound(&till).await;
        for _ in 0..3 {
            // Again is the same again.
            assert_eq!(refund(&till, 150_000).await.0, 200);
            till.work().await;
            till.pass(600_000);
        }
        assert_eq!(refund(&till, 150_000).await.1["result"], "REFUNDED");
        assert!(till.get(&page).await.body.contains("Đã hoàn tiền"));
        assert_eq!(balance(&store, "bank:vcb:settlement").await, 0);
        assert_sound(&till).await;
        // He is told of both.
        assert_eq!(till.deliver().await, 2);
        let mut results = [told(&till, &shop.next().await), told(&till, &shop.next().await)];
        results.sort_by_key(|ipn| ipn["at"].as_i64());
        assert_eq!(results.map(|ipn| ipn["result"].clone()), ["PAID", "REFUNDED"]);
    }

    async fn what_a_merchant_was_paid_out_is_not_given_back(store: Store) {
        let shop = Page::start([TAKEN]).await;
        let till = Till::new(&store, &shop).await;
        let page = till.open("DH-1").await;
        till.pay(&page).await;
        let paid_out = Entry::new(
            "payout:1".parse().unwrap(),
            NOW,
            [
                Line::debit(Account::MerchantPayable(id(MERCHANT)), vnd(1)),
                Line::credit(Account::BankSettlement(id("vcb")), vnd(1)),
            ],
        );
        let mut write = store.write().await.unwrap();
        ledger::post(&mut write, &paid_out.unwrap()).await.unwrap();
        write.commit().await.unwrap();
        let (status, answer) = refund(&till, 150_000).await;
        assert_eq!(status, 409, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("does not cover"), "{answer}");
        assert_eq!(till.purchases().await[0].state, State::Fulfilled);
        assert_sound(&till).await;
    }

    async fn what_was_paid_long_ago_is_not_given_back(store: Store) {
        let shop = Page::start([TAKEN]).await;
        let till = Till::new(&store, &shop).await;
        let page = till.open("DH-1").await;
        till.pay(&page).await;
        till.pass(23 * 3_600_000);
        assert_eq!(refund(&till, 150_000).await.0, 409);
    }

    async fn a_refund_that_the_bank_cannot_make_gives_the_merchant_his_money_again(store: Store) {
        let mut shop = Page::start([TAKEN]).await;
        let till = Till::new(&store, &shop).await;
        let page = till.open("DH-1").await;
        till.pay(&page).await;
        till.bank_says([Some(Charged::ReversalFailed)]);
        assert_eq!(refund(&till, 150_000).await.0, 200);
        till.work().await;
        let purchase = till.purchases().await.remove(0);
        assert_eq!(purchase.state, State::ManualReview);
        let mut write = store.write().await.unwrap();
        let (keys, debited) = (keys(), Settlement::Debited);
        let (id, now) = (&purchase.id, till.now());
        let settled = purchase::settle(&mut write, &keys, id, debited, "anna", "asked", now);
        settled.await.unwrap();
        write.commit().await.unwrap();
        till.pass(10_000);
        till.work().await;
        assert_eq!(till.purchases().await[0].state, State::Fulfilled);
        assert_eq!(balance(&store, "merchant:shop-1:payable").await, 150_000);
        assert_eq!(refund(&till, 150_000).await.0, 409, "it was tried");
        assert_sound(&till).await;
        assert_eq!(till.deliver().await, 2);
        for _ in 0..2 {
            assert_eq!(told(&till, &shop.next().await)["result"], "PAID");
        }
    }

    async fn the_database_lets_nobody_reopen_what_has_ended_but_a_merchants_order(store: Store) {
        let shop = Page::start([TAKEN]).await;
        let till = Till::new(&store, &shop).await;
        let page = till.open("DH-1").await;
        till.pay(&page).await;
        till.send().await;
        till.pass(60_000);
        till.work().await;
        assert_eq!(till.purchases().await[0].state, State::Completed);
        for statement in [
            "UPDATE purchase SET state = 'FAILED'",
            "UPDATE checkout SET purchase = NULL",
            "UPDATE checkout SET amount = 1",
            "DELETE FROM checkout",
        ] {
            let refused = crate::books::by_hand(&store, &[statement]).await;
            assert!(refused.is_err(), "{statement}");
        }
    }

    async fn merchants_are_listed_with_their_secrets_sealed(store: Store) {
        let shop = Page::start([TAKEN]).await;
        let till = Till::new(&store, &shop).await;
        let mut write = store.write().await.unwrap();
        let (keys, rotated) = (keys(), rotated_keys());
        let again = registration(MERCHANT, &shop);
        let again = merchants::add(&mut write, &keys, &egress(&[&shop]), &again, NOW).await;
        assert_eq!(again.unwrap_err(), MerchantError::Exists(id(MERCHANT)));
        drop(write);
        for rows in [1, 0] {
            let came_of = reseal(&store, &rotated, Table::Merchant).await.unwrap();
            assert_eq!(came_of, all_anew(rows));
        }
        let mut read = store.read().await.unwrap();
        let found = merchants::find(&mut read, &second_keys(), &id(MERCHANT), NOW).await.unwrap();
        let (merchant, secrets) = found.unwrap();
        assert_eq!(secrets.present(), &till.secret);
        assert_eq!(merchants::list(&mut read).await.unwrap(), [merchant]);
        let shown = format!("{secrets:?}");
        assert!(!shown.contains(till.secret.reveal()), "{shown}");
    }

    async fn orders_that_nobody_began_to_pay_are_forgotten(store: Store) {
        let shop = Page::start([TAKEN]).await;
        let till = Till::new(&store, &shop).await;
        let page = till.open("DH-1").await;
        till.pay(&page).await;
        till.open("DH-2").await;
        let mut write = store.write().await.unwrap();
        let soon = merchants::orders::forget(&mut write, till.now(), 10).await.unwrap();
        let later = till.now().plus_ms(31 * 60_000);
        let late = merchants::orders::forget(&mut write, later, 10).await.unwrap();
        write.commit().await.unwrap();
        assert_eq!((soon, late), (0, 1));
        assert_eq!(query(&till, "DH-1").await.0, 200);
        assert_eq!(query(&till, "DH-2").await.0, 404);
    }
}
