//! The one task per bank that hands up what the bank began, in its order: asks the desk which payments
//! it is about, offers the events to the inbox, and answers once they are durable.

use std::{sync::Arc, time::Instant};

use tokio::sync::mpsc;
use tracing::{error, info, warn};

use super::{
    ACKNOWLEDGED, identity,
    notice::{self, About},
    reconcile::{self, Compared},
};
use crate::{
    inbox::{Inbox, Notice, Taken},
    iso8583::{Message, answer},
    link::{BankRequest, settings::BankSettings},
    metrics::BankAskedMetrics,
    payment::{AboutOriginal, Balance, BankDesk, PaymentKey, told_totals},
};

/// Messages that are handed up together: what waits, at most what one write of the store gains by.
const BATCH_MAX: usize = 256;

/// Hands up what a bank began, until it is aborted.
pub struct Task {
    settings: Arc<BankSettings>,
    desk: Arc<BankDesk>,
    inbox: Arc<Inbox>,
    metrics: BankAskedMetrics,
    asked: mpsc::Receiver<BankRequest>,
}

impl Task {
    pub(super) fn new(
        settings: Arc<BankSettings>,
        desk: Arc<BankDesk>,
        inbox: Arc<Inbox>,
        metrics: BankAskedMetrics,
        asked: mpsc::Receiver<BankRequest>,
    ) -> Self {
        Self {
            settings,
            desk,
            inbox,
            metrics,
            asked,
        }
    }

    /// Works until the clerk is gone.
    pub async fn run(mut self) {
        let mut requests = Vec::with_capacity(BATCH_MAX);
        while self.asked.recv_many(&mut requests, BATCH_MAX).await > 0 {
            let about = requests
                .iter()
                .map(|request| AboutOriginal::of(&request.message));
            let payments = self.desk.find(about.collect()).await;
            let mut notices = Vec::with_capacity(requests.len());
            for (request, payment) in requests.drain(..).zip(payments) {
                notices.push(match reconcile::is_one(&request.message) {
                    true => self.reconcile(request).await,
                    false => self.hand_up(request, payment),
                });
            }
            self.inbox.notice(Instant::now(), notices);
        }
    }

    fn hand_up(&self, request: BankRequest, payment: Option<PaymentKey>) -> Notice {
        let mti = request.message.mti();
        info!(
            bank = %request.bank, link = %request.link, %mti, is_about_a_payment = payment.is_some(),
            "the bank began a message that is handed up"
        );
        let about = About {
            payment,
            ..About::default()
        };
        self.notice(request, about, |request| {
            answer::to(&request.message, ACKNOWLEDGED)
        })
    }

    /// Compares the bank's totals with ours. It looks at every payment, which a bank asks for once a day.
    async fn reconcile(&self, request: BankRequest) -> Notice {
        let books = match reconcile::day(&request.message) {
            Some(day) => {
                let theirs = told_totals(&request.message);
                self.desk.books(day, Some(theirs)).await
            }
            None => None,
        };
        let compared = Compared::from(books);
        let (bank, balance) = (&request.bank, compared.balance);
        let day = request.message.text(15).unwrap_or("unknown");
        self.metrics.reconciled(balance.as_str()).increment(1);
        match balance {
            Balance::In => info!(%bank, day, "the bank's totals agree with ours"),
            Balance::Out => error!(%bank, day, "the bank's totals differ from ours; see the event"),
            Balance::Incomparable => {
                warn!(%bank, day, "the bank's totals cannot be compared with ours")
            }
        }
        let about = About {
            reconciliation: Some(compared.reconciliation()),
            ..About::default()
        };
        let settings = Arc::clone(&self.settings);
        self.notice(request, about, move |request| {
            compared.answer(&request.message, &settings.asked)
        })
    }

    /// An event whose message is answered with `acknowledgement` once it is durable.
    fn notice(
        &self,
        request: BankRequest,
        about: About,
        acknowledgement: impl FnOnce(&BankRequest) -> Option<Message> + Send + 'static,
    ) -> Notice {
        let event = notice::event(&request, about, &self.settings.asked.elements);
        let identity = identity::of(&request.bank, &request.message);
        let metrics = self.metrics.of(request.message.mti()).clone();
        let settings = Arc::clone(&self.settings);
        let told = move |taken| {
            let counter = match taken {
                Taken::Durable => &metrics.durable,
                Taken::Repeated => &metrics.repeated,
                Taken::NotNow => &metrics.later,
            };
            counter.increment(1);
            match taken {
                Taken::Durable | Taken::Repeated => {
                    let answer = acknowledgement(&request);
                    if let Some((duty, answer)) = request.answer.zip(answer) {
                        duty.fulfil(answer);
                    }
                }
                Taken::NotNow => put_off(request, &settings.asked.busy_code),
            }
        };
        Notice {
            event,
            identity,
            told: Box::new(told),
        }
    }
}

fn put_off(request: BankRequest, busy_code: &str) {
    let (bank, mti) = (&request.bank, request.message.mti());
    let again = match request.answer {
        Some(_) => "the bank is told to send it again",
        None => "it wants no answer, so the bank may not send it again",
    };
    warn!(%bank, %mti, "an event could not be stored or has no room; {again}");
    request.answer_with(busy_code);
}
