//! SMPP 3.4 as octets, as far as a message centre in a hurry needs it: it looks at the header of a PDU
//! and, where it owes a receipt, at the addresses. Written from the standard (chapters 3 to 5), and
//! sharing nothing with the router's codec. No I/O.

use bytes::{Buf, BufMut, BytesMut};

use crate::bench::load::{DESTINATION_PREFIX, MOMENT_BYTES, SERVICE, write_decimal, write_hex};

/// command_id, 5.1.2.1.
pub(in crate::bench) mod command {
    pub(in crate::bench) const BIND_TRANSCEIVER: u32 = 0x09;
    pub(super) const SUBMIT_SM: u32 = 0x04;
    pub(super) const DELIVER_SM: u32 = 0x05;
    pub(super) const UNBIND: u32 = 0x06;
    pub(super) const BIND_RECEIVER: u32 = 0x01;
    pub(super) const BIND_TRANSMITTER: u32 = 0x02;
    pub(super) const RESP: u32 = 0x8000_0000;
}

const HEADER_BYTES: usize = 16;
/// A longer PDU is none of the router's: the framing is lost.
const PDU_BYTES_MAX: usize = 64 * 1024;
/// Digits of a message id.
const ID_DIGITS: usize = 10;

/// What a PDU asks of the message centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A bind, enquire_link or anything else that is answered with nothing but a system_id or less.
    Answer,
    /// A message, which is answered with an id.
    Submit,
    /// An unbind: answered, and the connection ends.
    Unbind,
    /// The answer to a deliver_sm, and whether it was taken.
    Delivered { is_taken: bool },
    /// Another answer.
    Nothing,
}

/// A PDU at the head of what came.
pub(super) struct Pdu<'a> {
    pub(super) command: u32,
    pub(super) status: u32,
    pub(super) sequence: u32,
    pub(super) body: &'a [u8],
}

/// The framing is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoPdu;

impl<'a> Pdu<'a> {
    /// The first whole PDU, and what comes behind it; `None` if more must come.
    pub(super) fn split(input: &'a [u8]) -> Result<Option<(Self, &'a [u8])>, NoPdu> {
        let Some(header) = input.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let mut header = &header[..];
        let length = header.get_u32() as usize;
        if !(HEADER_BYTES..=PDU_BYTES_MAX).contains(&length) {
            return Err(NoPdu);
        }
        let Some((pdu, rest)) = input.split_at_checked(length) else {
            return Ok(None);
        };
        let pdu = Self {
            command: header.get_u32(),
            status: header.get_u32(),
            sequence: header.get_u32(),
            body: pdu.get(HEADER_BYTES..).unwrap_or_default(),
        };
        Ok(Some((pdu, rest)))
    }

    pub(super) fn asked(&self) -> Asked {
        match self.command {
            command::SUBMIT_SM => Asked::Submit,
            command::UNBIND => Asked::Unbind,
            answer if answer == command::RESP | command::DELIVER_SM => Asked::Delivered {
                is_taken: self.status == 0,
            },
            answer if answer & command::RESP != 0 => Asked::Nothing,
            _ => Asked::Answer,
        }
    }

    /// Answers ESME_ROK with what the command's answer has for a body.
    pub(super) fn answer(&self, out: &mut BytesMut) {
        let body: &[u8] = match self.command {
            command::BIND_RECEIVER | command::BIND_TRANSMITTER | command::BIND_TRANSCEIVER => {
                b"bench\0"
            }
            command::DELIVER_SM => b"\0",
            _ => b"",
        };
        put_answer_header(self.command, self.sequence, body.len(), out);
        out.put_slice(body);
    }

    /// Where a submit_sm that wants a receipt comes from and goes to, each with its type and plan and
    /// its NUL (4.4.1); `None` if it wants none.
    pub(super) fn receipt_wanted(&self) -> Option<(&'a [u8], &'a [u8])> {
        let (_, rest) = c_octets(self.body, 0)?;
        let (source, rest) = c_octets(rest, 2)?;
        let (destination, rest) = c_octets(rest, 2)?;
        // esm_class, protocol_id and priority_flag, then the two times, then registered_delivery.
        let (_, rest) = c_octets(rest, 3)?;
        let (_, rest) = c_octets(rest, 0)?;
        let wanted = rest.first()? & 0x03;
        (wanted == 1).then_some((source, destination))
    }
}

