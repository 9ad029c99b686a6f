use std::{
    io,
    ops::Bound,
    sync::{
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    time::{Duration, Instant},
};

use redb::{BackendError, StorageBackend, backends::InMemoryBackend};

use super::*;
use crate::store::commit::builder;

/// A file of its own in the system's place for such files, gone with the test.
pub(crate) struct TempFile(pub(crate) std::path::PathBuf);

impl TempFile {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, SeqCst);
        let name = format!("sampan-store-{}-{number}.redb", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn open(&self) -> Result<Store, OpenError> {
        Store::open(Purpose::Store, &self.0, StoreMetrics::unseen())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

/// One operation of redb on its file.
#[derive(Clone, Debug)]
enum Operation {
    SetLen(u64),
    Write(u64, Vec<u8>),
    Sync,
}

/// A disk that remembers what was done to it, and fails on demand.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    backend: InMemoryBackend,
    operations: Mutex<Vec<Operation>>,
    /// Operations that still succeed; all after them fail.
    pub(crate) room: AtomicUsize,
}

impl Disk {
    pub(crate) fn new() -> Arc<Self> {
        let disk = Self::default();
        disk.room.store(usize::MAX, SeqCst);
        Arc::new(disk)
    }

    /// The disk as a process finds it that starts after another was killed behind `operations`.
    fn after(operations: &[Operation]) -> Arc<Self> {
        let disk = Self::new();
        for operation in operations {
            match operation {
                Operation::SetLen(len) => disk.backend.set_len(*len).unwrap(),
                Operation::Write(offset, data) => disk.backend.write(*offset, data).unwrap(),
                Operation::Sync => {}
            }
        }
        disk
    }

    fn record(&self, operation: Operation) -> io::Result<()> {
        let spend = |room: usize| match room {
            usize::MAX => Some(room),
            _ => room.checked_sub(1),
        };
        if self.room.fetch_update(SeqCst, SeqCst, spend).is_err() {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        lock(&self.operations).push(operation);
        Ok(())
    }

    /// Lets so many more operations succeed.
    pub(crate) fn fail_after(&self, operations: usize) {
        self.room.store(operations, SeqCst);
    }

    /// Lets all succeed from now on.
    pub(crate) fn mend(&self) {
        self.room.store(usize::MAX, SeqCst);
    }

    pub(crate) fn store(self: &Arc<Self>) -> Store {
        self.store_for(Purpose::Store)
    }

    pub(crate) fn store_for(self: &Arc<Self>, purpose: Purpose) -> Store {
        let disk = Arc::clone(self);
        let opener = Opener::backend(purpose, move || {
            builder().create_with_backend(Mounted(Arc::clone(&disk)))
        });
        let database = opener.open().map_err(|error| error.to_string());
        Store::start(opener, database, StoreMetrics::unseen(), true).unwrap()
    }
}

/// The disk as redb has it, until it closes it.
#[derive(Debug)]
struct Mounted(Arc<Disk>);

impl StorageBackend for Mounted {
    fn len(&self) -> io::Result<u64> {
        self.0.backend.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.backend.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.record(Operation::SetLen(len))?;
        self.0.backend.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.record(Operation::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.record(Operation::Write(offset, data.to_vec()))?;
        self.0.backend.write(offset, data)
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Err(BackendError::Unsupported)
    }
}

fn put(key: u64) -> Change {
    Change::Put {
        table: Table::Inbox,
        key,
        value: key.to_be_bytes().to_vec(),
    }
}

fn keys(store: &Store) -> Vec<u64> {
    let mut keys = Vec::new();
    store
        .load(Table::Inbox, &mut |key, value| {
            assert_eq!(value, key.to_be_bytes());
            keys.push(key);
        })
        .unwrap();
    keys
}

/// Writes and waits for the answer.
fn write(store: &Store, changes: Vec<Change>) -> Result<(), StoreError> {
    let (sender, told) = mpsc::channel();
    store.write(
        changes,
        Box::new(move |result| sender.send(result).unwrap()),
    );
    told.recv_timeout(Duration::from_secs(60)).unwrap()
}

/// Tries until the store takes the write.
fn write_until_taken(store: &Store, key: u64) {
    let end = Instant::now() + Duration::from_secs(60);
    while write(store, vec![put(key)]).is_err() {
        assert!(Instant::now() < end, "it does not recover");
        thread::yield_now();
    }
}

#[test]
fn what_is_told_durable_is_there_after_a_reopening_and_in_order() {
    let file = TempFile::new();
    let store = file.open().unwrap();
    for key in [2, 1, 300, 40] {
        write(&store, vec![put(key)]).unwrap();
    }
    drop(store);
    let store = file.open().unwrap();
    assert_eq!(keys(&store), [1, 2, 40, 300]);
    assert!(store.is_durable() && store.is_healthy());
}

#[test]
fn changes_apply_in_the_order_of_the_calls_within_a_group_too() {
    let store = Store::in_memory();
    write(&store, vec![put(1), put(2), put(3), put(4)]).unwrap();
    let remove = |key| Change::Remove {
        table: Table::Inbox,
        key,
    };
    let below = Change::RemoveBelow {
        table: Table::Inbox,
        key: 3,
    };
    write(&store, vec![below, put(2), remove(4), remove(99)]).unwrap();
    assert_eq!(keys(&store), [2, 3]);
}

#[test]
fn tables_do_not_mix() {
    let store = Store::in_memory();
    write(&store, vec![put(1)]).unwrap();
    for table in [Table::Receipts, Table::RequestIds, Table::Seen] {
        store
            .load(table, &mut |key, _| panic!("{key} in {table:?}"))
            .unwrap();
    }
}

#[test]
fn writers_are_told_in_the_order_of_their_writes() {
    let store = Store::in_memory();
    let (sender, told) = mpsc::channel();
    for number in 0..1_000 {
        let sender = sender.clone();
        let done: Done = Box::new(move |result| sender.send((number, result)).unwrap());
        store.write(vec![put(number)], done);
    }
    drop(sender);
    let told: Vec<_> = told.iter().collect();
    let expected: Vec<_> = (0..1_000).map(|number| (number, Ok(()))).collect();
    assert_eq!(told, expected);
}

#[test]
fn a_clean_end_commits_what_waits() {
    let file = TempFile::new();
    let store = file.open().unwrap();
    for key in 0..2_000 {
        store.write(vec![put(key)], Box::new(|_| {}));
    }
    drop(store);
    assert_eq!(keys(&file.open().unwrap()).len(), 2_000);
}

#[test]
fn a_closed_store_refuses_and_lets_go_of_its_file() {
    let file = TempFile::new();
    let store = file.open().unwrap();
    store.close();
    assert_eq!(write(&store, vec![put(1)]), Err(StoreError::Closed));
    file.open().unwrap();
}

#[test]
fn a_file_that_another_has_is_said_to_be_in_use() {
    let file = TempFile::new();
    let _store = file.open().unwrap();
    let error = file.open().err().unwrap();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("another process"));
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_alone() {
    let file = TempFile::new();
    std::fs::write(&file.0, vec![7; 10_000]).unwrap();
    let error = file.open().err().unwrap();
    assert!(matches!(error, OpenError::Unusable { .. }), "{error}");
    assert_eq!(std::fs::read(&file.0).unwrap(), vec![7; 10_000]);
}

#[test]
fn nobody_but_its_owner_can_read_a_new_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = TempFile::new();
    let _store = file.open().unwrap();
    let mode = std::fs::metadata(&file.0).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

#[test]
fn a_redb_file_of_another_program_is_refused() {
    let file = TempFile::new();
    let database = builder().create(&file.0).unwrap();
    let transaction = database.begin_write().unwrap();
    let theirs = TableDefinition::<u64, u64>::new("theirs");
    drop(transaction.open_table(theirs).unwrap());
    transaction.commit().unwrap();
    drop(database);
    let error = file.open().err().unwrap().to_string();
    assert!(error.contains("another program"), "{error}");
}

#[test]
fn the_file_of_the_journal_is_not_taken_for_the_store_nor_the_other_way_round() {
    let file = TempFile::new();
    write(&file.open().unwrap(), vec![put(1)]).unwrap();
    let journal = Store::open(Purpose::Journal, &file.0, StoreMetrics::unseen());
    let error = journal.err().unwrap().to_string();
    assert!(error.starts_with("journal.path: "), "{error}");
    assert!(error.contains("the file of a store"), "{error}");
    let file = TempFile::new();
    let journal = Store::open(Purpose::Journal, &file.0, StoreMetrics::unseen()).unwrap();
    let row = Change::Put {
        table: Table::Journal,
        key: 1,
        value: vec![1],
    };
    write(&journal, vec![row]).unwrap();
    drop(journal);
    let error = file.open().err().unwrap().to_string();
    assert!(error.contains("the file of a journal"), "{error}");
}

#[test]
fn a_file_that_is_mostly_empty_is_made_small_and_holds_the_same() {
    let file = TempFile::new();
    let store = file.open().unwrap();
    let large = |key| Change::Put {
        table: Table::Seen,
        key,
        value: vec![7; 1 << 20],
    };
    write(&store, (0..16).map(large).collect()).unwrap();
    // Behind the large ones, so that redb cannot cut their pages off by itself.
    write(&store, (0..8).map(put).collect()).unwrap();
    let below = Change::RemoveBelow {
        table: Table::Seen,
        key: 15,
    };
    write(&store, vec![below]).unwrap();
    drop(store);
    let bytes = || file.0.metadata().unwrap().len();
    let before = bytes();
    let opener = Opener::file(Purpose::Store, &file.0);
    let database = opener.open().unwrap();
    drop(compact::if_mostly_empty(database, &opener, 1).unwrap());
    assert!(bytes() < before / 3, "{before} then {}", bytes());
    let store = file.open().unwrap();
    assert_eq!(keys(&store), (0..8).collect::<Vec<_>>());
}

#[test]
fn rows_are_counted_as_they_come_and_go() {
    let metrics = crate::metrics::Metrics::new().unwrap();
    let file = TempFile::new();
    let open = || Store::open(Purpose::Store, &file.0, metrics.store()).unwrap();
    let rows = || {
        let text = metrics.render();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("sampan_store_rows{file=\"store\"} "));
        line.unwrap().to_owned()
    };
    let store = open();
    write(&store, vec![put(1), put(2), put(3)]).unwrap();
    let remove = Change::Remove {
        table: Table::Inbox,
        key: 2,
    };
    write(&store, vec![put(1), remove]).unwrap();
    assert_eq!(rows(), "2");
    drop(store);
    let store = open();
    write(&store, vec![put(4)]).unwrap();
    assert_eq!(rows(), "3");
}

#[test]
fn a_file_of_a_later_format_is_refused_and_keeps_what_it_holds() {
    let file = TempFile::new();
    write(&file.open().unwrap(), vec![put(1)]).unwrap();
    format::write_later(&builder().open(&file.0).unwrap());
    for _ in 0..2 {
        let error = file.open().err().unwrap().to_string();
        assert!(error.contains("format 3"), "{error}");
    }
}

#[test]
fn a_damaged_file_is_refused_or_read_and_never_a_panic() {
    let file = TempFile::new();
    write(&file.open().unwrap(), (0..200).map(put).collect()).unwrap();
    let sound = std::fs::read(&file.0).unwrap();
    for at in (0..sound.len().min(40_000)).step_by(997) {
        let mut damaged = sound.clone();
        damaged[at..(at + 64).min(sound.len())].fill(0xa5);
        std::fs::write(&file.0, &damaged).unwrap();
        if let Ok(store) = file.open() {
            // What is told may be wrong; that something is told is what matters here.
            write(&store, vec![put(999)]).ok();
        }
    }
}

#[test]
fn a_file_that_is_gone_is_not_made_anew_while_the_process_runs() {
    let file = TempFile::new();
    let opener = Opener::file(Purpose::Store, &file.0);
    drop(opener.open().unwrap());
    std::fs::remove_file(&file.0).unwrap();
    assert!(opener.reopen().is_err());
    assert!(!file.0.exists());
}

#[test]
fn a_full_disk_is_told_and_once_it_has_room_the_store_recovers_by_itself() {
    let disk = Disk::new();
    let store = disk.store();
    write(&store, vec![put(1)]).unwrap();
    disk.fail_after(0);
    let error = write(&store, vec![put(2)]).unwrap_err();
    assert!(matches!(error, StoreError::Failed(_)), "{error}");
    assert!(!store.is_healthy() && store.failure().is_some());
    let error = write(&store, vec![put(3)]).unwrap_err();
    assert!(matches!(error, StoreError::OutOfService(_)), "{error}");
    disk.mend();
    write_until_taken(&store, 4);
    assert_eq!(store.failure(), None);
    assert_eq!(keys(&store), [1, 4]);
}

#[test]
fn wherever_the_disk_fails_nothing_that_was_told_durable_is_lost() {
    for room in 0..40 {
        let disk = Disk::new();
        let store = disk.store();
        disk.fail_after(room);
        let told: Vec<u64> = (0..10)
            .filter(|key| write(&store, vec![put(*key)]).is_ok())
            .collect();
        disk.mend();
        drop(store);
        let found = keys(&disk.store());
        assert!(
            told.iter().all(|key| found.contains(key)),
            "{told:?} {found:?}"
        );
    }
}

#[test]
fn whenever_the_process_is_killed_a_group_is_there_whole_or_not_at_all() {
    let disk = Disk::new();
    let store = disk.store();
    let begun = lock(&disk.operations).len();
    let mut told_at = Vec::new();
    for group in 0..4_u64 {
        let changes = (0..50).map(|n| put(group * 100 + n)).collect();
        write(&store, changes).unwrap();
        told_at.push(lock(&disk.operations).len());
    }
    let operations = lock(&disk.operations).clone();
    for killed in begun..=operations.len() {
        let found = keys(&Disk::after(&operations[..killed]).store());
        let whole: Vec<u64> = (0..found.len() as u64 / 50)
            .flat_map(|group| (0..50).map(move |n| group * 100 + n))
            .collect();
        assert_eq!(found, whole, "killed after {killed} operations");
        let told = told_at.iter().filter(|at| **at <= killed).count();
        assert!(found.len() >= told * 50, "{told} groups were told durable");
    }
}

#[test]
fn more_than_may_wait_is_refused_at_once() {
    let store = Store::in_memory();
    // The thread is held in the first `done`, so nothing that follows is taken off the queue.
    let (release, held) = mpsc::channel::<()>();
    let (reached, at_done) = mpsc::channel();
    let hold: Done = Box::new(move |_| {
        reached.send(()).unwrap();
        held.recv().unwrap();
    });
    store.write(vec![put(1)], hold);
    at_done.recv().unwrap();
    let many = || (0..CHANGES_WAITING_MAX as u64 / 2).map(put).collect();
    store.write(many(), Box::new(|_| {}));
    store.write(many(), Box::new(|_| {}));
    let (sender, told) = mpsc::channel();
    store.write(
        vec![put(2)],
        Box::new(move |result| sender.send(result).unwrap()),
    );
    assert_eq!(told.try_recv().unwrap(), Err(StoreError::Full));
    release.send(()).unwrap();
    write_until_taken(&store, 3);
}

#[test]
fn a_writer_that_panics_when_told_takes_nothing_from_the_others() {
    let store = Store::in_memory();
    store.write(vec![put(1)], Box::new(|_| panic!("a fault of one writer")));
    write(&store, vec![put(2)]).unwrap();
    assert_eq!(keys(&store), [1, 2]);
}
