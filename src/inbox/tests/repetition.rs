//! What an SMSC delivers again.

use super::*;

#[test]
fn the_same_words_over_and_over_take_no_more_room_than_others() {
    let (mut seen, one) = (seen::Seen::new(120_000), [7; 16]);
    for key in 0..SEEN_MAX as u64 + 10 {
        seen.remember(key, 0, vec![one], &None);
    }
    assert_eq!(seen.expire(0), Some(10));
    let another = Some(("one/1".into(), 1));
    let repetition = seen.repetition(&one, 0, &another, |_| true);
    assert_eq!(repetition, seen::Repetition::OfStored);
}

#[tokio::test]
async fn the_same_again_is_marked_only_over_another_connection_after_the_first_one_ended() {
    let bench = Bench::new(InboxSettings::default());
    bench.deliver(1, message("a"));
    bench.deliver(1, message("a"));
    bench.inbox.disconnected("one/1", 1);
    bench.deliver(2, message("a"));
    bench.deliver(2, message("a"));
    // Another bind of the account, long after, while the second connection lives.
    let long_after = bench.start + Duration::from_secs(6);
    bench.deliver_at(long_after, 1, by_another_bind(message("a")));
    let marked = marks(&bench.consumer("").next().await);
    assert_eq!(marked, [false, false, true, false, false]);
}

#[tokio::test]
async fn the_same_again_at_once_over_another_bind_is_marked_though_the_first_one_seems_to_live() {
    let bench = Bench::new(InboxSettings::default());
    bench.deliver(1, message("a"));
    bench.deliver(1, part(9, 2, 1, "b"));
    bench.deliver(1, part(9, 2, 2, "c"));
    let soon = bench.start + Duration::from_secs(4);
    bench.deliver_at(soon, 1, by_another_bind(message("a")));
    for again in [part(9, 2, 1, "b"), part(9, 2, 2, "c")] {
        let verdict = bench.deliver_at(soon, 1, by_another_bind(again));
        assert_eq!(verdict, Some(Verdict::Acknowledged));
    }
    bench.inbox.expire(soon + Duration::from_secs(600));
    bench.settle();
    let events = bench.consumer("").next().await;
    assert_eq!(texts(&events), ["a", "bc", "a"]);
    assert_eq!(marks(&events), [false, false, true]);
}

#[tokio::test]
async fn the_same_again_is_marked_while_the_first_one_is_on_its_way_to_the_store() {
    let bench = Bench::new(InboxSettings::default());
    let gate = Gate::shut(&bench.store);
    let events = || [message("a"), part(9, 2, 1, "b"), part(9, 2, 2, "c")];
    for session in [1, 2] {
        let offered = events().map(|event| (event, bench.responder(session)));
        bench.inbox.offer(bench.start, offered);
        bench.inbox.disconnected("one/1", session);
    }
    assert_eq!(*bench.link.0.lock().unwrap(), [], "nothing is durable yet");
    gate.open();
    bench.settle();
    let told = std::mem::take(&mut *bench.link.0.lock().unwrap());
    assert_eq!(told.len(), 6);
    assert!(
        told.iter()
            .all(|(_, verdict)| *verdict == Verdict::Acknowledged)
    );
    bench.inbox.expire(bench.start + Duration::from_secs(600));
    bench.settle();
    let events = bench.consumer("").next().await;
    assert_eq!(texts(&events), ["a", "bc", "a"]);
    assert_eq!(marks(&events), [false, false, true]);
}

#[tokio::test]
async fn a_part_whose_first_copy_did_not_get_into_the_store_serves_in_its_place() {
    let bench = Bench::new(InboxSettings::default());
    let connection = |session| Some(("one/1".into(), session));
    let first = seen::fingerprint(&part(9, 2, 1, "a"));
    bench.inbox.lock().seen.arrives(first, &connection(1));
    let gate = Gate::shut(&bench.store);
    let again = [(part(9, 2, 1, "a"), bench.responder(2))];
    bench.inbox.offer(bench.start, again);
    {
        let mut state = bench.inbox.lock();
        state.seen.not_arriving(&[first], &connection(1));
    }
    gate.open();
    bench.deliver(2, part(9, 2, 2, "b"));
    let events = bench.consumer("").next().await;
    assert_eq!(texts(&events), ["ab"]);
}

/// The same from the SMSC's other bind.
fn by_another_bind(event: Event) -> Event {
    Event {
        link: "one/2".into(),
        ..event
    }
}

fn marks(deliveries: &[Delivery]) -> Vec<bool> {
    deliveries.iter().map(|own| own.redelivered).collect()
}

#[tokio::test]
async fn the_same_again_is_marked_after_a_restart_too_and_not_after_the_window() {
    let bench = Bench::new(InboxSettings::default());
    bench.deliver(1, message("a"));
    let consumer = bench.consumer("");
    let events = consumer.next().await;
    consumer.acknowledge(&[events[0].id]);
    drop(consumer);
    let bench = bench.restarted(InboxSettings::default());
    bench.deliver(1, message("a"));
    bench.deliver(1, message("b"));
    let after = bench.start + InboxSettings::default().duplicate_window + Duration::from_secs(1);
    bench.inbox.expire(after);
    bench.inbox.disconnected("one/1", 1);
    bench.deliver_at(after, 2, message("b"));
    let marked = marks(&bench.consumer("").next().await);
    assert_eq!(marked, [true, false, false]);
}
