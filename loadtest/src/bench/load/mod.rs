//! The generator: upstream services that cost as little as they can. It runs on a thread of its own,
//! whose name tells its processor time from the simulators'.

mod book;
mod fields;
mod id;
mod pace;
mod raw;
mod stream;
mod subscriber;
mod template;
mod unary;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tokio::{sync::oneshot, task::JoinSet};
use tonic::{Status, transport::Channel};

pub(super) use book::{BIN_NS, Book};
pub(super) use id::{MOMENT_BYTES, write_decimal, write_hex};
pub(super) use subscriber::{Events, Subscribers};
pub(super) use template::{DESTINATION_PREFIX, SERVICE};

use super::{
    BenchError,
    clock::{Window, now_ns},
    scenario::Call,
};
use pace::{Pace, Schedule};
pub(super) use raw::client_name;
use raw::{SUBMIT, SUBMIT_STREAM, TRANSACT, TRANSACT_STREAM, connect};
use stream::{OpenStream, SharedFlow};
use template::{Batch, Shape};

/// What the generator's threads are called.
pub(super) const THREAD: &str = "bench-load";
/// How often it is looked whether something is due, at most: what the system's timers can do.
const PACE_MIN: Duration = Duration::from_micros(20);
/// How often at least, so that the end of a run is seen.
const PACE_MAX: Duration = Duration::from_millis(1);
/// Requests without an answer in an open loop, over all clients: some seconds' worth, so that a router
/// that stands still does not hold up the schedule.
const OPEN_IN_FLIGHT_MAX: usize = 500_000;
/// OUTCOME_ACCEPTED and PAYMENT_OUTCOME_APPROVED.
const GOOD: u64 = 1;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Messages with a text of so many characters.
    Message { text_chars: usize, receipt: bool },
    /// Purchases.
    Payment,
}

impl Kind {
    fn shape(self) -> Shape {
        match self {
            Self::Message {
                text_chars,
                receipt,
            } => Shape::message(text_chars, receipt),
            Self::Payment => Shape::payment(),
        }
    }

    fn path(self, call: Call) -> &'static str {
        match (self, call) {
            (Self::Message { .. }, Call::Stream) => SUBMIT_STREAM,
            (Self::Message { .. }, Call::Unary) => SUBMIT,
            (Self::Payment, Call::Stream) => TRANSACT_STREAM,
            (Self::Payment, Call::Unary) => TRANSACT,
        }
    }
}

/// One kind of traffic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) kind: Kind,
    pub(super) call: Call,
    pub(super) clients: usize,
    /// Requests without an answer, over all clients.
    pub(super) in_flight: usize,
    pub(super) batch: usize,
    /// Requests per second of an open loop; `None` is a closed one.
    pub(super) per_s: Option<f64>,
    /// The share of a closed loop that `per_s` is to be.
    pub(super) share: Option<f64>,
    /// Where the numbers of its clients begin.
    pub(super) first_client: usize,
}

/// A generator that is connected and waits for its window.
pub(super) struct Generator {
    go: oneshot::Sender<Window>,
    book: oneshot::Receiver<Result<Book, BenchError>>,
    over: oneshot::Sender<()>,
}

/// What a generator has written down. Its thread lives as long as this, so that its processor time can
/// be read after its work.
pub(super) struct Ended {
    pub(super) book: Book,
    _over: oneshot::Sender<()>,
}

impl Generator {
    /// Connects all clients of the load.
    ///
    /// # Errors
    /// When the router does not take them.
    pub(super) async fn connect(rpc: &str, load: Load) -> Result<Self, BenchError> {
        let rpc = rpc.to_owned();
        let (go, window) = oneshot::channel();
        let (tell_ready, ready) = oneshot::channel();
        let (tell_book, book) = oneshot::channel();
        let (over, is_over) = oneshot::channel();
        on_own_thread(format!("{THREAD}-{}", load.first_client), async move {
            let connected = match Connected::open(&rpc, load).await {
                Ok(connected) => connected,
                Err(error) => {
                    tell_ready.send(Err(error)).ok();
                    return;
                }
            };
            // Whoever waits may have given up.
            tell_ready.send(Ok(())).ok();
            if let Ok(window) = window.await {
                tell_book.send(send_all(connected, load, window).await).ok();
                // Nothing is ever said here: it ends when the other side is dropped.
                is_over.await.ok();
            }
        })?;
        ready.await.map_err(|_| BenchError::GeneratorDied)??;
        Ok(Self { go, book, over })
    }

    /// Sends until the end of the window, and returns the book once everything is answered.
    ///
    /// # Errors
    /// When the generator could not run; what the router does wrong is in the book.
    pub(super) async fn run(self, window: Window) -> Result<Ended, BenchError> {
        let sent = self.go.send(window);
        sent.map_err(|_| BenchError::GeneratorDied)?;
        let book = self.book.await.map_err(|_| BenchError::GeneratorDied)??;
        Ok(Ended {
            book,
            _over: self.over,
        })
    }
}

