//! HMAC-SHA256 in small hexadecimal digits, as a shop that shares no code with commerce writes it.

use ring::hmac;

/// The signature of these parts, one after the other, under the UTF-8 octets of a secret.
pub fn sign(secret: &str, parts: &[&[u8]]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    parts.iter().for_each(|part| context.update(part));
    let digest = context.sign();
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether a signature is that of the content.
pub fn is_signed(secret: &str, content: &[u8], signature: &[u8]) -> bool {
    let own = sign(secret, &[content]);
    // Not in constant time: this shop has nothing to steal.
    own.as_bytes() == signature
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_documentations_example() {
        let secret = "5f0c1d2e3b4a59687786a5b4c3d2e1f00112233445566778899aabbccddeeff0";
        let query = "merchant=shop-1&order=DH-1001&amount=150000&description=%C3%81o%20thun\
            &return_url=https%3A%2F%2Fshop.example%2Freturn&created=1800000000";
        let signature = "86c9acc20aea64ded6358d798637b449c98d4174c60aeb90a79b5c3c61abab76";
        assert_eq!(sign(secret, &[query.as_bytes()]), signature);
        assert!(is_signed(secret, query.as_bytes(), signature.as_bytes()));
        assert!(!is_signed(
            secret,
            &query.as_bytes()[1..],
            signature.as_bytes()
        ));
    }
}
