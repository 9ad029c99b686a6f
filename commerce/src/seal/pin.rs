//! A PIN code in clear, sealed, and as the digest by which it is known again.
//!
//! The card type and the serial are authenticated with the PIN code, so that a sealed one cannot be
//! put on another card.

use std::fmt;

use ring::hmac;
use zeroize::Zeroizing;

use super::{
    envelope::{self, SealFault},
    key::{Keys, MasterKey},
};
use crate::word::{CardTypeId, Id};

/// What a card's buyer types in. It is wiped from memory with its last holder.
#[derive(Clone, PartialEq, Eq)]
pub struct PinCode(Zeroizing<String>);

impl PinCode {
    /// The most characters: no issuer prints more.
    pub const LENGTH_MAX: usize = 40;

    /// Takes letters, digits and '-'.
    ///
    /// # Errors
    /// It has others, none, or too many, which are not repeated.
    pub fn parse(text: &str) -> Result<Self, PinFault> {
        let is_pin = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !(1..=Self::LENGTH_MAX).contains(&text.len()) || !text.bytes().all(is_pin) {
            return Err(PinFault::NoPin);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// For its buyer alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Without the PIN code.
impl fmt::Debug for PinCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinCode(…)")
    }
}

/// Why there is no PIN code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinFault {
    /// The text is none.
    #[error(
        "the PIN code is not 1 to {} letters, digits and '-'",
        PinCode::LENGTH_MAX
    )]
    NoPin,
    /// It cannot be sealed or opened.
    #[error("the PIN code {0}")]
    Seal(#[from] SealFault),
}

/// Seals a PIN code on its card, whose serial is in capitals.
pub(crate) fn seal(
    key: &MasterKey,
    card_type: &CardTypeId,
    serial: &str,
    pin: &PinCode,
) -> Result<Vec<u8>, PinFault> {
    let context = context(card_type, serial);
    Ok(envelope::seal(key, &context, pin.reveal().as_bytes())?)
}

/// The PIN code that was sealed on that card.
pub(crate) fn open(
    keys: &Keys,
    card_type: &CardTypeId,
    serial: &str,
    sealed: &[u8],
) -> Result<PinCode, PinFault> {
    let opened = envelope::open(keys, &context(card_type, serial), sealed)?;
    PinCode::parse(&opened)
}

/// The same for the same PIN code of an issuer, and nothing about it to whoever lacks the key.
/// Issuers count their PIN codes for themselves, so two may print the same.
pub(crate) fn index(key: &MasterKey, issuer: &Id, pin: &PinCode) -> Vec<u8> {
    let mut digest = hmac::Context::with_key(key.indexing());
    digest.update(issuer.as_str().as_bytes());
    digest.update(&[0]);
    digest.update(pin.reveal().as_bytes());
    digest.sign().as_ref().to_vec()
}

/// Neither a card type nor a serial holds an octet 0.
fn context(card_type: &CardTypeId, serial: &str) -> Vec<u8> {
    [card_type.as_str().as_bytes(), &[0], serial.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const NEW: &str = "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn key(hex: &str) -> MasterKey {
        MasterKey::parse(hex).unwrap()
    }

    fn mobi() -> CardTypeId {
        "MOBI10".parse().unwrap()
    }

    #[test]
    fn a_pin_code_is_read_under_its_key_on_its_card_and_nowhere_else() {
        let pin = PinCode::parse("1234567890").unwrap();
        let sealed = seal(&key(OLD), &mobi(), "A1", &pin).unwrap();
        let rotated = Keys::new(key(NEW), vec![key(OLD)]);
        assert_eq!(open(&rotated, &mobi(), "A1", &sealed), Ok(pin.clone()));
        let id = key(OLD).id();
        assert_eq!(
            open(&rotated, &mobi(), "A2", &sealed),
            Err(SealFault::Seal(id).into())
        );
        let other = "MOBI1".parse().unwrap();
        assert_eq!(
            open(&rotated, &other, "0A1", &sealed),
            Err(SealFault::Seal(id).into())
        );
        let without = Keys::new(key(NEW), Vec::new());
        assert_eq!(
            open(&without, &mobi(), "A1", &sealed),
            Err(SealFault::Key(id).into())
        );
        assert_ne!(sealed, seal(&key(OLD), &mobi(), "A1", &pin).unwrap());
    }

    #[test]
    fn an_index_is_the_same_for_the_same_pin_code_of_an_issuer_under_one_key() {
        let (one, other) = (PinCode::parse("12").unwrap(), PinCode::parse("13").unwrap());
        let (mobi, vina) = ("MOBI".parse().unwrap(), "VINA".parse().unwrap());
        let known = index(&key(OLD), &mobi, &one);
        assert_eq!(known, index(&key(OLD), &mobi, &one));
        assert_ne!(known, index(&key(OLD), &mobi, &other));
        assert_ne!(known, index(&key(OLD), &vina, &one));
        assert_ne!(known, index(&key(NEW), &mobi, &one));
    }

    #[test]
    fn a_pin_code_is_never_shown_by_accident() {
        let pin = PinCode::parse("1234567890").unwrap();
        assert_eq!(format!("{pin:?}"), "PinCode(…)");
        for wrong in ["", "12 34", "12,34", &"1".repeat(41)] {
            let fault = PinCode::parse(wrong).unwrap_err().to_string();
            assert!(!fault.contains("12"), "{fault}");
        }
    }
}
