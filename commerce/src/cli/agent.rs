//! `commerce agent`: agents, their keys, their deposits, and from where they may call.

use std::path::Path;

use clap::Subcommand;
use sqlx::AnyConnection;

use super::{Exit, Trouble, books::with_books, print};
use crate::{
    agents,
    audit::{self, Who},
    clock,
    ledger::{self, Account, Entry, Line, Posted},
    moment::{Day, UnixMs},
    money::Vnd,
    network::Network,
    store::{Store, Write},
    word::{Id, Reference},
};

// No Debug, as of all arguments.
#[derive(Subcommand)]
pub(super) enum AgentArgs {
    /// Add an agent. One that is there stays as it is.
    Add {
        /// Who.
        agent: Id,
    },
    /// Show an agent's deposit and from where he may call.
    Show {
        /// Who.
        agent: Id,
    },
    /// Make a key and print it: it is shown this once.
    Key {
        /// Who.
        agent: Id,
        /// The last day in Vietnam on which it is taken; by default it does not end.
        #[arg(long, value_name = "DAY")]
        ends: Option<Day>,
    },
    /// Let a key end, by its first eight digits.
    EndKey {
        /// Who.
        agent: Id,
        /// The first eight digits.
        prefix: String,
        /// The last day in Vietnam on which it is taken; by default it ends at once.
        #[arg(long, value_name = "DAY")]
        ends: Option<Day>,
    },
    /// Book what an agent has paid to our bank. The same reference is the same deposit.
    Deposit {
        /// Who.
        agent: Id,
        /// How much, in dong.
        amount: Vnd,
        /// To which bank.
        #[arg(long)]
        bank: Id,
        /// By what the bank knows the payment.
        #[arg(long)]
        reference: Id,
    },
    /// Let an agent call from a network; once he has one, from no other place.
    Allow {
        /// Who.
        agent: Id,
        /// As 203.0.113.0/24 or 203.0.113.7.
        network: Network,
    },
    /// Let an agent call from a network no more.
    Forbid {
        /// Who.
        agent: Id,
        /// As it was allowed.
        network: Network,
    },
}

pub(super) fn agent(config: &Path, args: AgentArgs) -> Result<Exit, Trouble> {
    with_books(config, async |store| match args {
        AgentArgs::Show { agent } => show(store, &agent).await,
        args => {
            let mut write = store.write().await.map_err(Trouble::failure)?;
            let told = change(&mut write, args).await?;
            write.commit().await.map_err(Trouble::failure)?;
            // Only now, because a key that was shown has to be one.
            print(format_args!("{told}"))?;
            Ok(Exit::Success)
        }
    })
}

/// The books would take money and prices for anybody.
pub(super) async fn refuse_unknown(
    connection: &mut AnyConnection,
    agent: &Id,
) -> Result<(), Trouble> {
    let is_there = agents::is_there(connection, agent).await;
    match is_there.map_err(Trouble::failure)? {
        true => Ok(()),
        false => {
            let why = format!("there is no agent {agent}; `commerce agent add {agent}` adds one");
            Err(Trouble::Failure(why))
        }
    }
}

async fn show(store: &Store, agent: &Id) -> Result<Exit, Trouble> {
    let mut read = store.read().await.map_err(Trouble::failure)?;
    refuse_unknown(&mut read, agent).await?;
    let deposit = Account::AgentDeposit(agent.clone());
    let balance = ledger::balance(&mut read, &deposit).await;
    let balance = balance.map_err(Trouble::failure)?;
    print(format_args!("deposit {balance}"))?;
    let networks = agents::networks(&mut read, agent).await;
    for network in networks.map_err(Trouble::failure)? {
        print(format_args!("may call from {network}"))?;
    }
    Ok(Exit::Success)
}

/// What was changed.
struct Changed {
    /// What is printed of it.
    told: String,
    /// What the audit log has of it; nothing if all was so before.
    line: Option<AuditLine>,
}

struct AuditLine {
    what: &'static str,
    agent: Id,
    detail: String,
}

impl AuditLine {
    fn new(what: &'static str, agent: &Id, detail: impl ToString) -> Option<Self> {
        let (agent, detail) = (agent.clone(), detail.to_string());
        Some(Self {
            what,
            agent,
            detail,
        })
    }
}

/// Makes a change with its line in the audit log, and says what it was.
async fn change(write: &mut Write, args: AgentArgs) -> Result<String, Trouble> {
    let now = clock::now();
    let Changed { told, line } = changed(write, args, now).await?;
    if let Some(line) = line {
        let subject = format!("agent:{}", line.agent);
        let (what, detail) = (line.what, &line.detail);
        let recorded = audit::record(write, Who::Console, what, &subject, detail, now).await;
        recorded.map_err(Trouble::failure)?;
    }
    Ok(told)
}

