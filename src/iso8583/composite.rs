//! Elements that hold parts of their own: chip data as BER-TLV, subfields at fixed places, subfields
//! behind tags and lengths of characters. A dialect says which element is which.
//!
//! Splitting is for people and for whoever asks; the codec never does it. An element travels as it
//! is, so that chip data which nobody can read costs no bank's answer and no reversal.
//!
//! ```text
//!  9F2608 A1B2C3D4E5F60718   ─ split ─►  [9F26] A1B2C3D4E5F60718
//!  9F3602 0042               ◄─ join ──  [9F36] 0042
//! ```

pub mod ber;
pub mod emv;
mod positional;
mod shown;
mod tagged;

pub use positional::{Subfield, SubfieldEncoding, SubfieldError, SubfieldLength};
pub use shown::Shown;
pub use tagged::{NamedTag, Tagged, TaggedError};

use super::mask::{Disclosure, disclosure};
use std::fmt;

/// How the parts of an element lie in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Composite {
    /// Tag, length and value in bytes, as chip data in DE55 (EMV Book 3, Annex B).
    BerTlv,
    /// One after the other, in this order. Those at the end may be missing.
    Positional(Box<[Subfield]>),
    /// Tag, length and value in characters.
    Tagged(Tagged),
}

/// One part of an element. It borrows the element's bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// What it is called.
    pub label: Label<'a>,
    /// How many parts it lies in; 0 for those of the element itself.
    pub depth: usize,
    /// The offset of its first byte in the element, its tag and length included.
    pub position: usize,
    /// Its value as it lies in the element; of a constructed object, the objects in it.
    pub value: &'a [u8],
    /// How much of it may be seen, and how.
    shown: Shown,
}

/// What a part is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label<'a> {
    /// A BER tag, written as hexadecimal.
    Tag(ber::Tag),
    /// A tag of letters and digits, and the name that the dialect has for it.
    Characters(&'a str, Option<&'a str>),
    /// The name of a place.
    Place(&'a str),
}

/// Bytes of an element that are not what its dialect says. Whose fault it is the bytes cannot tell:
/// the peer's, or that of a dialect which does not fit the peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("DE{element}, byte {position}: {why}")]
pub struct SplitError<'a> {
    /// The number of the element.
    pub element: u8,
    /// The offset in the element's bytes, from 0.
    pub position: usize,
    /// What is wrong there.
    pub why: SplitFault,
    /// The parts before it, in their order.
    pub parsed: Vec<Part<'a>>,
}

/// What is wrong with the bytes of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitFault {
    /// A part does not end within its element, or within the object that it lies in.
    #[error("{expected} bytes were expected, {left} are left")]
    Truncated {
        /// How many bytes the part needs from here.
        expected: usize,
        /// How many there are.
        left: usize,
    },
    /// A BER tag of more bytes than any that is assigned.
    #[error("a tag of more than {} bytes", ber::TAG_BYTES_MAX)]
    LongTag,
    /// A BER length that EMV does not know.
    #[error("the length begins with {0:02X}; a byte below 80, or 81 or 82, was expected")]
    LengthForm(u8),
    /// Objects within objects within objects.
    #[error("objects lie more than {} deep in each other", ber::DEPTH_MAX)]
    Depth,
    /// A tag of other characters than letters and digits.
    #[error("the tag is not {0} letters or digits")]
    Tag(usize),
    /// A length prefix that is no number.
    #[error("the length is not {0} digits")]
    Length(usize),
    /// A length prefix over the dialect's limit.
    #[error("the length is {length}, at most {limit} are allowed")]
    TooLong {
        /// What the prefix gives.
        length: usize,
        /// The greatest length.
        limit: usize,
    },
    /// Bytes follow the last subfield.
    #[error("{0} bytes follow the last subfield")]
    Trailing(usize),
}

/// Parts that cannot be joined to an element; the fault of who gave them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("part {index}: {why}")]
pub struct JoinError {
    /// Which of the parts, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub why: JoinFault,
}

/// What is wrong with a part that cannot be joined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinFault {
    /// Text that is no tag of the element's kind.
    #[error("its label is no tag of this element; {0}")]
    Label(&'static str),
    /// A name other than that of the place.
    #[error("the subfield {0:?} belongs here")]
    Place(Box<str>),
    /// More parts than places.
    #[error("the element has no more subfields")]
    NoPlace,
    /// A value whose length does not fit.
    #[error("its value of {length} bytes does not fit, {allowed} does")]
    Length {
        /// The value's length.
        length: usize,
        /// What would fit, in words.
        allowed: Box<str>,
    },
}

