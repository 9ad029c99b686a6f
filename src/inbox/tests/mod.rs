mod doubt;
mod notices;
mod order;
mod parts;
mod repetition;
mod room;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::*;
use crate::{client::ClientName, metrics::Metrics};

/// A link that remembers what it was told to answer.
#[derive(Default)]
struct Link(Mutex<Vec<(u32, Verdict)>>);

impl Respond for Link {
    fn respond(&self, _session: u64, verdicts: &[(u32, Verdict)]) {
        self.0.lock().unwrap().extend(verdicts);
    }
}

/// What a test plays with: an inbox over a store that outlives it.
struct Bench {
    inbox: Arc<Inbox>,
    store: Store,
    link: Arc<Link>,
    start: Instant,
    sequence: AtomicU64,
}

fn open(settings: InboxSettings, store: &Store, correlate: Arc<dyn Correlate>) -> Arc<Inbox> {
    let metrics = Metrics::new().unwrap();
    let figures = |name: &str| metrics.subscription(name);
    Inbox::open(settings, store.clone(), correlate, metrics.inbox(), figures).unwrap()
}

impl Bench {
    fn new(settings: InboxSettings) -> Self {
        Self::with(settings, Store::in_memory(), Arc::new(Uncorrelated))
    }

    fn with(settings: InboxSettings, store: Store, correlate: Arc<dyn Correlate>) -> Self {
        Self {
            inbox: open(settings, &store, correlate),
            store,
            link: Arc::default(),
            start: Instant::now(),
            sequence: AtomicU64::new(1),
        }
    }

    fn over(store: Store) -> Self {
        Self::with(InboxSettings::default(), store, Arc::new(Uncorrelated))
    }

    /// Waits until the SMSC was told so many verdicts.
    fn until_told(&self, count: usize) {
        self.until(|| self.link.0.lock().unwrap().len() >= count);
    }

    fn until_store_is_healthy(&self) {
        self.until(|| self.store.is_healthy());
    }

    /// How many rows a table of the store has.
    fn rows(&self, table: Table) -> usize {
        let mut count = 0;
        self.store.load(table, &mut |_, _| count += 1).unwrap();
        count
    }

    fn until(&self, holds: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !holds() {
            assert!(Instant::now() < end, "it does not come to that");
            std::thread::yield_now();
        }
    }

    /// Another process with the same store.
    fn restarted(self, settings: InboxSettings) -> Self {
        self.settle();
        Self::with(settings, self.store.clone(), Arc::new(Uncorrelated))
    }

    fn responder(&self, session: u64) -> Responder {
        let link: Arc<dyn Respond> = Arc::<Link>::clone(&self.link);
        let sequence = self.sequence.fetch_add(1, Relaxed) as u32;
        Responder {
            link,
            session,
            sequence,
        }
    }

    /// Waits until the store has done what it was asked so far, and what came of that.
    fn settle(&self) {
        for _ in 0..3 {
            let (sender, told) = std::sync::mpsc::channel();
            let done = move |result: Result<(), StoreError>| sender.send(result).unwrap();
            self.store.write(Vec::new(), Box::new(done));
            // A store that fails tells at once; that is what some tests are about.
            told.recv().unwrap().ok();
        }
    }

    /// An event comes by a connection; gives the verdict, if there is one yet.
    fn deliver(&self, session: u64, event: Event) -> Option<Verdict> {
        self.deliver_at(self.start, session, event)
    }

    fn deliver_at(&self, now: Instant, session: u64, event: Event) -> Option<Verdict> {
        self.inbox.offer(now, [(event, self.responder(session))]);
        self.settle();
        let mut told = self.link.0.lock().unwrap();
        told.drain(..).next().map(|(_, verdict)| verdict)
    }

    fn consumer(&self, name: &str) -> Consumer {
        self.inbox.attach(name, &client("shop"), 0).unwrap()
    }

    fn backlog(&self, name: &str) -> usize {
        let counts = self.inbox.counts(self.start);
        let own = counts.iter().find(|counts| &*counts.subscription == name);
        own.unwrap().backlog
    }
}

fn client(name: &str) -> ClientName {
    ClientName::parse(name).unwrap()
}

fn address(number: &'static str) -> Address {
    Address {
        number: Bytes::from_static(number.as_bytes()),
        ton: None,
        npi: None,
    }
}

fn event(kind: EventKind) -> Event {
    Event {
        peer: "one".into(),
        link: "one/1".into(),
        source: address("84901234567"),
        destination: address("8049"),
        kind,
    }
}

