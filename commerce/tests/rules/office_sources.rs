//! Purchases, customers and deliveries are shown in the office as they are kept, and changed through it
//! once and with a line in the audit log.

use std::sync::Arc;

use commerce::{
    deliveries::{
        self, Attempt, Carried, Carrier, Kind, Parcel, Retention, State as Sent, Verdict, Worker,
    },
    ledger::{self, Account},
    moment::UnixMs,
    port::Charged,
    purchase::{self, Channel, Item, STUCK_AFTER_MS, State, Who},
    store::Store,
    word::Id,
};

use crate::{
    books::NOW,
    databases::on_both,
    desk::Desk,
    networks::{Act, approved},
    shop::{id, keys},
    town::{ANNA, Town},
};

/// Nobody has a text of a subscriber in the office.
const SECRET: &str = "one-time password 123456";

/// A town in which the bank of that purchase says what nobody believes, and the office over it.
async fn in_review(store: Store) -> (Town, Desk, Id) {
    let town = Town::found(store, 3).await;
    town.bank
        .will([Act::Becomes(Charged::Reversing), Act::Becomes(approved())]);
    let id = town.confirmed(ANNA).await;
    town.until_quiet().await;
    assert_eq!(town.state(&id).await, State::ManualReview);
    let desk = Desk::open(&town.store).await;
    (town, desk, id)
}

/// Delivers nothing.
struct Refusing;

impl Carrier for Refusing {
    fn carry<'a>(&'a self, _: &'a Attempt, _: UnixMs) -> Carried<'a> {
        let why = "status 500 <b>".to_owned();
        Box::pin(async { Verdict::Undeliverable { why } })
    }
}

/// So many deliveries to a partner, of which nobody has tried any.
async fn queue(store: &Store, count: u32) {
    let mut write = store.write().await.unwrap();
    for n in 1..=count {
        let parcel = Parcel {
            kind: Kind::Webhook,
            target: &id("partner-1"),
            guid: &id(&format!("mo-{n}")),
            payload: SECRET,
        };
        deliveries::queue(&mut write, &keys(), parcel, NOW)
            .await
            .unwrap();
    }
    write.commit().await.unwrap();
}

/// Lets what waits become dead letters.
async fn bury(store: &Store) {
    let carriers: Vec<(Kind, Arc<dyn Carrier>)> = vec![(Kind::Webhook, Arc::new(Refusing))];
    let clock = Arc::new(|| NOW);
    let mut worker = Worker::new(store.clone(), keys(), carriers, Retention::default(), clock);
    worker.start_due().await.unwrap();
    while worker.next_ended().await.is_some() {}
}

async fn delivery(store: &Store, number: i64) -> Sent {
    let mut read = store.read().await.unwrap();
    let found = deliveries::find(&mut read, number).await.unwrap();
    found.unwrap().state
}

