//! What addresses a customer's page, and what binds its forms to it.

use std::fmt;

use ring::{
    digest::{SHA256, digest},
    error::Unspecified,
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use zeroize::Zeroizing;

use crate::{
    merchants::{Signature, hex},
    seal::Keys,
};

/// Octets of a token: 256 bits, so that nobody guesses another's.
const BYTES: usize = 32;

/// 64 small hexadecimal digits, which the customer's browser alone has.
pub(super) struct Token(Zeroizing<String>);

impl Token {
    /// A new one, unless the system gives no randomness.
    pub(super) fn make() -> Option<Self> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        let filled = SystemRandom::new().fill(&mut bytes[..]);
        filled.map_err(|Unspecified| ()).ok()?;
        Some(Self(Zeroizing::new(hex(&bytes[..]))))
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_token = text.len() == 2 * BYTES && text.bytes().all(is_digit);
        is_token.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// What is kept of it.
    pub(super) fn digest(&self) -> Vec<u8> {
        digest(&SHA256, self.0.as_bytes()).as_ref().to_vec()
    }

    /// Where its page is.
    pub(super) fn path(&self) -> String {
        format!("/pay/{}", *self.0)
    }

    /// What a form of its page sends along. Another site cannot know it.
    pub(super) fn form_key(&self, keys: &Keys) -> String {
        hex(hmac::sign(keys.current().forms(), self.0.as_bytes()).as_ref())
    }

    /// Whether a form comes from its page, in a time that says nothing about it.
    pub(super) fn is_form_key(&self, keys: &Keys, text: &str) -> bool {
        let Some(signature) = Signature::parse(text.as_bytes()) else {
            return false;
        };
        let verified = |key: &hmac::Key| hmac::verify(key, self.0.as_bytes(), signature.bytes());
        keys.all().any(|key| verified(key.forms()).is_ok())
    }
}

/// Without the digits.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::MasterKey;

    const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    #[test]
    fn a_token_is_64_small_digits_and_is_never_shown() {
        let token = Token::make().unwrap();
        let text = token.path().strip_prefix("/pay/").unwrap().to_owned();
        assert_eq!(Token::parse(&text).unwrap().digest(), token.digest());
        assert_eq!(format!("{token:?}"), "Token(…)");
        for wrong in ["", &text[1..], &text.replace(char::is_alphanumeric, "A")] {
            assert!(Token::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_form_belongs_to_the_page_of_its_token_alone() {
        let keys = Keys::new(MasterKey::parse(KEY).unwrap(), Vec::new());
        let (page, other) = (Token::make().unwrap(), Token::make().unwrap());
        assert!(page.is_form_key(&keys, &page.form_key(&keys)));
        assert!(!page.is_form_key(&keys, &other.form_key(&keys)));
        assert!(!page.is_form_key(&keys, ""));
    }
}
