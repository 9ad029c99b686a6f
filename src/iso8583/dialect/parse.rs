//! Reads a dialect file. All its faults are found in one go, each with its line.
//!
//! What the file may say is explained in `config/dialects/iso8583-1987-ascii.toml` itself.

use super::section::{Choices, Faults, Section};
use super::{BitmapForm, Dialect, DialectError, MtiForm, subfields};
use crate::iso8583::LAST_ELEMENT;
use crate::iso8583::field::{
    Content, Counts, Encoding, FieldSpec, Length, Pad, PadDigit, Prefix, PrefixEncoding, Side,
};
use crate::iso8583::frame::{Header, HeaderKind, Tpdu};
use toml::Spanned;
use toml::de::DeTable;

/// A dialect of 128 elements with a comment on each is far shorter; what is longer is no dialect.
const DIALECT_BYTES_MAX: usize = 1 << 20;

impl Dialect {
    /// Reads the text of a dialect file.
    ///
    /// # Errors
    /// [`DialectError`] holds every fault of the file.
    pub fn parse(text: &str) -> Result<Self, DialectError> {
        let mut faults = Faults {
            text,
            found: Vec::new(),
        };
        if text.len() > DIALECT_BYTES_MAX {
            faults.add(&(0..0), format!("longer than {DIALECT_BYTES_MAX} bytes"));
            return Err(faults.into_error());
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            faults.add(&error.span().unwrap_or(0..0), error.message().to_owned());
        }
        let dialect = read_dialect(&table, &mut faults);
        if faults.found.is_empty() {
            Ok(dialect)
        } else {
            Err(faults.into_error())
        }
    }
}

fn read_dialect(file: &Spanned<DeTable<'_>>, faults: &mut Faults<'_>) -> Dialect {
    let mut dialect = Dialect::empty();
    let mut file = Section::new(file.get_ref(), file.span(), "the dialect");
    if let Some(name) = file.text("name", faults) {
        dialect.name = name.into();
    }
    if let Some(header) = read_header(&mut file, faults) {
        dialect.header = header;
    }
    if let Some(mti) = file.choice("mti", MTIS, Some(MtiForm::Ascii), faults) {
        dialect.mti = mti;
    }
    if let Some(bitmap) = file.choice("bitmap", BITMAPS, None, faults) {
        dialect.bitmap = bitmap;
    }
    if let Some(elements) = file.required("elements", faults) {
        match elements.get_ref().as_table() {
            Some(table) => read_elements(table, &mut dialect, faults),
            None => faults.add(&elements.span(), "elements must be a table".to_owned()),
        }
    }
    file.refuse_unknown(faults);
    dialect
}

fn read_header(file: &mut Section<'_>, faults: &mut Faults<'_>) -> Option<Header> {
    let kind = file.choice("header", HEADERS, None, faults);
    let counts_itself = file.boolean("header_counts_itself", faults);
    let tpdu = match file.optional("tpdu") {
        None => Some(None),
        Some(value) => {
            let text = file.as_text("tpdu", value, faults);
            text.and_then(|text| {
                let tpdu = Tpdu::parse(text);
                if tpdu.is_none() {
                    let what = "tpdu must be ten hexadecimal characters, of which the first is 6, \
                                such as \"6000030000\": 60, destination, source";
                    faults.add(&value.span(), what.to_owned());
                }
                tpdu.map(Some)
            })
        }
    };
    Some(Header {
        kind: kind?,
        counts_itself: counts_itself?,
        tpdu: tpdu?,
    })
}

