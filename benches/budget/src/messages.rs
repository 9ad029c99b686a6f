//! SMPP: the codec, the texts, the window, and the whole way of a message.

use std::{hint::black_box, time::Instant};

use bytes::{Bytes, BytesMut};

use crate::smpp::codec::{FRAME_OCTETS_MAX, Frame, take_frame};
use crate::smpp::octets::{COctetString, MessageId, Password, ShortMessage};
use crate::smpp::pdu::{
    Bind, BindKind, BindResp, DeliverSm, Encode, EsmClass, Pdu, SubmitSm, SubmitSmResp,
};
use crate::smpp::session::{Event, Session, SessionLimits, SessionSettings};
use crate::smpp::text::{self, Coding};
use crate::smpp::tlv::Tag;
use crate::smpp::{Address, CommandStatus, Tlvs};
use crate::window::{Ring, Window};
use crate::{TIMES, named};

const OK: CommandStatus = CommandStatus::ESME_ROK;

/// Requests in flight, and answers per turn: what one read of a busy link brings.
const BATCH: u32 = 256;

pub(crate) fn run() {
    let submit_sm = submit_sm();
    submit_sm_encode(&submit_sm);
    submit_sm_decode(&frame(&submit_sm));
    deliver_sm_decode(&frame(&receipt()));
    gsm7_plain(
        "Your order of two bags of rice is on its way. It comes today, between 14:00 and 16:00.",
    );
    gsm7_extended(
        "Ihre Bestellung für 12 € ist unterwegs, grüße [Café]. Sie kommt heute, um 14 oder 16 Uhr.",
    );
    gsm7_read(
        b"Your order of two bags of rice is on its way. It comes today, between 14:00 and 16:00.",
    );
    let now = Instant::now();
    ring_window(now, &mut Window::new(BATCH));
    message_way(now, &submit_sm, &mut bound(now), &mut Window::new(BATCH));
}

/// A text of 100 characters from one number to another.
fn submit_sm() -> SubmitSm {
    SubmitSm {
        source: Address::international("84900000001").unwrap(),
        destination: Address::international("84912345678").unwrap(),
        registered_delivery: 1,
        short_message: ShortMessage::new(Bytes::from(vec![b'a'; 100])).unwrap(),
        ..SubmitSm::default()
    }
}

fn receipt() -> DeliverSm {
    let text = "id:0123456789 sub:001 dlvrd:001 submit date:2609211432 done date:2609211433 \
                stat:DELIVRD err:000 text:Your order of two ba";
    DeliverSm {
        source: Address::international("84912345678").unwrap(),
        destination: Address::international("84900000001").unwrap(),
        esm_class: EsmClass::RECEIPT,
        short_message: ShortMessage::new(text).unwrap(),
        tlvs: Tlvs::EMPTY
            .with(Tag::RECEIPTED_MESSAGE_ID, b"0123456789\0")
            .and_then(|tlvs| tlvs.with(Tag::MESSAGE_STATE, &[2]))
            .unwrap(),
        ..DeliverSm::default()
    }
}

fn frame(pdu: &impl Encode) -> Frame {
    let mut out = BytesMut::new();
    pdu.encode(1, OK, &mut out);
    take_frame(&mut out, FRAME_OCTETS_MAX).unwrap().unwrap()
}

/// A session that has been bound.
fn bound(now: Instant) -> Session {
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
    let answer = BindResp {
        kind: BindKind::Transceiver,
        system_id: COctetString::EMPTY,
        tlvs: Tlvs::EMPTY,
    };
    let mut input = BytesMut::new();
    answer.encode(1, OK, &mut input);
    session.receive(now, &mut input, 1);
    while session.poll_event().is_some() {}
    session.output().clear();
    session
}

#[inline(never)]
fn submit_sm_encode(pdu: &SubmitSm) {
    named("submit_sm_encode");
    let mut out = BytesMut::with_capacity(4_096);
    for sequence in 0..TIMES {
        out.clear();
        black_box(pdu).encode(sequence, OK, &mut out);
    }
}

#[inline(never)]
fn submit_sm_decode(frame: &Frame) {
    named("submit_sm_decode");
    for _ in 0..TIMES {
        black_box(Pdu::decode(black_box(frame)).unwrap());
    }
}

#[inline(never)]
fn deliver_sm_decode(frame: &Frame) {
    named("deliver_sm_decode");
    for _ in 0..TIMES {
        black_box(Pdu::decode(black_box(frame)).unwrap());
    }
}

#[inline(never)]
fn gsm7_plain(text: &str) {
    named("gsm7_plain");
    for _ in 0..TIMES {
        black_box(text::encode(black_box(text), Coding::Automatic).unwrap());
    }
}

#[inline(never)]
fn gsm7_extended(text: &str) {
    named("gsm7_extended");
    for _ in 0..TIMES {
        black_box(text::encode(black_box(text), Coding::Automatic).unwrap());
    }
}

#[inline(never)]
fn gsm7_read(octets: &[u8]) {
    named("gsm7_read");
    for _ in 0..TIMES {
        black_box(text::decode(text::DATA_CODING_DEFAULT, black_box(octets)).unwrap());
    }
}

/// A request registered and taken out by its answer.
#[inline(never)]
fn ring_window(now: Instant, window: &mut Window<Ring, u64>) {
    named("ring_window");
    for round in 0..TIMES / BATCH {
        for sequence in round * BATCH..(round + 1) * BATCH {
            window.insert(black_box(sequence), now, 7).unwrap();
        }
        for sequence in round * BATCH..(round + 1) * BATCH {
            black_box(window.take(black_box(sequence)).unwrap());
        }
    }
}

/// A submit_sm registered, written, answered, read, and matched with its request. The SMSC's part is in
/// it: it writes the answer.
#[inline(never)]
fn message_way(
    now: Instant,
    pdu: &SubmitSm,
    session: &mut Session,
    window: &mut Window<Ring, u64>,
) {
    named("message_way");
    let answer = SubmitSmResp {
        message_id: MessageId::new("0123456789ABCDEF").unwrap(),
        tlvs: Tlvs::EMPTY,
    };
    let mut input = BytesMut::with_capacity(64 * 1_024);
    for _ in 0..TIMES / BATCH {
        for _ in 0..BATCH {
            let sequence = session.take_sequence();
            window.insert(sequence.get(), now, 7).unwrap();
            session.request(sequence, black_box(pdu)).unwrap();
            answer.encode(sequence.get(), OK, &mut input);
        }
        session.output().clear();
        session.receive(now, &mut input, usize::MAX);
        while let Some(event) = session.poll_event() {
            let Event::Response { sequence, pdu, .. } = event else {
                unreachable!("each request was answered");
            };
            black_box(window.take(sequence).unwrap());
            black_box(pdu.unwrap());
        }
    }
}
