//! Every PDU of SMPP 3.4 as a type, and [`Pdu`] over them all.
//!
//! A body holds what the standard's table holds, in its order and by its names; ids and status are
//! the header's. Requests are read strictly. Responses are read leniently, because the status that
//! the caller waits for is already known: their bodies may be missing, and what follows their
//! fields may be off the standard.
//!
//! To add a PDU: its type with `decode` and [`Encode`] in the file of its family, its variant and
//! two arms here, its fields in `describe`, a golden vector in `tests/smpp_golden.rs` and a
//! strategy in `tests/smpp_properties.rs`.

mod bind;
mod data;
mod deliver;
mod link;
mod manage;
mod multi;
mod prepared;
mod submit;

pub use bind::{Bind, BindKind, BindResp, Outbind};
pub use data::{AlertNotification, DataSm, DataSmResp};
pub use deliver::{DeliverSm, DeliverSmResp};
pub use link::{EnquireLink, EnquireLinkResp, GenericNack, Unbind, UnbindResp};
pub use manage::{CancelSm, CancelSmResp, QuerySm, QuerySmResp, ReplaceSm, ReplaceSmResp};
pub use multi::{
    DESTINATIONS_MAX, Destination, Destinations, DestinationsError, SubmitMulti, SubmitMultiResp,
    Unsuccessful, UnsuccessfulSme,
};
pub use prepared::Prepared;
pub use submit::{EsmClass, SubmitSm, SubmitSmResp, SubmitText};

use bytes::{BufMut, Bytes, BytesMut};

use super::codec::{Frame, Header, put_frame};
use super::command::CommandId;
use super::status::CommandStatus;
use super::wire::{DecodeError, Reader};

/// A PDU that can be written.
pub trait Encode {
    /// The id for the header.
    fn command_id(&self) -> CommandId;

    /// Appends the body. A response with an error status and nothing to say has none.
    fn encode_body(&self, status: CommandStatus, out: &mut BytesMut);

    /// Appends the whole PDU in one pass.
    #[inline]
    fn encode(&self, sequence_number: u32, status: CommandStatus, out: &mut BytesMut) {
        let command_id = self.command_id();
        let header = Header {
            command_id,
            command_status: status,
            sequence_number,
        };
        put_frame(out, header, |out| self.encode_body(status, out));
    }
}

/// A PDU that one side sends of its own accord, and that the other answers.
pub trait Request: Encode {}

/// A PDU that answers a [`Request`].
pub trait Response: Encode {}

/// Any PDU.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the type of the same name")]
pub enum Pdu {
    Bind(Bind),
    BindResp(BindResp),
    Outbind(Outbind),
    Unbind(Unbind),
    UnbindResp(UnbindResp),
    EnquireLink(EnquireLink),
    EnquireLinkResp(EnquireLinkResp),
    GenericNack(GenericNack),
    SubmitSm(SubmitSm),
    SubmitSmResp(SubmitSmResp),
    SubmitMulti(SubmitMulti),
    SubmitMultiResp(SubmitMultiResp),
    DeliverSm(DeliverSm),
    DeliverSmResp(DeliverSmResp),
    DataSm(DataSm),
    DataSmResp(DataSmResp),
    QuerySm(QuerySm),
    QuerySmResp(QuerySmResp),
    CancelSm(CancelSm),
    CancelSmResp(CancelSmResp),
    ReplaceSm(ReplaceSm),
    ReplaceSmResp(ReplaceSmResp),
    AlertNotification(AlertNotification),
    Unknown(Unknown),
}

/// A PDU whose command id SMPP 3.4 does not have, preserved.
#[derive(Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The id that was read.
    pub command_id: CommandId,
    /// The body as it was read.
    pub body: Bytes,
}

impl std::fmt::Debug for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} <{} octets>", self.command_id, self.body.len())
    }
}

impl Encode for Unknown {
    fn command_id(&self) -> CommandId {
        self.command_id
    }

    fn encode_body(&self, _status: CommandStatus, out: &mut BytesMut) {
        out.put_slice(&self.body);
    }
}

