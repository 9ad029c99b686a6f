//! The order of the events of one source, as the head of this module's parent promises it.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    task::{Context, Poll, Waker},
};

use proptest::prelude::*;

use super::*;

/// What is ready at a consumer now.
fn ready(consumer: &Consumer) -> Vec<Delivery> {
    match pin!(consumer.next()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(deliveries) => deliveries,
        Poll::Pending => Vec::new(),
    }
}

#[test]
fn a_short_message_does_not_pass_a_long_one_that_was_whole_before_it() {
    let bench = Bench::new(InboxSettings::default());
    let consumer = bench.consumer("");
    let gate = Gate::shut(&bench.store);
    for event in [
        part(9, 2, 1, "a"),
        message("between"),
        part(9, 2, 2, "b"),
        message("after"),
    ] {
        bench
            .inbox
            .offer(bench.start, [(event, bench.responder(1))]);
    }
    gate.open();
    bench.settle();
    assert_eq!(texts(&ready(&consumer)), ["between", "ab", "after"]);
    drop(consumer);
    let again = ready(&bench.consumer(""));
    assert_eq!(texts(&again), ["between", "ab", "after"]);
    let bench = bench.restarted(InboxSettings::default());
    let again = ready(&bench.consumer(""));
    assert_eq!(texts(&again), ["between", "ab", "after"]);
}

#[test]
fn a_message_that_is_given_up_comes_behind_what_arrived_while_it_waited() {
    let bench = Bench::new(InboxSettings::default());
    bench.deliver(1, part(9, 2, 1, "a"));
    bench.deliver(1, message("b"));
    bench.inbox.expire(bench.start + Duration::from_secs(60));
    bench.deliver(1, message("c"));
    assert_eq!(texts(&ready(&bench.consumer(""))), ["b", "a", "c"]);
    let bench = bench.restarted(InboxSettings::default());
    assert_eq!(texts(&ready(&bench.consumer(""))), ["b", "a", "c"]);
}

#[test]
fn a_long_message_keeps_its_place_if_the_process_dies_before_it_is_written() {
    let subscriptions = ["x", "y"].map(|keyword| SubscriptionSettings {
        keywords: vec![keyword.to_owned()],
        ..SubscriptionSettings::named(keyword)
    });
    let both = SubscriptionSettings::named("both");
    let settings = with([&subscriptions[..], &[both]].concat());
    // The rows as such a process leaves them, with as many keys behind a part as it had subscriptions.
    let parts = |reserved: u64| {
        let store = Store::in_memory();
        let events = [
            (1, None, part(9, 2, 1, "x ")),
            (1 + reserved, None, part(9, 2, 2, "y")),
            (1 + 2 * reserved, Some("both"), message("after")),
        ];
        let rows = events.map(|(key, name, event)| Change::Put {
            table: Table::Inbox,
            key,
            value: record::encode(name, 0, &event),
        });
        let (sender, told) = std::sync::mpsc::channel();
        let done = move |result: Result<(), StoreError>| sender.send(result).unwrap();
        store.write(rows.into(), Box::new(done));
        told.recv().unwrap().unwrap();
        let bench = Bench::with(settings.clone(), store, Arc::new(Uncorrelated));
        bench.settle();
        let events = ["x", "both"].map(|name| texts(&ready(&bench.consumer(name))));
        let bench = bench.restarted(settings.clone());
        let again = ["x", "both"].map(|name| texts(&ready(&bench.consumer(name))));
        assert_eq!(events, again);
        events
    };
    assert_eq!(parts(4), [vec!["x y"], vec!["x y", "after"]]);
    // It had fewer subscriptions: there is no place before the next event, and nothing is lost.
    assert_eq!(parts(1), [vec!["x y"], vec!["after", "x y"]]);
}

