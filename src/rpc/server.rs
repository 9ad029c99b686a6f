//! The server: its socket, TLS and HTTP/2, the services on it, their health, and its stop.

use std::{fs, future::Future, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    service::interceptor::InterceptedService,
    transport::{
        self, Certificate, Identity, ServerTlsConfig,
        server::{Router, TcpIncoming},
    },
};
use tonic_health::{ServingStatus, server::HealthReporter};
use tonic_reflection::server::{self as reflection, v1, v1alpha};

use super::{
    FILE_DESCRIPTOR_SET,
    auth::Authenticator,
    client::Clients,
    deadline::Deadlines,
    error::RpcError,
    links::LinksService,
    listener::Listener,
    messaging::MessagingService,
    payments::PaymentsService,
    proto::{
        links_server::{self, LinksServer},
        messaging_server::{self, MessagingServer},
        payments_server::{self, PaymentsServer},
        reversals_server::{self, ReversalsServer},
        totals_server::{self, TotalsServer},
    },
    reversals::ReversalsService,
    services::Services,
    settings::{ClientSettings, Listen, RpcSettings, TlsFiles},
    totals::TotalsService,
};
use crate::client::ClientCounts;

/// HTTP/2 flow control: what a caller may send on one stream before Sampan has read it. A round
/// trip of 40 ms then still carries 100 MB/s.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;

/// The same for all streams of a connection together.
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;

/// The largest HTTP/2 frame: a full batch takes few of them, and none holds the connection long.
const FRAME_BYTES_MAX: u32 = 256 << 10;

/// The largest request message: 1,000 requests of 16 KiB each.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Calls at once per connection; more wait at the caller.
const CALLS_PER_CONNECTION_MAX: u32 = 1_024;

/// A silent connection is asked for a sign of life this often, so that callers that vanished are
/// noticed and their subscriptions end.
const KEEPALIVE_PERIOD: Duration = Duration::from_secs(30);

/// How long that sign may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// For a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A service whose health is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// `sampan.v1.Messaging`
    Messaging,
    /// `sampan.v1.Payments`
    Payments,
    /// `sampan.v1.Reversals`
    Reversals,
    /// `sampan.v1.Totals`
    Totals,
    /// `sampan.v1.Links`
    Links,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 5] = [
        Self::Messaging,
        Self::Payments,
        Self::Reversals,
        Self::Totals,
        Self::Links,
    ];

    /// Its full name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Messaging => messaging_server::SERVICE_NAME,
            Self::Payments => payments_server::SERVICE_NAME,
            Self::Reversals => reversals_server::SERVICE_NAME,
            Self::Totals => totals_server::SERVICE_NAME,
            Self::Links => links_server::SERVICE_NAME,
        }
    }
}

/// What `grpc.health.v1` answers. All services are SERVING at first.
#[derive(Clone, Debug)]
pub struct Health(HealthReporter);

impl Health {
    /// Tells whether a service serves. Watchers are notified.
    pub async fn set(&self, service: Service, serving: bool) {
        self.tell(service.name(), serving).await;
    }

    /// Tells of the whole server, the empty name, and of all services.
    pub async fn set_all(&self, serving: bool) {
        self.tell("", serving).await;
        for service in Service::ALL {
            self.set(service, serving).await;
        }
    }

    async fn tell(&self, name: &str, serving: bool) {
        let status = if serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        self.0.set_service_status(name, status).await;
    }
}

/// What the clients do, for metrics.
#[derive(Clone, Debug)]
pub struct Counts(Arc<Clients>);

impl Counts {
    /// One entry for each client that is configured or was seen of late.
    pub fn clients(&self) -> Vec<ClientCounts> {
        self.0.counts()
    }
}

/// The RPC server, bound and not serving yet.
pub struct Server {
    listener: Listener,
    router: Router,
    health: Health,
    clients: Arc<Clients>,
    stopping: CancellationToken,
}

