//! `loadtest chaos`: the proof that no payment is lost. It starts the router as a child, pushes
//! payments, lets everything around it fail by a plan that a seed decides, and then holds the books of
//! the callers, of the router and of the banks against each other.
//!
//! Like the demo it is an upstream service and an auditor: of the router it knows the RPC contract, the
//! command line and nothing else. docs/CHAOS.md says how to read and to replay a run.
//!
//! Map: [`plan`] is what goes wrong and when; [`router`], [`proxy`], [`banks`], [`disk`] and [`clock`]
//! are what it happens to, by the hand of [`wreak`]; [`caller`] pays and remembers; [`journal`] reads
//! what the router wrote; [`books`] judges; [`report`] prints.

mod banks;
mod books;
mod caller;
mod clock;
mod config;
mod disk;
mod folder;
mod journal;
mod plan;
mod proxy;
mod report;
mod router;
mod secrets;
mod wreak;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::interval,
};

use banks::Banks;
use books::{Books, reconcile, seen_by_number};
use caller::{Callers, booklet::Booklet};
use clock::Clock;
use folder::Folder;
use plan::{Plan, RouterFault};
use report::Line;
use router::{Home, Router, RouterError};
use wreak::World;

/// How often it is looked whether the router still lives.
const WATCH: Duration = Duration::from_millis(50);
/// How long the last questions may take, one for each payment of the run.
const CONFIRM_MAX: Duration = Duration::from_secs(900);

/// What a run is to be like.
#[derive(Args)]
pub(crate) struct Options {
    /// How long things go wrong.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(5..=86_400))]
    seconds: u64,
    /// Decides the payments, and what goes wrong when.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Payments per second, as far as the router answers them.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u64).range(21..=100_000))]
    rate: u64,
    /// How long everything may take to be settled once all is well again.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    settle_seconds: u64,
    /// The router's program; without it, `sampan` beside this program.
    #[arg(long, value_name = "FILE")]
    sampan: Option<PathBuf>,
    /// Keep everything in this folder: plan, configuration, journal, log, histories. Without it a
    /// temporary one is used, and kept if the run fails.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Give the router no journal: shows what it is for. Such a run fails.
    #[arg(long)]
    no_journal: bool,
    /// Let the router live: only what is around it fails. Also a router without a journal must pass.
    #[arg(long)]
    spare_router: bool,
    /// For a router built with the feature `mutants`: what it is to do wrong. Such a run must fail.
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
    /// libfaketime, which moves the router's clock; without it, where Debian puts it.
    #[arg(long, value_name = "FILE")]
    faketime: Option<PathBuf>,
    /// Print what would go wrong when, and end.
    #[arg(long)]
    plan: bool,
}

