//! `sampan run`: a router from its configuration to its last outcome.
//!
//! Standard output carries one line, the addresses, once callers can connect: what starts a router
//! may wait for it. Everything else is log, and goes to standard error.

use std::{
    fmt,
    io::{self, Write},
    net::SocketAddr,
    path::Path,
};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{Level, info};
use tracing_subscriber::{
    Layer as _, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::{Exit, complain, core_dumps::Suspended, write_error};
use crate::{
    app::App,
    config::{Config, LogFormat, LogSettings},
    rpc::settings::Listen,
};

/// Runs a router until it is told to stop. [`Exit::Usage`] if the configuration has faults;
/// [`Exit::Failure`] if it cannot start, if payments are forgotten at its end, or if a second
/// signal cut its stop short.
pub fn run(path: &Path) -> Exit {
    let core_dumps = match Suspended::now() {
        Ok(suspended) => suspended,
        Err(error) => return no_core_dumps(&error),
    };
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(faults) => {
            write_error(faults);
            return Exit::Usage;
        }
    };
    if let Err(error) = core_dumps.settle(config.process.core_dumps) {
        return no_core_dumps(&error);
    }
    let warnings = config.display_warnings(path).to_string();
    if !warnings.is_empty() {
        write_error(warnings.trim_end());
    }
    if let Err(error) = start_log(&config.log) {
        return complain(Exit::Failure, format_args!("the log cannot start: {error}"));
    }
    if !config.process.huge_pages
        && let Err(error) = without_huge_pages()
    {
        let why = format_args!("huge pages cannot be turned off (process.huge_pages): {error}");
        return complain(Exit::Failure, why);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("sampan")
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let why = format_args!("the system refuses what a router needs: {error}");
            return complain(Exit::Failure, why);
        }
    };
    let exit = match runtime.block_on(until_stopped(config)) {
        Ok(exit) => exit,
        Err(why) => complain(Exit::Failure, why),
    };
    // After a second signal nothing may hold the process, not even a name that is being resolved.
    runtime.shutdown_background();
    exit
}

fn no_core_dumps(error: &io::Error) -> Exit {
    let why = format_args!("core dumps cannot be turned off, and they would hold keys: {error}");
    complain(Exit::Failure, why)
}

fn start_log(settings: &LogSettings) -> Result<(), impl fmt::Display> {
    // What the libraries below have to say drowns the router's own lines, so they may only warn.
    let others = settings.level.min(Level::WARN);
    let filter = Targets::new()
        .with_default(others)
        .with_target("sampan", settings.level);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry();
    match settings.format {
        LogFormat::Text => {
            let colours = io::IsTerminal::is_terminal(&io::stderr());
            let layer = layer.with_ansi(colours).with_filter(filter);
            registry.with(layer).try_init()
        }
        LogFormat::Json => {
            let layer = layer.json().flatten_event(true).with_filter(filter);
            registry.with(layer).try_init()
        }
    }
}

/// For all memory that the process takes from now on.
#[cfg(target_os = "linux")]
fn without_huge_pages() -> io::Result<()> {
    Ok(rustix::thread::disable_transparent_huge_pages(true)?)
}

/// Only Linux has them.
#[cfg(not(target_os = "linux"))]
fn without_huge_pages() -> io::Result<()> {
    Ok(())
}

async fn until_stopped(config: Config) -> Result<Exit, String> {
    // Before the first port is bound, so that no signal meets a router that does not listen to it.
    let mut signals = Signals::new().map_err(|error| format!("signals: {error}"))?;
    let listen = config.rpc.listen.clone();
    let app = App::start(config)
        .await
        .map_err(|error| error.to_string())?;
    announce(&app, &listen).map_err(|error| format!("standard output: {error}"))?;
    let name = signals.next().await;
    info!(signal = name, "stopping; a second signal ends at once");
    tokio::select! {
        stopped = app.stop() => Ok(Exit::success_if(stopped.is_clean())),
        name = signals.next() => Err(format!("{name} again: ended at once")),
    }
}

fn announce(app: &App, listen: &Listen) -> io::Result<()> {
    let rpc = app
        .rpc_address()
        .map_or_else(|| listen.clone(), Listen::Tcp);
    let line = ready_line(&rpc, app.admin_address());
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.flush()
}

fn ready_line(rpc: &Listen, admin: SocketAddr) -> String {
    format!("sampan is ready: rpc {rpc} admin {admin}\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_names_both_addresses_as_they_were_bound() {
        let admin = "127.0.0.1:9470".parse().unwrap();
        let tcp = Listen::Tcp("127.0.0.1:7070".parse().unwrap());
        assert_eq!(
            ready_line(&tcp, admin),
            "sampan is ready: rpc 127.0.0.1:7070 admin 127.0.0.1:9470\n"
        );
        assert_eq!(
            ready_line(&Listen::Unix("/run/sampan.sock".into()), admin),
            "sampan is ready: rpc unix:/run/sampan.sock admin 127.0.0.1:9470\n"
        );
    }
}
