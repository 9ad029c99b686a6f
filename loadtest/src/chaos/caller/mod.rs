//! The upstream services: two pay over streams, two one by one, one asks after what was lost, one
//! takes payments back. They do what a careful caller may do and no more: an id is sent again only
//! with the same body, or to see the other one refused.
//!
//! `booklet` is what they remember, `request` what they want, `streamer`, `unary` and `asker` how they
//! talk to the router.

mod asker;
pub(crate) mod booklet;
pub(crate) mod request;
mod streamer;
mod unary;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout_at},
};

use super::{plan::BANKS, router::Living};
use asker::Asker;
use booklet::{Ask, Booklet};
use streamer::Streamer;
use unary::Unary;

/// Payments that wait to be asked after, taken back or sent again. What does not fit is left out: the
/// end of the run asks after every payment anyway.
const WAITING_MAX: usize = 65_536;
/// Callers that ask at the end, each over a connection of its own.
const ASKERS: usize = 32;
/// Between two rounds of questions at the end.
const ROUND: Duration = Duration::from_millis(100);
/// Payments per second of those who pay one by one; the streams bring the rest.
const UNARY_PER_S: u64 = 20;

/// Payments by number: each worker has every fourth, so that what a worker does is the same in every
/// run, however the others fare.
const WORKERS: u32 = 2 * BANKS as u32;

/// What a streamer sends beside new payments.
#[derive(Clone, Copy, Debug)]
struct Again {
    number: u32,
    /// With another body, which must be refused.
    is_altered: bool,
}

/// What all workers share.
struct Shared {
    seed: u64,
    booklet: Arc<Booklet>,
    living: watch::Receiver<Living>,
    stopping: watch::Receiver<bool>,
    uncertain: mpsc::Sender<u32>,
    cancels: mpsc::Sender<u32>,
    again: [mpsc::Sender<Again>; BANKS],
}

impl Shared {
    /// Asks for a payment to be asked after, because its answer was lost.
    fn lost(&self, number: u32, asked: usize) {
        self.booklet.lost(number, asked);
        // See WAITING_MAX.
        self.uncertain.try_send(number).ok();
    }

    fn again(&self, bank: usize, again: Again) {
        if let Some(streamer) = self.again.get(bank) {
            streamer.try_send(again).ok();
        }
    }

    fn cancel(&self, number: u32) {
        self.cancels.try_send(number).ok();
    }
}

/// The upstream services of a run. They end when this is dropped.
pub(crate) struct Callers {
    booklet: Arc<Booklet>,
    living: watch::Receiver<Living>,
    stopping: watch::Sender<bool>,
    hang_ups: [Arc<Notify>; BANKS],
    workers: JoinSet<()>,
}

impl Callers {
    /// They begin to pay, so many payments per second together, as soon as the router lives.
    pub(crate) fn start(
        seed: u64,
        rate: u64,
        booklet: &Arc<Booklet>,
        living: &watch::Receiver<Living>,
    ) -> Self {
        let (stopping, stopped) = watch::channel(false);
        let (uncertain, to_ask_after) = mpsc::channel(WAITING_MAX);
        let (cancels, to_cancel) = mpsc::channel(WAITING_MAX);
        let ((again_0, of_0), (again_1, of_1)) =
            (mpsc::channel(WAITING_MAX), mpsc::channel(WAITING_MAX));
        let shared = Arc::new(Shared {
            seed,
            booklet: Arc::clone(booklet),
            living: living.clone(),
            stopping: stopped,
            uncertain,
            cancels,
            again: [again_0, again_1],
        });
        let hang_ups: [Arc<Notify>; BANKS] = Default::default();
        let mut workers = JoinSet::new();
        let per_stream = (rate.saturating_sub(UNARY_PER_S) / BANKS as u64).max(1);
        for ((bank, again), hang_up) in [of_0, of_1].into_iter().enumerate().zip(&hang_ups) {
            let shared = Arc::clone(&shared);
            let hang_up = Arc::clone(hang_up);
            workers.spawn(Streamer::new(shared, bank, per_stream, again, hang_up).run());
        }
        for bank in 0..BANKS {
            let per_s = UNARY_PER_S / BANKS as u64;
            workers.spawn(Unary::new(Arc::clone(&shared), bank, per_s).run());
        }
        workers.spawn(ask_after(Arc::clone(&shared), to_ask_after));
        workers.spawn(take_back(shared, to_cancel));
        Self {
            booklet: Arc::clone(booklet),
            living: living.clone(),
            stopping,
            hang_ups,
            workers,
        }
    }

