//! Purchases by SMS at a constant rate, kill -9 of commerce, of the router and of PostgreSQL in turn, and what
//! everybody's books say afterwards: no card twice or unpaid, no payment without a card or its return.
//!
//! `crowd` are the subscribers, `shop` is commerce and `postgres` its database as child processes, `judge`
//! compares the handsets, commerce's books and the bank's.

mod crowd;
mod judge;
mod postgres;
mod shop;

use std::{path::PathBuf, time::Duration};

use clap::Args;
use commerce::purchase::{self, Filter, LIST_MAX, Purchase, State};
use loadtest::{
    bank::{Bank, BankBehaviour, Decline, ResponseCode},
    child::Child,
    fault::{DelayMs, Timing, Trigger},
    smsc::{Delivering, Smsc, SmscBehaviour},
};
use tokio::time::{Instant, sleep};

use self::{crowd::Crowd, judge::judge, postgres::Postgres, shop::Shop};
pub(crate) use self::{postgres::PostgresError, shop::ShopError};
use crate::{
    Common, EndureError,
    router::{Home, Router, Setup},
    verdict::Verdict,
};

/// After the last order: the time in which every purchase has to come to its end.
const SETTLE_MAX: Duration = Duration::from_secs(180);
const LOOK: Duration = Duration::from_millis(250);
/// What each account opens with: enough for its one purchase, and to be debited twice if somebody errs.
const OPENING_MINOR: i64 = 100_000;
/// Tokens differ in their last four digits, which alone the bank's books show.
const SUBSCRIBERS_MAX: u64 = 10_000;

#[derive(Args)]
pub(crate) struct Options {
    /// Purchases that begin each second.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    rate: u64,
    /// kill -9 of each of the three.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=50))]
    kills: u32,
    /// From one kill to the next.
    #[arg(long, default_value_t = 4_000, value_name = "MS", value_parser = clap::value_parser!(u64).range(500..=60_000))]
    every_ms: u64,
    /// Commerce's program; without it, `commerce` beside this program.
    #[arg(long, value_name = "FILE")]
    commerce: Option<PathBuf>,
}

impl Options {
    /// How long orders are typed in: a while before the first kill and after the last.
    fn lasts(&self) -> Duration {
        Duration::from_millis(self.every_ms * (3 * u64::from(self.kills) + 1))
    }

    fn orders(&self) -> u64 {
        self.rate * self.lasts().as_secs()
    }
}

/// The three that are killed.
struct Victims {
    home: Home,
    router: Option<Router>,
    postgres: Postgres,
    shop: Shop,
    commerce: Child,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Commerce,
    Router,
    Postgres,
}

/// Buys and kills, waits for every end, and judges.
pub(crate) async fn prove(common: &Common, options: &Options) -> Result<Verdict, EndureError> {
    let orders = options.orders();
    println!(
        "{orders} purchases by SMS, {} a second; kill -9 of commerce, router and PostgreSQL, {} of each",
        options.rate, options.kills
    );
    let subscribers = u32::try_from(orders.min(SUBSCRIBERS_MAX)).unwrap_or(u32::MAX);
    let smsc = Smsc::start(phones()).await.map_err(EndureError::Smsc)?;
    let bank = Bank::start(flaky()).await.map_err(EndureError::Bank)?;
    let mut victims = Victims::start(common, options, &smsc, &bank, subscribers).await?;
    let mut crowd = Crowd::new(&smsc, (0..subscribers).map(shop::number));
    let buying = async {
        crowd
            .buy(shop::CARD_TYPE, options.rate, options.lasts())
            .await;
        Ok(())
    };
    let (kills, ()) = tokio::try_join!(victims.kill_all(options), buying)?;
    let purchases = victims.settle().await?;
    crowd.look_once_more().await;
    let mut verdict = Verdict::default();
    judge(
        &mut verdict,
        options,
        &kills,
        &crowd.story,
        &purchases,
        &bank,
        &victims.shop.store,
    )
    .await?;
    verdict.conclude();
    Ok(verdict)
}

fn phones() -> SmscBehaviour {
    SmscBehaviour {
        delivering: Delivering {
            retry_ms: 200,
            // It never gives up: what it was not promised, it keeps.
            attempts_max: u32::MAX,
            ..Delivering::default()
        },
        ..SmscBehaviour::default()
    }
}

/// Some payments are declined, and some are debited and never answered, so that they are taken back.
fn flaky() -> BankBehaviour {
    BankBehaviour {
        open_unknown_minor: Some(OPENING_MINOR),
        timing: Timing {
            delay: DelayMs::between(5, 30),
            ..Timing::default()
        },
        decline: Some(Decline {
            trigger: Trigger::Every(41),
            code: ResponseCode::new(*b"05"),
        }),
        silent: Trigger::Every(37),
        silent_debits: true,
        ..BankBehaviour::default()
    }
}

