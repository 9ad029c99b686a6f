//! Whose call it is.
//!
//! On loopback and on a Unix socket the machine is trusted: a caller names itself. Elsewhere a
//! client proves its name by a certificate or a bearer token, of which only hashes are configured.
//! What counts is the address that Sampan listens on, not the caller's: behind a proxy every
//! caller looks local.

use std::sync::Arc;

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq;
use tonic::{Request, Status, metadata::MetadataMap, service::Interceptor};

use super::{
    client::{Client, Clients},
    settings::ClientSettings,
};
use crate::client::ClientName;

/// The metadata key by which a trusted caller names itself.
const NAME_KEY: &str = "sampan-client";

/// The name of a trusted caller that gives none.
const LOCAL: &str = "local";

const NO_CREDENTIALS: &str = "no credentials: present a client certificate whose SHA-256 is a \
    [[client]]'s certificate_sha256, or send the metadata `authorization: Bearer TOKEN`";

const WRONG_TOKEN: &str = "the bearer token is nobody's: its SHA-256 must be the token_sha256 of a \
    [[client]] in Sampan's configuration";

/// Puts the caller's [`Client`] into each request's extensions, or refuses the call.
#[derive(Clone, Debug)]
pub(super) struct Authenticator(Arc<Identities>);

#[derive(Debug)]
struct Identities {
    /// Whether callers may go without credentials.
    trusted: bool,
    clients: Arc<Clients>,
    tokens: Vec<Credential>,
    certificates: Vec<Credential>,
}

#[derive(Debug)]
struct Credential {
    sha256: [u8; 32],
    name: ClientName,
}

impl Authenticator {
    pub(super) fn new(trusted: bool, settings: &[ClientSettings], clients: Arc<Clients>) -> Self {
        let credentials = |hash: fn(&ClientSettings) -> Option<[u8; 32]>| {
            settings
                .iter()
                .filter_map(|client| {
                    Some(Credential {
                        sha256: hash(client)?,
                        name: client.name.clone(),
                    })
                })
                .collect()
        };
        Self(Arc::new(Identities {
            trusted,
            clients,
            tokens: credentials(|client| client.token_sha256),
            certificates: credentials(|client| client.certificate_sha256),
        }))
    }
}

impl Interceptor for Authenticator {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let certificates = request.peer_certs();
        let certificate = certificates.as_ref().and_then(|chain| chain.first());
        let client = self
            .0
            .identify(request.metadata(), certificate.map(AsRef::as_ref))?;
        request.extensions_mut().insert(client);
        Ok(request)
    }
}

impl Identities {
    fn identify(
        &self,
        metadata: &MetadataMap,
        certificate: Option<&[u8]>,
    ) -> Result<Arc<Client>, Status> {
        let name = match self.proven(metadata, certificate)? {
            Some(name) => name,
            None if self.trusted => self_given(metadata)?,
            None => return Err(Status::unauthenticated(NO_CREDENTIALS)),
        };
        self.clients.named(name).ok_or_else(|| {
            Status::resource_exhausted(
                "too many client names at once; give each service one name, or a [[client]] entry",
            )
        })
    }

    /// The name that the caller's credentials prove; `None` if it presents none that matter.
    fn proven(
        &self,
        metadata: &MetadataMap,
        certificate: Option<&[u8]>,
    ) -> Result<Option<ClientName>, Status> {
        // Where nobody has a token, a trusted caller may send what its library always sends.
        let tokens_matter = !self.trusted || !self.tokens.is_empty();
        if tokens_matter && let Some(value) = metadata.get("authorization") {
            let token = value.to_str().ok().and_then(bearer_token);
            let name = token.and_then(|token| owner(&self.tokens, token.as_bytes()));
            return name
                .map(Some)
                .ok_or_else(|| Status::unauthenticated(WRONG_TOKEN));
        }
        Ok(certificate.and_then(|der| owner(&self.certificates, der)))
    }
}

/// Whose secret it is. Every hash is compared in full, so that the time tells nothing.
fn owner(credentials: &[Credential], secret: &[u8]) -> Option<ClientName> {
    let sha256 = digest(&SHA256, secret);
    let mut found = None;
    for credential in credentials {
        if bool::from(credential.sha256.ct_eq(sha256.as_ref())) {
            found = Some(credential.name.clone());
        }
    }
    found
}

