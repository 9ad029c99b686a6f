//! Messages that go out: once under one id, in time, and without leaving their text behind.

use std::sync::Arc;

use commerce::{
    backlog::backlog,
    metrics::Metrics,
    moment::UnixMs,
    outgoing::{self, OutgoingError, Receipt, State},
    port::{Message, Sent, Unheard, Urgency},
    store::Store,
};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::{
    databases::on_both,
    shop::{id, keys},
    town::{ANNA, Town, phone},
};

fn message(name: &str, validity_s: u32) -> Message {
    Message {
        id: id(name),
        to: phone(ANNA),
        text: Zeroizing::new(format!("text of {name}")),
        urgency: Urgency::Normal,
        validity_s,
    }
}

async fn queue(town: &Town, message: &Message) -> Result<(), OutgoingError> {
    let mut write = town.store.write().await?;
    outgoing::queue(&mut write, &keys(), message, town.now()).await?;
    Ok(write.commit().await?)
}

async fn state(town: &Town, name: &str) -> Option<State> {
    let mut read = town.store.read().await.unwrap();
    outgoing::state(&mut read, &id(name)).await.unwrap()
}

fn unheard() -> Result<Sent, Unheard> {
    Err(Unheard("a test's wire is cut".to_owned()))
}

on_both! {
    async fn a_message_goes_out_once_its_change_is_made_and_leaves_no_text(store: Store) {
        let town = Town::found(store, 0).await;
        let mut undone = town.store.write().await.unwrap();
        let never = message("never", 60);
        outgoing::queue(&mut undone, &keys(), &never, town.now()).await.unwrap();
        drop(undone);
        queue(&town, &message("m1", 60)).await.unwrap();
        queue(&town, &message("m1", 60)).await.unwrap();
        let waiting = async || {
            let mut read = town.store.read().await.unwrap();
            let backlog = backlog(&mut read, town.now()).await.unwrap();
            (backlog.messages_waiting, backlog.oldest_message)
        };
        assert_eq!(waiting().await, (1, Some(town.now())));
        assert_eq!(town.count("SELECT COUNT(*) FROM outgoing WHERE text IS NOT NULL").await, 1);
        town.until_quiet().await;
        assert_eq!(town.handsets.texts(ANNA), ["text of m1"]);
        assert_eq!(waiting().await, (0, None));
        assert_eq!(state(&town, "m1").await, Some(State::Accepted));
        assert_eq!(state(&town, "never").await, None);
        assert_eq!(town.count("SELECT COUNT(*) FROM outgoing WHERE text IS NOT NULL").await, 0);
    }

    async fn what_was_not_heard_is_sent_again_as_the_very_same_message(store: Store) {
        let town = Town::found(store, 0).await;
        town.handsets.will([unheard(), unheard()]);
        queue(&town, &message("m1", 600)).await.unwrap();
        town.until_quiet().await;
        let calls = town.handsets.calls();
        assert_eq!(calls.len(), 3);
        for call in &calls {
            let same = (call.id.as_str(), call.text.as_str(), call.validity_s);
            assert_eq!(same, ("m1", "text of m1", 600));
        }
        assert_eq!(state(&town, "m1").await, Some(State::Accepted));
    }

    async fn each_outcome_is_kept_and_only_what_may_be_sent_again_is(store: Store) {
        let town = Town::found(store, 0).await;
        let refused = |again| Ok(Sent::Refused { again, why: "no route".to_owned() });
        for (name, answers, becomes, calls) in [
            ("m1", vec![Ok(Sent::Unknown)], State::Unknown, 1),
            ("m2", vec![refused(false)], State::Refused, 1),
            ("m3", vec![refused(true), refused(true)], State::Accepted, 3),
        ] {
            town.handsets.will(answers);
            queue(&town, &message(name, 600)).await.unwrap();
            town.until_quiet().await;
            assert_eq!(state(&town, name).await, Some(becomes));
            assert_eq!(town.handsets.calls().len(), calls, "{name}");
        }
    }

    async fn a_message_whose_time_is_over_is_not_sent(store: Store) {
        let town = Town::found(store, 0).await;
        queue(&town, &message("m1", 60)).await.unwrap();
        town.pass(60_000);
        town.until_quiet().await;
        assert_eq!(state(&town, "m1").await, Some(State::Late));
        assert_eq!(town.handsets.calls().len(), 0);
        // What may have been sent is not said to be late.
        town.handsets.will((0..100).map(|_| unheard()));
        queue(&town, &message("m2", 60)).await.unwrap();
        town.until_quiet().await;
        assert_eq!(state(&town, "m2").await, Some(State::Unknown));
        assert_eq!(town.count("SELECT COUNT(*) FROM outgoing WHERE text IS NOT NULL").await, 0);
    }

    async fn two_workers_share_what_waits(store: Store) {
        let town = Town::found(store, 0).await;
        for number in 0..20 {
            queue(&town, &message(&format!("m{number}"), 600)).await.unwrap();
        }
        let (one, other) = (town.clone(), town.clone());
        let (one, other) = tokio::join!(
            tokio::spawn(async move { one.deliver().await }),
            tokio::spawn(async move { other.deliver().await }),
        );
        assert_eq!(one.unwrap() + other.unwrap(), 20);
        assert_eq!(town.handsets.calls().len(), 20);
    }

    async fn a_receipt_is_noted_and_what_was_delivered_stays_so(store: Store) {
        let town = Town::found(store, 0).await;
        queue(&town, &message("m1", 600)).await.unwrap();
        town.until_quiet().await;
        for receipt in [Receipt::Failed, Receipt::Delivered, Receipt::Failed] {
            let mut write = town.store.write().await.unwrap();
            outgoing::receipt(&mut write, &id("m1"), receipt, town.now()).await.unwrap();
            write.commit().await.unwrap();
        }
        let delivered = "SELECT COUNT(*) FROM outgoing
            WHERE receipt = 'delivered' AND state = 'accepted'";
        assert_eq!(town.count(delivered).await, 1);
    }

    async fn what_is_long_done_is_forgotten_and_what_waits_is_not(store: Store) {
        let town = Town::found(store, 0).await;
        queue(&town, &message("m1", 600)).await.unwrap();
        town.until_quiet().await;
        queue(&town, &message("m2", 600)).await.unwrap();
        let mut write = town.store.write().await.unwrap();
        let late = UnixMs(i64::MAX);
        assert_eq!(outgoing::forget(&mut write, town.now()).await, Ok(0));
        assert_eq!(outgoing::forget(&mut write, late).await, Ok(1));
        write.commit().await.unwrap();
        assert_eq!(state(&town, "m1").await, None);
        assert_eq!(state(&town, "m2").await, Some(State::Waiting));
    }

    async fn a_message_that_cannot_be_opened_holds_up_no_other(store: Store) {
        let town = Town::found(store, 0).await;
        for name in ["m1", "m2", "m3"] {
            queue(&town, &message(name, 600)).await.unwrap();
        }
        let mut write = town.store.write().await.unwrap();
        let spoil = sqlx::query("UPDATE outgoing SET text = $1 WHERE id = 'm2'");
        let spoil = spoil.bind(b"no envelope".to_vec());
        spoil.execute(write.connection()).await.unwrap();
        write.commit().await.unwrap();
        assert_eq!(town.deliver().await, 3);
        assert_eq!(town.handsets.calls().len(), 2);
        for (name, stands) in [
            ("m1", State::Accepted),
            ("m2", State::Waiting),
            ("m3", State::Accepted),
        ] {
            assert_eq!(state(&town, name).await, Some(stands), "{name}");
        }
        town.until_quiet().await;
        assert_eq!(state(&town, "m2").await, Some(State::Unknown));
    }

    async fn the_program_tells_how_messages_ended(store: Store) {
        let town = Town::found(store, 0).await;
        queue(&town, &message("m1", 600)).await.unwrap();
        let (metrics, stop) = (Arc::new(Metrics::new().unwrap()), CancellationToken::new());
        let working = outgoing::run(
            town.store.clone(),
            keys(),
            town.handsets.clone(),
            town.clock(),
            stop.clone(),
        );
        let worker = tokio::spawn(metrics.clone().around(working));
        town.handsets.arrived.notified().await;
        stop.cancel();
        worker.await.unwrap();
        let told = metrics.render();
        assert!(told.contains("commerce_messages_total{outcome=\"accepted\"} 1\n"), "{told}");
    }

    async fn a_text_that_is_too_long_is_refused(store: Store) {
        let town = Town::found(store, 0).await;
        let text = Zeroizing::new("x".repeat(outgoing::TEXT_BYTES_MAX + 1));
        let long = Message { text, ..message("m1", 60) };
        let refused = queue(&town, &long).await;
        assert_eq!(refused, Err(OutgoingError::TooLong(id("m1"))));
    }
}
