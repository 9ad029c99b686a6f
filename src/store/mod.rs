//! What must survive a restart: a redb file, written by one thread that commits in groups.
//!
//! Tables of bytes under growing numbers; what the bytes mean is for those above. Each table is a log
//! of segments (`log`), so that a commit costs redb the same whatever the number of rows. The journal
//! of payments has a file and a thread of its own, so that neither kind of traffic stops the other. It
//! must never say that something is durable before the commit that holds it was synced, and never keep
//! a caller waiting: a full queue or a failing disk is told at once.
//!
//! ```text
//!   write ──► queue ──► drain what waits ──► a segment per table ──► one fsync ──► every `done`
//!                                                 └─ fails ──► every `done` gets the error; reopen
//! ```

mod archive;
mod batch;
mod commit;
mod compact;
mod format;
mod index;
mod log;
pub mod rows;
mod segment;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use redb::{
    Database, DatabaseError, ReadOnlyTable, ReadTransaction, ReadableDatabase as _, TableDefinition,
};
use tracing::error;

pub use archive::Archive;
pub use batch::Batch;

use crate::metrics::StoreMetrics;
use commit::{Committer, Opener};
use format::Refused;

/// Writes that may wait for their commit. A write is what one turn of a link brings, so this is more
/// than all links of a large router can leave behind during a slow fsync.
pub const WRITES_WAITING_MAX: usize = 16_384;

/// Changes over all writes that wait; more are refused. It bounds the memory that a slow disk costs,
/// and is some two seconds of the fastest traffic.
pub const CHANGES_WAITING_MAX: usize = 262_144;

/// Bytes of values over all writes that wait, for the same reason where the values are large.
pub const BYTES_WAITING_MAX: usize = 128 << 20;

/// Changes in one commit. Larger groups gain nothing any more and make the first one wait longer.
pub const CHANGES_PER_COMMIT_MAX: usize = 16_384;

/// Pages that redb keeps in memory. Its default is 1 GiB; the working set here is what is open.
const CACHE_BYTES: usize = 64 << 20;

/// What a file is for. One kind of file is not taken for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Messages: the `[store]`.
    Store,
    /// Payments: the `[journal]`.
    Journal,
}

impl Purpose {
    /// The word for it: its section of the configuration, its label, its thread.
    pub fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Journal => "journal",
        }
    }
}

/// The tables, each a log: keys are given by its owner and grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Events that no subscriber has acknowledged yet, and parts of messages that are not whole.
    Inbox,
    /// Submitted messages whose receipts are awaited.
    Receipts,
    /// Request ids and their outcomes.
    RequestIds,
    /// Fingerprints of what SMSCs have delivered lately.
    Seen,
    /// Identities of what banks began, so that a repeat makes no second event.
    BankSeen,
    /// Payments, sealed.
    Journal,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 6] = [
        Self::Inbox,
        Self::Receipts,
        Self::RequestIds,
        Self::Seen,
        Self::BankSeen,
        Self::Journal,
    ];

    /// Which file has it.
    fn purpose(self) -> Purpose {
        match self {
            Self::Inbox | Self::Receipts | Self::RequestIds | Self::Seen | Self::BankSeen => {
                Purpose::Store
            }
            Self::Journal => Purpose::Journal,
        }
    }

    /// Its segments, by their numbers.
    fn definition(self) -> TableDefinition<'static, u64, &'static [u8]> {
        TableDefinition::new(match self {
            Self::Inbox => "inbox",
            Self::Receipts => "receipts",
            Self::RequestIds => "request_ids",
            Self::Seen => "seen",
            Self::BankSeen => "bank_seen",
            Self::Journal => "journal",
        })
    }
}

/// One change of a table.
pub enum Change {
    /// Stores a value, over an earlier one of the same key.
    Put {
        /// Where.
        table: Table,
        /// Under which number.
        key: u64,
        /// What.
        value: Vec<u8>,
    },
    /// Removes a value; one that is not there is no fault.
    Remove {
        /// Where.
        table: Table,
        /// Which.
        key: u64,
    },
    /// Removes every value whose key is lower.
    RemoveBelow {
        /// Where.
        table: Table,
        /// The lowest key that stays.
        key: u64,
    },
    /// Many at once.
    Batch(Batch),
}

impl Change {
    fn bytes(&self) -> usize {
        match self {
            Self::Put { value, .. } => value.len(),
            Self::Remove { .. } | Self::RemoveBelow { .. } => 0,
            Self::Batch(batch) => batch.bytes(),
        }
    }

    /// As how many it counts.
    fn count(&self) -> usize {
        match self {
            Self::Put { .. } | Self::Remove { .. } | Self::RemoveBelow { .. } => 1,
            Self::Batch(batch) => batch.len(),
        }
    }
}

