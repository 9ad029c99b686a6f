//! Subfields at fixed places, one behind the other in the order of the dialect.
//!
//! They may be of any length kind that an element may be of, and of another encoding than their
//! element where that is of bytes: banks pack digits into DE48 and DE60 to DE63.

use super::{Cursor, Fault, JoinFault, Label, Part, Shown, SplitFault};

/// An element holds no more, whatever its length kind.
pub(super) const SUBFIELD_LENGTH_MAX: u16 = 9_999;
/// Four digits count more than an element can hold.
const PREFIX_DIGITS_MAX: u8 = 4;

/// One place of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subfield {
    name: Box<str>,
    length: SubfieldLength,
    max: u16,
    encoding: SubfieldEncoding,
    clear: bool,
}

/// How long a subfield is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubfieldLength {
    /// Always its maximum.
    Fixed,
    /// As many as a prefix of digits says.
    Prefixed {
        /// How many digits, 1 to 4.
        digits: u8,
        /// How they travel. As [`SubfieldEncoding::Binary`] one or two digits are one byte, and
        /// three or four are two, the more significant one first.
        encoding: SubfieldEncoding,
    },
}

/// How a subfield, or the length before it, lies in the element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubfieldEncoding {
    /// A byte per character.
    Ascii,
    /// Two digits per byte. Lengths count digits; an odd number of them is filled with a nibble.
    Bcd,
    /// A byte per character, in EBCDIC.
    Ebcdic,
    /// Bytes.
    Binary,
}

/// Why a subfield cannot lie anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubfieldError {
    /// A length of nothing, or one that its prefix cannot give.
    #[error("the maximum must be from 1 to {limit} for this length kind")]
    Maximum {
        /// The greatest length of the kind.
        limit: u16,
    },
    /// A prefix of no digits or too many.
    #[error("a length has from 1 to {PREFIX_DIGITS_MAX} digits")]
    Prefix,
}

impl Subfield {
    /// A subfield of up to `max` characters; digits in BCD, and bytes in binary. Its value may be
    /// seen if it is `clear`; see [`Shown`].
    ///
    /// # Errors
    /// [`SubfieldError`] says what cannot be.
    pub fn new(
        name: &str,
        length: SubfieldLength,
        max: u16,
        encoding: SubfieldEncoding,
        clear: bool,
    ) -> Result<Self, SubfieldError> {
        let limit = match length {
            SubfieldLength::Fixed => SUBFIELD_LENGTH_MAX,
            SubfieldLength::Prefixed { digits, encoding } => match (digits, encoding) {
                (1 | 2, SubfieldEncoding::Binary) => 0xFF,
                (1, _) => 9,
                (2, _) => 99,
                (3, _) if encoding != SubfieldEncoding::Binary => 999,
                (3 | 4, _) => SUBFIELD_LENGTH_MAX,
                _ => return Err(SubfieldError::Prefix),
            },
        };
        if !(1..=limit).contains(&max) {
            return Err(SubfieldError::Maximum { limit });
        }
        Ok(Self {
            name: name.into(),
            length,
            max,
            encoding,
            clear,
        })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long it is.
    pub fn length(&self) -> SubfieldLength {
        self.length
    }

    /// The length, or the greatest one.
    pub fn max(&self) -> usize {
        usize::from(self.max)
    }

    /// How it lies in the element.
    pub fn encoding(&self) -> SubfieldEncoding {
        self.encoding
    }

    /// Whether it needs an element of bytes: packed digits are no characters.
    pub fn needs_bytes(&self) -> bool {
        let length_needs = match self.length {
            SubfieldLength::Fixed => false,
            SubfieldLength::Prefixed { encoding, .. } => encoding != SubfieldEncoding::Ascii,
        };
        length_needs || self.encoding != SubfieldEncoding::Ascii
    }

    pub(super) fn put(
        &self,
        label: &str,
        value: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), JoinFault> {
        if label != &*self.name {
            return Err(JoinFault::Place(self.name.clone()));
        }
        let longest = self.encoding.bytes(self.max());
        let misfit = |allowed: String| {
            Err(JoinFault::Length {
                length: value.len(),
                allowed: allowed.into(),
            })
        };
        match self.length {
            SubfieldLength::Fixed if value.len() != longest => {
                return misfit(format!("exactly {longest}"));
            }
            SubfieldLength::Fixed => {}
            SubfieldLength::Prefixed { .. } if value.len() > longest => {
                return misfit(format!("up to {longest}"));
            }
            SubfieldLength::Prefixed { digits, encoding } => {
                let units = self.encoding.units(value, self.max());
                put_length(units, digits, encoding, output);
            }
        }
        output.extend_from_slice(value);
        Ok(())
    }
}

impl SubfieldEncoding {
    /// The bytes that so many characters, digits or bytes take.
    fn bytes(self, units: usize) -> usize {
        match self {
            Self::Bcd => units.div_ceil(2),
            Self::Ascii | Self::Ebcdic | Self::Binary => units,
        }
    }

