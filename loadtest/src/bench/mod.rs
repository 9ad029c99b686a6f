//! `loadtest bench`: what the router does per second, what that costs it, and how that compares with
//! the same exchange without a router. Loads are files of `scenarios/bench/`; docs/PERFORMANCE.md says
//! how to read the figures.
//!
//! Like `chaos` it is an upstream service: of the router it knows the RPC contract, the command line
//! and nothing else. The generator and the networks have to cost less than the router, so they work on
//! octets, and each record tells what they cost.
//!
//! Map: [`scenario`] is what is asked for; [`config`] and [`router`] are the router of a run; [`load`]
//! calls it, [`sink`] answers it, [`floor`] does without it; [`run`] brings them together, [`measure`] looks
//! on, and a [`record`] comes of it. [`scale`] is a series of runs; [`summary`] and [`report`] are what many
//! runs say, held against each [`bar`].

mod bar;
mod clock;
mod config;
mod floor;
mod load;
mod measure;
mod options;
mod record;
mod report;
mod router;
mod run;
mod scale;
mod scenario;
mod sink;
mod summary;

use std::{fs, io, path::Path, process::ExitCode};

pub(crate) use options::Options;
use record::Record;
use report::Report;
use run::Places;
use scenario::{FILES, NotAScenario, Scenario};

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error(transparent)]
    Scenario(#[from] NotAScenario),
    #[error(
        "{path}: {source}; build it with `cargo build --release --bin sampan`, or name another with --sampan"
    )]
    Program { path: String, source: io::Error },
    #[error("the folder of the router: {0}")]
    Folder(#[source] io::Error),
    #[error("the router does not serve; the end of its log:\n{0}")]
    Start(String),
    #[error("the router's links did not come up; the end of its log:\n{0}")]
    NotUp(String),
    #[error("the router has ended by itself; the end of its log:\n{0}")]
    Gone(String),
    #[error("a call of the router: {0}")]
    Call(#[from] tonic::Status),
    #[error("a connection to the router: {0}")]
    Connection(#[from] tonic::transport::Error),
    #[error("a thread of the harness: {0}")]
    Thread(#[source] io::Error),
    #[error("the generator has ended without a word; this is a fault of the harness")]
    GeneratorDied,
    #[error("a simulated network has ended without a word; this is a fault of the harness")]
    SinkDied,
    #[error("the exchange without a router: {0}")]
    Floor(#[source] io::Error),
    #[error("what was used: {0}")]
    Usage(#[source] io::Error),
    #[error("a histogram: {0}")]
    Histogram(#[from] hdrhistogram::CreationError),
    #[error("{path}: {source}")]
    Output { path: String, source: io::Error },
    #[error("a record: {0}")]
    Json(#[from] serde_json::Error),
}

/// Runs what was asked for.
pub(crate) async fn main(options: &Options) -> ExitCode {
    match try_main(options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("loadtest bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every run was clean.
async fn try_main(options: &Options) -> Result<bool, BenchError> {
    if options.list {
        for (name, text) in FILES {
            println!("{name:26} {}", Scenario::parse(name, text)?.about);
        }
        return Ok(true);
    }
    let records = match &options.from {
        Some(path) => read(path)?,
        None => run_all(options).await?,
    };
    if let Some(folder) = &options.report {
        let written = Report::of(&records).write(folder);
        written.map_err(|source| output_error(folder, source))?;
        eprintln!("the report is in {}", folder.display());
    }
    Ok(records.iter().all(|record| record.is_clean))
}

/// Runs everything that was asked for, each scenario as often as was asked for.
async fn run_all(options: &Options) -> Result<Vec<Record>, BenchError> {
    let program = router::program(options.sampan.as_deref()).map_err(BenchError::Folder)?;
    let places = Places {
        program: &program,
        folder: options.folder.as_deref(),
    };
    let mut out = options.output()?;
    let mut records = Vec::new();
    for (point, scenario) in options.plan()? {
        for run in 1..=options.runs {
            let mut record = run::once(&scenario, run, options.times(), places).await?;
            record.point.clone_from(&point);
            out.write(&record)?;
            records.push(record);
        }
    }
    Ok(records)
}

/// The records of earlier runs.
fn read(path: &Path) -> Result<Vec<Record>, BenchError> {
    let text = fs::read_to_string(path).map_err(|source| output_error(path, source))?;
    let record = |line| serde_json::from_str(line).map_err(BenchError::Json);
    text.lines().map(record).collect()
}

fn output_error(path: &Path, source: io::Error) -> BenchError {
    BenchError::Output {
        path: path.display().to_string(),
        source,
    }
}

impl Record {
    /// The run in a line or two for whoever waits for it.
    fn in_short(&self) -> String {
        let mut line = format!("{} #{}:", self.scenario, self.run);
        if let Some(point) = &self.point {
            line += &format!(" {} {};", point.value, point.of);
        }
        let kinds = [
            ("messages", &self.messages),
            ("payments", &self.payments),
            ("events", &self.events),
        ];
        for (name, traffic) in kinds {
            let Some(traffic) = traffic else { continue };
            let latency = &traffic.latency;
            line += &format!(
                " {:.0} {name}/s, p50 {:.2} p99 {:.2} p99.9 {:.2} max {:.1} ms;",
                traffic.per_s,
                latency.p50_us / 1_000.0,
                latency.p99_us / 1_000.0,
                latency.p999_us / 1_000.0,
                latency.max_us / 1_000.0,
            );
        }
        let (router, harness) = (&self.router, &self.harness);
        line += &format!(
            " router {:.2} µs ({:.2} user, {:.2} system), {:.0} ms/s, {:.0} MiB; harness {:.2} + {:.2} µs",
            router.cpu_us,
            router.user_us,
            router.system_us,
            router.cpu_ms_per_s,
            router.peak_mib,
            harness.generator_us,
            harness.sinks_us,
        );
        if let Some(floor) = &self.floor {
            line += &format!("; {:.0} % of the floor", floor.reached * 100.0);
        }
        line += &format!("; others {:.0} %", self.machine.others_percent);
        for fault in &self.faults {
            line += &format!("\n  FAULT: {fault}");
        }
        line
    }
}