impl Options {
    fn plan(&self) -> Plan {
        let plan = Plan::new(self.seed, self.seconds);
        match self.spare_router {
            true => plan.without_router_faults(),
            false => plan,
        }
    }
}

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
enum ChaosError {
    #[error("the folder of the run: {0}")]
    Folder(#[source] io::Error),
    #[error("the simulated banks: {0}")]
    Banks(#[source] io::Error),
    #[error(transparent)]
    Router(#[from] RouterError),
    #[error("the disk cannot be limited: {0}")]
    Disk(#[source] io::Error),
    #[error("the clock cannot be moved: {0}")]
    Clock(#[source] io::Error),
    #[error(transparent)]
    Journal(#[from] journal::JournalError),
    #[error("the line cannot be written: {0}")]
    Line(#[from] serde_json::Error),
    #[error("not every payment could be asked after a last time within {0} s")]
    NotConfirmed(u64),
    #[error("signals: {0}")]
    Signal(#[source] io::Error),
    #[error("interrupted")]
    Interrupted,
}

/// Makes a run; success only if nothing was wrong.
pub(crate) async fn main(options: &Options) -> ExitCode {
    if options.plan {
        print!("{}", options.plan());
        return ExitCode::SUCCESS;
    }
    let outcome = tokio::select! {
        outcome = run(options) => outcome,
        signalled = until_told_to_end() => Err(signalled),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("loadtest chaos: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn until_told_to_end() -> ChaosError {
    let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    match signals {
        [Ok(mut interrupt), Ok(mut terminate)] => tokio::select! {
            _ = interrupt.recv() => ChaosError::Interrupted,
            _ = terminate.recv() => ChaosError::Interrupted,
        },
        [Err(error), _] | [_, Err(error)] => ChaosError::Signal(error),
    }
}

/// One run; whether nothing was wrong.
async fn run(options: &Options) -> Result<bool, ChaosError> {
    let plan = options.plan();
    let named = options.folder.as_deref();
    let mut folder = Folder::new(named, options.seed).map_err(ChaosError::Folder)?;
    let path = folder.path.clone();
    fs::write(path.join("plan.txt"), plan.to_string()).map_err(ChaosError::Folder)?;
    let banks = Banks::start().await.map_err(ChaosError::Banks)?;
    let home = home(options, &path).map_err(ChaosError::Folder)?;
    config::write(&home.folder, banks.addresses(), !options.no_journal)
        .map_err(ChaosError::Folder)?;
    if home.clock.is_none() {
        eprintln!("libfaketime is not installed: the clock stays what it is");
    }
    let mut router = Router::new(home);
    router.start().await?;

    let booklet = Arc::new(Booklet::new());
    let mut callers = Callers::start(options.seed, options.rate, &booklet, &router.living());
    let world = World {
        banks: &banks,
        callers: &callers,
        disk: router.disk(),
        clock: router.home().clock.clone(),
        booklet: &booklet,
    };
    let mut router = world.wreak(&plan, router).await?;

    let settling = Instant::now() + Duration::from_secs(options.settle_seconds);
    banks.heal().await.map_err(ChaosError::Banks)?;
    supervised(&mut router, callers.settle(settling)).await?;
    // What was told must outlive one more death.
    if !options.spare_router {
        router.suffer(RouterFault::Kill { down_ms: 0 }).await?;
    }
    let confirming = Instant::now() + CONFIRM_MAX;
    if !supervised(&mut router, callers.confirm(confirming)).await? {
        return Err(ChaosError::NotConfirmed(CONFIRM_MAX.as_secs()));
    }
    router.stop().await?;

    let books = all_books(options, &router, &banks, &booklet)?;
    let is_well = judge(options, &router, &banks, &books, &path)?;
    folder.is_kept |= !is_well;
    if folder.is_kept {
        eprintln!("everything of this run is in {}", path.display());
    }
    Ok(is_well)
}

fn home(options: &Options, path: &Path) -> io::Result<Home> {
    Ok(Home {
        program: Home::program(options.sampan.as_deref())?,
        folder: path.join("router"),
        log: path.join("router.log"),
        clock: Clock::new(options.faketime.as_deref(), path)?,
        mutant: options.mutant.clone(),
    })
}

/// Waits for something while the router is watched, and started again if it ends by itself.
async fn supervised<T>(
    router: &mut Router,
    awaited: impl Future<Output = T>,
) -> Result<T, ChaosError> {
    let watch = async {
        let mut looks = interval(WATCH);
        loop {
            looks.tick().await;
            router.supervise().await?;
        }
    };
    tokio::select! {
        done = awaited => Ok(done),
        failed = watch => failed,
    }
}

/// All books, once nothing happens any more.
fn all_books(
    options: &Options,
    router: &Router,
    banks: &Banks,
    booklet: &Booklet,
) -> Result<Books, ChaosError> {
    let journal = match options.no_journal {
        true => None,
        false => Some(journal::export(
            &router.home().program,
            &router.home().config(),
        )?),
    };
    let (seen, complaints) = seen_by_number(&banks.books());
    Ok(Books {
        payments: booklet.copy(),
        seen,
        journal,
        complaints,
    })
}

/// Prints the line, and tells what was wrong; whether nothing was.
fn judge(
    options: &Options,
    router: &Router,
    banks: &Banks,
    books: &Books,
    folder: &Path,
) -> Result<bool, ChaosError> {
    let findings = reconcile(books);
    let deaths = &router.deaths;
    let line = Line::new(
        options.seed,
        options.seconds,
        deaths,
        banks.cuts(),
        books,
        &findings,
    );
    let histories = report::histories(books, &findings);
    let everything = histories.join("\n");
    fs::write(folder.join("histories.txt"), everything).map_err(ChaosError::Folder)?;
    eprint!("{}", report::excerpt(&histories));
    eprintln!("{deaths}");
    let lacks = line.lacks(options.spare_router);
    for what in &lacks {
        eprintln!("this run proves nothing: {what}");
    }
    let in_clear = secrets::in_clear(folder).map_err(ChaosError::Folder)?;
    for path in &in_clear {
        eprintln!("a card number stands in clear in {}", path.display());
    }
    println!("{}", serde_json::to_string(&line)?);
    Ok(line.holds() && lacks.is_empty() && deaths.are_wanted() && in_clear.is_empty())
}
