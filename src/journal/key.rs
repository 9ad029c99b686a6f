//! The keys that the journal is sealed with, and which of them a record is under.
//!
//! A key comes from the environment or a file, is never shown, and is wiped from memory with its last
//! holder. A record names its key by the [`KeyId`] and never holds it.

use std::{fmt, path::PathBuf, sync::Arc};

use ring::{
    aead::{AES_256_GCM, LessSafeKey, UnboundKey},
    digest, hkdf,
};
use zeroize::Zeroizing;

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// What subkeys are derived for; another use of the same key gets other ones.
const INFO: &[u8] = b"sampan journal record 1";

/// A random key has some thirty different bytes; one with fewer than this was typed in.
const DIFFERENT_BYTES_MIN: usize = 12;

/// Where the journal is, and what it is sealed with.
#[derive(Clone, Debug)]
pub struct JournalSettings {
    /// The file.
    pub path: PathBuf,
    /// The keys.
    pub keys: Keys,
}

/// The key that records are sealed with, and those that older records may still be under.
#[derive(Clone, Debug)]
pub struct Keys {
    current: MasterKey,
    previous: Vec<MasterKey>,
}

impl Keys {
    /// The present key, and the earlier ones.
    pub fn new(current: MasterKey, previous: Vec<MasterKey>) -> Self {
        Self { current, previous }
    }

    /// What new records are sealed with.
    pub fn current(&self) -> &MasterKey {
        &self.current
    }

    /// The key of that id, if it is one of these.
    pub(super) fn find(&self, id: KeyId) -> Option<&MasterKey> {
        let mut all = std::iter::once(&self.current).chain(&self.previous);
        all.find(|key| key.id == id)
    }
}

/// A key of 256 bits that the operator gave. Records are sealed with keys derived from it.
#[derive(Clone)]
pub struct MasterKey {
    id: KeyId,
    bytes: Arc<Zeroizing<[u8; KEY_BYTES]>>,
}

impl MasterKey {
    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// What the text is not, without repeating it.
    pub fn parse(text: &str) -> Result<Self, String> {
        const MAKE_ONE: &str = "`openssl rand -hex 32` makes a key";
        let digits = text.as_bytes();
        if digits.len() != 2 * KEY_BYTES {
            let length = digits.len();
            return Err(format!(
                "has {length} characters instead of 64 hexadecimal digits; {MAKE_ONE}"
            ));
        }
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
            let digit = |octet| char::from(octet).to_digit(16);
            *byte = match pair.map(digit) {
                [Some(high), Some(low)] => (high << 4 | low) as u8,
                _ => return Err(format!("is not 64 hexadecimal digits; {MAKE_ONE}")),
            };
        }
        let mut seen = [false; 256];
        bytes
            .iter()
            .for_each(|byte| seen[usize::from(*byte)] = true);
        if seen.iter().filter(|seen| **seen).count() < DIFFERENT_BYTES_MIN {
            return Err(format!("is not random; {MAKE_ONE}"));
        }
        Ok(Self {
            id: KeyId::of(&bytes),
            bytes: Arc::new(bytes),
        })
    }

    /// What records name it by.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The key of all records that one opening of the journal seals (HKDF-SHA256, RFC 5869).
    pub(super) fn subkey(&self, salt: &[u8]) -> Result<LessSafeKey, ring::error::Unspecified> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, salt);
        let secret = salt.extract(&self.bytes[..]);
        let key = secret.expand(&[INFO], &AES_256_GCM)?;
        Ok(LessSafeKey::new(UnboundKey::from(key)))
    }
}

/// Without the key.
impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// What tells keys apart and says nothing about them: the first four bytes of the key's SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; Self::BYTES]);

impl KeyId {
    /// Bytes of an id.
    pub(super) const BYTES: usize = 4;

    fn of(key: &[u8; KEY_BYTES]) -> Self {
        let digest = digest::digest(&digest::SHA256, key);
        let first = digest.as_ref().first_chunk();
        // A digest has 32 bytes.
        Self(first.copied().unwrap_or_default())
    }

    /// As a record names it.
    pub(super) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// For a record.
    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    #[test]
    fn a_key_is_64_hexadecimal_digits_and_known_by_the_start_of_its_sha256() {
        let key = MasterKey::parse(HEX).unwrap();
        // `xxd -r -p | sha256sum` of the digits above.
        assert_eq!(key.id().to_string(), "630dcd29");
        assert_eq!(
            MasterKey::parse(&HEX.to_uppercase()).unwrap().id(),
            key.id()
        );
        assert_eq!(format!("{key:?}"), "MasterKey(630dcd29)");
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_repeated() {
        for (wrong, why) in [
            ("", "has 0 characters"),
            (&HEX[1..], "has 63 characters"),
            (&HEX.replace("1f", "1g"), "is not 64 hexadecimal digits"),
            (&"ab".repeat(32), "is not random"),
        ] {
            let error = MasterKey::parse(wrong).unwrap_err();
            assert!(error.starts_with(why), "{error}");
            assert!(
                !error.contains("0001") && !error.contains("abab"),
                "{error}"
            );
        }
    }
}
