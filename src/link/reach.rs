//! How connections to a peer come about: Sampan dials, the peer does, or both. Settings alone, from
//! which nothing can be built that leads nowhere.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use super::{
    expiry::Expiry,
    tls::{Tls, TlsAccept},
};
use crate::smpp::{
    COctetString,
    octets::Password,
    pdu::{Outbind, Pdu},
};

/// How connections to a peer come about.
#[derive(Clone, Debug)]
pub enum Reach {
    /// We dial.
    Dial(Dial),
    /// The peer dials, and we listen.
    Listen(Listen),
    /// Whichever comes first.
    Both(Dial, Listen),
}

/// Where to dial.
#[derive(Clone, Debug)]
pub struct Dial {
    /// `host:port`; resolved anew at each try to connect.
    pub address: String,
    /// TLS, and with whom; `None` is plain TCP.
    pub tls: Option<Tls>,
}

/// Where to listen for one peer, and who is taken for it.
#[derive(Clone, Debug)]
pub struct Listen {
    /// An address of this machine; port 0 is a free one.
    pub address: SocketAddr,
    /// From where it connects; empty is from anywhere.
    pub from: Vec<Network>,
    /// TLS, and whom to let in; `None` is plain TCP.
    pub tls: Option<TlsAccept>,
    /// What it says first.
    pub greeting: Greeting,
}

/// What a peer that has connected says before a link may have the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// Nothing: a bank waits for our sign-on, or sends its own to the link.
    None,
    /// An SMSC sends an outbind (SMPP 3.4 4.1.7) with these; what is `None` may be anything.
    Outbind {
        /// The SMSC's name.
        system_id: Option<COctetString<16>>,
        /// The SMSC's password.
        password: Option<Password>,
    },
}

impl Reach {
    /// Until when the certificates are good that connections either way need.
    pub fn certificates_end(&self) -> Expiry {
        let dialled = self
            .dials()
            .and_then(|dial| Some(dial.tls.as_ref()?.expiry()));
        let accepted = || {
            self.listens()
                .and_then(|own| Some(own.tls.as_ref()?.expiry()))
        };
        // Both ways show the same files.
        dialled.or_else(accepted).unwrap_or_default()
    }

    /// By a connection of ours to `host:port`, in plain TCP.
    pub fn dial(address: impl Into<String>) -> Self {
        Self::Dial(Dial {
            address: address.into(),
            tls: None,
        })
    }

    /// Where to dial, if we do.
    pub fn dials(&self) -> Option<&Dial> {
        match self {
            Self::Dial(dial) | Self::Both(dial, _) => Some(dial),
            Self::Listen(_) => None,
        }
    }

    /// Where to listen, if we do.
    pub fn listens(&self) -> Option<&Listen> {
        match self {
            Self::Listen(listen) | Self::Both(_, listen) => Some(listen),
            Self::Dial(_) => None,
        }
    }

    /// The same with the address that the system has given, where it chose the port.
    pub(super) fn listening_at(mut self, address: SocketAddr) -> Self {
        match &mut self {
            Self::Listen(listen) | Self::Both(_, listen) => listen.address = address,
            Self::Dial(_) => {}
        }
        self
    }
}

/// As operators see it: `host:port`, `listens on address:port`, or both.
impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial(dial) => f.write_str(&dial.address),
            Self::Listen(listen) => write!(f, "listens on {}", listen.address),
            Self::Both(dial, listen) => {
                write!(f, "{}, listens on {}", dial.address, listen.address)
            }
        }
    }
}

impl Listen {
    /// Whether a connection from there may be the peer's.
    pub(super) fn admits(&self, source: IpAddr) -> bool {
        self.from.is_empty() || self.from.iter().any(|network| network.contains(source))
    }
}

