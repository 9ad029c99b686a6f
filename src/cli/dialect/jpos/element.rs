//! One field of a packager as one line of a dialect.

use super::classes::{Class, Form, PadDigit, PrefixEncoding, Shape, class};
use super::subfields::{self, Whole};
use super::toml_text::quoted;
use super::xml::Field;

/// The greatest length of a fixed element of a dialect.
const FIXED_MAX: u32 = 999;
/// No element is longer than a message.
const ELEMENT_MAX: u32 = 9_999;
/// Tracks 2 and 3: jPOS packs them as numbers, and they hold separators.
const TRACKS: [u16; 2] = [35, 36];
/// By the standard these begin with a sign.
const SIGNED: [u16; 5] = [28, 29, 30, 31, 97];

/// What a field becomes.
pub(super) enum Translated {
    /// An inline table, and what it lacks for a fault in the subfields of the field.
    Line(String, Option<String>),
    /// The packager has a place for it and nothing in it.
    Unused,
}

/// The inline table of a field, and what had to be decided, into `notes`.
///
/// # Errors
/// Why there are no words for it; the class is named in it.
pub(super) fn translate(field: &Field, notes: &mut Vec<String>) -> Result<Translated, String> {
    let form = form(field)?;
    if form.shape == Shape::Absent || field.length == 0 {
        return Ok(Translated::Unused);
    }
    note_attributes(field, notes);
    let mut words = Words::of(field, form, notes)?;
    let parts = field
        .inner
        .as_ref()
        .map(|inner| subfields::parts(field, inner, form));
    let fault = match parts {
        None => None,
        Some(Ok(parts)) => {
            if parts.need_bytes {
                words.make_bytes(form, notes);
            }
            if let Some(encoding) = parts.hexadecimal {
                words.make_hexadecimal(encoding, notes);
            }
            words.subfields = parts.subfields;
            None
        }
        Some(Err(Whole::Comment(why))) => {
            notes.push(format!("its subfields are not told apart: {why}"));
            None
        }
        Some(Err(Whole::Fault(what))) => Some(what),
    };
    Ok(Translated::Line(words.into_line(field), fault))
}

fn form(field: &Field) -> Result<Form, String> {
    let name = &field.class;
    match class(name) {
        Some(Class::Form(form)) => Ok(form),
        Some(Class::Tagged { .. }) => Err(format!("class {name} is for subfields only")),
        Some(Class::Inexpressible(why)) => {
            Err(format!("class {name} has no words in a dialect: {why}"))
        }
        None => Err(format!("class {name} is not known")),
    }
}

fn note_attributes(field: &Field, notes: &mut Vec<String>) {
    for name in field.attributes.names() {
        match name {
            "id" | "name" | "length" | "class" | "pad" | "type" => {}
            // Those of a packager within; what they mean is decided with its fields.
            "packager" | "emitBitmap" | "bitmapField" | "firstField" | "maxValidField"
            | "headerLength" | "tagMapper" | "tagSize" | "lenSize" | "swapTagAndLen"
                if field.inner.is_some() => {}
            "trim" => notes.push("trim: what is received keeps its spaces".to_owned()),
            other => notes.push(format!("the attribute {other} is not taken over")),
        }
    }
}

/// The keys of the line of an element. `None` for what is left out.
struct Words {
    content: &'static str,
    length: &'static str,
    max: u32,
    encoding: &'static str,
    pad: Option<(&'static str, &'static str)>,
    length_encoding: &'static str,
    length_counts: Option<&'static str>,
    subfields: Option<String>,
}

impl Words {
    fn of(field: &Field, form: Form, notes: &mut Vec<String>) -> Result<Self, String> {
        let (id, class) = (field.id, &field.class);
        let number = if TRACKS.contains(&id) { "z" } else { "n" };
        let (content, encoding) = match form.shape {
            Shape::Text(code) => ("ans", code.word()),
            Shape::Digits(code) => (number, code.word()),
            Shape::Packed { .. } => (number, "bcd"),
            Shape::Signed(code) => ("x+n", code.word()),
            Shape::SignedPacked => ("x+n", "bcd"),
            Shape::Bytes => ("b", "binary"),
            Shape::Hex(super::classes::Characters::Ascii) => ("b", "hex"),
            Shape::Hex(super::classes::Characters::Ebcdic) => ("b", "ebcdic"),
            Shape::Bitmap(_) if matches!(id, 1 | 65) => ("bitmap", "ascii"),
            Shape::Bitmap(_) => return Err(format!("class {class} is for the bitmaps, 1 and 65")),
            Shape::Absent => return Err(format!("class {class} holds nothing")),
        };
        if SIGNED.contains(&id) && content == "n" {
            notes.push(
                "by the standard this begins with a sign, C or D; by its class it is all \
                        digits: compare with the bank's specification"
                    .to_owned(),
            );
        }
        if content == "z" {
            notes.push("the class is of a number; a track has separators too".to_owned());
        }
        let is_hexadecimal = matches!(form.shape, Shape::Hex(_));
        let counts_bytes = form.prefix.is_some_and(|prefix| prefix.counts_bytes);
        Ok(Self {
            content,
            length: length_word(form),
            max: maximum(field, form, notes)?,
            encoding,
            pad: pad(field, form),
            length_encoding: form.prefix.map_or("ascii", |prefix| prefix.encoding.word()),
            length_counts: match (form.prefix.is_some(), is_hexadecimal, counts_bytes) {
                (true, true, false) => Some("digits"),
                (true, _, true) => Some("bytes"),
                _ => None,
            },
            subfields: None,
        })
    }

