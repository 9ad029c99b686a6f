//! A file of cards, as an issuer delivers it, before any of them is in stock.
//!
//! ```text
//!   CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE,CARDACCNO
//!   029091000008229,1234567890,2016-12-30,
//! ```
//!
//! The first line names the columns, in any order; `CARDACCNO` may be missing. A field may stand in
//! quotation marks; none holds a comma. A fault names its line and never a PIN code.

use std::collections::HashMap;

use super::{AccountNo, Serial};
use crate::{moment::Day, seal::PinCode};

/// Bytes of a file: more than the most cards take.
pub const FILE_BYTES_MAX: usize = 4 << 20;

/// Cards of a file. They come into stock in one change, for which others wait about a second.
pub const FILE_CARDS_MAX: usize = 20_000;

/// Faults that are told one by one. Who has more has taken the wrong file.
pub const LINE_FAULTS_MAX: usize = 100;

/// A line that is no card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {reason}")]
pub struct LineFault {
    /// Counted from 1, with the line that names the columns.
    pub line: usize,
    /// Why.
    pub reason: LineReason,
}

/// Why a line is no card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineReason {
    /// It has more or fewer fields than columns.
    #[error("has another number of fields than there are columns")]
    Fields,
    /// Not a serial.
    #[error("has a CARDSERIESNO that is not 1 to 20 letters, digits, '-' and '.'")]
    Serial,
    /// Not a PIN code.
    #[error("has a CARDPINCODE that is not 1 to 40 letters, digits and '-'")]
    Pin,
    /// Not a day.
    #[error("has a CARDEXPIREDATE that is not a day, as 2026-12-30")]
    Expiry,
    /// A day that is over.
    #[error("has a CARDEXPIREDATE that is over")]
    Expired,
    /// Not an account number.
    #[error("has a CARDACCNO that is not up to 40 visible ASCII characters")]
    AccountNo,
    /// The serial stands in an earlier line.
    #[error("has the CARDSERIESNO of line {0}")]
    SerialTwice(usize),
    /// The PIN code stands in an earlier line.
    #[error("has the CARDPINCODE of line {0}")]
    PinTwice(usize),
    /// The serial is in stock or was sold.
    #[error("has a CARDSERIESNO that this card type has already")]
    SerialKnown,
    /// The PIN code is in stock or was sold.
    #[error("has a CARDPINCODE that another card of the issuer has already")]
    PinKnown,
}

/// Why a file is not taken. Nothing of it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// It is too long.
    #[error("the file has more than {FILE_BYTES_MAX} bytes or {FILE_CARDS_MAX} cards; split it")]
    TooLong,
    /// It has no card.
    #[error("the file has no card")]
    Empty,
    /// Its first line does not name the columns.
    #[error(
        "line 1 does not name the columns CARDSERIESNO, CARDPINCODE, CARDEXPIREDATE and, if wanted, \
         CARDACCNO, each once"
    )]
    Columns,
    /// Some lines are no cards.
    #[error("{} lines are no cards; the first: {}", lines.len() + more, first(lines))]
    Lines {
        /// The first [`LINE_FAULTS_MAX`].
        lines: Vec<LineFault>,
        /// How many others there are.
        more: usize,
    },
}

fn first(lines: &[LineFault]) -> String {
    lines.first().map(LineFault::to_string).unwrap_or_default()
}

/// Gathers the faults of a file.
#[derive(Default)]
pub(super) struct LineFaults {
    lines: Vec<LineFault>,
    more: usize,
}

impl LineFaults {
    pub(super) fn add(&mut self, line: usize, reason: LineReason) {
        if self.lines.len() < LINE_FAULTS_MAX {
            self.lines.push(LineFault { line, reason });
        } else {
            self.more += 1;
        }
    }

    /// An error if there are any.
    pub(super) fn none(mut self) -> Result<(), FileFault> {
        if self.lines.is_empty() {
            return Ok(());
        }
        self.lines.sort_by_key(|fault| fault.line);
        Err(FileFault::Lines {
            lines: self.lines,
            more: self.more,
        })
    }
}

