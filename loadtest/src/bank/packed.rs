//! ISO 8583:1987 with packed digits, as banks behind terminal networks write it: a length of two
//! binary octets, bitmaps of eight octets, two digits to an octet, binary elements as they are.
//!
//! A message is turned into the simulator's own form in ASCII (`wire`) and an answer out of it, so
//! that there is one bank behind both. Written from the standard's table like that, and sharing
//! nothing with the router's codec.

use bytes::{BufMut, BytesMut};

use super::layout::{Content, ELEMENTS, Length, layout};
use super::wire::{Malformed, Message, put_digits};

/// Octets of the header: the length of what follows, the greater first.
pub(super) const HEADER_BYTES: usize = 2;
/// The one track that travels packed.
const TRACK_2: usize = 35;

/// Splits the first whole message off `input`, without its header. `None` when more must come.
pub(super) fn frame(input: &[u8]) -> Option<&[u8]> {
    let (header, rest) = input.split_first_chunk::<HEADER_BYTES>()?;
    rest.get(..usize::from(u16::from_be_bytes(*header)))
}

/// Whether the digits of an element travel two to an octet. Currencies and track 3 are text. An odd
/// number of them is filled before the first if the element is of fixed length, else behind the last.
fn is_packed(element: usize, content: Content) -> bool {
    matches!(content, Content::N | Content::X) || element == TRACK_2
}

/// A message without its header in the form of `wire`.
///
/// # Errors
/// What cannot be unpacked. Whether values are sound is for the reader of that form to say.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut unpacker = Unpacker {
        packed,
        position: 0,
        plain: Vec::with_capacity(packed.len() * 2),
    };
    unpacker.digits(0, 4, false)?;
    let primary = unpacker.bitmap()?;
    let secondary = if primary >> 63 == 1 {
        unpacker.bitmap()?
    } else {
        0
    };
    let bits = u128::from(primary) << 64 | u128::from(secondary);
    for element in 2..=ELEMENTS {
        if bits >> (ELEMENTS - element) & 1 == 1 {
            unpacker.element(element)?;
        }
    }
    // What is left over is left to the reader to complain of.
    let rest = packed.get(unpacker.position..).unwrap_or_default();
    unpacker.plain.extend_from_slice(rest);
    Ok(unpacker.plain)
}

struct Unpacker<'a> {
    packed: &'a [u8],
    position: usize,
    plain: Vec<u8>,
}

impl<'a> Unpacker<'a> {
    fn take(&mut self, element: usize, count: usize) -> Result<&'a [u8], Malformed> {
        let taken = self.packed.get(self.position..self.position + count);
        let position = self.position;
        self.position += count;
        taken.ok_or(Malformed {
            element,
            position,
            what: "the message ends inside the element",
        })
    }

    fn bitmap(&mut self) -> Result<u64, Malformed> {
        let octets = self.take(1, 8)?;
        let bits = octets
            .iter()
            .fold(0, |bits, octet| bits << 8 | u64::from(*octet));
        self.plain
            .extend_from_slice(format!("{bits:016X}").as_bytes());
        Ok(bits)
    }

    /// So many digits, the odd one before or behind its fill.
    fn digits(&mut self, element: usize, count: usize, fill_behind: bool) -> Result<(), Malformed> {
        let octets = self.take(element, count.div_ceil(2))?;
        let skipped = usize::from(count % 2 == 1 && !fill_behind);
        let halves = octets.iter().flat_map(|octet| [octet >> 4, octet & 0xF]);
        let characters = halves.skip(skipped).take(count).map(|half| match half {
            0..=9 => b'0' + half,
            0xD => b'=',
            // No digit: the reader of the plain form refuses it.
            _ => b'!',
        });
        self.plain.extend(characters);
        Ok(())
    }

    fn element(&mut self, element: usize) -> Result<(), Malformed> {
        let (content, length) = layout(element).ok_or(Malformed {
            element,
            position: self.position,
            what: "the element is not in the table",
        })?;
        let (count, is_variable) = match length {
            Length::Fixed(count) => (count, false),
            Length::Var2(_) => (self.length(element, 2)?, true),
            Length::Var3(_) => (self.length(element, 3)?, true),
        };
        match content {
            Content::X => {
                let sign = self.take(element, 1)?;
                self.plain.extend_from_slice(sign);
                self.digits(element, count - 1, false)
            }
            Content::B => {
                let octets = self.take(element, count / 2)?;
                let hex = octets.iter().map(|octet| format!("{octet:02X}"));
                self.plain.extend(hex.flat_map(String::into_bytes));
                Ok(())
            }
            _ if is_packed(element, content) => self.digits(element, count, is_variable),
            _ => {
                let octets = self.take(element, count)?;
                self.plain.extend_from_slice(octets);
                Ok(())
            }
        }
    }

    /// A length of two digits in one octet, or three in two, which is written down in ASCII.
    fn length(&mut self, element: usize, digits: usize) -> Result<usize, Malformed> {
        let octets = self.take(element, digits.div_ceil(2))?;
        let halves = octets.iter().flat_map(|octet| [octet >> 4, octet & 0xF]);
        let length = halves.fold(0, |number, half| number * 10 + usize::from(half));
        let mut plain = BytesMut::new();
        put_digits(&mut plain, length as u64, digits);
        self.plain.extend_from_slice(&plain);
        Ok(length)
    }
}

