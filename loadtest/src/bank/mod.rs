//! A bank: accounts, financial requests and reversals over ISO 8583:1987, with faults on demand.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use loadtest::bank::{Account, Bank, BankBehaviour};
//! use loadtest::fault::Trigger;
//!
//! let bank = Bank::start(BankBehaviour {
//!     accounts: vec![Account::new("9704000000000001", 1_000_000)],
//!     silent: Trigger::Every(10),
//!     silent_debits: true,
//!     ..Default::default()
//! })
//! .await?;
//! println!("connect to {}", bank.address());
//! // …
//! println!("{}", bank.books());
//! # Ok(()) }
//! ```
//!
//! `wire` reads and writes octets by the table in `layout`, `packed` is its other form, `session` is one link,
//! `ledger` and `reversal` decide what a
//! message does to the `accounts`, `asking` is what the bank asks, `security` makes MACs and keys, `elsewhere` has
//! answers leave by another link, [`books`] is what can be seen of it.

mod accounts;
mod asking;
pub mod behaviour;
pub mod books;
mod elsewhere;
mod layout;
mod ledger;
mod packed;
mod reversal;
mod security;
mod session;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Instant;

use tokio::sync::Notify;

pub use asking::Question;
pub use behaviour::{
    Account, BankBehaviour, BeforeSignOn, Decline, ResponseCode, Reversing, StatementElement, Wire,
};
pub use books::BankBooks;
pub use security::BankSecurity;

use crate::locked;
use crate::serve::Server;
use asking::Asking;
use behaviour::Live;
use elsewhere::Lines;
use ledger::Ledger;
use session::Session;

/// What all links of a simulator share.
struct Shared {
    live: RwLock<Arc<Live>>,
    ledger: Mutex<Ledger>,
    keys: Mutex<security::Keys>,
    lines: Lines,
    asking: Mutex<Asking>,
    /// Wakes each connection that is, or was, there.
    connections: Mutex<Vec<Weak<Notify>>>,
}

impl Shared {
    fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn open_accounts(&self, behaviour: &BankBehaviour) {
        let mut ledger = locked(&self.ledger);
        behaviour
            .accounts
            .iter()
            .for_each(|account| ledger.accounts.open(account));
    }
}

/// A running bank simulator. It ends when it is dropped.
pub struct Bank {
    shared: Arc<Shared>,
    server: tokio::sync::Mutex<Server<Session>>,
    address: SocketAddr,
}

impl Bank {
    /// Starts on a free port of loopback.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(behaviour: BankBehaviour) -> io::Result<Self> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), behaviour).await
    }

    /// Starts on `address`.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub async fn start_at(address: SocketAddr, behaviour: BankBehaviour) -> io::Result<Self> {
        let live = RwLock::new(Arc::new(Live::new(behaviour)));
        let shared = Arc::new(Shared {
            live,
            ledger: Mutex::default(),
            keys: Mutex::default(),
            lines: Lines::default(),
            asking: Mutex::default(),
            connections: Mutex::default(),
        });
        shared.open_accounts(&shared.live().behaviour);
        let for_sessions = Arc::clone(&shared);
        let factory = move |wake: Arc<Notify>| {
            let mut connections = locked(&for_sessions.connections);
            connections.retain(|own| own.strong_count() > 0);
            connections.push(Arc::downgrade(&wake));
            Session::new(Arc::clone(&for_sessions), wake)
        };
        let server = Server::start(address, Arc::new(factory)).await?;
        let address = server.address();
        Ok(Self {
            shared,
            server: tokio::sync::Mutex::new(server),
            address,
        })
    }

    /// Where it listens; the same after [`Self::restart`].
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What happened so far.
    pub fn books(&self) -> BankBooks {
        locked(&self.shared.ledger).books()
    }

    /// The counts alone, without copying the entries.
    pub fn totals(&self) -> books::BankTotals {
        locked(&self.shared.ledger).totals
    }

    /// Asks something of its own accord: a message type, and elements beside the STAN, which the bank
    /// gives. It goes over a link that is signed on, again and again until it is answered with something
    /// else than 96.
    pub fn ask(&self, mti: &[u8; 4], elements: &[(usize, &str)]) {
        let owned = |(element, value): &(usize, &str)| (*element, value.as_bytes().to_vec());
        let elements = elements.iter().map(owned).collect();
        locked(&self.shared.asking).begin(Instant::now(), *mti, elements);
        let connections = locked(&self.shared.connections);
        connections
            .iter()
            .filter_map(Weak::upgrade)
            .for_each(|connection| connection.notify_one());
    }

    /// Forgets which answers it had to what it asked, and so asks again at the next sign-on.
    pub fn forget_answers(&self) {
        locked(&self.shared.asking).forget_answers();
    }

    /// What it has asked of its own accord, and how that was answered.
    pub fn asked(&self) -> Vec<Question> {
        locked(&self.shared.asking).questions().to_vec()
    }

    /// How it behaves now.
    pub fn behaviour(&self) -> BankBehaviour {
        self.shared.live().behaviour.clone()
    }

    /// Behaves differently from the next message on. Counts of [`crate::fault::Trigger`] start
    /// anew; accounts that are new are opened, the others keep their balance.
    pub fn set_behaviour(&self, behaviour: BankBehaviour) {
        self.shared.open_accounts(&behaviour);
        let live = Arc::new(Live::new(behaviour));
        *self
            .shared
            .live
            .write()
            .unwrap_or_else(PoisonError::into_inner) = live;
    }

    /// Opens a link itself, as banks do that want no connection from outside.
    ///
    /// # Errors
    /// When nobody listens there, or the bank has stopped.
    pub async fn dial_in(&self, address: SocketAddr) -> io::Result<()> {
        self.server.lock().await.dial_in(address).await
    }

    /// Dies: the listener closes and every link is reset, in the middle of whatever it did.
    pub async fn kill(&self) {
        self.server.lock().await.end(true).await;
    }

    /// Listens again on the same port, with the books kept. Every link must sign on anew.
    ///
    /// # Errors
    /// When the port was taken by somebody else meanwhile.
    pub async fn restart(&self) -> io::Result<()> {
        self.server.lock().await.restart().await
    }

    /// Stops: closes the listener and every link.
    pub async fn stop(&self) {
        self.server.lock().await.end(false).await;
    }
}
