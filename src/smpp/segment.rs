//! A long text in parts that a handset joins again: user data headers with an 8-bit reference
//! (GSM 03.40 9.2.3.24.1), and reading such headers back.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::gsm7::ESCAPE;
use super::pdu::EsmClass;
use super::text::{DATA_CODING_DEFAULT, DATA_CODING_UCS2, Encoded};

/// Most parts of one message: their count has one octet.
pub const PARTS_MAX: usize = 255;

/// Octets of the header that each part begins with.
const HEADER_OCTETS: usize = 6;

/// Information element of a concatenated message with an 8-bit reference.
const IEI_CONCATENATION_8: u8 = 0x00;
/// The same with a 16-bit reference.
const IEI_CONCATENATION_16: u8 = 0x08;

/// How many octets of text one PDU carries, for what the air interface carries in 140.
struct Room {
    whole: usize,
    part: usize,
}

impl Room {
    /// Septets are sent one per octet and packed by the SMSC, so there is room for more.
    const SEPTETS: Self = Self {
        whole: 160,
        part: 153,
    };
    const OCTETS: Self = Self {
        whole: 140,
        part: 134,
    };
}

/// A text that needs too many parts. The fault is the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the text needs {parts} parts or more, and {PARTS_MAX} are the most: shorten it")]
pub struct SegmentError {
    /// Parts needed at the least.
    pub parts: usize,
}

/// What the PDUs of one message carry. One part, which is the common case, allocates nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segments {
    /// The text fits one PDU and has no header.
    Whole(Bytes),
    /// At least two parts, each with its header.
    Parts(Vec<Bytes>),
}

impl Segments {
    /// The parts in their order.
    pub fn as_slice(&self) -> &[Bytes] {
        match self {
            Self::Whole(data) => std::slice::from_ref(data),
            Self::Parts(parts) => parts,
        }
    }

    /// The esm_class that the parts need.
    pub fn esm_class(&self) -> EsmClass {
        match self {
            Self::Whole(_) => EsmClass::DEFAULT,
            Self::Parts(_) => EsmClass::UDHI,
        }
    }
}

/// Splits a text where it has to be split: never within an escape pair or a surrogate pair.
///
/// `reference` tells the parts of one message from those of another to the same recipient.
///
/// # Errors
/// [`SegmentError`] above [`PARTS_MAX`] parts.
pub fn segments(encoded: &Encoded, reference: u8) -> Result<Segments, SegmentError> {
    let room = match encoded.data_coding {
        DATA_CODING_DEFAULT => Room::SEPTETS,
        _ => Room::OCTETS,
    };
    if encoded.data.len() <= room.whole {
        return Ok(Segments::Whole(encoded.data.clone()));
    }
    let texts = cut(encoded, room.part)?;
    let total = texts.len() as u8;
    let parts = (1..=total).zip(texts).map(|(number, text)| {
        let mut part = BytesMut::with_capacity(HEADER_OCTETS + text.len());
        part.put_slice(&[5, IEI_CONCATENATION_8, 3, reference, total, number]);
        part.put_slice(text);
        part.freeze()
    });
    Ok(Segments::Parts(parts.collect()))
}

fn cut(encoded: &Encoded, octets_max: usize) -> Result<Vec<&[u8]>, SegmentError> {
    let parts = encoded.data.len().div_ceil(octets_max);
    if parts > PARTS_MAX {
        return Err(SegmentError { parts });
    }
    let mut texts = Vec::with_capacity(parts + 1);
    let mut rest = &encoded.data[..];
    while let Some((window, _)) = rest.split_at_checked(octets_max) {
        let kept = octets_max - split_pair_octets(encoded.data_coding, window);
        let Some((text, next)) = rest.split_at_checked(kept) else {
            break;
        };
        texts.push(text);
        rest = next;
    }
    if !rest.is_empty() {
        texts.push(rest);
    }
    if texts.len() > PARTS_MAX {
        return Err(SegmentError { parts: texts.len() });
    }
    Ok(texts)
}

/// Octets at the end of a part that belong with the octets after it.
fn split_pair_octets(data_coding: u8, part: &[u8]) -> usize {
    match (data_coding, part) {
        (DATA_CODING_DEFAULT, [.., ESCAPE]) => 1,
        (DATA_CODING_UCS2, [.., 0xD8..=0xDB, _]) => 2,
        _ => 0,
    }
}

/// Which part of which message a short message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concatenation {
    /// What all parts share; an 8-bit reference is below 256.
    pub reference: u16,
    /// Number of parts, at least one.
    pub total: u8,
    /// This part, from one to `total`.
    pub number: u8,
}

/// Takes the user data header off a text whose esm_class says that there is one.
///
/// Gives the concatenation it holds, if any that makes sense, and the text. `None` when the header
/// is longer than the octets.
pub fn split_header(data: &Bytes) -> Option<(Option<Concatenation>, Bytes)> {
    let length = usize::from(*data.first()?);
    let header = data.get(1..=length)?;
    Some((concatenation(header), data.slice(length + 1..)))
}

