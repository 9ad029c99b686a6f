//! Reading a message. It must be all of the bytes given: a byte too many means that the two ends
//! disagree on a length, and then no element can be believed.

mod error;
#[cfg(test)]
mod tests;

pub use error::{DecodeError, DecodeFault, Parsed};

use super::Part;
use crate::iso8583::bitmap::{Bitmap, from_hex};
use crate::iso8583::dialect::{BitmapForm, MtiForm};
use crate::iso8583::field::{
    Content, Counts, Encoding, FieldSpec, Length, Pad, PrefixEncoding, Side, hex_value,
};
use crate::iso8583::{Dialect, Message, Mti, bcd, ebcdic};
use bytes::Bytes;

impl Dialect {
    /// Reads one message, which is all of `received`, without its frame header. Its values share
    /// that buffer, if a byte of it is a character or a byte of a value; what travels as BCD, EBCDIC
    /// or hexadecimal characters is unpacked into a buffer of the message's own.
    ///
    /// # Errors
    /// [`DecodeError`] names the part, its byte offset, and what had been read before it.
    pub fn decode(&self, received: Bytes) -> Result<Message, DecodeError> {
        let mut reader = Reader {
            bytes: &received,
            position: 0,
        };
        let mti = reader
            .mti(self.mti())
            .map_err(|fault| fault.after(Parsed::default()))?;
        let bitmap = reader.bitmaps(self.bitmap()).map_err(|fault| {
            fault.after(Parsed {
                mti: Some(mti),
                ..Parsed::default()
            })
        })?;
        let mut message = Message::over(mti, received.clone(), bitmap.len());
        match self.read_elements(reader, bitmap, &mut message) {
            Ok(()) => Ok(message),
            Err(fault) => Err(fault.after(Parsed::of(&message))),
        }
    }

    fn read_elements(
        &self,
        mut reader: Reader<'_>,
        bitmap: Bitmap,
        message: &mut Message,
    ) -> Result<(), Fault> {
        for number in bitmap.iter() {
            let part = Part::Element(number);
            let Some(spec) = self.element(number) else {
                return Err(reader.fault(part, DecodeFault::Unknown));
            };
            reader.element(number, spec, message)?;
        }
        match reader.bytes.len() - reader.position {
            0 => Ok(()),
            count => Err(reader.fault(Part::End, DecodeFault::Trailing { count })),
        }
    }
}

/// A fault before it is known what had been read.
struct Fault {
    part: Part,
    position: usize,
    why: DecodeFault,
}

