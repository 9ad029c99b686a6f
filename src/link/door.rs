//! Where a peer connects to us: looks at each connection before a link gets it.
//!
//! Whoever reaches the port may be a stranger. So a connection is bounded in time and octets until
//! it has shown whose it is, those that are looked at are bounded in number, and no link hears of
//! one before. What was refused is closed without a word, counted and logged; no password is.

use std::{
    collections::VecDeque,
    fmt, io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::{sleep, sleep_until, timeout_at},
};
use tracing::{info, warn};

use super::{
    lobby::{Arrived, Lobby},
    reach::{Greeting, Listen, WrongGreeting},
    settings::LinkSettings,
    tls::Stream,
};
use crate::{
    metrics::{DoorMetrics, WhyRefused},
    smpp::{Pdu, codec::take_frame},
};

/// Connections that are looked at at once. One more drives out the oldest: a peer says who it is in
/// one round trip, so it is a silent stranger that has stood there longest.
const LOOKED_AT_MAX: usize = 64;

/// A header, a system_id of 16 octets and a password of 9 (SMPP 3.4 4.1.7.1). A longer first PDU is
/// no outbind.
const OUTBIND_OCTETS_MAX: usize = 16 + 16 + 9;

/// How much of a greeting is read at once.
const READ_BYTES: usize = 256;

/// The pause after a failed accept, which is most often a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Refusals are logged once per this time, with how many there were: a stranger must not fill the log.
const LOG_PERIOD: Duration = Duration::from_secs(1);

/// The port of a peer cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address} for {peer}: {source}; is it taken, or no address of this machine?"
)]
pub struct DoorError {
    peer: Arc<str>,
    address: SocketAddr,
    source: io::Error,
}

/// A port that is bound for one peer; nobody is let in yet.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

/// Why a connection was not let in.
#[derive(Debug)]
enum Refusal {
    /// From an address that the peer does not have.
    Source,
    /// The TLS handshake failed, or took too long.
    Tls(String),
    /// No greeting in time.
    Silent,
    /// What it said is no greeting.
    NotOutbind,
    /// A greeting with another system_id or password.
    Credentials,
    /// It closed, or was lost, before it said who it is.
    Gone,
    /// There were too many others.
    Crowd,
    /// It is the peer, and each link has a connection.
    NoFreeLink,
}

impl Refusal {
    fn why(&self) -> WhyRefused {
        match self {
            Self::Source => WhyRefused::Source,
            Self::Tls(_) => WhyRefused::Tls,
            Self::Silent => WhyRefused::Silent,
            Self::NotOutbind => WhyRefused::NoOutbind,
            Self::Credentials => WhyRefused::Credentials,
            Self::Gone => WhyRefused::Gone,
            Self::Crowd => WhyRefused::Crowd,
            Self::NoFreeLink => WhyRefused::NoFreeLink,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "it is not from an address of the peer",
            Self::Tls(why) => why,
            Self::Silent => "it did not say in time who it is",
            Self::NotOutbind => "its first PDU is no outbind",
            Self::Credentials => "its outbind has another system_id or password",
            Self::Gone => "it was closed before it said who it is",
            Self::Crowd => "others came before it had said who it is",
            Self::NoFreeLink => "every link of the peer has a connection",
        })
    }
}

impl Door {
    /// Binds the port, if the peer has one.
    ///
    /// # Errors
    /// The port is taken, or its address is not of this machine.
    pub async fn bind(settings: &LinkSettings) -> Result<Option<Self>, DoorError> {
        let Some(listen) = settings.reach.listens() else {
            return Ok(None);
        };
        let error = |source| DoorError {
            peer: Arc::clone(&settings.peer),
            address: listen.address,
            source,
        };
        let listener = TcpListener::bind(listen.address).await.map_err(error)?;
        let address = listener.local_addr().map_err(error)?;
        Ok(Some(Self { listener, address }))
    }

    /// Where it is, with the port that the system chose.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the peer's connections into the lobby, for ever.
    pub(super) async fn watch(
        self,
        settings: Arc<LinkSettings>,
        lobby: Arc<Lobby>,
        metrics: DoorMetrics,
    ) {
        let Some(listen) = settings.reach.listens().cloned() else {
            return;
        };
        let mut watch = Watch {
            patience: settings.connect_timeout,
            listen: Arc::new(listen),
            log: Log::new(Arc::clone(&settings.peer)),
            lobby,
            metrics,
            looks: JoinSet::new(),
            oldest_first: VecDeque::new(),
        };
        loop {
            let overdue = watch.lobby.next_overdue();
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, from)) => watch.look_at(stream, from),
                    Err(error) => {
                        warn!(peer = %settings.peer, "cannot accept a connection: {error}");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(looked) = watch.looks.join_next() => {
                    // One that was driven out has been counted.
                    if let Ok((from, looked)) = looked {
                        watch.settle(from, looked);
                    }
                }
                () = sleep_until(overdue.unwrap_or_else(Instant::now).into()), if overdue.is_some() => {
                    for arrived in watch.lobby.take_overdue(Instant::now()) {
                        watch.refuse(arrived.from, &Refusal::NoFreeLink);
                    }
                }
            }
        }
    }
}

