//! The driver between a pipe that the test holds and a protocol that is simple enough to see
//! through: a request is one byte, its answer the same byte.

use std::{
    collections::VecDeque,
    sync::atomic::AtomicBool,
    task::{Context, Poll},
};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex};

use super::*;
use crate::{
    link::{
        Lane, Queued,
        settings::{LinkSettings, Reach},
    },
    metrics::Metrics,
    outbox::{Answers, Outbox, Outcome, Reply},
    status::PeerKind,
};

const LONG: Duration = Duration::from_secs(600);

/// A byte of the peer that answers nothing.
const CHATTER: u8 = 255;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Answer(u8),
    Refused(Reason),
    TimedOut,
    Lost,
}

impl Outcome for Told {
    fn abandoned() -> Self {
        Self::Lost
    }
}

struct Job {
    byte: u8,
    deadline: Instant,
    reply: Reply<Told>,
}

impl Queued for Job {
    fn lane(&self) -> Lane {
        Lane::ONLY
    }
}

#[derive(Default)]
struct Echo {
    window: usize,
    /// Requests that may go every so often; `None` is no rate.
    rate: Option<(u32, Duration)>,
    granted_at: Option<Instant>,
    again_at: Option<Instant>,
    /// When everything in flight times out.
    times_out_at: Option<Instant>,
    in_flight: VecDeque<(u8, Reply<Told>)>,
    output: BytesMut,
    answers: Answers<Told>,
    goodbyes: usize,
    closed: bool,
}

impl Protocol for Echo {
    type Job = Job;

    fn connected(&mut self, _now: Instant) {}

    fn receive(&mut self, _now: Instant, input: &mut BytesMut) -> bool {
        for byte in input.split() {
            if byte == CHATTER {
                continue;
            }
            if let Some((_, reply)) = self.in_flight.pop_front() {
                self.answers.push(reply, Told::Answer(byte));
            } else {
                // What the peer says unasked is said back to it, so that output can pile up.
                self.output.extend_from_slice(&[byte]);
            }
        }
        false
    }

    fn submit(&mut self, _now: Instant, job: Job) {
        self.output.extend_from_slice(&[job.byte]);
        self.in_flight.push_back((job.byte, job.reply));
    }

    fn refuse(&mut self, job: Job, reason: Reason) {
        self.answers.push(job.reply, Told::Refused(reason));
    }

    fn deadline(job: &Job) -> Instant {
        job.deadline
    }

    fn respond(&mut self, _now: Instant, _response: Response) {}

    fn room(&self) -> u32 {
        (self.window - self.in_flight.len()) as u32
    }

    fn grant(&mut self, now: Instant, wanted: u32) -> u32 {
        let Some((count, period)) = self.rate else {
            return wanted;
        };
        self.again_at = self.granted_at.map(|at| at + period);
        if self.again_at.is_some_and(|at| now < at) {
            return 0;
        }
        self.granted_at = Some(now);
        self.again_at = Some(now + period);
        wanted.min(count)
    }

    fn grant_again_at(&self) -> Option<Instant> {
        self.again_at
    }

    fn in_flight(&self) -> u32 {
        self.in_flight.len() as u32
    }

    fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.times_out_at
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.times_out_at.is_some_and(|at| at <= now) {
            self.times_out_at = None;
            for (_, reply) in self.in_flight.drain(..) {
                self.answers.push(reply, Told::TimedOut);
            }
        }
    }

    fn say_goodbye(&mut self, _now: Instant) {
        self.goodbyes += 1;
        self.closed = true;
    }

    fn phase(&self) -> Phase {
        match self.closed {
            true => Phase::Closed(lost("said goodbye")),
            false => Phase::Up,
        }
    }

    fn disconnected(&mut self, _now: Instant) {
        for (_, reply) in self.in_flight.drain(..) {
            self.answers.push(reply, Told::Lost);
        }
    }

    fn flush(&mut self, _now: Instant) {
        self.answers.flush();
    }
}

fn shared(window: usize) -> Arc<Shared<Job>> {
    let settings = Arc::new(LinkSettings {
        peer: "one".into(),
        reach: Reach::dial(""),
        links: 1,
        window: window as u32,
        queue_max: 1000,
        response_timeout: LONG,
        connect_timeout: LONG,
        reconnect_min: LONG,
        reconnect_max: LONG,
        refused_pause: LONG,
        drain_timeout: LONG,
    });
    let metrics = Metrics::new().unwrap().link(PeerKind::Smsc, "one", "one/1");
    Arc::new(Shared::new(PeerKind::Smsc, &settings, 1, metrics))
}

/// A connection whose other end is the test's.
struct Scene {
    shared: Arc<Shared<Job>>,
    outbox: Arc<Outbox<Told>>,
    peer: DuplexStream,
    served: tokio::task::JoinHandle<(Ended, usize)>,
}

