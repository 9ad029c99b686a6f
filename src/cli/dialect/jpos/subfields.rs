//! The packager within a field as the key `subfields` of an element.
//!
//! What it cannot say changes nothing of what travels: the element stays whole, and a comment says
//! why. Only what is not known at all is a fault, as it is everywhere.

use super::classes::{Characters, Class, Form, Shape, class};
use super::element::{has_ascii_length, length_word};
use super::toml_text::quoted;
use super::xml::{Fault, Field, Inner, overruled};
use crate::iso8583::composite::may_have_parts;

/// What the parts of an element make of its line.
#[derive(Default)]
pub(super) struct Parts {
    /// The value of `subfields`.
    pub(super) subfields: Option<String>,
    /// The element must be of bytes.
    pub(super) need_bytes: bool,
    /// The element is of bytes that travel as hexadecimal characters, in this encoding.
    pub(super) hexadecimal: Option<&'static str>,
}

/// Why parts are not taken over.
pub(super) enum Whole {
    /// What a dialect has no words for.
    Comment(String),
    /// What must not be passed over in silence.
    Fault(String),
}

/// The parts of a field.
///
/// # Errors
/// Why the element stays whole.
pub(super) fn parts(field: &Field, inner: &Inner, form: Form) -> Result<Parts, Whole> {
    refuse_unknown(&inner.fields)?;
    if !u8::try_from(field.id).is_ok_and(may_have_parts) {
        return comment("what this element holds is shown masked, and the standard says what");
    }
    match inner.packager.as_str() {
        "org.jpos.iso.packager.GenericSubFieldPackager"
        | "org.jpos.iso.packager.GenericPackager" => in_order(field, inner, form),
        "org.jpos.iso.packager.GenericTaggedFieldsPackager" => by_tag_sizes(field, inner),
        "org.jpos.tlv.packager.bertlv.BERTLVBinaryPackager"
        | "org.jpos.tlv.packager.bertlv.DefaultICCBERTLVPackager" => chip_data(form),
        "org.jpos.tlv.packager.bertlv.BERTLVAsciiHexPackager" => {
            hexadecimal_chip_data(form, Characters::Ascii)
        }
        "org.jpos.tlv.packager.bertlv.BERTLVEbcdicHexPackager" => {
            hexadecimal_chip_data(form, Characters::Ebcdic)
        }
        other => Err(Whole::Comment(format!("what {other} does is not known"))),
    }
}

fn refuse_unknown(fields: &[Field]) -> Result<(), Whole> {
    if let Some(Fault { line, what }) = overruled(fields).next() {
        return Err(Whole::Fault(format!("subfield in line {line}: {what}")));
    }
    for field in fields {
        if class(&field.class).is_none() {
            let (line, id, class) = (field.line, field.id, &field.class);
            let what = format!("subfield {id} in line {line}: class {class} is not known");
            return Err(Whole::Fault(what));
        }
        if let Some(inner) = &field.inner {
            refuse_unknown(&inner.fields)?;
        }
    }
    Ok(())
}

fn comment<T>(why: &str) -> Result<T, Whole> {
    Err(Whole::Comment(why.to_owned()))
}

fn in_order(field: &Field, inner: &Inner, form: Form) -> Result<Parts, Whole> {
    if field.attributes.is_true("emitBitmap").unwrap_or(true) {
        return comment("a bitmap of their own says which of them are there");
    }
    if field
        .attributes
        .get("headerLength")
        .is_some_and(|length| length != "0")
    {
        return comment("a header stands before them");
    }
    let first = match field.attributes.get("firstField").map(str::parse) {
        Some(Ok(first)) => first,
        Some(Err(_)) => return comment("firstField is no number"),
        None => first_field(inner),
    };
    let fields = inner.fields.iter().filter(|field| field.id >= first);
    let fields: Vec<_> = fields.filter(|field| !is_absent(field)).collect();
    if let Some(tagged) = all_tagged(&fields) {
        return tagged;
    }
    let mut parts = Parts::default();
    let mut lines = Vec::new();
    for field in fields {
        let (line, needs_bytes) = place(field)?;
        lines.push(line);
        parts.need_bytes |= needs_bytes;
    }
    let is_ascii = matches!(
        form.shape,
        Shape::Bytes | Shape::Text(Characters::Ascii) | Shape::Digits(Characters::Ascii)
    );
    match (lines.is_empty(), is_ascii) {
        (true, _) => comment("there are none"),
        (false, false) => comment("the element is neither of bytes nor of ASCII characters"),
        (false, true) => {
            let list = lines.join(", ");
            parts.subfields = Some(format!("{{ kind = \"positional\", fields = [{list}] }}"));
            Ok(parts)
        }
    }
}

/// The number that jPOS begins with where the file does not say: 0 if that is a packager of its
/// own, else 1, or 2 behind a bitmap.
fn first_field(inner: &Inner) -> u16 {
    let field = |id| inner.fields.iter().find(|field| field.id == id);
    if field(0).is_some_and(|field| field.inner.is_some()) || inner.fields.len() <= 1 {
        return 0;
    }
    match field(1).and_then(|field| class(&field.class)) {
        Some(Class::Form(Form {
            shape: Shape::Bitmap(_),
            ..
        })) => 2,
        _ => 1,
    }
}

fn is_absent(field: &Field) -> bool {
    let absent = matches!(
        class(&field.class),
        Some(Class::Form(Form {
            shape: Shape::Absent,
            ..
        }))
    );
    absent || field.length == 0
}

