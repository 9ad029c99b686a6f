//! Agents who call the S2Sell API over HTTP, one order after another. Every other order has an idempotency
//! key, and some of these are sent twice, as after an answer that was lost.

use std::{net::SocketAddr, sync::Arc};

use reqwest::Client;
use serde::Deserialize;
use tokio::{task::JoinHandle, time::sleep};

use super::{Agent, Card, Fault, seed::Order};
use crate::traffic::LOOK;

/// Of the orders of an agent, how often one has a key, and how often one is sent twice.
const KEY_EVERY: u32 = 2;
const REPEAT_EVERY: u32 = 10;

/// Tries of an order while the shop says that it is busy.
const TRIES_MAX: u32 = 50;

/// What an agent has got.
#[derive(Default)]
pub(crate) struct Got {
    pub(crate) cards: Vec<Card>,
    /// Orders that got at least one card.
    pub(crate) sales: usize,
    /// Of these, fewer cards than wanted.
    pub(crate) in_part: usize,
    /// Orders that got none.
    pub(crate) without: usize,
    /// Orders that were sent twice, and those of them that got another answer then.
    pub(crate) repeats: usize,
    pub(crate) unlike: usize,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    result: Vec<CardBody>,
    error: Option<ErrorBody>,
}

#[derive(Deserialize)]
struct CardBody {
    #[serde(rename = "CARDPINCODE")]
    pin: String,
    #[serde(rename = "CARDSERIESNO")]
    serial: String,
}

#[derive(Deserialize)]
struct ErrorBody {
    code: String,
}

/// What came of an order.
struct Outcome {
    cards: Vec<Card>,
    is_short: bool,
}

/// All agents at a time.
pub(super) async fn trade(address: SocketAddr, agents: &[Arc<Agent>]) -> Result<Vec<Got>, Fault> {
    // reqwest wants a provider even for what goes without TLS; a second call finds it there.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let client = Client::builder().no_proxy().build()?;
    let shop = |agent| tokio::spawn(shop(client.clone(), address, Arc::clone(agent)));
    let running: Vec<JoinHandle<_>> = agents.iter().map(shop).collect();
    let mut got = Vec::new();
    for agent in running {
        got.push(agent.await??);
    }
    Ok(got)
}

async fn shop(client: Client, address: SocketAddr, agent: Arc<Agent>) -> Result<Got, Fault> {
    let mut got = Got::default();
    for order in &agent.orders {
        let outcome = buy(&client, address, &agent, order).await?;
        if outcome.cards.is_empty() {
            got.without += 1;
            continue;
        }
        got.sales += 1;
        got.in_part += usize::from(outcome.is_short);
        if order.number.is_multiple_of(REPEAT_EVERY) {
            let again = buy(&client, address, &agent, order).await?;
            got.repeats += 1;
            got.unlike += usize::from(again.cards != outcome.cards);
        }
        got.cards.extend(outcome.cards);
    }
    Ok(got)
}

/// Sends an order, and again while the shop says that it is busy and has sold nothing.
async fn buy(
    client: &Client,
    address: SocketAddr,
    agent: &Agent,
    order: &Order,
) -> Result<Outcome, Fault> {
    let mut code = String::new();
    for _ in 0..TRIES_MAX {
        let answer = ask(client, address, agent, order).await?;
        code = answer.error.map_or(String::new(), |error| error.code);
        match code.as_str() {
            "" | "OUT_OF_STOCK" | "INSUFFICIENT_DEPOSIT" => {
                let cards = answer.result.into_iter();
                return Ok(Outcome {
                    cards: cards.map(card).collect(),
                    is_short: !code.is_empty(),
                });
            }
            "BUSY" | "RATE_LIMITED" => sleep(LOOK).await,
            _ => break,
        }
    }
    Err(format!("S2Sell answered {} with {code}", agent.name).into())
}

async fn ask(
    client: &Client,
    address: SocketAddr,
    agent: &Agent,
    order: &Order,
) -> Result<Answer, Fault> {
    let Order {
        number,
        ware,
        count,
    } = order;
    let mut request = client
        .post(format!("http://{address}/mcapi/s2sell/card/{ware}"))
        .header("X-API-Key", agent.key.reveal())
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(format!(
            "BUYCOUNT={count}&SELLDESTNO={}-{number}",
            agent.name
        ));
    if number.is_multiple_of(KEY_EVERY) {
        request = request.header("Idempotency-Key", format!("order-{number}"));
    }
    let body = request.send().await?.bytes().await?;
    Ok(serde_json::from_slice(&body)?)
}

fn card(body: CardBody) -> Card {
    Card {
        serial: body.serial,
        pin: body.pin,
    }
}
