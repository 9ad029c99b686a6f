//! The S2Sell API by its own examples, and what it owes to agents beyond them.

use std::{
    collections::BTreeSet,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    task::Poll,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use commerce::{
    agents, catalogue,
    catalogue::{CardType, Category},
    ledger::{Entry, Line},
    moment::UnixMs,
    s2sell::{Api, router},
    stock,
    store::Store,
};
use sqlx::Row as _;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::{
    books::{account, assert_balanced, balance, by_hand, entry, post, vnd},
    databases::on_both,
    shop::{card_type, id, import, import_at, keys, type_id},
    web,
};

/// 2016-11-22, when the cards of the examples could still be used.
pub(crate) const THEN: UnixMs = UnixMs(1_479_772_800_000);

/// The API with one agent who has paid 100,000 dong in, and cards of MOBI10 at 9450.
pub(crate) struct Shop {
    store: Store,
    pub(crate) router: Router,
    clock: Arc<AtomicI64>,
    pub(crate) key: String,
}

impl Shop {
    /// Agents may call as often as they like.
    pub(crate) async fn open(store: &Store, cards: u32) -> Self {
        Self::open_with(
            store,
            cards,
            "[s2sell]\nrequests_per_s = 1000\nburst = 1000\n",
        )
        .await
    }

    pub(crate) async fn open_with(store: &Store, cards: u32, settings: &str) -> Self {
        let mut write = store.write().await.unwrap();
        for (place, (code, name)) in (1..).zip([
            ("FPT", "FPT Online"),
            ("GAME", "The Game Online"),
            ("MOBI", "MobiFone"),
        ]) {
            let category = Category {
                code: code.parse().unwrap(),
                name: name.parse().unwrap(),
                place,
            };
            catalogue::put_category(&mut write, &category)
                .await
                .unwrap();
        }
        let mobi = CardType {
            name: "The MobiFone 10.000 ".parse().unwrap(),
            ..card_type("MOBI10", 10_000, "mobifone")
        };
        catalogue::put_card_type(&mut write, &mobi).await.unwrap();
        let (agent, price) = (id("agent-1"), vnd(9_450));
        agents::add(&mut write, &agent).await.unwrap();
        agents::add(&mut write, &id("agent-2")).await.unwrap();
        catalogue::put_agent_price(&mut write, &agent, &type_id("MOBI10"), price)
            .await
            .unwrap();
        let key = agents::make_key(&mut write, &agent, THEN).await.unwrap();
        write.commit().await.unwrap();
        let deposit = entry("d1", "bank:b:settlement", "agent:agent-1:deposit", 100_000);
        post(store, &deposit).await.unwrap();
        let lines: Vec<_> = (0..cards)
            .map(|n| {
                format!(
                    "{:015},{},2016-12-30",
                    29_091_000_008_229_u64 + u64::from(n),
                    1_234_567_890 + n
                )
            })
            .collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        if cards > 0 {
            import_at(store, &keys(), "MOBI10", &lines, THEN)
                .await
                .unwrap();
        }
        let clock = Arc::new(AtomicI64::new(THEN.0));
        let now = clock.clone();
        let clock_of_api = Arc::new(move || UnixMs(now.load(Relaxed)));
        let settings = web::config(settings).1.s2sell.unwrap();
        let router = router(Api::new(store.clone(), keys(), clock_of_api, settings));
        Self {
            store: store.clone(),
            router,
            clock,
            key: key.reveal().to_owned(),
        }
    }

    pub(crate) fn at(&self, now: UnixMs) {
        self.clock.store(now.0, Relaxed);
    }

    async fn send(&self, request: Request<Body>) -> (u16, String) {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        assert_eq!(answer.headers()["content-type"], "application/json");
        let cache = &answer.headers()["cache-control"];
        let is_kept = cache.to_str().unwrap().starts_with("private, ");
        assert!(cache == "no-store" || is_kept && status == 200, "{cache:?}");
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let request = Request::get(format!("/mcapi/s2sell/{path}")).header("X-API-Key", &self.key);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn buy(&self, form: &str) -> (u16, String) {
        let request = Request::post("/mcapi/s2sell/card/MOBI10").header("X-API-Key", &self.key);
        self.send(request.body(Body::from(form.to_owned())).unwrap())
            .await
    }

    pub(crate) async fn buy_once(&self, idempotency_key: &str, form: &str) -> (u16, String) {
        let request = Request::post("/mcapi/s2sell/card/MOBI10")
            .header("X-API-Key", &self.key)
            .header("Idempotency-Key", idempotency_key);
        self.send(request.body(Body::from(form.to_owned())).unwrap())
            .await
    }

    async fn deposit(&self) -> i64 {
        assert_balanced(&self.store).await;
        balance(&self.store, "agent:agent-1:deposit").await
    }
}

/// What a future gives if it does so in that many polls; then it is dropped.
async fn given_up_after<T>(polls: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(move |context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

fn cards(body: &str) -> usize {
    body.matches("CARDPINCODE").count()
}

on_both! {
    async fn the_answers_are_those_of_the_specifications_examples(store: Store) {
        let shop = Shop::open(&store, 1).await;
        let categories = "[{\"CATENAME\":\"FPT Online\",\"CATECODE\":\"FPT\"},\
            {\"CATENAME\":\"The Game Online\",\"CATECODE\":\"GAME\"},\
            {\"CATENAME\":\"MobiFone\",\"CATECODE\":\"MOBI\"}]";
        assert_eq!(shop.get("category").await, (200, categories.to_owned()));
        let offer = "{\"CARDVALUE\":\"10000.00\",\"CARDNAME\":\"The MobiFone 10.000 \",\
            \"STOREAVAIL\":\"1\",\"SELLVALUE\":\"9450.00\",\"CARDTYPEID\":\"MOBI10\"}";
        assert_eq!(shop.get("card/MOBI10").await, (200, offer.to_owned()));
        let listed = format!("[{}]", offer.replace("\"STOREAVAIL\":\"1\",", ""));
        assert_eq!(shop.get("category/MOBI").await, (200, listed));
        assert_eq!(shop.get("category/FPT").await, (200, "[]".to_owned()));

        // The example's 8492435 is the number of a sale; this is our first.
        let card = "{\"CARDPINCODE\":\"1234567890\",\"CARDSERIESNO\":\"029091000008229\",\
            \"CARDEXPIREDATE\":\"2016-12-30\",\"CARDACCNO\":\"\",\"SELLTXNID\":\"1\"}";
        let result = format!("{{\"result\":[{card}]}}");
        assert_eq!(shop.buy("BUYCOUNT=1").await, (200, result));
        let bought = shop.get("card/MOBI10/029091000008229").await;
        assert_eq!(bought, (200, format!("[{card}]")));
        let sold_out = offer.replace("\"STOREAVAIL\":\"1\"", "\"STOREAVAIL\":\"0\"");
        assert_eq!(shop.get("card/MOBI10").await, (200, sold_out));
        assert_eq!(shop.deposit().await, 100_000 - 9_450);
        assert_eq!(balance(&store, "stock:MOBI10").await, -9_450);
    }

    async fn a_purchase_gets_what_there_is_and_pays_for_no_more(store: Store) {
        let shop = Shop::open(&store, 3).await;
        let (status, body) = shop.buy("BUYCOUNT=5").await;
        assert_eq!((status, cards(&body)), (200, 3), "{body}");
        let error = "{\"error\":{\"code\":\"OUT_OF_STOCK\",\"message\":";
        assert!(body.starts_with(error) && body.contains("\"result\":[{"), "{body}");
        assert_eq!(shop.deposit().await, 100_000 - 3 * 9_450);
        let (status, body) = shop.buy("BUYCOUNT=1").await;
        assert_eq!((status, cards(&body)), (409, 0), "{body}");
        assert!(body.contains("OUT_OF_STOCK") && !body.contains("result"), "{body}");
    }

    async fn a_purchase_gets_as_many_as_the_deposit_pays(store: Store) {
        let shop = Shop::open(&store, 12).await;
        let (status, body) = shop.buy("BUYCOUNT=12").await;
        assert_eq!((status, cards(&body)), (200, 10), "{body}");
        assert!(body.contains("\"code\":\"INSUFFICIENT_DEPOSIT\""), "{body}");
        assert_eq!(shop.deposit().await, 5_500);
        let (status, body) = shop.buy("BUYCOUNT=1").await;
        assert_eq!((status, cards(&body)), (402, 0), "{body}");
        assert_eq!(shop.deposit().await, 5_500);
    }

    async fn a_purchase_repeated_with_its_idempotency_key_happens_once(store: Store) {
        let shop = Shop::open(&store, 5).await;
        let first = shop.buy_once("k1", "BUYCOUNT=2&SELLDESTNO=n1").await;
        assert_eq!((first.0, cards(&first.1)), (200, 2), "{}", first.1);
        assert_eq!(shop.buy_once("k1", "BUYCOUNT=2&SELLDESTNO=n1").await, first);
        for other in ["BUYCOUNT=1&SELLDESTNO=n1", "BUYCOUNT=2&SELLDESTNO=n2", "BUYCOUNT=2"] {
            let (status, body) = shop.buy_once("k1", other).await;
            assert_eq!(status, 422, "{body}");
        }
        assert_eq!(shop.deposit().await, 100_000 - 2 * 9_450);
        let short = shop.buy_once("k2", "BUYCOUNT=9").await;
        assert_eq!(cards(&short.1), 3);
        assert_eq!(shop.buy_once("k2", "BUYCOUNT=9").await, short);
    }

    async fn a_purchase_sent_many_times_at_once_happens_once(store: Store) {
        let shop = Arc::new(Shop::open(&store, 5).await);
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let shop = shop.clone();
            tasks.spawn(async move { shop.buy_once("k1", "BUYCOUNT=1").await });
        }
        let answers: BTreeSet<_> = tasks.join_all().await.into_iter().collect();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(shop.deposit().await, 100_000 - 9_450);
    }

    async fn concurrent_purchases_pay_for_each_card_and_get_each_once(store: Store) {
        let shop = Arc::new(Shop::open(&store, 20).await);
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let shop = shop.clone();
            tasks.spawn(async move { shop.buy("BUYCOUNT=2").await });
        }
        let mut serials = Vec::new();
        for (status, body) in tasks.join_all().await {
            // Who loses the deposit to others three times over is told to come again.
            assert!([200, 402, 503].contains(&status), "{status} {body}");
            let found = body.split("\"CARDSERIESNO\":\"").skip(1);
            serials.extend(found.map(|rest| rest[..15].to_owned()));
        }
        let different: BTreeSet<_> = serials.iter().collect();
        assert_eq!(serials.len(), different.len());
        assert_eq!(shop.deposit().await, 100_000 - 9_450 * serials.len() as i64);
    }

    async fn a_purchase_whose_caller_goes_away_is_whole_or_was_not_made(store: Store) {
        let shop = Shop::open(&store, 60).await;
        let deposit = entry("d2", "bank:b:settlement", "agent:agent-1:deposit", 900_000);
        post(&store, &deposit).await.unwrap();
        let mut answered = 0;
        for polls in 1..=50 {
            let bought = given_up_after(polls, shop.buy("BUYCOUNT=1")).await;
            answered += i64::from(bought.is_some());
        }
        let (status, body) = shop.buy("BUYCOUNT=1").await;
        assert_eq!(status, 200, "{body}");
        let mut read = store.read().await.unwrap();
        let count = "SELECT COUNT(*) FROM card WHERE state <> 'free'";
        let row = sqlx::query(count).fetch_one(&mut *read).await.unwrap();
        let sold: i64 = row.get(0);
        assert!(sold > answered, "{sold} sold, {answered} answered");
        assert_eq!(shop.deposit().await, 1_000_000 - 9_450 * sold);
    }

    async fn an_agent_finds_his_own_purchase_by_his_own_number(store: Store) {
        let shop = Shop::open(&store, 5).await;
        let (_, bought) = shop.buy("BUYCOUNT=2&SELLDESTNO=order-7.a_b").await;
        assert_eq!(shop.get("txn/order-7.a_b").await, (200, bought));
        let (status, body) = shop.get("txn/order-8").await;
        assert_eq!(status, 404, "{body}");
    }

    async fn a_serial_is_found_in_small_and_capital_letters(store: Store) {
        let shop = Shop::open(&store, 0).await;
        shop.clock.store(crate::books::NOW.0, Relaxed);
        import(&store, "MOBI10", &["ab-1.x,777,2030-01-01"]).await.unwrap();
        assert_eq!(shop.get("card/MOBI10/ab-1.x").await.0, 404);
        assert_eq!(shop.buy("BUYCOUNT=1").await.0, 200);
        let found = shop.get("card/MOBI10/AB-1.X").await;
        assert!(found.1.contains("\"CARDSERIESNO\":\"ab-1.x\""), "{found:?}");
    }

    async fn nobody_else_sees_a_card_or_a_purchase(store: Store) {
        let mut shop = Shop::open(&store, 2).await;
        shop.buy("BUYCOUNT=1&SELLDESTNO=n1").await;
        let mut write = store.write().await.unwrap();
        let other = agents::make_key(&mut write, &id("agent-2"), THEN).await.unwrap();
        write.commit().await.unwrap();
        shop.key = other.reveal().to_owned();
        assert_eq!(shop.get("card/MOBI10/029091000008229").await.0, 404);
        assert_eq!(shop.get("txn/n1").await.0, 404);
        // He has paid nothing in either.
        assert_eq!(shop.buy("BUYCOUNT=1").await.0, 402);
    }

    async fn only_a_key_that_was_made_and_has_not_ended_is_taken(store: Store) {
        let mut shop = Shop::open(&store, 1).await;
        let anybody = Request::get("/mcapi/s2sell/category").body(Body::empty()).unwrap();
        assert_eq!(shop.send(anybody).await.0, 401);
        let good = shop.key.clone();
        assert_eq!(good.len(), 64);
        for wrong in ["", &good[..63], &good.to_lowercase(), &"0".repeat(64)] {
            shop.key = wrong.to_owned();
            assert_eq!(shop.get("category").await.0, 401, "{wrong}");
            assert_eq!(shop.buy("BUYCOUNT=1").await.0, 401, "{wrong}");
        }
        shop.key = good.clone();
        let mut write = store.write().await.unwrap();
        let new = agents::make_key(&mut write, &id("agent-1"), THEN).await.unwrap();
        let end = UnixMs(THEN.0 + 1_000);
        let ended = agents::end_key(&mut write, &id("agent-1"), &good[..8], end).await;
        assert_eq!(ended, Ok(1));
        write.commit().await.unwrap();
        assert_eq!(format!("{new:?}"), format!("ApiKey({}…)", &new.reveal()[..8]));
        assert_eq!(shop.get("category").await.0, 200);
        shop.clock.store(end.0, Relaxed);
        assert_eq!(shop.get("category").await.0, 401);
        shop.key = new.reveal().to_owned();
        assert_eq!(shop.get("category").await.0, 200);
    }

    async fn what_is_not_well_formed_is_refused_in_the_shape_of_an_error(store: Store) {
        let shop = Shop::open(&store, 1).await;
        for form in [
            "",
            "BUYCOUNT=",
            "BUYCOUNT=0",
            "BUYCOUNT=41",
            "BUYCOUNT=-1",
            "BUYCOUNT=1.0",
            "BUYCOUNT=1&BUYCOUNT=1",
            "BUYCOUNT=99999999999999999999",
            "BUYCOUNT=1&SELLDESTNO=a%20b",
            &format!("BUYCOUNT=1&SELLDESTNO={}", "a".repeat(41)),
            &format!("BUYCOUNT=1&more={}", "a".repeat(5_000)),
        ] {
            let (status, body) = shop.buy(form).await;
            assert_eq!(status, 400, "{form}: {body}");
            let shape = "{\"error\":{\"code\":\"INVALID\",\"message\":\"";
            assert!(body.starts_with(shape), "{body}");
        }
        for (path, status) in [
            ("category/mobi", 400),
            ("category/MOBIL", 400),
            ("card/mobi10", 400),
            ("card/NONE", 404),
            ("card/MOBI10/a_b", 400),
            ("card/MOBI10/%FF", 400),
            ("txn/a%20b", 400),
            ("nothing", 404),
        ] {
            let (found, body) = shop.get(path).await;
            assert_eq!(found, status, "{path}: {body}");
            assert!(body.starts_with("{\"error\":{\"code\":\""), "{body}");
        }
        let request = Request::delete("/mcapi/s2sell/category").body(Body::empty()).unwrap();
        assert_eq!(shop.send(request).await.0, StatusCode::METHOD_NOT_ALLOWED.as_u16());
        assert_eq!(shop.deposit().await, 100_000);
    }

    async fn a_card_that_cannot_be_opened_is_passed_over_and_costs_nothing(store: Store) {
        let shop = Shop::open(&store, 3).await;
        let moved = "UPDATE card SET pin = (SELECT pin FROM card WHERE serial = '029091000008231')
            WHERE serial = '029091000008229'";
        by_hand(&store, &[moved]).await.unwrap();
        let (status, sold) = shop.buy("BUYCOUNT=1").await;
        assert_eq!(status, 200, "{sold}");
        assert!(sold.contains("\"CARDSERIESNO\":\"029091000008230\""), "{sold}");
        assert_eq!(shop.deposit().await, 100_000 - 9_450);
        let mut read = store.read().await.unwrap();
        let faulty = stock::faulty(&mut read).await.unwrap();
        let serials: Vec<_> = faulty.iter().map(|card| card.serial.to_string()).collect();
        assert_eq!(serials, ["029091000008229"]);
        drop(read);
        // Two are wanted, and one is left.
        let (_, sold) = shop.buy("BUYCOUNT=2").await;
        assert!(sold.contains("029091000008231"), "{sold}");
        assert_eq!(shop.deposit().await, 100_000 - 2 * 9_450);
    }

    async fn a_card_type_that_is_not_on_sale_costs_nothing(store: Store) {
        let shop = Shop::open(&store, 1).await;
        let request = Request::post("/mcapi/s2sell/card/NONE").header("X-API-Key", &shop.key);
        let (status, body) = shop.send(request.body(Body::from("BUYCOUNT=1")).unwrap()).await;
        assert_eq!(status, 404, "{body}");
        assert_eq!(shop.deposit().await, 100_000);
    }

    async fn an_agent_with_credit_buys_down_to_his_floor(store: Store) {
        let shop = Shop::open(&store, 15).await;
        let mut write = store.write().await.unwrap();
        let deposit = account("agent:agent-1:deposit");
        let limits = commerce::ledger::Limits { floor: Some(vnd(-20_000)), ceiling: None };
        commerce::ledger::set_limits(&mut write, &deposit, limits).await.unwrap();
        let lines = [Line::debit(deposit, vnd(94_500)), Line::credit(account("fees"), vnd(94_500))];
        let all = Entry::new("x".parse().unwrap(), THEN, lines).unwrap();
        commerce::ledger::post(&mut write, &all).await.unwrap();
        write.commit().await.unwrap();
        let (_, body) = shop.buy("BUYCOUNT=5").await;
        assert_eq!(cards(&body), 2, "{body}");
        assert_eq!(shop.deposit().await, 5_500 - 2 * 9_450);
    }
}