impl Scene {
    /// `pipe` is how many bytes fit between the two ends.
    async fn new(window: usize, pipe: usize) -> Self {
        let shared = shared(window);
        let (peer, stream) = duplex(pipe);
        let served = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                let mut protocol = Echo {
                    window,
                    ..Echo::default()
                };
                let ended = Connection::new(stream, &mut protocol, &shared)
                    .serve()
                    .await;
                (ended, protocol.goodbyes)
            }
        });
        let scene = Self {
            shared,
            outbox: Outbox::new(),
            peer,
            served,
        };
        scene.until(|shared| shared.is_up()).await;
        scene
    }

    async fn until(&self, condition: impl Fn(&Shared<Job>) -> bool) {
        while !condition(&self.shared) {
            tokio::task::yield_now().await;
        }
    }

    fn submit(&self, byte: u8, deadline: Instant) -> Result<(), crate::link::NotTaken> {
        let reply = self.outbox.reply(u32::from(byte));
        let mut jobs = VecDeque::from([Job {
            byte,
            deadline,
            reply,
        }]);
        self.shared.enqueue(&mut jobs, 1)
    }

    fn send(&self, bytes: impl IntoIterator<Item = u8>) {
        for byte in bytes {
            self.submit(byte, Instant::now() + LONG).unwrap();
        }
    }

    async fn told(&self, count: usize) -> Vec<Told> {
        let mut all = Vec::new();
        while all.len() < count {
            let mut ready = Vec::new();
            self.outbox.take_ready(&mut ready).await;
            all.extend(ready.into_iter().map(|(_, told)| told));
        }
        all
    }
}

