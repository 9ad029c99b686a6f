//! Opening a session: the three binds, their responses, outbind (SMPP 3.4 4.1).

use bytes::{BufMut, BytesMut};

use super::{Encode, Request, Response};
use crate::smpp::address::Address;
use crate::smpp::command::CommandId;
use crate::smpp::octets::{COctetString, Password};
use crate::smpp::status::CommandStatus;
use crate::smpp::tlv::Tlvs;
use crate::smpp::wire::{DecodeError, Reader, put_c_octets};

/// Which way messages may go over a bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BindKind {
    /// bind_transmitter: the ESME submits.
    Transmitter,
    /// bind_receiver: the SMSC delivers.
    Receiver,
    /// bind_transceiver: both.
    Transceiver,
}

impl BindKind {
    /// The id of the request.
    pub fn command_id(self) -> CommandId {
        match self {
            Self::Transmitter => CommandId::BIND_TRANSMITTER,
            Self::Receiver => CommandId::BIND_RECEIVER,
            Self::Transceiver => CommandId::BIND_TRANSCEIVER,
        }
    }

    /// The kind that a command id belongs to, and whether it is the response's.
    pub(super) fn of_command(id: CommandId) -> Option<(Self, bool)> {
        match id {
            CommandId::BIND_TRANSMITTER => Some((Self::Transmitter, false)),
            CommandId::BIND_RECEIVER => Some((Self::Receiver, false)),
            CommandId::BIND_TRANSCEIVER => Some((Self::Transceiver, false)),
            CommandId::BIND_TRANSMITTER_RESP => Some((Self::Transmitter, true)),
            CommandId::BIND_RECEIVER_RESP => Some((Self::Receiver, true)),
            CommandId::BIND_TRANSCEIVER_RESP => Some((Self::Transceiver, true)),
            _ => None,
        }
    }

    /// True when the ESME may submit.
    pub fn transmits(self) -> bool {
        self != Self::Receiver
    }

    /// True when the SMSC may deliver.
    pub fn receives(self) -> bool {
        self != Self::Transmitter
    }
}

/// bind_transmitter, bind_receiver or bind_transceiver (4.1.1, 4.1.3, 4.1.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// Which of the three.
    pub kind: BindKind,
    /// The ESME's name.
    pub system_id: COctetString<16>,
    /// Its password.
    pub password: Password,
    /// The kind of system that the ESME is.
    pub system_type: COctetString<13>,
    /// 0x34 for 3.4.
    pub interface_version: u8,
    /// The addresses that the ESME serves: addr_ton, addr_npi, address_range.
    pub address_range: Address<41>,
}

impl Bind {
    pub(super) fn decode(kind: BindKind, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bind = Self {
            kind,
            system_id: reader.c_octets("system_id")?,
            password: Password(reader.c_octets("password")?),
            system_type: reader.c_octets("system_type")?,
            interface_version: reader.u8("interface_version")?,
            address_range: reader.address("address_range")?,
        };
        reader.finish()?;
        Ok(bind)
    }
}

impl Encode for Bind {
    fn command_id(&self) -> CommandId {
        self.kind.command_id()
    }

    fn encode_body(&self, _status: CommandStatus, out: &mut BytesMut) {
        put_c_octets(out, &self.system_id);
        put_c_octets(out, &self.password.0);
        put_c_octets(out, &self.system_type);
        out.put_u8(self.interface_version);
        self.address_range.put(out);
    }
}

impl Request for Bind {}

/// The response to a bind (4.1.2, 4.1.4, 4.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindResp {
    /// Which bind it answers.
    pub kind: BindKind,
    /// The SMSC's name.
    pub system_id: COctetString<16>,
    /// sc_interface_version at most.
    pub tlvs: Tlvs,
}

impl BindResp {
    pub(super) fn decode(kind: BindKind, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if reader.is_empty() {
            return Ok(Self {
                kind,
                system_id: COctetString::EMPTY,
                tlvs: Tlvs::EMPTY,
            });
        }
        let system_id = reader.c_octets("system_id")?;
        Ok(Self {
            kind,
            system_id,
            tlvs: reader.tlvs_of_response(),
        })
    }
}

impl Encode for BindResp {
    fn command_id(&self) -> CommandId {
        self.kind.command_id().response()
    }

    fn encode_body(&self, status: CommandStatus, out: &mut BytesMut) {
        if !status.is_ok() && self.system_id.is_empty() && self.tlvs.is_empty() {
            return;
        }
        put_c_octets(out, &self.system_id);
        self.tlvs.put(out);
    }
}

impl Response for BindResp {}

/// The SMSC's wish that the ESME bind as a receiver (4.1.7). It has no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbind {
    /// The SMSC's name.
    pub system_id: COctetString<16>,
    /// The SMSC's password.
    pub password: Password,
}

impl Outbind {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let system_id = reader.c_octets("system_id")?;
        let password = Password(reader.c_octets("password")?);
        reader.finish()?;
        Ok(Self {
            system_id,
            password,
        })
    }
}

impl Encode for Outbind {
    fn command_id(&self) -> CommandId {
        CommandId::OUTBIND
    }

    fn encode_body(&self, _status: CommandStatus, out: &mut BytesMut) {
        put_c_octets(out, &self.system_id);
        put_c_octets(out, &self.password.0);
    }
}

impl Request for Outbind {}
