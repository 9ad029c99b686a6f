//! The rows of one table whose owner keeps them in memory as well and finds them by digests: taken up
//! at the start, written behind the traffic or with it.
//!
//! The key of the digests is a row itself. It must never be used before it is durable: rows whose
//! digests nobody can make again are lost.

use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};

use tracing::{error, warn};

use super::{Change, Store, StoreError, Table};
use crate::{digest::DigestKey, iso8583::session::Now};

/// Under which the key of the digests is stored; rows are numbered from 1.
pub const KEY_NUMBER: u64 = 0;

/// A change of the rows, from a table that does not know where it is stored.
#[derive(Debug, PartialEq, Eq)]
pub enum Stored {
    /// Stores a row, over an earlier one of the same number.
    Put(u64, Vec<u8>),
    /// Removes one.
    Remove(u64),
}

/// Where a table's rows are stored, if they are.
pub struct Rows {
    store: Option<Store>,
    table: Table,
    /// For the log: what is lost with a write behind.
    what: &'static str,
}

/// A table's rows, taken up.
pub struct Opened {
    /// Where its changes go.
    pub rows: Rows,
    /// The key of the digests, made and durable if there was none.
    pub key: DigestKey,
    /// Rows that this version did not write.
    pub unreadable: u64,
}

impl Rows {
    /// Reads what is stored, in the order of the numbers: `restore` takes each row and says whether it
    /// was one. Without a store there is nothing, and nothing will be kept.
    ///
    /// Waits for the store where the key of the digests is new.
    ///
    /// # Errors
    /// The store cannot be read, or the new key not be written.
    pub fn open(
        store: Option<Store>,
        table: Table,
        what: &'static str,
        mut restore: impl FnMut(u64, &[u8], &mut Vec<Stored>) -> bool,
    ) -> Result<Opened, StoreError> {
        let rows = Self { store, table, what };
        let (mut key, mut unreadable) = (None, 0);
        let mut changes = Vec::new();
        if let Some(store) = &rows.store {
            store.load(table, &mut |number, value| {
                if number == KEY_NUMBER {
                    key = value.try_into().ok().map(DigestKey::from_bytes);
                } else if !restore(number, value, &mut changes) {
                    unreadable += 1;
                }
            })?;
        }
        let key = match key {
            Some(key) => {
                rows.write_behind(rows.changes(changes));
                key
            }
            None => {
                let key = DigestKey::random();
                changes.push(Stored::Put(KEY_NUMBER, key.to_bytes().to_vec()));
                rows.write_and_wait(changes)?;
                key
            }
        };
        Ok(Opened {
            rows,
            key,
            unreadable,
        })
    }

    /// Whether a restart finds them again.
    pub fn are_stored(&self) -> bool {
        self.store.is_some()
    }

    /// The changes as the store takes them; none where nothing is stored.
    pub fn changes(&self, stored: Vec<Stored>) -> Vec<Change> {
        if self.store.is_none() {
            return Vec::new();
        }
        let table = self.table;
        let change = |stored| match stored {
            Stored::Put(key, value) => Change::Put { table, key, value },
            Stored::Remove(key) => Change::Remove { table, key },
        };
        stored.into_iter().map(change).collect()
    }

    /// Writes what a crash may forget.
    pub fn write_behind(&self, changes: Vec<Change>) {
        let Some(store) = self.store.as_ref().filter(|_| !changes.is_empty()) else {
            return;
        };
        let what = self.what;
        store.write(
            changes,
            Box::new(move |written| {
                if let Err(error) = written {
                    warn!("{what} are not stored: {error}");
                }
            }),
        );
    }

    /// Only for the start: nothing else waits for this thread then.
    fn write_and_wait(&self, stored: Vec<Stored>) -> Result<(), StoreError> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let (done, written) = mpsc::sync_channel(1);
        store.write(
            self.changes(stored),
            Box::new(move |result| {
                if done.send(result).is_err() {
                    error!("nobody waits for the key of the digests any more");
                }
            }),
        );
        written.recv().unwrap_or(Err(StoreError::Closed))
    }
}

/// Seconds since 1970, as rows hold them; until 2106.
pub fn seconds(now: Now) -> u32 {
    u32::try_from(now.utc.unix_timestamp()).unwrap_or_default()
}

/// Locks a table that every change leaves whole, so that a panic elsewhere does not spoil it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{super::CHANGES_WAITING_MAX, *};

    fn open(store: &Store) -> (DigestKey, Vec<u64>) {
        let mut numbers = Vec::new();
        let restore = |number, _: &[u8], _: &mut Vec<Stored>| {
            numbers.push(number);
            true
        };
        let opened = Rows::open(Some(store.clone()), Table::Receipts, "rows", restore).unwrap();
        (opened.key, numbers)
    }

    /// Keeps the store's thread until what it gives is dropped.
    fn busy(store: &Store) -> mpsc::Sender<()> {
        let (release, held) = mpsc::channel();
        store.write(Vec::new(), Box::new(move |_| assert!(held.recv().is_err())));
        release
    }

    #[test]
    fn a_new_key_of_digests_is_durable_before_anything_depends_on_it() {
        let store = Store::in_memory();
        // The store is busy with another commit when the key comes.
        let release = busy(&store);
        let opening = std::thread::spawn({
            let store = store.clone();
            move || open(&store).0
        });
        drop(release);
        let key = opening.join().unwrap();
        let mut stored = Vec::new();
        let each = &mut |number, value: &[u8]| stored.push((number, value.to_vec()));
        store.load(Table::Receipts, each).unwrap();
        assert_eq!(stored, [(KEY_NUMBER, key.to_bytes().to_vec())]);
        assert_eq!(open(&store), (key, Vec::new()));
    }

    #[test]
    fn a_key_that_cannot_be_written_is_an_error_and_not_a_key() {
        let store = Store::in_memory();
        // The store is busy, and as much waits as may.
        let release = busy(&store);
        let table = Table::Receipts;
        let changes = (0..CHANGES_WAITING_MAX as u64).map(|key| Change::Remove { table, key });
        store.write(changes.collect(), Box::new(drop));
        let restore = |_, _: &[u8], _: &mut Vec<Stored>| true;
        // Its last handle would wait for the store's thread.
        let opened = Rows::open(Some(store.clone()), table, "rows", restore);
        drop(release);
        assert_eq!(opened.err(), Some(StoreError::Full));
    }

    #[test]
    fn a_row_that_is_none_is_counted_and_goes_as_its_owner_says() {
        let store = Store::in_memory();
        open(&store);
        let put = |key| Change::Put {
            table: Table::Receipts,
            key,
            value: vec![1],
        };
        let (done, committed) = mpsc::channel();
        store.write(
            vec![put(1), put(2)],
            Box::new(move |written| done.send(written).unwrap()),
        );
        committed.recv().unwrap().unwrap();
        let restore = |number, _: &[u8], changes: &mut Vec<Stored>| {
            if number == 1 {
                changes.push(Stored::Remove(number));
            }
            number != 1
        };
        let opened = Rows::open(Some(store.clone()), Table::Receipts, "rows", restore).unwrap();
        assert_eq!(opened.unreadable, 1);
        drop(opened);
        // What is written after it is committed after it.
        let (done, committed) = mpsc::channel();
        store.write(
            Vec::new(),
            Box::new(move |written| done.send(written).unwrap()),
        );
        committed.recv().unwrap().unwrap();
        assert_eq!(open(&store).1, [2]);
    }
}