async fn changed(write: &mut Write, args: AgentArgs, now: UnixMs) -> Result<Changed, Trouble> {
    let (told, line) = match args {
        AgentArgs::Show { .. } => (String::new(), None),
        AgentArgs::Add { agent } => {
            let added = agents::add(write, &agent).await;
            let line = match added.map_err(Trouble::failure)? {
                true => AuditLine::new("agent.added", &agent, ""),
                false => None,
            };
            (format!("agent {agent} is there"), line)
        }
        AgentArgs::Key { agent, ends } => make_key(write, agent, ends, now).await?,
        AgentArgs::EndKey {
            agent,
            prefix,
            ends,
        } => {
            let keys = end_key(write, &agent, &prefix, ends, now).await?;
            let line = AuditLine::new("agent.key_ended", &agent, with_end(&prefix, ends));
            (format!("{keys} keys end"), line)
        }
        AgentArgs::Deposit {
            agent,
            amount,
            bank,
            reference,
        } => deposit(write, agent, amount, bank, &reference, now).await?,
        AgentArgs::Allow { agent, network } => {
            refuse_unknown(write.connection(), &agent).await?;
            let allowed = agents::allow(write, &agent, network).await;
            allowed.map_err(Trouble::failure)?;
            let line = AuditLine::new("agent.allowed", &agent, network);
            (format!("agent {agent} may call from {network}"), line)
        }
        AgentArgs::Forbid { agent, network } => {
            let forbidden = agents::forbid(write, &agent, network).await;
            if !forbidden.map_err(Trouble::failure)? {
                let why = format!("agent {agent} was not bound to {network}");
                return Err(Trouble::Failure(why));
            }
            let line = AuditLine::new("agent.forbidden", &agent, network);
            let told = format!("agent {agent} may not call from {network} any more");
            (told, line)
        }
    };
    Ok(Changed { told, line })
}

/// A key's prefix, and when it ends if not at once or never.
fn with_end(prefix: &str, ends: Option<Day>) -> String {
    match ends {
        Some(day) => format!("{prefix} ends {day}"),
        None => prefix.to_owned(),
    }
}

async fn make_key(
    write: &mut Write,
    agent: Id,
    ends: Option<Day>,
    now: UnixMs,
) -> Result<(String, Option<AuditLine>), Trouble> {
    refuse_unknown(write.connection(), &agent).await?;
    let key = agents::make_key(write, &agent, now).await;
    let key = key.map_err(Trouble::failure)?;
    if ends.is_some() {
        end_key(write, &agent, key.prefix(), ends, now).await?;
    }
    let detail = with_end(key.prefix(), ends);
    let line = AuditLine::new("agent.key_made", &agent, detail);
    Ok((key.reveal().to_owned(), line))
}

async fn end_key(
    write: &mut Write,
    agent: &Id,
    prefix: &str,
    ends: Option<Day>,
    now: UnixMs,
) -> Result<u64, Trouble> {
    let at = match ends {
        Some(day) => day.end().map_err(Trouble::failure)?,
        None => now,
    };
    let ended = agents::end_key(write, agent, prefix, at).await;
    match ended.map_err(Trouble::failure)? {
        0 => {
            let why = format!("agent {agent} has no key that begins with {prefix}");
            Err(Trouble::Failure(why))
        }
        keys => Ok(keys),
    }
}

async fn deposit(
    write: &mut Write,
    agent: Id,
    amount: Vnd,
    bank: Id,
    reference: &Id,
    now: UnixMs,
) -> Result<(String, Option<AuditLine>), Trouble> {
    if !amount.is_positive() {
        return Err(Trouble::failure("a deposit is more than nothing"));
    }
    refuse_unknown(write.connection(), &agent).await?;
    // As the back office books it, so that one payment is booked once, here or there.
    let reference = format!("deposit:{bank}:{reference}").parse::<Reference>();
    let reference = reference.map_err(Trouble::failure)?;
    let deposit = Account::AgentDeposit(agent.clone());
    let lines = [
        Line::debit(Account::BankSettlement(bank), amount),
        Line::credit(deposit.clone(), amount),
    ];
    let entry = Entry::new(reference.clone(), now, lines).map_err(Trouble::failure)?;
    let posted = ledger::post(write, &entry)
        .await
        .map_err(Trouble::failure)?;
    let balance = ledger::balance(write.connection(), &deposit).await;
    let balance = balance.map_err(Trouble::failure)?;
    Ok(match posted {
        Posted::New => {
            let line = AuditLine::new("agent.deposit", &agent, format!("{amount} as {reference}"));
            (format!("booked; agent {agent} has {balance}"), line)
        }
        Posted::Stands => {
            let told = format!("was booked before; agent {agent} has {balance}");
            (told, None)
        }
    })
}
