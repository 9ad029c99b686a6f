//! Whole messages of a dialect, byte by byte, with values that are nobody's.

use std::fmt::{self, Write as _};

use bytes::BytesMut;

use super::needs::{NEEDS, element_bytes};
use crate::iso8583::{
    Dialect, Framing, Message, Mti,
    dialect::{BitmapForm, MtiForm},
    frame::BODY_BYTES_MAX,
};

/// What a 0420 takes over or has of its own, besides what the dialect may lack.
const OF_A_REVERSAL: [u8; 17] = [
    2, 3, 4, 7, 11, 12, 13, 18, 22, 25, 32, 33, 37, 38, 39, 41, 42,
];
/// What a 0200 does not have.
const NOT_OF_A_PAYMENT: [u8; 4] = [38, 39, 70, 90];
/// What an 0800 has.
const OF_A_SIGN_ON: [u8; 3] = [7, 11, 70];

/// A payment, its reversal and a sign-on, of all that the dialect can write.
pub(super) fn messages(dialect: &Dialect) -> [Message; 3] {
    [
        message(dialect, Mti::FINANCIAL_REQUEST, |number| {
            !NOT_OF_A_PAYMENT.contains(&number)
        }),
        message(dialect, Mti::REVERSAL_ADVICE, |number| {
            OF_A_REVERSAL.contains(&number) || matches!(number, 49 | 90 | 102 | 103)
        }),
        message(dialect, Mti::NETWORK_REQUEST, |number| {
            OF_A_SIGN_ON.contains(&number)
        }),
    ]
}

fn message(dialect: &Dialect, mti: Mti, has: impl Fn(u8) -> bool) -> Message {
    let mut message = Message::new(mti);
    for need in NEEDS.iter().filter(|need| has(need.element)) {
        if element_bytes(dialect, need.element, need.sample.as_bytes()).is_some() {
            message.set(need.element, need.sample);
        }
    }
    message
}

/// A message as a frame: a line for each of its parts, then all of it.
pub(super) fn write(dialect: &Dialect, message: &Message, text: &mut String) -> fmt::Result {
    let mut body = BytesMut::new();
    let mut frame = BytesMut::new();
    let framing = Framing::new(dialect.header(), BODY_BYTES_MAX, false);
    if let Err(error) = dialect.encode(message, &mut body) {
        return writeln!(text, "example {}: {error}", message.mti());
    }
    if let Err(error) = framing.put_frame(&body, &mut frame) {
        return writeln!(text, "example {}: {error}", message.mti());
    }
    let (mti, length) = (message.mti(), frame.len());
    writeln!(
        text,
        "example {mti}, {} {}: {length} bytes",
        mti.class.name(),
        mti.function.name()
    )?;
    let mut rest = &frame[..];
    let mut part = |name: &str, bytes: usize, value: &str| {
        let (bytes, after) = rest.split_at_checked(bytes).unwrap_or((rest, &[]));
        rest = after;
        writeln!(text, "  {name:<16}  {:<42}  {value}", hex(bytes))
    };
    let message_bytes = format!("before {} bytes of message", body.len());
    part("header", length - body.len(), &message_bytes)?;
    part("MTI", mti_bytes(dialect), &mti.to_string())?;
    let (low, high): (Vec<u8>, Vec<u8>) = message
        .iter()
        .map(|(number, _)| number)
        .partition(|number| *number <= 64);
    part("bitmap", bitmap_bytes(dialect), &numbers(&low))?;
    if !high.is_empty() {
        part("secondary bitmap", bitmap_bytes(dialect), &numbers(&high))?;
    }
    for (number, value) in message.iter() {
        let bytes = element_bytes(dialect, number, value).map_or(0, |bytes| bytes.len());
        let value = value.escape_ascii().to_string();
        part(&format!("DE{number}"), bytes, &value)?;
    }
    writeln!(text, "  {}", hex(&frame))
}

fn numbers(numbers: &[u8]) -> String {
    let words: Vec<_> = numbers.iter().map(u8::to_string).collect();
    words.join(" ")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// MTI and bitmaps of a message.
pub(super) fn preamble_bytes(dialect: &Dialect, has_secondary: bool) -> usize {
    mti_bytes(dialect) + bitmap_bytes(dialect) * if has_secondary { 2 } else { 1 }
}

fn mti_bytes(dialect: &Dialect) -> usize {
    match dialect.mti() {
        MtiForm::Ascii | MtiForm::Ebcdic => 4,
        MtiForm::Bcd => 2,
    }
}

fn bitmap_bytes(dialect: &Dialect) -> usize {
    match dialect.bitmap() {
        BitmapForm::Hex | BitmapForm::Ebcdic => 16,
        BitmapForm::Binary => 8,
    }
}
