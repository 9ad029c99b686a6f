//! The networks of the bench: a message centre and a bank that do as little as can be done, so that
//! what is measured is the router. Each runs on a thread of its own, whose name tells its processor
//! time from the generator's.

mod bank;
mod iso;
mod smpp;
mod smsc;

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    time::{Instant, sleep_until},
};

pub(super) use iso::{request_of_floor, sign_on_of_floor};
pub(super) use smpp::{command, put_deliver_of_floor, put_submit};
pub(super) use smsc::{Counts, Delivering};

use super::{BenchError, load::on_own_thread};
use bank::Link;
use smsc::Connection;

/// What the threads of the networks are called.
pub(super) const THREAD: &str = "bench-sink";

/// Room made for each read: some hundreds of PDUs, one system call.
const READ_BYTES: usize = 64 * 1024;

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Open,
    /// Write what is ready, then close.
    Close,
}

/// What is said on one connection.
pub(super) trait Answers: Send + 'static {
    /// Answers everything whole in `input`, and takes it off.
    fn on_bytes(&mut self, input: &mut BytesMut, out: &mut BytesMut) -> Flow;
    /// From now on, or no longer, it speaks of its own accord.
    fn on_begin(&mut self, _delivers: bool, _out: &mut BytesMut) {}
}

/// A running network; its thread ends when it is dropped.
pub(super) struct Sink {
    pub(super) address: SocketAddr,
    pub(super) counts: Arc<Counts>,
    delivers: watch::Sender<bool>,
}

impl Sink {
    /// Starts a message centre that answers each message after so long.
    ///
    /// # Errors
    /// When there is no port or no thread.
    pub(super) async fn smsc(delivering: Delivering, delay: Duration) -> Result<Self, BenchError> {
        let counts = Arc::<Counts>::default();
        let ids = Arc::new(AtomicU64::new(1));
        let shared = Arc::clone(&counts);
        let connection = move || Connection::new(delivering, Arc::clone(&shared), Arc::clone(&ids));
        Self::start(THREAD, counts, delay, connection).await
    }

    /// Starts a bank that approves each payment after so long.
    ///
    /// # Errors
    /// When there is no port or no thread.
    pub(super) async fn bank(delay: Duration) -> Result<Self, BenchError> {
        let authorizations = Arc::new(AtomicU64::new(1));
        let link = move || Link::new(Arc::clone(&authorizations));
        Self::start(THREAD, Arc::default(), delay, link).await
    }

    async fn start<A: Answers>(
        thread: &str,
        counts: Arc<Counts>,
        delay: Duration,
        connection: impl Fn() -> A + Send + 'static,
    ) -> Result<Self, BenchError> {
        let (delivers, switch) = watch::channel(false);
        let (tell, told) = oneshot::channel();
        on_own_thread(thread.to_owned(), async move {
            let bound = async {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                let address = listener.local_addr()?;
                io::Result::Ok((listener, address))
            };
            match bound.await {
                Ok((listener, address)) => {
                    // Whoever waited may have given up; then the switch is gone too.
                    tell.send(Ok(address)).ok();
                    accept(listener, delay, connection, switch).await;
                }
                Err(error) => {
                    tell.send(Err(error)).ok();
                }
            }
        })?;
        let address = told.await.map_err(|_| BenchError::SinkDied)?;
        Ok(Self {
            address: address.map_err(BenchError::Thread)?,
            counts,
            delivers,
        })
    }

    /// Lets it speak of its own accord, or no longer.
    pub(super) fn deliver(&self, delivers: bool) {
        self.delivers.send_replace(delivers);
    }
}

/// Takes connections until the sink is dropped.
async fn accept<A: Answers>(
    listener: TcpListener,
    delay: Duration,
    connection: impl Fn() -> A,
    mut switch: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // One that could not be taken is dialled again by the router.
                if let Ok((socket, _)) = accepted {
                    tokio::spawn(serve(socket, connection(), delay, switch.clone()));
                }
            }
            changed = switch.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// Serves a connection to its end. A lost one is the router's to tell: it dials again.
async fn serve<A: Answers>(
    socket: TcpStream,
    answers: A,
    delay: Duration,
    switch: watch::Receiver<bool>,
) {
    converse(socket, answers, delay, switch).await.ok();
}

async fn converse<A: Answers>(
    mut socket: TcpStream,
    mut answers: A,
    delay: Duration,
    mut switch: watch::Receiver<bool>,
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut input = BytesMut::with_capacity(READ_BYTES);
    let mut out = BytesMut::with_capacity(READ_BYTES);
    let mut later: VecDeque<(Instant, BytesMut)> = VecDeque::new();
    answers.on_begin(*switch.borrow_and_update(), &mut out);
    loop {
        let next = later.front().map(|(due, _)| *due);
        let mut flow = Flow::Open;
        tokio::select! {
            read = socket.read_buf(&mut input) => {
                if read? == 0 {
                    return Ok(());
                }
                flow = answers.on_bytes(&mut input, &mut out);
                if !delay.is_zero() && !out.is_empty() {
                    later.push_back((Instant::now() + delay, out.split()));
                }
            }
            changed = switch.changed() => match changed {
                Ok(()) => answers.on_begin(*switch.borrow_and_update(), &mut out),
                Err(_) => return Ok(()),
            },
            () = until(next) => while let Some((due, _)) = later.front() {
                if *due > Instant::now() {
                    break;
                }
                if let Some((_, answer)) = later.pop_front() {
                    out.unsplit(answer);
                }
            },
        }
        if !out.is_empty() {
            socket.write_all(&out).await?;
            out.clear();
        }
        if flow == Flow::Close {
            return Ok(());
        }
        input.reserve(READ_BYTES);
    }
}

/// Until then, or for ever.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
