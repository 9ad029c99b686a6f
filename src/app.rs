//! From a configuration to a running router, and from a running router to a clean end.
//!
//! Start: what can fail by the configuration's fault comes first, so that a router either runs or
//! says what is wrong. Stop, in phases: no request is read any more, and what was read gets its
//! outcome; what is unanswered after half of the time is given up, and payments are reversed; links
//! say goodbye.

mod ledger;

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::{interval, timeout, timeout_at},
};
use tracing::{error, info, warn};

use self::ledger::Ledger;
use crate::{
    admin::{Admin, Port},
    clerk::Clerk,
    clock,
    config::Config,
    inbox::{Inbox, InboxSettings},
    journal::{self, Durable},
    link::{
        self, BankJob, Door, DoorError, Late, Requests,
        settings::{BankSettings, LinkSettings, SmscSettings},
    },
    links::Links,
    messaging::{Limiter, Memory, Messaging, Smsc},
    metrics::{CertificateMetrics, Metrics},
    payment::{BankDesk, Opening, Payments, RecoveryError, Registry},
    pool::Pool,
    receipts::Receipts,
    route::Routes,
    rpc::{
        Counts, RpcError, Server, Services,
        settings::{ClientSettings, Listen},
    },
    store::{OpenError, Purpose, Store, StoreError},
};

/// How often what nobody waits for is looked after: redelivery, parts that do not come, gauges.
const HOUSEKEEPING: Duration = Duration::from_millis(200);

/// How long a stop waits for the disk: the longest queue of the store takes some seconds, and a disk
/// that hangs must not keep the process.
const STORE_PATIENCE: Duration = Duration::from_secs(10);

/// Why a router did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The RPC cannot listen.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The admin port cannot be bound.
    #[error("admin.listen: cannot listen on {address}: {source}")]
    Admin {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A port for a peer that connects to us cannot be bound.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// The store's file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The journal cannot be opened, or not be read whole.
    #[error(transparent)]
    Journal(#[from] journal::OpenError),
    /// The store was opened and cannot be read.
    #[error("store.path: {0}")]
    Store(#[from] StoreError),
    /// The journal has open payments of a bank that is not configured any more.
    #[error(
        "journal.path: {open} payments of bank {bank} are open, and there is no such [[bank]]; \
         configure it until `sampan reversals list --bank {bank}` is empty"
    )]
    UnknownBank {
        /// The bank.
        bank: String,
        /// Payments that have to be reversed.
        open: usize,
    },
    /// A payment of the journal cannot be gone on with.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The metrics' own settings are wrong, which is a fault of Sampan.
    #[error("metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

/// A running router.
pub struct App {
    rpc_address: Option<SocketAddr>,
    admin_address: SocketAddr,
    links: Arc<Links>,
    inbox: Arc<Inbox>,
    store: Store,
    journal: Option<Arc<Durable>>,
    metrics: Arc<Metrics>,
    peers: Peers,
    counts: Counts,
    rpc_task: JoinHandle<()>,
    admin_task: JoinHandle<()>,
    housekeeping: JoinHandle<()>,
    stopping: Arc<AtomicBool>,
    stop_rpc: watch::Sender<bool>,
    stop_admin: watch::Sender<bool>,
    stop_timeout: Duration,
}

/// How a stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Payments that were not settled in time.
    pub unsettled_payments: usize,
    /// The journal has them, and the next start goes on with them. Otherwise they are forgotten, and
    /// an operator has to settle them with the banks.
    pub are_recorded: bool,
}

impl Stopped {
    /// Whether nothing is left that nobody will look after.
    pub fn is_clean(self) -> bool {
        self.unsettled_payments == 0 || self.are_recorded
    }
}

