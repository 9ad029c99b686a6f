//! Reads a dialect file. All its faults are found in one go, each with its line.
//!
//! What the file may say is explained in `config/dialects/iso8583-1987-ascii.toml` itself.

use super::{BitmapForm, Dialect, DialectError, DialectFault, HeaderKind};
use crate::iso8583::LAST_ELEMENT;
use crate::iso8583::field::{Content, Encoding, FieldSpec, Length};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

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

struct Faults<'a> {
    text: &'a str,
    found: Vec<(usize, String)>,
}

impl Faults<'_> {
    fn add(&mut self, span: &Range<usize>, what: String) {
        self.found.push((span.start, what));
    }

    fn into_error(mut self) -> DialectError {
        self.found.sort_by_key(|(start, _)| *start);
        let line = |start: usize| {
            let before = self.text.as_bytes().get(..start).unwrap_or_default();
            before.iter().filter(|byte| **byte == b'\n').count() + 1
        };
        let fault = |(start, what)| DialectFault {
            line: line(start),
            what,
        };
        DialectError {
            faults: self.found.into_iter().map(fault).collect(),
        }
    }
}

fn read_dialect(file: &Spanned<DeTable<'_>>, faults: &mut Faults<'_>) -> Dialect {
    let mut dialect = Dialect::empty();
    let mut file = Section::new(file.get_ref(), file.span(), "the dialect");
    if let Some(name) = file.text("name", faults) {
        dialect.name = name.into();
    }
    if let Some(header) = file.choice("header", HEADERS, None, faults) {
        dialect.header = header;
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
        let section = Section::new(line, key.span(), &whose);
        if let Some(spec) = read_element(section, matches!(number, Some(1 | 65)), faults) {
            *slot = Some(spec);
        }
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
    let encoding = line.choice("encoding", ENCODINGS, Some(Encoding::Ascii), faults);
    // It has no value to keep: the one that is supported is the one that the codec writes.
    line.choice("length_encoding", LENGTH_ENCODINGS, Some(()), faults);
    line.refuse_unknown(faults);

    let (span, whose) = (line.span, line.whose);
    let (content, length) = (content?, length?(max?));
    if (content == Content::Bitmap) && !may_be_bitmap {
        let what = format!("{whose}: only elements 1 and 65 are bitmaps");
        faults.add(&span, what);
        return None;
    }
    FieldSpec::new(name?, content, length, encoding?)
        .map_err(|error| faults.add(&span, format!("{whose}: {error}")))
        .ok()
}

/// The words of a key, each with its meaning; `None` for what the format has a word for and this
/// version cannot do.
type Choices<T> = &'static [(&'static str, Option<T>)];

const HEADERS: Choices<HeaderKind> = &[
    ("ascii4", Some(HeaderKind::Ascii4)),
    ("binary2", None),
    ("bcd2", None),
    ("tpdu", None),
];
const BITMAPS: Choices<BitmapForm> = &[
    ("hex", Some(BitmapForm::Hex)),
    ("binary", Some(BitmapForm::Binary)),
    ("ebcdic", None),
];
const CONTENTS: Choices<Content> = &[
    ("a", Some(Content::Letters)),
    ("n", Some(Content::Digits)),
    ("an", Some(Content::LettersDigits)),
    ("ans", Some(Content::Text)),
    ("ns", Some(Content::DigitsSpecial)),
    ("z", Some(Content::Track)),
    ("x+n", Some(Content::SignedDigits)),
    ("b", Some(Content::Bytes)),
    ("bitmap", Some(Content::Bitmap)),
];
const LENGTHS: Choices<fn(u16) -> Length> = &[
    ("fixed", Some(Length::Fixed)),
    ("LL", Some(Length::Ll)),
    ("LLL", Some(Length::Lll)),
];
const ENCODINGS: Choices<Encoding> = &[
    ("ascii", Some(Encoding::Ascii)),
    ("hex", Some(Encoding::Hex)),
    ("binary", Some(Encoding::Binary)),
    ("bcd", None),
    ("ebcdic", None),
];
const LENGTH_ENCODINGS: Choices<()> = &[
    ("ascii", Some(())),
    ("bcd", None),
    ("ebcdic", None),
    ("binary", None),
];

/// A table of the file, of which every key must have been asked for.
struct Section<'a> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
    whose: &'a str,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    fn new(table: &'a DeTable<'a>, span: Range<usize>, whose: &'a str) -> Self {
        Self {
            table,
            span,
            whose,
            known: Vec::new(),
        }
    }

    fn optional(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.push(key);
        self.table.get(key)
    }

    fn required(
        &mut self,
        key: &'static str,
        faults: &mut Faults<'_>,
    ) -> Option<&'a Spanned<DeValue<'a>>> {
        let found = self.optional(key);
        if found.is_none() {
            faults.add(
                &self.span,
                format!("{} does not give its {key}", self.whose),
            );
        }
        found
    }

    fn text(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<&'a str> {
        let value = self.required(key, faults)?;
        self.as_text(key, value, faults)
    }

    fn as_text(
        &self,
        key: &str,
        value: &'a Spanned<DeValue<'a>>,
        faults: &mut Faults<'_>,
    ) -> Option<&'a str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            let what = format!("{}: {key} must be a text in quotes", self.whose);
            faults.add(&value.span(), what);
        }
        text
    }

    fn number(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<u16> {
        let value = self.required(key, faults)?;
        let number = value.get_ref().as_integer();
        let number = number.and_then(|n| u16::from_str_radix(n.as_str(), n.radix()).ok());
        if number.is_none() {
            let what = format!("{}: {key} must be a number from 1 to 999", self.whose);
            faults.add(&value.span(), what);
        }
        number
    }

    fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: Choices<T>,
        default: Option<T>,
        faults: &mut Faults<'_>,
    ) -> Option<T> {
        let value = match (self.optional(key), default) {
            (Some(value), _) => value,
            (None, Some(default)) => return Some(default),
            (None, None) => return self.required(key, faults).and(None),
        };
        let text = self.as_text(key, value, faults)?;
        let supported = choices.iter().filter(|(_, meaning)| meaning.is_some());
        let words: Vec<_> = supported.map(|(word, _)| *word).collect();
        let words = words.join(", ");
        let what = match choices.iter().find(|(word, _)| *word == text) {
            Some((_, Some(meaning))) => return Some(*meaning),
            Some((_, None)) => "is not supported by this version",
            None => "is not known",
        };
        let whose = self.whose;
        faults.add(
            &value.span(),
            format!("{whose}: {key} {text:?} {what}; use one of: {words}"),
        );
        None
    }

    fn refuse_unknown(&self, faults: &mut Faults<'_>) {
        for key in self.table.keys() {
            if !self.known.iter().any(|known| known == key.get_ref()) {
                let what = format!(
                    "{} has no key {:?}; it has: {}",
                    self.whose,
                    key.get_ref(),
                    self.known.join(", ")
                );
                faults.add(&key.span(), what);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_the_format_names_but_this_version_cannot_do_is_refused_as_such() {
        let found = faults(concat!(
            "3 = { name = \"A\", content = \"n\", length = \"fixed\", max = 6, encoding = \"bcd\" }\n",
            "4 = { name = \"B\", content = \"n\", length = \"LL\", max = 6, length_encoding = \"bcd\" }\n",
        ));
        assert_eq!(found.len(), 2);
        for (_, what) in found {
            assert!(what.contains("not supported by this version"), "{what}");
        }
        let error =
            Dialect::parse("name = \"x\"\nheader = \"tpdu\"\nbitmap = \"hex\"\nelements = {}");
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("line 2: "), "{error}");
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
