//! The router as a process that is killed, stopped and started again, always on the same folder.

use std::{
    env, fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{ChildStderr, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use loadtest::child::Child;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{clock::Clock, config, disk::Disk, plan::RouterFault};

/// How long a router may take to serve, attempts that failed included: it reads its journal first, and
/// may refuse to start on a disk that takes nothing.
const START_MAX: Duration = Duration::from_secs(60);
/// The pause after a start that failed, as a supervisor makes it.
const RESTART: Duration = Duration::from_millis(200);
/// How long a stop may take, what it was promised and what a busy machine adds.
const STOP_MAX: Duration = Duration::from_millis(config::STOP_TIMEOUT_MS + 5_000);

/// Where the router is, for those who want to reach it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Living {
    /// Counts its starts.
    pub(crate) life: u32,
    /// Where its RPC listens; `None` while it is dead.
    pub(crate) rpc: Option<String>,
}

/// Why there is no router.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RouterError {
    #[error("{path}: {source}; build it with `cargo build --bin sampan`, in the same profile")]
    Program { path: String, source: io::Error },
    #[error("the router did not serve within {limit_s} s; see {log}", limit_s = START_MAX.as_secs())]
    Start { log: String },
    #[error("the router's process: {0}")]
    Process(#[source] io::Error),
}

/// What a router is made of.
pub(crate) struct Home {
    /// Its program.
    pub(crate) program: PathBuf,
    /// What it reads and writes, and nothing else.
    pub(crate) folder: PathBuf,
    /// What it says, over all its lives.
    pub(crate) log: PathBuf,
    /// Its wall clock, if that can be moved.
    pub(crate) clock: Option<Clock>,
    /// What a router that was built with mutants is to do wrong.
    pub(crate) mutant: Option<String>,
}

impl Home {
    /// The program beside this one, unless another is named.
    pub(crate) fn program(named: Option<&Path>) -> io::Result<PathBuf> {
        match named {
            Some(program) => Ok(program.to_owned()),
            None => Ok(env::current_exe()?.with_file_name("sampan")),
        }
    }

    /// Where its configuration is.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join(config::FILE)
    }

    fn command(&self) -> Command {
        // A write beyond what the disk takes is to be an error, not the end; see `disk`.
        let mut command = Command::new("env");
        command.arg("--ignore-signal=XFSZ");
        command
            .arg(&self.program)
            .args(["run", "--config"])
            .arg(self.config());
        if let Some(clock) = &self.clock {
            clock.wear(&mut command);
        }
        if let Some(mutant) = &self.mutant {
            command.env("SAMPAN_MUTANT", mutant);
        }
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        command
    }
}

/// What may be written, applied to whichever process lives.
#[derive(Clone)]
pub(crate) struct DiskSwitch {
    folder: PathBuf,
    state: Arc<Mutex<(Disk, Option<u32>)>>,
}

impl DiskSwitch {
    fn change(&self, change: impl FnOnce(&mut (Disk, Option<u32>))) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        match *state {
            (disk, Some(pid)) => disk.limit(pid, &self.folder),
            (_, None) => Ok(()),
        }
    }

    /// From now on the disk is so.
    pub(crate) fn set(&self, disk: Disk) -> io::Result<()> {
        self.change(|state| state.0 = disk)
    }

    fn lives(&self, pid: Option<u32>) -> io::Result<()> {
        self.change(|state| state.1 = pid)
    }
}

/// What happened to the router in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deaths {
    /// kill -9.
    pub(crate) kills: u64,
    /// SIGTERM, after which it ended in time.
    pub(crate) stops: u64,
    /// SIGTERM, after which it had to be killed.
    pub(crate) stuck: u64,
    /// It ended although nobody wanted that.
    pub(crate) crashes: u64,
    /// It ended before it served, which it may while its disk takes nothing.
    pub(crate) failed_starts: u64,
}

impl Deaths {
    /// Whether it never ended, or failed to end, by itself.
    pub(crate) fn are_wanted(&self) -> bool {
        self.crashes + self.stuck == 0
    }
}

impl fmt::Display for Deaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kills,
            stops,
            stuck,
            crashes,
            failed_starts,
        } = self;
        write!(
            f,
            "the router was killed {kills} times and stopped {stops} times; {stuck} stops took too long, \
             {crashes} times it ended by itself, {failed_starts} starts failed"
        )
    }
}

/// The router, dead or alive.
pub(crate) struct Router {
    home: Home,
    child: Option<Child>,
    living: watch::Sender<Living>,
    disk: DiskSwitch,
    /// What happened so far.
    pub(crate) deaths: Deaths,
}

impl Router {
    /// A router that has not been started yet.
    pub(crate) fn new(home: Home) -> Self {
        let disk = DiskSwitch {
            folder: home.folder.clone(),
            state: Arc::new(Mutex::new((Disk::Sound, None))),
        };
        Self {
            home,
            child: None,
            living: watch::Sender::default(),
            disk,
            deaths: Deaths::default(),
        }
    }

