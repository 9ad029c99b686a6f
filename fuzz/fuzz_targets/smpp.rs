//! Any bytes as a stream of SMPP PDUs.
//!
//! What must hold: nothing panics; a position of a fault lies within the PDU; and what was read is
//! written and read again as the same.

#![no_main]
#![allow(dead_code, unused_imports, reason = "a target uses part of its core")]

#[path = "../../src/smpp/mod.rs"]
mod smpp;

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use smpp::codec::{FRAME_OCTETS_MAX, Frame, take_frame};
use smpp::concatenation::Concatenation;
use smpp::pdu::Encode as _;
use smpp::{Pdu, describe};

fuzz_target!(|data: &[u8]| {
    let mut input = BytesMut::from(data);
    let mut before = input.len();
    while let Ok(Some(frame)) = take_frame(&mut input, FRAME_OCTETS_MAX) {
        assert!(input.len() < before, "each frame takes bytes off");
        before = input.len();
        pdu(&frame);
    }
});

fn pdu(frame: &Frame) {
    assert!(describe::describe(frame).ends_with('\n'));
    let pdu = match Pdu::decode(frame) {
        Ok(pdu) => pdu,
        Err(error) => {
            assert!(error.position <= 16 + frame.body.len());
            return;
        }
    };
    if let Pdu::DeliverSm(deliver_sm) = &pdu {
        Concatenation::of(deliver_sm);
    }
    let mut written = BytesMut::new();
    let header = frame.header;
    pdu.encode(header.sequence_number, header.command_status, &mut written);
    let again = take_frame(&mut written, FRAME_OCTETS_MAX)
        .expect("sound")
        .expect("whole");
    assert_eq!(
        Pdu::decode(&again),
        Ok(pdu),
        "what was written is read as the same"
    );
}
