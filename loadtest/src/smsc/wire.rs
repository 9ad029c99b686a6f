//! SMPP 3.4 as octets: just what a message centre reads and writes. Hand-written from the standard
//! (chapters 3 to 5) and sharing nothing with the router's codec, so that one mistake cannot hide
//! another. No I/O, no state.

use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut, BytesMut};

use super::codes::{status, tag};

/// Octets of the header (3.2): length, command, status, sequence.
pub(super) const HEADER_BYTES: usize = 16;
/// The longest PDU taken. The largest of the standard, a submit_multi with 254 destinations and a
/// message_payload, stays below it in practice; more is a peer that lost its framing.
pub(super) const PDU_BYTES_MAX: usize = 128 * 1024;
/// A PDU that cannot be read: what to answer, and what was wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// The command_status of the answer.
    pub(super) status: u32,
    /// The fault, for the books.
    pub(super) what: &'static str,
}

const fn malformed(status: u32, what: &'static str) -> Malformed {
    Malformed { status, what }
}

/// The header of a PDU without its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) command: u32,
    pub(super) status: u32,
    pub(super) sequence: u32,
}

/// Splits the first whole PDU off `input`: header and body. `None` when more must come.
///
/// # Errors
/// A command_length that no PDU can have. The framing is lost with it.
pub(super) fn frame(input: &[u8]) -> Result<Option<(Header, &[u8])>, Malformed> {
    let mut reader = Reader { rest: input };
    let Ok(length) = reader.u32() else {
        return Ok(None);
    };
    let length = length as usize;
    if !(HEADER_BYTES..=PDU_BYTES_MAX).contains(&length) {
        return Err(malformed(status::RINVCMDLEN, "command_length out of range"));
    }
    let Some(pdu) = input.get(..length) else {
        return Ok(None);
    };
    let mut reader = Reader { rest: pdu };
    reader.u32()?;
    let header = Header {
        command: reader.u32()?,
        status: reader.u32()?,
        sequence: reader.u32()?,
    };
    Ok(Some((header, reader.rest)))
}

/// An SME address: type of number, numbering plan, digits. Kept inline, so that booking a message
/// costs no allocation for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// Type of number (5.2.5).
    pub ton: u8,
    /// Numbering plan indicator (5.2.6).
    pub npi: u8,
    length: u8,
    octets: [u8; Self::OCTETS_MAX],
}

impl Address {
    /// data_sm allows 65 octets with the terminator (4.7.1), the others 21.
    pub const OCTETS_MAX: usize = 64;

    /// An address as MO are injected with: international E.164 for digits, alphanumeric otherwise.
    /// What is longer than [`Self::OCTETS_MAX`] octets is cut.
    pub fn new(digits: &str) -> Self {
        let numeric = digits.bytes().all(|b| b.is_ascii_digit());
        let (ton, npi) = if numeric { (1, 1) } else { (5, 0) };
        Self::from_octets(ton, npi, digits.as_bytes())
    }

    fn from_octets(ton: u8, npi: u8, from: &[u8]) -> Self {
        let mut octets = [0; Self::OCTETS_MAX];
        let length = from.len().min(Self::OCTETS_MAX);
        for (to, from) in octets.iter_mut().zip(from) {
            *to = *from;
        }
        Self {
            ton,
            npi,
            length: length as u8,
            octets,
        }
    }

    /// The digits or letters of the address.
    pub fn digits(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.octets())
    }

    fn octets(&self) -> &[u8] {
        self.octets
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.ton, self.npi, self.digits())
    }
}

/// Reads the parameters of a body in their order.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(malformed(
            status::RINVCMDLEN,
            "the body ends inside a parameter",
        ))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(malformed(
            status::RINVCMDLEN,
            "the body ends inside a parameter",
        ))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A C-octet string of at most `size_max` octets with its NUL, which is not returned.
    fn c_octets(&mut self, size_max: usize) -> Result<&'a [u8], Malformed> {
        let end = self
            .rest
            .iter()
            .take(size_max)
            .position(|octet| *octet == 0)
            .ok_or(malformed(
                status::RINVPARLEN,
                "a C-octet string is too long or has no NUL",
            ))?;
        let text = self.take(end)?;
        self.take(1)?;
        Ok(text)
    }

    fn address(&mut self, size_max: usize) -> Result<Address, Malformed> {
        let (ton, npi) = (self.u8()?, self.u8()?);
        Ok(Address::from_octets(ton, npi, self.c_octets(size_max)?))
    }

    /// schedule_delivery_time or validity_period: absent, or 16 characters (7.1.1).
    fn time(&mut self) -> Result<(), Malformed> {
        match self.c_octets(17)?.len() {
            0 | 16 => Ok(()),
            _ => Err(malformed(
                status::RINVPARLEN,
                "a time has neither 0 nor 16 characters",
            )),
        }
    }

    fn short_message(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::from(self.u8()?);
        if length > 254 {
            return Err(malformed(status::RINVMSGLEN, "sm_length is over 254"));
        }
        self.take(length)
            .map_err(|_| malformed(status::RINVMSGLEN, "sm_length exceeds the body"))
    }

    /// Walks the TLVs to the end of the body and returns the message_payload, if there is one.
    fn payload(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let mut payload = None;
        while !self.rest.is_empty() {
            let (tag, length) = (self.u16()?, usize::from(self.u16()?));
            let value = self
                .take(length)
                .map_err(|_| malformed(status::RINVPARLEN, "a TLV exceeds the body"))?;
            if tag == tag::MESSAGE_PAYLOAD {
                payload = Some(value);
            }
        }
        Ok(payload)
    }
}

