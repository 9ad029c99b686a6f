//! The death of an SMSC and of a bank in the middle of traffic, and their return a moment later with
//! the books that they had.
//!
//! A victim stops answering shortly before it dies, as a machine in trouble does, so that the kill
//! finds requests in flight whatever the pace of this machine. Those die that lose no connection by themselves: what is lost with a link of theirs was lost by
//! the kill.

use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use loadtest::{
    bank::{Bank, BankBehaviour},
    fault::Trigger,
    smsc::{Smsc, SmscBehaviour},
};
use sampan::rpc::proto::{Link, PeerKind};
use tokio::time::sleep;

use crate::{
    DemoError,
    networks::{self, Named, Networks},
    progress::Counts,
    traffic::{Services, Share},
};

/// How long a peer stays dead: the router finds nobody at its first try to connect again.
const DEAD: Duration = Duration::from_millis(700);

/// How often a victim is looked at.
const AIM: Duration = Duration::from_millis(1);

/// Requests that a victim has received before it stops answering, so that traffic has begun.
const RECEIVED_BEFORE: u64 = 20;

/// A peer that was killed and is back.
pub(crate) struct Kill {
    pub(crate) kind: PeerKind,
    pub(crate) peer: String,
    /// Requests that it took and did not answer before it died.
    pub(crate) unanswered: u64,
    /// Its links when all of them were up again.
    pub(crate) returned: Vec<Link>,
    /// Requests that it had received by then.
    pub(crate) received_before: u64,
}

/// When it is too late for a kill: every request of the share has its outcome.
pub(crate) struct Over<'a> {
    messages: Limit<'a>,
    payments: Limit<'a>,
}

#[derive(Clone, Copy)]
struct Limit<'a> {
    told: &'a AtomicUsize,
    all: usize,
}

impl<'a> Over<'a> {
    pub(crate) fn after(share: &Share, counts: &'a Counts) -> Self {
        Self {
            messages: Limit {
                told: &counts.messages,
                all: share.messages.len(),
            },
            payments: Limit {
                told: &counts.payments,
                all: share.payments.len(),
            },
        }
    }
}

impl Limit<'_> {
    fn is_reached(self) -> bool {
        self.told.load(Relaxed) >= self.all
    }
}

/// A simulator that can die and come back.
pub(crate) trait Mortal {
    const KIND: PeerKind;
    type Behaviour;
    fn address(&self) -> SocketAddr;
    /// Does its work from now on, but answers nothing; gives back how it behaved.
    fn hang(&self) -> Self::Behaviour;
    fn set_behaviour(&self, behaviour: Self::Behaviour);
    async fn kill(&self);
    async fn restart(&self) -> io::Result<()>;
    /// Requests that it has received.
    fn received(&self) -> u64;
    /// Those that it left unanswered.
    fn unanswered(&self) -> u64;
}

impl Mortal for Smsc {
    const KIND: PeerKind = PeerKind::Smsc;
    type Behaviour = SmscBehaviour;

    fn address(&self) -> SocketAddr {
        self.address()
    }

    fn hang(&self) -> SmscBehaviour {
        let before = self.behaviour();
        self.set_behaviour(SmscBehaviour {
            silent: Trigger::Always,
            silent_accepts: true,
            ..before.clone()
        });
        before
    }

    fn set_behaviour(&self, behaviour: SmscBehaviour) {
        self.set_behaviour(behaviour);
    }

    async fn kill(&self) {
        self.kill().await;
    }

    async fn restart(&self) -> io::Result<()> {
        self.restart().await
    }

    fn received(&self) -> u64 {
        self.totals().submitted
    }

    fn unanswered(&self) -> u64 {
        self.totals().unanswered
    }
}

impl Mortal for Bank {
    const KIND: PeerKind = PeerKind::Bank;
    type Behaviour = BankBehaviour;

    fn address(&self) -> SocketAddr {
        self.address()
    }

    fn hang(&self) -> BankBehaviour {
        let before = self.behaviour();
        self.set_behaviour(BankBehaviour {
            silent: Trigger::Always,
            silent_debits: true,
            ..before.clone()
        });
        before
    }

    fn set_behaviour(&self, behaviour: BankBehaviour) {
        self.set_behaviour(behaviour);
    }

    async fn kill(&self) {
        self.kill().await;
    }

    async fn restart(&self) -> io::Result<()> {
        self.restart().await
    }

    fn received(&self) -> u64 {
        self.totals().requests
    }

    fn unanswered(&self) -> u64 {
        self.totals().unanswered
    }
}

/// Kills one SMSC and one bank, each with requests in flight to it, and brings them back.
pub(crate) async fn strike(
    networks: &Networks,
    services: &Services,
    over: Over<'_>,
) -> Result<Vec<Kill>, DemoError> {
    let (smsc, bank) = tokio::try_join!(
        strike_one(victim(&networks.smscs), services, over.messages),
        strike_one(victim(&networks.banks), services, over.payments),
    )?;
    Ok(smsc.into_iter().chain(bank).collect())
}

fn victim<S>(peers: &[Named<S>]) -> Option<&Named<S>> {
    peers.iter().find(|own| own.is_steady)
}

async fn strike_one<S: Mortal>(
    victim: Option<&Named<S>>,
    services: &Services,
    over: Limit<'_>,
) -> Result<Option<Kill>, DemoError> {
    let Some(victim) = victim else {
        return Ok(None);
    };
    let simulator = &victim.simulator;
    while simulator.received() < RECEIVED_BEFORE && !over.is_reached() {
        sleep(AIM).await;
    }
    let sound = simulator.hang();
    while simulator.unanswered() == 0 && !over.is_reached() {
        sleep(AIM).await;
    }
    if simulator.unanswered() == 0 {
        simulator.set_behaviour(sound);
        return Ok(None);
    }
    simulator.kill().await;
    simulator.set_behaviour(sound);
    let unanswered = simulator.unanswered();
    sleep(DEAD).await;
    let taken = |source| networks::taken(&victim.name, simulator.address(), source);
    simulator.restart().await.map_err(taken)?;
    services.until_links_up(&victim.name).await?;
    Ok(Some(Kill {
        kind: S::KIND,
        peer: victim.name.clone(),
        unanswered,
        returned: services.links(&victim.name).await?,
        received_before: simulator.received(),
    }))
}
