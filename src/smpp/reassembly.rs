//! The parts of long messages on their way to being whole again, in whatever order they arrive.
//!
//! A pure table: time is passed in, and what a part carries is the caller's own. It holds at most
//! what its [`Limits`] allow, lets go of nothing on its own, and never joins parts of different
//! messages. It must never drop a part: each one given comes back, by itself, with the whole or
//! with what arrived of it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

/// What the parts of one message have in common.
///
/// The total belongs to it because references repeat soon, an 8-bit one after 256 messages: parts
/// of messages of different lengths are told apart by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The SMSC that brings the parts, over whichever of its binds.
    pub scope: Arc<str>,
    /// The sender's number.
    pub source: Bytes,
    /// The number it was sent to.
    pub destination: Bytes,
    /// The reference of the user data header or of sar_msg_ref_num.
    pub reference: u16,
    /// Number of parts.
    pub total: u8,
}

/// How much is held and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most messages that wait for parts.
    pub messages_max: usize,
    /// Most parts that are held over all messages.
    pub parts_max: usize,
    /// How long a message waits for its other parts, counted from its first one.
    pub timeout: Duration,
}

/// What became of a part.
#[derive(Debug, PartialEq, Eq)]
pub enum Added<T> {
    /// It is held until the others arrive.
    Waiting,
    /// It was the last one: all of the message, in the order of its parts.
    Complete(Vec<T>),
    /// A part with its number is held already, and stays. It is the same one sent again, or one of
    /// a later message with the same reference: the caller, who can compare them, decides.
    Duplicate(T),
    /// There is no room for it.
    Full(T),
}

/// Messages that wait for parts.
#[derive(Debug)]
pub struct Assembly<T> {
    limits: Limits,
    messages: HashMap<Key, Message<T>>,
    /// Messages in the order of their arrival, which is that of their deadlines.
    order: BTreeMap<u64, Key>,
    next_arrival: u64,
    parts: usize,
}

#[derive(Debug)]
struct Message<T> {
    arrival: u64,
    deadline: Instant,
    /// Sorted by number. Room is taken for what has arrived alone: a peer that sends one part of
    /// each of many messages of 255 makes the table no larger than its parts.
    parts: Vec<(u8, T)>,
}

