//! Takes what is due and lets its carrier make the calls, many at once and never many to one target.
//!
//! A target that is down gets one call at a time until one of them succeeds, so that it keeps few places
//! from the others. Several machines may run a worker: what one has taken is due to another only when its
//! lease ends.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    task::{Id as TaskId, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Carrier, Kind, Retention, Verdict, keep, measures,
    queue::{self, Next, Taken, Target},
};
use crate::{
    metrics::carried,
    moment::UnixMs,
    seal::Keys,
    store::{Store, StoreError},
};

/// Calls at once. More than there are partners, so that all of them could be down at once.
pub const CALLS_MAX: usize = 256;

/// Calls to one target at once, while it takes them.
pub const CALLS_PER_TARGET_MAX: usize = 8;

/// How long a delivery is kept from others after it was taken: longer than any call takes with the change
/// after it, short enough that what a crash has cut off goes on soon.
pub const LEASE: Duration = Duration::from_secs(60);

/// How long a carrier may take, so that an attempt has ended before its lease does.
const CALL_TIMEOUT: Duration = Duration::from_secs(45);

/// How often the database is asked for what is due. Half of it or all, so that machines do not ask at once.
const POLL: Duration = Duration::from_millis(500);

/// The same after the database could not say, so that a log is not filled while it is away.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(5);

/// How often figures are taken and what is old is forgotten.
const TIDY_MS: i64 = 15_000;

/// Rows that are forgotten at a time, so that the change is short.
const TIDY_MAX: u32 = 1_000;

/// Tries of noting an attempt's end. After that the delivery is made again when its lease ends.
const NOTE_TRIES_MAX: u32 = 3;

/// The time.
pub type Clock = Arc<dyn Fn() -> UnixMs + Send + Sync>;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The target has it.
    Done,
    /// It is tried again.
    Failed,
    /// It is a dead letter.
    Dead,
    /// Its end could not be noted, or came too late to count; the delivery goes on without it.
    Unnoted,
}

/// Delivers.
pub struct Worker {
    shared: Arc<Shared>,
    retention: Retention,
    calls: JoinSet<Ended>,
    /// To whom each call is.
    targets: HashMap<TaskId, Target>,
    /// Whose last call failed.
    down: HashSet<Target>,
    tidied_at: UnixMs,
}

struct Shared {
    store: Store,
    keys: Keys,
    carriers: Vec<(Kind, Arc<dyn Carrier>)>,
    clock: Clock,
}

impl Shared {
    fn carrier(&self, kind: Kind) -> Option<&Arc<dyn Carrier>> {
        let mut carriers = self.carriers.iter();
        carriers
            .find(|(of_kind, _)| *of_kind == kind)
            .map(|(_, carrier)| carrier)
    }
}

