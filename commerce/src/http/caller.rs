//! From where a call comes: the address at the other end, or what a trusted proxy says of it.
//!
//! A proxy adds the address that it was called from at the right of `X-Forwarded-For`; what stands left
//! of it was said by others and may be made up. So the list is read from the right, and the first
//! address that is no trusted proxy is the caller's.

use std::net::{IpAddr, SocketAddr};

use axum::http::{Extensions, HeaderMap};

use super::Peer;
use crate::network::Network;

/// Proxies in a row. Who has more of them has a loop.
const PROXIES_MAX: usize = 16;

/// The address that a call comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller(pub IpAddr);

impl Caller {
    /// Finds it for a request. Nothing of one that came by no connection, as in tests.
    pub(super) fn of(
        extensions: &Extensions,
        headers: &HeaderMap,
        trusted: &[Network],
    ) -> Option<Self> {
        let Peer(peer) = extensions.get()?;
        Some(Self(behind(peer.ip().to_canonical(), headers, trusted)))
    }
}

fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut nearest = peer;
    let lists = headers.get_all("x-forwarded-for").iter().rev();
    let said = lists.flat_map(|list| list.as_bytes().rsplit(|byte| *byte == b','));
    for said in said.take(PROXIES_MAX) {
        if !is_trusted(nearest) {
            break;
        }
        // What is no address was made up by whoever called the last proxy, so that one is the nearest
        // that is known.
        match address(said) {
            Some(address) => nearest = address,
            None => break,
        }
    }
    nearest
}

/// Some proxies add the port.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let alone = text.parse::<IpAddr>();
    let address = alone.or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(peer: &str, lists: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append("x-forwarded-for", list.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
        behind(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn who_is_no_trusted_proxy_cannot_say_where_he_is() {
        assert_eq!(caller("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(caller("203.0.113.7", &[]), "203.0.113.7");
    }

    #[test]
    fn the_right_most_address_that_is_no_trusted_proxy_is_the_callers() {
        assert_eq!(caller("10.0.0.1", &["203.0.113.7"]), "203.0.113.7");
        let made_up = ["1.2.3.4, 203.0.113.7, 10.0.0.2"];
        assert_eq!(caller("10.0.0.1", &made_up), "203.0.113.7");
        let two_lists = ["1.2.3.4", "203.0.113.7:4711", "10.9.9.9"];
        assert_eq!(caller("::1", &two_lists), "203.0.113.7");
        assert_eq!(caller("10.0.0.1", &["[2001:db8::1]:80"]), "2001:db8::1");
        assert_eq!(caller("10.0.0.1", &["::ffff:203.0.113.7"]), "203.0.113.7");
    }

    #[test]
    fn without_an_address_the_last_proxy_is_the_caller() {
        assert_eq!(caller("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(caller("10.0.0.1", &["1.2.3.4, unknown"]), "10.0.0.1");
        assert_eq!(caller("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        let loop_of_proxies = "10.0.0.2,".repeat(1_000) + "10.0.0.4";
        assert_eq!(caller("10.0.0.1", &[&loop_of_proxies]), "10.0.0.2");
    }
}