/// What a bind_transmitter, bind_receiver or bind_transceiver says (4.1).
pub(super) struct Bind<'a> {
    pub(super) system_id: &'a [u8],
    pub(super) password: &'a [u8],
    pub(super) interface_version: u8,
}

/// Reads the body of any bind.
pub(super) fn read_bind(body: &[u8]) -> Result<Bind<'_>, Malformed> {
    let mut reader = Reader { rest: body };
    let system_id = reader.c_octets(16)?;
    let password = reader.c_octets(9)?;
    reader.c_octets(13)?;
    let interface_version = reader.u8()?;
    reader.address(41)?;
    Ok(Bind {
        system_id,
        password,
        interface_version,
    })
}

/// A message that an ESME hands in, by submit_sm, submit_multi or data_sm.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Submission<'a> {
    pub(super) source: Address,
    pub(super) dest: Address,
    /// The other destinations of a submit_multi.
    pub(super) more_dests: Vec<Address>,
    pub(super) esm_class: u8,
    pub(super) registered_delivery: u8,
    pub(super) data_coding: u8,
    pub(super) short_message: &'a [u8],
    pub(super) payload: Option<&'a [u8]>,
}

/// Reads the body of a submit_sm (4.4.1).
pub(super) fn read_submit_sm(body: &[u8]) -> Result<Submission<'_>, Malformed> {
    let mut reader = Reader { rest: body };
    reader.c_octets(6)?;
    let source = reader.address(21)?;
    let dest = reader.address(21)?;
    read_message(reader, source, dest, Vec::new())
}

/// Reads the body of a submit_multi (4.5.1). Distribution lists are refused: the simulator has none.
pub(super) fn read_submit_multi(body: &[u8]) -> Result<Submission<'_>, Malformed> {
    let mut reader = Reader { rest: body };
    reader.c_octets(6)?;
    let source = reader.address(21)?;
    let count = reader.u8()?;
    let mut dests = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        match reader.u8()? {
            1 => dests.push(reader.address(21)?),
            _ => {
                return Err(malformed(
                    status::RINVDLNAME,
                    "a distribution list is not known",
                ));
            }
        }
    }
    let Some(first) = dests.first().copied() else {
        return Err(malformed(
            status::RINVDSTADR,
            "submit_multi without destinations",
        ));
    };
    dests.remove(0);
    read_message(reader, source, first, dests)
}

/// The parameters that submit_sm and submit_multi share, from esm_class on.
fn read_message(
    mut reader: Reader<'_>,
    source: Address,
    dest: Address,
    more_dests: Vec<Address>,
) -> Result<Submission<'_>, Malformed> {
    let [esm_class, _protocol_id, _priority] = reader.array()?;
    reader.time()?;
    reader.time()?;
    let [registered_delivery, _replace, data_coding, _default_message] = reader.array()?;
    let short_message = reader.short_message()?;
    let payload = reader.payload()?;
    let submission = Submission {
        source,
        dest,
        more_dests,
        esm_class,
        registered_delivery,
        data_coding,
        short_message,
        payload,
    };
    submission.checked()
}

/// Reads the body of a data_sm (4.7.1).
pub(super) fn read_data_sm(body: &[u8]) -> Result<Submission<'_>, Malformed> {
    let mut reader = Reader { rest: body };
    reader.c_octets(6)?;
    let source = reader.address(65)?;
    let dest = reader.address(65)?;
    let [esm_class, registered_delivery, data_coding] = reader.array()?;
    let submission = Submission {
        source,
        dest,
        more_dests: Vec::new(),
        esm_class,
        registered_delivery,
        data_coding,
        short_message: &[],
        payload: reader.payload()?,
    };
    submission.checked()
}

impl Submission<'_> {
    fn checked(self) -> Result<Self, Malformed> {
        if self.dest.is_empty() || self.more_dests.iter().any(Address::is_empty) {
            return Err(malformed(status::RINVDSTADR, "the destination is empty"));
        }
        if !self.short_message.is_empty() && self.payload.is_some() {
            return Err(malformed(
                status::RINVMSGLEN,
                "both short_message and message_payload are filled",
            ));
        }
        Ok(self)
    }
}

