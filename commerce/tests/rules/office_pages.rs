//! What the back office shows and changes, and what it never shows.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use commerce::{catalogue, ledger::Posted, office::operators::OPERATORS_MAX, store::Store};

use crate::{
    books::{assert_balanced, balance, by_hand, entry, post},
    databases::on_both,
    desk::{Desk, PIN, trade},
    shop::{card_type, furnish},
};

const CODE: &str = "/office/cards/MOBI10/S-0001/code";
const REASON: [(&str, &str); 1] = [("reason", "the customer's SMS was lost")];
const HOSTILE: &str = "<script>alert('x')</script>\"&";

/// A row of a table begins with this.
fn rows(text: &str) -> usize {
    text.matches("<tr><td").count()
}

on_both! {
    async fn every_view_of_a_code_is_told_before_it_is_shown(store: Store) {
        trade(&store, 1).await;
        let desk = Desk::open(&store).await;
        let anna = desk.log_in("anna").await;
        for path in ["/office/sales/1", "/office/cards/MOBI10/S-0001", "/office/sales?serial=s-0001"] {
            let page = anna.get(path).await;
            assert_eq!(page.status, 200, "{path}");
            assert!(page.text.contains("/MOBI10/S-0001") || path.contains('?'), "{path}");
            assert!(!page.text.contains(PIN), "{path}");
        }
        assert_eq!(desk.told().await, [""; 0]);
        for _ in 0..2 {
            let page = anna.post(CODE, &REASON).await;
            assert_eq!(page.status, 200);
            assert_eq!(page.header("cache-control"), "no-store");
            assert!(page.text.contains(PIN));
        }
        // A serial in small letters is the same card.
        anna.post("/office/cards/MOBI10/s-0001/code", &REASON).await;
        let line = "operator:anna card.shown card:MOBI10:S-0001 the customer's SMS was lost";
        assert_eq!(desk.told().await, [line; 3]);
        let page = anna.get("/office/cards/MOBI10/S-0001").await;
        assert_eq!(page.text.matches("operator:anna").count(), 3);
        assert!(!page.text.contains(PIN));
    }

    async fn a_view_that_cannot_be_told_is_not_shown(store: Store) {
        trade(&store, 1).await;
        let desk = Desk::open(&store).await;
        let anna = desk.log_in("anna").await;
        by_hand(&store, &["ALTER TABLE audit RENAME TO audit_elsewhere"]).await.unwrap();
        let page = anna.post(CODE, &REASON).await;
        assert_eq!(page.status, 500);
        assert!(!page.text.contains(PIN) && !page.text.contains("audit_"));
        by_hand(&store, &["ALTER TABLE audit_elsewhere RENAME TO audit"]).await.unwrap();
        assert!(anna.post(CODE, &REASON).await.text.contains(PIN));
    }

    async fn a_code_is_shown_for_a_reason_and_of_a_sold_card_alone(store: Store) {
        trade(&store, 1).await;
        let desk = Desk::open(&store).await;
        let anna = desk.log_in("anna").await;
        for reason in ["", "    ", "four", &"long ".repeat(50)] {
            let page = anna.post(CODE, &[("reason", reason)]).await;
            assert_eq!(page.status, 400, "{reason}");
            assert!(!page.text.contains(PIN));
        }
        for card in ["MOBI10/S-0002", "MOBI10/nothing", "MOBI20/S-0001", "mobi/S-0001", "MOBI10/a%20b"] {
            let page = anna.post(&format!("/office/cards/{card}/code"), &REASON).await;
            assert_eq!(page.status, 404, "{card}");
        }
        assert_eq!(desk.told().await, [""; 0]);
    }

    async fn hostile_words_are_shown_and_do_nothing(store: Store) {
        furnish(&store).await;
        let hostile = commerce::catalogue::CardType {
            name: HOSTILE.parse().unwrap(),
            ..card_type("MOBI50", 50_000, "mobifone")
        };
        let mut write = store.write().await.unwrap();
        catalogue::put_card_type(&mut write, &hostile).await.unwrap();
        write.commit().await.unwrap();
        trade(&store, 1).await;
        let desk = Desk::open(&store).await;
        let anna = desk.log_in("anna").await;
        assert_eq!(anna.post(CODE, &[("reason", HOSTILE)]).await.status, 200);
        let query = "%3Cscript%3Ealert%28%27x%27%29%3C%2Fscript%3E%22%26";
        for path in [
            "/office/stock",
            "/office/stock/MOBI50",
            "/office/cards/MOBI10/S-0001",
            "/office/audit",
            &format!("/office/audit?who={query}"),
            &format!("/office/ledger/accounts?kind={query}"),
            &format!("/office/agents?after={query}"),
            &format!("/office/sales?agent={query}"),
            &format!("/office/stock?done={query}"),
            &format!("/office/{query}"),
        ] {
            let page = anna.get(path).await;
            assert!(!page.text.contains("<script"), "{path}");
            let policy = page.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{path}");
        }
        let shown = anna.get("/office/stock/MOBI50").await;
        assert!(shown.text.contains("&lt;script&gt;"));
    }

    async fn a_list_is_paged_and_ends(store: Store) {
        trade(&store, 51).await;
        let desk = Desk::open(&store).await;
        let victor = desk.log_in("victor").await;
        let first = victor.get("/office/sales?agent=shop-1").await;
        assert_eq!(rows(&first.text), 50);
        let next = "/office/sales?agent=shop-1&amp;before=2";
        assert!(first.text.contains(next), "{}", first.text);
        let last = victor.get(&next.replace("amp;", "")).await;
        assert_eq!(rows(&last.text), 1);
        assert!(!last.text.contains("rel=\"next\""));
        assert!(last.text.contains("href=\"/office/sales?agent=shop-1\""));
        // The account has one posting more than there are sales: its deposit.
        let path = "/office/ledger/accounts/agent:shop-1:deposit";
        assert_eq!(rows(&victor.get(path).await.text), 50);
        assert_eq!(rows(&victor.get(&format!("{path}?to=2")).await.text), 2);
        for (path, status) in [
            ("/office/sales?before=-9223372036854775808", 200),
            ("/office/sales?before=9223372036854775807", 200),
            ("/office/sales?before=9223372036854775808", 400),
            ("/office/agents?after=%00", 400),
            ("/office/ledger/accounts?kind=%00", 400),
            ("/office/sales?before=x", 400),
            ("/office/sales?number=%2B", 400),
            ("/office/sales/9999", 404),
            ("/office/sales/x", 404),
            ("/office/ledger/accounts/agent:shop-1:deposit?to=-5", 200),
            ("/office/ledger/accounts/agent:shop-1:deposit?to=9223372036854775807", 200),
            ("/office/ledger/accounts/nobody", 404),
            ("/office/ledger/accounts/fees", 404),
            ("/office/ledger/entries/nothing", 404),
            ("/office/stock/NOTHING", 404),
            ("/office/stock?after=mobi", 400),
            ("/office/agents/nobody", 404),
            ("/office/purchases", 200),
            ("/office/deliveries", 200),
        ] {
            assert_eq!(victor.get(path).await.status, status, "{path}");
        }
    }

    async fn a_sale_is_found_by_what_can_be_named_of_it(store: Store) {
        trade(&store, 3).await;
        let desk = Desk::open(&store).await;
        let victor = desk.log_in("victor").await;
        for (query, found) in [
            ("", 3),
            ("agent=shop-1", 3),
            ("agent=shop-2", 0),
            ("dest=order-2", 1),
            ("serial=s-0002", 1),
            ("serial=S-0004", 0),
            ("number=2", 1),
            ("number=2&dest=order-1", 0),
            ("card_type=MOBI10&serial=S-0001&agent=shop-1", 1),
            ("card_type=MOBI20", 0),
        ] {
            let page = victor.get(&format!("/office/sales?{query}")).await;
            assert_eq!((page.status, rows(&page.text)), (200, found), "{query}");
        }
    }

    async fn whatever_goes_wrong_is_a_page_that_says_so(store: Store) {
        let desk = Desk::open(&store).await;
        let anna = desk.log_in("anna").await;
        let nowhere = anna.get("/office/nowhere/at/all").await;
        let method = Request::builder().method(Method::DELETE).uri("/office/sales");
        let method = desk.send(method.body(Body::empty()).unwrap()).await;
        let long = anna.post("/office/agents", &[("id", &"x".repeat(20_000))]).await;
        let many: Vec<_> = (0..40).map(|_| ("a", "b")).collect();
        let many = anna.post("/office/agents", &many).await;
        for (page, status) in [(nowhere, 404), (method, 405), (long, 413), (many, 413)] {
            assert_eq!(page.status, status, "{}", page.text);
            assert!(page.text.starts_with("<!DOCTYPE html>"));
            assert_eq!(page.header("x-frame-options"), "DENY");
            assert_eq!(page.header("x-content-type-options"), "nosniff");
            assert_eq!(page.header("cache-control"), "no-store");
        }
        let style = desk.send(Request::get("/office/style.css").body(Body::empty()).unwrap()).await;
        assert_eq!((style.status, style.header("content-type")), (200, "text/css; charset=utf-8"));
        let page = anna.get("/office").await;
        let (_, path) = page.text.split_once("href=\"/office/style.css?").unwrap();
        assert_eq!(path.split('"').next().unwrap().len(), 12);
    }

    async fn a_file_of_cards_is_taken_whole_or_each_of_its_faults_is_named(store: Store) {
        trade(&store, 1).await;
        let desk = Desk::open(&store).await;
        let clara = desk.log_in("clara").await;
        let (path, token) = ("/office/stock/MOBI10/import", &clara.form_token);
        let bad = "CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE\nS-0001,4711,2030-12-30\nN 1,4712,2030-12-30\nN-2,4713,soon\n";
        let page = clara.upload(path, token, bad).await;
        assert_eq!(page.status, 422);
        assert!(page.text.contains("line 3 has a CARDSERIESNO that is not 1 to 20"), "{}", page.text);
        assert!(page.text.contains("line 4 has a CARDEXPIREDATE that is not a day"));
        assert!(!page.text.contains("471"));
        let known = "CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE\nN-1,4711,2030-12-30\ns-0001,4712,2030-12-30\n";
        let page = clara.upload(path, token, known).await;
        assert!(page.text.contains("line 3 has a CARDSERIESNO that this card type has already"));
        assert_eq!(clara.upload(path, token, "what").await.status, 422);
        let long = format!("CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE\n{}", " ".repeat(5 << 20));
        assert_eq!(clara.upload(path, token, &long).await.status, 413);
        assert_eq!(desk.told().await, [""; 0]);

        let good = "CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE\nN-1,4711,2030-12-30\nN-2,4712,2030-12-30\n";
        let page = clara.upload(path, token, good).await;
        assert_eq!(page.header("location"), "/office/stock/MOBI10?done=import");
        assert_eq!(desk.told().await, ["operator:clara stock.imported MOBI10 2 cards"]);
        let page = clara.get("/office/stock/MOBI10?done=import").await;
        assert!(page.text.contains("<dt>Free cards</dt><dd>5</dd>"), "{}", page.text);
        let missing = clara.upload("/office/stock/NOTHING/import", token, good).await;
        assert_eq!(missing.status, 404);
    }

    async fn a_card_type_goes_on_and_off_sale_and_low_stock_is_marked(store: Store) {
        trade(&store, 1).await;
        let desk = Desk::open(&store).await;
        let clara = desk.log_in("clara").await;
        let state = async |class| {
            let page = clara.get("/office/stock/MOBI10").await;
            page.text.contains(&format!("<span class=\"badge {class}\">"))
        };
        assert!(state("good").await);
        assert!(clara.get("/office/stock/MOBI20").await.text.contains("sold out"));
        let path = "/office/stock/MOBI10/on-sale";
        assert_eq!(clara.post(path, &[("on", "no")]).await.status, 303);
        assert!(state("plain").await);
        assert_eq!(clara.post(path, &[("on", "yes")]).await.status, 303);
        assert_eq!(clara.post(path, &[("on", "maybe")]).await.status, 400);
        assert_eq!(
            desk.told().await,
            ["operator:clara stock.on_sale MOBI10 ", "operator:clara stock.off_sale MOBI10 "]
        );
        by_hand(&store, &["UPDATE card SET faulty_at_ms = 1 WHERE state = 'free'"]).await.unwrap();
        let listed = clara.get("/office/stock").await.text;
        assert!(listed.contains("Faulty") && listed.contains("badge bad"), "{listed}");
        by_hand(&store, &["UPDATE card SET faulty_at_ms = NULL"]).await.unwrap();
        by_hand(&store, &["UPDATE card_type SET low_stock = 4"]).await.unwrap();
        assert!(state("warn").await);
    }

    async fn a_deposit_is_booked_once_for_one_agent(store: Store) {
        trade(&store, 0).await;
        let desk = Desk::open(&store).await;
        let anna = desk.log_in("anna").await;
        assert_eq!(anna.post("/office/agents", &[("id", "shop-2")]).await.status, 303);
        assert_eq!(anna.post("/office/agents", &[("id", "shop-2")]).await.status, 409);
        let fields = |amount| [("amount", amount), ("bank", "vcb"), ("reference", "FT-1")];
        let path = "/office/agents/shop-2/deposit";
        let page = anna.post(path, &fields("5000")).await;
        assert_eq!(page.header("location"), "/office/agents/shop-2?done=deposit");
        let page = anna.post(path, &fields("5000")).await;
        assert_eq!(page.header("location"), "/office/agents/shop-2?done=deposit-stands");
        assert_eq!(anna.post(path, &fields("6000")).await.status, 409);
        let other = anna.post("/office/agents/shop-1/deposit", &fields("5000")).await;
        assert_eq!(other.status, 409);
        for amount in ["0", "-5", "1.5", "", "99999999999999999999"] {
            assert_eq!(anna.post(path, &fields(amount)).await.status, 400, "{amount}");
        }
        let nobody = anna.post("/office/agents/nobody/deposit", &fields("5000")).await;
        assert_eq!(nobody.status, 404);
        assert_eq!(balance(&store, "agent:shop-2:deposit").await, 5_000);
        assert_balanced(&store).await;
        assert_eq!(
            desk.told().await,
            [
                "operator:anna agent.deposit agent:shop-2 5,000\u{a0}₫ as deposit:vcb:FT-1",
                "operator:anna agent.added agent:shop-2 ",
            ]
        );
        let entry = anna.get("/office/ledger/entries/deposit:vcb:FT-1").await;
        assert!(entry.text.contains("bank:vcb:settlement"), "{}", entry.text);
    }

    async fn a_key_is_shown_once_and_can_be_ended(store: Store) {
        trade(&store, 0).await;
        let desk = Desk::open(&store).await;
        let anna = desk.log_in("anna").await;
        let page = anna.post("/office/agents/shop-1/keys", &[]).await;
        let (_, key) = page.text.split_once("id=\"key\">").unwrap();
        let key = key.split('<').next().unwrap();
        assert_eq!(key.len(), 64);
        let page = anna.get("/office/agents/shop-1").await;
        assert!(page.text.contains(&key[..8]) && !page.text.contains(&key[..9]));
        let told = desk.told().await;
        assert_eq!(told, [format!("operator:anna agent.key_made agent:shop-1 {}", &key[..8])]);
        let end = [("prefix", &key[..8])];
        assert_eq!(anna.post("/office/agents/shop-1/keys/end", &end).await.status, 303);
        assert!(anna.get("/office/agents/shop-1").await.text.contains("ended"));
        let wrong = anna.post("/office/agents/shop-1/keys/end", &[("prefix", "x")]).await;
        assert_eq!(wrong.status, 404);
        assert_eq!(anna.post("/office/agents/nobody/keys", &[]).await.status, 404);
    }

    async fn an_agents_price_is_his_own_and_more_than_nothing(store: Store) {
        trade(&store, 0).await;
        let desk = Desk::open(&store).await;
        let anna = desk.log_in("anna").await;
        let path = "/office/agents/shop-1/prices";
        let fields = |card_type, price| [("card_type", card_type), ("price", price)];
        assert_eq!(anna.post(path, &fields("MOBI10", "9321")).await.status, 303);
        assert_eq!(anna.post(path, &fields("MOBI10", "0")).await.status, 400);
        assert_eq!(anna.post(path, &fields("NOTHING", "1")).await.status, 404);
        assert!(anna.get("/office/agents/shop-1").await.text.contains("9,321"));
        assert_eq!(
            desk.told().await,
            ["operator:anna agent.price agent:shop-1 MOBI10 at 9,321\u{a0}₫"]
        );
    }

    async fn the_books_are_shown_with_their_sums_and_their_faults(store: Store) {
        trade(&store, 2).await;
        let large = entry("x", "agent:shop-1:deposit", "fees", 100_000);
        assert_eq!(post(&store, &large).await.unwrap(), Posted::New);
        let desk = Desk::open(&store).await;
        let clara = desk.log_in("clara").await;
        let page = clara.get("/office/ledger?check=yes").await;
        assert!(page.text.contains("Every account has what its postings make"));
        assert!(page.text.contains("balanced</span>"));
        by_hand(&store, &["UPDATE account SET balance = balance + 1 WHERE name = 'fees'"]).await.unwrap();
        let page = clara.get("/office/ledger?check=yes").await;
        assert!(page.text.contains("<a href=\"/office/ledger/accounts/fees\">"), "{}", page.text);
        assert!(page.text.contains("not balanced</span>"));
    }

    async fn the_overview_counts_what_was_sold_and_what_was_large(store: Store) {
        trade(&store, 3).await;
        by_hand(&store, &["UPDATE sale SET sell_value = 100000 WHERE number = 2"]).await.unwrap();
        let desk = Desk::open(&store).await;
        let page = desk.log_in("victor").await.get("/office").await;
        assert_eq!(page.text.matches("<strong>3</strong> in 30 days").count(), 1, "{}", page.text);
        assert_eq!(page.text.matches("<strong>1</strong> in 30 days").count(), 1);
        assert!(page.text.contains("Turnover today</span><strong>119,000\u{a0}₫"), "{}", page.text);
        // MOBI20 and GAME10 have no card.
        assert!(page.text.contains("Low stock</span><strong>2</strong>"));
        assert!(page.text.contains("Registered"));
    }

    async fn there_are_no_more_operators_than_a_page_shows(store: Store) {
        let desk = Desk::open(&store).await;
        let anna = desk.log_in("anna").await;
        let insert = "INSERT INTO operator (name, role, salt, rounds, password, made_at_ms)
            SELECT 'x' || number, 'viewer', salt, rounds, password, made_at_ms
            FROM operator CROSS JOIN (
                WITH RECURSIVE many (number) AS (
                    SELECT 1 UNION ALL SELECT number + 1 FROM many WHERE number < 197
                )
                SELECT number FROM many
            ) AS numbers WHERE name = 'anna'";
        by_hand(&store, &[insert]).await.unwrap();
        let page = anna.get("/office/operators").await;
        assert_eq!(rows(&page.text), usize::try_from(OPERATORS_MAX).unwrap());
        let new = [("name", "otto"), ("role", "clerk"), ("password", "correct horse battery")];
        assert_eq!(anna.post("/office/operators", &new).await.status, 409);
    }

    async fn a_browser_keeps_its_token_where_no_script_and_no_other_site_reads_it(store: Store) {
        let desk = Desk::open(&store).await;
        let page = desk.try_to_log_in("anna", crate::desk::PASSWORD).await;
        let cookie = page.header("set-cookie");
        assert!(cookie.starts_with("__Host-office="), "{cookie}");
        assert!(cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"), "{cookie}");
        let request = Request::get("/office").header(header::COOKIE, cookie.split(';').next().unwrap());
        let page = desk.send(request.body(Body::empty()).unwrap()).await;
        assert!(!page.text.contains(&cookie[14..78]));
        assert!(!page.text.contains("<script") && !page.text.contains("style=\""));
    }
}
