//! What the SMPP core costs per message.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark fails by panicking"
)]
#![allow(missing_docs, reason = "criterion_group makes a public function")]

use std::hint::black_box;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sampan::smpp::codec::{FRAME_OCTETS_MAX, Frame, take_frame};
use sampan::smpp::octets::{COctetString, MessageId, Password, ShortMessage};
use sampan::smpp::pdu::{Bind, BindKind, BindResp, Encode, Pdu, SubmitSm, SubmitSmResp};
use sampan::smpp::session::{Session, SessionLimits, SessionSettings};
use sampan::smpp::text::{Coding, DATA_CODING_DEFAULT, decode, encode};
use sampan::smpp::{Address, CommandStatus, Tlvs};

const OK: CommandStatus = CommandStatus::ESME_ROK;

/// Responses per turn of the session: what one read of a busy link brings.
const BATCH: u32 = 256;

fn submit_sm() -> SubmitSm {
    SubmitSm {
        source: Address::international("84900000001").unwrap(),
        destination: Address::international("84912345678").unwrap(),
        registered_delivery: 1,
        short_message: ShortMessage::new(Bytes::from(vec![b'a'; 100])).unwrap(),
        ..SubmitSm::default()
    }
}

fn submit_sm_resp() -> SubmitSmResp {
    let message_id = MessageId::new(&b"0123456789ABCDEF"[..]).unwrap();
    SubmitSmResp {
        message_id,
        tlvs: Tlvs::EMPTY,
    }
}

fn frame(pdu: &impl Encode) -> Frame {
    let mut out = BytesMut::new();
    pdu.encode(1, OK, &mut out);
    take_frame(&mut out, FRAME_OCTETS_MAX).unwrap().unwrap()
}

fn pdus(c: &mut Criterion) {
    let submit = submit_sm();
    let mut out = BytesMut::with_capacity(4096);
    c.bench_function("submit_sm encode", |b| {
        b.iter(|| {
            out.clear();
            black_box(&submit).encode(black_box(7), OK, &mut out);
        });
    });
    let whole = frame(&submit);
    c.bench_function("submit_sm decode", |b| {
        b.iter(|| Pdu::decode(black_box(&whole)))
    });
    let response = frame(&submit_sm_resp());
    c.bench_function("submit_sm_resp decode", |b| {
        b.iter(|| Pdu::decode(black_box(&response)))
    });
}

fn session(c: &mut Criterion) {
    let now = Instant::now();
    let bind = Bind {
        kind: BindKind::Transceiver,
        system_id: COctetString::EMPTY,
        password: Password::default(),
        system_type: COctetString::EMPTY,
        interface_version: 0x34,
        address_range: Address::default(),
    };
    let mut session = Session::esme(SessionSettings {
        bind,
        limits: SessionLimits::default(),
    });
    session.connected(now);
    let bound = BindResp {
        kind: BindKind::Transceiver,
        system_id: COctetString::EMPTY,
        tlvs: Tlvs::EMPTY,
    };
    let mut input = BytesMut::new();
    bound.encode(1, OK, &mut input);
    session.receive(now, &mut input, 1);
    while session.poll_event().is_some() {}

    let mut responses = BytesMut::new();
    for sequence in 1..=BATCH {
        submit_sm_resp().encode(sequence, OK, &mut responses);
    }
    let submit = submit_sm();
    let mut group = c.benchmark_group("session, per message");
    group.throughput(Throughput::Elements(u64::from(BATCH)));
    group.bench_function("256 submit_sm_resp received", |b| {
        b.iter(|| {
            input.extend_from_slice(&responses);
            session.receive(now, &mut input, usize::MAX);
            while let Some(event) = session.poll_event() {
                black_box(event);
            }
        });
    });
    group.bench_function("256 submit_sm requested", |b| {
        b.iter(|| {
            session.output().clear();
            for _ in 0..BATCH {
                let sequence = session.take_sequence();
                session.request(sequence, black_box(&submit)).unwrap();
            }
        });
    });
    group.finish();
}

fn texts(c: &mut Criterion) {
    let plain = "Your order of two bags of rice is on its way. ".repeat(3);
    let mixed = "Ihre Bestellung für 12 € ist unterwegs, grüße [Café]. ".repeat(3);
    c.bench_function("gsm7 encode, 138 plain characters", |b| {
        b.iter(|| encode(black_box(&plain), Coding::Automatic));
    });
    c.bench_function("gsm7 encode, 162 characters with extensions", |b| {
        b.iter(|| encode(black_box(&mixed), Coding::Automatic));
    });
    for (name, text) in [
        ("gsm7 decode, 138 plain characters", &plain),
        ("gsm7 decode, 162 characters with extensions", &mixed),
    ] {
        let octets = encode(text, Coding::Gsm7).unwrap().data;
        c.bench_function(name, |b| {
            b.iter(|| decode(DATA_CODING_DEFAULT, black_box(&octets)));
        });
    }
}

criterion_group!(benches, pdus, session, texts);
criterion_main!(benches);
