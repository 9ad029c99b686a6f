//! submit_sm and its response (SMPP 3.4 4.4): the hot path.

use bytes::{Bytes, BytesMut};

use super::{Encode, Request, Response};
use crate::smpp::address::Address;
use crate::smpp::command::CommandId;
use crate::smpp::octets::{COctetString, MessageId, OctetError, ShortMessage, check_short_message};
use crate::smpp::status::CommandStatus;
use crate::smpp::tlv::Tlvs;
use crate::smpp::wire::{DecodeError, Reader};

/// Mode, type and features of a message (SMPP 3.4 5.2.12). Its type is a set of bits, so an
/// unknown bit beside a known one does not hide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct EsmClass(pub u8);

impl EsmClass {
    /// A plain message in the SMSC's default mode.
    pub const DEFAULT: Self = Self(0x00);
    /// The message is an SMSC delivery receipt.
    pub const RECEIPT: Self = Self(0x04);
    /// The text begins with a user data header.
    pub const UDHI: Self = Self(0x40);

    const DELIVERY_ACKNOWLEDGEMENT: u8 = 0x08;
    const USER_ACKNOWLEDGEMENT: u8 = 0x10;
    const INTERMEDIATE: u8 = 0x20;

    /// True when the text begins with a user data header.
    pub fn has_user_data_header(self) -> bool {
        self.0 & Self::UDHI.0 != 0
    }

    /// True when the message tells of an earlier one: a receipt (0x04), a delivery acknowledgement
    /// (0x08, which with 0x10 would be a conversation abort instead) or an intermediate
    /// notification (0x20).
    pub fn is_receipt(self) -> bool {
        let acknowledgement = Self::DELIVERY_ACKNOWLEDGEMENT | Self::USER_ACKNOWLEDGEMENT;
        self.0 & (Self::RECEIPT.0 | Self::INTERMEDIATE) != 0
            || self.0 & acknowledgement == Self::DELIVERY_ACKNOWLEDGEMENT
    }
}

/// Sends a short message to one destination (4.4.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubmitSm {
    /// The SMS application service; empty is the SMSC's default.
    pub service_type: COctetString<6>,
    /// Sender.
    pub source: Address,
    /// Recipient.
    pub destination: Address,
    /// Mode, type and features.
    pub esm_class: EsmClass,
    /// Protocol identifier of GSM 03.40.
    pub protocol_id: u8,
    /// 0 (bulk) to 3.
    pub priority_flag: u8,
    /// When to deliver, in the format of 7.1.1; empty is at once.
    pub schedule_delivery_time: COctetString<17>,
    /// Until when to try, in the format of 7.1.1; empty is the SMSC's default.
    pub validity_period: COctetString<17>,
    /// Bit 0 asks for a receipt, bits of 5.2.17.
    pub registered_delivery: u8,
    /// 1 replaces an earlier message of the same addresses.
    pub replace_if_present_flag: u8,
    /// How `short_message` is coded.
    pub data_coding: u8,
    /// A predefined message of the SMSC; 0 is none.
    pub sm_default_msg_id: u8,
    /// The text; empty when it is in message_payload.
    pub short_message: ShortMessage,
    /// Optional parameters.
    pub tlvs: Tlvs,
}

impl SubmitSm {
    /// Reads the body to where it stays: see [`COctetString::read`].
    #[inline(always)]
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        reader.c_octets_into(&mut self.service_type, "service_type")?;
        reader.address_into(&mut self.source, "source_addr")?;
        reader.address_into(&mut self.destination, "destination_addr")?;
        let [esm_class, protocol_id, priority_flag] = reader.array("esm_class")?;
        self.esm_class = EsmClass(esm_class);
        self.protocol_id = protocol_id;
        self.priority_flag = priority_flag;
        reader.c_octets_into(&mut self.schedule_delivery_time, "schedule_delivery_time")?;
        reader.c_octets_into(&mut self.validity_period, "validity_period")?;
        let [
            registered_delivery,
            replace_if_present_flag,
            data_coding,
            sm_default_msg_id,
            length,
        ] = reader.array("registered_delivery")?;
        self.registered_delivery = registered_delivery;
        self.replace_if_present_flag = replace_if_present_flag;
        self.data_coding = data_coding;
        self.sm_default_msg_id = sm_default_msg_id;
        self.short_message = reader.short_message(length)?;
        self.tlvs = reader.tlvs()?;
        Ok(())
    }

    /// The text wherever it is: short_message, or else message_payload.
    pub fn text(&self) -> Bytes {
        text(&self.short_message, &self.tlvs)
    }

    /// The same with this text in place of its own.
    ///
    /// # Errors
    /// [`OctetError`] if the text is longer than a short_message.
    pub fn with_text<'t>(&'t self, text: &'t [u8]) -> Result<SubmitText<'t>, OctetError> {
        check_short_message(text)?;
        Ok(SubmitText { fields: self, text })
    }
}

