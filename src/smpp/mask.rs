//! A PDU's octets with its texts and passwords overwritten, for captures: every length, address, id
//! and status stays as it was on the wire.
//!
//! It overwrites rather than encodes anew, so that what is off the standard stays visible. What it
//! cannot find its way in is overwritten whole: nothing private may pass because a peer was sloppy.

use bytes::BytesMut;

use super::codec::{Frame, HEADER_OCTETS, put_frame};
use super::command::CommandId;
use super::pdu::EsmClass;
use super::tlv::Tag;

/// What stands in place of each private octet.
const MASK: u8 = b'x';

/// The whole PDU, header included, with every text and password overwritten by `x`.
///
/// Private are: the password of bind and outbind (SMPP 3.4 5.2.2), short_message (5.2.22) and
/// message_payload (5.3.2.32) behind their user data header, callback_num and its name, the value of every TLV
/// that the standard does not name, and the body of a command that it does not name.
pub fn masked(frame: &Frame) -> BytesMut {
    let mut out = BytesMut::with_capacity(HEADER_OCTETS + frame.body.len());
    put_frame(&mut out, frame.header, |out| {
        let start = out.len();
        out.extend_from_slice(&frame.body);
        if let Some(body) = out.get_mut(start..) {
            mask_body(frame.header.command_id, body);
        }
    });
    out
}

fn mask_body(command: CommandId, octets: &mut [u8]) {
    let mut body = Body { octets, at: 0 };
    if body.walk(command).is_none() {
        // The body ends early or is of no known form.
        body.octets.fill(MASK);
    }
}

/// The octets of a body and how far they are understood.
struct Body<'a> {
    octets: &'a mut [u8],
    at: usize,
}

