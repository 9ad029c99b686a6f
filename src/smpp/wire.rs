//! Reading the fields of a PDU's body, with errors that name the field and its place.
//!
//! The reader never copies a text: octet fields are slices that share the frame's buffer.

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use super::address::{Address, Npi, Ton};
use super::codec::HEADER_OCTETS;
use super::command::CommandId;
use super::octets::{COctetString, MESSAGE_ID_OCTETS_MAX, MessageId, ShortMessage, nul_position};
use super::status::CommandStatus;
use super::tlv::{Tag, Tlvs};

/// A body that is not what its command id promises. The fault is the peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{command}: field {field} at octet {position} of the PDU: {fault}")]
pub struct DecodeError {
    /// The PDU that was read.
    pub command: CommandId,
    /// The field as the standard names it.
    pub field: &'static str,
    /// Where the field starts, counted from the PDU's first octet, the header included.
    pub position: usize,
    /// What is wrong.
    pub fault: DecodeFault,
}

/// What can be wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeFault {
    /// The PDU ends within the field.
    #[error("needs {needed} octets, {left} are left")]
    Truncated {
        /// Octets that the field needs.
        needed: usize,
        /// Octets that the body still had.
        left: usize,
    },
    /// No NUL where the field has to end.
    #[error("no NUL within {octets_max} octets")]
    Unterminated {
        /// Octets that the field may have, the NUL included.
        octets_max: usize,
    },
    /// A TLV says that it is longer than what is left.
    #[error("{tag} says {length} octets, {left} are left")]
    TlvOverrun {
        /// The TLV's tag.
        tag: Tag,
        /// The length that it claims.
        length: usize,
        /// Octets that the body still had.
        left: usize,
    },
    /// A destination is neither an SME address (1) nor a distribution list (2).
    #[error("dest_flag is {0}, not 1 or 2")]
    DestFlag(u8),
    /// A count that the standard does not allow.
    #[error("a count of {0} is out of range")]
    Count(u8),
    /// Octets after the last field of a PDU that has no TLVs.
    #[error("{0} octets too many")]
    Trailing(usize),
}

impl DecodeError {
    /// The status with which to answer the request that cannot be read.
    pub fn status(&self) -> CommandStatus {
        match self.fault {
            DecodeFault::Truncated { .. } | DecodeFault::Trailing(_) => {
                CommandStatus::ESME_RINVCMDLEN
            }
            DecodeFault::Unterminated { .. } => CommandStatus::ESME_RINVPARLEN,
            DecodeFault::TlvOverrun { .. } => CommandStatus::ESME_RINVOPTPARSTREAM,
            DecodeFault::DestFlag(_) => CommandStatus::ESME_RINVDESTFLAG,
            DecodeFault::Count(_) => CommandStatus::ESME_RINVNUMDESTS,
        }
    }
}

