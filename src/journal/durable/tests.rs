//! The journal as its users see it: records, seals, keys, restarts and disks that fail.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use bytes::Bytes;
use proptest::prelude::*;

use crate::{
    client::{ClientName, PaymentId, PaymentKey},
    digest::Digest,
    iso8583::{Message, Mti, Stan},
    journal::{
        read::{Found, Reader},
        record::{self, Meta},
        seal::Sealer,
        *,
    },
    metrics::StoreMetrics,
    outcome::Reason,
    store::{
        Change, Purpose, Store, Table,
        tests::{Disk, TempFile},
    },
};

const KEY: &str = "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER_KEY: &str = "e00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const PAN: &str = "9704361234561234";

fn keys(current: &str, previous: &[&str]) -> Keys {
    let key = |hex: &&str| MasterKey::parse(hex).unwrap();
    Keys::new(key(&current), previous.iter().map(key).collect())
}

fn settings(file: &TempFile, keys: Keys) -> JournalSettings {
    let path = file.0.clone();
    JournalSettings { path, keys }
}

fn open(file: &TempFile, keys: Keys) -> Result<(Durable, Recovered), OpenError> {
    Durable::open(&settings(file, keys), StoreMetrics::unseen())
}

fn refused(file: &TempFile, keys: Keys) -> String {
    open(file, keys).err().unwrap().to_string()
}

fn request() -> Message {
    let mut message = Message::new(Mti::FINANCIAL_REQUEST);
    message
        .set(2, PAN)
        .set(4, "000000150000")
        .set(11, "000123")
        .set(37, "632605000123")
        .set(49, "704");
    message
}

fn reversal(reason: Reason) -> KeptReversal {
    let mut message = request();
    message.set_mti(Mti::REVERSAL_ADVICE);
    message.set(11, "000124").set(39, "68");
    KeptReversal {
        reason,
        message,
        began_utc_ms: 1_795_305_600_500,
        attempts: 3,
        response_code: Bytes::from_static(b"91"),
    }
}