impl Body<'_> {
    fn walk(&mut self, command: CommandId) -> Option<()> {
        match command {
            CommandId::BIND_TRANSMITTER
            | CommandId::BIND_RECEIVER
            | CommandId::BIND_TRANSCEIVER
            | CommandId::OUTBIND => {
                self.string()?;
                self.private_string()
            }
            CommandId::SUBMIT_SM | CommandId::DELIVER_SM => self.message(),
            CommandId::SUBMIT_MULTI => self.message_to_many(),
            CommandId::DATA_SM => self.data_sm(),
            CommandId::REPLACE_SM => self.replace_sm(),
            CommandId::SUBMIT_SM_RESP | CommandId::DELIVER_SM_RESP | CommandId::DATA_SM_RESP => {
                self.response()
            }
            CommandId::ALERT_NOTIFICATION => {
                self.address()?;
                self.address()?;
                self.tlvs(false)
            }
            CommandId::BIND_TRANSMITTER_RESP
            | CommandId::BIND_RECEIVER_RESP
            | CommandId::BIND_TRANSCEIVER_RESP => self.response(),
            _ if command.name().is_some() => Some(()),
            _ => None,
        }
    }

    /// submit_sm and deliver_sm (4.4.1, 4.6.1).
    fn message(&mut self) -> Option<()> {
        self.string()?;
        self.address()?;
        self.address()?;
        self.flags_text_and_tlvs()
    }

    /// submit_multi (4.5.1): each destination says whether it is an address or a list's name.
    fn message_to_many(&mut self) -> Option<()> {
        self.string()?;
        self.address()?;
        for _ in 0..self.octet()? {
            match self.octet()? {
                1 => self.address()?,
                2 => self.string()?,
                _ => return None,
            }
        }
        self.flags_text_and_tlvs()
    }

    fn flags_text_and_tlvs(&mut self) -> Option<()> {
        let has_header = EsmClass(self.octet()?).has_user_data_header();
        self.skip(2)?;
        self.string()?;
        self.string()?;
        self.skip(4)?;
        let length = self.octet()?;
        self.text(usize::from(length), has_header)?;
        self.tlvs(has_header)
    }

    /// data_sm (4.7.1), whose text is a TLV.
    fn data_sm(&mut self) -> Option<()> {
        self.string()?;
        self.address()?;
        self.address()?;
        let has_header = EsmClass(self.octet()?).has_user_data_header();
        self.skip(2)?;
        self.tlvs(has_header)
    }

    /// replace_sm (4.10.1).
    fn replace_sm(&mut self) -> Option<()> {
        self.string()?;
        self.address()?;
        self.string()?;
        self.string()?;
        self.skip(2)?;
        let length = self.octet()?;
        self.text(usize::from(length), false)
    }

    /// A name or an id and TLVs; peers leave out either or both.
    fn response(&mut self) -> Option<()> {
        if self.at < self.octets.len() {
            self.string()?;
        }
        self.tlvs(false)
    }

    fn tlvs(&mut self, has_header: bool) -> Option<()> {
        while self.at < self.octets.len() {
            let tag = Tag(u16::from_be_bytes([self.octet()?, self.octet()?]));
            let length = usize::from(u16::from_be_bytes([self.octet()?, self.octet()?]));
            match tag {
                Tag::MESSAGE_PAYLOAD => self.text(length, has_header)?,
                Tag::CALLBACK_NUM | Tag::CALLBACK_NUM_ATAG => self.fill(length)?,
                tag if tag.name().is_none() => self.fill(length)?,
                _ => self.skip(length)?,
            }
        }
        Some(())
    }

    /// A text; its user data header, if it has a whole one, says how it is split and not what it is.
    fn text(&mut self, length: usize, has_header: bool) -> Option<()> {
        let header = match self.octets.get(self.at) {
            Some(octets) if has_header => usize::from(*octets) + 1,
            _ => 0,
        };
        let shown = if header <= length { header } else { 0 };
        self.skip(shown)?;
        self.fill(length - shown)
    }

    fn fill(&mut self, length: usize) -> Option<()> {
        self.octets.get_mut(self.at..self.at + length)?.fill(MASK);
        self.skip(length)
    }

    fn private_string(&mut self) -> Option<()> {
        let length = self.string_length()?;
        self.fill(length)?;
        self.skip(1)
    }

    fn address(&mut self) -> Option<()> {
        self.skip(2)?;
        self.string()
    }

    fn string(&mut self) -> Option<()> {
        let length = self.string_length()?;
        self.skip(length + 1)
    }

    fn string_length(&self) -> Option<usize> {
        self.octets.get(self.at..)?.iter().position(|&o| o == 0)
    }

    fn octet(&mut self) -> Option<u8> {
        let octet = *self.octets.get(self.at)?;
        self.at += 1;
        Some(octet)
    }

    fn skip(&mut self, octets: usize) -> Option<()> {
        self.at = self.at.checked_add(octets)?;
        (self.at <= self.octets.len()).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::smpp::address::Address;
    use crate::smpp::codec::{FRAME_OCTETS_MAX, Header, take_frame};
    use crate::smpp::octets::{COctetString, MessageId, Password, ShortMessage};
    use crate::smpp::pdu::{
        Bind, BindKind, DataSm, DeliverSm, Destination, Destinations, Encode, Outbind, ReplaceSm,
        SubmitMulti, SubmitSm, SubmitSmResp,
    };
    use crate::smpp::status::CommandStatus;
    use crate::smpp::tlv::Tlvs;

    const SECRET: &str = "482913";

    fn frame_of(pdu: &impl Encode) -> (Frame, Vec<u8>) {
        let mut out = BytesMut::new();
        pdu.encode(7, CommandStatus::ESME_ROK, &mut out);
        let octets = out.to_vec();
        let frame = take_frame(&mut out, FRAME_OCTETS_MAX).unwrap().unwrap();
        (frame, octets)
    }

    /// Every octet is the original's or an `x` in place of the secret.
    fn assert_only_the_secret_is_gone(pdu: &impl Encode) {
        let (frame, octets) = frame_of(pdu);
        let shown = masked(&frame).to_vec();
        let secret = SECRET.as_bytes();
        let mut expected = octets;
        while let Some(at) = expected.windows(secret.len()).position(|w| w == secret) {
            expected[at..at + secret.len()].fill(b'x');
        }
        assert_eq!(shown, expected, "{:?}", frame.header.command_id);
    }

    fn text() -> ShortMessage {
        ShortMessage::new(SECRET).unwrap()
    }

    fn payload() -> Tlvs {
        Tlvs::EMPTY
            .with(Tag::SOURCE_PORT, &[0, 9])
            .and_then(|tlvs| tlvs.with(Tag::MESSAGE_PAYLOAD, SECRET.as_bytes()))
            .and_then(|tlvs| tlvs.with(Tag(0x1501), SECRET.as_bytes()))
            .and_then(|tlvs| tlvs.with(Tag::USER_MESSAGE_REFERENCE, &[0, 1]))
            .unwrap()
    }

    #[test]
    fn every_text_is_overwritten_and_every_other_octet_stays() {
        let number = Address::international("84901112233").unwrap();
        assert_only_the_secret_is_gone(&SubmitSm {
            source: number,
            destination: number,
            short_message: text(),
            tlvs: payload(),
            ..SubmitSm::default()
        });
        assert_only_the_secret_is_gone(&DeliverSm {
            source: number,
            short_message: text(),
            ..DeliverSm::default()
        });
        assert_only_the_secret_is_gone(&DataSm {
            tlvs: payload(),
            ..DataSm::default()
        });
        assert_only_the_secret_is_gone(&ReplaceSm {
            message_id: MessageId::new("id-1").unwrap(),
            short_message: text(),
            ..ReplaceSm::default()
        });
        let destinations = vec![
            Destination::Sme(number),
            Destination::List(COctetString::new("friends").unwrap()),
        ];
        assert_only_the_secret_is_gone(&SubmitMulti {
            service_type: COctetString::EMPTY,
            source: number,
            destinations: Destinations::new(destinations).unwrap(),
            esm_class: EsmClass::DEFAULT,
            protocol_id: 0,
            priority_flag: 0,
            schedule_delivery_time: COctetString::EMPTY,
            validity_period: COctetString::EMPTY,
            registered_delivery: 1,
            replace_if_present_flag: 0,
            data_coding: 0,
            sm_default_msg_id: 0,
            short_message: text(),
            tlvs: payload(),
        });
        assert_only_the_secret_is_gone(&SubmitSmResp {
            message_id: MessageId::new("id-1").unwrap(),
            tlvs: Tlvs::EMPTY,
        });
    }

    #[test]
    fn every_password_is_overwritten() {
        for kind in [
            BindKind::Transmitter,
            BindKind::Receiver,
            BindKind::Transceiver,
        ] {
            assert_only_the_secret_is_gone(&Bind {
                kind,
                system_id: COctetString::new("shop").unwrap(),
                password: Password::new(SECRET).unwrap(),
                system_type: COctetString::EMPTY,
                interface_version: 0x34,
                address_range: Address::default(),
            });
        }
        assert_only_the_secret_is_gone(&Outbind {
            system_id: COctetString::new("smsc").unwrap(),
            password: Password::new(SECRET).unwrap(),
        });
    }

    #[test]
    fn a_user_data_header_stays_so_that_a_capture_shows_the_parts() {
        let header = [5, 0, 3, 0xCC, 2, 1];
        let (frame, octets) = frame_of(&SubmitSm {
            esm_class: EsmClass::UDHI,
            short_message: ShortMessage::new([&header[..], SECRET.as_bytes()].concat()).unwrap(),
            ..SubmitSm::default()
        });
        let shown = masked(&frame);
        let end = octets.len();
        assert_eq!(shown[..end - 6], octets[..end - 6]);
        assert_eq!(shown[end - 6..], *b"xxxxxx");
    }

    proptest! {
        #[test]
        fn any_octets_are_masked_without_a_fault_and_keep_their_length(
            command in prop_oneof![0u32..0x104, any::<u32>()],
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let frame = Frame {
                header: Header {
                    command_id: CommandId(command),
                    command_status: CommandStatus::ESME_ROK,
                    sequence_number: 1,
                },
                body: Bytes::from(body),
            };
            prop_assert_eq!(masked(&frame).len(), HEADER_OCTETS + frame.body.len());
        }

        #[test]
        fn a_body_that_is_cut_off_shows_no_private_octet(cut in 0usize..60) {
            let (mut frame, _) = frame_of(&SubmitSm {
                short_message: text(),
                tlvs: payload(),
                ..SubmitSm::default()
            });
            frame.body.truncate(frame.body.len().saturating_sub(cut));
            let shown = masked(&frame);
            prop_assert!(!shown.windows(3).any(|w| w == &SECRET.as_bytes()[..3]));
        }
    }
}
