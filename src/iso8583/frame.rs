//! Frames: a header of four ASCII digits that gives the length of what follows, then that.
//!
//! A broken header means that the peer and Sampan disagree on where messages begin. Nothing is
//! searched for and nothing is skipped: the connection is to be closed.

use bytes::{Buf, Bytes, BytesMut};

/// The header is this long.
pub const HEADER_BYTES: usize = 4;
/// What four digits can give, and so the longest body.
pub const BODY_BYTES_MAX: usize = 9_999;

/// How frames are cut, by a bank's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    body_bytes_max: usize,
    keep_alive: bool,
}

/// Why bytes are no frame. All but [`FrameError::OutOfRange`] are the peer's fault, and fatal to
/// the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A byte of the header is no digit.
    #[error(
        "byte {position} of the frame header is no ASCII digit; \
         does the peer speak ISO 8583 with a header of four digits?"
    )]
    NotDigit {
        /// 0 to 3.
        position: usize,
    },
    /// The header announces a longer body than this bank may send.
    #[error("the frame header announces {length} bytes, over the limit of {limit}")]
    TooLong {
        /// What the header says.
        length: usize,
        /// The configured limit.
        limit: usize,
    },
    /// The header is 0000 and the bank is not configured to send it.
    #[error("the frame header announces an empty body, which is not configured as a keep-alive")]
    Empty,
    /// A body to be sent is empty or over the limit: Sampan's fault, nothing was written.
    #[error("a body of {length} bytes cannot be framed, 1 to {limit} can")]
    OutOfRange {
        /// The body's length.
        length: usize,
        /// The configured limit.
        limit: usize,
    },
}

impl Default for Framing {
    fn default() -> Self {
        Self {
            body_bytes_max: BODY_BYTES_MAX,
            keep_alive: false,
        }
    }
}

impl Framing {
    /// Bodies of up to `body_bytes_max` bytes, at most [`BODY_BYTES_MAX`]. With `keep_alive` the
    /// header 0000 is an empty frame, otherwise an error.
    pub fn new(body_bytes_max: usize, keep_alive: bool) -> Self {
        Self {
            body_bytes_max: body_bytes_max.min(BODY_BYTES_MAX),
            keep_alive,
        }
    }

    /// Takes the next whole frame's body off `input`; an empty body is a keep-alive. `None` if more
    /// bytes are needed. After an error `input` is as it was.
    ///
    /// # Errors
    /// [`FrameError`] as soon as the header is known to be wrong, even before it is complete.
    pub fn take_frame(&self, input: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        let mut length = 0;
        for (position, byte) in input.iter().take(HEADER_BYTES).enumerate() {
            if !byte.is_ascii_digit() {
                return Err(FrameError::NotDigit { position });
            }
            length = length * 10 + usize::from(byte - b'0');
        }
        if input.len() < HEADER_BYTES {
            return Ok(None);
        }
        if length > self.body_bytes_max {
            let limit = self.body_bytes_max;
            return Err(FrameError::TooLong { length, limit });
        }
        if length == 0 && !self.keep_alive {
            return Err(FrameError::Empty);
        }
        if input.len() < HEADER_BYTES + length {
            // Room for the rest, so that reading a long frame in pieces does not reallocate often.
            input.reserve(HEADER_BYTES + length - input.len());
            return Ok(None);
        }
        input.advance(HEADER_BYTES);
        Ok(Some(input.split_to(length).freeze()))
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// [`FrameError::OutOfRange`], and then nothing was appended.
    pub fn put_frame(&self, body: &[u8], output: &mut BytesMut) -> Result<(), FrameError> {
        let (length, limit) = (body.len(), self.body_bytes_max);
        if length == 0 || length > limit {
            return Err(FrameError::OutOfRange { length, limit });
        }
        output.reserve(HEADER_BYTES + length);
        output.extend_from_slice(&super::amount::zero_filled::<HEADER_BYTES>(length as u64));
        output.extend_from_slice(body);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(input: &[u8]) -> Result<Option<Bytes>, FrameError> {
        Framing::new(300, false).take_frame(&mut BytesMut::from(input))
    }

    #[test]
    fn a_body_of_126_bytes_travels_as_0126_and_126_bytes() {
        let body = [b'x'; 126];
        let mut output = BytesMut::new();
        Framing::default().put_frame(&body, &mut output).unwrap();
        assert_eq!(output.len(), 130);
        assert_eq!(&output[..5], b"0126x");
        let taken = Framing::default().take_frame(&mut output).unwrap().unwrap();
        assert_eq!(&taken[..], body);
        assert!(output.is_empty());
    }

    #[test]
    fn frames_are_taken_one_by_one_and_the_rest_stays() {
        let mut input = BytesMut::from(&b"0002ab0003cde00"[..]);
        let framing = Framing::default();
        assert_eq!(framing.take_frame(&mut input).unwrap().unwrap(), "ab");
        assert_eq!(framing.take_frame(&mut input).unwrap().unwrap(), "cde");
        assert_eq!(framing.take_frame(&mut input), Ok(None));
        assert_eq!(&input[..], b"00");
    }

    #[test]
    fn signs_and_spaces_in_a_header_are_no_digits() {
        for (input, position) in [
            (&b"-001"[..], 0),
            (b"+012", 0),
            (b"00 1", 2),
            (b" 001", 0),
            (b"000\n", 3),
            (b"0x10", 1),
        ] {
            assert_eq!(take(input), Err(FrameError::NotDigit { position }));
        }
    }

    #[test]
    fn a_foreign_protocol_is_noticed_by_its_first_wrong_byte() {
        assert_eq!(take(b"G"), Err(FrameError::NotDigit { position: 0 }));
        assert_eq!(take(b"0\x16"), Err(FrameError::NotDigit { position: 1 }));
    }

    #[test]
    fn a_header_of_zeros_is_a_keep_alive_only_where_configured() {
        assert_eq!(take(b"0000"), Err(FrameError::Empty));
        let mut input = BytesMut::from(&b"00000001x"[..]);
        let framing = Framing::new(300, true);
        assert_eq!(framing.take_frame(&mut input).unwrap().unwrap(), "");
        assert_eq!(framing.take_frame(&mut input).unwrap().unwrap(), "x");
    }

    #[test]
    fn a_body_over_the_limit_is_refused_before_it_arrives() {
        let (length, limit) = (301, 300);
        assert_eq!(take(b"0301"), Err(FrameError::TooLong { length, limit }));
        assert_eq!(take(b"0300"), Ok(None));
    }

    #[test]
    fn a_body_that_four_digits_cannot_announce_is_not_written() {
        for length in [0, 10_000] {
            let mut output = BytesMut::new();
            let framing = Framing::new(usize::MAX, false);
            let limit = BODY_BYTES_MAX;
            assert_eq!(
                framing.put_frame(&vec![b'x'; length], &mut output),
                Err(FrameError::OutOfRange { length, limit })
            );
            assert!(output.is_empty());
        }
    }
}
