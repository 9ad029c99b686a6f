//! deliver_sm and its response (SMPP 3.4 4.6).

use bytes::{BufMut, Bytes, BytesMut};

use super::submit::{EsmClass, put_answer, text};
use super::{Encode, Request, Response};
use crate::smpp::address::Address;
use crate::smpp::command::CommandId;
use crate::smpp::octets::{COctetString, MessageId, ShortMessage};
use crate::smpp::status::CommandStatus;
use crate::smpp::tlv::Tlvs;
use crate::smpp::wire::{DecodeError, Reader, put_c_octets};

/// A message or a receipt from the SMSC (4.6.1).
///
/// It has the layout of submit_sm. The four fields that the standard leaves unused in this
/// direction (schedule_delivery_time, validity_period, replace_if_present_flag,
/// sm_default_msg_id) are written as NUL, and what a peer sends in them is passed over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliverSm {
    /// The SMS application service.
    pub service_type: COctetString<6>,
    /// Sender.
    pub source: Address,
    /// Recipient.
    pub destination: Address,
    /// Mode, type and features: says whether this is a receipt.
    pub esm_class: EsmClass,
    /// Protocol identifier of GSM 03.40.
    pub protocol_id: u8,
    /// 0 to 3.
    pub priority_flag: u8,
    /// Whether the SMSC wants an SME acknowledgement.
    pub registered_delivery: u8,
    /// How `short_message` is coded.
    pub data_coding: u8,
    /// The text; empty when it is in message_payload.
    pub short_message: ShortMessage,
    /// Optional parameters.
    pub tlvs: Tlvs,
}

impl DeliverSm {
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
        reader.c_octets::<17>("schedule_delivery_time")?;
        reader.c_octets::<17>("validity_period")?;
        let [
            registered_delivery,
            _replace_if_present,
            data_coding,
            _default_msg_id,
            length,
        ] = reader.array("registered_delivery")?;
        self.registered_delivery = registered_delivery;
        self.data_coding = data_coding;
        self.short_message = reader.short_message(length)?;
        self.tlvs = reader.tlvs()?;
        Ok(())
    }

    /// The text wherever it is: short_message, or else message_payload.
    pub fn text(&self) -> Bytes {
        text(&self.short_message, &self.tlvs)
    }
}

impl Encode for DeliverSm {
    fn command_id(&self) -> CommandId {
        CommandId::DELIVER_SM
    }

    fn encode_body(&self, _status: CommandStatus, out: &mut BytesMut) {
        const UNUSED: u8 = 0;
        put_c_octets(out, &self.service_type);
        self.source.put(out);
        self.destination.put(out);
        out.put_slice(&[self.esm_class.0, self.protocol_id, self.priority_flag]);
        out.put_slice(&[
            UNUSED,
            UNUSED,
            self.registered_delivery,
            UNUSED,
            self.data_coding,
        ]);
        out.put_slice(&[UNUSED, self.short_message.sm_length()]);
        out.put_slice(self.short_message.as_bytes());
        self.tlvs.put(out);
    }
}

impl Request for DeliverSm {}

/// The ESME's answer to deliver_sm (4.6.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliverSmResp {
    /// Unused in 3.4, and empty in what Sampan sends.
    pub message_id: MessageId,
    /// None in 3.4; what a peer sends is preserved.
    pub tlvs: Tlvs,
}

impl DeliverSmResp {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let message_id = reader.message_id_of_response()?;
        Ok(Self {
            message_id,
            tlvs: reader.tlvs_of_response(),
        })
    }
}

impl Encode for DeliverSmResp {
    fn command_id(&self) -> CommandId {
        CommandId::DELIVER_SM_RESP
    }

    /// The lone NUL is written with an error status as well: 4.6.2 grants no exception.
    fn encode_body(&self, _status: CommandStatus, out: &mut BytesMut) {
        put_answer(CommandStatus::ESME_ROK, &self.message_id, &self.tlvs, out);
    }
}

impl Response for DeliverSmResp {}