impl App {
    /// Binds the ports, then starts the links and the RPC. Returns once callers can connect; links
    /// come up by themselves.
    ///
    /// # Errors
    /// A port cannot be bound, or the RPC's settings do not fit together.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new()?);
        let cannot_listen = |source| StartError::Admin {
            address: config.admin.listen,
            source,
        };
        let admin_port = Port::bind(config.admin.listen)
            .await
            .map_err(cannot_listen)?;
        let admin_address = admin_port.local_addr().map_err(cannot_listen)?;
        let store = open_store(config.store.as_deref(), &metrics)?;
        let mut ledger = Ledger::open(config.journal.as_ref(), &config.banks, &metrics)?;
        let memory = Memory::open(
            (config.receipts.limits, config.receipts.record),
            (config.requests.limits, config.requests.record),
            config.smscs.iter().map(|smsc| {
                let name = Arc::clone(&smsc.link.peer);
                (name, smsc.receipts.clone())
            }),
            config.store.is_some().then(|| store.clone()),
            &metrics,
        )?;
        let inbox = open_inbox(config.inbox, &store, &memory, &metrics)?;
        let routes = Routes::new(config.message_routes, config.payment_routes);
        let certificates = certificates(&config.smscs, &config.banks, &metrics);
        let peers = Peers::start(config.smscs, config.banks, &inbox, &mut ledger, &metrics).await?;
        let journal = ledger.durable;
        let limiter = limiter(&config.clients, &metrics);
        let services = peers.services(routes, (limiter, memory.clone()), &inbox, &metrics);
        let links = Arc::clone(&services.links);
        let server = match Server::bind(&config.rpc, &config.clients, services).await {
            Ok(server) => server,
            Err(error) => {
                peers.abort();
                return Err(error.into());
            }
        };
        let rpc_address = server.local_addr();
        let counts = server.counts();
        let stopping = Arc::new(AtomicBool::new(false));
        let (stop_rpc, rpc_stops) = watch::channel(false);
        let (stop_admin, admin_stops) = watch::channel(false);
        let told = Admin {
            metrics: Arc::clone(&metrics),
            links: Arc::clone(&links),
            store: store.clone(),
            journal: journal.clone(),
            stopping: Arc::clone(&stopping),
        };
        let rpc = rpc_address.map_or(config.rpc.listen, Listen::Tcp);
        info!(%rpc, admin = %admin_address, "Sampan runs");
        Ok(Self {
            rpc_address,
            admin_address,
            links,
            rpc_task: tokio::spawn(serve_rpc(server, rpc_stops)),
            admin_task: tokio::spawn(serve_admin(admin_port, told, admin_stops)),
            housekeeping: tokio::spawn(keep_house(
                Arc::clone(&inbox),
                memory,
                Arc::clone(&metrics),
                (counts.clone(), certificates),
            )),
            inbox,
            store,
            journal,
            metrics,
            peers,
            counts,
            stopping,
            stop_rpc,
            stop_admin,
            stop_timeout: config.stop.timeout,
        })
    }

    /// Where the RPC listens; `None` for a Unix socket.
    pub fn rpc_address(&self) -> Option<SocketAddr> {
        self.rpc_address
    }

    /// Where the admin port listens.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// All connections.
    pub fn links(&self) -> &Arc<Links> {
        &self.links
    }

    /// All figures.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Stops in good order, within the configured time.
    pub async fn stop(mut self) -> Stopped {
        let times = StopTimes::within(self.stop_timeout);
        self.stopping.store(true, Relaxed);
        self.stop_rpc.send_replace(true);
        if timeout_at(times.patience.into(), self.outcomes())
            .await
            .is_err()
        {
            warn!("some peers are silent: what is in flight is given up, payments are reversed");
            self.peers.give_up(times);
            if timeout_at(times.cut.into(), self.outcomes()).await.is_err() {
                warn!("some callers did not fetch their outcomes, or banks did not answer");
            }
        }
        self.inbox.close();
        let unsettled_payments = self.peers.stop(times).await;
        let are_recorded = self.journal.is_some();
        match (unsettled_payments, are_recorded) {
            (0, _) => {}
            (_, true) => warn!(
                unsettled_payments,
                "stopped with open payments; the next start goes on with them"
            ),
            (_, false) => error!(
                unsettled_payments,
                "stopped with payments that an operator must settle with the banks"
            ),
        }
        self.rpc_task.abort();
        self.housekeeping.abort();
        self.stop_admin.send_replace(true);
        self.admin_task.abort();
        let store = self.store;
        close("store", move || store.close()).await;
        if let Some(journal) = self.journal {
            close("journal", move || journal.close()).await;
        }
        info!("Sampan has stopped");
        Stopped {
            unsettled_payments,
            are_recorded,
        }
    }

    /// Waits until every call has its outcome and every payment is settled.
    async fn outcomes(&mut self) {
        end_of_rpc(&mut self.rpc_task, &self.counts).await;
        self.peers.settled().await;
    }
}