    /// The caller at this bank drops its stream.
    pub(crate) fn hang_up(&self, bank: usize) {
        if let Some(hang_up) = self.hang_ups.get(bank) {
            hang_up.notify_one();
        }
    }

    /// No new payments; waits for what is in flight, and then asks after everything that is not
    /// settled until it is, or `deadline` passes.
    pub(crate) async fn settle(&mut self, deadline: Instant) {
        self.stopping.send_replace(true);
        while let Ok(Some(_)) = timeout_at(deadline.into(), self.workers.join_next()).await {}
        self.workers.abort_all();
        loop {
            let unsettled = self.booklet.unsettled();
            if unsettled.is_empty() || Instant::now() >= deadline {
                return;
            }
            // Whoever was not asked in time is found unsettled.
            self.ask_all(unsettled, deadline).await;
            sleep(ROUND).await;
        }
    }

    /// Asks once more after every payment: what was told must still be so. False if `deadline` passed
    /// before all were asked.
    pub(crate) async fn confirm(&self, deadline: Instant) -> bool {
        self.ask_all(self.booklet.numbers(), deadline).await
    }

    async fn ask_all(&self, numbers: Vec<u32>, deadline: Instant) -> bool {
        let mut asking = JoinSet::new();
        let share = numbers.len().div_ceil(ASKERS).max(1);
        for numbers in numbers.chunks(share).map(<[u32]>::to_vec) {
            let mut asker = Asker::new(&self.booklet, &self.living);
            asking.spawn(async move {
                for number in numbers {
                    // One that was not answered is asked after in the next round, if there is one.
                    asker.look_up(number).await;
                }
            });
        }
        // Those that are too late are dropped with the set.
        while let Ok(Some(_)) = timeout_at(deadline.into(), asking.join_next()).await {}
        asking.is_empty()
    }
}

/// Asks after payments whose stream was lost. What the router does not know is sent again under the
/// same id, which a caller may do at any time; every second one, because others do not.
async fn ask_after(shared: Arc<Shared>, mut numbers: mpsc::Receiver<u32>) {
    let mut asker = Asker::new(&shared.booklet, &shared.living);
    let mut stopping = shared.stopping.clone();
    loop {
        let number = tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            Some(number) = numbers.recv() => number,
        };
        let knowledge = asker.look_up(number).await;
        if knowledge == Some(booklet::Knowledge::NotFound) && (number / WORKERS).is_multiple_of(2) {
            let bank = (number % WORKERS) as usize % BANKS;
            let is_altered = false;
            shared.again(bank, Again { number, is_altered });
        }
    }
}

/// Takes payments back, each until the router has answered.
async fn take_back(shared: Arc<Shared>, mut numbers: mpsc::Receiver<u32>) {
    let mut asker = Asker::new(&shared.booklet, &shared.living);
    let mut stopping = shared.stopping.clone();
    loop {
        let number = tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            Some(number) = numbers.recv() => number,
        };
        while !asker.take_back(number).await && !*stopping.borrow() {}
    }
}

/// Waits until the router lives, and tells where; `None` once the workers are to stop.
async fn rpc_of_life(shared: &Shared) -> Option<String> {
    let (mut living, mut stopping) = (shared.living.clone(), shared.stopping.clone());
    tokio::select! {
        _ = stopping.wait_for(|stopping| *stopping) => None,
        alive = living.wait_for(|living| living.rpc.is_some()) => alive.ok()?.rpc.clone(),
    }
}

/// Enters the question for a payment, and the payment before it.
fn open(shared: &Shared, number: u32, bank: usize) -> (sampan::rpc::proto::TransactRequest, usize) {
    let request = request::request(shared.seed, number, bank);
    let amount_minor = request.amount.as_ref().map_or(0, |own| own.amount_minor);
    shared.booklet.open(number, bank, amount_minor);
    (request, shared.booklet.asked(number, Ask::Pay))
}
