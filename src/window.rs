//! The table of requests in flight on one connection: what was sent, under which number, and when
//! its time is up.
//!
//! The caller chooses the key (an SMPP sequence number, a bank's STAN) and passes the time in. A
//! request is registered before its first byte can leave, a key in flight is never overwritten, and
//! each entry leaves exactly once: taken by its answer, by its timeout, or by the end of the
//! connection. The table does no I/O, holds no clock, and never grows beyond its capacity.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    time::Instant,
};

/// The largest window of a connection. Beyond it a lost link leaves more unknown outcomes than
/// anybody wants to look into.
pub const WINDOW_MAX: u32 = 65_536;

/// The end of the list of slots.
const NONE: u32 = u32::MAX;

/// Finds the slot of a key.
///
/// Two kinds exist because the two protocols choose their keys differently: see [`Ring`] and
/// [`Keyed`].
pub trait Index {
    /// What names a request in flight.
    type Key: Copy + Eq;

    /// An index for a table of so many slots.
    fn with_slots(slots: u32) -> Self;
    /// The slot that a new request with this key must take; `None` if any free one will do.
    fn place(&self, key: Self::Key) -> Option<u32>;
    /// The slot in which the request with this key would be.
    fn find(&self, key: Self::Key) -> Option<u32>;
    /// A request has taken this slot.
    fn taken(&mut self, key: Self::Key, slot: u32);
    /// The request has left its slot.
    fn left(&mut self, key: Self::Key);
    /// Slots needed for a window of this size.
    fn slots_for(window: u32) -> u32;
}

/// For consecutive numbers: the slot is the number's low bits, the full number its guard.
///
/// Twice as many slots as the window has room for, so that a request which is answered late blocks
/// one number per turn of the ring and not the window.
#[derive(Debug)]
pub struct Ring {
    mask: u32,
}

impl Index for Ring {
    type Key = u32;

    fn with_slots(slots: u32) -> Self {
        Self { mask: slots - 1 }
    }

    fn place(&self, key: u32) -> Option<u32> {
        Some(key & self.mask)
    }

    fn find(&self, key: u32) -> Option<u32> {
        Some(key & self.mask)
    }

    fn taken(&mut self, _key: u32, _slot: u32) {}

    fn left(&mut self, _key: u32) {}

    fn slots_for(window: u32) -> u32 {
        window.next_power_of_two() * 2
    }
}

/// For keys that somebody else hands out, such as the STANs that all links of a bank share.
#[derive(Debug)]
pub struct Keyed<K> {
    slots: HashMap<K, u32, Seed>,
}

/// Hashes keys by a multiplication for eight octets.
///
/// No peer chooses the keys of exchanges: those that are inserted are Sampan's own or a caller's, and
/// the seed keeps a caller from making some that meet. The standard hasher would cost more than all
/// else that the window does.
#[derive(Debug)]
pub struct Folded(u64);