/// The table of a place, and whether only an element of bytes can hold it.
fn place(field: &Field) -> Result<(String, bool), Whole> {
    let (id, name) = (field.id, field.name());
    let form = match class(&field.class) {
        Some(Class::Form(form)) => form,
        Some(Class::Inexpressible(why)) => {
            return comment(&format!("of subfield {id} a dialect has no words: {why}"));
        }
        Some(Class::Tagged { .. }) => {
            return comment(&format!("subfield {id} has a tag and others have none"));
        }
        None => return comment("a class is not known"),
    };
    let mut max = field.length;
    let encoding = match form.shape {
        Shape::Text(code) | Shape::Digits(code) | Shape::Signed(code) => code.word(),
        Shape::Packed { .. } => "bcd",
        Shape::Bytes | Shape::Bitmap(super::classes::Bitmap::Binary) => "binary",
        Shape::Hex(code) if form.prefix.is_none() => {
            // Shown as the characters that they are.
            max *= 2;
            code.word()
        }
        Shape::SignedPacked | Shape::Hex(_) | Shape::Bitmap(_) | Shape::Absent => {
            let class = &field.class;
            return comment(&format!("subfield {id} of class {class} has no words"));
        }
    };
    if form.prefix.is_some_and(|prefix| prefix.counts_bytes) {
        return comment(&format!(
            "the length of subfield {id} counts bytes of digits"
        ));
    }
    let limit = form
        .prefix
        .map_or(9_999, |prefix| prefix.greatest().min(9_999));
    let mut line = format!("{{ name = {}", quoted(&name));
    if form.prefix.is_some() {
        line.push_str(&format!(", length = \"{}\"", length_word(form)));
    }
    line.push_str(&format!(", max = {}", max.min(limit)));
    if encoding != "ascii" {
        line.push_str(&format!(", encoding = \"{encoding}\""));
    }
    if let Some(prefix) = form.prefix.filter(|_| !has_ascii_length(form)) {
        line.push_str(&format!(
            ", length_encoding = \"{}\"",
            prefix.encoding.word()
        ));
    }
    let needs_bytes = encoding != "ascii" || !has_ascii_length(form);
    Ok((line + " }", needs_bytes))
}

/// `None` unless every field has a tag of its own.
fn all_tagged(fields: &[&Field]) -> Option<Result<Parts, Whole>> {
    let sizes = |field: &&Field| match class(&field.class) {
        Some(Class::Tagged {
            tag,
            length,
            by_number,
        }) => Some((tag, length, by_number)),
        _ => None,
    };
    let sizes: Vec<_> = fields.iter().map(sizes).collect::<Option<_>>()?;
    let first = *sizes.first()?;
    if sizes.iter().any(|other| *other != first) {
        return Some(comment("their tags and lengths differ in size"));
    }
    let (tag, length, by_number) = first;
    let fields = fields.iter().copied();
    Some(Ok(tagged(tag.into(), length.into(), by_number, fields)))
}

fn by_tag_sizes(field: &Field, inner: &Inner) -> Result<Parts, Whole> {
    if field.attributes.is_true("swapTagAndLen") == Some(true) {
        return comment("their lengths stand before their tags");
    }
    let size = |name| {
        field
            .attributes
            .get(name)
            .and_then(|text| text.parse().ok())
    };
    match (size("tagSize"), size("lenSize")) {
        (Some(tag @ 1..=8), Some(length @ 1..=4)) => {
            Ok(tagged(tag, length, false, inner.fields.iter()))
        }
        _ => comment("tagSize or lenSize are missing, or over 8 and 4"),
    }
}

/// Those whose tag the file gives have a name; which tag the others have only a class of Java knows.
fn tagged<'a>(
    tag: usize,
    length: usize,
    by_number: bool,
    fields: impl Iterator<Item = &'a Field>,
) -> Parts {
    let is_tag =
        |text: &String| text.len() == tag && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let known = fields.filter_map(|field| {
        let own = match by_number {
            true => Some(format!("{:0tag$}", field.id)),
            false => field.attributes.get("token").map(str::to_owned),
        };
        let own = own.filter(is_tag)?;
        Some(format!(
            "{{ tag = \"{own}\", name = {} }}",
            quoted(&field.name())
        ))
    });
    let known: Vec<_> = known.collect();
    let fields = match known.is_empty() {
        true => String::new(),
        false => format!(", fields = [{}]", known.join(", ")),
    };
    let subfields = format!("{{ kind = \"tlv\", tag = {tag}, length = {length}{fields} }}");
    Parts {
        subfields: Some(subfields),
        ..Parts::default()
    }
}

fn chip_data(form: Form) -> Result<Parts, Whole> {
    match form.shape {
        Shape::Bytes | Shape::Hex(_) => Ok(Parts {
            subfields: Some("{ kind = \"ber-tlv\" }".to_owned()),
            ..Parts::default()
        }),
        Shape::Text(Characters::Ascii) => Ok(Parts {
            subfields: Some("{ kind = \"ber-tlv\" }".to_owned()),
            need_bytes: true,
            ..Parts::default()
        }),
        _ => comment("chip data in an element that is not of bytes"),
    }
}

fn hexadecimal_chip_data(form: Form, code: Characters) -> Result<Parts, Whole> {
    let encoding = match code {
        Characters::Ascii => "hex",
        Characters::Ebcdic => "ebcdic",
    };
    match form.shape {
        Shape::Bytes => {}
        Shape::Text(own) if own == code => {}
        _ => return comment("hexadecimal chip data in an element of another kind"),
    }
    Ok(Parts {
        subfields: Some("{ kind = \"ber-tlv\" }".to_owned()),
        need_bytes: false,
        hexadecimal: Some(encoding),
    })
}
