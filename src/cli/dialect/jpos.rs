//! `sampan dialect import`: a packager of jPOS as a dialect file.
//!
//! Nothing is dropped in silence: what had to be decided becomes a comment where it stands, and what
//! has no words in a dialect an error with its line, or a comment where that was asked for. No field
//! is guessed at.

mod classes;
mod element;
mod subfields;
mod toml_text;
mod xml;

pub(super) use xml::Fault;

use classes::{Bitmap, Characters, Class, Form, Shape, class};
use element::Translated;
use toml_text::{comment, quoted};
use xml::{Field, Packager};

/// What a packager does not say.
pub(super) struct Wanted<'a> {
    /// The dialect's name.
    pub(super) name: &'a str,
    /// The word for the header; by the message type if it is not given.
    pub(super) header: Option<&'a str>,
    /// Leave out what has no words, with a comment, and do not fail.
    pub(super) lenient: bool,
}

/// A dialect file, and what it is worth to know of its making.
#[derive(Debug)]
pub(super) struct Imported {
    pub(super) text: String,
    /// How many elements it has.
    pub(super) elements: usize,
    /// What is not in it, by the lines of the packager.
    pub(super) left_out: Vec<Fault>,
}

/// The dialect file for the text of a packager.
///
/// # Errors
/// Every field that cannot be taken over, by its line; with `lenient` only what is no packager.
pub(super) fn import(text: &str, wanted: &Wanted<'_>) -> Result<Imported, Refused> {
    let packager = xml::read(text).map_err(Refused::fatal)?;
    let mut import = Import::default();
    import.message(&packager, wanted);
    let overruled: Vec<_> = xml::overruled(&packager.fields).collect();
    for field in packager.fields.iter().filter(|field| field.id > 1) {
        match overruled.iter().find(|fault| fault.line == field.line) {
            Some(fault) => import.leave_out(fault.line, fault.what.clone()),
            None => import.element(field),
        }
    }
    let Import {
        head,
        body,
        elements,
        left_out,
        fatal,
    } = import;
    if !fatal.is_empty() || !(wanted.lenient || left_out.is_empty()) {
        let lenient_helps = fatal.is_empty();
        let mut faults = [fatal, left_out].concat();
        faults.sort_by_key(|fault| fault.line);
        return Err(Refused {
            faults,
            lenient_helps,
        });
    }
    Ok(Imported {
        text: format!("{head}\n[elements]\n{body}"),
        elements,
        left_out,
    })
}

/// Why there is no dialect file.
#[derive(Debug)]
pub(super) struct Refused {
    /// In the order of their lines.
    pub(super) faults: Vec<Fault>,
    /// Whether all of them could be left out.
    pub(super) lenient_helps: bool,
}

impl Refused {
    fn fatal(faults: Vec<Fault>) -> Self {
        Self {
            faults,
            lenient_helps: false,
        }
    }
}

#[derive(Default)]
struct Import {
    head: String,
    body: String,
    elements: usize,
    left_out: Vec<Fault>,
    /// What cannot be left out.
    fatal: Vec<Fault>,
}

impl Import {
    fn message(&mut self, packager: &Packager, wanted: &Wanted<'_>) {
        let field = |id| packager.fields.iter().find(|field| field.id == id);
        let mti = self.mti(field(0), packager.line);
        let bitmap = self.bitmap(field(1), packager);
        let header = wanted.header.unwrap_or(match mti {
            "ascii" => "ascii4",
            _ => "binary2",
        });
        self.head = comment("Made of a jPOS packager by `sampan dialect import`.");
        self.head += "#\n";
        for note in [
            "header: a packager does not say what stands before a message; the channel of jPOS \
             does: ASCIIChannel has \"ascii4\", PostChannel and NACChannel \"binary2\", BCDChannel \
             \"bcd2\"; NACChannel has a tpdu besides.",
            "content: jPOS does not look at what a text holds, so each is \"ans\" here.",
            "What it was made of is not all that the bank says: compare `sampan dialect check` with \
             the bank's specification.",
        ] {
            self.head += &comment(note);
        }
        self.attributes(packager);
        let (name, header) = (quoted(wanted.name), quoted(header));
        let words =
            format!("\nname = {name}\nheader = {header}\nmti = \"{mti}\"\nbitmap = \"{bitmap}\"\n");
        self.head += &words;
    }

