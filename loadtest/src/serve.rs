//! The sockets of a simulator: one listener, one task per connection. What is said on a connection
//! is a [`Peer`]'s affair, which sees bytes and a clock and never a socket.
//!
//! A connection's task reads whatever has come into one buffer, lets the peer answer all of it, and
//! writes the answers at once: a simulator must cost far less than the router that it tests.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use crate::fault::When;

/// Room made for each read: some hundreds of PDUs, one system call.
const READ_BUFFER_BYTES: usize = 64 * 1024;
/// Unwritten bytes at which a connection stops reading: a peer that does not read its answers
/// gets no more of them.
const WRITE_BACKLOG_BYTES: usize = 1024 * 1024;
/// Delayed answers at which a connection stops reading, for the same reason.
const LATER_MAX: usize = 1_000_000;
/// Connections of ours that wait for the server's task; it takes them at once.
const DIALLED_MAX: usize = 16;
/// Pause after a failed accept, which is most often a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Go on.
    Open,
    /// Write what is ready, then close.
    Close,
}

/// One connection's behaviour. Dropping it is how it learns that the connection is gone.
pub(crate) trait Peer: Send + 'static {
    /// Answers everything whole in `input`, and takes it off.
    fn on_bytes(&mut self, input: &mut BytesMut, now: Instant, out: &mut Outbox) -> Flow;
    /// Does what is due: its time came, or somebody woke the connection.
    fn on_wake(&mut self, now: Instant, out: &mut Outbox) -> Flow;
    /// When [`Self::on_wake`] is wanted next.
    fn next_wake(&self) -> Option<Instant>;
}

/// What a peer has to say, now and later.
#[derive(Default)]
pub(crate) struct Outbox {
    ready: BytesMut,
    later: BinaryHeap<Reverse<(Instant, u64, BytesMut)>>,
    last_in_order: Option<Instant>,
    delayed: u64,
}

impl Outbox {
    /// The buffer that this turn's write sends.
    pub(crate) fn ready(&mut self) -> &mut BytesMut {
        &mut self.ready
    }

    /// Lets `write` put one answer where it leaves at the right time.
    pub(crate) fn send(&mut self, when: When, write: impl FnOnce(&mut BytesMut)) {
        let due = match when {
            When::Now => return write(&mut self.ready),
            When::AnyOrder(due) => due,
            When::InOrder(due) => {
                let due = self.last_in_order.map_or(due, |last| last.max(due));
                self.last_in_order = Some(due);
                due
            }
        };
        let mut answer = BytesMut::new();
        write(&mut answer);
        self.delayed += 1;
        self.later.push(Reverse((due, self.delayed, answer)));
    }

    fn release(&mut self, now: Instant) {
        while let Some(Reverse((due, _, _))) = self.later.peek() {
            if *due > now {
                break;
            }
            if let Some(Reverse((_, _, answer))) = self.later.pop() {
                self.ready.extend_from_slice(&answer);
            }
        }
    }

    fn next_due(&self) -> Option<Instant> {
        self.later.peek().map(|Reverse((due, _, _))| *due)
    }

    fn is_full(&self) -> bool {
        self.ready.len() >= WRITE_BACKLOG_BYTES || self.later.len() >= LATER_MAX
    }
}

/// Makes the peer of a new connection; the handle wakes that connection.
pub(crate) type PeerFactory<P> = dyn Fn(Arc<Notify>) -> P + Send + Sync;

/// A listener with its connections, which can be killed and started again on the same port.
pub(crate) struct Server<P: Peer> {
    address: SocketAddr,
    factory: Arc<PeerFactory<P>>,
    run: Option<Run>,
}

struct Run {
    stop: oneshot::Sender<()>,
    dialled: mpsc::Sender<TcpStream>,
    abrupt: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl<P: Peer> Server<P> {
    /// Binds `address` and serves it from now on.
    pub(crate) async fn start(
        address: SocketAddr,
        factory: Arc<PeerFactory<P>>,
    ) -> io::Result<Self> {
        let mut server = Self {
            address,
            factory,
            run: None,
        };
        server.restart().await?;
        Ok(server)
    }

    /// The address that is, or was last, listened on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens again on the same address. A server that is running is left alone.
    pub(crate) async fn restart(&mut self) -> io::Result<()> {
        if self.run.is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.address).await?;
        self.address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let (dialled, to_serve) = mpsc::channel(DIALLED_MAX);
        let abrupt = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(accept(
            listener,
            to_serve,
            stopped,
            Arc::clone(&self.factory),
            Arc::clone(&abrupt),
        ));
        self.run = Some(Run {
            stop,
            dialled,
            abrupt,
            task,
        });
        Ok(())
    }

    /// Connects to `address` and serves that connection like one that was accepted.
    pub(crate) async fn dial_in(&self, address: SocketAddr) -> io::Result<()> {
        let Some(run) = &self.run else {
            return Err(io::Error::other("the simulator has stopped"));
        };
        let stream = TcpStream::connect(address).await?;
        let sent = run.dialled.send(stream).await;
        sent.map_err(|_| io::Error::other("the simulator has stopped"))
    }

