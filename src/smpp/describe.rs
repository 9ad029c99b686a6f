//! A PDU for human eyes: every field by the standard's name, one a line or all on one.
//!
//! Texts and passwords are shown by their length alone, addresses with their middle masked, TLVs
//! by value only where the value is a number or a message id.

use std::fmt::Display;

use super::codec::{Frame, HEADER_OCTETS};
use super::octets::{COctetString, MessageId, Password, ShortMessage};
use super::pdu::{
    AlertNotification, Bind, BindResp, CancelSm, DataSm, DeliverSm, Destination, Outbind, Pdu,
    QuerySm, QuerySmResp, ReplaceSm, SubmitMulti, SubmitMultiResp, SubmitSm,
};
use super::receipt::MessageState;
use super::tlv::{Tag, Tlv, Tlvs};

/// Column at which the values begin: the longest name and two spaces.
const NAME_COLUMNS: usize = 28;

/// Longest TLV value that is shown as a number.
const NUMBER_OCTETS_MAX: usize = 4;

/// Describes `frame` over several lines; a body that cannot be read is described by its error.
pub fn describe(frame: &Frame) -> String {
    let header = frame.header;
    let mut lines = Lines {
        text: format!("{}\n", header.command_id),
        layout: Layout::Lines,
    };
    lines.field("command_length", HEADER_OCTETS + frame.body.len());
    lines.field("command_id", format_args!("{:#010x}", header.command_id.0));
    lines.field("command_status", status(header.command_status));
    lines.field("sequence_number", header.sequence_number);
    lines.body_of(frame);
    lines.text
}

/// The fields of the body on one line, `name=value` each. Those that are empty or zero are left
/// out: they say nothing and would hide the others.
pub fn fields(frame: &Frame) -> String {
    let mut lines = Lines {
        text: String::new(),
        layout: Layout::OneLine,
    };
    lines.body_of(frame);
    lines.text
}

/// Values that say nothing on a line of many.
const NOTHING: [&str; 4] = ["\"\"", "0x00", "<0 octets>", "0:0:"];

fn status(status: super::CommandStatus) -> String {
    match (status.name(), status.meaning()) {
        (Some(name), Some(meaning)) => format!("{:#010x} {name}: {meaning}", status.0),
        _ => format!("{:#010x} unknown to SMPP 3.4", status.0),
    }
}

#[derive(Clone, Copy)]
enum Layout {
    Lines,
    OneLine,
}

struct Lines {
    text: String,
    layout: Layout,
}

impl Lines {
    fn field(&mut self, name: impl Display, value: impl Display) {
        match self.layout {
            Layout::Lines => {
                let line = format!("  {name:<NAME_COLUMNS$}{value}");
                self.text.push_str(line.trim_end());
                self.text.push('\n');
            }
            Layout::OneLine => {
                let value = value.to_string();
                if !NOTHING.contains(&value.as_str()) {
                    let gap = if self.text.is_empty() { "" } else { " " };
                    self.text.push_str(&format!("{gap}{name}={value}"));
                }
            }
        }
    }

    fn body_of(&mut self, frame: &Frame) {
        match Pdu::decode(frame) {
            Ok(pdu) => self.body(&pdu),
            Err(error) => self.field("error", error),
        }
    }

    fn string<const MAX: usize>(&mut self, name: &str, value: &COctetString<MAX>) {
        self.field(name, format_args!("\"{value}\""));
    }

    fn message_id(&mut self, value: &MessageId) {
        self.field("message_id", format_args!("\"{value}\""));
    }

    fn password(&mut self, value: &Password) {
        self.masked("password", value.octets());
    }

    fn masked(&mut self, name: impl Display, octets: usize) {
        self.field(name, format_args!("<{octets} octets>"));
    }

    fn text(&mut self, value: &ShortMessage) {
        self.masked("short_message", value.as_bytes().len());
    }

