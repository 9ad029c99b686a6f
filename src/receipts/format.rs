//! The ways in which an SMSC writes one message id: in submit_sm_resp and again in the receipt.
//!
//! SMPP 3.4 wants the same octets in both (5.2.23, 5.3.2.12), and many SMSCs write a hexadecimal
//! number in one and a decimal one in the other, pad one with zeros, or change the case. Unless the
//! configuration says so, octets are compared as they are: a rule that is too kind takes one message's
//! receipt for another's.

use crate::digest::Digester;

/// How an id is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdFormat {
    /// Octets.
    #[default]
    AsIs,
    /// A decimal number; leading zeros do not count.
    Decimal,
    /// A hexadecimal number; leading zeros and case do not count.
    Hex,
}

impl IdFormat {
    fn radix(self) -> Option<u32> {
        match self {
            Self::AsIs => None,
            Self::Decimal => Some(10),
            Self::Hex => Some(16),
        }
    }

    /// Whether ids are numbers.
    pub fn is_number(self) -> bool {
        self.radix().is_some()
    }
}

/// How an SMSC writes ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdRules {
    /// In submit_sm_resp.
    pub submit: IdFormat,
    /// In receipts. Both are numbers, or both are octets; otherwise they never meet.
    pub receipt: IdFormat,
    /// Whether `4f2a` is `4F2A`, for octets.
    pub ignore_case: bool,
    /// Whether `007` is `7`, for octets.
    pub ignore_zeros: bool,
}

const NUMBER: u64 = 1;
const OCTETS: u64 = 0;

impl IdRules {
    /// Adds an id to a digest so that two spellings of one id are one. False for an id that stands
    /// for none: an empty one, or zeros alone, which some SMSCs give to every message.
    pub(super) fn add(&self, digester: &mut Digester, format: IdFormat, id: &[u8]) -> bool {
        let id = id.trim_ascii();
        if id.iter().all(|digit| *digit == b'0') {
            return false;
        }
        if let Some(number) = format.radix().and_then(|radix| number(id, radix)) {
            digester.number(NUMBER);
            digester.bytes(&number.to_le_bytes());
            return true;
        }
        digester.number(OCTETS);
        let zeros = match self.ignore_zeros {
            true => id.iter().take_while(|digit| **digit == b'0').count(),
            false => 0,
        };
        let significant = id.get(zeros..).unwrap_or_default();
        match self.ignore_case {
            true => {
                for octet in significant {
                    digester.bytes(&[octet.to_ascii_uppercase()]);
                }
            }
            false => digester.bytes(significant),
        }
        true
    }
}

/// A number that fits 128 bits, as those of UUIDs do; anything else is taken as octets.
fn number(digits: &[u8], radix: u32) -> Option<u128> {
    digits.iter().try_fold(0_u128, |number, digit| {
        let digit = char::from(*digit).to_digit(radix)?;
        number
            .checked_mul(u128::from(radix))?
            .checked_add(u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Digest, DigestKey};

    const PLAIN: IdRules = IdRules {
        submit: IdFormat::AsIs,
        receipt: IdFormat::AsIs,
        ignore_case: false,
        ignore_zeros: false,
    };
    const HEX_THEN_DECIMAL: IdRules = IdRules {
        submit: IdFormat::Hex,
        receipt: IdFormat::Decimal,
        ..PLAIN
    };

    fn digest(rules: IdRules, format: IdFormat, id: &str) -> Option<Digest> {
        let mut digester = DigestKey::from_bytes([7; 16]).begin();
        rules
            .add(&mut digester, format, id.as_bytes())
            .then(|| digester.end())
    }

    fn meet(rules: IdRules, submit: &str, receipt: &str) -> bool {
        let submit = digest(rules, rules.submit, submit);
        submit.is_some() && submit == digest(rules, rules.receipt, receipt)
    }

    #[test]
    fn an_id_in_hex_meets_its_receipt_in_decimal_whatever_the_zeros_and_the_case() {
        for (submit, receipt) in [
            ("4F2A", "20266"),
            ("39f99dd5", "0972660181"),
            ("10C8F40D", "281605133"),
            ("812FC7470000001B", "9308878062554710043"),
        ] {
            assert!(meet(HEX_THEN_DECIMAL, submit, receipt), "{submit}");
        }
        assert!(!meet(HEX_THEN_DECIMAL, "4F2A", "4F2A"));
        assert!(!meet(HEX_THEN_DECIMAL, "4F2A", "20267"));
    }

    #[test]
    fn an_id_in_decimal_meets_its_receipt_in_hex() {
        let rules = IdRules {
            submit: IdFormat::Decimal,
            receipt: IdFormat::Hex,
            ..PLAIN
        };
        assert!(meet(rules, "20266", "00004f2a"));
    }

    #[test]
    fn leading_zeros_and_case_matter_unless_configured() {
        assert!(meet(PLAIN, "00B8BE19", "00B8BE19"));
        assert!(!meet(PLAIN, "00B8BE19", "B8BE19"));
        assert!(!meet(PLAIN, "1d6a811", "1D6A811"));
        let kind = IdRules {
            ignore_case: true,
            ignore_zeros: true,
            ..PLAIN
        };
        assert!(meet(kind, "00B8BE19", "b8be19"));
        assert!(meet(
            kind,
            "0e999f21-81ef-4974-a414-3de98174e3c7",
            "E999F21-81EF-4974-A414-3DE98174E3C7"
        ));
        assert!(meet(
            kind,
            "04062581461565934000241",
            "4062581461565934000241"
        ));
    }

    #[test]
    fn an_empty_id_and_one_of_zeros_stand_for_no_message() {
        for rules in [PLAIN, HEX_THEN_DECIMAL] {
            for id in ["", "0", "0000000000", " "] {
                assert_eq!(digest(rules, rules.submit, id), None, "{id:?}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_compared_as_octets() {
        let rules = IdRules {
            submit: IdFormat::Hex,
            receipt: IdFormat::Hex,
            ..PLAIN
        };
        assert!(meet(rules, "msg-1/ZZ", "msg-1/ZZ"));
        assert!(!meet(rules, "msg-1/ZZ", "MSG-1/ZZ"));
        // More than 128 bits.
        let long = "F".repeat(33);
        assert!(meet(rules, &long, &long));
    }
}
