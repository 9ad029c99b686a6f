//! The upstream services: they send, charge and receive over gRPC, and remember what they were told.

mod events;
mod messages;
mod payments;

use std::{ops::Range, time::Duration};

use loadtest::smsc::Smsc;
use sampan::{
    app::App,
    rpc::proto::{
        Link, LinkState, ListLinksRequest, links_client::LinksClient,
        messaging_client::MessagingClient, payments_client::PaymentsClient,
    },
};
use tokio::time::{Instant, sleep};
use tonic::transport::{Channel, Endpoint};

use crate::{
    DemoError, Options,
    kill::{self, Kill},
    networks::{Named, Networks},
    progress::{Counts, Progress},
};

pub(crate) use self::{
    events::{Received, Subscriber},
    messages::{MessageBooklet, SentMessage},
    payments::{MadePayment, PaymentBooklet},
};

/// For the links to come up, and for the last receipts and reversals.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// The pause between two drops of background traffic.
const BACKGROUND: Duration = Duration::from_millis(500);

/// MO that are injected at each SMSC, to a number of nobody's own subscription.
const MO_PER_SMSC: usize = 20;
const MO_NUMBER: &str = "8149";

/// What the upstream services were told.
pub(crate) struct Told {
    pub(crate) messages: MessageBooklet,
    pub(crate) payments: PaymentBooklet,
    pub(crate) events: Received,
    /// What the router says of its links.
    pub(crate) links: Vec<Link>,
    /// The peers that were killed; `None` if none was to be.
    pub(crate) kills: Option<Vec<Kill>>,
}

/// The numbers of the requests of a part of the traffic.
pub(crate) struct Share {
    pub(crate) messages: Range<u32>,
    pub(crate) payments: Range<u32>,
}

impl Share {
    fn halves(self) -> (Self, Self) {
        let (messages, payments) = (self.messages.end / 2, self.payments.end / 2);
        let first = Self {
            messages: 0..messages,
            payments: 0..payments,
        };
        let second = Self {
            messages: messages..self.messages.end,
            payments: payments..self.payments.end,
        };
        (first, second)
    }
}

/// The upstream services.
pub(crate) struct Services {
    messaging: MessagingClient<Channel>,
    payments: PaymentsClient<Channel>,
    links: LinksClient<Channel>,
    subscriber: Subscriber,
}

impl Services {
    /// Connects to the router and subscribes to what comes in.
    pub(crate) async fn connect(app: &App) -> Result<Self, DemoError> {
        let address = app.rpc_address().ok_or_else(|| {
            DemoError::Unfit("rpc.listen: the demo needs a TCP address".to_owned())
        })?;
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
        let channel = endpoint.connect().await?;
        let messaging = MessagingClient::new(channel.clone());
        Ok(Self {
            subscriber: Subscriber::subscribe(messaging.clone()).await?,
            messaging,
            payments: PaymentsClient::new(channel.clone()),
            links: LinksClient::new(channel),
        })
    }

    /// Waits until every bind of the peer is bound, or every link signed on; all peers' if it is "".
    pub(crate) async fn until_links_up(&self, peer: &str) -> Result<(), DemoError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let links = self.links(peer).await?;
            let Some(down) = links.iter().find(|link| link.state() != LinkState::Up) else {
                return Ok(());
            };
            if Instant::now() >= deadline {
                let told = format!("{}: {}", down.name, down.last_error);
                return Err(DemoError::NotUp(told));
            }
            sleep(LOOK).await;
        }
    }

    /// Sends everything, and waits until nothing is owed any more: receipts, MO, reversals.
    pub(crate) async fn run(
        &self,
        options: &Options,
        networks: &Networks,
        progress: &Progress,
    ) -> Result<Told, DemoError> {
        let counts = &progress.counts;
        self.subscriber.count_in(counts);
        inject_mo(&networks.smscs);
        let whole = Share {
            messages: 0..options.messages,
            payments: 0..options.payments,
        };
        let (mut sent, mut made, mut kills) = (Vec::new(), Vec::new(), None);
        let rest = match options.kill {
            false => whole,
            true => {
                let (before, after) = whole.halves();
                let over = kill::Over::after(&before, counts);
                let (told, killed) = tokio::try_join!(
                    self.exchange(before, options.seed, counts),
                    kill::strike(networks, self, over),
                )?;
                (sent, made) = told;
                // What comes now shows that the links carry traffic again.
                self.until_links_up("").await?;
                kills = Some(killed);
                after
            }
        };
        let (more_sent, more_made) = self.exchange(rest, options.seed, counts).await?;
        sent.extend(more_sent);
        made.extend(more_made);
        let mut payments = PaymentBooklet {
            requested: options.payments,
            made,
        };
        self.settle(&mut payments, &networks.smscs, counts).await?;
        Ok(Told {
            messages: MessageBooklet {
                requested: options.messages,
                sent,
            },
            payments,
            events: self.subscriber.received(),
            links: self.links("").await?,
            kills,
        })
    }

    /// Sends a share of the traffic, both kinds at a time, and waits for every outcome.
    async fn exchange(
        &self,
        share: Share,
        seed: u64,
        counts: &Counts,
    ) -> Result<(Vec<SentMessage>, Vec<MadePayment>), DemoError> {
        tokio::try_join!(
            messages::send(&self.messaging, share.messages, counts),
            payments::charge(&self.payments, share.payments, seed, counts),
        )
    }

    /// Waits until every reversal has ended and every receipt and MO is delivered.
    async fn settle(
        &self,
        payments: &mut PaymentBooklet,
        smscs: &[Named<Smsc>],
        counts: &Counts,
    ) -> Result<(), DemoError> {
        let deadline = Instant::now() + PATIENCE;
        while payments.look_up(&self.payments, counts).await? > 0 && Instant::now() < deadline {
            sleep(LOOK).await;
        }
        while !smscs.iter().all(has_delivered) && Instant::now() < deadline {
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// What the router says of the peer's links; of all if it is "".
    pub(crate) async fn links(&self, peer: &str) -> Result<Vec<Link>, DemoError> {
        let request = ListLinksRequest {
            peer: peer.to_owned(),
        };
        let listed = self.links.clone().list(request).await?;
        Ok(listed.into_inner().links)
    }

    /// A little traffic of both kinds until ctrl-c.
    pub(crate) async fn go_on(&self, options: &Options) -> Result<(), DemoError> {
        let unseen = Counts::default();
        let drops = async {
            for drop in 1.. {
                messages::drip(&self.messaging, drop, &unseen).await?;
                payments::drip(&self.payments, options, drop, &unseen).await?;
                sleep(BACKGROUND).await;
            }
            Ok(())
        };
        tokio::select! {
            ended = drops => ended,
            signal = tokio::signal::ctrl_c() => signal.map_err(DemoError::Signal),
        }
    }
}

fn inject_mo(smscs: &[Named<Smsc>]) {
    for smsc in smscs {
        for number in 0..MO_PER_SMSC {
            let source = format!("8498{number:07}");
            let text = format!("{} {number}", smsc.name);
            // How it ended stands in the books.
            drop(smsc.simulator.inject_mo(&source, MO_NUMBER, 0, text));
        }
    }
}

fn has_delivered(smsc: &Named<Smsc>) -> bool {
    let totals = smsc.simulator.totals();
    totals.receipts == totals.receipts_acknowledged + totals.receipts_lost
        && totals.mo == totals.mo_acknowledged + totals.mo_lost
}