/// Writes a message behind its header.
pub(super) fn write(message: &Message<'_>, out: &mut BytesMut) {
    let start = out.len();
    out.put_u16(0);
    put_packed(out, &message.mti(), false);
    let bits = message.bits();
    out.put_u64((bits >> 64) as u64 | u64::from(bits as u64 != 0) << 63);
    if bits as u64 != 0 {
        out.put_u64(bits as u64);
    }
    for element in 2..=ELEMENTS {
        if let (Some(value), Some((content, length))) = (message.get(element), layout(element)) {
            put_element(out, element, value, content, length);
        }
    }
    let length = (out.len() - start - HEADER_BYTES) as u16;
    if let Some(place) = out.get_mut(start..start + HEADER_BYTES) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

fn put_element(out: &mut BytesMut, element: usize, value: &[u8], content: Content, length: Length) {
    let digits = match length {
        Length::Fixed(_) => 0,
        Length::Var2(_) => 2,
        Length::Var3(_) => 4,
    };
    let mut prefix = BytesMut::new();
    put_digits(&mut prefix, value.len() as u64, digits);
    put_packed(out, &prefix, false);
    match (content, value) {
        (Content::X, [sign, amount @ ..]) => {
            out.put_u8(*sign);
            put_packed(out, amount, false);
        }
        // Hexadecimal characters are half octets as digits are.
        (Content::B, _) => put_packed(out, value, false),
        _ if is_packed(element, content) => put_packed(out, value, digits > 0),
        _ => out.put_slice(value),
    }
}

/// Two characters to an octet; an odd one is filled before with 0 or behind with F.
fn put_packed(out: &mut BytesMut, characters: &[u8], fill_behind: bool) {
    let half = |character: u8| match character {
        b'=' => 0xD,
        other => char::from(other).to_digit(16).unwrap_or(0xF) as u8,
    };
    let mut halves: Vec<u8> = characters.iter().copied().map(half).collect();
    if halves.len() % 2 == 1 {
        let (place, fill) = if fill_behind {
            (halves.len(), 0xF)
        } else {
            (0, 0)
        };
        halves.insert(place, fill);
    }
    for pair in halves.chunks_exact(2) {
        out.put_u8(pair.iter().fold(0, |octet, half| octet << 4 | half));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 0200 by hand: DE2 of 19 digits, 3, 11, 22 of 3, 28, 35, 37, 49, 52 and 90 of 42.
    /// Bits 1 2 3 = E0; 11 = 20; 22 = 04; 28 = 10; 35 37 = 28; none; 49 52 = 90; none.
    /// 90 is the second bit of the fourth octet: 40.
    const PACKED: &[&[u8]] = &[
        b"\x02\x00",
        b"\xE0\x20\x04\x10\x28\x00\x90\x00",
        b"\x00\x00\x00\x40\x00\x00\x00\x00",
        b"\x19\x97\x04\x36\x12\x34\x56\x12\x34\x56\x7F",
        b"\x01\x10\x00",
        b"\x00\x01\x23",
        b"\x00\x12",
        b"D\x00\x00\x05\x00",
        b"\x05\x12\xD3\x4F",
        b"226507000124",
        b"704",
        b"\x12\x34\x56\x78\x9A\xBC\xDE\xF0",
        b"\x02\x00\x00\x01\x24\x09\x21\x07\x32\x44\x00\x00\x09\x70\x49\x90\x00\x00\x00\x00\x00",
    ];
    const PLAIN: &str = "0200E02004102800900000000040000000001997043612345612345670110000001230\
                         12D000005000512=34226507000124704123456789ABCDEF002000001240921073244000\
                         0097049900000000000";

    #[test]
    fn a_packed_message_is_the_plain_one_in_half_as_many_octets() {
        let packed = PACKED.concat();
        let plain = unpack(&packed).unwrap();
        assert_eq!(String::from_utf8(plain).unwrap(), PLAIN);
        let message = Message::read(PLAIN.as_bytes()).unwrap();
        let mut out = BytesMut::new();
        write(&message, &mut out);
        assert_eq!(out.get(..2), Some(&(packed.len() as u16).to_be_bytes()[..]));
        assert_eq!(frame(&out), Some(&packed[..]));
    }

    #[test]
    fn no_cut_of_a_packed_message_is_taken_for_a_whole_one() {
        let packed = PACKED.concat();
        for cut in 0..packed.len() {
            assert!(unpack(&packed[..cut]).is_err(), "{cut} octets");
        }
        let longer = unpack(&[&packed[..], b"\0"].concat()).unwrap();
        assert!(Message::read(&longer).is_err(), "left over");
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_unpacked_or_refused_without_panic(
            octets in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
        ) {
            frame(&octets);
            unpack(&octets).ok();
        }
    }
}
