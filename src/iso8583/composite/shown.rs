//! How much of a part may be seen.
//!
//! What is not known to be harmless is hidden. Of chip data the table of [`emv`](super::emv)
//! decides; of a bank's own subfields its dialect, which can mark one as `clear`. A run of digits
//! as long as a card number is masked even there: a dialect file is written by hand.

use super::{Part, SubfieldEncoding, ber, emv};
use crate::iso8583::{ebcdic, mask};
use std::fmt;

/// How a part's value is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Only how long it is.
    Hidden,
    /// Not at all: the parts in it are shown one by one.
    ByItsParts,
    /// All of it as hexadecimal.
    Hex,
    /// All of it as text, but for digits that could be a card number.
    Text,
    /// Packed digits, but for those that could be a card number.
    Digits,
    /// All of it as text from EBCDIC, but for digits that could be a card number.
    Ebcdic,
    /// Packed digits of a card number: at most the first six and the last four (PCI DSS 3.4).
    CardNumber,
}

/// The shortest card number in use has twelve digits (ISO/IEC 7812-1 knows 8 to 19).
const CARD_DIGITS_MIN: usize = 12;

impl Shown {
    pub(super) fn of_tag(tag: ber::Tag) -> Self {
        if tag.is_constructed() {
            return Self::ByItsParts;
        }
        emv::known(tag).map_or(Self::Hidden, |known| known.shown)
    }

    pub(super) fn of_encoding(encoding: SubfieldEncoding) -> Self {
        match encoding {
            SubfieldEncoding::Ascii => Self::Text,
            SubfieldEncoding::Bcd => Self::Digits,
            SubfieldEncoding::Ebcdic => Self::Ebcdic,
            SubfieldEncoding::Binary => Self::Hex,
        }
    }
}

impl<'a> Part<'a> {
    /// The value as it may be shown: in logs, traces and `sampan decode`.
    pub fn shown(&self) -> impl fmt::Display + use<'a> {
        ShownValue {
            shown: self.shown,
            value: self.value,
        }
    }
}

struct ShownValue<'a> {
    shown: Shown,
    value: &'a [u8],
}

impl fmt::Display for ShownValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shown {
            Shown::Hidden => write!(f, "<hidden, {} bytes>", self.value.len()),
            Shown::ByItsParts => Ok(()),
            Shown::Hex => f.write_str(&nibbles(self.value)),
            Shown::Digits => f.write_str(&without_card_numbers(&nibbles(self.value))),
            Shown::Text => {
                let text = self.value.escape_ascii().to_string();
                f.write_str(&without_card_numbers(&text))
            }
            Shown::Ebcdic => {
                let text: Vec<u8> = self.value.iter().copied().map(ebcdic::to_ascii).collect();
                f.write_str(&without_card_numbers(&text.escape_ascii().to_string()))
            }
            Shown::CardNumber => {
                let digits = nibbles(self.value);
                let masked = mask::masked(2, digits.trim_end_matches('F').as_bytes());
                fmt::Display::fmt(&masked, f)
            }
        }
    }
}

fn nibbles(value: &[u8]) -> String {
    value.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// The text with stars for all but the last four of every run of digits that is long enough.
fn without_card_numbers(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for run in text.split_inclusive(|character: char| !character.is_ascii_digit()) {
        let digits = run.trim_end_matches(|character: char| !character.is_ascii_digit());
        let hidden = match digits.len() {
            CARD_DIGITS_MIN.. => digits.len() - 4,
            _ => 0,
        };
        shown.extend(std::iter::repeat_n('*', hidden));
        shown.push_str(run.get(hidden..).unwrap_or_default());
    }
    shown
}
