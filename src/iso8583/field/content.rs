//! What an element may hold, by the notation of the standard, whatever it travels as.

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

impl Content {
    /// The index of the first byte that this content does not allow. `received` widens
    /// [`Content::Text`] as its documentation says.
    pub(in crate::iso8583) fn first_fault(self, value: &[u8], received: bool) -> Option<usize> {
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
}
