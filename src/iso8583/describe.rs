//! A message in words, for people: `sampan decode iso8583`. Card data is masked.

use super::composite::{Composite, Part};
use super::mask::masked;
use super::{Dialect, Message};
use std::fmt::{self, Write};

/// The message type and a line per element, with the dialect's names; no line end at the end. Below
/// an element that has parts by the dialect, a line for each.
///
/// ```text
/// 0200 financial request, acquirer
///   DE2    Primary account number (PAN)  970436******1234
///   DE3    Processing code               000000
///   DE55   Chip data                     <hidden, 11 bytes>
///     5A   Application PAN                  970436******1234
///     9A   Transaction date                 260921
/// ```
pub fn describe(message: &Message, dialect: &Dialect) -> String {
    let mut text = String::new();
    // Writing to a String fails only if a Display does, and none of these can.
    match write_description(message, dialect, &mut text) {
        Ok(()) => text,
        Err(fmt::Error) => text,
    }
}

fn write_description(message: &Message, dialect: &Dialect, text: &mut String) -> fmt::Result {
    let name = |number| {
        let spec = dialect.element(number);
        spec.map_or("unknown to the dialect", |spec| spec.name())
    };
    let width = message.iter().map(|(number, _)| name(number).len()).max();
    let width = width.unwrap_or(0);
    let mti = message.mti();
    let (class, function) = (mti.class.name(), mti.function.name());
    write!(text, "{mti} {class} {function}, {}", mti.originator.name())?;
    for (number, raw) in message.iter() {
        let value = masked(number, raw);
        write!(text, "\n  DE{number:<4} {:<width$}  {value}", name(number))?;
        if let Some(composite) = dialect.composite(number) {
            write_parts(composite, number, raw, text)?;
        }
    }
    Ok(())
}

/// What can be read, and where it ends if that is not all.
fn write_parts(composite: &Composite, number: u8, value: &[u8], text: &mut String) -> fmt::Result {
    let (parts, fault) = match composite.split(number, value) {
        Ok(parts) => (parts, None),
        Err(mut error) => (std::mem::take(&mut error.parsed), Some(error)),
    };
    let label_width = |part: &Part<'_>| part.label.to_string().chars().count();
    let width = parts.iter().map(label_width).max().unwrap_or(0);
    let name_width = parts.iter().filter_map(|part| part.name().map(str::len));
    let name_width = name_width.max().unwrap_or(0);
    for part in &parts {
        let indent = PARTS_INDENT + 2 * part.depth;
        let (label, name) = (part.label, part.name().unwrap_or_default());
        let line = format!("{label:<width$}  {name:<name_width$}  {}", part.shown());
        write!(text, "\n{:indent$}{}", "", line.trim_end())?;
    }
    match fault {
        Some(error) => write!(text, "\n{:PARTS_INDENT$}{error}", ""),
        None => Ok(()),
    }
}

/// Below the number of the element.
const PARTS_INDENT: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::Mti;

    #[test]
    fn a_message_is_described_by_name_and_without_card_data() {
        let mut message = Message::new(Mti::REVERSAL_ADVICE_REPEAT);
        message
            .set(2, "9704361234561234")
            .set(4, "000000010000")
            .set(52, [0u8; 8])
            .set(102, "0011001234567");
        assert_eq!(
            describe(&message, Dialect::iso8583_1987_ascii()),
            "0421 reversal advice, acquirer repeat\n\
             \x20 DE2    Primary account number (PAN)  970436******1234\n\
             \x20 DE4    Amount, transaction           000000010000\n\
             \x20 DE52   PIN data                      <hidden, 8 bytes>\n\
             \x20 DE102  Account identification 1      *********4567"
        );
    }

    /// DE55 and DE48 of a dialect that says what is in them.
    fn with_parts() -> Dialect {
        let text = concat!(
            "name = \"parts\"\nheader = \"ascii4\"\nbitmap = \"hex\"\n[elements]\n",
            "48 = { name = \"Private\", content = \"ans\", length = \"LLL\", max = 999, ",
            "subfields = { kind = \"tlv\", tag = 2, length = 2, fields = [",
            "{ tag = \"01\", name = \"Channel\", clear = true }, ",
            "{ tag = \"02\", name = \"Reference\", clear = true }] } }\n",
            "55 = { name = \"Chip\", content = \"b\", length = \"LLL\", max = 255, ",
            "encoding = \"binary\", subfields = { kind = \"ber-tlv\" } }\n",
        );
        Dialect::parse(text).unwrap()
    }

    #[test]
    fn parts_are_told_below_their_element_and_hold_no_card_data() {
        let mut message = Message::new(Mti::FINANCIAL_REQUEST);
        let chip = [
            &[0x5A, 8, 0x97, 0x04, 0x36, 0x12, 0x34, 0x56, 0x12, 0x34][..],
            &[0x57, 4, 0x97, 0x04, 0x36, 0x12],
            &[0x70, 5, 0x9A, 3, 0x26, 0x09, 0x21, 0xDF, 0x01, 1, 7],
        ];
        let channel = "0102AT02169704361234561234039999";
        message
            .set(48, channel.get(..28).unwrap())
            .set(55, chip.concat());
        assert_eq!(
            describe(&message, &with_parts()),
            "0200 financial request, acquirer\n\
             \x20 DE48   Private  <hidden, 28 bytes>\n\
             \x20   01  Channel    AT\n\
             \x20   02  Reference  ************1234\n\
             \x20   DE48, byte 28: 2 bytes were expected, 0 are left\n\
             \x20 DE55   Chip     <hidden, 27 bytes>\n\
             \x20   5A    Application PAN          970436******1234\n\
             \x20   57    Track 2 equivalent data  <hidden, 4 bytes>\n\
             \x20   70    Record template\n\
             \x20     9A    Transaction date         260921\n\
             \x20   DF01                           <hidden, 1 bytes>"
        );
    }
}