fn message(text: &str) -> Event {
    event(EventKind::Message(MobileOriginated {
        text: Some(text.to_owned()),
        data: text.to_owned().into(),
        ..MobileOriginated::default()
    }))
}

fn part(reference: u8, total: u8, number: u8, text: &str) -> Event {
    event(EventKind::Message(MobileOriginated {
        text: Some(text.to_owned()),
        data: text.to_owned().into(),
        esm_class: 0x40,
        user_data_header: vec![5, 0, 3, reference, total, number].into(),
        ..MobileOriginated::default()
    }))
}

fn receipt(id: &'static str) -> Event {
    event(EventKind::Receipt(Receipt {
        message_id: id.into(),
        ..Receipt::default()
    }))
}

fn with(subscriptions: Vec<SubscriptionSettings>) -> InboxSettings {
    InboxSettings {
        subscriptions,
        ..InboxSettings::default()
    }
}

fn texts(deliveries: &[Delivery]) -> Vec<String> {
    let text = |delivery: &Delivery| match &delivery.event.kind {
        EventKind::Message(message) => message.text.clone().unwrap_or_default(),
        EventKind::Receipt(receipt) => String::from_utf8_lossy(&receipt.message_id).into_owned(),
        EventKind::Bank(event) => event.mti.to_string(),
    };
    deliveries.iter().map(text).collect()
}

fn message_of(delivery: &Delivery) -> &MobileOriginated {
    match &delivery.event.kind {
        EventKind::Message(message) => message,
        EventKind::Receipt(_) | EventKind::Bank(_) => panic!("no message"),
    }
}

#[tokio::test]
async fn the_smsc_gets_its_yes_once_the_event_is_durable_and_a_restart_keeps_it_marked() {
    let bench = Bench::new(InboxSettings::default());
    assert_eq!(bench.deliver(1, message("a")), Some(Verdict::Acknowledged));
    let bench = bench.restarted(InboxSettings::default());
    let again = bench.consumer("").next().await;
    assert_eq!(texts(&again), ["a"]);
    assert!(again[0].redelivered);
}

#[tokio::test]
async fn what_is_acknowledged_does_not_come_again_after_a_restart() {
    let bench = Bench::new(InboxSettings::default());
    bench.deliver(1, message("a"));
    bench.deliver(1, message("b"));
    let consumer = bench.consumer("");
    let events = consumer.next().await;
    assert_eq!(texts(&events), ["a", "b"]);
    assert_eq!(consumer.acknowledge(&[events[0].id]), 1);
    assert_eq!(consumer.acknowledge(&[events[0].id]), 0);
    drop(consumer);
    let bench = bench.restarted(InboxSettings::default());
    assert_eq!(texts(&bench.consumer("").next().await), ["b"]);
}

#[test]
fn a_store_that_fails_is_told_to_the_smsc_as_a_temporary_error() {
    let bench = Bench::new(InboxSettings::default());
    bench.store.close();
    bench
        .inbox
        .offer(bench.start, [(message("a"), bench.responder(1))]);
    assert_eq!(*bench.link.0.lock().unwrap(), [(1, Verdict::Later)]);
    assert_eq!(bench.backlog(DEFAULT), 0);
}

#[test]
fn what_a_store_out_of_service_refused_leaves_nothing_to_remove() {
    let bench = Bench::new(InboxSettings::default());
    bench.store.close();
    for _ in 0..10 {
        bench
            .inbox
            .offer(bench.start, [(message("a"), bench.responder(1))]);
    }
    assert_eq!(bench.inbox.lock().to_remove, []);
}

#[test]
fn rows_are_removed_so_many_at_a_time_that_the_store_can_take_them() {
    let bench = Bench::new(InboxSettings::default());
    let rows = (0..REMOVE_MAX as u64 + 5).map(|key| (Table::Inbox, key));
    bench.inbox.lock().to_remove = rows.collect();
    bench.inbox.expire(bench.start);
    assert_eq!(bench.inbox.lock().to_remove.len(), 5);
}

#[tokio::test]
async fn a_number_of_an_earlier_process_is_not_given_to_another_event() {
    let bench = Bench::new(InboxSettings::default());
    bench.deliver(1, message("a"));
    let consumer = bench.consumer("");
    let earlier = consumer.next().await[0].id;
    consumer.acknowledge(&[earlier]);
    drop(consumer);
    let bench = bench.restarted(InboxSettings::default());
    bench.deliver(1, message("b"));
    let consumer = bench.consumer("");
    assert!(consumer.next().await[0].id > earlier);
}

