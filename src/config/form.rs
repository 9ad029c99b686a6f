//! The forms of texts: names, addresses, digits. Each function says what a text is *not*; the
//! reader puts the text, if it is no secret, in front of it.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use time::UtcOffset;

use crate::{
    client::ClientName,
    iso8583::session::NetworkCode,
    rpc::settings::Listen,
    smpp::{COctetString, octets::Password},
};

/// A host name has at most 253 characters (RFC 1035 2.3.4); IPv6 addresses are shorter.
const HOST_LENGTH_MAX: usize = 253;

/// The name of a peer or a route: under the rule of client names, because it too becomes a label.
pub(super) fn name(text: &str) -> Result<Arc<str>, String> {
    client_name(text).map(|name| name.as_str().into())
}

/// The name of an upstream service.
pub(super) fn client_name(text: &str) -> Result<ClientName, String> {
    ClientName::parse(text)
        .ok_or_else(|| "is no name of 1 to 64 letters, digits, '.', '_' and '-'".into())
}

/// `host:port`, the host as name, IPv4 or `[IPv6]`.
pub(super) fn address(text: &str) -> Result<String, String> {
    let sound = text.rsplit_once(':').is_some_and(|(host, port)| {
        is_host(host) && port.parse::<u16>().is_ok_and(|port| port > 0) && !port.starts_with('+')
    });
    sound
        .then(|| text.into())
        .ok_or_else(|| "is not host:port, such as smsc.example.net:2775".into())
}

fn is_host(host: &str) -> bool {
    let inside = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    if let Some(inside) = inside {
        return inside.parse::<std::net::Ipv6Addr>().is_ok();
    }
    (1..=HOST_LENGTH_MAX).contains(&host.len())
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// An IP address and port of this machine.
pub(super) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "is not an IP address and port, such as 127.0.0.1:9470".into())
}

/// An IP address and port, or `unix:` and an absolute path.
pub(super) fn listen(text: &str) -> Result<Listen, String> {
    match text.strip_prefix("unix:").map(PathBuf::from) {
        Some(path) if path.is_absolute() => Ok(Listen::Unix(path)),
        Some(_) => Err("names no absolute path after unix:".into()),
        None => text.parse().map(Listen::Tcp).map_err(|_| {
            "is not an IP address and port, such as 127.0.0.1:7070, nor unix: and a path".into()
        }),
    }
}

/// Printable ASCII, spaces included, as many characters as the protocol's field takes.
pub(super) fn ascii(min: usize, max: usize) -> impl Fn(&str) -> Result<String, String> {
    move |text| {
        let printable = |b: u8| b.is_ascii_graphic() || b == b' ';
        if !text.bytes().all(printable) {
            return Err("has a character that is not printable ASCII".into());
        }
        let length = text.len();
        if (min..=max).contains(&length) {
            return Ok(text.into());
        }
        Err(match (min, length) {
            (_, 0) => "is empty".into(),
            _ => format!("has {length} characters; the field takes {max}"),
        })
    }
}

/// A C-octet string of a PDU, which holds `MAX` octets with its NUL.
pub(super) fn c_octets<const MAX: usize>(
    min: usize,
) -> impl Fn(&str) -> Result<COctetString<MAX>, String> {
    move |text| {
        let text = ascii(min, MAX - 1)(text)?;
        COctetString::new(text).map_err(|error| format!("does not fit: {error}"))
    }
}

/// The password of a bind (SMPP 3.4 5.2.2: 9 octets with the NUL).
pub(super) fn password(text: &str) -> Result<Password, String> {
    let text = ascii(0, 8)(text)?;
    Password::new(text).map_err(|error| format!("does not fit: {error}"))
}

/// A network management code, DE70 (n3).
pub(super) fn network_code(text: &str) -> Result<NetworkCode, String> {
    NetworkCode::parse(text.as_bytes()).ok_or_else(|| "is not 3 digits".into())
}

/// A network management code, or nothing.
pub(super) fn network_code_or_none(text: &str) -> Result<Option<NetworkCode>, String> {
    match text {
        "" => Ok(None),
        text => network_code(text).map(Some),
    }
}