on_both! {
    async fn a_purchase_that_awaits_an_operator_is_settled_once_and_told(store: Store) {
        let (town, desk, purchase) = in_review(store).await;
        let anna = desk.log_in("anna").await;
        let overview = anna.get("/office").await.text;
        assert!(overview.contains("Stuck purchases</span><strong>1</strong>"), "{overview}");
        let stuck = anna.get("/office/purchases?stuck=yes").await.text;
        assert!(stuck.contains(purchase.as_str()) && stuck.contains("MANUAL_REVIEW"), "{stuck}");
        let page = anna.get(&format!("/office/purchases/{purchase}")).await.text;
        for shown in ["Settle as paid", "Settle as refunded", "Ask the bank again", "REVERSING"] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
        let path = format!("/office/purchases/{purchase}/resolve");
        let fields = |way| [("reason", "told by the bank"), ("way_out", way)];
        assert_eq!(anna.post(&path, &fields("completed")).await.status, 400);
        assert_eq!(anna.post(&path, &[("way_out", "debited")]).await.status, 400);
        let clara = desk.log_in("clara").await;
        assert_eq!(clara.post(&path, &fields("debited")).await.status, 403);
        assert_eq!(desk.told().await, [""; 0]);
        assert_eq!(anna.post(&path, &fields("debited")).await.status, 303);
        assert_eq!(anna.post(&path, &fields("debited")).await.status, 409);
        let told = format!("operator:anna purchase.resolved purchase:{purchase} debited: told by the bank");
        assert_eq!(desk.told().await, [told]);
        town.until_quiet().await;
        assert_eq!(town.state(&purchase).await, State::Completed);
        let page = anna.get(&format!("/office/purchases/{purchase}")).await.text;
        assert!(page.contains("by anna") && !page.contains("Settle as paid"), "{page}");
        let none = anna.get("/office/purchases?stuck=yes").await.text;
        assert!(none.contains("No purchase is like that"), "{none}");
        let mut read = town.store.read().await.unwrap();
        let stock = ledger::balance(&mut read, &Account::Stock("MOBI10".parse().unwrap())).await;
        assert_eq!(stock.unwrap().dong(), -10_000);
    }

    async fn a_purchase_that_is_not_debited_costs_nothing(store: Store) {
        let (town, desk, purchase) = in_review(store).await;
        let anna = desk.log_in("anna").await;
        let path = format!("/office/purchases/{purchase}/resolve");
        let fields = [("reason", "told by the bank"), ("way_out", "not-debited")];
        assert_eq!(anna.post(&path, &fields).await.status, 303);
        town.until_quiet().await;
        assert_eq!(town.state(&purchase).await, State::Failed);
        assert_eq!(town.cards("sold").await, 0);
        town.assert_sound().await;
    }

    async fn what_lasts_too_long_is_stuck_and_what_has_ended_is_not(store: Store) {
        let town = Town::found(store, 3).await;
        town.confirmed(ANNA).await;
        let desk = Desk::open(&town.store).await;
        let anna = desk.log_in("anna").await;
        let stuck = "/office/purchases?stuck=yes";
        desk.wait(STUCK_AFTER_MS);
        assert!(anna.get(stuck).await.text.contains("No purchase"));
        // It was confirmed a millisecond after the desk's clock began.
        desk.wait(2);
        assert!(anna.get(stuck).await.text.contains("CHARGING"));
        town.until_quiet().await;
        assert!(anna.get(stuck).await.text.contains("No purchase"));
    }

    async fn a_purchase_shows_its_card_without_the_code_and_an_order_its_merchant(store: Store) {
        let town = Town::found(store, 3).await;
        let card = town.confirmed(ANNA).await;
        town.until_quiet().await;
        let order = Item::Order {
            merchant: id("shop"),
            reference: "ORDER-7".parse().unwrap(),
        };
        let order = town.order(ANNA, Channel::Web, order, None).await.unwrap().purchase;
        let desk = Desk::open(&town.store).await;
        let anna = desk.log_in("anna").await;
        let page = anna.get(&format!("/office/purchases/{card}")).await.text;
        assert!(page.contains("/office/cards/MOBI10/S0"), "{page}");
        assert!(!page.contains("55500"), "{page}");
        let (_, path) = page.split_once("/office/cards/").unwrap();
        let path = path.split('"').next().unwrap();
        let back = anna.get(&format!("/office/cards/{path}")).await.text;
        assert!(back.contains(&format!("/office/purchases/{card}")), "{back}");
        let page = anna.get(&format!("/office/purchases/{}", order.id)).await.text;
        for shown in ["/office/merchants/shop\">shop</a>", "<dd>ORDER-7</dd>", "150,000"] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
        assert_eq!(anna.get("/office/purchases/none").await.status, 404);
    }

    async fn purchases_are_found_by_phone_state_and_id_and_paged_without_a_gap(store: Store) {
        let mut town = Town::found(store, 0).await;
        town.lift_limits();
        let mut ids = Vec::new();
        for n in 0..60 {
            // Three at each moment, so that the moment alone does not tell them apart.
            town.pass(i64::from(n % 3 == 0));
            let order = Item::Order {
                merchant: id("shop"),
                reference: format!("ORDER-{n}").parse().unwrap(),
            };
            let ordered = town.order(ANNA, Channel::Web, order, None).await.unwrap();
            ids.push(ordered.purchase.id.to_string());
            let who = Who::Purchase(ordered.purchase.id);
            purchase::cancel(&town.store, &town.keys, &who, town.now()).await.unwrap();
        }
        let desk = Desk::open(&town.store).await;
        let anna = desk.log_in("anna").await;
        let on = |page: &str| -> Vec<String> {
            let links = page.split("href=\"/office/purchases/").skip(1);
            links.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
        };
        let first = anna.get("/office/purchases?phone=0912345678&state=CANCELLED").await.text;
        let (_, next) = first.rsplit_once("/office/purchases?").unwrap();
        let next = next.split('"').next().unwrap().replace("&amp;", "&");
        let second = anna.get(&format!("/office/purchases?{next}")).await.text;
        let mut seen = [on(&first), on(&second)].concat();
        assert_eq!((on(&first).len(), seen.len()), (50, 60));
        seen.sort();
        ids.sort();
        assert_eq!(seen, ids);
        let one = anna.get(&format!("/office/purchases?id={}", ids[7])).await.text;
        assert_eq!(on(&one), [ids[7].clone()]);
        let others = anna.get("/office/purchases?phone=0987654321").await.text;
        assert!(others.contains("No purchase"), "{others}");
        assert_eq!(anna.get("/office/purchases?state=DONE").await.status, 400);
    }

    async fn customers_and_what_they_bought_are_in_the_charts(store: Store) {
        let town = Town::found(store, 3).await;
        town.confirmed(ANNA).await;
        town.until_quiet().await;
        let desk = Desk::open(&town.store).await;
        let anna = desk.log_in("anna").await;
        let overview = anna.get("/office").await.text;
        for shown in [
            "Transactions today</span><strong>1</strong>",
            "Turnover today</span><strong>10,000",
            "<strong>3</strong> in 30 days",
            "<strong>0</strong> in 30 days",
        ] {
            assert!(overview.contains(shown), "{shown}: {overview}");
        }
    }

    async fn a_dead_letter_is_tried_again_once_and_told(store: Store) {
        queue(&store, 1).await;
        bury(&store).await;
        let desk = Desk::open(&store).await;
        let clara = desk.log_in("clara").await;
        let overview = clara.get("/office").await.text;
        assert!(overview.contains("Dead letters</span><strong>1</strong>"), "{overview}");
        let list = clara.get("/office/deliveries?state=dead&partner=partner-1").await.text;
        assert!(list.contains("Try again") && list.contains("status 500 &lt;b&gt;"), "{list}");
        assert!(!list.contains("123456"), "{list}");
        let path = "/office/deliveries/1/replay";
        let victor = desk.log_in("victor").await;
        assert_eq!(victor.post(path, &[]).await.status, 403);
        assert_eq!(clara.post(path, &[]).await.status, 303);
        assert_eq!(delivery(&store, 1).await, Sent::Waiting);
        let again = clara.post(path, &[]).await;
        assert_eq!(again.status, 409);
        assert!(again.text.contains("It waits for its next try already"), "{}", again.text);
        assert_eq!(desk.told().await, ["operator:clara delivery.replayed delivery:1 "]);
        assert_eq!(clara.get("/office/deliveries/2").await.status, 404);
    }

    async fn a_delivery_is_given_up_for_a_reason(store: Store) {
        queue(&store, 1).await;
        let desk = Desk::open(&store).await;
        let clara = desk.log_in("clara").await;
        let path = "/office/deliveries/1/drop";
        assert_eq!(clara.post(path, &[]).await.status, 400);
        assert_eq!(delivery(&store, 1).await, Sent::Waiting);
        let fields = [("reason", "he has it by mail")];
        assert_eq!(clara.post(path, &fields).await.status, 303);
        assert_eq!(clara.post(path, &fields).await.status, 409);
        assert_eq!(delivery(&store, 1).await, Sent::Dropped);
        assert!(clara.get("/office/deliveries/1").await.text.contains("he has it by mail"));
        let told = "operator:clara delivery.dropped delivery:1 he has it by mail";
        assert_eq!(desk.told().await, [told]);
    }

    async fn deliveries_are_paged_without_a_gap(store: Store) {
        queue(&store, 60).await;
        let desk = Desk::open(&store).await;
        let clara = desk.log_in("clara").await;
        let lines = |page: &str| page.matches("href=\"/office/deliveries/").count();
        let first = clara.get("/office/deliveries?state=waiting").await.text;
        assert!(first.contains("state=waiting&amp;before=11"), "{first}");
        let second = clara.get("/office/deliveries?state=waiting&before=11").await.text;
        assert_eq!((lines(&first), lines(&second)), (50, 10));
        assert!(second.contains("mo-10<") && second.contains("mo-1<") && !second.contains("mo-11<"));
    }

    async fn a_viewer_sees_numbers_of_subscribers_in_part(store: Store) {
        let (_town, desk, purchase) = in_review(store).await;
        for (name, shown, hidden) in [
            ("victor", "8491…678", "84912345678"),
            ("clara", "84912345678", "8491…678"),
        ] {
            let browser = desk.log_in(name).await;
            for path in ["/office/purchases", &format!("/office/purchases/{purchase}")] {
                let page = browser.get(path).await;
                assert!(page.text.contains(shown) && !page.text.contains(hidden), "{name}");
                assert!(!page.text.contains("Settle as paid"), "{name}");
            }
        }
    }
}
