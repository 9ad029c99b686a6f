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
    #[inline(always)]
    pub(in crate::iso8583) fn first_fault(self, value: &[u8], received: bool) -> Option<usize> {
        match (self, value) {
            (Self::Text, _) if received => None,
            (Self::SignedDigits, [b'C' | b'D', digits @ ..]) => {
                Self::Digits.fault_in(digits).map(|index| index + 1)
            }
            (Self::SignedDigits, _) => Some(0),
            _ => self.fault_in(value),
        }
    }

    /// The same for a value all of whose bytes are of one kind.
    #[inline(always)]
    fn fault_in(self, value: &[u8]) -> Option<usize> {
        match self {
            Self::Digits | Self::SignedDigits => fault(value, is_digit),
            Self::Letters => fault(value, is_letter),
            Self::LettersDigits => fault(value, |byte| is_letter(byte) | is_digit(byte)),
            Self::Text => fault(value, is_printable),
            Self::DigitsSpecial => fault(value, is_digit_or_special),
            Self::Track => fault(value, is_of_track),
            Self::Bytes | Self::Bitmap => None,
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

// Arithmetic without a branch, which the compiler makes one of for all bytes of a block.

fn is_digit(byte: u8) -> bool {
    byte.wrapping_sub(b'0') < 10
}

fn is_letter(byte: u8) -> bool {
    is_alphabetic(byte) | (byte == b' ')
}

fn is_alphabetic(byte: u8) -> bool {
    (byte | 0x20).wrapping_sub(b'a') < 26
}

fn is_printable(byte: u8) -> bool {
    byte.wrapping_sub(b' ') <= b'~' - b' '
}

fn is_digit_or_special(byte: u8) -> bool {
    is_printable(byte) & !is_alphabetic(byte)
}

fn is_of_track(byte: u8) -> bool {
    (byte.wrapping_sub(b'0') < 16) | (byte.wrapping_sub(b'A') < 6)
}

/// The index of the first byte that is not allowed, which is only searched where there is one.
#[inline(always)]
fn fault(value: &[u8], is_allowed: impl Fn(u8) -> bool + Copy) -> Option<usize> {
    match all(value, is_allowed) {
        true => None,
        false => value.iter().position(|byte| !is_allowed(*byte)),
    }
}

/// Whether each byte is allowed.
///
/// They are looked at by blocks of one length, the last of which may reach back into the one before
/// it: most elements are two blocks of eight or of four.
#[inline(always)]
fn all(value: &[u8], is_allowed: impl Fn(u8) -> bool + Copy) -> bool {
    if let (blocks, Some(last)) = (value.as_chunks::<16>().0, value.last_chunk::<16>()) {
        return blocks.iter().all(|block| each(block, is_allowed)) && each(last, is_allowed);
    }
    if let (Some(first), Some(last)) = (value.first_chunk::<8>(), value.last_chunk::<8>()) {
        return each(first, is_allowed) & each(last, is_allowed);
    }
    if let (Some(first), Some(last)) = (value.first_chunk::<4>(), value.last_chunk::<4>()) {
        return each(first, is_allowed) & each(last, is_allowed);
    }
    value.iter().all(|byte| is_allowed(*byte))
}

#[inline(always)]
fn each<const N: usize>(block: &[u8; N], is_allowed: impl Fn(u8) -> bool) -> bool {
    block.iter().fold(true, |all, byte| all & is_allowed(*byte))
}

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
    fn a_wrong_byte_is_found_wherever_it_is_in_a_value_of_any_length() {
        for (content, right, wrong) in [
            (Content::Digits, b'9', b'A'),
            (Content::Letters, b'z', b'0'),
            (Content::LettersDigits, b' ', b'@'),
            (Content::Text, b'~', 0x7F),
            (Content::DigitsSpecial, b'`', b'a'),
            (Content::Track, b'F', b'G'),
        ] {
            for length in 0..50 {
                let mut value = vec![right; length];
                assert_eq!(content.first_fault(&value, false), None);
                for index in (0..length).rev() {
                    value[index] = wrong;
                    assert_eq!(content.first_fault(&value, false), Some(index));
                }
            }
        }
    }

    #[test]
    fn a_received_text_may_hold_any_byte() {
        assert_eq!(Content::Text.first_fault(b"\xC3\xA9\x00", true), None);
        assert_eq!(Content::Digits.first_fault(b"1a", true), Some(1));
    }
}
