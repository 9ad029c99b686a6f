//! What it costs to read and write an 0200 of 20 elements and about 250 bytes: the router's codec and
//! those of other crates.
//!
//! The rivals know bitmaps of bytes only; ours is measured with both forms. All of them write the same
//! bytes, which is checked before anything is measured, but iso8583-core passes over the secondary
//! bitmap: it gets the message without DE102.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark has no users and fails by panicking"
)]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, criterion_group, criterion_main};
use iso8583_core::ISO8583Message;
use iso8583_rs::iso8583::iso_spec;
use sampan_rivals::iso8583::{Dialect, Message, Mti};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ELEMENTS: [(u8, &str); 20] = [
    (2, "9704361234561234"),
    (3, "000000"),
    (4, "000000010000"),
    (7, "0921073244"),
    (11, "000124"),
    (12, "143244"),
    (13, "0921"),
    (14, "2512"),
    (15, "0921"),
    (18, "5999"),
    (22, "012"),
    (25, "00"),
    (32, "970499"),
    (37, "226507000124"),
    (41, "SAMPAN01"),
    (42, "MERCHANT0000001"),
    (43, "SAMPAN FERRY            HA NOI        VN"),
    (48, "ORDER 00012345678901234"),
    (49, "704"),
    (102, "00110012345678901234"),
];

fn message(elements: &[(u8, &str)]) -> Message {
    let mut message = Message::new(Mti::FINANCIAL_REQUEST);
    for (number, value) in elements {
        message.set(*number, value);
    }
    message
}

fn written(dialect: &Dialect, message: &Message) -> Bytes {
    let mut out = BytesMut::new();
    dialect.encode(message, &mut out).unwrap();
    out.freeze()
}

fn all(c: &mut Criterion) {
    let message_of_20 = message(&ELEMENTS);
    let message_of_19 = message(&ELEMENTS[..19]);
    let hex = Dialect::iso8583_1987_ascii();
    let text = Dialect::ISO8583_1987_ASCII_TEXT;
    let text = text.replace("bitmap = \"hex\"", "bitmap = \"binary\"");
    let binary = Dialect::parse(&text).unwrap();
    let bytes = written(&binary, &message_of_20);
    let bytes_of_19 = written(&binary, &message_of_19);
    let spec = iso_spec::spec("Bench");

    let mut group = c.benchmark_group("0200 decode");
    for (name, dialect) in [("sampan", hex), ("sampan, binary bitmap", &binary)] {
        let bytes = written(dialect, &message_of_20);
        group.bench_function(name, |b| {
            b.iter(|| dialect.decode(black_box(bytes.clone())).unwrap());
        });
    }
    group.bench_function("iso8583_rs", |b| {
        let mut bytes = bytes.to_vec();
        b.iter(|| {
            spec.parse(black_box(&mut bytes))
                .unwrap_or_else(|_| unreachable!())
        });
    });
    group.bench_function("iso8583-core, 19 elements", |b| {
        b.iter(|| ISO8583Message::from_bytes(black_box(&bytes_of_19)).unwrap());
    });
    group.finish();

    let mut group = c.benchmark_group("0200 encode");
    for (name, dialect) in [("sampan", hex), ("sampan, binary bitmap", &binary)] {
        let mut out = BytesMut::with_capacity(1_024);
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                dialect.encode(black_box(&message_of_20), &mut out).unwrap();
            });
        });
    }
    let theirs = spec
        .parse(&mut bytes.to_vec())
        .unwrap_or_else(|_| unreachable!());
    assert_eq!(theirs.assemble().unwrap_or_else(|_| unreachable!()), bytes);
    group.bench_function("iso8583_rs", |b| {
        b.iter(|| {
            black_box(&theirs)
                .assemble()
                .unwrap_or_else(|_| unreachable!())
        });
    });
    let theirs = ISO8583Message::from_bytes(&bytes_of_19).unwrap();
    assert_eq!(theirs.to_bytes(), bytes_of_19);
    group.bench_function("iso8583-core, 19 elements", |b| {
        b.iter(|| black_box(&theirs).to_bytes());
    });
    group.bench_function("sampan, building the message", |b| {
        b.iter(|| message(black_box(&ELEMENTS)));
    });
    group.finish();
}

criterion_group!(benches, all);
criterion_main!(benches);
