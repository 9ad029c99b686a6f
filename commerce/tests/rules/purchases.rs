//! Purchases: what a subscriber does, and what he gets for it.

use commerce::{
    audit::{self, AuditFilter},
    customers::{self, CustomerError, CustomerState, Registered},
    intake::Command,
    money::Vnd,
    otp::Code,
    port::AccountToken,
    purchase::{self, Channel, Confirmed, Item, PurchaseError, Refusal, Rules, State, Who, Why},
    store::Store,
};
use tokio::task::JoinSet;

use crate::{
    books::{NOW, balance, by_hand},
    databases::on_both,
    networks::{Act, declined, not_sent},
    shop::{id, keys, type_id},
    town::{ANNA, BINH, CHI, Town, phone},
};

fn mobi10() -> Item {
    Item::Card(type_id("MOBI10"))
}

fn shop_order(reference: &str) -> Item {
    Item::Order {
        merchant: id("shop"),
        reference: reference.parse().unwrap(),
    }
}

on_both! {
    async fn a_card_is_bought_by_message_from_the_first_one_to_its_code(store: Store) {
        let town = Town::found(store, 3).await;
        town.buy(ANNA, "mo1").await;
        let asked = town.handsets.last(ANNA);
        assert!(asked.contains("the MOBI10 gia 10.000d"), "{asked}");
        town.confirm(ANNA, "mo2").await;
        town.until_quiet().await;
        let card = "The MOBI10: ma 55500000 seri S000 HSD 31/12/2027. Cam on quy khach.";
        assert_eq!(town.handsets.last(ANNA), card);
        let purchase = town.last(ANNA).await;
        assert_eq!(purchase.state, State::Completed);
        assert_eq!(town.bank.calls(), ["charge"]);
        assert_eq!(balance(&town.store, "bank:vcb:settlement").await, 10_000);
        assert_eq!(balance(&town.store, "stock:MOBI10").await, -10_000);
        town.assert_bank_agrees().await;
        let mut read = town.store.read().await.unwrap();
        let events = purchase::events(&mut read, &purchase.id).await.unwrap();
        let states: Vec<State> = events.iter().map(|event| event.to).collect();
        assert_eq!(states, [
            State::Created, State::Authenticating, State::Charging, State::FundsHeld,
            State::Fulfilling, State::Fulfilled, State::Completed,
        ]);
    }

    async fn a_card_is_handed_out_once_and_only_if_it_is_paid_for(store: Store) {
        let town = Town::found(store, 2).await;
        for (outcome, why) in [(declined(), Why::Declined), (not_sent(), Why::NotSent)] {
            town.bank.will([Act::Becomes(outcome)]);
            let id = town.confirmed(ANNA).await;
            town.until_quiet().await;
            let purchase = town.find(&id).await;
            assert_eq!((purchase.state, purchase.why), (State::Failed, Some(why)));
            let told = town.handsets.last(ANNA);
            assert!(told.ends_with("Tien khong bi tru."), "{told}");
            assert_eq!((town.cards("free").await, town.cards("sold").await), (2, 0));
        }
        let id = town.confirmed(ANNA).await;
        // Four workers at once, and once more when all is done.
        for _ in 0..3 {
            let mut workers = JoinSet::new();
            for _ in 0..4 {
                let town = town.clone();
                workers.spawn(async move { town.work().await });
            }
            workers.join_all().await;
        }
        town.until_quiet().await;
        assert_eq!(town.state(&id).await, State::Completed);
        assert_eq!((town.cards("free").await, town.cards("sold").await), (1, 1));
        let codes = town.handsets.texts(ANNA);
        let codes = codes.iter().filter(|text| text.starts_with("The MOBI10"));
        assert_eq!(codes.count(), 1);
        assert_eq!(balance(&town.store, "bank:vcb:settlement").await, 10_000);
        town.assert_bank_agrees().await;
    }

    async fn a_step_that_the_database_cut_off_is_due_again_before_its_lease_is_over(store: Store) {
        let town = Town::found(store, 2).await;
        let id = town.confirmed(ANNA).await;
        // The bank has been asked when the change fails.
        town.change("ALTER TABLE purchase_event RENAME TO hidden").await;
        assert_eq!(town.work().await, 1);
        assert_eq!(town.state(&id).await, State::Charging);
        town.change("ALTER TABLE hidden RENAME TO purchase_event").await;
        assert_eq!(town.work().await, 1);
        assert_eq!(town.state(&id).await, State::Fulfilled);
        assert_eq!(town.bank.calls(), ["charge", "charge"]);
        assert_eq!(balance(&town.store, "bank:vcb:settlement").await, 10_000);
        town.assert_bank_agrees().await;
    }

    async fn two_confirmations_at_once_charge_once(store: Store) {
        let town = Town::found(store, 3).await;
        for _ in 0..5 {
            let (purchase, code) = town.order_card(ANNA).await;
            let mut tasks = JoinSet::new();
            for _ in 0..4 {
                let (town, purchase, code) = (town.clone(), purchase.clone(), code.clone());
                tasks.spawn(async move { town.confirm_with(&purchase, &code).await });
            }
            let confirmed = tasks.join_all().await;
            let charging = confirmed.iter().filter(|one| matches!(one, Ok(Confirmed::Charging(_))));
            assert_eq!(charging.count(), 1, "{confirmed:?}");
            for other in &confirmed {
                let nothing = Err(PurchaseError::Refused(Refusal::NothingAwaits));
                let is_harmless = matches!(other, Ok(Confirmed::Charging(_) | Confirmed::Gone));
                assert!(is_harmless || *other == nothing, "{other:?}");
            }
            town.bank.will([Act::Becomes(declined())]);
            town.until_quiet().await;
            assert_eq!(town.bank.calls(), ["charge"]);
        }
    }

    async fn a_replayed_message_confirms_nothing(store: Store) {
        let town = Town::found(store, 3).await;
        town.buy(ANNA, "mo1").await;
        town.confirm(ANNA, "mo2").await;
        town.until_quiet().await;
        assert_eq!(town.bank.calls(), ["charge"]);
        // The same message again, under its own id and under another.
        town.confirm(ANNA, "mo2").await;
        town.confirm(ANNA, "mo3").await;
        town.until_quiet().await;
        assert_eq!(town.handsets.last(ANNA), "Khong co giao dich nao cho ma xac nhan.");
        // The order again is the order that there was; a new one has another code.
        town.buy(ANNA, "mo1").await;
        assert_eq!(town.count("SELECT COUNT(*) FROM purchase").await, 1);
        let used = town.handsets.code(ANNA).unwrap();
        town.buy(ANNA, "mo4").await;
        if town.handsets.code(ANNA).unwrap() != used {
            town.sms(ANNA, "mo5", Command::Confirm { code: used }).await.unwrap();
        }
        town.work().await;
        assert_eq!(town.last(ANNA).await.state, State::Authenticating);
        assert_eq!(town.bank.calls(), [""; 0]);
    }

    async fn reordered_messages_confirm_and_cancel_nothing_but_what_they_find(store: Store) {
        let town = Town::found(store, 3).await;
        let code = Code::parse("123456").unwrap();
        // The confirmation before the order.
        town.sms(ANNA, "mo1", Command::Confirm { code }).await.unwrap();
        town.deliver().await;
        assert_eq!(town.handsets.last(ANNA), "Khong co giao dich nao cho ma xac nhan.");
        // Given up, then confirmed with the code that was sent before.
        town.buy(ANNA, "mo2").await;
        town.sms(ANNA, "mo3", Command::Cancel).await.unwrap();
        town.confirm(ANNA, "mo4").await;
        assert_eq!(town.last(ANNA).await.state, State::Cancelled);
        assert_eq!(town.cards("free").await, 3);
        // Confirmed, then given up.
        town.buy(ANNA, "mo5").await;
        town.confirm(ANNA, "mo6").await;
        town.sms(ANNA, "mo7", Command::Cancel).await.unwrap();
        town.until_quiet().await;
        assert_eq!(town.last(ANNA).await.state, State::Completed);
        assert_eq!(town.bank.calls(), ["charge"]);
        town.assert_bank_agrees().await;
    }

    async fn a_message_confirms_its_own_phones_order_and_no_other(store: Store) {
        let town = Town::found(store, 3).await;
        town.buy(ANNA, "mo1").await;
        let code = town.handsets.code(ANNA).unwrap();
        town.sms(BINH, "mo2", Command::Confirm { code: code.clone() }).await.unwrap();
        // What is ordered on a page is confirmed there.
        let (on_page, page_code) = town.order_card(CHI).await;
        town.sms(CHI, "mo3", Command::Confirm { code: page_code }).await.unwrap();
        assert_eq!(town.last(ANNA).await.state, State::Authenticating);
        assert_eq!(town.state(&on_page.id).await, State::Authenticating);
    }

    async fn an_order_is_refused_with_its_reason_and_leaves_nothing_behind(store: Store) {
        let town = Town::found(store, 1).await;
        let order = |from, item| town.order(from, Channel::Web, item, None);
        let refusal = |refused| match refused {
            Err(PurchaseError::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        };
        assert_eq!(refusal(order("84911111111", mobi10()).await), Refusal::NotLinked);
        let unknown = type_id("VINA10");
        let not_on_sale = Refusal::NotOnSale(unknown.clone());
        assert_eq!(refusal(order(ANNA, Item::Card(unknown)).await), not_on_sale);
        let empty = type_id("MOBI20");
        let out_of_stock = Refusal::OutOfStock(empty.clone());
        assert_eq!(refusal(order(ANNA, Item::Card(empty)).await), out_of_stock);
        let first = order(ANNA, mobi10()).await.unwrap().purchase;
        let awaiting = Refusal::Awaiting(first.id);
        assert_eq!(refusal(order(ANNA, shop_order("o1")).await), awaiting);
        assert_eq!(
            refusal(order(BINH, mobi10()).await),
            Refusal::OutOfStock(type_id("MOBI10"))
        );
        let mut write = town.store.write().await.unwrap();
        let blocked = CustomerState::Blocked;
        customers::set_state(&mut write, &phone(BINH), blocked).await.unwrap();
        write.commit().await.unwrap();
        assert_eq!(refusal(order(BINH, shop_order("o1")).await), Refusal::Blocked);
        assert_eq!(town.count("SELECT COUNT(*) FROM purchase").await, 1);
        assert_eq!(town.count("SELECT COUNT(*) FROM otp").await, 1);
        assert_eq!(town.cards("reserved").await, 1);
        // By message the reason is the answer.
        town.buy(BINH, "mo1").await;
        let told = town.handsets.last(BINH);
        assert!(told.contains("dang bi khoa"), "{told}");
    }

    async fn a_phone_buys_only_so_much(store: Store) {
        let mut town = Town::found(store, 5).await;
        town.rules = Rules {
            open_max: 2,
            day_orders_max: 4,
            day_amount_max: Vnd::new(30_000).unwrap(),
            ..Rules::default()
        };
        // Two charges whose end nobody knows are two too many.
        for _ in 0..2 {
            town.bank.will([Act::BecomesUnheard(declined())]);
            town.confirmed(ANNA).await;
            town.work().await;
        }
        let refused = town.order(ANNA, Channel::Web, mobi10(), None).await;
        assert_eq!(refused, Err(Refusal::TooManyOpen.into()));
        town.until_quiet().await;
        // What came to nothing counts as an order and not as spent.
        let dear = town.order(ANNA, Channel::Web, shop_order("o1"), None).await;
        assert_eq!(dear, Err(Refusal::DayFull.into()));
        for _ in 0..2 {
            town.confirmed(ANNA).await;
            town.until_quiet().await;
        }
        let refused = town.order(ANNA, Channel::Web, mobi10(), None).await;
        assert_eq!(refused, Err(Refusal::DayFull.into()));
        town.pass(24 * 3_600_000);
        town.order_card(ANNA).await;
    }

    async fn orders_of_a_phone_at_once_are_one(store: Store) {
        let town = Town::found(store, 5).await;
        let mut tasks = JoinSet::new();
        for _ in 0..4 {
            let town = town.clone();
            tasks.spawn(async move { town.order(ANNA, Channel::Web, mobi10(), None).await });
        }
        let ordered = tasks.join_all().await;
        assert_eq!(ordered.iter().filter(|one| one.is_ok()).count(), 1, "{ordered:?}");
        assert_eq!(town.cards("reserved").await, 1);
        // Under one idempotency key all of them are the first.
        let mut tasks = JoinSet::new();
        for _ in 0..4 {
            let town = town.clone();
            tasks.spawn(async move { town.order(BINH, Channel::Web, mobi10(), Some("k1")).await });
        }
        let ordered = tasks.join_all().await;
        let first = ordered[0].as_ref().unwrap().purchase.id.clone();
        for one in &ordered {
            assert_eq!(one.as_ref().unwrap().purchase.id, first);
        }
        let new = ordered.iter().filter(|one| !one.as_ref().unwrap().is_repeat);
        assert_eq!(new.count(), 1);
        assert_eq!(town.cards("reserved").await, 2);
        let other = town.order(BINH, Channel::Web, shop_order("o1"), Some("k1")).await;
        assert_eq!(other, Err(Refusal::KeyUsed.into()));
    }

    async fn a_merchants_order_is_paid_once_and_he_is_owed_it(store: Store) {
        let town = Town::found(store, 0).await;
        let (one, other) = tokio::join!(
            town.order(ANNA, Channel::Web, shop_order("o1"), None),
            town.order(BINH, Channel::Web, shop_order("o1"), None),
        );
        let (ordered, refused, from) = match (one, other) {
            (Ok(ordered), Err(refused)) => (ordered, refused, ANNA),
            (Err(refused), Ok(ordered)) => (ordered, refused, BINH),
            both => panic!("{both:?}"),
        };
        assert_eq!(refused, Refusal::OrderTaken.into());
        town.deliver().await;
        let code = town.handsets.code(from).unwrap();
        town.confirm_with(&ordered.purchase, &code).await.unwrap();
        town.until_quiet().await;
        assert_eq!(town.state(&ordered.purchase.id).await, State::Completed);
        assert_eq!(balance(&town.store, "merchant:shop:payable").await, 150_000);
        let told = town.handsets.last(from);
        assert!(told.ends_with("(don hang shop) da thanh toan 150.000d."), "{told}");
        let again = town.order(CHI, Channel::Web, shop_order("o1"), None).await;
        assert_eq!(again, Err(Refusal::OrderTaken.into()));
        // An order that was given up can be paid by another.
        let first = town.order(ANNA, Channel::Web, shop_order("o2"), None).await.unwrap();
        let who = Who::Purchase(first.purchase.id);
        purchase::cancel(&town.store, &keys(), &who, town.now()).await.unwrap();
        town.order(BINH, Channel::Web, shop_order("o2"), None).await.unwrap();
        town.assert_bank_agrees().await;
    }

    async fn a_card_code_is_sent_again_to_its_buyer_so_many_times(store: Store) {
        let town = Town::found(store, 3).await;
        town.sms(ANNA, "mo0", Command::Status).await.unwrap();
        town.deliver().await;
        assert_eq!(town.handsets.last(ANNA), "Quy khach chua co giao dich nao.");
        town.buy(ANNA, "mo1").await;
        town.confirm(ANNA, "mo2").await;
        town.until_quiet().await;
        let card = town.handsets.last(ANNA);
        assert!(card.starts_with("The MOBI10: ma "), "{card}");
        for number in 0..5 {
            town.sms(ANNA, &format!("tc{number}"), Command::Status).await.unwrap();
            town.until_quiet().await;
            assert_eq!(town.handsets.last(ANNA), card);
        }
        town.sms(ANNA, "tc5", Command::Status).await.unwrap();
        town.until_quiet().await;
        let told = town.handsets.last(ANNA);
        assert!(told.ends_with("da thanh toan 10.000d, ma the da gui."), "{told}");
        town.sms(BINH, "tc6", Command::Status).await.unwrap();
        town.until_quiet().await;
        assert_eq!(town.handsets.last(BINH), "Quy khach chua co giao dich nao.");
        let noted = "SELECT COUNT(*) FROM purchase_event WHERE detail LIKE '%asked for again'";
        assert_eq!(town.count(noted).await, 5);
        let filter = AuditFilter { what: Some("card.sent_again".to_owned()), ..AuditFilter::default() };
        let mut read = town.store.read().await.unwrap();
        let views = audit::list(&mut read, &filter, None, 9).await.unwrap();
        drop(read);
        assert_eq!(views.len(), 5);
        let purchase = town.last(ANNA).await.id;
        for view in views {
            assert_eq!(view.who, format!("subscriber:{ANNA}"));
            assert_eq!(view.subject, "card:MOBI10:S000");
            assert_eq!(view.detail, format!("purchase {purchase}"));
        }
        assert_eq!(town.bank.calls(), ["charge"]);
        town.assert_bank_agrees().await;
    }

    async fn a_stranger_is_answered_only_so_often(store: Store) {
        let town = Town::found(store, 0).await;
        for number in 0..40 {
            town.sms("84911111111", &format!("mo{number}"), Command::Unknown).await.unwrap();
        }
        assert_eq!(town.count("SELECT COUNT(*) FROM outgoing").await, 30);
    }

    async fn the_database_itself_keeps_ended_purchases_and_events_as_they_are(store: Store) {
        let town = Town::found(store, 1).await;
        town.confirmed(ANNA).await;
        town.until_quiet().await;
        for (statement, rule) in [
            ("UPDATE purchase SET state = 'CHARGING'", "ends once"),
            ("UPDATE purchase SET amount = 1", "stays what it is"),
            ("DELETE FROM purchase_event", "never deleted"),
            ("UPDATE purchase_event SET detail = ''", "never changed"),
        ] {
            let refused = by_hand(&town.store, &[statement]).await.unwrap_err();
            assert!(refused.contains(rule), "{statement}: {refused}");
        }
    }

    async fn a_link_is_never_silently_changed(store: Store) {
        let town = Town::found(store, 0).await;
        let register = async |bank: &str, account: &str| {
            let mut write = town.store.write().await.unwrap();
            let (bank, account) = (id(bank), AccountToken::parse(account).unwrap());
            customers::register(&mut write, &keys(), &phone(ANNA), &bank, &account, NOW).await
        };
        let own = "9704000000000001";
        assert_eq!(register("vcb", own).await, Ok(Registered::Stands));
        let linked = Err(CustomerError::Linked(phone(ANNA)));
        assert_eq!(register("vcb", "9704000000000002").await, linked);
        assert_eq!(register("bidv", own).await, linked);
        let mut read = town.store.read().await.unwrap();
        let day = commerce::moment::Day::of(NOW).unwrap();
        let days = customers::registered_by_day(&mut read, day, day).await;
        assert_eq!(days, Ok(vec![(day, 3)]));
        drop(read);
    }
}