fn concatenation(mut elements: &[u8]) -> Option<Concatenation> {
    while let [identifier, length, rest @ ..] = elements {
        let (value, next) = rest.split_at_checked(usize::from(*length))?;
        elements = next;
        let (reference, total, number) = match (*identifier, value) {
            (IEI_CONCATENATION_8, &[reference, total, number]) => {
                (u16::from(reference), total, number)
            }
            (IEI_CONCATENATION_16, &[high, low, total, number]) => {
                (u16::from_be_bytes([high, low]), total, number)
            }
            _ => continue,
        };
        if (1..=total).contains(&number) {
            return Some(Concatenation {
                reference,
                total,
                number,
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::smpp::text::{Coding, decode, encode};

    fn split(text: &str, coding: Coding) -> Vec<usize> {
        let encoded = encode(text, coding).unwrap();
        segments(&encoded, 7)
            .unwrap()
            .as_slice()
            .iter()
            .map(Bytes::len)
            .collect()
    }

    #[test]
    fn a_text_of_160_septets_is_whole_and_one_more_makes_two_parts_of_at_most_153() {
        assert_eq!(split(&"a".repeat(160), Coding::Gsm7), [160]);
        assert_eq!(split(&"a".repeat(161), Coding::Gsm7), [6 + 153, 6 + 8]);
        assert_eq!(split(&"a".repeat(306), Coding::Gsm7), [6 + 153, 6 + 153]);
    }

    #[test]
    fn a_text_of_70_ucs2_characters_is_whole_and_one_more_makes_parts_of_67() {
        assert_eq!(split(&"ф".repeat(70), Coding::Ucs2), [140]);
        assert_eq!(split(&"ф".repeat(71), Coding::Ucs2), [6 + 134, 6 + 8]);
    }

    #[test]
    fn latin1_has_140_octets_whole_and_134_per_part() {
        assert_eq!(split(&"ÿ".repeat(140), Coding::Latin1), [140]);
        assert_eq!(split(&"ÿ".repeat(141), Coding::Latin1), [6 + 134, 6 + 7]);
    }

    #[test]
    fn an_escape_pair_moves_to_the_next_part_whole() {
        let text = format!("{}€{}", "a".repeat(152), "b".repeat(20));
        assert_eq!(split(&text, Coding::Gsm7), [6 + 152, 6 + 22]);
    }

    #[test]
    fn a_surrogate_pair_moves_to_the_next_part_whole() {
        let text = format!("{}😀{}", "ф".repeat(66), "ф".repeat(9));
        assert_eq!(split(&text, Coding::Ucs2), [6 + 132, 6 + 22]);
    }

    #[test]
    fn each_part_begins_with_the_header_of_the_standard() {
        let encoded = encode(&"a".repeat(161), Coding::Gsm7).unwrap();
        let parts = segments(&encoded, 0xA7).unwrap();
        assert_eq!(parts.as_slice()[1][..6], [5, 0, 3, 0xA7, 2, 2]);
        assert!(parts.esm_class().has_user_data_header());
    }

    #[test]
    fn more_than_255_parts_are_refused() {
        assert_eq!(split(&"a".repeat(153 * 255), Coding::Gsm7).len(), 255);
        let encoded = encode(&"a".repeat(153 * 255 + 1), Coding::Gsm7).unwrap();
        assert_eq!(segments(&encoded, 1), Err(SegmentError { parts: 256 }));
        let pairs = encode(&"€".repeat(153 * 255 / 2), Coding::Gsm7).unwrap();
        assert!(segments(&pairs, 1).is_err());
    }

    #[test]
    fn a_16_bit_reference_and_other_elements_are_read() {
        let data = Bytes::from_static(&[11, 5, 4, 0, 80, 0, 80, 8, 4, 1, 2, 3, 2, b'x']);
        // The header's length covers eleven octets, one less than both elements need.
        assert_eq!(split_header(&data).unwrap().0, None);
        let data = Bytes::from_static(&[12, 5, 4, 0, 80, 0, 80, 8, 4, 1, 2, 3, 2, b'x']);
        let (found, text) = split_header(&data).unwrap();
        assert_eq!(
            found,
            Some(Concatenation {
                reference: 0x0102,
                total: 3,
                number: 2
            })
        );
        assert_eq!(text, "x");
    }

    #[test]
    fn a_part_beyond_the_total_is_no_concatenation() {
        let data = Bytes::from_static(&[5, 0, 3, 1, 2, 3, b'x']);
        assert_eq!(
            split_header(&data).unwrap(),
            (None, Bytes::from_static(b"x"))
        );
        assert_eq!(split_header(&Bytes::from_static(&[5, 0, 3])), None);
    }

    proptest! {
        #[test]
        fn the_parts_joined_are_the_text(text in "[a-z€\\[ф😀]{0,400}") {
            let encoded = encode(&text, Coding::Automatic).unwrap();
            let parts = segments(&encoded, 9).unwrap();
            let mut joined = String::new();
            for part in parts.as_slice() {
                let text = match parts {
                    Segments::Whole(_) => part.clone(),
                    Segments::Parts(_) => split_header(part).unwrap().1,
                };
                joined.push_str(&decode(encoded.data_coding, &text).unwrap());
            }
            prop_assert_eq!(joined, text);
        }

        #[test]
        fn any_header_is_read_without_panic(octets: Vec<u8>) {
            let data = Bytes::from(octets);
            if let Some((_, text)) = split_header(&data) {
                prop_assert!(text.len() < data.len());
            }
        }
    }
}
