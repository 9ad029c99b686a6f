//! Deliveries are kept as long as they are of use, sealed, and within their limits.

use std::{sync::Arc, time::Duration};

use commerce::{
    deliveries::{
        self, Attempt, Carried, Carrier, DeliveryError, Ended, Kind, PAYLOAD_BYTES_MAX, Parcel,
        Queued, Reason, Retention, State, Verdict, WAITING_MAX, Worker,
    },
    moment::UnixMs,
    store::Store,
};
use sqlx::Row as _;
use tokio_util::sync::CancellationToken;

use crate::{
    books::{NOW, by_hand},
    databases::on_both,
    shop::{id, keys, second_keys},
};

const SECRET: &str = "one-time password 123456";

/// Answers as the guid says.
struct Scripted;

impl Carrier for Scripted {
    fn carry<'a>(&'a self, attempt: &'a Attempt, _: UnixMs) -> Carried<'a> {
        assert_eq!(attempt.payload.as_str(), SECRET);
        assert!(!format!("{attempt:?}").contains("123456"));
        Box::pin(async {
            match attempt.guid.as_str() {
                "fails" => Verdict::failed("x".repeat(10_000)),
                "panics" => panic!("on purpose"),
                "ends" => Verdict::Undeliverable {
                    why: "never".to_owned(),
                },
                _ => Verdict::Done,
            }
        })
    }
}

fn worker(store: &Store, keys: commerce::seal::Keys, now: UnixMs) -> Worker {
    let carriers: Vec<(Kind, Arc<dyn Carrier>)> = vec![(Kind::Ipn, Arc::new(Scripted))];
    let clock = Arc::new(move || now);
    Worker::new(store.clone(), keys, carriers, Retention::default(), clock)
}

async fn queue(store: &Store, guid: &str, payload: &str) -> Result<Queued, DeliveryError> {
    let mut write = store.write().await.unwrap();
    let parcel = Parcel {
        kind: Kind::Ipn,
        target: &id("shop"),
        guid: &id(guid),
        payload,
    };
    let queued = deliveries::queue(&mut write, &keys(), parcel, NOW).await;
    write.commit().await.unwrap();
    queued
}

async fn all(store: &Store) -> Vec<deliveries::Delivery> {
    let mut read = store.read().await.unwrap();
    let filter = deliveries::Filter::default();
    let mut all = deliveries::list(&mut read, &filter, 10).await.unwrap();
    all.reverse();
    all
}

async fn count(store: &Store, condition: &str) -> i64 {
    let mut read = store.read().await.unwrap();
    let select = format!("SELECT count(*) FROM delivery WHERE {condition}");
    let row = sqlx::query(&select).fetch_one(&mut *read).await.unwrap();
    row.get(0)
}

