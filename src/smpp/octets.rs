//! The string fields of a PDU as types that cannot hold what the wire cannot carry.
//!
//! Short C-octet strings are kept inline: copying 21 octets costs less than counting one more
//! reference to the read buffer, and does not keep that buffer alive. Message ids and texts share
//! the buffer they were read from.

use std::fmt;
use std::str::FromStr;

use bytes::{BufMut, Bytes, BytesMut};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

/// Longest message id that is accepted, in octets without the NUL.
///
/// The standard allows 64 (SMPP 3.4 4.4.2). Some SMSCs send more, and refusing the id would lose
/// the only key to the message's receipt.
pub const MESSAGE_ID_OCTETS_MAX: usize = 255;

/// Longest `short_message` in octets (SMPP 3.4 5.2.22); longer texts go into `message_payload`.
pub const SHORT_MESSAGE_OCTETS_MAX: usize = 254;

/// A value that does not fit its field. The value itself is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OctetError {
    /// More octets than the field holds.
    #[error("{octets} octets where at most {octets_max} fit: shorten the value")]
    TooLong {
        /// Octets given.
        octets: usize,
        /// Octets that fit, a terminating NUL not counted.
        octets_max: usize,
    },
    /// A NUL would end the field early.
    #[error("octet {position} is NUL, which would end the field there: remove it")]
    EmbeddedNul {
        /// Position of the first NUL, from zero.
        position: usize,
    },
}

fn check_c_octets(value: &[u8], octets_max: usize) -> Result<(), OctetError> {
    if value.len() > octets_max {
        return Err(OctetError::TooLong {
            octets: value.len(),
            octets_max,
        });
    }
    match nul_position(value) {
        Some(position) => Err(OctetError::EmbeddedNul { position }),
        None => Ok(()),
    }
}

/// Whether a text fits `short_message`.
pub(super) fn check_short_message(value: &[u8]) -> Result<(), OctetError> {
    match value.len() <= SHORT_MESSAGE_OCTETS_MAX {
        true => Ok(()),
        false => Err(OctetError::TooLong {
            octets: value.len(),
            octets_max: SHORT_MESSAGE_OCTETS_MAX,
        }),
    }
}

/// Octets that are looked at as one number.
const WORD_OCTETS: usize = 8;

/// The octets before the first NUL of a word that was read little end first, as bits of it. A borrow
/// of the subtraction runs upwards only, so that the lowest mark is always that of a NUL.
#[inline]
fn bits_before_nul(word: u64) -> Option<u32> {
    const LOWEST_BITS: u64 = u64::from_ne_bytes([0x01; WORD_OCTETS]);
    const HIGHEST_BITS: u64 = u64::from_ne_bytes([0x80; WORD_OCTETS]);
    match word.wrapping_sub(LOWEST_BITS) & !word & HIGHEST_BITS {
        0 => None,
        marks => Some(marks.trailing_zeros() / 8 * 8),
    }
}

/// Where the first NUL is.
#[inline]
pub(super) fn nul_position(octets: &[u8]) -> Option<usize> {
    let (words, rest) = octets.as_chunks::<WORD_OCTETS>();
    for (index, word) in words.iter().enumerate() {
        if let Some(bits) = bits_before_nul(u64::from_le_bytes(*word)) {
            return Some(index * WORD_OCTETS + bits as usize / 8);
        }
    }
    let position = rest.iter().position(|&octet| octet == 0)?;
    Some(words.len() * WORD_OCTETS + position)
}

/// A NUL-terminated string of at most `MAX` octets, the NUL counted as the standard counts it
/// ("Var. max 21").
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct COctetString<const MAX: usize> {
    len: u8,
    // Zero from `len` on, so that the derived equality is that of the strings and the octet at
    // `len` is the terminating NUL.
    octets: [u8; MAX],
}

impl<const MAX: usize> COctetString<MAX> {
    const CAPACITY: usize = {
        assert!(MAX >= 1 && MAX <= 256, "a length must fit one octet");
        MAX - 1
    };

    /// The empty string: a lone NUL on the wire.
    pub const EMPTY: Self = Self {
        len: 0,
        octets: [0; MAX],
    };

    /// Takes `value` if it fits and holds no NUL.
    pub fn new(value: impl AsRef<[u8]>) -> Result<Self, OctetError> {
        let value = value.as_ref();
        check_c_octets(value, Self::CAPACITY)?;
        let mut string = Self::EMPTY;
        if let Some(octets) = string.octets.get_mut(..value.len()) {
            octets.copy_from_slice(value);
            string.len = value.len() as u8;
        }
        Ok(string)
    }

    /// Becomes the string at the start of `octets`, or says that no NUL ends it within the field's
    /// length; then it holds nothing that means anything.
    ///
    /// It is copied a word at a time while its end is looked for: a field is too short for the call
    /// of a copy to be worth it. And it is copied to where it stays: a string that is read back at once
    /// in other pieces than it was written in makes the processor wait for its own writes.
    #[inline(always)]
    #[must_use]
    pub(super) fn read(&mut self, octets: &[u8]) -> bool {
        *self = Self::EMPTY;
        let field = octets.get(..MAX).unwrap_or(octets);
        if field.first() == Some(&0) {
            return true;
        }
        let (words, rest) = field.as_chunks::<WORD_OCTETS>();
        let (own_words, _) = self.octets.as_chunks_mut::<WORD_OCTETS>();
        let mut before = 0;
        for (own, word) in own_words.iter_mut().zip(words) {
            let word = u64::from_le_bytes(*word);
            if let Some(bits) = bits_before_nul(word) {
                *own = (word & !(u64::MAX << bits)).to_le_bytes();
                self.len = before + (bits / 8) as u8;
                return true;
            }
            *own = word.to_le_bytes();
            before += WORD_OCTETS as u8;
        }
        let own_rest = self.octets.iter_mut().skip(usize::from(before));
        for (own, octet) in own_rest.zip(rest) {
            if *octet == 0 {
                self.len = before;
                return true;
            }
            *own = *octet;
            before += 1;
        }
        false
    }

