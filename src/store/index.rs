//! Which segment of a table's log holds the live row of each key.
//!
//! Keys are given in rising order and mostly die in it, so they are kept in short runs: a run costs
//! some five bytes a key while its keys live side by side, and goes with its last one. No part of it
//! is ever copied because it has grown.

use std::collections::BTreeMap;

/// Keys of one run. Longer runs would waste more on a key that outlives its neighbours.
const RUN: usize = 64;

/// A segment's number; the lowest 32 bits of it, because far fewer are there at a time.
pub(super) type SegmentTag = u32;

/// Key to segment.
#[derive(Default)]
pub(super) struct Index {
    runs: BTreeMap<u64, Run>,
    len: u64,
}

/// The keys from a multiple of [`RUN`] on.
struct Run {
    /// Which of them there are.
    present: u64,
    segments: [SegmentTag; RUN],
}

impl Index {
    /// How many keys there are.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn get(&self, key: u64) -> Option<SegmentTag> {
        let (first, place) = split(key);
        self.runs.get(&first)?.get(place)
    }

    /// Notes where a key is now; tells where it was.
    pub(super) fn insert(&mut self, key: u64, segment: SegmentTag) -> Option<SegmentTag> {
        let (first, place) = split(key);
        let run = self.runs.entry(first).or_insert(Run {
            present: 0,
            segments: [0; RUN],
        });
        let before = run.get(place);
        run.present |= 1 << place;
        if let Some(slot) = run.segments.get_mut(place) {
            *slot = segment;
        }
        self.len += u64::from(before.is_none());
        before
    }

    /// Forgets a key; tells where it was.
    pub(super) fn remove(&mut self, key: u64) -> Option<SegmentTag> {
        let (first, place) = split(key);
        let run = self.runs.get_mut(&first)?;
        let before = run.get(place)?;
        run.present &= !(1 << place);
        if run.present == 0 {
            self.runs.remove(&first);
        }
        self.len -= 1;
        Some(before)
    }

    /// The lowest key.
    pub(super) fn first(&self) -> Option<u64> {
        let (first, run) = self.runs.first_key_value()?;
        Some(first + u64::from(run.present.trailing_zeros()))
    }
}

impl Run {
    fn get(&self, place: usize) -> Option<SegmentTag> {
        let is_present = self.present >> place & 1 == 1;
        self.segments.get(place).copied().filter(|_| is_present)
    }
}

/// The first key of a key's run, and its place in it.
fn split(key: u64) -> (u64, usize) {
    let place = key % RUN as u64;
    (key - place, place as usize)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_a_plain_map_holds(
            changes in prop::collection::vec((0_u64..300, prop::option::of(any::<u32>())), 0..400),
        ) {
            let (mut index, mut plain) = (Index::default(), BTreeMap::new());
            for (key, segment) in changes {
                let (before, expected) = match segment {
                    Some(segment) => (index.insert(key, segment), plain.insert(key, segment)),
                    None => (index.remove(key), plain.remove(&key)),
                };
                prop_assert_eq!(before, expected);
                prop_assert_eq!(index.len(), plain.len() as u64);
                prop_assert_eq!(index.first(), plain.keys().next().copied());
                prop_assert_eq!(index.get(key), segment);
            }
        }
    }

    #[test]
    fn the_highest_keys_are_keys_like_others() {
        let mut index = Index::default();
        assert_eq!(index.insert(u64::MAX, 7), None);
        assert_eq!(
            (index.get(u64::MAX), index.first()),
            (Some(7), Some(u64::MAX))
        );
        assert_eq!(index.remove(u64::MAX), Some(7));
        assert_eq!((index.len(), index.first()), (0, None));
    }
}
