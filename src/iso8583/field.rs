//! What one element is: its content, its length and how both travel.
//!
//! A [`FieldSpec`] that exists can be encoded and decoded; combinations that cannot are refused
//! when it is built.

mod content;
#[cfg(test)]
mod tests;

pub use content::Content;

use std::fmt;

/// How long an element is. Lengths count characters, or bytes for [`Content::Bytes`], whatever they
/// travel as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Always this long.
    Fixed(u16),
    /// One digit gives the length, at most this.
    L(u16),
    /// Two digits give the length, at most this.
    Ll(u16),
    /// Three digits give the length, at most this.
    Lll(u16),
    /// Four digits give the length, at most this.
    Llll(u16),
}

/// How the value of an element travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A byte per character.
    Ascii,
    /// A byte per character of code page 1047; for [`Content::Bytes`] two hexadecimal characters
    /// per byte, upper case.
    Ebcdic,
    /// Two digits per byte, for digits and tracks; the sign of [`Content::SignedDigits`] is an ASCII
    /// character before them. Track characters are the half-bytes of their code set, so that `=` is
    /// D (ISO 7811-2: `0` is 0, `?` is F).
    Bcd(Pad),
    /// Two hexadecimal ASCII characters per byte, upper case; for [`Content::Bytes`].
    Hex,
    /// The bytes themselves; for [`Content::Bytes`].
    Binary,
}

/// What fills the byte of an odd digit. What is received may be filled with 0 or F, whichever is
/// sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pad {
    /// Where it stands.
    pub side: Side,
    /// What it is.
    pub digit: PadDigit,
}

/// The end of a value that is filled to whole bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Before the first digit.
    Left,
    /// Behind the last digit.
    Right,
}

/// A half-byte that stands for no digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PadDigit {
    /// 0.
    Zero,
    /// F, which cannot be taken for a digit.
    F,
}

/// How the length before a value travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// What it is made of.
    pub encoding: PrefixEncoding,
    /// What it counts; `None` for an encoding that leaves no choice, and where the most common one
    /// is meant.
    pub counts: Option<Counts>,
}

/// What a length prefix is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixEncoding {
    /// ASCII digits.
    Ascii,
    /// Digits of code page 1047.
    Ebcdic,
    /// Two digits per byte, 0 before an odd one: LLL is two bytes.
    Bcd,
    /// A binary number, the greater byte first: L and LL are one byte, LLL and LLLL two.
    Binary,
}

/// What a length prefix counts where a byte holds two digits, or two digits are a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Decimal or hexadecimal digits.
    Digits,
    /// Bytes: of the packed digits, or of the value that travels as hexadecimal digits.
    Bytes,
}

/// One line of a dialect: an element that can be encoded and decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSpec {
    name: Box<str>,
    content: Content,
    length: Length,
    encoding: Encoding,
    prefix: PrefixEncoding,
    /// [`Counts::Bytes`] wherever a character is a byte.
    counts: Counts,
    /// See [`FieldSpec::is_plain`]; it is asked for each element of each message.
    is_plain: bool,
}

/// Why a line of a dialect describes no element that could travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A length of nothing, or one that its prefix cannot give.
    #[error("the maximum must be from 1 to {limit} for this length kind")]
    Maximum {
        /// The greatest length of the kind.
        limit: usize,
    },
    /// A content that does not travel in this encoding.
    #[error(
        "b travels as hex, binary or ebcdic, n, x+n and z as bcd, ascii or ebcdic, \
         and everything else as ascii or ebcdic"
    )]
    Encoding,
    /// A length prefix before hexadecimal bytes.
    #[error(
        "systems disagree on whether a length before hexadecimal bytes counts bytes or characters: \
         give length_counts = \"bytes\" or \"digits\""
    )]
    HexLength,
    /// A choice where there is none.
    #[error(
        "length_counts is for elements with a length prefix that travel as bcd or as hexadecimal \
         digits; elsewhere a length counts characters or bytes, which are the same"
    )]
    Counts,
    /// A count of bytes does not say whether the last of them holds one digit or two.
    #[error(
        "a length that counts bytes of bcd shows an odd digit by its pad: give pad_digit = \"F\""
    )]
    HiddenPad,
    /// A signed number without room for a digit.
    #[error("x+n needs a length of 2 or more, the sign included")]
    Signed,
    /// A sign of one byte before packed digits, of variable length.
    #[error("x+n as bcd must be of fixed length: no system says whether a length counts the sign")]
    SignedLength,
}

/// The greatest length of a fixed element, as the standard's three digits have it.
const FIXED_MAX: usize = 999;

impl FieldSpec {
    /// An element whose length, if it is variable, is ASCII digits.
    ///
    /// # Errors
    /// As [`FieldSpec::with_prefix`].
    pub fn new(
        name: &str,
        content: Content,
        length: Length,
        encoding: Encoding,
    ) -> Result<Self, SpecError> {
        let prefix = Prefix {
            encoding: PrefixEncoding::Ascii,
            counts: None,
        };
        Self::with_prefix(name, content, length, encoding, prefix)
    }

    /// Checks that content, length, encoding and prefix go together. The prefix of an element of
    /// fixed length has no meaning.
    ///
    /// # Errors
    /// [`SpecError`] says what does not.
    pub fn with_prefix(
        name: &str,
        content: Content,
        length: Length,
        encoding: Encoding,
        prefix: Prefix,
    ) -> Result<Self, SpecError> {
        let spec = Self {
            name: name.into(),
            content,
            length,
            encoding,
            prefix: prefix.encoding,
            counts: counts(content, length, encoding, prefix.counts)?,
            is_plain: matches!(encoding, Encoding::Ascii | Encoding::Binary),
        };
        let limit = spec.maximum_limit();
        if !(1..=limit).contains(&length.maximum()) {
            return Err(SpecError::Maximum { limit });
        }
        if content == Content::SignedDigits && length.maximum() < 2 {
            return Err(SpecError::Signed);
        }
        Ok(spec)
    }

