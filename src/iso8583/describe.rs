//! A message in words, for people: `sampan decode iso8583`. Card data is masked.

use super::mask::masked;
use super::{Dialect, Message};
use std::fmt::{self, Write};

/// The message type and a line per element, with the dialect's names; no line end at the end.
///
/// ```text
/// 0200 financial request, acquirer
///   DE2    Primary account number (PAN)  970436******1234
///   DE3    Processing code               000000
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
    for (number, value) in message.iter() {
        let value = masked(number, value);
        write!(text, "\n  DE{number:<4} {:<width$}  {value}", name(number))?;
    }
    Ok(())
}

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
}
