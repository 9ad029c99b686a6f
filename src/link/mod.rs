//! The only owner of sockets: one task per connection, for SMSCs and banks alike.
//!
//! [`Shared`] is what the floors above see of a link. Below it, `driver` moves bytes, and a
//! protocol, one of two, joins session and window. Nothing here knows of gRPC, routes or payments.

mod asked;
mod backoff;
mod bank;
mod door;
mod driver;
pub mod expiry;
mod hushed;
mod incoming;
mod lanes;
mod late;
mod lobby;
mod pace;
mod progress;
mod protocol;
mod reach;
pub mod settings;
mod shared;
mod siblings;
mod smsc;
mod tapped;
mod throttle;
mod ticket;
pub mod tls;

use std::{sync::Arc, time::Instant};

use tokio::task::JoinHandle;

pub use asked::{BankRequest, Duty, Requests};
pub use bank::{BankJob, Exchange, Late};
pub use door::{Door, DoorError};
pub use lanes::{Lane, Queued};
pub use late::{LATE_FOR, LATE_MAX};
pub use shared::{NotTaken, Shared, Stop, Totals};
pub use smsc::SmscJob;
pub use ticket::{Ends, Ticket, TicketNumber};

use crate::{inbox::Inbox, iso8583::stan::Stans, metrics::Metrics, status::PeerKind};
use lobby::Lobby;
use settings::{AnswersOn, BankSettings, LinkSettings, SmscSettings};
use siblings::{Sibling, Siblings};

/// The link of that number to a peer, without a task yet.
fn shared<J>(
    kind: PeerKind,
    settings: &Arc<LinkSettings>,
    number: u16,
    metrics: &Metrics,
) -> Arc<Shared<J>> {
    let name = format!("{}/{number}", settings.peer);
    let metrics = metrics.link(kind, &settings.peer, &name);
    Arc::new(Shared::new(kind, settings, number, metrics))
}

/// The links to one peer, as they were started.
pub struct Started<J> {
    /// Each with its task, which ends once the link is stopped.
    pub links: Vec<(Arc<Shared<J>>, JoinHandle<()>)>,
    /// Lets the peer's connections in, until it is aborted.
    pub door: Option<JoinHandle<()>>,
}

/// What all links to one peer begin with.
struct Beginning {
    settings: Arc<LinkSettings>,
    lobby: Arc<Lobby>,
    door: Option<JoinHandle<()>>,
}

impl Beginning {
    fn new(kind: PeerKind, settings: &LinkSettings, door: Option<Door>, metrics: &Metrics) -> Self {
        let lobby = Arc::new(Lobby::default());
        let mut settings = settings.clone();
        if let Some(door) = &door {
            settings.reach = settings.reach.listening_at(door.address());
        }
        let settings = Arc::new(settings);
        let watch = |door: Door| {
            let metrics = metrics.door(kind, &settings.peer);
            tokio::spawn(door.watch(Arc::clone(&settings), Arc::clone(&lobby), metrics))
        };
        Self {
            door: door.map(watch),
            settings,
            lobby,
        }
    }
}

/// Starts the links to an SMSC. `door` is the port of its settings, if it has one.
pub fn start_smsc(
    settings: &Arc<SmscSettings>,
    door: Option<Door>,
    inbox: &Arc<Inbox>,
    metrics: &Metrics,
) -> Started<SmscJob> {
    let beginning = Beginning::new(PeerKind::Smsc, &settings.link, door, metrics);
    let now = Instant::now();
    let account = settings.account_rate;
    let account = account.map(|rate| Arc::new(pace::Account::new(rate, now)));
    let links = (1..=settings.link.links)
        .map(|number| {
            let shared = shared(PeerKind::Smsc, &beginning.settings, number, metrics);
            let pace = pace::Pace::new(number, settings.bind_rate, account.clone(), now);
            let protocol = smsc::SmscLink::new(
                Arc::clone(settings),
                Arc::clone(&shared),
                Arc::clone(inbox),
                metrics.inbox(),
                pace,
            );
            let lobby = Arc::clone(&beginning.lobby);
            let task = tokio::spawn(driver::run(protocol, Arc::clone(&shared), lobby));
            (shared, task)
        })
        .collect();
    Started {
        links,
        door: beginning.door,
    }
}

/// Starts the links to a bank, as [`start_smsc`]. All of them take their STANs from one sequence;
/// `late` gets the answers that nobody waits for any more, `requests` what the bank asks of its own
/// accord.
pub fn start_bank(
    settings: &Arc<BankSettings>,
    door: Option<Door>,
    (late, requests): (&Arc<dyn Late>, &Arc<dyn Requests>),
    stans: &(impl Stans + Clone + Send + 'static),
    metrics: &Metrics,
) -> Started<BankJob> {
    let beginning = Beginning::new(PeerKind::Bank, &settings.link, door, metrics);
    let links: Vec<_> = (1..=settings.link.links)
        .map(|number| shared(PeerKind::Bank, &beginning.settings, number, metrics))
        .collect();
    let siblings = match settings.answers_on {
        AnswersOn::SameLink => None,
        AnswersOn::AnyLink => Some(Arc::new(Siblings::new(links.clone()))),
    };
    let links = links
        .into_iter()
        .enumerate()
        .map(|(place, shared)| {
            let sibling = siblings
                .as_ref()
                .map(|all| Sibling::new(Arc::clone(all), place));
            let protocol = bank::BankLink::new(
                Arc::clone(settings),
                (Arc::clone(&shared), sibling),
                (Arc::clone(late), Arc::clone(requests)),
                Box::new(stans.clone()),
                metrics.bank_link(&shared.settings.peer, &shared.name),
            );
            let lobby = Arc::clone(&beginning.lobby);
            let task = tokio::spawn(driver::run(protocol, Arc::clone(&shared), lobby));
            (shared, task)
        })
        .collect();
    Started {
        links,
        door: beginning.door,
    }
}