/// Decimal digits, as many as given, leading zeros kept.
pub(super) fn digits(min: usize, max: usize) -> impl Fn(&str) -> Result<String, String> {
    move |text| {
        let sound = text.bytes().all(|b| b.is_ascii_digit()) && (min..=max).contains(&text.len());
        sound.then(|| text.into()).ok_or_else(|| match min == max {
            true => format!("is not {min} digits"),
            false => format!("is not {min} to {max} digits"),
        })
    }
}

/// Decimal digits, or nothing.
pub(super) fn digits_or_none(min: usize, max: usize) -> impl Fn(&str) -> Result<String, String> {
    move |text| match text {
        "" => Ok(String::new()),
        text => digits(min, max)(text),
    }
}

/// A response code, DE39 (an2).
pub(super) fn response_code(text: &str) -> Result<String, String> {
    let sound = text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphanumeric());
    sound
        .then(|| text.into())
        .ok_or_else(|| "is no response code of 2 letters or digits".into())
}

/// The distance of a local time from UTC, as ISO 8601 writes it; in use are -12:00 to +14:00.
pub(super) fn utc_offset(text: &str) -> Result<UtcOffset, String> {
    let two_digits = |part: &str| {
        let sound = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        sound.then(|| part.parse::<i32>().ok()).flatten()
    };
    let minutes = |sign: i32, digits: &str| {
        let (hours, minutes) = digits.split_once(':')?;
        let minutes = two_digits(minutes).filter(|minutes| *minutes < 60)?;
        Some(sign * (two_digits(hours)? * 60 + minutes))
    };
    let offset = match text.split_at_checked(1) {
        Some(("+", digits)) => minutes(1, digits),
        Some(("-", digits)) => minutes(-1, digits),
        Some(_) | None => None,
    };
    offset
        .filter(|minutes| (-12 * 60..=14 * 60).contains(minutes))
        .and_then(|minutes| UtcOffset::from_whole_seconds(minutes * 60).ok())
        .ok_or_else(|| "is not an offset from UTC, such as +07:00".into())
}

/// A SHA-256 hash in hex.
pub(super) fn sha256(text: &str) -> Result<[u8; 32], String> {
    let wrong = || "is not 64 hex digits; `printf %s TOKEN | sha256sum` prints them".to_owned();
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return Err(wrong());
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16).ok_or_else(wrong)?;
            *byte = *byte << 4 | value as u8;
        }
    }
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for sound in ["smsc.example.net:2775", "10.0.0.1:1", "[2001:db8::1]:65535"] {
            assert_eq!(address(sound).as_deref(), Ok(sound));
        }
        for wrong in [
            "",
            "smsc",
            ":2775",
            "smsc:",
            "smsc:0",
            "smsc:+1",
            "smsc:65536",
            "tcp://smsc:2775",
            "2001:db8::1:2775",
            "[smsc]:2775",
            "a b:1",
        ] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_hash_is_64_hex_digits_of_either_case() {
        let hash = sha256("000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F");
        assert_eq!(hash, Ok(std::array::from_fn(|i| i as u8)));
        assert!(sha256(&"g".repeat(64)).is_err());
        assert!(sha256(&"ab".repeat(31)).is_err());
        assert!(sha256(&"é".repeat(32)).is_err());
    }

    #[test]
    fn an_offset_from_utc_has_a_sign_two_hours_and_two_minutes() {
        let seconds = |text: &str| utc_offset(text).map(UtcOffset::whole_seconds);
        assert_eq!(seconds("+07:00"), Ok(25_200));
        assert_eq!(seconds("-03:30"), Ok(-12_600));
        assert_eq!(seconds("+14:00"), Ok(50_400));
        for wrong in [
            "", "+", "7", "07:00", "+7:00", "+07:60", "+14:01", "-12:01", "+0700", "+ 7:00",
            "é07:00", "+0é:00",
        ] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_unix_socket_needs_an_absolute_path() {
        assert_eq!(
            listen("unix:/run/sampan.sock"),
            Ok(Listen::Unix("/run/sampan.sock".into()))
        );
        assert!(listen("unix:sampan.sock").is_err());
        assert!(listen("unix:").is_err());
        assert!(listen("localhost:7070").is_err());
    }
}
