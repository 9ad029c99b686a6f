//! A caller that pays over a stream: so many in flight, results as they come, and a new stream when
//! one is lost. What was in flight then is asked after, never assumed.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use sampan::rpc::proto::{
    PaymentResult, PaymentResults, TransactBatch, TransactRequest, payments_client::PaymentsClient,
};
use tokio::{
    sync::{Notify, mpsc},
    time::{interval, sleep},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Channel};

use super::{
    Again, Shared, WORKERS,
    asker::connect,
    booklet::{Ask, Knowledge},
    open,
    request::{self, Habit},
    rpc_of_life,
};

/// Payments in one batch at most.
const BATCH_MAX: usize = 25;
/// Batches that the transport has not taken yet.
const BATCHES_MAX: usize = 16;
/// Payments without an outcome.
const IN_FLIGHT_MAX: usize = 96;
/// How often payments are sent that are due by the rate.
const TICK: Duration = Duration::from_millis(10);
/// The pause after a stream was refused.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Streamer {
    shared: Arc<Shared>,
    bank: usize,
    per_s: u64,
    again: mpsc::Receiver<Again>,
    hang_up: Arc<Notify>,
    /// New payments made so far.
    made: u32,
    /// By their numbers: the question that an answer belongs to.
    in_flight: HashMap<u32, (Ask, usize)>,
}

impl Streamer {
    pub(super) fn new(
        shared: Arc<Shared>,
        bank: usize,
        per_s: u64,
        again: mpsc::Receiver<Again>,
        hang_up: Arc<Notify>,
    ) -> Self {
        Self {
            shared,
            bank,
            per_s,
            again,
            hang_up,
            made: 0,
            in_flight: HashMap::new(),
        }
    }

    pub(super) async fn run(mut self) {
        while let Some(rpc) = rpc_of_life(&self.shared).await {
            if let Some(client) = connect(&rpc).await {
                self.one_stream(client).await;
            }
            for (number, (_, asked)) in self.in_flight.drain() {
                self.shared.lost(number, asked);
            }
            sleep(PAUSE).await;
        }
    }

    /// One stream to its end.
    async fn one_stream(&mut self, mut client: PaymentsClient<Channel>) {
        let (batches, sent) = mpsc::channel(BATCHES_MAX);
        let Ok(results) = client.transact_stream(ReceiverStream::new(sent)).await else {
            return;
        };
        let mut results: Streaming<PaymentResults> = results.into_inner();
        let hang_up = Arc::clone(&self.hang_up);
        let mut stopping = self.shared.stopping.clone();
        let mut ticks = interval(TICK);
        let (began, mut sent_here) = (Instant::now(), 0);
        loop {
            let is_stopping = *stopping.borrow_and_update();
            if is_stopping && self.in_flight.is_empty() {
                return;
            }
            tokio::select! {
                told = results.message() => match told {
                    Ok(Some(told)) => told.results.iter().for_each(|result| self.told(result)),
                    Ok(None) | Err(Status { .. }) => return,
                },
                _ = ticks.tick(), if !is_stopping => {
                    let due = began.elapsed().as_millis() as u64 * self.per_s / 1_000;
                    sent_here += self.send(due.saturating_sub(sent_here), &batches);
                }
                () = hang_up.notified() => return,
                _ = stopping.changed(), if !is_stopping => {}
            }
        }
    }

    /// Sends what is due as far as there is room; how many of them are new.
    fn send(&mut self, due: u64, batches: &mpsc::Sender<TransactBatch>) -> u64 {
        let Ok(place) = batches.try_reserve() else {
            return 0;
        };
        let room = BATCH_MAX.min(IN_FLIGHT_MAX.saturating_sub(self.in_flight.len()));
        let mut requests = self.repetitions(room);
        let new = (room - requests.len()).min(due as usize);
        for _ in 0..new {
            requests.push(self.next_new());
        }
        if !requests.is_empty() {
            place.send(TransactBatch { requests });
        }
        new as u64
    }

    fn next_new(&mut self) -> TransactRequest {
        let number = self.made * WORKERS + self.bank as u32;
        self.made += 1;
        let (request, asked) = open(&self.shared, number, self.bank);
        self.in_flight.insert(number, (Ask::Pay, asked));
        if Habit::of(number) == Habit::CancelPending {
            self.shared.cancel(number);
        }
        request
    }

    fn repetitions(&mut self, room: usize) -> Vec<TransactRequest> {
        let mut requests = Vec::new();
        while requests.len() < room {
            let Ok(Again { number, is_altered }) = self.again.try_recv() else {
                break;
            };
            if self.in_flight.contains_key(&number) {
                continue;
            }
            let request = request::request(self.shared.seed, number, self.bank);
            let (ask, request) = match is_altered {
                true => (Ask::PayAltered, request::altered(request)),
                false => (Ask::Pay, request),
            };
            let asked = self.shared.booklet.asked(number, ask);
            self.in_flight.insert(number, (ask, asked));
            requests.push(request);
        }
        requests
    }

    fn told(&mut self, result: &PaymentResult) {
        let own = request::number(&result.payment_id);
        let Some((number, (ask, asked))) =
            own.and_then(|number| self.in_flight.remove_entry(&number))
        else {
            return;
        };
        let knowledge = request::knowledge(result);
        self.shared.booklet.told(number, asked, knowledge);
        if ask == Ask::Pay {
            self.after(number, knowledge);
        }
    }

    /// What the caller does now that it was told.
    fn after(&self, number: u32, knowledge: Knowledge) {
        let again = |is_altered| self.shared.again(self.bank, Again { number, is_altered });
        // What is not sent may be paid under the same id later, and would be.
        let is_repeatable = knowledge.is_settled() && knowledge != Knowledge::NotSent;
        match Habit::of(number) {
            Habit::CancelApproved if knowledge == Knowledge::Approved => self.shared.cancel(number),
            // As often as the dice say.
            Habit::Repeat if is_repeatable && fastrand::bool() => again(false),
            Habit::Reuse if is_repeatable => again(true),
            Habit::Plain
            | Habit::CancelPending
            | Habit::CancelApproved
            | Habit::Repeat
            | Habit::Reuse => {}
        }
    }
}