/// The phases of a stop. Each has its share, so that a silent peer cannot use up the time in which
/// payments are taken back and links say goodbye.
#[derive(Clone, Copy)]
struct StopTimes {
    /// Until then, answers are waited for.
    patience: Instant,
    /// Until then, reversals are; then connections are cut.
    cut: Instant,
    /// The end.
    deadline: Instant,
}

impl StopTimes {
    fn within(time: Duration) -> Self {
        let now = Instant::now();
        Self {
            patience: now + time / 2,
            cut: now + time / 8 * 7,
            deadline: now + time,
        }
    }
}

/// Everything that has to do with SMSCs and banks: pools, desks, and their tasks.
#[derive(Default)]
struct Peers {
    smscs: Vec<Smsc>,
    bank_pools: Vec<Arc<Pool<BankJob>>>,
    desks: Vec<Arc<BankDesk>>,
    registry: Arc<Registry>,
    link_tasks: Vec<JoinHandle<()>>,
    door_tasks: Vec<JoinHandle<()>>,
    /// Those of the desks and of the clerks.
    desk_tasks: Vec<JoinHandle<()>>,
}

impl Peers {
    async fn start(
        smscs: Vec<SmscSettings>,
        banks: Vec<BankSettings>,
        inbox: &Arc<Inbox>,
        ledger: &mut Ledger,
        metrics: &Metrics,
    ) -> Result<Self, StartError> {
        // All ports first: no link may be up when one of them turns out to be taken.
        let mut smsc_doors = Vec::new();
        for settings in &smscs {
            smsc_doors.push(Door::bind(&settings.link).await?);
        }
        let mut bank_doors = Vec::new();
        for settings in &banks {
            bank_doors.push(Door::bind(&settings.link).await?);
        }
        let mut peers = Self::default();
        for (settings, door) in smscs.into_iter().zip(smsc_doors) {
            peers.start_smsc(Arc::new(settings), door, inbox, metrics);
        }
        for (settings, door) in banks.into_iter().zip(bank_doors) {
            let started = peers.start_bank(Arc::new(settings), door, (ledger, inbox), metrics);
            if let Err(error) = started {
                peers.abort();
                return Err(error.into());
            }
        }
        Ok(peers)
    }

    fn start_smsc(
        &mut self,
        settings: Arc<SmscSettings>,
        door: Option<Door>,
        inbox: &Arc<Inbox>,
        metrics: &Metrics,
    ) {
        let started = link::start_smsc(&settings, door, inbox, metrics);
        self.door_tasks.extend(started.door);
        let (links, tasks): (Vec<_>, Vec<_>) = started.links.into_iter().unzip();
        let pool = Arc::new(Pool::new(Arc::clone(&settings.link.peer), links));
        self.link_tasks.extend(tasks);
        let metrics = metrics.messages(&settings.link.peer);
        self.smscs.push(Smsc {
            settings,
            pool,
            metrics,
        });
    }

