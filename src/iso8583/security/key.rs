//! Keys as octets: read from hexadecimal, wiped when dropped, never shown.

use super::cipher::{Aes, Des, wrong_length};
use crate::iso8583::field::hex_value;
use std::fmt;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The longest key: AES-256.
const KEY_BYTES_MAX: usize = 32;

/// The octets of a key: 8, 16, 24 or 32. Its `Debug` shows how many.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// Why octets are no key for what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not hexadecimal. Which character it is, is not told.
    #[error("is not all hexadecimal digits")]
    NotHex,
    /// Not as long as the algorithm wants.
    #[error("is {given} bytes long; {wanted}")]
    Length {
        /// How long it is.
        given: usize,
        /// How long it has to be, in words.
        wanted: &'static str,
    },
    /// The parts of a triple DES key make it single DES.
    #[error("has two equal halves, which makes triple DES as weak as single DES")]
    Degenerate,
}

impl Secret {
    /// Takes the octets over.
    ///
    /// # Errors
    /// [`KeyError::Length`] for lengths that no cipher here has.
    pub fn new(octets: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        match octets.len() {
            8 | 16 | 24 | 32 => Ok(Self(octets)),
            given => Err(wrong_length(given, "keys are 8, 16, 24 or 32 bytes long")),
        }
    }

    /// Reads hexadecimal digits of either case, two an octet.
    ///
    /// # Errors
    /// [`KeyError`] says what they are not.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        // The room is there from the start, so that no copy of the key is left behind by growing.
        let mut octets = Zeroizing::new(Vec::with_capacity(KEY_BYTES_MAX));
        if text.len() > 2 * KEY_BYTES_MAX {
            let given = text.len().div_ceil(2);
            return Err(wrong_length(given, "keys are 8, 16, 24 or 32 bytes long"));
        }
        for pair in text.as_bytes().chunks(2) {
            let [high, low] = pair else {
                return Err(KeyError::NotHex);
            };
            let (high, low) = hex_value(*high)
                .zip(hex_value(*low))
                .ok_or(KeyError::NotHex)?;
            octets.push(high << 4 | low);
        }
        Self::new(octets)
    }

    /// The octets, for a cipher.
    pub(super) fn octets(&self) -> &[u8] {
        &self.0
    }

    /// Refuses a triple DES key whose first two parts, or last two, are one and the same.
    ///
    /// # Errors
    /// [`KeyError::Degenerate`].
    pub fn refuse_degenerate(&self) -> Result<(), KeyError> {
        let parts: Vec<&[u8]> = self.0.chunks(8).collect();
        let twins = |pair: &[&[u8]]| matches!(pair, [one, other] if bool::from(one.ct_eq(other)));
        match parts.windows(2).any(twins) {
            true => Err(KeyError::Degenerate),
            false => Ok(()),
        }
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// By which cipher, and how, a key is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckMethod {
    /// A block of zeros under DES or triple DES (ANSI X9.24-1).
    Des,
    /// A block of zeros under AES, which most banks' tools show.
    Aes,
    /// AES-CMAC over a block of zeros (ANSI X9.24-1:2017).
    AesCmac,
}

/// The first octets of what a key makes of zeros: what two sides compare to see that they have the
/// same key. No secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CheckValue([u8; 8]);

/// As many octets as are shown: six digits, which is the common use.
const SHOWN_BYTES: usize = 3;

impl CheckValue {
    /// The check value of a key.
    ///
    /// # Errors
    /// [`KeyError::Length`] for a key that the cipher cannot have.
    pub fn of(key: &Secret, method: CheckMethod) -> Result<Self, KeyError> {
        Ok(Self(match method {
            CheckMethod::Des => {
                let mut block = [0; 8];
                Des::new(key)?.encrypt(&mut block);
                block
            }
            CheckMethod::Aes => {
                let mut block = [0; 16];
                Aes::new(key)?.encrypt(&mut block);
                first_half(block)
            }
            CheckMethod::AesCmac => first_half(Aes::new(key)?.cmac(&[0; 16])),
        }))
    }

