//! National languages of GSM 03.38: the tables that replace its extension table (single shift) or
//! its default alphabet (locking shift) where a user data header says so (3GPP 23.038 annex A,
//! 3GPP 23.040 9.2.3.24.15 and 9.2.3.24.16).

use super::gsm7::{ALPHABET, ESCAPE, EXTENSION};

/// Information element that names the table of single shifts.
pub(super) const IEI_SINGLE_SHIFT: u8 = 0x24;
/// Information element that names the table of the whole text.
pub(super) const IEI_LOCKING_SHIFT: u8 = 0x25;

/// Octets of the element that names a table of single shifts.
pub(super) const ELEMENT_OCTETS: usize = 3;

/// A language with tables of its own, as far as Sampan has them (3GPP 23.038 6.2.1.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NationalLanguage {
    /// 1
    Turkish,
    /// 2; it has no locking shift table.
    Spanish,
    /// 3
    Portuguese,
}

impl NationalLanguage {
    /// The identifier in a header.
    pub fn identifier(self) -> u8 {
        match self {
            Self::Turkish => 1,
            Self::Spanish => 2,
            Self::Portuguese => 3,
        }
    }

    fn of(identifier: u8) -> Option<Self> {
        match identifier {
            1 => Some(Self::Turkish),
            2 => Some(Self::Spanish),
            3 => Some(Self::Portuguese),
            _ => None,
        }
    }

    /// Septet after the escape, character: what the table has beyond the extension table.
    fn singles(self) -> &'static [(u8, char)] {
        match self {
            Self::Turkish => &TURKISH_SINGLES,
            Self::Spanish => &SPANISH_SINGLES,
            Self::Portuguese => &PORTUGUESE_SINGLES,
        }
    }

    /// Where the table of the whole text differs from the default alphabet.
    fn differences(self) -> &'static [(u8, char)] {
        match self {
            Self::Turkish => &TURKISH_LOCKING,
            Self::Spanish => &[],
            Self::Portuguese => &PORTUGUESE_LOCKING,
        }
    }

    /// The septet after the escape, of a character that the extension table does not have.
    pub(super) fn single(self, character: char) -> Option<u8> {
        let mut singles = self.singles().iter();
        singles.find(|single| single.1 == character).map(|s| s.0)
    }
}

/// 3GPP 23.038 A.2.1.
const TURKISH_SINGLES: [(u8, char); 7] = [
    (0x47, 'Ğ'),
    (0x49, 'İ'),
    (0x53, 'Ş'),
    (0x63, 'ç'),
    (0x67, 'ğ'),
    (0x69, 'ı'),
    (0x73, 'ş'),
];

/// 3GPP 23.038 A.2.2.
const SPANISH_SINGLES: [(u8, char); 9] = [
    (0x09, 'ç'),
    (0x41, 'Á'),
    (0x49, 'Í'),
    (0x4F, 'Ó'),
    (0x55, 'Ú'),
    (0x61, 'á'),
    (0x69, 'í'),
    (0x6F, 'ó'),
    (0x75, 'ú'),
];

/// 3GPP 23.038 A.2.3.
const PORTUGUESE_SINGLES: [(u8, char); 28] = [
    (0x05, 'ê'),
    (0x09, 'ç'),
    (0x0B, 'Ô'),
    (0x0C, 'ô'),
    (0x0E, 'Á'),
    (0x0F, 'á'),
    (0x12, 'Φ'),
    (0x13, 'Γ'),
    (0x15, 'Ω'),
    (0x16, 'Π'),
    (0x17, 'Ψ'),
    (0x18, 'Σ'),
    (0x19, 'Θ'),
    (0x1F, 'Ê'),
    (0x41, 'À'),
    (0x49, 'Í'),
    (0x4F, 'Ó'),
    (0x55, 'Ú'),
    (0x5B, 'Ã'),
    (0x5C, 'Õ'),
    (0x61, 'Â'),
    (0x69, 'í'),
    (0x6F, 'ó'),
    (0x75, 'ú'),
    (0x7B, 'ã'),
    (0x7C, 'õ'),
    (0x7F, 'â'),
    // The extension table has it at the same place; it is here so that the table is whole.
    (0x14, '^'),
];

/// 3GPP 23.038 A.3.1.
const TURKISH_LOCKING: [(u8, char); 8] = [
    (0x04, '€'),
    (0x07, 'ı'),
    (0x0B, 'Ğ'),
    (0x0C, 'ğ'),
    (0x1C, 'Ş'),
    (0x1D, 'ş'),
    (0x40, 'İ'),
    (0x60, 'ç'),
];