    /// Where it is, now and later.
    pub(crate) fn living(&self) -> watch::Receiver<Living> {
        self.living.subscribe()
    }

    /// What it may write, now and later.
    pub(crate) fn disk(&self) -> DiskSwitch {
        self.disk.clone()
    }

    /// What it is made of.
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    fn spawn(&mut self) -> Result<&mut Child, RouterError> {
        let started = Child::start(&mut self.home.command());
        let mut child = started.map_err(|source| RouterError::Program {
            path: self.home.program.display().to_string(),
            source,
        })?;
        if let Some(stderr) = child.take_stderr() {
            keep_log(stderr, &self.home.log).map_err(RouterError::Process)?;
        }
        self.disk
            .lives(Some(child.pid()))
            .map_err(RouterError::Process)?;
        Ok(self.child.insert(child))
    }

    /// Starts it, and again until it serves.
    pub(crate) async fn start(&mut self) -> Result<(), RouterError> {
        let deadline = Instant::now() + START_MAX;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let child = self.spawn()?;
            if let Some(addresses) = child.ready(left).await {
                self.living.send_modify(|living| {
                    living.life += 1;
                    living.rpc = Some(addresses.rpc);
                });
                return Ok(());
            }
            self.deaths.failed_starts += 1;
            self.end_process()?;
            if Instant::now() >= deadline {
                let log = self.home.log.display().to_string();
                return Err(RouterError::Start { log });
            }
            sleep(RESTART).await;
        }
    }

    /// kill -9; what has ended already is no kill.
    pub(crate) fn kill(&mut self) -> Result<(), RouterError> {
        self.deaths.kills += u64::from(self.child.is_some());
        self.end_process()
    }

    fn end_process(&mut self) -> Result<(), RouterError> {
        self.living.send_modify(|living| living.rpc = None);
        // Before the process is gone: its number may be another's then.
        self.disk.lives(None).map_err(RouterError::Process)?;
        match self.child.take() {
            Some(mut child) => child.kill().map_err(RouterError::Process),
            None => Ok(()),
        }
    }

    /// SIGTERM, and kill -9 if it does not end within `limit`.
    async fn terminate(&mut self, limit: Duration) -> Result<bool, RouterError> {
        let Some(child) = &mut self.child else {
            return Ok(true);
        };
        child.terminate().map_err(RouterError::Process)?;
        let ended = child.until_ended(limit).await;
        let ended = ended.map_err(RouterError::Process)?.is_some();
        match ended {
            true => self.end_process()?,
            false => self.kill()?,
        }
        Ok(ended)
    }

    /// Stops it in good order.
    pub(crate) async fn stop(&mut self) -> Result<(), RouterError> {
        match self.terminate(STOP_MAX).await? {
            true => self.deaths.stops += 1,
            false => self.deaths.stuck += 1,
        }
        Ok(())
    }

    /// Suffers a fault, and serves again afterwards.
    pub(crate) async fn suffer(&mut self, fault: RouterFault) -> Result<(), RouterError> {
        let wait = |ms| sleep(Duration::from_millis(ms));
        match fault {
            RouterFault::Kill { down_ms } => {
                self.kill()?;
                wait(down_ms).await;
            }
            RouterFault::KillTwice { after_ms } => {
                self.kill()?;
                self.spawn()?;
                wait(after_ms).await;
                self.kill()?;
            }
            RouterFault::Stop { down_ms } => {
                self.stop().await?;
                wait(down_ms).await;
            }
            RouterFault::KillStopping { after_ms } => {
                let ended = self.terminate(Duration::from_millis(after_ms)).await?;
                self.deaths.stops += u64::from(ended);
            }
        }
        self.start().await
    }

    /// Starts it again if it has ended by itself.
    pub(crate) async fn supervise(&mut self) -> Result<(), RouterError> {
        let Some(child) = &mut self.child else {
            return Ok(());
        };
        let ended = child.until_ended(Duration::ZERO).await;
        if ended.map_err(RouterError::Process)?.is_none() {
            return Ok(());
        }
        self.deaths.crashes += 1;
        self.end_process()?;
        self.start().await
    }
}

/// Writes what a router says behind what those before it said. The router itself writes to a pipe, so
/// that a disk that takes nothing does not take its voice.
fn keep_log(mut stderr: ChildStderr, log: &Path) -> io::Result<()> {
    let mut log = fs::OpenOptions::new().create(true).append(true).open(log)?;
    writeln!(log, "--- a router starts")?;
    // A log that cannot be written leaves the run without its log, and the run goes on.
    thread::spawn(move || io::copy(&mut stderr, &mut log).ok());
    Ok(())
}