/// The router's part of the configuration that purchases need.
fn networks(bank: &Bank) -> String {
    format!(
        r#"
[journal]
path = "journal.redb"
key_file = "journal.key"

[[subscription]]
name = "commerce"
receipts_of = "commerce"
bank_events = true

[[bank]]
name = "{name}"
address = "{address}"
links = 2
currency = "VND"
terminal_id = "SAMPAN01"
merchant_id = "VNMART000000001"
acquirer_id = "970499"
local_offset = "+07:00"
response_timeout_ms = 2000
reconnect_min_ms = 50
reconnect_max_ms = 500

[bank.reversal]
repeat_min_ms = 200
repeat_max_ms = 2000
# This bank debits nothing that comes after its own reversal.
final_codes = ["00", "25"]

[[payment_route]]
card_prefixes = ["970436"]
bank = "{name}"
"#,
        name = shop::BANK,
        address = bank.address(),
    )
}

impl Victims {
    async fn start(
        common: &Common,
        options: &Options,
        smsc: &Smsc,
        bank: &Bank,
        subscribers: u32,
    ) -> Result<Self, EndureError> {
        // A socket, so that the router is found at the same place in each of its lives.
        let socket =
            std::env::temp_dir().join(format!("sampan-endure-{}.sock", std::process::id()));
        let rpc = format!("unix:{}", socket.display());
        let setup = Setup {
            smsc: smsc.address(),
            binds: common.binds,
            window: 64,
            durable: true,
            rpc: Some(&rpc),
            more: &networks(bank),
        };
        let home = Home::new(common, &setup)?;
        home.put("journal.key", shop::KEY)?;
        let router = home.start().await?;
        router.until_links_up().await?;
        let postgres = Postgres::make(&home.folder().join("postgres")).await?;
        let cards = usize::try_from(options.orders()).unwrap_or(usize::MAX);
        let shop = Shop::furnish(
            home.folder(),
            options.commerce.as_deref(),
            &postgres.url(),
            &rpc,
            subscribers,
            cards,
        )
        .await?;
        let commerce = shop.start().await?;
        Ok(Self {
            home,
            router: Some(router),
            postgres,
            shop,
            commerce,
        })
    }

    /// Kills one after another, and starts each again at once.
    async fn kill_all(&mut self, options: &Options) -> Result<Vec<Victim>, EndureError> {
        let mut kills = Vec::new();
        let order = [Victim::Commerce, Victim::Router, Victim::Postgres];
        let mut at = Instant::now();
        for victim in order.into_iter().cycle().take(3 * options.kills as usize) {
            // Each at another moment of what goes on.
            let jitter = fastrand::u64(0..options.every_ms / 2);
            at += Duration::from_millis(options.every_ms);
            tokio::time::sleep_until(at + Duration::from_millis(jitter)).await;
            let began = Instant::now();
            self.kill(victim).await?;
            println!(
                "  kill -9 of {victim:?}; runs again after {} ms",
                began.elapsed().as_millis()
            );
            kills.push(victim);
        }
        Ok(kills)
    }

    async fn kill(&mut self, victim: Victim) -> Result<(), EndureError> {
        match victim {
            Victim::Commerce => {
                self.commerce.kill().map_err(ShopError::Kill)?;
                self.commerce = self.shop.start().await?;
            }
            Victim::Router => {
                if let Some(router) = self.router.take() {
                    router.kill()?;
                }
                self.router = Some(self.home.start().await?);
            }
            Victim::Postgres => {
                self.postgres.kill()?;
                self.postgres.start().await?;
            }
        }
        Ok(())
    }

    /// All purchases, once each has come to its end or nobody can wait any longer.
    async fn settle(&self) -> Result<Vec<Purchase>, EndureError> {
        let deadline = Instant::now() + SETTLE_MAX;
        loop {
            let purchases = self.purchases().await?;
            let open = purchases.iter().filter(|own| !is_ended(own.state)).count();
            if open == 0 || Instant::now() >= deadline {
                return Ok(purchases);
            }
            sleep(LOOK).await;
        }
    }

    async fn purchases(&self) -> Result<Vec<Purchase>, EndureError> {
        let mut read = self.shop.store.read().await.map_err(ShopError::Store)?;
        let mut all: Vec<Purchase> = Vec::new();
        loop {
            let filter = Filter {
                before: all.last().map(|own| (own.created_at, own.id.clone())),
                ..Filter::default()
            };
            let page = purchase::list(&mut read, &filter, LIST_MAX).await;
            let page = page.map_err(|error| ShopError::Books(error.to_string()))?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }
}

/// Whether nothing becomes of it but news of its message.
fn is_ended(state: State) -> bool {
    state.is_final() || state == State::Fulfilled
}
