//! A router in this process, on free ports, between simulators: what every test here begins with.

mod authority;
mod book;
mod subscriber;
mod traffic;

use std::{fmt::Write as _, future::Future, net::SocketAddr, path::Path, time::Duration};

use loadtest::{bank::Bank, smsc::Smsc};
use sampan::{
    app::{App, Stopped},
    config::Config,
    rpc::proto::{
        links_client::LinksClient, messaging_client::MessagingClient,
        payments_client::PaymentsClient, reversals_client::ReversalsClient,
        totals_client::TotalsClient,
    },
    status::{LinkState, LinkStatus},
};
use tokio::time::{Instant, sleep, timeout};
use tonic::transport::{Channel, Endpoint};

pub(crate) use self::{
    authority::{Authority, TlsClient, TlsFront},
    book::{assert_messages_agree, assert_payments_agree},
    subscriber::Subscriber,
    traffic::{
        charge, charge_all, lookup_settled, message, message_with_text, purchase, submit,
        submit_all,
    },
};

/// How long anything in these tests may take before it counts as never.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Waits until the condition holds; `what` names it for the one who reads the failure.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "never came true: {what}");
        sleep(LOOK).await;
    }
}

/// Waits for what must come; `what` names it for the one who reads the failure.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("never came: {what}"),
    }
}

/// A configuration in the making, as an operator would write it.
pub(crate) struct Setup {
    text: String,
}

impl Setup {
    /// Free ports for the RPC and the admin port; `extra` is more of the file's beginning.
    pub(crate) fn new(extra: &str) -> Self {
        let text = format!(
            "[rpc]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n{extra}\n"
        );
        Self { text }
    }

    /// A peer of that name at the simulator's address; `keys` are further keys of its section.
    pub(crate) fn smsc(self, name: &str, smsc: &Smsc, keys: &str) -> Self {
        self.smsc_at(name, smsc.address(), keys)
    }

    /// As [`Self::smsc`], at any address.
    pub(crate) fn smsc_at(self, name: &str, address: SocketAddr, keys: &str) -> Self {
        self.smsc_reached(name, &format!("address = \"{address}\"\n{keys}"))
    }

    /// An SMSC that dials in. `keys` say where it may, as in `outbind_listen = "127.0.0.1:0"`, and
    /// may have an `address` besides.
    pub(crate) fn smsc_reached(mut self, name: &str, keys: &str) -> Self {
        let credentials = match keys.lines().any(|line| line.starts_with("password")) {
            true => "",
            false => "password = \"secret\"\n",
        };
        self.push(format_args!(
            "[[smsc]]\nname = \"{name}\"\nsystem_id = \"sampan\"\n\
             {credentials}reconnect_min_ms = 20\nreconnect_max_ms = 100\n{keys}\n"
        ));
        self
    }

    /// As [`Self::smsc`], for a bank. `keys` may end with a `[bank.reversal]` of its own.
    pub(crate) fn bank(self, name: &str, bank: &Bank, keys: &str) -> Self {
        self.bank_at(name, bank.address(), keys)
    }

    /// As [`Self::bank`], at any address.
    pub(crate) fn bank_at(self, name: &str, address: SocketAddr, keys: &str) -> Self {
        self.bank_reached(name, &format!("address = \"{address}\"\n{keys}"))
    }

    /// A bank that dials in, as [`Self::smsc_reached`].
    pub(crate) fn bank_reached(mut self, name: &str, keys: &str) -> Self {
        self.push(format_args!(
            "[[bank]]\nname = \"{name}\"\ncurrency = \"VND\"\n\
             terminal_id = \"TERM0001\"\nmerchant_id = \"MERCHANT0000001\"\n\
             acquirer_id = \"970499\"\nreconnect_min_ms = 20\nreconnect_max_ms = 100\n{keys}\n"
        ));
        self
    }

    /// A message route for destinations that begin with 84.
    pub(crate) fn message_route(mut self, smscs: &[&str]) -> Self {
        self.push(format_args!(
            "[[message_route]]\nname = \"vietnam\"\nprefixes = [\"84\"]\nsmscs = {smscs:?}\n\
             default_source = \"8049\"\n"
        ));
        self
    }

