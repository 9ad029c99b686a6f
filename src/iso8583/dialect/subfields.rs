//! Reads what a dialect file says of the parts of an element, the key `subfields`.
//!
//! What it may say is explained in `docs/DIALECTS.md`.

use super::section::{Choices, Faults, Section};
use crate::iso8583::Composite;
use crate::iso8583::composite::{
    NamedTag, Subfield, SubfieldEncoding, SubfieldLength, Tagged, may_have_parts,
};
use crate::iso8583::field::{Content, FieldSpec};
use toml::Spanned;
use toml::de::DeValue;

#[derive(Clone, Copy)]
enum Kind {
    BerTlv,
    Positional,
    Tlv,
}

const KINDS: Choices<Kind> = &[
    ("ber-tlv", Kind::BerTlv),
    ("positional", Kind::Positional),
    ("tlv", Kind::Tlv),
];

/// `None` for a fixed length, else the digits of its prefix.
const LENGTHS: Choices<Option<u8>> = &[
    ("fixed", None),
    ("L", Some(1)),
    ("LL", Some(2)),
    ("LLL", Some(3)),
    ("LLLL", Some(4)),
];

const ENCODINGS: Choices<SubfieldEncoding> = &[
    ("ascii", SubfieldEncoding::Ascii),
    ("bcd", SubfieldEncoding::Bcd),
    ("ebcdic", SubfieldEncoding::Ebcdic),
    ("binary", SubfieldEncoding::Binary),
];

/// The parts of an element, if its line gives any and they can be read.
pub(super) fn read(element: &mut Section<'_>, faults: &mut Faults<'_>) -> Option<Composite> {
    let value = element.optional("subfields")?;
    let whose = format!("{}: subfields", element.whose);
    let Some(table) = value.get_ref().as_table() else {
        faults.add(
            &value.span(),
            format!("{whose} must be a table: {{ kind = … }}"),
        );
        return None;
    };
    let mut line = Section::new(table, value.span(), &whose);
    let kind = line.choice("kind", KINDS, None, faults);
    let composite = match kind {
        Some(Kind::BerTlv) => Some(Composite::BerTlv),
        Some(Kind::Positional) => read_positional(&mut line, faults),
        Some(Kind::Tlv) => read_tagged(&mut line, faults),
        // Which keys belong here is not known.
        None => return None,
    };
    line.refuse_unknown(faults);
    composite
}

/// What forbids that an element has such parts.
pub(super) fn misfit(number: u8, spec: &FieldSpec, composite: &Composite) -> Option<&'static str> {
    if !may_have_parts(number) {
        return Some("has no subfields: what it holds is shown masked, and the standard says what");
    }
    let is_bytes = spec.content() == Content::Bytes;
    match composite {
        Composite::BerTlv if !is_bytes => {
            Some("subfields of kind ber-tlv need content \"b\": chip data is bytes")
        }
        Composite::Positional(fields) if !is_bytes && fields.iter().any(Subfield::needs_bytes) => {
            Some("subfields in bcd, ebcdic or binary need an element with content \"b\"")
        }
        _ => None,
    }
}

fn read_positional(line: &mut Section<'_>, faults: &mut Faults<'_>) -> Option<Composite> {
    let value = line.required("fields", faults)?;
    let mut fields: Vec<Subfield> = Vec::new();
    let found = faults.count();
    for_each_table(line, value, faults, &mut |mut line, faults| {
        let name = line.text("name", faults);
        let digits = line.choice("length", LENGTHS, Some(None), faults);
        let max = line.number("max", faults);
        let ascii = SubfieldEncoding::Ascii;
        let encoding = line.choice("encoding", ENCODINGS, Some(ascii), faults);
        let prefix = line.choice("length_encoding", ENCODINGS, Some(ascii), faults);
        let clear = line.boolean("clear", faults);
        line.refuse_unknown(faults);
        let (Some(name), Some(digits), Some(max)) = (name, digits, max) else {
            return;
        };
        let (Some(encoding), Some(prefix), Some(clear)) = (encoding, prefix, clear) else {
            return;
        };
        let length = match digits {
            None => SubfieldLength::Fixed,
            Some(digits) => SubfieldLength::Prefixed {
                digits,
                encoding: prefix,
            },
        };
        match Subfield::new(name, length, max, encoding, clear) {
            Ok(field) => fields.push(field),
            Err(error) => line.fault(error, faults),
        }
    });
    if fields.is_empty() && faults.count() == found {
        line.fault("fields must not be empty", faults);
    }
    (faults.count() == found).then(|| Composite::Positional(fields.into()))
}

fn read_tagged(line: &mut Section<'_>, faults: &mut Faults<'_>) -> Option<Composite> {
    let found = faults.count();
    let tag = line.number("tag", faults);
    let length = line.number("length", faults);
    let mut known = Vec::new();
    if let Some(value) = line.optional("fields") {
        for_each_table(line, value, faults, &mut |mut line, faults| {
            let tag = line.text("tag", faults);
            let name = line.text("name", faults);
            let clear = line.boolean("clear", faults);
            line.refuse_unknown(faults);
            if let (Some(tag), Some(name), Some(clear)) = (tag, name, clear) {
                let (tag, name) = (tag.into(), name.into());
                known.push(NamedTag { tag, name, clear });
            }
        });
    }
    // More than a byte holds is too many as well.
    let byte = |number: u16| u8::try_from(number).unwrap_or(u8::MAX);
    let tagged = Tagged::new(byte(tag?), byte(length?), known);
    let tagged = tagged.map_err(|error| line.fault(error, faults)).ok()?;
    (faults.count() == found).then_some(Composite::Tagged(tagged))
}

