//! The purchase logic at work on top of the router, in this process: subscribers who buy by SMS and
//! agents who buy by S2Sell, at the same time and of the same stock.
//!
//! `seed` furnishes the shop, `subscribers` type and read, `agents` call the API, and `books` is what the
//! shop itself says afterwards. It runs after the other traffic, so that what the networks have on their
//! books since then is the shop's alone.

mod agents;
mod books;
mod seed;
mod subscribers;

use std::{error::Error, fs, net::SocketAddr, path::Path, time::Duration};

use commerce::{app::App, clock, config::Config};
use tokio::time::{Instant, sleep};

pub(crate) use self::{
    agents::Got,
    books::{Books, Kept},
    seed::{Agent, Customer, Goods},
    subscribers::Handset,
};
use crate::{
    networks::{Marks, Networks},
    traffic::LOOK,
};

/// For all purchases to come to their end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whatever the purchase logic finds wrong.
pub(crate) type Fault = Box<dyn Error + Send + Sync>;

/// The number that subscribers write to.
pub(crate) const SERVICE: &str = "8049";

/// A card as its buyer sees it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) serial: String,
    pub(crate) pin: String,
}

/// The running shop.
pub(crate) struct Shop {
    app: App,
    goods: Goods,
}

/// What everybody was told, and what the shop's books say.
pub(crate) struct Trade<'a> {
    pub(crate) goods: &'a Goods,
    /// What each customer has read, in their order.
    pub(crate) handsets: Vec<Handset>,
    /// What each agent has got, in their order.
    pub(crate) got: Vec<Got>,
    pub(crate) books: Books,
    /// Where the banks' books stood before.
    pub(crate) marks: Marks,
}

impl Shop {
    /// Opens it on a new file in that folder, beside that router.
    pub(crate) async fn open(
        folder: &Path,
        router: &str,
        networks: &Networks,
    ) -> Result<Self, Fault> {
        let config = config(folder, router)?;
        let keys = config.keys.clone();
        let app = App::start(config).await?;
        let banks: Vec<&str> = networks
            .banks
            .iter()
            .map(|bank| bank.name.as_str())
            .collect();
        let goods = seed::furnish(app.store(), &keys, &banks, clock::now()).await?;
        Ok(Self { app, goods })
    }

    /// Where agents call.
    pub(crate) fn address(&self) -> SocketAddr {
        self.app.http_address()
    }

    /// An agent who may call.
    pub(crate) fn agent(&self) -> Option<&Agent> {
        self.goods.agents.first().map(AsRef::as_ref)
    }

    /// Lets all of them buy, and waits until nothing is under way any more.
    pub(crate) async fn trade(&self, networks: &Networks) -> Result<Trade<'_>, Fault> {
        let goods = &self.goods;
        let marks = networks.turn_to_purchases(&goods.customers);
        let mut crowd = subscribers::Crowd::new(&goods.customers, &networks.smscs);
        let deadline = Instant::now() + PATIENCE;
        crowd.show_one(deadline).await;
        println!(
            "{} more subscribers buy by SMS while agents make {} orders by S2Sell …",
            goods.customers.len().saturating_sub(1),
            goods
                .agents
                .iter()
                .map(|agent| agent.orders.len())
                .sum::<usize>(),
        );
        let (got, ()) = tokio::join!(
            agents::trade(self.address(), &goods.agents),
            crowd.buy(deadline),
        );
        let store = self.app.store();
        while !books::are_closed(store).await? && Instant::now() < deadline {
            sleep(LOOK).await;
        }
        let books = Books::read(store, goods, clock::now()).await?;
        // A message that an SMSC has throttled comes a little later than the end.
        while crowd.in_doubt() < books.reversing() && Instant::now() < deadline {
            sleep(LOOK).await;
            crowd.look();
        }
        Ok(Trade {
            goods,
            handsets: crowd.into_handsets(),
            got: got?,
            books,
            marks,
        })
    }

    /// Ends it in good order.
    pub(crate) async fn close(self) {
        self.app.stop().await;
    }
}

/// Settings on a new file, with ports that the system chooses and a key of its own.
fn config(folder: &Path, router: &str) -> Result<Config, Fault> {
    let key: String = (0..32)
        .map(|_| format!("{:02x}", fastrand::u8(..)))
        .collect();
    fs::write(folder.join("commerce.key"), key)?;
    // The agents here are faster than any shop.
    let text = format!(
        r#"
        [store]
        location = "commerce.db"
        [keys]
        current = "file:commerce.key"
        [http]
        listen = "127.0.0.1:0"
        [admin]
        listen = "127.0.0.1:0"
        [s2sell]
        requests_per_s = 1000
        burst = 1000
        [router]
        address = "{router}"
        "#
    );
    Ok(Config::parse(&text, folder)?)
}
