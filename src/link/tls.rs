//! TLS on a connection to a peer: what is needed for it, the handshake, and errors in words of the
//! configuration.
//!
//! The peer is always verified: there is no switch to trust everybody, because a bind's password
//! and the texts would go to whoever answers.

mod accept;

use std::{
    fmt, io,
    net::Ipv6Addr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector, TlsStream,
    rustls::{
        AlertDescription, CertificateError, ClientConfig, Error as RustlsError, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    },
};

use super::expiry::{Expiry, not_after};
pub use accept::TlsAccept;

/// Everything that a TLS connection to one peer needs. Its key is never shown.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    expiry: Expiry,
    server_name: ServerName<'static>,
    shows_certificate: bool,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("server_name", &self.server_name)
            .field("shows_certificate", &self.shows_certificate)
            .finish_non_exhaustive()
    }
}

/// The client's certificate and its key, in PEM.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// The certificate, then those that lead from it to a root.
    pub certificate: &'a str,
    /// Its private key.
    pub key: &'a str,
}

/// What is wrong with the files of a tls section, and with which of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// `ca`
    #[error("{0}")]
    Ca(String),
    /// `certificate`
    #[error("{0}")]
    Certificate(String),
    /// `key`
    #[error("{0}")]
    Key(String),
}

/// Until when the certificates of these files are good. A file that holds none has no end.
pub fn expiry(ca: &str, identity: Option<Identity<'_>>) -> Expiry {
    let ends = |pem: &str| certificates(pem).unwrap_or_default().into_iter();
    Expiry {
        ca: ends(ca).filter_map(|root| not_after(&root)).max(),
        certificate: identity.and_then(|own| {
            ends(own.certificate)
                .filter_map(|one| not_after(&one))
                .min()
        }),
    }
}

/// The name that the peer's certificate must be for: a DNS name or an IP address.
///
/// # Errors
/// It is neither.
pub fn server_name(text: &str) -> Result<ServerName<'static>, String> {
    let inside = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    // An IPv6 address has brackets in `address` and none in a certificate.
    let inside = inside.filter(|inside| inside.parse::<Ipv6Addr>().is_ok());
    ServerName::try_from(inside.unwrap_or(text).to_owned())
        .map_err(|_| "is no DNS name and no IP address".into())
}

impl Tls {
    /// From the texts of PEM files: the roots that the peer's certificate must lead to, and what is
    /// shown to a peer that asks who we are.
    ///
    /// # Errors
    /// A file holds no certificate or key, one that cannot be read, or a key of another certificate.
    pub fn new(
        ca: &str,
        identity: Option<Identity<'_>>,
        server_name: ServerName<'static>,
    ) -> Result<Self, TlsError> {
        let roots = roots(ca)?;
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Ca(format!("TLS cannot be used: {error}")))?
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = certificates(identity.certificate).map_err(TlsError::Certificate)?;
                builder
                    .with_client_auth_cert(chain, key(identity.key)?)
                    .map_err(TlsError::of_identity)?
            }
        };
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            expiry: expiry(ca, identity),
            server_name,
            shows_certificate: identity.is_some(),
        })
    }

    /// Until when its certificates are good.
    pub fn expiry(&self) -> Expiry {
        self.expiry
    }

    /// The handshake.
    ///
    /// # Errors
    /// It failed; the error says what to look at.
    pub(super) async fn connect(&self, stream: TcpStream) -> io::Result<Stream> {
        let connected = self
            .connector
            .connect(self.server_name.clone(), stream)
            .await;
        match connected {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream.into()), self.shows_certificate)),
            Err(error) => Err(self.explain_handshake(error)),
        }
    }

    fn explain_handshake(&self, error: io::Error) -> io::Error {
        let why = match rustls_error(&error) {
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                "the peer closed the connection during the TLS handshake; does this port speak TLS?"
                    .into()
            }
            None => format!("the TLS handshake failed: {error}"),
            Some(RustlsError::InvalidMessage(_)) => {
                "the peer does not speak TLS on this port; remove the tls section, or ask the peer \
                 for its TLS port"
                    .into()
            }
            Some(RustlsError::InvalidCertificate(why)) => self.explain_certificate(why),
            Some(other) => explain(other, self.shows_certificate),
        };
        io::Error::new(error.kind(), why)
    }

    fn explain_certificate(&self, why: &CertificateError) -> String {
        let name = self.server_name.to_str();
        match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!(
                "the certificate of {name} has expired, or this machine's clock is wrong; its owner \
                 must renew it ({why})"
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => format!(
                "the certificate of {name} is not valid yet, or this machine's clock is wrong ({why})"
            ),
            CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
                "the certificate of {name} was signed by none of the roots in tls.ca; ask the peer \
                 for its CA certificate"
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!(
                    "the certificate is not for {name}: {why}; set tls.server_name to a name in it"
                )
            }
            CertificateError::Other(_) => format!(
                "the certificate of {name} cannot be used: {why}; a root itself is no certificate of \
                 a server, its owner must sign one by it"
            ),
            why => format!("the certificate of {name} is not accepted: {why}"),
        }
    }
}