impl Composite {
    /// The parts of an element's value, each once, in their order; an object comes before those in
    /// it. Fill bytes between the objects of chip data are passed over.
    ///
    /// # Errors
    /// [`SplitError`] names the byte, and holds the parts before it.
    pub fn split<'a>(
        &'a self,
        element: u8,
        value: &'a [u8],
    ) -> Result<Vec<Part<'a>>, SplitError<'a>> {
        let mut parts = Vec::new();
        let all_clear = disclosure(element) == Disclosure::Clear;
        let split = match self {
            Self::BerTlv => ber::split(value, &mut parts),
            Self::Positional(fields) => positional::split(fields, all_clear, value, &mut parts),
            Self::Tagged(tagged) => tagged.split(all_clear, value, &mut parts),
        };
        match split {
            Ok(()) => Ok(parts),
            Err(Fault { position, why }) => Err(SplitError {
                element,
                position,
                why,
                parsed: parts,
            }),
        }
    }

    /// An element's value from the labels and values of its outermost parts, as [`split`] gives
    /// them: BER tags as hexadecimal, tags of characters as they are, places by their names. It
    /// gives back the bytes that were split, but for fill bytes and lengths longer than they need be.
    ///
    /// # Errors
    /// [`JoinError`] names the part that does not fit.
    ///
    /// [`split`]: Self::split
    pub fn join(&self, parts: &[(&str, &[u8])]) -> Result<Vec<u8>, JoinError> {
        let mut element = Vec::new();
        for (index, (label, value)) in parts.iter().enumerate() {
            let put = match self {
                Self::BerTlv => ber::put_labelled(label, value, &mut element),
                Self::Positional(fields) => match fields.get(index) {
                    Some(field) => field.put(label, value, &mut element),
                    None => Err(JoinFault::NoPlace),
                },
                Self::Tagged(tagged) => tagged.put(label, value, &mut element),
            };
            put.map_err(|why| JoinError { index, why })?;
        }
        Ok(element)
    }
}

impl Part<'_> {
    /// The words for what it is, where there are any besides its label.
    pub fn name(&self) -> Option<&str> {
        match self.label {
            Label::Tag(tag) => emv::known(tag).map(|known| known.name),
            Label::Characters(_, name) => name,
            Label::Place(_) => None,
        }
    }

    /// Whether it is an object that holds the parts which follow it one deeper.
    pub fn is_constructed(&self) -> bool {
        matches!(self.label, Label::Tag(tag) if tag.is_constructed())
    }
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => fmt::Display::fmt(tag, f),
            Self::Characters(tag, _) => f.pad(tag),
            Self::Place(name) => f.pad(name),
        }
    }
}

/// The value is masked.
impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (label, value) = (self.label, self.shown());
        write!(f, "{label}@{}/{}={value}", self.position, self.depth)
    }
}

/// Whether a dialect may say that an element has parts. Not of bitmaps, card and account numbers,
/// expiry, tracks, PIN and MACs: what these hold is the standard's to say, and no dialect's word may
/// make a part of them visible.
pub fn may_have_parts(element: u8) -> bool {
    !matches!(
        element,
        1 | 2 | 14 | 34 | 35 | 36 | 45 | 52 | 64 | 65 | 96 | 102 | 103 | 128
    )
}

/// What is wrong, before it is known what had been read.
struct Fault {
    position: usize,
    why: SplitFault,
}

/// The bytes of an element from a position on, which counts from the element's first byte.
struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8], position: usize) -> Self {
        Self { bytes, position }
    }

    fn fault<T>(&self, why: SplitFault) -> Result<T, Fault> {
        let position = self.position;
        Err(Fault { position, why })
    }

    /// The next bytes, which stay unread: who believes them takes them.
    fn peek(&self, expected: usize) -> Result<&'a [u8], Fault> {
        let left = self.bytes.len();
        match self.bytes.get(..expected) {
            Some(bytes) => Ok(bytes),
            None => self.fault(SplitFault::Truncated { expected, left }),
        }
    }

    fn take(&mut self, expected: usize) -> Result<&'a [u8], Fault> {
        let taken = self.peek(expected)?;
        self.bytes = self.bytes.get(expected..).unwrap_or_default();
        self.position += expected;
        Ok(taken)
    }

    fn take_byte(&mut self) -> Result<u8, Fault> {
        let byte = self.take(1)?;
        Ok(byte.first().copied().unwrap_or_default())
    }

    /// A number of ASCII digits.
    fn take_number(&mut self, digits: usize) -> Result<usize, Fault> {
        match super::amount::parse_digits(self.peek(digits)?) {
            Some(number) => self.take(digits).map(|_| number as usize),
            None => self.fault(SplitFault::Length(digits)),
        }
    }

    fn is_at_end(&self) -> bool {
        self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests;
