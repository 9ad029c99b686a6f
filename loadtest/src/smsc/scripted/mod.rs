//! An SMSC that plays a [`Scenario`]: it can cut, hold, repeat and garble what a well-behaved one
//! would say, on the level of octets. It keeps count of what it got.

mod player;
mod seen;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

pub use seen::Seen;

use super::scenario::Scenario;
use crate::locked;
use player::Player;

/// The pause before the next connection of an SMSC that dials.
const DIAL_PAUSE: Duration = Duration::from_millis(20);

/// A running scenario. It ends when it is dropped.
pub struct ScriptedSmsc {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    playing: JoinHandle<()>,
}

impl ScriptedSmsc {
    /// Starts on a free port of loopback.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(scenario: Scenario) -> io::Result<Self> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), scenario).await
    }

    /// Starts on `address`.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub async fn start_at(address: SocketAddr, scenario: Scenario) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let seen = Arc::<Mutex<Seen>>::default();
        let accepting = accept(listener, Arc::new(scenario), Arc::clone(&seen));
        Ok(Self {
            address,
            seen,
            playing: tokio::spawn(accepting),
        })
    }

    /// Dials `address`, again and again, in place of listening.
    pub fn dial(address: SocketAddr, scenario: Scenario) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let dialling = dial(address, Arc::new(scenario), Arc::clone(&seen));
        Self {
            address,
            seen,
            playing: tokio::spawn(dialling),
        }
    }

    /// Where it listens, or where it dials.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it got so far.
    pub fn seen(&self) -> Seen {
        locked(&self.seen).clone()
    }
}

impl Drop for ScriptedSmsc {
    fn drop(&mut self) {
        // The connections belong to that task and end with it.
        self.playing.abort();
    }
}

async fn dial(address: SocketAddr, scenario: Arc<Scenario>, seen: Arc<Mutex<Seen>>) {
    let mut number = 0;
    loop {
        if let Ok(stream) = TcpStream::connect(address).await {
            locked(&seen).count("connections");
            let player = Player::new(stream, number, Arc::clone(&scenario), Arc::clone(&seen));
            player.play().await;
            number += 1;
        }
        tokio::time::sleep(DIAL_PAUSE).await;
    }
}

async fn accept(listener: TcpListener, scenario: Arc<Scenario>, seen: Arc<Mutex<Seen>>) {
    let mut connections = JoinSet::new();
    for number in 0.. {
        // A listener that fails is as good as an SMSC that is gone.
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        locked(&seen).count("connections");
        let player = Player::new(stream, number, Arc::clone(&scenario), Arc::clone(&seen));
        connections.spawn(player.play());
        while connections.try_join_next().is_some() {}
    }
}