    /// Closes the listener and every connection, and returns when all are closed. An abrupt end
    /// resets the connections, as a killed process or a pulled cable would.
    pub(crate) async fn end(&mut self, abruptly: bool) {
        if let Some(Run {
            stop, abrupt, task, ..
        }) = self.run.take()
        {
            abrupt.store(abruptly, Ordering::Relaxed);
            drop(stop);
            if let Err(error) = task.await
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }
}

async fn accept<P: Peer>(
    listener: TcpListener,
    mut dialled: mpsc::Receiver<TcpStream>,
    mut stopped: oneshot::Receiver<()>,
    factory: Arc<PeerFactory<P>>,
    abrupt: Arc<AtomicBool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => continue,
            Some(stream) = dialled.recv() => stream,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            }
        };
        let wake = Arc::new(Notify::new());
        let peer = factory(Arc::clone(&wake));
        let abrupt = Arc::clone(&abrupt);
        connections.spawn(drive(Socket { stream, abrupt }, peer, wake));
    }
    // The listener goes first: a client that reconnects at once must be refused, not accepted by
    // a simulator that is already dead.
    drop(listener);
    connections.shutdown().await;
}

/// A stream that is reset rather than closed when the simulator is killed.
struct Socket {
    stream: TcpStream,
    abrupt: Arc<AtomicBool>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.abrupt.load(Ordering::Relaxed) {
            // A failure leaves an ordinary close, which is the next best end.
            self.stream.set_zero_linger().ok();
        }
    }
}

/// Runs one connection to its end. How it ended is no matter: a client that went away is no fault
/// of the simulator, and its books say what it had sent.
async fn drive<P: Peer>(socket: Socket, mut peer: P, wake: Arc<Notify>) {
    let stream = &socket.stream;
    // Without it small answers wait for the client's delayed acknowledgement; a failure only slows.
    stream.set_nodelay(true).ok();
    let mut input = BytesMut::with_capacity(READ_BUFFER_BYTES);
    let mut out = Outbox::default();
    let mut flow = Flow::Open;
    loop {
        out.release(Instant::now());
        if write_ready(stream, &mut out.ready).is_err() {
            return;
        }
        if flow == Flow::Close && out.ready.is_empty() {
            return;
        }
        let wake_at = [peer.next_wake(), out.next_due()]
            .into_iter()
            .flatten()
            .min();
        tokio::select! {
            ready = stream.readable(), if flow == Flow::Open && !out.is_full() => {
                input.reserve(READ_BUFFER_BYTES);
                match ready.and_then(|()| stream.try_read_buf(&mut input)) {
                    Ok(0) => return,
                    Ok(_) => flow = peer.on_bytes(&mut input, Instant::now(), &mut out),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
            ready = stream.writable(), if !out.ready.is_empty() => if ready.is_err() { return },
            () = sleep_until(wake_at), if wake_at.is_some() && flow == Flow::Open => {
                flow = peer.on_wake(Instant::now(), &mut out);
            }
            () = wake.notified(), if flow == Flow::Open => {
                flow = peer.on_wake(Instant::now(), &mut out);
            }
        }
    }
}

fn write_ready(stream: &TcpStream, ready: &mut BytesMut) -> io::Result<()> {
    while !ready.is_empty() {
        match stream.try_write(ready) {
            Ok(written) => ready.advance(written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn sleep_until(at: Option<Instant>) {
    if let Some(at) = at {
        tokio::time::sleep_until(at.into()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(out: &mut Outbox, now: Instant) -> Vec<u8> {
        out.release(now);
        out.ready.split().to_vec()
    }

    #[test]
    fn an_answer_in_order_never_leaves_before_an_earlier_one() {
        let (start, mut out) = (Instant::now(), Outbox::default());
        let later = |ms| When::InOrder(start + Duration::from_millis(ms));
        out.send(later(20), |b| b.extend_from_slice(b"1"));
        out.send(later(5), |b| b.extend_from_slice(b"2"));
        assert_eq!(sent(&mut out, start + Duration::from_millis(10)), b"");
        assert_eq!(sent(&mut out, start + Duration::from_millis(20)), b"12");
    }

    #[test]
    fn an_answer_in_any_order_leaves_at_its_own_time() {
        let (start, mut out) = (Instant::now(), Outbox::default());
        let later = |ms| When::AnyOrder(start + Duration::from_millis(ms));
        out.send(later(20), |b| b.extend_from_slice(b"1"));
        out.send(later(5), |b| b.extend_from_slice(b"2"));
        out.send(When::Now, |b| b.extend_from_slice(b"3"));
        assert_eq!(sent(&mut out, start), b"3");
        assert_eq!(sent(&mut out, start + Duration::from_millis(30)), b"21");
    }
}
