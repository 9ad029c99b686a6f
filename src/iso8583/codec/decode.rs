//! Reading a message. It must be all of the bytes given: a byte too many means that the two ends
//! disagree on a length, and then no element can be believed.

use super::Part;
use crate::iso8583::bitmap::{Bitmap, from_hex};
use crate::iso8583::dialect::BitmapForm;
use crate::iso8583::field::{Content, Encoding, FieldSpec, Length, hex_value};
use crate::iso8583::mti::MtiError;
use crate::iso8583::{Dialect, Message, Mti};
use bytes::Bytes;
use std::fmt;

/// Bytes that are no message of the dialect: the peer's fault, or a dialect file that does not fit
/// the peer. Contained: the frame was sound, so the connection can go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The part at fault.
    pub part: Part,
    /// The offset in bytes, behind the frame header, of what is wrong.
    pub position: usize,
    /// What is wrong there.
    pub why: DecodeFault,
    /// What had been read by then.
    pub parsed: Box<Parsed>,
}

/// What had been read of a message before the fault. It holds no card data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The message type.
    pub mti: Option<Mti>,
    /// The numbers of the elements that were read.
    pub elements: Vec<u8>,
    /// DE11, DE37 and DE41 as far as they were read: what the message can be found by.
    pub references: Vec<(u8, Bytes)>,
}

/// What is wrong with a part that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeFault {
    /// The message ends within the part.
    #[error("the message ends here: {expected} bytes were expected, {left} are left")]
    Truncated {
        /// How many bytes the part needs from here.
        expected: usize,
        /// How many there are.
        left: usize,
    },
    /// The first four bytes are no MTI.
    #[error(transparent)]
    Mti(MtiError),
    /// A character of a bitmap or a hexadecimal element is no hexadecimal character.
    #[error("not a hexadecimal character")]
    NotHex,
    /// The bitmap announces an element that the dialect does not have.
    #[error("the dialect has no such element, so its length is unknown")]
    Unknown,
    /// The bitmap announces a third bitmap, for which this edition has no elements.
    #[error("announces a third bitmap, which ISO 8583:1987 has no elements for")]
    ThirdBitmap,
    /// A length prefix that is not all digits.
    #[error("the length prefix is not {digits} ASCII digits")]
    Prefix {
        /// How many digits it should have.
        digits: usize,
    },
    /// A length prefix over the dialect's limit.
    #[error("the length prefix gives {length}, at most {limit} are allowed")]
    TooLong {
        /// What the prefix gives.
        length: usize,
        /// The greatest length.
        limit: usize,
    },
    /// A byte that the content does not allow. The byte itself is not told.
    #[error("a byte that does not belong: the element holds {0}")]
    Content(Content),
    /// Bytes follow the last element.
    #[error("{count} bytes follow the last element")]
    Trailing {
        /// How many.
        count: usize,
    },
}

impl Dialect {
    /// Reads one message, which is all of `received`, without its frame header. Its values share
    /// that buffer, except for `b` elements that travel as hexadecimal.
    ///
    /// # Errors
    /// [`DecodeError`] names the part, its byte offset, and what had been read before it.
    pub fn decode(&self, received: Bytes) -> Result<Message, DecodeError> {
        let mut reader = Reader {
            bytes: &received,
            position: 0,
        };
        let mti = reader
            .mti()
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

    fn mti(&mut self) -> Result<Mti, Fault> {
        let digits = self.peek_array(Part::Mti)?;
        let mti = Mti::parse(digits);
        let mti = mti.map_err(|error| self.fault(Part::Mti, DecodeFault::Mti(error)))?;
        self.position += digits.len();
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
        let (bits, length) = match form {
            BitmapForm::Binary => (u64::from_be_bytes(self.peek_array(part)?), 8),
            BitmapForm::Hex => {
                let bits = from_hex(&self.peek_array(part)?).map_err(|index| {
                    self.position += index;
                    self.fault(part, DecodeFault::NotHex)
                })?;
                (bits, 16)
            }
        };
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
        let length = self.length(part, spec.length())?;
        if spec.encoding() == Encoding::Hex {
            return self.hex_element(number, length, message);
        }
        let value = self.peek(part, length)?;
        if let Some(index) = content.first_fault(value, true) {
            // An empty x+n element has no byte to point at; its place is where the sign should be.
            self.position += index;
            return Err(self.fault(part, DecodeFault::Content(content)));
        }
        message.push_received(number, self.position, length);
        self.position += length;
        Ok(())
    }

    /// The length of the value that follows; the prefix, if there is one, is read past.
    fn length(&mut self, part: Part, length: Length) -> Result<usize, Fault> {
        let digits = length.prefix_digits();
        let limit = length.maximum();
        if digits == 0 {
            return Ok(limit);
        }
        let mut given = 0;
        for byte in self.peek(part, digits)? {
            if !byte.is_ascii_digit() {
                return Err(self.fault(part, DecodeFault::Prefix { digits }));
            }
            given = given * 10 + usize::from(byte - b'0');
        }
        if given > limit {
            let length = given;
            return Err(self.fault(part, DecodeFault::TooLong { length, limit }));
        }
        self.position += digits;
        Ok(given)
    }

    fn hex_element(
        &mut self,
        number: u8,
        length: usize,
        message: &mut Message,
    ) -> Result<(), Fault> {
        let part = Part::Element(number);
        let characters = self.peek(part, length * 2)?;
        if let Some(index) = characters.iter().position(|c| hex_value(*c).is_none()) {
            self.position += index;
            return Err(self.fault(part, DecodeFault::NotHex));
        }
        let nibbles = characters.iter().copied().filter_map(hex_value);
        message.push_nibbles(number, nibbles);
        self.position += characters.len();
        Ok(())
    }
}

impl Parsed {
    fn of(message: &Message) -> Self {
        let references = [11, 37, 41].into_iter().filter_map(|number| {
            let value = message.get(number)?;
            Some((number, Bytes::copy_from_slice(value)))
        });
        Self {
            mti: Some(message.mti()),
            elements: message.iter().map(|(number, _)| number).collect(),
            references: references.collect(),
        }
    }
}

impl std::error::Error for DecodeError {}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (part, position, why) = (self.part, self.position, self.why);
        write!(
            f,
            "{part} at byte {position}: {why} (read before: {})",
            self.parsed
        )
    }
}

impl fmt::Display for Parsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(mti) = self.mti else {
            return f.write_str("nothing");
        };
        write!(f, "{mti}")?;
        for number in &self.elements {
            write!(f, " {number}")?;
            if let Some((_, value)) = self.references.iter().find(|(known, _)| known == number) {
                write!(f, "={}", value.escape_ascii())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