/// The token of `Bearer TOKEN`; the scheme's case does not matter (RFC 7235 2.1).
fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn self_given(metadata: &MetadataMap) -> Result<ClientName, Status> {
    let given = match metadata.get(NAME_KEY) {
        Some(value) => value.to_str().unwrap_or_default(),
        None => LOCAL,
    };
    ClientName::parse(given).ok_or_else(|| {
        Status::unauthenticated(format!(
            "metadata {NAME_KEY}: must be 1 to {} letters, digits, '.', '_' or '-'",
            ClientName::LENGTH_MAX
        ))
    })
}

/// The caller of a request that passed the [`Authenticator`].
pub(super) fn caller<T>(request: &Request<T>) -> Result<Arc<Client>, Status> {
    request
        .extensions()
        .get::<Arc<Client>>()
        .cloned()
        .ok_or_else(|| {
            Status::internal("the call was not authenticated; this is a fault of Sampan")
        })
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    const CERTIFICATE: &[u8] = b"a certificate in DER";

    fn client(name: &str) -> ClientSettings {
        ClientSettings {
            name: ClientName::parse(name).unwrap(),
            token_sha256: None,
            certificate_sha256: None,
            is_operator: false,
            in_flight_max: 10,
            rate: None,
        }
    }

    fn identities(trusted: bool) -> Authenticator {
        let settings = [
            ClientSettings {
                token_sha256: Some(Sha256::digest(b"open sesame").into()),
                ..client("shop")
            },
            ClientSettings {
                certificate_sha256: Some(Sha256::digest(CERTIFICATE).into()),
                ..client("wallet")
            },
        ];
        Authenticator::new(trusted, &settings, Arc::new(Clients::new(&settings)))
    }

    fn identify(
        trusted: bool,
        metadata: &[(&'static str, &str)],
        certificate: Option<&[u8]>,
    ) -> Result<String, tonic::Code> {
        let mut map = MetadataMap::new();
        for (key, value) in metadata {
            map.insert(*key, value.parse().unwrap());
        }
        identities(trusted)
            .0
            .identify(&map, certificate)
            .map(|client| client.name().to_string())
            .map_err(|status| status.code())
    }

    #[test]
    fn a_trusted_caller_names_itself_or_is_local() {
        assert_eq!(identify(true, &[], None).unwrap(), "local");
        let named = [(NAME_KEY, "crm.eu-1")];
        assert_eq!(identify(true, &named, None).unwrap(), "crm.eu-1");
    }

    #[test]
    fn a_name_that_cannot_be_a_label_is_refused() {
        let named = [(NAME_KEY, "a b")];
        assert_eq!(
            identify(true, &named, None).unwrap_err(),
            tonic::Code::Unauthenticated
        );
    }

    #[test]
    fn a_wrong_token_is_refused_even_where_none_is_needed() {
        for value in ["Bearer open", "open sesame", "Bearer", "Basic open sesame"] {
            for trusted in [true, false] {
                let refused = identify(trusted, &[("authorization", value)], None);
                assert_eq!(
                    refused.unwrap_err(),
                    tonic::Code::Unauthenticated,
                    "{value}"
                );
            }
        }
    }

    #[test]
    fn a_token_or_a_certificate_proves_a_name_that_the_caller_cannot_change() {
        let token = [("authorization", "bearer open sesame"), (NAME_KEY, "other")];
        assert_eq!(identify(false, &token, None).unwrap(), "shop");
        let named = [(NAME_KEY, "other")];
        assert_eq!(
            identify(false, &named, Some(CERTIFICATE)).unwrap(),
            "wallet"
        );
    }

    #[test]
    fn without_credentials_an_untrusted_caller_is_refused() {
        let named = [(NAME_KEY, "shop")];
        for certificate in [None, Some(&b"another certificate"[..])] {
            let refused = identify(false, &named, certificate);
            assert_eq!(refused.unwrap_err(), tonic::Code::Unauthenticated);
        }
    }
}
