//! Seals a short text so that the database alone does not give it away.
//!
//! ```text
//!   form 1 | key id 4 | nonce 12 | text, AES-256-GCM | tag 16
//! ```
//!
//! The head and a context, which says whose text it is, are authenticated with it: what is sealed for one
//! thing cannot be put in the place of another. Nonces are random: a key may seal 2^32 texts before two
//! could be the same with a chance that matters (NIST SP 800-38D, 8.3).

use ring::{
    aead::{Aad, NONCE_LEN, Nonce},
    error::Unspecified,
    rand::{SecureRandom as _, SystemRandom},
};
use zeroize::Zeroizing;

use super::key::{KeyId, Keys, MasterKey};

/// The first byte of what is sealed; another layout gets another number.
const FORM: u8 = 1;

const HEAD_BYTES: usize = 1 + KeyId::BYTES + NONCE_LEN;

/// Why something is not sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealFault {
    /// A later version sealed it, or nobody did.
    #[error("is not sealed as this version of commerce does it")]
    Form,
    /// The key is not among those configured.
    #[error("is sealed with key {0}, which is not configured; add it as a previous key")]
    Key(KeyId),
    /// It is not what was sealed.
    #[error(
        "does not fit its seal under key {0}: it was damaged, changed or moved; restore it from a copy"
    )]
    Seal(KeyId),
    /// The system gives no random nonce.
    #[error("cannot be sealed: the system gives no randomness")]
    Randomness,
}

/// Seals a text for what the context names. A context begins with a word that no other kind of
/// text has, and ends where the next one cannot begin.
///
/// # Errors
/// The system gives no randomness.
pub(crate) fn seal(key: &MasterKey, context: &[u8], text: &[u8]) -> Result<Vec<u8>, SealFault> {
    let mut nonce = [0; NONCE_LEN];
    let filled = SystemRandom::new().fill(&mut nonce);
    filled.map_err(|Unspecified| SealFault::Randomness)?;
    let mut sealed = Vec::with_capacity(HEAD_BYTES + text.len() + 16);
    sealed.push(FORM);
    sealed.extend(key.id().to_bytes());
    sealed.extend(nonce);
    let aad = Aad::from([&sealed, context].concat());
    let mut content = Zeroizing::new(text.to_vec());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key
        .sealing()
        .seal_in_place_separate_tag(nonce, aad, &mut content);
    let tag = tag.map_err(|Unspecified| SealFault::Seal(key.id()))?;
    sealed.extend(content.iter());
    sealed.extend(tag.as_ref());
    Ok(sealed)
}

/// The text that was sealed for that context.
///
/// # Errors
/// It is of another form, key or context, or is damaged.
pub(crate) fn open(
    keys: &Keys,
    context: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<String>, SealFault> {
    let (head, content) = sealed.split_at_checked(HEAD_BYTES).ok_or(SealFault::Form)?;
    let (id, nonce) = fields(head).ok_or(SealFault::Form)?;
    let key = keys.find(id).ok_or(SealFault::Key(id))?;
    let aad = Aad::from([head, context].concat());
    let mut content = Zeroizing::new(content.to_vec());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let opened = key.sealing().open_in_place(nonce, aad, &mut content);
    let opened = opened.map_err(|Unspecified| SealFault::Seal(id))?;
    let text = str::from_utf8(opened).map_err(|_| SealFault::Seal(id))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Which key something is sealed with; nothing if it is not sealed as here.
pub(crate) fn key_of(sealed: &[u8]) -> Option<KeyId> {
    let (id, _) = fields(sealed.get(..HEAD_BYTES)?)?;
    Some(id)
}

fn fields(head: &[u8]) -> Option<(KeyId, [u8; NONCE_LEN])> {
    let (&FORM, rest) = head.split_first()? else {
        return None;
    };
    let (id, nonce) = rest.split_first_chunk()?;
    Some((KeyId::from_bytes(*id), *nonce.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn key() -> MasterKey {
        MasterKey::parse(HEX).unwrap()
    }

    #[test]
    fn a_sealed_text_opens_for_its_context_alone_and_never_looks_the_same() {
        let keys = Keys::new(key(), Vec::new());
        let sealed = seal(&key(), b"account 8491", b"secret").unwrap();
        let opened = open(&keys, b"account 8491", &sealed).unwrap();
        assert_eq!(opened.as_str(), "secret");
        let elsewhere = open(&keys, b"account 8492", &sealed).unwrap_err();
        assert_eq!(elsewhere, SealFault::Seal(key().id()));
        assert_ne!(sealed, seal(&key(), b"account 8491", b"secret").unwrap());
    }

    #[test]
    fn no_octet_of_what_is_sealed_can_be_changed_or_cut_off() {
        let keys = Keys::new(key(), Vec::new());
        let sealed = seal(&key(), b"context", b"1234567890").unwrap();
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            let cut = &sealed[..place];
            assert!(open(&keys, b"context", &changed).is_err(), "octet {place}");
            assert!(open(&keys, b"context", cut).is_err(), "cut at {place}");
        }
    }
}
