//! From settings to a running program, and from a running program to a clean end.
//!
//! Start: the books are opened and both ports bound before anything runs, so that a program either runs
//! or says what is wrong. Stop, in phases: it is not ready any more, nobody is taken in, requests that
//! were read get their answer and workers end their step; what is left after the time for it is cut
//! off, which undoes a change that was under way; then the books are closed.

mod admin;
mod join;
mod parts;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{Router, http::StatusCode, middleware::from_fn_with_state};
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use self::{
    admin::Admin,
    parts::{Context, Ended, Parts, Worker},
};
use crate::{
    clock::{self, Clock},
    config::{Config, HttpSettings},
    http::{self, Guard, PortLimits, Watch, watched},
    metrics::Metrics,
    store::{Store, StoreError},
};

/// How long the books may take to close: longer than any change, and no reason to hang.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// Operators and their machines.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// Why a program did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port cannot be bound.
    #[error("{key}: cannot listen on {address}: {source}; choose another or end who has it")]
    Listen {
        /// The setting.
        key: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The books cannot be opened.
    #[error("store.location: {0}")]
    Store(#[from] StoreError),
    /// The metrics' own settings are wrong, which is a fault of commerce.
    #[error("metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// A part of the program refuses its settings.
    #[error("{0}")]
    Part(String),
}

/// A running program.
#[derive(Debug)]
pub struct App {
    http_address: SocketAddr,
    admin_address: SocketAddr,
    store: Store,
    stopping: Arc<AtomicBool>,
    /// For workers and the port of customers.
    stop: CancellationToken,
    tasks: JoinSet<()>,
    /// Served longer, so that operators see the others end.
    stop_admin: CancellationToken,
    admin: JoinSet<()>,
    timeout: Duration,
}

/// How a stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Workers, and a port with requests, that were cut off because their time was over.
    pub cut_off: usize,
}

impl App {
    /// Starts a program by the clock of this machine. Returns once callers can connect.
    ///
    /// # Errors
    /// What is wrong; nothing runs then.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_by(config, clock::system()).await
    }

    /// The same by another clock.
    ///
    /// # Errors
    /// What is wrong; nothing runs then.
    pub async fn start_by(config: Config, clock: Clock) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new()?);
        let store = Store::open(&config.store).await?;
        let ports = Ports::bind(&config).await?;
        let context = Context {
            config: Arc::new(config),
            store,
            clock,
            metrics,
        };
        let parts = context.metrics.scope(|| join::all(&context))?;
        let app = ports.serve(&context, parts);
        let (http, admin) = (app.http_address, app.admin_address);
        tracing::info!(%http, %admin, "commerce runs");
        Ok(app)
    }

    /// Where customers and agents call, with the port that was chosen.
    pub fn http_address(&self) -> SocketAddr {
        self.http_address
    }

    /// Where operators look.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// The books.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Stops in phases and says how it went.
    pub async fn stop(mut self) -> Stopped {
        self.stopping.store(true, Relaxed);
        self.stop.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let in_time = timeout(self.timeout, all).await.is_ok();
        let cut_off = if in_time { 0 } else { self.tasks.len() };
        self.tasks.shutdown().await;
        self.stop_admin.cancel();
        // If it does not end by then, it is cut off with the rest of this.
        timeout(CLOSE_MAX, self.admin.join_next()).await.ok();
        if timeout(CLOSE_MAX, self.store.close()).await.is_err() {
            tracing::warn!("the database does not close its connections");
        }
        tracing::info!(cut_off, "commerce has stopped");
        Stopped { cut_off }
    }
}

/// Whoever drops a program without having stopped it cuts it off.
impl Drop for App {
    fn drop(&mut self) {
        self.stop.cancel();
        self.stop_admin.cancel();
    }
}

/// Both ports, bound and not serving yet.
struct Ports {
    http: (TcpListener, SocketAddr),
    admin: (TcpListener, SocketAddr),
}

impl Ports {
    async fn bind(config: &Config) -> Result<Self, StartError> {
        Ok(Self {
            http: bind("http.listen", config.http.listen).await?,
            admin: bind("admin.listen", config.admin.listen).await?,
        })
    }

    /// Runs what was put together.
    fn serve(self, context: &Context, parts: Parts) -> App {
        let (http_port, http_address) = self.http;
        let (admin_port, admin_address) = self.admin;
        let (metrics, settings) = (&context.metrics, &context.config.http);
        let (stop, stop_admin) = (CancellationToken::new(), CancellationToken::new());
        let (stopping, ended) = (Arc::new(AtomicBool::new(false)), Ended::default());
        let limits = |connections_max| PortLimits {
            connections_max,
            header_timeout: settings.header_timeout,
        };
        let workers = parts.workers.into_iter();
        let run = |worker: Worker| worker.run(Arc::clone(metrics), stop.clone(), ended.clone());
        let mut tasks: JoinSet<()> = workers.map(run).collect();
        let router = public(parts.routers, settings, metrics);
        let public_limits = limits(settings.connections_max);
        tasks.spawn(http::serve(http_port, router, public_limits, stop.clone()));
        let told = Admin {
            metrics: Arc::clone(metrics),
            store: context.store.clone(),
            ended: ended.clone(),
            stopping: Arc::clone(&stopping),
        };
        let (router, admin_limits) = (told.router(), limits(ADMIN_CONNECTIONS_MAX));
        let mut admin = JoinSet::new();
        admin.spawn(http::serve(
            admin_port,
            router,
            admin_limits,
            stop_admin.clone(),
        ));
        App {
            http_address,
            admin_address,
            store: context.store.clone(),
            stopping,
            stop,
            tasks,
            stop_admin,
            admin,
            timeout: context.config.stop.timeout,
        }
    }
}

async fn bind(
    key: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let refused = |source| StartError::Listen {
        key,
        address,
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    Ok((listener, bound))
}

/// All routes of customers, agents and partners behind what every call goes through.
fn public(
    routers: Vec<(Router, http::Refuse)>,
    settings: &HttpSettings,
    metrics: &Arc<Metrics>,
) -> Router {
    let guard = Guard::new(settings.limits);
    let watch = Watch {
        metrics: Arc::clone(metrics),
        trusted_proxies: settings.trusted_proxies.as_slice().into(),
    };
    let guarded = routers
        .into_iter()
        .map(|(router, refuse)| guard.around(router, refuse));
    guarded
        .fold(Router::new(), Router::merge)
        .fallback(async || (StatusCode::NOT_FOUND, "there is nothing here\n"))
        .layer(from_fn_with_state(watch, watched))
}
