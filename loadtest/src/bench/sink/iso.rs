//! ISO 8583:1987 as octets, as far as a bank in a hurry needs it: 4 digits of length, ASCII elements,
//! bitmaps as hexadecimal characters. Of a request the elements that its answer repeats are copied, the
//! others are stepped over. Written from the standard's table, and sharing nothing with the router's
//! codec. No I/O.

use bytes::{BufMut, BytesMut};

use crate::bench::load::write_decimal;

/// Octets of the header.
const HEADER_BYTES: usize = 4;
/// Characters of a bitmap.
const BITMAP_CHARS: usize = 16;
/// The elements that an answer repeats: number, processing code, amount, the times, STAN, retrieval
/// reference, terminal, merchant, currency.
const ECHOED: u64 = bits(&[2, 3, 4, 7, 11, 12, 13, 37, 41, 42, 49]);
/// The last of them: what comes behind it is not looked at.
const LAST_ECHOED: usize = 49;

/// The framing is lost, or a message is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoMessage;

/// The bits of elements in a primary bitmap: element 1 is the highest.
const fn bits(elements: &[usize]) -> u64 {
    let mut bits = 0;
    let mut at = 0;
    while at < elements.len() {
        bits |= 1 << (64 - elements[at]);
        at += 1;
    }
    bits
}

/// A message without its header, and what comes behind it.
type Split<'a> = (&'a [u8], &'a [u8]);

/// Splits off the first whole message; `None` if more must come.
pub(super) fn split(input: &[u8]) -> Result<Option<Split<'_>>, NoMessage> {
    let Some((header, rest)) = input.split_first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let length = number(header).ok_or(NoMessage)?;
    Ok(rest.split_at_checked(length))
}

fn number(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0, |sum, digit| {
        let value = digit.is_ascii_digit().then(|| usize::from(digit - b'0'))?;
        Some(sum * 10 + value)
    })
}

/// How long an element is.
enum Length {
    Fixed(usize),
    /// So many digits tell it.
    Told(usize),
}

/// The elements up to [`LAST_ECHOED`].
fn length(element: usize) -> Option<Length> {
    use Length::{Fixed, Told};
    Some(match element {
        2 | 32 | 33 | 34 | 35 | 44 | 45 => Told(2),
        36 | 46..=48 => Told(3),
        3 | 11 | 12 | 38 => Fixed(6),
        4..=6 | 37 => Fixed(12),
        7 => Fixed(10),
        8..=10 | 41 => Fixed(8),
        13..=18 => Fixed(4),
        19..=24 | 40 | 49 => Fixed(3),
        25 | 26 | 39 => Fixed(2),
        27 => Fixed(1),
        28..=31 => Fixed(9),
        42 => Fixed(15),
        43 => Fixed(40),
        _ => return None,
    })
}

/// Writes the answer to a request: approved, with an authorization of this number.
pub(super) fn answer(
    message: &[u8],
    authorization: u64,
    out: &mut BytesMut,
) -> Result<(), NoMessage> {
    let (mti, rest) = message.split_first_chunk::<4>().ok_or(NoMessage)?;
    let present = bitmap(rest)?;
    let begin = out.len();
    out.put_bytes(b'0', HEADER_BYTES);
    match mti {
        // The network's own: sign-on, echo. Element 70 is behind the second bitmap, as the last one.
        [b'0', b'8', _, _] => answer_network(rest, present, out),
        [version, class, _, _] => {
            let answered = bits(&[38, 39]);
            let approved = *class == b'2';
            out.put_slice(&[*version, *class, answering(mti), b'0']);
            let own = if approved { answered } else { bits(&[39]) };
            put_bitmap(present & ECHOED | own, out);
            echo(rest, present, approved.then_some(authorization), out)
        }
    }?;
    let length = out.len() - begin - HEADER_BYTES;
    let place = out.get_mut(begin..begin + HEADER_BYTES);
    write_decimal(length as u64, place.unwrap_or_default());
    Ok(())
}

/// The third digit of the answer's MTI: 0 becomes 1, an advice's 2 becomes 3.
fn answering(mti: &[u8; 4]) -> u8 {
    mti[2] + 1
}

fn bitmap(rest: &[u8]) -> Result<u64, NoMessage> {
    let digits = rest.get(..BITMAP_CHARS).ok_or(NoMessage)?;
    digits.iter().try_fold(0, |sum, digit| {
        let value = char::from(*digit).to_digit(16).ok_or(NoMessage)?;
        Ok(sum << 4 | u64::from(value))
    })
}

fn put_bitmap(bits: u64, out: &mut BytesMut) {
    for nibble in (0..BITMAP_CHARS).rev() {
        let value = (bits >> (nibble * 4) & 0xF) as u8;
        out.put_u8(if value < 10 {
            b'0' + value
        } else {
            b'A' + value - 10
        });
    }
}

/// Copies what an answer repeats, with the response code and, for an approval, the authorization
/// where they belong.
fn echo(
    rest: &[u8],
    present: u64,
    authorization: Option<u64>,
    out: &mut BytesMut,
) -> Result<(), NoMessage> {
    let has_second = present >> 63 == 1;
    let bitmaps = BITMAP_CHARS * (1 + usize::from(has_second));
    let mut rest = rest.get(bitmaps..).ok_or(NoMessage)?;
    let mut is_coded = false;
    for element in 2..=LAST_ECHOED {
        let bit = 1 << (64 - element);
        if present & bit == 0 {
            continue;
        }
        if element > 39 && !is_coded {
            put_code(authorization, out);
            is_coded = true;
        }
        let whole = match length(element).ok_or(NoMessage)? {
            Length::Fixed(octets) => octets,
            Length::Told(digits) => {
                let told = rest.get(..digits).and_then(number).ok_or(NoMessage)?;
                digits + told
            }
        };
        let (value, behind) = rest.split_at_checked(whole).ok_or(NoMessage)?;
        rest = behind;
        if ECHOED & bit != 0 {
            out.put_slice(value);
        }
    }
    if !is_coded {
        put_code(authorization, out);
    }
    Ok(())
}

