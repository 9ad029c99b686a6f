//! Writing a message. All or nothing: after an error the output is as it was.

use super::writer::Writer;
use crate::iso8583::amount::zero_filled;
use crate::iso8583::bitmap::{Bitmap, to_hex};
use crate::iso8583::dialect::{BitmapForm, MtiForm};
use crate::iso8583::field::{
    Content, Counts, Encoding, FieldSpec, Length, Pad, PadDigit, PrefixEncoding, Side,
    hex_character,
};
use crate::iso8583::{Dialect, Message, bcd, ebcdic};
use bytes::BytesMut;

/// A message that its dialect cannot write. The fault is the caller's; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("DE{element} cannot be encoded: {why}")]
pub struct EncodeError {
    /// The number of the element at fault.
    pub element: u8,
    /// What is wrong with it.
    pub why: EncodeFault,
}

/// What is wrong with an element that cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeFault {
    /// The dialect has no such element.
    #[error("the dialect has no such element")]
    Unknown,
    /// Bitmaps are made by the codec.
    #[error("bitmaps are written by Sampan itself")]
    Bitmap,
    /// The value is longer than the dialect allows.
    #[error("{length} long, at most {limit} are allowed")]
    TooLong {
        /// The value's length, in characters or bytes.
        length: usize,
        /// The greatest length.
        limit: usize,
    },
    /// `b` elements of fixed length are not filled, nor are tracks that travel as BCD.
    #[error("{length} long, it must be {expected}")]
    WrongLength {
        /// The value's length, in bytes or characters.
        length: usize,
        /// The length that the dialect gives.
        expected: usize,
    },
    /// A number without a digit: filled with zeros it would become a nought that nobody meant.
    #[error("a number needs at least one digit")]
    Empty,
    /// A byte that the content does not allow. The byte itself is not told.
    #[error("the byte at {index} is not allowed, it holds {content}")]
    Content {
        /// The index within the value.
        index: usize,
        /// What the element may hold.
        content: Content,
    },
    /// A track with an even number of characters, one end of which would be taken for the pad.
    #[error("the character ? at its end would be taken for the pad of an odd digit")]
    LikePad,
}

impl Dialect {
    /// Appends the message to `output`, without a frame header.
    ///
    /// # Errors
    /// [`EncodeError`] names the first element that the dialect refuses; `output` is unchanged.
    pub fn encode(&self, message: &Message, output: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::new(output);
        let start = writer.at();
        let written = self.write(message, &mut writer);
        let end = match written {
            Ok(()) => writer.at(),
            Err(_) => start,
        };
        writer.end(end);
        written
    }

    fn write(&self, message: &Message, output: &mut Writer<'_>) -> Result<(), EncodeError> {
        let mut bitmap = Bitmap::default();
        for element in message.numbers() {
            if !bitmap.insert(element) {
                let why = match element {
                    1 => EncodeFault::Bitmap,
                    _ => EncodeFault::Unknown,
                };
                return Err(EncodeError { element, why });
            }
        }
        put_mti(self.mti(), message.mti().digits(), output);
        let (primary, secondary) = bitmap.bits();
        put_bitmap(self.bitmap(), primary, output);
        if let Some(secondary) = secondary {
            put_bitmap(self.bitmap(), secondary, output);
        }
        for (element, value) in message.iter() {
            let spec = self.element(element).ok_or(EncodeFault::Unknown);
            spec.and_then(|spec| put_element(spec, value, output))
                .map_err(|why| EncodeError { element, why })?;
        }
        Ok(())
    }
}

fn put_mti(form: MtiForm, digits: [u8; 4], output: &mut Writer<'_>) {
    match form {
        MtiForm::Ascii => output.put(&digits),
        MtiForm::Ebcdic => put_ebcdic(output, |output| output.put(&digits)),
        MtiForm::Bcd => bcd::put(0, &digits, NO_PAD, output.room(2)),
    }
}

fn put_bitmap(form: BitmapForm, bits: u64, output: &mut Writer<'_>) {
    match form {
        BitmapForm::Hex => output.put(&to_hex(bits)),
        BitmapForm::Ebcdic => put_ebcdic(output, |output| output.put(&to_hex(bits))),
        BitmapForm::Binary => output.put(&bits.to_be_bytes()),
    }
}

/// What is asked for where the number of digits is even.
const NO_PAD: Pad = Pad {
    side: Side::Left,
    digit: PadDigit::Zero,
};

/// Makes EBCDIC of what is written in ASCII.
fn put_ebcdic<T>(output: &mut Writer<'_>, write: impl FnOnce(&mut Writer<'_>) -> T) -> T {
    let start = output.at();
    let written = write(output);
    ebcdic::from_ascii(output.since(start));
    written
}

