//! The handsets behind a simulated SMSC: what subscribers read on them, long messages put together again,
//! and what they type in. The texts are read by this file's own tables, written from 3GPP TS 23.038 and
//! 23.040.

use std::collections::HashMap;

use tokio::sync::oneshot;

use super::{DeliveryEnd, Smsc, books::Message};

/// The default alphabet, 3GPP TS 23.038 6.2.1; 0x1B leads to the extension.
const ALPHABET: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u{1b}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                        ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Its extension, 6.2.1.1.
const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];
const ESCAPE: u8 = 0x1B;
/// esm_class: the text begins with a user data header (SMPP 3.4 5.2.12).
const HAS_HEADER: u8 = 0x40;
/// Long messages of which parts are missing at a time; an SMSC that loses parts loses them for good.
const INCOMPLETE_MAX: usize = 100_000;

/// A message as its reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The handset's number.
    pub to: String,
    /// Who sent it.
    pub from: String,
    /// What it says.
    pub text: String,
}

/// The handsets of all subscribers of an SMSC.
#[derive(Debug, Default)]
pub struct Handsets {
    /// How many messages of the books were looked at.
    seen: usize,
    incomplete: HashMap<Whole, Vec<Option<String>>>,
}

/// What the parts of a long message have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Whole {
    to: String,
    from: String,
    reference: u16,
    parts: u8,
}

impl Handsets {
    /// What came in since the last look, in its order; a long message with its last part.
    pub fn read(&mut self, smsc: &Smsc) -> Vec<Text> {
        let messages = smsc.messages_from(self.seen);
        self.seen += messages.len();
        messages.iter().filter_map(|own| self.take(own)).collect()
    }

    fn take(&mut self, message: &Message) -> Option<Text> {
        let to = message.dest.digits().into_owned();
        let from = message.source.digits().into_owned();
        let body = match &message.payload {
            Some(payload) => &payload.0[..],
            None => &message.short_message.0[..],
        };
        let (part, body) = match message.esm_class & HAS_HEADER {
            0 => (None, body),
            _ => header(body),
        };
        let text = decode(message.data_coding, body);
        let Some(part) = part else {
            return Some(Text { to, from, text });
        };
        let whole = Whole {
            to,
            from,
            reference: part.reference,
            parts: part.parts,
        };
        self.join(whole, part.number, text)
    }

    fn join(&mut self, whole: Whole, number: u8, text: String) -> Option<Text> {
        if self.incomplete.len() >= INCOMPLETE_MAX {
            self.incomplete.clear();
        }
        let parts = self.incomplete.entry(whole.clone()).or_default();
        parts.resize(usize::from(whole.parts), None);
        let place = usize::from(number).checked_sub(1)?;
        *parts.get_mut(place)? = Some(text);
        let text = parts.iter().cloned().collect::<Option<String>>()?;
        self.incomplete.remove(&whole);
        Some(Text {
            to: whole.to,
            from: whole.from,
            text,
        })
    }
}

impl Smsc {
    /// A subscriber types a message to a service. The receiver resolves when the ESME has it.
    pub fn type_in(&self, from: &str, service: &str, text: &str) -> oneshot::Receiver<DeliveryEnd> {
        match text.is_ascii() {
            // Letters, digits and blanks have the same place in both alphabets.
            true => self.inject_mo(from, service, 0, text.as_bytes().to_vec()),
            false => {
                let units = text.encode_utf16().flat_map(u16::to_be_bytes);
                self.inject_mo(from, service, 8, units.collect::<Vec<u8>>())
            }
        }
    }
}

/// Which part of which long message.
struct Part {
    reference: u16,
    parts: u8,
    number: u8,
}

/// Takes the user data header off; a concatenation element, 3GPP TS 23.040 9.2.3.24.1 and .8, if it has one.
fn header(body: &[u8]) -> (Option<Part>, &[u8]) {
    let Some((&length, rest)) = body.split_first() else {
        return (None, body);
    };
    let Some((mut elements, text)) = rest.split_at_checked(usize::from(length)) else {
        return (None, body);
    };
    let mut part = None;
    while let [id, length, tail @ ..] = elements {
        let Some((value, next)) = tail.split_at_checked(usize::from(*length)) else {
            break;
        };
        part = match (id, value) {
            (0x00, &[reference, parts, number]) => Some(Part {
                reference: reference.into(),
                parts,
                number,
            }),
            (0x08, &[high, low, parts, number]) => Some(Part {
                reference: u16::from_be_bytes([high, low]),
                parts,
                number,
            }),
            _ => part,
        };
        elements = next;
    }
    (part, text)
}

fn decode(data_coding: u8, body: &[u8]) -> String {
    match data_coding {
        8 => {
            let units = body.as_chunks::<2>().0.iter().copied();
            let units: Vec<u16> = units.map(u16::from_be_bytes).collect();
            String::from_utf16_lossy(&units)
        }
        3 => body.iter().copied().map(char::from).collect(),
        _ => default_alphabet(body),
    }
}

fn default_alphabet(body: &[u8]) -> String {
    let mut septets = body.iter().copied();
    let mut text = String::with_capacity(body.len());
    while let Some(septet) = septets.next() {
        let read = match septet {
            ESCAPE => septets.next().and_then(|next| {
                let mut extension = EXTENSION.iter();
                extension.find(|(own, _)| *own == next).map(|(_, c)| *c)
            }),
            _ => ALPHABET.chars().nth(usize::from(septet)),
        };
        text.push(read.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_coding_is_read_by_its_own_table() {
        // @ is 0, Δ 0x10, à 0x7F; { is escaped.
        assert_eq!(ALPHABET.chars().count(), 128);
        assert_eq!(decode(0, &[0, 0x10, b'M', 0x7F, 0x1B, 0x28]), "@ΔMà{");
        assert_eq!(decode(8, &[0x1E, 0xA1, 0, b'a']), "ạa");
        assert_eq!(decode(3, &[0xE9]), "é");
        assert_eq!(decode(0, &[0x1B]), "\u{fffd}");
    }

    #[test]
    fn a_long_message_is_read_once_all_of_its_parts_are_there_in_any_order() {
        let mut handsets = Handsets::default();
        let whole = Whole {
            to: "84901".to_owned(),
            from: "8049".to_owned(),
            reference: 7,
            parts: 2,
        };
        assert_eq!(handsets.join(whole.clone(), 2, "b".to_owned()), None);
        assert_eq!(handsets.join(whole.clone(), 3, "x".to_owned()), None);
        assert_eq!(handsets.join(whole.clone(), 0, "x".to_owned()), None);
        let read = handsets.join(whole, 1, "a".to_owned()).unwrap();
        assert_eq!(read.text, "ab");
        assert!(handsets.incomplete.is_empty());
    }

    #[test]
    fn a_header_names_its_part_in_both_forms_and_a_broken_one_none() {
        let (part, text) = header(&[5, 0, 3, 9, 2, 1, b'x']);
        let part = part.unwrap();
        assert_eq!((part.reference, part.parts, part.number), (9, 2, 1));
        assert_eq!(text, b"x");
        let (part, _) = header(&[6, 8, 4, 1, 0, 3, 3, b'y']);
        assert_eq!(part.map(|own| (own.reference, own.number)), Some((256, 3)));
        assert!(header(&[9, 0, 3]).0.is_none());
        assert!(header(&[]).0.is_none());
    }
}
