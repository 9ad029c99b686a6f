//! Which addresses a partner may have: public ones, of which nobody of ours has one.
//!
//! The networks are those of IANA's registries of special-purpose addresses (RFC 6890 and later) that are
//! not reachable from everywhere, and multicast. Of IPv6 only what IANA gives out is public (2000::/3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// First address, bits of the network, and what it is.
const REFUSED_V4: [(Ipv4Addr, u32, &str); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "of this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (
        Ipv4Addr::new(100, 64, 0, 0),
        10,
        "shared by a carrier's NAT",
    ),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "a loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "reserved"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "for documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a 6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "for benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "for documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "for documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// Those outside 2000::/3 are named for the sake of the error alone.
const REFUSED_V6: [(Ipv6Addr, u32, &str); 10] = [
    (Ipv6Addr::LOCALHOST, 128, "a loopback"),
    (
        Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0),
        96,
        "an IPv4 address in the clothes of IPv6",
    ),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "private"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
    (
        Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0),
        23,
        "reserved for protocols",
    ),
    (
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0),
        32,
        "for documentation",
    ),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "of 6to4"),
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16, "reserved"),
    (
        Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0),
        20,
        "for documentation",
    ),
];

/// 64:ff9b::/96 (RFC 6052): how a host with IPv6 alone reaches the address of IPv4 in the last 32 bits.
const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// Why an address is not called, if it is not: it is outside `only`, where there are any of these, or it is
/// not public and in none of the allowed networks.
pub(super) fn refusal(address: IpAddr, allowed: &[IpNet], only: &[IpNet]) -> Option<&'static str> {
    let is_in = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&address));
    if !only.is_empty() && !is_in(only) {
        return Some("outside the networks of this partner");
    }
    if is_in(allowed) {
        return None;
    }
    match address {
        IpAddr::V4(address) => not_public_v4(address),
        IpAddr::V6(address) => not_public_v6(address),
    }
}

fn not_public_v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = |address: Ipv4Addr| u32::from(address);
    let is_in = |first: Ipv4Addr, length: u32| (bits(address) ^ bits(first)) >> (32 - length) == 0;
    let mut refused = REFUSED_V4.iter();
    refused
        .find(|(first, length, _)| is_in(*first, *length))
        .map(|(_, _, why)| *why)
}

fn not_public_v6(address: Ipv6Addr) -> Option<&'static str> {
    let [head @ .., high, low] = address.segments();
    if head == NAT64 {
        return not_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    }
    let bits = |address: Ipv6Addr| u128::from(address);
    let is_in = |first: Ipv6Addr, length: u32| (bits(address) ^ bits(first)) >> (128 - length) == 0;
    let mut refused = REFUSED_V6.iter();
    let why = refused.find(|(first, length, _)| is_in(*first, *length));
    match why {
        Some((_, _, why)) => Some(why),
        None if head[0] & 0xe000 != 0x2000 => Some("not public"),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(address: &str) -> Option<&'static str> {
        refusal(address.parse().unwrap(), &[], &[])
    }

    #[test]
    fn the_first_and_last_address_of_each_network_that_is_not_public_is_refused() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("169.254.0.0", "169.254.169.254"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "239.255.255.255"),
            ("240.0.0.0", "255.255.255.255"),
            ("::", "::1"),
            ("::127.0.0.1", "::ffff:127.0.0.1"),
            ("::ffff:0.0.0.0", "::ffff:255.255.255.255"),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
            ("100::", "100::ffff:ffff:ffff:ffff"),
            ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("4000::", "5f00::1"),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fec0::", "ff0e::1"),
        ] {
            assert!(refused(first).is_some(), "{first}");
            assert!(refused(last).is_some(), "{last}");
        }
    }

    #[test]
    fn the_neighbours_of_these_networks_are_public() {
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:db9::1",
            "2003::1",
            "2606:4700::1111",
        ] {
            assert_eq!(refused(address), None, "{address}");
        }
    }

    #[test]
    fn an_address_behind_nat64_is_judged_by_what_it_leads_to() {
        assert_eq!(refused("64:ff9b::8.8.8.8"), None);
        assert_eq!(refused("64:ff9b::10.1.2.3"), Some("private"));
        assert_eq!(refused("64:ff9b::169.254.169.254"), Some("link-local"));
    }

    #[test]
    fn a_network_can_be_allowed_and_a_partner_bound_to_his_own() {
        let networks = |text: &str| vec![text.parse::<IpNet>().unwrap()];
        let address: IpAddr = "10.1.2.3".parse().unwrap();
        let intranet = networks("10.1.0.0/16");
        assert_eq!(refusal(address, &intranet, &[]), None);
        assert_eq!(
            refusal(address, &networks("10.2.0.0/16"), &[]),
            Some("private")
        );
        // To be a partner's network does not make one public.
        assert_eq!(refusal(address, &[], &intranet), Some("private"));
        assert_eq!(
            refusal(address, &intranet, &networks("8.8.8.0/24")),
            Some("outside the networks of this partner")
        );
    }
}
