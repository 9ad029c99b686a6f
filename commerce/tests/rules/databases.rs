//! A database of its own for each test.
//!
//! PostgreSQL is the one that the machine has. One server per test process listens on a socket in a
//! temporary folder and ends with that process, however it ends. Where none is installed, the tests
//! say so and pass, unless `SAMPAN_REQUIRE_POSTGRES=1`.

use std::{
    env, fs,
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

/// Starts a server in the folder `$2` with the programs of the folder `$1`, says so, and takes
/// both away at the end of its input.
const KEEPER: &str = r#"
trap '' INT TERM
cd "$2"
{
    "$1/initdb" --no-sync --auth=trust --username=commerce --encoding=UTF8 -D data &&
    "$1/pg_ctl" -w -D data -l log -o "-k '$2' -c listen_addresses= -c fsync=off" start
} >start.log 2>&1 </dev/null && echo ready || cat start.log log >&2
read -r _
"$1/pg_ctl" -D data -m immediate stop >stop.log 2>&1
cd / && rm -rf "$2"
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
            .tempdir();
        let folder = folder.unwrap().keep();
        let mut keeper = shell_of_a_user_that_postgres_takes(&folder)
            .args(["-c", KEEPER, "keeper"])
            .args([&programs, &folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let output = keeper.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n", "PostgreSQL does not start");
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

/// PostgreSQL refuses to run as root; the user `postgres` is there where Debian's package is.
fn shell_of_a_user_that_postgres_takes(folder: &Path) -> Command {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return Command::new("sh");
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let user = users.lines().find(|line| line.starts_with("postgres:"));
    let mut fields = user.unwrap().split(':').skip(2);
    let mut id = || fields.next().unwrap().parse().unwrap();
    let (user, group): (u32, u32) = (id(), id());
    chown(folder, Some(user), Some(group)).unwrap();
    let mut command = Command::new("setpriv");
    command
        .args([format!("--reuid={user}"), format!("--regid={group}")])
        .args(["--clear-groups", "sh"]);
    command
}
