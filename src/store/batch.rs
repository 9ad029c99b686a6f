//! Changes of one table whose values lie in one piece of memory: made by one thread and written by another,
//! thousands of small pieces would cost both more than their content does.

use std::ops::Range;

use super::{Table, segment::Entry};

/// Changes of a table, in their order.
pub struct Batch {
    pub(super) table: Table,
    changes: Vec<(u64, Kind)>,
    values: Vec<u8>,
}

enum Kind {
    Put(Range<usize>),
    Remove,
}

impl Batch {
    /// No change yet, and room for so many with values of usual size.
    pub fn with_capacity(table: Table, changes: usize) -> Self {
        const USUAL_VALUE_BYTES: usize = 512;
        Self {
            table,
            changes: Vec::with_capacity(changes),
            values: Vec::with_capacity(changes * USUAL_VALUE_BYTES),
        }
    }

    /// Stores the value that `write` appends, over an earlier one of the same key.
    ///
    /// # Errors
    /// Those of `write`; the batch is of no use then.
    pub fn put<E>(
        &mut self,
        key: u64,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.values.len();
        write(&mut self.values)?;
        let value = start..self.values.len();
        self.changes.push((key, Kind::Put(value)));
        Ok(())
    }

    /// Removes a value; one that is not there is no fault.
    pub fn remove(&mut self, key: u64) {
        self.changes.push((key, Kind::Remove));
    }

    /// How many changes there are.
    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    /// Bytes of the values.
    pub(super) fn bytes(&self) -> usize {
        self.values.len()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.changes.iter().map(|(key, kind)| match kind {
            Kind::Put(value) => Entry::Put {
                key: *key,
                value: self.values.get(value.clone()).unwrap_or_default(),
            },
            Kind::Remove => Entry::Remove { key: *key },
        })
    }
}
