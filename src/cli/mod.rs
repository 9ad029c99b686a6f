//! What the commands of `sampan` do: they read, print and say how it ended. None of them ends the
//! process by itself.

use std::{
    fmt,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};

mod charge;
pub mod check;
mod connect;
mod core_dumps;
mod decode;
mod dialect;
mod hex;
mod input;
mod journal;
mod links;
mod payment;
mod pcap;
mod preview;
mod receive;
mod report;
mod reversals;
mod route;
pub mod run;
mod send;
mod totals;
mod trace;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what it was asked.
    Success = 0,
    /// It could not.
    Failure = 1,
    /// It was asked wrongly: usage or configuration (EX_USAGE of sysexits.h).
    Usage = 64,
}

impl Exit {
    fn success_if(is_done: bool) -> Self {
        if is_done {
            Self::Success
        } else {
            Self::Failure
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do its work; the text says what to do about it.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// It was asked wrongly.
    #[error("{0}")]
    Usage(String),
    /// It was asked rightly.
    #[error("{0}")]
    Failure(String),
}

impl Trouble {
    fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Failure(_) => Exit::Failure,
        }
    }
}

/// Only standard output is written without further words; who reads files says which.
impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Failure(format!("standard output: {error}"))
    }
}

/// Routes messages to SMSCs (SMPP 3.4) and payments to banks (ISO 8583:1987).
#[derive(Parser)]
#[command(
    name = "sampan",
    version,
    after_help = "Exit codes: 0 done, 1 not done, 64 wrong usage or configuration."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

// No Debug: the arguments may hold card numbers and texts.
#[derive(Subcommand)]
enum Command {
    /// Run the router until SIGINT or SIGTERM; a second one ends it at once.
    Run {
        /// The configuration; config/reference.toml shows every key.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Name every fault of a configuration, with its line. Binds no port.
    Check {
        /// The configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Show SMPP or ISO 8583 octets in words. Texts, passwords and card data are masked.
    #[command(subcommand)]
    Decode(decode::DecodeArgs),
    /// Make a bank's dialect of a jPOS packager, or explain a dialect file.
    #[command(subcommand)]
    Dialect(dialect::DialectArgs),
    /// Send one message through a running router. Exit code 0 only if it was ACCEPTED.
    Send(send::SendArgs),
    /// Tell what a message would become and cost. Sends nothing. Exit code 0 if it could be sent.
    Preview(preview::PreviewArgs),
    /// Explain which route and SMSCs a message would take now. Sends nothing. Exit code 0 if one would.
    Route(route::RouteArgs),
    /// Make one payment through a running router. Exit code 0 only if it was APPROVED.
    Charge(charge::ChargeArgs),
    /// Tell what became of a payment. Exit code 0 if the router knows it.
    Lookup(payment::PaymentArgs),
    /// Take a payment back. Exit code 0 if it is REVERSED or REVERSING.
    Reverse(payment::ReverseArgs),
    /// See what banks have not taken back yet, try it again, settle it by hand.
    #[command(subcommand)]
    Reversals(reversals::ReversalsArgs),
    /// Print what waits for an upstream service: MO, receipts, chargebacks. Leaves it there unless --take.
    Receive(receive::ReceiveArgs),
    /// Compare a bank's totals of a day with ours. Exit code 0 only if they agree.
    Totals(totals::TotalsArgs),
    /// List the links of a running router, drain them, take them back into service.
    Links(links::LinksArgs),
    /// Look at the recorded payments while the router does not run. Card data is masked.
    #[command(subcommand)]
    Journal(journal::JournalArgs),
    /// Follow the PDUs of SMSC links as they pass, without texts and passwords.
    Trace(trace::TraceArgs),
}

/// Reads the command line and does what it says.
pub fn main() -> Exit {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(told) => return tell(&told),
    };
    let ended = match command {
        Command::Run { config } => return run::run(&config),
        Command::Check { config } => return check::check(&config),
        Command::Decode(args) => decode::decode(&args),
        Command::Dialect(args) => dialect::dialect(&args),
        Command::Send(args) => send::send(args),
        Command::Preview(args) => preview::preview(args),
        Command::Route(args) => route::route(args),
        Command::Charge(args) => charge::charge(args),
        Command::Lookup(args) => payment::lookup(args),
        Command::Reverse(args) => payment::reverse(args),
        Command::Reversals(args) => reversals::reversals(args),
        Command::Receive(args) => receive::receive(args),
        Command::Totals(args) => totals::totals(args),
        Command::Links(args) => links::links(args),
        Command::Journal(args) => journal::journal(args),
        Command::Trace(args) => trace::trace(args),
    };
    ended.unwrap_or_else(|trouble| complain(trouble.exit(), trouble))
}

/// Prints what clap has to say: help and version, or what is wrong with the command line.
fn tell(told: &clap::Error) -> Exit {
    match (told.print(), told.use_stderr()) {
        (Err(_), _) => Exit::Failure,
        (Ok(()), true) => Exit::Usage,
        (Ok(()), false) => Exit::Success,
    }
}

/// Says on standard error why a command could not do its work, and passes `exit` on.
fn complain(exit: Exit, why: impl fmt::Display) -> Exit {
    for line in why.to_string().lines() {
        write_error(format_args!("sampan: {line}"));
    }
    exit
}

fn write_error(line: impl fmt::Display) {
    // Where nobody reads standard error, the exit code has to be enough.
    writeln!(io::stderr().lock(), "{line}").ok();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }
}
