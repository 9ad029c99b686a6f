//! Framing: cutting PDUs out of a stream of octets, and the 16-octet header (SMPP 3.4 3.2).
//!
//! It never resynchronises: after a length that cannot be, nothing that follows can be trusted,
//! and the session closes.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

use super::command::CommandId;
use super::status::CommandStatus;

/// Octets of the header, which is the shortest PDU.
pub const HEADER_OCTETS: usize = 16;

/// Longest PDU accepted unless a link says otherwise: a message_payload of nearly the greatest
/// length. A foreign protocol's first four octets read as a length far above it.
pub const FRAME_OCTETS_MAX: usize = 64 * 1024;

/// The header without its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the PDU is.
    pub command_id: CommandId,
    /// The outcome, in responses.
    pub command_status: CommandStatus,
    /// Any 32-bit number: peers use 0 and those above 0x7FFFFFFF, and get them echoed.
    pub sequence_number: u32,
}

/// One PDU with its body still as octets.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// The header.
    pub header: Header,
    /// What follows the header; shares the read buffer.
    pub body: Bytes,
}

/// The header and the body's length alone: the body may hold a text or a password.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} <{} octets>", self.header, self.body.len())
    }
}

/// A `command_length` that ends the session. The fault is the peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Less than a header.
    #[error("command_length is {octets}, and a header alone has {HEADER_OCTETS} octets")]
    TooShort {
        /// The length that was read.
        octets: u32,
    },
    /// More than the link allows.
    #[error(
        "command_length is {octets}, above the limit of {octets_max}: either the peer does not \
         speak SMPP or the limit is too low"
    )]
    TooLong {
        /// The length that was read.
        octets: u32,
        /// The limit.
        octets_max: usize,
    },
}

/// Takes the first whole PDU from `input`, or nothing while it is not whole.
///
/// The length is judged as soon as its four octets are there, so that `input` never has to hold
/// more than `octets_max` for one PDU.
#[inline]
pub fn take_frame(input: &mut BytesMut, octets_max: usize) -> Result<Option<Frame>, FrameError> {
    let Some(length) = input.first_chunk::<4>() else {
        return Ok(None);
    };
    let octets = u32::from_be_bytes(*length);
    let whole = octets as usize;
    if whole < HEADER_OCTETS {
        return Err(FrameError::TooShort { octets });
    }
    if whole > octets_max {
        return Err(FrameError::TooLong { octets, octets_max });
    }
    if input.len() < whole {
        return Ok(None);
    }
    let mut frame = input.split_to(whole);
    let Some([_, _, _, _, header @ ..]) = frame.first_chunk::<HEADER_OCTETS>() else {
        return Ok(None);
    };
    let header = parse_header(header);
    frame.advance(HEADER_OCTETS);
    let body = if frame.is_empty() {
        Bytes::new()
    } else {
        frame.freeze()
    };
    Ok(Some(Frame { header, body }))
}

#[inline]
fn parse_header(octets: &[u8; 12]) -> Header {
    let [c0, c1, c2, c3, s0, s1, s2, s3, n0, n1, n2, n3] = *octets;
    Header {
        command_id: CommandId(u32::from_be_bytes([c0, c1, c2, c3])),
        command_status: CommandStatus(u32::from_be_bytes([s0, s1, s2, s3])),
        sequence_number: u32::from_be_bytes([n0, n1, n2, n3]),
    }
}

/// Appends one PDU: the header, what `body` writes, and then the length, now that it is known.
#[inline]
pub(super) fn put_frame(out: &mut BytesMut, header: Header, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    let mut octets = [0; HEADER_OCTETS];
    let fields = [
        header.command_id.0,
        header.command_status.0,
        header.sequence_number,
    ];
    for (slot, field) in octets.chunks_exact_mut(4).skip(1).zip(fields) {
        slot.copy_from_slice(&field.to_be_bytes());
    }
    out.extend_from_slice(&octets);
    body(out);
    let length = (out.len() - start) as u32;
    if let Some(slot) = out.get_mut(start..start + 4) {
        slot.copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENQUIRE_LINK: [u8; 16] = [0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0xFF, 0, 0, 7];

    #[test]
    fn a_frame_is_taken_only_when_it_is_whole() {
        let mut input = BytesMut::new();
        for octet in &ENQUIRE_LINK[..15] {
            input.extend_from_slice(&[*octet]);
            assert_eq!(take_frame(&mut input, FRAME_OCTETS_MAX), Ok(None));
        }
        input.extend_from_slice(&[7, 0, 0]);
        let frame = take_frame(&mut input, FRAME_OCTETS_MAX).unwrap().unwrap();
        assert_eq!(frame.header.command_id, CommandId::ENQUIRE_LINK);
        assert_eq!(frame.header.sequence_number, 0xFF00_0007);
        assert_eq!(input.len(), 2);
    }

    #[test]
    fn a_length_below_the_header_is_an_error() {
        let mut input = BytesMut::from(&[0, 0, 0, 15][..]);
        let error = take_frame(&mut input, FRAME_OCTETS_MAX);
        assert_eq!(error, Err(FrameError::TooShort { octets: 15 }));
    }

    #[test]
    fn a_length_above_the_limit_is_an_error_before_the_rest_arrives() {
        let octets_max = 100;
        let mut input = BytesMut::from(&[0, 0, 0, 101][..]);
        let error = take_frame(&mut input, octets_max);
        assert_eq!(
            error,
            Err(FrameError::TooLong {
                octets: 101,
                octets_max
            })
        );
        let mut at_limit = BytesMut::from(&[0, 0, 0, 100][..]);
        assert_eq!(take_frame(&mut at_limit, octets_max), Ok(None));
    }

    #[test]
    fn another_protocol_on_the_port_is_told_apart_by_its_first_octets() {
        let mut input = BytesMut::from(&b"HTTP/1.1 400 Bad Request"[..]);
        assert!(matches!(
            take_frame(&mut input, FRAME_OCTETS_MAX),
            Err(FrameError::TooLong { .. })
        ));
    }
}