/// A cursor over a body.
pub(super) struct Reader<'a> {
    command: CommandId,
    body: &'a Bytes,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(command: CommandId, body: &'a Bytes) -> Self {
        Self {
            command,
            body,
            at: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.body.len()
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.body.get(self.at..).unwrap_or_default()
    }

    #[cold]
    pub(super) fn error(&self, field: &'static str, fault: DecodeFault) -> DecodeError {
        DecodeError {
            command: self.command,
            field,
            position: HEADER_OCTETS + self.at,
            fault,
        }
    }

    /// A fixed number of one-octet fields, named by the first of them in an error.
    #[inline(always)]
    pub(super) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        match self.rest().first_chunk::<N>() {
            Some(octets) => {
                self.at += N;
                Ok(*octets)
            }
            None => {
                let left = self.rest().len();
                Err(self.error(field, DecodeFault::Truncated { needed: N, left }))
            }
        }
    }

    #[inline]
    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array::<1>(field).map(|[octet]| octet)
    }

    #[inline]
    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_be_bytes)
    }

    #[inline]
    pub(super) fn c_octets<const MAX: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<COctetString<MAX>, DecodeError> {
        let mut string = COctetString::EMPTY;
        self.c_octets_into(&mut string, field)?;
        Ok(string)
    }

    /// The same where each nanosecond counts: see [`COctetString::read`].
    #[inline(always)]
    pub(super) fn c_octets_into<const MAX: usize>(
        &mut self,
        string: &mut COctetString<MAX>,
        field: &'static str,
    ) -> Result<(), DecodeError> {
        if !string.read(self.rest()) {
            return Err(self.no_nul(field, MAX));
        }
        self.at += string.with_nul().len();
        Ok(())
    }

    #[cold]
    fn no_nul(&self, field: &'static str, octets_max: usize) -> DecodeError {
        let left = self.rest().len();
        let fault = if left < octets_max {
            DecodeFault::Truncated {
                needed: left + 1,
                left,
            }
        } else {
            DecodeFault::Unterminated { octets_max }
        };
        self.error(field, fault)
    }

    #[inline]
    pub(super) fn address<const MAX: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<Address<MAX>, DecodeError> {
        let mut address = Address::default();
        self.address_into(&mut address, field)?;
        Ok(address)
    }

    /// The same where each nanosecond counts: see [`COctetString::read`].
    #[inline(always)]
    pub(super) fn address_into<const MAX: usize>(
        &mut self,
        address: &mut Address<MAX>,
        field: &'static str,
    ) -> Result<(), DecodeError> {
        let [ton, npi] = self.array(field)?;
        (address.ton, address.npi) = (Ton(ton), Npi(npi));
        self.c_octets_into(&mut address.addr, field)
    }

    /// `length` octets that share the frame's buffer.
    #[inline(always)]
    pub(super) fn octets(
        &mut self,
        length: usize,
        field: &'static str,
    ) -> Result<Bytes, DecodeError> {
        let left = self.rest().len();
        if length > left {
            return Err(self.error(
                field,
                DecodeFault::Truncated {
                    needed: length,
                    left,
                },
            ));
        }
        if length == 0 {
            return Ok(Bytes::new());
        }
        let start = self.at;
        self.at += length;
        Ok(self.body.slice(start..self.at))
    }

    #[inline]
    pub(super) fn short_message(&mut self, length: u8) -> Result<ShortMessage, DecodeError> {
        self.octets(usize::from(length), "short_message")
            .map(ShortMessage::received)
    }

    /// A message id of a request or a complete response: its NUL must be there.
    pub(super) fn message_id(&mut self) -> Result<MessageId, DecodeError> {
        self.message_id_ending(false)
    }

    /// A message id of a response. Off-standard SMSCs leave out the NUL, or the whole field.
    #[inline]
    pub(super) fn message_id_of_response(&mut self) -> Result<MessageId, DecodeError> {
        self.message_id_ending(true)
    }

    #[inline]
    fn message_id_ending(&mut self, end_is_nul: bool) -> Result<MessageId, DecodeError> {
        const FIELD: &str = "message_id";
        let rest = self.rest();
        let window = rest.get(..=MESSAGE_ID_OCTETS_MAX).unwrap_or(rest);
        let (length, nul_octets) = match nul_position(window) {
            Some(nul) => (nul, 1),
            None if end_is_nul && rest.len() <= MESSAGE_ID_OCTETS_MAX => (rest.len(), 0),
            None => return Err(self.no_nul(FIELD, MESSAGE_ID_OCTETS_MAX + 1)),
        };
        let id = self.octets(length, FIELD)?;
        self.at += nul_octets;
        Ok(MessageId::received(id))
    }

    /// Everything that is left, as TLVs.
    #[inline]
    pub(super) fn tlvs(&mut self) -> Result<Tlvs, DecodeError> {
        if self.is_empty() {
            return Ok(Tlvs::EMPTY);
        }
        self.check_tlvs()?;
        let start = std::mem::replace(&mut self.at, self.body.len());
        Ok(Tlvs::received(self.body.slice(start..)))
    }

    fn check_tlvs(&mut self) -> Result<(), DecodeError> {
        const FIELD: &str = "optional_parameters";
        let start = self.at;
        while !self.is_empty() {
            let left = self.rest().len();
            let Some([t0, t1, l0, l1]) = self.rest().first_chunk::<4>().copied() else {
                return Err(self.error(FIELD, DecodeFault::Truncated { needed: 4, left }));
            };
            let length = usize::from(u16::from_be_bytes([l0, l1]));
            if length + 4 > left {
                let tag = Tag(u16::from_be_bytes([t0, t1]));
                let fault = DecodeFault::TlvOverrun {
                    tag,
                    length,
                    left: left - 4,
                };
                return Err(self.error(FIELD, fault));
            }
            self.at += 4 + length;
        }
        self.at = start;
        Ok(())
    }

    /// TLVs of a response. What follows its fields must not make an answer unreadable that the
    /// caller waits for, so a malformed rest counts as none.
    #[inline]
    pub(super) fn tlvs_of_response(&mut self) -> Tlvs {
        self.tlvs().unwrap_or_default()
    }

    /// The end of a request without TLVs.
    pub(super) fn finish(&self) -> Result<(), DecodeError> {
        match self.rest().len() {
            0 => Ok(()),
            octets => Err(self.error("end of PDU", DecodeFault::Trailing(octets))),
        }
    }
}

/// Appends a C-octet string with its NUL.
#[inline]
pub(super) fn put_c_octets<const MAX: usize>(out: &mut BytesMut, value: &COctetString<MAX>) {
    out.extend_from_slice(value.with_nul());
}
