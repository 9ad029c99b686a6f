//! The only owner of sockets: one task per connection, for SMSCs and banks alike.
//!
//! [`Shared`] is what the floors above see of a link. Below it, `driver` moves bytes, and a
//! protocol, one of two, joins session and window. Nothing here knows of gRPC, routes or payments.

mod backoff;
mod bank;
mod driver;
mod incoming;
mod lanes;
mod pace;
mod protocol;
pub mod settings;
mod shared;
mod smsc;
mod tapped;
mod throttle;
mod ticket;
pub mod tls;

use std::{sync::Arc, time::Instant};

use tokio::task::JoinHandle;

pub use bank::{BankJob, Exchange, Late};
pub use lanes::{Lane, Queued};
pub use shared::{NotTaken, Shared, Stop, Totals};
pub use smsc::{SmscJob, SmscRequest};
pub use ticket::{Ends, Ticket, TicketNumber};

use crate::{inbox::Inbox, iso8583::stan::Stans, metrics::Metrics, status::PeerKind};
use settings::{BankSettings, LinkSettings, SmscSettings};

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

/// Starts the links to an SMSC.
pub fn start_smsc(
    settings: &Arc<SmscSettings>,
    inbox: &Arc<Inbox>,
    metrics: &Metrics,
) -> Vec<(Arc<Shared<SmscJob>>, JoinHandle<()>)> {
    let link_settings = Arc::new(settings.link.clone());
    let now = Instant::now();
    let account = settings.account_rate;
    let account = account.map(|rate| Arc::new(pace::Account::new(rate, now)));
    (1..=settings.link.links)
        .map(|number| {
            let shared = shared(PeerKind::Smsc, &link_settings, number, metrics);
            let pace = pace::Pace::new(number, settings.bind_rate, account.clone(), now);
            let protocol = smsc::SmscLink::new(
                Arc::clone(settings),
                Arc::clone(&shared),
                Arc::clone(inbox),
                metrics.inbox(),
                pace,
            );
            let task = tokio::spawn(driver::run(protocol, Arc::clone(&shared)));
            (shared, task)
        })
        .collect()
}

/// Starts the links to a bank. All of them take their STANs from one sequence.
pub fn start_bank(
    settings: &Arc<BankSettings>,
    late: &Arc<dyn Late>,
    stans: &(impl Stans + Clone + Send + 'static),
    metrics: &Metrics,
) -> Vec<(Arc<Shared<BankJob>>, JoinHandle<()>)> {
    let link_settings = Arc::new(settings.link.clone());
    (1..=settings.link.links)
        .map(|number| {
            let shared = shared(PeerKind::Bank, &link_settings, number, metrics);
            let protocol = bank::BankLink::new(
                Arc::clone(settings),
                Arc::clone(&shared),
                Arc::clone(late),
                Box::new(stans.clone()),
            );
            let task = tokio::spawn(driver::run(protocol, Arc::clone(&shared)));
            (shared, task)
        })
        .collect()
}
