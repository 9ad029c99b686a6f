//! From TOML to settings that cannot be wrong.
//!
//! Each section has a file; [`Config::parse`] reads them all, then holds the rules between them, so
//! that one run names every fault. What has no fault is a [`Config`]: nothing above or below checks
//! a setting again. This module opens no socket and starts nothing; of the world it sees the files
//! and environment variables that the configuration names.

mod bank;
mod bank_asked;
mod bank_match;
mod bank_security;
mod fault;
mod files;
mod form;
mod hint;
mod inbox;
mod journal;
mod peer;
mod process;
mod reach;
mod reader;
mod route;
mod route_rules;
mod rpc;
mod smsc;
mod taken;
#[cfg(test)]
mod tests;
mod tls;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use self::{
    fault::Prefix,
    files::Surroundings,
    peer::Peers,
    reader::{Document, Place, Table},
    route_rules::{Callers, Claims},
    taken::Taken,
};
pub use self::{
    fault::{Fault, Faults, Position},
    process::{
        AdminSettings, LogFormat, LogSettings, ProcessSettings, ReceiptSettings, RequestSettings,
        StopSettings,
    },
};
use crate::{
    inbox::InboxSettings,
    journal::JournalSettings,
    link::settings::{BankSettings, Dial, Reach, SmscSettings},
    route::{MessageRoute, PaymentRoute},
    rpc::settings::{ClientSettings, Listen, RpcSettings},
    smpp::pdu::BindKind,
};

/// All settings of a router, sound each by itself and together.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where upstream services connect.
    pub rpc: RpcSettings,
    /// The upstream services that prove who they are.
    pub clients: Vec<ClientSettings>,
    /// Where operators look.
    pub admin: AdminSettings,
    /// What is logged, and how.
    pub log: LogSettings,
    /// What the process may do beside its work.
    pub process: ProcessSettings,
    /// The SMSCs; no name occurs twice among SMSCs and banks.
    pub smscs: Vec<SmscSettings>,
    /// The banks.
    pub banks: Vec<BankSettings>,
    /// The ways of messages; each SMSC that they name exists.
    pub message_routes: Vec<MessageRoute>,
    /// The ways of payments; each bank that they name exists.
    pub payment_routes: Vec<PaymentRoute>,
    /// The file of what survives a restart; without one it is forgotten.
    pub store: Option<PathBuf>,
    /// Where payments are recorded; without one, a restart forgets what it owes.
    pub journal: Option<JournalSettings>,
    /// What waits for upstream services.
    pub inbox: InboxSettings,
    /// Receipts that are awaited.
    pub receipts: ReceiptSettings,
    /// Request ids.
    pub requests: RequestSettings,
    /// The end of the process.
    pub stop: StopSettings,
    /// What is sound but probably not meant, in the order of the file.
    pub warnings: Vec<Fault>,
}

impl Config {
    /// Reads a file, with the environment of this process. Relative paths in it are taken from its
    /// directory.
    ///
    /// # Errors
    /// Every fault of the file, or that it cannot be read.
    pub fn load(path: &Path) -> Result<Self, Faults> {
        let text = files::read_text(path)
            .map_err(|error| Faults::unreadable(path, format!("cannot be read: {error}")))?;
        let base_dir = path.parent().unwrap_or(Path::new(""));
        let variable = |name: &str| std::env::var(name).ok();
        Self::parse(&text, base_dir, &variable).map_err(|faults| faults.of_file(path))
    }

    /// Reads a text. Relative paths in it are taken from `base_dir`, variables from `env`.
    ///
    /// # Errors
    /// Every fault of the text.
    pub fn parse(
        text: &str,
        base_dir: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Faults> {
        let surroundings = Surroundings { base_dir, env };
        let (document, config) = Document::read(text, |root| read(root, surroundings));
        let (faults, mut warnings) = document.into_faults();
        let mut config = Faults::judge(config, faults)?;
        Fault::sort(&mut warnings);
        config.warnings = warnings;
        Ok(config)
    }

    /// Reads only the journal's settings from a file: an operator who looks at a journal need not have
    /// the passwords of the peers. `None` if it has no `[journal]`.
    ///
    /// # Errors
    /// Every fault of that section, or that the file cannot be read.
    pub fn load_journal(path: &Path) -> Result<Option<JournalSettings>, Faults> {
        let text = files::read_text(path)
            .map_err(|error| Faults::unreadable(path, format!("cannot be read: {error}")))?;
        let surroundings = Surroundings {
            base_dir: path.parent().unwrap_or(Path::new("")),
            env: &|name| std::env::var(name).ok(),
        };
        let (document, settings) = Document::read(&text, |root| read_journal(root, surroundings));
        let (mut faults, _) = document.into_faults();
        // The other sections were not read, so their keys seem unknown. A syntax error has no key.
        faults.retain(|fault| fault.key.is_empty() || fault.key.starts_with("journal"));
        Faults::judge(settings, faults).map_err(|faults| faults.of_file(path))
    }

    /// The warnings as lines that name the file, each with a line feed.
    pub fn display_warnings<'a>(&'a self, file: &'a Path) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            self.warnings.iter().try_for_each(|warning| {
                writeln!(f, "{}warning: {warning}", Prefix(file, warning.position))
            })
        })
    }
}

