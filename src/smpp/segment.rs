//! A long message in parts that a handset joins again, carried in one of four ways: user data
//! headers with an 8-bit or a 16-bit reference (3GPP 23.040 9.2.3.24.1 and 9.2.3.24.8), the SAR
//! parameters (SMPP 3.4 5.3.2.22 to 24), or one message_payload that the SMSC splits (5.3.2.32).
//!
//! It must never cut a character in two.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::concatenation::{IEI_CONCATENATION_8, IEI_CONCATENATION_16};
use super::gsm7::ESCAPE;
use super::language::{ELEMENT_OCTETS, IEI_SINGLE_SHIFT, NationalLanguage};
use super::pdu::EsmClass;
use super::text::{DATA_CODING_DEFAULT, DATA_CODING_UCS2, DATA_CODINGS_CLASS_DEFAULT, Encoded};

/// Most parts of one message: their count has one octet.
pub const PARTS_MAX: usize = 255;

/// Octets of user data in one message on the air (3GPP 23.040 9.2.3.16).
pub const AIR_OCTETS: usize = 140;

/// How a message that does not fit one PDU is carried; a choice of the SMSC's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Splitting {
    /// A header of 6 octets in each part. References repeat after 256 messages.
    #[default]
    Udh8,
    /// A header of 7 octets in each part. References repeat after 65,536 messages.
    Udh16,
    /// sar_msg_ref_num, sar_total_segments and sar_segment_seqnum beside each part, which has no
    /// header: the SMSC writes one before the part goes on the air. So a part leaves the room of
    /// such a header, and the reference stays below 256 to fit its smaller form; one that the SMSC
    /// had to cut again, or could not translate, would lose the whole message.
    Sar,
    /// One PDU with message_payload. The SMSC splits it by headers with an 8-bit reference, as is
    /// assumed where its parts are counted.
    Payload,
}

impl Splitting {
    /// Octets of the header that each part has on the air, its length octet not counted.
    fn element_octets(self) -> usize {
        match self {
            Self::Udh8 | Self::Sar | Self::Payload => 5,
            Self::Udh16 => 6,
        }
    }
}

/// What a part must not end within.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// One septet per octet in the PDU, packed by the SMSC.
    Septet,
    Octet,
    Ucs2,
}

impl Unit {
    fn of(data_coding: u8) -> Self {
        match data_coding {
            DATA_CODING_DEFAULT => Self::Septet,
            coding if DATA_CODINGS_CLASS_DEFAULT.contains(&coding) => Self::Septet,
            DATA_CODING_UCS2 => Self::Ucs2,
            _ => Self::Octet,
        }
    }

    /// Octets of the PDU that go on the air beside a header.
    fn room(self, header_octets: usize) -> usize {
        let octets = AIR_OCTETS - header_octets;
        match self {
            // Text begins at a septet's boundary after the header, hence rounded down.
            Self::Septet => octets * 8 / 7,
            Self::Octet => octets,
            Self::Ucs2 => octets / 2 * 2,
        }
    }

    /// Octets at the end of a part that belong with the octets after it.
    fn split_pair_octets(self, part: &[u8]) -> usize {
        match (self, part) {
            (Self::Septet, [.., ESCAPE]) => 1,
            (Self::Ucs2, [.., 0xD8..=0xDB, _]) => 2,
            _ => 0,
        }
    }
}

/// A message that needs too many parts. The fault is the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it needs {parts} parts or more, and {PARTS_MAX} are the most: shorten it")]
pub struct SegmentError {
    /// Parts needed at the least.
    pub parts: usize,
}

/// What the PDUs of one message carry. Nothing is copied that does not get a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segments<'e> {
    /// It fits one PDU and has no header.
    Whole(&'e [u8]),
    /// Parts, each of which begins with its header; one part has a header if it names a table.
    Headed(Vec<Bytes>),
    /// At least two parts that go with SAR parameters.
    Sar {
        /// For sar_msg_ref_num.
        reference: u16,
        /// In their order.
        parts: Vec<&'e [u8]>,
    },
    /// For message_payload.
    Payload {
        /// All of it.
        data: &'e [u8],
        /// Parts that the SMSC will make of it.
        parts: usize,
    },
}