impl TlsError {
    /// Our certificate and key do not fit.
    fn of_identity(error: RustlsError) -> Self {
        match error {
            RustlsError::InconsistentKeys(_) => {
                Self::Key("is not the key of the certificate".into())
            }
            error => Self::Certificate(format!("cannot be used: {error}")),
        }
    }
}

fn roots(pem: &str) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for root in certificates(pem).map_err(TlsError::Ca)? {
        roots
            .add(root)
            .map_err(|error| TlsError::Ca(format!("a certificate cannot be a root: {error}")))?;
    }
    Ok(roots)
}

fn key(pem: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| TlsError::Key(format!("holds no key that can be read: {error}")))
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err("holds no PEM CERTIFICATE".into()),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("holds no certificate that can be read: {error}")),
    }
}

fn rustls_error(error: &io::Error) -> Option<&RustlsError> {
    error.get_ref()?.downcast_ref()
}

/// An error of TLS at any time: a peer refuses our certificate only after the handshake.
fn explain(error: &RustlsError, shows_certificate: bool) -> String {
    let RustlsError::AlertReceived(alert) = error else {
        return format!("TLS failed: {error}");
    };
    match alert {
        AlertDescription::CertificateRequired
        | AlertDescription::HandshakeFailure
        | AlertDescription::BadCertificate
            if !shows_certificate =>
        {
            format!(
                "the peer refused TLS ({alert:?}): it probably wants a client certificate; set \
                 tls.certificate and tls.key"
            )
        }
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError => format!(
            "the peer does not accept our certificate ({alert:?}); check tls.certificate, or ask \
             the peer which it expects"
        ),
        alert => {
            format!("the peer refused TLS ({alert:?}); ask it which versions and ciphers it speaks")
        }
    }
}

/// Whether the first octets of what should be a length are a TLS record (RFC 8446 5.1): what a
/// server that wants TLS answers to a plain bind.
pub(super) fn is_tls_record(first_octets: u32) -> bool {
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    let [kind, major, ..] = first_octets.to_be_bytes();
    matches!(kind, ALERT | HANDSHAKE) && major == 3
}

/// A connection with or without TLS.
pub(super) enum Stream {
    /// Without.
    Plain(TcpStream),
    /// With, and whether we showed a certificate.
    Tls(Box<TlsStream<TcpStream>>, bool),
}

impl Stream {
    /// Has the connection reset as it is dropped, so that the system delivers nothing more of what
    /// was written to it.
    pub(super) fn reset(&self, link: &str) {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream, _) => stream.get_ref().0,
        };
        if let Err(error) = socket.set_zero_linger() {
            // It is closed all the same; the system may just deliver what it has.
            tracing::debug!(link, "the connection cannot be reset: {error}");
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream, shows_certificate) => {
                let read = Pin::new(stream).poll_read(cx, buf);
                read.map(|read| read.or_else(|error| end_or_explain(error, *shows_certificate)))
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, octets),
            Self::Tls(stream, _) => Pin::new(stream).poll_write(cx, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream, _) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream, _) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Many peers close TCP without a word of TLS. A PDU says how long it is, so nothing can be cut off
/// unseen by that, and it is an end like any other.
fn end_or_explain(error: io::Error, shows_certificate: bool) -> io::Result<()> {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Ok(());
    }
    Err(match rustls_error(&error) {
        Some(why) => io::Error::new(error.kind(), explain(why, shows_certificate)),
        None => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_name_is_a_dns_name_or_an_ip_address() {
        for sound in [
            "smsc.example.net",
            "10.0.0.1",
            "[2001:db8::1]",
            "2001:db8::1",
        ] {
            assert!(server_name(sound).is_ok(), "{sound}");
        }
        for wrong in ["", "a b", "smsc.example.net:2775", "[smsc]"] {
            assert!(server_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_first_octets_of_a_tls_alert_are_told_from_a_length() {
        assert!(is_tls_record(0x1503_0300));
        assert!(is_tls_record(0x1603_0100));
        assert!(!is_tls_record(16));
        assert!(!is_tls_record(u32::from_be_bytes(*b"HTTP")));
    }

    #[test]
    fn a_key_of_another_certificate_is_told_from_one_that_cannot_be_read() {
        let issued = || rcgen::generate_simple_self_signed(["smsc.test".to_owned()]).unwrap();
        let (one, other) = (issued(), issued());
        let (certificate, key) = (one.cert.pem(), other.signing_key.serialize_pem());
        let name = || server_name("smsc.test").unwrap();
        let fault = |ca: &str, certificate: &str, key: &str| {
            let identity = Identity { certificate, key };
            Tls::new(ca, Some(identity), name()).unwrap_err()
        };
        let error = fault(&certificate, &certificate, &key);
        assert_eq!(
            error,
            TlsError::Key("is not the key of the certificate".into())
        );
        assert!(matches!(
            fault(&certificate, &certificate, "x"),
            TlsError::Key(_)
        ));
        assert!(matches!(
            fault(&certificate, "x", &key),
            TlsError::Certificate(_)
        ));
        assert!(matches!(fault("x", &certificate, &key), TlsError::Ca(_)));
        let own = Identity {
            certificate: &certificate,
            key: &one.signing_key.serialize_pem(),
        };
        let tls = Tls::new(&certificate, Some(own), name()).unwrap();
        assert!(!format!("{tls:?}").contains("PRIVATE"));
    }
}
