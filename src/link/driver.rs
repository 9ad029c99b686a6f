//! The one task that owns a connection: gets one, reads, writes, waits, and gets the next one.
//!
//! It dials, or takes a connection that the peer has opened, as the link's settings say.
//!
//! Each turn takes what is ready, lets the protocol work, and hands the results over in one go. The
//! task never waits for a write alone: while the peer does not read, its answers are still read. It
//! knows nothing of PDUs, messages or money.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Sleep, sleep, sleep_until, timeout_at},
};
use tokio_util::io::poll_read_buf;
use tracing::{info, warn};

use super::{
    backoff::Backoff,
    lobby::{Arrived, Lobby},
    protocol::{Again, Ended, Phase, Protocol},
    settings::{Dial, LinkSettings, Reach},
    shared::{Response, Shared, Stop},
    tls::Stream,
};
use crate::{outcome::Reason, status::LinkState};

/// How much is read at once: several hundred typical answers. Each connection has so much, and soon all
/// of it in use, because what comes is read behind what came before.
const READ_BYTES: usize = 16 * 1024;

/// A new read buffer is taken when the one at hand has less room than this. What was read keeps its
/// buffer as long as somebody has an id out of it, so a buffer for each small read would be a large
/// allocation for a few answers.
const READ_ROOM_MIN: usize = 4 * 1024;

/// No new requests are written while this much is unwritten: the peer does not keep up.
const OUTPUT_SOFT_MAX: usize = 1024 * 1024;

/// Nothing more is read while this much is unwritten, because reading makes more to write.
const OUTPUT_HARD_MAX: usize = 4 * 1024 * 1024;

/// How often queued requests are looked through for passed deadlines while they cannot be sent.
const QUEUE_LOOK: Duration = Duration::from_millis(50);

/// A timer that is not needed is set this far ahead.
const FAR: Duration = Duration::from_secs(3600);

/// Runs a link until it is stopped. `lobby` is where connections wait that the peer has opened; it
/// stays empty where the link only dials.
pub(super) async fn run<P: Protocol>(
    mut protocol: P,
    shared: Arc<Shared<P::Job>>,
    lobby: Arc<Lobby>,
) {
    let settings = Arc::clone(&shared.settings);
    let mut backoff = Backoff::new(settings.reconnect_min, settings.reconnect_max);
    let mut was_up = false;
    let mut waiting = None;
    while !shared.is_stopping() {
        if settings.reach.dials().is_some() {
            shared.enter(LinkState::Connecting);
        }
        let opened = match waiting.take() {
            Some(arrived) => Ok(Opened::ByPeer(arrived)),
            None => tokio::select! {
                opened = open(&settings, &lobby) => opened,
                () = stopped(&shared) => break,
            },
        };
        let ended = match opened {
            Ok(opened) => {
                shared.enter(LinkState::Connecting);
                if was_up {
                    shared.totals.reconnects.fetch_add(1, Relaxed);
                    shared.metrics.reconnects.increment(1);
                }
                let began = Instant::now();
                let mut connection = match opened {
                    Opened::ByUs(stream) => Connection::new(stream, &mut protocol, &shared),
                    Opened::ByPeer(Arrived { stream, input, .. }) => {
                        Connection::accepted(stream, input, &mut protocol, &shared)
                    }
                };
                let ended = connection.serve().await;
                if connection.is_cut() {
                    connection.stream.reset(&shared.name);
                }
                if connection.was_up {
                    was_up = true;
                    backoff.succeeded(began.elapsed());
                }
                ended
            }
            Err(ended) => ended,
        };
        if shared.is_stopping() {
            break;
        }
        let pause = match ended.again {
            Again::Soon => backoff.next(),
            Again::Later => settings.refused_pause,
            Again::After(pause) => pause,
        };
        warn!(link = %shared.name, pause_ms = pause.as_millis(), "{}", ended.why);
        shared.note_error(ended.why);
        shared.enter(LinkState::Down);
        // The pause keeps us from hammering the peer, and who connects to us wants us now. Only
        // after a refusal that would be the next one it has to wait as well.
        let may_arrive = ended.again == Again::Soon;
        waiting = tokio::select! {
            arrived = lobby.next(), if may_arrive => Some(arrived),
            () = sleep(pause) => None,
            () = stopped(&shared) => None,
        };
    }
    shared.enter(LinkState::Stopped);
}

