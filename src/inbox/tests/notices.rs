//! What banks begin: durable before it is answered, and once whatever is repeated.

use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::store::tests::Disk;

fn of_bank(name: &'static str, stan: &'static str) -> Event {
    Event {
        peer: name.into(),
        link: format!("{name}/1").into(),
        source: address(name),
        destination: address(""),
        kind: EventKind::Bank(BankEvent {
            mti: "0422".parse().unwrap(),
            elements: vec![
                (2, Bytes::from_static(b"970436******1234")),
                (11, Bytes::from_static(stan.as_bytes())),
            ],
            payment: Some(AboutPayment {
                client: "shop".into(),
                payment_id: "order-7".into(),
            }),
            reconciliation: None,
        }),
    }
}

/// Offers one; what comes of it comes by the receiver.
fn offer(bench: &Bench, event: Event, identity: u8) -> Receiver<Taken> {
    let (sender, told) = channel();
    let notice = Notice {
        event,
        identity: Identity([identity; 16]),
        told: Box::new(move |taken| sender.send(taken).unwrap()),
    };
    bench.inbox.notice(bench.start, vec![notice]);
    told
}

#[tokio::test]
async fn a_bank_is_told_once_its_event_is_durable_and_a_restart_keeps_the_event_as_it_was() {
    let bench = Bench::new(InboxSettings::default());
    let told = offer(&bench, of_bank("vietcom", "000007"), 1);
    assert_eq!(told.recv(), Ok(Taken::Durable));
    assert_eq!(
        [Table::Inbox, Table::BankSeen].map(|table| bench.rows(table)),
        [1, 1]
    );
    let bench = bench.restarted(InboxSettings::default());
    let events = bench.consumer("").next().await;
    assert!(*events[0].event == of_bank("vietcom", "000007"));
    assert!(
        events[0].redelivered,
        "an earlier process may have handed it over"
    );
}

#[tokio::test]
async fn a_repeat_is_told_so_and_makes_no_second_event_also_after_a_restart_and_an_acknowledgement()
{
    let bench = Bench::new(InboxSettings::default());
    offer(&bench, of_bank("vietcom", "000007"), 1)
        .recv()
        .unwrap();
    assert_eq!(
        offer(&bench, of_bank("vietcom", "000007"), 1).recv(),
        Ok(Taken::Repeated)
    );
    let consumer = bench.consumer("");
    let events = consumer.next().await;
    assert_eq!(events.len(), 1);
    assert_eq!(consumer.acknowledge(&[events[0].id]), 1);
    drop(consumer);
    let bench = bench.restarted(InboxSettings::default());
    let repeat = offer(&bench, of_bank("vietcom", "000007"), 1);
    assert_eq!(repeat.recv(), Ok(Taken::Repeated));
    assert_eq!(bench.backlog(DEFAULT), 0);
    let other = offer(&bench, of_bank("vietcom", "000008"), 2);
    assert_eq!(other.recv(), Ok(Taken::Durable));
}

#[test]
fn a_repeat_in_the_same_turn_waits_for_the_commit_of_the_first() {
    let bench = Bench::new(InboxSettings::default());
    let (sender, told) = channel();
    let notice = |place: u8| {
        let sender = sender.clone();
        Notice {
            event: of_bank("vietcom", "000007"),
            identity: Identity([1; 16]),
            told: Box::new(move |taken| sender.send((place, taken)).unwrap()),
        }
    };
    bench.inbox.notice(bench.start, vec![notice(1), notice(2)]);
    let both = [told.recv().unwrap(), told.recv().unwrap()];
    assert_eq!(both, [(1, Taken::Durable), (2, Taken::Repeated)]);
    assert_eq!(bench.backlog(DEFAULT), 1);
}

#[test]
fn what_has_no_room_or_no_disk_is_put_off_and_taken_when_it_comes_again() {
    let disk = Disk::new();
    let settings = with(vec![SubscriptionSettings {
        backlog_max: 2,
        ..SubscriptionSettings::named(DEFAULT)
    }]);
    let bench = Bench::with(settings, disk.store(), Arc::new(Uncorrelated));
    disk.fail_after(0);
    let told = offer(&bench, of_bank("vietcom", "000007"), 1);
    assert_eq!(told.recv(), Ok(Taken::NotNow));
    disk.mend();
    bench.until_store_is_healthy();
    for (identity, taken) in [(1, Taken::Durable), (2, Taken::Durable), (3, Taken::NotNow)] {
        let told = offer(&bench, of_bank("vietcom", "000007"), identity);
        assert_eq!(told.recv(), Ok(taken), "{identity}");
    }
    assert_eq!(bench.backlog(DEFAULT), 2);
}

#[tokio::test]
async fn a_closed_inbox_takes_nothing() {
    let bench = Bench::new(InboxSettings::default());
    bench.inbox.close();
    let told = offer(&bench, of_bank("vietcom", "000007"), 1);
    assert_eq!(told.recv(), Ok(Taken::NotNow));
}

#[tokio::test]
async fn the_events_of_one_bank_go_to_one_consumer_in_their_order() {
    let bench = Bench::new(InboxSettings::default());
    let (one, _other) = (bench.consumer(""), bench.consumer(""));
    for (identity, stan) in [(1, "000001"), (2, "000002"), (3, "000003")] {
        offer(&bench, of_bank("vietcom", stan), identity)
            .recv()
            .unwrap();
    }
    let mut stans = Vec::new();
    while stans.len() < 3 {
        for delivery in one.next().await {
            let EventKind::Bank(event) = &delivery.event.kind else {
                panic!("no bank's")
            };
            stans.push(event.element(11).unwrap().clone());
        }
    }
    assert_eq!(stans, ["000001", "000002", "000003"]);
}

#[tokio::test]
async fn a_subscription_to_banks_gets_its_banks_and_no_messages() {
    let disputes = SubscriptionSettings {
        messages: false,
        receipts: false,
        banks: vec!["vietcom".into()],
        ..SubscriptionSettings::named("disputes")
    };
    let sms = SubscriptionSettings {
        bank_events: false,
        ..SubscriptionSettings::named("sms")
    };
    let bench = Bench::new(with(vec![disputes, sms]));
    bench.deliver(1, message("hello"));
    for (bank, identity) in [("vietcom", 1), ("techcom", 2)] {
        offer(&bench, of_bank(bank, "000007"), identity)
            .recv()
            .unwrap();
    }
    let backlogs = ["disputes", "sms", DEFAULT].map(|name| bench.backlog(name));
    assert_eq!(
        backlogs,
        [1, 1, 1],
        "what nobody wants goes to the default one"
    );
}
