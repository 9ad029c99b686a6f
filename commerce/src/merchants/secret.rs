//! What a merchant and we sign with: HMAC-SHA256 under his secret, in small hexadecimal digits.
//!
//! The secret is the key as it is written, its UTF-8 octets: what is shown is what is used.

use std::{fmt, str::FromStr};

use ring::{
    error::Unspecified,
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use zeroize::Zeroizing;

/// Octets that a new secret is made of: as many as HMAC-SHA256 can use to its full strength.
const BYTES_MADE: usize = 32;

/// Characters of a secret: shorter ones can be guessed, longer ones are pasted by mistake.
const LENGTH_MIN: usize = 32;
const LENGTH_MAX: usize = 128;

/// Why there is no secret. The text that was read is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretFault {
    /// The text is none.
    #[error("is not {LENGTH_MIN} to {LENGTH_MAX} visible ASCII characters")]
    Form,
    /// The system gives none.
    #[error("cannot be made: the system gives no randomness")]
    Randomness,
}

/// A secret that is shared with one merchant.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A new one: 64 hexadecimal digits.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn make() -> Result<Self, SecretFault> {
        let mut bytes = Zeroizing::new([0; BYTES_MADE]);
        let filled = SystemRandom::new().fill(&mut bytes[..]);
        filled.map_err(|Unspecified| SecretFault::Randomness)?;
        Ok(Self(Zeroizing::new(hex(&bytes[..]))))
    }

    /// For the merchant alone, and to be sealed.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The signature of these parts, one after the other.
    pub fn sign(&self, parts: &[&[u8]]) -> String {
        let mut context = hmac::Context::with_key(&self.key());
        parts.iter().for_each(|part| context.update(part));
        hex(context.sign().as_ref())
    }

    /// Whether a signature is that of the content, in a time that says nothing about it.
    pub fn is_right(&self, content: &[u8], signature: &Signature) -> bool {
        hmac::verify(&self.key(), content, &signature.0).is_ok()
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes())
    }
}

impl FromStr for Secret {
    type Err = SecretFault;

    fn from_str(text: &str) -> Result<Self, SecretFault> {
        let fits = (LENGTH_MIN..=LENGTH_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        let secret = fits.then(|| Self(Zeroizing::new(text.to_owned())));
        secret.ok_or(SecretFault::Form)
    }
}

/// Without the secret.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A signature as it came, which nobody has verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature([u8; Self::BYTES]);

impl Signature {
    const BYTES: usize = 32;

    /// Takes 64 small hexadecimal digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != 2 * Self::BYTES {
            return None;
        }
        let mut bytes = [0; Self::BYTES];
        for (byte, pair) in bytes.iter_mut().zip(text.as_chunks::<2>().0) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

fn digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        _ => None,
    }
}

/// In small digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The secrets of a merchant that hold now.
#[derive(Clone, Debug)]
pub struct Secrets {
    pub(super) present: Secret,
    pub(super) previous: Option<Secret>,
}

impl Secrets {
    /// What we sign with.
    pub fn present(&self) -> &Secret {
        &self.present
    }

    /// Whether one of them made the signature. Both are tried in any case, so that the time says nothing.
    pub fn is_right(&self, content: &[u8], signature: &Signature) -> bool {
        let is_present = self.present.is_right(content, signature);
        let previous = self.previous.as_ref();
        let is_previous = previous.is_some_and(|secret| secret.is_right(content, signature));
        is_present | is_previous
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of docs/COMMERCE.md; its signature is that of `openssl dgst -sha256 -hmac`.
    const SECRET: &str = "5f0c1d2e3b4a59687786a5b4c3d2e1f00112233445566778899aabbccddeeff0";
    const QUERY: &[u8] = b"merchant=shop-1&order=DH-1001&amount=150000&description=%C3%81o%20thun\
        &return_url=https%3A%2F%2Fshop.example%2Freturn&created=1800000000";
    const SIGNED: &str = include_str!("vector.txt");

    #[test]
    fn the_worked_example_of_the_documentation_is_right() {
        let secret: Secret = SECRET.parse().unwrap();
        assert_eq!(secret.sign(&[QUERY]), SIGNED.trim());
        let docs = include_str!("../../../docs/COMMERCE.md");
        for part in [SECRET, str::from_utf8(QUERY).unwrap(), SIGNED.trim()] {
            assert!(docs.contains(part), "{part} is not in the documentation");
        }
    }

    #[test]
    fn a_signature_is_64_small_digits_and_right_for_its_octets_alone() {
        let secret: Secret = SECRET.parse().unwrap();
        let signature = Signature::parse(SIGNED.trim().as_bytes()).unwrap();
        assert!(secret.is_right(QUERY, &signature));
        assert!(!secret.is_right(&QUERY[1..], &signature));
        for wrong in [
            "",
            &SIGNED.trim()[1..],
            &SIGNED.trim().to_uppercase(),
            &"g".repeat(64),
        ] {
            assert_eq!(Signature::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_replaced_secret_is_taken_beside_the_new_one_and_never_signs() {
        let (present, previous) = (Secret::make().unwrap(), SECRET.parse::<Secret>().unwrap());
        let signature = Signature::parse(SIGNED.trim().as_bytes()).unwrap();
        let secrets = Secrets {
            present: present.clone(),
            previous: Some(previous),
        };
        assert!(secrets.is_right(QUERY, &signature));
        assert_eq!(secrets.present(), &present);
        let alone = Secrets {
            previous: None,
            ..secrets
        };
        assert!(!alone.is_right(QUERY, &signature));
    }

    #[test]
    fn a_secret_is_never_shown_by_accident() {
        let made = Secret::make().unwrap();
        assert_eq!(made.reveal().parse(), Ok(made.clone()));
        assert_eq!(format!("{made:?}"), "Secret(…)");
        for wrong in [
            "",
            "short",
            &"ă".repeat(32),
            &" ".repeat(40),
            &"x".repeat(129),
        ] {
            assert_eq!(wrong.parse::<Secret>(), Err(SecretFault::Form), "{wrong}");
        }
    }
}
