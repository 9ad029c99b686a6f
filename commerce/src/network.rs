//! Ranges of addresses, as `10.0.0.0/8`, by which proxies are trusted and callers let in.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// A range of addresses; a lone address is a range of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpNet);

/// A text that is no range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkFault {
    /// It is something else.
    #[error("is not a range of addresses, as 203.0.113.0/24, 203.0.113.7 or 2001:db8::/32")]
    Form,
    /// Its address is inside of the range: who wrote it may have meant another.
    #[error("has an address beyond its length; the range begins at {0}")]
    Inside(IpNet),
}

impl Network {
    /// Whether an address is in it. An IPv4 address that is written as IPv6 is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = NetworkFault;

    fn from_str(text: &str) -> Result<Self, NetworkFault> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(address.to_canonical().into()));
        }
        let range: IpNet = text.parse().map_err(|_| NetworkFault::Form)?;
        if range.trunc() != range {
            return Err(NetworkFault::Inside(range.trunc()));
        }
        Ok(Self(range))
    }
}

/// In the one form that each range has.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_holds_its_addresses_however_they_are_written() {
        let range = network("203.0.113.0/24");
        for inside in ["203.0.113.0", "203.0.113.255", "::ffff:203.0.113.7"] {
            assert!(range.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["203.0.114.0", "::1", "2001:db8::203.0.113.7"] {
            assert!(!range.contains(outside.parse().unwrap()), "{outside}");
        }
        let one = network("::ffff:203.0.113.7");
        assert_eq!(one.to_string(), "203.0.113.7/32");
        assert!(network("2001:db8::/32").contains("2001:db8:ffff::1".parse().unwrap()));
    }

    #[test]
    fn what_is_nearly_a_range_is_none() {
        for text in [
            "",
            "localhost",
            "10.0.0.0/33",
            "10.0.0/8",
            "10.0.0.0/",
            " 10.0.0.0/8",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NetworkFault::Form), "{text}");
        }
        let fault = "10.1.2.3/8".parse::<Network>().unwrap_err();
        assert!(
            fault.to_string().ends_with("begins at 10.0.0.0/8"),
            "{fault}"
        );
    }
}