/// Reads a list of tables, each of which is a subfield.
fn for_each_table<'a>(
    line: &Section<'_>,
    value: &'a Spanned<DeValue<'a>>,
    faults: &mut Faults<'_>,
    read: &mut dyn FnMut(Section<'_>, &mut Faults<'_>),
) {
    let Some(list) = value.get_ref().as_array() else {
        let what = format!("{}: fields must be a list of tables", line.whose);
        faults.add(&value.span(), what);
        return;
    };
    for (index, entry) in list.iter().enumerate() {
        let whose = format!("{}, field {}", line.whose, index + 1);
        match entry.get_ref().as_table() {
            Some(table) => read(Section::new(table, entry.span(), &whose), faults),
            None => faults.add(&entry.span(), format!("{whose} must be a table")),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::iso8583::Dialect;
    use crate::iso8583::composite::{Composite, Tagged};

    const HEAD: &str = "name = \"test\"\nheader = \"ascii4\"\nbitmap = \"hex\"\n[elements]\n";

    fn element(number: u8, content: &str, subfields: &str) -> String {
        let encoding = if content == "b" { "binary" } else { "ascii" };
        format!(
            "{HEAD}{number} = {{ name = \"E\", content = \"{content}\", length = \"LLL\", max = 255, \
             encoding = \"{encoding}\", subfields = {subfields} }}\n"
        )
    }

    fn read(number: u8, content: &str, subfields: &str) -> Result<Composite, String> {
        match Dialect::parse(&element(number, content, subfields)) {
            Ok(dialect) => Ok(dialect.composite(number).unwrap().clone()),
            Err(error) => {
                assert!(error.faults.iter().all(|fault| fault.line == 5), "{error}");
                Err(error.to_string())
            }
        }
    }

    #[test]
    fn each_kind_is_read() {
        let chip = read(55, "b", r#"{ kind = "ber-tlv" }"#);
        assert_eq!(chip, Ok(Composite::BerTlv));
        let tagged = read(48, "ans", r#"{ kind = "tlv", tag = 3, length = 3 }"#);
        let expected = Composite::Tagged(Tagged::new(3, 3, Vec::new()).unwrap());
        assert_eq!(tagged, Ok(expected));
        let places = read(
            60,
            "b",
            r#"{ kind = "positional", fields = [
                { name = "Batch", max = 6, encoding = "bcd", clear = true },
                { name = "Text", length = "LL", max = 99, length_encoding = "binary" },
            ] }"#,
        );
        let Ok(Composite::Positional(fields)) = places else {
            panic!("{places:?}")
        };
        assert_eq!((fields[0].name(), fields[1].max()), ("Batch", 99));
    }

    #[test]
    fn faults_are_told_by_element_and_field() {
        for (number, content, subfields, fault) in [
            (
                55,
                "b",
                r#""ber-tlv""#,
                "element 55: subfields must be a table",
            ),
            (55, "b", r#"{ kind = "ber" }"#, r#"kind "ber" is not known"#),
            (
                55,
                "b",
                r#"{ kind = "ber-tlv", tag = 2 }"#,
                "has no key \"tag\"",
            ),
            (55, "ans", r#"{ kind = "ber-tlv" }"#, "need content \"b\""),
            (
                48,
                "ans",
                r#"{ kind = "tlv", tag = 9, length = 2 }"#,
                "tag must be from 1 to 8",
            ),
            (
                48,
                "ans",
                r#"{ kind = "tlv", tag = 2 }"#,
                "does not give its length",
            ),
            (
                48,
                "ans",
                r#"{ kind = "tlv", tag = 2, length = 2, fields = [{ tag = "001", name = "x" }] }"#,
                "\"001\" is no tag of 2",
            ),
            (
                60,
                "ans",
                r#"{ kind = "positional", fields = [] }"#,
                "must not be empty",
            ),
            (
                60,
                "ans",
                r#"{ kind = "positional", fields = [1] }"#,
                "field 1 must be a table",
            ),
            (
                60,
                "ans",
                r#"{ kind = "positional", fields = [{ name = "a", max = 0 }] }"#,
                "element 60: subfields, field 1: the maximum must be from 1",
            ),
            (
                60,
                "ans",
                r#"{ kind = "positional", fields = [{ name = "a", max = 6, encoding = "bcd" }] }"#,
                "need an element with content \"b\"",
            ),
            (
                60,
                "ans",
                r#"{ kind = "positional", fields = [{ name = "a", max = 6, clear = 1 }] }"#,
                "clear must be true or false",
            ),
        ] {
            let found = read(number, content, subfields).unwrap_err();
            assert!(found.contains(fault), "{found}\nshould hold {fault}");
        }
    }

    #[test]
    fn card_numbers_tracks_pins_and_macs_are_never_split() {
        for number in [1, 2, 14, 34, 35, 36, 45, 52, 64, 65, 96, 102, 103, 128] {
            let found = read(number, "ans", r#"{ kind = "tlv", tag = 2, length = 2 }"#);
            assert!(found.unwrap_err().contains("has no subfields"), "{number}");
        }
    }
}
