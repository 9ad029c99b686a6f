//! Every PDU of SMPP 3.4 as octets written by hand from the layouts of the standard's section 4.
//!
//! Each vector is held in both directions: the octets decode to the PDU, and the PDU encodes to
//! the octets.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod delivering;
mod faults;
mod managing;
mod sessions;
mod submitting;

use bytes::{Bytes, BytesMut};
use sampan::smpp::codec::{FRAME_OCTETS_MAX, take_frame};
use sampan::smpp::octets::{COctetString, MessageId, Password, ShortMessage};
use sampan::smpp::pdu::*;
use sampan::smpp::{Address, CommandId, CommandStatus, DecodeFault, Npi, Tag, Tlvs, Ton};

const OK: CommandStatus = CommandStatus::ESME_ROK;

/// One field or a few per entry, as the standard's tables list them.
fn octets(fields: &[&[u8]]) -> Vec<u8> {
    fields.concat()
}

#[track_caller]
fn holds(fields: &[&[u8]], status: CommandStatus, sequence: u32, pdu: Pdu) {
    let golden = octets(fields);
    let length = u32::from_be_bytes(golden[..4].try_into().unwrap());
    assert_eq!(
        length as usize,
        golden.len(),
        "the vector's own command_length"
    );

    let mut input = BytesMut::from(&golden[..]);
    let frame = take_frame(&mut input, FRAME_OCTETS_MAX).unwrap().unwrap();
    assert!(input.is_empty());
    assert_eq!(frame.header.command_status, status);
    assert_eq!(frame.header.sequence_number, sequence);
    assert_eq!(Pdu::decode(&frame).unwrap(), pdu);

    let mut output = BytesMut::new();
    pdu.encode(sequence, status, &mut output);
    assert_eq!(output, golden);
}

fn s<const MAX: usize>(value: &str) -> COctetString<MAX> {
    COctetString::new(value).unwrap()
}

fn id(value: &'static str) -> MessageId {
    MessageId::new(value).unwrap()
}

fn text(value: &'static str) -> ShortMessage {
    ShortMessage::new(value).unwrap()
}

fn address<const MAX: usize>(ton: u8, npi: u8, addr: &str) -> Address<MAX> {
    Address::new(Ton(ton), Npi(npi), addr).unwrap()
}

fn tlvs(list: &[(Tag, &[u8])]) -> Tlvs {
    let mut tlvs = Tlvs::EMPTY;
    for (tag, value) in list {
        tlvs.push(*tag, value).unwrap();
    }
    tlvs
}
