//! `commerce serve`: the program from its settings to its last answer.
//!
//! Standard output carries one line, the addresses, once callers can connect: what starts the program
//! may wait for it. Everything else is log, and goes to standard error.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::Level;
use tracing_subscriber::{
    Layer as _, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::{Exit, Trouble, core_dumps::Suspended, no_core_dumps};
use crate::{
    app::App,
    config::{Config, LogFormat, LogSettings},
};

/// Runs until it is told to stop. A failure if it cannot start, if work was cut off at its end, or if
/// a second signal cut its stop short.
pub(super) fn serve(path: &Path, core_dumps: Suspended) -> Result<Exit, Trouble> {
    let config = Config::load(path)?;
    let settled = core_dumps.settle(config.process.core_dumps);
    settled.map_err(no_core_dumps)?;
    start_log(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("commerce")
        .build();
    let runtime = runtime.map_err(Trouble::failure)?;
    let exit = runtime.block_on(until_stopped(config));
    // After a second signal nothing may hold the process.
    runtime.shutdown_background();
    exit
}

fn start_log(settings: &LogSettings) -> Result<(), Trouble> {
    // What the libraries below have to say drowns the program's own lines, so they may only warn.
    let others = settings.level.min(Level::WARN);
    let filter = Targets::new()
        .with_default(others)
        .with_target("commerce", settings.level);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry();
    let started = match settings.format {
        LogFormat::Text => {
            let layer = layer.with_ansi(io::stderr().is_terminal());
            registry.with(layer.with_filter(filter)).try_init()
        }
        LogFormat::Json => {
            let layer = layer.json().flatten_event(true);
            registry.with(layer.with_filter(filter)).try_init()
        }
    };
    started.map_err(|error| Trouble::failure(format!("the log cannot start: {error}")))
}

async fn until_stopped(config: Config) -> Result<Exit, Trouble> {
    // Before the first port is bound, so that no signal meets a program that does not listen to it.
    let mut signals = Signals::new().map_err(Trouble::failure)?;
    let app = App::start(config).await.map_err(Trouble::failure)?;
    announce(&app)?;
    let name = signals.next().await;
    tracing::info!(signal = name, "stopping; a second signal ends at once");
    tokio::select! {
        stopped = app.stop() => match stopped.cut_off {
            0 => Ok(Exit::Success),
            cut_off => {
                let why = format!("{cut_off} tasks were cut off (stop.timeout_ms)");
                Err(Trouble::Failure(why))
            }
        },
        name = signals.next() => Err(Trouble::Failure(format!("{name} again: ended at once"))),
    }
}

fn announce(app: &App) -> io::Result<()> {
    let (http, admin) = (app.http_address(), app.admin_address());
    let mut out = io::stdout().lock();
    writeln!(out, "commerce is ready: http {http} admin {admin}")?;
    out.flush()
}

/// The signals that ask for an end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The name of the next one.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
