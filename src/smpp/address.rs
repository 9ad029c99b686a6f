//! Addresses: type of number, numbering plan, digits.

use std::fmt;

use bytes::{BufMut, BytesMut};

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
}