/// A card that a file brings.
#[derive(Debug)]
pub(super) struct NewCard {
    pub(super) line: usize,
    pub(super) serial: Serial,
    pub(super) pin: PinCode,
    pub(super) expires_on: Day,
    pub(super) account_no: Option<AccountNo>,
}

/// A file of which each line is a card.
#[derive(Debug)]
pub struct CardFile {
    pub(super) cards: Vec<NewCard>,
}

impl CardFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Its faults, all of them at once.
    pub fn parse(file: &[u8], today: Day) -> Result<Self, FileFault> {
        if file.len() > FILE_BYTES_MAX {
            return Err(FileFault::TooLong);
        }
        // Spreadsheets write a byte order mark first.
        let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
        let mut lines = (1..).zip(file.split(|byte| *byte == b'\n'));
        let (_, names) = lines.next().ok_or(FileFault::Columns)?;
        let columns = Columns::parse(names)?;
        let mut cards = Vec::new();
        let mut faults = LineFaults::default();
        for (number, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()) {
            if cards.len() == FILE_CARDS_MAX {
                return Err(FileFault::TooLong);
            }
            match columns.card(number, line, today) {
                Ok(card) => cards.push(card),
                Err(reason) => faults.add(number, reason),
            }
        }
        find_twice(&cards, &mut faults);
        faults.none()?;
        if cards.is_empty() {
            return Err(FileFault::Empty);
        }
        Ok(Self { cards })
    }
}

fn find_twice(cards: &[NewCard], faults: &mut LineFaults) {
    let mut serials = HashMap::new();
    let mut pins = HashMap::new();
    for card in cards {
        if let Some(earlier) = serials.insert(card.serial.key(), card.line) {
            faults.add(card.line, LineReason::SerialTwice(earlier));
        }
        if let Some(earlier) = pins.insert(card.pin.reveal(), card.line) {
            faults.add(card.line, LineReason::PinTwice(earlier));
        }
    }
}

/// Where each column stands.
struct Columns {
    count: usize,
    serial: usize,
    pin: usize,
    expiry: usize,
    account_no: Option<usize>,
}

impl Columns {
    fn parse(line: &[u8]) -> Result<Self, FileFault> {
        let names: Vec<&[u8]> = fields(line).collect();
        let find = |name: &str| names.iter().position(|field| *field == name.as_bytes());
        let need = |name| find(name).ok_or(FileFault::Columns);
        let columns = Self {
            count: names.len(),
            serial: need("CARDSERIESNO")?,
            pin: need("CARDPINCODE")?,
            expiry: need("CARDEXPIREDATE")?,
            account_no: find("CARDACCNO"),
        };
        // Each name once and no other: a column that is passed over may be a PIN code's second half.
        let known = 3 + usize::from(columns.account_no.is_some());
        (columns.count == known)
            .then_some(columns)
            .ok_or(FileFault::Columns)
    }

    fn card(&self, line: usize, text: &[u8], today: Day) -> Result<NewCard, LineReason> {
        let fields: Vec<&[u8]> = fields(text).collect();
        if fields.len() != self.count {
            return Err(LineReason::Fields);
        }
        // What is not UTF-8 is none of them either.
        let field = |column: usize| {
            let field = fields.get(column).copied().unwrap_or_default();
            str::from_utf8(field).unwrap_or("\u{fffd}")
        };
        let expires_on: Day = field(self.expiry).parse().map_err(|_| LineReason::Expiry)?;
        if expires_on < today {
            return Err(LineReason::Expired);
        }
        let account_no = self.account_no.map(field).filter(|text| !text.is_empty());
        let account_no = account_no.map(str::parse).transpose();
        Ok(NewCard {
            line,
            serial: field(self.serial).parse().map_err(|_| LineReason::Serial)?,
            pin: PinCode::parse(field(self.pin)).map_err(|_| LineReason::Pin)?,
            expires_on,
            account_no: account_no.map_err(|_| LineReason::AccountNo)?,
        })
    }
}

fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b',').map(|field| {
        let field = field.trim_ascii();
        let within = field.strip_prefix(b"\"");
        let within = within.and_then(|field| field.strip_suffix(b"\""));
        within.unwrap_or(field)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE,CARDACCNO\n";

    fn parse(text: impl AsRef<[u8]>) -> Result<CardFile, FileFault> {
        CardFile::parse(text.as_ref(), "2026-01-01".parse().unwrap())
    }

    fn faults(text: impl AsRef<[u8]>) -> Vec<(usize, LineReason)> {
        match parse(text).unwrap_err() {
            FileFault::Lines { lines, more: 0 } => lines
                .iter()
                .map(|fault| (fault.line, fault.reason))
                .collect(),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn columns_stand_in_any_order_with_or_without_quotation_marks_and_carriage_returns() {
        let text = "\u{feff}CARDPINCODE,\"CARDSERIESNO\",CARDEXPIREDATE\r\n\
            \"111\",s-1,2026-01-01\r\n\r\n222, s-2 ,\"2027-01-01\"\r\n";
        let file = parse(text).unwrap();
        let cards: Vec<_> = file
            .cards
            .iter()
            .map(|card| (card.line, card.serial.printed(), card.pin.reveal()))
            .collect();
        assert_eq!(cards, [(2, "s-1", "111"), (4, "s-2", "222")]);
    }

    #[test]
    fn every_bad_line_is_named_with_its_reason() {
        let text = format!(
            "{HEAD}s1,111,2026-01-01,\n\
             s2,222,2026-01-01\n\
             s 3,333,2026-01-01,\n\
             s4,4 4,2026-01-01,\n\
             s5,555,2026-02-30,\n\
             s6,666,2025-12-31,\n\
             s7,777,2026-01-01,a b\n\
             S1,888,2026-01-01,\n\
             s9,111,2026-01-01,acc\n"
        );
        let wanted = [
            (3, LineReason::Fields),
            (4, LineReason::Serial),
            (5, LineReason::Pin),
            (6, LineReason::Expiry),
            (7, LineReason::Expired),
            (8, LineReason::AccountNo),
            (9, LineReason::SerialTwice(2)),
            (10, LineReason::PinTwice(2)),
        ];
        assert_eq!(faults(text), wanted);
        let latin = [HEAD.as_bytes(), b"s1,\xe9,2026-01-01,\n"].concat();
        assert_eq!(faults(latin), [(2, LineReason::Pin)]);
    }

    #[test]
    fn a_fault_never_holds_a_pin_code() {
        let text = format!("{HEAD}s1,98765,2026-02-30,\ns2,98 765,2026-01-01,\ns3,98765\n");
        let fault = parse(text).unwrap_err();
        assert!(!format!("{fault} {fault:?}").contains("98"), "{fault:?}");
    }

    #[test]
    fn a_file_names_its_columns_and_has_cards() {
        for text in [
            "",
            "s1,111,2026-01-01,\n",
            "CARDSERIESNO,CARDPINCODE\n",
            "CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE,CARDPINCODE\n",
            "CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE,CARDACCNO,PIN2\n",
        ] {
            assert_eq!(parse(text).unwrap_err(), FileFault::Columns, "{text}");
        }
        assert_eq!(parse(HEAD).unwrap_err(), FileFault::Empty);
    }

    #[test]
    fn a_file_is_bounded_and_so_are_its_faults() {
        assert_eq!(
            parse(vec![b'\n'; FILE_BYTES_MAX + 1]).unwrap_err(),
            FileFault::TooLong
        );
        let many: String = (0..=FILE_CARDS_MAX)
            .map(|n| format!("s{n},{n},2026-01-01,\n"))
            .collect();
        assert_eq!(
            parse(format!("{HEAD}{many}")).unwrap_err(),
            FileFault::TooLong
        );
        match parse(format!("{HEAD}{}", "wrong\n".repeat(150))).unwrap_err() {
            FileFault::Lines { lines, more } => assert_eq!((lines.len(), more), (100, 50)),
            other => panic!("{other}"),
        }
    }
}