    /// How many characters, digits or bytes a value of at most `max` has. Packed digits say by a
    /// last nibble that is none that they are odd in number.
    fn units(self, value: &[u8], max: usize) -> usize {
        let is_odd = value.last().is_some_and(|last| last & 0xF > 9);
        match self {
            Self::Bcd => (value.len() * 2 - usize::from(is_odd)).min(max),
            Self::Ascii | Self::Ebcdic | Self::Binary => value.len(),
        }
    }
}

/// Splits a value. `all_clear` shows also what is not marked as clear.
pub(super) fn split<'a>(
    fields: &'a [Subfield],
    all_clear: bool,
    value: &'a [u8],
    parts: &mut Vec<Part<'a>>,
) -> Result<(), Fault> {
    let mut rest = Cursor::new(value, 0);
    for field in fields {
        // What is not used is left out at the end, by banks and by jPOS alike.
        if rest.is_at_end() {
            return Ok(());
        }
        let position = rest.position;
        let units = match field.length {
            SubfieldLength::Fixed => field.max(),
            SubfieldLength::Prefixed { digits, encoding } => {
                let length = take_length(&mut rest, digits, encoding)?;
                if length > field.max() {
                    let limit = field.max();
                    let why = SplitFault::TooLong { length, limit };
                    return Err(Fault { position, why });
                }
                length
            }
        };
        parts.push(Part {
            label: Label::Place(&field.name),
            depth: 0,
            position,
            value: rest.take(field.encoding.bytes(units))?,
            shown: match field.clear || all_clear {
                true => Shown::of_encoding(field.encoding),
                false => Shown::Hidden,
            },
        });
    }
    match rest.bytes.len() {
        0 => Ok(()),
        count => rest.fault(SplitFault::Trailing(count)),
    }
}

fn take_length(
    from: &mut Cursor<'_>,
    digits: u8,
    encoding: SubfieldEncoding,
) -> Result<usize, Fault> {
    let bytes = from.peek(prefix_bytes(digits, encoding))?;
    let number = |number: usize, digit: u8, base: usize| number * base + usize::from(digit);
    let read = match encoding {
        SubfieldEncoding::Binary => Some(bytes.iter().fold(0, |n, byte| number(n, *byte, 0x100))),
        SubfieldEncoding::Ascii | SubfieldEncoding::Ebcdic => {
            let zero = zero_of(encoding);
            let digit = |byte: &u8| byte.checked_sub(zero).filter(|digit| *digit <= 9);
            let mut read = bytes.iter().map(digit);
            read.try_fold(0, |n, digit| Some(number(n, digit?, 10)))
        }
        SubfieldEncoding::Bcd => {
            let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
            let mut digits = nibbles.map(|nibble| (nibble <= 9).then_some(nibble));
            digits.try_fold(0, |n, digit| Some(number(n, digit?, 10)))
        }
    };
    match read {
        Some(length) => from.take(bytes.len()).map(|_| length),
        None => from.fault(SplitFault::Length(usize::from(digits))),
    }
}

fn put_length(length: usize, digits: u8, encoding: SubfieldEncoding, output: &mut Vec<u8>) {
    let bytes = prefix_bytes(digits, encoding);
    let base: usize = match encoding {
        SubfieldEncoding::Binary => 0x100,
        SubfieldEncoding::Bcd => 100,
        SubfieldEncoding::Ascii | SubfieldEncoding::Ebcdic => 10,
    };
    for place in (0..bytes as u32).rev() {
        // Below the base, so below 256.
        let part = (length / base.pow(place) % base) as u8;
        output.push(match encoding {
            SubfieldEncoding::Binary => part,
            SubfieldEncoding::Bcd => ((part / 10) << 4) | (part % 10),
            SubfieldEncoding::Ascii | SubfieldEncoding::Ebcdic => zero_of(encoding) + part,
        });
    }
}

fn prefix_bytes(digits: u8, encoding: SubfieldEncoding) -> usize {
    let digits = usize::from(digits);
    match encoding {
        SubfieldEncoding::Ascii | SubfieldEncoding::Ebcdic => digits,
        SubfieldEncoding::Bcd | SubfieldEncoding::Binary => digits.div_ceil(2),
    }
}

/// The digit 0 in a code of characters.
fn zero_of(encoding: SubfieldEncoding) -> u8 {
    match encoding {
        SubfieldEncoding::Ebcdic => 0xF0,
        SubfieldEncoding::Ascii | SubfieldEncoding::Bcd | SubfieldEncoding::Binary => b'0',
    }
}