/// What names a message in query_sm, cancel_sm and replace_sm.
pub(super) struct Named<'a> {
    pub(super) message_id: &'a [u8],
    pub(super) source: Address,
}

/// Reads the body of a query_sm (4.8.1).
pub(super) fn read_query_sm(body: &[u8]) -> Result<Named<'_>, Malformed> {
    let mut reader = Reader { rest: body };
    Ok(Named {
        message_id: reader.c_octets(65)?,
        source: reader.address(21)?,
    })
}

/// Reads the body of a cancel_sm (4.9.1): the message and the destination.
pub(super) fn read_cancel_sm(body: &[u8]) -> Result<(Named<'_>, Address), Malformed> {
    let mut reader = Reader { rest: body };
    reader.c_octets(6)?;
    let named = Named {
        message_id: reader.c_octets(65)?,
        source: reader.address(21)?,
    };
    Ok((named, reader.address(21)?))
}

/// Reads the body of a replace_sm (4.10.1): the message and its new text.
pub(super) fn read_replace_sm(body: &[u8]) -> Result<(Named<'_>, &[u8]), Malformed> {
    let mut reader = Reader { rest: body };
    let named = Named {
        message_id: reader.c_octets(65)?,
        source: reader.address(21)?,
    };
    reader.time()?;
    reader.time()?;
    let [_registered_delivery, _default_message] = reader.array()?;
    Ok((named, reader.short_message()?))
}

