//! `endure`: the router as a process of its own, under load for long, with a verdict and an exit code.
//!
//! `mo` kills it with SIGKILL while MO come in, and holds what the subscriber got against what the
//! SMSC was promised; `memory` sends messages with receipts by the million and watches what the
//! process occupies; `purchases` kills the router, commerce and PostgreSQL while subscribers buy cards by SMS,
//! and compares everybody's books. The router is the program `sampan`, reached over its RPC contract alone; the SMSC
//! is the simulator in this process.

mod memory;
mod mo;
mod purchases;
mod router;
mod verdict;

use std::{io, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use verdict::Verdict;

/// Proves that the router endures: kill -9 under load, and millions of messages in flat memory.
#[derive(Parser)]
#[command(name = "endure", version)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    proof: Proof,
}

/// What both proofs need.
#[derive(Args, Clone)]
struct Common {
    /// The router's program; without it, `sampan` beside this program.
    #[arg(long, global = true, value_name = "FILE")]
    sampan: Option<PathBuf>,
    /// Where a folder for the configuration, the store and the log is made; it should lie on the disk
    /// that is to be proved. Without it, the system's folder for temporary files.
    #[arg(long, global = true, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Keep nothing across a restart: shows what the store is for.
    #[arg(long, global = true)]
    no_store: bool,
    /// Binds to the SMSC.
    #[arg(long, global = true, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    binds: u32,
}

#[derive(Subcommand)]
enum Proof {
    /// kill -9 under a constant rate of MO: nothing that the SMSC was promised is lost, and each
    /// duplicate is marked.
    Mo(mo::Options),
    /// Messages with receipts: what the router occupies stays within 20 %.
    Memory(memory::Options),
    /// kill -9 of commerce, of the router and of PostgreSQL under purchases by SMS: each card is handed out
    /// once and paid, each payment has its card or was taken back.
    Purchases(purchases::Options),
}

/// Why a proof could not be made.
#[derive(Debug, thiserror::Error)]
enum EndureError {
    #[error("the simulated SMSC cannot listen: {0}")]
    Smsc(#[source] io::Error),
    #[error(transparent)]
    Router(#[from] router::RouterError),
    #[error("cannot reach the router: {0}")]
    Connect(#[from] tonic::transport::Error),
    #[error("the router ended a call: {0}")]
    Call(#[from] tonic::Status),
    #[error("the links did not come up within {0} s")]
    NotUp(u64),
    #[error("a part of the load ended by itself: {0}")]
    Task(#[from] tokio::task::JoinError),
    #[error("the router's process cannot be looked at: {0}")]
    Proc(#[source] io::Error),
    #[error(
        "no progress for {limit_s} s: of {wanted} messages {told} have an outcome and {receipts} a receipt; \
         {nobodys} receipts are of nobody"
    )]
    Stuck {
        limit_s: u64,
        told: u64,
        receipts: u64,
        nobodys: u64,
        wanted: u64,
    },
    #[error(
        "--kept {kept} is too few: with {streams} streams, {needed} messages may be without a receipt at a \
         time; the router would forget some of them, and the run would wait for their receipts in vain"
    )]
    TooFewKept {
        kept: u64,
        needed: u64,
        streams: u32,
    },
    #[error("the simulated bank cannot listen: {0}")]
    Bank(#[source] io::Error),
    #[error(transparent)]
    Postgres(#[from] purchases::PostgresError),
    #[error(transparent)]
    Shop(#[from] purchases::ShopError),
    #[error("interrupted")]
    Interrupted,
    #[error("signals: {0}")]
    Signal(#[source] io::Error),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // Dropping the proof ends its processes, so that none is left behind by a signal.
    let outcome = tokio::select! {
        outcome = prove(&cli) => outcome,
        signalled = until_told_to_end() => Err(signalled),
    };
    match outcome {
        Ok(verdict) if verdict.holds() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("endure: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn prove(cli: &Cli) -> Result<Verdict, EndureError> {
    match &cli.proof {
        Proof::Mo(options) => mo::prove(&cli.common, options).await,
        Proof::Memory(options) => memory::prove(&cli.common, options).await,
        Proof::Purchases(options) => purchases::prove(&cli.common, options).await,
    }
}

async fn until_told_to_end() -> EndureError {
    let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    let [Ok(mut interrupt), Ok(mut terminate)] = signals else {
        return EndureError::Signal(io::Error::other("they cannot be listened to"));
    };
    tokio::select! {
        _ = interrupt.recv() => EndureError::Interrupted,
        _ = terminate.recv() => EndureError::Interrupted,
    }
}