    /// Whether `received`, which is shorter or as long, is its beginning.
    pub fn begins_with(&self, received: &[u8]) -> bool {
        let own = self.0.get(..received.len());
        own.is_some_and(|own| own.ct_eq(received).into())
    }
}

/// Six hexadecimal digits.
impl fmt::Display for CheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.iter().take(SHOWN_BYTES);
        shown.try_for_each(|octet| write!(f, "{octet:02X}"))
    }
}

impl fmt::Debug for CheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckValue({self})")
    }
}

/// The leftmost eight of sixteen octets.
pub(super) fn first_half(block: [u8; 16]) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = block;
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, method: CheckMethod) -> String {
        let key = Secret::from_hex(key).unwrap();
        CheckValue::of(&key, method).unwrap().to_string()
    }

    #[test]
    fn check_values_are_those_that_published_ciphertexts_give() {
        // destest.c of libdes and OpenSSL, first vector: zeros under zeros are 8CA64DE9C1B123A7; the
        // lowest bit of each octet is parity, which DES does not look at.
        assert_eq!(check("0101010101010101", CheckMethod::Des), "8CA64D");
        // Any key thrice is single DES, so the same ciphertext is a vector of triple DES.
        let thrice = "010101010101010101010101010101010101010101010101";
        assert_eq!(check(thrice, CheckMethod::Des), "8CA64D");
        // FIPS 197 and NIST AESAVS, GFSbox and VarKey: AES-128 of zeros under zeros is 66E94BD4….
        assert_eq!(check(&"00".repeat(16), CheckMethod::Aes), "66E94B");
        // NIST AESAVS: AES-256 of zeros under zeros is DC95C078….
        assert_eq!(check(&"00".repeat(32), CheckMethod::Aes), "DC95C0");
    }

    #[test]
    fn a_key_is_hexadecimal_and_of_a_length_that_a_cipher_has() {
        assert_eq!(Secret::from_hex("0x").unwrap_err(), KeyError::NotHex);
        assert_eq!(Secret::from_hex("012").unwrap_err(), KeyError::NotHex);
        for length in [0, 7, 9, 33, 64] {
            let text = "ab".repeat(length);
            let error = Secret::from_hex(&text).unwrap_err();
            assert!(matches!(error, KeyError::Length { given, .. } if given == length));
        }
        for length in [8, 16, 24, 32] {
            assert!(Secret::from_hex(&"aB".repeat(length)).is_ok());
        }
    }

    #[test]
    fn a_key_is_in_no_debug_output_and_its_check_value_shows_six_digits() {
        let key = Secret::from_hex("0123456789ABCDEFFEDCBA9876543210").unwrap();
        assert_eq!(format!("{key:?}"), "Secret(16 bytes)");
        let value = CheckValue::of(&key, CheckMethod::Des).unwrap();
        assert_eq!(format!("{value:?}"), "CheckValue(08D7B4)");
    }

    #[test]
    fn a_received_check_value_may_be_short_but_not_wrong_nor_longer_than_a_block() {
        let key = Secret::from_hex("0101010101010101").unwrap();
        let value = CheckValue::of(&key, CheckMethod::Des).unwrap();
        assert!(value.begins_with(&[0x8C, 0xA6]));
        assert!(value.begins_with(&[0x8C, 0xA6, 0x4D, 0xE9, 0xC1, 0xB1, 0x23, 0xA7]));
        assert!(!value.begins_with(&[0x8C, 0xA7]));
        assert!(!value.begins_with(&[0x8C; 9]));
    }

    #[test]
    fn a_triple_des_key_of_equal_parts_is_told_from_a_sound_one() {
        let degenerate = |text: &str| Secret::from_hex(text).unwrap().refuse_degenerate().is_err();
        assert!(degenerate("0123456789ABCDEF0123456789ABCDEF"));
        assert!(degenerate(
            "0123456789ABCDEFFEDCBA9876543210FEDCBA9876543210"
        ));
        assert!(!degenerate("0123456789ABCDEFFEDCBA9876543210"));
        // K1 K2 K1 is the double length key written out.
        assert!(!degenerate(
            "0123456789ABCDEFFEDCBA98765432100123456789ABCDEF"
        ));
        assert!(!degenerate("0123456789ABCDEF"));
    }
}
