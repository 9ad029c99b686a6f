//! Where records are, by their hashes: a table that has all its room from the start, so that it never
//! grows in the middle of traffic, and takes no memory where nothing is.
//!
//! It holds a number for each record and knows neither records nor keys: whoever looks for one says
//! whether it is the record at a place. It must never move what it holds, nor leave traces of what
//! was removed, which a table full of comings and goings would have to clear away some day.
//!
//! ```text
//!  bucket, a line of the processor's cache: place 4 × 12 | tag 1 × 12 | passed 4
//! ```
//!
//! A record stands in its home bucket, or in the first one after it with an empty place; `passed` of
//! a bucket counts those that went on to a later one, so that a look-up ends where none did.

use std::hint::black_box;

/// A bucket: one array of words, because that is what comes from the system as zeros, untouched.
type Bucket = [u32; WORDS];

const WORDS: usize = 16;
const PLACES: usize = 12;
/// Where the word stands that counts those who went on.
const PASSED: usize = 15;

/// Places of a bucket that are taken when the table has as much in it as it is made for. With three
/// quarters, one record in thirty stands in another bucket than its home.
const PLACES_TAKEN: usize = 9;

/// Numbers under hashes.
pub struct Places {
    buckets: Vec<Bucket>,
    len: usize,
}

impl Places {
    /// Empty, with room for `count` records.
    pub fn with_room(count: usize) -> Self {
        Self {
            buckets: vec![[0; WORDS]; count / PLACES_TAKEN + 1],
            len: 0,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What it takes when places are all over it.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&self.buckets[..])
    }

    /// The place with this hash that is the one. `hash` has to be well spread in all its bits.
    pub fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let (bucket, at) = self.seek(hash, is_it)?;
        Some(self.buckets[bucket][at])
    }

    /// Looks at the homes of hashes that are about to be looked for. One after the other they would each
    /// wait for memory; here they wait together.
    pub fn look_ahead(&self, hashes: impl Iterator<Item = u64>) {
        let passed = hashes.fold(0, |all, hash| all | self.buckets[self.home(hash)][PASSED]);
        black_box(passed);
    }

    /// Adds a place that is not there; false if there is no room.
    #[must_use]
    pub fn insert(&mut self, hash: u64, place: u32) -> bool {
        if self.len == self.buckets.len() * PLACES {
            return false;
        }
        self.len += 1;
        let mut bucket = self.home(hash);
        loop {
            if let Some(at) = Tags::of(&self.buckets[bucket]).with(NO_TAG).next() {
                self.buckets[bucket][at] = place;
                set_tag(&mut self.buckets[bucket], at, tag(hash));
                return true;
            }
            self.buckets[bucket][PASSED] += 1;
            bucket = self.after(bucket);
        }
    }

    /// What was at a place is at another one; false if it was not there.
    pub fn replace(&mut self, hash: u64, from: u32, to: u32) -> bool {
        let found = self.seek(hash, |place| place == from);
        if let Some((bucket, at)) = found {
            self.buckets[bucket][at] = to;
        }
        found.is_some()
    }

    /// Takes a place out; false if it is not there.
    pub fn remove(&mut self, hash: u64, place: u32) -> bool {
        let Some((last, at)) = self.seek(hash, |other| other == place) else {
            return false;
        };
        self.len -= 1;
        set_tag(&mut self.buckets[last], at, NO_TAG);
        let mut bucket = self.home(hash);
        while bucket != last {
            self.buckets[bucket][PASSED] -= 1;
            bucket = self.after(bucket);
        }
        true
    }

    /// The bucket, and the place in it.
    fn seek(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<(usize, usize)> {
        let mut bucket = self.home(hash);
        for _ in 0..self.buckets.len() {
            let words = &self.buckets[bucket];
            let found = Tags::of(words).with(tag(hash)).find(|at| is_it(words[*at]));
            if let Some(at) = found {
                return Some((bucket, at));
            }
            if words[PASSED] == 0 {
                return None;
            }
            bucket = self.after(bucket);
        }
        None
    }

    /// By the high bits of the hash; its tag is of the low ones.
    fn home(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.buckets.len() as u128) >> 64) as usize
    }

    fn after(&self, bucket: usize) -> usize {
        match bucket + 1 {
            end if end == self.buckets.len() => 0,
            next => next,
        }
    }
}

