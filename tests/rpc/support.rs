//! A server on a free port, and clients for it.

use std::{
    env, fs,
    net::SocketAddr,
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use sampan::store::Store;
use sampan::{
    client::ClientName,
    inbox::{Inbox, InboxSettings, SubscriptionSettings, Uncorrelated},
    links::Links,
    messaging::{Memory, Messaging},
    metrics::Metrics,
    payment::Payments,
    receipts, requests,
    route::Routes,
    rpc::{
        Counts, Health, RpcError, Server, Services,
        proto::{
            links_client::LinksClient, messaging_client::MessagingClient,
            payments_client::PaymentsClient,
        },
        settings::{ClientSettings, Listen, RpcSettings},
    },
};
use tokio::{sync::oneshot, task::JoinHandle};
use tonic::transport::{Channel, Endpoint};

/// Floors without any peer: whatever is sound finds no route.
pub(crate) fn services() -> Services {
    let metrics = Metrics::new().unwrap();
    let routes = Arc::new(ArcSwap::from_pointee(Routes::default()));
    let receipts = receipts::Limits {
        pending_max: 1_000,
        retention_s: 60,
        ended_retention_s: 60,
        early_hold: Duration::from_secs(1),
        refusals_max: 3,
    };
    let requests = requests::Limits {
        ids_max: 10_000,
        retention_s: 60,
    };
    let memory = Memory::open(
        (receipts, receipts::Record::Behind),
        (requests, requests::Record::Memory),
        [],
        None,
        &metrics,
    );
    let messaging = Messaging::new(
        Arc::clone(&routes),
        [],
        metrics.messages("-"),
        memory.unwrap(),
    );
    let payments = Payments::new(routes, [], Arc::default(), metrics.payments("-"));
    Services {
        messaging: Arc::new(messaging),
        payments: Arc::new(payments),
        inbox: inbox(&metrics),
        links: Arc::new(Links::default()),
    }
}

/// In memory, with one subscription beside the default one.
fn inbox(metrics: &Metrics) -> Arc<Inbox> {
    let settings = InboxSettings {
        subscriptions: vec![SubscriptionSettings {
            client: Some(ClientName::parse("shop").unwrap()),
            messages: false,
            bank_events: false,
            ..SubscriptionSettings::named("receipts")
        }],
        ..InboxSettings::default()
    };
    let figures = |name: &str| metrics.subscription(name);
    let store = Store::in_memory();
    Inbox::open(
        settings,
        store,
        Arc::new(Uncorrelated),
        metrics.inbox(),
        figures,
    )
    .unwrap()
}

pub(crate) fn settings(listen: &str) -> RpcSettings {
    RpcSettings {
        listen: Listen::Tcp(listen.parse().unwrap()),
        tls: None,
        default_deadline: Duration::from_secs(5),
        deadline_max: Duration::from_secs(60),
        stream_in_flight_max: 64,
    }
}

pub(crate) fn client(name: &str) -> ClientSettings {
    ClientSettings {
        name: ClientName::parse(name).unwrap(),
        token_sha256: None,
        certificate_sha256: None,
        is_operator: false,
        in_flight_max: 8_192,
        rate: None,
    }
}

/// A server that serves until it is dropped or stopped.
pub(crate) struct Running {
    pub(crate) address: Option<SocketAddr>,
    pub(crate) health: Health,
    pub(crate) counts: Counts,
    pub(crate) inbox: Arc<Inbox>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), RpcError>>,
}

impl Running {
    /// On loopback, without any client configured.
    pub(crate) async fn start() -> Self {
        Self::start_with(&settings("127.0.0.1:0"), &[]).await
    }

    pub(crate) async fn start_with(settings: &RpcSettings, clients: &[ClientSettings]) -> Self {
        let services = services();
        let inbox = Arc::clone(&services.inbox);
        let server = Server::bind(settings, clients, services).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        Self {
            address: server.local_addr(),
            health: server.health(),
            counts: server.counts(),
            inbox,
            stop,
            served: tokio::spawn(server.serve(async {
                // An error means that the test dropped the server, which is a stop too.
                stopped.await.ok();
            })),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.unwrap().port()
    }

    pub(crate) async fn channel(&self) -> Channel {
        let uri = format!("http://127.0.0.1:{}", self.port());
        Endpoint::from_shared(uri).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn messaging(&self) -> MessagingClient<Channel> {
        MessagingClient::new(self.channel().await)
    }

    pub(crate) async fn payments(&self) -> PaymentsClient<Channel> {
        PaymentsClient::new(self.channel().await)
    }

    pub(crate) async fn links(&self) -> LinksClient<Channel> {
        LinksClient::new(self.channel().await)
    }

    /// Tells the server to stop; the result of serving comes from what is returned.
    pub(crate) fn stop(self) -> JoinHandle<Result<(), RpcError>> {
        self.stop.send(()).unwrap();
        self.served
    }
}

/// A directory of its own, removed at the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("sampan-rpc-{}-{number}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A left-over of a test harms nobody.
        fs::remove_dir_all(&self.0).ok();
    }
}