impl Fault {
    fn after(self, parsed: Parsed) -> DecodeError {
        DecodeError {
            part: self.part,
            position: self.position,
            why: self.why,
            parsed: Box::new(parsed),
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    fn fault(&self, part: Part, why: DecodeFault) -> Fault {
        let position = self.position;
        Fault {
            part,
            position,
            why,
        }
    }

    /// The next `expected` bytes, which stay unread: the caller moves on once they are believed.
    fn peek(&self, part: Part, expected: usize) -> Result<&'a [u8], Fault> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        rest.get(..expected).ok_or_else(|| {
            let left = rest.len();
            self.fault(part, DecodeFault::Truncated { expected, left })
        })
    }

    fn peek_array<const N: usize>(&self, part: Part) -> Result<[u8; N], Fault> {
        let mut array = [0; N];
        array.copy_from_slice(self.peek(part, N)?);
        Ok(array)
    }

    fn mti(&mut self, form: MtiForm) -> Result<Mti, Fault> {
        let (digits, length) = match form {
            MtiForm::Ascii => (self.peek_array(Part::Mti)?, 4),
            MtiForm::Ebcdic => (self.peek_array(Part::Mti)?.map(ebcdic::to_ascii), 4),
            MtiForm::Bcd => {
                let [first, second] = self.peek_array(Part::Mti)?;
                let digits = [first >> 4, first & 0xF, second >> 4, second & 0xF];
                (digits.map(|digit| b'0' + digit), 2)
            }
        };
        let mti = Mti::parse(digits);
        let mti = mti.map_err(|error| self.fault(Part::Mti, DecodeFault::Mti(error)))?;
        self.position += length;
        Ok(mti)
    }

    fn bitmaps(&mut self, form: BitmapForm) -> Result<Bitmap, Fault> {
        let primary = self.bitmap(Part::PrimaryBitmap, form)?;
        let secondary = if Bitmap::announces_secondary(primary) {
            self.bitmap(Part::SecondaryBitmap, form)?
        } else {
            0
        };
        Ok(Bitmap::from_bits(primary, secondary))
    }

    fn bitmap(&mut self, part: Part, form: BitmapForm) -> Result<u64, Fault> {
        let (characters, length) = match form {
            BitmapForm::Binary => {
                let bits = u64::from_be_bytes(self.peek_array(part)?);
                self.position += 8;
                return Ok(bits);
            }
            BitmapForm::Hex => (self.peek_array(part)?, 16),
            BitmapForm::Ebcdic => (self.peek_array(part)?.map(ebcdic::to_ascii), 16),
        };
        let bits = from_hex(&characters).map_err(|index| {
            self.position += index;
            self.fault(part, DecodeFault::NotHex)
        })?;
        self.position += length;
        Ok(bits)
    }

    fn element(
        &mut self,
        number: u8,
        spec: &FieldSpec,
        message: &mut Message,
    ) -> Result<(), Fault> {
        let part = Part::Element(number);
        let content = spec.content();
        if content == Content::Bitmap {
            return Err(self.fault(part, DecodeFault::ThirdBitmap));
        }
        let count = match spec.length() {
            Length::Fixed(length) if spec.is_plain() => usize::from(length),
            _ => self.count(part, spec)?,
        };
        // The most common case by far is out of the way of the others.
        if spec.is_plain() {
            return self.plain(number, spec, count, message);
        }
        self.unpacked(number, spec, count, message)
    }

    /// A value that does not travel as it stands.
    #[inline(never)]
    fn unpacked(
        &mut self,
        number: u8,
        spec: &FieldSpec,
        count: usize,
        message: &mut Message,
    ) -> Result<(), Fault> {
        let content = spec.content();
        match spec.encoding() {
            Encoding::Ascii | Encoding::Binary => Ok(()),
            Encoding::Hex => self.hexadecimal(number, spec, count, message, |byte| byte),
            Encoding::Ebcdic if content == Content::Bytes => {
                self.hexadecimal(number, spec, count, message, ebcdic::to_ascii)
            }
            Encoding::Ebcdic => self.ebcdic(number, spec, count, message),
            Encoding::Bcd(pad) => self.packed(number, spec, count, pad, message),
        }
    }

    /// What the length prefix gives, which is read past, or what it would give for a fixed element.
    #[inline(never)]
    fn count(&mut self, part: Part, spec: &FieldSpec) -> Result<usize, Fault> {
        let limit = spec.counted(spec.length().maximum());
        if let Length::Fixed(_) = spec.length() {
            return Ok(limit);
        }
        let bytes = self.peek(part, spec.prefix_bytes())?;
        let encoding = spec.prefix();
        let Some(length) = prefix_number(encoding, bytes) else {
            let digits = spec.length().prefix_digits();
            return Err(self.fault(part, DecodeFault::Prefix { digits, encoding }));
        };
        if length > limit {
            return Err(self.fault(part, DecodeFault::TooLong { length, limit }));
        }
        self.position += bytes.len();
        Ok(length)
    }

    /// Characters or bytes that are the value as they stand.
    fn plain(
        &mut self,
        number: u8,
        spec: &FieldSpec,
        length: usize,
        message: &mut Message,
    ) -> Result<(), Fault> {
        let part = Part::Element(number);
        let value = self.peek(part, length)?;
        self.check(part, spec, value, |index| index)?;
        message.push_received(number, self.position, length);
        self.position += length;
        Ok(())
    }

    /// Refuses a value that its element may not hold. `offset` says at which byte of what is to be
    /// read a character of the value stands.
    fn check(
        &mut self,
        part: Part,
        spec: &FieldSpec,
        value: &[u8],
        offset: impl Fn(usize) -> usize,
    ) -> Result<(), Fault> {
        let content = spec.content();
        match content.first_fault(value, true) {
            None => Ok(()),
            Some(index) => {
                // An empty x+n element has no byte to point at; its place is where the sign should be.
                self.position += offset(index);
                Err(self.fault(part, DecodeFault::Content(content)))
            }
        }
    }

    fn ebcdic(
        &mut self,
        number: u8,
        spec: &FieldSpec,
        length: usize,
        message: &mut Message,
    ) -> Result<(), Fault> {
        let part = Part::Element(number);
        let bytes = self.peek(part, length)?;
        let value = message.push_own(number, bytes.iter().copied().map(ebcdic::to_ascii));
        let checked = self.check(part, spec, value, |index| index);
        self.keep(number, length, checked, message)
    }

    /// Two hexadecimal characters per byte; `ascii` makes ASCII of one.
    fn hexadecimal(
        &mut self,
        number: u8,
        spec: &FieldSpec,
        count: usize,
        message: &mut Message,
        ascii: impl Fn(u8) -> u8,
    ) -> Result<(), Fault> {
        let part = Part::Element(number);
        let digits = match spec.counts() {
            Counts::Bytes => count * 2,
            Counts::Digits if count.is_multiple_of(2) => count,
            Counts::Digits => {
                return Err(self.fault(part, DecodeFault::OddDigits { digits: count }));
            }
        };
        let characters = self.peek(part, digits)?;
        let value = |character: &u8| hex_value(ascii(*character));
        if let Some(index) = characters.iter().position(|c| value(c).is_none()) {
            self.position += index;
            return Err(self.fault(part, DecodeFault::NotHex));
        }
        let pairs = characters.chunks_exact(2);
        let bytes = pairs.map(|pair| pair.iter().filter_map(value).fold(0, |b, n| b << 4 | n));
        message.push_own(number, bytes);
        self.position += digits;
        Ok(())
    }

    /// Digits two to a byte, behind the sign of a signed number.
    fn packed(
        &mut self,
        number: u8,
        spec: &FieldSpec,
        count: usize,
        pad: Pad,
        message: &mut Message,
    ) -> Result<(), Fault> {
        let part = Part::Element(number);
        let sign_bytes = usize::from(spec.content() == Content::SignedDigits);
        let length = match spec.counts() {
            Counts::Bytes => count,
            Counts::Digits => sign_bytes + (count - sign_bytes).div_ceil(2),
        };
        let bytes = self.peek(part, length)?;
        let (sign, packed) = bytes.split_at(sign_bytes);
        let at_end = match pad.side {
            Side::Left => packed.first().map(|byte| byte >> 4),
            Side::Right => packed.last().map(|byte| byte & 0xF),
        };
        let is_odd = match spec.counts() {
            Counts::Digits => (count - sign_bytes) % 2 == 1,
            Counts::Bytes => at_end == Some(0xF),
        };
        if is_odd && !matches!(at_end, Some(0 | 0xF)) {
            self.position += match pad.side {
                Side::Left => sign_bytes,
                Side::Right => length - 1,
            };
            return Err(self.fault(part, DecodeFault::Pad));
        }
        let skipped = usize::from(is_odd && pad.side == Side::Left);
        let taken = packed.len() * 2 - usize::from(is_odd);
        let digits = bcd::characters(packed).skip(skipped).take(taken);
        let value = message.push_own(number, sign.iter().copied().chain(digits));
        let checked = self.check(part, spec, value, |index| {
            match index.checked_sub(sign_bytes) {
                None => index,
                Some(digit) => sign_bytes + (digit + skipped) / 2,
            }
        });
        self.keep(number, length, checked, message)
    }

    /// Moves past a value that was unpacked into the message, or takes it out again.
    fn keep(
        &mut self,
        number: u8,
        length: usize,
        checked: Result<(), Fault>,
        message: &mut Message,
    ) -> Result<(), Fault> {
        match checked {
            Ok(()) => self.position += length,
            Err(_) => {
                message.remove(number);
            }
        }
        checked
    }
}

/// The number that a length prefix gives. `None` if it is none.
fn prefix_number(encoding: PrefixEncoding, bytes: &[u8]) -> Option<usize> {
    let digits = |zero: u8| {
        bytes.iter().try_fold(0, |number, byte| {
            let digit = byte.wrapping_sub(zero);
            (digit <= 9).then(|| number * 10 + usize::from(digit))
        })
    };
    let mut bytes = bytes.iter();
    match encoding {
        PrefixEncoding::Ascii => digits(b'0'),
        PrefixEncoding::Ebcdic => digits(0xF0),
        PrefixEncoding::Bcd => {
            bytes.try_fold(0, |number, byte| Some(number * 100 + bcd::number(*byte)?))
        }
        PrefixEncoding::Binary => Some(bytes.fold(0, |n, byte| n << 8 | usize::from(*byte))),
    }
}
