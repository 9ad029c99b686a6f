//! The dialects that are part of the program: the files of `config/dialects`, each known by the name
//! that it gives itself.

use super::{BitmapForm, Dialect, MtiForm};
use crate::iso8583::LAST_ELEMENT;
use crate::iso8583::frame::{Header, HeaderKind};
use std::sync::LazyLock;

/// A dialect that is parsed when it is first asked for.
struct BuiltIn {
    name: &'static str,
    dialect: LazyLock<Dialect>,
}

static BUILT_IN: [BuiltIn; 3] = [
    BuiltIn {
        name: "iso8583-1987-ascii",
        dialect: LazyLock::new(|| sound(Dialect::ISO8583_1987_ASCII_TEXT)),
    },
    BuiltIn {
        name: "iso8583-1987-bcd",
        dialect: LazyLock::new(|| sound(Dialect::ISO8583_1987_BCD_TEXT)),
    },
    BuiltIn {
        name: "iso8583-1987-ebcdic",
        dialect: LazyLock::new(|| sound(Dialect::ISO8583_1987_EBCDIC_TEXT)),
    },
];

/// A test proves that the embedded texts are sound. An empty dialect refuses every element, by name,
/// so that even a broken build could not send wrong bytes.
fn sound(text: &str) -> Dialect {
    Dialect::parse(text).unwrap_or_else(|_| Dialect::empty())
}

impl Dialect {
    /// The text of the default dialect file, a start for a dialect of one's own.
    pub const ISO8583_1987_ASCII_TEXT: &'static str =
        include_str!("../../../config/dialects/iso8583-1987-ascii.toml");
    /// The text of the file for packed digits and a binary header.
    pub const ISO8583_1987_BCD_TEXT: &'static str =
        include_str!("../../../config/dialects/iso8583-1987-bcd.toml");
    /// The text of the file for EBCDIC characters and a binary header.
    pub const ISO8583_1987_EBCDIC_TEXT: &'static str =
        include_str!("../../../config/dialects/iso8583-1987-ebcdic.toml");

    /// The dialect of `config/dialects/iso8583-1987-ascii.toml`: what a bank speaks for which no
    /// other is configured.
    pub fn iso8583_1987_ascii() -> &'static Self {
        let [ascii, ..] = &BUILT_IN;
        &ascii.dialect
    }

    /// A dialect that is part of the program, by its name, such as `iso8583-1987-bcd`.
    pub fn built_in(name: &str) -> Option<&'static Self> {
        let found = BUILT_IN.iter().find(|built_in| built_in.name == name)?;
        Some(&found.dialect)
    }

    /// The names of the dialects that are part of the program.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|built_in| built_in.name)
    }

    pub(super) fn empty() -> Self {
        Self {
            name: "empty".into(),
            header: Header::new(HeaderKind::Ascii4),
            mti: MtiForm::Ascii,
            bitmap: BitmapForm::Hex,
            elements: Box::new([const { None }; LAST_ELEMENT as usize + 1]),
            composites: std::collections::BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::field::{Content, Encoding, Length, Pad, PadDigit, PrefixEncoding, Side};

    #[test]
    fn every_embedded_dialect_loads_under_its_name_and_knows_every_element() {
        for text in [
            Dialect::ISO8583_1987_ASCII_TEXT,
            Dialect::ISO8583_1987_BCD_TEXT,
            Dialect::ISO8583_1987_EBCDIC_TEXT,
        ] {
            let dialect = Dialect::parse(text).unwrap();
            assert_eq!(Dialect::built_in(dialect.name()), Some(&dialect));
            assert!((1..=128).all(|number| dialect.element(number).is_some()));
            assert!([0, 129, 255].iter().all(|n| dialect.element(*n).is_none()));
        }
        let ascii = Dialect::built_in("iso8583-1987-ascii");
        assert_eq!(ascii, Some(Dialect::iso8583_1987_ascii()));
        assert_eq!(Dialect::built_in("iso8583-1987-ascii.toml"), None);
    }

    /// The reference table, written down a second time in its own notation.
    #[test]
    fn every_embedded_dialect_has_the_table_of_the_standard() {
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
        for BuiltIn { name, dialect } in &BUILT_IN {
            let mut seen = 0;
            for (numbers, content, length) in table {
                for number in numbers.clone() {
                    let spec = dialect.element(number).unwrap();
                    assert_eq!(spec.content(), *content, "{name}: element {number}");
                    assert_eq!(spec.length(), *length, "{name}: element {number}");
                    seen += 1;
                }
            }
            assert_eq!(seen, 126, "{name}: all but the bitmaps, 1 and 65");
        }
    }

    #[test]
    fn each_embedded_dialect_travels_in_its_own_form() {
        let pad = |side, digit| Encoding::Bcd(Pad { side, digit });
        let left = pad(Side::Left, PadDigit::Zero);
        let right = pad(Side::Right, PadDigit::F);
        // For DE3 n6, DE2 n..19, DE28 x+n8, DE35 z..37, DE37 an12, DE48 ans..999, DE52 b8.
        let elements = [3, 2, 28, 35, 37, 48, 52];
        let (ascii, ebcdic, binary) = (Encoding::Ascii, Encoding::Ebcdic, Encoding::Binary);
        for (name, forms, prefix) in [
            (
                "iso8583-1987-ascii",
                [ascii, ascii, ascii, ascii, ascii, ascii, Encoding::Hex],
                PrefixEncoding::Ascii,
            ),
            (
                "iso8583-1987-bcd",
                [left, right, left, right, ascii, ascii, binary],
                PrefixEncoding::Bcd,
            ),
            (
                "iso8583-1987-ebcdic",
                [ebcdic, ebcdic, ebcdic, ebcdic, ebcdic, ebcdic, binary],
                PrefixEncoding::Ebcdic,
            ),
        ] {
            let dialect = Dialect::built_in(name).unwrap();
            let found = elements.map(|number| dialect.element(number).unwrap().encoding());
            assert_eq!(found, forms, "{name}");
            for number in 2..=128 {
                let spec = dialect.element(number).unwrap();
                let fixed = matches!(spec.length(), Length::Fixed(_));
                assert!(fixed || spec.prefix() == prefix, "{name}: element {number}");
            }
        }
    }
}
