//! Session keys as a bank sends them: closed under a key encryption key that both sides were given
//! once, followed by a check value, in one element of an 0800 or 0810.
//!
//! ECB does not notice a changed key, so the check value has to; a key is never used unchecked.

use super::cipher::{Aes, Des};
use super::key::{CheckMethod, CheckValue, KeyError, Secret};
use super::mac::{MacAlgorithm, MacKey};
use crate::iso8583::Message;
use crate::iso8583::field::hex_value;
use std::fmt;
use zeroize::Zeroizing;

/// How a session key is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyWrap {
    /// Each eight octets by themselves under triple DES.
    TdesEcb,
    /// Each sixteen octets by themselves under AES.
    AesEcb,
    /// AES Key Wrap (RFC 3394), which adds eight octets.
    AesKeyWrap,
}

impl KeyWrap {
    /// How long a key of `key_bytes` is when it is closed. `None` if it cannot be closed like this.
    pub const fn wrapped_bytes(self, key_bytes: usize) -> Option<usize> {
        match self {
            Self::TdesEcb if key_bytes.is_multiple_of(8) => Some(key_bytes),
            Self::AesEcb if key_bytes.is_multiple_of(16) => Some(key_bytes),
            // RFC 3394 2: at least two blocks of eight octets.
            Self::AesKeyWrap if key_bytes.is_multiple_of(8) && key_bytes >= 16 => {
                Some(key_bytes + 8)
            }
            Self::TdesEcb | Self::AesEcb | Self::AesKeyWrap => None,
        }
    }
}

/// A key encryption key: it opens session keys and does nothing else.
pub struct WrappingKey {
    engine: Engine,
    check_value: CheckValue,
}

enum Engine {
    TdesEcb(Des),
    AesEcb(Aes),
    AesKeyWrap(Secret),
}

impl WrappingKey {
    /// A key encryption key for that way of closing.
    ///
    /// # Errors
    /// [`KeyError`] if it is not as long as the cipher wants, or if it is triple DES in name only.
    pub fn new(wrap: KeyWrap, secret: Secret) -> Result<Self, KeyError> {
        let method = match wrap {
            KeyWrap::TdesEcb => CheckMethod::Des,
            KeyWrap::AesEcb | KeyWrap::AesKeyWrap => CheckMethod::Aes,
        };
        let check_value = CheckValue::of(&secret, method)?;
        let engine = match wrap {
            KeyWrap::TdesEcb => {
                secret.refuse_degenerate()?;
                match Des::new(&secret)? {
                    Des::Single(_) => {
                        let wanted = "a key encryption key has 16 or 24";
                        return Err(KeyError::Length { given: 8, wanted });
                    }
                    triple => Engine::TdesEcb(triple),
                }
            }
            KeyWrap::AesEcb => Engine::AesEcb(Aes::new(&secret)?),
            KeyWrap::AesKeyWrap => Engine::AesKeyWrap(secret),
        };
        Ok(Self {
            engine,
            check_value,
        })
    }

    fn wrap(&self) -> KeyWrap {
        match self.engine {
            Engine::TdesEcb(_) => KeyWrap::TdesEcb,
            Engine::AesEcb(_) => KeyWrap::AesEcb,
            Engine::AesKeyWrap(_) => KeyWrap::AesKeyWrap,
        }
    }

    /// Opens a key that is `key_bytes` long.
    fn open(&self, wrapped: &[u8], key_bytes: usize) -> Result<Secret, KeyFault> {
        let mut octets = Zeroizing::new(wrapped.to_vec());
        match &self.engine {
            Engine::TdesEcb(des) => {
                for block in octets.as_chunks_mut().0 {
                    des.decrypt(block);
                }
            }
            Engine::AesEcb(aes) => {
                for block in octets.as_chunks_mut().0 {
                    aes.decrypt(block);
                }
            }
            Engine::AesKeyWrap(secret) => {
                octets.truncate(key_bytes);
                aes_unwrap(secret, wrapped, &mut octets).ok_or(KeyFault::Wrapping)?;
            }
        }
        Secret::new(octets).map_err(|_| KeyFault::Layout)
    }
}

/// AES Key Wrap, by the length of the key. `None` if the key is another one, or the octets were
/// changed.
fn aes_unwrap(secret: &Secret, wrapped: &[u8], out: &mut [u8]) -> Option<()> {
    let key = secret.octets();
    let opened = match key.len() {
        16 => aes_kw::KekAes128::try_from(key).and_then(|kek| kek.unwrap(wrapped, out)),
        24 => aes_kw::KekAes192::try_from(key).and_then(|kek| kek.unwrap(wrapped, out)),
        _ => aes_kw::KekAes256::try_from(key).and_then(|kek| kek.unwrap(wrapped, out)),
    };
    opened.ok()
}

impl fmt::Debug for WrappingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappingKey({:?}, {})", self.wrap(), self.check_value)
    }
}

