//! submit_multi and its response (SMPP 3.4 4.5).

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::submit::{EsmClass, text};
use super::{Encode, Request, Response};
use crate::smpp::address::Address;
use crate::smpp::command::CommandId;
use crate::smpp::octets::{COctetString, MessageId, ShortMessage};
use crate::smpp::status::CommandStatus;
use crate::smpp::tlv::Tlvs;
use crate::smpp::wire::{DecodeError, DecodeFault, Reader, put_c_octets};

/// Most destinations of one submit_multi (5.2.24).
pub const DESTINATIONS_MAX: usize = 254;

const DEST_FLAG_SME: u8 = 1;
const DEST_FLAG_LIST: u8 = 2;

/// Where a copy of the message goes (4.5.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// One SME.
    Sme(Address),
    /// A distribution list that the SMSC keeps, by its name.
    List(COctetString<21>),
}

impl Destination {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("dest_flag")? {
            DEST_FLAG_SME => reader.address("destination_addr").map(Self::Sme),
            DEST_FLAG_LIST => reader.c_octets("dl_name").map(Self::List),
            other => Err(reader.error("dest_flag", DecodeFault::DestFlag(other))),
        }
    }

    fn put(&self, out: &mut BytesMut) {
        match self {
            Self::Sme(address) => {
                out.put_u8(DEST_FLAG_SME);
                address.put(out);
            }
            Self::List(name) => {
                out.put_u8(DEST_FLAG_LIST);
                put_c_octets(out, name);
            }
        }
    }
}

/// A number of entries that the PDU's one-octet count cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{count} entries where {count_min} to {count_max} are allowed: split the list")]
pub struct DestinationsError {
    count: usize,
    count_min: usize,
    count_max: usize,
}

/// One to [`DESTINATIONS_MAX`] destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destinations(Vec<Destination>);

impl Destinations {
    /// Takes the list if its length is in range.
    pub fn new(list: Vec<Destination>) -> Result<Self, DestinationsError> {
        if list.is_empty() || list.len() > DESTINATIONS_MAX {
            let (count_min, count_max) = (1, DESTINATIONS_MAX);
            return Err(DestinationsError {
                count: list.len(),
                count_min,
                count_max,
            });
        }
        Ok(Self(list))
    }

    /// The destinations in their order.
    pub fn as_slice(&self) -> &[Destination] {
        &self.0
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const FIELD: &str = "number_of_dests";
        let count = reader.u8(FIELD)?;
        if count == 0 || usize::from(count) > DESTINATIONS_MAX {
            return Err(reader.error(FIELD, DecodeFault::Count(count)));
        }
        (0..count)
            .map(|_| Destination::decode(reader))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn put(&self, out: &mut BytesMut) {
        out.put_u8(self.0.len() as u8);
        for destination in &self.0 {
            destination.put(out);
        }
    }
}

/// Sends a short message to many (4.5.1). The fields are those of
/// [`SubmitSm`](super::SubmitSm) but for the destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitMulti {
    /// The SMS application service.
    pub service_type: COctetString<6>,
    /// Sender.
    pub source: Address,
    /// Recipients.
    pub destinations: Destinations,
    /// Mode, type and features.
    pub esm_class: EsmClass,
    /// Protocol identifier of GSM 03.40.
    pub protocol_id: u8,
    /// 0 (bulk) to 3.
    pub priority_flag: u8,
    /// When to deliver, in the format of 7.1.1.
    pub schedule_delivery_time: COctetString<17>,
    /// Until when to try, in the format of 7.1.1.
    pub validity_period: COctetString<17>,
    /// Bit 0 asks for receipts.
    pub registered_delivery: u8,
    /// Reserved for submit_multi: 0.
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

impl SubmitMulti {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let service_type = reader.c_octets("service_type")?;
        let source = reader.address("source_addr")?;
        let destinations = Destinations::decode(reader)?;
        let [esm_class, protocol_id, priority_flag] = reader.array("esm_class")?;
        let schedule_delivery_time = reader.c_octets("schedule_delivery_time")?;
        let validity_period = reader.c_octets("validity_period")?;
        let [
            registered_delivery,
            replace_if_present_flag,
            data_coding,
            sm_default_msg_id,
            length,
        ] = reader.array("registered_delivery")?;
        Ok(Self {
            service_type,
            source,
            destinations,
            esm_class: EsmClass(esm_class),
            protocol_id,
            priority_flag,
            schedule_delivery_time,
            validity_period,
            registered_delivery,
            replace_if_present_flag,
            data_coding,
            sm_default_msg_id,
            short_message: reader.short_message(length)?,
            tlvs: reader.tlvs()?,
        })
    }