impl Folded {
    fn fold(&mut self, number: u64) {
        /// 2^64 by the golden ratio, which spreads numbers that follow each other.
        const SPREAD: u128 = 0x9E37_79B9_7F4A_7C15;
        let product = u128::from(self.0.rotate_left(23) ^ number) * SPREAD;
        // Both halves, because a table looks at the lowest bits and at the highest.
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(size_of::<u64>()) {
            let word = chunk
                .iter()
                .fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.fold(word);
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.fold(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.fold(number);
    }

    fn write_isize(&mut self, number: isize) {
        self.fold(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A seed for each table.
#[derive(Debug)]
pub struct Seed(u64);

/// Another one each time.
impl Default for Seed {
    fn default() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }
}

impl BuildHasher for Seed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(self.0)
    }
}

impl<K: Copy + Eq + Hash> Index for Keyed<K> {
    type Key = K;

    fn with_slots(slots: u32) -> Self {
        Self {
            slots: HashMap::with_capacity_and_hasher(slots as usize, Seed::default()),
        }
    }

    fn place(&self, _key: K) -> Option<u32> {
        None
    }

    fn find(&self, key: K) -> Option<u32> {
        self.slots.get(&key).copied()
    }

    fn taken(&mut self, key: K, slot: u32) {
        self.slots.insert(key, slot);
    }

    fn left(&mut self, key: K) {
        self.slots.remove(&key);
    }

    fn slots_for(window: u32) -> u32 {
        window
    }
}

/// Requests in flight, oldest first.
///
/// All of them have the same time limit, so the order in which they were sent is the order in which
/// they expire, and a list through the slots is the deadline queue.
pub struct Window<I: Index, P> {
    index: I,
    slots: Vec<Slot<I::Key, P>>,
    /// Head of the list of free slots; not used where the key decides the slot.
    free: u32,
    oldest: u32,
    newest: u32,
    in_flight: u32,
    capacity: u32,
}

enum Slot<K, P> {
    Free { next: u32 },
    Busy(Entry<K, P>),
}

struct Entry<K, P> {
    key: K,
    deadline: Instant,
    older: u32,
    newer: u32,
    pending: P,
}

/// Why a request could not be registered; it comes back to the caller.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused<P> {
    /// The window is full.
    Full(P),
    /// A request with this key, or in this key's slot, is in flight: take another key.
    Busy(P),
}

impl<I: Index, P> Window<I, P> {
    /// A window for so many requests in flight; at least 1, at most [`WINDOW_MAX`].
    pub fn new(capacity: u32) -> Self {
        let capacity = capacity.clamp(1, WINDOW_MAX);
        let count = I::slots_for(capacity);
        let slots = (0..count)
            .map(|slot| Slot::Free {
                next: if slot + 1 < count { slot + 1 } else { NONE },
            })
            .collect();
        Self {
            index: I::with_slots(count),
            slots,
            free: 0,
            oldest: NONE,
            newest: NONE,
            in_flight: 0,
            capacity,
        }
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// How many more may be sent now.
    pub fn room(&self) -> u32 {
        self.capacity - self.in_flight
    }

    /// Whether a request with this key could be registered, as far as the key is concerned.
    pub fn is_vacant(&self, key: I::Key) -> bool {
        match self.index.place(key) {
            Some(slot) => matches!(self.slots.get(slot as usize), Some(Slot::Free { .. })),
            None => self.index.find(key).is_none(),
        }
    }

    /// Registers a request. Its deadline must not be before that of the one registered last.
    pub fn insert(&mut self, key: I::Key, deadline: Instant, pending: P) -> Result<(), Refused<P>> {
        if self.room() == 0 {
            return Err(Refused::Full(pending));
        }
        if !self.is_vacant(key) {
            return Err(Refused::Busy(pending));
        }
        let slot = match self.index.place(key) {
            Some(slot) => slot,
            None => self.take_free(),
        };
        let entry = Entry {
            key,
            deadline,
            older: self.newest,
            newer: NONE,
            pending,
        };
        if let Some(newest) = self.entry_mut(self.newest) {
            newest.newer = slot;
        } else {
            self.oldest = slot;
        }
        self.newest = slot;
        self.slots[slot as usize] = Slot::Busy(entry);
        self.index.taken(key, slot);
        self.in_flight += 1;
        Ok(())
    }

    /// Takes the request with this key out, if it is in flight.
    pub fn take(&mut self, key: I::Key) -> Option<P> {
        let slot = self.index.find(key)?;
        match self.slots.get(slot as usize) {
            Some(Slot::Busy(entry)) if entry.key == key => self.remove(slot).map(|(_, p)| p),
            _ => None,
        }
    }

    /// The request with this key, if it is in flight.
    pub fn get(&self, key: I::Key) -> Option<&P> {
        let slot = self.index.find(key)?;
        match self.slots.get(slot as usize) {
            Some(Slot::Busy(entry)) if entry.key == key => Some(&entry.pending),
            _ => None,
        }
    }

    /// The same, to note what is known only after it was registered.
    pub fn get_mut(&mut self, key: I::Key) -> Option<&mut P> {
        let slot = self.index.find(key)?;
        match self.slots.get_mut(slot as usize) {
            Some(Slot::Busy(entry)) if entry.key == key => Some(&mut entry.pending),
            _ => None,
        }
    }

    /// When the oldest request's time is up.
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.slots.get(self.oldest as usize) {
            Some(Slot::Busy(entry)) => Some(entry.deadline),
            _ => None,
        }
    }