/// A sound connection with what was read from it, or why it is none.
type Looked = Result<(Stream, BytesMut), Refusal>;

/// What the watch at one door knows.
struct Watch {
    listen: Arc<Listen>,
    /// For the handshake and the greeting, and then for a link.
    patience: Duration,
    lobby: Arc<Lobby>,
    metrics: DoorMetrics,
    log: Log,
    looks: JoinSet<(SocketAddr, Looked)>,
    oldest_first: VecDeque<(SocketAddr, AbortHandle)>,
}

impl Watch {
    fn look_at(&mut self, stream: TcpStream, from: SocketAddr) {
        if !self.listen.admits(from.ip()) {
            return self.refuse(from, &Refusal::Source);
        }
        self.oldest_first.retain(|(_, look)| !look.is_finished());
        if self.oldest_first.len() == LOOKED_AT_MAX
            && let Some((driven_out, look)) = self.oldest_first.pop_front()
        {
            look.abort();
            self.refuse(driven_out, &Refusal::Crowd);
        }
        let listen = Arc::clone(&self.listen);
        let deadline = Instant::now() + self.patience;
        let look = self
            .looks
            .spawn(async move { (from, inspect(stream, &listen, deadline).await) });
        self.oldest_first.push_back((from, look));
    }

    fn settle(&mut self, from: SocketAddr, looked: Looked) {
        let (stream, input) = match looked {
            Ok(sound) => sound,
            Err(refusal) => return self.refuse(from, &refusal),
        };
        let until = Instant::now() + self.patience;
        let arrived = Arrived {
            stream,
            input,
            from,
            until,
        };
        if self.lobby.admit(arrived).is_err() {
            return self.refuse(from, &Refusal::NoFreeLink);
        }
        self.metrics.admitted.increment(1);
        info!(peer = %self.log.peer, %from, "the peer has connected");
    }

    fn refuse(&mut self, from: SocketAddr, refusal: &Refusal) {
        self.metrics.refused(refusal.why());
        self.log.refused(Instant::now(), from, refusal);
    }
}

/// Looks at a connection until it has shown whose it is.
async fn inspect(stream: TcpStream, listen: &Listen, deadline: Instant) -> Looked {
    let deadline = deadline.into();
    // A turn of a link writes everything it has at once, so waiting for more would only add latency.
    stream.set_nodelay(true).map_err(|_| Refusal::Gone)?;
    let mut stream = match &listen.tls {
        None => Stream::Plain(stream),
        Some(tls) => timeout_at(deadline, tls.accept(stream))
            .await
            .map_err(|_| Refusal::Tls("the TLS handshake did not end in time".into()))?
            .map_err(|error| Refusal::Tls(error.to_string()))?,
    };
    let mut input = BytesMut::new();
    match listen.greeting {
        Greeting::None => {}
        Greeting::Outbind { .. } => timeout_at(deadline, hear(&mut stream, &mut input, listen))
            .await
            .map_err(|_| Refusal::Silent)??,
    }
    Ok((stream, input))
}

/// Reads until the first PDU is whole, and judges it. It stays in the input: the session answers it.
async fn hear(stream: &mut Stream, input: &mut BytesMut, listen: &Listen) -> Result<(), Refusal> {
    loop {
        input.reserve(READ_BYTES);
        match stream.read_buf(input).await {
            Ok(0) | Err(_) => return Err(Refusal::Gone),
            Ok(_) => {}
        }
        match take_frame(&mut input.clone(), OUTBIND_OCTETS_MAX) {
            Ok(None) => {}
            Err(_) => return Err(Refusal::NotOutbind),
            Ok(Some(frame)) => {
                let pdu = Pdu::decode(&frame).map_err(|_| Refusal::NotOutbind)?;
                return listen.greeting.is_met_by(&pdu).map_err(|why| match why {
                    WrongGreeting::NotOutbind => Refusal::NotOutbind,
                    WrongGreeting::Credentials => Refusal::Credentials,
                });
            }
        }
    }
}

/// Logs refusals, not more often than a person can read.
struct Log {
    peer: Arc<str>,
    next: Option<Instant>,
    unlogged: u64,
}

impl Log {
    fn new(peer: Arc<str>) -> Self {
        Self {
            peer,
            next: None,
            unlogged: 0,
        }
    }

    fn refused(&mut self, now: Instant, from: SocketAddr, refusal: &Refusal) {
        if self.next.is_some_and(|next| now < next) {
            self.unlogged += 1;
            return;
        }
        let others = std::mem::take(&mut self.unlogged);
        self.next = Some(now + LOG_PERIOD);
        warn!(peer = %self.peer, %from, others, "refused a connection: {refusal}");
    }
}
