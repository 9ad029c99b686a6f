//! A shop whose customers pay, whole and on this machine, for somebody who drives a browser: commerce with its
//! pages, a router, a simulated SMSC with the customers' handsets, a simulated bank, and the shop. A command
//! is a line of JSON on standard input, its answer a line on standard output, the first of which says that
//! all are up and where. It forgets everything when its input ends. No page is made here.
//!
//!     cargo run -p loadtest --example checkout

#![allow(
    clippy::unwrap_used,
    reason = "whoever drives it sees at once that it has ended, and why"
)]

mod town;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use town::{Mood, Town};

/// What can be asked for.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
enum Command {
    /// The shop places an order and signs the link that its customer follows.
    Place {
        order: String,
        amount: i64,
        description: String,
        /// How long ago it was signed.
        #[serde(default)]
        minutes_ago: i64,
    },
    /// The next one-time password on that handset, once it is there.
    Password { phone: String },
    /// What all charges from now on meet.
    Bank { mood: Mood },
    /// The shop answers so many IPNs HTTP 500.
    FailIpns { count: u32 },
    /// Where an order stands in the shop's own book.
    Order { order: String },
    /// What the shop has taken and refused.
    Counts,
    /// How often the bank has debited that customer, and what of it stands.
    Debits { phone: String },
}

#[tokio::main]
async fn main() {
    let mut town = Town::open().await;
    println!("{}", town.introduce());
    while let Some(line) = next_line().await {
        let answer = match serde_json::from_str(&line) {
            Ok(command) => obey(&mut town, command).await,
            Err(error) => json!({"error": format!("no command: {error}")}),
        };
        println!("{answer}");
    }
    town.close().await;
}

/// Nothing once the input has ended.
async fn next_line() -> Option<String> {
    let read = spawn_blocking(|| std::io::stdin().lines().next());
    read.await.unwrap().transpose().unwrap()
}

async fn obey(town: &mut Town, command: Command) -> Value {
    match command {
        Command::Place {
            order,
            amount,
            description,
            minutes_ago,
        } => json!({"link": town.place(&order, amount, &description, minutes_ago)}),
        Command::Password { phone } => json!({"password": town.password(&phone).await}),
        Command::Bank { mood } => {
            town.set_mood(mood);
            json!({})
        }
        Command::FailIpns { count } => {
            town.shop.fail_ipns(count);
            json!({})
        }
        Command::Order { order } => match town.shop.orders().get(&order) {
            Some(placed) => json!({
                "state": format!("{:?}", placed.state),
                "changes": placed.changes,
                "returns": placed.returns,
            }),
            None => json!({"error": "the shop has no such order"}),
        },
        Command::Counts => {
            let counts = town.shop.counts();
            json!({"taken": counts.taken, "failed": counts.failed, "forged": counts.forged})
        }
        Command::Debits { phone } => town.debits(&phone),
    }
}
