//! The body of a message: its coding, its parts and the PDUs that carry them. Pure; errors name the
//! request's field for the caller.

use std::borrow::Cow;

use super::build::{Built, Pdus};
use crate::{
    message::{Body, Message, Transliteration},
    smpp::{
        Tag, Tlvs,
        compose::{Composed, TextSettings, compose},
        octets::SHORT_MESSAGE_OCTETS_MAX,
        pdu::{EsmClass, SubmitSm, SubmitText},
        segment::{self, Segments, Size, Splitting},
        text::Encoded,
    },
};

/// What a message carries, before it is split.
pub(super) enum Content<'m> {
    /// A text with its coding chosen.
    Text(Composed<'m>),
    /// Octets that are split like a text.
    Octets(Encoded<'m>),
    /// Octets that begin with a header of the caller's. They are never split: the header says what
    /// each part is, and no part may have two.
    Headed(Encoded<'m>),
}

impl<'m> Content<'m> {
    /// The content of a message as an SMSC takes it.
    pub(super) fn of(message: &'m Message, settings: &TextSettings) -> Result<Self, String> {
        match &message.body {
            Body::Text { text, coding } => {
                let may_transliterate = match message.transliteration {
                    Transliteration::Default => settings.transliterate,
                    Transliteration::Off => false,
                    Transliteration::On => true,
                };
                compose(text, *coding, settings, may_transliterate)
                    .map(Self::Text)
                    .map_err(|error| format!("text: {error}"))
            }
            Body::Binary {
                data,
                data_coding,
                has_user_data_header,
            } => {
                let encoded = Encoded {
                    data: Cow::Borrowed(data),
                    data_coding: *data_coding,
                    single_shift: None,
                };
                Ok(match has_user_data_header {
                    true => Self::Headed(encoded),
                    false => Self::Octets(encoded),
                })
            }
        }
    }

    pub(super) fn encoded(&self) -> &Encoded<'m> {
        match self {
            Self::Text(composed) => &composed.encoded,
            Self::Octets(encoded) | Self::Headed(encoded) => encoded,
        }
    }

    /// What it costs and how much room is left.
    pub(super) fn size(&self, splitting: Splitting) -> Result<Size, String> {
        match self {
            Self::Text(_) | Self::Octets(_) => {
                segment::size(self.encoded(), splitting).map_err(|error| self.fault(error))
            }
            Self::Headed(encoded) => Ok(Size {
                parts: 1,
                units: encoded.data.len(),
                units_left: segment::AIR_OCTETS.saturating_sub(encoded.data.len()),
            }),
        }
    }

    /// The PDUs that carry it, in the given frame, as `each` makes them.
    pub(super) fn pdus<P>(
        &self,
        frame: &mut SubmitSm,
        splitting: Splitting,
        reference: impl FnOnce() -> u16,
        mut each: impl FnMut(SubmitText<'_>) -> P,
    ) -> Result<Built<P>, String> {
        frame.data_coding = self.encoded().data_coding;
        if let Self::Headed(encoded) = self {
            return self.headed(frame, &encoded.data, each);
        }
        let segments = segment::segments(self.encoded(), splitting, reference)
            .map_err(|error| self.fault(error))?;
        frame.esm_class = segments.esm_class();
        // PARTS_MAX is 255.
        let parts = u8::try_from(segments.parts()).unwrap_or(u8::MAX);
        let pdus = match &segments {
            Segments::Whole(data) => Pdus::One(self.short(frame, data, each)?),
            Segments::Headed(parts) => match &parts[..] {
                // It has a header to name a table of the language's.
                [data] => Pdus::One(self.short(frame, data, each)?),
                parts => {
                    let pdus = parts.iter().map(|data| self.short(frame, data, &mut each));
                    Pdus::Parts(pdus.collect::<Result<_, _>>()?)
                }
            },
            Segments::Sar { reference, parts } => {
                Pdus::Parts(self.sar(frame, *reference, parts, each)?)
            }
            Segments::Payload { data, .. } => Pdus::One(self.payload(frame, data, each)?),
        };
        Ok(Built { pdus, parts })
    }

    fn headed<P>(
        &self,
        frame: &mut SubmitSm,
        data: &[u8],
        each: impl FnOnce(SubmitText<'_>) -> P,
    ) -> Result<Built<P>, String> {
        frame.esm_class = EsmClass::UDHI;
        let pdu = match data.len() <= SHORT_MESSAGE_OCTETS_MAX {
            true => self.short(frame, data, each),
            // More than the air carries at once: such an SMSC knows what to make of it.
            false => self.payload(frame, data, each),
        };
        Ok(Built {
            pdus: Pdus::One(pdu?),
            parts: 1,
        })
    }

    fn short<P>(
        &self,
        frame: &SubmitSm,
        data: &[u8],
        each: impl FnOnce(SubmitText<'_>) -> P,
    ) -> Result<P, String> {
        let pdu = frame.with_text(data).map_err(|error| self.fault(error))?;
        Ok(each(pdu))
    }

    fn sar<P>(
        &self,
        frame: &mut SubmitSm,
        reference: u16,
        parts: &[&[u8]],
        mut each: impl FnMut(SubmitText<'_>) -> P,
    ) -> Result<Vec<P>, String> {
        let tags = [
            Tag::SAR_MSG_REF_NUM,
            Tag::SAR_TOTAL_SEGMENTS,
            Tag::SAR_SEGMENT_SEQNUM,
        ];
        let given = frame.tlvs.clone();
        for tag in tags {
            not_given(&given, tag)?;
        }
        let total = u8::try_from(parts.len()).unwrap_or(u8::MAX);
        let pdu = |(number, data): (u8, &&[u8])| {
            frame.tlvs = given
                .clone()
                .with(Tag::SAR_MSG_REF_NUM, &reference.to_be_bytes())
                .and_then(|tlvs| tlvs.with(Tag::SAR_TOTAL_SEGMENTS, &[total]))
                .and_then(|tlvs| tlvs.with(Tag::SAR_SEGMENT_SEQNUM, &[number]))
                .map_err(|error| format!("tlvs: {error}"))?;
            self.short(frame, data, &mut each)
        };
        (1..=total).zip(parts).map(pdu).collect()
    }

    fn payload<P>(
        &self,
        frame: &mut SubmitSm,
        data: &[u8],
        each: impl FnOnce(SubmitText<'_>) -> P,
    ) -> Result<P, String> {
        not_given(&frame.tlvs, Tag::MESSAGE_PAYLOAD)?;
        frame
            .tlvs
            .push(Tag::MESSAGE_PAYLOAD, data)
            .map_err(|error| self.fault(error))?;
        self.short(frame, &[], each)
    }

    fn fault(&self, error: impl std::fmt::Display) -> String {
        let field = match self {
            Self::Text(_) => "text",
            Self::Octets(_) | Self::Headed(_) => "binary.data",
        };
        format!("{field}: {error}")
    }
}

/// A parameter twice would leave it to the SMSC which of them holds.
fn not_given(tlvs: &Tlvs, tag: Tag) -> Result<(), String> {
    match tlvs.get(tag) {
        None => Ok(()),
        Some(_) => Err(format!(
            "tlvs: {tag} is written by Sampan for a message of this length; leave it out"
        )),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        messaging::build::submit,
        smpp::{
            Address,
            concatenation::{Concatenation, split_header},
            language::{NationalLanguage, Shifts},
            pdu::DeliverSm,
            text,
        },
    };

    fn message(body: Body) -> Message {
        Message::new(address(), body)
    }

    fn address() -> Address {
        Address::international("84901234567").unwrap()
    }

    fn text_message(text: impl Into<String>) -> Message {
        message(Body::text(text))
    }

    fn binary(octets: usize, has_user_data_header: bool) -> Message {
        message(Body::Binary {
            data: vec![0xAB; octets].into(),
            data_coding: 4,
            has_user_data_header,
        })
    }

    fn ways(splitting: Splitting) -> TextSettings {
        TextSettings {
            splitting,
            ..TextSettings::default()
        }
    }

    fn built(message: &Message, settings: TextSettings) -> Result<Built<SubmitSm>, String> {
        let pdu = |pdu: SubmitText<'_>| pdu.to_submit_sm();
        submit(message, Some(&address()), &settings, || 0x1207, pdu)
    }

    fn pdus(message: &Message, settings: TextSettings) -> Vec<SubmitSm> {
        match built(message, settings).unwrap().pdus {
            Pdus::One(pdu) => vec![pdu],
            Pdus::Parts(pdus) => pdus,
        }
    }

    fn concatenation(pdu: &SubmitSm) -> Option<Concatenation> {
        Concatenation::of(&DeliverSm {
            esm_class: pdu.esm_class,
            short_message: pdu.short_message.clone(),
            tlvs: pdu.tlvs.clone(),
            ..DeliverSm::default()
        })
    }

    #[test]
    fn sar_parts_carry_the_three_parameters_and_no_header() {
        let pdus = pdus(&text_message("a".repeat(161)), ways(Splitting::Sar));
        assert_eq!(pdus.len(), 2);
        assert_eq!(pdus[1].esm_class, EsmClass::DEFAULT);
        assert_eq!(pdus[1].short_message.as_bytes(), "aaaaaaaa");
        let tlvs: Vec<_> = pdus[1].tlvs.iter().map(|t| (t.tag.0, t.value)).collect();
        let expected: [(u16, &'static [u8]); 3] =
            [(0x020C, &[0, 0x07]), (0x020E, &[2]), (0x020F, &[2])];
        assert_eq!(
            tlvs,
            expected.map(|(tag, value)| (tag, Bytes::from_static(value)))
        );
    }

    #[test]
    fn a_payload_leaves_short_message_empty_and_costs_what_the_smsc_makes_of_it() {
        let long = text_message("a".repeat(307));
        let built = built(&long, ways(Splitting::Payload)).unwrap();
        assert_eq!(built.parts, 3);
        let Pdus::One(pdu) = built.pdus else {
            panic!("one PDU carries all");
        };
        assert!(pdu.short_message.is_empty());
        assert_eq!(pdu.tlvs.message_payload().unwrap().len(), 307);
        let short = pdus(&text_message("short"), ways(Splitting::Payload));
        assert_eq!(short[0].short_message.as_bytes(), "short");
    }

    #[test]
    fn octets_beyond_one_message_are_split_like_a_text() {
        let whole = pdus(&binary(140, false), ways(Splitting::Udh8));
        assert_eq!((whole.len(), whole[0].esm_class), (1, EsmClass::DEFAULT));
        let parts = pdus(&binary(141, false), ways(Splitting::Udh8));
        let sizes: Vec<_> = parts
            .iter()
            .map(|pdu| pdu.short_message.as_bytes().len())
            .collect();
        assert_eq!(sizes, [6 + 134, 6 + 7]);
        assert!(parts.iter().all(|pdu| pdu.data_coding == 4));
        assert_eq!(concatenation(&parts[1]).map(|part| part.number), Some(2));
    }

    #[test]
    fn octets_with_a_header_of_their_own_are_never_split() {
        let short = pdus(&binary(200, true), ways(Splitting::Udh8));
        assert_eq!((short.len(), short[0].esm_class), (1, EsmClass::UDHI));
        assert_eq!(short[0].short_message.as_bytes().len(), 200);
        let long = pdus(&binary(255, true), ways(Splitting::Udh8));
        assert_eq!(long[0].tlvs.message_payload().unwrap().len(), 255);
        assert!(long[0].short_message.is_empty());
    }

    #[test]
    fn a_parameter_that_sampan_writes_is_not_taken_from_the_caller_too() {
        let mut long = text_message("a".repeat(161));
        long.tlvs = vec![(0x020E, Bytes::from_static(&[1]))];
        let refused = built(&long, ways(Splitting::Sar)).err().unwrap();
        assert_eq!(
            refused,
            "tlvs: sar_total_segments is written by Sampan for a message of this length; leave it out"
        );
        let mut short = text_message("a");
        short.tlvs = long.tlvs;
        assert!(built(&short, ways(Splitting::Sar)).is_ok());
    }

    #[test]
    fn the_request_goes_before_the_smsc_where_transliteration_is_concerned() {
        let on = TextSettings {
            transliterate: true,
            ..TextSettings::default()
        };
        let coding = |wanted, settings| {
            let mut message = text_message("Đặng");
            message.transliteration = wanted;
            pdus(&message, settings)[0].data_coding
        };
        let off = TextSettings::default();
        assert_eq!(coding(Transliteration::Default, off), 8);
        assert_eq!(coding(Transliteration::On, off), 0);
        assert_eq!(coding(Transliteration::Default, on), 0);
        assert_eq!(coding(Transliteration::Off, on), 8);
    }

    #[test]
    fn too_long_a_text_is_refused_by_its_field() {
        let refused = built(&text_message("a".repeat(50_000)), ways(Splitting::Udh8));
        let expected = "text: it needs 327 parts or more, and 255 are the most: shorten it";
        assert_eq!(refused.err().unwrap(), expected);
    }

    proptest! {
        #[test]
        fn the_size_that_is_told_is_that_of_the_pdus_and_they_hold_the_text(
            text in "[a-z€\\[đ😀]{0,500}|[a-z]{0,500}|[a-zéă ]{0,300}",
            way in 0..4usize,
            latin1: bool,
            transliterate: bool,
            is_portuguese: bool,
        ) {
            let national_language = is_portuguese.then_some(NationalLanguage::Portuguese);
            let splitting = [Splitting::Udh8, Splitting::Udh16, Splitting::Sar, Splitting::Payload][way];
            let settings = TextSettings { latin1, transliterate, national_language, ..ways(splitting) };
            let message = text_message(text);
            let content = Content::of(&message, &settings).unwrap();
            let built = built(&message, settings).unwrap();
            let told = content.size(splitting).unwrap().parts;
            prop_assert_eq!(told, usize::from(built.parts));
            let pdus = match built.pdus {
                Pdus::One(pdu) => vec![pdu],
                Pdus::Parts(pdus) => {
                    prop_assert_eq!(told, pdus.len());
                    pdus
                }
            };
            let mut joined = Vec::new();
            let mut shifts = Shifts::default();
            for (number, pdu) in (1..).zip(&pdus) {
                prop_assert_eq!(pdu.data_coding, content.encoded().data_coding);
                let data = pdu.text();
                joined.extend_from_slice(&match pdu.esm_class.has_user_data_header() {
                    true => {
                        shifts = Shifts::in_header(&data);
                        split_header(&data).unwrap().1
                    }
                    false => data,
                });
                let part = concatenation(pdu).map(|part| (part.number, usize::from(part.total)));
                prop_assert_eq!(part, (pdus.len() > 1).then_some((number, pdus.len())));
            }
            let Content::Text(composed) = &content else { panic!("a text was given") };
            let decoded = text::decode_shifted(composed.encoded.data_coding, &joined, shifts);
            prop_assert_eq!(decoded.as_deref(), Some(&*composed.text));
        }
    }
}
