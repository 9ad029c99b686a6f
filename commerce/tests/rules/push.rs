//! Messages of subscribers reach partners: at least once, under one guid, and no oftener than agreed.

use std::{sync::Arc, time::Duration};

use commerce::{
    deliveries::{self, Ended, Kind, LEASE, Reason, State},
    egress::{Egress, Rules},
    push::{self, Filter, PartnerKind, PushError, Secret, SecretFault, Signer, Signing},
    store::Store,
};
use tokio::sync::Notify;

use crate::{
    books::NOW,
    databases::on_both,
    partners::{DAY_MS, Desk, IMPATIENT, Page, Reply, Seen, TEXT, egress, registration, rules},
    shop::{id, keys},
};

const DONE: Reply = Reply::Says(200, Vec::new(), "<Status>2</Status>");
const ERROR: Reply = Reply::Says(200, Vec::new(), "<Status>1</Status>");

fn guids(seen: &[Seen]) -> Vec<String> {
    seen.iter().map(|seen| seen.parameter("guid")).collect()
}

on_both! {
    async fn a_page_is_called_with_message_phone_and_guid_as_fibosms_does_it(store: Store) {
        let mut page = Page::start([DONE]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        desk.fibo("shop", &page).await;
        assert_eq!(desk.message("mo-1").await, 1);
        assert_eq!(desk.round().await, 1);
        let seen = page.next().await;
        assert_eq!((seen.method.as_str(), seen.uri.path()), ("GET", "/sms"));
        let query = seen.uri.query().unwrap();
        assert!(query.starts_with("key=1&message=%C4%90%E1%BA%B6T%202%20v"), "{query}");
        assert!(query.ends_with("&phone=84912345678&guid=mo-1"), "{query}");
        assert_eq!(seen.parameter("message"), TEXT);
        let one = desk.one().await;
        assert_eq!((one.state, one.attempts, one.why.as_str()), (State::Done, 1, ""));
        assert_eq!(desk.round().await, 0);
    }

    async fn five_failures_and_the_message_is_not_sent_any_more(store: Store) {
        let mut page = Page::start([ERROR]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        desk.fibo("shop", &page).await;
        desk.message("mo-1").await;
        for attempt in 1..=5 {
            assert_eq!(desk.round().await, 1, "attempt {attempt}");
            // The next one is not due yet.
            assert_eq!(desk.round().await, 0, "attempt {attempt}");
            desk.pass(DAY_MS);
        }
        assert_eq!(desk.round().await, 0);
        assert_eq!(guids(&page.so_far()), ["mo-1"; 5]);
        let one = desk.one().await;
        assert_eq!((one.state, one.attempts, one.series), (State::Dead, 5, 1));
        assert!(one.why.contains("Status 1"), "{}", one.why);
    }

    async fn a_replay_goes_out_again_under_the_same_guid(store: Store) {
        let mut page = Page::start([ERROR]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        desk.fibo("shop", &page).await;
        desk.message("mo-1").await;
        let number = desk.one().await.number;
        assert!(!desk.replay(number).await, "it waits already");
        for _ in 0..5 {
            desk.round().await;
            desk.pass(DAY_MS);
        }
        // Five more attempts, of which the last one is believed.
        assert!(desk.replay(number).await);
        for attempt in 1..=5 {
            if attempt == 5 {
                page.change(DONE);
            }
            assert_eq!(desk.round().await, 1, "attempt {attempt}");
            desk.pass(DAY_MS);
        }
        assert_eq!(guids(&page.so_far()), ["mo-1"; 10]);
        let one = desk.one().await;
        assert_eq!((one.state, one.attempts, one.series), (State::Done, 5, 2));
        // What was taken can be sent once more too, if the partner has lost it.
        assert!(desk.replay(number).await);
        desk.round().await;
        assert_eq!(guids(&page.so_far()), ["mo-1"]);
    }

    async fn another_status_or_bad_xml_counts_as_a_failure(store: Store) {
        let answers = [
            (Reply::status(500), "HTTP status 500"),
            (Reply::Says(404, Vec::new(), "<Status>2</Status>"), "HTTP status 404"),
            (Reply::xml("<Status>2"), "no XML"),
            (Reply::xml("OK"), "no XML"),
            (Reply::xml("<Status>3</Status>"), "neither 1 nor 2"),
        ];
        let mut page = Page::start(answers.iter().map(|(reply, _)| reply.clone())).await;
        let desk = Desk::new(&store, egress(&[&page]));
        desk.fibo("shop", &page).await;
        desk.message("mo-1").await;
        for (attempt, (_, why)) in (1..).zip(&answers) {
            assert_eq!(desk.round().await, 1);
            let one = desk.one().await;
            assert_eq!(one.attempts, attempt);
            assert!(one.why.contains(why), "{}", one.why);
            desk.pass(DAY_MS);
        }
        assert_eq!(page.so_far().len(), 5);
        assert_eq!(desk.one().await.state, State::Dead);
    }

    async fn a_timeout_counts_as_a_failure_and_shows_no_message(store: Store) {
        let mut page = Page::start([Reply::Silence]).await;
        let rules = Rules { total_timeout: IMPATIENT, ..rules(&[&page]) };
        let desk = Desk::new(&store, Egress::new(rules).unwrap());
        desk.fibo("shop", &page).await;
        desk.message("mo-1").await;
        for _ in 0..5 {
            assert_eq!(desk.round().await, 1);
            desk.pass(DAY_MS);
        }
        assert_eq!(page.so_far().len(), 5);
        let one = desk.one().await;
        assert_eq!(one.state, State::Dead);
        assert_eq!(one.why, "127.0.0.1 has not answered within 200 ms");
    }

    async fn a_partner_who_is_not_there_costs_an_attempt_and_no_message_is_shown(store: Store) {
        let gone = std::net::TcpListener::bind("127.0.0.2:0").unwrap();
        let address = gone.local_addr().unwrap();
        let rules = Rules { ports: vec![address.port()], ..rules(&[]) };
        let desk = Desk::new(&store, Egress::new(rules).unwrap());
        drop(gone);
        let url = format!("http://{address}/sms");
        desk.add(&registration("shop", PartnerKind::Fibo, &url), Signing::None).await;
        desk.message("mo-1").await;
        assert_eq!(desk.round().await, 1);
        let one = desk.one().await;
        assert_eq!((one.state, one.attempts), (State::Waiting, 1));
        assert!(one.why.starts_with("127.0.0.2 cannot be reached: "), "{}", one.why);
        assert!(!one.why.contains("message"), "{}", one.why);
    }

    async fn a_redirect_is_not_followed(store: Store) {
        let mut elsewhere = Page::start([DONE]).await;
        let location = vec![("location", elsewhere.url("/"))];
        let mut page = Page::start([Reply::Says(302, location, "<Status>2</Status>")]).await;
        let desk = Desk::new(&store, egress(&[&page, &elsewhere]));
        desk.fibo("fibo", &page).await;
        desk.webhook("hook", &page).await;
        desk.message("mo-1").await;
        assert_eq!(desk.round().await, 2);
        assert_eq!(page.so_far().len(), 2);
        assert!(elsewhere.so_far().is_empty());
        for delivery in desk.all().await {
            assert_eq!(delivery.state, State::Waiting);
            assert!(delivery.why.contains("HTTP status 302"), "{}", delivery.why);
        }
    }

    async fn a_dead_partner_does_not_hold_up_the_others(store: Store) {
        const MESSAGES: usize = 30;
        let dead = Page::start([Reply::Silence]).await;
        let mut well = Page::start([DONE]).await;
        // Not even a slow machine waits for the end of the calls that have none.
        let hour = Duration::from_secs(3_600);
        let rules = Rules { total_timeout: hour, ..rules(&[&dead, &well]) };
        let desk = Desk::new(&store, Egress::new(rules).unwrap());
        desk.fibo("a-dead", &dead).await;
        desk.fibo("well", &well).await;
        for number in 0..MESSAGES {
            assert_eq!(desk.message(&format!("mo-{number}")).await, 2);
        }
        // Of the dead one's messages some are being sent all the time; nothing waits for their end.
        let mut worker = desk.worker();
        let mut done = 0;
        while done < MESSAGES {
            worker.start_due().await.unwrap();
            assert_eq!(worker.next_ended().await, Some(Ended::Done));
            done += 1;
        }
        assert_eq!(well.so_far().len(), MESSAGES);
        let of_dead = desk.all().await.into_iter().filter(|one| one.target == id("a-dead"));
        let begun = of_dead.filter(|one| one.attempts > 0).count();
        assert_eq!(begun, deliveries::CALLS_PER_TARGET_MAX);
    }

    async fn a_partner_that_is_down_gets_one_call_at_a_time(store: Store) {
        let mut page = Page::start([Reply::status(500)]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        desk.fibo("shop", &page).await;
        for number in 0..20 {
            desk.message(&format!("mo-{number}")).await;
        }
        let mut worker = desk.worker();
        assert_eq!(worker.start_due().await.unwrap(), deliveries::CALLS_PER_TARGET_MAX);
        while worker.next_ended().await.is_some() {}
        assert_eq!(worker.start_due().await.unwrap(), 1);
        assert_eq!(worker.start_due().await.unwrap(), 0);
        while worker.next_ended().await.is_some() {}
        page.change(DONE);
        assert_eq!(worker.start_due().await.unwrap(), 1);
        while worker.next_ended().await.is_some() {}
        assert_eq!(worker.start_due().await.unwrap(), deliveries::CALLS_PER_TARGET_MAX);
        while worker.next_ended().await.is_some() {}
        assert_eq!(page.so_far().len(), 2 * deliveries::CALLS_PER_TARGET_MAX + 2);
    }

    async fn a_crash_after_the_call_sends_again_with_the_same_guid(store: Store) {
        let mut page = Page::start([Reply::Silence, DONE]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        desk.fibo("shop", &page).await;
        desk.message("mo-1").await;
        let mut worker = desk.worker();
        assert_eq!(worker.start_due().await.unwrap(), 1);
        let first = page.next().await;
        drop(worker);
        // Nobody knows yet that the worker is gone.
        assert_eq!(desk.round().await, 0);
        desk.pass(i64::try_from(LEASE.as_millis()).unwrap());
        assert_eq!(desk.round().await, 1);
        assert_eq!(guids(&[first, page.next().await]), ["mo-1"; 2]);
        let one = desk.one().await;
        assert_eq!((one.state, one.attempts), (State::Done, 2));
    }

    async fn crashes_do_not_lead_to_a_sixth_call(store: Store) {
        let mut page = Page::start([Reply::Silence]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        desk.fibo("shop", &page).await;
        desk.message("mo-1").await;
        for _ in 0..5 {
            let mut worker = desk.worker();
            assert_eq!(worker.start_due().await.unwrap(), 1);
            page.next().await;
            drop(worker);
            desk.pass(DAY_MS);
        }
        assert_eq!(desk.round().await, 0);
        let one = desk.one().await;
        assert_eq!((one.state, one.attempts), (State::Dead, 5));
        assert!(one.why.contains("cut off"), "{}", one.why);
        assert!(page.so_far().is_empty());
    }

    async fn several_workers_share_what_is_due_and_send_nothing_twice(store: Store) {
        let mut page = Page::start([DONE]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        desk.fibo("shop", &page).await;
        for number in 0..40 {
            desk.message(&format!("mo-{number:02}")).await;
        }
        let work = async || {
            let mut worker = desk.worker();
            while worker.start_due().await.unwrap() > 0 {
                while worker.next_ended().await.is_some() {}
            }
        };
        tokio::join!(work(), work(), work(), work());
        desk.round().await;
        let mut seen = guids(&page.so_far());
        seen.sort();
        let wanted: Vec<String> = (0..40).map(|number| format!("mo-{number:02}")).collect();
        assert_eq!(seen, wanted);
    }

    async fn the_end_of_an_attempt_that_was_given_up_changes_nothing(store: Store) {
        let answer = Arc::new(Notify::new());
        let mut page = Page::start([Reply::Held(answer.clone())]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        desk.fibo("shop", &page).await;
        desk.message("mo-1").await;
        let number = desk.one().await.number;
        let mut worker = desk.worker();
        assert_eq!(worker.start_due().await.unwrap(), 1);
        page.next().await;
        let mut write = store.write().await.unwrap();
        let reason: Reason = "ordered by phone".parse().unwrap();
        assert!(deliveries::drop(&mut write, number, &reason, NOW).await.unwrap());
        write.commit().await.unwrap();
        answer.notify_one();
        assert_eq!(worker.next_ended().await, Some(Ended::Unnoted));
        assert_eq!(desk.one().await.state, State::Dropped);
    }

    async fn a_dead_letter_can_be_dropped_with_a_reason_and_replayed_after_all(store: Store) {
        let page = Page::start([ERROR]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        desk.fibo("shop", &page).await;
        for guid in ["mo-1", "mo-2", "mo-3"] {
            desk.message(guid).await;
        }
        for _ in 0..5 {
            while desk.round().await > 0 {}
            desk.pass(DAY_MS);
        }
        let numbers: Vec<i64> = desk.all().await.iter().map(|one| one.number).collect();
        let mut write = store.write().await.unwrap();
        let reason: Reason = "ordered by phone".parse().unwrap();
        assert!(deliveries::drop(&mut write, numbers[0], &reason, NOW).await.unwrap());
        assert!(!deliveries::drop(&mut write, numbers[0], &reason, NOW).await.unwrap());
        let shop = id("shop");
        let replayed = deliveries::replay_dead(&mut write, Kind::Fibo, &shop, desk.now()).await;
        assert_eq!(replayed.unwrap(), 2);
        write.commit().await.unwrap();
        let states = async || {
            let all = desk.all().await;
            all.iter().map(|one| one.state).collect::<Vec<_>>()
        };
        assert_eq!(states().await, [State::Dropped, State::Waiting, State::Waiting]);
        assert_eq!(desk.all().await[0].why, "ordered by phone");
        page.change(DONE);
        assert!(desk.replay(numbers[0]).await);
        assert_eq!(desk.round().await, 3);
        assert_eq!(states().await, [State::Done; 3]);
        for text in ["", "x", " x ", "a\nb c", &"x".repeat(201)] {
            assert!(text.parse::<Reason>().is_err(), "{text:?}");
        }
    }

    async fn a_message_goes_to_those_whose_filter_fits_and_once_to_each(store: Store) {
        let page = Page::start([DONE]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        desk.fibo("all", &page).await;
        desk.webhook("hook", &page).await;
        let url = page.url("/");
        for (name, filter) in [
            ("number", Filter { number: "8050".parse().ok(), ..Filter::default() }),
            ("keyword", Filter { keyword: "đặt".parse().ok(), ..Filter::default() }),
            ("prefix", Filter { prefix: "8497".parse().ok(), ..Filter::default() }),
        ] {
            let mut new = registration(name, PartnerKind::Fibo, &url);
            new.filter = filter;
            desk.add(&new, Signing::None).await;
        }
        let mut write = store.write().await.unwrap();
        push::set_active(&mut write, &id("hook"), false, "holidays").await.unwrap();
        write.commit().await.unwrap();
        assert_eq!(desk.message("mo-1").await, 2);
        assert_eq!(desk.message("mo-1").await, 0);
        let targets = desk.all().await.into_iter().map(|one| one.target.to_string());
        assert_eq!(targets.collect::<Vec<_>>(), ["all", "keyword"]);
    }

    async fn what_is_not_committed_is_not_sent(store: Store) {
        let page = Page::start([DONE]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        desk.fibo("shop", &page).await;
        let mut write = store.write().await.unwrap();
        let mo = push::Mo {
            guid: &id("mo-1"),
            from: &"84912345678".parse().unwrap(),
            to: "8049",
            text: TEXT,
            received_at: NOW,
        };
        assert_eq!(push::route(&mut write, &keys(), &mo, NOW).await.unwrap(), 1);
        drop(write);
        assert_eq!(desk.round().await, 0);
        assert!(desk.all().await.is_empty());
    }

    async fn a_partner_is_added_once_and_only_with_a_url_that_may_be_called(store: Store) {
        let page = Page::start([DONE]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        desk.fibo("shop", &page).await;
        let refused = async |new: &push::Registration, signing: Signing| {
            let mut write = store.write().await.unwrap();
            let added = push::add(&mut write, &keys(), &desk.egress, new, signing, NOW).await;
            added.unwrap_err()
        };
        let mut new = registration("shop", PartnerKind::Fibo, &page.url("/"));
        assert_eq!(refused(&new, Signing::None).await, PushError::Exists(id("shop")));
        new.id = id("other");
        new.plain_http = false;
        assert!(matches!(refused(&new, Signing::None).await, PushError::Url(_)));
        new.url = "https://127.0.0.1:22/".parse().unwrap();
        assert!(matches!(refused(&new, Signing::None).await, PushError::Url(_)));
        let hook = registration("hook", PartnerKind::Json, &page.url("/"));
        assert_eq!(refused(&hook, Signing::None).await, SecretFault::Missing.into());
        let mut read = store.read().await.unwrap();
        let partners = push::list(&mut read).await.unwrap();
        assert_eq!(partners.len(), 1);
        let shop = &partners[0];
        assert_eq!(shop.registration, registration("shop", PartnerKind::Fibo, &page.url("/sms?key=1")));
        assert!(shop.active && !shop.signed);
    }

    async fn a_page_with_a_secret_gets_its_query_signed(store: Store) {
        let mut page = Page::start([DONE]).await;
        let desk = Desk::new(&store, egress(&[&page]));
        let new = registration("shop", PartnerKind::Fibo, &page.url("/sms"));
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        assert_eq!(desk.add(&new, Signing::With(secret.clone())).await, None);
        desk.message("mo-1").await;
        desk.round().await;
        let seen = page.next().await;
        let query = seen.uri.query().unwrap().as_bytes();
        for (name, value) in Signer::new(secret, None).headers(&id("mo-1"), NOW, query) {
            assert_eq!(seen.header(name), value);
        }
    }
}
