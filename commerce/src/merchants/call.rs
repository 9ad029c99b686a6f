//! How a call between a merchant and us is signed, whichever of both makes it: over its time and its body.

use super::{Secret, Secrets, Signature, is_recent};
use crate::{egress::Headers, moment::UnixMs};

/// When a call was made, in seconds.
pub(super) const TIMESTAMP: &str = "x-sampan-timestamp";

/// The HMAC-SHA256 of `TIMESTAMP.BODY`.
pub(super) const SIGNATURE: &str = "x-sampan-signature";

/// The headers of a call that we make.
pub(super) fn headers(secret: &Secret, now: UnixMs, body: &[u8]) -> Headers {
    let timestamp = now.0.div_euclid(1_000).to_string();
    let signature = secret.sign(&[timestamp.as_bytes(), b".", body]);
    vec![(TIMESTAMP, timestamp), (SIGNATURE, signature)]
}

/// Why a call is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallFault {
    /// It is signed by nobody whom we know.
    Signature,
    /// It is signed, and too old or too early.
    Time,
}

/// Believes a call by its two headers.
pub(super) fn verify(
    secrets: &Secrets,
    timestamp: Option<&[u8]>,
    signature: Option<&[u8]>,
    body: &[u8],
    now: UnixMs,
) -> Result<(), CallFault> {
    let (Some(timestamp), Some(signature)) = (timestamp, signature.and_then(Signature::parse))
    else {
        return Err(CallFault::Signature);
    };
    let content = [timestamp, b".", body].concat();
    if !secrets.is_right(&content, &signature) {
        return Err(CallFault::Signature);
    }
    let created_s = str::from_utf8(timestamp)
        .ok()
        .and_then(|text| text.parse().ok());
    let is_near = created_s.is_some_and(|created_s| is_recent(created_s, now));
    is_near.then_some(()).ok_or(CallFault::Time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_800_000_000_999);
    const BODY: &[u8] = br#"{"merchant":"shop-1","order":"DH-1001"}"#;

    fn secrets() -> Secrets {
        let text = "5f0c1d2e3b4a59687786a5b4c3d2e1f00112233445566778899aabbccddeeff0";
        Secrets {
            present: text.parse().unwrap(),
            previous: None,
        }
    }

    #[test]
    fn a_call_is_signed_over_its_time_and_body() {
        let headers = headers(secrets().present(), NOW, BODY);
        // `printf '1800000000.{…}' | openssl dgst -sha256 -hmac 5f0c…`
        let wanted = [
            (TIMESTAMP, "1800000000".to_owned()),
            (
                SIGNATURE,
                "407929d5466d3099712709cdd147b62d0cfa97f7b6ee0e5813056b54793649a9".to_owned(),
            ),
        ];
        assert_eq!(headers, wanted);
    }

    #[test]
    fn a_call_is_believed_once_it_is_signed_and_near_in_time() {
        let headers = headers(secrets().present(), NOW, BODY);
        let [timestamp, signature] = [0, 1].map(|place: usize| headers[place].1.as_bytes());
        let verify = |timestamp, signature, body, now| {
            super::verify(&secrets(), timestamp, signature, body, now)
        };
        let (signed, at) = (Some(signature), Some(timestamp));
        assert_eq!(verify(at, signed, BODY, NOW), Ok(()));
        let fault = Err(CallFault::Signature);
        assert_eq!(verify(at, signed, &BODY[1..], NOW), fault);
        assert_eq!(verify(Some(b"1800000001"), signed, BODY, NOW), fault);
        assert_eq!(verify(None, signed, BODY, NOW), fault);
        assert_eq!(verify(at, None, BODY, NOW), fault);
        assert_eq!(verify(at, Some(b"00"), BODY, NOW), fault);
        let late = NOW.plus_ms(15 * 60_000);
        assert_eq!(verify(at, signed, BODY, late), Ok(()));
        let late = late.plus_ms(1_000);
        assert_eq!(verify(at, signed, BODY, late), Err(CallFault::Time));
    }
}