/// 3GPP 23.038 A.3.3.
const PORTUGUESE_LOCKING: [(u8, char); 32] = [
    (0x04, 'ê'),
    (0x06, 'ú'),
    (0x07, 'í'),
    (0x08, 'ó'),
    (0x09, 'ç'),
    (0x0B, 'Ô'),
    (0x0C, 'ô'),
    (0x0E, 'Á'),
    (0x0F, 'á'),
    (0x12, 'ª'),
    (0x13, 'Ç'),
    (0x14, 'À'),
    (0x15, '∞'),
    (0x16, '^'),
    (0x17, '\\'),
    (0x18, '€'),
    (0x19, 'Ó'),
    (0x1A, '|'),
    (0x1C, 'Â'),
    (0x1D, 'â'),
    (0x1E, 'Ê'),
    (0x24, 'º'),
    (0x40, 'Í'),
    (0x5B, 'Ã'),
    (0x5C, 'Õ'),
    (0x5D, 'Ú'),
    (0x60, '~'),
    (0x7B, 'ã'),
    (0x7C, 'õ'),
    (0x7D, '`'),
    // At the places of the default alphabet: here so that the table is whole.
    (0x7E, 'ü'),
    (0x7F, 'à'),
];

/// The tables that a user data header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shifts {
    /// In place of the extension table.
    pub single: Option<NationalLanguage>,
    /// In place of the default alphabet.
    pub locking: Option<NationalLanguage>,
}

impl Shifts {
    /// Reads a header, which begins with its length; what follows it is passed over. A language that
    /// Sampan has no table of is passed over too, which shows the nearest that there is.
    pub fn in_header(header: &[u8]) -> Self {
        let mut shifts = Self::default();
        let Some((length, octets)) = header.split_first() else {
            return shifts;
        };
        let Some(mut elements) = octets.get(..usize::from(*length)) else {
            return shifts;
        };
        while let [identifier, length, rest @ ..] = elements {
            let Some((value, next)) = rest.split_at_checked(usize::from(*length)) else {
                break;
            };
            elements = next;
            match (*identifier, value) {
                (IEI_SINGLE_SHIFT, &[language]) => shifts.single = NationalLanguage::of(language),
                (IEI_LOCKING_SHIFT, &[language]) => {
                    shifts.locking = NationalLanguage::of(language);
                }
                _ => {}
            }
        }
        shifts
    }

    /// Reads septets, one per octet, in these tables; `None` when an octet is not a septet.
    pub fn decode(self, octets: &[u8]) -> Option<String> {
        let mut text = String::with_capacity(octets.len());
        let mut octets = octets.iter().copied();
        while let Some(octet) = octets.next() {
            text.push(match octet {
                ESCAPE => match octets.next() {
                    None | Some(ESCAPE) => ' ',
                    Some(septet) => match self.extended(septet) {
                        Some(character) => character,
                        None => self.plain(septet)?,
                    },
                },
                septet => self.plain(septet)?,
            });
        }
        Some(text)
    }

    fn extended(self, septet: u8) -> Option<char> {
        let singles = self.single.map_or(&[][..], NationalLanguage::singles);
        at(singles, septet).or_else(|| at(&EXTENSION, septet))
    }

    fn plain(self, septet: u8) -> Option<char> {
        let differences = self.locking.map_or(&[][..], NationalLanguage::differences);
        at(differences, septet).or_else(|| ALPHABET.get(usize::from(septet)).copied())
    }
}

