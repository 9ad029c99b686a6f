//! What comes in from the networks: messages of subscribers, receipts of ours, and what banks begin.
//!
//! ```text
//!   router ─► reception ─► one change of the database: what it causes, and that it was here ─► acknowledged
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `grammar`, `words`, `command` | what a text asks for |
//! | `event` | what the router hands over, read |
//! | `handle` | who deals with it |
//! | `lanes` | which events wait for each other |
//! | `desk` | each event dealt with once |
//! | `record`, `bank_event` | the tables |
//!
//! Architecture Invariant: an event is acknowledged only after the commit of all that it causes. Nothing
//! here shows a text.

mod bank_event;
mod command;
mod desk;
mod event;
mod grammar;
mod handle;
mod lanes;
mod record;
mod shown;
mod words;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

pub use command::Command;
pub use grammar::{Grammar, GrammarFault, GrammarWords, TEXT_LENGTH_MAX};
pub use handle::{Delivery, Handle, HandleError, Handled, Handling, Mo, Receipt};
pub(crate) use record::context;
pub use record::forget;
pub use shown::{SHOWN_LENGTH_MAX, ShownWord, ShownWords};

use self::lanes::{LANES, lane_of};
use crate::{
    metrics::{INTAKE_CONNECTED, carried},
    moment::UnixMs,
    port::Unheard,
    router::{Acknowledgements, Router, UNACKNOWLEDGED_MAX, proto::Event},
    seal::Keys,
    store::Store,
    word::Id,
};

/// The first wait before the subscription is opened again.
const WAIT_MIN: Duration = Duration::from_millis(100);

/// The longest one. Whoever repairs the router or the database is not to wait for us.
const WAIT_MAX: Duration = Duration::from_secs(15);

/// How often old messages are forgotten.
const FORGET_PERIOD: Duration = Duration::from_secs(3_600);

/// Messages that are forgotten in one change, so that it is short.
const FORGET_MAX: u32 = 1_000;

/// How what comes in is received.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The router's subscription. Several instances of commerce may share it.
    pub subscription: Id,
    /// The same message within this time, from the same number to the same, is a repetition by an SMSC
    /// and not a second wish; two minutes is what the router holds for it.
    pub repeat_window: Duration,
    /// For how long messages are kept; longer than the router may be without us.
    pub keep: Duration,
}

/// The reception.
#[derive(Clone)]
pub struct Intake {
    /// Where events come from.
    pub router: Router,
    /// Where they are kept.
    pub store: Store,
    /// What texts are sealed with.
    pub keys: Keys,
    /// What texts mean.
    pub grammar: Grammar,
    /// Who deals with them.
    pub handler: Arc<dyn Handle>,
    /// The time.
    pub clock: Arc<dyn Fn() -> UnixMs + Send + Sync>,
    /// How.
    pub settings: Settings,
}

/// Why a reception has ended. What was not acknowledged comes again.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Router(#[from] Unheard),
    #[error("an event was not dealt with: {0}")]
    Handle(#[from] HandleError),
}

impl Intake {
    /// Receives until it is told to stop, which may be at any time: what is not committed by then is
    /// undone, and comes again.
    pub async fn run(&self, stopping: &CancellationToken) {
        let both = async { tokio::join!(self.receive_on(), self.forget_on()) };
        // Nothing comes of what never ends by itself.
        stopping.run_until_cancelled(both).await;
        connected(false);
    }

    async fn receive_on(&self) {
        let mut wait = WAIT_MIN;
        loop {
            let is_on = Arc::new(AtomicBool::new(false));
            let Err(ended) = self.receive(&is_on).await;
            connected(false);
            tracing::warn!(
                subscription = %self.settings.subscription,
                "what comes in is not received: {ended}"
            );
            if is_on.load(Relaxed) {
                wait = WAIT_MIN;
            }
            // Between half and the whole, so that instances do not come back together.
            sleep(wait / 2 + (wait / 2).mul_f64(fastrand::f64())).await;
            wait = WAIT_MAX.min(wait * 2);
        }
    }

    /// Receives until the router or the database fails; `is_on` is set once an event was dealt with.
    async fn receive(&self, is_on: &Arc<AtomicBool>) -> Result<Infallible, Ended> {
        let mut reception = self.router.receive(&self.settings.subscription).await?;
        connected(true);
        let mut working = JoinSet::new();
        let lanes = [(); LANES].map(|()| {
            let (lane, waiting) = mpsc::channel(UNACKNOWLEDGED_MAX as usize);
            let (own, told) = (self.clone(), reception.acknowledgements());
            working.spawn(carried(own.deal_with_all(waiting, told, Arc::clone(is_on))));
            lane
        });
        loop {
            tokio::select! {
                event = reception.next() => {
                    let event = event?;
                    // There is room for all that may come unacknowledged. Whose lane has ended is told below.
                    if lanes[lane_of(&event)].send(event).await.is_err() {
                        return Err(ended(working.join_next().await));
                    }
                }
                lane = working.join_next() => return Err(ended(lane)),
            }
        }
    }

    /// Deals with the events of a lane, one after another.
    async fn deal_with_all(
        self,
        mut waiting: mpsc::Receiver<Event>,
        told: Acknowledgements,
        is_on: Arc<AtomicBool>,
    ) -> Result<(), Ended> {
        while let Some(event) = waiting.recv().await {
            let delivery_id = event.delivery_id;
            self.deal_with(event).await?;
            told.acknowledge(delivery_id).await?;
            is_on.store(true, Relaxed);
        }
        Ok(())
    }

    async fn forget_on(&self) {
        let mut period = interval(FORGET_PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            period.tick().await;
            if let Err(error) = self.forget_old().await {
                tracing::warn!("old messages are not forgotten: {error}");
            }
        }
    }

    async fn forget_old(&self) -> Result<(), HandleError> {
        let keep_ms = i64::try_from(self.settings.keep.as_millis()).unwrap_or(i64::MAX);
        let before = UnixMs(self.now().0.saturating_sub(keep_ms));
        loop {
            let mut write = self.store.write().await?;
            let forgotten = forget(&mut write, before, FORGET_MAX).await?;
            write.commit().await?;
            if forgotten < u64::from(FORGET_MAX) {
                return Ok(());
            }
        }
    }

    fn now(&self) -> UnixMs {
        (self.clock)()
    }
}

/// Why a lane has ended; each goes on for as long as it is fed.
fn ended(lane: Option<Result<Result<(), Ended>, JoinError>>) -> Ended {
    match lane {
        Some(Ok(Err(ended))) => ended,
        Some(Err(error)) => HandleError::Fault(format!("its task ended early: {error}")).into(),
        Some(Ok(Ok(()))) | None => HandleError::Fault("its lane was closed".to_owned()).into(),
    }
}

fn connected(is_connected: bool) {
    metrics::gauge!(INTAKE_CONNECTED).set(f64::from(u8::from(is_connected)));
}
