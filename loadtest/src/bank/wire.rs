//! ISO 8583:1987 as octets, in the dialect that the simulator speaks: a header of 4 ASCII digits,
//! ASCII elements, bitmaps and binary elements as hexadecimal characters. Hand-written from the
//! standard's table and sharing nothing with the router's codec, so that one mistake cannot hide
//! another. No I/O, no state.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::layout::{ELEMENTS, Length, layout};

/// Octets of the header: the length of what follows, in ASCII digits.
pub(super) const HEADER_BYTES: usize = 4;
/// The highest amount that fits n12.
pub(super) const AMOUNT_MAX: u64 = 999_999_999_999;

/// A message that cannot be read: which element, and what was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// The element; 0 for MTI and framing, 1 for the bitmaps.
    pub(super) element: usize,
    /// Where in the message, after the header, in octets.
    pub(super) position: usize,
    /// What was wrong.
    pub(super) what: &'static str,
}

/// Splits the first whole message off `input`, without its header. `None` when more must come.
///
/// # Errors
/// A header that is not four digits. The framing is lost with it.
pub(super) fn frame(input: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let Some((header, rest)) = input.split_first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let length = number(header).ok_or(Malformed {
        element: 0,
        position: 0,
        what: "the header is not four digits",
    })?;
    Ok(rest.get(..length as usize))
}

/// A number of ASCII digits; `None` for anything else.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0, |sum, digit| {
        digit
            .is_ascii_digit()
            .then(|| sum * 10 + u64::from(digit - b'0'))
    })
}

/// A message whose elements lie in the buffer that it was read from, or was composed of.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    mti: [u8; 4],
    values: [&'a [u8]; ELEMENTS + 1],
}

impl fmt::Debug for Message<'_> {
    /// Names the elements, never what they hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elements: Vec<usize> = (1..=ELEMENTS)
            .filter(|element| self.get(*element).is_some())
            .collect();
        write!(f, "{} {elements:?}", String::from_utf8_lossy(&self.mti))
    }
}

impl<'a> Message<'a> {
    /// An empty message.
    pub(super) fn new(mti: [u8; 4]) -> Self {
        Self {
            mti,
            values: [&[]; ELEMENTS + 1],
        }
    }

    /// Reads a message without its header.
    ///
    /// # Errors
    /// The first thing that is not as the table has it, an octet left over included.
    pub(super) fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader {
            rest: message,
            position: 0,
        };
        let mti = reader.take(0, 4)?;
        let mti = match <[u8; 4]>::try_from(mti) {
            Ok(mti) if mti.iter().all(u8::is_ascii_digit) => mti,
            _ => return Err(reader.wrong(0, "the MTI is not four digits")),
        };
        let mut read = Self::new(mti);
        let primary = reader.bitmap()?;
        let secondary = if primary >> 63 == 1 {
            reader.bitmap()?
        } else {
            0
        };
        let bits = u128::from(primary) << 64 | u128::from(secondary);
        for element in 2..=ELEMENTS {
            if bits >> (ELEMENTS - element) & 1 == 1 {
                read.put(element, reader.element(element)?);
            }
        }
        if !reader.rest.is_empty() {
            return Err(reader.wrong(0, "octets are left over"));
        }
        Ok(read)
    }

    /// The MTI.
    pub(super) fn mti(&self) -> [u8; 4] {
        self.mti
    }

    /// The element's value, without its length.
    pub(super) fn get(&self, element: usize) -> Option<&'a [u8]> {
        self.values
            .get(element)
            .copied()
            .filter(|value| !value.is_empty())
    }

    /// Sets an element. The table is not asked: the bank knows what it writes.
    pub(super) fn put(&mut self, element: usize, value: &'a [u8]) {
        if let Some(place) = self.values.get_mut(element) {
            *place = value;
        }
    }

    /// Copies elements of another message as far as it has them.
    pub(super) fn echo(&mut self, other: &Self, elements: &[usize]) {
        for element in elements {
            if let Some(value) = other.get(*element) {
                self.put(*element, value);
            }
        }
    }

    /// Writes the message behind its header.
    pub(super) fn write(&self, out: &mut BytesMut) {
        let start = out.len();
        out.put_slice(b"0000");
        out.put_slice(&self.mti);
        let bits = self.bits();
        let primary = (bits >> 64) as u64 | u64::from(bits as u64 != 0) << 63;
        put_hex(out, primary);
        if bits as u64 != 0 {
            put_hex(out, bits as u64);
        }
        for (element, value) in self
            .values
            .iter()
            .enumerate()
            .filter(|(_, v)| !v.is_empty())
        {
            match layout(element) {
                Some((_, Length::Var2(_))) => put_digits(out, value.len() as u64, 2),
                Some((_, Length::Var3(_))) => put_digits(out, value.len() as u64, 3),
                _ => {}
            }
            out.put_slice(value);
        }
        let length = out.len() - start - HEADER_BYTES;
        let mut header = BytesMut::with_capacity(HEADER_BYTES);
        put_digits(&mut header, length as u64, HEADER_BYTES);
        if let Some(place) = out.get_mut(start..start + HEADER_BYTES) {
            place.copy_from_slice(&header);
        }
    }

    pub(super) fn bits(&self) -> u128 {
        let present = self
            .values
            .iter()
            .enumerate()
            .filter(|(_, value)| !value.is_empty());
        present.fold(0, |bits, (element, _)| bits | 1 << (ELEMENTS - element))
    }
}