impl Segments<'_> {
    /// Parts on the air, which is what the message costs.
    pub fn parts(&self) -> usize {
        match self {
            Self::Whole(_) => 1,
            Self::Headed(parts) => parts.len(),
            Self::Sar { parts, .. } => parts.len(),
            Self::Payload { parts, .. } => *parts,
        }
    }

    /// The esm_class that the parts need.
    pub fn esm_class(&self) -> EsmClass {
        match self {
            Self::Whole(_) | Self::Sar { .. } | Self::Payload { .. } => EsmClass::DEFAULT,
            Self::Headed(_) => EsmClass::UDHI,
        }
    }
}

/// Splits a message where it has to be split: never within an escape pair or a surrogate pair.
///
/// `reference` tells the parts of one message from those of another to the same recipient; it is
/// asked for only if there are parts, and its low octet alone is used where there is room for one.
///
/// # Errors
/// [`SegmentError`] above [`PARTS_MAX`] parts.
pub fn segments<'e>(
    encoded: &'e Encoded<'_>,
    splitting: Splitting,
    reference: impl FnOnce() -> u16,
) -> Result<Segments<'e>, SegmentError> {
    if encoded.data.len() <= room_whole(encoded) {
        return Ok(whole(encoded));
    }
    let texts = cut(encoded, room_of_part(encoded, splitting))?;
    Ok(match splitting {
        Splitting::Udh8 | Splitting::Udh16 => {
            Segments::Headed(headed(&texts, splitting, reference(), encoded.single_shift))
        }
        Splitting::Sar => Segments::Sar {
            reference: reference() & 0xFF,
            parts: texts,
        },
        Splitting::Payload => Segments::Payload {
            data: &encoded.data,
            parts: texts.len(),
        },
    })
}

/// How much of a message's room is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Parts on the air.
    pub parts: usize,
    /// Septets, octets, or UTF-16 units of UCS-2 that all of it takes, headers not counted.
    pub units: usize,
    /// How many more of them fit the last part.
    pub units_left: usize,
}

/// The size of a message that is split like this: what [`segments`] will make of it.
///
/// # Errors
/// [`SegmentError`] above [`PARTS_MAX`] parts.
pub fn size(encoded: &Encoded<'_>, splitting: Splitting) -> Result<Size, SegmentError> {
    let octets_per_unit = match Unit::of(encoded.data_coding) {
        Unit::Septet | Unit::Octet => 1,
        Unit::Ucs2 => 2,
    };
    let octets = encoded.data.len();
    let whole = room_whole(encoded);
    let (parts, octets_left) = if octets <= whole {
        (1, whole - octets)
    } else {
        let room = room_of_part(encoded, splitting);
        let texts = cut(encoded, room)?;
        let last = texts.last().map_or(0, |text| text.len());
        (texts.len(), room - last)
    };
    Ok(Size {
        parts,
        units: octets.div_ceil(octets_per_unit),
        units_left: octets_left / octets_per_unit,
    })
}

fn room_whole(encoded: &Encoded<'_>) -> usize {
    let header_octets = encoded.single_shift.map_or(0, |_| 1 + ELEMENT_OCTETS);
    Unit::of(encoded.data_coding).room(header_octets)
}

fn whole<'e>(encoded: &'e Encoded<'_>) -> Segments<'e> {
    let Some(language) = encoded.single_shift else {
        return Segments::Whole(&encoded.data);
    };
    let mut part = BytesMut::with_capacity(1 + ELEMENT_OCTETS + encoded.data.len());
    part.put_slice(&[ELEMENT_OCTETS as u8]);
    put_single_shift(language, &mut part);
    part.put_slice(&encoded.data);
    Segments::Headed(vec![part.freeze()])
}

