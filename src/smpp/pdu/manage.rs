//! What is done to a message that was accepted: query_sm, cancel_sm, replace_sm (SMPP 3.4 4.8 to
//! 4.10).

use bytes::{BufMut, BytesMut};

use super::{Encode, Request, Response};
use crate::smpp::address::Address;
use crate::smpp::command::CommandId;
use crate::smpp::octets::{COctetString, MessageId, ShortMessage};
use crate::smpp::status::CommandStatus;
use crate::smpp::wire::{DecodeError, Reader, put_c_octets};

/// Asks for the state of a message (4.8.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuerySm {
    /// The SMSC's name for it.
    pub message_id: MessageId,
    /// Its sender, as it was submitted.
    pub source: Address,
}

impl QuerySm {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let message_id = reader.message_id()?;
        let source = reader.address("source_addr")?;
        reader.finish()?;
        Ok(Self { message_id, source })
    }
}

impl Encode for QuerySm {
    fn command_id(&self) -> CommandId {
        CommandId::QUERY_SM
    }

    fn encode_body(&self, _status: CommandStatus, out: &mut BytesMut) {
        self.message_id.put(out);
        self.source.put(out);
    }
}

impl Request for QuerySm {}

/// The state of a message (4.8.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuerySmResp {
    /// The SMSC's name for it.
    pub message_id: MessageId,
    /// When it reached a final state, in the format of 7.1.1; empty when it has not.
    pub final_date: COctetString<17>,
    /// 5.2.28: 1 en route, 2 delivered, 3 expired, 4 deleted, 5 undeliverable, 6 accepted,
    /// 7 unknown, 8 rejected; 0 in a response that said nothing.
    pub message_state: u8,
    /// The network's reason for a failure.
    pub error_code: u8,
}

impl QuerySmResp {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if reader.is_empty() {
            return Ok(Self::default());
        }
        let message_id = reader.message_id()?;
        let final_date = reader.c_octets("final_date")?;
        let [message_state, error_code] = reader.array("message_state")?;
        Ok(Self {
            message_id,
            final_date,
            message_state,
            error_code,
        })
    }
}

impl Encode for QuerySmResp {
    fn command_id(&self) -> CommandId {
        CommandId::QUERY_SM_RESP
    }

    fn encode_body(&self, status: CommandStatus, out: &mut BytesMut) {
        if !status.is_ok() && *self == Self::default() {
            return;
        }
        self.message_id.put(out);
        put_c_octets(out, &self.final_date);
        out.put_slice(&[self.message_state, self.error_code]);
    }
}

impl Response for QuerySmResp {}

/// Takes back a message that is not delivered yet, or all of an address pair (4.9.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CancelSm {
    /// The service of the messages, when no id is given.
    pub service_type: COctetString<6>,
    /// The SMSC's name for it; empty cancels by addresses.
    pub message_id: MessageId,
    /// Its sender, as it was submitted.
    pub source: Address,
    /// Its recipient; may be empty when an id is given.
    pub destination: Address,
}

impl CancelSm {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let service_type = reader.c_octets("service_type")?;
        let message_id = reader.message_id()?;
        let source = reader.address("source_addr")?;
        let destination = reader.address("destination_addr")?;
        reader.finish()?;
        Ok(Self {
            service_type,
            message_id,
            source,
            destination,
        })
    }
}

impl Encode for CancelSm {
    fn command_id(&self) -> CommandId {
        CommandId::CANCEL_SM
    }

    fn encode_body(&self, _status: CommandStatus, out: &mut BytesMut) {
        put_c_octets(out, &self.service_type);
        self.message_id.put(out);
        self.source.put(out);
        self.destination.put(out);
    }
}

impl Request for CancelSm {}

/// Replaces the text of a message that is not delivered yet (4.10.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplaceSm {
    /// The SMSC's name for it.
    pub message_id: MessageId,
    /// Its sender, as it was submitted.
    pub source: Address,
    /// The new time of delivery; empty keeps the old one.
    pub schedule_delivery_time: COctetString<17>,
    /// The new end of validity; empty keeps the old one.
    pub validity_period: COctetString<17>,
    /// Whether a receipt is wanted.
    pub registered_delivery: u8,
    /// A predefined message of the SMSC; 0 is none.
    pub sm_default_msg_id: u8,
    /// The new text, in the coding of the old one.
    pub short_message: ShortMessage,
}

impl ReplaceSm {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let message_id = reader.message_id()?;
        let source = reader.address("source_addr")?;
        let schedule_delivery_time = reader.c_octets("schedule_delivery_time")?;
        let validity_period = reader.c_octets("validity_period")?;
        let [registered_delivery, sm_default_msg_id, length] =
            reader.array("registered_delivery")?;
        let short_message = reader.short_message(length)?;
        reader.finish()?;
        Ok(Self {
            message_id,
            source,
            schedule_delivery_time,
            validity_period,
            registered_delivery,
            sm_default_msg_id,
            short_message,
        })
    }
}

impl Encode for ReplaceSm {
    fn command_id(&self) -> CommandId {
        CommandId::REPLACE_SM
    }

    fn encode_body(&self, _status: CommandStatus, out: &mut BytesMut) {
        self.message_id.put(out);
        self.source.put(out);
        put_c_octets(out, &self.schedule_delivery_time);
        put_c_octets(out, &self.validity_period);
        out.put_slice(&[self.registered_delivery, self.sm_default_msg_id]);
        out.put_u8(self.short_message.sm_length());
        out.put_slice(self.short_message.as_bytes());
    }
}

impl Request for ReplaceSm {}

/// Answers cancel_sm; the status says it all (4.9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CancelSmResp;

impl Encode for CancelSmResp {
    fn command_id(&self) -> CommandId {
        CommandId::CANCEL_SM_RESP
    }

    fn encode_body(&self, _status: CommandStatus, _out: &mut BytesMut) {}
}

impl Response for CancelSmResp {}

/// Answers replace_sm; the status says it all (4.10.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplaceSmResp;

impl Encode for ReplaceSmResp {
    fn command_id(&self) -> CommandId {
        CommandId::REPLACE_SM_RESP
    }

    fn encode_body(&self, _status: CommandStatus, _out: &mut BytesMut) {}
}

impl Response for ReplaceSmResp {}