#[test]
fn what_follows_a_long_message_waits_for_it_while_the_store_refuses_it() {
    let disk = crate::store::tests::Disk::new();
    let bench = Bench::over(disk.store());
    bench.deliver(1, part(9, 2, 1, "a"));
    let gate = Gate::shut(&bench.store);
    for event in [part(9, 2, 2, "b"), message("after")] {
        bench
            .inbox
            .offer(bench.start, [(event, bench.responder(1))]);
    }
    // The commit of these two is the last one that succeeds.
    let (sender, told) = std::sync::mpsc::channel();
    let failing = Arc::clone(&disk);
    let done = move |result: Result<(), StoreError>| {
        failing.fail_after(0);
        sender.send(result).unwrap();
    };
    bench.store.write(Vec::new(), Box::new(done));
    gate.open();
    told.recv().unwrap().unwrap();
    bench.until(|| !bench.store.is_healthy());
    let consumer = bench.consumer("");
    assert_eq!(texts(&ready(&consumer)), [] as [&str; 0]);
    disk.mend();
    bench.until_store_is_healthy();
    bench.inbox.expire(bench.start);
    bench.settle();
    assert_eq!(texts(&ready(&consumer)), ["ab", "after"]);
}

const SOURCES: [&str; 2] = ["84901", "84902"];

fn from(source: usize, event: Event) -> Event {
    Event {
        source: address(SOURCES[source]),
        ..event
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A short message of a source.
    Short(usize),
    /// The next part, in an order of its own, of the long message that a source is sending.
    Part(usize),
    /// Commits stand still, or go on.
    Gate,
    Attach(usize),
    Detach(usize),
    Fetch(usize),
    /// The first so many of what a consumer holds.
    Acknowledge(usize, usize),
    GiveUp,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2usize).prop_map(Step::Short),
        6 => (0..2usize).prop_map(Step::Part),
        3 => Just(Step::Gate),
        1 => (0..2usize).prop_map(Step::Attach),
        1 => (0..2usize).prop_map(Step::Detach),
        3 => (0..2usize).prop_map(Step::Fetch),
        2 => (0..2usize, 1..4usize).prop_map(|(at, count)| Step::Acknowledge(at, count)),
        1 => Just(Step::GiveUp),
        1 => Just(Step::Restart),
    ]
}

/// A long message on its way: its name, and the numbers of the parts that have not come.
struct Long {
    name: String,
    reference: u8,
    total: u8,
    to_come: Vec<u8>,
}

/// A bench, and what is known of what it was given.
struct Play {
    bench: Bench,
    gate: Option<Gate>,
    consumers: [Option<Consumer>; 2],
    /// What each consumer holds: id and name.
    held: [Vec<(u64, String)>; 2],
    /// The names of what has arrived, by source, in that order; those acknowledged are taken out.
    arrived: [Vec<String>; 2],
    long: [Option<Long>; 2],
    next: u8,
}

impl Play {
    fn new() -> Self {
        Self {
            bench: Bench::new(InboxSettings::default()),
            gate: None,
            consumers: [None, None],
            held: Default::default(),
            arrived: Default::default(),
            long: [None, None],
            next: 0,
        }
    }

    fn bring(&mut self, event: Event) {
        let responder = self.bench.responder(1);
        self.bench
            .inbox
            .offer(self.bench.start, [(event, responder)]);
        if self.gate.is_none() {
            self.bench.settle();
        }
    }

    fn short(&mut self, source: usize) {
        self.next += 1;
        let name = format!("s{}", self.next);
        self.bring(from(source, message(&name)));
        self.arrived[source].push(name);
    }

    fn part(&mut self, source: usize) {
        let mut long = self.long[source].take().unwrap_or_else(|| {
            self.next += 1;
            let total = 2 + self.next % 3;
            // Any order will do as long as it is not always that of the numbers.
            let mut to_come: Vec<u8> = (1..=total).collect();
            to_come.rotate_left(usize::from(self.next) % usize::from(total));
            Long {
                name: format!("l{}-", self.next),
                reference: self.next,
                total,
                to_come,
            }
        });
        let number = long.to_come.remove(0);
        // Every part has the name, so that it is read from what arrived of the whole.
        self.bring(from(
            source,
            part(long.reference, long.total, number, &long.name),
        ));
        match long.to_come.is_empty() {
            true => self.arrived[source].push(long.name),
            false => self.long[source] = Some(long),
        }
    }

