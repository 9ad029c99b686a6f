//! A request whose body is laid out before it has a sequence number: it is short to move, and
//! whoever sends it only has to copy it.

use std::fmt;

use bytes::{Bytes, BytesMut};

use super::{Encode, Request};
use crate::smpp::command::CommandId;
use crate::smpp::status::CommandStatus;

/// A request that is encoded but for its header.
#[derive(Clone, PartialEq, Eq)]
pub struct Prepared {
    command_id: CommandId,
    body: Bytes,
}

impl Prepared {
    /// Writes the body of `request` into the free room of `octets`, which must be empty, and takes
    /// it from there: the requests of a batch share one allocation.
    pub fn of(request: &impl Request, octets: &mut BytesMut) -> Self {
        request.encode_body(CommandStatus::ESME_ROK, octets);
        Self {
            command_id: request.command_id(),
            body: octets.split().freeze(),
        }
    }
}

/// The length alone: the body holds a message's text.
impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{} octets>", self.command_id, self.body.len())
    }
}

impl Encode for Prepared {
    #[inline]
    fn command_id(&self) -> CommandId {
        self.command_id
    }

    #[inline]
    fn encode_body(&self, _status: CommandStatus, out: &mut BytesMut) {
        out.extend_from_slice(&self.body);
    }
}

impl Request for Prepared {}