fn read_elements(table: &DeTable<'_>, dialect: &mut Dialect, faults: &mut Faults<'_>) {
    for (key, value) in table {
        let number = key.get_ref().parse::<u8>().ok();
        let slot = number
            .filter(|number| *number != 0)
            // "007" would name an element a second time.
            .filter(|number| number.to_string() == key.get_ref().as_ref())
            .and_then(|number| dialect.elements.get_mut(usize::from(number)));
        let Some(slot) = slot else {
            let what = format!(
                "{:?} is no element number; they run from 1 to {LAST_ELEMENT}",
                key.get_ref()
            );
            faults.add(&key.span(), what);
            continue;
        };
        let whose = format!("element {}", key.get_ref());
        let Some(line) = value.get_ref().as_table() else {
            let what = format!("{whose} must be a table: {{ name, content, length, max }}");
            faults.add(&value.span(), what);
            continue;
        };
        let mut section = Section::new(line, key.span(), &whose);
        let composite = subfields::read(&mut section, faults);
        let Some(spec) = read_element(section, matches!(number, Some(1 | 65)), faults) else {
            continue;
        };
        if let (Some(number), Some(composite)) = (number, composite) {
            match subfields::misfit(number, &spec, &composite) {
                Some(why) => faults.add(&key.span(), format!("{whose} {why}")),
                None => {
                    dialect.composites.insert(number, composite);
                }
            }
        }
        *slot = Some(spec);
    }
}

fn read_element(
    mut line: Section<'_>,
    may_be_bitmap: bool,
    faults: &mut Faults<'_>,
) -> Option<FieldSpec> {
    let name = line.text("name", faults);
    let content = line.choice("content", CONTENTS, None, faults);
    let length = line.choice("length", LENGTHS, None, faults);
    let max = line.number("max", faults);
    let encoding = read_encoding(&mut line, faults);
    let ascii = Some(PrefixEncoding::Ascii);
    let prefix = line.choice("length_encoding", PREFIXES, ascii, faults);
    let counts = line.choice("length_counts", COUNTS, Some(None), faults);
    line.refuse_unknown(faults);

    let (span, whose) = (line.span, line.whose);
    let (content, length) = (content?, length?(max?));
    let prefix = Prefix {
        encoding: prefix?,
        counts: counts?,
    };
    if (content == Content::Bitmap) && !may_be_bitmap {
        let what = format!("{whose}: only elements 1 and 65 are bitmaps");
        faults.add(&span, what);
        return None;
    }
    FieldSpec::with_prefix(name?, content, length, encoding?, prefix)
        .map_err(|error| faults.add(&span, format!("{whose}: {error}")))
        .ok()
}

fn read_encoding(line: &mut Section<'_>, faults: &mut Faults<'_>) -> Option<Encoding> {
    let encoding = line.choice("encoding", ENCODINGS, Some(|_| Encoding::Ascii), faults);
    let side = line.choice("pad", SIDES, Some(None), faults);
    let digit = line.choice("pad_digit", PAD_DIGITS, Some(None), faults);
    let (side, digit) = (side?, digit?);
    // What is sent in front of a number is a leading zero; behind it, F alone cannot be mistaken.
    let usual = match side {
        None | Some(Side::Left) => PadDigit::Zero,
        Some(Side::Right) => PadDigit::F,
    };
    let encoding = encoding?(Pad {
        side: side.unwrap_or(Side::Left),
        digit: digit.unwrap_or(usual),
    });
    if (side.is_some() || digit.is_some()) && !matches!(encoding, Encoding::Bcd(_)) {
        let what = format!("{}: pad and pad_digit are for encoding \"bcd\"", line.whose);
        faults.add(&line.span, what);
        return None;
    }
    Some(encoding)
}