#[test]
fn an_event_goes_to_every_subscription_that_wants_it_and_to_default_if_none_does() {
    let keyword = SubscriptionSettings {
        keywords: vec![fold("Vote")],
        ..SubscriptionSettings::named("votes")
    };
    let number = SubscriptionSettings {
        destinations: vec![NumberPattern::parse("80*").unwrap()],
        receipts: false,
        ..SubscriptionSettings::named("short")
    };
    let settings = InboxSettings {
        reassemble: false,
        ..with(vec![keyword, number])
    };
    let bench = Bench::new(settings);
    bench.deliver(1, message("VOTE 7"));
    bench.deliver(1, message("no vote"));
    let elsewhere = Event {
        destination: address("9029"),
        ..message("hello")
    };
    bench.deliver(1, elsewhere);
    let backlogs = ["votes", "short", DEFAULT].map(|name| bench.backlog(name));
    assert_eq!(backlogs, [1, 2, 1]);
}

#[test]
fn a_subscription_is_read_by_its_own_client_only() {
    let own = SubscriptionSettings {
        client: Some(client("shop")),
        ..SubscriptionSettings::named("own")
    };
    let bench = Bench::new(with(vec![own]));
    let attach = |name: &str, as_client: &str| {
        let attached = bench.inbox.attach(name, &client(as_client), 0);
        attached.err()
    };
    assert_eq!(attach("own", "shop"), None);
    assert_eq!(attach("own", "other"), Some(AttachError::Forbidden));
    assert_eq!(attach("none", "shop"), Some(AttachError::Unknown));
    assert_eq!(attach("", "other"), None);
}

/// A store that stands still until it is let go on.
struct Gate(std::sync::mpsc::Sender<()>);

impl Gate {
    fn shut(store: &Store) -> Self {
        let (stands, stood) = std::sync::mpsc::channel();
        let (opens, opened) = std::sync::mpsc::channel();
        let wait = move |_| {
            stands.send(()).unwrap();
            // Also when the test has failed and is gone.
            opened.recv().ok();
        };
        store.write(Vec::new(), Box::new(wait));
        stood.recv().unwrap();
        Self(opens)
    }

    fn open(self) {
        self.0.send(()).unwrap();
    }
}

/// Knows what it is told to know.
struct Knowing(Mutex<Correlation>);

impl Correlate for Knowing {
    fn correlate(&self, _: Instant, _: &str, _: &[u8], _: &Receipt) -> Correlation {
        self.0.lock().unwrap().clone()
    }

    fn settled(&self, _: &mut dyn Iterator<Item = &Event>, _: bool) {}
}

fn about(client: &str) -> AboutRequest {
    AboutRequest {
        request_id: "order-7".into(),
        client: client.into(),
        part: 1,
        parts: 1,
        whole_state: 2,
    }
}

#[tokio::test]
async fn an_early_receipt_is_held_until_its_message_is_known() {
    let knowing = Arc::new(Knowing(Mutex::new(Correlation::Hold)));
    let of_shop = SubscriptionSettings {
        receipts_of: Some("shop".into()),
        ..SubscriptionSettings::named("shops")
    };
    let correlate: Arc<dyn Correlate> = Arc::<Knowing>::clone(&knowing);
    let bench = Bench::with(with(vec![of_shop]), Store::in_memory(), correlate);
    assert_eq!(bench.deliver(1, receipt("7")), None);
    *knowing.0.lock().unwrap() = Correlation::Known(about("shop"));
    bench.inbox.expire(bench.start + Duration::from_secs(1));
    bench.settle();
    let told = bench.link.0.lock().unwrap().clone();
    assert_eq!(told, [(1, Verdict::Acknowledged)]);
    let events = bench.consumer("shops").next().await;
    let EventKind::Receipt(receipt) = &events[0].event.kind else {
        panic!("not a receipt");
    };
    assert_eq!(receipt.request, Some(about("shop")));
}