/// Runs it on a thread of its own, which is called so, as long as it takes.
pub(super) fn on_own_thread(
    name: String,
    work: impl Future<Output = ()> + Send + 'static,
) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(BenchError::Thread)?;
    let thread = thread::Builder::new().name(name);
    let thread = thread.spawn(move || runtime.block_on(work));
    thread.map(drop).map_err(BenchError::Thread)
}

/// The clients of a load before their window: what opening them costs is not measured.
enum Connected {
    Streams(Vec<OpenStream>),
    /// Workers share the clients' connections.
    Connections(Vec<Channel>),
}

impl Connected {
    async fn open(rpc: &str, load: Load) -> Result<Self, BenchError> {
        let mut channels = Vec::with_capacity(load.clients);
        for _ in 0..load.clients {
            channels.push(connect(rpc).await?);
        }
        if load.call == Call::Unary {
            return Ok(Self::Connections(channels));
        }
        let in_flight = match load.per_s {
            None => load.in_flight,
            Some(_) => OPEN_IN_FLIGHT_MAX,
        };
        let in_flight = in_flight / load.clients;
        let path = load.kind.path(Call::Stream);
        let mut streams = Vec::with_capacity(load.clients);
        for (stream, channel) in channels.into_iter().enumerate() {
            let batch = Batch::new(load.kind.shape(), load.batch, stream);
            let client = load.first_client + stream;
            streams.push(OpenStream::open(channel, client, path, batch, in_flight).await?);
        }
        Ok(Self::Streams(streams))
    }
}

async fn send_all(connected: Connected, load: Load, window: Window) -> Result<Book, BenchError> {
    let mut book = Book::new(window)?;
    book.offered_per_s = load.per_s;
    let book = Arc::new(Mutex::new(book));
    let mut calls = JoinSet::new();
    match connected {
        Connected::Streams(streams) => {
            let flows = begin(streams, load, &book, &mut calls);
            if load.per_s.is_some() {
                keep_pace(flows, window)?;
            }
        }
        Connected::Connections(channels) => start_workers(&channels, load, &book, &mut calls),
    }
    while let Some(ended) = calls.join_next().await {
        let ended = ended.unwrap_or_else(|error| Err(Status::internal(error.to_string())));
        if let Err(status) = ended {
            lock(&book).fault(&status);
        }
    }
    let book = lock(&book);
    Ok(book.clone())
}

type Calls = JoinSet<Result<(), Status>>;

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

fn begin(
    streams: Vec<OpenStream>,
    load: Load,
    book: &Arc<Mutex<Book>>,
    calls: &mut Calls,
) -> Vec<SharedFlow> {
    let from_ns = now_ns();
    let mut flows = Vec::with_capacity(streams.len());
    for (number, stream) in streams.into_iter().enumerate() {
        let pace = match load.per_s {
            None => Pace::Closed,
            Some(per_s) => {
                let schedule = Schedule::of(number, load.clients, per_s, load.batch, from_ns);
                Pace::Open(schedule)
            }
        };
        flows.push(stream.begin(pace, Arc::clone(book)));
        calls.spawn(stream.run(Arc::clone(book), GOOD));
    }
    flows
}

/// One worker for each request in flight; they share the clients' connections.
fn start_workers(channels: &[Channel], load: Load, book: &Arc<Mutex<Book>>, calls: &mut Calls) {
    let clients = channels.iter().enumerate().cycle();
    for (worker, (client, channel)) in (0..load.in_flight).zip(clients) {
        let batch = Batch::unary(load.kind.shape(), worker);
        let path = load.kind.path(Call::Unary);
        let client = load.first_client + client;
        let book = Arc::clone(book);
        calls.spawn(unary::run(channel.clone(), client, path, batch, book, GOOD));
    }
}

/// Wakes the streams of an open loop when their batches are due. A thread of its own, because the
/// runtime's timers tick in milliseconds.
fn keep_pace(flows: Vec<SharedFlow>, window: Window) -> Result<(), BenchError> {
    let pacer = thread::Builder::new().name(format!("{THREAD}-pace"));
    let pacer = pacer.spawn(move || {
        while now_ns() < window.end_ns {
            let mut pause = PACE_MAX;
            for flow in &flows {
                let Some(due_ns) = flow.waits_until_ns() else {
                    continue;
                };
                match due_ns.checked_sub(now_ns()) {
                    None | Some(0) => flow.wake(),
                    Some(left_ns) => pause = pause.min(Duration::from_nanos(left_ns)),
                }
            }
            thread::sleep(pause.max(PACE_MIN));
        }
    });
    // It ends by itself.
    pacer.map(drop).map_err(BenchError::Thread)
}
