//! `cargo demo`: two SMSCs, two banks, the router between them and upstream services, all on this
//! machine, the purchase logic among them; then what the callers were told beside what the networks' books
//! say.
//!
//! `networks` are the simulators with their faults, `traffic` the upstream services, `kill` the death
//! of two simulators, `purchases` a shop with its subscribers and agents, `compare` holds one against the
//! other, `report` is what is printed. Only the router's library and its RPC contract are used here, and of
//! the purchase logic its library: the demo knows no more than an upstream service and an auditor would.

mod compare;
mod kill;
mod networks;
mod progress;
mod purchases;
mod report;
mod settings;
mod traffic;

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    process::ExitCode,
};

use clap::Parser;
use sampan::{
    app::{App, StartError},
    config::{Config, Faults},
};

use networks::Networks;
use progress::Progress;
use purchases::Shop;
use traffic::Services;

/// Shows Sampan at work between simulated SMSCs and banks, some of them flaky.
#[derive(Parser)]
#[command(name = "cargo demo")]
struct Options {
    /// End after the comparison; the exit code says whether everything agrees.
    #[arg(long)]
    once: bool,
    /// Kill an SMSC and a bank in the middle of the traffic, and start them again a moment later.
    #[arg(long)]
    kill: bool,
    /// Messages to send.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=999_999))]
    messages: u32,
    /// Payments to make.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=999_999))]
    payments: u32,
    /// Chooses cards and amounts; the same seed, the same requests.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the router's log to standard error.
    #[arg(long)]
    log: bool,
}

/// Why the demo could not be shown.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("{0}")]
    Config(#[from] Faults),
    #[error("config/demo.toml: {0}")]
    Unfit(String),
    #[error("{name}: cannot listen on {address}: {source}; does another demo run?")]
    Taken {
        name: String,
        address: String,
        source: io::Error,
    },
    #[error("{0}; does another demo run?")]
    Start(#[from] StartError),
    #[error("cannot reach the router: {0}")]
    Connect(#[from] tonic::transport::Error),
    #[error("the router ended a call: {0}")]
    Call(#[from] tonic::Status),
    #[error("the router told an outcome of {0} that nobody waits for")]
    SecondOutcome(String),
    #[error("the links did not come up in time: {0}")]
    NotUp(String),
    #[error("cannot wait for ctrl-c: {0}")]
    Signal(#[source] io::Error),
    #[error("cannot make a folder for the stores: {0}")]
    Folder(#[source] io::Error),
    #[error("the purchases: {0}")]
    Purchases(#[from] purchases::Fault),
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse_from(arguments(env::args_os()));
    if options.log {
        tracing_subscriber::fmt().with_writer(io::stderr).init();
    }
    match show(&options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The arguments, whether they came as `cargo demo --once` or as `cargo demo -- --once`.
fn arguments(given: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    given
        .enumerate()
        .filter(|(place, word)| (*place, word.as_os_str()) != (1, OsStr::new("--")))
        .map(|(_, word)| word)
}

/// The whole show; false if something does not agree or did not occur.
async fn show(options: &Options) -> Result<bool, DemoError> {
    let path = settings::path();
    let mut config = Config::load(&path)?;
    // Gone with the show, so that each begins with empty books.
    let folder = tempfile::Builder::new().prefix("sampan-demo-").tempdir();
    let folder = folder.map_err(DemoError::Folder)?;
    config.store = Some(folder.path().join("router.redb"));
    let addresses = settings::Addresses::of(&config);
    let networks = Networks::start(&config, options).await?;
    let app = App::start(config).await?;
    let services = Services::connect(&app).await?;
    let shop = Shop::open(folder.path(), &addresses.rpc, &networks).await?;
    report::opening(&addresses, &networks, &shop);
    services.until_links_up("").await?;

    let progress = Progress::start(options);
    let told = services.run(options, &networks, &progress).await?;
    progress.end();
    let mut comparison = compare::compare(&told, &networks);
    let trade = shop.trade(&networks).await?;
    compare::purchases::compare(&trade, &networks.banks, &mut comparison);
    report::comparison(&comparison);

    if !options.once {
        report::addresses(&addresses, &shop);
        services.go_on(options).await?;
        println!("\nstopping …");
    }
    drop(services);
    shop.close().await;
    let stopped = app.stop().await;
    networks.stop().await;
    Ok(comparison.is_sound() && stopped.unsettled_payments == 0)
}
