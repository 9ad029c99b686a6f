//! The events of one subscription and the consumers that share them. Pure: time is passed in.
//!
//! ```text
//!   push ──► waiting ──► ready at one consumer ──► acknowledged: gone
//!               ▲               │
//!               └── given back ─┘  not in time, or its consumer is gone; marked redelivered
//! ```
//!
//! The events of one source address are at one consumer at a time, in the order of their ids, also
//! when they are given back. One whose row is still to be written keeps its place: those behind it
//! wait. It must never lose an event that nobody acknowledged, and never hand one over before it is
//! in the store.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::event::{Delivery, Event};

/// All of one subscription.
pub(super) struct Queue {
    redeliver_after: Duration,
    entries: BTreeMap<u64, Entry>,
    sources: HashMap<Bytes, Source>,
    /// Sources with something that waits, and nothing at a consumer.
    free: VecDeque<InLine>,
    next_place: u64,
    consumers: Vec<Consumer>,
    /// Where the search for a consumer with room begins, so that they take turns.
    turn: usize,
    out: usize,
    /// Octets of all entries.
    bytes: usize,
    /// What was handed over, in the order of its deadline.
    deadlines: VecDeque<(Instant, u64)>,
}

struct Entry {
    event: Arc<Event>,
    received_at_ms: i64,
    redelivered: bool,
    is_stored: bool,
    /// When it is given back; `None` while it waits.
    deadline: Option<Instant>,
}

#[derive(Default)]
struct Source {
    /// By id. The source stands in a line exactly while the first of them is stored.
    waiting: VecDeque<u64>,
    /// Its events at the owner.
    out: BTreeSet<u64>,
    owner: Option<u64>,
    /// Its place in the only line that it stands in, or [`NOWHERE`].
    place: u64,
}

/// No place in any line.
const NOWHERE: u64 = 0;

/// A source in a line. One that has got another place since then is passed over: to look for it and
/// take it out would cost as much as the line is long, at each acknowledgement.
struct InLine {
    number: Bytes,
    place: u64,
}

struct Consumer {
    id: u64,
    /// How many more it may be given before it acknowledges.
    credit: u32,
    ready: Vec<Delivery>,
    /// Sources that it owns and that have more.
    more: VecDeque<InLine>,
}

impl Queue {
    pub(super) fn new(redeliver_after: Duration) -> Self {
        Self {
            redeliver_after,
            entries: BTreeMap::new(),
            sources: HashMap::new(),
            free: VecDeque::new(),
            next_place: 1,
            consumers: Vec::new(),
            turn: 0,
            out: 0,
            bytes: 0,
            deadlines: VecDeque::new(),
        }
    }

    /// Adds an event that is in the store. Ids grow as events arrive, and say its place among those
    /// of its source.
    pub(super) fn push(&mut self, delivery: Delivery) {
        self.add(delivery, true);
    }

    /// Keeps the place of an event that is about to be stored.
    pub(super) fn keep_place(&mut self, delivery: Delivery) {
        self.add(delivery, false);
    }

    /// An event whose place was kept is in the store.
    pub(super) fn stored(&mut self, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        entry.is_stored = true;
        let number = entry.event.source.number.clone();
        let source = self.sources.get(&number);
        if source.is_some_and(|source| source.waiting.front() == Some(&id)) {
            self.line_up(number);
        }
    }

    fn add(&mut self, delivery: Delivery, is_stored: bool) {
        let id = delivery.id;
        let number = delivery.event.source.number.clone();
        self.bytes += delivery.event.bytes();
        self.entries.insert(
            id,
            Entry {
                event: delivery.event,
                received_at_ms: delivery.received_at_ms,
                redelivered: delivery.redelivered,
                is_stored,
                deadline: None,
            },
        );
        let source = self.sources.entry(number.clone()).or_default();
        let at = source.waiting.partition_point(|earlier| *earlier < id);
        source.waiting.insert(at, id);
        if at == 0 {
            self.line_up(number);
        }
    }

    /// Puts a source whose first event may be handed over where it will be looked for, and nowhere
    /// else.
    fn line_up(&mut self, number: Bytes) {
        let place = self.next_place;
        let Some(source) = self.sources.get_mut(&number) else {
            return;
        };
        if !first_is_stored(&self.entries, source) {
            source.place = NOWHERE;
            return;
        }
        self.next_place += 1;
        source.place = place;
        let owner = source.owner;
        let in_line = InLine { number, place };
        match owner.and_then(|id| self.consumer(id)) {
            Some(consumer) => consumer.more.push_back(in_line),
            None => self.free.push_back(in_line),
        }
    }