#[test]
fn a_receipt_that_stays_unknown_is_put_off_after_its_time_and_a_refused_one_at_once() {
    let knowing = Arc::new(Knowing(Mutex::new(Correlation::Hold)));
    let correlate: Arc<dyn Correlate> = Arc::<Knowing>::clone(&knowing);
    let bench = Bench::with(InboxSettings::default(), Store::in_memory(), correlate);
    assert_eq!(bench.deliver(1, receipt("7")), None);
    bench.inbox.expire(bench.start + HOLD / 2);
    assert_eq!(*bench.link.0.lock().unwrap(), []);
    bench.inbox.expire(bench.start + HOLD);
    assert_eq!(*bench.link.0.lock().unwrap(), [(1, Verdict::Later)]);
    bench.link.0.lock().unwrap().clear();
    *knowing.0.lock().unwrap() = Correlation::Refuse;
    assert_eq!(bench.deliver(1, receipt("8")), Some(Verdict::Later));
}

#[test]
fn a_row_that_cannot_be_read_stays_and_blocks_nothing() {
    let store = Store::in_memory();
    let rubbish = Change::Put {
        table: Table::Inbox,
        key: 5,
        value: vec![1, 2, 3],
    };
    store.write(vec![rubbish], Box::new(|_| {}));
    let bench = Bench::with(InboxSettings::default(), store, Arc::new(Uncorrelated));
    assert_eq!(bench.deliver(1, message("a")), Some(Verdict::Acknowledged));
    assert_eq!(bench.backlog(DEFAULT), 1);
    let mut keys = Vec::new();
    let note = &mut |key, _: &[u8]| keys.push(key);
    bench.store.load(Table::Inbox, note).unwrap();
    assert!(keys.contains(&5), "{keys:?}");
}

#[test]
fn a_closed_inbox_puts_everything_off() {
    let bench = Bench::new(InboxSettings::default());
    bench.inbox.close();
    assert_eq!(bench.deliver(1, message("a")), Some(Verdict::Later));
}

mod records {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again_and_any_octets_break_nothing(
            data in proptest::collection::vec(any::<u8>(), 0..200),
            text in proptest::option::of(".{0,40}"),
            name in proptest::option::of("[a-z]{1,10}"),
            missing in proptest::collection::vec(any::<u8>(), 0..4),
            at in any::<usize>(),
        ) {
            let event = event(EventKind::Message(MobileOriginated {
                text,
                data: data.clone().into(),
                tlvs: vec![(7, data.clone().into())],
                missing_parts: missing,
                ..MobileOriginated::default()
            }));
            let row = record::encode(name.as_deref(), -3, &event);
            let read = record::decode(&row).unwrap();
            prop_assert!(read.event == event && read.received_at_ms == -3);
            prop_assert_eq!(read.subscription.as_deref(), name.as_deref());
            let cut = at % row.len();
            prop_assert!(record::decode(&row[..cut]).is_none());
            let _read = record::decode(&data);
            let mut receipt = receipt("7");
            if let EventKind::Receipt(receipt) = &mut receipt.kind {
                receipt.request = Some(about("shop"));
            }
            let row = record::encode(None, 1, &receipt);
            prop_assert!(record::decode(&row).unwrap().event == receipt);
        }
    }
}

/// Numbers receipts in the order in which it is asked, and lets others ask in between.
#[derive(Default)]
struct Numbering(AtomicU64);

impl Correlate for Numbering {
    fn correlate(&self, _: Instant, _: &str, _: &[u8], _: &Receipt) -> Correlation {
        let part = self.0.fetch_add(1, Relaxed) as u8;
        std::thread::yield_now();
        Correlation::Known(AboutRequest {
            part,
            ..about("shop")
        })
    }

    fn settled(&self, _: &mut dyn Iterator<Item = &Event>, _: bool) {}
}

#[tokio::test]
async fn receipts_are_handed_over_in_the_order_in_which_they_were_matched_whatever_link_brings_them()
 {
    let correlate = Arc::new(Numbering::default());
    let bench = Bench::with(InboxSettings::default(), Store::in_memory(), correlate);
    std::thread::scope(|links| {
        for _ in 0..4 {
            links.spawn(|| {
                for _ in 0..50 {
                    let responder = bench.responder(1);
                    bench.inbox.offer(bench.start, [(receipt("7"), responder)]);
                }
            });
        }
    });
    bench.settle();
    let consumer = bench.consumer(DEFAULT);
    let events = consumer.next().await;
    let order = events.iter().map(|delivery| match &delivery.event.kind {
        EventKind::Receipt(receipt) => receipt.request.as_ref().map(|about| about.part),
        EventKind::Message(_) | EventKind::Bank(_) => None,
    });
    let order: Vec<_> = order.collect();
    assert_eq!(order, (0..200).map(Some).collect::<Vec<_>>());
}
