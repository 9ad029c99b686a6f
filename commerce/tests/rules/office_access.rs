//! Who gets into the back office, for how long, and what he may do there.

use axum::{
    body::Body,
    http::{Request, header},
};
use commerce::{
    office::{ADDRESS_MS, ADDRESS_TRIES_MAX, IDLE_MS, LOCKED_MS, OPERATOR_TRIES_MAX, WHOLE_MS},
    store::Store,
};
use tokio::task::JoinSet;

use crate::{
    books::balance,
    databases::on_both,
    desk::{Desk, PASSWORD, PIN, trade},
};

/// Every page that there is to see.
const PAGES: [&str; 21] = [
    "/office",
    "/office/me",
    "/office/purchases",
    "/office/purchases/p1",
    "/office/sales",
    "/office/sales/1",
    "/office/cards/MOBI10/S-0001",
    "/office/stock",
    "/office/stock/MOBI10",
    "/office/ledger",
    "/office/ledger?check=yes",
    "/office/ledger/accounts",
    "/office/ledger/accounts/agent:shop-1:deposit",
    "/office/ledger/entries/sale:1",
    "/office/agents",
    "/office/agents/shop-1",
    "/office/deliveries",
    "/office/deliveries/d1",
    "/office/operators",
    "/office/operators/clara",
    "/office/audit",
];

/// Its path, its fields, and the least role that may send it.
type Form = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

/// Every form that changes something, filled in well.
const FORMS: [Form; 15] = [
    (
        "/office/me",
        &[("current", PASSWORD), ("password", "another password")],
        "viewer",
    ),
    ("/office/stock/MOBI10/on-sale", &[("on", "no")], "clerk"),
    ("/office/deliveries/d1/replay", &[], "clerk"),
    (
        "/office/purchases/p1/resolve",
        &[("reason", "a good one"), ("way_out", "paid")],
        "admin",
    ),
    (
        "/office/cards/MOBI10/S-0001/code",
        &[("reason", "a good one")],
        "admin",
    ),
    ("/office/agents", &[("id", "shop-2")], "admin"),
    (
        "/office/agents/shop-1/deposit",
        &[("amount", "5"), ("bank", "vcb"), ("reference", "ft-1")],
        "admin",
    ),
    ("/office/agents/shop-1/keys", &[], "admin"),
    (
        "/office/agents/shop-1/keys/end",
        &[("prefix", "00000000")],
        "admin",
    ),
    (
        "/office/agents/shop-1/prices",
        &[("card_type", "MOBI10"), ("price", "1")],
        "admin",
    ),
    (
        "/office/operators",
        &[("name", "otto"), ("role", "admin"), ("password", PASSWORD)],
        "admin",
    ),
    (
        "/office/operators/clara/role",
        &[("role", "admin")],
        "admin",
    ),
    (
        "/office/operators/clara/password",
        &[("password", "another password")],
        "admin",
    ),
    (
        "/office/operators/clara/active",
        &[("active", "no")],
        "admin",
    ),
    ("/office/logout", &[], "viewer"),
];

const FILE: &str = "CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE\nN-1,991,2030-12-30\n";