    fn start_bank(
        &mut self,
        settings: Arc<BankSettings>,
        door: Option<Door>,
        (ledger, inbox): (&mut Ledger, &Arc<Inbox>),
        metrics: &Metrics,
    ) -> Result<(), RecoveryError> {
        let (kept, stans) = ledger.take(&settings);
        let (desk, unstarted) = BankDesk::open(Opening {
            settings: Arc::clone(&settings),
            stans: stans.clone(),
            metrics: metrics.payments(&settings.link.peer),
            registry: Arc::clone(&self.registry),
            journal: Arc::clone(&ledger.journal),
            kept,
        })?;
        let late: Arc<dyn Late> = Arc::<BankDesk>::clone(&desk);
        let (clerk, clerk_task) = Clerk::new(
            Arc::clone(&settings),
            Arc::clone(&desk),
            Arc::clone(inbox),
            metrics.bank_asked(&settings.link.peer),
        );
        let requests: Arc<dyn Requests> = Arc::new(clerk);
        let started = link::start_bank(&settings, door, (&late, &requests), &stans, metrics);
        self.door_tasks.extend(started.door);
        let (links, tasks): (Vec<_>, Vec<_>) = started.links.into_iter().unzip();
        let pool = Arc::new(Pool::new(Arc::clone(&settings.link.peer), links));
        let task = unstarted.run(Arc::clone(&pool));
        self.desk_tasks.push(tokio::spawn(task));
        self.desk_tasks.push(tokio::spawn(clerk_task.run()));
        self.link_tasks.extend(tasks);
        self.bank_pools.push(pool);
        self.desks.push(desk);
        Ok(())
    }

    /// What the contract stands on.
    fn services(
        &self,
        routes: Routes,
        (limiter, memory): (Limiter, Memory),
        inbox: &Arc<Inbox>,
        metrics: &Metrics,
    ) -> Services {
        let routes = Arc::new(ArcSwap::from_pointee(routes));
        let smsc_pools = self.smscs.iter().map(|smsc| Arc::clone(&smsc.pool));
        Services {
            links: Arc::new(Links::new(smsc_pools.collect(), self.bank_pools.clone())),
            messaging: Arc::new(
                Messaging::new(
                    Arc::clone(&routes),
                    self.smscs.iter().cloned(),
                    metrics.messages("-"),
                    memory,
                )
                .limited_by(limiter),
            ),
            payments: Arc::new(Payments::new(
                routes,
                self.desks.iter().cloned(),
                Arc::clone(&self.registry),
                metrics.payments("-"),
            )),
            inbox: Arc::clone(inbox),
        }
    }

    /// Waits for no answer any more. The links to banks stay, to reverse by.
    fn give_up(&self, times: StopTimes) {
        for desk in &self.desks {
            desk.close();
            desk.give_up();
        }
        let now = Instant::now();
        for smsc in &self.smscs {
            smsc.pool.stop(link::Stop {
                patience: now,
                cut: times.cut,
            });
        }
    }

    /// Waits until every payment is settled.
    async fn settled(&self) {
        for desk in &self.desks {
            desk.settled().await;
        }
    }

    /// Says goodbye to the peers. Returns how many payments stay open.
    async fn stop(self, times: StopTimes) -> usize {
        self.desks.iter().for_each(|desk| desk.close());
        self.door_tasks.iter().for_each(JoinHandle::abort);
        let stop = link::Stop {
            patience: times.cut,
            cut: times.cut.max(Instant::now()) + (times.deadline - times.cut) / 2,
        };
        self.smscs.iter().for_each(|smsc| smsc.pool.stop(stop));
        self.bank_pools.iter().for_each(|pool| pool.stop(stop));
        for task in self.link_tasks {
            let abort = task.abort_handle();
            if timeout_at(times.deadline.into(), task).await.is_err() {
                abort.abort();
            }
        }
        // What the links told at their end has to reach the desks before they are counted.
        let mut open = 0;
        for desk in &self.desks {
            open += desk.count_open().await;
        }
        self.desk_tasks.iter().for_each(JoinHandle::abort);
        open
    }

    /// Ends everything at once: nothing has been asked yet.
    fn abort(&self) {
        self.door_tasks.iter().for_each(JoinHandle::abort);
        self.link_tasks.iter().for_each(JoinHandle::abort);
        self.desk_tasks.iter().for_each(JoinHandle::abort);
    }
}

/// The limits of the clients that have one.
fn limiter(clients: &[ClientSettings], metrics: &Metrics) -> Limiter {
    let limits = clients.iter().filter_map(|client| {
        let refused = metrics.client_rate(&client.name);
        Some((client.name.clone(), client.rate?, refused))
    });
    Limiter::new(limits, Instant::now())
}

