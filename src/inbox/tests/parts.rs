//! Long messages on their way to being whole.

use super::*;

#[tokio::test]
async fn parts_are_acknowledged_one_by_one_and_become_one_message_in_any_order() {
    let bench = Bench::new(InboxSettings::default());
    let consumer = bench.consumer("");
    for (number, text) in [(3, "c"), (1, "a"), (2, "b")] {
        let verdict = bench.deliver(1, part(9, 3, number, text));
        assert_eq!(verdict, Some(Verdict::Acknowledged));
    }
    let whole = consumer.next().await;
    assert_eq!(texts(&whole), ["abc"]);
    let message = message_of(&whole[0]);
    assert_eq!((message.parts, message.missing_parts.len()), (3, 0));
    consumer.acknowledge(&[whole[0].id]);
    drop(consumer);
    let bench = bench.restarted(InboxSettings::default());
    assert_eq!(bench.backlog(DEFAULT), 0, "the parts' rows are gone");
}

#[tokio::test]
async fn parts_survive_a_restart() {
    let bench = Bench::new(InboxSettings::default());
    bench.deliver(1, part(9, 2, 1, "a"));
    let bench = bench.restarted(InboxSettings::default());
    bench.deliver(1, part(9, 2, 2, "b"));
    assert_eq!(texts(&bench.consumer("").next().await), ["ab"]);
}

#[tokio::test]
async fn a_message_whose_part_does_not_come_is_handed_over_with_what_arrived() {
    let bench = Bench::new(InboxSettings::default());
    bench.deliver(1, part(9, 3, 1, "a"));
    bench.deliver(1, part(9, 3, 3, "c"));
    assert_eq!(bench.backlog(DEFAULT), 0);
    bench.inbox.expire(bench.start + Duration::from_secs(60));
    bench.settle();
    let events = bench.consumer("").next().await;
    assert_eq!(texts(&events), ["ac"]);
    assert_eq!(message_of(&events[0]).missing_parts, [2]);
}

#[tokio::test]
async fn a_part_that_comes_again_is_acknowledged_and_changes_nothing() {
    let bench = Bench::new(InboxSettings::default());
    bench.deliver(1, part(9, 2, 1, "a"));
    bench.deliver(1, part(9, 2, 1, "a"));
    bench.deliver(1, part(9, 2, 2, "b"));
    bench.inbox.disconnected("one/1", 1);
    let again = bench.deliver(2, part(9, 2, 2, "b"));
    assert_eq!(again, Some(Verdict::Acknowledged));
    bench.inbox.expire(bench.start + Duration::from_secs(600));
    bench.settle();
    assert_eq!(texts(&bench.consumer("").next().await), ["ab"]);
    assert_eq!(bench.backlog(DEFAULT), 1);
}