    /// The standard's name of the element.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it may hold.
    pub fn content(&self) -> Content {
        self.content
    }

    /// How long it may be.
    pub fn length(&self) -> Length {
        self.length
    }

    /// How it travels.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// What its length prefix is made of.
    pub fn prefix(&self) -> PrefixEncoding {
        self.prefix
    }

    /// What its length prefix counts.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many bytes its length prefix has; 0 for a fixed element.
    pub fn prefix_bytes(&self) -> usize {
        self.prefix.bytes(self.length.prefix_digits())
    }

    /// Whether a byte of the wire is a character or a byte of the value, which then needs no making
    /// and is counted as it is.
    pub(super) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// What the prefix of a value of that many characters, or bytes for [`Content::Bytes`], says.
    pub fn counted(&self, length: usize) -> usize {
        match (self.encoding, self.counts) {
            (Encoding::Bcd(_), Counts::Bytes) => length.div_ceil(2),
            (Encoding::Hex | Encoding::Ebcdic, Counts::Digits) => length * 2,
            _ => length,
        }
    }

    /// Whether two hexadecimal characters travel for each byte.
    pub fn is_hexadecimal(&self) -> bool {
        let bytes = matches!(self.content, Content::Bytes);
        bytes && matches!(self.encoding, Encoding::Hex | Encoding::Ebcdic)
    }

    /// The greatest maximum that the prefix can announce.
    fn maximum_limit(&self) -> usize {
        let digits = self.length.prefix_digits();
        let greatest = match digits {
            0 => return FIXED_MAX,
            _ => self.prefix.greatest(digits),
        };
        match (self.encoding, self.counts) {
            (Encoding::Bcd(_), Counts::Bytes) => greatest * 2,
            (Encoding::Hex | Encoding::Ebcdic, Counts::Digits) => greatest / 2,
            _ => greatest,
        }
    }
}

/// What the prefix counts, if the content travels in that encoding at all.
fn counts(
    content: Content,
    length: Length,
    encoding: Encoding,
    wanted: Option<Counts>,
) -> Result<Counts, SpecError> {
    let is_fixed = length.prefix_digits() == 0;
    match (encoding, content) {
        (Encoding::Bcd(_), Content::SignedDigits) if !is_fixed => Err(SpecError::SignedLength),
        (Encoding::Bcd(pad), Content::Digits | Content::SignedDigits | Content::Track) => {
            match wanted {
                Some(_) if is_fixed => Err(SpecError::Counts),
                Some(Counts::Bytes) if pad.digit == PadDigit::Zero => Err(SpecError::HiddenPad),
                wanted => Ok(wanted.unwrap_or(Counts::Digits)),
            }
        }
        (Encoding::Hex | Encoding::Ebcdic, Content::Bytes) => match wanted {
            Some(_) if is_fixed => Err(SpecError::Counts),
            None if !is_fixed => Err(SpecError::HexLength),
            wanted => Ok(wanted.unwrap_or(Counts::Bytes)),
        },
        (Encoding::Ascii, Content::Bytes) => Err(SpecError::Encoding),
        (Encoding::Binary, Content::Bytes) | (Encoding::Ascii | Encoding::Ebcdic, _) => {
            match wanted {
                Some(_) => Err(SpecError::Counts),
                None => Ok(Counts::Bytes),
            }
        }
        (Encoding::Bcd(_) | Encoding::Hex | Encoding::Binary, _) => Err(SpecError::Encoding),
    }
}

impl Length {
    /// The greatest length.
    pub const fn maximum(self) -> usize {
        match self {
            Self::Fixed(maximum)
            | Self::L(maximum)
            | Self::Ll(maximum)
            | Self::Lll(maximum)
            | Self::Llll(maximum) => maximum as usize,
        }
    }

    /// The digits of the length prefix: 0 to 4.
    pub const fn prefix_digits(self) -> usize {
        match self {
            Self::Fixed(_) => 0,
            Self::L(_) => 1,
            Self::Ll(_) => 2,
            Self::Lll(_) => 3,
            Self::Llll(_) => 4,
        }
    }
}

impl PrefixEncoding {
    /// How many bytes a prefix of so many digits has.
    const fn bytes(self, digits: usize) -> usize {
        match self {
            Self::Ascii | Self::Ebcdic => digits,
            Self::Bcd | Self::Binary => digits.div_ceil(2),
        }
    }

    /// The greatest number that a prefix of so many digits can give.
    const fn greatest(self, digits: usize) -> usize {
        match self {
            Self::Ascii | Self::Ebcdic | Self::Bcd => 10usize.pow(digits as u32) - 1,
            Self::Binary => 256usize.pow(self.bytes(digits) as u32) - 1,
        }
    }
}

/// The name of the digits.
impl fmt::Display for PrefixEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ascii => "ASCII",
            Self::Ebcdic => "EBCDIC",
            Self::Bcd => "BCD",
            Self::Binary => "binary",
        })
    }
}

impl PadDigit {
    /// The half-byte.
    pub const fn nibble(self) -> u8 {
        match self {
            Self::Zero => 0,
            Self::F => 0xF,
        }
    }
}

/// The upper-case hexadecimal character of a number below 16.
pub(super) fn hex_character(nibble: u8) -> u8 {
    match nibble & 0xF {
        digit @ 0..=9 => b'0' + digit,
        letter => b'A' + letter - 10,
    }
}

/// The value of a hexadecimal character of either case.
pub(super) fn hex_value(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'A'..=b'F' => Some(character - b'A' + 10),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}
