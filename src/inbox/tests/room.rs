//! The bounds of what waits.

use super::*;

#[test]
fn one_full_subscription_puts_the_event_off_for_all() {
    let full = SubscriptionSettings {
        backlog_max: 1,
        ..SubscriptionSettings::named("full")
    };
    let bench = Bench::new(with(vec![full, SubscriptionSettings::named("other")]));
    assert_eq!(bench.deliver(1, message("a")), Some(Verdict::Acknowledged));
    assert_eq!(bench.deliver(1, message("b")), Some(Verdict::Later));
    assert_eq!((bench.backlog("full"), bench.backlog("other")), (1, 1));
}

#[test]
fn room_is_kept_for_what_is_on_its_way_to_the_store() {
    let settings = with(vec![SubscriptionSettings {
        backlog_max: 2,
        ..SubscriptionSettings::named(DEFAULT)
    }]);
    let bench = Bench::new(settings);
    let events = (0..5).map(|_| (message("a"), bench.responder(1)));
    bench.inbox.offer(bench.start, events);
    bench.settle();
    let told = bench.link.0.lock().unwrap();
    let later = told
        .iter()
        .filter(|(_, verdict)| *verdict == Verdict::Later);
    assert_eq!((told.len(), later.count()), (5, 3));
}

fn of_bytes(backlog_max_bytes: usize) -> InboxSettings {
    with(vec![SubscriptionSettings {
        backlog_max_bytes,
        ..SubscriptionSettings::named(DEFAULT)
    }])
}

#[tokio::test]
async fn a_backlog_of_too_many_octets_puts_the_smsc_off_until_there_is_room() {
    let one = message(&"a".repeat(1_000));
    let bench = Bench::new(of_bytes(2 * one.bytes()));
    for verdict in [Verdict::Acknowledged, Verdict::Acknowledged, Verdict::Later] {
        assert_eq!(bench.deliver(1, one.clone()), Some(verdict));
    }
    assert_eq!(bench.deliver(1, message("b")), Some(Verdict::Later));
    let counts = bench.inbox.counts(bench.start);
    assert_eq!(counts[0].backlog_bytes, 2 * one.bytes());
    let consumer = bench.consumer("");
    let events = consumer.next().await;
    consumer.acknowledge(&[events[0].id]);
    assert_eq!(bench.deliver(1, one), Some(Verdict::Acknowledged));
}

#[test]
fn octets_on_their_way_to_the_store_count_and_those_refused_do_not() {
    let one = message(&"a".repeat(1_000));
    let bench = Bench::new(of_bytes(2 * one.bytes()));
    let events = (0..3).map(|_| (one.clone(), bench.responder(1)));
    bench.inbox.offer(bench.start, events);
    bench.settle();
    let later = |told: &[(u32, Verdict)]| {
        let later = told
            .iter()
            .filter(|(_, verdict)| *verdict == Verdict::Later);
        later.count()
    };
    assert_eq!(later(&bench.link.0.lock().unwrap()), 1);
    let bench = Bench::new(of_bytes(2 * one.bytes()));
    bench.store.close();
    for _ in 0..5 {
        bench
            .inbox
            .offer(bench.start, [(one.clone(), bench.responder(1))]);
    }
    assert_eq!(bench.inbox.lock().reserved[0].bytes, 0);
}

#[test]
fn an_event_larger_than_all_of_the_room_is_let_in_where_nothing_else_waits() {
    let large = message(&"a".repeat(10_000));
    let bench = Bench::new(of_bytes(1_000));
    assert_eq!(bench.deliver(1, large.clone()), Some(Verdict::Acknowledged));
    assert_eq!(bench.deliver(1, large), Some(Verdict::Later));
}

#[test]
fn parts_that_wait_are_counted_with_their_octets_and_their_age() {
    let bench = Bench::new(InboxSettings::default());
    let parts = [part(9, 3, 1, "a"), part(9, 3, 2, "bb")];
    let bytes = parts.iter().map(Event::bytes).sum();
    for part in parts {
        bench.deliver(1, part);
    }
    let later = bench.start + Duration::from_secs(7);
    let waiting = bench.inbox.waiting_parts(later);
    let oldest_age = Duration::from_secs(7);
    assert_eq!(
        waiting,
        WaitingParts {
            parts: 2,
            bytes,
            oldest_age
        }
    );
    bench.deliver(1, part(9, 3, 3, "c"));
    let waiting = bench.inbox.waiting_parts(later);
    let oldest_age = Duration::ZERO;
    assert_eq!(
        waiting,
        WaitingParts {
            parts: 0,
            bytes: 0,
            oldest_age
        }
    );
}

#[test]
fn parts_of_too_many_octets_make_room_by_handing_over_what_has_waited_longest() {
    let bench = Bench::new(InboxSettings::default());
    let mut state = bench.inbox.lock();
    let large = Bytes::from(vec![b'a'; PARTS_BYTES_MAX / 4]);
    for reference in 1..=5 {
        let mut event = part(reference, 2, 1, "");
        if let EventKind::Message(message) = &mut event.kind {
            message.data = large.clone();
        }
        let delivery = Delivery {
            id: u64::from(reference),
            event: Arc::new(event),
            received_at_ms: 0,
            redelivered: false,
        };
        state.assemble(bench.start, delivery);
    }
    let given_up: Vec<&[u64]> = state.wholes.iter().map(|whole| &whole.parts[..]).collect();
    assert_eq!(given_up, [&[1], &[2]]);
    drop(state);
    let waiting = bench.inbox.waiting_parts(bench.start);
    assert!(waiting.parts == 3 && waiting.bytes <= PARTS_BYTES_MAX);
}