fn put_single_shift(language: NationalLanguage, part: &mut BytesMut) {
    part.put_slice(&[IEI_SINGLE_SHIFT, 1, language.identifier()]);
}

fn room_of_part(encoded: &Encoded<'_>, splitting: Splitting) -> usize {
    let shift_octets = encoded.single_shift.map_or(0, |_| ELEMENT_OCTETS);
    Unit::of(encoded.data_coding).room(1 + splitting.element_octets() + shift_octets)
}

fn headed(
    texts: &[&[u8]],
    splitting: Splitting,
    reference: u16,
    language: Option<NationalLanguage>,
) -> Vec<Bytes> {
    let element_octets = splitting.element_octets() + language.map_or(0, |_| ELEMENT_OCTETS);
    let total = texts.len() as u8;
    let [_, low] = reference.to_be_bytes();
    let part = |(number, text): (u8, &&[u8])| {
        let mut part = BytesMut::with_capacity(1 + element_octets + text.len());
        part.put_u8(element_octets as u8);
        match splitting {
            Splitting::Udh16 => {
                part.put_slice(&[IEI_CONCATENATION_16, 4]);
                part.put_u16(reference);
            }
            _ => part.put_slice(&[IEI_CONCATENATION_8, 3, low]),
        }
        part.put_slice(&[total, number]);
        if let Some(language) = language {
            put_single_shift(language, &mut part);
        }
        part.put_slice(text);
        part.freeze()
    };
    (1..=total).zip(texts).map(part).collect()
}