    /// Characters in ASCII are their own bytes: what travels is the same.
    fn make_bytes(&mut self, form: Form, notes: &mut Vec<String>) {
        if form.shape != Shape::Bytes {
            (self.content, self.encoding, self.pad) = ("b", "binary", None);
            notes.push(
                "content \"b\" for the sake of its packed subfields; the bytes that travel \
                        are the same"
                    .to_owned(),
            );
        }
    }

    /// Hexadecimal characters are bytes of half as many.
    fn make_hexadecimal(&mut self, encoding: &'static str, notes: &mut Vec<String>) {
        (self.content, self.encoding, self.pad) = ("b", encoding, None);
        self.max /= 2;
        if self.length != "fixed" {
            self.length_counts = Some("digits");
        }
        notes.push("bytes as hexadecimal characters, which its length counts".to_owned());
    }

    fn into_line(self, field: &Field) -> String {
        let mut line = format!(
            "{{ name = {}, content = \"{}\", length = \"{}\", max = {}",
            quoted(&field.name()),
            self.content,
            self.length,
            self.max
        );
        let (side, digit) = self.pad.unzip();
        let encoding = Some(self.encoding).filter(|word| *word != "ascii");
        let length_encoding = Some(self.length_encoding).filter(|word| *word != "ascii");
        for (key, word) in [
            ("encoding", encoding),
            ("pad", side),
            ("pad_digit", digit),
            ("length_encoding", length_encoding),
            ("length_counts", self.length_counts),
        ] {
            if let Some(word) = word {
                line.push_str(&format!(", {key} = \"{word}\""));
            }
        }
        if let Some(subfields) = self.subfields {
            line.push_str(&format!(", subfields = {subfields}"));
        }
        line + " }"
    }
}

pub(super) fn length_word(form: Form) -> &'static str {
    match form.prefix.map(|prefix| prefix.digits) {
        None => "fixed",
        Some(1) => "L",
        Some(2) => "LL",
        Some(3) => "LLL",
        Some(_) => "LLLL",
    }
}

fn maximum(field: &Field, form: Form, notes: &mut Vec<String>) -> Result<u32, String> {
    let length = field.length;
    let Some(prefix) = form.prefix else {
        return match length {
            1..=FIXED_MAX => Ok(length),
            _ => Err(format!(
                "a fixed length of {length}: from 1 to {FIXED_MAX} can be"
            )),
        };
    };
    let packs_two = matches!(form.shape, Shape::Packed { .. }) && prefix.counts_bytes;
    let greatest = prefix.greatest() * if packs_two { 2 } else { 1 };
    let limit = greatest.min(ELEMENT_MAX);
    if length > limit {
        let what = format!("length {length}: no more than {limit} can travel");
        notes.push(what);
    }
    Ok(length.min(limit))
}

/// Which side an odd digit is filled on, where there can be one.
fn pad(field: &Field, form: Form) -> Option<(&'static str, &'static str)> {
    let (digits, right) = match form.shape {
        Shape::Packed { right_pad } => (field.length, right_pad),
        Shape::SignedPacked => (field.length.saturating_sub(1), PadDigit::Zero),
        _ => return None,
    };
    let can_be_odd = form.prefix.is_some() || digits % 2 == 1;
    match (can_be_odd, field.pad, right) {
        (false, _, _) => None,
        // Only F shows where the digits end that a length in bytes counts.
        (true, true, _) if form.prefix.is_some_and(|prefix| prefix.counts_bytes) => {
            Some(("left", "F"))
        }
        (true, true, _) => Some(("left", "0")),
        (true, false, PadDigit::Zero) => Some(("right", "0")),
        (true, false, PadDigit::F) => Some(("right", "F")),
    }
}

/// Whether the length before it, if there is one, is of ASCII digits.
pub(super) fn has_ascii_length(form: Form) -> bool {
    form.prefix
        .is_none_or(|prefix| prefix.encoding == PrefixEncoding::Ascii)
}