    fn consumer(&mut self, id: u64) -> Option<&mut Consumer> {
        self.consumers.iter_mut().find(|own| own.id == id)
    }

    pub(super) fn attach(&mut self, id: u64, credit: u32) {
        self.consumers.push(Consumer {
            id,
            credit,
            ready: Vec::new(),
            more: VecDeque::new(),
        });
    }

    /// Takes a consumer away and gives back what it did not acknowledge.
    pub(super) fn detach(&mut self, id: u64) {
        let owned: Vec<Bytes> = self
            .sources
            .iter()
            .filter(|(_, source)| source.owner == Some(id))
            .map(|(number, _)| number.clone())
            .collect();
        // Gone first, so that nothing is lined up with it any more.
        self.consumers.retain(|consumer| consumer.id != id);
        for number in owned {
            self.give_back(&number);
        }
    }

    /// Hands over what waits, as far as consumers have room. Gives those that have something new.
    pub(super) fn hand_over(&mut self, now: Instant) {
        for at in 0..self.consumers.len() {
            while self.consumers[at].credit > 0 {
                let Some(next) = self.consumers[at].more.pop_front() else {
                    break;
                };
                self.give(now, at, next);
            }
        }
        while !self.free.is_empty() {
            let count = self.consumers.len();
            let with_room = (0..count)
                .map(|step| (self.turn + step) % count)
                .find(|&at| self.consumers[at].credit > 0);
            let Some(at) = with_room else { break };
            let Some(next) = self.free.pop_front() else {
                break;
            };
            self.turn = at + 1;
            self.give(now, at, next);
            // What else waits of that source belongs to the same consumer now.
            while self.consumers[at].credit > 0 {
                let Some(next) = self.consumers[at].more.pop_front() else {
                    break;
                };
                self.give(now, at, next);
            }
        }
    }

    /// Hands the next event of a source to a consumer that has room.
    fn give(&mut self, now: Instant, at: usize, next: InLine) {
        let consumer = &mut self.consumers[at];
        let source = self.sources.get_mut(&next.number);
        let Some(source) = source.filter(|source| source.place == next.place) else {
            return;
        };
        let Some(id) = source.waiting.pop_front() else {
            return;
        };
        source.owner = Some(consumer.id);
        source.out.insert(id);
        match first_is_stored(&self.entries, source) {
            true => consumer.more.push_back(next),
            false => source.place = NOWHERE,
        }
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let deadline = now + self.redeliver_after;
        entry.deadline = Some(deadline);
        consumer.credit -= 1;
        consumer.ready.push(Delivery {
            id,
            event: Arc::clone(&entry.event),
            received_at_ms: entry.received_at_ms,
            redelivered: entry.redelivered,
        });
        self.out += 1;
        self.deadlines.push_back((deadline, id));
    }

    /// What a consumer has not fetched yet.
    pub(super) fn take_ready(&mut self, consumer: u64) -> Vec<Delivery> {
        self.consumer(consumer)
            .map(|own| std::mem::take(&mut own.ready))
            .unwrap_or_default()
    }