impl Server {
    /// Binds the socket. Callers can connect from now on; they are answered once it serves.
    ///
    /// # Errors
    /// The configuration is unsafe or does not fit together, or the socket cannot be bound.
    pub async fn bind(
        settings: &RpcSettings,
        clients: &[ClientSettings],
        services: Services,
    ) -> Result<Self, RpcError> {
        check(settings, clients)?;
        let tls = settings.tls.as_ref().map(tls_config).transpose()?;
        let listener = Listener::bind(&settings.listen).await?;
        let stopping = CancellationToken::new();
        let known = Arc::new(Clients::new(clients));
        let trusted = !settings.listen.is_open_to_the_network();
        let authenticator = Authenticator::new(trusted, clients, Arc::clone(&known));
        let (reporter, health_service) = tonic_health::server::health_reporter();
        let health = Health(reporter);
        health.set_all(true).await;
        let (reflection, reflection_v1alpha) = reflection_services()?;

        let deadlines = Deadlines::new(settings);
        let messaging = MessagingService::new(&services, settings, deadlines, stopping.clone());
        let payments = PaymentsService::new(&services, settings, deadlines, stopping.clone());
        let messaging =
            MessagingServer::new(messaging).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let payments = PaymentsServer::new(payments).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let totals = TotalsServer::new(TotalsService::new(Arc::clone(&services.payments)));
        let reversals = ReversalsServer::new(ReversalsService::new(services.payments));
        let links = LinksServer::new(LinksService::new(services.links, stopping.clone()));
        // Health is open to all: probes have no credentials, and it tells nothing about anyone.
        let router = http2(tls)?
            .add_service(health_service)
            .add_service(InterceptedService::new(messaging, authenticator.clone()))
            .add_service(InterceptedService::new(payments, authenticator.clone()))
            .add_service(InterceptedService::new(reversals, authenticator.clone()))
            .add_service(InterceptedService::new(totals, authenticator.clone()))
            .add_service(InterceptedService::new(links, authenticator.clone()))
            .add_service(InterceptedService::new(reflection, authenticator.clone()))
            .add_service(InterceptedService::new(reflection_v1alpha, authenticator));
        Ok(Self {
            listener,
            router,
            health,
            clients: known,
            stopping,
        })
    }

    /// The address with the port that was chosen; `None` for a Unix socket.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr()
    }

    /// A handle on what the health service answers.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// A handle on what the clients do.
    pub fn counts(&self) -> Counts {
        Counts(Arc::clone(&self.clients))
    }

    /// Serves until `shutdown` completes and every call has ended.
    ///
    /// From the shutdown on no request is read. Streams tell the outcomes of what was read before,
    /// then end with UNAVAILABLE; subscriptions end at once. How long to wait for that is the
    /// caller's decision: dropping the future ends everything.
    ///
    /// # Errors
    /// The transport failed.
    pub async fn serve(
        self,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), RpcError> {
        let (health, stopping) = (self.health, self.stopping);
        let shutdown = async move {
            shutdown.await;
            health.set_all(false).await;
            stopping.cancel();
            tracing::info!("the RPC server stops: no request is read any more");
        };
        match self.listener {
            Listener::Tcp(listener) => {
                let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
                self.router
                    .serve_with_incoming_shutdown(incoming, shutdown)
                    .await
            }
            Listener::Unix(listener, file) => {
                let incoming = UnixListenerStream::new(listener);
                let served = self
                    .router
                    .serve_with_incoming_shutdown(incoming, shutdown)
                    .await;
                drop(file);
                served
            }
        }
        .map_err(RpcError::Serve)
    }
}

/// The configuration's own check says the same earlier; a server that is built otherwise must not
/// be open to all either.
fn check(settings: &RpcSettings, clients: &[ClientSettings]) -> Result<(), RpcError> {
    if settings.listen.is_open_to_the_network() {
        if settings.tls.is_none() {
            return Err(RpcError::TlsNeeded(settings.listen.clone()));
        }
        let has_credentials =
            |c: &ClientSettings| c.token_sha256.is_some() || c.certificate_sha256.is_some();
        if !clients.iter().any(has_credentials) {
            return Err(RpcError::CredentialsNeeded(settings.listen.clone()));
        }
    }
    let Some(tls) = &settings.tls else {
        return Ok(());
    };
    if matches!(settings.listen, Listen::Unix(_)) {
        return Err(RpcError::TlsOnUnixSocket);
    }
    match clients.iter().find(|c| c.certificate_sha256.is_some()) {
        Some(client) if tls.client_ca.is_none() => {
            Err(RpcError::ClientCaNeeded(client.name.clone()))
        }
        _ => Ok(()),
    }
}

fn tls_config(files: &TlsFiles) -> Result<ServerTlsConfig, RpcError> {
    let identity = Identity::from_pem(read(&files.certificate)?, read(&files.key)?);
    let config = ServerTlsConfig::new()
        .identity(identity)
        .timeout(HANDSHAKE_TIMEOUT);
    Ok(match &files.client_ca {
        // Optional, because a client may prove itself by a token instead.
        Some(ca) => config
            .client_ca_root(Certificate::from_pem(read(ca)?))
            .client_auth_optional(true),
        None => config,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, RpcError> {
    fs::read(path).map_err(|source| RpcError::File {
        path: path.display().to_string(),
        source,
    })
}

fn http2(tls: Option<ServerTlsConfig>) -> Result<transport::Server, RpcError> {
    let server = transport::Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_concurrent_streams(CALLS_PER_CONNECTION_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_PERIOD))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT));
    match tls {
        Some(tls) => server.tls_config(tls).map_err(RpcError::Tls),
        None => Ok(server),
    }
}

/// Both versions of the reflection protocol: tools differ in which one they speak.
fn reflection_services() -> Result<
    (
        v1::ServerReflectionServer<impl v1::ServerReflection>,
        v1alpha::ServerReflectionServer<impl v1alpha::ServerReflection>,
    ),
    RpcError,
> {
    let builder = || {
        reflection::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Ok((builder().build_v1()?, builder().build_v1alpha()?))
}
