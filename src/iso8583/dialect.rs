//! A dialect: how one bank writes ISO 8583:1987. Dialects are files, not code; this is the compiled
//! form that the codec runs on, a table indexed by element number.

mod parse;

use super::LAST_ELEMENT;
use super::field::FieldSpec;
use std::fmt;

/// What a bank makes of the standard: header, bitmap and elements.
#[derive(Clone, PartialEq, Eq)]
pub struct Dialect {
    name: Box<str>,
    header: HeaderKind,
    bitmap: BitmapForm,
    /// Indexed by element number; 0 is never set.
    elements: Box<[Option<FieldSpec>; LAST_ELEMENT as usize + 1]>,
}

/// How a message says how long it is. Binary and BCD headers, with or without a TPDU, will be
/// further variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderKind {
    /// Four ASCII digits that count what follows them; see [`frame`](super::frame).
    Ascii4,
}

/// How bitmaps travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitmapForm {
    /// Sixteen hexadecimal characters each.
    Hex,
    /// Eight bytes each.
    Binary,
}

/// Every fault of a dialect file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct DialectError {
    /// One or more faults.
    pub faults: Vec<DialectFault>,
}

/// One fault of a dialect file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialectFault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there and what to do.
    pub what: String,
}

impl Dialect {
    /// The dialect of `config/dialects/iso8583-1987-ascii.toml`, which is part of the program: what
    /// a bank speaks for which no file is configured.
    pub fn iso8583_1987_ascii() -> &'static Self {
        static DIALECT: std::sync::LazyLock<Dialect> = std::sync::LazyLock::new(|| {
            // A test proves that the embedded text is sound. An empty dialect refuses every element,
            // by name, so that even a broken build could not send wrong bytes.
            Dialect::parse(Dialect::ISO8583_1987_ASCII_TEXT).unwrap_or_else(|_| Dialect::empty())
        });
        &DIALECT
    }

    /// The text of the default dialect file, a start for a dialect of one's own.
    pub const ISO8583_1987_ASCII_TEXT: &'static str =
        include_str!("../../config/dialects/iso8583-1987-ascii.toml");

    fn empty() -> Self {
        Self {
            name: "empty".into(),
            header: HeaderKind::Ascii4,
            bitmap: BitmapForm::Hex,
            elements: Box::new([const { None }; LAST_ELEMENT as usize + 1]),
        }
    }

    /// The name that the file gives itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How frames begin.
    pub fn header(&self) -> HeaderKind {
        self.header
    }

    /// How bitmaps travel.
    pub fn bitmap(&self) -> BitmapForm {
        self.bitmap
    }

    /// What an element is. `None` if the dialect does not know it.
    pub fn element(&self, number: u8) -> Option<&FieldSpec> {
        self.elements.get(usize::from(number))?.as_ref()
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialect")
            .field("name", &self.name)
            .field("header", &self.header)
            .field("bitmap", &self.bitmap)
            .field("elements", &self.elements.iter().flatten().count())
            .finish()
    }
}

impl fmt::Display for DialectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}line {}: {}", fault.line, fault.what)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::field::{Content, Encoding, Length};

    #[test]
    fn the_embedded_dialect_loads_and_knows_every_element() {
        let dialect = Dialect::parse(Dialect::ISO8583_1987_ASCII_TEXT).unwrap();
        assert_eq!(&dialect, Dialect::iso8583_1987_ascii());
        assert_eq!(dialect.name(), "iso8583-1987-ascii");
        assert!((1..=128).all(|number| dialect.element(number).is_some()));
        assert!([0, 129, 255].iter().all(|n| dialect.element(*n).is_none()));
    }

    /// The reference table, written down a second time in its own notation.
    #[test]
    fn the_embedded_dialect_is_the_table_of_the_standard() {
        use Content::*;
        use Length::*;
        let (fixed, ll, lll) = (
            Fixed as fn(u16) -> Length,
            Ll as fn(u16) -> Length,
            Lll as fn(u16) -> Length,
        );
        let table: &[(std::ops::RangeInclusive<u8>, Content, Length)] = &[
            (2..=2, Digits, ll(19)),
            (3..=3, Digits, fixed(6)),
            (4..=6, Digits, fixed(12)),
            (7..=7, Digits, fixed(10)),
            (8..=10, Digits, fixed(8)),
            (11..=12, Digits, fixed(6)),
            (13..=18, Digits, fixed(4)),
            (19..=24, Digits, fixed(3)),
            (25..=26, Digits, fixed(2)),
            (27..=27, Digits, fixed(1)),
            (28..=31, SignedDigits, fixed(9)),
            (32..=33, Digits, ll(11)),
            (34..=34, DigitsSpecial, ll(28)),
            (35..=35, Track, ll(37)),
            (36..=36, Track, lll(104)),
            (37..=37, LettersDigits, fixed(12)),
            (38..=38, LettersDigits, fixed(6)),
            (39..=39, LettersDigits, fixed(2)),
            (40..=40, LettersDigits, fixed(3)),
            (41..=41, Text, fixed(8)),
            (42..=42, Text, fixed(15)),
            (43..=43, Text, fixed(40)),
            (44..=44, Text, ll(25)),
            (45..=45, Text, ll(76)),
            (46..=48, Text, lll(999)),
            (49..=51, Digits, fixed(3)),
            (52..=52, Bytes, fixed(8)),
            (53..=53, Digits, fixed(16)),
            (54..=54, LettersDigits, lll(120)),
            (55..=63, Text, lll(999)),
            (64..=64, Bytes, fixed(8)),
            (66..=66, Digits, fixed(1)),
            (67..=67, Digits, fixed(2)),
            (68..=70, Digits, fixed(3)),
            (71..=72, Digits, fixed(4)),
            (73..=73, Digits, fixed(6)),
            (74..=81, Digits, fixed(10)),
            (82..=85, Digits, fixed(12)),
            (86..=89, Digits, fixed(16)),
            (90..=90, Digits, fixed(42)),
            (91..=91, LettersDigits, fixed(1)),
            (92..=92, LettersDigits, fixed(2)),
            (93..=93, LettersDigits, fixed(5)),
            (94..=94, LettersDigits, fixed(7)),
            (95..=95, LettersDigits, fixed(42)),
            (96..=96, Bytes, fixed(8)),
            (97..=97, SignedDigits, fixed(17)),
            (98..=98, Text, fixed(25)),
            (99..=100, Digits, ll(11)),
            (101..=101, Text, ll(17)),
            (102..=103, Text, ll(28)),
            (104..=104, Text, lll(100)),
            (105..=127, Text, lll(999)),
            (128..=128, Bytes, fixed(8)),
        ];
        let dialect = Dialect::iso8583_1987_ascii();
        let mut seen = 0;
        for (numbers, content, length) in table {
            for number in numbers.clone() {
                let spec = dialect.element(number).unwrap();
                assert_eq!(spec.content(), *content, "element {number}");
                assert_eq!(spec.length(), *length, "element {number}");
                let hex = spec.encoding() == Encoding::Hex;
                assert_eq!(hex, *content == Bytes, "element {number}");
                seen += 1;
            }
        }
        assert_eq!(seen, 126, "all but the bitmaps, 1 and 65");
    }
}