/// Where in an 0800 or 0810 a session key stands: at `offset` in its element, and behind it the check
/// value, and behind that nothing but spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyLayout {
    /// The element.
    pub element: u8,
    /// Characters, or octets of a binary element, before the key, which nobody looks at.
    pub offset: usize,
    /// Whether the element holds octets; otherwise it holds hexadecimal digits.
    pub is_binary: bool,
    /// Octets of the check value, 2 to 8.
    pub check_bytes: usize,
    /// How it is made.
    pub check_method: CheckMethod,
}

/// Why a session key that arrived cannot be used. It names no octet of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// The element is not there.
    #[error("the message has no element with a key; check key_element with the bank")]
    Missing,
    /// The element is not a key of the length of the algorithm and its check value.
    #[error(
        "the element does not hold a key of the algorithm's length and its check value; check \
         key_offset, key_wrap and check_value_digits with the bank"
    )]
    Layout,
    /// AES Key Wrap has noticed that it was closed under another key.
    #[error("the key was closed under another key encryption key")]
    Wrapping,
    /// The check value is that of another key.
    #[error(
        "the check value is not that of the key; the key encryption key is another one, or \
         check_value is made differently"
    )]
    CheckValue,
}

impl KeyLayout {
    /// How many characters, or octets of a binary element, the element has with a key of that length.
    /// `None` if such a key cannot be closed like this.
    pub fn length_with(&self, wrap: KeyWrap, key_bytes: usize) -> Option<usize> {
        let octets = wrap.wrapped_bytes(key_bytes)? + self.check_bytes;
        Some(self.offset + if self.is_binary { octets } else { 2 * octets })
    }

    /// Takes the session key out of a message.
    ///
    /// # Errors
    /// [`KeyFault`]; the key must then not be used.
    pub fn open(
        &self,
        algorithm: MacAlgorithm,
        wrapping_key: &WrappingKey,
        message: &Message,
    ) -> Result<MacKey, KeyFault> {
        let value = message.get(self.element).ok_or(KeyFault::Missing)?;
        let octets = self.octets(value).ok_or(KeyFault::Layout)?;
        let split = octets.len().checked_sub(self.check_bytes);
        let (wrapped, check) = split
            .and_then(|at| octets.split_at_checked(at))
            .ok_or(KeyFault::Layout)?;
        let wrap = wrapping_key.wrap();
        let mut lengths = algorithm.key_lengths().iter();
        let key_bytes = lengths
            .find(|length| wrap.wrapped_bytes(**length) == Some(wrapped.len()))
            .ok_or(KeyFault::Layout)?;
        let secret = wrapping_key.open(wrapped, *key_bytes)?;
        let own = CheckValue::of(&secret, self.check_method).map_err(|_| KeyFault::Layout)?;
        if !own.begins_with(check) {
            return Err(KeyFault::CheckValue);
        }
        MacKey::new(algorithm, secret).map_err(|_| KeyFault::Layout)
    }

