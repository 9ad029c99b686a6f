//! data_sm, its response, and alert_notification (SMPP 3.4 4.7, 4.12): the PDUs whose addresses
//! have 65 octets.

use bytes::{BufMut, Bytes, BytesMut};

use super::submit::{EsmClass, put_answer};
use super::{Encode, Request, Response};
use crate::smpp::address::Address;
use crate::smpp::command::CommandId;
use crate::smpp::octets::{COctetString, MessageId};
use crate::smpp::status::CommandStatus;
use crate::smpp::tlv::Tlvs;
use crate::smpp::wire::{DecodeError, Reader, put_c_octets};

/// A message in either direction whose text is a TLV (4.7.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataSm {
    /// The SMS application service.
    pub service_type: COctetString<6>,
    /// Sender.
    pub source: Address<65>,
    /// Recipient.
    pub destination: Address<65>,
    /// Mode, type and features.
    pub esm_class: EsmClass,
    /// Whether a receipt is wanted.
    pub registered_delivery: u8,
    /// How message_payload is coded.
    pub data_coding: u8,
    /// Optional parameters, the text among them.
    pub tlvs: Tlvs,
}

impl DataSm {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let service_type = reader.c_octets("service_type")?;
        let source = reader.address("source_addr")?;
        let destination = reader.address("destination_addr")?;
        let [esm_class, registered_delivery, data_coding] = reader.array("esm_class")?;
        Ok(Self {
            service_type,
            source,
            destination,
            esm_class: EsmClass(esm_class),
            registered_delivery,
            data_coding,
            tlvs: reader.tlvs()?,
        })
    }

    /// The text, from message_payload.
    pub fn text(&self) -> Bytes {
        self.tlvs.message_payload().unwrap_or_default()
    }
}

impl Encode for DataSm {
    fn command_id(&self) -> CommandId {
        CommandId::DATA_SM
    }

    fn encode_body(&self, _status: CommandStatus, out: &mut BytesMut) {
        put_c_octets(out, &self.service_type);
        self.source.put(out);
        self.destination.put(out);
        out.put_slice(&[self.esm_class.0, self.registered_delivery, self.data_coding]);
        self.tlvs.put(out);
    }
}

impl Request for DataSm {}

/// The answer to data_sm (4.7.2). With an error it may say more in TLVs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataSmResp {
    /// The SMSC's name for the message; unused when the ESME answers.
    pub message_id: MessageId,
    /// delivery_failure_reason, network_error_code and the like.
    pub tlvs: Tlvs,
}

impl DataSmResp {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let message_id = reader.message_id_of_response()?;
        Ok(Self {
            message_id,
            tlvs: reader.tlvs_of_response(),
        })
    }
}

impl Encode for DataSmResp {
    fn command_id(&self) -> CommandId {
        CommandId::DATA_SM_RESP
    }

    fn encode_body(&self, _status: CommandStatus, out: &mut BytesMut) {
        put_answer(CommandStatus::ESME_ROK, &self.message_id, &self.tlvs, out);
    }
}

impl Response for DataSmResp {}

/// The SMSC says that a subscriber can be reached again (4.12.1). It has no response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertNotification {
    /// The subscriber.
    pub source: Address<65>,
    /// The ESME that asked to be told.
    pub esme: Address<65>,
    /// ms_availability_status at most.
    pub tlvs: Tlvs,
}

impl AlertNotification {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let source = reader.address("source_addr")?;
        let esme = reader.address("esme_addr")?;
        Ok(Self {
            source,
            esme,
            tlvs: reader.tlvs()?,
        })
    }
}

impl Encode for AlertNotification {
    fn command_id(&self) -> CommandId {
        CommandId::ALERT_NOTIFICATION
    }

    fn encode_body(&self, _status: CommandStatus, out: &mut BytesMut) {
        self.source.put(out);
        self.esme.put(out);
        self.tlvs.put(out);
    }
}

impl Request for AlertNotification {}