fn put_answer_header(command: u32, sequence: u32, body: usize, out: &mut BytesMut) {
    out.put_u32((HEADER_BYTES + body) as u32);
    out.put_u32(command | command::RESP);
    out.put_u32(0);
    out.put_u32(sequence);
}

/// Answers a submit_sm with the message's id, this number in decimal.
pub(super) fn put_submit_answer(sequence: u32, id: u64, out: &mut BytesMut) {
    put_answer_header(command::SUBMIT_SM, sequence, ID_DIGITS + 1, out);
    out.put_slice(&id_digits(id));
    out.put_u8(0);
}

/// Splits off a C-octet string with its NUL and the octets before it.
fn c_octets(input: &[u8], before: usize) -> Option<(&[u8], &[u8])> {
    let text = input.get(before..)?;
    let end = text.iter().position(|octet| *octet == 0)?;
    input.split_at_checked(before + end + 1)
}

fn id_digits(id: u64) -> [u8; ID_DIGITS] {
    let mut digits = [0; ID_DIGITS];
    write_decimal(id, &mut digits);
    digits
}

/// Writes a deliver_sm with an MO whose text ends in this moment.
pub(super) fn put_mo(number: u64, sequence: u32, at_ns: u64, out: &mut BytesMut) {
    let mut source = *b"\x01\x018498xxxxxxx\0";
    if let Some(digits) = source.get_mut(2 + DESTINATION_PREFIX.len()..13) {
        write_decimal(number, digits);
    }
    put_deliver(0, &source, &service(), sequence, out, |text| {
        text.put_slice(b"NAP 50 ");
        put_moment(at_ns, text);
    });
}

/// Writes a deliver_sm with the receipt of a message (Appendix B), whose text ends in this moment.
pub(super) fn put_receipt(
    id: u64,
    (source, destination): (&[u8], &[u8]),
    sequence: u32,
    at_ns: u64,
    out: &mut BytesMut,
) {
    /// esm_class: the short message is an SMSC delivery receipt (5.2.12).
    const RECEIPT: u8 = 0x04;
    put_deliver(RECEIPT, source, destination, sequence, out, |text| {
        text.put_slice(b"id:");
        text.put_slice(&id_digits(id));
        text.put_slice(b" sub:001 dlvrd:001 submit date:2511221200 done date:2511221200 ");
        text.put_slice(b"stat:DELIVRD err:000 text:");
        put_moment(at_ns, text);
    });
}

fn put_moment(at_ns: u64, text: &mut BytesMut) {
    let mut moment = [0; MOMENT_BYTES];
    write_hex(at_ns, &mut moment);
    text.put_slice(&moment);
}

fn service() -> [u8; 7] {
    let mut address = *b"\0\x01xxxx\0";
    if let Some(place) = address.get_mut(2..6) {
        place.copy_from_slice(SERVICE.as_bytes());
    }
    address
}

/// Writes a deliver_sm (4.6.1).
fn put_deliver(
    esm_class: u8,
    source: &[u8],
    destination: &[u8],
    sequence: u32,
    out: &mut BytesMut,
    text: impl FnOnce(&mut BytesMut),
) {
    put_message(
        command::DELIVER_SM,
        esm_class,
        source,
        destination,
        sequence,
        out,
        text,
    );
}

/// Writes a submit_sm (4.4.1) as the router writes the messages of the generator, for the floor.
pub(in crate::bench) fn put_submit(text_chars: usize, sequence: u32, out: &mut BytesMut) {
    let destination = b"\x01\x0184980000000\0";
    put_message(
        command::SUBMIT_SM,
        0,
        &service(),
        destination,
        sequence,
        out,
        |text| {
            text.put_bytes(b'a', text_chars);
        },
    );
}

/// Writes a deliver_sm for the floor.
pub(in crate::bench) fn put_deliver_of_floor(sequence: u32, out: &mut BytesMut) {
    put_mo(0, sequence, 0, out);
}