/// Waits until the link is stopped.
async fn stopped<J>(shared: &Shared<J>) {
    while !shared.is_stopping() {
        shared.woken().await;
    }
}

/// A new connection, and whose doing it is.
enum Opened {
    ByUs(Stream),
    ByPeer(Arrived),
}

/// Gets a connection in the ways that the link has, whichever is the first.
async fn open(settings: &LinkSettings, lobby: &Lobby) -> Result<Opened, Ended> {
    let dialled = async |to: &Dial| match dial(to, settings.connect_timeout).await {
        Ok(stream) => Ok(Opened::ByUs(stream)),
        Err(error) => Err(Ended {
            why: format!("cannot connect to {}: {error}", to.address),
            again: Again::Soon,
        }),
    };
    match &settings.reach {
        Reach::Dial(to) => dialled(to).await,
        Reach::Listen(_) => Ok(Opened::ByPeer(lobby.next().await)),
        Reach::Both(to, _) => tokio::select! {
            arrived = lobby.next() => Ok(Opened::ByPeer(arrived)),
            opened = dialled(to) => opened,
        },
    }
}

/// Connects, with the TLS handshake if the link has one, within one time for both.
async fn dial(to: &Dial, patience: Duration) -> io::Result<Stream> {
    let deadline = tokio::time::Instant::now() + patience;
    let too_late = |what: &str| {
        let ms = patience.as_millis();
        io::Error::new(io::ErrorKind::TimedOut, format!("{what} for {ms} ms"))
    };
    let stream = timeout_at(deadline, TcpStream::connect(&to.address))
        .await
        .map_err(|_| too_late("no answer"))??;
    // A turn writes everything it has at once, so waiting for more would only add latency.
    stream.set_nodelay(true)?;
    match &to.tls {
        None => Ok(Stream::Plain(stream)),
        Some(tls) => timeout_at(deadline, tls.connect(stream))
            .await
            .map_err(|_| {
                too_late("TCP is up, but no end of the TLS handshake; does this port speak TLS? No answer")
            })?,
    }
}

/// One connection, from the first byte to the last.
pub(super) struct Connection<'a, S, P: Protocol> {
    stream: S,
    protocol: &'a mut P,
    shared: &'a Arc<Shared<P::Job>>,
    input: BytesMut,
    jobs: Vec<P::Job>,
    responses: Vec<Response>,
    /// The earliest moment at which something may be due.
    alarm: Pin<Box<Sleep>>,
    alarm_at: Instant,
    look_at: Instant,
    /// When more may be sent, if the rate let fewer requests go than there was room for.
    again_at: Option<Instant>,
    /// Whether the stream may hold octets back that it has taken, as TLS does.
    is_unflushed: bool,
    /// Whether the protocol wants that nothing more reaches the peer.
    is_cut: bool,
    /// Whether the peer has opened it, and may have spoken already.
    by_peer: bool,
    was_up: bool,
    stopping: Stopping,
}

/// How far the stop of the link is.
enum Stopping {
    No,
    /// Waits until what is in flight is answered, but not beyond the drain timeout.
    Draining {
        deadline: Instant,
    },
    /// The peer has been told.
    SaidGoodbye,
}

/// What woke the task.
enum Action {
    Wrote(usize),
    Read(usize),
    Woken,
    Due,
    Failed(io::Error),
    /// A write failed, and the stream may have taken some of the output all the same.
    WriteFailed(io::Error),
}