    /// Takes out the oldest request if its time is up. To be called until it gives none.
    pub fn take_expired(&mut self, now: Instant) -> Option<(I::Key, P)> {
        if self.next_deadline()? > now {
            return None;
        }
        self.remove(self.oldest)
    }

    /// Takes out the oldest request, whatever its deadline: the connection has ended.
    pub fn take_oldest(&mut self) -> Option<(I::Key, P)> {
        self.remove(self.oldest)
    }

    fn entry_mut(&mut self, slot: u32) -> Option<&mut Entry<I::Key, P>> {
        match self.slots.get_mut(slot as usize) {
            Some(Slot::Busy(entry)) => Some(entry),
            _ => None,
        }
    }

    /// The first free slot. There is one, because there are as many slots as the window has room.
    fn take_free(&mut self) -> u32 {
        let slot = self.free;
        if let Some(Slot::Free { next }) = self.slots.get(slot as usize) {
            self.free = *next;
        }
        slot
    }

    fn remove(&mut self, slot: u32) -> Option<(I::Key, P)> {
        let place = self.slots.get_mut(slot as usize)?;
        if matches!(place, Slot::Free { .. }) {
            return None;
        }
        let vacated = std::mem::replace(place, Slot::Free { next: self.free });
        let Slot::Busy(entry) = vacated else {
            return None;
        };
        if self.index.place(entry.key).is_none() {
            self.free = slot;
        }
        match self.entry_mut(entry.older) {
            Some(older) => older.newer = entry.newer,
            None => self.oldest = entry.newer,
        }
        match self.entry_mut(entry.newer) {
            Some(newer) => newer.older = entry.older,
            None => self.newest = entry.older,
        }
        self.index.left(entry.key);
        self.in_flight -= 1;
        Some((entry.key, entry.pending))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn an_answer_takes_its_request_out_once() {
        let now = Instant::now();
        let mut window = Window::<Ring, _>::new(10);
        window.insert(1, now, "a").unwrap();
        assert_eq!(window.take(1), Some("a"));
        assert_eq!(window.take(1), None);
        assert_eq!(window.in_flight(), 0);
    }

    #[test]
    fn a_number_that_only_shares_the_low_bits_matches_nothing() {
        let now = Instant::now();
        let mut window = Window::<Ring, _>::new(4);
        window.insert(1, now, "a").unwrap();
        assert_eq!(window.take(1 + 8), None);
        assert_eq!(window.take(1), Some("a"));
    }

    #[test]
    fn a_key_in_flight_is_never_overwritten() {
        let now = Instant::now();
        let mut ring = Window::<Ring, _>::new(4);
        ring.insert(1, now, "a").unwrap();
        assert_eq!(ring.insert(9, now, "b"), Err(Refused::Busy("b")));
        assert_eq!(ring.take(1), Some("a"));

        let mut keyed = Window::<Keyed<u64>, _>::new(4);
        keyed.insert(123_456, now, "a").unwrap();
        assert_eq!(keyed.insert(123_456, now, "b"), Err(Refused::Busy("b")));
        assert_eq!(keyed.take(123_456), Some("a"));
    }

    #[test]
    fn a_full_window_gives_the_request_back() {
        let now = Instant::now();
        let mut window = Window::<Ring, _>::new(2);
        window.insert(1, now, "a").unwrap();
        window.insert(2, now, "b").unwrap();
        assert_eq!(window.insert(3, now, "c"), Err(Refused::Full("c")));
        assert_eq!(window.room(), 0);
    }

    #[test]
    fn only_what_is_due_expires_and_the_oldest_first() {
        let now = Instant::now();
        let mut window = Window::<Ring, _>::new(4);
        for (key, name) in [(1, "a"), (2, "b"), (3, "c")] {
            window.insert(key, at(now, u64::from(key)), name).unwrap();
        }
        window.take(1);
        assert_eq!(window.next_deadline(), Some(at(now, 2)));
        assert_eq!(window.take_expired(at(now, 1)), None);
        assert_eq!(window.take_expired(at(now, 2)), Some((2, "b")));
        assert_eq!(window.take_expired(at(now, 2)), None);
        assert_eq!(window.take_oldest(), Some((3, "c")));
        assert_eq!(window.take_oldest(), None);
    }

    /// What a test does to a window, with keys few enough to collide.
    #[derive(Clone, Debug)]
    enum Step {
        Insert(u32),
        Take(u32),
        Expire(u64),
        TakeOldest,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0u32..40).prop_map(Step::Insert),
            3 => (0u32..40).prop_map(Step::Take),
            1 => (0u64..200).prop_map(Step::Expire),
            1 => Just(Step::TakeOldest),
        ];
        proptest::collection::vec(step, 0..200)
    }

