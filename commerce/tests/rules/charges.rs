//! What is not known of a charge is asked and not guessed, and a purchase goes on wherever it was left.

use commerce::{
    audit::{self, AuditFilter},
    backlog::backlog,
    outgoing,
    port::Charged,
    purchase::{self, Settlement, State, Why},
    stock,
    store::Store,
    word::Id,
};
use tokio_util::sync::CancellationToken;

use crate::{
    books::{balance, by_hand},
    databases::on_both,
    networks::{Act, approved, declined},
    shop::{hand_out, import_at, keys, reserve, rotated_keys, second_keys},
    town::{ANNA, Town, crash_after},
};

/// More than a round of a worker has.
const POLLS_MAX: usize = 400;

async fn settle(town: &Town, id: &Id, settlement: Settlement) {
    let mut write = town.store.write().await.unwrap();
    purchase::settle(
        &mut write,
        &keys(),
        id,
        settlement,
        "lan",
        "asked the bank",
        town.now(),
    )
    .await
    .unwrap();
    write.commit().await.unwrap();
}

/// What operators are told of, which is what they find listed.
async fn stuck(town: &Town) -> i64 {
    let mut read = town.store.read().await.unwrap();
    let listed = purchase::stuck(&mut read, town.now()).await.unwrap();
    let told = backlog(&mut read, town.now()).await.unwrap();
    assert_eq!(told.purchases_stuck, listed.len() as i64);
    told.purchases_stuck
}

async fn why(town: &Town, id: &Id) -> (State, Option<Why>) {
    let purchase = town.find(id).await;
    (purchase.state, purchase.why)
}

/// A purchase that is paid and has no card any more.
async fn paid_without_card(town: &Town) -> Id {
    let id = town.confirmed(ANNA).await;
    // Somebody gives its card and the others to other buyers.
    let free = "UPDATE card SET state = 'free', reservation = NULL, reserved_until_ms = NULL";
    by_hand(&town.store, &[free]).await.unwrap();
    reserve(&town.store, "other", 9, town.now()).await;
    hand_out(&town.store, "other", town.now()).await;
    id
}