/// The tag of an empty place.
const NO_TAG: u8 = 0;

/// Eight bits of a hash, by which most places need not be looked at.
fn tag(hash: u64) -> u8 {
    (hash as u8).max(1)
}

fn set_tag(bucket: &mut Bucket, at: usize, tag: u8) {
    let word = &mut bucket[PLACES + at / 4];
    let shift = 8 * (at % 4);
    *word = *word & !(0xff << shift) | u32::from(tag) << shift;
}

/// The tags of a bucket, all in one number.
#[derive(Clone, Copy)]
struct Tags(u128);

const EACH: u128 = u128::from_le_bytes([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0]);
const LOW_BITS: u128 = EACH * 0x7f;

impl Tags {
    fn of(bucket: &Bucket) -> Self {
        let [.., a, b, c, _] = *bucket;
        Self(u128::from(a) | u128::from(b) << 32 | u128::from(c) << 64)
    }

    /// Where this tag stands.
    fn with(self, tag: u8) -> At {
        // A byte of `other` is zero where the tag is; its highest bit is left where it is not.
        let other = self.0 ^ (EACH * u128::from(tag));
        let is_other = ((other & LOW_BITS) + LOW_BITS) | other;
        At(!is_other & (EACH << 7))
    }
}

/// Places of a bucket, a bit in the byte of each.
struct At(u128);

impl Iterator for At {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let at = self.0.trailing_zeros() as usize / 8;
        self.0 &= self.0.wrapping_sub(1);
        (at < PLACES).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Remove(prop::sample::Index),
        Replace(prop::sample::Index),
    }

    /// Hashes of which many have one home and one tag, and some are the same.
    fn hash() -> impl Strategy<Value = u64> {
        let high = prop_oneof![Just(0), Just(u64::MAX >> 8), any::<u64>()];
        (high, 0..3_u64).prop_map(|(high, low)| high << 8 | low)
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => hash().prop_map(Step::Insert),
            1 => any::<prop::sample::Index>().prop_map(Step::Remove),
            1 => any::<prop::sample::Index>().prop_map(Step::Replace),
        ]
    }

    proptest! {
        #[test]
        fn what_was_inserted_is_found_until_it_is_removed_however_full_it_is(
            room in 0..40_usize,
            steps in prop::collection::vec(step(), 0..120),
        ) {
            let mut places = Places::with_room(room);
            let mut model: Vec<(u64, u32)> = Vec::new();
            for (name, step) in (0..).zip(steps) {
                match step {
                    Step::Insert(hash) => {
                        let has_room = model.len() < places.buckets.len() * PLACES;
                        prop_assert_eq!(places.insert(hash, name), has_room);
                        if has_room {
                            model.push((hash, name));
                        }
                    }
                    Step::Remove(at) if !model.is_empty() => {
                        let (hash, place) = model.swap_remove(at.index(model.len()));
                        prop_assert!(places.remove(hash, place));
                        prop_assert!(!places.remove(hash, place));
                    }
                    Step::Replace(at) if !model.is_empty() => {
                        let at = at.index(model.len());
                        let (hash, place) = model[at];
                        prop_assert!(places.replace(hash, place, name));
                        model[at] = (hash, name);
                    }
                    Step::Remove(_) | Step::Replace(_) => {}
                }
                prop_assert_eq!(places.len(), model.len());
                for (hash, place) in &model {
                    prop_assert_eq!(places.find(*hash, |other| other == *place), Some(*place));
                }
            }
            for (hash, place) in model {
                prop_assert!(places.remove(hash, place));
            }
            prop_assert!(places.is_empty());
            prop_assert!(places.buckets.iter().all(|bucket| bucket[PLACES..].iter().all(|word| *word == 0)));
        }
    }

    #[test]
    fn a_place_takes_some_seven_bytes() {
        let places = Places::with_room(1_000_000);
        assert!(places.bytes() < 7_200_000);
    }
}
