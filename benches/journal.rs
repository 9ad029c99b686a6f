//! How many payments a second the journal makes durable, by the size of the groups that they come in.
//!
//! The file is in the folder of temporary files, or in that of `TMPDIR`: give one on the disk that is asked
//! about.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![allow(missing_docs, reason = "criterion_group makes a public function")]

use std::sync::{Arc, mpsc};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use sampan::client::{ClientName, PaymentId, PaymentKey};
use sampan::digest::Digest;
use sampan::iso8583::{Message, Mti, Stan};
use sampan::journal::{
    Durable, JournalSettings, Kept, KeptRequest, KeptResponse, Keys, MasterKey, Row, RowChange,
    Stage,
};
use sampan::metrics::StoreMetrics;

const GROUPS: [u32; 4] = [1, 16, 64, 256];

/// How many payments the file holds at most: each takes the row of one that was before it.
const ROWS: u64 = 100_000;

fn payment(number: u64) -> Row {
    let mut request = Message::new(Mti::FINANCIAL_REQUEST);
    request
        .set(2, "9704361234561234")
        .set(3, "000000")
        .set(4, "000000010000")
        .set(7, "0921073244")
        .set(11, "000124")
        .set(37, "226507000124")
        .set(41, "SAMPAN01")
        .set(42, "MERCHANT0000001")
        .set(49, "704");
    let kept = Kept {
        bank: "vietcom".into(),
        key: PaymentKey {
            client: ClientName::parse("shop").unwrap(),
            id: PaymentId::parse("order-4711").unwrap(),
        },
        fingerprint: Digest::from_bytes([7; 16]),
        began_utc_ms: 1_348_212_764_000,
        stan: Stan::new(124).unwrap(),
        request: KeptRequest::of(&request, |_| true),
        response: KeptResponse::default(),
        late_response_code: Bytes::new(),
        stage: Stage::Sending,
    };
    Row {
        number,
        change: RowChange::Keep(Box::new(kept)),
    }
}

fn append(c: &mut Criterion) {
    let path = std::env::temp_dir().join(format!("sampan-bench-{}.redb", std::process::id()));
    let digits: String = (0..32u8).map(|byte| format!("{:02x}", byte * 7)).collect();
    let key = MasterKey::parse(&digits).unwrap();
    let settings = JournalSettings {
        path: path.clone(),
        keys: Keys::new(key, Vec::new()),
    };
    let (journal, _) = Durable::open(&settings, StoreMetrics::unseen()).unwrap();
    let journal = Arc::new(journal);
    let first = journal.next_number();
    let mut appended = 0;
    let mut group = c.benchmark_group("journal append");
    group.sample_size(20);
    for size in GROUPS {
        group.throughput(Throughput::Elements(u64::from(size)));
        group.bench_function(format!("groups of {size}"), |b| {
            b.iter_batched(
                || {
                    appended += u64::from(size);
                    let numbers = (appended..).take(size as usize);
                    numbers.map(|n| payment(first + n % ROWS)).collect()
                },
                |rows| {
                    let (told, durable) = mpsc::channel();
                    journal.append(rows, Box::new(move |result| told.send(result).unwrap()));
                    durable.recv().unwrap().unwrap();
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
    journal.close();
    std::fs::remove_file(path).unwrap();
}

criterion_group!(benches, append);
criterion_main!(benches);
