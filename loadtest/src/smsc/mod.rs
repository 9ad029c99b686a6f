//! An SMSC: binds, submissions, receipts and MO over SMPP 3.4, with faults on demand.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use loadtest::fault::Trigger;
//! use loadtest::smsc::{Smsc, SmscBehaviour};
//!
//! let smsc = Smsc::start(SmscBehaviour { throttle: Trigger::Every(10), ..Default::default() }).await?;
//! println!("bind to {}", smsc.address());
//! // …
//! println!("{}", smsc.books());
//! # Ok(()) }
//! ```
//!
//! `wire` reads and writes octets, `codes` has their numbers, `session` is one connection, `submit` what it does with a
//! message, `delivery` what waits for an account and `outgoing` how a bind sends it, [`books`] what happened,
//! [`handset`] what subscribers read and type in.
//! [`scenario`] is an SMSC that misbehaves as a file says, and [`scripted`] plays it.

pub mod behaviour;
pub mod books;
mod codes;
mod delivery;
pub mod handset;
mod outgoing;
pub mod scenario;
pub mod scripted;
mod session;
mod submit;
mod wire;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

pub use behaviour::{Account, Accounts, BookKeeping, Delivering, IdFormat, Refusal, SmscBehaviour};
pub use books::{Body, SmscBooks};
pub use codes::status;
pub use delivery::{DeliveryEnd, Mo};
pub use wire::Address;

use crate::locked;
use crate::serve::Server;
use behaviour::Live;
use delivery::{Cargo, Deliveries, Delivery};
use session::Session;

/// How long [`Smsc::stop`] waits for its unbinds to be answered.
const UNBIND_GRACE: Duration = Duration::from_secs(2);
/// How often it looks whether they are.
const UNBIND_POLL: Duration = Duration::from_millis(5);

/// Where MO wait that name no account while nobody receives; the first receiver claims them.
const UNADDRESSED: &str = "";

/// What all connections of a simulator share.
struct Shared {
    keeping: BookKeeping,
    live: RwLock<Arc<Live>>,
    books: Mutex<SmscBooks>,
    accounts: Mutex<HashMap<String, Arc<Deliveries>>>,
    sessions: Mutex<Vec<Arc<SessionHandle>>>,
}

/// How the simulator reaches one of its connections.
struct SessionHandle {
    wake: Arc<Notify>,
    unbind: AtomicBool,
}

impl Shared {
    fn live(&self) -> Arc<Live> {
        Arc::clone(
            &self
                .live
                .read()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }

    fn deliveries(&self, system_id: &str) -> Arc<Deliveries> {
        Arc::clone(
            locked(&self.accounts)
                .entry(system_id.to_owned())
                .or_default(),
        )
    }
}

/// A running SMSC simulator. It ends when it is dropped.
pub struct Smsc {
    shared: Arc<Shared>,
    server: tokio::sync::Mutex<Server<Session>>,
    address: SocketAddr,
}

impl Smsc {
    /// Starts on a free port of loopback.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(behaviour: SmscBehaviour) -> io::Result<Self> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), behaviour).await
    }

    /// Starts on `address`.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub async fn start_at(address: SocketAddr, behaviour: SmscBehaviour) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            keeping: behaviour.books,
            live: RwLock::new(Arc::new(Live::new(behaviour))),
            books: Mutex::default(),
            accounts: Mutex::default(),
            sessions: Mutex::default(),
        });
        let for_sessions = Arc::clone(&shared);
        let factory = move |wake| Session::new(Arc::clone(&for_sessions), wake);
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
    pub fn books(&self) -> SmscBooks {
        locked(&self.shared.books).clone()
    }

    /// The accepted messages from the one at that place in the books on.
    pub fn messages_from(&self, place: usize) -> Vec<books::Message> {
        let books = locked(&self.shared.books);
        books.messages.get(place..).unwrap_or_default().to_vec()
    }

    /// The counts alone, without copying the messages.
    pub fn totals(&self) -> books::SmscTotals {
        locked(&self.shared.books).totals
    }

    /// How it behaves now.
    pub fn behaviour(&self) -> SmscBehaviour {
        self.shared.live().behaviour.clone()
    }

    /// Behaves differently from the next PDU on. Counts of [`crate::fault::Trigger`] start anew;
    /// [`SmscBehaviour::books`] stays what it was.
    pub fn set_behaviour(&self, behaviour: SmscBehaviour) {
        let live = Arc::new(Live::new(behaviour));
        *self
            .shared
            .live
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = live;
        self.wake_all();
    }

    /// Sends an MO through a receiving bind, now or as soon as there is one. The receiver resolves
    /// when it was acknowledged, refused for good or given up; dropping it is fine.
    pub fn inject_mo(
        &self,
        source: &str,
        dest: &str,
        data_coding: u8,
        body: impl Into<Bytes>,
    ) -> oneshot::Receiver<DeliveryEnd> {
        self.inject(Mo {
            source: Address::new(source),
            dest: Address::new(dest),
            data_coding,
            esm_class: 0,
            body: Body(body.into()),
            system_id: None,
        })
    }

    /// [`Self::inject_mo`] with every parameter. An account over its limit of waiting deliveries
    /// answers with `attempts: 0` at once.
    pub fn inject(&self, mo: Mo) -> oneshot::Receiver<DeliveryEnd> {
        let (done, end) = oneshot::channel();
        let deliveries = match &mo.system_id {
            Some(system_id) => self.shared.deliveries(system_id),
            None => self.first_receiver(),
        };
        locked(&self.shared.books).totals.mo += 1;
        let delivery = Delivery::new(Cargo::Mo {
            mo: Box::new(mo),
            done: Some(done),
        });
        if let Err(mut refused) = deliveries.push(Instant::now(), delivery) {
            locked(&self.shared.books).totals.mo_lost += 1;
            refused.tell();
        }
        end
    }

    fn first_receiver(&self) -> Arc<Deliveries> {
        let accounts = locked(&self.shared.accounts);
        let mut names: Vec<_> = accounts.keys().collect();
        names.sort();
        let receiving = names
            .iter()
            .filter_map(|name| accounts.get(*name))
            .find(|deliveries| deliveries.has_receiver())
            .cloned();
        drop(names);
        drop(accounts);
        receiving.unwrap_or_else(|| self.shared.deliveries(UNADDRESSED))
    }

    /// Unbinds every bind from this side, and lets the ESMEs come back.
    pub fn unbind_all(&self) {
        for session in locked(&self.shared.sessions).iter() {
            session.unbind.store(true, Ordering::Relaxed);
            session.wake.notify_one();
        }
    }

    /// Dies: the listener closes and every connection is reset, in the middle of whatever it did.
    pub async fn kill(&self) {
        self.server.lock().await.end(true).await;
    }

    /// Listens again on the same port, with the books and the waiting deliveries kept.
    ///
    /// # Errors
    /// When the port was taken by somebody else meanwhile.
    pub async fn restart(&self) -> io::Result<()> {
        self.server.lock().await.restart().await
    }

    /// Stops as an operator would: unbinds every bind, waits shortly for the answers, closes.
    pub async fn stop(&self) {
        self.unbind_all();
        let grace = tokio::time::Instant::now() + UNBIND_GRACE;
        while tokio::time::Instant::now() < grace && locked(&self.shared.books).open_binds() > 0 {
            tokio::time::sleep(UNBIND_POLL).await;
        }
        self.server.lock().await.end(false).await;
    }

    fn wake_all(&self) {
        locked(&self.shared.sessions)
            .iter()
            .for_each(|session| session.wake.notify_one());
    }
}
