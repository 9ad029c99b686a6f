//! One connection to the router, made when it is first needed and made again by itself, and the calls
//! over it: so many at once, each for so long, each counted.

use std::{fs, io, path::Path, sync::Arc, time::Duration};

use metrics::counter;
use tokio::{sync::Semaphore, time::timeout};
use tonic::{
    Request, Response, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use zeroize::Zeroizing;

use super::{
    failure::Failure,
    proto::{messaging_client::MessagingClient, payments_client::PaymentsClient},
    settings::{Place, Settings, TlsFiles},
};
use crate::metrics::ROUTER_CALLS;

/// The metadata key by which a caller names itself where the router trusts the machine.
const NAME_KEY: &str = "sampan-client";

/// A router that does not answer in this time is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often an idle connection is tried, so that a stream over a dead one does not wait for ever.
const KEEPALIVE_PERIOD: Duration = Duration::from_secs(10);

/// How long its answer may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Octets of one answer. A batch of what is received holds at most 64 events, of which a text of 255
/// parts with its data and parameters takes less than 256 KiB.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// The router. Clones share its connection.
#[derive(Clone)]
pub struct Router(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) settings: Settings,
    payments: PaymentsClient<Authorised>,
    messaging: MessagingClient<Authorised>,
    places: Semaphore,
}

type Authorised = InterceptedService<Channel, Credentials>;

/// Why there can be no connection. Each is for whoever wrote the configuration.
#[derive(Debug, thiserror::Error)]
pub enum RouterFault {
    /// A PEM file.
    #[error("the file {path} of the router's TLS cannot be read: {source}")]
    File {
        /// Its path.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The files do not fit.
    #[error("the files of the router's TLS make no TLS client: {0}")]
    Tls(String),
    /// The address.
    #[error("the router's address {0} cannot be called")]
    Address(String),
    /// The name or the token is no metadata.
    #[error("the router's client name or token cannot be sent as metadata")]
    Metadata,
}

impl Router {
    /// A router that is called as soon as somebody asks. It need not be there yet. Within a runtime.
    ///
    /// # Errors
    /// The settings cannot be used, whether the router is there or not.
    pub fn connect(settings: Settings) -> Result<Self, RouterFault> {
        let credentials = Credentials::of(&settings)?;
        let channel = endpoint(&settings)?.connect_lazy();
        let channel = InterceptedService::new(channel, credentials);
        Ok(Self(Arc::new(Inner {
            payments: PaymentsClient::new(channel.clone())
                .max_decoding_message_size(ANSWER_BYTES_MAX),
            messaging: MessagingClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX),
            places: Semaphore::new(settings.calls_max.get().into()),
            settings,
        })))
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(super) fn payments(&self) -> PaymentsClient<Authorised> {
        self.0.payments.clone()
    }

    pub(super) fn messaging(&self) -> MessagingClient<Authorised> {
        self.0.messaging.clone()
    }

    /// A request that tells the router for how long it is awaited.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.settings().call_timeout);
        request
    }

    /// Half of a call's time: what has not left the router by then is not sent, and there is time to
    /// hear so.
    pub(super) fn deadline_ms(&self) -> u32 {
        let half = self.settings().call_timeout / 2;
        u32::try_from(half.as_millis()).unwrap_or(u32::MAX)
    }

    /// Makes a call once there is a place for it.
    pub(super) async fn call<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        let placed = async {
            let place = self.0.places.acquire().await;
            let _place = place.map_err(|_| Failure::unheard("it is not called any more".into()))?;
            call.await.map_err(|status| Failure::of(&status))
        };
        let ended = timeout(self.settings().call_timeout, placed).await;
        let ended = ended.unwrap_or_else(|_| {
            Err(Failure::unheard(format!(
                "nothing was heard for {} ms, a place among {} calls included",
                self.settings().call_timeout.as_millis(),
                self.settings().calls_max
            )))
        });
        count(name, &ended);
        Ok(ended?.into_inner())
    }
}

fn count<T>(name: &'static str, ended: &Result<T, Failure>) {
    let result = match ended {
        Ok(_) => "answered",
        Err(Failure::Invalid(why)) => {
            tracing::error!(call = name, "the router refuses the request: {why}");
            "invalid"
        }
        Err(Failure::Unheard(unheard)) => {
            tracing::warn!(call = name, "{unheard}");
            "unheard"
        }
    };
    counter!(ROUTER_CALLS, "call" => name, "result" => result).increment(1);
}

fn endpoint(settings: &Settings) -> Result<Endpoint, RouterFault> {
    let refused = |_| RouterFault::Address(settings.address.to_string());
    let (address, tls) = match &settings.address.0 {
        Place::Here(address) => (address, None),
        Place::There(address, files) => (address, Some(tls(files)?)),
    };
    let endpoint = Endpoint::from_shared(address.clone())
        .map_err(refused)?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_PERIOD)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    match tls {
        None => Ok(endpoint),
        Some(tls) => endpoint
            .tls_config(tls)
            .map_err(|error| RouterFault::Tls(causes(&error))),
    }
}

fn tls(files: &TlsFiles) -> Result<ClientTlsConfig, RouterFault> {
    let ca = Certificate::from_pem(read(&files.ca)?.as_slice());
    let mut tls = ClientTlsConfig::new().ca_certificate(ca);
    if let Some(name) = &files.server_name {
        tls = tls.domain_name(name);
    }
    if let Some(client) = &files.client {
        let (certificate, key) = (read(&client.certificate)?, read(&client.key)?);
        tls = tls.identity(Identity::from_pem(certificate.as_slice(), key.as_slice()));
    }
    Ok(tls)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, RouterFault> {
    let read = fs::read(path).map_err(|source| RouterFault::File {
        path: path.display().to_string(),
        source,
    });
    read.map(Zeroizing::new)
}

/// An error with what caused it; the transport's own first sentence says little.
fn causes(error: &dyn std::error::Error) -> String {
    let mut causes = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.join(": ")
}

/// What each call brings along to say who we are.
#[derive(Clone)]
pub(super) struct Credentials {
    name: MetadataValue<Ascii>,
    authorization: Option<MetadataValue<Ascii>>,
}

impl Credentials {
    fn of(settings: &Settings) -> Result<Self, RouterFault> {
        let metadata = |text: &str| text.parse().map_err(|_| RouterFault::Metadata);
        let bearer = settings.token.as_ref().map(|token| {
            let text = Zeroizing::new(format!("Bearer {}", token.reveal()));
            let mut value: MetadataValue<Ascii> = metadata(&text)?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Self {
            name: metadata(settings.client.as_str())?,
            authorization: bearer.transpose()?,
        })
    }
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        metadata.insert(NAME_KEY, self.name.clone());
        if let Some(authorization) = &self.authorization {
            metadata.insert("authorization", authorization.clone());
        }
        Ok(request)
    }
}