const HEADERS: Choices<HeaderKind> = &[
    ("ascii4", HeaderKind::Ascii4),
    ("binary2", HeaderKind::Binary2),
    ("bcd2", HeaderKind::Bcd2),
];
const MTIS: Choices<MtiForm> = &[
    ("ascii", MtiForm::Ascii),
    ("bcd", MtiForm::Bcd),
    ("ebcdic", MtiForm::Ebcdic),
];
const BITMAPS: Choices<BitmapForm> = &[
    ("hex", BitmapForm::Hex),
    ("binary", BitmapForm::Binary),
    ("ebcdic", BitmapForm::Ebcdic),
];
const CONTENTS: Choices<Content> = &[
    ("a", Content::Letters),
    ("n", Content::Digits),
    ("an", Content::LettersDigits),
    ("ans", Content::Text),
    ("ns", Content::DigitsSpecial),
    ("z", Content::Track),
    ("x+n", Content::SignedDigits),
    ("b", Content::Bytes),
    ("bitmap", Content::Bitmap),
];
const LENGTHS: Choices<fn(u16) -> Length> = &[
    ("fixed", Length::Fixed),
    ("L", Length::L),
    ("LL", Length::Ll),
    ("LLL", Length::Lll),
    ("LLLL", Length::Llll),
];
/// Each with the pad, which only packed digits have.
const ENCODINGS: Choices<fn(Pad) -> Encoding> = &[
    ("ascii", |_| Encoding::Ascii),
    ("bcd", Encoding::Bcd),
    ("ebcdic", |_| Encoding::Ebcdic),
    ("hex", |_| Encoding::Hex),
    ("binary", |_| Encoding::Binary),
];
const SIDES: Choices<Option<Side>> = &[("left", Some(Side::Left)), ("right", Some(Side::Right))];
const PAD_DIGITS: Choices<Option<PadDigit>> =
    &[("0", Some(PadDigit::Zero)), ("F", Some(PadDigit::F))];