fn open_store(path: Option<&Path>, metrics: &Metrics) -> Result<Store, StartError> {
    let Some(path) = path else {
        warn!(
            "there is no [store]: MO, receipts and what banks begin are kept in memory, and a restart \
             forgets what no upstream service has acknowledged, though its peer was told that it is safe"
        );
        return Ok(Store::in_memory_with(metrics.store()));
    };
    Ok(Store::open(Purpose::Store, path, metrics.store())?)
}

/// Commits what waits and lets go of the file, for the next router.
async fn close(name: &str, close: impl FnOnce() + Send + 'static) {
    // It waits for the disk, which no task of the runtime may.
    let closing = tokio::task::spawn_blocking(close);
    match timeout(STORE_PATIENCE, closing).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => error!("the {name} was not closed in good order: {error}"),
        Err(_) => error!("the disk of the {name} does not answer; what waited is not stored"),
    }
}

fn open_inbox(
    settings: InboxSettings,
    store: &Store,
    memory: &Memory,
    metrics: &Metrics,
) -> Result<Arc<Inbox>, StartError> {
    let correlate = Arc::<Receipts>::clone(&memory.receipts);
    let figures = |name: &str| metrics.subscription(name);
    let inbox = Inbox::open(settings, store.clone(), correlate, metrics.inbox(), figures)?;
    Ok(inbox)
}

async fn serve_rpc(server: Server, stops: watch::Receiver<bool>) {
    if let Err(error) = server.serve(raised(stops)).await {
        error!("{error}");
    }
}

async fn serve_admin(port: Port, admin: Admin, stops: watch::Receiver<bool>) {
    if let Err(error) = port.serve(admin, raised(stops)).await {
        error!("the admin port failed: {error}");
    }
}

/// Waits until the flag is raised, or nobody is left who could.
async fn raised(mut flag: watch::Receiver<bool>) {
    drop(flag.wait_for(|raised| *raised).await);
}

/// Waits until every call has its outcome. A connection that carries no call, such as one that
/// never said a word, is given a moment to close and is then cut: it must not hold up a stop.
async fn end_of_rpc(task: &mut JoinHandle<()>, counts: &Counts) {
    if task.is_finished() {
        return;
    }
    const LAST_BYTES: Duration = Duration::from_secs(1);
    let idle = || {
        let clients = counts.clients();
        clients
            .iter()
            .all(|client| client.in_flight == 0 && client.streams == 0)
    };
    let mut looks = interval(HOUSEKEEPING);
    while !idle() {
        tokio::select! {
            // A task that failed has said so in the log.
            _ = &mut *task => return,
            _ = looks.tick() => {}
        }
    }
    if timeout(LAST_BYTES, &mut *task).await.is_err() {
        task.abort();
    }
}

/// The figures of the certificates that the configuration names.
fn certificates(
    smscs: &[SmscSettings],
    banks: &[BankSettings],
    metrics: &Metrics,
) -> Vec<CertificateMetrics> {
    let of_peer = |link: &LinkSettings| {
        let expiry = link.reach.certificates_end();
        let ends = [("ca", expiry.ca), ("client", expiry.certificate)];
        ends.map(|(kind, end)| Some(metrics.certificate(&link.peer, kind, end?)))
    };
    let smscs = smscs.iter().map(|smsc| &smsc.link);
    let banks = banks.iter().map(|bank| &bank.link);
    smscs.chain(banks).flat_map(of_peer).flatten().collect()
}

async fn keep_house(
    inbox: Arc<Inbox>,
    memory: Memory,
    metrics: Arc<Metrics>,
    (counts, certificates): (Counts, Vec<CertificateMetrics>),
) {
    let mut ticks = interval(HOUSEKEEPING);
    let known = Arc::new(Notify::new());
    let wake = Arc::clone(&known);
    memory
        .receipts
        .wake_with(Arc::new(move || wake.notify_one()));
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            // A receipt that came early has its message now: its SMSC should not wait for the answer.
            () = known.notified() => {
                inbox.expire(Instant::now());
                continue;
            }
        }
        let now = Instant::now();
        inbox.expire(now);
        inbox.publish(now);
        memory.keep_house();
        for certificate in &certificates {
            certificate.publish(clock::now().utc);
        }
        for client in counts.clients() {
            metrics.publish_client(&client);
        }
        metrics.run_upkeep();
    }
}