/// Told once what became of a write, on the store's own thread or, if it is refused at once, on the
/// caller's: it has to be short, and must not hold a lock that the caller of `write` holds.
pub type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Why something was not stored, or cannot be said to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The commit failed. What it held is not there, or, if the fsync was what failed, perhaps is.
    #[error("the store failed: {0}")]
    Failed(Arc<str>),
    /// An earlier commit failed, and the store is being reopened. Nothing was written.
    #[error("the store is out of service since it failed: {0}")]
    OutOfService(Arc<str>),
    /// More waits than the disk can follow. Nothing was written.
    #[error("the store has too much to write; its disk is too slow for the traffic")]
    Full,
    /// The store was closed. Nothing was written.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether some of the write may be there all the same.
    pub fn is_in_doubt(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "{}.path: {path} is in use by another process; stop the other router, or give this one \
         a file of its own", .purpose.name()
    )]
    InUse {
        /// Whose file.
        purpose: Purpose,
        /// The file.
        path: String,
    },
    /// It cannot be read or written, or is no store.
    #[error("{}.path: {path} cannot be opened: {detail}", .purpose.name())]
    Unusable {
        /// Whose file.
        purpose: Purpose,
        /// The file.
        path: String,
        /// What redb or the system said.
        detail: String,
    },
    /// The system gave no thread.
    #[error("the store's thread cannot be started: {0}")]
    Thread(std::io::Error),
}

impl OpenError {
    fn of(purpose: Purpose, path: &Path, error: Refused) -> Self {
        let path = path.display().to_string();
        match error {
            Refused::Database(DatabaseError::DatabaseAlreadyOpen) => Self::InUse { purpose, path },
            other => Self::Unusable {
                purpose,
                path,
                detail: other.to_string(),
            },
        }
    }
}

/// One write on its way to the disk.
struct Write {
    changes: Vec<Change>,
    count: usize,
    bytes: usize,
    done: Done,
}

/// A handle of the store; clones are the same store. When the last one is dropped, what waits is
/// committed first.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    /// Taken away when the store is closed, which is what ends the thread.
    writes: Mutex<Option<Sender<Write>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    durable: bool,
}

/// What the store's thread and its callers both see.
struct Shared {
    purpose: Purpose,
    /// None while it is out of service.
    database: RwLock<Option<Database>>,
    healthy: AtomicBool,
    /// The last failure, for those who ask while it is out of service.
    failure: Mutex<Arc<str>>,
    changes_waiting: AtomicUsize,
    bytes_waiting: AtomicUsize,
    metrics: StoreMetrics,
}

impl Store {
    /// Opens the file, or makes it, and starts the thread. A file that a crash left behind is brought
    /// back to its last commit, and one that is mostly empty is made small.
    ///
    /// # Errors
    /// Another process has it, it cannot be used, or the system gives no thread.
    pub fn open(purpose: Purpose, path: &Path, metrics: StoreMetrics) -> Result<Self, OpenError> {
        let opener = Opener::file(purpose, path);
        let refused = |error| OpenError::of(purpose, path, error);
        let database = opener.open().map_err(refused)?;
        let database = compact::if_mostly_empty(database, &opener, compact::FILE_BYTES_MIN)
            .map_err(refused)?;
        Self::start(opener, Ok(database), metrics, true)
    }

    /// A store that forgets everything at its end, for tests and configurations without `[store]`.
    pub fn in_memory() -> Self {
        Self::in_memory_with(StoreMetrics::unseen())
    }

    /// As [`Store::in_memory`], with its figures shown.
    pub fn in_memory_with(metrics: StoreMetrics) -> Self {
        let opener = Opener::memory();
        let database = opener.open().map_err(|error| error.to_string());
        match Self::start(opener, database, metrics.clone(), false) {
            Ok(store) => store,
            Err(error) => {
                error!("{error}");
                Self::without_thread(metrics)
            }
        }
    }

    fn start(
        opener: Opener,
        database: Result<Database, String>,
        metrics: StoreMetrics,
        durable: bool,
    ) -> Result<Self, OpenError> {
        let (sender, receiver) = bounded(WRITES_WAITING_MAX);
        let shared = Arc::new(Shared::new(opener.purpose(), database, metrics));
        let thread = Self::spawn(opener, &shared, receiver).map_err(OpenError::Thread)?;
        Ok(Self {
            inner: Arc::new(Inner {
                shared,
                writes: Mutex::new(Some(sender)),
                thread: Mutex::new(Some(thread)),
                durable,
            }),
        })
    }

    fn spawn(
        opener: Opener,
        shared: &Arc<Shared>,
        writes: Receiver<Write>,
    ) -> std::io::Result<JoinHandle<()>> {
        let committer = Committer::new(opener, Arc::clone(shared), writes);
        thread::Builder::new()
            .name(shared.purpose.name().to_owned())
            .spawn(move || committer.run())
    }

    /// A store that refuses everything.
    fn without_thread(metrics: StoreMetrics) -> Self {
        let failure = Err("the system gave no thread".to_owned());
        Self {
            inner: Arc::new(Inner {
                shared: Arc::new(Shared::new(Purpose::Store, failure, metrics)),
                writes: Mutex::new(None),
                thread: Mutex::new(None),
                durable: false,
            }),
        }
    }

