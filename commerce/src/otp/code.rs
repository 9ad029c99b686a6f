//! A code in clear, and the digest that is kept of it. Nothing here knows a database or a clock.

use std::fmt;

use ring::{
    error::Unspecified,
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use zeroize::Zeroizing;

use super::OtpError;
use crate::{money::Vnd, phone::Phone, seal::Keys, word::Id};

/// How many codes there are.
const CODES: u32 = 1_000_000;

/// The greatest multiple of [`CODES`] among 32-bit numbers. Greater ones are drawn again, so that no code is
/// likelier than another.
const FAIR_BELOW: u32 = u32::MAX / CODES * CODES;

/// Six digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(Zeroizing<String>);

impl Code {
    /// How many digits it has.
    pub const LENGTH: usize = 6;

    /// Takes six digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_code = text.len() == Self::LENGTH && text.bytes().all(|b| b.is_ascii_digit());
        is_code.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// For its subscriber alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(super) fn random() -> Result<Self, OtpError> {
        let random = SystemRandom::new();
        let mut bytes = Zeroizing::new([0; 4]);
        loop {
            let filled = random.fill(&mut bytes[..]);
            filled.map_err(|Unspecified| OtpError::Randomness)?;
            if let Some(code) = Self::of(u32::from_be_bytes(*bytes)) {
                return Ok(code);
            }
        }
    }

    /// The code that a random number makes, or none if a fair one has to be drawn anew.
    fn of(number: u32) -> Option<Self> {
        let digits = || Zeroizing::new(format!("{:06}", number % CODES));
        (number < FAIR_BELOW).then(|| Self(digits()))
    }
}

/// Without the digits.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

/// What a code is for, and for nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    /// The purchase.
    pub purchase: &'a Id,
    /// Whose phone.
    pub phone: &'a Phone,
    /// How much.
    pub amount: Vnd,
    /// What is bought: a card type, or a merchant and his order.
    pub item: &'a str,
}

/// What is kept of the code of that number.
pub(super) fn digest(keys: &Keys, bound: &Bound<'_>, number: i64, code: &Code) -> Vec<u8> {
    let digest = hmac::sign(keys.current().one_time(), &content(bound, number, code));
    digest.as_ref().to_vec()
}

/// Whether it is that code, in a time that says nothing about its digits. A code that was sent before
/// the keys were changed is still one.
pub(super) fn is_right(
    keys: &Keys,
    bound: &Bound<'_>,
    number: i64,
    code: &Code,
    digest: &[u8],
) -> bool {
    let content = content(bound, number, code);
    keys.all()
        .any(|key| hmac::verify(key.one_time(), &content, digest).is_ok())
}

/// Each part with its length before it, so that no two differ only in where one ends.
fn content(bound: &Bound<'_>, number: i64, code: &Code) -> Zeroizing<Vec<u8>> {
    let (amount, number) = (bound.amount.dong().to_string(), number.to_string());
    let parts = [
        bound.purchase.as_str(),
        bound.phone.as_str(),
        &amount,
        bound.item,
        &number,
        code.reveal(),
    ];
    let mut content = Zeroizing::new(Vec::new());
    for part in parts {
        content.extend((part.len() as u64).to_be_bytes());
        content.extend(part.as_bytes());
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::MasterKey;

    const OLD: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const NEW: &str = "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn key(hex: &str) -> MasterKey {
        MasterKey::parse(hex).unwrap()
    }

    #[test]
    fn every_code_is_as_likely_as_every_other() {
        assert_eq!(Code::of(0).unwrap().reveal(), "000000");
        assert_eq!(Code::of(1_000_042).unwrap().reveal(), "000042");
        assert_eq!(FAIR_BELOW, 4_294_000_000);
        assert_eq!(Code::of(FAIR_BELOW - 1).unwrap().reveal(), "999999");
        assert_eq!(Code::of(FAIR_BELOW), None);
        assert_eq!(Code::of(u32::MAX), None);
    }

    #[test]
    fn a_code_is_six_digits_and_is_never_shown_by_accident() {
        assert_eq!(format!("{:?}", Code::random().unwrap()), "Code(…)");
        for text in ["", "12345", "1234567", "12345a", "１２３４５６", "12 456"] {
            assert_eq!(Code::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_code_is_right_for_its_purchase_phone_amount_item_and_number_alone() {
        let (purchase, other) = ("p1".parse().unwrap(), "p2".parse().unwrap());
        let (phone, elsewhere) = (
            "84912345678".parse().unwrap(),
            "84912345679".parse().unwrap(),
        );
        let amount = Vnd::new(100_000).unwrap();
        let bound = Bound {
            purchase: &purchase,
            phone: &phone,
            amount,
            item: "MOBI100",
        };
        let keys = Keys::new(key(OLD), Vec::new());
        let code = Code::parse("123456").unwrap();
        let kept = digest(&keys, &bound, 1, &code);
        let is_right = |keys: &Keys, bound: &Bound<'_>, number, digits| {
            let code = Code::parse(digits).unwrap();
            super::is_right(keys, bound, number, &code, &kept)
        };
        assert!(is_right(&keys, &bound, 1, "123456"));
        let rotated = Keys::new(key(NEW), vec![key(OLD)]);
        assert!(is_right(&rotated, &bound, 1, "123456"));
        let without = Keys::new(key(NEW), Vec::new());
        assert!(!is_right(&without, &bound, 1, "123456"));
        assert!(!is_right(&keys, &bound, 1, "123457"));
        assert!(!is_right(&keys, &bound, 2, "123456"));
        let dearer = Vnd::new(100_001).unwrap();
        for wrong in [
            Bound {
                purchase: &other,
                ..bound
            },
            Bound {
                phone: &elsewhere,
                ..bound
            },
            Bound {
                amount: dearer,
                ..bound
            },
            Bound {
                item: "MOBI10",
                ..bound
            },
        ] {
            assert!(!is_right(&keys, &wrong, 1, "123456"));
        }
    }
}
