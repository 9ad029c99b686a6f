//! The signed link by which a merchant sends a customer to pay: its octets, and what they say.
//!
//! The signature is over the query string before `&signature=`, octet by octet as it was received. What it says
//! is read after that, and by one reader alone, so that no two can read it differently.

use std::borrow::Cow;

use crate::{
    merchants::{Signature, orders::NewOrder},
    word::Id,
};

/// Octets of a query string: the longest fields in percent-encoded UTF-8, and some more.
const QUERY_BYTES_MAX: usize = 8 << 10;

const SIGNATURE: &str = "&signature=";

/// Why a link is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LinkFault {
    #[error("the query string is missing or too long")]
    Length,
    #[error("'&signature=' with 64 small hexadecimal digits is not at the end")]
    Unsigned,
    #[error("field '{0}' is missing, stands twice or is not well formed")]
    Field(&'static str),
    #[error("there is no such merchant")]
    Merchant,
    #[error("the merchant is switched off")]
    Off,
    #[error("the signature is not that of the octets before it")]
    Signature,
    #[error("'created' is more than 15 minutes from now")]
    Time,
    #[error("the amount is not one that the merchant may ask for")]
    Amount,
    #[error("the return URL is not below one that is registered")]
    ReturnUrl,
    #[error("the order came before with another amount")]
    OtherAmount,
}

/// A link as it came, which nobody has verified yet.
#[derive(Debug)]
pub(super) struct Link<'a> {
    /// Who says that he made it.
    pub(super) merchant: Id,
    /// What is signed.
    pub(super) signed: &'a [u8],
    pub(super) signature: Signature,
}

impl<'a> Link<'a> {
    pub(super) fn parse(query: &'a str) -> Result<Self, LinkFault> {
        if query.is_empty() || query.len() > QUERY_BYTES_MAX {
            return Err(LinkFault::Length);
        }
        let (signed, signature) = query.rsplit_once(SIGNATURE).ok_or(LinkFault::Unsigned)?;
        let signature = Signature::parse(signature.as_bytes()).ok_or(LinkFault::Unsigned)?;
        let signed = signed.as_bytes();
        let merchant = Fields(signed).read("merchant")?;
        Ok(Self {
            merchant,
            signed,
            signature,
        })
    }

    /// What a link says whose signature is right: the order, and when it was made in seconds.
    pub(super) fn content(&self) -> Result<(NewOrder, i64), LinkFault> {
        let fields = Fields(self.signed);
        let order = NewOrder {
            merchant: self.merchant.clone(),
            reference: fields.read("order")?,
            amount: fields.read("amount")?,
            description: fields.read("description")?,
            return_url: fields.read("return_url")?,
        };
        Ok((order, fields.read("created")?))
    }
}

/// Fields as a form has them. What else a merchant signs is his own business.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn read<T: std::str::FromStr>(&self, name: &'static str) -> Result<T, LinkFault> {
        let all = form_urlencoded::parse(self.0);
        let mut found = all.filter(|(field, _)| field == name);
        let value: Option<Cow<'_, str>> = found.next().map(|(_, value)| value);
        let value = value.filter(|_| found.next().is_none());
        let value = value.ok_or(LinkFault::Field(name))?;
        value.parse().map_err(|_| LinkFault::Field(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &str = "merchant=shop-1&order=DH-1&amount=150000&description=%C3%81o%20thun\
        &return_url=https%3A%2F%2Fshop.example%2Fr&created=1800000000";

    fn fault(query: &str) -> LinkFault {
        match Link::parse(query) {
            Err(fault) => fault,
            Ok(link) => link.content().unwrap_err(),
        }
    }

    fn signed(fields: &str) -> String {
        format!("{fields}&signature={}", "0".repeat(64))
    }

    #[test]
    fn what_is_signed_is_every_octet_before_the_signature() {
        let query = signed(FIELDS);
        let link = Link::parse(&query).unwrap();
        assert_eq!(link.signed, FIELDS.as_bytes());
        let (order, created_s) = link.content().unwrap();
        assert_eq!(order.description.as_str(), "Áo thun");
        assert_eq!((order.amount.dong(), created_s), (150_000, 1_800_000_000));
    }

    #[test]
    fn the_signature_is_the_last_field() {
        for query in [
            FIELDS.to_owned(),
            signed(FIELDS) + "&amount=1",
            format!("{FIELDS}&signature=ABC"),
            format!("signature={}", "0".repeat(64)),
        ] {
            assert_eq!(fault(&query), LinkFault::Unsigned, "{query}");
        }
        assert_eq!(fault(""), LinkFault::Length);
        assert_eq!(fault(&signed(&"x".repeat(9_000))), LinkFault::Length);
    }

    #[test]
    fn each_field_stands_once_and_is_well_formed() {
        for (from, to, field) in [
            ("amount=150000", "amount=1.5", "amount"),
            ("amount=150000", "amount=150000&amount=1", "amount"),
            ("order=DH-1", "order=DH%201", "order"),
            ("order=DH-1", "order=", "order"),
            ("description=%C3%81o", "description=a%0Ab", "description"),
            ("https%3A%2F%2F", "javascript%3A", "return_url"),
            ("created=1800000000", "created=now", "created"),
            ("merchant=shop-1&", "", "merchant"),
        ] {
            let query = signed(&FIELDS.replace(from, to));
            assert_eq!(fault(&query), LinkFault::Field(field), "{query}");
        }
    }
}
