//! Options of `loadtest bench`, and what they change of a scenario.

use std::{fs::File, io::Write, num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::Args;

use super::{
    BenchError, output_error,
    record::{Point, Record},
    run::Times,
    scale,
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
    /// Measure what a message costs as binds, SMSCs, clients, messages in flight and routes grow, in place
    /// of the scenarios, and what 500 idle binds cost.
    #[arg(long, conflicts_with_all = ["named", "from"])]
    scale: bool,
    /// Append one JSON line per run to this file; without it, they go to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write bench.md and bench.html into this folder.
    #[arg(long, value_name = "FOLDER")]
    pub(super) report: Option<PathBuf>,
    /// Run nothing: read the records of earlier runs from a file of --out.
    #[arg(long, value_name = "FILE", requires = "report")]
    pub(super) from: Option<PathBuf>,
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

    /// What is to be run, each with its place in a scaling.
    pub(super) fn plan(&self) -> Result<Vec<(Option<Point>, Scenario)>, BenchError> {
        let mut plan = Vec::new();
        if self.scale {
            let points = scale::points()?.into_iter();
            plan.extend(points.map(|(point, scenario)| (Some(point), scenario)));
        }
        for name in self.names() {
            let mut scenario = Scenario::named(name)?;
            self.change(&mut scenario);
            plan.push((None, scenario));
        }
        Ok(plan)
    }

    fn names(&self) -> Vec<&str> {
        match &self.named[..] {
            [] if self.scale => vec![scale::IDLE],
            [] => FILES.iter().map(|(name, _)| *name).collect(),
            named => named.iter().map(String::as_str).collect(),
        }
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn plan(line: &str) -> Vec<(Option<Point>, Scenario)> {
        let line = Line::parse_from(line.split(' '));
        line.options.plan().unwrap()
    }

    #[test]
    fn without_a_name_every_scenario_is_run() {
        assert_eq!(plan("bench").len(), FILES.len());
        assert!(
            plan("bench --scale")
                .iter()
                .any(|(point, _)| point.is_some())
        );
    }

    #[test]
    fn the_command_line_changes_what_a_scenario_says() {
        let line = "bench --scenario messages-1024 --in-flight 7 --batch 3 --binds 2 --window 9";
        let plan = plan(line);
        let [(None, scenario)] = &plan[..] else {
            panic!("one scenario was asked for");
        };
        let messages = scenario.messages.as_ref().unwrap();
        assert_eq!((messages.in_flight.get(), messages.batch.get()), (7, 3));
        assert_eq!((scenario.router.binds, scenario.router.window), (2, 9));
    }
}