on_both! {
    async fn a_payload_is_sealed_until_its_carrier_gets_it(store: Store) {
        queue(&store, "mo-1", SECRET).await.unwrap();
        let sealed: Vec<u8> = {
            let mut read = store.read().await.unwrap();
            let row = sqlx::query("SELECT payload FROM delivery").fetch_one(&mut *read).await;
            row.unwrap().get(0)
        };
        let has_secret = sealed.windows(6).any(|six| six == b"123456");
        assert!(!has_secret);
        assert!(!format!("{:?}", all(&store).await).contains("123456"));
        let mut worker = worker(&store, keys(), NOW);
        assert_eq!(worker.start_due().await.unwrap(), 1);
        assert_eq!(worker.next_ended().await, Some(Ended::Done));
    }

    async fn a_payload_whose_key_is_missing_fails_alone(store: Store) {
        queue(&store, "mo-1", SECRET).await.unwrap();
        let mut write = store.write().await.unwrap();
        let parcel = Parcel {
            kind: Kind::Ipn,
            target: &id("shop"),
            guid: &id("mo-2"),
            payload: SECRET,
        };
        deliveries::queue(&mut write, &second_keys(), parcel, NOW).await.unwrap();
        write.commit().await.unwrap();
        let mut worker = worker(&store, keys(), NOW);
        assert_eq!(worker.start_due().await.unwrap(), 2);
        while worker.next_ended().await.is_some() {}
        let all = all(&store).await;
        assert_eq!([all[0].state, all[1].state], [State::Done, State::Waiting]);
        assert!(all[1].why.contains("which is not configured"), "{}", all[1].why);
    }

    async fn the_same_guid_is_one_delivery_to_a_target(store: Store) {
        assert_eq!(queue(&store, "mo-1", SECRET).await, Ok(Queued::Waits));
        assert_eq!(queue(&store, "mo-1", SECRET).await, Ok(Queued::Stands));
        worker(&store, keys(), NOW).start_due().await.unwrap();
        assert_eq!(queue(&store, "mo-1", SECRET).await, Ok(Queued::Stands));
        assert_eq!(all(&store).await.len(), 1);
    }

    async fn a_payload_has_a_limit(store: Store) {
        let long = "x".repeat(PAYLOAD_BYTES_MAX + 1);
        assert_eq!(queue(&store, "a", &long[1..]).await, Ok(Queued::Waits));
        let refused = queue(&store, "b", &long).await;
        assert_eq!(refused, Err(DeliveryError::Long(long.len())));
    }

    async fn what_a_full_queue_does_not_take_is_a_dead_letter_and_not_lost(store: Store) {
        queue(&store, "mo-1", SECRET).await.unwrap();
        let fill = format!(
            "INSERT INTO delivery (kind, target, guid, payload, payload_key, state, due_at_ms, made_at_ms)
            WITH RECURSIVE number (n) AS (
                SELECT 2 UNION ALL SELECT n + 1 FROM number WHERE n < {WAITING_MAX}
            )
            SELECT kind, target, 'mo-' || CAST(n AS TEXT), payload, payload_key, state, due_at_ms, made_at_ms
            FROM number CROSS JOIN delivery"
        );
        by_hand(&store, &[&fill]).await.unwrap();
        assert_eq!(count(&store, "state = 'waiting'").await, WAITING_MAX);
        assert_eq!(queue(&store, "late", SECRET).await, Ok(Queued::Dead));
        assert_eq!(queue(&store, "late", SECRET).await, Ok(Queued::Stands));
        by_hand(&store, &["DELETE FROM delivery WHERE guid = 'mo-2'"]).await.unwrap();
        assert_eq!(queue(&store, "early", SECRET).await, Ok(Queued::Waits));
    }

    async fn a_reason_is_cut_and_a_carrier_that_fails_costs_an_attempt_alone(store: Store) {
        for guid in ["fails", "panics", "ends", "mo-1"] {
            queue(&store, guid, SECRET).await.unwrap();
        }
        let mut worker = worker(&store, keys(), NOW);
        assert_eq!(worker.start_due().await.unwrap(), 4);
        let mut ended = Vec::new();
        while let Some(one) = worker.next_ended().await {
            ended.push(one);
        }
        for wanted in [Ended::Failed, Ended::Unnoted, Ended::Dead, Ended::Done] {
            assert!(ended.contains(&wanted), "{ended:?}");
        }
        let all = all(&store).await;
        let shown: Vec<_> = all.iter().map(|one| (one.state, one.attempts, one.why.len())).collect();
        let wanted = [
            (State::Waiting, 1, 300),
            (State::Waiting, 1, 0),
            (State::Dead, 1, "never".len()),
            (State::Done, 1, 0),
        ];
        assert_eq!(shown, wanted);
    }

    async fn what_has_ended_is_forgotten_in_time_and_dead_letters_are_not(store: Store) {
        for guid in ["ends", "mo-1", "mo-2", "fails"] {
            queue(&store, guid, SECRET).await.unwrap();
        }
        let mut worker = worker(&store, keys(), NOW);
        worker.start_due().await.unwrap();
        while worker.next_ended().await.is_some() {}
        let later = UnixMs(NOW.0 + 1);
        let mut write = store.write().await.unwrap();
        assert_eq!(deliveries::wipe(&mut write, NOW, 10).await.unwrap(), 0);
        assert_eq!(deliveries::wipe(&mut write, later, 1).await.unwrap(), 1);
        assert_eq!(deliveries::wipe(&mut write, later, 10).await.unwrap(), 1);
        assert_eq!(deliveries::wipe(&mut write, later, 10).await.unwrap(), 0);
        write.commit().await.unwrap();
        let kept = all(&store).await;
        let shown: Vec<_> = kept.iter().map(|one| (one.state, one.has_payload)).collect();
        let wanted = [
            (State::Dead, true),
            (State::Done, false),
            (State::Done, false),
            (State::Waiting, true),
        ];
        assert_eq!(shown, wanted);
        // Without its payload nothing can be sent again, but the guid is still known.
        let mut write = store.write().await.unwrap();
        assert!(!deliveries::replay(&mut write, kept[1].number, NOW).await.unwrap());
        write.commit().await.unwrap();
        assert_eq!(queue(&store, "mo-1", SECRET).await, Ok(Queued::Stands));
        let mut write = store.write().await.unwrap();
        assert_eq!(deliveries::forget(&mut write, later, 10).await.unwrap(), 2);
        let reason: Reason = "not wanted any more".parse().unwrap();
        assert!(deliveries::drop(&mut write, kept[0].number, &reason, NOW).await.unwrap());
        assert_eq!(deliveries::forget(&mut write, later, 10).await.unwrap(), 1);
        write.commit().await.unwrap();
        assert_eq!(count(&store, "1 = 1").await, 1);
    }

    async fn figures_count_what_waits_and_what_is_dead(store: Store) {
        for guid in ["ends", "mo-1", "fails"] {
            queue(&store, guid, SECRET).await.unwrap();
        }
        let mut worker = worker(&store, keys(), UnixMs(NOW.0 + 1));
        worker.start_due().await.unwrap();
        while worker.next_ended().await.is_some() {}
        let mut read = store.read().await.unwrap();
        let figures = deliveries::figures(&mut read).await.unwrap();
        let of = |kind| *figures.iter().find(|one| one.kind == kind).unwrap();
        assert_eq!((of(Kind::Ipn).waiting, of(Kind::Ipn).dead), (1, 1));
        assert_eq!(of(Kind::Ipn).oldest_made_at, Some(NOW));
        assert_eq!((of(Kind::Fibo).waiting, of(Kind::Fibo).oldest_made_at), (0, None));
    }

    async fn a_list_has_pages_and_filters(store: Store) {
        for guid in ["ends", "mo-1", "mo-2"] {
            queue(&store, guid, SECRET).await.unwrap();
        }
        let mut worker = worker(&store, keys(), NOW);
        worker.start_due().await.unwrap();
        while worker.next_ended().await.is_some() {}
        let page = async |state, target: Option<&str>, before| {
            let target = target.map(id);
            let filter = deliveries::Filter { state, target, before };
            let mut read = store.read().await.unwrap();
            let page = deliveries::list(&mut read, &filter, 2).await.unwrap();
            page.into_iter().map(|one| (one.number, one.guid.to_string())).collect::<Vec<_>>()
        };
        let first = page(None, None, None).await;
        assert_eq!([first[0].1.as_str(), first[1].1.as_str()], ["mo-2", "mo-1"]);
        let second = page(None, None, Some(first[1].0)).await;
        assert_eq!((second.len(), second[0].1.as_str()), (1, "ends"));
        assert_eq!(page(Some(State::Dead), Some("shop"), None).await, second);
        assert!(page(Some(State::Dead), Some("other"), None).await.is_empty());
        let mut read = store.read().await.unwrap();
        let found = deliveries::find(&mut read, first[0].0).await.unwrap().unwrap();
        assert_eq!(found.guid, id("mo-2"));
        assert_eq!(deliveries::find(&mut read, -1).await.unwrap(), None);
    }

    async fn a_worker_that_is_told_to_stop_lets_its_calls_end(store: Store) {
        queue(&store, "mo-1", SECRET).await.unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(worker(&store, keys(), NOW).run(stop.clone()));
        let done = async {
            while all(&store).await[0].state != State::Done {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), done).await.unwrap();
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(30), running).await.unwrap().unwrap();
    }
}