fn put_code(authorization: Option<u64>, out: &mut BytesMut) {
    if let Some(number) = authorization {
        let mut digits = [0; 6];
        write_decimal(number, &mut digits);
        out.put_slice(&digits);
    }
    out.put_slice(b"00");
}

/// An 0810 has elements 7, 11, 39 and 70 of its 0800, which has 7, 11 and 70 here.
fn answer_network(rest: &[u8], present: u64, out: &mut BytesMut) -> Result<(), NoMessage> {
    const ASKED: u64 = 1 << 63 | bits(&[7, 11]);
    /// Both bitmaps, then the time and the STAN.
    const CODE_AT: usize = 2 * BITMAP_CHARS + 16;
    if present != ASKED {
        return Err(NoMessage);
    }
    out.put_slice(b"0810");
    put_bitmap(ASKED | bits(&[39]), out);
    let second = rest.get(BITMAP_CHARS..CODE_AT).ok_or(NoMessage)?;
    out.put_slice(second);
    out.put_slice(b"00");
    out.put_slice(rest.get(CODE_AT..).ok_or(NoMessage)?);
    Ok(())
}

/// A purchase as the router writes those of the generator, for the floor: 0200 with the elements 2, 3,
/// 4, 7, 11, 12, 13, 22, 25, 32, 37, 41, 42 and 49.
pub(in crate::bench) fn request_of_floor() -> Vec<u8> {
    let mut bitmap = BytesMut::new();
    put_bitmap(
        bits(&[2, 3, 4, 7, 11, 12, 13, 22, 25, 32, 37, 41, 42, 49]),
        &mut bitmap,
    );
    let mut message = b"0200".to_vec();
    message.extend_from_slice(&bitmap);
    for value in [
        "169704360000000001",
        "000000",
        "000000010000",
        "1122120000",
        "000001",
        "120000",
        "1122",
        "012",
        "00",
        "06970499",
        "532612000001",
        "BENCH001",
        "BENCHMARK000001",
        "704",
    ] {
        message.extend_from_slice(value.as_bytes());
    }
    framed(&message)
}

/// An 0800 with a sign-on, for the floor.
pub(in crate::bench) fn sign_on_of_floor() -> Vec<u8> {
    framed(b"0800822000000000000004000000000000001122120000000001001")
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut whole = format!("{:04}", message.len()).into_bytes();
    whole.extend_from_slice(message);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(message: &[u8]) -> String {
        let mut out = BytesMut::new();
        answer(message, 7, &mut out).unwrap();
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn a_purchase_is_approved_with_what_names_it() {
        // The elements 2, 3, 4, 11, 32, 37 and 41; its answer has no 32, but 38 and 39.
        let request = concat!(
            "0200",
            "7020000108800000",
            "169704360000000001",
            "000000",
            "000000010000",
            "000001",
            "06970499",
            "000000000001",
            "BENCH001"
        );
        let expected = concat!(
            "0090",
            "0210",
            "702000000E800000",
            "169704360000000001",
            "000000",
            "000000010000",
            "000001",
            "000000000001",
            "000007",
            "00",
            "BENCH001"
        );
        assert_eq!(answered(request.as_bytes()), expected);
    }

    #[test]
    fn a_reversal_is_acknowledged_without_an_authorization() {
        // The elements 11 and, behind a second bitmap, 90.
        let request = concat!(
            "0420",
            "8020000000000000",
            "0000004000000000",
            "000009",
            "020000000111221200000000097049900000000000"
        );
        let expected = concat!("0028", "0430", "0020000002000000", "000009", "00");
        assert_eq!(answered(request.as_bytes()), expected);
    }

    #[test]
    fn a_sign_on_is_acknowledged_with_its_purpose() {
        let (request, rest) = split(b"00550800822000000000000004000000000000001122120000000001001")
            .unwrap()
            .unwrap();
        assert_eq!(rest, b"");
        let expected = concat!(
            "0057",
            "0810",
            "8220000002000000",
            "0400000000000000",
            "1122120000",
            "000001",
            "00",
            "001"
        );
        assert_eq!(answered(request), expected);
    }

    #[test]
    fn what_the_floor_asks_is_approved() {
        for (request, answer) in [(request_of_floor(), "0210"), (sign_on_of_floor(), "0810")] {
            let (message, rest) = split(&request).unwrap().unwrap();
            assert_eq!(rest, b"");
            assert_eq!(&answered(message)[4..8], answer);
        }
    }

    #[test]
    fn what_is_no_message_is_told() {
        assert_eq!(split(b"00x1"), Err(NoMessage));
        assert_eq!(split(b"0100ab"), Ok(None));
        for message in [
            "",
            "0200",
            "0200702000000",
            "0200F000000000000000",
            "0200400000000000000099",
        ] {
            let answered = answer(message.as_bytes(), 0, &mut BytesMut::new());
            assert_eq!(answered, Err(NoMessage), "{message}");
        }
    }
}
