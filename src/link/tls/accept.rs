//! TLS on connections that a peer opens: it shows a certificate, always, and we show ours.

use std::{fmt, io, sync::Arc};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        Error as RustlsError, ServerConfig,
        client::verify_server_name,
        crypto::ring,
        pki_types::ServerName,
        server::{ParsedCertificate, WebPkiClientVerifier},
    },
};

use super::{
    Expiry, Identity, Stream, TlsError, certificates, expiry, explain, key, roots, rustls_error,
};

/// Everything that TLS needs with one peer that dials in. Its key is never shown.
#[derive(Clone)]
pub struct TlsAccept {
    acceptor: TlsAcceptor,
    expiry: Expiry,
    client_name: Option<ServerName<'static>>,
}

impl fmt::Debug for TlsAccept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAccept")
            .field("client_name", &self.client_name)
            .finish_non_exhaustive()
    }
}

impl TlsAccept {
    /// From the texts of PEM files: the roots that the peer's certificate must lead to, and what we
    /// show. With `client_name`, its certificate must be for that name, too.
    ///
    /// # Errors
    /// A file holds no certificate or key, one that cannot be read, or a key of another certificate.
    pub fn new(
        ca: &str,
        identity: Identity<'_>,
        client_name: Option<ServerName<'static>>,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots(ca)?),
            Arc::clone(&provider),
        )
        .build()
        .map_err(|error| TlsError::Ca(format!("cannot be used: {error}")))?;
        let chain = certificates(identity.certificate).map_err(TlsError::Certificate)?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Ca(format!("TLS cannot be used: {error}")))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key(identity.key)?)
            .map_err(TlsError::of_identity)?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            expiry: expiry(ca, Some(identity)),
            client_name,
        })
    }

    /// Until when its certificates are good.
    pub fn expiry(&self) -> Expiry {
        self.expiry
    }

    /// The handshake.
    ///
    /// # Errors
    /// It failed, or the certificate is for another name.
    pub(in crate::link) async fn accept(&self, stream: TcpStream) -> io::Result<Stream> {
        let accepted = self.acceptor.accept(stream).await.map_err(|error| {
            let why = match rustls_error(&error) {
                Some(RustlsError::InvalidMessage(_)) => {
                    "it does not speak TLS; remove the tls section, or have it use TLS".into()
                }
                Some(RustlsError::NoCertificatesPresented) => {
                    "it showed no certificate; its owner must give it one that tls.ca has signed"
                        .into()
                }
                Some(RustlsError::InvalidCertificate(why)) => {
                    format!("its certificate is not accepted by tls.ca: {why}")
                }
                Some(other) => explain(other, true),
                None => format!("the TLS handshake failed: {error}"),
            };
            io::Error::new(error.kind(), why)
        })?;
        if let Some(name) = &self.client_name {
            let (_, session) = accepted.get_ref();
            let shown = session.peer_certificates().and_then(<[_]>::first);
            let is_for_name = shown.is_some_and(|certificate| {
                ParsedCertificate::try_from(certificate)
                    .and_then(|certificate| verify_server_name(&certificate, name))
                    .is_ok()
            });
            if !is_for_name {
                let name = name.to_str();
                let why = format!("its certificate is not for {name}, which tls.client_name wants");
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
            }
        }
        Ok(Stream::Tls(Box::new(accepted.into()), true))
    }
}