fn read(root: &Table<'_>, surroundings: Surroundings<'_>) -> Option<Config> {
    let document = root.document();
    let (rpc_place, rpc) = root.table("rpc", |table| {
        (table.place_of("listen"), rpc::read(table, surroundings))
    });
    let mut credentials = rpc::Credentials::default();
    let clients = root.tables("client", |table| rpc::read_client(table, &mut credentials));
    let callers = Callers::new(rpc.as_ref(), &credentials, &clients);
    let clients = rpc::settle(document, &rpc_place, rpc.as_ref(), &credentials, clients);
    let (admin_place, admin) = root.table("admin", |table| {
        (table.place_of("listen"), process::admin(table))
    });
    if let (Some(rpc), Some(admin)) = (&rpc, &admin) {
        // Without [admin], its default port is what the RPC's line runs into.
        let is_by_default = admin_place.key().is_empty();
        let blamed = if is_by_default {
            &rpc_place
        } else {
            &admin_place
        };
        refuse_one_port_for_two(document, blamed, &rpc.listen, admin.listen);
    }
    let log = root.table("log", process::log);
    let process = root.table("process", process::process);
    let store = root.table_if_present("store", |table| inbox::store(table, surroundings));
    let journal = read_journal(root, surroundings);
    if let (Some(Some(store)), Some(Some(journal))) = (&store, &journal)
        && *store == journal.path
    {
        let what = "is the file of [store]; the journal needs one of its own";
        root.table("journal", |table| {
            document.fault(&table.place_of("path"), what, None);
        });
    }
    let mut inbox = root.table("inbox", inbox::inbox);
    let receipts = root.table("receipts", process::receipts);
    let requests = root.table("requests", process::requests);
    let stop = root.table("stop", process::stop);

    let mut peers = Peers::default();
    let smscs = root.tables("smsc", |table| smsc::read(table, &mut peers, surroundings));
    let banks = root.tables("bank", |table| bank::read(table, &mut peers, surroundings));
    let (message_routes, payment_routes) = read_routes(root, &peers, &callers);
    let mut names = Taken::default();
    inbox.subscriptions = root.tables("subscription", |table| {
        inbox::subscription(table, &mut names, &peers, &callers)
    });
    peers.warn_of_unreached(document);
    if let Some(admin) = &admin {
        peers.refuse_port(document, "admin.listen", admin.listen);
    }
    if let Some(Listen::Tcp(rpc)) = rpc.as_ref().map(|rpc| &rpc.listen) {
        peers.refuse_port(document, "rpc.listen", *rpc);
    }
    if let Some(None) = store
        && smscs.iter().any(brings_events)
    {
        let what =
            "there is no [store]: a restart forgets MO and receipts that an SMSC was told are safe";
        let hint = "add [store] with a path";
        document.warn(root.place(), what, Some(hint.into()));
    }
    if let Some(None) = journal
        && banks.iter().any(|bank| !is_here(&bank.link.reach))
    {
        let what = "there is no [journal]: a restart forgets which payments have to be reversed";
        let hint = "add [journal] with a path and a key";
        document.warn(root.place(), what, Some(hint.into()));
    }
    if peers.is_empty() {
        let what = "there is no [[smsc]] and no [[bank]]";
        document.warn(root.place(), what, Some("nothing can be sent".into()));
    }

    Some(Config {
        rpc: rpc?,
        clients,
        admin: admin?,
        log: log?,
        process,
        smscs,
        banks,
        message_routes,
        payment_routes,
        store: store?,
        journal: journal?,
        inbox,
        receipts: receipts?,
        requests: requests?,
        stop,
        warnings: Vec::new(),
    })
}

/// The outer `None` only with a fault recorded, the inner one if there is no such section.
fn read_journal(
    root: &Table<'_>,
    surroundings: Surroundings<'_>,
) -> Option<Option<JournalSettings>> {
    root.table_if_present("journal", |table| journal::read(table, surroundings))
}

/// Whether MO or receipts come from it that somebody would miss: a transmitter brings none.
fn brings_events(smsc: &SmscSettings) -> bool {
    smsc.session.bind.kind != BindKind::Transmitter && !is_here(&smsc.link.reach)
}

/// Whether a peer is on this machine, and so a simulator.
fn is_here(reach: &Reach) -> bool {
    let is_dialled_here = |dial: &Dial| {
        let host = dial.address.rsplit_once(':').map_or("", |split| split.0);
        let host = host.trim_matches(['[', ']']);
        host == "localhost"
            || host
                .parse()
                .is_ok_and(|address: IpAddr| address.is_loopback())
    };
    reach.dials().is_none_or(is_dialled_here)
        && reach
            .listens()
            .is_none_or(|listen| listen.address.ip().is_loopback())
}

fn read_routes(
    root: &Table<'_>,
    peers: &Peers,
    callers: &Callers,
) -> (Vec<MessageRoute>, Vec<PaymentRoute>) {
    let (mut names, mut claims) = (Taken::default(), Claims::default());
    let messages = root.tables("message_route", |table| {
        route::read_message(table, &mut names, &mut claims, peers, callers)
    });
    claims.settle(root.document());
    let mut card_prefixes = Taken::default();
    let payments = root.tables("payment_route", |table| {
        route::read_payment(table, &mut card_prefixes, peers)
    });
    (messages, payments)
}

/// Found here, because the second one to listen would find it only after the links are up.
fn refuse_one_port_for_two(document: &Document, place: &Place, rpc: &Listen, admin: SocketAddr) {
    let Listen::Tcp(rpc) = rpc else { return };
    if reach::overlap(*rpc, admin) {
        let what = format!("admin.listen {admin} and rpc.listen {rpc} are the same port");
        document.fault(place, what, None);
    }
}