fn cut<'e>(encoded: &'e Encoded<'_>, octets_max: usize) -> Result<Vec<&'e [u8]>, SegmentError> {
    let parts = encoded.data.len().div_ceil(octets_max);
    if parts > PARTS_MAX {
        return Err(SegmentError { parts });
    }
    let unit = Unit::of(encoded.data_coding);
    let mut texts = Vec::with_capacity(parts + 1);
    let mut rest = &encoded.data[..];
    while rest.len() > octets_max {
        let window = rest.get(..octets_max).unwrap_or(rest);
        let kept = window.len() - unit.split_pair_octets(window);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::smpp::concatenation::split_header;
    use crate::smpp::text::{Coding, decode, encode};

    const WAYS: [Splitting; 4] = [
        Splitting::Udh8,
        Splitting::Udh16,
        Splitting::Sar,
        Splitting::Payload,
    ];

    /// So many letters of GSM 03.38.
    fn letters(count: usize) -> Encoded<'static> {
        Encoded {
            data: vec![b'a'; count].into(),
            data_coding: DATA_CODING_DEFAULT,
            single_shift: None,
        }
    }

    fn made<'e>(encoded: &'e Encoded<'_>, splitting: Splitting) -> Segments<'e> {
        segments(encoded, splitting, || 0x1207).unwrap()
    }

    /// The octets of each PDU's text.
    fn split(text: &str, coding: Coding, splitting: Splitting) -> Vec<usize> {
        match made(&encode(text, coding).unwrap(), splitting) {
            Segments::Whole(data) | Segments::Payload { data, .. } => vec![data.len()],
            Segments::Headed(parts) => parts.iter().map(Bytes::len).collect(),
            Segments::Sar { parts, .. } => parts.iter().map(|part| part.len()).collect(),
        }
    }

    fn udh8(text: &str, coding: Coding) -> Vec<usize> {
        split(text, coding, Splitting::Udh8)
    }

    fn udh16(text: &str, coding: Coding) -> Vec<usize> {
        split(text, coding, Splitting::Udh16)
    }

    #[test]
    fn a_text_of_160_septets_is_whole_and_one_more_makes_two_parts_of_at_most_153() {
        assert_eq!(udh8(&"a".repeat(160), Coding::Gsm7), [160]);
        assert_eq!(udh8(&"a".repeat(161), Coding::Gsm7), [6 + 153, 6 + 8]);
        assert_eq!(udh8(&"a".repeat(306), Coding::Gsm7), [6 + 153, 6 + 153]);
    }

    #[test]
    fn a_text_of_70_ucs2_characters_is_whole_and_one_more_makes_parts_of_67() {
        assert_eq!(udh8(&"ф".repeat(70), Coding::Ucs2), [140]);
        assert_eq!(udh8(&"ф".repeat(71), Coding::Ucs2), [6 + 134, 6 + 8]);
    }

    #[test]
    fn latin1_has_140_octets_whole_and_134_per_part() {
        assert_eq!(udh8(&"ÿ".repeat(140), Coding::Latin1), [140]);
        assert_eq!(udh8(&"ÿ".repeat(141), Coding::Latin1), [6 + 134, 6 + 7]);
    }

    #[test]
    fn a_16_bit_reference_leaves_152_septets_66_characters_or_133_octets() {
        assert_eq!(udh16(&"a".repeat(160), Coding::Gsm7), [160]);
        assert_eq!(udh16(&"a".repeat(304), Coding::Gsm7), [7 + 152, 7 + 152]);
        assert_eq!(udh16(&"ф".repeat(71), Coding::Ucs2), [7 + 132, 7 + 10]);
        assert_eq!(udh16(&"ÿ".repeat(141), Coding::Latin1), [7 + 133, 7 + 8]);
    }

    #[test]
    fn sar_parts_have_no_header_but_leave_the_room_of_the_one_that_the_smsc_writes() {
        let sar = |text: &str, coding| split(text, coding, Splitting::Sar);
        assert_eq!(sar(&"a".repeat(160), Coding::Gsm7), [160]);
        assert_eq!(sar(&"a".repeat(307), Coding::Gsm7), [153, 153, 1]);
        assert_eq!(sar(&"ф".repeat(71), Coding::Ucs2), [134, 8]);
    }

    #[test]
    fn a_sar_reference_fits_the_smaller_header_that_the_smsc_may_write() {
        let long = letters(161);
        let parts = made(&long, Splitting::Sar);
        assert!(matches!(
            parts,
            Segments::Sar {
                reference: 0x07,
                ..
            }
        ));
        assert_eq!(parts.esm_class(), EsmClass::DEFAULT);
    }

    #[test]
    fn a_payload_is_one_pdu_and_counts_the_parts_that_the_smsc_will_make() {
        let (short, long) = (letters(160), letters(307));
        let short = made(&short, Splitting::Payload);
        assert!(matches!(short, Segments::Whole(_)));
        let long = made(&long, Splitting::Payload);
        assert_eq!((long.parts(), long.esm_class()), (3, EsmClass::DEFAULT));
        assert!(matches!(long, Segments::Payload { data, .. } if data.len() == 307));
    }

    #[test]
    fn an_escape_pair_moves_to_the_next_part_whole() {
        let text = format!("{}€{}", "a".repeat(152), "b".repeat(20));
        assert_eq!(udh8(&text, Coding::Gsm7), [6 + 152, 6 + 22]);
        let text = format!("{}€{}", "a".repeat(151), "b".repeat(20));
        assert_eq!(udh16(&text, Coding::Gsm7), [7 + 151, 7 + 22]);
    }

    #[test]
    fn a_surrogate_pair_moves_to_the_next_part_whole() {
        let text = format!("{}😀{}", "ф".repeat(66), "ф".repeat(9));
        assert_eq!(udh8(&text, Coding::Ucs2), [6 + 132, 6 + 22]);
        let text = format!("{}😀{}", "ф".repeat(65), "ф".repeat(9));
        assert_eq!(udh16(&text, Coding::Ucs2), [7 + 130, 7 + 22]);
    }

    #[test]
    fn each_part_begins_with_the_header_of_the_standard() {
        let long = letters(161);
        let second = |splitting| match made(&long, splitting) {
            Segments::Headed(parts) => parts[1].clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(second(Splitting::Udh8)[..7], [5, 0, 3, 0x07, 2, 2, b'a']);
        let expected = [6, 8, 4, 0x12, 0x07, 2, 2, b'a'];
        assert_eq!(second(Splitting::Udh16)[..8], expected);
        let parts = made(&long, Splitting::Udh16);
        assert!(parts.esm_class().has_user_data_header());
    }

    #[test]
    fn the_size_tells_units_and_what_the_last_part_still_takes() {
        let size = |text: &str, coding, splitting| {
            let size = size(&encode(text, coding).unwrap(), splitting).unwrap();
            (size.parts, size.units, size.units_left)
        };
        assert_eq!(size("", Coding::Gsm7, Splitting::Udh8), (1, 0, 160));
        assert_eq!(size("5 €", Coding::Gsm7, Splitting::Udh8), (1, 4, 156));
        assert_eq!(size("фы", Coding::Ucs2, Splitting::Udh8), (1, 2, 68));
        let long = "a".repeat(161);
        assert_eq!(size(&long, Coding::Gsm7, Splitting::Udh8), (2, 161, 145));
        assert_eq!(size(&long, Coding::Gsm7, Splitting::Udh16), (2, 161, 143));
    }

    #[test]
    fn single_shifts_are_named_in_a_header_that_takes_room_of_the_text() {
        let portuguese = |text: &str, splitting| {
            let encoded = crate::smpp::text::gsm7_of(text, NationalLanguage::Portuguese).unwrap();
            match segments(&encoded, splitting, || 0x1207).unwrap() {
                Segments::Headed(parts) => parts,
                other => panic!("{other:?}"),
            }
        };
        let whole = portuguese("ã", Splitting::Udh8);
        assert_eq!(whole[0][..], [3, 0x24, 1, 3, 0x1B, 0x7B]);
        assert_eq!(portuguese(&"a".repeat(155), Splitting::Udh8).len(), 1);
        let parts = portuguese(&"a".repeat(156), Splitting::Udh8);
        let header = [8, 0, 3, 0x07, 2, 1, 0x24, 1, 3, b'a'];
        assert_eq!(parts[0][..10], header);
        assert_eq!((parts[0].len(), parts[1].len()), (9 + 149, 9 + 7));
        let parts = portuguese(&"a".repeat(156), Splitting::Udh16);
        assert_eq!((parts[0].len(), parts[1].len()), (10 + 148, 10 + 8));
    }

    #[test]
    fn more_than_255_parts_are_refused_in_every_way_of_splitting() {
        assert_eq!(udh8(&"a".repeat(153 * 255), Coding::Gsm7).len(), 255);
        let one_more = letters(153 * 255 + 1);
        let euros = "€".repeat(153 * 255 / 2);
        let pairs = encode(&euros, Coding::Gsm7).unwrap();
        for splitting in WAYS {
            let refused = segments(&one_more, splitting, || 1);
            assert!(matches!(refused, Err(SegmentError { parts: 256.. })));
            assert!(size(&one_more, splitting).is_err());
            assert!(segments(&pairs, splitting, || 1).is_err());
        }
    }

    proptest! {
        #[test]
        fn the_parts_joined_are_the_text_and_none_cuts_a_character(
            text in "[a-z€\\[фđ😀]{0,400}",
            way in 0..4usize,
        ) {
            let encoded = encode(&text, Coding::Automatic).unwrap();
            let made = segments(&encoded, WAYS[way], || 9).unwrap();
            prop_assert_eq!(size(&encoded, WAYS[way]).unwrap().parts, made.parts());
            let headed;
            let texts = match made {
                Segments::Whole(data) | Segments::Payload { data, .. } => vec![data],
                Segments::Sar { parts, .. } => parts,
                Segments::Headed(parts) => {
                    let text = |part: &Bytes| split_header(part).unwrap().1;
                    headed = parts.iter().map(text).collect::<Vec<_>>();
                    headed.iter().map(|text| &text[..]).collect()
                }
            };
            let decoded = |text: &&[u8]| decode(encoded.data_coding, text).unwrap();
            prop_assert_eq!(texts.iter().map(decoded).collect::<String>(), text);
        }
    }
}
