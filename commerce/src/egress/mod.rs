//! The one place that calls addresses which others have named: partners' pages and webhooks.
//!
//! Whoever may name an address could name one of ours, so each call looks its name up once, refuses what
//! is not public, and connects to the addresses that were looked at and to no others: a name that
//! changes between the look and the connection gains nothing. No redirect is followed, no proxy of the
//! environment is used, no connection is kept.
//!
//! An error names the host and the reason, never the path, the query or a body: messages are in them.

mod address;
mod names;
mod url;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use ipnet::IpNet;
use reqwest::{
    Client, Method, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderMap},
    redirect::Policy,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio::time::timeout;

pub use names::{Looking, Names, SystemNames};
pub(crate) use url::Url;
pub use url::{CallUrl, UrlFault};

/// How long a call may take in all. Standard Webhooks recommends 15 to 30 s.
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection may take to be made, so that a silent address leaves time for the next one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Addresses of a name that are tried. Names have two or four.
const ADDRESSES_MAX: usize = 8;

/// What partners see us as.
const USER_AGENT: &str = concat!("sampan-commerce/", env!("CARGO_PKG_VERSION"));

/// What may be called besides public addresses at the ports 80 and 443.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Networks of the intranet, or of a test, whose addresses may be called.
    pub networks: Vec<IpNet>,
    /// Further ports.
    pub ports: Vec<u16>,
    /// How long a call may take in all, which is less than a delivery's lease.
    pub total_timeout: Duration,
    /// Certificates in PEM form that are trusted besides those of the system.
    pub roots_pem: Vec<u8>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            networks: Vec::new(),
            ports: Vec::new(),
            total_timeout: TOTAL_TIMEOUT,
            roots_pem: Vec::new(),
        }
    }
}

/// Names in small letters, and their values.
pub type Headers = Vec<(&'static str, String)>;

/// A call.
pub struct Call<'a> {
    /// Where to.
    pub url: &'a CallUrl,
    /// Whether this partner may be called without TLS.
    pub plain_http: bool,
    /// If there are any, the partner is called in these networks alone.
    pub only_networks: &'a [IpNet],
    /// Besides those that every call has.
    pub headers: Headers,
    /// POST it; without one the call is a GET.
    pub json: Option<Vec<u8>>,
    /// Octets of the answer's body that are read; more of them are an error. Of 0 none is read.
    pub body_bytes_max: usize,
}

/// An answer, whatever it says.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as far as it was wanted.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// The URL is not called.
    #[error("the URL {0}")]
    Url(#[from] UrlFault),
    /// The name leads to an address that is not called.
    #[error("{host} is at {address}, which is {why}; nothing was sent")]
    Refused {
        /// The name.
        host: String,
        /// Its address.
        address: String,
        /// What the address is.
        why: &'static str,
    },
    /// The name leads nowhere.
    #[error("{host} was not found: {reason}")]
    NotFound {
        /// The name.
        host: String,
        /// What the system says.
        reason: String,
    },
    /// Nobody is there, or it is not who it should be.
    #[error("{host} cannot be reached: {reason}")]
    Unreached {
        /// The name.
        host: String,
        /// What the system says.
        reason: String,
    },
    /// It took too long.
    #[error("{host} has not answered within {} ms", .limit.as_millis())]
    Late {
        /// The name.
        host: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The answer is no HTTP, or was cut off.
    #[error("the answer of {host} cannot be read: {reason}")]
    Unread {
        /// The name.
        host: String,
        /// Why.
        reason: String,
    },
    /// The answer is longer than what it may be.
    #[error("the answer of {host} is longer than {limit} octets")]
    Long {
        /// The name.
        host: String,
        /// How long it may be.
        limit: usize,
    },
}

/// Why no calls can be made at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressFault {
    /// The certificates are none.
    #[error("the certificates that are trusted besides those of the system: {0}")]
    Roots(String),
    /// TLS has no common version with its ciphers.
    #[error("TLS: {0}")]
    Tls(String),
}

/// Makes calls.
#[derive(Clone)]
pub struct Egress {
    rules: Arc<Rules>,
    names: Arc<dyn Names>,
    tls: ClientConfig,
}

impl Egress {
    /// By the system's names and certificates.
    ///
    /// # Errors
    /// A certificate of the rules is none.
    pub fn new(rules: Rules) -> Result<Self, EgressFault> {
        Self::with_names(rules, Arc::new(SystemNames))
    }

    /// By other names than the system's.
    ///
    /// # Errors
    /// A certificate of the rules is none.
    pub fn with_names(rules: Rules, names: Arc<dyn Names>) -> Result<Self, EgressFault> {
        Ok(Self {
            tls: tls(&rules.roots_pem)?,
            rules: Arc::new(rules),
            names,
        })
    }

