//! What a bank begins of its own accord, and what it is answered.
//!
//! ```text
//!   link ──► sort ──► declined at once: nobody takes it
//!              └────► task ──► desk (which payment? our totals?) ──► inbox (durable) ──► answered
//! ```
//!
//! Chargebacks, advices, and whatever else `hand_up` of the bank names become events for the upstream
//! services and are acknowledged once these are durable. A reconciliation (05xx) is compared with the
//! payments of its day, and answered with what came of it. What is left is declined with the bank's code
//! for what is not supported, and counted.
//!
//! It must never acknowledge what is not durable, answer for somebody who has to decide (an
//! acknowledged 0200 is an approval; the configuration sees to that), nor let a card number, PIN or
//! track into an event.

mod identity;
mod notice;
mod reconcile;
mod sort;
mod task;

use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::warn;

use crate::{
    inbox::Inbox,
    link::{BankRequest, Requests, settings::BankSettings},
    metrics::BankAskedMetrics,
    payment::BankDesk,
};
use sort::{Sorted, Sorter};
pub use task::Task;

/// Messages of a bank that wait for the task, over all its links; each of a few KiB. What is beyond is
/// answered as what cannot be taken now.
pub const WAITING_MAX: usize = 4_096;

/// DE39 of an acknowledgement.
const ACKNOWLEDGED: &str = "00";

/// Takes what one bank begins, for all its links.
pub struct Clerk {
    settings: Arc<BankSettings>,
    sorter: Sorter,
    metrics: BankAskedMetrics,
    waiting: mpsc::Sender<BankRequest>,
}

impl Clerk {
    /// The clerk of a bank, and the task that does the work that has to wait.
    pub fn new(
        settings: Arc<BankSettings>,
        desk: Arc<BankDesk>,
        inbox: Arc<Inbox>,
        metrics: BankAskedMetrics,
    ) -> (Self, Task) {
        let (waiting, asked) = mpsc::channel(WAITING_MAX);
        let clerk = Self {
            sorter: Sorter::new(settings.asked.clone()),
            settings: Arc::clone(&settings),
            metrics: metrics.clone(),
            waiting,
        };
        (clerk, Task::new(settings, desk, inbox, metrics, asked))
    }

    fn decline(&self, request: BankRequest, is_first_of_class: bool) {
        let mti = request.message.mti();
        if is_first_of_class {
            warn!(
                bank = %request.bank, %mti,
                "nobody takes {} messages of this type of the bank, and they are declined; hand_up of \
                 the bank would make them events. This is logged once, and counted each time",
                mti.class.name()
            );
        }
        self.metrics.of(mti).declined.increment(1);
        request.answer_with(&self.settings.session.unsupported_code);
    }

    fn hand_to_task(&self, request: BankRequest) {
        if let Err(error) = self.waiting.try_send(request) {
            let request = error.into_inner();
            self.metrics.of(request.message.mti()).later.increment(1);
            request.answer_with(&self.settings.asked.busy_code);
        }
    }
}

impl Requests for Clerk {
    fn asked(&self, requests: Vec<BankRequest>) {
        for request in requests {
            match self.sorter.sort(request.message.mti()) {
                Sorted::HandedUp | Sorted::Reconciled => self.hand_to_task(request),
                Sorted::Declined { is_first_of_class } => self.decline(request, is_first_of_class),
            }
        }
    }
}
