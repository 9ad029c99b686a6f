//! What it costs to read and write an 0200 of 20 elements and about 250 bytes.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark fails by panicking and has no users"
)]

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sampan::iso8583::{Dialect, Message, Mti};
use std::hint::black_box;

fn financial_request() -> Message {
    let mut message = Message::new(Mti::FINANCIAL_REQUEST);
    message
        .set(2, "9704361234561234")
        .set(3, "000000")
        .set(4, "000000010000")
        .set(7, "0921073244")
        .set(11, "000124")
        .set(12, "143244")
        .set(13, "0921")
        .set(14, "2512")
        .set(15, "0921")
        .set(18, "5999")
        .set(22, "012")
        .set(25, "00")
        .set(32, "970499")
        .set(37, "226507000124")
        .set(41, "SAMPAN01")
        .set(42, "MERCHANT0000001")
        .set(43, "SAMPAN FERRY            HA NOI        VN")
        .set(48, "ORDER 00012345678901234")
        .set(49, "704")
        .set(102, "00110012345678901234");
    message
}

fn codec(criterion: &mut Criterion) {
    let dialect = Dialect::iso8583_1987_ascii();
    let message = financial_request();
    let mut written = BytesMut::new();
    dialect.encode(&message, &mut written).unwrap();
    let bytes: Bytes = written.split().freeze();

    let mut group = criterion.benchmark_group("iso8583");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("encode", |bencher| {
        let mut output = BytesMut::with_capacity(1_024);
        bencher.iter(|| {
            output.clear();
            dialect.encode(black_box(&message), &mut output).unwrap();
        });
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| dialect.decode(black_box(bytes.clone())).unwrap());
    });
    group.bench_function("build", |bencher| bencher.iter(financial_request));
    group.finish();
    println!(
        "message of {} elements, {} bytes",
        message.len(),
        bytes.len()
    );
}

criterion_group!(benches, codec);
criterion_main!(benches);