fn put_message(
    command: u32,
    esm_class: u8,
    source: &[u8],
    destination: &[u8],
    sequence: u32,
    out: &mut BytesMut,
    text: impl FnOnce(&mut BytesMut),
) {
    let begin = out.len();
    out.put_u32(0);
    out.put_u32(command);
    out.put_u32(0);
    out.put_u32(sequence);
    out.put_u8(0);
    out.put_slice(source);
    out.put_slice(destination);
    // protocol_id, priority_flag, two times, registered_delivery, replace_if_present_flag,
    // data_coding, sm_default_msg_id.
    out.put_u8(esm_class);
    out.put_bytes(0, 8);
    let length_at = out.len();
    out.put_u8(0);
    text(out);
    let text_bytes = out.len() - length_at - 1;
    if let Some(place) = out.get_mut(length_at) {
        // What is longer than a short message may be is no PDU of ours.
        *place = text_bytes as u8;
    }
    let length = (out.len() - begin) as u32;
    if let Some(place) = out.get_mut(begin..begin + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A submit_sm typed in by hand from 4.4.1: service_type "", source 0/1 "8049", destination 1/1
    /// "8498", esm_class 0, protocol 0, priority 0, no times, registered_delivery 1, replace 0,
    /// data_coding 0, default message 0, "hi".
    const SUBMIT: &[u8] = b"\0\0\0\x2b\0\0\0\x04\0\0\0\0\0\0\0\x07\
        \0\0\x018049\0\x01\x018498\0\0\0\0\0\0\x01\0\0\0\x02hi";

    fn only(input: &[u8]) -> Pdu<'_> {
        let (pdu, rest) = Pdu::split(input).unwrap().unwrap();
        assert_eq!(rest, b"");
        pdu
    }

    #[test]
    fn a_submit_is_answered_with_its_id_under_its_sequence() {
        let pdu = only(SUBMIT);
        assert_eq!(pdu.asked(), Asked::Submit);
        let mut out = BytesMut::new();
        put_submit_answer(pdu.sequence, 42, &mut out);
        assert_eq!(
            &out[..],
            b"\0\0\0\x1b\x80\0\0\x04\0\0\0\0\0\0\0\x070000000042\0"
        );
    }

    #[test]
    fn a_receipt_is_owed_where_it_is_asked_for_and_goes_back() {
        let (source, destination) = only(SUBMIT).receipt_wanted().unwrap();
        assert_eq!(
            (source, destination),
            (&b"\0\x018049\0"[..], &b"\x01\x018498\0"[..])
        );
        let mut out = BytesMut::new();
        put_receipt(42, (destination, source), 9, 0xAB, &mut out);
        let pdu = only(&out);
        assert_eq!((pdu.command, pdu.sequence), (0x05, 9));
        // esm_class stands behind the service type and the two addresses.
        assert_eq!(pdu.body.get(15), Some(&0x04));
        assert!(pdu.body.ends_with(b"text:00000000000000ab"));
    }

    #[test]
    fn a_message_without_the_wish_gets_no_receipt() {
        let mut out = BytesMut::new();
        put_submit(20, 1, &mut out);
        assert_eq!(only(&out).receipt_wanted(), None);
    }

    #[test]
    fn a_part_of_a_pdu_waits_and_an_impossible_length_ends_it() {
        for end in 0..SUBMIT.len() {
            assert!(Pdu::split(&SUBMIT[..end]).unwrap().is_none());
        }
        assert!(matches!(Pdu::split(&[0; 16]), Err(NoPdu)));
        assert!(matches!(Pdu::split(&[0xFF; 16]), Err(NoPdu)));
    }

    #[test]
    fn an_mo_is_a_deliver_sm_of_the_right_length() {
        let mut out = BytesMut::new();
        put_mo(7, 3, 0xFF, &mut out);
        let pdu = only(&out);
        let expected =
            b"\0\x01\x0184980000007\0\0\x018049\0\0\0\0\0\0\0\0\0\0\x17NAP 50 00000000000000ff";
        assert_eq!(pdu.body, expected);
    }
}