    fn octet(&mut self, name: &str, value: u8) {
        self.field(name, format_args!("{value:#04x}"));
    }

    fn tlvs(&mut self, tlvs: &Tlvs) {
        for tlv in tlvs.iter() {
            self.tlv(&tlv);
        }
    }

    fn tlv(&mut self, tlv: &Tlv) {
        let tag = tlv.tag;
        let is_private = matches!(tag, Tag::MESSAGE_PAYLOAD | Tag::CALLBACK_NUM);
        if tag == Tag::RECEIPTED_MESSAGE_ID {
            self.field(tag, format_args!("\"{}\"", tlv.value.escape_ascii()));
        } else if tag.name().is_none() || is_private || tlv.value.len() > NUMBER_OCTETS_MAX {
            self.masked(tag, tlv.value.len());
        } else {
            let hex: String = tlv
                .value
                .iter()
                .map(|octet| format!("{octet:02x}"))
                .collect();
            self.field(tag, format_args!("0x{hex}"));
        }
    }

    fn body(&mut self, pdu: &Pdu) {
        match pdu {
            Pdu::Bind(pdu) => self.bind(pdu),
            Pdu::BindResp(pdu) => self.bind_resp(pdu),
            Pdu::Outbind(pdu) => self.outbind(pdu),
            Pdu::SubmitSm(pdu) => self.submit_sm(pdu),
            Pdu::SubmitMulti(pdu) => self.submit_multi(pdu),
            Pdu::SubmitMultiResp(pdu) => self.submit_multi_resp(pdu),
            Pdu::DeliverSm(pdu) => self.deliver_sm(pdu),
            Pdu::DataSm(pdu) => self.data_sm(pdu),
            Pdu::SubmitSmResp(pdu) => self.answer(&pdu.message_id, &pdu.tlvs),
            Pdu::DeliverSmResp(pdu) => self.answer(&pdu.message_id, &pdu.tlvs),
            Pdu::DataSmResp(pdu) => self.answer(&pdu.message_id, &pdu.tlvs),
            Pdu::QuerySm(pdu) => self.query_sm(pdu),
            Pdu::QuerySmResp(pdu) => self.query_sm_resp(pdu),
            Pdu::CancelSm(pdu) => self.cancel_sm(pdu),
            Pdu::ReplaceSm(pdu) => self.replace_sm(pdu),
            Pdu::AlertNotification(pdu) => self.alert_notification(pdu),
            Pdu::Unknown(pdu) => self.masked("body", pdu.body.len()),
            Pdu::Unbind(_)
            | Pdu::UnbindResp(_)
            | Pdu::EnquireLink(_)
            | Pdu::EnquireLinkResp(_)
            | Pdu::GenericNack(_)
            | Pdu::CancelSmResp(_)
            | Pdu::ReplaceSmResp(_) => {}
        }
    }

    fn bind(&mut self, pdu: &Bind) {
        self.string("system_id", &pdu.system_id);
        self.password(&pdu.password);
        self.string("system_type", &pdu.system_type);
        self.octet("interface_version", pdu.interface_version);
        self.field("address_range", pdu.address_range);
    }

    fn bind_resp(&mut self, pdu: &BindResp) {
        self.string("system_id", &pdu.system_id);
        self.tlvs(&pdu.tlvs);
    }

    fn outbind(&mut self, pdu: &Outbind) {
        self.string("system_id", &pdu.system_id);
        self.password(&pdu.password);
    }

    fn submit_sm(&mut self, pdu: &SubmitSm) {
        self.string("service_type", &pdu.service_type);
        self.field("source_addr", pdu.source);
        self.field("destination_addr", pdu.destination);
        self.octet("esm_class", pdu.esm_class.0);
        self.octet("protocol_id", pdu.protocol_id);
        self.octet("priority_flag", pdu.priority_flag);
        self.string("schedule_delivery_time", &pdu.schedule_delivery_time);
        self.string("validity_period", &pdu.validity_period);
        self.octet("registered_delivery", pdu.registered_delivery);
        self.octet("replace_if_present_flag", pdu.replace_if_present_flag);
        self.octet("data_coding", pdu.data_coding);
        self.octet("sm_default_msg_id", pdu.sm_default_msg_id);
        self.text(&pdu.short_message);
        self.tlvs(&pdu.tlvs);
    }