fn put_element(spec: &FieldSpec, value: &[u8], output: &mut Writer<'_>) -> Result<(), EncodeFault> {
    let content = spec.content();
    let (length, limit) = (value.len(), spec.length().maximum());
    if content == Content::Bitmap {
        return Err(EncodeFault::Bitmap);
    }
    if length > limit {
        return Err(EncodeFault::TooLong { length, limit });
    }
    if let Some(index) = content.first_fault(value, false) {
        return Err(match content {
            Content::SignedDigits if value.is_empty() => EncodeFault::Empty,
            _ => EncodeFault::Content { index, content },
        });
    }
    let missing = match spec.length() {
        Length::Fixed(_) => limit - length,
        Length::L(_) | Length::Ll(_) | Length::Lll(_) | Length::Llll(_) => {
            put_prefix(spec, length, output);
            0
        }
    };
    // The most common case by far is out of the way of the others.
    if missing == 0 && spec.is_plain() {
        output.put(value);
        return Ok(());
    }
    put_made(spec, value, missing, output)
}

/// A value that does not travel as it stands: it is filled up, or has another form.
#[inline(never)]
fn put_made(
    spec: &FieldSpec,
    value: &[u8],
    missing: usize,
    output: &mut Writer<'_>,
) -> Result<(), EncodeFault> {
    let content = spec.content();
    if missing > 0 && content == Content::Bytes {
        return Err(wrong_length(value.len(), value.len() + missing));
    }
    match (spec.encoding(), content) {
        (Encoding::Ascii, _) => put_filled(content, value, missing, output),
        (Encoding::Binary, _) => {
            output.put(value);
            Ok(())
        }
        (Encoding::Hex, _) => put_hex(value, output),
        (Encoding::Ebcdic, Content::Bytes) => put_ebcdic(output, |output| put_hex(value, output)),
        (Encoding::Ebcdic, _) => {
            put_ebcdic(output, |output| put_filled(content, value, missing, output))
        }
        (Encoding::Bcd(pad), _) => put_packed(spec, value, missing, pad, output),
    }
}

fn wrong_length(length: usize, expected: usize) -> EncodeFault {
    EncodeFault::WrongLength { length, expected }
}

fn put_hex(value: &[u8], output: &mut Writer<'_>) -> Result<(), EncodeFault> {
    let (pairs, _) = output.room(value.len() * 2).as_chunks_mut();
    for (pair, byte) in pairs.iter_mut().zip(value) {
        *pair = [hex_character(byte >> 4), hex_character(byte & 0xF)];
    }
    Ok(())
}

/// Characters, filled to the length of a fixed element.
fn put_filled(
    content: Content,
    value: &[u8],
    missing: usize,
    output: &mut Writer<'_>,
) -> Result<(), EncodeFault> {
    match content {
        _ if missing == 0 => output.put(value),
        Content::Digits | Content::SignedDigits => {
            let (sign, digits) = number_parts(content, value)?;
            output.put(sign);
            output.fill(b'0', missing);
            output.put(digits);
        }
        _ => {
            output.put(value);
            output.fill(b' ', missing);
        }
    }
    Ok(())
}

/// The sign, which only a signed number has, and the digits, of which there must be one.
fn number_parts(content: Content, value: &[u8]) -> Result<(&[u8], &[u8]), EncodeFault> {
    let sign_bytes = usize::from(content == Content::SignedDigits);
    match value.split_at_checked(sign_bytes) {
        Some((sign, digits)) if !digits.is_empty() => Ok((sign, digits)),
        _ => Err(EncodeFault::Empty),
    }
}

/// Digits two to a byte, filled to the length of a fixed element.
fn put_packed(
    spec: &FieldSpec,
    value: &[u8],
    missing: usize,
    pad: Pad,
    output: &mut Writer<'_>,
) -> Result<(), EncodeFault> {
    let content = spec.content();
    if content == Content::Track && missing > 0 {
        return Err(wrong_length(value.len(), value.len() + missing));
    }
    let end = match pad.side {
        Side::Left => value.first(),
        Side::Right => value.last(),
    };
    let shows_pad = spec.counts() == Counts::Bytes && value.len().is_multiple_of(2);
    if shows_pad && end.copied().is_some_and(bcd::is_f) {
        return Err(EncodeFault::LikePad);
    }
    let (sign, digits) = match missing {
        0 if content != Content::SignedDigits => (&[][..], value),
        _ => number_parts(content, value)?,
    };
    output.put(sign);
    let packed_bytes = (missing + digits.len()).div_ceil(2);
    bcd::put(missing, digits, pad, output.room(packed_bytes));
    Ok(())
}

/// The length of a value of that many characters or bytes. The spec's maximum fits its prefix.
#[inline(always)]
fn put_prefix(spec: &FieldSpec, length: usize, output: &mut Writer<'_>) {
    match (spec.prefix(), spec.length()) {
        (PrefixEncoding::Ascii, Length::Ll(_)) if spec.is_plain() => {
            output.put(&zero_filled::<2>(length as u64));
        }
        (PrefixEncoding::Ascii, Length::Lll(_)) if spec.is_plain() => {
            output.put(&zero_filled::<3>(length as u64));
        }
        _ => put_made_prefix(spec, length, output),
    }
}

