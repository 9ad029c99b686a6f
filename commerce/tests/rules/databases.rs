//! A database of its own for each test.
//!
//! PostgreSQL is the one that the machine has. One server per test process listens on a socket in a
//! temporary folder and ends with that process, however it ends. Where none is installed, the tests
//! say so and pass, unless `SAMPAN_REQUIRE_POSTGRES=1`.

use std::{
    env,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use commerce::store::Location;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

/// Makes of each rule a test on SQLite and one on PostgreSQL.
macro_rules! on_both {
    ($(async fn $rule:ident($store:ident: Store) $body:block)*) => {$(
        mod $rule {
            #[allow(unused_imports, reason = "not every rule needs all of its file")]
            use super::*;

            async fn rule($store: Store) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                let (_folder, location) = $crate::databases::sqlite();
                let store = Store::open(&location).await.unwrap();
                rule(store).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgresql() {
                if let Some(location) = $crate::databases::postgres().await {
                    let store = Store::open(&location).await.unwrap();
                    rule(store.clone()).await;
                    store.close().await;
                }
            }
        }
    )*};
}
pub(crate) use on_both;

/// A file that is not there yet, and the folder that takes it away.
pub(crate) fn sqlite() -> (TempDir, Location) {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(folder.path().join("commerce.db"));
    (folder, location)
}

/// A new database of this process's server.
pub(crate) async fn postgres() -> Option<Location> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    static DATABASES: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(Server::start).as_ref()?;
    let name = format!("test_{}", DATABASES.fetch_add(1, Relaxed));
    let mut connection = PgConnection::connect(&server.url("postgres"))
        .await
        .unwrap();
    let create = format!("CREATE DATABASE {name}");
    connection.execute(create.as_str()).await.unwrap();
    connection.close().await.unwrap();
    Some(Location::Postgres(server.url(&name)))
}

struct Server {
    folder: PathBuf,
    /// Ends the server once its standard input is closed, which the end of this process does.
    _keeper: Child,
}

/// Starts the server in the folder `$2` with the programs of the folder `$1`, says so, and takes both
/// away at the end of its input.
const KEEPER: &str = r#"
trap '' INT TERM
cd "$2"
"$1/pg_ctl" -w -D data -l log -o "-k '$2' -c listen_addresses= -c fsync=off" start \
    >start.log 2>&1 </dev/null && echo ready
read -r _
"$1/pg_ctl" -D data -m immediate stop >stop.log 2>&1
cd / && rm -rf "$2"
"#;

const INITDB: &str = r#"
exec "$1/initdb" --no-sync --auth=trust --username=commerce --encoding=UTF8 -D "$2/data"
"#;

impl Server {
    fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            let required = env::var("SAMPAN_REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
            assert!(
                !required,
                "PostgreSQL is not installed: apt-get install postgresql"
            );
            eprintln!("not run: PostgreSQL is not installed (apt-get install postgresql)");
            return None;
        };
        let folder = tempfile::Builder::new()
            .prefix("sampan-postgres-")
            .tempdir()
            .unwrap()
            .keep();
        let user = User::that_postgres_takes();
        user.own(&folder);
        fill(&user, &programs, &folder);
        // A runner of tests waits for whoever holds a test's outputs, so the keeper has its own.
        let errors = File::create(folder.join("keeper.log")).unwrap();
        let mut keeper = user
            .shell(KEEPER, &programs, &folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        let mut said = String::new();
        let output = keeper.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut said).unwrap();
        let why = || fs::read_to_string(folder.join("start.log"));
        assert_eq!(said, "ready\n", "PostgreSQL does not start: {:?}", why());
        Some(Self {
            folder,
            _keeper: keeper,
        })
    }

    fn url(&self, database: &str) -> String {
        let folder = self.folder.display();
        format!("postgres:///{database}?host={folder}&user=commerce")
    }
}

/// The newest version that Debian's packages have brought.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let programs = versions.map(|version| version.unwrap().path().join("bin"));
    let complete = programs.filter(|folder| folder.join("initdb").exists());
    complete.max_by_key(|folder| {
        let version = folder.parent()?.file_name()?.to_str()?;
        version.parse::<u32>().ok()
    })
}

/// Gives a server its empty databases. They are made once and copied, because making them takes seconds
/// and some runners start a process for each test.
fn fill(user: &User, programs: &Path, folder: &Path) {
    let version = programs.parent().and_then(Path::file_name).unwrap();
    let made = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let made = made.join(format!("postgres-{}", version.display()));
    let copy = |from: &Path, to: &Path| {
        let copied = Command::new("cp").arg("-a").args([from, to]).status();
        assert!(copied.unwrap().success());
    };
    if made.exists() {
        return copy(&made, &folder.join("data"));
    }
    let initdb = user.shell(INITDB, programs, folder).output().unwrap();
    assert!(initdb.status.success(), "{initdb:?}");
    // Another process may be doing the same; the first one's stays.
    let own = made.with_extension(std::process::id().to_string());
    copy(&folder.join("data"), &own);
    if fs::rename(&own, &made).is_err() {
        fs::remove_dir_all(&own).unwrap();
    }
}

/// As whom PostgreSQL runs. It refuses to run as root; Debian's package brings the user `postgres`.
enum User {
    Ours,
    Other { user: u32, group: u32 },
}

impl User {
    fn that_postgres_takes() -> Self {
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            return Self::Ours;
        }
        let users = fs::read_to_string("/etc/passwd").unwrap();
        let line = users.lines().find(|line| line.starts_with("postgres:"));
        let mut fields = line.unwrap().split(':').skip(2);
        let mut id = || fields.next().unwrap().parse().unwrap();
        Self::Other {
            user: id(),
            group: id(),
        }
    }

    fn own(&self, folder: &Path) {
        if let Self::Other { user, group } = self {
            chown(folder, Some(*user), Some(*group)).unwrap();
        }
    }

    fn shell(&self, script: &str, programs: &Path, folder: &Path) -> Command {
        let mut command = match self {
            Self::Ours => Command::new("sh"),
            Self::Other { user, group } => {
                let mut command = Command::new("setpriv");
                command
                    .args([format!("--reuid={user}"), format!("--regid={group}")])
                    .args(["--clear-groups", "sh"]);
                command
            }
        };
        command
            .current_dir(folder)
            .args(["-c", script, "sh"])
            .args([programs, folder]);
        command
    }
}
