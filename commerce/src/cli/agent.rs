//! `commerce agent`: agents, their keys, their deposits, and from where they may call.

use std::path::Path;

use clap::Subcommand;
use sqlx::AnyConnection;

use super::{Exit, Trouble, books::with_books, print};
use crate::{
    agents, clock,
    ledger::{self, Account, Entry, Line, Posted},
    moment::Day,
    money::Vnd,
    network::Network,
    store::{Store, Write},
    word::Id,
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

/// Makes a change and says what it was.
async fn change(write: &mut Write, args: AgentArgs) -> Result<String, Trouble> {
    Ok(match args {
        AgentArgs::Show { .. } => String::new(),
        AgentArgs::Add { agent } => {
            let added = agents::add(write, &agent).await;
            added.map_err(Trouble::failure)?;
            format!("agent {agent} is there")
        }
        AgentArgs::Key { agent, ends } => {
            refuse_unknown(write.connection(), &agent).await?;
            let key = agents::make_key(write, &agent, clock::now()).await;
            let key = key.map_err(Trouble::failure)?;
            if ends.is_some() {
                end_key(write, &agent, key.prefix(), ends).await?;
            }
            key.reveal().to_owned()
        }
        AgentArgs::EndKey {
            agent,
            prefix,
            ends,
        } => {
            let keys = end_key(write, &agent, &prefix, ends).await?;
            format!("{keys} keys end")
        }
        AgentArgs::Deposit {
            agent,
            amount,
            bank,
            reference,
        } => deposit(write, agent, amount, bank, &reference).await?,
        AgentArgs::Allow { agent, network } => {
            refuse_unknown(write.connection(), &agent).await?;
            let allowed = agents::allow(write, &agent, network).await;
            allowed.map_err(Trouble::failure)?;
            format!("agent {agent} may call from {network}")
        }
        AgentArgs::Forbid { agent, network } => {
            let forbidden = agents::forbid(write, &agent, network).await;
            if !forbidden.map_err(Trouble::failure)? {
                let why = format!("agent {agent} was not bound to {network}");
                return Err(Trouble::Failure(why));
            }
            format!("agent {agent} may not call from {network} any more")
        }
    })
}

async fn end_key(
    write: &mut Write,
    agent: &Id,
    prefix: &str,
    ends: Option<Day>,
) -> Result<u64, Trouble> {
    let at = match ends {
        Some(day) => day.end().map_err(Trouble::failure)?,
        None => clock::now(),
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
) -> Result<String, Trouble> {
    if !amount.is_positive() {
        return Err(Trouble::failure("a deposit is more than nothing"));
    }
    refuse_unknown(write.connection(), &agent).await?;
    let deposit = Account::AgentDeposit(agent.clone());
    let lines = [
        Line::debit(Account::BankSettlement(bank), amount),
        Line::credit(deposit.clone(), amount),
    ];
    // Not what sales and purchases call their entries.
    let reference = format!("deposit:{reference}").parse();
    let reference = reference.map_err(Trouble::failure)?;
    let entry = Entry::new(reference, clock::now(), lines).map_err(Trouble::failure)?;
    let posted = ledger::post(write, &entry)
        .await
        .map_err(Trouble::failure)?;
    let balance = ledger::balance(write.connection(), &deposit).await;
    let balance = balance.map_err(Trouble::failure)?;
    Ok(match posted {
        Posted::New => format!("booked; agent {agent} has {balance}"),
        Posted::Stands => format!("was booked before; agent {agent} has {balance}"),
    })
}