/// The same for what is less common.
#[inline(never)]
fn put_made_prefix(spec: &FieldSpec, length: usize, output: &mut Writer<'_>) {
    let (number, bytes) = (spec.counted(length) as u64, spec.prefix_bytes());
    let digits = zero_filled::<4>(number);
    match spec.prefix() {
        PrefixEncoding::Ascii => put_last(digits, bytes, output),
        PrefixEncoding::Ebcdic => put_last(digits.map(|digit| 0xF0 | digit), bytes, output),
        PrefixEncoding::Bcd => {
            let [thousands, hundreds, tens, ones] = digits.map(|digit| digit & 0xF);
            let packed = [thousands << 4 | hundreds, tens << 4 | ones];
            put_last(packed, bytes, output);
        }
        PrefixEncoding::Binary => put_last((number as u16).to_be_bytes(), bytes, output),
    }
}

/// The last bytes of a number that has leading zeros.
fn put_last<const N: usize>(number: [u8; N], bytes: usize, output: &mut Writer<'_>) {
    let start = N.saturating_sub(bytes);
    output.put(number.get(start..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::Mti;

    fn encode(number: u8, value: &[u8]) -> Result<String, EncodeFault> {
        let mut message = Message::new(Mti::FINANCIAL_REQUEST);
        message.set(number, value);
        let mut output = BytesMut::from(&b"before"[..]);
        match Dialect::iso8583_1987_ascii().encode(&message, &mut output) {
            Ok(()) => {
                let secondary = if number > 64 { 16 } else { 0 };
                let element = output.split_off(6 + 20 + secondary);
                Ok(String::from_utf8(element.to_vec()).unwrap())
            }
            Err(error) => {
                assert_eq!(output, "before", "an error leaves nothing behind");
                assert_eq!(error.element, number);
                Err(error.why)
            }
        }
    }

    #[test]
    fn short_numbers_are_filled_with_zeros_on_the_left() {
        assert_eq!(encode(4, b"10000").unwrap(), "000000010000");
        assert_eq!(encode(28, b"D500").unwrap(), "D00000500");
    }

    #[test]
    fn short_texts_are_filled_with_spaces_on_the_right() {
        assert_eq!(encode(41, b"ATM1").unwrap(), "ATM1    ");
        assert_eq!(encode(38, b"").unwrap(), "      ");
    }

    #[test]
    fn variable_elements_carry_their_length_and_no_fill() {
        assert_eq!(encode(32, b"970499").unwrap(), "06970499");
        assert_eq!(encode(48, b"").unwrap(), "000");
        assert_eq!(encode(48, &[b'x'; 999]).unwrap().len(), 1_002);
    }

    #[test]
    fn bytes_travel_as_upper_case_hexadecimal_and_are_never_filled() {
        let pin = [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF];
        assert_eq!(encode(52, &pin).unwrap(), "0123456789ABCDEF");
        let (length, expected) = (7, 8);
        assert_eq!(
            encode(52, &pin[..7]),
            Err(EncodeFault::WrongLength { length, expected })
        );
    }

    #[test]
    fn an_over_long_value_is_refused_with_its_limit() {
        let (length, limit) = (13, 12);
        assert_eq!(
            encode(4, b"1000000000000"),
            Err(EncodeFault::TooLong { length, limit })
        );
        let (length, limit) = (20, 19);
        assert_eq!(
            encode(2, &[b'9'; 20]),
            Err(EncodeFault::TooLong { length, limit })
        );
    }

    #[test]
    fn a_number_without_digits_is_refused_not_made_zero() {
        assert_eq!(encode(4, b""), Err(EncodeFault::Empty));
        assert_eq!(encode(28, b""), Err(EncodeFault::Empty));
        assert_eq!(encode(28, b"C"), Err(EncodeFault::Empty));
    }

    #[test]
    fn a_byte_that_does_not_belong_is_named_by_its_index() {
        let (index, content) = (2, Content::Digits);
        assert_eq!(
            encode(4, b"10.00"),
            Err(EncodeFault::Content { index, content })
        );
        let (index, content) = (0, Content::Text);
        assert_eq!(
            encode(43, "é".as_bytes()),
            Err(EncodeFault::Content { index, content })
        );
    }

    #[test]
    fn bitmaps_and_unknown_numbers_cannot_be_set_by_a_caller() {
        assert_eq!(encode(1, b"x"), Err(EncodeFault::Bitmap));
        assert_eq!(encode(65, b"x"), Err(EncodeFault::Bitmap));
        for number in [0, 129, 255] {
            assert_eq!(encode(number, b"x"), Err(EncodeFault::Unknown));
        }
    }
}