fn balance() -> [(u8, &'static [u8]); 1] {
    [(54, b"0001704C000001000000")]
}

fn kept(id: &str, stage: Stage) -> Kept {
    Kept {
        bank: "vietcom".into(),
        key: PaymentKey {
            client: ClientName::parse("shop").unwrap(),
            id: PaymentId::parse(id).unwrap(),
        },
        fingerprint: Digest::from_bytes([9; 16]),
        began_utc_ms: 1_795_305_600_000,
        stan: Stan::new(123).unwrap(),
        request: KeptRequest::of(&request(), |_| true),
        response: KeptResponse::new(b"00", b"A1B2C3", balance().into_iter()),
        late_response_code: Bytes::from_static(b"05"),
        stage,
    }
}

fn stages() -> Vec<Stage> {
    let at_utc_ms = 1_795_305_601_000;
    let ended = |end| Stage::Ended { end, at_utc_ms };
    let taken_back = |end| Stage::ReversalEnded {
        reversal: reversal(Reason::LinkLost),
        end,
        at_utc_ms,
    };
    let mut stages = vec![
        Stage::Sending,
        ended(End::Approved),
        ended(End::Declined),
        taken_back(ReversalEnd::Accepted),
        taken_back(ReversalEnd::Failed),
        taken_back(ReversalEnd::Resolved {
            operator: "lan".into(),
            reason: "hoàn tiền tại quầy".into(),
        }),
    ];
    for reason in [
        Reason::Invalid,
        Reason::NoRoute,
        Reason::NoLink,
        Reason::QueueFull,
        Reason::Deadline,
        Reason::Timeout,
        Reason::LinkLost,
        Reason::Stopping,
        Reason::Limit,
        Reason::Journal,
        Reason::BadAnswer,
        Reason::Cancelled,
        Reason::IdReused,
        Reason::Internal,
    ] {
        stages.push(ended(End::NotSent(reason)));
        stages.push(ended(End::Unknown(reason)));
        stages.push(Stage::Reversing(reversal(reason)));
    }
    stages
}

fn encoded(kept: &Kept) -> Vec<u8> {
    let mut content = Vec::new();
    record::encode(kept, &mut content);
    content
}

fn keep(number: u64, kept: Kept) -> Row {
    let change = RowChange::Keep(Box::new(kept));
    Row { number, change }
}

fn forget(number: u64) -> Row {
    let change = RowChange::Forget;
    Row { number, change }
}

/// Appends and waits for what is told.
fn append(journal: &Durable, rows: Vec<Row>) -> Result<(), JournalError> {
    let (sender, told) = std::sync::mpsc::channel();
    journal.append(rows, Box::new(move |result| sender.send(result).unwrap()));
    told.recv_timeout(Duration::from_secs(60)).unwrap()
}

/// Puts a row into the file as it is.
fn put_raw(file: &TempFile, number: u64, value: Vec<u8>) {
    let store = Store::open(Purpose::Journal, &file.0, StoreMetrics::unseen()).unwrap();
    let (table, key) = (Table::Journal, number);
    let change = Change::Put { table, key, value };
    store.write(vec![change], Box::new(|result| result.unwrap()));
    store.close();
}

fn raw_rows(file: &TempFile) -> Vec<(u64, Vec<u8>)> {
    let store = Store::open(Purpose::Journal, &file.0, StoreMetrics::unseen()).unwrap();
    let mut rows = Vec::new();
    let mut each = |number, row: &[u8]| rows.push((number, row.to_vec()));
    store.load(Table::Journal, &mut each).unwrap();
    rows
}

#[test]
fn a_payment_of_every_stage_is_read_as_it_was_written() {
    for stage in stages() {
        let written = kept("order-1", stage);
        assert!(
            record::decode(&encoded(&written)).unwrap() == written,
            "{written:?}"
        );
    }
}

#[test]
fn the_layout_of_version_1_does_not_change() {
    let mut written = kept("o1", Stage::Sending);
    let mut request = Message::new(Mti::FINANCIAL_REQUEST);
    request.set(3, "000000");
    written.request = KeptRequest::of(&request, |_| true);
    // By hand, from the layout in the head of `record`.
    let by_hand = [
        &[1][..],
        b"\x07vietcom",
        b"\x04shop",
        b"\x02o1",
        &[9; 16],
        &[0x00, 0x00, 0x01, 0xa2, 0x00, 0x8d, 0x74, 0x00],
        &[0, 0, 123],
        b"0200\x01\x03\x06000000",
        b"\x0200\x06A1B2C3",
        b"\x01\x36\x140001704C000001000000",
        b"\x0205",
        &[1],
    ]
    .concat();
    assert_eq!(encoded(&written), by_hand);
    assert!(record::decode(&by_hand).unwrap() == written);
}

#[test]
fn a_record_that_is_cut_short_or_goes_on_is_damage_at_a_place() {
    for stage in stages() {
        let content = encoded(&kept("order-1", stage));
        for length in 0..content.len() {
            let damaged = record::decode(&content[..length]).err().unwrap();
            assert!(damaged.at <= length, "{damaged}");
        }
        let longer = [&content[..], &[0]].concat();
        let damaged = record::decode(&longer).err().unwrap();
        assert_eq!(damaged.at, content.len(), "{damaged}");
    }
}

#[test]
fn a_record_of_an_unknown_version_is_not_guessed_at() {
    let mut content = encoded(&kept("order-1", Stage::Sending));
    content[0] = 2;
    let damaged = record::decode(&content).err().unwrap().to_string();
    assert!(
        damaged.starts_with("cannot be read at byte 0: its version"),
        "{damaged}"
    );
}

#[test]
fn pin_blocks_tracks_and_chip_data_are_left_out_even_if_a_payment_brings_them() {
    let mut brought = kept("order-1", Stage::Reversing(reversal(Reason::Timeout)));
    let never_kept = [35, 36, 45, 52, 55];
    let mut request = request();
    for number in never_kept {
        request.set(number, "secret");
        if let Stage::Reversing(reversal) = &mut brought.stage {
            reversal.message.set(number, "secret");
        }
    }
    brought.request = KeptRequest::of(&request, |_| true);
    let secrets = never_kept.map(|number| (number, &b"secret"[..]));
    let told = balance().into_iter().chain(secrets);
    brought.response = KeptResponse::new(b"00", b"A1B2C3", told);
    let content = encoded(&brought);
    assert!(!content.windows(6).any(|window| window == b"secret"));
    let read = record::decode(&content).unwrap();
    assert!(read == kept("order-1", Stage::Reversing(reversal(Reason::Timeout))));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(content: Vec<u8>, row: Vec<u8>, number: u64) {
        record::decode(&content).ok();
        Meta::decode(&content).ok();
        let keys = keys(KEY, &[]);
        prop_assert!(Reader::new(&keys).read(number, &row).is_err());
    }

    #[test]
    fn a_record_with_a_byte_changed_is_read_or_refused_and_never_a_panic(
        at: prop::sample::Index,
        byte: u8,
        which: prop::sample::Index,
    ) {
        let stages = stages();
        let mut content = encoded(&kept("order-1", stages[which.index(stages.len())].clone()));
        let at = at.index(content.len());
        content[at] = byte;
        record::decode(&content).ok();
    }

    #[test]
    fn any_elements_are_read_as_they_were_written(
        values in prop::collection::btree_map(2..=128_u8, prop::collection::vec(any::<u8>(), 0..300), 0..40),
    ) {
        let mut written = kept("order-1", Stage::Sending);
        let mut request = Message::new(Mti::FINANCIAL_REQUEST);
        for (number, value) in &values {
            request.set(*number, value);
        }
        written.request = KeptRequest::of(&request, |_| true);
        prop_assert!(record::decode(&encoded(&written)).unwrap() == written);
    }
}

fn sealed(sealer: &Sealer, number: u64, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut row = Vec::new();
    sealer.seal(number, &mut row, write).unwrap();
    row
}

#[test]
fn a_row_is_read_under_its_own_number_only_and_not_after_any_change() {
    let keys = keys(KEY, &[]);
    let payment = kept("order-1", Stage::Sending);
    let sealer = Sealer::new(&keys).unwrap();
    let row = sealed(&sealer, 7, |to| record::encode(&payment, to));
    let mut reader = Reader::new(&keys);
    assert!(reader.read(7, &row).is_ok());
    let moved = reader.read(8, &row).err().unwrap();
    assert!(matches!(moved, RowFault::Seal(_)), "{moved}");
    for at in 0..row.len() {
        let mut changed = row.clone();
        changed[at] ^= 1;
        assert!(reader.read(7, &changed).is_err(), "byte {at}");
        assert!(reader.read(7, &row[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn a_row_that_another_implementation_sealed_is_read() {
    // By Python's `cryptography` 48: HKDF and AESGCM, from the layout in the head of `seal`, with the
    // salt a0 to af, the counter 5 and, as the content, a row of the journal's own.
    const SEALED: &str = "0163d4e8c8a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000005\
        c66013ec21886ff9fdedd905afeebe14b87d4fe841323300448687f98119334f7c2d5e22a0cdb45801";
    let byte = |at| u8::from_str_radix(&SEALED[at..at + 2], 16).unwrap();
    let row: Vec<u8> = (0..SEALED.len()).step_by(2).map(byte).collect();
    let keys = keys(KEY, &[]);
    let (id, found) = Reader::new(&keys).read(0, &row).ok().unwrap();
    assert_eq!(id, keys.current().id());
    let Found::Meta(meta) = found else {
        panic!("a payment")
    };
    assert_eq!(meta.reserved, 65_537);
    assert!(meta.digest_key.to_bytes() == std::array::from_fn(|n| n as u8));
}

#[test]
fn no_two_rows_are_sealed_with_one_nonce_under_one_key() {
    let keys = keys(KEY, &[]);
    let openings = [Sealer::new(&keys).unwrap(), Sealer::new(&keys).unwrap()];
    let mut heads = std::collections::HashSet::new();
    for sealer in &openings {
        for _ in 0..100 {
            let row = sealed(sealer, 1, |to| to.push(1));
            // The salt, which decides the key, and the counter.
            assert!(heads.insert(row[5..29].to_vec()));
        }
    }
}

#[test]
fn what_is_told_durable_is_there_after_a_restart_in_the_order_of_the_numbers() {
    let file = TempFile::new();
    let (journal, recovered) = open(&file, keys(KEY, &[])).unwrap();
    assert!(recovered.records.is_empty());
    let numbers: Vec<u64> = (0..3).map(|_| journal.next_number()).collect();
    let rows = vec![
        keep(numbers[2], kept("c", Stage::Sending)),
        keep(numbers[0], kept("a", Stage::Sending)),
    ];
    append(&journal, rows).unwrap();
    append(&journal, vec![keep(numbers[1], kept("b", Stage::Sending))]).unwrap();
    let reversing = Stage::Reversing(reversal(Reason::Timeout));
    let rows = vec![
        keep(numbers[0], kept("a", reversing.clone())),
        forget(numbers[1]),
    ];
    append(&journal, rows).unwrap();
    let key = journal.digest_key();
    journal.close();
    let (journal, recovered) = open(&file, keys(KEY, &[])).unwrap();
    let expected = [
        (numbers[0], kept("a", reversing)),
        (numbers[2], kept("c", Stage::Sending)),
    ];
    assert!(recovered.records == expected);
    assert!(journal.digest_key() == key);
}

#[test]
fn a_number_is_given_once_also_after_all_payments_were_forgotten_and_none_was_recorded() {
    let file = TempFile::new();
    let mut last = 0;
    for restart in 0..4 {
        let (journal, _) = open(&file, keys(KEY, &[])).unwrap();
        for _ in 0..10 {
            let number = journal.next_number();
            assert!(number > last);
            last = number;
        }
        if restart % 2 == 0 {
            append(&journal, vec![keep(last, kept("a", Stage::Sending))]).unwrap();
            append(&journal, vec![forget(last)]).unwrap();
        }
        journal.close();
    }
}

#[test]
fn numbers_are_reserved_ahead_while_a_router_runs_for_long() {
    let file = TempFile::new();
    let (journal, _) = open(&file, keys(KEY, &[])).unwrap();
    let mut last = 0;
    for _ in 0..5 {
        for _ in 0..40_000 {
            last = journal.next_number();
        }
        append(
            &journal,
            vec![keep(last, kept("a", Stage::Sending)), forget(last)],
        )
        .unwrap();
    }
    // As a kill would leave it: the handle is gone, and nothing more is written.
    drop(journal);
    let (journal, recovered) = open(&file, keys(KEY, &[])).unwrap();
    assert!(recovered.records.is_empty());
    assert!(journal.next_number() > last);
}

#[test]
fn neither_card_numbers_nor_ids_stand_in_the_file() {
    let file = TempFile::new();
    let (journal, _) = open(&file, keys(KEY, &[])).unwrap();
    let stages = stages().into_iter().enumerate();
    let rows = stages.map(|(n, stage)| keep(n as u64 + 1, kept("order-4711", stage)));
    append(&journal, rows.collect()).unwrap();
    journal.close();
    let bytes = std::fs::read(&file.0).unwrap();
    let holds = |text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    // The table's own name shows that the file is looked at rightly.
    assert!(holds("journal"));
    for secret in [PAN, "order-4711", "632605000123", "A1B2C3", "vietcom"] {
        assert!(!holds(secret), "{secret}");
    }
}

#[test]
fn a_changed_key_seals_all_records_anew_and_the_old_one_can_then_be_taken_away() {
    let file = TempFile::new();
    let (journal, _) = open(&file, keys(KEY, &[])).unwrap();
    let rows = (1..=10).map(|number| keep(number, kept("a", Stage::Sending)));
    append(&journal, rows.collect()).unwrap();
    let digest_key = journal.digest_key();
    journal.close();

    let error = refused(&file, keys(OTHER_KEY, &[]));
    assert!(error.contains("record 0 of "), "{error}");
    let old = MasterKey::parse(KEY).unwrap().id();
    assert!(
        error.contains(&format!("sealed with key {old}, which is not configured")),
        "{error}"
    );

    let (journal, recovered) = open(&file, keys(OTHER_KEY, &[KEY])).unwrap();
    assert_eq!(recovered.records.len(), 10);
    journal.close();
    let (journal, recovered) = open(&file, keys(OTHER_KEY, &[])).unwrap();
    assert_eq!(recovered.records.len(), 10);
    assert!(journal.digest_key() == digest_key);
}

#[test]
fn a_record_that_cannot_be_read_keeps_the_router_from_starting_and_is_named() {
    let file = TempFile::new();
    let (journal, _) = open(&file, keys(KEY, &[])).unwrap();
    let rows = (1..=3).map(|number| keep(number, kept("a", Stage::Sending)));
    append(&journal, rows.collect()).unwrap();
    journal.close();
    let mut rows = raw_rows(&file);
    let sound = rows.clone();
    let (number, row) = &mut rows[2];
    *row.last_mut().unwrap() ^= 1;
    put_raw(&file, *number, row.clone());
    let error = refused(&file, keys(KEY, &[]));
    assert!(
        error.contains("record 2 of ") && error.contains("does not fit its seal"),
        "{error}"
    );
    put_raw(&file, 2, vec![9, 9]);
    let error = refused(&file, keys(KEY, &[]));
    assert!(
        error.contains("record 2 of ") && error.contains("has form 9"),
        "{error}"
    );
    put_raw(&file, 2, sound[2].1.clone());
    open(&file, keys(KEY, &[])).unwrap();
}

#[test]
fn a_row_in_the_place_of_another_is_refused() {
    let file = TempFile::new();
    let (journal, _) = open(&file, keys(KEY, &[])).unwrap();
    let reversed = Stage::ReversalEnded {
        reversal: reversal(Reason::Timeout),
        end: ReversalEnd::Accepted,
        at_utc_ms: 1,
    };
    let rows = vec![
        keep(1, kept("a", Stage::Sending)),
        keep(2, kept("b", reversed)),
    ];
    append(&journal, rows).unwrap();
    journal.close();
    let rows = raw_rows(&file);
    put_raw(&file, 1, rows[2].1.clone());
    let error = refused(&file, keys(KEY, &[]));
    assert!(error.contains("record 1 of "), "{error}");
}

#[test]
fn a_journal_whose_own_row_is_gone_is_not_begun_anew() {
    let file = TempFile::new();
    let keys = keys(KEY, &[]);
    let sealer = Sealer::new(&keys).unwrap();
    let payment = kept("a", Stage::Sending);
    put_raw(
        &file,
        5,
        sealed(&sealer, 5, |to| record::encode(&payment, to)),
    );
    let error = refused(&file, keys.clone());
    assert!(
        error.contains("record 0 of ") && error.contains("is missing"),
        "{error}"
    );
    let settings = settings(&file, keys);
    let archive = Archive::open(&settings).unwrap();
    let (mut read, mut unreadable) = (0, Vec::new());
    archive
        .each(&mut |found| match found {
            Ok(_) => read += 1,
            Err(row) => unreadable.push(row.number),
        })
        .unwrap();
    assert_eq!((read, unreadable), (1, vec![0]));
}

#[test]
fn a_full_disk_is_told_at_once_and_once_it_has_room_the_journal_recovers_by_itself() {
    let disk = Disk::new();
    let file = TempFile::new();
    let settings = settings(&file, keys(KEY, &[]));
    let store = disk.store_for(Purpose::Journal);
    let (journal, _) = Durable::over(store, &settings).unwrap();
    append(&journal, vec![keep(1, kept("a", Stage::Sending))]).unwrap();
    disk.room.store(0, SeqCst);
    append(&journal, vec![keep(2, kept("b", Stage::Sending))]).unwrap_err();
    assert!(journal.failure().is_some());
    // Out of service, it answers on the caller's own thread.
    let (sender, told) = std::sync::mpsc::channel();
    let rows = vec![keep(3, kept("c", Stage::Sending))];
    journal.append(rows, Box::new(move |result| sender.send(result).unwrap()));
    let error = told.try_recv().unwrap().unwrap_err().to_string();
    assert!(
        error.contains("payments are refused until it can"),
        "{error}"
    );
    disk.room.store(usize::MAX, SeqCst);
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while append(&journal, vec![keep(4, kept("d", Stage::Sending))]).is_err() {
        assert!(std::time::Instant::now() < end, "it does not recover");
        std::thread::yield_now();
    }
    assert_eq!(journal.failure(), None);
    drop(journal);
    let (_, recovered) = Durable::over(disk.store_for(Purpose::Journal), &settings).unwrap();
    let numbers: Vec<u64> = recovered
        .records
        .iter()
        .map(|(number, _)| *number)
        .collect();
    assert_eq!(numbers, [1, 4]);
}

#[test]
fn a_router_starts_on_a_full_disk_with_all_that_the_journal_held_unless_it_is_a_new_one() {
    let disk = Disk::new();
    let file = TempFile::new();
    let settings = settings(&file, keys(KEY, &[]));
    let store = disk.store_for(Purpose::Journal);
    let (journal, _) = Durable::over(store, &settings).unwrap();
    append(&journal, vec![keep(1, kept("a", Stage::Sending))]).unwrap();
    drop(journal);
    let store = disk.store_for(Purpose::Journal);
    disk.room.store(0, SeqCst);
    let (journal, recovered) = Durable::over(store, &settings).unwrap();
    assert_eq!(recovered.records.len(), 1);
    assert!(journal.failure().is_some());

    let disk = Disk::new();
    let store = disk.store_for(Purpose::Journal);
    disk.room.store(0, SeqCst);
    let error = Durable::over(store, &settings).err().unwrap();
    assert!(matches!(error, OpenError::Unwritable { .. }), "{error}");
}

#[test]
fn a_journal_in_use_is_said_to_be_so_by_its_own_key() {
    let file = TempFile::new();
    let _open = open(&file, keys(KEY, &[])).unwrap();
    let error = refused(&file, keys(KEY, &[]));
    assert!(
        error.starts_with("journal.path: ") && error.contains("in use"),
        "{error}"
    );
}

#[test]
fn a_failure_shows_nothing_of_a_payment() {
    let payment = kept("order-1", Stage::Reversing(reversal(Reason::Timeout)));
    let shown = format!("{payment:?}");
    assert!(
        !shown.contains(PAN) && !shown.contains("632605000123"),
        "{shown}"
    );
}