    /// The octets without the NUL.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The octets with the terminating NUL, as they stand on the wire.
    #[inline]
    pub(super) fn with_nul(&self) -> &[u8] {
        self.octets
            .get(..=usize::from(self.len))
            .unwrap_or_default()
    }

    /// The octets with NULs up to the field's greatest length.
    #[inline]
    pub(super) fn padded(&self) -> &[u8; MAX] {
        &self.octets
    }

    /// True when the field is a lone NUL.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The text, with octets that are not UTF-8 replaced.
    pub fn to_text(&self) -> String {
        String::from_utf8_lossy(self.as_bytes()).into_owned()
    }
}

impl<const MAX: usize> Default for COctetString<MAX> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const MAX: usize> FromStr for COctetString<MAX> {
    type Err = OctetError;

    fn from_str(value: &str) -> Result<Self, OctetError> {
        Self::new(value)
    }
}

impl<const MAX: usize> fmt::Display for COctetString<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_bytes().escape_ascii())
    }
}

impl<const MAX: usize> fmt::Debug for COctetString<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A bind's password: at most eight octets (SMPP 3.4 5.2.2), never shown.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Password(pub(super) COctetString<9>);

impl Password {
    /// Takes `value` if it fits and holds no NUL.
    pub fn new(value: impl AsRef<[u8]>) -> Result<Self, OctetError> {
        COctetString::new(value).map(Self)
    }

    /// Whether it is the same, in a time that does not tell how much of it is.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.octets.ct_eq(&other.0.octets).into()
    }

    /// Length in octets, which is all that may be shown.
    pub fn octets(&self) -> usize {
        self.0.as_bytes().len()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<masked>")
    }
}

/// The SMSC's name for a message (SMPP 3.4 5.2.23): opaque, no NUL, at most
/// [`MESSAGE_ID_OCTETS_MAX`] octets.
#[derive(Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct MessageId(Bytes);

impl MessageId {
    /// The empty id, as in a response that has none.
    pub const EMPTY: Self = Self(Bytes::new());

    /// Takes `value` if it fits and holds no NUL.
    pub fn new(value: impl Into<Bytes>) -> Result<Self, OctetError> {
        let value = value.into();
        check_c_octets(&value, MESSAGE_ID_OCTETS_MAX)?;
        Ok(Self(value))
    }

    /// The reader has checked that `value` fits and holds no NUL.
    #[inline]
    pub(super) fn received(value: Bytes) -> Self {
        Self(value)
    }

    /// The octets without the NUL.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The octets without the NUL, which share the buffer that the PDU was read into.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// True when there is no id.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text, with octets that are not UTF-8 replaced.
    pub fn to_text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_slice(&self.0);
        out.put_u8(0);
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// The octets of `short_message`: at most [`SHORT_MESSAGE_OCTETS_MAX`], never shown.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ShortMessage(Bytes);

impl ShortMessage {
    /// No text here: it is in `message_payload`, or there is none.
    pub const EMPTY: Self = Self(Bytes::new());

    /// Takes `value` if it fits.
    pub fn new(value: impl Into<Bytes>) -> Result<Self, OctetError> {
        let value = value.into();
        check_short_message(&value)?;
        Ok(Self(value))
    }

    /// What a peer sent under a one-octet length: 255 is off the standard, and harmless.
    pub(super) fn received(value: Bytes) -> Self {
        Self(value)
    }

    /// The octets, a user data header included if `esm_class` says that there is one.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// True when `sm_length` is zero.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of `sm_length`; the constructors keep it within one octet.
    pub(super) fn sm_length(&self) -> u8 {
        self.0.len() as u8
    }
}

impl fmt::Debug for ShortMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} octets>", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_that_fills_its_field_is_taken_and_one_octet_more_is_refused() {
        assert_eq!(
            COctetString::<5>::new("abcd").unwrap().with_nul(),
            b"abcd\0"
        );
        assert_eq!(
            COctetString::<5>::new("abcde"),
            Err(OctetError::TooLong {
                octets: 5,
                octets_max: 4
            })
        );
    }

    #[test]
    fn an_embedded_nul_cannot_be_built() {
        let refused = Err(OctetError::EmbeddedNul { position: 2 });
        assert_eq!(COctetString::<9>::new(b"ab\0c"), refused);
        assert_eq!(
            MessageId::new(&b"ab\0c"[..]).map(|_| ()),
            refused.map(|_| ())
        );
    }

    #[test]
    fn a_short_message_of_255_octets_cannot_be_built() {
        assert!(ShortMessage::new(vec![0; 254]).is_ok());
        assert!(ShortMessage::new(vec![0; 255]).is_err());
    }

    #[test]
    fn passwords_and_texts_are_not_in_debug_output() {
        let password = Password::new("secret08").unwrap();
        let text = ShortMessage::new("OTP 123456").unwrap();
        let shown = format!("{password:?} {text:?}");
        assert_eq!(shown, "<masked> <10 octets>");
    }
}
