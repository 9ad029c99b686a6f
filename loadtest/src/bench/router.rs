//! The router of a run: its folder, its start, and what it uses. It dies with the value that holds it.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use loadtest::{
    child::Child,
    usage::{self, Cpu, Memory},
};
use sampan::rpc::proto::{LinkState, ListLinksRequest, links_client::LinksClient};
use tokio::time::{Instant, sleep};
use tonic::transport::Endpoint;

use super::{
    BenchError,
    config::{self, Networks},
    scenario::Scenario,
};

/// How long a router may take to serve: it may have 100,000 routes to read.
const START_MAX: Duration = Duration::from_secs(60);
/// How long its links may take to come up.
const LINKS_UP_MAX: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
/// How long a stop may take before it is killed.
const STOP_MAX: Duration = Duration::from_secs(10);
/// Lines of its log that are shown when it does not start.
const LOG_LINES_SHOWN: usize = 25;

/// A router that serves.
pub(super) struct Router {
    child: Child,
    /// Where its RPC listens, as a URI.
    pub(super) rpc: String,
    folder: Folder,
}

impl Router {
    /// Starts the router of a scenario and waits until its links are up.
    ///
    /// # Errors
    /// When it cannot be started, does not serve, or a link does not come up.
    pub(super) async fn start(
        program: &Path,
        under: Option<&Path>,
        scenario: &Scenario,
        networks: Networks,
    ) -> Result<Self, BenchError> {
        let folder = Folder::new(under).map_err(BenchError::Folder)?;
        config::write(&folder.path, scenario, networks).map_err(BenchError::Folder)?;
        let log = fs::File::create(folder.log()).map_err(BenchError::Folder)?;
        let mut command = Command::new(program);
        command
            .args(["run", "--config"])
            .arg(folder.path.join(config::FILE))
            .stdin(Stdio::null())
            .stderr(log);
        let mut child = Child::start(&mut command).map_err(|source| BenchError::Program {
            path: program.display().to_string(),
            source,
        })?;
        let Some(addresses) = child.ready(START_MAX).await else {
            return Err(BenchError::Start(folder.log_end()));
        };
        let router = Self {
            child,
            rpc: addresses.rpc,
            folder,
        };
        router.until_links_up().await?;
        Ok(router)
    }

    async fn until_links_up(&self) -> Result<(), BenchError> {
        let channel = Endpoint::from_shared(self.rpc.clone())?.connect().await?;
        let mut links = LinksClient::new(channel);
        let deadline = Instant::now() + LINKS_UP_MAX;
        loop {
            let listed = links.list(ListLinksRequest::default()).await?.into_inner();
            let is_up = |state| state == LinkState::Up;
            if listed.links.iter().all(|link| is_up(link.state())) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(BenchError::NotUp(self.folder.log_end()));
            }
            sleep(LOOK).await;
        }
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// When it is gone.
    pub(super) fn usage(&self) -> Result<Usage, BenchError> {
        let pid = self.child.pid();
        let read = || {
            io::Result::Ok(Usage {
                cpu: usage::cpu(pid)?,
                memory: usage::memory(pid)?,
                sleeps: usage::sleeps(pid)?,
                reads_and_writes: usage::reads_and_writes(pid).ok(),
            })
        };
        read().map_err(|_| BenchError::Gone(self.folder.log_end()))
    }

    /// The memory alone, which costs little to ask for; `None` when it is gone.
    pub(super) fn rss_kib(&self) -> Option<u64> {
        let memory = usage::memory(self.child.pid()).ok()?;
        Some(memory.rss_kib)
    }

    /// SIGTERM; killed if it does not end.
    pub(super) async fn stop(mut self) -> Result<(), BenchError> {
        self.child.terminate().map_err(BenchError::Folder)?;
        // Whether it ended or not, it is gone when this is dropped.
        let ended = self.child.until_ended(STOP_MAX).await;
        ended.map(drop).map_err(BenchError::Folder)
    }
}

/// What a router has used until now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) cpu: Cpu,
    pub(super) memory: Memory,
    pub(super) sleeps: u64,
    pub(super) reads_and_writes: Option<(u64, u64)>,
}

/// The program beside this one, unless another is named.
pub(super) fn program(named: Option<&Path>) -> io::Result<PathBuf> {
    match named {
        Some(program) => Ok(program.to_owned()),
        None => Ok(env::current_exe()?.with_file_name("sampan")),
    }
}

/// Everything that one router reads and writes; removed when dropped.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new(under: Option<&Path>) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let under = under.map_or_else(env::temp_dir, Path::to_owned);
        let number = NEXT.fetch_add(1, Relaxed);
        let path = under.join(format!("sampan-bench-{}-{number}", process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self {
            path: path.canonicalize()?,
        })
    }

    fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    fn log_end(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let from = lines.len().saturating_sub(LOG_LINES_SHOWN);
        lines.get(from..).unwrap_or_default().join("\n")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder of a run that is over harms nobody.
        fs::remove_dir_all(&self.path).ok();
    }
}
