//! What may occur once only: names, prefixes, hashes of secrets.

use std::collections::BTreeMap;

use super::reader::Item;

/// What is taken already, each with the line where.
pub(super) struct Taken<K>(BTreeMap<K, usize>);

impl<K> Default for Taken<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Taken<K> {
    /// Takes a key unless it is gone, which is a fault of the item. `shown` is what the fault calls
    /// it.
    pub(super) fn take(&mut self, key: K, shown: &str, item: &Item<'_>) -> bool {
        let line = item.place().line();
        let Some(before) = self.0.get(&key) else {
            self.0.insert(key, line);
            return true;
        };
        item.fault(format!("{shown} is taken already in line {before}"), None);
        false
    }
}