    /// The text wherever it is: short_message, or else message_payload.
    pub fn text(&self) -> Bytes {
        text(&self.short_message, &self.tlvs)
    }
}

impl Encode for SubmitMulti {
    fn command_id(&self) -> CommandId {
        CommandId::SUBMIT_MULTI
    }

    fn encode_body(&self, _status: CommandStatus, out: &mut BytesMut) {
        put_c_octets(out, &self.service_type);
        self.source.put(out);
        self.destinations.put(out);
        out.put_slice(&[self.esm_class.0, self.protocol_id, self.priority_flag]);
        put_c_octets(out, &self.schedule_delivery_time);
        put_c_octets(out, &self.validity_period);
        out.put_slice(&[self.registered_delivery, self.replace_if_present_flag]);
        out.put_slice(&[self.data_coding, self.sm_default_msg_id]);
        out.put_u8(self.short_message.sm_length());
        out.put_slice(self.short_message.as_bytes());
        self.tlvs.put(out);
    }
}

impl Request for SubmitMulti {}

/// A destination that the SMSC refused (4.5.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsuccessfulSme {
    /// The destination.
    pub address: Address,
    /// Why.
    pub error_status_code: CommandStatus,
}

/// At most 255 refused destinations, which is what their one-octet count can say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unsuccessful(Vec<UnsuccessfulSme>);

impl Unsuccessful {
    /// Takes the list if its length is in range.
    pub fn new(list: Vec<UnsuccessfulSme>) -> Result<Self, DestinationsError> {
        let (count, count_min, count_max) = (list.len(), 0, usize::from(u8::MAX));
        if count > count_max {
            return Err(DestinationsError {
                count,
                count_min,
                count_max,
            });
        }
        Ok(Self(list))
    }

    /// The refused destinations in their order.
    pub fn as_slice(&self) -> &[UnsuccessfulSme] {
        &self.0
    }
}

/// The SMSC's answer to submit_multi (4.5.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubmitMultiResp {
    /// The SMSC's name for the message.
    pub message_id: MessageId,
    /// The destinations that it will not be sent to.
    pub unsuccessful: Unsuccessful,
    /// None in 3.4; what a peer sends is preserved.
    pub tlvs: Tlvs,
}

impl SubmitMultiResp {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let message_id = reader.message_id_of_response()?;
        if reader.is_empty() {
            return Ok(Self {
                message_id,
                ..Self::default()
            });
        }
        let count = reader.u8("no_unsuccess")?;
        let unsuccessful = (0..count)
            .map(|_| {
                let address = reader.address("unsuccess_sme")?;
                let error_status_code = CommandStatus(reader.u32("error_status_code")?);
                Ok(UnsuccessfulSme {
                    address,
                    error_status_code,
                })
            })
            .collect::<Result<_, _>>()
            .map(Unsuccessful)?;
        Ok(Self {
            message_id,
            unsuccessful,
            tlvs: reader.tlvs_of_response(),
        })
    }
}

impl Encode for SubmitMultiResp {
    fn command_id(&self) -> CommandId {
        CommandId::SUBMIT_MULTI_RESP
    }

    fn encode_body(&self, status: CommandStatus, out: &mut BytesMut) {
        if !status.is_ok() && *self == Self::default() {
            return;
        }
        self.message_id.put(out);
        out.put_u8(self.unsuccessful.0.len() as u8);
        for sme in &self.unsuccessful.0 {
            sme.address.put(out);
            out.put_u32(sme.error_status_code.0);
        }
        self.tlvs.put(out);
    }
}

impl Response for SubmitMultiResp {}
