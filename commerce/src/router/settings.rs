//! Where the router is, and how it knows us. What is built here can be connected to: no token and no
//! message goes over a network in clear.

use std::{fmt, net::IpAddr, num::NonZeroU16, path::PathBuf, time::Duration};

use tonic::transport::Uri;
use zeroize::Zeroizing;

use crate::{
    seal::{KeyFault, KeySource},
    word::{Id, word},
};

/// How to reach the router.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens.
    pub address: Address,
    /// The name by which we call where the router trusts the machine. Payments are known by it, so another
    /// name would not find them.
    pub client: Id,
    /// What proves a name where it does not.
    pub token: Option<Token>,
    /// For how long one call is awaited, its place included; longer than the banks' time-out, or slow
    /// charges are asked for twice.
    pub call_timeout: Duration,
    /// Calls at once; fewer than the router's `in_flight_max` for us.
    pub calls_max: NonZeroU16,
    /// By whom messages are; nobody: by whom their route says.
    pub sender: Option<Sender>,
    /// The route of messages that somebody waits for; none: by the number.
    pub urgent_route: Option<Id>,
    /// The route of all others; none: by the number.
    pub route: Option<Id>,
}

/// Where the router listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(pub(super) Place);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In clear, on this machine.
    Here(String),
    /// Over TLS.
    There(String, TlsFiles),
}

/// PEM files of a connection over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The roots of the router's certificate.
    pub ca: PathBuf,
    /// What shows who we are, in place of a token.
    pub client: Option<ClientFiles>,
    /// The name in the router's certificate, if it is another than the address's.
    pub server_name: Option<String>,
}

/// Our certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFiles {
    /// The certificate, followed by those between it and a root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why an address is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// It is of another form.
    #[error(
        "is no address of a router: give http://127.0.0.1:PORT, unix:/PATH or https://HOST:PORT"
    )]
    Form,
    /// It leads over a network.
    #[error("would be called in clear: give https://HOST:PORT, or an address of this machine")]
    Clear,
    /// TLS is wanted, and nobody says whom to trust.
    #[error("wants TLS: name the file with the roots of the router's certificate")]
    NoRoots,
    /// There are files for TLS and no TLS.
    #[error("is called without TLS: give https://HOST:PORT, or take the TLS files away")]
    NoTls,
}

impl Address {
    /// Takes `http://127.0.0.1:PORT` and `unix:/PATH`, which are called in clear, and `https://HOST:PORT`.
    ///
    /// # Errors
    /// It is none of these, or does not go with the files.
    pub fn parse(text: &str, tls: Option<TlsFiles>) -> Result<Self, AddressFault> {
        if let Some(path) = text.strip_prefix("unix:") {
            let is_path = path.starts_with('/') && path.len() > 1;
            return here(text, is_path, tls);
        }
        let uri: Uri = text.parse().map_err(|_| AddressFault::Form)?;
        let (Some(host), Some(_), "" | "/") = (uri.host(), uri.port_u16(), uri.path()) else {
            return Err(AddressFault::Form);
        };
        let has_user = uri
            .authority()
            .is_some_and(|all| all.as_str().contains('@'));
        match uri.scheme_str() {
            _ if has_user => Err(AddressFault::Form),
            Some("http") if !is_loopback(host) => Err(AddressFault::Clear),
            Some("http") => here(text, true, tls),
            Some("https") => {
                let tls = tls.ok_or(AddressFault::NoRoots)?;
                Ok(Self(Place::There(text.to_owned(), tls)))
            }
            _ => Err(AddressFault::Form),
        }
    }
}

fn here(text: &str, is_sound: bool, tls: Option<TlsFiles>) -> Result<Address, AddressFault> {
    match (is_sound, tls) {
        (false, _) => Err(AddressFault::Form),
        (true, Some(_)) => Err(AddressFault::NoTls),
        (true, None) => Ok(Address(Place::Here(text.to_owned()))),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address: Result<IpAddr, _> = address.parse();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Here(address) | Place::There(address, _) => f.write_str(address),
        }
    }
}

/// A bearer token. It is wiped from memory with its last holder.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

/// Why there is no token. What was read is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It cannot be read.
    #[error("the router's token: {0}")]
    Unread(KeyFault),
    /// It is of other characters.
    #[error(
        "the router's token is not 1 to {} characters without blanks",
        Token::LENGTH_MAX
    )]
    Form,
}

impl Token {
    /// The most characters; a header is to stay small.
    pub const LENGTH_MAX: usize = 1_024;

    /// Takes printable ASCII without blanks.
    ///
    /// # Errors
    /// It is something else.
    pub fn parse(text: &str) -> Result<Self, TokenFault> {
        let is_token = (1..=Self::LENGTH_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_token
            .then(|| Self(Zeroizing::new(text.to_owned())))
            .ok_or(TokenFault::Form)
    }

    /// Reads it from where it stands.
    ///
    /// # Errors
    /// It is not there, or is none.
    pub fn read(source: &KeySource) -> Result<Self, TokenFault> {
        let text = source.text().map_err(TokenFault::Unread)?;
        Self::parse(text.trim_end())
    }

    /// For the router alone.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

/// Without the token.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

word! {
    /// By whom a message is: a number, or a name as networks show it.
    Sender, 20, "printable ASCII",
    |char| char.is_ascii_graphic() || char == ' '
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> TlsFiles {
        TlsFiles {
            ca: "ca.pem".into(),
            client: None,
            server_name: None,
        }
    }

    #[test]
    fn only_this_machine_is_called_in_clear() {
        for text in [
            "http://127.0.0.1:7780",
            "http://localhost:7780/",
            "http://[::1]:7780",
            "unix:/run/sampan/rpc.sock",
        ] {
            assert_eq!(Address::parse(text, None).unwrap().to_string(), text);
            assert_eq!(
                Address::parse(text, Some(files())),
                Err(AddressFault::NoTls)
            );
        }
        for text in ["http://10.0.0.1:7780", "http://localhost.evil.example:1"] {
            assert_eq!(
                Address::parse(text, None),
                Err(AddressFault::Clear),
                "{text}"
            );
        }
        let there = "https://router.example:7780";
        assert_eq!(Address::parse(there, None), Err(AddressFault::NoRoots));
        assert!(Address::parse(there, Some(files())).is_ok());
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for text in [
            "",
            "127.0.0.1:7780",
            "http://127.0.0.1",
            "http://127.0.0.1:7780/path",
            "http://user:hush@127.0.0.1:7780",
            "ftp://127.0.0.1:7780",
            "unix:",
            "unix:relative.sock",
        ] {
            let fault = Address::parse(text, None).unwrap_err();
            assert_eq!(fault, AddressFault::Form, "{text}");
            assert!(!fault.to_string().contains("hush"));
        }
    }

    #[test]
    fn a_token_is_never_shown() {
        let token = Token::parse("open-sesame").unwrap();
        assert_eq!(format!("{token:?}"), "Token(…)");
        for wrong in ["", "open sesame", "sésame", &"x".repeat(1_025)] {
            let fault = Token::parse(wrong).unwrap_err().to_string();
            assert!(!fault.contains("sesame"), "{fault}");
        }
    }

    #[test]
    fn a_token_stands_in_a_file_whose_last_line_ends_as_lines_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let source = KeySource::File(path.clone());
        let fault = Token::read(&source).unwrap_err().to_string();
        assert!(fault.contains(&path.display().to_string()), "{fault}");
        std::fs::write(&path, "open-sesame\n").unwrap();
        assert_eq!(Token::read(&source).unwrap().reveal(), "open-sesame");
    }
}
