//! One stream of batches: `SubmitStream` or `TransactStream`. The requests are made when the connection
//! asks for them, so there is no task and no queue between the answers and what they make room for.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{sleep_until, timeout};
use tokio_stream::Stream;
use tonic::{Status, Streaming, transport::Channel};

use super::{
    book::Book,
    fields::{Fields, Value, all},
    id::Id,
    lock,
    pace::Pace,
    raw::{RawCodec, caller, path, request},
    template::Batch,
};
use crate::bench::clock::{self, now_ns};

/// How long the last answers may take.
const DRAIN_MAX: Duration = Duration::from_secs(30);

/// A stream's requests, on their way out.
struct Flow {
    batch: Batch,
    in_flight_max: usize,
    unanswered: usize,
    stage: Stage,
    waiting: Option<Waker>,
}

/// How far a stream is.
enum Stage {
    /// Open, and nothing leaves yet.
    Held,
    /// What is due and has room leaves.
    Sending { pace: Pace, book: Arc<Mutex<Book>> },
    /// Nothing more leaves.
    Over,
}

/// Shared by what sends, what reads the answers, and what keeps the pace.
#[derive(Clone)]
pub(super) struct SharedFlow(Arc<Mutex<Flow>>);

impl SharedFlow {
    fn new(batch: Batch, in_flight_max: usize) -> Self {
        Self(Arc::new(Mutex::new(Flow {
            // With less room than a batch nothing could ever leave.
            in_flight_max: in_flight_max.max(batch.len()),
            batch,
            unanswered: 0,
            stage: Stage::Held,
            waiting: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Flow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the next batch is due; `None` if nothing waits for that moment.
    pub(super) fn waits_until_ns(&self) -> Option<u64> {
        let flow = self.lock();
        match &flow.stage {
            Stage::Sending { pace, .. } if flow.waiting.is_some() && flow.has_room() => {
                Some(pace.due_ns(0))
            }
            _ => None,
        }
    }

    /// Lets the stream look again whether something is due.
    pub(super) fn wake(&self) {
        let waker = self.lock().waiting.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn go_on(&self, stage: Stage) {
        self.lock().stage = stage;
        self.wake();
    }

    fn make_room(&self, answers: usize) {
        let waker = {
            let mut flow = self.lock();
            flow.unanswered = flow.unanswered.saturating_sub(answers);
            match flow.has_room() {
                true => flow.waiting.take(),
                false => None,
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Flow {
    fn has_room(&self) -> bool {
        self.unanswered + self.batch.len() <= self.in_flight_max
    }

    /// The next batch, if it is due and there is room.
    fn next(&mut self) -> Option<Bytes> {
        let has_room = self.has_room();
        let Stage::Sending { pace, book } = &mut self.stage else {
            return None;
        };
        let now_ns = now_ns();
        let due_ns = pace.due_ns(now_ns);
        if !has_room || due_ns > now_ns {
            return None;
        }
        let (requests, first) = (self.batch.len(), self.batch.made());
        let octets = self.batch.next(due_ns);
        pace.step();
        lock(book).leaves(requests as u64, first, due_ns, now_ns);
        self.unanswered += requests;
        Some(octets)
    }
}

/// What the connection asks for requests.
struct Requests(SharedFlow);

impl Stream for Requests {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut flow = self.0.lock();
        if matches!(flow.stage, Stage::Over) {
            return Poll::Ready(None);
        }
        match flow.next() {
            Some(octets) => Poll::Ready(Some(octets)),
            None => {
                flow.waiting = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// A stream that is open, and on which nothing has left yet.
pub(super) struct OpenStream {
    flow: SharedFlow,
    answers: Streaming<Bytes>,
}

impl OpenStream {
    pub(super) async fn open(
        channel: Channel,
        client: usize,
        call: &'static str,
        batch: Batch,
        in_flight_max: usize,
    ) -> Result<Self, Status> {
        let flow = SharedFlow::new(batch, in_flight_max);
        let mut grpc = caller(channel);
        let ready = grpc.ready().await;
        ready.map_err(|error| Status::unavailable(error.to_string()))?;
        let requests = request(client, Requests(flow.clone()));
        let opened = grpc.streaming(requests, path(call), RawCodec).await?;
        Ok(Self {
            flow,
            answers: opened.into_inner(),
        })
    }

    /// Lets requests leave from now on.
    pub(super) fn begin(&self, pace: Pace, book: Arc<Mutex<Book>>) -> SharedFlow {
        self.flow.go_on(Stage::Sending { pace, book });
        self.flow.clone()
    }

    /// Goes on until the end of the window and the last answer.
    pub(super) async fn run(self, book: Arc<Mutex<Book>>, good_outcome: u64) -> Result<(), Status> {
        let Self { flow, mut answers } = self;
        let end_ns = lock(&book).window.end_ns;
        let end = sleep_until(clock::instant(end_ns));
        tokio::pin!(end);
        loop {
            let answer = tokio::select! {
                answer = answers.message() => answer?,
                () = &mut end => break,
            };
            match answer {
                Some(octets) => flow.make_room(note(&octets, &book, good_outcome)),
                None => return Err(Status::aborted("the router has ended the stream")),
            }
        }
        flow.go_on(Stage::Over);
        let drain = async {
            while let Some(octets) = answers.message().await? {
                note(&octets, &book, good_outcome);
            }
            Ok(())
        };
        timeout(DRAIN_MAX, drain)
            .await
            .unwrap_or_else(|_| Err(Status::deadline_exceeded("some answers did not come")))
    }
}

/// Notes a batch of answers; how many there are.
fn note(octets: &[u8], book: &Mutex<Book>, good_outcome: u64) -> usize {
    let now_ns = now_ns();
    let mut book = lock(book);
    let mut answers = 0;
    for result in all(octets, 1) {
        answers += 1;
        note_result(result, now_ns, &mut book, good_outcome);
    }
    answers
}

/// Notes one SubmitResult or PaymentResult: field 1 is the id, field 2 the outcome, and in both the
/// fields come in their order.
pub(super) fn note_result(result: &[u8], now_ns: u64, book: &mut Book, good_outcome: u64) {
    let mut fields = Fields::of(result);
    match (fields.next(), fields.next()) {
        (Some((1, Value::Octets(id))), Some((2, Value::Number(outcome)))) => match Id::read(id) {
            Some(id) => book.answer(id.number, id.at_ns, now_ns, outcome == good_outcome),
            None => book.stranger(),
        },
        _ => book.stranger(),
    }
}