impl<T> Assembly<T> {
    /// An empty table.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            messages: HashMap::new(),
            order: BTreeMap::new(),
            next_arrival: 0,
            parts: 0,
        }
    }

    /// Takes the part `number`, from one to the key's total.
    ///
    /// A number that is not within the total, which a peer may well send, makes the part a message
    /// by itself, as does a total of one.
    pub fn add(&mut self, now: Instant, key: Key, number: u8, part: T) -> Added<T> {
        if key.total <= 1 || !(1..=key.total).contains(&number) {
            return Added::Complete(vec![part]);
        }
        let Some(message) = self.messages.get_mut(&key) else {
            return self.begin(now, key, number, part);
        };
        let Err(at) = message.parts.binary_search_by_key(&number, |held| held.0) else {
            return Added::Duplicate(part);
        };
        let completes = message.parts.len() + 1 == usize::from(key.total);
        // The last part is taken even by a full table, because it makes room.
        if !completes && self.parts >= self.limits.parts_max {
            return Added::Full(part);
        }
        message.parts.insert(at, (number, part));
        self.parts += 1;
        match completes {
            true => Added::Complete(self.remove(&key).into_iter().map(|held| held.1).collect()),
            false => Added::Waiting,
        }
    }

    fn begin(&mut self, now: Instant, key: Key, number: u8, part: T) -> Added<T> {
        let has_room =
            self.messages.len() < self.limits.messages_max && self.parts < self.limits.parts_max;
        if !has_room {
            return Added::Full(part);
        }
        let arrival = self.next_arrival;
        self.next_arrival += 1;
        self.parts += 1;
        self.order.insert(arrival, key.clone());
        self.messages.insert(
            key,
            Message {
                arrival,
                deadline: now + self.limits.timeout,
                parts: vec![(number, part)],
            },
        );
        Added::Waiting
    }

    /// A message whose time is over, one per call: what arrived of it, `None` in the place of each
    /// part that did not.
    pub fn take_expired(&mut self, now: Instant) -> Option<(Key, Vec<Option<T>>)> {
        if self.next_deadline()? > now {
            return None;
        }
        self.take_oldest()
    }

    /// The message that has waited the longest, in the same form: to make room, or before a stop.
    pub fn take_oldest(&mut self) -> Option<(Key, Vec<Option<T>>)> {
        let key = self.order.first_key_value()?.1.clone();
        let mut arrived = self.remove(&key).into_iter().peekable();
        let slots = (1..=key.total)
            .map(|number| arrived.next_if(|held| held.0 == number))
            .map(|held| held.map(|(_, part)| part))
            .collect();
        Some((key, slots))
    }

    fn remove(&mut self, key: &Key) -> Vec<(u8, T)> {
        let Some(message) = self.messages.remove(key) else {
            return Vec::new();
        };
        self.order.remove(&message.arrival);
        self.parts -= message.parts.len();
        message.parts
    }

    /// The part that is held under a number, to be compared with a [`Duplicate`](Added::Duplicate).
    pub fn held(&self, key: &Key, number: u8) -> Option<&T> {
        let parts = &self.messages.get(key)?.parts;
        let at = parts.binary_search_by_key(&number, |held| held.0).ok()?;
        parts.get(at).map(|held| &held.1)
    }

    /// When [`take_expired`](Self::take_expired) will have something; `None` while nothing waits.
    pub fn next_deadline(&self) -> Option<Instant> {
        let (_, key) = self.order.first_key_value()?;
        self.messages.get(key).map(|message| message.deadline)
    }

    /// How many messages wait for parts.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// True when no message waits.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// How many parts are held over all messages.
    pub fn parts(&self) -> usize {
        self.parts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::smpp::{
        concatenation::split_header,
        segment::{Segments, Splitting, segments},
        text::{Coding, decode, encode},
    };

    const LIMITS: Limits = Limits {
        messages_max: 10,
        parts_max: 100,
        timeout: Duration::from_secs(60),
    };

    fn key(reference: u16, total: u8) -> Key {
        Key {
            scope: "viettel".into(),
            source: Bytes::from_static(b"84901234567"),
            destination: Bytes::from_static(b"8049"),
            reference,
            total,
        }
    }

    #[test]
    fn parts_in_the_wrong_order_come_out_in_the_right_one() {
        let (mut table, now) = (Assembly::new(LIMITS), Instant::now());
        assert_eq!(table.add(now, key(1, 3), 3, 'c'), Added::Waiting);
        assert_eq!(table.add(now, key(1, 3), 1, 'a'), Added::Waiting);
        let done = table.add(now, key(1, 3), 2, 'b');
        assert_eq!(done, Added::Complete(vec!['a', 'b', 'c']));
        assert!(table.is_empty());
        assert_eq!((table.parts(), table.next_deadline()), (0, None));
    }

    #[test]
    fn messages_that_differ_in_one_thing_alone_are_not_mixed() {
        let (mut table, now) = (Assembly::new(LIMITS), Instant::now());
        let others = [
            key(2, 2),
            key(1, 3),
            Key {
                scope: "mobifone".into(),
                ..key(1, 2)
            },
            Key {
                source: Bytes::from_static(b"84907654321"),
                ..key(1, 2)
            },
            Key {
                destination: Bytes::from_static(b"8050"),
                ..key(1, 2)
            },
        ];
        assert_eq!(table.add(now, key(1, 2), 1, 'a'), Added::Waiting);
        for other in others {
            assert_eq!(table.add(now, other, 2, 'x'), Added::Waiting);
        }
        let done = table.add(now, key(1, 2), 2, 'b');
        assert_eq!(done, Added::Complete(vec!['a', 'b']));
        assert_eq!(table.len(), 5);
    }

    #[test]
    fn a_part_that_is_held_already_goes_back_and_the_held_one_stays() {
        let (mut table, now) = (Assembly::new(LIMITS), Instant::now());
        assert_eq!(table.add(now, key(1, 2), 1, 'a'), Added::Waiting);
        assert_eq!(table.add(now, key(1, 2), 1, 'z'), Added::Duplicate('z'));
        assert_eq!(table.held(&key(1, 2), 1), Some(&'a'));
        assert_eq!(table.held(&key(1, 2), 2), None);
        let done = table.add(now, key(1, 2), 2, 'b');
        assert_eq!(done, Added::Complete(vec!['a', 'b']));
    }

    #[test]
    fn a_message_of_one_part_and_a_number_beyond_the_total_wait_for_nothing() {
        let (mut table, now) = (Assembly::new(LIMITS), Instant::now());
        for (total, number) in [(1, 1), (0, 0), (3, 0), (3, 4)] {
            let done = table.add(now, key(1, total), number, 'a');
            assert_eq!(done, Added::Complete(vec!['a']), "{number} of {total}");
        }
        assert!(table.is_empty());
    }

    #[test]
    fn what_arrived_is_handed_over_with_holes_once_its_time_is_over() {
        let (mut table, start) = (Assembly::new(LIMITS), Instant::now());
        let after = |s| start + Duration::from_secs(s);
        assert_eq!(table.add(start, key(1, 3), 3, 'c'), Added::Waiting);
        assert_eq!(table.add(after(1), key(2, 2), 1, 'x'), Added::Waiting);
        assert_eq!(table.add(after(59), key(1, 3), 1, 'a'), Added::Waiting);
        assert_eq!(table.next_deadline(), Some(after(60)));
        assert_eq!(table.take_expired(after(59)), None);
        let first = (key(1, 3), vec![Some('a'), None, Some('c')]);
        assert_eq!(table.take_expired(after(60)), Some(first));
        assert_eq!(table.take_expired(after(60)), None);
        let second = (key(2, 2), vec![Some('x'), None]);
        assert_eq!(table.take_expired(after(61)), Some(second));
        assert!(table.is_empty());
        assert_eq!(table.parts(), 0);
    }

    #[test]
    fn a_full_table_gives_the_part_back_but_takes_the_last_one_of_a_message() {
        let limits = Limits {
            messages_max: 2,
            parts_max: 3,
            ..LIMITS
        };
        let (mut table, now) = (Assembly::new(limits), Instant::now());
        assert_eq!(table.add(now, key(1, 2), 1, 'a'), Added::Waiting);
        assert_eq!(table.add(now, key(2, 3), 1, 'x'), Added::Waiting);
        assert_eq!(table.add(now, key(3, 2), 1, 'n'), Added::Full('n'));
        assert_eq!(table.add(now, key(2, 3), 2, 'y'), Added::Waiting);
        let done = table.add(now, key(1, 2), 2, 'b');
        assert_eq!(done, Added::Complete(vec!['a', 'b']));
        assert_eq!(table.add(now, key(3, 3), 1, 'n'), Added::Waiting);
        assert_eq!(table.add(now, key(3, 3), 2, 'o'), Added::Full('o'));
        let oldest = (key(2, 3), vec![Some('x'), Some('y'), None]);
        assert_eq!(table.take_oldest(), Some(oldest));
        assert_eq!(table.add(now, key(3, 3), 2, 'o'), Added::Waiting);
    }

    /// Places of the parts of a message in an order of arrival, each at least once.
    fn arrivals(total: usize) -> impl Strategy<Value = Vec<usize>> {
        let again = proptest::collection::vec(0..total, 0..total + 3);
        again.prop_flat_map(move |again| {
            let all: Vec<usize> = (0..total).chain(again).collect();
            Just(all).prop_shuffle()
        })
    }

    fn texts() -> impl Strategy<Value = (String, Vec<usize>)> {
        "[a-zé€\\[фđ😀]{161,600}".prop_flat_map(|text| {
            let encoded = encode(&text, Coding::Automatic).unwrap();
            let total = segments(&encoded, Splitting::Udh16, || 900)
                .unwrap()
                .parts();
            (Just(text.clone()), arrivals(total))
        })
    }

    proptest! {
        #[test]
        fn any_order_of_the_parts_with_any_of_them_repeated_gives_the_text((text, order) in texts()) {
            let encoded = encode(&text, Coding::Automatic).unwrap();
            let Segments::Headed(parts) = segments(&encoded, Splitting::Udh16, || 900).unwrap() else {
                panic!("a text of more than 160 characters has parts");
            };
            let (mut table, now) = (Assembly::new(LIMITS), Instant::now());
            let mut whole = None;
            for at in order {
                let (found, data) = split_header(&parts[at]).unwrap();
                let found = found.unwrap();
                match table.add(now, key(found.reference, found.total), found.number, data) {
                    Added::Complete(parts) => {
                        whole = Some(parts);
                        break;
                    }
                    Added::Duplicate(data) => {
                        let key = key(found.reference, found.total);
                        prop_assert_eq!(table.held(&key, found.number), Some(&data));
                    }
                    Added::Waiting => {}
                    Added::Full(_) => prop_assert!(false, "there is room for one message"),
                }
            }
            let joined = whole.unwrap().concat();
            let read = decode(encoded.data_coding, &joined);
            prop_assert_eq!(read.as_ref(), Some(&text));
            prop_assert!(table.is_empty());
        }

        /// Every part goes in with its own name and is found again exactly once.
        #[test]
        fn no_part_is_lost_and_the_limits_hold(
            given in proptest::collection::vec((0..4u16, 0..5u8, 0..6u8, 0..200u64), 0..200),
        ) {
            let limits = Limits { messages_max: 5, parts_max: 8, ..LIMITS };
            let (mut table, mut now) = (Assembly::new(limits), Instant::now());
            let mut back = Vec::new();
            for (name, (reference, total, number, pause_s)) in given.iter().copied().enumerate() {
                now += Duration::from_secs(pause_s / 10);
                while let Some((_, parts)) = table.take_expired(now) {
                    back.extend(parts.into_iter().flatten());
                }
                match table.add(now, key(reference, total), number, name) {
                    Added::Waiting => {}
                    Added::Complete(parts) => back.extend(parts),
                    Added::Duplicate(part) | Added::Full(part) => back.push(part),
                }
                prop_assert!(table.len() <= limits.messages_max);
                prop_assert!(table.parts() <= limits.parts_max);
                prop_assert!(table.next_deadline().is_none_or(|deadline| deadline > now));
            }
            while let Some((_, parts)) = table.take_oldest() {
                back.extend(parts.into_iter().flatten());
            }
            back.sort_unstable();
            prop_assert_eq!(back, (0..given.len()).collect::<Vec<_>>());
            prop_assert_eq!(table.parts(), 0);
        }
    }
}