const PREFIXES: Choices<PrefixEncoding> = &[
    ("ascii", PrefixEncoding::Ascii),
    ("bcd", PrefixEncoding::Bcd),
    ("ebcdic", PrefixEncoding::Ebcdic),
    ("binary", PrefixEncoding::Binary),
];
const COUNTS: Choices<Option<Counts>> = &[
    ("digits", Some(Counts::Digits)),
    ("bytes", Some(Counts::Bytes)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::dialect::DialectFault;

    const HEAD: &str = "name = \"test\"\nheader = \"ascii4\"\nbitmap = \"hex\"\n[elements]\n";

    /// The faults of a file whose elements begin on line 5.
    fn faults(elements: &str) -> Vec<(usize, String)> {
        let error = Dialect::parse(&format!("{HEAD}{elements}")).unwrap_err();
        let fault = |fault: DialectFault| (fault.line, fault.what);
        error.faults.into_iter().map(fault).collect()
    }

    #[test]
    fn a_small_dialect_has_only_the_elements_of_its_file() {
        let line = r#"3 = { name = "Code", content = "n", length = "fixed", max = 6 }"#;
        let dialect = Dialect::parse(&format!("{HEAD}{line}")).unwrap();
        let expected = FieldSpec::new("Code", Content::Digits, Length::Fixed(6), Encoding::Ascii);
        assert_eq!(dialect.element(3), Some(&expected.unwrap()));
        assert_eq!(dialect.element(4), None);
    }

    #[test]
    fn every_fault_is_found_at_once_and_has_its_line() {
        let found = faults(concat!(
            "3 = { name = \"Code\", content = \"q\", length = \"fixed\", max = 6 }\n",
            "4 = { name = \"Amount\", content = \"n\", length = \"fixed\", max = 6 }\n",
            "5 = { name = \"Amount\", content = \"n\", length = \"LL\", max = 100 }\n",
            "129 = { name = \"Beyond\", content = \"n\", length = \"fixed\", max = 6 }\n",
            "6 = { name = \"Amount\", content = \"n\", length = \"fixed\", maximum = 6 }\n",
        ));
        let lines: Vec<_> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [5, 7, 8, 9, 9]);
        assert!(found[0].1.contains("\"q\" is not known"), "{found:?}");
        assert!(found[1].1.contains("from 1 to 99"), "{found:?}");
        assert!(found[2].1.contains("1 to 128"), "{found:?}");
        assert!(found[3].1.contains("does not give its max"), "{found:?}");
        assert!(found[4].1.contains("no key \"maximum\""), "{found:?}");
    }

    #[test]
    fn a_header_is_its_kind_what_it_counts_and_a_tpdu() {
        let header = |lines: &str| {
            let text = format!("name = \"x\"\n{lines}\nbitmap = \"hex\"\nelements = {{}}");
            let parsed = Dialect::parse(&text).map(|dialect| dialect.header());
            parsed.map_err(|error| error.to_string())
        };
        let plain = header("header = \"bcd2\"").unwrap();
        assert_eq!(plain, Header::new(HeaderKind::Bcd2));
        let full = "header = \"binary2\"\nheader_counts_itself = true\ntpdu = \"6000030000\"";
        let full = header(full).unwrap();
        assert!(full.counts_itself);
        assert_eq!(full.tpdu, Tpdu::parse("6000030000"));
        for (wrong, told) in [
            (
                "header = \"tpdu\"",
                "line 2: the dialect: header \"tpdu\" is not known",
            ),
            (
                "header = \"bcd2\"\ntpdu = \"6000\"",
                "line 3: tpdu must be ten",
            ),
            (
                "header = \"bcd2\"\ntpdu = 60",
                "line 3: the dialect: tpdu must be a text",
            ),
            (
                "header = \"bcd2\"\nheader_counts_itself = 1",
                "line 3: the dialect: header_counts_itself must be true or false",
            ),
        ] {
            let error = header(wrong).unwrap_err();
            assert!(error.starts_with(told), "{error}");
        }
    }

    #[test]
    fn an_element_says_how_digits_and_lengths_travel() {
        let head = HEAD.replace("[elements]", "mti = \"bcd\"\n[elements]");
        let line = concat!(
            "2 = { name = \"PAN\", content = \"n\", length = \"LL\", max = 19, encoding = \"bcd\", ",
            "pad = \"right\", length_encoding = \"binary\", length_counts = \"bytes\" }"
        );
        let dialect = Dialect::parse(&format!("{head}{line}")).unwrap();
        assert_eq!(dialect.mti(), MtiForm::Bcd);
        let spec = dialect.element(2).unwrap();
        let (side, digit) = (Side::Right, PadDigit::F);
        assert_eq!(spec.encoding(), Encoding::Bcd(Pad { side, digit }));
        assert_eq!(spec.prefix(), PrefixEncoding::Binary);
        assert_eq!(spec.counts(), Counts::Bytes);
    }

    #[test]
    fn words_that_do_not_go_together_are_refused_on_their_line() {
        let found = faults(concat!(
            "3 = { name = \"A\", content = \"ans\", length = \"fixed\", max = 6, encoding = \"bcd\" }\n",
            "4 = { name = \"B\", content = \"n\", length = \"LL\", max = 6, pad = \"left\" }\n",
            "5 = { name = \"C\", content = \"b\", length = \"LL\", max = 6, encoding = \"hex\" }\n",
            "6 = { name = \"D\", content = \"n\", length = \"LL\", max = 6, length_encoding = \"hex\" }\n",
        ));
        let lines: Vec<_> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [5, 6, 7, 8], "{found:?}");
        assert!(found[0].1.contains("travels as"), "{found:?}");
        assert!(found[1].1.contains("are for encoding"), "{found:?}");
        assert!(found[2].1.contains("length_counts"), "{found:?}");
        assert!(found[3].1.contains("\"hex\" is not known"), "{found:?}");
    }

    #[test]
    fn an_element_given_twice_is_refused() {
        let line = r#"3 = { name = "Code", content = "n", length = "fixed", max = 6 }"#;
        assert_eq!(faults(&format!("{line}\n{line}\n"))[0].0, 6);
        assert!(!faults(&format!("{line}\n0{line}\n")).is_empty());
    }

    #[test]
    fn text_that_is_no_toml_is_refused_with_its_line() {
        assert_eq!(faults("3 = {\n\"")[0].0, 5);
        assert!(Dialect::parse("").is_err());
    }
}
