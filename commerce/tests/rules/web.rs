//! A running program and a caller that speaks HTTP by hand, so that it can stop in the middle of a
//! request.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use commerce::{
    app::App,
    config::Config,
    moment::UnixMs,
    store::{Location, Store},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::shop::FIRST_KEY;

/// Far beyond what anything takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program on a SQLite file in a folder of its own.
pub(crate) struct Program {
    pub(crate) app: App,
    pub(crate) folder: TempDir,
}

/// Settings on a new SQLite file, ports that the system chooses, and these lines.
pub(crate) fn config(lines: &str) -> (TempDir, Config) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key"), FIRST_KEY).unwrap();
    let text = format!(
        "[store]\nlocation = \"commerce.db\"\n[keys]\ncurrent = \"file:key\"\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n{lines}\n"
    );
    let mut config = Config::parse(&text, folder.path()).unwrap();
    config.http.listen.set_port(0);
    (folder, config)
}

impl Program {
    /// Starts it at that time, with these lines of configuration, after the books were furnished.
    pub(crate) async fn start(lines: &str, now: UnixMs, furnish: impl AsyncFnOnce(&Store)) -> Self {
        let (folder, config) = config(lines);
        let app = start(config, now, furnish).await;
        Self { app, folder }
    }
}

/// The same with settings that are there.
pub(crate) async fn start(config: Config, now: UnixMs, furnish: impl AsyncFnOnce(&Store)) -> App {
    let store = Store::open(&config.store).await.unwrap();
    furnish(&store).await;
    store.close().await;
    App::start_by(config, Arc::new(move || now)).await.unwrap()
}

/// The location of settings is replaced by this one.
pub(crate) fn at(location: Location, lines: &str) -> (TempDir, Config) {
    let (folder, config) = config(lines);
    let store = location;
    (folder, Config { store, ..config })
}

/// A connection on which requests are written by hand.
pub(crate) struct Line(TcpStream);

impl Line {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// All that comes until the other side closes.
    pub(crate) async fn hear(mut self) -> String {
        let mut heard = Vec::new();
        let read = timeout(PATIENCE, self.0.read_to_end(&mut heard)).await;
        // A server that closes on half a request may reset the connection.
        read.unwrap().ok();
        String::from_utf8(heard).unwrap()
    }
}

/// The answer to a GET: its head and its body.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (String, String) {
    ask(address, &format!("GET {path} HTTP/1.1\r\n")).await
}

/// The answer to a request without a body of which the first lines are given.
pub(crate) async fn ask(address: SocketAddr, lines: &str) -> (String, String) {
    let mut line = Line::to(address).await;
    line.say(&format!("{lines}Host: test\r\nConnection: close\r\n\r\n"))
        .await;
    let heard = line.hear().await;
    let (head, body) = heard.split_once("\r\n\r\n").unwrap_or((&heard, ""));
    (head.to_lowercase(), body.to_owned())
}

/// Asks again and again until the answer is yes; nothing is waited for in between.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let asked = timeout(PATIENCE, async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    });
    assert!(asked.await.is_ok(), "not within {PATIENCE:?}: {what}");
}