    /// The consumers that have something to fetch.
    pub(super) fn with_ready(&self) -> impl Iterator<Item = u64> + '_ {
        let filled = self.consumers.iter().filter(|own| !own.ready.is_empty());
        filled.map(|own| own.id)
    }

    /// Ends deliveries that are at this consumer; adds the ids that were to `gone`. Nobody
    /// acknowledges what another was given.
    pub(super) fn acknowledge(&mut self, consumer: u64, ids: &[u64], gone: &mut Vec<u64>) {
        for id in ids {
            let Some(entry) = self.entries.get(id) else {
                continue;
            };
            let number = entry.event.source.number.clone();
            let bytes = entry.event.bytes();
            let redelivered = entry.redelivered;
            let Some(source) = self.sources.get_mut(&number) else {
                continue;
            };
            if source.owner != Some(consumer) || !source.out.remove(id) {
                continue;
            }
            let is_done = source.out.is_empty();
            if is_done {
                source.owner = None;
            }
            let has_more = !source.waiting.is_empty();
            self.entries.remove(id);
            self.out -= 1;
            self.bytes -= bytes;
            gone.push(*id);
            if let Some(own) = self.consumer(consumer) {
                own.credit += 1;
                if redelivered {
                    // It may lie ready once more; the late acknowledgement is for both.
                    own.ready.retain(|delivery| delivery.id != *id);
                }
            }
            match (is_done, has_more) {
                (true, true) => self.line_up(number),
                (true, false) => drop(self.sources.remove(&number)),
                (false, _) => {}
            }
        }
    }

    /// Gives back what was not acknowledged in time, with all that is at a consumer of the same
    /// source. Returns how many events that were.
    pub(super) fn expire(&mut self, now: Instant) -> usize {
        let before = self.out;
        while let Some((deadline, id)) = self.deadlines.front().copied() {
            let held = self
                .entries
                .get(&id)
                .filter(|entry| entry.deadline == Some(deadline));
            let number = held.map(|entry| entry.event.source.number.clone());
            match number {
                Some(_) if deadline > now => break,
                Some(number) => self.give_back(&number),
                // Acknowledged meanwhile, or given back and perhaps handed over anew.
                None => {}
            }
            self.deadlines.pop_front();
        }
        before - self.out
    }

    /// Puts what a source has at its consumer in front of what waits, in its order: all of it was
    /// handed over before anything that waits, so its ids are lower.
    fn give_back(&mut self, number: &Bytes) {
        let Some(source) = self.sources.get_mut(number) else {
            return;
        };
        let back = std::mem::take(&mut source.out);
        let owner = source.owner.take();
        for id in back.iter().rev() {
            source.waiting.push_front(*id);
        }
        let has_more = !source.waiting.is_empty();
        for id in &back {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.redelivered = true;
                entry.deadline = None;
            }
        }
        self.out -= back.len();
        if let Some(own) = owner.and_then(|id| self.consumer(id)) {
            own.credit += u32::try_from(back.len()).unwrap_or(u32::MAX);
            own.ready.retain(|delivery| !back.contains(&delivery.id));
        }
        if has_more {
            self.line_up(number.clone());
        }
    }

    /// Events that wait or are unacknowledged.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Octets of these events, as [`Event::bytes`] counts them.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Events at consumers.
    pub(super) fn unacknowledged(&self) -> usize {
        self.out
    }

    pub(super) fn consumers(&self) -> usize {
        self.consumers.len()
    }

    /// When the oldest event came, in milliseconds since 1970.
    pub(super) fn oldest_ms(&self) -> Option<i64> {
        self.entries
            .values()
            .next()
            .map(|entry| entry.received_at_ms)
    }
}

