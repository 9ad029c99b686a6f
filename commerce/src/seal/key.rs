//! The keys that PIN codes are sealed with, and which of them a card is under.
//!
//! A key comes from the environment or a file, is never shown, and is wiped from memory with its last
//! holder. A card names its key by the [`KeyId`] and never holds it. To change keys, the new one
//! becomes the current and the old one a previous one, until [`crate::reseal`] finds nothing
//! under it.

use std::{env, fmt, fs, path::PathBuf, sync::Arc};

use ring::{
    aead::{AES_256_GCM, LessSafeKey, UnboundKey},
    digest, hkdf, hmac,
};
use zeroize::Zeroizing;

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// A random key has some thirty different bytes; one with fewer than this was typed in.
const DIFFERENT_BYTES_MIN: usize = 12;

const MAKE_ONE: &str = "`openssl rand -hex 32` makes a key";

/// Where a key stands. None stands in a configuration itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The environment variable of that name.
    Environment(String),
    /// The file, whose last line may end as lines do.
    File(PathBuf),
}

/// Why there is no key. The text that was read is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// The variable or the file is not there.
    #[error("the key of {0} cannot be read: {1}")]
    Unread(String, String),
    /// It has another length.
    #[error("has {0} characters instead of 64 hexadecimal digits; {MAKE_ONE}")]
    Length(usize),
    /// It has other characters.
    #[error("is not 64 hexadecimal digits; {MAKE_ONE}")]
    Digits,
    /// Somebody made it up.
    #[error("is not random; {MAKE_ONE}")]
    NotRandom,
}

impl KeySource {
    /// Reads the key.
    ///
    /// # Errors
    /// There is none, or it is none.
    pub fn read(&self) -> Result<MasterKey, KeyFault> {
        MasterKey::parse(self.text()?.trim_end())
    }

    /// Reads what stands there, which may be another secret.
    pub(crate) fn text(&self) -> Result<Zeroizing<String>, KeyFault> {
        let text = match self {
            Self::Environment(name) => env::var(name).map_err(|error| {
                // A variable that is no text would be repeated by its error.
                let why = match error {
                    env::VarError::NotPresent => "the environment variable is not set",
                    env::VarError::NotUnicode(_) => "the environment variable is no text",
                };
                KeyFault::Unread(name.clone(), why.to_owned())
            }),
            Self::File(path) => fs::read_to_string(path)
                .map_err(|error| KeyFault::Unread(path.display().to_string(), error.to_string())),
        };
        text.map(Zeroizing::new)
    }
}

/// The key that PIN codes are sealed with, and those that earlier ones may still be under.
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

    /// What new cards are sealed with.
    pub fn current(&self) -> &MasterKey {
        &self.current
    }

    /// All of them, the present one first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// The earlier ones.
    pub(crate) fn previous(&self) -> &[MasterKey] {
        &self.previous
    }

    /// The key of that id, if it is one of these.
    pub(super) fn find(&self, id: KeyId) -> Option<&MasterKey> {
        self.all().find(|key| key.id == id)
    }
}

/// A key of 256 bits that the operator gave, and what is derived from it.
#[derive(Clone)]
pub struct MasterKey {
    id: KeyId,
    derived: Arc<Derived>,
}

struct Derived {
    seal: LessSafeKey,
    index: hmac::Key,
    otp: hmac::Key,
    form: hmac::Key,
}

impl MasterKey {
    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// What the text is not, without repeating it.
    pub fn parse(text: &str) -> Result<Self, KeyFault> {
        let bytes = bytes(text)?;
        // HKDF-SHA256, RFC 5869: each use of a key gets one of its own.
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&bytes[..]);
        // Both lengths are those that HKDF gives, so neither can fail.
        let too_long = |_| KeyFault::Digits;
        let seal = secret.expand(&[b"commerce card pin 1"], &AES_256_GCM);
        let index = secret.expand(&[b"commerce card index 1"], hmac::HMAC_SHA256);
        let otp = secret.expand(&[b"commerce otp 1"], hmac::HMAC_SHA256);
        let form = secret.expand(&[b"commerce form 1"], hmac::HMAC_SHA256);
        Ok(Self {
            id: KeyId::of(&bytes),
            derived: Arc::new(Derived {
                seal: LessSafeKey::new(UnboundKey::from(seal.map_err(too_long)?)),
                index: hmac::Key::from(index.map_err(too_long)?),
                otp: hmac::Key::from(otp.map_err(too_long)?),
                form: hmac::Key::from(form.map_err(too_long)?),
            }),
        })
    }

    /// What cards name it by.
    pub fn id(&self) -> KeyId {
        self.id
    }

    pub(super) fn sealing(&self) -> &LessSafeKey {
        &self.derived.seal
    }

    pub(super) fn indexing(&self) -> &hmac::Key {
        &self.derived.index
    }

    /// What one-time passwords are kept under.
    pub(crate) fn one_time(&self) -> &hmac::Key {
        &self.derived.otp
    }

    /// What the forms of customers' pages are bound to their pages with.
    pub(crate) fn forms(&self) -> &hmac::Key {
        &self.derived.form
    }
}

fn bytes(text: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyFault> {
    let digits = text.as_bytes();
    if digits.len() != 2 * KEY_BYTES {
        return Err(KeyFault::Length(digits.len()));
    }
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = match pair.map(|octet| char::from(octet).to_digit(16)) {
            [Some(high), Some(low)] => (high << 4 | low) as u8,
            _ => return Err(KeyFault::Digits),
        };
    }
    let mut seen = [false; 256];
    bytes
        .iter()
        .for_each(|byte| seen[usize::from(*byte)] = true);
    if seen.iter().filter(|seen| **seen).count() < DIFFERENT_BYTES_MIN {
        return Err(KeyFault::NotRandom);
    }
    Ok(bytes)
}

/// Without the key.
impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// What tells keys apart and says nothing about them: the first four bytes of the key's SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
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

    pub(super) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

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
        assert_eq!(format!("{key:?}"), "MasterKey(630dcd29)");
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_repeated() {
        for (wrong, why) in [
            ("", KeyFault::Length(0)),
            (&HEX[1..], KeyFault::Length(63)),
            (&HEX.replace("1f", "1g"), KeyFault::Digits),
            (&"ab".repeat(32), KeyFault::NotRandom),
        ] {
            let fault = MasterKey::parse(wrong).unwrap_err();
            assert_eq!(fault, why);
            let text = fault.to_string();
            assert!(!text.contains("0001") && !text.contains("abab"), "{text}");
        }
    }

    #[test]
    fn a_key_stands_in_a_file_and_its_absence_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let source = KeySource::File(path.clone());
        let fault = source.read().unwrap_err().to_string();
        assert!(fault.contains(&path.display().to_string()), "{fault}");
        fs::write(&path, format!("{HEX}\n")).unwrap();
        assert_eq!(source.read().unwrap().id().to_string(), "630dcd29");
        let unset = KeySource::Environment("NO_SUCH_KEY_IN_COMMERCE".to_owned());
        let fault = unset.read().unwrap_err().to_string();
        assert!(fault.contains("NO_SUCH_KEY_IN_COMMERCE"), "{fault}");
    }
}
