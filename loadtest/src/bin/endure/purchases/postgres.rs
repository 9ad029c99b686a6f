//! A PostgreSQL server as child processes, from Debian's package: made, started, killed, and
//! started again on what the kill left. It listens on a socket in its folder alone.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::time::{Instant, sleep};

/// How long it may take to start; after a kill it reads its log first.
const START_MAX: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
/// The database's owner.
const OWNER: &str = "commerce";

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PostgresError {
    #[error("PostgreSQL is not installed: apt-get install postgresql")]
    Missing,
    #[error("{program}: {source}")]
    Program {
        program: &'static str,
        source: io::Error,
    },
    #[error("the folder for PostgreSQL: {0}")]
    Folder(#[source] io::Error),
    #[error("{program} has failed: {said}")]
    Failed { program: &'static str, said: String },
    #[error("PostgreSQL did not start within {limit_s} s: {said}", limit_s = START_MAX.as_secs())]
    NotUp { said: String },
}

/// A server with a database of its own; killed when dropped.
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    user: User,
    running: Option<Child>,
}

impl Postgres {
    /// Makes the databases in a folder and starts the server.
    pub(crate) async fn make(folder: &Path) -> Result<Self, PostgresError> {
        let programs = programs().ok_or(PostgresError::Missing)?;
        let user = User::that_postgres_takes()?;
        fs::create_dir_all(folder).map_err(PostgresError::Folder)?;
        user.own(folder)?;
        let mut postgres = Self {
            programs,
            folder: folder.to_owned(),
            user,
            running: None,
        };
        let data = folder.join("data");
        let mut initdb = postgres.command("initdb");
        initdb
            .args(["--auth=trust", "--encoding=UTF8", "--username", OWNER, "-D"])
            .arg(data);
        done("initdb", &mut initdb)?;
        postgres.start().await?;
        let mut createdb = postgres.command("createdb");
        done(
            "createdb",
            createdb.args(["-U", OWNER, "-h"]).arg(folder).arg(OWNER),
        )?;
        Ok(postgres)
    }

    /// Where clients find it.
    pub(crate) fn url(&self) -> String {
        let folder = self.folder.display();
        format!("postgres:///{OWNER}?host={folder}&user={OWNER}")
    }

    /// Starts the server and waits until it takes connections.
    pub(crate) async fn start(&mut self) -> Result<(), PostgresError> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))
            .map_err(PostgresError::Folder)?;
        let mut command = self.command("postgres");
        command
            .args(["-c", "listen_addresses=", "-c", "shared_buffers=64MB", "-k"])
            .arg(&self.folder)
            .arg("-D")
            .arg(self.folder.join("data"))
            .stdout(Stdio::null())
            .stderr(log);
        let deadline = Instant::now() + START_MAX;
        while Instant::now() < deadline {
            // It gives up at once as long as a process of its former life is still there.
            if self.has_ended()? {
                let child = command.spawn().map_err(|source| PostgresError::Program {
                    program: "postgres",
                    source,
                })?;
                self.running = Some(child);
            }
            let mut ready = self.command("pg_isready");
            ready.args(["-q", "-U", OWNER, "-h"]).arg(&self.folder);
            if ready.status().is_ok_and(|status| status.success()) {
                return Ok(());
            }
            sleep(LOOK).await;
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let end = log.lines().last().unwrap_or_default();
        Err(PostgresError::NotUp {
            said: end.to_owned(),
        })
    }

    fn has_ended(&mut self) -> Result<bool, PostgresError> {
        let Some(child) = &mut self.running else {
            return Ok(true);
        };
        let ended = child.try_wait().map_err(|source| PostgresError::Program {
            program: "postgres",
            source,
        })?;
        Ok(ended.is_some())
    }

    /// kill -9 of the server, and waits until it is gone. The processes that it has begun notice it and end.
    pub(crate) fn kill(&mut self) -> Result<(), PostgresError> {
        let Some(mut child) = self.running.take() else {
            return Ok(());
        };
        let failed = |source| PostgresError::Program {
            program: "postgres",
            source,
        };
        child.kill().map_err(failed)?;
        child.wait().map_err(failed)?;
        Ok(())
    }

    /// One of the package's programs, as the user that may run it.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match self.user {
            User::Ours => Command::new(program),
            User::Other { user, group } => {
                let mut command = Command::new("setpriv");
                command
                    .args([format!("--reuid={user}"), format!("--regid={group}")])
                    .arg("--clear-groups")
                    .arg(program);
                command
            }
        };
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A run that ends needs nothing of it any more.
        self.kill().ok();
    }
}

fn done(program: &'static str, command: &mut Command) -> Result<(), PostgresError> {
    let output = command
        .output()
        .map_err(|source| PostgresError::Program { program, source })?;
    match output.status.success() {
        true => Ok(()),
        false => Err(PostgresError::Failed {
            program,
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        }),
    }
}

/// The newest version that Debian's packages have brought.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let programs = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    let complete = programs.filter(|folder| folder.join("initdb").exists());
    complete.max_by_key(|folder| {
        let version = folder.parent()?.file_name()?.to_str()?;
        version.parse::<u32>().ok()
    })
}

/// As whom it runs. It refuses to run as root; Debian's package brings the user `postgres`.
enum User {
    Ours,
    Other { user: u32, group: u32 },
}

impl User {
    fn that_postgres_takes() -> Result<Self, PostgresError> {
        let own = fs::metadata("/proc/self").map_err(PostgresError::Folder)?;
        if own.uid() != 0 {
            return Ok(Self::Ours);
        }
        let users = fs::read_to_string("/etc/passwd").map_err(PostgresError::Folder)?;
        let line = users.lines().find(|line| line.starts_with("postgres:"));
        let mut fields = line.ok_or(PostgresError::Missing)?.split(':').skip(2);
        let mut id = || fields.next()?.parse().ok();
        let (user, group) = id().zip(id()).ok_or(PostgresError::Missing)?;
        Ok(Self::Other { user, group })
    }

    fn own(&self, folder: &Path) -> Result<(), PostgresError> {
        match self {
            Self::Ours => Ok(()),
            Self::Other { user, group } => {
                chown(folder, Some(*user), Some(*group)).map_err(PostgresError::Folder)
            }
        }
    }
}
