//! Messages to bytes and back, as a dialect says. The bitmaps are the codec's own business.
//!
//! Fixed elements that are shorter are filled when written: numbers with zeros on the left, text
//! with spaces on the right. What is read is handed on as it came.

mod decode;
mod encode;
mod writer;

pub use decode::{DecodeError, DecodeFault, Parsed};
pub use encode::{EncodeError, EncodeFault};

use std::fmt;

/// Where in a message something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The message type identifier.
    Mti,
    /// The first bitmap.
    PrimaryBitmap,
    /// The second bitmap, element 1.
    SecondaryBitmap,
    /// An element.
    Element(u8),
    /// Behind the last element.
    End,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mti => f.write_str("MTI"),
            Self::PrimaryBitmap => f.write_str("primary bitmap"),
            Self::SecondaryBitmap => f.write_str("secondary bitmap"),
            Self::Element(number) => write!(f, "DE{number}"),
            Self::End => f.write_str("end of the message"),
        }
    }
}