    /// Those of the packager that mean something for a message.
    fn attributes(&mut self, packager: &Packager) {
        for name in packager.attributes.names() {
            let value = packager.attributes.get(name).unwrap_or_default();
            let note = match (name, value) {
                ("maxValidField", "64" | "128") | ("bitmapField", "1") => continue,
                ("emitBitmap", _) if value.eq_ignore_ascii_case("true") => continue,
                ("headerLength", "0") | ("firstField", "1" | "2") => continue,
                ("headerLength", "5") => {
                    "if these bytes are a TPDU, give tpdu = \"60…\", the ten hexadecimal characters \
                     that the bank gave you."
                }
                ("emitBitmap" | "bitmapField" | "headerLength" | "thirdBitmapField", _) => {
                    let what = format!("{name}={value:?}: a dialect has no words for it");
                    self.leave_out(packager.line, what);
                    continue;
                }
                _ => "not taken over.",
            };
            self.head += &comment(&format!("{name}={value}: {note}"));
        }
    }

    fn mti(&mut self, field: Option<&Field>, line: usize) -> &'static str {
        let Some(field) = field else {
            let what = "has no field 0, the message type".to_owned();
            self.fatal.push(Fault { line, what });
            return "ascii";
        };
        let shape = match class(&field.class) {
            Some(Class::Form(Form {
                shape,
                prefix: None,
            })) if field.length == 4 => Some(shape),
            _ => None,
        };
        match shape {
            Some(Shape::Text(code) | Shape::Digits(code)) => code.word(),
            Some(Shape::Packed { .. }) => "bcd",
            _ => {
                let (line, class, length) = (field.line, &field.class, field.length);
                let what = format!(
                    "field 0: class {class} of length {length} is no message type: four digits in \
                     ASCII, BCD or EBCDIC"
                );
                self.fatal.push(Fault { line, what });
                Characters::Ascii.word()
            }
        }
    }

    fn bitmap(&mut self, field: Option<&Field>, packager: &Packager) -> &'static str {
        let (line, what) = match field.map(|field| (field, class(&field.class))) {
            Some((
                field,
                Some(Class::Form(Form {
                    shape: Shape::Bitmap(bitmap),
                    ..
                })),
            )) => {
                let note = match field.length {
                    16 => None,
                    8 => Some(
                        "The packager has a primary bitmap only; a secondary one is read and \
                               written here where an element over 64 needs it.",
                    ),
                    _ => Some(
                        "The packager has a bitmap of another length than 8 or 16 bytes: a \
                               third one is refused here.",
                    ),
                };
                if let Some(note) = note {
                    self.body += &comment(note);
                }
                self.body += "1 = { name = \"Bitmap, secondary\", content = \"bitmap\", \
                              length = \"fixed\", max = 16 }\n";
                return bitmap.word();
            }
            Some((field, _)) => (
                field.line,
                format!("field 1: class {} is no bitmap", field.class),
            ),
            None => (packager.line, "has no field 1, the bitmap".to_owned()),
        };
        self.fatal.push(Fault { line, what });
        Bitmap::Hex.word()
    }

    fn element(&mut self, field: &Field) {
        let id = field.id;
        if id > 128 {
            self.leave_out(field.line, format!("field {id}: elements run to 128"));
            return;
        }
        let mut notes = Vec::new();
        match element::translate(field, &mut notes) {
            Ok(Translated::Line(line, fault)) => {
                if let Some(what) = fault {
                    self.leave_out(field.line, format!("subfields of field {id}: {what}"));
                }
                for note in notes {
                    self.body += &comment(&format!("{id}: {note}."));
                }
                self.body += &format!("{id} = {line}\n");
                self.elements += 1;
            }
            Ok(Translated::Unused) => {
                self.body += &comment(&format!("{id}: not used by the packager."));
            }
            Err(why) => self.leave_out(field.line, format!("field {id}: {why}")),
        }
    }

    fn leave_out(&mut self, line: usize, what: String) {
        self.body += &comment(&format!("LEFT OUT, line {line} of the packager: {what}."));
        self.left_out.push(Fault { line, what });
    }
}

#[cfg(test)]
mod tests;
