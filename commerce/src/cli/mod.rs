//! What the commands of `commerce` do: they read, print and say how it ended. None of them ends the
//! process by itself.

mod agent;
mod books;
mod core_dumps;
mod customer;
mod goods;
mod merchant;
mod operator;
mod partner;
mod reseal;
mod serve;

use std::{
    fmt,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use self::core_dumps::Suspended;
use crate::config::{Config, Faults};

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

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do its work; the text says what to do about it.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// The configuration or a file is faulty. Its lines name the file themselves.
    #[error(transparent)]
    Faults(#[from] Faults),
    /// It was asked rightly.
    #[error("{0}")]
    Failure(String),
}

impl Trouble {
    fn failure(why: impl fmt::Display) -> Self {
        Self::Failure(why.to_string())
    }
}

/// Only standard output is written without further words.
impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Failure(format!("standard output: {error}"))
    }
}

/// Sells cards to subscribers and agents, on top of a router to SMSCs and banks.
#[derive(Parser)]
#[command(
    name = "commerce",
    version,
    after_help = "Exit codes: 0 done, 1 not done, 64 wrong usage or configuration."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// The configuration; config/commerce.toml shows every key.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "config/commerce.toml"
    )]
    config: PathBuf,
}

// No Debug: the arguments may hold what nobody else may know.
#[derive(Subcommand)]
enum Command {
    /// Serve until SIGINT or SIGTERM; a second one ends it at once.
    Serve,
    /// Name every fault of a configuration, with its line. Opens no port and no database.
    Check,
    /// Agents, their keys, their deposits, and from where they may call.
    #[command(subcommand)]
    Agent(agent::AgentArgs),
    /// Who may log in to the back office.
    #[command(subcommand)]
    Operator(operator::OperatorArgs),
    /// The cards.
    #[command(subcommand)]
    Stock(goods::StockArgs),
    /// What is for sale, and at which prices.
    #[command(subcommand)]
    Catalogue(goods::CatalogueArgs),
    /// Customers: phones that a bank account is linked with.
    #[command(subcommand)]
    Customer(customer::CustomerArgs),
    /// Partners who get subscribers' messages, and what could not be delivered to them.
    #[command(subcommand)]
    Partner(partner::PartnerArgs),
    /// Merchants: shops whose customers pay here.
    #[command(subcommand)]
    Merchant(merchant::MerchantArgs),
    /// Seal all that is sealed under an earlier key anew under the current one. May run while the program
    /// serves, and again after it was broken off. Exit code 0 only if everything could be opened.
    Reseal,
    /// Print the trial balance. Exit code 0 only if it sums to zero and no account is wrong.
    Trial,
    /// Say whether books, stock and sales agree, a line each. Exit code 0 only if all do.
    Verdict,
}

/// Reads the command line and does what it says.
pub fn main() -> Exit {
    let Cli { command, config } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => return tell(&told),
    };
    obey(&config, command).unwrap_or_else(complain)
}

/// Each command may have keys and PIN codes in its memory; only of `serve` may an operator want a dump.
fn obey(config: &Path, command: Command) -> Result<Exit, Trouble> {
    let core_dumps = Suspended::now().map_err(no_core_dumps)?;
    match command {
        Command::Serve => serve::serve(config, core_dumps),
        Command::Check => check(config),
        Command::Agent(args) => agent::agent(config, args),
        Command::Operator(args) => operator::operator(config, args),
        Command::Stock(args) => goods::stock(config, args),
        Command::Catalogue(args) => goods::catalogue(config, args),
        Command::Customer(args) => customer::customer(config, args),
        Command::Partner(args) => partner::partner(config, args),
        Command::Merchant(args) => merchant::merchant(config, args),
        Command::Reseal => reseal::reseal(config),
        Command::Trial => books::trial(config),
        Command::Verdict => books::verdict(config),
    }
}

fn no_core_dumps(error: io::Error) -> Trouble {
    Trouble::failure(format!(
        "core dumps cannot be turned off, and they would hold keys: {error}"
    ))
}

fn check(config: &Path) -> Result<Exit, Trouble> {
    Config::load(config)?;
    print(format_args!("config OK"))?;
    Ok(Exit::Success)
}

/// Prints what clap has to say: help and version, or what is wrong with the command line.
fn tell(told: &clap::Error) -> Exit {
    match (told.print(), told.use_stderr()) {
        (Err(_), _) => Exit::Failure,
        (Ok(()), true) => Exit::Usage,
        (Ok(()), false) => Exit::Success,
    }
}

fn print(line: fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// Says on standard error why a command could not do its work.
fn complain(trouble: Trouble) -> Exit {
    let (exit, name) = match trouble {
        Trouble::Faults(_) => (Exit::Usage, ""),
        Trouble::Failure(_) => (Exit::Failure, "commerce: "),
    };
    for line in trouble.to_string().lines() {
        // Where nobody reads standard error, the exit code has to be enough.
        writeln!(io::stderr().lock(), "{name}{line}").ok();
    }
    exit
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
