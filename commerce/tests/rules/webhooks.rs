//! Webhooks are signed and answered as Standard Webhooks describes it.

use std::time::Duration;

use commerce::{
    deliveries::State,
    push::{self, Secret, Signer},
    reseal::{Table, reseal},
    store::Store,
};

use crate::{
    books::NOW,
    databases::on_both,
    partners::{DAY_MS, Desk, Page, Reply, Seen, TEXT, egress},
    reseal::all_anew,
    shop::{id, keys, rotated_keys, second_keys},
};

const DONE: Reply = Reply::Says(204, Vec::new(), "");

/// The signature of a call by that secret alone.
fn signature(secret: &Secret, desk: &Desk, seen: &Seen) -> String {
    let signer = Signer::new(secret.clone(), None);
    let headers = signer.headers(
        &id(seen.header("webhook-id")),
        desk.now(),
        seen.body.as_bytes(),
    );
    let timestamp = (desk.now().0 / 1_000).to_string();
    assert_eq!(seen.header("webhook-timestamp"), timestamp);
    headers[2].1.clone()
}

on_both! {
    async fn a_webhook_is_posted_json_and_signed(store: Store) {
        let mut page = Page::start([DONE]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        let secret = desk.webhook("shop", &page).await;
        desk.message("mo-1").await;
        assert_eq!(desk.round().await, 1);
        let seen = page.next().await;
        assert_eq!((seen.method.as_str(), seen.uri.path()), ("POST", "/hook"));
        assert_eq!(seen.header("content-type"), "application/json");
        assert_eq!(seen.header("webhook-id"), "mo-1");
        assert_eq!(seen.header("webhook-signature"), signature(&secret, &desk, &seen));
        let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
        assert_eq!(body["type"], "message.received");
        assert_eq!(body["timestamp"], "2027-01-15T08:00:00.000Z");
        assert_eq!(
            body["data"],
            serde_json::json!({"guid": "mo-1", "phone": "84912345678", "to": "8049", "message": TEXT})
        );
        assert_eq!(desk.one().await.state, State::Done);
    }

    async fn a_repetition_has_the_same_id_and_body_and_a_new_timestamp(store: Store) {
        let mut page = Page::start([Reply::status(500), DONE]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        let secret = desk.webhook("shop", &page).await;
        desk.message("mo-1").await;
        desk.round().await;
        desk.pass(DAY_MS);
        desk.round().await;
        let (first, second) = (page.next().await, page.next().await);
        assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
        assert_eq!(first.body, second.body);
        assert_ne!(first.header("webhook-signature"), second.header("webhook-signature"));
        assert_eq!(second.header("webhook-signature"), signature(&secret, &desk, &second));
    }

    async fn while_a_secret_is_changed_both_sign(store: Store) {
        let mut page = Page::start([DONE]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        let old = desk.webhook("shop", &page).await;
        let mut write = store.write().await.unwrap();
        let hour = Duration::from_secs(3_600);
        let new = push::change_secret(&mut write, &keys(), &id("shop"), hour, NOW).await.unwrap();
        write.commit().await.unwrap();
        assert_ne!(old, new);
        let signatures = async |page: &mut Page, guid: &str| {
            desk.message(guid).await;
            assert_eq!(desk.round().await, 1);
            let seen = page.next().await;
            (seen.header("webhook-signature").to_owned(), seen)
        };
        let (both, seen) = signatures(&mut page, "mo-1").await;
        let wanted = format!("{} {}", signature(&new, &desk, &seen), signature(&old, &desk, &seen));
        assert_eq!(both, wanted);
        desk.pass(3_600_000);
        let (alone, seen) = signatures(&mut page, "mo-2").await;
        assert_eq!(alone, signature(&new, &desk, &seen));
    }

    async fn a_webhook_that_is_gone_is_switched_off_and_what_waits_is_kept(store: Store) {
        let mut page = Page::start([Reply::status(410)]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        desk.webhook("shop", &page).await;
        desk.message("mo-1").await;
        desk.round().await;
        assert_eq!(desk.one().await.state, State::Dead);
        let partner = {
            let mut read = store.read().await.unwrap();
            push::list(&mut read).await.unwrap().remove(0)
        };
        assert!(!partner.active);
        assert!(partner.why.contains("410"), "{}", partner.why);
        assert_eq!(desk.message("mo-2").await, 0);
        // What waits when he is switched off becomes a dead letter and is not called.
        let number = desk.one().await.number;
        assert!(desk.replay(number).await);
        page.so_far();
        assert_eq!(desk.round().await, 1);
        let one = desk.one().await;
        assert_eq!((one.state, one.has_payload), (State::Dead, true));
        assert_eq!(one.why, "the partner is switched off");
        assert!(page.so_far().is_empty());
        let mut write = store.write().await.unwrap();
        push::set_active(&mut write, &id("shop"), true, "repaired").await.unwrap();
        write.commit().await.unwrap();
        page.change(DONE);
        assert!(desk.replay(number).await);
        desk.round().await;
        assert_eq!(desk.one().await.state, State::Done);
    }

    async fn a_webhook_can_ask_to_be_left_alone(store: Store) {
        let hours = |hours: u32| vec![("retry-after", (hours * 3_600).to_string())];
        let replies = [Reply::Says(429, hours(1), ""), Reply::Says(503, hours(1_000), "")];
        let page = Page::start(replies).await;
        let desk = Desk::new(&store, egress(&[&page]));
        desk.webhook("shop", &page).await;
        desk.message("mo-1").await;
        // The schedule alone would be seconds, then minutes; a thousand hours are too much.
        for (least_ms, most_ms) in [(3_600_000, 4_320_000), (DAY_MS, DAY_MS * 6 / 5)] {
            assert_eq!(desk.round().await, 1);
            let wait_ms = desk.one().await.due_at.0 - desk.now().0;
            assert!((least_ms..=most_ms).contains(&wait_ms), "{wait_ms}");
            desk.pass(wait_ms);
        }
    }

    async fn a_secret_and_a_payload_outlive_a_change_of_the_key(store: Store) {
        let mut page = Page::start([Reply::status(500), DONE]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        let old = desk.webhook("shop", &page).await;
        let mut write = store.write().await.unwrap();
        let week = Duration::from_secs(7 * 24 * 3_600);
        let new = push::change_secret(&mut write, &keys(), &id("shop"), week, NOW).await.unwrap();
        write.commit().await.unwrap();
        desk.message("mo-1").await;
        let rotated = rotated_keys();
        for (table, rows) in [(Table::Partner, 1), (Table::Partner, 0), (Table::Delivery, 1)] {
            let came_of = reseal(&store, &rotated, table).await.unwrap();
            assert_eq!(came_of, all_anew(rows), "{table:?}");
        }
        // Without the new key nothing can be read, and that is all that is said.
        desk.round().await;
        let why = desk.one().await.why;
        assert!(why.contains("which is not configured"), "{why}");
        assert!(page.so_far().is_empty());
        desk.pass(DAY_MS);
        let mut worker = desk.worker_with(second_keys());
        assert_eq!(worker.start_due().await.unwrap(), 1);
        while worker.next_ended().await.is_some() {}
        let seen = page.next().await;
        let wanted = format!("{} {}", signature(&new, &desk, &seen), signature(&old, &desk, &seen));
        assert_eq!(seen.header("webhook-signature"), wanted);
    }
}
