//! What it costs to read and write a submit_sm: the router's codec and those of other crates.
//!
//! All of them read and write the same octets, which is checked before anything is measured.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark has no users and fails by panicking"
)]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rusmpp_core::command::{borrowed, owned};
use rusmpp_core::{decode, encode};
use sampan_rivals::smpp::codec::{FRAME_OCTETS_MAX, Frame, take_frame};
use sampan_rivals::smpp::octets::{COctetString, ShortMessage};
use sampan_rivals::smpp::pdu::{Encode as _, EsmClass, Pdu, SubmitSm};
use sampan_rivals::smpp::tlv::Tag;
use sampan_rivals::smpp::{Address, CommandStatus, Tlvs};
use smpp_codec::pdus::SubmitSmRequest;
use smpp34::common::CommandHeader;
use smpp34::common::submit_sm;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// TLVs that rusmpp's borrowed form has room for.
const TLVS_MAX: usize = 4;

/// A text of 100 characters from one number to another.
fn typical() -> SubmitSm {
    SubmitSm {
        source: Address::international("84900000001").unwrap(),
        destination: Address::international("84912345678").unwrap(),
        registered_delivery: 1,
        short_message: ShortMessage::new(Bytes::from(vec![b'a'; 100])).unwrap(),
        ..SubmitSm::default()
    }
}

/// Every field at its longest, and TLVs.
fn longest() -> SubmitSm {
    let digits = "84900000000000000001";
    SubmitSm {
        service_type: COctetString::new("WAPSE").unwrap(),
        source: Address::international(digits).unwrap(),
        destination: Address::international(digits).unwrap(),
        esm_class: EsmClass::UDHI,
        schedule_delivery_time: COctetString::new("260101120000000+").unwrap(),
        validity_period: COctetString::new("260102120000000+").unwrap(),
        registered_delivery: 1,
        short_message: ShortMessage::new(Bytes::from(vec![b'a'; 254])).unwrap(),
        tlvs: Tlvs::EMPTY
            .with(Tag::USER_MESSAGE_REFERENCE, &[1, 2])
            .and_then(|tlvs| tlvs.with(Tag::SOURCE_PORT, &[3, 4]))
            .and_then(|tlvs| tlvs.with(Tag::DESTINATION_PORT, &[5, 6]))
            .unwrap(),
        ..SubmitSm::default()
    }
}

fn octets(pdu: &SubmitSm) -> Bytes {
    let mut out = BytesMut::new();
    pdu.encode(7, CommandStatus::ESME_ROK, &mut out);
    out.freeze()
}

fn frame(octets: &[u8]) -> Frame {
    let mut input = BytesMut::from(octets);
    take_frame(&mut input, FRAME_OCTETS_MAX).unwrap().unwrap()
}

fn decode_smpp34(octets: &[u8]) -> submit_sm {
    let header = CommandHeader::decode(octets).unwrap_or_else(|_| unreachable!());
    submit_sm::decode(header, octets).unwrap_or_else(|_| unreachable!())
}

fn decode_rusmpp(octets: &mut BytesMut) -> owned::Command {
    let length = octets.len() - 4;
    let _command_length = octets.split_to(4);
    <owned::Command as decode::owned::DecodeWithLength>::decode(octets, length)
        .unwrap()
        .0
}

fn decode_rusmpp_borrowed(octets: &[u8]) -> borrowed::Command<'_, TLVS_MAX> {
    let rest = &octets[4..];
    <borrowed::Command<'_, TLVS_MAX> as decode::borrowed::DecodeWithLength>::decode(
        rest,
        rest.len(),
    )
    .unwrap()
    .0
}

fn encode_rusmpp(command: &owned::Command, out: &mut BytesMut) {
    use bytes::BufMut as _;
    use encode::Length as _;
    use encode::owned::Encode as _;
    let length = 4 + command.length();
    out.reserve(length);
    out.put_u32(length as u32);
    command.encode(out);
}

fn decode(c: &mut Criterion, name: &str, octets: &Bytes) {
    let mut group = c.benchmark_group(format!("{name} submit_sm decode"));
    let whole = frame(octets);
    group.bench_function("sampan", |b| {
        b.iter(|| Pdu::decode(black_box(&whole)).unwrap());
    });
    group.bench_function("sampan, framing included", |b| {
        b.iter_batched_ref(
            || BytesMut::from(&octets[..]),
            |input| {
                let frame = take_frame(input, FRAME_OCTETS_MAX).unwrap().unwrap();
                Pdu::decode(&frame).unwrap()
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("smpp-codec", |b| {
        b.iter(|| SubmitSmRequest::decode(black_box(octets)).unwrap());
    });
    group.bench_function("smpp34", |b| {
        b.iter(|| decode_smpp34(black_box(octets)));
    });
    group.bench_function("rusmpp", |b| {
        b.iter_batched_ref(
            || BytesMut::from(&octets[..]),
            decode_rusmpp,
            BatchSize::SmallInput,
        );
    });
    group.bench_function("rusmpp, borrowed", |b| {
        b.iter(|| black_box(decode_rusmpp_borrowed(black_box(octets))).id());
    });
    group.finish();
}

fn encode(c: &mut Criterion, name: &str, octets: &Bytes) {
    let mut group = c.benchmark_group(format!("{name} submit_sm encode"));
    let Ok(Pdu::SubmitSm(ours)) = Pdu::decode(&frame(octets)) else {
        unreachable!("it was encoded as a submit_sm");
    };
    let mut out = BytesMut::with_capacity(4_096);
    group.bench_function("sampan", |b| {
        b.iter(|| {
            out.clear();
            black_box(&ours).encode(black_box(7), CommandStatus::ESME_ROK, &mut out);
        });
    });
    assert_eq!(out, *octets);

    let theirs = SubmitSmRequest::decode(octets).unwrap();
    let mut out = Vec::with_capacity(4_096);
    group.bench_function("smpp-codec", |b| {
        b.iter(|| {
            out.clear();
            black_box(&theirs).encode(&mut out).unwrap();
        });
    });
    assert_eq!(out, *octets);

    let theirs = decode_smpp34(octets);
    assert_eq!(theirs.clone().encode(), *octets);
    group.bench_function("smpp34", |b| {
        b.iter_batched(|| theirs.clone(), |pdu| pdu.encode(), BatchSize::SmallInput);
    });

    let theirs = decode_rusmpp(&mut BytesMut::from(&octets[..]));
    let mut out = BytesMut::with_capacity(4_096);
    group.bench_function("rusmpp", |b| {
        b.iter(|| {
            out.clear();
            encode_rusmpp(black_box(&theirs), &mut out);
        });
    });
    assert_eq!(out, *octets);
    group.finish();
}

fn all(c: &mut Criterion) {
    for (name, pdu) in [("typical", typical()), ("longest", longest())] {
        let octets = octets(&pdu);
        decode(c, name, &octets);
        encode(c, name, &octets);
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