    /// Makes the changes durable, all or none of them, in the order of the calls, then calls `done`.
    /// Never waits: what cannot be taken is told to `done` at once, on the caller's thread.
    pub fn write(&self, changes: Vec<Change>, done: Done) {
        let shared = &self.inner.shared;
        if !self.is_healthy() {
            return done(Err(StoreError::OutOfService(shared.failure())));
        }
        let count = changes.iter().map(Change::count).sum();
        let bytes = changes.iter().map(Change::bytes).sum();
        if !shared.reserve(count, bytes) {
            shared.metrics.refused.increment(1);
            return done(Err(StoreError::Full));
        }
        let write = Write {
            changes,
            count,
            bytes,
            done,
        };
        let refused = match lock(&self.inner.writes).as_ref() {
            None => Some((write, StoreError::Closed)),
            Some(writes) => match writes.try_send(write) {
                Ok(()) => None,
                Err(TrySendError::Full(write)) => Some((write, StoreError::Full)),
                Err(TrySendError::Disconnected(write)) => Some((write, StoreError::Closed)),
            },
        };
        if let Some((write, error)) = refused {
            shared.release(&write);
            shared.metrics.refused.increment(1);
            (write.done)(Err(error));
        }
    }

    /// Gives everything that is committed in a table, in the order of the keys.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn load(&self, table: Table, each: &mut dyn FnMut(u64, &[u8])) -> Result<(), StoreError> {
        let shared = &self.inner.shared;
        let database = shared
            .database
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_ref() else {
            return Err(StoreError::OutOfService(shared.failure()));
        };
        read(database, table, each).map_err(|error| StoreError::Failed(error.to_string().into()))
    }

    /// Whether writes are taken.
    pub fn is_healthy(&self) -> bool {
        self.inner.shared.healthy.load(Relaxed)
    }

    /// Why writes are not taken; `None` while they are.
    pub fn failure(&self) -> Option<Arc<str>> {
        (!self.is_healthy()).then(|| self.inner.shared.failure())
    }

    /// Whether it outlives the process.
    pub fn is_durable(&self) -> bool {
        self.inner.durable
    }

    /// Takes no more, commits what waits, and lets go of the file. Blocks until that is done; a second
    /// call does nothing.
    pub fn close(&self) {
        self.inner.close();
    }
}

impl Inner {
    fn close(&self) {
        drop(lock(&self.writes).take());
        let Some(thread) = lock(&self.thread).take() else {
            return;
        };
        // A `done` may hold the last handle; the thread then ends by itself right after.
        if thread.thread().id() != thread::current().id() && thread.join().is_err() {
            error!("the store's thread ended in a panic; what waited was not stored");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn new(purpose: Purpose, database: Result<Database, String>, metrics: StoreMetrics) -> Self {
        let (database, failure) = match database {
            Ok(database) => (Some(database), String::new()),
            Err(failure) => (None, failure),
        };
        let healthy = database.is_some();
        metrics.healthy.set(f64::from(u8::from(healthy)));
        Self {
            purpose,
            database: RwLock::new(database),
            healthy: AtomicBool::new(healthy),
            failure: Mutex::new(failure.into()),
            changes_waiting: AtomicUsize::new(0),
            bytes_waiting: AtomicUsize::new(0),
            metrics,
        }
    }

    fn failure(&self) -> Arc<str> {
        Arc::clone(&lock(&self.failure))
    }

    /// Counts a write in if it fits. Those who come at the same moment may both be refused, never
    /// both be let in over the limit.
    fn reserve(&self, changes: usize, bytes: usize) -> bool {
        let changes_before = self.changes_waiting.fetch_add(changes, Relaxed);
        let bytes_before = self.bytes_waiting.fetch_add(bytes, Relaxed);
        // A write that is larger than a limit by itself is taken when nothing else waits.
        let fits = |before: usize, more: usize, max: usize| before == 0 || before + more <= max;
        if fits(changes_before, changes, CHANGES_WAITING_MAX)
            && fits(bytes_before, bytes, BYTES_WAITING_MAX)
        {
            return true;
        }
        self.changes_waiting.fetch_sub(changes, Relaxed);
        self.bytes_waiting.fetch_sub(bytes, Relaxed);
        false
    }

    fn release(&self, write: &Write) {
        self.changes_waiting.fetch_sub(write.count, Relaxed);
        self.bytes_waiting.fetch_sub(write.bytes, Relaxed);
    }
}

/// Tables are made by the first write to them.
fn open_if_there(
    transaction: &ReadTransaction,
    table: Table,
) -> Result<Option<ReadOnlyTable<u64, &'static [u8]>>, redb::Error> {
    match transaction.open_table(table.definition()) {
        Ok(segments) => Ok(Some(segments)),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn read(
    database: &Database,
    table: Table,
    each: &mut dyn FnMut(u64, &[u8]),
) -> Result<(), redb::Error> {
    match open_if_there(&database.begin_read()?, table)? {
        Some(segments) => log::each_row(&segments, each),
        None => Ok(()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each holds one value that is replaced whole, so a panic elsewhere spoils nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
