//! Frames: a header that gives the length of what follows, then that. What a header is made of is the
//! dialect's to say; see [`Header`].
//!
//! A broken header means that the peer and Sampan disagree on where messages begin. Nothing is
//! searched for and nothing is skipped: the connection is to be closed.

mod header;
#[cfg(test)]
mod tests;

pub use header::{Header, HeaderKind, Tpdu};

use bytes::{Buf, Bytes, BytesMut};
use header::Announced;

/// The longest body. It is what four digits can give, and the limit of a header of two bytes too:
/// no message of this protocol is longer, and a peer that sends text where such a header is due,
/// be it `0126` or `GET `, is noticed at once because its first character announces more.
pub const BODY_BYTES_MAX: usize = 9_999;

/// How frames are cut, by a bank's dialect and configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    header: Header,
    body_bytes_max: usize,
    keep_alive: bool,
}

/// A frame without its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What came before the message, where the dialect has it.
    pub tpdu: Option<Tpdu>,
    /// The message; empty for a sign of life.
    pub body: Bytes,
}

/// Why bytes are no frame. All but [`FrameError::OutOfRange`] are the peer's fault, and fatal to
/// the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A byte of the header holds no digits.
    #[error(
        "byte {position} of the frame header holds no digit; \
         does the peer speak ISO 8583 with a header of {header}?"
    )]
    NotDigit {
        /// From 0.
        position: usize,
        /// What was expected.
        header: HeaderKind,
    },
    /// The header announces a longer body than this bank may send.
    #[error("the frame header announces {length} bytes, over the limit of {limit}")]
    TooLong {
        /// The length that the header gives to the message.
        length: usize,
        /// The configured limit.
        limit: usize,
    },
    /// The header gives less than what it must count besides the message.
    #[error(
        "the frame header gives {number}, and counts at least {least}; \
         compare header_counts_itself and tpdu of the dialect with the bank's specification"
    )]
    TooShort {
        /// What the header says.
        number: usize,
        /// What a frame without a message has.
        least: usize,
    },
    /// The header announces no message and the bank is not configured to send that.
    #[error("the frame header announces an empty body, which is not configured as a keep-alive")]
    Empty,
    /// The first byte behind the length begins no TPDU.
    #[error("the byte behind the frame's length begins no TPDU, the first byte of which is 60")]
    NotTpdu,
    /// A body to be sent is empty or over the limit: Sampan's fault, nothing was written.
    #[error("a body of {length} bytes cannot be framed, 1 to {limit} can")]
    OutOfRange {
        /// The body's length.
        length: usize,
        /// The configured limit.
        limit: usize,
    },
}

/// Four ASCII digits.
impl Default for Framing {
    fn default() -> Self {
        Self::new(Header::new(HeaderKind::Ascii4), BODY_BYTES_MAX, false)
    }
}

impl Framing {
    /// Bodies of up to `body_bytes_max` bytes, at most [`BODY_BYTES_MAX`] with all that the length
    /// counts. With `keep_alive` a length of nothing is a sign of life, otherwise an error.
    pub fn new(header: Header, body_bytes_max: usize, keep_alive: bool) -> Self {
        Self {
            header,
            body_bytes_max: body_bytes_max.min(BODY_BYTES_MAX - header.counted_bytes()),
            keep_alive,
        }
    }

    /// How frames begin.
    pub fn header(&self) -> Header {
        self.header
    }

    /// Takes the next whole frame off `input`; an empty body is a sign of life. `None` if more bytes
    /// are needed. After an error `input` is as it was.
    ///
    /// # Errors
    /// [`FrameError`] as soon as the header is known to be wrong, even before it is complete.
    pub fn take_frame(&self, input: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let Some(Announced { before, body }) = self.header.read(input)? else {
            return Ok(None);
        };
        if body > self.body_bytes_max {
            let (length, limit) = (body, self.body_bytes_max);
            return Err(FrameError::TooLong { length, limit });
        }
        if body == 0 && !self.keep_alive {
            return Err(FrameError::Empty);
        }
        let tpdu = self.header.tpdu_of(input, before)?;
        if input.len() < before + body {
            // Room for the rest, so that reading a long frame in pieces does not reallocate often.
            input.reserve(before + body - input.len());
            return Ok(None);
        }
        input.advance(before);
        let body = input.split_to(body).freeze();
        Ok(Some(Frame { tpdu, body }))
    }

    /// Appends a frame that begins an exchange.
    ///
    /// # Errors
    /// [`FrameError::OutOfRange`], and then nothing was appended.
    pub fn put_frame(&self, body: &[u8], output: &mut BytesMut) -> Result<(), FrameError> {
        self.put(body, self.header.tpdu, output)
    }

    /// Appends a frame that answers one that came with this TPDU.
    ///
    /// # Errors
    /// [`FrameError::OutOfRange`], and then nothing was appended.
    pub fn put_answer(
        &self,
        body: &[u8],
        received: Option<Tpdu>,
        output: &mut BytesMut,
    ) -> Result<(), FrameError> {
        self.put(body, received.map(Tpdu::returned), output)
    }

    fn put(
        &self,
        body: &[u8],
        tpdu: Option<Tpdu>,
        output: &mut BytesMut,
    ) -> Result<(), FrameError> {
        let (length, limit) = (body.len(), self.body_bytes_max);
        if length == 0 || length > limit {
            return Err(FrameError::OutOfRange { length, limit });
        }
        output.reserve(self.header.bytes() + length);
        self.header.write(length, tpdu, output);
        output.extend_from_slice(body);
        Ok(())
    }
}
