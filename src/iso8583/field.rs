//! What one element is: its content, its length and how both travel.
//!
//! A [`FieldSpec`] that exists can be encoded and decoded; combinations that cannot are refused
//! when it is built.

use std::fmt;

/// What an element may hold (ISO 8583:1987 4.3, notation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// `a`: letters, and the space that pads them.
    Letters,
    /// `n`: digits.
    Digits,
    /// `an`: letters and digits, and the space that pads them.
    LettersDigits,
    /// `ans`: any printable ASCII character. What is received may hold other bytes too: to lose a
    /// bank's answer over a letter with an accent in a merchant's name would cost a reversal.
    Text,
    /// `ns`: digits and special characters.
    DigitsSpecial,
    /// `z`: the code set of tracks 2 and 3: digits, `: ; < = > ?`, and the hexadecimal letters that
    /// stand for separators in some dialects.
    Track,
    /// `x+n`: `C` or `D`, then digits. Lengths count the sign.
    SignedDigits,
    /// `b`: bytes.
    Bytes,
    /// A bitmap, which the codec reads and writes by itself: elements 1 and 65.
    Bitmap,
}

/// How long an element is. Lengths count characters, or bytes for [`Content::Bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Always this long.
    Fixed(u16),
    /// Two digits give the length, at most this.
    Ll(u16),
    /// Three digits give the length, at most this.
    Lll(u16),
}

/// How the value of an element travels. BCD and EBCDIC will be further variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A byte per character.
    Ascii,
    /// Two hexadecimal characters per byte, upper case; for [`Content::Bytes`].
    Hex,
    /// The bytes themselves; for [`Content::Bytes`].
    Binary,
}

/// One line of a dialect: an element that can be encoded and decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSpec {
    name: Box<str>,
    content: Content,
    length: Length,
    encoding: Encoding,
}

/// Why a line of a dialect describes no element that could travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A length of nothing, or one that its prefix cannot give.
    #[error("the maximum must be from 1 to {limit} for this length kind")]
    Maximum {
        /// The greatest length of the kind.
        limit: u16,
    },
    /// A content that does not travel in this encoding.
    #[error("bytes travel as hex or binary, and everything else as ascii")]
    Encoding,
    /// A length prefix before hexadecimal bytes.
    #[error(
        "systems disagree on whether a length before hexadecimal bytes counts bytes or characters: \
         use content \"ans\" with twice the maximum, or encoding \"binary\""
    )]
    HexLength,
    /// A signed number without room for a digit.
    #[error("x+n needs a length of 2 or more, the sign included")]
    Signed,
}

impl FieldSpec {
    /// Checks that content, length and encoding go together.
    ///
    /// # Errors
    /// [`SpecError`] says what does not.
    pub fn new(
        name: &str,
        content: Content,
        length: Length,
        encoding: Encoding,
    ) -> Result<Self, SpecError> {
        let (maximum, limit) = match length {
            Length::Fixed(maximum) | Length::Lll(maximum) => (maximum, 999),
            Length::Ll(maximum) => (maximum, 99),
        };
        if maximum == 0 || maximum > limit {
            return Err(SpecError::Maximum { limit });
        }
        if (encoding == Encoding::Ascii) == (content == Content::Bytes) {
            return Err(SpecError::Encoding);
        }
        if encoding == Encoding::Hex && !matches!(length, Length::Fixed(_)) {
            return Err(SpecError::HexLength);
        }
        if content == Content::SignedDigits && maximum < 2 {
            return Err(SpecError::Signed);
        }
        Ok(Self {
            name: name.into(),
            content,
            length,
            encoding,
        })
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
}

impl Length {
    /// The greatest length.
    pub const fn maximum(self) -> usize {
        match self {
            Self::Fixed(maximum) | Self::Ll(maximum) | Self::Lll(maximum) => maximum as usize,
        }
    }

    /// The digits of the length prefix: 0, 2 or 3.
    pub const fn prefix_digits(self) -> usize {
        match self {
            Self::Fixed(_) => 0,
            Self::Ll(_) => 2,
            Self::Lll(_) => 3,
        }
    }
}

impl Content {
    /// The index of the first byte that this content does not allow. `received` widens
    /// [`Content::Text`] as its documentation says.
    pub(super) fn first_fault(self, value: &[u8], received: bool) -> Option<usize> {
        let digits_start = match (self, value) {
            (Self::SignedDigits, [b'C' | b'D', ..]) => 1,
            (Self::SignedDigits, _) => return Some(0),
            (Self::Text, _) if received => return None,
            _ => 0,
        };
        // The whole value is looked at without a branch; only one at fault is searched.
        let allowed = self.class();
        let checked = value.get(digits_start..).unwrap_or_default();
        let common = checked
            .iter()
            .fold(allowed, |common, byte| common & CLASSES[usize::from(*byte)]);
        if common == allowed {
            return None;
        }
        let fault = checked
            .iter()
            .position(|byte| CLASSES[usize::from(*byte)] & allowed == 0);
        fault.map(|index| index + digits_start)
    }