    fn submit_multi(&mut self, pdu: &SubmitMulti) {
        self.string("service_type", &pdu.service_type);
        self.field("source_addr", pdu.source);
        self.field("number_of_dests", pdu.destinations.as_slice().len());
        for destination in pdu.destinations.as_slice() {
            match destination {
                Destination::Sme(address) => self.field("destination_addr", address),
                Destination::List(name) => self.string("dl_name", name),
            }
        }
        self.octet("esm_class", pdu.esm_class.0);
        self.octet("protocol_id", pdu.protocol_id);
        self.octet("priority_flag", pdu.priority_flag);
        self.string("schedule_delivery_time", &pdu.schedule_delivery_time);
        self.string("validity_period", &pdu.validity_period);
        self.octet("registered_delivery", pdu.registered_delivery);
        self.octet("replace_if_present_flag", pdu.replace_if_present_flag);
        self.octet("data_coding", pdu.data_coding);
        self.octet("sm_default_msg_id", pdu.sm_default_msg_id);
        self.text(&pdu.short_message);
        self.tlvs(&pdu.tlvs);
    }

    fn submit_multi_resp(&mut self, pdu: &SubmitMultiResp) {
        self.message_id(&pdu.message_id);
        self.field("no_unsuccess", pdu.unsuccessful.as_slice().len());
        for sme in pdu.unsuccessful.as_slice() {
            self.field(
                "unsuccess_sme",
                format_args!("{} {}", sme.address, sme.error_status_code),
            );
        }
        self.tlvs(&pdu.tlvs);
    }

    fn deliver_sm(&mut self, pdu: &DeliverSm) {
        self.string("service_type", &pdu.service_type);
        self.field("source_addr", pdu.source);
        self.field("destination_addr", pdu.destination);
        self.octet("esm_class", pdu.esm_class.0);
        self.octet("protocol_id", pdu.protocol_id);
        self.octet("priority_flag", pdu.priority_flag);
        self.octet("registered_delivery", pdu.registered_delivery);
        self.octet("data_coding", pdu.data_coding);
        self.text(&pdu.short_message);
        self.tlvs(&pdu.tlvs);
    }

    fn data_sm(&mut self, pdu: &DataSm) {
        self.string("service_type", &pdu.service_type);
        self.field("source_addr", pdu.source);
        self.field("destination_addr", pdu.destination);
        self.octet("esm_class", pdu.esm_class.0);
        self.octet("registered_delivery", pdu.registered_delivery);
        self.octet("data_coding", pdu.data_coding);
        self.tlvs(&pdu.tlvs);
    }

    fn answer(&mut self, message_id: &MessageId, tlvs: &Tlvs) {
        self.message_id(message_id);
        self.tlvs(tlvs);
    }

    fn query_sm(&mut self, pdu: &QuerySm) {
        self.message_id(&pdu.message_id);
        self.field("source_addr", pdu.source);
    }

    fn query_sm_resp(&mut self, pdu: &QuerySmResp) {
        self.message_id(&pdu.message_id);
        self.string("final_date", &pdu.final_date);
        let state = MessageState(pdu.message_state);
        self.field(
            "message_state",
            format_args!("{} {}", state.0, state.name().unwrap_or("")),
        );
        self.field("error_code", pdu.error_code);
    }

    fn cancel_sm(&mut self, pdu: &CancelSm) {
        self.string("service_type", &pdu.service_type);
        self.message_id(&pdu.message_id);
        self.field("source_addr", pdu.source);
        self.field("destination_addr", pdu.destination);
    }

