//! The simulators from the shell: `loadtest smsc` and `loadtest bank` run one until it is
//! interrupted, then print its books. Lines on standard input steer it meanwhile. `loadtest chaos`
//! proves with them that no payment is lost, `loadtest bench` measures what the router does per second.

mod bench;
mod chaos;
mod cli;

use std::io::{self, BufRead};
use std::process::ExitCode;

use clap::Parser;
use loadtest::bank::Bank;
use loadtest::smsc::{
    Smsc,
    scenario::{FILES, Scenario},
    scripted::ScriptedSmsc,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use cli::{Cli, Command};

/// Lines of standard input that wait while one is worked on.
const LINES_WAITING_MAX: usize = 16;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Smsc(options) if options.scenarios => list_scenarios(),
        Command::Smsc(options) => match &options.scenario {
            Some(scenario) => run_scenario(scenario, options.listen).await,
            None => run_smsc(options).await,
        },
        Command::Bank(options) => run_bank(options).await,
        Command::Chaos(options) => return chaos::main(&options).await,
        Command::Bench(options) => return bench::main(&options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loadtest: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run_smsc(options: cli::SmscOptions) -> io::Result<()> {
    let listen = options.listen;
    let smsc = Smsc::start_at(listen, options.behaviour())
        .await
        .map_err(|e| at(listen, e))?;
    println!("SMSC listens on {}", smsc.address());
    let mut steering = Steering::start()?;
    while let Some(line) = steering.next().await {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("mo"), Some(source), Some(dest), Some(text)) => {
                let (data_coding, body) = cli::encode(text);
                // How it ended stands in the books; nobody waits for it here.
                drop(smsc.inject_mo(source, dest, data_coding, body));
            }
            (Some("books"), None, ..) => print!("{}", smsc.books()),
            (Some("unbind"), None, ..) => smsc.unbind_all(),
            (Some("kill"), None, ..) => smsc.kill().await,
            (Some("restart"), None, ..) => smsc.restart().await?,
            _ => eprintln!("commands: mo SOURCE DEST TEXT, books, unbind, kill, restart"),
        }
    }
    smsc.stop().await;
    print!("{}", smsc.books());
    Ok(())
}

fn list_scenarios() -> io::Result<()> {
    for scenario in Scenario::all().map_err(io::Error::other)? {
        println!("{:26} {}", scenario.name, scenario.about);
    }
    Ok(())
}

/// Plays one scenario until it is interrupted, then prints what the SMSC got.
async fn run_scenario(named: &str, listen: std::net::SocketAddr) -> io::Result<()> {
    let scenario = match FILES.iter().find(|(name, _)| *name == named) {
        Some((name, text)) => Scenario::parse(name, text),
        None => {
            let text = std::fs::read_to_string(named).map_err(|error| {
                let why = format!("{named:?} is neither in --scenarios nor a file: {error}");
                io::Error::new(error.kind(), why)
            })?;
            Scenario::parse(named, &text)
        }
    };
    let scenario = scenario.map_err(io::Error::other)?;
    println!("{}", scenario.about);
    let keys = scenario.router.trim().to_owned();
    if !keys.is_empty() {
        println!("keys for the [[smsc]] of the router:\n{keys}");
    }
    let sections = scenario.sections.trim().to_owned();
    if !sections.is_empty() {
        println!("sections of the router:\n{sections}");
    }
    let smsc = if scenario.dials_in {
        println!("SMSC dials {listen}");
        ScriptedSmsc::dial(listen, scenario)
    } else {
        let smsc = ScriptedSmsc::start_at(listen, scenario).await;
        let smsc = smsc.map_err(|e| at(listen, e))?;
        println!("SMSC listens on {}", smsc.address());
        smsc
    };
    let mut steering = Steering::start()?;
    while let Some(line) = steering.next().await {
        match line.trim() {
            "seen" => print!("{}", smsc.seen()),
            _ => eprintln!("commands: seen"),
        }
    }
    print!("{}", smsc.seen());
    Ok(())
}

async fn run_bank(options: cli::BankOptions) -> io::Result<()> {
    let listen = options.listen;
    let bank = Bank::start_at(listen, options.behaviour())
        .await
        .map_err(|e| at(listen, e))?;
    println!("bank listens on {}", bank.address());
    let mut steering = Steering::start()?;
    while let Some(line) = steering.next().await {
        match line.trim() {
            "books" => print!("{}", bank.books()),
            "kill" => bank.kill().await,
            "restart" => bank.restart().await?,
            _ => eprintln!("commands: books, kill, restart"),
        }
    }
    bank.stop().await;
    print!("{}", bank.books());
    Ok(())
}

fn at(listen: std::net::SocketAddr, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}"))
}

/// What steers a running simulator: lines of standard input until a signal ends it.
struct Steering {
    lines: mpsc::Receiver<String>,
    interrupted: tokio::signal::unix::Signal,
    terminated: tokio::signal::unix::Signal,
}

impl Steering {
    fn start() -> io::Result<Self> {
        let (line, lines) = mpsc::channel(LINES_WAITING_MAX);
        // A thread of its own: a read of standard input cannot be cancelled, and must not keep the
        // runtime from ending.
        std::thread::spawn(move || {
            // Unreadable input ends the steering, not the simulator.
            for read in io::stdin().lock().lines().map_while(Result::ok) {
                if line.blocking_send(read).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            lines,
            interrupted: signal(SignalKind::interrupt())?,
            terminated: signal(SignalKind::terminate())?,
        })
    }

    /// The next line, or `None` once a signal came. The end of standard input ends nothing.
    async fn next(&mut self) -> Option<String> {
        tokio::select! {
            Some(line) = self.lines.recv() => Some(line),
            _ = self.interrupted.recv() => None,
            _ = self.terminated.recv() => None,
        }
    }
}