/// Writes a number with leading zeros. Digits that do not fit are cut on the left.
pub(super) fn put_digits(out: &mut BytesMut, number: u64, width: usize) {
    for place in (0..width as u32).rev() {
        let digit = number / 10u64.saturating_pow(place) % 10;
        out.put_u8(b'0' + digit as u8);
    }
}

fn put_hex(out: &mut BytesMut, bits: u64) {
    for nibble in (0..16).rev() {
        let value = (bits >> (nibble * 4) & 0xF) as u8;
        out.put_u8(if value < 10 {
            b'0' + value
        } else {
            b'A' + value - 10
        });
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    fn wrong(&self, element: usize, what: &'static str) -> Malformed {
        Malformed {
            element,
            position: self.position,
            what,
        }
    }

    fn take(&mut self, element: usize, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(self.wrong(element, "the message ends inside the element"))?;
        self.rest = rest;
        self.position += count;
        Ok(taken)
    }

    fn bitmap(&mut self) -> Result<u64, Malformed> {
        let wrong = self.wrong(1, "the bitmap is not hexadecimal");
        self.take(1, 16)?.iter().try_fold(0, |bits, digit| {
            let nibble = char::from(*digit).to_digit(16).ok_or(wrong)?;
            Ok(bits << 4 | u64::from(nibble))
        })
    }

    fn element(&mut self, element: usize) -> Result<&'a [u8], Malformed> {
        let (content, length) =
            layout(element).ok_or(self.wrong(element, "the element is not in the table"))?;
        let count = match length {
            Length::Fixed(count) => count,
            Length::Var2(max) => self.length(element, 2, max)?,
            Length::Var3(max) => self.length(element, 3, max)?,
        };
        let wrong = self.wrong(element, "the value is not of the element's class");
        let value = self.take(element, count)?;
        if content.holds(value) {
            Ok(value)
        } else {
            Err(wrong)
        }
    }

    fn length(&mut self, element: usize, digits: usize, max: usize) -> Result<usize, Malformed> {
        let wrong = self.wrong(
            element,
            "the length is no number, nought or over the maximum",
        );
        let length = number(self.take(element, digits)?).ok_or(wrong)? as usize;
        if (1..=max).contains(&length) {
            Ok(length)
        } else {
            Err(wrong)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 0200 written by hand: DE 2, 3, 4, 7, 11, 12, 13, 37, 41, 42, 49.
    /// Bits 2 3 4 7 = 0111 0010 = 72; 11 12 13 = 0011 1000 = 38; 37 = 0000 1000 = 08 in octet 5;
    /// 41 42 = C0 in octet 6; 49 = 80 in octet 7.
    const PURCHASE: &[u8] = b"012002007238000008C0800016970400000000000100000000000015000011220203040001230203041122123456789012TERM0001MERCHANT0000001704";

    #[test]
    fn a_0200_is_read_as_the_standard_lays_it_out() {
        let body = frame(PURCHASE).unwrap().unwrap();
        assert_eq!(body.len(), PURCHASE.len() - 4);
        let read = Message::read(body).unwrap();
        assert_eq!(&read.mti(), b"0200");
        for (element, value) in [
            (2, &b"9704000000000001"[..]),
            (3, b"000000"),
            (4, b"000000150000"),
            (7, b"1122020304"),
            (11, b"000123"),
            (12, b"020304"),
            (13, b"1122"),
            (37, b"123456789012"),
            (41, b"TERM0001"),
            (42, b"MERCHANT0000001"),
            (49, b"704"),
        ] {
            assert_eq!(read.get(element), Some(value), "DE{element}");
        }
        assert_eq!(read.get(39), None);
    }

    #[test]
    fn an_0810_is_written_as_the_standard_lays_it_out() {
        let mut answer = Message::new(*b"0810");
        answer.put(7, b"1122020304");
        answer.put(11, b"000001");
        answer.put(39, b"00");
        answer.put(70, b"301");
        let mut out = BytesMut::new();
        answer.write(&mut out);
        // Bit 1 for the second bitmap, 7, 11, 39; 70 is the sixth bit of the second bitmap.
        assert_eq!(
            &out[..],
            b"0057081082200000020000000400000000000000112202030400000100301"
        );
    }

    #[test]
    fn no_cut_of_a_message_is_taken_for_a_whole_one() {
        for cut in 0..PURCHASE.len() {
            assert_eq!(frame(&PURCHASE[..cut]), Ok(None), "{cut} octets");
        }
        let body = &PURCHASE[4..];
        for cut in 0..body.len() {
            assert!(Message::read(&body[..cut]).is_err(), "{cut} octets");
        }
    }

    #[test]
    fn each_fault_names_its_element_and_position() {
        let wrong = |message: &'static [u8]| {
            let found = Message::read(message).unwrap_err();
            (found.element, found.position)
        };
        assert_eq!(wrong(b"02x0"), (0, 4));
        assert_eq!(wrong(b"0200zz00000000000000"), (1, 4));
        assert_eq!(wrong(b"0200400000000000000020"), (2, 20), "LL over 19");
        assert_eq!(wrong(b"0200200000000000000000000x"), (3, 20));
        assert_eq!(wrong(b"02002000000000000000000000!"), (0, 26), "left over");
        assert_eq!(wrong(b"020080000000000000008000000000000000"), (65, 36));
        for header in [&b"-001"[..], b"+012", b"00 1", b"GET "] {
            assert!(frame(header).is_err(), "{header:?}");
        }
    }

    #[test]
    fn the_table_has_the_length_of_every_element_that_a_reversal_carries() {
        let original = b"020000012409210732440000097049900000000000";
        assert_eq!(original.len(), 42);
        let mut reversal = Message::new(*b"0420");
        reversal.put(90, original);
        reversal.put(128, b"0123456789ABCDEF");
        let mut out = BytesMut::new();
        reversal.write(&mut out);
        assert_eq!(&out[..40], b"0094042080000000000000000000004000000001");
        let read = Message::read(&out[4..]).unwrap();
        assert_eq!(read.get(90), Some(&original[..]));
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_read_or_refused_without_panic(
            elements in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
            bitmap in proptest::num::u64::ANY,
        ) {
            frame(&elements).ok();
            Message::read(&elements).ok();
            let mut message = format!("0200{bitmap:016X}").into_bytes();
            message.extend(elements.iter().map(|octet| b'0' + octet % 10));
            Message::read(&message).ok();
        }
    }
}