    fn replace_sm(&mut self, pdu: &ReplaceSm) {
        self.message_id(&pdu.message_id);
        self.field("source_addr", pdu.source);
        self.string("schedule_delivery_time", &pdu.schedule_delivery_time);
        self.string("validity_period", &pdu.validity_period);
        self.octet("registered_delivery", pdu.registered_delivery);
        self.octet("sm_default_msg_id", pdu.sm_default_msg_id);
        self.text(&pdu.short_message);
    }

    fn alert_notification(&mut self, pdu: &AlertNotification) {
        self.field("source_addr", pdu.source);
        self.field("esme_addr", pdu.esme);
        self.tlvs(&pdu.tlvs);
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::smpp::address::Address;
    use crate::smpp::codec::{FRAME_OCTETS_MAX, take_frame};
    use crate::smpp::pdu::{BindKind, Encode};
    use crate::smpp::status::CommandStatus;

    fn described(pdu: &impl Encode, status: CommandStatus) -> String {
        let mut out = BytesMut::new();
        pdu.encode(7, status, &mut out);
        describe(&take_frame(&mut out, FRAME_OCTETS_MAX).unwrap().unwrap())
    }

    #[test]
    fn a_message_is_described_without_its_text_and_with_masked_addresses() {
        let submit_sm = SubmitSm {
            source: Address::international("84901112233").unwrap(),
            short_message: ShortMessage::new("OTP 482913").unwrap(),
            tlvs: Tlvs::EMPTY
                .with(Tag::USER_MESSAGE_REFERENCE, &[0, 9])
                .and_then(|tlvs| tlvs.with(Tag::MESSAGE_PAYLOAD, b"4829"))
                .unwrap(),
            ..SubmitSm::default()
        };
        let text = described(&submit_sm, CommandStatus::ESME_ROK);
        for line in [
            "submit_sm\n",
            "  source_addr                 1:1:8490*****33\n",
            "  short_message               <10 octets>\n",
            "  user_message_reference      0x0009\n",
            "  message_payload             <4 octets>\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("482913") && !text.contains("84901112233"));
    }

    #[test]
    fn on_one_line_are_the_fields_that_say_something() {
        let submit_sm = SubmitSm {
            destination: Address::international("84901112233").unwrap(),
            registered_delivery: 1,
            short_message: ShortMessage::new("OTP 482913").unwrap(),
            ..SubmitSm::default()
        };
        let mut out = BytesMut::new();
        submit_sm.encode(7, CommandStatus::ESME_ROK, &mut out);
        let frame = take_frame(&mut out, FRAME_OCTETS_MAX).unwrap().unwrap();
        assert_eq!(
            fields(&frame),
            "destination_addr=1:1:8490*****33 registered_delivery=0x01 short_message=<10 octets>"
        );
    }

    #[test]
    fn a_status_is_described_by_name_and_meaning_and_a_password_by_its_length() {
        let bind = Bind {
            kind: BindKind::Transmitter,
            system_id: COctetString::new("shop").unwrap(),
            password: Password::new("hunter22").unwrap(),
            system_type: COctetString::EMPTY,
            interface_version: 0x34,
            address_range: Address::default(),
        };
        let text = described(&bind, CommandStatus::ESME_RTHROTTLED);
        assert!(text.contains("0x00000058 ESME_RTHROTTLED: Throttling"));
        assert!(text.contains("password                    <8 octets>"));
        assert!(!text.contains("hunter22"));
    }

    #[test]
    fn a_body_that_cannot_be_read_is_described_by_its_error() {
        let mut octets =
            BytesMut::from(&[0, 0, 0, 17, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, b'x'][..]);
        let frame = take_frame(&mut octets, FRAME_OCTETS_MAX).unwrap().unwrap();
        assert!(describe(&frame).contains("field service_type at octet 16"));
    }
}
