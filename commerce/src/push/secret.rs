//! What calls are signed with, and how: the symmetric scheme of Standard Webhooks 1.0.0.
//!
//! The signature is the HMAC-SHA256 of `ID.TIMESTAMP.CONTENT`. While a secret is being changed, the previous
//! one signs too, so that the partner can change his side when he likes.

use std::{fmt, str::FromStr};

use base64::{
    Engine as _,
    alphabet::STANDARD as ALPHABET,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ring::{
    error::Unspecified,
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use zeroize::Zeroizing;

use crate::{egress::Headers, moment::UnixMs, word::Id};

const PREFIX: &str = "whsec_";

/// Octets of a secret, as the specification has it.
const BYTES_MIN: usize = 24;
const BYTES_MAX: usize = 64;

/// Octets of those that are made here: as many as HMAC-SHA256 can use to its full strength.
const BYTES_MADE: usize = 32;

/// With or without the padding, as the specification's libraries read it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why there is no secret. The text that was read is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretFault {
    /// The text is none.
    #[error("is not whsec_ and {BYTES_MIN} to {BYTES_MAX} octets in base64")]
    Form,
    /// The system gives none.
    #[error("cannot be made: the system gives no randomness")]
    Randomness,
    /// A webhook is always signed.
    #[error("is missing: a webhook is always signed")]
    Missing,
}

/// A secret that is shared with one partner.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn make() -> Result<Self, SecretFault> {
        let mut bytes = Zeroizing::new(vec![0; BYTES_MADE]);
        let filled = SystemRandom::new().fill(&mut bytes);
        filled.map_err(|Unspecified| SecretFault::Randomness)?;
        Ok(Self(bytes))
    }

    /// As the partner gets it, and as it is sealed.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", BASE64.encode(&self.0)))
    }

    fn sign(&self, content: &[&[u8]]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut context = hmac::Context::with_key(&key);
        content.iter().for_each(|part| context.update(part));
        format!("v1,{}", BASE64.encode(context.sign()))
    }
}

impl FromStr for Secret {
    type Err = SecretFault;

    fn from_str(text: &str) -> Result<Self, SecretFault> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SecretFault::Form)?;
        let bytes = BASE64.decode(encoded).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| SecretFault::Form)?;
        let fits = (BYTES_MIN..=BYTES_MAX).contains(&bytes.len());
        fits.then_some(Self(bytes)).ok_or(SecretFault::Form)
    }
}

/// Without the secret.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Signs the calls of one partner with all secrets that are valid.
#[derive(Clone, Debug)]
pub struct Signer {
    secret: Secret,
    previous: Option<Secret>,
}

impl Signer {
    /// The present secret, and the previous one while it is valid.
    pub fn new(secret: Secret, previous: Option<Secret>) -> Self {
        Self { secret, previous }
    }

    /// The three headers of a call: `webhook-id`, `webhook-timestamp` and `webhook-signature`.
    pub fn headers(&self, guid: &Id, now: UnixMs, content: &[u8]) -> Headers {
        let timestamp = now.0.div_euclid(1_000).to_string();
        let dot = b".".as_slice();
        let signed = [
            guid.as_str().as_bytes(),
            dot,
            timestamp.as_bytes(),
            dot,
            content,
        ];
        let secrets = std::iter::once(&self.secret).chain(&self.previous);
        let signatures: Vec<String> = secrets.map(|secret| secret.sign(&signed)).collect();
        vec![
            ("webhook-id", guid.to_string()),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signatures.join(" ")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of the specification's own libraries (`test_sign_function` of the Python one).
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: UnixMs = UnixMs(1_614_265_330_000);
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn headers(signer: &Signer, at: UnixMs) -> Headers {
        signer.headers(&ID.parse().unwrap(), at, BODY)
    }

    #[test]
    fn a_signature_is_that_of_the_specifications_libraries() {
        let signer = Signer::new(SECRET.parse().unwrap(), None);
        // Parts of a second do not count.
        for at in [AT, UnixMs(AT.0 + 999)] {
            let wanted = [
                ("webhook-id", ID.to_owned()),
                ("webhook-timestamp", "1614265330".to_owned()),
                ("webhook-signature", SIGNATURE.to_owned()),
            ];
            assert_eq!(headers(&signer, at), wanted);
        }
    }

    #[test]
    fn both_secrets_sign_while_one_replaces_the_other() {
        let signer = Signer::new(Secret::make().unwrap(), Some(SECRET.parse().unwrap()));
        let signatures = headers(&signer, AT)[2].1.clone();
        let (new, old) = signatures.split_once(' ').unwrap();
        assert_eq!(old, SIGNATURE);
        assert!(new.starts_with("v1,") && new != old);
    }

    #[test]
    fn a_secret_is_read_as_it_is_shown_and_never_repeated() {
        let made = Secret::make().unwrap();
        assert_eq!(made.reveal().parse(), Ok(made.clone()));
        assert_ne!(made, Secret::make().unwrap());
        assert_eq!(format!("{made:?}"), "Secret(…)");
        let unpadded = made.reveal().trim_end_matches('=').parse();
        assert_eq!(unpadded, Ok(made));
        for wrong in [
            "",
            "whsec_",
            &SECRET["whsec_".len()..],
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa", // 22 octets
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
            &format!("whsec_{}", "A".repeat(88)),
        ] {
            let fault = wrong.parse::<Secret>().unwrap_err();
            assert_eq!(fault, SecretFault::Form, "{wrong}");
            assert!(!fault.to_string().contains("MfKQ"));
        }
    }
}