fn at(table: &[(u8, char)], septet: u8) -> Option<char> {
    let mut entries = table.iter();
    entries.find(|entry| entry.0 == septet).map(|entry| entry.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn single(language: NationalLanguage) -> Shifts {
        Shifts {
            single: Some(language),
            locking: None,
        }
    }

    #[test]
    fn a_header_names_the_tables() {
        let header = [8, 0, 3, 7, 2, 1, 0x24, 1, 3, b'x'];
        let shifts = Shifts::in_header(&header);
        assert_eq!(shifts, single(NationalLanguage::Portuguese));
        let locking = Shifts::in_header(&[3, 0x25, 1, 1]).locking;
        assert_eq!(locking, Some(NationalLanguage::Turkish));
        assert_eq!(Shifts::in_header(&[3, 0x24, 1, 13]), Shifts::default());
        assert_eq!(Shifts::in_header(&[3, 0x24, 9, 1]), Shifts::default());
        assert_eq!(Shifts::in_header(&[]), Shifts::default());
        assert_eq!(Shifts::in_header(&[0, 0x24, 1, 3]), Shifts::default());
        assert_eq!(Shifts::in_header(&[4, 0x24, 1, 3]), Shifts::default());
    }

    /// A table as 3GPP 23.038 prints it, by rows of 16 septets; the escape's place holds a space.
    fn printed(rows: [&str; 8]) -> Vec<char> {
        let table: Vec<char> = rows.concat().chars().collect();
        assert_eq!(table.len(), 128);
        table
    }

    #[test]
    fn the_locking_shift_tables_are_those_of_the_annex_septet_by_septet() {
        // A.3.1 and A.3.3 of 3GPP 23.038 V18.0.0, held against the tables of Android (GsmAlphabet) and of
        // the Python package gsmcodecs 1.0.0, which agree.
        let turkish = printed([
            "@£$¥€éùıòÇ\nĞğ\rÅå",
            "Δ_ΦΓΛΩΠΨΣΘΞ ŞşßÉ",
            " !\"#¤%&'()*+,-./",
            "0123456789:;<=>?",
            "İABCDEFGHIJKLMNO",
            "PQRSTUVWXYZÄÖÑÜ§",
            "çabcdefghijklmno",
            "pqrstuvwxyzäöñüà",
        ]);
        let portuguese = printed([
            "@£$¥êéúíóç\nÔô\rÁá",
            "Δ_ªÇÀ∞^\\€Ó| ÂâÊÉ",
            " !\"#º%&'()*+,-./",
            "0123456789:;<=>?",
            "ÍABCDEFGHIJKLMNO",
            "PQRSTUVWXYZÃÕÚÜ§",
            "~abcdefghijklmno",
            "pqrstuvwxyzãõ`üà",
        ]);
        for (language, table) in [
            (NationalLanguage::Turkish, turkish),
            (NationalLanguage::Portuguese, portuguese),
        ] {
            let shifts = Shifts {
                single: None,
                locking: Some(language),
            };
            for (septet, character) in (0..).zip(table).filter(|(septet, _)| *septet != ESCAPE) {
                let read = shifts.decode(&[septet]);
                assert_eq!(
                    read,
                    Some(character.to_string()),
                    "{language:?} {septet:#04x}"
                );
            }
        }
    }

    #[test]
    fn the_single_shift_tables_are_those_of_the_annex_septet_by_septet() {
        // A.2.1 to A.2.3, held against the same two. Where a table is empty, the septet stands for
        // what it is without the escape (6.2.1.2.2).
        let [turkish, spanish, portuguese] = [
            [
                "          \u{c}     ",
                "    ^           ",
                "        {}     \\",
                "            [~] ",
                "|      Ğ İ      ",
                "   Ş            ",
                "   ç € ğ ı      ",
                "   ş            ",
            ],
            [
                "         ç\u{c}     ",
                "    ^           ",
                "        {}     \\",
                "            [~] ",
                "|Á       Í     Ó",
                "     Ú          ",
                " á   €   í     ó",
                "     ú          ",
            ],
            [
                "     ê   ç\u{c}Ôô Áá",
                "  ΦΓ^ΩΠΨΣΘ     Ê",
                "        {}     \\",
                "            [~] ",
                "|À       Í     Ó",
                "     Ú     ÃÕ   ",
                " Â   €   í     ó",
                "     ú     ãõ  â",
            ],
        ]
        .map(printed);
        for (language, table) in [
            (NationalLanguage::Turkish, turkish),
            (NationalLanguage::Spanish, spanish),
            (NationalLanguage::Portuguese, portuguese),
        ] {
            for (septet, character) in (0..).zip(table).filter(|(septet, _)| *septet != ESCAPE) {
                let wanted = match character {
                    ' ' => Shifts::default().decode(&[septet]),
                    character => Some(character.to_string()),
                };
                let read = single(language).decode(&[ESCAPE, septet]);
                assert_eq!(read, wanted, "{language:?} {septet:#04x}");
            }
        }
    }

    #[test]
    fn the_tables_of_the_standard_are_read() {
        let turkish = single(NationalLanguage::Turkish);
        let octets = [0x1B, 0x73, 0x65, 0x6B, 0x65, 0x72, 0x1B, 0x65];
        assert_eq!(turkish.decode(&octets).as_deref(), Some("şeker€"));
        let spanish = single(NationalLanguage::Spanish);
        assert_eq!(
            spanish.decode(&[0x1B, 0x6F, 0x1B, 0x3C]).as_deref(),
            Some("ó[")
        );
        let locking = Shifts {
            single: None,
            locking: Some(NationalLanguage::Turkish),
        };
        assert_eq!(locking.decode(&[0x1D, 0x07, 0x61]).as_deref(), Some("şıa"));
        let locking = Shifts {
            single: None,
            locking: Some(NationalLanguage::Portuguese),
        };
        assert_eq!(locking.decode(&[0x7B, 0x6F, 0x24]).as_deref(), Some("ãoº"));
        assert_eq!(locking.decode(&[0x80]), None);
        assert_eq!(
            Shifts::default().decode(&[0x24, 0x1B, 0x65]).as_deref(),
            Some("¤€")
        );
    }
}
