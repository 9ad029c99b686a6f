//! The journal in a file: sealed rows in a store of their own.
//!
//! It must never say that rows are durable before the commit that holds them was synced, never start
//! on a file of which it cannot read every row, and never skip one: each is money that somebody owes.

#[cfg(test)]
mod tests;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
};

use tracing::{error, info};

use super::{
    Done, JournalError, JournalSettings, Kept, Row, RowChange,
    read::{Found, Reader},
    record::{self, Meta},
    seal::{RowFault, Sealer},
};
use crate::{
    digest::DigestKey,
    metrics::StoreMetrics,
    store::{self, Batch, Change, Purpose, Store, StoreError, Table},
};

/// The row of the journal itself. Payments have the numbers behind it.
pub(super) const META: u64 = 0;

/// Numbers that are reserved ahead. So many are not used when a router starts anew.
const NUMBERS_RESERVED: u64 = 65_536;

/// Rows that are sealed anew in one write when the key has changed.
const RESEALED_PER_WRITE: usize = 4_096;

/// Why the journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its file cannot be opened.
    #[error(transparent)]
    File(#[from] store::OpenError),
    /// Its file was opened and cannot be read.
    #[error("journal.path: {path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the store said.
        source: StoreError,
    },
    /// A record cannot be read.
    #[error(
        "journal.path: record {number} of {path} {fault}. Nothing was started and nothing changed, \
         because an unreadable record may be a debit that nobody takes back; `sampan journal verify` \
         names all such records"
    )]
    Record {
        /// The file.
        path: String,
        /// The row; 0 is the journal's own.
        number: u64,
        /// What is wrong with it.
        fault: RowFault,
    },
    /// A new journal cannot be written.
    #[error("journal.path: {path}: {source}")]
    Unwritable {
        /// The file.
        path: String,
        /// Why.
        source: JournalError,
    },
    /// No key can be made without it.
    #[error("the system gives no randomness, without which the journal cannot be encrypted")]
    Randomness,
}

/// What a journal held when it was opened.
pub struct Recovered {
    /// The payments with their numbers, in rising order.
    pub records: Vec<(u64, Kept)>,
}

/// The journal in a file.
pub struct Durable {
    store: Store,
    sealer: Sealer,
    digest_key: DigestKey,
    /// The number that is given next.
    next: AtomicU64,
    /// Numbers below this are durably known as given.
    reserved: Arc<AtomicU64>,
}

impl Durable {
    /// Opens the file, or makes it; reads all that it holds; and seals anew what is under a previous
    /// key. Blocks while it works, a second for some 200,000 payments.
    ///
    /// # Errors
    /// The file is in use or damaged, or a record cannot be read: then nothing was changed.
    pub fn open(
        settings: &JournalSettings,
        metrics: StoreMetrics,
    ) -> Result<(Self, Recovered), OpenError> {
        let store = Store::open(Purpose::Journal, &settings.path, metrics)?;
        Self::over(store, settings)
    }

    /// The same over a store that is open.
    pub(super) fn over(
        store: Store,
        settings: &JournalSettings,
    ) -> Result<(Self, Recovered), OpenError> {
        let path = settings.path.as_path();
        let held = Held::load(&store, settings)?;
        let is_new = held.meta.is_none();
        let meta = held.meta.unwrap_or_else(|| Meta {
            digest_key: DigestKey::random(),
            reserved: META + 1,
        });
        let last = held.records.last().map_or(META, |(number, _)| *number);
        let next = meta.reserved.max(last + 1);
        let journal = Self {
            store,
            sealer: Sealer::new(&settings.keys).map_err(|_| OpenError::Randomness)?,
            digest_key: meta.digest_key,
            next: AtomicU64::new(next),
            reserved: Arc::new(AtomicU64::new(next)),
        };
        match journal.settle_in(&held.records, &held.stale) {
            // Without the row that it would be read by, no journal may be begun.
            Err(source) if is_new => Err(OpenError::Unwritable {
                path: shown(path),
                source,
            }),
            // The records are all here, payments are refused, and the store recovers by itself.
            Err(error) => {
                error!("{error}");
                Ok(())
            }
            Ok(()) => Ok(()),
        }?;
        let records = held.records;
        Ok((journal, Recovered { records }))
    }

    /// Makes the rows durable, all or none of them, in the order of the calls, then calls `done`. Never
    /// waits: what cannot be taken is told to `done` at once, on the caller's thread. After an error
    /// the rows are not there, or, if the disk failed in the middle, perhaps are.
    pub fn append(&self, rows: Vec<Row>, done: Done) {
        if let Some(failure) = self.failure() {
            return done(Err(JournalError(failure.to_string())));
        }
        let (changes, reserves) = match self.changes(rows) {
            Ok(sealed) => sealed,
            Err(error) => return done(Err(error)),
        };
        let reserved = Arc::clone(&self.reserved);
        let told = move |result: Result<(), StoreError>| {
            if result.is_ok() {
                reserved.fetch_max(reserves, Relaxed);
            }
            done(result.map_err(JournalError::from));
        };
        self.store
            .write(vec![Change::Batch(changes)], Box::new(told));
    }

    /// Why nothing can be recorded now; `None` while the journal works.
    pub fn failure(&self) -> Option<Arc<str>> {
        self.store.failure()
    }

