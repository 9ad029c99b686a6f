//! A PIN code in clear, sealed, and as the digest by which it is known again.
//!
//! ```text
//!   form 1 | key id 4 | nonce 12 | PIN code, AES-256-GCM | tag 16
//! ```
//!
//! The head, the card type and the serial are authenticated with the PIN code, so that a sealed one
//! cannot be put on another card. Nonces are random: a key may seal 2^32 PIN codes before two could
//! be the same with a chance that matters (NIST SP 800-38D, 8.3), which is more cards than there are.

use std::fmt;

use ring::{
    aead::{Aad, NONCE_LEN, Nonce},
    error::Unspecified,
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use zeroize::Zeroizing;

use super::key::{KeyId, Keys, MasterKey};
use crate::word::{CardTypeId, Id};

/// The first byte of a sealed PIN code; another layout gets another number.
const FORM: u8 = 1;

const HEAD_BYTES: usize = 1 + KeyId::BYTES + NONCE_LEN;

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
    /// A later version sealed it, or nobody did.
    #[error("the PIN code is not sealed as this version of commerce does it")]
    Form,
    /// The key is not among those configured.
    #[error(
        "the PIN code is sealed with key {0}, which is not configured; add it as a previous key"
    )]
    Key(KeyId),
    /// It is not what was sealed.
    #[error(
        "the PIN code does not fit its seal under key {0}: it was damaged, changed or moved; \
         restore the card from a copy"
    )]
    Seal(KeyId),
    /// The system gives no random nonce.
    #[error("the system gives no randomness")]
    Randomness,
}

/// Seals a PIN code on its card, whose serial is in capitals.
pub(crate) fn seal(
    key: &MasterKey,
    card_type: &CardTypeId,
    serial: &str,
    pin: &PinCode,
) -> Result<Vec<u8>, PinFault> {
    let mut nonce = [0; NONCE_LEN];
    let filled = SystemRandom::new().fill(&mut nonce);
    filled.map_err(|Unspecified| PinFault::Randomness)?;
    let mut sealed = vec![FORM];
    sealed.extend(key.id().to_bytes());
    sealed.extend(nonce);
    let aad = Aad::from(authenticated(&sealed, card_type, serial));
    let mut content = Zeroizing::new(pin.reveal().as_bytes().to_vec());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key
        .sealing()
        .seal_in_place_separate_tag(nonce, aad, &mut content);
    let tag = tag.map_err(|Unspecified| PinFault::Seal(key.id()))?;
    sealed.extend(content.iter());
    sealed.extend(tag.as_ref());
    Ok(sealed)
}

/// The PIN code that was sealed on that card.
pub(crate) fn open(
    keys: &Keys,
    card_type: &CardTypeId,
    serial: &str,
    sealed: &[u8],
) -> Result<PinCode, PinFault> {
    let (head, content) = sealed.split_at_checked(HEAD_BYTES).ok_or(PinFault::Form)?;
    let (id, nonce) = fields(head).ok_or(PinFault::Form)?;
    let key = keys.find(id).ok_or(PinFault::Key(id))?;
    let aad = Aad::from(authenticated(head, card_type, serial));
    let mut content = Zeroizing::new(content.to_vec());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let opened = key.sealing().open_in_place(nonce, aad, &mut content);
    let opened = opened.map_err(|Unspecified| PinFault::Seal(id))?;
    let text = str::from_utf8(opened).map_err(|_| PinFault::Seal(id))?;
    PinCode::parse(text)
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

fn fields(head: &[u8]) -> Option<(KeyId, [u8; NONCE_LEN])> {
    let (&FORM, rest) = head.split_first()? else {
        return None;
    };
    let (id, nonce) = rest.split_first_chunk()?;
    Some((KeyId::from_bytes(*id), *nonce.first_chunk()?))
}

/// Neither a card type nor a serial holds an octet 0.
fn authenticated(head: &[u8], card_type: &CardTypeId, serial: &str) -> Vec<u8> {
    [head, card_type.as_str().as_bytes(), &[0], serial.as_bytes()].concat()
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
            Err(PinFault::Seal(id))
        );
        let other = "MOBI1".parse().unwrap();
        assert_eq!(
            open(&rotated, &other, "0A1", &sealed),
            Err(PinFault::Seal(id))
        );
        let without = Keys::new(key(NEW), Vec::new());
        assert_eq!(
            open(&without, &mobi(), "A1", &sealed),
            Err(PinFault::Key(id))
        );
        assert_ne!(sealed, seal(&key(OLD), &mobi(), "A1", &pin).unwrap());
    }

    #[test]
    fn no_octet_of_a_sealed_pin_code_can_be_changed_or_cut_off() {
        let keys = Keys::new(key(OLD), Vec::new());
        let pin = PinCode::parse("1234567890").unwrap();
        let sealed = seal(&key(OLD), &mobi(), "A1", &pin).unwrap();
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(
                open(&keys, &mobi(), "A1", &changed).is_err(),
                "octet {place}"
            );
            assert!(
                open(&keys, &mobi(), "A1", &sealed[..place]).is_err(),
                "cut at {place}"
            );
        }
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
