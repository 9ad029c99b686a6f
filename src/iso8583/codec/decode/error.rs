//! What is wrong with bytes that are no message of a dialect, and what had been read of them.
//!
//! Nothing here may hold card data: an error is logged.

use crate::iso8583::codec::Part;
use crate::iso8583::field::{Content, PrefixEncoding};
use crate::iso8583::mti::MtiError;
use crate::iso8583::{Message, Mti};
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
    /// The first bytes are no MTI.
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
    #[error("the length prefix is not {digits} {encoding} digits")]
    Prefix {
        /// How many digits it should have.
        digits: usize,
        /// Of which kind.
        encoding: PrefixEncoding,
    },
    /// An odd number of hexadecimal digits, which are no bytes.
    #[error("the length prefix counts {digits} hexadecimal digits, which are no whole bytes")]
    OddDigits {
        /// What the prefix gives.
        digits: usize,
    },
    /// What fills the byte of an odd digit is a digit itself.
    #[error(
        "the half-byte that fills up an odd digit is neither 0 nor F; \
         compare pad of the dialect with the bank's specification"
    )]
    Pad,
    /// A length prefix over the dialect's limit.
    #[error("the length prefix gives {length}, at most {limit} are allowed")]
    TooLong {
        /// What the prefix gives.
        length: usize,
        /// The most that it may give, in what it counts.
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

impl Parsed {
    pub(super) fn of(message: &Message) -> Self {
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
