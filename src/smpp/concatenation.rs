//! Which part of which long message a short message is, as its sender told it: in a user data
//! header (GSM 03.40 9.2.3.24.1 and 9.2.3.24.8) or in the SAR parameters (SMPP 3.4 5.3.2.22 to 24).
//!
//! It reads only, and believes nothing that makes no sense: a part beyond the total is none.

use bytes::Bytes;

use super::pdu::{DeliverSm, EsmClass};
use super::tlv::Tlvs;

/// Information element of a concatenated message with an 8-bit reference.
pub(super) const IEI_CONCATENATION_8: u8 = 0x00;
/// The same with a 16-bit reference.
pub(super) const IEI_CONCATENATION_16: u8 = 0x08;

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

impl Concatenation {
    /// What a deliver_sm says of itself; `None` for a message by itself.
    pub fn of(pdu: &DeliverSm) -> Option<Self> {
        Self::in_message(pdu.esm_class, &pdu.text(), &pdu.tlvs)
    }

    /// The same from the fields of a deliver_sm or data_sm; `data` begins with the user data header
    /// if the esm_class says that there is one. The header goes before the parameters, because it
    /// is what the sender's handset wrote.
    pub fn in_message(esm_class: EsmClass, data: &Bytes, tlvs: &Tlvs) -> Option<Self> {
        let in_header = match esm_class.has_user_data_header() {
            true => split_header(data).and_then(|(found, _)| found),
            false => None,
        };
        in_header.or_else(|| Self::in_tlvs(tlvs))
    }

    /// What the three SAR parameters say, all of which have to be there.
    pub fn in_tlvs(tlvs: &Tlvs) -> Option<Self> {
        let reference = tlvs.sar_msg_ref_num()?;
        Self::new(
            reference,
            tlvs.sar_total_segments()?,
            tlvs.sar_segment_seqnum()?,
        )
    }

    fn new(reference: u16, total: u8, number: u8) -> Option<Self> {
        (1..=total).contains(&number).then_some(Self {
            reference,
            total,
            number,
        })
    }
}

/// Takes the user data header off a text whose esm_class says that there is one.
///
/// Gives the concatenation it holds, if any that makes sense, and the text. `None` when the header
/// is longer than the octets.
pub fn split_header(data: &Bytes) -> Option<(Option<Concatenation>, Bytes)> {
    let length = usize::from(*data.first()?);
    let header = data.get(1..=length)?;
    Some((in_elements(header), data.slice(length + 1..)))
}

fn in_elements(mut elements: &[u8]) -> Option<Concatenation> {
    while let [identifier, length, rest @ ..] = elements {
        let (value, next) = rest.split_at_checked(usize::from(*length))?;
        elements = next;
        let found = match (*identifier, value) {
            (IEI_CONCATENATION_8, &[reference, total, number]) => {
                Concatenation::new(u16::from(reference), total, number)
            }
            (IEI_CONCATENATION_16, &[high, low, total, number]) => {
                Concatenation::new(u16::from_be_bytes([high, low]), total, number)
            }
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::smpp::{ShortMessage, Tag};

    fn sar(reference: &[u8], total: u8, number: u8) -> Tlvs {
        Tlvs::EMPTY
            .with(Tag::SAR_MSG_REF_NUM, reference)
            .and_then(|tlvs| tlvs.with(Tag::SAR_TOTAL_SEGMENTS, &[total]))
            .and_then(|tlvs| tlvs.with(Tag::SAR_SEGMENT_SEQNUM, &[number]))
            .unwrap()
    }

    fn part(reference: u16, total: u8, number: u8) -> Option<Concatenation> {
        Some(Concatenation {
            reference,
            total,
            number,
        })
    }

    #[test]
    fn the_sar_parameters_tell_the_part_if_all_three_are_there_and_make_sense() {
        let found = |tlvs| {
            Concatenation::of(&DeliverSm {
                tlvs,
                ..DeliverSm::default()
            })
        };
        assert_eq!(found(sar(&[1, 2], 3, 2)), part(0x0102, 3, 2));
        assert_eq!(found(sar(&[1, 2], 3, 4)), None);
        assert_eq!(found(sar(&[1, 2], 3, 0)), None);
        assert_eq!(found(sar(&[1], 3, 2)), None);
        let two = Tlvs::EMPTY.with(Tag::SAR_MSG_REF_NUM, &[1, 2]);
        let two = two.and_then(|tlvs| tlvs.with(Tag::SAR_TOTAL_SEGMENTS, &[3]));
        assert_eq!(found(two.unwrap()), None);
    }

    #[test]
    fn a_header_tells_the_part_in_short_message_and_in_message_payload() {
        let octets = &[5, 0, 3, 7, 2, 1, b'x'];
        let short = DeliverSm {
            esm_class: EsmClass::UDHI,
            short_message: ShortMessage::new(Bytes::from_static(octets)).unwrap(),
            tlvs: sar(&[1, 2], 9, 9),
            ..DeliverSm::default()
        };
        assert_eq!(Concatenation::of(&short), part(7, 2, 1));
        let payload = DeliverSm {
            esm_class: EsmClass::UDHI,
            tlvs: Tlvs::EMPTY.with(Tag::MESSAGE_PAYLOAD, octets).unwrap(),
            ..DeliverSm::default()
        };
        assert_eq!(Concatenation::of(&payload), part(7, 2, 1));
    }

    #[test]
    fn octets_that_look_like_a_header_are_text_unless_the_esm_class_says_so() {
        let pdu = DeliverSm {
            short_message: ShortMessage::new(Bytes::from_static(&[5, 0, 3, 7, 2, 1, b'x']))
                .unwrap(),
            ..DeliverSm::default()
        };
        assert_eq!(Concatenation::of(&pdu), None);
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
        fn any_header_is_read_without_panic(octets: Vec<u8>) {
            let data = Bytes::from(octets);
            if let Some((_, text)) = split_header(&data) {
                prop_assert!(text.len() < data.len());
            }
        }
    }
}
