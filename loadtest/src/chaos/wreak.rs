//! Lets a plan happen: each event at its moment, to whom it is meant for.

use std::time::{Duration, Instant};

use tokio::{
    sync::mpsc,
    time::{sleep_until, timeout},
};

use super::{
    ChaosError, WATCH,
    banks::Banks,
    caller::{Callers, booklet::Booklet},
    clock::Clock,
    plan::{Action, Plan, RouterFault},
    router::{DiskSwitch, Router},
};

/// Faults of the router that wait for it to serve again; what does not fit is left out.
const ROUTER_FAULTS_WAITING_MAX: usize = 256;
/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(10);

/// Everything that a plan can happen to, except the router, which suffers one fault at a time.
pub(super) struct World<'a> {
    pub(super) banks: &'a Banks,
    pub(super) callers: &'a Callers,
    pub(super) disk: DiskSwitch,
    pub(super) clock: Option<Clock>,
    pub(super) booklet: &'a Booklet,
}

impl World<'_> {
    /// The whole plan. The router comes back alive.
    pub(super) async fn wreak(&self, plan: &Plan, router: Router) -> Result<Router, ChaosError> {
        let (faults, waiting) = mpsc::channel(ROUTER_FAULTS_WAITING_MAX);
        let (router, ()) =
            tokio::try_join!(suffer_all(router, waiting), self.act_all(plan, faults))?;
        Ok(router)
    }

    async fn act_all(
        &self,
        plan: &Plan,
        faults: mpsc::Sender<RouterFault>,
    ) -> Result<(), ChaosError> {
        let began = Instant::now();
        let mut told = began;
        for event in &plan.events {
            sleep_until((began + Duration::from_millis(event.at_ms)).into()).await;
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                self.tell_progress(began);
            }
            self.act(&event.action, &faults).await?;
        }
        sleep_until((began + Duration::from_millis(plan.length_ms)).into()).await;
        Ok(())
    }

    fn tell_progress(&self, began: Instant) {
        eprintln!(
            "{:>4} s: {} payments, {} not settled, {} cuts",
            began.elapsed().as_secs(),
            self.booklet.numbers().len(),
            self.booklet.unsettled().len(),
            self.banks.cuts()
        );
    }

    async fn act(
        &self,
        action: &Action,
        faults: &mpsc::Sender<RouterFault>,
    ) -> Result<(), ChaosError> {
        match *action {
            Action::Router(fault) => {
                // See ROUTER_FAULTS_WAITING_MAX.
                faults.try_send(fault).ok();
            }
            Action::Strike { bank, pick, strike } => self.banks.strike(bank, pick, strike),
            Action::Weather { bank, weather } => self.banks.set_weather(bank, weather),
            Action::Mood { bank, mood } => {
                let changed = self.banks.set_mood(bank, mood).await;
                changed.map_err(ChaosError::Banks)?;
            }
            Action::Disk(disk) => self.disk.set(disk).map_err(ChaosError::Disk)?,
            Action::Clock { offset_s } => {
                if let Some(clock) = &self.clock {
                    clock.set(offset_s).map_err(ChaosError::Clock)?;
                }
            }
            Action::HangUp { bank } => self.callers.hang_up(bank),
        }
        Ok(())
    }
}

/// One fault after the other, until no more come; between them the router is watched.
async fn suffer_all(
    mut router: Router,
    mut faults: mpsc::Receiver<RouterFault>,
) -> Result<Router, ChaosError> {
    loop {
        match timeout(WATCH, faults.recv()).await {
            Ok(Some(fault)) => router.suffer(fault).await?,
            Ok(None) => return Ok(router),
            Err(_) => router.supervise().await?,
        }
    }
}