on_both! {
    async fn an_unknown_charge_is_asked_about_and_never_guessed(store: Store) {
        let town = Town::found(store, 3).await;
        for (end, state) in [(approved(), State::Completed), (declined(), State::Failed)] {
            // The answer is lost; then nothing is heard, and then it is not known yet.
            town.bank.will([
                Act::BecomesUnheard(Charged::Pending),
                Act::Lost,
                Act::Becomes(Charged::Pending),
                Act::Becomes(end),
            ]);
            let id = town.confirmed(ANNA).await;
            town.work().await;
            assert_eq!(town.state(&id).await, State::Unknown);
            assert_eq!(town.cards("reserved").await, 1);
            for _ in 0..2 {
                town.pass(40_000);
                town.work().await;
                assert_eq!(town.state(&id).await, State::Unknown);
            }
            town.deliver().await;
            let told = town.handsets.last(ANNA);
            assert!(told.contains("chua ro ket qua"), "{told}");
            town.until_quiet().await;
            assert_eq!(town.state(&id).await, state);
            assert_eq!(town.bank.calls(), ["charge", "find", "find", "find"]);
            town.assert_bank_agrees().await;
        }
        let unknown = town.handsets.texts(ANNA);
        let unknown = unknown.iter().filter(|text| text.contains("chua ro ket qua"));
        assert_eq!(unknown.count(), 2);
    }

    async fn a_charge_that_the_router_never_had_is_sent_under_its_first_id(store: Store) {
        let town = Town::found(store, 3).await;
        town.bank.will([Act::Lost]);
        let id = town.confirmed(ANNA).await;
        town.until_quiet().await;
        assert_eq!(town.state(&id).await, State::Completed);
        assert_eq!(town.bank.calls(), ["charge", "find", "charge"]);
        assert_eq!(town.bank.debited(), 10_000);
        town.assert_bank_agrees().await;
    }

    async fn a_charge_that_the_router_has_forgotten_awaits_an_operator(store: Store) {
        let town = Town::found(store, 3).await;
        town.bank.will([Act::BecomesUnheard(approved())]);
        let id = town.confirmed(ANNA).await;
        town.work().await;
        town.bank.forgets_all();
        town.pass(15 * 60_000);
        town.until_quiet().await;
        assert_eq!(why(&town, &id).await, (State::ManualReview, Some(Why::Forgotten)));
        assert_eq!(town.bank.calls(), ["charge", "find"]);
        assert_eq!((town.cards("reserved").await, town.cards("sold").await), (1, 0));
        town.assert_sound().await;
        // He finds that the bank has debited: the card is paid for.
        settle(&town, &id, Settlement::Debited).await;
        town.until_quiet().await;
        assert_eq!(town.state(&id).await, State::Completed);
        assert_eq!(town.bank.calls(), [""; 0]);
        assert_eq!(balance(&town.store, "bank:vcb:settlement").await, 10_000);
        town.assert_sound().await;
    }

    async fn a_charge_that_is_taken_back_is_told_as_such_and_hands_nothing_out(store: Store) {
        let town = Town::found(store, 3).await;
        town.bank.will([
            Act::Becomes(Charged::Reversing),
            Act::Becomes(Charged::Reversing),
            Act::Lost,
            Act::Becomes(Charged::Reversed),
        ]);
        let id = town.confirmed(ANNA).await;
        town.work().await;
        assert_eq!(town.state(&id).await, State::Reversing);
        town.deliver().await;
        let told = town.handsets.last(ANNA);
        assert!(told.contains("Neu tien da bi tru thi dang duoc hoan"), "{told}");
        town.until_quiet().await;
        assert_eq!(why(&town, &id).await, (State::Failed, Some(Why::Reversed)));
        assert_eq!((town.cards("free").await, town.cards("sold").await), (3, 0));
        town.assert_bank_agrees().await;
    }

    async fn what_nobody_knows_awaits_an_operator_and_is_told_as_not_known(store: Store) {
        let town = Town::found(store, 3).await;
        let resolved = || Charged::Resolved { how: "paid out by hand".to_owned() };
        let decide = [
            (Charged::ReversalFailed, Why::ReversalFailed, Settlement::NotDebited, State::Failed),
            (resolved(), Why::Resolved, Settlement::Debited, State::Completed),
        ];
        for (outcome, reason, settlement, end) in decide {
            town.bank.will([Act::Becomes(Charged::Reversing), Act::Becomes(outcome)]);
            let id = town.confirmed(ANNA).await;
            town.until_quiet().await;
            assert_eq!(why(&town, &id).await, (State::ManualReview, Some(reason)));
            let told = town.handsets.last(ANNA);
            assert!(told.contains("chua ro ket qua"), "{told}");
            let mut read = town.store.read().await.unwrap();
            let later = town.now().plus_ms(1);
            let stuck = purchase::stuck(&mut read, later).await.unwrap();
            assert_eq!(stuck.len(), 1);
            drop(read);
            settle(&town, &id, settlement).await;
            town.until_quiet().await;
            assert_eq!(town.state(&id).await, end);
            town.assert_sound().await;
        }
        // What contradicts itself is not believed.
        town.bank.will([Act::Becomes(Charged::Reversing), Act::Becomes(approved())]);
        let id = town.confirmed(ANNA).await;
        town.until_quiet().await;
        assert_eq!(why(&town, &id).await, (State::ManualReview, Some(Why::Contradiction)));
        town.assert_sound().await;
    }

    async fn a_charge_that_nobody_answers_for_awaits_an_operator_after_a_day(store: Store) {
        let town = Town::found(store, 3).await;
        town.bank.will((0..1_000).map(|_| Act::Lost));
        let id = town.confirmed(ANNA).await;
        town.until_quiet().await;
        assert_eq!(why(&town, &id).await, (State::ManualReview, Some(Why::Unanswered)));
        let calls = town.bank.calls();
        assert_eq!(calls[..2], ["charge", "find"]);
        // It was only asked about, a few hundred times in a day.
        assert!(calls[1..].iter().all(|call| *call == "find") && calls.len() < 600);
        town.assert_sound().await;
    }

    async fn a_confirmed_purchase_is_not_charged_too_late(store: Store) {
        let town = Town::found(store, 3).await;
        let id = town.confirmed(ANNA).await;
        town.pass(15 * 60_000);
        town.until_quiet().await;
        assert_eq!(why(&town, &id).await, (State::Failed, Some(Why::TooLate)));
        assert_eq!(town.bank.calls(), [""; 0]);
        assert_eq!(town.cards("free").await, 3);
    }

    async fn what_is_paid_and_cannot_be_handed_out_is_given_back(store: Store) {
        let town = Town::found(store, 1).await;
        let id = paid_without_card(&town).await;
        town.bank.will([
            Act::Becomes(approved()),
            Act::Lost,
            Act::BecomesUnheard(Charged::Reversing),
            Act::Becomes(Charged::Reversing),
        ]);
        town.work().await;
        assert_eq!(why(&town, &id).await, (State::Compensating, Some(Why::OutOfStock)));
        assert_eq!(balance(&town.store, &format!("hold:{id}")).await, 10_000);
        town.until_quiet().await;
        assert_eq!(town.state(&id).await, State::Refunded);
        assert_eq!(town.bank.calls(), ["charge", "reverse", "reverse", "reverse", "reverse"]);
        assert_eq!(town.bank.outcome(&id), Some(Charged::Reversed));
        assert_eq!(balance(&town.store, &format!("hold:{id}")).await, 0);
        let told = town.handsets.last(ANNA);
        assert!(told.ends_with("10.000d da hoan ve tai khoan."), "{told}");
        town.assert_bank_agrees().await;
    }

    async fn what_cannot_be_given_back_keeps_its_money_aside_until_somebody_settles_it(
        store: Store
    ) {
        let town = Town::found(store, 2).await;
        let id = paid_without_card(&town).await;
        let failed = || Act::Becomes(Charged::ReversalFailed);
        town.bank.will([Act::Becomes(approved()), failed()]);
        town.until_quiet().await;
        assert_eq!(why(&town, &id).await, (State::ManualReview, Some(Why::ReversalFailed)));
        assert_eq!(balance(&town.store, &format!("hold:{id}")).await, 10_000);
        settle(&town, &id, Settlement::AskAgain).await;
        assert_eq!(town.state(&id).await, State::Compensating);
        assert_eq!(stuck(&town).await, 0);
        town.until_quiet().await;
        assert_eq!(stuck(&town).await, 1);
        assert_eq!(town.state(&id).await, State::ManualReview);
        settle(&town, &id, Settlement::NotDebited).await;
        assert_eq!(town.state(&id).await, State::Refunded);
        assert_eq!(balance(&town.store, &format!("hold:{id}")).await, 0);
        town.assert_sound().await;
        let (keys, now) = (keys(), town.now());
        let mut write = town.store.write().await.unwrap();
        let twice = purchase::settle(&mut write, &keys, &id, Settlement::Debited, "lan", "", now);
        assert!(twice.await.is_err());
        drop(write);
        let mut read = town.store.read().await.unwrap();
        let lines = audit::list(&mut read, &AuditFilter::default(), None, 9).await.unwrap();
        let told: Vec<_> = lines.iter().map(|line| line.detail.as_str()).collect();
        assert_eq!(told, ["not-debited: asked the bank", "ask-again: asked the bank"]);
        for line in &lines {
            assert_eq!((line.who.as_str(), line.what.as_str()), ("operator:lan", "purchase.resolved"));
            assert_eq!(line.subject, format!("purchase:{id}"));
        }
    }

    async fn a_card_that_cannot_be_opened_waits_for_its_key_and_is_given_back_without_it(
        store: Store
    ) {
        let mut town = Town::found(store, 0).await;
        let lines = ["S1,111,2027-12-31", "S2,222,2027-12-31"];
        import_at(&town.store, &second_keys(), "MOBI10", &lines, town.now()).await.unwrap();
        let id = town.confirmed(ANNA).await;
        town.work().await;
        assert_eq!(town.state(&id).await, State::Fulfilling);
        assert_eq!((town.cards("reserved").await, town.cards("sold").await), (1, 0));
        town.until_quiet().await;
        assert_eq!(why(&town, &id).await, (State::Refunded, Some(Why::Sealed)));
        town.assert_bank_agrees().await;
        // The next customer does not fall into the same card.
        let mut read = town.store.read().await.unwrap();
        let faulty = stock::faulty(&mut read).await.unwrap();
        drop(read);
        let serials: Vec<_> = faulty.iter().map(|card| card.serial.to_string()).collect();
        assert_eq!(serials, ["S1"]);
        let id = town.confirmed(ANNA).await;
        town.work().await;
        assert_eq!(town.state(&id).await, State::Fulfilling);
        town.keys = rotated_keys();
        town.until_quiet().await;
        assert_eq!(town.state(&id).await, State::Completed);
        assert!(town.handsets.last(ANNA).contains("seri S2 "));
        town.assert_bank_agrees().await;
    }

    async fn a_purchase_goes_on_where_a_crash_left_it(store: Store) {
        let mut town = Town::found(store, POLLS_MAX).await;
        town.lift_limits();
        let mut crashes = 0;
        // At each await of the round that charges and hands out, until it has none left.
        for polls in 1..POLLS_MAX {
            let id = town.confirmed(ANNA).await;
            let is_over = crash_after(polls, town.work()).await.is_some();
            town.until_quiet().await;
            assert_eq!(town.state(&id).await, State::Completed, "after {polls} polls");
            assert_eq!(town.bank.outcome(&id), Some(approved()));
            if is_over {
                break;
            }
            crashes += 1;
        }
        assert!((5..POLLS_MAX - 1).contains(&crashes), "{crashes}");
        let texts = town.handsets.texts(ANNA);
        let cards = texts.iter().filter(|text| text.starts_with("The MOBI10"));
        assert_eq!(cards.count() as i64, town.cards("sold").await);
        town.assert_bank_agrees().await;
    }

    async fn a_worker_that_was_away_for_too_long_changes_nothing(store: Store) {
        let town = Town::found(store, 3).await;
        let id = town.confirmed(ANNA).await;
        let gate = town.bank.holds_up();
        let away = town.clone();
        let away = tokio::spawn(async move { away.work().await });
        gate.reached.notified().await;
        // Another does it after the lease. The card is handed out, its message not yet sent.
        town.pass(90_000);
        assert_eq!(town.work().await, 1);
        assert_eq!(town.state(&id).await, State::Fulfilled);
        gate.open.notify_one();
        away.await.unwrap();
        assert_eq!(town.state(&id).await, State::Fulfilled);
        assert_eq!(town.cards("sold").await, 1);
        assert_eq!(town.bank.calls(), ["charge", "charge"]);
        town.until_quiet().await;
        assert_eq!(town.state(&id).await, State::Completed);
        town.assert_bank_agrees().await;
    }

    async fn a_charge_that_may_have_been_sent_is_not_said_to_be_too_late(store: Store) {
        let town = Town::found(store, 3).await;
        let id = town.confirmed(ANNA).await;
        let gate = town.bank.holds_up();
        let killed = town.clone();
        let killed = tokio::spawn(async move { killed.work().await });
        gate.reached.notified().await;
        killed.abort();
        assert!(killed.await.is_err());
        town.pass(60 * 60_000);
        town.until_quiet().await;
        assert_eq!(town.state(&id).await, State::Completed);
        assert_eq!(town.bank.calls(), ["charge", "find"]);
        town.assert_bank_agrees().await;
    }

    async fn workers_go_on_until_they_are_told_to_stop(store: Store) {
        let town = Town::found(store, 3).await;
        town.confirmed(ANNA).await;
        let stop = CancellationToken::new();
        let (store, keys, clock) = (town.store.clone(), town.keys.clone(), town.clock());
        let purchases = purchase::run(
            store.clone(), keys.clone(), town.bank.clone(), clock.clone(), stop.clone(),
        );
        let messages = outgoing::run(store, keys, town.handsets.clone(), clock, stop.clone());
        let workers = [tokio::spawn(purchases), tokio::spawn(messages)];
        while !town.handsets.last(ANNA).starts_with("The MOBI10") {
            town.handsets.arrived.notified().await;
        }
        stop.cancel();
        for worker in workers {
            worker.await.unwrap();
        }
        town.until_quiet().await;
        assert_eq!(town.last(ANNA).await.state, State::Completed);
        town.assert_bank_agrees().await;
    }
}
