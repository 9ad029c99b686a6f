use std::collections::BTreeMap;

use proptest::prelude::*;
use redb::{Database, ReadableDatabase as _, TableDefinition, backends::InMemoryBackend};

use super::*;
use crate::store::{Batch, Table};

const TABLE: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("log");

/// Small, so that a few rows fill segments and make it clean up.
const SMALL: Limits = Limits {
    segment_bytes: 100,
    dead_bytes_min: 50,
    moved_bytes_min: 30,
    removed_min: 4,
};

struct Case {
    database: Database,
    log: Log,
}

impl Case {
    fn new() -> Self {
        let database = Database::builder()
            .create_with_backend(InMemoryBackend::new())
            .unwrap();
        let transaction = database.begin_write().unwrap();
        drop(transaction.open_table(TABLE).unwrap());
        transaction.commit().unwrap();
        let log = Log::new(SMALL);
        Self { database, log }
    }

    fn write(&mut self, changes: &[Change]) {
        let transaction = self.database.begin_write().unwrap();
        let mut table = transaction.open_table(TABLE).unwrap();
        self.log.write(&mut table, changes.iter()).unwrap();
        drop(table);
        transaction.commit().unwrap();
    }

    /// What a start finds: the log read anew, and its rows.
    fn restart(&mut self) {
        let transaction = self.database.begin_read().unwrap();
        let table = transaction.open_table(TABLE).unwrap();
        self.log = Log::replay(SMALL, &table).unwrap();
    }

    fn rows(&self) -> Vec<(u64, Vec<u8>)> {
        let transaction = self.database.begin_read().unwrap();
        let table = transaction.open_table(TABLE).unwrap();
        let mut rows = Vec::new();
        each_row(&table, &mut |key, value| rows.push((key, value.to_vec()))).unwrap();
        rows
    }

    fn stored_bytes(&self) -> usize {
        self.segments_bytes().iter().sum()
    }

    fn segments_bytes(&self) -> Vec<usize> {
        let transaction = self.database.begin_read().unwrap();
        let table = transaction.open_table(TABLE).unwrap();
        let segments = table.iter().unwrap();
        let bytes = segments.map(|own| own.unwrap().1.value().len());
        bytes.collect()
    }

    /// Puts a segment there that no log wrote.
    fn damage(&self, number: u64, segment: &[u8]) {
        let transaction = self.database.begin_write().unwrap();
        let mut table = transaction.open_table(TABLE).unwrap();
        table.insert(number, segment).unwrap();
        drop(table);
        transaction.commit().unwrap();
    }
}

fn put(key: u64, value: Vec<u8>) -> Change {
    let table = Table::Seen;
    Change::Put { table, key, value }
}

fn remove(key: u64) -> Change {
    let table = Table::Seen;
    Change::Remove { table, key }
}

fn remove_below(key: u64) -> Change {
    let table = Table::Seen;
    Change::RemoveBelow { table, key }
}

/// A [`Change`] that proptest may print; the store's own hold texts and say nothing.
#[derive(Clone, Debug)]
enum Step {
    Put(u64, Vec<u8>),
    Remove(u64),
    RemoveBelow(u64),
}

impl Step {
    fn change(&self) -> Change {
        match self {
            Self::Put(key, value) => put(*key, value.clone()),
            Self::Remove(key) => remove(*key),
            Self::RemoveBelow(key) => remove_below(*key),
        }
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let value = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        6 => (0_u64..60, value).prop_map(|(key, value)| Step::Put(key, value)),
        4 => (0_u64..60).prop_map(Step::Remove),
        1 => (0_u64..60).prop_map(Step::RemoveBelow),
    ]
}

#[derive(Clone, Copy, Debug)]
enum Then {
    GoOn,
    Restart,
}

proptest! {
    // Each case is some forty commits.
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn it_holds_what_a_plain_table_holds_at_every_commit_and_restart(
        groups in prop::collection::vec(
            (
                prop::collection::vec(any_step(), 0..12),
                prop_oneof![3 => Just(Then::GoOn), 1 => Just(Then::Restart)],
            ),
            0..40,
        ),
    ) {
        let (mut case, mut plain) = (Case::new(), BTreeMap::new());
        for (steps, then) in groups {
            case.write(&steps.iter().map(Step::change).collect::<Vec<_>>());
            for step in steps {
                match step {
                    Step::Put(key, value) => drop(plain.insert(key, value)),
                    Step::Remove(key) => drop(plain.remove(&key)),
                    Step::RemoveBelow(key) => plain = plain.split_off(&key),
                }
            }
            if matches!(then, Then::Restart) {
                case.restart();
            }
            let rows: Vec<_> = plain.clone().into_iter().collect();
            prop_assert_eq!(case.rows(), rows);
            prop_assert_eq!(case.log.rows(), plain.len() as u64);
        }
    }
}

