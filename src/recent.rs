//! Records under keys, bounded by number and by age: what may still be asked for, and matters less the
//! longer nobody does.
//!
//! Pure: the time is passed in. It must never hold more than its limit, and never give a record that
//! is too old.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

use crate::aged::{Aged, Queue, Slot};

/// The records. A new one takes the place of the oldest where there is no room.
pub struct Recent<K, V> {
    count_max: usize,
    age_max: Duration,
    slots: HashMap<K, Slot>,
    records: Aged<Record<K, V>>,
}

struct Record<K, V> {
    key: K,
    since: Instant,
    value: V,
}

impl<K: Copy + Eq + Hash, V> Recent<K, V> {
    /// At most so many records, each for so long at most. It takes no memory before the first.
    pub fn new(count_max: usize, age_max: Duration) -> Self {
        Self {
            count_max,
            age_max,
            slots: HashMap::new(),
            records: Aged::with_capacity(0),
        }
    }

    /// Adds a record, in the place of one with the same key.
    pub fn insert(&mut self, now: Instant, key: K, value: V) {
        self.remove(key);
        self.expire(now);
        while self.records.total() >= self.count_max.max(1) {
            self.remove_oldest();
        }
        let record = Record {
            key,
            since: now,
            value,
        };
        if let Ok(slot) = self.records.insert(Queue::Open, record) {
            self.slots.insert(key, slot);
        }
    }

    /// The record of this key, if it is not too old.
    pub fn get_mut(&mut self, now: Instant, key: K) -> Option<&mut V> {
        let slot = *self.slots.get(&key)?;
        let record = self.records.get_mut(slot)?;
        let is_over = now.saturating_duration_since(record.since) >= self.age_max;
        (!is_over).then_some(&mut record.value)
    }

    /// Whether there is a record of this key, be it too old.
    pub fn holds(&self, key: K) -> bool {
        // Nearly always there is none at all.
        !self.slots.is_empty() && self.slots.contains_key(&key)
    }

    /// Takes the record of this key out.
    pub fn remove(&mut self, key: K) -> Option<V> {
        let slot = self.slots.remove(&key)?;
        self.records.remove(slot).map(|record| record.value)
    }

    /// Forgets what is too old.
    pub fn expire(&mut self, now: Instant) {
        while let Some((_, oldest)) = self.records.oldest(Queue::Open)
            && now.saturating_duration_since(oldest.since) >= self.age_max
        {
            self.remove_oldest();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        if !self.slots.is_empty() {
            *self = Self::new(self.count_max, self.age_max);
        }
    }

    fn remove_oldest(&mut self) {
        if let Some((slot, oldest)) = self.records.oldest(Queue::Open) {
            let key = oldest.key;
            self.slots.remove(&key);
            self.records.remove(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE_MAX: Duration = Duration::from_secs(10);

    fn three(now: Instant) -> Recent<u32, &'static str> {
        let mut recent = Recent::new(3, AGE_MAX);
        for (second, key, value) in [(0, 1, "a"), (1, 2, "b"), (2, 3, "c")] {
            recent.insert(now + Duration::from_secs(second), key, value);
        }
        recent
    }

    #[test]
    fn a_record_is_taken_out_once() {
        let now = Instant::now();
        let mut recent = three(now);
        assert_eq!(recent.get_mut(now, 2), Some(&mut "b"));
        assert_eq!(recent.remove(2), Some("b"));
        assert_eq!(recent.remove(2), None);
        assert!(!recent.holds(2) && recent.holds(1));
    }

    #[test]
    fn the_oldest_goes_for_a_new_one_where_there_is_no_room() {
        let now = Instant::now();
        let mut recent = three(now);
        recent.insert(now + Duration::from_secs(3), 4, "d");
        assert_eq!(recent.remove(1), None);
        for (key, value) in [(2, "b"), (3, "c"), (4, "d")] {
            assert_eq!(recent.remove(key), Some(value));
        }
    }

    #[test]
    fn what_is_too_old_is_not_given_and_is_forgotten() {
        let now = Instant::now();
        let mut recent = three(now);
        let late = now + AGE_MAX;
        assert_eq!(recent.get_mut(late, 1), None);
        assert_eq!(recent.get_mut(late, 2), Some(&mut "b"));
        recent.expire(late);
        assert!(!recent.holds(1) && recent.holds(2));
    }

    #[test]
    fn the_same_key_again_takes_the_place_of_the_earlier_one() {
        let now = Instant::now();
        let mut recent = three(now);
        let again = now + Duration::from_secs(9);
        recent.insert(again, 1, "again");
        recent.expire(now + AGE_MAX);
        assert_eq!(recent.get_mut(again, 1), Some(&mut "again"));
        assert!(recent.holds(2) && recent.holds(3));
        recent.clear();
        assert!(!recent.holds(1));
    }
}