    /// The octets of key and check value.
    fn octets(&self, value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let value = value.get(self.offset..)?;
        if self.is_binary {
            return Some(value.to_vec().into());
        }
        let pairs = value.trim_ascii_end().chunks(2).map(|pair| match pair {
            [high, low] => Some(hex_value(*high)? << 4 | hex_value(*low)?),
            _ => None,
        });
        pairs.collect::<Option<Vec<u8>>>().map(Zeroizing::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::Mti;

    const LAYOUT: KeyLayout = KeyLayout {
        element: 48,
        offset: 0,
        is_binary: false,
        check_bytes: 3,
        check_method: CheckMethod::Des,
    };

    fn kek(wrap: KeyWrap, hex: &str) -> WrappingKey {
        WrappingKey::new(wrap, Secret::from_hex(hex).unwrap()).unwrap()
    }

    fn opened(
        layout: KeyLayout,
        algorithm: MacAlgorithm,
        kek: &WrappingKey,
        value: impl AsRef<[u8]>,
    ) -> Result<String, KeyFault> {
        let mut message = Message::new(Mti::NETWORK_REQUEST);
        message.set(layout.element, value);
        let key = layout.open(algorithm, kek, &message)?;
        Ok(key.check_value().to_string())
    }

    #[test]
    fn a_des_key_is_opened_under_triple_des() {
        // NIST SP 800-67 appendix B: under K1 0123456789ABCDEF, K2 23456789ABCDEF01 and
        // K3 456789ABCDEF0123 the block "The qufc" is A826FD8CE53B855F.
        let kek = kek(
            KeyWrap::TdesEcb,
            "0123456789ABCDEF23456789ABCDEF01456789ABCDEF0123",
        );
        let plain = Secret::new(b"The qufc".to_vec().into()).unwrap();
        let check = CheckValue::of(&plain, CheckMethod::Des).unwrap();
        let value = format!("A826FD8CE53B855F{check}");
        let told = opened(LAYOUT, MacAlgorithm::X99, &kek, &value);
        assert_eq!(told, Ok(check.to_string()));
        let value = format!("A826FD8CE53B855E{check}");
        let told = opened(LAYOUT, MacAlgorithm::X99, &kek, &value);
        assert_eq!(
            told,
            Err(KeyFault::CheckValue),
            "one bit of the key changed"
        );
    }

    #[test]
    fn an_aes_key_is_opened_by_rfc_3394() {
        // RFC 3394 4.1: 128 bits of key data under a 128-bit key.
        let kek = kek(KeyWrap::AesKeyWrap, "000102030405060708090A0B0C0D0E0F");
        let wrapped = "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5";
        let plain = Secret::from_hex("00112233445566778899AABBCCDDEEFF").unwrap();
        let check = CheckValue::of(&plain, CheckMethod::Aes).unwrap();
        let layout = KeyLayout {
            check_method: CheckMethod::Aes,
            ..LAYOUT
        };
        let told = opened(
            layout,
            MacAlgorithm::AesCmac,
            &kek,
            format!("{wrapped}{check}"),
        );
        assert_eq!(told, Ok(check.to_string()));
        let changed = wrapped.replace("1FA6", "1FA7");
        let told = opened(
            layout,
            MacAlgorithm::AesCmac,
            &kek,
            format!("{changed}{check}"),
        );
        assert_eq!(told, Err(KeyFault::Wrapping));
    }

    #[test]
    fn an_aes_key_is_opened_under_ecb() {
        // FIPS 197 appendix C.1: key 000102…0F, plaintext 00112233…FF, ciphertext 69C4E0D8….
        let kek = kek(KeyWrap::AesEcb, "000102030405060708090A0B0C0D0E0F");
        let plain = Secret::from_hex("00112233445566778899AABBCCDDEEFF").unwrap();
        let check = CheckValue::of(&plain, CheckMethod::Aes).unwrap();
        let layout = KeyLayout {
            check_method: CheckMethod::Aes,
            ..LAYOUT
        };
        let value = format!("69C4E0D86A7B0430D8CDB78070B4C55A{check}");
        let told = opened(layout, MacAlgorithm::AesCmac, &kek, value);
        assert_eq!(told, Ok(check.to_string()));
    }

    #[test]
    fn a_key_may_stand_behind_an_offset_in_octets_and_before_spaces() {
        let kek = kek(
            KeyWrap::TdesEcb,
            "0123456789ABCDEF23456789ABCDEF01456789ABCDEF0123",
        );
        let plain = Secret::new(b"The qufc".to_vec().into()).unwrap();
        let check = CheckValue::of(&plain, CheckMethod::Des).unwrap();
        let layout = KeyLayout {
            offset: 2,
            ..LAYOUT
        };
        let value = format!("01a826fd8ce53b855f{check}   ");
        let told = opened(layout, MacAlgorithm::X99, &kek, value);
        assert_eq!(told, Ok(check.to_string()));
        let layout = KeyLayout {
            element: 96,
            is_binary: true,
            check_bytes: 2,
            ..LAYOUT
        };
        let mut value = 0xA826_FD8C_E53B_855F_u64.to_be_bytes().to_vec();
        let Ok(check_octets) = u16::from_str_radix(&check.to_string()[..4], 16) else {
            panic!("a check value is hexadecimal");
        };
        value.extend(check_octets.to_be_bytes());
        let told = opened(layout, MacAlgorithm::X99, &kek, value);
        assert_eq!(told, Ok(check.to_string()));
    }

    #[test]
    fn what_is_no_key_is_refused_by_its_fault_and_nothing_panics() {
        let kek = kek(KeyWrap::TdesEcb, "0123456789ABCDEFFEDCBA9876543210");
        let refused = |value: &str| opened(LAYOUT, MacAlgorithm::X919, &kek, value);
        for value in [
            "",
            "0",
            "00",
            "xyz",
            "0123456789ABCDEFAABBCC",
            "01234 6789ABCDEF0123456789ABCDEFAABBCC",
        ] {
            assert_eq!(refused(value), Err(KeyFault::Layout), "{value:?}");
        }
        let value = "00".repeat(16 + 3);
        assert_eq!(refused(&value), Err(KeyFault::CheckValue));
        let message = Message::new(Mti::NETWORK_REQUEST);
        let told = LAYOUT.open(MacAlgorithm::X919, &kek, &message);
        assert_eq!(told.unwrap_err(), KeyFault::Missing);
    }

    #[test]
    fn a_key_encryption_key_is_never_single_des() {
        for hex in ["0123456789ABCDEF", "0123456789ABCDEF0123456789ABCDEF"] {
            let secret = Secret::from_hex(hex).unwrap();
            assert!(WrappingKey::new(KeyWrap::TdesEcb, secret).is_err());
        }
    }
}