    /// Whether a URL may be called at all, for whoever registers it. Where its name leads to is looked at
    /// when it is called.
    ///
    /// # Errors
    /// Its port or scheme is not allowed.
    pub fn check(&self, url: &CallUrl, plain_http: bool) -> Result<(), UrlFault> {
        url.check(plain_http, &self.rules.ports)
    }

    /// Calls, once.
    ///
    /// # Errors
    /// There is no answer. Unless it was refused the partner may have got the call.
    pub async fn call(&self, call: Call<'_>) -> Result<Answer, EgressError> {
        self.check(call.url, call.plain_http)?;
        let (host, limit) = (call.url.host().to_owned(), self.rules.total_timeout);
        let answered = timeout(limit, self.call_at(call)).await;
        answered.unwrap_or(Err(EgressError::Late { host, limit }))
    }

    async fn call_at(&self, call: Call<'_>) -> Result<Answer, EgressError> {
        let host = call.url.host();
        let addresses = self.addresses(&call).await?;
        let client = self.client(addresses).map_err(|error| unread(host, error));
        let method = if call.json.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        let mut request = client?.request(method, call.url.as_url().clone());
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        if let Some(json) = call.json {
            request = request.header(CONTENT_TYPE, "application/json").body(json);
        }
        let answer = request.send().await;
        let answer = answer.map_err(|error| match error.is_connect() {
            true => EgressError::Unreached {
                host: host.to_owned(),
                reason: reason(&error),
            },
            false => unread(host, error),
        })?;
        read(host, answer, call.body_bytes_max).await
    }

    /// The addresses of the call's host that may be called, at least one.
    async fn addresses(&self, call: &Call<'_>) -> Result<Vec<SocketAddr>, EgressError> {
        let (host, port) = (call.url.host(), call.url.port());
        let found = match call.url.address() {
            Some(address) => Ok(vec![address]),
            None => self.names.look_up(host).await,
        };
        let not_found = |reason: String| EgressError::NotFound {
            host: host.to_owned(),
            reason,
        };
        let found = found.map_err(|error| not_found(error.to_string()))?;
        let mut refused = None;
        let mut allowed = Vec::new();
        for address in found.into_iter().take(ADDRESSES_MAX) {
            match address::refusal(address, &self.rules.networks, call.only_networks) {
                None => allowed.push(SocketAddr::new(address, port)),
                Some(why) => refused = Some((address, why)),
            }
        }
        match refused {
            _ if !allowed.is_empty() => Ok(allowed),
            None => Err(not_found("it has no address".to_owned())),
            Some((address, why)) => Err(EgressError::Refused {
                host: host.to_owned(),
                address: address.to_string(),
                why,
            }),
        }
    }

    /// A client for one call, which knows no addresses but these.
    fn client(&self, addresses: Vec<SocketAddr>) -> reqwest::Result<Client> {
        Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .dns_resolver(names::Looked(addresses))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .pool_max_idle_per_host(0)
            .user_agent(USER_AGENT)
            .build()
    }
}

/// The system's certificates and further ones, by rustls over ring.
fn tls(roots_pem: &[u8]) -> Result<ClientConfig, EgressFault> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    for further in CertificateDer::pem_slice_iter(roots_pem) {
        let further = further.map_err(|error| EgressFault::Roots(error.to_string()))?;
        let added = roots.add(further);
        added.map_err(|error| EgressFault::Roots(error.to_string()))?;
    }
    if roots.is_empty() {
        tracing::warn!(
            "no certificate is trusted, so no https URL can be called; install ca-certificates"
        );
    }
    let provider = Arc::new(ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| EgressFault::Tls(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

async fn read(host: &str, mut answer: Response, bytes_max: usize) -> Result<Answer, EgressError> {
    let mut body = Vec::new();
    if bytes_max > 0 {
        let cut_off = |error| unread(host, error);
        while let Some(chunk) = answer.chunk().await.map_err(cut_off)? {
            if body.len() + chunk.len() > bytes_max {
                return Err(EgressError::Long {
                    host: host.to_owned(),
                    limit: bytes_max,
                });
            }
            body.extend_from_slice(&chunk);
        }
    }
    Ok(Answer {
        status: answer.status(),
        headers: std::mem::take(answer.headers_mut()),
        body,
    })
}

fn unread(host: &str, error: reqwest::Error) -> EgressError {
    EgressError::Unread {
        host: host.to_owned(),
        reason: reason(&error),
    }
}

/// The innermost reason. The outer ones repeat the URL.
fn reason(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.downcast_ref::<reqwest::Error>() {
        Some(_) if error.is_timeout() => "it took too long".to_owned(),
        Some(_) => "no reason was given".to_owned(),
        None => innermost.to_string(),
    }
}
