//! Addresses: type of number, numbering plan, digits.

use std::fmt;

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use super::octet_words::are_digits;
use super::octets::{COctetString, OctetError};

/// Octets of an address that [`Address`]'s masked form shows at its start.
const SHOWN_FIRST: usize = 4;
/// Octets of an address that [`Address`]'s masked form shows at its end.
const SHOWN_LAST: usize = 2;

/// Type of number (SMPP 3.4 5.2.5). Other values are preserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ton(pub u8);

impl Ton {
    /// Unknown.
    pub const UNKNOWN: Self = Self(0);
    /// International: digits with the country code, no prefix.
    pub const INTERNATIONAL: Self = Self(1);
    /// National.
    pub const NATIONAL: Self = Self(2);
    /// Network specific, often a short code.
    pub const NETWORK_SPECIFIC: Self = Self(3);
    /// Subscriber number.
    pub const SUBSCRIBER: Self = Self(4);
    /// Alphanumeric sender.
    pub const ALPHANUMERIC: Self = Self(5);
    /// Abbreviated.
    pub const ABBREVIATED: Self = Self(6);
}

/// Numbering plan indicator (SMPP 3.4 5.2.6). Other values are preserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Npi(pub u8);

impl Npi {
    /// Unknown.
    pub const UNKNOWN: Self = Self(0);
    /// ISDN (E.163/E.164).
    pub const ISDN: Self = Self(1);
    /// Data (X.121).
    pub const DATA: Self = Self(3);
    /// Telex (F.69).
    pub const TELEX: Self = Self(4);
    /// Land mobile (E.212).
    pub const LAND_MOBILE: Self = Self(6);
    /// National.
    pub const NATIONAL: Self = Self(8);
    /// Private.
    pub const PRIVATE: Self = Self(9);
    /// ERMES.
    pub const ERMES: Self = Self(10);
    /// Internet (IP).
    pub const INTERNET: Self = Self(14);
    /// WAP client id.
    pub const WAP: Self = Self(18);
}

/// Digits from which on a number is taken for an international one; shorter ones are short codes.
const INTERNATIONAL_DIGITS_MIN: usize = 7;

/// The most characters of an alphanumeric sender that a handset shows (GSM 03.40 9.1.2.5).
const ALPHANUMERIC_MAX: usize = 11;

/// A number that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AddressError {
    /// Nothing, or a plus alone.
    #[error("missing")]
    Missing,
    /// More characters than a handset shows of a sender's name.
    #[error("{0} characters, and an alphanumeric address has {ALPHANUMERIC_MAX} at most")]
    LongName(usize),
    /// It does not fit the field.
    #[error(transparent)]
    Field(#[from] OctetError),
}

/// An address field of at most `MAX` octets with its NUL: 21 in most PDUs, 65 in data_sm and
/// alert_notification, 41 for a bind's address range.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Address<const MAX: usize = 21> {
    /// Type of number.
    pub ton: Ton,
    /// Numbering plan.
    pub npi: Npi,
    /// The digits, or the name of an alphanumeric sender.
    pub addr: COctetString<MAX>,
}

impl<const MAX: usize> Address<MAX> {
    /// An address of the given kind, if `addr` fits.
    pub fn new(ton: Ton, npi: Npi, addr: impl AsRef<[u8]>) -> Result<Self, OctetError> {
        Ok(Self {
            ton,
            npi,
            addr: COctetString::new(addr)?,
        })
    }

    /// An international E.164 number: digits without `+`.
    pub fn international(digits: impl AsRef<[u8]>) -> Result<Self, OctetError> {
        Self::new(Ton::INTERNATIONAL, Npi::ISDN, digits)
    }

    /// A number as people write it, with or without `+`. Its kind is what it looks like where nobody
    /// says it.
    pub fn of(
        number: impl AsRef<[u8]>,
        ton: Option<Ton>,
        npi: Option<Npi>,
    ) -> Result<Self, AddressError> {
        let number = number.as_ref();
        let number = number.strip_prefix(b"+").unwrap_or(number);
        if number.is_empty() {
            return Err(AddressError::Missing);
        }
        let (look, plan) = match (are_digits(number), number.len()) {
            (true, INTERNATIONAL_DIGITS_MIN..) => (Ton::INTERNATIONAL, Npi::ISDN),
            (true, _) => (Ton::NETWORK_SPECIFIC, Npi::UNKNOWN),
            (false, _) => (Ton::ALPHANUMERIC, Npi::UNKNOWN),
        };
        let (ton, npi) = (ton.unwrap_or(look), npi.unwrap_or(plan));
        if ton == Ton::ALPHANUMERIC && number.len() > ALPHANUMERIC_MAX {
            return Err(AddressError::LongName(number.len()));
        }
        Ok(Self::new(ton, npi, number)?)
    }

    #[inline]
    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_slice(&[self.ton.0, self.npi.0]);
        out.put_slice(self.addr.with_nul());
    }
}

/// `ton:npi:digits` with the middle of the digits masked; short codes are shown whole.
impl<const MAX: usize> fmt::Display for Address<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.ton.0, self.npi.0)?;
        let digits = self.addr.as_bytes();
        let hidden = digits.len().saturating_sub(SHOWN_FIRST + SHOWN_LAST);
        if hidden == 0 {
            return write!(f, "{}", self.addr);
        }
        let (first, rest) = digits.split_at_checked(SHOWN_FIRST).unwrap_or_default();
        let last = rest.get(hidden..).unwrap_or_default();
        write!(
            f,
            "{}{:*<hidden$}{}",
            first.escape_ascii(),
            "",
            last.escape_ascii()
        )
    }
}

impl<const MAX: usize> fmt::Debug for Address<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_with_its_middle_masked_and_a_short_code_whole() {
        let number = Address::<21>::international("84912345678").unwrap();
        assert_eq!(number.to_string(), "1:1:8491*****78");
        let short = Address::<21>::new(Ton::NETWORK_SPECIFIC, Npi::UNKNOWN, "9029").unwrap();
        assert_eq!(format!("{short:?}"), "3:0:9029");
    }

    fn of(number: &str) -> Result<Address, AddressError> {
        Address::of(number, None, None)
    }

    #[test]
    fn the_kind_of_an_address_follows_from_its_look() {
        let kind = |number| of(number).map(|address| (address.ton.0, address.npi.0));
        assert_eq!(kind("84901234567"), Ok((1, 1)));
        assert_eq!(of("+84901234567"), of("84901234567"));
        assert_eq!(kind("8049"), Ok((3, 0)));
        assert_eq!(kind("VnMart"), Ok((5, 0)));
    }

    #[test]
    fn the_callers_kind_of_an_address_stands() {
        let given: Address = Address::of("84901234567", Some(Ton(0)), Some(Npi(9))).unwrap();
        assert_eq!((given.ton.0, given.npi.0), (0, 9));
    }

    #[test]
    fn what_is_no_address_is_told_as_what_it_is() {
        let refused = |number| of(number).unwrap_err().to_string();
        assert_eq!(refused("+"), "missing");
        assert_eq!(
            refused("VnMartPayment"),
            "13 characters, and an alphanumeric address has 11 at most"
        );
        assert!(refused("849012345678901234567").starts_with("21 octets where at most 20 fit"));
    }
}
