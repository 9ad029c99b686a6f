//! Header, message type, bitmaps and elements of a dialect in words: how each travels, in bytes.

use std::fmt::{self, Write as _};

use crate::iso8583::{
    Composite, Dialect,
    composite::{Subfield, SubfieldLength},
    dialect::{BitmapForm, MtiForm},
    field::{Content, Counts, Encoding, FieldSpec, Pad, PadDigit, PrefixEncoding, Side},
    frame::HeaderKind,
};

/// Writes all of it.
pub(super) fn write(dialect: &Dialect, text: &mut String) -> fmt::Result {
    let header = dialect.header();
    let kind = match header.kind {
        HeaderKind::Ascii4 => "ascii4: the length as four ASCII digits",
        HeaderKind::Binary2 => "binary2: the length in two bytes, the greater first",
        HeaderKind::Bcd2 => "bcd2: the length as four digits in two bytes",
    };
    let counts = match header.counts_itself {
        true => ", which counts itself",
        false => "",
    };
    writeln!(text, "  header  {kind}{counts}")?;
    if let Some(tpdu) = header.tpdu {
        writeln!(
            text,
            "  TPDU    {tpdu}, five bytes behind the length, which counts them"
        )?;
    }
    let mti = match dialect.mti() {
        MtiForm::Ascii => "4 ASCII digits",
        MtiForm::Bcd => "4 digits in 2 bytes",
        MtiForm::Ebcdic => "4 EBCDIC digits",
    };
    writeln!(text, "  MTI     {mti}")?;
    let bitmap = match dialect.bitmap() {
        BitmapForm::Hex => "16 hexadecimal ASCII characters each",
        BitmapForm::Ebcdic => "16 hexadecimal EBCDIC characters each",
        BitmapForm::Binary => "8 bytes each",
    };
    writeln!(text, "  bitmap  {bitmap}")?;
    write_elements(dialect, text)
}

fn write_elements(dialect: &Dialect, text: &mut String) -> fmt::Result {
    let elements = (1..=crate::iso8583::LAST_ELEMENT)
        .filter_map(|number| Some((number, dialect.element(number)?)));
    let elements: Vec<_> = elements.collect();
    let width = elements.iter().map(|(_, spec)| spec.name().chars().count());
    let width = width.max().unwrap_or(0);
    writeln!(text, "\n{} elements", elements.len())?;
    for (number, spec) in elements {
        let (name, length) = (spec.name(), length(spec));
        let notation = format!("{} {length}", content(spec.content()));
        let travels = travels(spec);
        writeln!(
            text,
            "  DE{number:<4} {name:<width$}  {notation:<12}  {travels}"
        )?;
        match dialect.composite(number) {
            None => {}
            Some(Composite::BerTlv) => writeln!(text, "         parts: BER-TLV")?,
            Some(Composite::Tagged(tagged)) => {
                let (tag, length) = (tagged.tag_characters(), tagged.length_digits());
                writeln!(
                    text,
                    "         parts: tag of {tag} characters, length of {length} digits"
                )?;
                for known in tagged.known() {
                    writeln!(text, "           {}  {}", known.tag, known.name)?;
                }
            }
            Some(Composite::Positional(fields)) => {
                writeln!(text, "         parts, in this order:")?;
                for field in fields {
                    writeln!(text, "           {}  {}", place(field), field.name())?;
                }
            }
        }
    }
    Ok(())
}

/// The notation of the standard.
fn content(content: Content) -> &'static str {
    match content {
        Content::Letters => "a",
        Content::Digits => "n",
        Content::LettersDigits => "an",
        Content::Text => "ans",
        Content::DigitsSpecial => "ns",
        Content::Track => "z",
        Content::SignedDigits => "x+n",
        Content::Bytes => "b",
        Content::Bitmap => "bitmap",
    }
}

fn length(spec: &FieldSpec) -> String {
    let dots = ".".repeat(spec.length().prefix_digits());
    format!("{dots}{}", spec.length().maximum())
}

/// Whether an element is of bytes, digits or characters, and in how many bytes.
fn travels(spec: &FieldSpec) -> String {
    let maximum = spec.length().maximum();
    let is_bytes = matches!(spec.content(), Content::Bytes | Content::Bitmap);
    let (units, bytes) = match spec.encoding() {
        _ if spec.content() == Content::Bitmap => return "written by Sampan itself".to_owned(),
        Encoding::Ascii => (format!("{maximum} ASCII characters"), maximum),
        Encoding::Ebcdic if is_bytes => ("EBCDIC hexadecimal characters".to_owned(), 2 * maximum),
        Encoding::Ebcdic => (format!("{maximum} EBCDIC characters"), maximum),
        Encoding::Hex => ("ASCII hexadecimal characters".to_owned(), 2 * maximum),
        Encoding::Binary => ("bytes as they are".to_owned(), maximum),
        Encoding::Bcd(pad) => packed(spec, pad, maximum),
    };
    match spec.length().prefix_digits() {
        0 if bytes == 1 => format!("1 byte: {units}"),
        0 => format!("{bytes} bytes: {units}"),
        digits => {
            let prefix = prefix(spec, digits);
            format!(
                "{} + up to {bytes} bytes: {prefix}, then {units}",
                spec.prefix_bytes()
            )
        }
    }
}

fn packed(spec: &FieldSpec, pad: Pad, maximum: usize) -> (String, usize) {
    let is_signed = spec.content() == Content::SignedDigits;
    let sign = usize::from(is_signed);
    let digits = maximum - sign.min(maximum);
    let can_be_odd = spec.length().prefix_digits() > 0 || digits % 2 == 1;
    let mut text = format!("{digits} digits, two per byte");
    if is_signed {
        text.insert_str(0, "the sign in ASCII and ");
    }
    if can_be_odd {
        let side = match pad.side {
            Side::Left => "before",
            Side::Right => "behind",
        };
        let digit = match pad.digit {
            PadDigit::Zero => "0",
            PadDigit::F => "F",
        };
        text.push_str(&format!(", {digit} {side} an odd one"));
    }
    (text, sign + digits.div_ceil(2))
}

fn prefix(spec: &FieldSpec, digits: usize) -> String {
    let made_of = match spec.prefix() {
        PrefixEncoding::Ascii => format!("{digits} ASCII digits"),
        PrefixEncoding::Ebcdic => format!("{digits} EBCDIC digits"),
        PrefixEncoding::Bcd => format!("{digits} digits in BCD"),
        PrefixEncoding::Binary => "a binary number".to_owned(),
    };
    let packs = matches!(spec.encoding(), Encoding::Bcd(_)) || spec.is_hexadecimal();
    match (packs, spec.counts()) {
        (true, Counts::Digits) => format!("{made_of}, counting digits"),
        (true, Counts::Bytes) => format!("{made_of}, counting bytes"),
        (false, _) => made_of,
    }
}

fn place(field: &Subfield) -> String {
    let dots = match field.length() {
        SubfieldLength::Fixed => String::new(),
        SubfieldLength::Prefixed { digits, .. } => ".".repeat(usize::from(digits)),
    };
    let encoding = format!("{:?}", field.encoding()).to_lowercase();
    format!("{:<18}", format!("{encoding} {dots}{}", field.max()))
}