/// Writes a whole PDU, its body by `body`.
pub(super) fn put_pdu(
    out: &mut BytesMut,
    command: u32,
    command_status: u32,
    sequence: u32,
    body: impl FnOnce(&mut BytesMut),
) {
    let start = out.len();
    out.put_u32(0);
    out.put_u32(command);
    out.put_u32(command_status);
    out.put_u32(sequence);
    body(out);
    let length = (out.len() - start) as u32;
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// Writes a PDU that is a header alone.
pub(super) fn put_header(out: &mut BytesMut, command: u32, command_status: u32, sequence: u32) {
    put_pdu(out, command, command_status, sequence, |_| {});
}

/// Writes a C-octet string.
pub(super) fn put_c_octets(out: &mut BytesMut, text: &[u8]) {
    out.put_slice(text);
    out.put_u8(0);
}

/// Writes a TLV (3.2.4.1). A value over 65,535 octets cannot be said and is cut.
pub(super) fn put_tlv(out: &mut BytesMut, tag: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.put_u16(tag);
    out.put_u16(length);
    out.put_slice(value.get(..usize::from(length)).unwrap_or(value));
}

/// Writes the body of a deliver_sm (4.6.1) up to its TLVs.
pub(super) fn put_deliver_sm(
    out: &mut BytesMut,
    source: &Address,
    dest: &Address,
    esm_class: u8,
    data_coding: u8,
    body: &[u8],
) {
    put_c_octets(out, b"");
    for address in [source, dest] {
        out.put_u8(address.ton);
        out.put_u8(address.npi);
        put_c_octets(out, address.octets().get(..20).unwrap_or(address.octets()));
    }
    // protocol_id, priority_flag, schedule_delivery_time, validity_period, registered_delivery,
    // replace_if_present_flag: all zero or empty in a deliver_sm.
    out.put_slice(&[esm_class, 0, 0, 0, 0, 0, 0, data_coding, 0]);
    match u8::try_from(body.len()) {
        Ok(length) if length <= 254 => {
            out.put_u8(length);
            out.put_slice(body);
        }
        _ => {
            out.put_u8(0);
            put_tlv(out, tag::MESSAGE_PAYLOAD, body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::codes::command;
    use super::*;

    /// A submit_sm as an ESME sends it, written by hand from 4.4.1.
    const SUBMIT: &[u8] = b"\x00\x00\x00\x44\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x07\
        \x00\x05\x00SHOP\x00\x01\x0184901234567\x00\x00\x00\x00\x00\
        000000010000000R\x00\x01\x00\x08\x00\x04\x01\x68\x01\xb0";

    #[test]
    fn a_submit_sm_is_read_as_the_standard_lays_it_out() {
        let (header, body) = frame(SUBMIT).unwrap().unwrap();
        assert_eq!(
            header,
            Header {
                command: 4,
                status: 0,
                sequence: 7
            }
        );
        assert_eq!(body.len(), 68 - 16);
        let read = read_submit_sm(body).unwrap();
        assert_eq!((read.source.ton, read.source.npi), (5, 0));
        assert_eq!(read.source.digits(), "SHOP");
        assert_eq!((read.dest.ton, read.dest.npi), (1, 1));
        assert_eq!(read.dest.digits(), "84901234567");
        assert_eq!((read.registered_delivery, read.data_coding), (1, 8));
        assert_eq!(read.short_message, b"\x01\x68\x01\xb0");
        assert_eq!(read.payload, None);
    }

    #[test]
    fn no_cut_of_a_pdu_is_taken_for_a_whole_one() {
        for cut in 0..SUBMIT.len() {
            assert_eq!(frame(&SUBMIT[..cut]), Ok(None), "{cut} octets");
        }
    }

    #[test]
    fn no_cut_of_a_body_is_taken_for_a_message() {
        let body = &SUBMIT[16..];
        for cut in 0..body.len() {
            assert!(read_submit_sm(&body[..cut]).is_err(), "{cut} octets");
        }
    }

    #[test]
    fn a_command_length_below_the_header_is_refused() {
        let refused = frame(b"\x00\x00\x00\x0f\x00\x00\x00\x04").unwrap_err();
        assert_eq!(refused.status, status::RINVCMDLEN);
        assert!(
            frame(b"GET / HTTP/1.1\r\n").is_err(),
            "a foreign protocol is no PDU"
        );
    }

    #[test]
    fn a_data_sm_carries_its_text_in_message_payload() {
        let body = b"\x00\x00\x008049\x00\x01\x0184901234567\x00\x40\x01\x00\
            \x02\x0c\x00\x01\x09\x04\x24\x00\x02Hi";
        let read = read_data_sm(body).unwrap();
        assert_eq!(read.payload, Some(&b"Hi"[..]));
        assert_eq!((read.esm_class, read.registered_delivery), (0x40, 1));
    }

    #[test]
    fn a_submit_multi_names_every_destination() {
        let body = b"\x00\x00\x008049\x00\x02\x01\x01\x01849\x00\x01\x01\x01848\x00\
            \x00\x00\x00\x00\x00\x00\x00\x00\x00\x02Hi";
        let read = read_submit_multi(body).unwrap();
        assert_eq!(read.dest.digits(), "849");
        assert_eq!(read.more_dests.len(), 1);
        assert_eq!(read.more_dests[0].digits(), "848");
    }

    #[test]
    fn faults_of_a_body_are_answered_with_the_status_that_names_them() {
        let no_dest = b"\x00\x00\x00A\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
        assert_eq!(
            read_submit_sm(no_dest).unwrap_err().status,
            status::RINVDSTADR
        );
        let short = b"\x00\x00\x00A\x00\x01\x01849\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05Hi";
        assert_eq!(
            read_submit_sm(short).unwrap_err().status,
            status::RINVMSGLEN
        );
        let tlv = b"\x00\x00\x00A\x00\x01\x01849\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
            \x04\x24\x00\x09x";
        assert_eq!(read_submit_sm(tlv).unwrap_err().status, status::RINVPARLEN);
    }

    #[test]
    fn a_bind_is_read_as_the_standard_lays_it_out() {
        let bind = read_bind(b"sampan\x00secret\x00VMA\x00\x34\x00\x00\x00").unwrap();
        assert_eq!(
            (bind.system_id, bind.password),
            (&b"sampan"[..], &b"secret"[..])
        );
        assert_eq!(bind.interface_version, 0x34);
    }

    #[test]
    fn a_deliver_sm_is_written_as_the_standard_lays_it_out() {
        let mut out = BytesMut::new();
        let (source, dest) = (Address::new("849"), Address::new("8049"));
        put_pdu(&mut out, command::DELIVER_SM, 0, 9, |out| {
            put_deliver_sm(out, &source, &dest, 0x04, 8, b"Hi");
        });
        assert_eq!(
            &out[..],
            b"\x00\x00\x00\x2a\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x09\
              \x00\x01\x01849\x00\x01\x018049\x00\x04\x00\x00\x00\x00\x00\x00\x08\x00\x02Hi"
        );
    }

    #[test]
    fn a_text_over_254_octets_travels_as_message_payload() {
        let (mut out, address) = (BytesMut::new(), Address::new("8"));
        put_deliver_sm(&mut out, &address, &address, 0, 0, &[b'x'; 255]);
        assert_eq!(&out[18..23], b"\x00\x04\x24\x00\xff", "{:02x?}", &out[..30]);
        assert_eq!(out.len(), 18 + 1 + 4 + 255);
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_read_or_refused_without_panic(
            octets in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
        ) {
            frame(&octets).ok();
            read_bind(&octets).ok();
            read_submit_sm(&octets).ok();
            read_submit_multi(&octets).ok();
            read_data_sm(&octets).ok();
            read_query_sm(&octets).ok();
            read_cancel_sm(&octets).ok();
            read_replace_sm(&octets).ok();
        }
    }
}
