//! Options of `loadtest bench`, and what they change of a scenario.

use std::{
    fs::File,
    io::Write,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;

use super::{
    BenchError,
    record::Record,
    run::Times,
    scenario::{FILES, Scenario, Traffic},
};

/// What is to be measured.
#[derive(Args)]
pub(crate) struct Options {
    /// A name of --list, or a file; may be given several times. Without it, every scenario.
    #[arg(long = "scenario", value_name = "NAME|FILE")]
    named: Vec<String>,
    /// List the scenarios and end.
    #[arg(long)]
    pub(super) list: bool,
    /// How often each is run.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(super) runs: u32,
    /// How long is measured.
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    seconds: f64,
    /// How long it runs before that.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    warm_up: f64,
    /// How long the exchange without a router is measured; 0 leaves it out.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    floor: f64,
    /// Requests without an answer, in place of the scenario's.
    #[arg(long, value_name = "N")]
    in_flight: Option<NonZeroUsize>,
    /// Requests in one batch.
    #[arg(long, value_name = "N")]
    batch: Option<NonZeroUsize>,
    /// Upstream services.
    #[arg(long, value_name = "N")]
    clients: Option<NonZeroUsize>,
    /// Binds to each SMSC, or links to the bank.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    binds: Option<u32>,
    /// Requests in flight on each of them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    window: Option<u32>,
    /// The router's program; without it, `sampan` beside this program.
    #[arg(long, value_name = "FILE")]
    pub(super) sampan: Option<PathBuf>,
    /// Keep the router's files under this folder while it runs: on the disk whose speed matters.
    #[arg(long, value_name = "FOLDER")]
    pub(super) folder: Option<PathBuf>,
    /// Append one JSON line per run to this file; without it, they go to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn seconds(given: &str) -> Result<f64, String> {
    match given.parse() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("0 to 86,400 seconds are wanted".to_owned()),
    }
}

impl Options {
    /// How long what is done.
    pub(super) fn times(&self) -> Times {
        Times {
            warm_up: Duration::from_secs_f64(self.warm_up),
            // A window of nothing has no rate.
            measured: Duration::from_secs_f64(self.seconds.max(0.1)),
            floor: Duration::from_secs_f64(self.floor),
        }
    }

    /// The scenarios with what the command line changes of them.
    pub(super) fn scenarios(&self) -> Result<Vec<Scenario>, BenchError> {
        let all = || FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        let named: Vec<String> = match self.named.is_empty() {
            true => all(),
            false => self.named.clone(),
        };
        let mut scenarios = Vec::new();
        for name in named {
            let mut scenario = Scenario::named(&name)?;
            self.change(&mut scenario);
            scenarios.push(scenario);
        }
        Ok(scenarios)
    }

    fn change(&self, scenario: &mut Scenario) {
        let router = &mut scenario.router;
        if let Some(binds) = self.binds {
            (router.binds, router.links) = (binds, binds);
        }
        if let Some(window) = self.window {
            (router.window, router.bank_window) = (window, window);
        }
        let traffic = [&mut scenario.messages, &mut scenario.payments];
        for traffic in traffic.into_iter().flatten() {
            let set = |place: &mut NonZeroUsize, given: Option<NonZeroUsize>| {
                *place = given.unwrap_or(*place);
            };
            let Traffic {
                in_flight,
                batch,
                clients,
                ..
            } = traffic;
            set(in_flight, self.in_flight);
            set(batch, self.batch);
            set(clients, self.clients);
        }
    }

    /// Where the records go.
    pub(super) fn output(&self) -> Result<Output, BenchError> {
        let open = |path: &PathBuf| {
            let file = File::options().create(true).append(true).open(path);
            file.map(|file| (path.clone(), file))
                .map_err(|source| output_error(path, source))
        };
        Ok(Output {
            file: self.out.as_ref().map(open).transpose()?,
        })
    }
}

/// Where the records go.
pub(super) struct Output {
    file: Option<(PathBuf, File)>,
}

impl Output {
    /// Writes a record, and tells whoever waits what it says.
    pub(super) fn write(&mut self, record: &Record) -> Result<(), BenchError> {
        eprintln!("{}", record.in_short());
        let line = serde_json::to_string(record)?;
        match &mut self.file {
            None => println!("{line}"),
            Some((path, file)) => {
                writeln!(file, "{line}").map_err(|source| output_error(path, source))?;
            }
        }
        Ok(())
    }
}

fn output_error(path: &Path, source: std::io::Error) -> BenchError {
    BenchError::Output {
        path: path.display().to_string(),
        source,
    }
}