#[tokio::test]
async fn answers_are_read_while_the_peer_does_not_read_ours() {
    let mut scene = Scene::new(200, 16).await;
    scene.send(0..100);
    // Only 16 of the 100 requests fit the pipe, and nobody takes them out.
    scene.until(|shared| shared.status().in_flight == 100).await;
    for byte in 0..100 {
        scene.peer.write_all(&[byte]).await.unwrap();
    }
    assert_eq!(
        scene.told(100).await,
        (0..100).map(Told::Answer).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_peer_that_never_reads_cannot_fill_the_memory() {
    const PIPE: usize = 64 * 1024;
    let mut scene = Scene::new(1, PIPE).await;
    let chunk = vec![7; PIPE];
    let mut accepted = 0;
    // Each byte is said back, so the link stops reading once too much is unwritten.
    loop {
        tokio::select! {
            biased;
            written = scene.peer.write(&chunk) => accepted += written.unwrap(),
            () = async { for _ in 0..1000 { tokio::task::yield_now().await } } => break,
        }
    }
    assert!(
        accepted >= OUTPUT_HARD_MAX,
        "it stopped at {accepted} bytes"
    );
    assert!(
        accepted < OUTPUT_HARD_MAX + 2 * PIPE + 4 * READ_BYTES,
        "it took {accepted} bytes"
    );
}

#[tokio::test]
async fn a_request_leaves_only_when_the_window_has_room() {
    let mut scene = Scene::new(2, 64).await;
    scene.send([1, 2, 3]);
    let mut bytes = [0; 2];
    scene.peer.read_exact(&mut bytes).await.unwrap();
    assert_eq!(bytes, [1, 2]);
    assert_eq!(scene.shared.status().queued, 1);
    scene.peer.write_all(&[1]).await.unwrap();
    let mut byte = [0];
    scene.peer.read_exact(&mut byte).await.unwrap();
    assert_eq!(byte, [3]);
}

#[tokio::test]
async fn a_request_whose_deadline_passes_while_the_window_is_full_is_never_sent() {
    let scene = Scene::new(1, 64).await;
    scene.send([1]);
    scene.until(|shared| shared.status().in_flight == 1).await;
    scene.submit(2, Instant::now()).unwrap();
    assert_eq!(scene.told(1).await, [Told::Refused(Reason::Deadline)]);
}

#[tokio::test]
async fn a_lost_connection_tells_what_was_sent_apart_from_what_was_not() {
    let scene = Scene::new(1, 64).await;
    scene.send([1, 2]);
    scene.until(|shared| shared.status().in_flight == 1).await;
    drop(scene.peer);
    let (ended, _) = scene.served.await.unwrap();
    assert_eq!(ended.again, Again::Soon);
    let mut told = Vec::new();
    scene.outbox.take_ready(&mut told).await;
    told.sort_by_key(|(tag, _)| *tag);
    assert_eq!(told, [(1, Told::Lost), (2, Told::Refused(Reason::NoLink))]);
}

#[tokio::test]
async fn a_link_that_is_down_takes_nothing() {
    let scene = Scene::new(1, 64).await;
    drop(scene.peer);
    scene.served.await.unwrap();
    let mut jobs = VecDeque::from([Job {
        byte: 1,
        deadline: Instant::now() + LONG,
        reply: scene.outbox.reply(1),
    }]);
    assert_eq!(
        scene.shared.enqueue(&mut jobs, 1),
        Err(crate::link::NotTaken::Closed)
    );
    assert_eq!(jobs.len(), 1, "the job is the caller's to answer");
}

#[tokio::test]
async fn a_stop_refuses_what_is_queued_and_waits_for_what_is_in_flight() {
    let mut scene = Scene::new(1, 64).await;
    scene.send([1, 2]);
    scene.until(|shared| shared.status().in_flight == 1).await;
    scene.shared.stop(Stop {
        patience: Instant::now() + LONG,
        cut: Instant::now() + LONG,
    });
    assert_eq!(scene.told(1).await, [Told::Refused(Reason::Stopping)]);
    assert!(!scene.served.is_finished());
    scene.peer.write_all(&[1]).await.unwrap();
    assert_eq!(scene.told(1).await, [Told::Answer(1)]);
    let (_, goodbyes) = scene.served.await.unwrap();
    assert_eq!(goodbyes, 1);
}

#[tokio::test]
async fn a_stop_whose_time_is_over_tells_what_was_in_flight() {
    let scene = Scene::new(1, 64).await;
    scene.send([1]);
    scene.until(|shared| shared.status().in_flight == 1).await;
    scene.shared.stop(Stop {
        patience: Instant::now(),
        cut: Instant::now(),
    });
    assert_eq!(scene.told(1).await, [Told::Lost]);
    let (_, goodbyes) = scene.served.await.unwrap();
    assert_eq!(goodbyes, 1);
}

#[tokio::test]
async fn a_drained_link_stays_connected_and_comes_back_when_resumed() {
    let scene = Scene::new(1, 64).await;
    scene.shared.drain();
    scene.until(|shared| !shared.is_up()).await;
    assert_eq!(
        scene.submit(1, Instant::now() + LONG),
        Err(crate::link::NotTaken::Closed)
    );
    assert!(!scene.served.is_finished());
    scene.shared.resume();
    scene.until(|shared| shared.is_up()).await;
    scene.send([1]);
}

#[tokio::test]
async fn what_the_rate_holds_back_goes_by_itself_when_its_time_comes_and_in_order() {
    let (shared, outbox) = (shared(100), Outbox::new());
    let (mut peer, stream) = duplex(64);
    let scene = tokio::spawn({
        let shared = Arc::clone(&shared);
        async move {
            let mut protocol = Echo {
                window: 100,
                rate: Some((2, Duration::from_millis(5))),
                ..Echo::default()
            };
            Connection::new(stream, &mut protocol, &shared)
                .serve()
                .await
        }
    });
    while !shared.is_up() {
        tokio::task::yield_now().await;
    }
    let jobs = (0..9).map(|byte| Job {
        byte,
        deadline: Instant::now() + LONG,
        reply: outbox.reply(u32::from(byte)),
    });
    shared.enqueue(&mut jobs.collect(), 9).unwrap();
    // Nobody wakes the link: its own alarm has to.
    let mut bytes = [0; 9];
    peer.read_exact(&mut bytes).await.unwrap();
    assert_eq!(bytes, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    drop(peer);
    scene.await.unwrap();
}

#[tokio::test]
async fn a_deadline_that_passes_while_the_rate_holds_a_request_back_is_told() {
    let (shared, outbox) = (shared(100), Outbox::new());
    let (peer, stream) = duplex(64);
    let scene = tokio::spawn({
        let shared = Arc::clone(&shared);
        async move {
            let mut protocol = Echo {
                window: 100,
                rate: Some((1, LONG)),
                ..Echo::default()
            };
            Connection::new(stream, &mut protocol, &shared)
                .serve()
                .await
        }
    });
    while !shared.is_up() {
        tokio::task::yield_now().await;
    }
    let job = |byte, deadline| Job {
        byte,
        deadline,
        reply: outbox.reply(u32::from(byte)),
    };
    let first = job(1, Instant::now() + LONG);
    let second = job(2, Instant::now() + Duration::from_millis(10));
    shared.enqueue(&mut [first, second].into(), 2).unwrap();
    let mut told = Vec::new();
    outbox.take_ready(&mut told).await;
    assert_eq!(told, [(2, Told::Refused(Reason::Deadline))]);
    drop(peer);
    scene.await.unwrap();
}

/// A peer that always has something to say, until the test has seen enough.
struct Chatty(Arc<AtomicBool>);

impl AsyncRead for Chatty {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.0.load(Relaxed) {
            into.put_slice(&[CHATTER]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Chatty {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_never_falls_silent_cannot_keep_a_request_from_timing_out() {
    let (shared, outbox) = (shared(1), Outbox::new());
    let enough = Arc::new(AtomicBool::new(false));
    let serving = tokio::spawn({
        let (shared, stream) = (Arc::clone(&shared), Chatty(Arc::clone(&enough)));
        let reply = outbox.reply(1);
        async move {
            let mut protocol = Echo {
                window: 1,
                times_out_at: Some(Instant::now() + Duration::from_millis(10)),
                in_flight: VecDeque::from([(1, reply)]),
                ..Echo::default()
            };
            Connection::new(stream, &mut protocol, &shared)
                .serve()
                .await
        }
    });
    let mut told = Vec::new();
    let in_time = tokio::time::timeout(Duration::from_secs(10), outbox.take_ready(&mut told)).await;
    enough.store(true, Relaxed);
    serving.await.unwrap();
    assert!(in_time.is_ok(), "nothing was told while the peer talked");
    assert_eq!(told, [(1, Told::TimedOut)]);
}