    /// A message route for destinations with this prefix, that requests may also name.
    pub(crate) fn named_route(mut self, name: &str, prefix: &str, smscs: &[&str]) -> Self {
        self.push(format_args!(
            "[[message_route]]\nname = \"{name}\"\nprefixes = [\"{prefix}\"]\n\
             smscs = {smscs:?}\ndefault_source = \"8049\"\n"
        ));
        self
    }

    /// Further keys of the section before.
    pub(crate) fn more(mut self, keys: &str) -> Self {
        self.push(format_args!("{keys}\n"));
        self
    }

    /// A section as an operator would write it.
    pub(crate) fn section(self, text: &str) -> Self {
        self.more(text)
    }

    /// A payment route for cards that begin with 9704.
    pub(crate) fn payment_route(mut self, bank: &str) -> Self {
        self.push(format_args!(
            "[[payment_route]]\ncard_prefixes = [\"9704\"]\nbank = \"{bank}\"\n"
        ));
        self
    }

    fn push(&mut self, section: std::fmt::Arguments<'_>) {
        self.text.write_fmt(section).unwrap();
    }

    /// Starts the router, without waiting for its links.
    pub(crate) async fn start(self) -> Router {
        let config = match Config::parse(&self.text, Path::new(""), &|_| None) {
            Ok(config) => config,
            Err(faults) => panic!("{faults}\n{}", self.text),
        };
        let app = App::start(config).await.unwrap();
        let uri = format!("http://{}", app.rpc_address().unwrap());
        let channel = Endpoint::from_shared(uri).unwrap().connect().await.unwrap();
        Router { app, channel }
    }

    /// Starts the router and waits until every link of it is up.
    pub(crate) async fn start_up(self) -> Router {
        let router = self.start().await;
        router.until_up().await;
        router
    }
}

/// A running router and a way to call it.
pub(crate) struct Router {
    pub(crate) app: App,
    channel: Channel,
}

impl Router {
    pub(crate) fn messaging(&self) -> MessagingClient<Channel> {
        MessagingClient::new(self.channel.clone())
    }

    pub(crate) fn payments(&self) -> PaymentsClient<Channel> {
        PaymentsClient::new(self.channel.clone())
    }

    pub(crate) fn reversals(&self) -> ReversalsClient<Channel> {
        ReversalsClient::new(self.channel.clone())
    }

    pub(crate) fn totals(&self) -> TotalsClient<Channel> {
        TotalsClient::new(self.channel.clone())
    }

    pub(crate) fn links(&self) -> LinksClient<Channel> {
        LinksClient::new(self.channel.clone())
    }

    /// The links of one peer as they are now.
    pub(crate) fn of(&self, peer: &str) -> Vec<LinkStatus> {
        self.app.links().list(Some(peer)).unwrap()
    }

    /// Where the peer may dial in.
    pub(crate) fn listens_for(&self, peer: &str) -> SocketAddr {
        let shown = self.of(peer).remove(0).address;
        let (_, address) = shown.split_once("listens on ").unwrap();
        address.parse().unwrap()
    }

    /// The sum of a metric's series that have this label, such as `peer="viettel"`.
    pub(crate) fn figure(&self, metric: &str, label: &str) -> u64 {
        let text = self.app.metrics().render();
        text.lines()
            .filter_map(|line| line.strip_prefix(metric)?.strip_prefix('{'))
            .filter(|line| line.contains(label))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum::<f64>() as u64
    }

    /// Waits until every link is up.
    pub(crate) async fn until_up(&self) {
        self.until("every link is up", |links| {
            links.iter().all(|link| link.state == LinkState::Up)
        })
        .await;
    }

    /// Waits until no link of the peer is up.
    pub(crate) async fn until_down(&self, peer: &str) {
        self.until("no link of the peer is up", |links| {
            links
                .iter()
                .filter(|link| *link.peer == *peer)
                .all(|link| link.state != LinkState::Up)
        })
        .await;
    }

    /// Waits until the links, all together, are as the condition wants them.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&[LinkStatus]) -> bool) {
        eventually(what, async || holds(&self.app.links().list(None).unwrap())).await;
    }

    /// Stops the router. The callers go first, as a stop waits for them.
    pub(crate) async fn stop(self) -> Stopped {
        drop(self.channel);
        soon("the end of the stop", self.app.stop()).await
    }
}