/// A submit_sm whose text lies elsewhere, so that it is laid out without being copied before.
#[derive(Clone, Copy)]
pub struct SubmitText<'t> {
    fields: &'t SubmitSm,
    /// Short enough for a short_message.
    text: &'t [u8],
}

impl SubmitText<'_> {
    /// A submit_sm with a text of its own.
    pub fn to_submit_sm(self) -> SubmitSm {
        SubmitSm {
            short_message: ShortMessage::received(Bytes::copy_from_slice(self.text)),
            ..self.fields.clone()
        }
    }
}

pub(super) fn text(short_message: &ShortMessage, tlvs: &Tlvs) -> Bytes {
    if short_message.is_empty() {
        return tlvs.message_payload().unwrap_or_default();
    }
    short_message.as_bytes().clone()
}

/// Octets of all fields before short_message at their longest, so that they can be laid out on
/// the stack and appended at once: 6 + 2 × 23 + 3 + 2 × 17 + 5.
const FIELDS_OCTETS_MAX: usize = 94;

/// A few fields laid out on the stack: one append to the output in place of a dozen, each of
/// which would check its capacity.
struct Fields {
    octets: [u8; FIELDS_OCTETS_MAX],
    len: usize,
}

impl Fields {
    #[inline(always)]
    fn put<const N: usize>(&mut self, octets: &[u8; N]) {
        if let Some(slot) = self.octets.get_mut(self.len..self.len + N) {
            slot.copy_from_slice(octets);
            self.len += N;
        }
    }

    #[inline(always)]
    fn put_c_octets<const MAX: usize>(&mut self, value: &COctetString<MAX>) {
        // The whole field is copied, which is of constant size; what follows overwrites the rest.
        if let Some(slot) = self.octets.get_mut(self.len..self.len + MAX) {
            slot.copy_from_slice(value.padded());
            self.len += value.with_nul().len();
        }
    }
}

/// Appends the body with this text, whose length fits its octet.
#[inline(always)]
fn put(pdu: &SubmitSm, text: &[u8], out: &mut BytesMut) {
    let mut fields = Fields {
        octets: [0; FIELDS_OCTETS_MAX],
        len: 0,
    };
    fields.put_c_octets(&pdu.service_type);
    for address in [&pdu.source, &pdu.destination] {
        fields.put(&[address.ton.0, address.npi.0]);
        fields.put_c_octets(&address.addr);
    }
    fields.put(&[pdu.esm_class.0, pdu.protocol_id, pdu.priority_flag]);
    fields.put_c_octets(&pdu.schedule_delivery_time);
    fields.put_c_octets(&pdu.validity_period);
    fields.put(&[
        pdu.registered_delivery,
        pdu.replace_if_present_flag,
        pdu.data_coding,
        pdu.sm_default_msg_id,
        text.len() as u8,
    ]);
    out.extend_from_slice(fields.octets.get(..fields.len).unwrap_or_default());
    out.extend_from_slice(text);
    pdu.tlvs.put(out);
}

impl Encode for SubmitSm {
    #[inline]
    fn command_id(&self) -> CommandId {
        CommandId::SUBMIT_SM
    }

    #[inline]
    fn encode_body(&self, _status: CommandStatus, out: &mut BytesMut) {
        put(self, self.short_message.as_bytes(), out);
    }
}

impl Request for SubmitSm {}

impl Encode for SubmitText<'_> {
    #[inline]
    fn command_id(&self) -> CommandId {
        CommandId::SUBMIT_SM
    }

    #[inline]
    fn encode_body(&self, _status: CommandStatus, out: &mut BytesMut) {
        put(self.fields, self.text, out);
    }
}

impl Request for SubmitText<'_> {}

/// The SMSC's answer to submit_sm (4.4.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubmitSmResp {
    /// The SMSC's name for the message; empty when it refused it.
    pub message_id: MessageId,
    /// None in 3.4; what a peer sends is preserved.
    pub tlvs: Tlvs,
}

impl SubmitSmResp {
    #[inline]
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let message_id = reader.message_id_of_response()?;
        Ok(Self {
            message_id,
            tlvs: reader.tlvs_of_response(),
        })
    }
}

impl Encode for SubmitSmResp {
    #[inline]
    fn command_id(&self) -> CommandId {
        CommandId::SUBMIT_SM_RESP
    }

    #[inline]
    fn encode_body(&self, status: CommandStatus, out: &mut BytesMut) {
        put_answer(status, &self.message_id, &self.tlvs, out);
    }
}

impl Response for SubmitSmResp {}

/// The body of a response that is a message id and TLVs.
#[inline]
pub(super) fn put_answer(
    status: CommandStatus,
    message_id: &MessageId,
    tlvs: &Tlvs,
    out: &mut BytesMut,
) {
    if !status.is_ok() && message_id.is_empty() && tlvs.is_empty() {
        return;
    }
    message_id.put(out);
    tlvs.put(out);
}