    /// A list of (key, deadline, pending), oldest first: slow, and plainly right.
    #[derive(Default)]
    struct Model(Vec<(u32, Instant, usize)>);

    impl Model {
        fn take(&mut self, key: u32) -> Option<usize> {
            let at = self.0.iter().position(|(own, ..)| *own == key)?;
            Some(self.0.remove(at).2)
        }

        fn take_oldest_if(&mut self, due: impl Fn(Instant) -> bool) -> Option<(u32, usize)> {
            let (key, deadline, pending) = *self.0.first()?;
            due(deadline).then(|| self.0.remove(0))?;
            Some((key, pending))
        }
    }

    fn agrees_with_a_plain_list<I>(capacity: u32, steps: Vec<Step>, collides: fn(u32, u32) -> bool)
    where
        I: Index,
        I::Key: From<u32> + std::fmt::Debug,
    {
        let start = Instant::now();
        let mut window = Window::<I, usize>::new(capacity);
        let mut model = Model::default();
        for (moment, step) in steps.into_iter().enumerate() {
            match step {
                Step::Insert(key) => {
                    let deadline = at(start, moment as u64);
                    let expected = if model.0.len() == capacity as usize {
                        Err(Refused::Full(moment))
                    } else if model.0.iter().any(|(own, ..)| collides(*own, key)) {
                        Err(Refused::Busy(moment))
                    } else {
                        model.0.push((key, deadline, moment));
                        Ok(())
                    };
                    assert_eq!(window.insert(key.into(), deadline, moment), expected);
                }
                Step::Take(key) => assert_eq!(window.take(key.into()), model.take(key)),
                Step::Expire(ms) => {
                    let now = at(start, ms);
                    let expected = model.take_oldest_if(|deadline| deadline <= now);
                    let expected = expected.map(|(key, pending)| (key.into(), pending));
                    assert_eq!(window.take_expired(now), expected);
                }
                Step::TakeOldest => {
                    let expected = model.take_oldest_if(|_| true);
                    let expected = expected.map(|(key, pending)| (key.into(), pending));
                    assert_eq!(window.take_oldest(), expected);
                }
            }
            assert_eq!(window.in_flight() as usize, model.0.len());
            assert_eq!(window.next_deadline(), model.0.first().map(|(_, d, _)| *d));
        }
    }

    #[test]
    fn keys_that_follow_each_other_are_spread_over_the_whole_of_a_table() {
        let hash = |key: u32| {
            let mut hasher = Folded(7);
            1isize.hash(&mut hasher);
            hasher.write(format!("{key:06}").as_bytes());
            hasher.finish()
        };
        for places in [|hash: u64| hash & 0xFF, |hash: u64| hash >> 56] {
            let taken: std::collections::HashSet<u64> = (0..1_024).map(hash).map(places).collect();
            assert!(taken.len() > 200, "{} of 256 places", taken.len());
        }
    }

    proptest! {
        #[test]
        fn a_ring_window_does_what_a_plain_list_does(steps in steps()) {
            // A window of 5 has 16 slots, so keys 16 apart share one.
            agrees_with_a_plain_list::<Ring>(5, steps, |a, b| a % 16 == b % 16);
        }

        #[test]
        fn a_keyed_window_does_what_a_plain_list_does(steps in steps()) {
            agrees_with_a_plain_list::<Keyed<u32>>(5, steps, |a, b| a == b);
        }
    }
}