    /// A number for a new payment. It grows, and no two payments that were ever recorded have the same.
    pub fn next_number(&self) -> u64 {
        self.next.fetch_add(1, Relaxed)
    }

    /// What fingerprints are made with. It stays the same as long as the file does.
    pub fn digest_key(&self) -> DigestKey {
        self.digest_key
    }

    /// Takes no more, commits what waits, and lets go of the file. Blocks until that is done.
    pub fn close(&self) {
        self.store.close();
    }

    /// The store's changes for some rows, and up to where numbers are reserved once they are durable.
    fn changes(&self, rows: Vec<Row>) -> Result<(Batch, u64), JournalError> {
        let last = rows.iter().map(|row| row.number).max().unwrap_or_default();
        let mut reserved = self.reserved.load(Relaxed);
        let mut changes = Batch::with_capacity(Table::Journal, rows.len() + 1);
        // Half of what is reserved may be given out before the next write says so.
        if last.saturating_add(NUMBERS_RESERVED / 2) >= reserved {
            reserved = last.saturating_add(NUMBERS_RESERVED);
            self.put_meta(&mut changes, reserved)?;
        }
        for Row { number, change } in rows {
            match change {
                RowChange::Keep(kept) => self.put(&mut changes, number, &kept)?,
                RowChange::Forget => changes.remove(number),
            }
        }
        Ok((changes, reserved))
    }

    fn put(&self, to: &mut Batch, number: u64, kept: &Kept) -> Result<(), JournalError> {
        self.put_sealed(to, number, |to| record::encode(kept, to))
    }

    fn put_meta(&self, to: &mut Batch, reserved: u64) -> Result<(), JournalError> {
        let digest_key = self.digest_key;
        let meta = Meta {
            digest_key,
            reserved,
        };
        self.put_sealed(to, META, |to| meta.encode(to))
    }

    fn put_sealed(
        &self,
        to: &mut Batch,
        number: u64,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), JournalError> {
        to.put(number, |values| self.sealer.seal(number, values, write))
            .map_err(|_| JournalError("a record cannot be encrypted".to_owned()))
    }

    /// Reserves the numbers to come, and seals anew what is not under the current key.
    fn settle_in(&self, records: &[(u64, Kept)], stale: &[usize]) -> Result<(), JournalError> {
        let reserved = self.next.load(Relaxed).saturating_add(NUMBERS_RESERVED);
        let mut meta = Batch::with_capacity(Table::Journal, 1);
        self.put_meta(&mut meta, reserved)?;
        self.write_and_wait(meta)?;
        self.reserved.fetch_max(reserved, Relaxed);
        for batch in stale.chunks(RESEALED_PER_WRITE) {
            let mut changes = Batch::with_capacity(Table::Journal, batch.len());
            for (number, kept) in batch.iter().filter_map(|index| records.get(*index)) {
                self.put(&mut changes, *number, kept)?;
            }
            self.write_and_wait(changes)?;
        }
        if !stale.is_empty() {
            let records = stale.len();
            info!(
                records,
                "records under previous keys of the journal are under the current one now"
            );
        }
        Ok(())
    }

    fn write_and_wait(&self, changes: Batch) -> Result<(), JournalError> {
        let (sender, told) = mpsc::sync_channel(1);
        // Nobody else has the receiver, so it is there until it was told.
        let done = move |result| drop(sender.send(result));
        self.store
            .write(vec![Change::Batch(changes)], Box::new(done));
        let result = told.recv().unwrap_or(Err(StoreError::Closed));
        result.map_err(JournalError::from)
    }
}

/// What a file holds.
struct Held {
    meta: Option<Meta>,
    records: Vec<(u64, Kept)>,
    /// Which of the records are under a previous key.
    stale: Vec<usize>,
}

impl Held {
    fn load(store: &Store, settings: &JournalSettings) -> Result<Self, OpenError> {
        let mut reader = Reader::new(&settings.keys);
        let mut held = Self {
            meta: None,
            records: Vec::new(),
            stale: Vec::new(),
        };
        let mut first_fault = None;
        let read = store.load(Table::Journal, &mut |number, row| {
            if first_fault.is_some() {
                return;
            }
            match reader.read(number, row) {
                Ok((_, Found::Meta(meta))) => held.meta = Some(meta),
                Ok((key, Found::Payment(kept))) => {
                    if key != settings.keys.current().id() {
                        held.stale.push(held.records.len());
                    }
                    held.records.push((number, *kept));
                }
                Err(fault) => first_fault = Some((number, fault)),
            }
        });
        let path = shown(&settings.path);
        if let Err(source) = read {
            return Err(OpenError::Unreadable { path, source });
        }
        if held.meta.is_none() && !held.records.is_empty() {
            first_fault = first_fault.or(Some((META, RowFault::Missing)));
        }
        match first_fault {
            None => Ok(held),
            Some((number, fault)) => Err(OpenError::Record {
                path,
                number,
                fault,
            }),
        }
    }
}

/// What the store says, in the words of the journal.
impl From<StoreError> for JournalError {
    fn from(error: StoreError) -> Self {
        Self(match error {
            StoreError::Failed(detail) | StoreError::OutOfService(detail) => detail.to_string(),
            StoreError::Full => "its disk is too slow for the payments".to_owned(),
            StoreError::Closed => "the router is stopping".to_owned(),
        })
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