#[test]
fn it_stays_short_though_some_rows_live_for_ever() {
    let mut case = Case::new();
    let mut longest = 0;
    for group in 0..500_u64 {
        let mut changes: Vec<_> = (0..10).map(|n| put(group * 10 + n, vec![7; 20])).collect();
        // All but every five-hundredth row die ten groups later.
        if let Some(old) = group.checked_sub(10) {
            let dying = (0..10).map(|n| old * 10 + n);
            changes.extend(dying.filter(|key| key % 500 != 0).map(remove));
        }
        case.write(&changes);
        longest = longest.max(case.stored_bytes());
    }
    assert_eq!(case.log.rows(), 10 + 100);
    // Some 110 rows of 33 bytes live at the end, and as much again may be dead.
    assert!(longest < 12_000, "{longest}");
}

#[test]
fn a_row_that_is_removed_does_not_come_back_when_its_removal_is_cleaned_away() {
    let mut case = Case::new();
    // The first row keeps its segment, in which an old copy of the second stays.
    case.write(&[put(1, vec![1; 10]), put(2, vec![2; 10])]);
    case.write(&[put(2, vec![3; 10])]);
    case.write(&[remove(2)]);
    for key in 3..200 {
        case.write(&[put(key, vec![9; 30])]);
        case.write(&[remove(key)]);
        case.restart();
        assert_eq!(case.rows(), [(1, vec![1; 10])]);
    }
}

#[test]
fn a_segment_fits_its_page_unless_a_row_is_larger_by_itself() {
    let mut case = Case::new();
    let rows = (0..50).map(|key| put(key, vec![1; key as usize]));
    let large = [put(50, vec![1; 300]), put(51, vec![1])];
    case.write(&rows.chain(large).collect::<Vec<_>>());
    let segments = case.segments_bytes();
    let too_large = segments.iter().filter(|own| **own > SMALL.segment_bytes);
    assert_eq!(too_large.collect::<Vec<_>>(), [&313]);
    assert!(segments.len() < 30, "{segments:?}");
}

#[test]
fn a_batch_does_what_its_changes_would_do_one_by_one() {
    let mut case = Case::new();
    let mut batch = Batch::with_capacity(Table::Seen, 4);
    let value = |value: u8| {
        move |to: &mut Vec<u8>| {
            to.extend([value; 10]);
            Ok::<_, ()>(())
        }
    };
    batch.put(1, value(1)).unwrap();
    batch.put(2, value(2)).unwrap();
    batch.remove(1);
    batch.put(3, value(3)).unwrap();
    case.write(&[put(2, vec![9]), Change::Batch(batch), remove(3)]);
    assert_eq!(case.rows(), [(2, vec![2; 10])]);
}

#[test]
fn a_table_whose_rows_are_all_gone_takes_no_room() {
    let mut case = Case::new();
    case.write(
        &(0..100)
            .map(|key| put(key, vec![1; 30]))
            .collect::<Vec<_>>(),
    );
    case.write(&[remove_below(100)]);
    // A few with each commit, so that none waits for all of them.
    let before = case.stored_bytes();
    case.write(&[]);
    assert!(case.stored_bytes() > before / 2, "{before}");
    for _ in 0..20 {
        case.write(&[]);
    }
    assert_eq!(case.stored_bytes(), 0);
    case.write(&[put(7, vec![7])]);
    case.restart();
    assert_eq!(case.rows(), [(7, vec![7])]);
}

#[test]
fn a_damaged_or_missing_segment_is_told_and_not_passed_over() {
    let read = |case: &Case| {
        let transaction = case.database.begin_read().unwrap();
        let table = transaction.open_table(TABLE).unwrap();
        let replayed = Log::replay(SMALL, &table).map(drop).unwrap_err();
        let read = each_row(&table, &mut |_, _| {}).unwrap_err();
        assert_eq!(replayed.to_string(), read.to_string());
        read.to_string()
    };
    let mut case = Case::new();
    case.write(&[put(1, vec![1])]);
    case.damage(1, b"\x01\0");
    assert!(read(&case).contains("segment 1 is damaged"));
    let mut case = Case::new();
    case.write(&[put(1, vec![1])]);
    case.damage(5, b"");
    assert!(read(&case).contains("segment 1 is missing"));
}
