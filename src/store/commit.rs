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
    Database, DatabaseError, ReadableDatabase as _, WriteTransaction, backends::InMemoryBackend,
};
use tracing::{error, info};

use super::{
    CACHE_BYTES, CHANGES_PER_COMMIT_MAX, Change, Purpose, Shared, StoreError, Table, Write,
    format::{self, Refused},
    lock,
    log::{Limits, Log},
    open_if_there,
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
    logs: Logs,
}

/// What is known of each table.
type Logs = [Log; Table::ALL.len()];

impl Committer {
    pub(super) fn new(opener: Opener, shared: Arc<Shared>, writes: Receiver<Write>) -> Self {
        Self {
            opener,
            shared,
            writes,
            group: Vec::new(),
            logs: Table::ALL.map(|_| Log::new(Limits::STORE)),
        }
    }

    /// Works until every writer is gone and nothing waits.
    pub(super) fn run(mut self) {
        self.begin();
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

    /// Reads what the file holds.
    fn begin(&mut self) {
        if !self.shared.healthy.load(Relaxed) {
            return;
        }
        let database = self.shared.database.read();
        let replayed = match database.unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(database) => replay(database),
            None => Err(redb::Error::DatabaseClosed),
        };
        match replayed {
            Ok(logs) => {
                self.logs = logs;
                self.show_size();
            }
            Err(error) => self.fail(&error),
        }
    }

    /// Waits for a write, takes those behind it along, and commits them. False at the end.
    fn commit_next(&mut self) -> bool {
        let Ok(first) = self.writes.recv() else {
            return false;
        };
        let mut changes = first.count;
        self.group.push(first);
        while changes < CHANGES_PER_COMMIT_MAX {
            let Ok(write) = self.writes.try_recv() else {
                break;
            };
            changes += write.count;
            self.group.push(write);
        }
        let begun = Instant::now();
        // A writer must hear of its write also if redb loses its way in a damaged file.
        match catch_unwind(AssertUnwindSafe(|| self.commit())).unwrap_or_else(|_| Err(lost())) {
            Ok(()) => {
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

    /// After an error the logs are of no use; [`Committer::recover`] reads them anew.
    fn commit(&mut self) -> Result<(), redb::Error> {
        let database = self.shared.database.read();
        let database = database.unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_ref() else {
            return Err(redb::Error::DatabaseClosed);
        };
        let transaction = database.begin_write()?;
        for (table, log) in Table::ALL.into_iter().zip(&mut self.logs) {
            apply(&transaction, table, log, &self.group)?;
        }
        Ok(transaction.commit()?)
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
            match self.reopen() {
                Ok((database, logs)) => {
                    *write_lock(&self.shared) = Some(database);
                    self.logs = logs;
                    self.show_size();
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

    fn reopen(&self) -> Result<(Database, Logs), Refused> {
        let database = self.opener.reopen()?;
        let logs = replay(&database)?;
        Ok((database, logs))
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
        let rows: u64 = self.logs.iter().map(Log::rows).sum();
        self.shared.metrics.rows.set(rows as f64);
    }
}

fn write_lock(shared: &Shared) -> std::sync::RwLockWriteGuard<'_, Option<Database>> {
    shared
        .database
        .write()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Writes the changes of one table. One that nobody changes is not opened.
fn apply(
    transaction: &WriteTransaction,
    table: Table,
    log: &mut Log,
    group: &[Write],
) -> Result<(), redb::Error> {
    let mut changes = group
        .iter()
        .flat_map(|write| &write.changes)
        .filter(|change| change.table() == table)
        .peekable();
    if changes.peek().is_none() {
        return Ok(());
    }
    let mut segments = transaction.open_table(table.definition())?;
    log.write(&mut segments, changes)
}

/// Reads every table. redb may lose its way in a damaged file.
fn replay(database: &Database) -> Result<Logs, redb::Error> {
    let replayed = || {
        let mut logs = Table::ALL.map(|_| Log::new(Limits::STORE));
        let transaction = database.begin_read()?;
        for (table, log) in Table::ALL.into_iter().zip(&mut logs) {
            if let Some(segments) = open_if_there(&transaction, table)? {
                *log = Log::replay(Limits::STORE, &segments)?;
            }
        }
        Ok(logs)
    };
    catch_unwind(AssertUnwindSafe(replayed)).unwrap_or_else(|_| Err(lost()))
}

fn lost() -> redb::Error {
    redb::Error::Corrupted("redb lost its way in the file".into())
}

impl Change {
    fn table(&self) -> Table {
        match self {
            Self::Put { table, .. }
            | Self::Remove { table, .. }
            | Self::RemoveBelow { table, .. } => *table,
            Self::Batch(batch) => batch.table,
        }
    }
}
