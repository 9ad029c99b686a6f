//! The store's thread: drains what waits, commits it as one, and tells every writer.
//!
//! It must never tell one that its write is durable before the commit returned, and never end while
//! somebody may still write: a failed database is opened again, with a growing pause.

use std::{
    fs::OpenOptions,
    io,
    os::unix::fs::OpenOptionsExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use redb::{
    Database, DatabaseError, ReadableTableMetadata as _, WriteTransaction,
    backends::InMemoryBackend,
};
use tracing::{error, info};

use super::{
    CACHE_BYTES, CHANGES_PER_COMMIT_MAX, Change, Purpose, Shared, StoreError, Table, Write,
    format::{self, Refused},
    lock,
};

/// The pause before the first try to reopen; a passing fault is over by then.
const REOPEN_PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause: a disk that was given room again is used within seconds.
const REOPEN_PAUSE_MAX: Duration = Duration::from_secs(5);

/// How to open the database, the first time and after a failure.
pub(super) struct Opener {
    purpose: Purpose,
    first: Open,
    again: Open,
    /// The file whose size is shown.
    path: Option<PathBuf>,
}

type Open = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

impl Opener {
    pub(super) fn file(purpose: Purpose, path: &Path) -> Self {
        let (first, again) = (path.to_owned(), path.to_owned());
        Self {
            purpose,
            first: Box::new(move || {
                make_private(&first)?;
                builder().create(&first)
            }),
            // Never made anew while the process runs: what is in memory was stored in the old one,
            // and so were the keys of what the tables hold.
            again: Box::new(move || builder().open(&again)),
            path: Some(path.to_owned()),
        }
    }

    pub(super) fn memory() -> Self {
        Self::backend(Purpose::Store, || {
            builder().create_with_backend(InMemoryBackend::new())
        })
    }

    pub(super) fn backend(
        purpose: Purpose,
        open: impl Fn() -> Result<Database, DatabaseError> + Clone + Send + 'static,
    ) -> Self {
        Self {
            purpose,
            first: Box::new(open.clone()),
            again: Box::new(open),
            path: None,
        }
    }

    /// What the file is for.
    pub(super) fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Opens it at the start; makes it if there is none.
    pub(super) fn open(&self) -> Result<Database, Refused> {
        guarded(self.purpose, &self.first)
    }

    /// Opens it again after a failure.
    pub(super) fn reopen(&self) -> Result<Database, Refused> {
        guarded(self.purpose, &self.again)
    }

    /// Bytes of the file; 0 if there is none.
    pub(super) fn bytes(&self) -> u64 {
        let metadata = self.path.as_ref().and_then(|path| path.metadata().ok());
        metadata.map_or(0, |metadata| metadata.len())
    }
}

/// Makes the file, if there is none, for its owner alone: it holds texts and numbers.
fn make_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// redb may lose its way in a damaged file.
fn guarded(purpose: Purpose, open: &Open) -> Result<Database, Refused> {
    let checked = || format::check(purpose, open()?);
    catch_unwind(AssertUnwindSafe(checked)).unwrap_or(Err(Refused::Damaged))
}

pub(super) fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// What the thread owns.
pub(super) struct Committer {
    opener: Opener,
    shared: Arc<Shared>,
    writes: Receiver<Write>,
    /// The group that is being committed; kept for its memory.
    group: Vec<Write>,
    rows: Rows,
}

/// How many rows each table has.
type Rows = [u64; Table::ALL.len()];

impl Committer {
    pub(super) fn new(opener: Opener, shared: Arc<Shared>, writes: Receiver<Write>) -> Self {
        Self {
            opener,
            shared,
            writes,
            group: Vec::new(),
            rows: Rows::default(),
        }
    }

    /// Works until every writer is gone and nothing waits.
    pub(super) fn run(mut self) {
        self.count_rows();
        self.show_size();
        loop {
            let alive = match self.shared.healthy.load(Relaxed) {
                true => self.commit_next(),
                false => self.recover(),
            };
            if !alive {
                break;
            }
        }
        self.let_go();
    }

    /// Waits for a write, takes those behind it along, and commits them. False at the end.
    fn commit_next(&mut self) -> bool {
        let Ok(first) = self.writes.recv() else {
            return false;
        };
        let mut changes = first.changes.len();
        self.group.push(first);
        while changes < CHANGES_PER_COMMIT_MAX {
            let Ok(write) = self.writes.try_recv() else {
                break;
            };
            changes += write.changes.len();
            self.group.push(write);
        }
        let begun = Instant::now();
        // A writer must hear of its write also if redb loses its way in a damaged file.
        let lost = || redb::Error::Corrupted("redb lost its way in the file".into());
        match catch_unwind(AssertUnwindSafe(|| self.commit())).unwrap_or_else(|_| Err(lost())) {
            Ok(rows) => {
                self.rows = rows;
                let metrics = &self.shared.metrics;
                metrics.commit_seconds.record(begun.elapsed().as_secs_f64());
                metrics.commit_changes.record(changes as f64);
                self.show_size();
                self.tell(&Ok(()));
            }
            Err(error) => self.fail(&error),
        }
        true
    }

    /// The rows that there are then.
    fn commit(&self) -> Result<Rows, redb::Error> {
        let database = self.shared.database.read();
        let database = database.unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_ref() else {
            return Err(redb::Error::DatabaseClosed);
        };
        let transaction = database.begin_write()?;
        let mut rows = self.rows;
        for (table, rows) in Table::ALL.into_iter().zip(&mut rows) {
            if let Some(now) = apply(&transaction, table, &self.group)? {
                *rows = now;
            }
        }
        transaction.commit()?;
        Ok(rows)
    }

    /// Puts the store out of service. The group is told last, so that one who tries again at once is
    /// refused at once.
    fn fail(&mut self, error: &redb::Error) {
        let detail: Arc<str> = error.to_string().into();
        let name = self.shared.purpose.name();
        error!("the {name} cannot write: {detail}; it is opened again until it works");
        *lock(&self.shared.failure) = Arc::clone(&detail);
        self.shared.healthy.store(false, Relaxed);
        self.shared.metrics.healthy.set(0.0);
        self.shared.metrics.failures.increment(1);
        // redb takes no more work after an I/O error; the file is let go at once, so that an operator
        // can move or mend it.
        self.let_go();
        self.tell(&Err(StoreError::Failed(detail)));
    }

    /// Opens the database again, refusing meanwhile what still comes in. False at the end.
    fn recover(&mut self) -> bool {
        let mut pause = REOPEN_PAUSE_MIN;
        loop {
            if !self.refuse_for(pause) {
                return false;
            }
            match self.opener.reopen() {
                Ok(database) => {
                    *write_lock(&self.shared) = Some(database);
                    self.count_rows();
                    self.shared.metrics.healthy.set(1.0);
                    self.shared.healthy.store(true, Relaxed);
                    info!("the {} works again", self.shared.purpose.name());
                    return true;
                }
                Err(error) => {
                    self.shared.metrics.failures.increment(1);
                    *lock(&self.shared.failure) = error.to_string().into();
                    pause = (pause * 2).min(REOPEN_PAUSE_MAX);
                }
            }
        }
    }

    /// Refuses what comes in for a time. False if every writer is gone.
    fn refuse_for(&mut self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            match self.writes.recv_deadline(until) {
                Ok(write) => {
                    self.group.push(write);
                    let failure = self.shared.failure();
                    self.tell(&Err(StoreError::OutOfService(failure)));
                }
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    /// Tells the group what became of it.
    fn tell(&mut self, result: &Result<(), StoreError>) {
        for write in self.group.drain(..) {
            self.shared.release(&write);
            let done = write.done;
            // One writer's fault must not take the others' store away.
            if catch_unwind(AssertUnwindSafe(|| done(result.clone()))).is_err() {
                error!("one who was told about a write has panicked");
            }
        }
        let waiting = self.shared.changes_waiting.load(Relaxed);
        self.shared.metrics.waiting.set(waiting as f64);
    }

    fn let_go(&self) {
        let database = write_lock(&self.shared).take();
        if catch_unwind(AssertUnwindSafe(|| drop(database))).is_err() {
            error!("redb lost its way while it closed the file");
        }
    }

    fn show_size(&self) {
        self.shared.metrics.bytes.set(self.opener.bytes() as f64);
        let rows: u64 = self.rows.iter().sum();
        self.shared.metrics.rows.set(rows as f64);
    }

    /// Counts anew. What cannot be counted keeps its figure until its next change.
    fn count_rows(&mut self) {
        let database = self.shared.database.read();
        let database = database.unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_ref() else {
            return;
        };
        for (table, rows) in Table::ALL.into_iter().zip(&mut self.rows) {
            if let Ok(Ok(now)) = catch_unwind(AssertUnwindSafe(|| super::rows(database, table))) {
                *rows = now;
            }
        }
    }
}

fn write_lock(shared: &Shared) -> std::sync::RwLockWriteGuard<'_, Option<Database>> {
    shared
        .database
        .write()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Applies the changes of one table in their order, and tells how many rows it has then. A table
/// that nobody changes is not opened.
fn apply(
    transaction: &WriteTransaction,
    table: Table,
    group: &[Write],
) -> Result<Option<u64>, redb::Error> {
    let mut changes = group
        .iter()
        .flat_map(|write| &write.changes)
        .filter(|change| change.table() == table)
        .peekable();
    if changes.peek().is_none() {
        return Ok(None);
    }
    let mut open = transaction.open_table(table.definition())?;
    for change in changes {
        match change {
            Change::Put { key, value, .. } => drop(open.insert(key, value.as_slice())?),
            Change::Remove { key, .. } => drop(open.remove(key)?),
            Change::RemoveBelow { key, .. } => open.retain_in::<u64, _>(..*key, |_, _| false)?,
        }
    }
    Ok(Some(open.len()?))
}

impl Change {
    fn table(&self) -> Table {
        match self {
            Self::Put { table, .. }
            | Self::Remove { table, .. }
            | Self::RemoveBelow { table, .. } => *table,
        }
    }
}