impl Greeting {
    /// Whether an outbind is the one that is awaited. How long it takes says nothing of how much of
    /// the password is right.
    pub(super) fn is_met_by(&self, pdu: &Pdu) -> Result<(), WrongGreeting> {
        let Self::Outbind {
            system_id,
            password,
        } = self
        else {
            return Ok(());
        };
        let Pdu::Outbind(Outbind {
            system_id: told_id,
            password: told_password,
        }) = pdu
        else {
            return Err(WrongGreeting::NotOutbind);
        };
        let id_fits = system_id.is_none_or(|wanted| wanted == *told_id);
        let password_fits = password.is_none_or(|wanted| wanted.matches(told_password));
        match id_fits & password_fits {
            true => Ok(()),
            false => Err(WrongGreeting::Credentials),
        }
    }
}

/// What is wrong with a greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WrongGreeting {
    /// It is another PDU, or none.
    NotOutbind,
    /// An outbind with another system_id or password.
    Credentials,
}

/// Addresses that share their first bits: `10.1.0.0/16`, or one address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether it holds the address. An IPv4 address in the clothes of IPv6, as a socket that
    /// listens on both shows it, is the IPv4 address.
    pub fn contains(&self, other: IpAddr) -> bool {
        let common = match (self.address, other.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        common >= u32::from(self.prefix)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "is no IP address and no network such as 10.1.0.0/16".to_owned();
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| wrong())?
            }
            Some(_) => return Err(wrong()),
        };
        let network = Self { address, prefix };
        let host_bits = match address {
            IpAddr::V4(address) => address.to_bits().checked_shl(prefix.into()).unwrap_or(0) != 0,
            IpAddr::V6(address) => address.to_bits().checked_shl(prefix.into()).unwrap_or(0) != 0,
        };
        if prefix > bits {
            return Err(wrong());
        }
        // 10.1.2.3/16 is either one address or a network, and a person has to say which.
        if host_bits {
            return Err(format!("has bits set behind its first {prefix}"));
        }
        Ok(network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_holds_what_shares_its_first_bits() {
        let contains = |text: &str, address: &str| network(text).contains(address.parse().unwrap());
        assert!(contains("10.1.0.0/16", "10.1.255.1"));
        assert!(!contains("10.1.0.0/16", "10.2.0.1"));
        assert!(contains("10.1.0.1", "10.1.0.1"));
        assert!(!contains("10.1.0.1", "10.1.0.2"));
        assert!(contains("0.0.0.0/0", "203.0.113.9"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("2001:db8::/32", "2001:db8:1::1"));
        assert!(!contains("2001:db8::/32", "2001:db9::1"));
        assert!(contains("10.1.0.0/16", "::ffff:10.1.2.3"));
    }

    #[test]
    fn a_network_is_written_with_its_first_bits_alone() {
        for wrong in [
            "",
            "10.1",
            "10.1.0.0/",
            "10.1.0.0/+8",
            "10.1.0.0/33",
            "::/129",
            "10.1.2.3/16",
            "smsc.test",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_outbind_is_taken_only_with_what_is_awaited() {
        let outbind = |id: &str, password: &str| {
            Pdu::Outbind(Outbind {
                system_id: COctetString::new(id).unwrap(),
                password: Password::new(password).unwrap(),
            })
        };
        let awaited = Greeting::Outbind {
            system_id: COctetString::new("SMSC").ok(),
            password: Password::new("secret").ok(),
        };
        assert_eq!(awaited.is_met_by(&outbind("SMSC", "secret")), Ok(()));
        for (id, password) in [("SMSC", "secre"), ("SMSC", ""), ("smsc", "secret")] {
            let told = awaited.is_met_by(&outbind(id, password));
            assert_eq!(told, Err(WrongGreeting::Credentials), "{id} {password}");
        }
        let other = Pdu::EnquireLink(crate::smpp::pdu::EnquireLink);
        assert_eq!(awaited.is_met_by(&other), Err(WrongGreeting::NotOutbind));
        let any = Greeting::Outbind {
            system_id: None,
            password: None,
        };
        assert_eq!(any.is_met_by(&outbind("x", "y")), Ok(()));
        assert!(!format!("{awaited:?}").contains("secret"));
    }
}
