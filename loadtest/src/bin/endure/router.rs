//! The router as a child process: its folder, its configuration, its start and its death. It dies with
//! the value that holds it, and its folder goes with the one that holds that.

use std::{
    env, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use loadtest::child::Child;
use sampan::rpc::proto::{
    LinkState, ListLinksRequest, links_client::LinksClient, messaging_client::MessagingClient,
};
use tokio::time::{Instant, sleep};
use tonic::transport::{Channel, Endpoint};

use crate::{Common, EndureError};

/// The SMSC's account.
pub(crate) const SYSTEM_ID: &str = "sampan";
/// The number that MO are sent to and messages come from.
pub(crate) const SERVICE: &str = "8049";

/// How long a router may take to start: it reads its store first.
const START_MAX: Duration = Duration::from_secs(60);
/// How long its links may take to come up.
const LINKS_UP_MAX: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);
/// Lines of its log that are shown when it does not start.
const LOG_LINES_SHOWN: usize = 25;

/// Why there is no router.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RouterError {
    #[error(
        "{path}: {source}; build it with `cargo build --workspace --bins`, in the same profile"
    )]
    Program { path: String, source: io::Error },
    #[error("the folder for the router: {0}")]
    Folder(#[source] io::Error),
    #[error("the router did not start within {limit_s} s; the end of its log:\n{log}", limit_s = START_MAX.as_secs())]
    Start { log: String },
    #[error("killing the router: {0}")]
    Kill(#[source] io::Error),
}

/// A folder with everything that one router reads and writes; removed when dropped.
pub(crate) struct Home {
    program: PathBuf,
    folder: PathBuf,
}

/// What a router is to be like.
pub(crate) struct Setup<'a> {
    pub(crate) smsc: SocketAddr,
    pub(crate) binds: u32,
    pub(crate) window: u32,
    /// Whether it has a store.
    pub(crate) durable: bool,
    /// Where its RPC listens; nothing is a free port of its own in each of its lives.
    pub(crate) rpc: Option<&'a str>,
    /// Tables and keys beside those that every router here has.
    pub(crate) more: &'a str,
}

impl Setup<'_> {
    fn write(&self, store: &Path) -> String {
        let Self {
            smsc,
            binds,
            window,
            durable,
            rpc,
            more,
        } = self;
        let rpc = rpc.unwrap_or("127.0.0.1:0");
        let store = match durable {
            true => format!("[store]\npath = {store:?}\n"),
            false => String::new(),
        };
        format!(
            r#"
[rpc]
listen = "{rpc}"

[admin]
listen = "127.0.0.1:0"

[log]
level = "warn"

{store}
{more}

[[smsc]]
name = "simulator"
address = "{smsc}"
binds = {binds}
system_id = "{SYSTEM_ID}"
password = "secret"
window = {window}
reconnect_min_ms = 50
reconnect_max_ms = 500

[[message_route]]
name = "all"
prefixes = [""]
smscs = ["simulator"]
default_source = "{SERVICE}"
"#
        )
    }
}

impl Home {
    pub(crate) fn new(common: &Common, setup: &Setup<'_>) -> Result<Self, RouterError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let program = match &common.sampan {
            Some(program) => program.clone(),
            None => env::current_exe()
                .map_err(RouterError::Folder)?
                .with_file_name("sampan"),
        };
        let under = common.folder.clone().unwrap_or_else(env::temp_dir);
        let number = NEXT.fetch_add(1, Relaxed);
        let folder = under.join(format!("sampan-endure-{}-{number}", process::id()));
        fs::create_dir_all(&folder).map_err(RouterError::Folder)?;
        // The configuration takes relative paths from its own folder.
        let folder = folder.canonicalize().map_err(RouterError::Folder)?;
        let home = Self { program, folder };
        fs::write(home.config(), setup.write(&home.store())).map_err(RouterError::Folder)?;
        Ok(home)
    }

    fn config(&self) -> PathBuf {
        self.folder.join("sampan.toml")
    }

    fn store(&self) -> PathBuf {
        self.folder.join("sampan.redb")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// What the store occupies; 0 if there is none.
    pub(crate) fn store_bytes(&self) -> u64 {
        fs::metadata(self.store()).map_or(0, |found| found.len())
    }

    /// Puts a file beside the configuration.
    pub(crate) fn put(&self, name: &str, content: &str) -> Result<(), RouterError> {
        fs::write(self.folder.join(name), content).map_err(RouterError::Folder)
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts the router and waits until it serves callers.
    pub(crate) async fn start(&self) -> Result<Router, RouterError> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log());
        let mut command = Command::new(&self.program);
        command
            .args(["run", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stderr(log.map_err(RouterError::Folder)?);
        let mut child = Child::start(&mut command).map_err(|source| RouterError::Program {
            path: self.program.display().to_string(),
            source,
        })?;
        match child.ready(START_MAX).await {
            Some(addresses) => Ok(Router {
                child,
                rpc: addresses.rpc,
            }),
            None => Err(RouterError::Start {
                log: self.log_end(),
            }),
        }
    }

    fn log_end(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let from = lines.len().saturating_sub(LOG_LINES_SHOWN);
        lines.get(from..).unwrap_or_default().join("\n")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // A folder of a run that is over harms nobody.
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// A running router; killed when dropped.
pub(crate) struct Router {
    child: Child,
    rpc: String,
}

impl Router {
    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Where its RPC listens, as a URI.
    pub(crate) fn rpc(&self) -> &str {
        &self.rpc
    }

    /// kill -9, and waits until it is gone.
    pub(crate) fn kill(mut self) -> Result<(), RouterError> {
        self.child.kill().map_err(RouterError::Kill)
    }

    /// Waits until every link is up.
    pub(crate) async fn until_links_up(&self) -> Result<(), EndureError> {
        let mut links = LinksClient::new(connect(&self.rpc).await?);
        let deadline = Instant::now() + LINKS_UP_MAX;
        while Instant::now() < deadline {
            let listed = links.list(ListLinksRequest::default()).await?.into_inner();
            if listed
                .links
                .iter()
                .all(|link| link.state() == LinkState::Up)
            {
                return Ok(());
            }
            sleep(LOOK).await;
        }
        Err(EndureError::NotUp(LINKS_UP_MAX.as_secs()))
    }
}

async fn connect(rpc: &str) -> Result<Channel, tonic::transport::Error> {
    Endpoint::from_shared(rpc.to_owned())?.connect().await
}

/// A client over a connection of its own.
pub(crate) async fn messaging(
    rpc: &str,
) -> Result<MessagingClient<Channel>, tonic::transport::Error> {
    Ok(MessagingClient::new(connect(rpc).await?))
}
