//! What stands before a message: its length and, where a network wants it, a TPDU.
//!
//! Architecture invariant: a header gives a length or a fault, never a guess.

use super::FrameError;
use crate::iso8583::field::{hex_character, hex_value};
use bytes::{BufMut, BytesMut};
use std::fmt;

/// How a message says how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderKind {
    /// Four ASCII digits: 126 bytes are `0126`.
    Ascii4,
    /// Two bytes, the greater first: 126 bytes are `00 7E`.
    Binary2,
    /// Four digits, two per byte: 126 bytes are `01 26`.
    Bcd2,
}

/// How frames begin, by a bank's dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How the length travels.
    pub kind: HeaderKind,
    /// Whether the length counts its own bytes too.
    pub counts_itself: bool,
    /// What stands between the length and the message, counted by the length, in what Sampan
    /// begins; an answer has the request's, [`Tpdu::returned`]. `None` where there is no TPDU.
    pub tpdu: Option<Tpdu>,
}

/// The head of a transport protocol data unit: `60`, two bytes of destination, two of source.
/// Networks of terminals route by it, and what stands behind one expects and sends it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tpdu([u8; 5]);

/// What a header announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    /// Bytes before the message.
    pub(super) before: usize,
    /// Bytes of the message; 0 for a sign of life.
    pub(super) body: usize,
}

impl HeaderKind {
    /// How many bytes give the length.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Ascii4 => 4,
            Self::Binary2 | Self::Bcd2 => 2,
        }
    }

    /// Reads the length, or what is there of it: each byte is judged as soon as it has come.
    fn read(self, input: &[u8]) -> Result<usize, FrameError> {
        let mut number = 0;
        for (position, byte) in input.iter().take(self.bytes()).enumerate() {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 0xF));
            number = match self {
                Self::Binary2 => number << 8 | usize::from(*byte),
                Self::Ascii4 if byte.is_ascii_digit() => number * 10 + low,
                Self::Bcd2 if high <= 9 && low <= 9 => number * 100 + high * 10 + low,
                Self::Ascii4 | Self::Bcd2 => {
                    let header = self;
                    return Err(FrameError::NotDigit { position, header });
                }
            };
        }
        Ok(number)
    }

    /// Writes a length of at most four digits.
    fn write(self, number: usize, output: &mut BytesMut) {
        let digits @ [thousands, hundreds, tens, ones] =
            [1_000, 100, 10, 1].map(|place| (number / place % 10) as u8);
        match self {
            Self::Ascii4 => output.put_slice(&digits.map(|digit| b'0' + digit)),
            Self::Bcd2 => output.put_slice(&[thousands << 4 | hundreds, tens << 4 | ones]),
            Self::Binary2 => output.put_u16(number as u16),
        }
    }
}

impl Header {
    /// A length that counts what follows it, and no TPDU.
    pub const fn new(kind: HeaderKind) -> Self {
        Self {
            kind,
            counts_itself: false,
            tpdu: None,
        }
    }

    /// How many bytes stand before a message.
    pub const fn bytes(self) -> usize {
        self.kind.bytes() + self.tpdu_bytes()
    }

    const fn tpdu_bytes(self) -> usize {
        match self.tpdu {
            Some(_) => Tpdu::BYTES,
            None => 0,
        }
    }

    const fn own_bytes(self) -> usize {
        if self.counts_itself {
            self.kind.bytes()
        } else {
            0
        }
    }

    /// What the length counts besides the message.
    pub(super) const fn counted_bytes(self) -> usize {
        self.own_bytes() + self.tpdu_bytes()
    }

    /// What follows, by the length at the beginning of `input`. A length of nothing, or of its own
    /// bytes alone, is a sign of life without a TPDU. `None` if more bytes are needed.
    pub(super) fn read(self, input: &[u8]) -> Result<Option<Announced>, FrameError> {
        let number = self.kind.read(input)?;
        if input.len() < self.kind.bytes() {
            return Ok(None);
        }
        if number == 0 || number == self.own_bytes() {
            let before = self.kind.bytes();
            return Ok(Some(Announced { before, body: 0 }));
        }
        let (before, least) = (self.bytes(), self.counted_bytes());
        match number.checked_sub(least) {
            Some(body) => Ok(Some(Announced { before, body })),
            None => Err(FrameError::TooShort { number, least }),
        }
    }

    /// The TPDU of a frame with that many bytes before its message. `None` too as long as it has
    /// not come whole; its first byte is judged at once.
    pub(super) fn tpdu_of(self, input: &[u8], before: usize) -> Result<Option<Tpdu>, FrameError> {
        let end = before.min(input.len());
        match input.get(self.kind.bytes()..end).unwrap_or_default() {
            [0x60..=0x6F, ..] | [] => {}
            _ => return Err(FrameError::NotTpdu),
        }
        let bytes = input.get(self.kind.bytes()..before);
        Ok(bytes
            .and_then(|bytes| bytes.try_into().ok())
            .and_then(Tpdu::new))
    }

    /// Writes the header of a message of that many bytes. `tpdu` stands in for the header's own,
    /// if it has one.
    pub(super) fn write(self, body: usize, tpdu: Option<Tpdu>, output: &mut BytesMut) {
        self.kind.write(self.counted_bytes() + body, output);
        if let Some(Tpdu(bytes)) = self.tpdu.and(tpdu.or(self.tpdu)) {
            output.put_slice(&bytes);
        }
    }
}

impl Tpdu {
    /// How long it is.
    pub const BYTES: usize = 5;

    /// Five bytes as received. `None` if they have not the shape: the first is 60 to 6F, where 60
    /// stands for a transaction and the others are the networks' own.
    pub const fn new(bytes: [u8; Self::BYTES]) -> Option<Self> {
        match bytes {
            [0x60..=0x6F, ..] => Some(Self(bytes)),
            _ => None,
        }
    }

    /// Ten hexadecimal characters, such as `6000030000`.
    pub fn parse(text: &str) -> Option<Self> {
        let characters = <[u8; 2 * Self::BYTES]>::try_from(text.as_bytes()).ok()?;
        let mut bytes = [0; Self::BYTES];
        for (byte, pair) in bytes.iter_mut().zip(characters.chunks_exact(2)) {
            for character in pair {
                *byte = *byte << 4 | hex_value(*character)?;
            }
        }
        Self::new(bytes)
    }

    /// The TPDU of the answer: source and destination change places.
    pub const fn returned(self) -> Self {
        let [id, to_high, to_low, from_high, from_low] = self.0;
        Self([id, from_high, from_low, to_high, to_low])
    }
}

/// As ten hexadecimal characters.
impl fmt::Display for Tpdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let characters = |byte: &u8| [byte >> 4, *byte].map(hex_character);
        let text = self.0.iter().flat_map(characters);
        text.map(char::from).try_for_each(|c| write!(f, "{c}"))
    }
}

impl fmt::Debug for Tpdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a header of this kind is made of.
impl fmt::Display for HeaderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ascii4 => "four ASCII digits",
            Self::Binary2 => "two bytes",
            Self::Bcd2 => "four digits in two bytes",
        })
    }
}