impl Pdu {
    /// Reads the body of `frame`, sharing its buffer.
    ///
    /// # Errors
    /// [`DecodeError`] names the field and its place. An unknown command id is no error: it gives
    /// [`Pdu::Unknown`].
    pub fn decode(frame: &Frame) -> Result<Self, DecodeError> {
        let id = frame.header.command_id;
        let reader = &mut Reader::new(id, &frame.body);
        if let Some((kind, is_response)) = BindKind::of_command(id) {
            return if is_response {
                BindResp::decode(kind, reader).map(Self::BindResp)
            } else {
                Bind::decode(kind, reader).map(Self::Bind)
            };
        }
        Ok(match id {
            CommandId::SUBMIT_SM => {
                let mut pdu = SubmitSm::default();
                pdu.read(reader)?;
                Self::SubmitSm(pdu)
            }
            CommandId::SUBMIT_SM_RESP => Self::SubmitSmResp(SubmitSmResp::decode(reader)?),
            CommandId::DELIVER_SM => {
                let mut pdu = DeliverSm::default();
                pdu.read(reader)?;
                Self::DeliverSm(pdu)
            }
            CommandId::DELIVER_SM_RESP => Self::DeliverSmResp(DeliverSmResp::decode(reader)?),
            CommandId::DATA_SM => Self::DataSm(DataSm::decode(reader)?),
            CommandId::DATA_SM_RESP => Self::DataSmResp(DataSmResp::decode(reader)?),
            CommandId::ENQUIRE_LINK => Self::EnquireLink(EnquireLink),
            CommandId::ENQUIRE_LINK_RESP => Self::EnquireLinkResp(EnquireLinkResp),
            CommandId::UNBIND => Self::Unbind(Unbind),
            CommandId::UNBIND_RESP => Self::UnbindResp(UnbindResp),
            CommandId::GENERIC_NACK => Self::GenericNack(GenericNack),
            CommandId::OUTBIND => Self::Outbind(Outbind::decode(reader)?),
            CommandId::SUBMIT_MULTI => Self::SubmitMulti(SubmitMulti::decode(reader)?),
            CommandId::SUBMIT_MULTI_RESP => Self::SubmitMultiResp(SubmitMultiResp::decode(reader)?),
            CommandId::QUERY_SM => Self::QuerySm(QuerySm::decode(reader)?),
            CommandId::QUERY_SM_RESP => Self::QuerySmResp(QuerySmResp::decode(reader)?),
            CommandId::CANCEL_SM => Self::CancelSm(CancelSm::decode(reader)?),
            CommandId::CANCEL_SM_RESP => Self::CancelSmResp(CancelSmResp),
            CommandId::REPLACE_SM => Self::ReplaceSm(ReplaceSm::decode(reader)?),
            CommandId::REPLACE_SM_RESP => Self::ReplaceSmResp(ReplaceSmResp),
            CommandId::ALERT_NOTIFICATION => {
                Self::AlertNotification(AlertNotification::decode(reader)?)
            }
            _ => Self::Unknown(Unknown {
                command_id: id,
                body: frame.body.clone(),
            }),
        })
    }

    fn as_encode(&self) -> &dyn Encode {
        match self {
            Self::Bind(pdu) => pdu,
            Self::BindResp(pdu) => pdu,
            Self::Outbind(pdu) => pdu,
            Self::Unbind(pdu) => pdu,
            Self::UnbindResp(pdu) => pdu,
            Self::EnquireLink(pdu) => pdu,
            Self::EnquireLinkResp(pdu) => pdu,
            Self::GenericNack(pdu) => pdu,
            Self::SubmitSm(pdu) => pdu,
            Self::SubmitSmResp(pdu) => pdu,
            Self::SubmitMulti(pdu) => pdu,
            Self::SubmitMultiResp(pdu) => pdu,
            Self::DeliverSm(pdu) => pdu,
            Self::DeliverSmResp(pdu) => pdu,
            Self::DataSm(pdu) => pdu,
            Self::DataSmResp(pdu) => pdu,
            Self::QuerySm(pdu) => pdu,
            Self::QuerySmResp(pdu) => pdu,
            Self::CancelSm(pdu) => pdu,
            Self::CancelSmResp(pdu) => pdu,
            Self::ReplaceSm(pdu) => pdu,
            Self::ReplaceSmResp(pdu) => pdu,
            Self::AlertNotification(pdu) => pdu,
            Self::Unknown(pdu) => pdu,
        }
    }
}

impl Encode for Pdu {
    fn command_id(&self) -> CommandId {
        self.as_encode().command_id()
    }

    fn encode_body(&self, status: CommandStatus, out: &mut BytesMut) {
        self.as_encode().encode_body(status, out);
    }
}