impl<'a, S, P> Connection<'a, S, P>
where
    S: AsyncRead + AsyncWrite + Unpin,
    P: Protocol,
{
    pub(super) fn new(stream: S, protocol: &'a mut P, shared: &'a Arc<Shared<P::Job>>) -> Self {
        let now = Instant::now();
        Self {
            stream,
            protocol,
            shared,
            input: BytesMut::with_capacity(READ_BYTES),
            jobs: Vec::new(),
            responses: Vec::new(),
            alarm: Box::pin(sleep(FAR)),
            alarm_at: now + FAR,
            look_at: now,
            again_at: None,
            is_unflushed: false,
            is_cut: false,
            by_peer: false,
            was_up: false,
            stopping: Stopping::No,
        }
    }

    /// A connection that the peer has opened, and what was read from it.
    fn accepted(
        stream: S,
        input: BytesMut,
        protocol: &'a mut P,
        shared: &'a Arc<Shared<P::Job>>,
    ) -> Self {
        Self {
            input,
            by_peer: true,
            ..Self::new(stream, protocol, shared)
        }
    }

    /// Whether the connection has ended so that nothing more may reach the peer.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Turn after turn until the connection has ended; then every request has its outcome.
    pub(super) async fn serve(&mut self) -> Ended {
        if self.by_peer {
            self.protocol.accepted(Instant::now());
            self.receive().await;
        } else {
            self.protocol.connected(Instant::now());
        }
        let ended = loop {
            let now = Instant::now();
            // Not left to the alarm alone: a peer that always has something to read would keep it
            // from being looked at, and requests from timing out.
            if self.alarm_at <= now {
                self.protocol.handle_timeout(now);
            }
            let stop = self.shared.stop_asked();
            self.follow_phase();
            if self.shared.take_give_up() {
                self.protocol.give_up();
            }
            if let Some(stop) = stop {
                self.follow_stop(now, stop);
            }
            self.take_work(now);
            let failed = self.write_at_once().await;
            self.protocol.flush(now);
            self.shared.publish_load(self.protocol.in_flight());
            match self.protocol.phase() {
                Phase::Opening | Phase::Up | Phase::Closing => {}
                Phase::Closed(ended) => {
                    self.write_last_words().await;
                    break ended;
                }
                Phase::Cut(ended) => {
                    self.is_cut = true;
                    break ended;
                }
            }
            if let Some(error) = failed {
                break self.write_failed(&error);
            }
            if stop.is_some_and(|stop| stop.cut <= now) {
                break lost("stopped before the peer agreed");
            }
            self.set_alarm(now, stop);
            match self.next_action().await {
                Action::Wrote(bytes) => {
                    self.protocol.wrote(bytes);
                    self.is_unflushed = true;
                }
                Action::Read(0) => break lost("the peer closed the connection"),
                Action::Read(_) => self.receive().await,
                Action::Woken | Action::Due => {}
                Action::Failed(error) => break lost(&format!("the connection failed: {error}")),
                Action::WriteFailed(error) => break self.write_failed(&error),
            }
        };
        self.finish();
        ended
    }

    fn write_failed(&mut self, error: &io::Error) -> Ended {
        drop(self.protocol.last_words());
        lost(&format!("the connection failed: {error}"))
    }

    /// Writes what the stream takes now, before the callers are told what has come: the peer works
    /// meanwhile. A connection that is over has its own last words.
    async fn write_at_once(&mut self) -> Option<io::Error> {
        self.protocol.before_write();
        if let Phase::Closed(_) | Phase::Cut(_) = self.protocol.phase() {
            return None;
        }
        let (stream, output) = (&mut self.stream, self.protocol.output());
        if output.is_empty() {
            return None;
        }
        let written = poll_fn(|context| {
            Poll::Ready(match Pin::new(&mut *stream).poll_write(context, output) {
                Poll::Ready(written) => Some(written),
                Poll::Pending => None,
            })
        });
        match written.await {
            None => None,
            Some(Ok(0)) => Some(io::ErrorKind::WriteZero.into()),
            Some(Ok(octets)) => {
                self.protocol.wrote(octets);
                self.is_unflushed = true;
                None
            }
            Some(Err(error)) => Some(error),
        }
    }

    /// Opens and closes the queue as the protocol's phase says.
    fn follow_phase(&mut self) {
        let takes_traffic = self.protocol.phase() == Phase::Up
            && !self.shared.is_draining()
            && matches!(self.stopping, Stopping::No);
        let state = match self.protocol.phase() {
            Phase::Opening => LinkState::Connecting,
            Phase::Up if takes_traffic => LinkState::Up,
            Phase::Up | Phase::Closing => LinkState::Draining,
            Phase::Closed(_) | Phase::Cut(_) => LinkState::Down,
        };
        if takes_traffic && !self.shared.is_up() {
            self.shared.open_queue();
            self.was_up = true;
        }
        let was_open = self.shared.is_up();
        if self.shared.enter(state) {
            info!(link = %self.shared.name, state = ?state, "link state");
        }
        if was_open && !takes_traffic {
            let reason = match self.protocol.phase() {
                Phase::Up => Reason::Stopping,
                Phase::Opening | Phase::Closing | Phase::Closed(_) | Phase::Cut(_) => {
                    Reason::NoLink
                }
            };
            self.refuse_queued(reason);
        }
    }

    fn refuse_queued(&mut self, reason: Reason) {
        for job in self.shared.close_queue() {
            self.protocol.refuse(job, reason);
        }
    }

    /// Drains, says goodbye and cuts, each at its time.
    fn follow_stop(&mut self, now: Instant, stop: Stop) {
        if matches!(self.stopping, Stopping::No) {
            let deadline = now + self.shared.settings.drain_timeout;
            self.stopping = Stopping::Draining { deadline };
            self.follow_phase();
        }
        if let Stopping::Draining { deadline } = self.stopping
            && (self.protocol.in_flight() == 0 || deadline.min(stop.patience) <= now)
        {
            self.protocol.say_goodbye(now);
            self.stopping = Stopping::SaidGoodbye;
        }
    }

    /// Writes answers that the peer is owed and as many requests as there is room for.
    fn take_work(&mut self, now: Instant) {
        self.shared.take_responses(&mut self.responses);
        for response in self.responses.drain(..) {
            self.protocol.respond(now, response);
        }
        let room = match self.protocol.output().len() {
            0..OUTPUT_SOFT_MAX => self.protocol.room(),
            _ => 0,
        };
        // Only this task takes out of the queue, so what is granted is there to be sent.
        let wanted = room.min(self.shared.queued());
        self.again_at = None;
        if wanted > 0 {
            let granted = self.protocol.grant(now, wanted);
            self.again_at = self.protocol.grant_again_at();
            self.send_queued(now, granted);
        }
        if self.shared.queued() > 0 {
            self.refuse_overdue(now);
        }
    }

    fn send_queued(&mut self, now: Instant, granted: u32) {
        self.shared.dequeue(granted as usize, &mut self.jobs);
        let mut unused = granted;
        for job in self.jobs.drain(..) {
            if P::deadline(&job) <= now {
                self.protocol.refuse(job, Reason::Deadline);
            } else {
                unused = unused.saturating_sub(1);
                self.protocol.submit(now, job);
            }
        }
        if unused > 0 {
            self.protocol.give_back(unused);
        }
    }

    /// Requests whose deadline passes while they must wait are answered then, not later.
    fn refuse_overdue(&mut self, now: Instant) {
        if now < self.look_at {
            return;
        }
        self.look_at = now + QUEUE_LOOK;
        self.shared
            .dequeue_if(&mut self.jobs, |job| P::deadline(job) <= now);
        for job in self.jobs.drain(..) {
            self.protocol.refuse(job, Reason::Deadline);
        }
    }

    async fn receive(&mut self) {
        while self.protocol.receive(Instant::now(), &mut self.input) {
            // More whole frames wait than one turn takes: let the callers and the others have theirs.
            self.protocol.flush(Instant::now());
            tokio::task::yield_now().await;
        }
    }

    /// The alarm is only ever moved when it would ring too late: a deadline that moves away costs
    /// one vain ring and not a timer operation per turn.
    fn set_alarm(&mut self, now: Instant, stop: Option<Stop>) {
        let mut due = self.protocol.next_timeout().unwrap_or(now + FAR);
        if let Some(stop) = stop {
            due = due.min(stop.cut);
            if let Stopping::Draining { deadline } = self.stopping {
                due = due.min(deadline).min(stop.patience);
            }
        }
        if self.shared.load() > self.protocol.in_flight() {
            let look_at = self
                .again_at
                .map_or(self.look_at, |at| at.min(self.look_at));
            due = due.min(look_at.max(now + Duration::from_millis(1)));
        }
        if due < self.alarm_at || self.alarm_at <= now {
            self.alarm_at = due;
            self.alarm.as_mut().reset(due.into());
        }
    }

    /// Waits for the first thing that can be done. Writing comes first, because what is written
    /// makes the peer work; a write that cannot go on does not keep the rest from being looked at.
    async fn next_action(&mut self) -> Action {
        let (stream, output, input) = (&mut self.stream, self.protocol.output(), &mut self.input);
        let (alarm, is_unflushed) = (&mut self.alarm, &mut self.is_unflushed);
        let mut woken = pin!(self.shared.woken());
        let mut flushed = false;
        let told_flushed = &mut flushed;
        let action = poll_fn(move |context| {
            if !output.is_empty() {
                match Pin::new(&mut *stream).poll_write(context, output) {
                    Poll::Ready(Ok(0)) => {
                        return Poll::Ready(Action::WriteFailed(io::ErrorKind::WriteZero.into()));
                    }
                    Poll::Ready(Ok(bytes)) => return Poll::Ready(Action::Wrote(bytes)),
                    Poll::Ready(Err(error)) => return Poll::Ready(Action::WriteFailed(error)),
                    Poll::Pending => {}
                }
            }
            if *is_unflushed {
                match Pin::new(&mut *stream).poll_flush(context) {
                    Poll::Ready(Ok(())) => {
                        *is_unflushed = false;
                        *told_flushed = true;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Action::WriteFailed(error)),
                    Poll::Pending => {}
                }
            }
            if output.len() < OUTPUT_HARD_MAX {
                if input.capacity() - input.len() < READ_ROOM_MIN {
                    input.reserve(READ_BYTES);
                }
                match poll_read_buf(Pin::new(&mut *stream), context, input) {
                    Poll::Ready(Ok(bytes)) => return Poll::Ready(Action::Read(bytes)),
                    Poll::Ready(Err(error)) => return Poll::Ready(Action::Failed(error)),
                    Poll::Pending => {}
                }
            }
            if woken.as_mut().poll(context).is_ready() {
                return Poll::Ready(Action::Woken);
            }
            if alarm.as_mut().poll(context).is_ready() {
                return Poll::Ready(Action::Due);
            }
            Poll::Pending
        })
        .await;
        if flushed {
            self.protocol.flushed();
        }
        action
    }

    /// What was written before the end, such as the reason for it, gets a short chance to leave.
    async fn write_last_words(&mut self) {
        const PATIENCE: Duration = Duration::from_secs(1);
        let mut words = self.protocol.last_words();
        let writing = async {
            tokio::io::AsyncWriteExt::write_all_buf(&mut self.stream, &mut words).await?;
            tokio::io::AsyncWriteExt::shutdown(&mut self.stream).await
        };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        tokio::select! {
            biased;
            result = writing => if let Err(error) = result {
                // The connection is over either way; the peer just does not learn why.
                tracing::debug!(link = %self.shared.name, "closing: {error}");
            },
            () = sleep_until(deadline) => {}
        }
    }

    /// Gives everything that is queued or in flight its outcome.
    fn finish(&mut self) {
        let reason = if self.shared.is_stopping() {
            Reason::Stopping
        } else {
            Reason::NoLink
        };
        // The state first: from here on callers choose another link.
        self.shared.enter(LinkState::Down);
        self.refuse_queued(reason);
        let now = Instant::now();
        self.protocol.disconnected(now);
        self.protocol.output().clear();
        self.protocol.flush(now);
        self.shared.publish_load(0);
    }
}

fn lost(why: &str) -> Ended {
    Ended {
        why: why.into(),
        again: Again::Soon,
    }
}

#[cfg(test)]
mod tests;
