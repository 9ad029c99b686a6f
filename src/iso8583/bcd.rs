//! Packed digits: two to a byte, the first in the greater half. An odd one leaves a half-byte over,
//! which the pad fills.
//!
//! Values hold characters, never half-bytes: digits, and for tracks the code set of ISO 7811-2, in
//! which the sixteen half-bytes are the characters from `0` to `?`, the separator `=` being D.

use super::field::{Pad, Side};

/// The half-byte of a digit or of a character of a track, be it `=` or the D that some write for it.
fn nibble(character: u8) -> u8 {
    match character {
        letter @ b'A'..=b'F' => letter - b'A' + 10,
        other => other & 0xF,
    }
}

/// Whether a character would travel as the half-byte F.
pub(super) fn is_f(character: u8) -> bool {
    nibble(character) == 0xF
}

/// Writes that many zeros and the digits, packed, into room for just as many.
pub(super) fn put(zeros: usize, digits: &[u8], pad: Pad, room: &mut [u8]) {
    let is_odd = (zeros + digits.len()) % 2 == 1;
    let (pad_left, pad_right) = (
        is_odd && pad.side == Side::Left,
        is_odd && pad.side == Side::Right,
    );
    let before = zeros + usize::from(pad_left);
    let (blank, rest) = room.split_at_mut_checked(before / 2).unwrap_or_default();
    blank.fill(0);
    let (mut own, mut digits) = (rest.iter_mut(), digits);
    if before % 2 == 1
        && let (Some(byte), Some((low, rest))) = (own.next(), digits.split_first())
    {
        *byte = nibble(*low);
        digits = rest;
    }
    let (pairs, last) = digits.as_chunks::<2>();
    for ([high, low], byte) in pairs.iter().zip(own.by_ref()) {
        *byte = nibble(*high) << 4 | nibble(*low);
    }
    if pad_right && let (Some(byte), [high]) = (own.next(), last) {
        *byte = nibble(*high) << 4 | pad.digit.nibble();
    }
    if pad_left && let Some(first) = room.first_mut() {
        *first |= pad.digit.nibble() << 4;
    }
}

/// The characters of packed digits, pad and all.
pub(super) fn characters(packed: &[u8]) -> impl Iterator<Item = u8> {
    packed
        .iter()
        .flat_map(|byte| [b'0' + (byte >> 4), b'0' + (byte & 0xF)])
}

/// Two decimal digits of one byte as a number.
pub(super) fn number(byte: u8) -> Option<usize> {
    match (byte >> 4, byte & 0xF) {
        (tens @ 0..=9, ones @ 0..=9) => Some(usize::from(tens) * 10 + usize::from(ones)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::field::PadDigit;

    fn packed(zeros: usize, digits: &[u8], side: Side, digit: PadDigit) -> Vec<u8> {
        let mut room = vec![0xAA; (zeros + digits.len()).div_ceil(2)];
        put(zeros, digits, Pad { side, digit }, &mut room);
        room
    }

    #[test]
    fn an_even_number_of_digits_needs_no_pad() {
        for side in [Side::Left, Side::Right] {
            assert_eq!(packed(0, b"1234", side, PadDigit::F), [0x12, 0x34]);
            assert_eq!(packed(2, b"12", side, PadDigit::F), [0x00, 0x12]);
            assert!(packed(0, b"", side, PadDigit::F).is_empty());
        }
    }

    #[test]
    fn an_odd_digit_is_filled_on_the_side_and_with_the_digit_that_are_wanted() {
        let (left, right) = (Side::Left, Side::Right);
        assert_eq!(packed(0, b"123", left, PadDigit::Zero), [0x01, 0x23]);
        assert_eq!(packed(0, b"123", left, PadDigit::F), [0xF1, 0x23]);
        assert_eq!(packed(0, b"123", right, PadDigit::Zero), [0x12, 0x30]);
        assert_eq!(packed(0, b"123", right, PadDigit::F), [0x12, 0x3F]);
        assert_eq!(packed(2, b"7", right, PadDigit::F), [0x00, 0x7F]);
    }

    #[test]
    fn the_half_bytes_are_pad_zeros_and_digits_in_their_order() {
        for (zeros, count, side) in (0..5).flat_map(|zeros| {
            (1..7).flat_map(move |count| [(zeros, count, Side::Left), (zeros, count, Side::Right)])
        }) {
            let digits = &b"123456"[..count];
            let mut expected = "0".repeat(zeros) + str::from_utf8(digits).unwrap();
            if (zeros + count) % 2 == 1 {
                let at = if side == Side::Left {
                    0
                } else {
                    expected.len()
                };
                expected.insert(at, 'f');
            }
            let packed = packed(zeros, digits, side, PadDigit::F);
            let written: String = packed.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(written, expected, "{zeros} zeros, {count} digits, {side:?}");
        }
    }

    #[test]
    fn the_separator_of_a_track_is_the_half_byte_d_however_it_is_written() {
        for track in [b"12=3", b"12D3"] {
            let packed = packed(0, track, Side::Right, PadDigit::F);
            assert_eq!(packed, [0x12, 0xD3]);
            assert!(characters(&packed).eq(*b"12=3"));
        }
    }

    #[test]
    fn two_digits_are_a_number_and_a_letter_is_none() {
        assert_eq!(number(0x37), Some(37));
        assert_eq!((number(0x3A), number(0xA3)), (None, None));
    }
}