impl Worker {
    /// A worker of the kinds that have a carrier.
    pub fn new(
        store: Store,
        keys: Keys,
        carriers: Vec<(Kind, Arc<dyn Carrier>)>,
        retention: Retention,
        clock: Clock,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                keys,
                carriers,
                clock,
            }),
            retention,
            calls: JoinSet::new(),
            targets: HashMap::new(),
            down: HashSet::new(),
            tidied_at: UnixMs(i64::MIN),
        }
    }

    /// Works until it is told to stop, and then lets the calls end that are being made.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let mut pause = POLL.mul_f64(0.5 + fastrand::f64() / 2.0);
            if let Err(error) = self.start_due().await {
                tracing::warn!(%error, "deliveries are not taken");
                pause = PAUSE_AFTER_ERROR;
            }
            if let Err(error) = self.tidy().await {
                tracing::warn!(%error, "old deliveries are not forgotten");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                Some(_) = self.next_ended() => while self.ended_already().is_some() {},
                () = sleep(pause) => {}
            }
        }
        while self.next_ended().await.is_some() {}
    }

    /// Starts calls of what is due, as far as there are places, and says how many.
    ///
    /// # Errors
    /// The database. What was taken is due again when its lease ends.
    pub async fn start_due(&mut self) -> Result<usize, StoreError> {
        let now = (self.shared.clock)();
        if self.calls.len() >= CALLS_MAX {
            return Ok(0);
        }
        let due = {
            let mut read = self.shared.store.read().await?;
            queue::due_targets(&mut read, now).await?
        };
        let taken = self.take(due, now).await?;
        let started = taken.len();
        for taken in taken {
            let target = taken.target.clone();
            let task = self.calls.spawn(carried(call(self.shared.clone(), taken)));
            self.targets.insert(task.id(), target);
        }
        Ok(started)
    }

    async fn take(&self, due: Vec<Target>, now: UnixMs) -> Result<Vec<Taken>, StoreError> {
        let mut all = Vec::new();
        let with_places = due.into_iter().filter_map(|target| {
            let places = self.places(&target);
            (places > 0).then_some((target, places))
        });
        let with_places: Vec<_> = with_places.collect();
        if with_places.is_empty() {
            return Ok(all);
        }
        let lease_ms = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
        let lease_until = UnixMs(now.0.saturating_add(lease_ms));
        let mut write = self.shared.store.write().await?;
        for (target, places) in with_places {
            let places = places.min(CALLS_MAX - self.calls.len() - all.len());
            if places == 0 {
                break;
            }
            queue::bury(&mut write, &target, now).await?;
            all.extend(queue::take(&mut write, &target, places, lease_until, now).await?);
        }
        write.commit().await?;
        Ok(all)
    }

    /// How many further calls a target may get.
    fn places(&self, target: &Target) -> usize {
        if self.shared.carrier(target.kind).is_none() {
            return 0;
        }
        let most = match self.down.contains(target) {
            true => 1,
            false => CALLS_PER_TARGET_MAX,
        };
        let busy = self.targets.values().filter(|busy| *busy == target).count();
        most.saturating_sub(busy)
    }

    /// Waits for the end of a call, if one is being made.
    pub async fn next_ended(&mut self) -> Option<Ended> {
        let ended = self.calls.join_next_with_id().await?;
        Some(self.ended(ended))
    }

    fn ended_already(&mut self) -> Option<Ended> {
        let ended = self.calls.try_join_next_with_id()?;
        Some(self.ended(ended))
    }

    fn ended(&mut self, ended: Result<(TaskId, Ended), tokio::task::JoinError>) -> Ended {
        let (id, ended) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "a carrier has failed; its delivery is made again");
                (error.id(), Ended::Unnoted)
            }
        };
        if let Some(target) = self.targets.remove(&id) {
            if ended == Ended::Done {
                self.down.remove(&target);
            } else {
                self.down.insert(target);
            }
        }
        ended
    }

    /// Forgets what is old, and shows the figures, every now and then.
    async fn tidy(&mut self) -> Result<(), StoreError> {
        let now = (self.shared.clock)();
        if now.0.saturating_sub(self.tidied_at.0) < TIDY_MS {
            return Ok(());
        }
        self.tidied_at = now;
        let mut write = self.shared.store.write().await?;
        keep::wipe(&mut write, self.retention.payload_before(now), TIDY_MAX).await?;
        keep::forget(&mut write, self.retention.row_before(now), TIDY_MAX).await?;
        write.commit().await?;
        let mut read = self.shared.store.read().await?;
        measures::show(&keep::figures(&mut read).await?, now);
        Ok(())
    }
}

/// Makes one call and notes its end.
async fn call(shared: Arc<Shared>, taken: Taken) -> Ended {
    let verdict = carry(&shared, &taken).await;
    let next = taken.next(verdict, fastrand::f64());
    match &next {
        Next::Done => tracing::debug!(%taken, "delivered"),
        Next::Again { why, .. } => tracing::info!(%taken, why, "not delivered yet"),
        Next::Dead { why } => tracing::warn!(%taken, why, "a dead letter: replay it or drop it"),
    }
    match note(&shared, &taken, &next).await {
        Ok(true) => {}
        Ok(false) => return Ended::Unnoted,
        Err(error) => {
            tracing::warn!(%taken, %error, "the end is not noted; it is delivered again");
            return Ended::Unnoted;
        }
    }
    measures::ended(taken.target.kind, &next);
    match next {
        Next::Done => Ended::Done,
        Next::Again { .. } => Ended::Failed,
        Next::Dead { .. } => Ended::Dead,
    }
}

async fn carry(shared: &Shared, taken: &Taken) -> Verdict {
    let Some(carrier) = shared.carrier(taken.target.kind) else {
        return Verdict::failed("nobody carries this kind");
    };
    match taken.open(&shared.keys) {
        Ok(attempt) => {
            let carried = carrier.carry(&attempt, (shared.clock)());
            let late = |_| Verdict::failed("the call has not ended in time");
            timeout(CALL_TIMEOUT, carried).await.unwrap_or_else(late)
        }
        Err(error) => Verdict::failed(error),
    }
}

async fn note(shared: &Shared, taken: &Taken, next: &Next) -> Result<bool, StoreError> {
    let mut tries = 1;
    loop {
        let noted = try_to_note(shared, taken, next).await;
        match noted {
            Err(error) if error.is_busy() && tries < NOTE_TRIES_MAX => tries += 1,
            noted => return noted,
        }
    }
}

async fn try_to_note(shared: &Shared, taken: &Taken, next: &Next) -> Result<bool, StoreError> {
    let mut write = shared.store.write().await?;
    let noted = queue::end(&mut write, taken, next, (shared.clock)()).await?;
    write.commit().await?;
    Ok(noted)
}