fn first_is_stored(entries: &BTreeMap<u64, Entry>, source: &Source) -> bool {
    let first = source.waiting.front().and_then(|id| entries.get(id));
    first.is_some_and(|entry| entry.is_stored)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap as Map;

    use proptest::prelude::*;

    use super::*;
    use crate::inbox::event::{Address, EventKind, MobileOriginated};

    const REDELIVER: Duration = Duration::from_secs(30);

    fn delivery(id: u64, source: u8) -> Delivery {
        let address = |number: String| Address {
            number: number.into(),
            ton: None,
            npi: None,
        };
        Delivery {
            id,
            event: Arc::new(Event {
                peer: "one".into(),
                link: "one/1".into(),
                source: address(format!("8490{source}")),
                destination: address("8049".to_owned()),
                kind: EventKind::Message(MobileOriginated::default()),
            }),
            received_at_ms: 0,
            redelivered: false,
        }
    }

    fn ids(deliveries: &[Delivery]) -> Vec<u64> {
        deliveries.iter().map(|delivery| delivery.id).collect()
    }

    #[test]
    fn one_source_is_at_one_consumer_at_a_time() {
        let (mut queue, now) = (Queue::new(REDELIVER), Instant::now());
        queue.attach(1, 1);
        queue.attach(2, 10);
        (1..=3).for_each(|id| queue.push(delivery(id, 7)));
        queue.hand_over(now);
        assert_eq!(ids(&queue.take_ready(1)), [1]);
        assert_eq!(ids(&queue.take_ready(2)), [] as [u64; 0]);
        queue.acknowledge(1, &[1], &mut Vec::new());
        queue.hand_over(now);
        assert_eq!(ids(&queue.take_ready(2)), [2, 3]);
    }

    #[test]
    fn what_is_given_back_goes_to_the_front_in_its_order_and_is_marked() {
        let (mut queue, now) = (Queue::new(REDELIVER), Instant::now());
        queue.attach(1, 2);
        (1..=3).for_each(|id| queue.push(delivery(id, 7)));
        queue.hand_over(now);
        queue.detach(1);
        queue.attach(2, 10);
        queue.hand_over(now);
        let again = queue.take_ready(2);
        assert_eq!(ids(&again), [1, 2, 3]);
        let marked: Vec<bool> = again.iter().map(|delivery| delivery.redelivered).collect();
        assert_eq!(marked, [true, true, false]);
    }

    #[test]
    fn what_is_not_stored_yet_keeps_its_place_and_holds_up_its_own_source_alone() {
        let (mut queue, now) = (Queue::new(REDELIVER), Instant::now());
        queue.attach(1, 10);
        queue.push(delivery(1, 7));
        queue.keep_place(delivery(2, 7));
        queue.push(delivery(3, 7));
        queue.push(delivery(4, 8));
        queue.hand_over(now);
        assert_eq!(ids(&queue.take_ready(1)), [1, 4]);
        queue.acknowledge(1, &[1], &mut Vec::new());
        queue.hand_over(now);
        assert_eq!(ids(&queue.take_ready(1)), [] as [u64; 0]);
        queue.stored(2);
        queue.hand_over(now);
        assert_eq!(ids(&queue.take_ready(1)), [2, 3]);
    }

    #[test]
    fn a_place_kept_in_front_of_what_waits_holds_it_up() {
        let (mut queue, now) = (Queue::new(REDELIVER), Instant::now());
        queue.push(delivery(2, 7));
        queue.keep_place(delivery(1, 7));
        queue.attach(1, 10);
        queue.hand_over(now);
        assert_eq!(ids(&queue.take_ready(1)), [] as [u64; 0]);
        queue.stored(1);
        queue.hand_over(now);
        assert_eq!(ids(&queue.take_ready(1)), [1, 2]);
    }

    #[test]
    fn the_octets_of_what_was_acknowledged_are_counted_no_more() {
        let (mut queue, now) = (Queue::new(REDELIVER), Instant::now());
        queue.push(delivery(1, 7));
        let one = queue.bytes();
        queue.push(delivery(2, 7));
        assert!(one > 0 && queue.bytes() == 2 * one);
        queue.attach(1, 10);
        queue.hand_over(now);
        queue.acknowledge(1, &[1, 2], &mut Vec::new());
        assert_eq!(queue.bytes(), 0);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(u8),
        KeepPlace(u8),
        /// The so manieth of those whose place is kept.
        Stored(usize),
        Attach(u64, u32),
        Detach(u64),
        Fetch(u64),
        /// The first so many of what the consumer holds.
        Acknowledge(u64, usize),
        Pass(u64),
        Restart,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..4u8).prop_map(Step::Push),
            2 => (0..4u8).prop_map(Step::KeepPlace),
            3 => any::<usize>().prop_map(Step::Stored),
            1 => (0..3u64, 1..5u32).prop_map(|(id, credit)| Step::Attach(id, credit)),
            1 => (0..3u64).prop_map(Step::Detach),
            3 => (0..3u64).prop_map(Step::Fetch),
            3 => (0..3u64, 1..4usize).prop_map(|(id, count)| Step::Acknowledge(id, count)),
            1 => (1..40u64).prop_map(Step::Pass),
            1 => Just(Step::Restart),
        ]
    }

    /// What the test knows: which consumer fetched what, and what is not acknowledged.
    #[derive(Default)]
    struct Model {
        open: BTreeMap<u64, u8>,
        unstored: BTreeSet<u64>,
        attached: BTreeSet<u64>,
        held: Map<u64, Vec<u64>>,
        fetched: BTreeSet<u64>,
        now_s: u64,
    }

    impl Model {
        /// Every fetch begins, per source, with the oldest event that is not acknowledged and not
        /// at the same consumer already; what was fetched before is marked.
        fn fetch(&mut self, consumer: u64, deliveries: &[Delivery]) {
            for delivery in deliveries {
                let source = self.open[&delivery.id];
                assert!(!self.unstored.contains(&delivery.id), "not stored yet");
                if self.fetched.contains(&delivery.id) {
                    assert!(delivery.redelivered, "{} is not marked", delivery.id);
                }
                let held = self.held.entry(consumer).or_default();
                // What comes again, comes again from here on.
                held.retain(|id| *id < delivery.id || self.open.get(id) != Some(&source));
                let before = self
                    .open
                    .iter()
                    .filter(|(id, of)| **id < delivery.id && **of == source);
                for (earlier, _) in before {
                    assert!(held.contains(earlier), "{} before {earlier}", delivery.id);
                }
                held.push(delivery.id);
                self.fetched.insert(delivery.id);
                for (other, held) in &mut self.held {
                    if *other != consumer {
                        // Its time was over there.
                        held.retain(|id| self.open.get(id) != Some(&source));
                    }
                }
            }
        }
    }

    fn drain(queue: &mut Queue, now: Instant) -> Vec<u64> {
        queue.attach(99, u32::MAX);
        queue.hand_over(now);
        ids(&queue.take_ready(99))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn no_interleaving_loses_an_event_or_breaks_the_order_of_a_source(
            steps in proptest::collection::vec(step(), 1..80)
        ) {
            let start = Instant::now();
            let (mut queue, mut model) = (Queue::new(REDELIVER), Model::default());
            let mut next_id = 0;
            for step in steps {
                let now = start + Duration::from_secs(model.now_s);
                match step {
                    Step::Push(source) => {
                        next_id += 1;
                        model.open.insert(next_id, source);
                        queue.push(delivery(next_id, source));
                    }
                    Step::KeepPlace(source) => {
                        next_id += 1;
                        model.open.insert(next_id, source);
                        model.unstored.insert(next_id);
                        queue.keep_place(delivery(next_id, source));
                    }
                    Step::Stored(which) => {
                        let count = model.unstored.len().max(1);
                        let id = model.unstored.iter().nth(which % count).copied();
                        if let Some(id) = id {
                            model.unstored.remove(&id);
                            queue.stored(id);
                        }
                    }
                    Step::Attach(id, credit) if model.attached.insert(id) => {
                        queue.attach(id, credit);
                    }
                    Step::Detach(id) => {
                        model.attached.remove(&id);
                        model.held.remove(&id);
                        queue.detach(id);
                    }
                    Step::Fetch(id) => {
                        let fetched = queue.take_ready(id);
                        model.fetch(id, &fetched);
                    }
                    Step::Acknowledge(id, count) => {
                        let held = model.held.entry(id).or_default();
                        let acknowledged: Vec<u64> =
                            held.drain(..count.min(held.len())).collect();
                        let mut gone = Vec::new();
                        queue.acknowledge(id, &acknowledged, &mut gone);
                        model.open.retain(|id, _| !gone.contains(id));
                    }
                    Step::Pass(seconds) => {
                        model.now_s += seconds;
                        queue.expire(start + Duration::from_secs(model.now_s));
                    }
                    Step::Restart => {
                        queue = Queue::new(REDELIVER);
                        for (id, source) in &model.open {
                            queue.push(Delivery { redelivered: true, ..delivery(*id, *source) });
                        }
                        model.attached.clear();
                        model.held.clear();
                        model.unstored.clear();
                    }
                    Step::Attach(..) => {}
                }
                queue.hand_over(now);
                prop_assert_eq!(queue.len(), model.open.len());
                let lines = queue.consumers.iter().map(|own| &own.more).chain([&queue.free]);
                let places = lines.flatten().filter(|next| {
                    let source = queue.sources.get(&next.number);
                    source.is_some_and(|source| source.place == next.place)
                });
                let waiting = queue.sources.values().filter(|own| first_is_stored(&queue.entries, own));
                prop_assert_eq!(places.count(), waiting.count(), "each stands in one line");
            }
            model.attached.iter().for_each(|id| queue.detach(*id));
            model.unstored.iter().for_each(|id| queue.stored(*id));
            let mut left = drain(&mut queue, start);
            left.sort_unstable();
            prop_assert_eq!(left, model.open.keys().copied().collect::<Vec<_>>());
        }
    }
}