on_both! {
    async fn no_page_is_shown_without_a_login(store: Store) {
        trade(&store, 1).await;
        let desk = Desk::open(&store).await;
        let anna = desk.log_in("anna").await;
        let guess = format!("__Host-office={}", "0".repeat(64));
        for path in PAGES {
            assert_ne!(anna.get(path).await.status, 303, "{path}");
            for cookie in ["", "__Host-office=", &guess, &anna.cookie.replace("__Host-", "")] {
                let request = Request::get(path).header(header::COOKIE, cookie);
                let page = desk.send(request.body(Body::empty()).unwrap()).await;
                assert_eq!((page.status, page.header("location")), (303, "/office/login"), "{path}");
                assert_eq!(page.text, "", "{path}");
            }
        }
    }

    async fn a_form_without_its_sessions_token_changes_nothing(store: Store) {
        trade(&store, 1).await;
        let desk = Desk::open(&store).await;
        let (anna, clara) = (desk.log_in("anna").await, desk.log_in("clara").await);
        let before = desk.told().await;
        for (path, fields, _) in FORMS {
            let foreign = [fields, &[("form_token", clara.form_token.as_str())]].concat();
            let cookie = anna.cookie.split_once('=').unwrap().1;
            let own_cookie = [fields, &[("form_token", cookie)]].concat();
            for fields in [fields, &foreign, &own_cookie] {
                let page = anna.post_bare(path, fields).await;
                assert_eq!(page.status, 403, "{path}");
                assert!(page.text.contains("Nothing was changed"), "{path}");
            }
            let request = Request::post(path).body(Body::from("form_token=1")).unwrap();
            assert_eq!(desk.send(request).await.header("location"), "/office/login", "{path}");
        }
        for token in ["", &clara.form_token] {
            let page = anna.upload("/office/stock/MOBI10/import", token, FILE).await;
            assert_eq!(page.status, 403);
        }
        assert_eq!(desk.told().await, before);
        assert_eq!(balance(&store, "agent:shop-1:deposit").await, 9_990_500);
        // All of them are still who they were and where they were.
        desk.log_in("anna").await;
        desk.log_in("clara").await;
        assert_eq!(anna.get("/office").await.status, 200);
    }

    async fn a_role_sends_the_forms_of_its_own_and_of_lesser_roles_alone(store: Store) {
        trade(&store, 1).await;
        let desk = Desk::open(&store).await;
        for (name, role) in [("victor", "viewer"), ("clara", "clerk")] {
            let browser = desk.log_in(name).await;
            for (path, fields, least) in FORMS {
                let may = least == role || least == "viewer";
                if may {
                    continue;
                }
                let page = browser.post(path, fields).await;
                assert_eq!(page.status, 403, "{name} {path}");
                assert!(page.text.contains(&format!("yours is {role}")), "{path}");
                assert!(!page.text.contains(PIN), "{path}");
            }
            for path in ["/office/operators", "/office/operators/clara", "/office/audit"] {
                assert_eq!(browser.get(path).await.status, 403, "{name} {path}");
            }
        }
        let victor = desk.log_in("victor").await;
        let refused = victor.upload("/office/stock/MOBI10/import", &victor.form_token, FILE).await;
        assert_eq!(refused.status, 403);
        assert_eq!(victor.get("/office/ledger?check=yes").await.status, 403);
        assert_eq!(desk.told().await, [""; 0]);
    }

    async fn wrong_passwords_lock_an_operator_and_time_opens_him_again(store: Store) {
        let desk = Desk::open(&store).await;
        for _ in 1..OPERATOR_TRIES_MAX {
            assert_eq!(desk.try_to_log_in("anna", "wrong").await.status, 401);
        }
        // A right one makes up for them.
        desk.log_in("anna").await;
        for _ in 0..OPERATOR_TRIES_MAX {
            assert_eq!(desk.try_to_log_in("anna", "wrong").await.status, 401);
        }
        let locked = desk.try_to_log_in("anna", PASSWORD).await;
        assert_eq!((locked.status, locked.header("set-cookie")), (401, ""));
        desk.log_in("clara").await;
        desk.wait(LOCKED_MS - 1);
        assert_eq!(desk.try_to_log_in("anna", PASSWORD).await.status, 401);
        desk.wait(1);
        // One more wrong one does not lock him at once.
        assert_eq!(desk.try_to_log_in("anna", "wrong").await.status, 401);
        desk.log_in("anna").await;
    }

    async fn tries_at_the_same_time_count_one_after_another(store: Store) {
        let desk = std::sync::Arc::new(Desk::open(&store).await);
        let mut tries = JoinSet::new();
        for _ in 0..12 {
            let desk = desk.clone();
            tries.spawn(async move { desk.try_to_log_in("anna", "wrong").await.status });
        }
        for status in tries.join_all().await {
            assert_eq!(status, 401);
        }
        assert_eq!(desk.try_to_log_in("anna", PASSWORD).await.status, 401);
        let known = desk.told().await.iter().filter(|line| line.contains("login.failed")).count();
        assert_eq!(known, 13);
    }

    async fn an_address_has_its_tries_for_all_names_together(store: Store) {
        let desk = Desk::open(&store).await;
        for n in 0..ADDRESS_TRIES_MAX {
            assert_eq!(desk.try_to_log_in(&format!("nobody-{n}"), "wrong").await.status, 401);
        }
        let page = desk.try_to_log_in("anna", PASSWORD).await;
        assert_eq!(page.status, 429);
        assert_eq!(page.header("retry-after"), "60");
        desk.wait(ADDRESS_MS);
        desk.log_in("anna").await;
    }

    async fn a_name_that_nobody_has_gets_the_answer_of_a_wrong_password(store: Store) {
        let desk = Desk::open(&store).await;
        let wrong = desk.try_to_log_in("anna", "wrong").await;
        let mut disabled = desk.log_in("anna").await;
        let answer = disabled.post("/office/operators/victor/active", &[("active", "no")]).await;
        assert_eq!(answer.status, 303);
        disabled.cookie.clear();
        for name in ["nobody", "victor", "", "Not A Name", "<b>"] {
            let page = desk.try_to_log_in(name, PASSWORD).await;
            assert_eq!((page.status, &page.text), (wrong.status, &wrong.text), "{name}");
        }
    }

    async fn a_session_ends_by_itself(store: Store) {
        let desk = Desk::open(&store).await;
        let idle = desk.log_in("anna").await;
        desk.wait(IDLE_MS - 1);
        assert_eq!(idle.get("/office").await.status, 200);
        // It was used, so that its half hour begins anew.
        desk.wait(IDLE_MS - 1);
        assert_eq!(idle.get("/office").await.status, 200);
        desk.wait(IDLE_MS);
        assert_eq!(idle.get("/office").await.status, 303);
        let busy = desk.log_in("anna").await;
        let step = IDLE_MS / 2;
        for _ in 1..WHOLE_MS / step {
            desk.wait(step);
            assert_eq!(busy.get("/office").await.status, 200);
        }
        desk.wait(step);
        assert_eq!(busy.get("/office").await.status, 303);
    }

    async fn a_session_ends_with_its_logout_another_login_or_another_password(store: Store) {
        let desk = Desk::open(&store).await;
        let out = desk.log_in("clara").await;
        let other = desk.log_in("clara").await;
        let page = out.post("/office/logout", &[]).await;
        assert!(page.header("set-cookie").contains("Max-Age=0"));
        assert_eq!(out.get("/office").await.status, 303);
        assert_eq!(other.get("/office").await.status, 200);

        // The same browser logs in again: its token before is worth nothing.
        let form = format!("name=clara&password={}", PASSWORD.replace(' ', "+"));
        let again = Request::post("/office/login").header(header::COOKIE, &other.cookie);
        let again = desk.send(again.body(Body::from(form)).unwrap()).await;
        assert_eq!(again.status, 303);
        assert_eq!(other.get("/office").await.status, 303);

        let fields = [("current", "wrong"), ("password", "another password")];
        let own = desk.log_in("clara").await;
        assert_eq!(own.post("/office/me", &fields).await.status, 400);
        assert_eq!(own.get("/office").await.status, 200);
        let fields = [("current", PASSWORD), ("password", "another password")];
        assert_eq!(own.post("/office/me", &fields).await.status, 303);
        assert_eq!(own.get("/office").await.status, 303);
        assert_eq!(desk.try_to_log_in("clara", PASSWORD).await.status, 401);
        assert_eq!(desk.try_to_log_in("clara", "another password").await.status, 303);
    }

    async fn an_admin_says_who_is_an_operator_and_not_what_he_is_himself(store: Store) {
        let desk = Desk::open(&store).await;
        let (anna, clara) = (desk.log_in("anna").await, desk.log_in("clara").await);
        let new = [("name", "otto"), ("role", "clerk"), ("password", PASSWORD)];
        assert_eq!(anna.post("/office/operators", &new).await.status, 303);
        assert_eq!(anna.post("/office/operators", &new).await.status, 409);
        let short = [("name", "olga"), ("role", "clerk"), ("password", "short")];
        let refused = anna.post("/office/operators", &short).await;
        assert_eq!(refused.status, 400);
        assert!(refused.text.contains("is not 12 to 256 characters long"));
        desk.log_in("otto").await;
        let page = anna.post("/office/operators/clara/role", &[("role", "viewer")]).await;
        assert_eq!(page.header("location"), "/office/operators/clara?done=role");
        assert_eq!(clara.get("/office").await.status, 303);
        for (path, fields) in [
            ("role", [("role", "viewer")]),
            ("password", [("password", "another password")]),
            ("active", [("active", "no")]),
        ] {
            let page = anna.post(&format!("/office/operators/anna/{path}"), &fields).await;
            assert_eq!(page.status, 409, "{path}");
        }
        let missing = anna.post("/office/operators/nobody/active", &[("active", "no")]).await;
        assert_eq!(missing.status, 404);
        assert_eq!(
            desk.told().await,
            [
                "operator:anna operator.role operator:clara viewer",
                "operator:anna operator.added operator:otto clerk",
            ]
        );
    }

    async fn a_login_that_another_site_sends_is_refused(store: Store) {
        let desk = Desk::open(&store).await;
        for (site, status) in [("cross-site", 403), ("same-site", 403), ("same-origin", 303), ("none", 303)] {
            let form = format!("name=anna&password={}", PASSWORD.replace(' ', "+"));
            let request = Request::post("/office/login").header("Sec-Fetch-Site", site);
            let page = desk.send(request.body(Body::from(form)).unwrap()).await;
            assert_eq!(page.status, status, "{site}");
        }
    }
}