    /// The bit of [`CLASSES`] that every byte of such a value has; for a signed number, every byte
    /// behind the sign.
    const fn class(self) -> u8 {
        match self {
            Self::Digits | Self::SignedDigits => 1,
            Self::Letters => 2,
            Self::LettersDigits => 4,
            Self::Text => 8,
            Self::DigitsSpecial => 16,
            Self::Track => 32,
            Self::Bytes | Self::Bitmap => 64,
        }
    }

    /// What it may hold, in words.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Letters => "letters and spaces",
            Self::Digits => "digits",
            Self::LettersDigits => "letters, digits and spaces",
            Self::Text => "printable ASCII characters",
            Self::DigitsSpecial => "digits and special characters",
            Self::Track => "digits and track separators",
            Self::SignedDigits => "C or D followed by digits",
            Self::Bytes => "bytes",
            Self::Bitmap => "a bitmap",
        }
    }
}

/// For each byte, the contents that allow it, as the bits of [`Content::class`].
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0u8;
    loop {
        let digit = byte.is_ascii_digit();
        let letter = byte.is_ascii_alphabetic() || byte == b' ';
        let printable = matches!(byte, b' '..=b'~');
        let special = printable && !byte.is_ascii_alphabetic();
        let track = matches!(byte, b'0'..=b'?' | b'A'..=b'F');
        classes[byte as usize] = (digit as u8)
            | (letter as u8) << 1
            | ((digit || letter) as u8) << 2
            | (printable as u8) << 3
            | (special as u8) << 4
            | (track as u8) << 5
            | 1 << 6;
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_content_names_its_first_wrong_byte() {
        for (content, value, fault) in [
            (Content::Digits, "0123456789", None),
            (Content::Digits, "01 3", Some(2)),
            (Content::Letters, "VND ", None),
            (Content::Letters, "V1D", Some(1)),
            (Content::LettersDigits, "Ab 09", None),
            (Content::LettersDigits, "Ab-09", Some(2)),
            (Content::Text, "a b-c/~", None),
            (Content::Text, "a\tb", Some(1)),
            (Content::Text, "a\u{e9}", Some(1)),
            (Content::DigitsSpecial, "12-34/5 ", None),
            (Content::DigitsSpecial, "12a", Some(2)),
            (Content::Track, "9704360000001234=2512101", None),
            (Content::Track, "9704360000001234D2512101", None),
            (Content::Track, "97043 ", Some(5)),
            (Content::SignedDigits, "C00000500", None),
            (Content::SignedDigits, "D", None),
            (Content::SignedDigits, "X00000500", Some(0)),
            (Content::SignedDigits, "C0000-500", Some(5)),
            (Content::SignedDigits, "", Some(0)),
        ] {
            let found = content.first_fault(value.as_bytes(), false);
            assert_eq!(found, fault, "{content:?} {value:?}");
        }
    }

    #[test]
    fn a_received_text_may_hold_any_byte() {
        assert_eq!(Content::Text.first_fault(b"\xC3\xA9\x00", true), None);
        assert_eq!(Content::Digits.first_fault(b"1a", true), Some(1));
    }

    #[test]
    fn a_spec_that_could_not_travel_is_refused() {
        let spec = |content, length, encoding| {
            FieldSpec::new("name", content, length, encoding).map(|_| ())
        };
        let ascii = Encoding::Ascii;
        assert_eq!(
            spec(Content::Digits, Length::Ll(100), ascii),
            Err(SpecError::Maximum { limit: 99 })
        );
        assert_eq!(
            spec(Content::Digits, Length::Fixed(0), ascii),
            Err(SpecError::Maximum { limit: 999 })
        );
        for (content, encoding) in [
            (Content::Digits, Encoding::Hex),
            (Content::Bytes, Encoding::Ascii),
        ] {
            let refused = spec(content, Length::Fixed(8), encoding);
            assert_eq!(refused, Err(SpecError::Encoding));
        }
        assert_eq!(
            spec(Content::Bytes, Length::Ll(8), Encoding::Hex),
            Err(SpecError::HexLength)
        );
        assert_eq!(
            spec(Content::SignedDigits, Length::Fixed(1), ascii),
            Err(SpecError::Signed)
        );
        assert_eq!(
            spec(Content::Bytes, Length::Lll(255), Encoding::Binary),
            Ok(())
        );
    }
}