    fn open_gate(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.open();
        }
        self.bench.settle();
    }

    /// Both sources' unfinished messages, in the order of their first parts, are at an end.
    fn give_up(&mut self) {
        self.open_gate();
        self.bench
            .inbox
            .expire(self.bench.start + Duration::from_secs(3_600));
        self.bench.settle();
        for source in 0..2 {
            if let Some(long) = self.long[source].take() {
                self.arrived[source].push(long.name);
            }
        }
    }

    fn restart(mut self) -> Self {
        self.open_gate();
        let Self {
            bench,
            consumers,
            arrived,
            long,
            next,
            ..
        } = self;
        drop(consumers);
        Self {
            bench: bench.restarted(InboxSettings::default()),
            arrived,
            long,
            next,
            ..Self::new()
        }
    }

    /// What is fetched of a source begins with the oldest that is not acknowledged, or goes on behind
    /// what the consumer holds of it.
    fn fetch(&mut self, at: usize) -> Result<(), TestCaseError> {
        let Some(consumer) = &self.consumers[at] else {
            return Ok(());
        };
        for delivery in ready(consumer) {
            let text = texts(std::slice::from_ref(&delivery)).remove(0);
            let end = text.find('-').map_or(text.len(), |end| end + 1);
            let name = text[..end].to_owned();
            let number = &delivery.event.source.number;
            let source = SOURCES
                .iter()
                .position(|own| own.as_bytes() == number)
                .unwrap();
            let arrived = &self.arrived[source];
            let place = arrived.iter().position(|own| *own == name);
            let Some(place) = place else {
                return Err(TestCaseError::fail(format!(
                    "{name} was acknowledged, or never came"
                )));
            };
            let held = &mut self.held[at];
            let later: BTreeSet<&String> = arrived[place..].iter().collect();
            // What comes again, comes again from here on.
            held.retain(|(_, held)| !later.contains(held));
            for earlier in &arrived[..place] {
                let is_held = held.iter().any(|(_, held)| held == earlier);
                prop_assert!(is_held, "{} came before {}", name, earlier);
            }
            held.push((delivery.id, name));
            let of_source: BTreeSet<&String> = arrived.iter().collect();
            self.held[1 - at].retain(|(_, held)| !of_source.contains(held));
        }
        Ok(())
    }

    fn acknowledge(&mut self, at: usize, count: usize) {
        let Some(consumer) = &self.consumers[at] else {
            return;
        };
        let count = count.min(self.held[at].len());
        for (id, name) in self.held[at].drain(..count) {
            // One whose time was over is not at this consumer any more.
            if consumer.acknowledge(&[id]) == 1 {
                let open = |open: &String| *open != name;
                self.arrived
                    .iter_mut()
                    .for_each(|arrived| arrived.retain(open));
            }
        }
        if self.gate.is_none() {
            self.bench.settle();
        }
    }

    fn step(mut self, step: Step) -> Result<Self, TestCaseError> {
        match step {
            Step::Short(source) => self.short(source),
            Step::Part(source) => self.part(source),
            Step::Gate => match self.gate.is_some() {
                true => self.open_gate(),
                false => self.gate = Some(Gate::shut(&self.bench.store)),
            },
            Step::Attach(at) if self.consumers[at].is_none() => {
                self.consumers[at] = Some(self.bench.consumer(""));
            }
            Step::Attach(_) => {}
            Step::Detach(at) => {
                self.consumers[at] = None;
                self.held[at].clear();
            }
            Step::Fetch(at) => self.fetch(at)?,
            Step::Acknowledge(at, count) => self.acknowledge(at, count),
            Step::GiveUp => self.give_up(),
            Step::Restart => return Ok(self.restart()),
        }
        Ok(self)
    }

    /// Everything that is open comes, each source in its order.
    fn end(mut self) -> Result<(), TestCaseError> {
        self.give_up();
        for at in 0..2 {
            self.consumers[at] = None;
            self.held[at].clear();
        }
        self.consumers[0] = Some(self.bench.consumer(""));
        self.fetch(0)?;
        let mut came: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, name) in &self.held[0] {
            *came.entry(name).or_default() += 1;
        }
        let open: BTreeMap<&str, usize> = self
            .arrived
            .iter()
            .flatten()
            .map(|name| (&**name, 1))
            .collect();
        prop_assert_eq!(came, open);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn events_of_a_source_come_in_the_order_in_which_they_arrived_whatever_happens(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        let mut play = Play::new();
        for step in steps {
            play = play.step(step)?;
        }
        play.end()?;
    }
}
