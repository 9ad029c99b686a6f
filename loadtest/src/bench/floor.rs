//! The floor: the same PDUs straight from a driver to the simulator, over the same number of
//! connections and windows, without a router between. What a router reaches is told as a share of it,
//! because both share the machine of that minute.

use std::{io, net::SocketAddr, time::Duration};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{
    BenchError,
    config::Networks,
    load::on_own_thread,
    record,
    scenario::Scenario,
    sink::{command, put_deliver_of_floor, put_submit, request_of_floor, sign_on_of_floor},
};

/// What the driver's thread is called.
const THREAD: &str = "bench-floor";
/// How long it runs before it is measured.
const WARM_UP: Duration = Duration::from_millis(200);
/// How long the last answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);
const READ_BYTES: usize = 64 * 1024;

/// What is exchanged.
#[derive(Clone)]
struct Exchange {
    /// What a connection says first, and what is read before it goes on: one PDU.
    greeting: Vec<u8>,
    /// One request.
    request: Vec<u8>,
    /// Where the 4 octets that tell the length of a PDU stand, in ASCII digits or as a number, and
    /// whether they count themselves.
    length: Length,
}

/// How a PDU tells its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    /// SMPP: 4 octets that count themselves.
    Smpp,
    /// ISO 8583 here: 4 ASCII digits that do not.
    Digits,
}

impl Length {
    /// The octets of the first PDU, if it is whole.
    fn of_first(self, input: &[u8]) -> io::Result<Option<usize>> {
        let Some(head) = input.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = match self {
            Self::Smpp => u32::from_be_bytes(*head) as usize,
            Self::Digits => {
                let digits = head
                    .iter()
                    .map(|digit| usize::from(digit.wrapping_sub(b'0')));
                digits.fold(0, |sum, digit| sum * 10 + digit) + head.len()
            }
        };
        if length < head.len() {
            return Err(io::Error::other("the simulator's answer has no length"));
        }
        Ok((input.len() >= length).then_some(length))
    }
}

impl Exchange {
    /// Of SMPP PDUs with a sequence number.
    fn smpp(put: impl FnOnce(u32, &mut BytesMut)) -> Self {
        let mut request = BytesMut::new();
        put(1, &mut request);
        Self {
            greeting: bind(),
            request: request.to_vec(),
            length: Length::Smpp,
        }
    }

    fn iso() -> Self {
        Self {
            greeting: sign_on_of_floor(),
            request: request_of_floor(),
            length: Length::Digits,
        }
    }
}

/// A bind_transceiver (4.1.5) of nobody in particular.
fn bind() -> Vec<u8> {
    let body = b"bench\0\0\0\x34\0\0\0";
    let mut bind = Vec::new();
    for number in [16 + body.len() as u32, command::BIND_TRANSCEIVER, 0, 1] {
        bind.extend_from_slice(&number.to_be_bytes());
    }
    bind.extend_from_slice(body);
    bind
}

/// What the bare exchanges of a scenario reached.
pub(super) struct Reached {
    messages_per_s: Option<f64>,
    payments_per_s: Option<f64>,
    events_per_s: Option<f64>,
}

/// Measures the bare exchange of each kind that the scenario has.
///
/// # Errors
/// When a simulator does not answer.
pub(super) async fn of(
    scenario: &Scenario,
    networks: Networks,
    measured: Duration,
) -> Result<Reached, BenchError> {
    let router = &scenario.router;
    let binds = router.binds * u32::try_from(router.smscs).unwrap_or(u32::MAX);
    let smpp = |exchange, window| async move {
        match networks.smsc {
            Some(smsc) => measure(smsc, exchange, binds, window, measured)
                .await
                .map(Some),
            None => Ok(None),
        }
    };
    let messages_per_s = match &scenario.messages {
        Some(messages) => {
            let part_chars = messages.part_chars();
            let exchange = Exchange::smpp(|sequence, out| put_submit(part_chars, sequence, out));
            smpp(exchange, router.window as usize).await?
        }
        None => None,
    };
    let events_per_s = match scenario.delivering().window {
        0 => None,
        window => smpp(Exchange::smpp(put_deliver_of_floor), window).await?,
    };
    let payments_per_s = match networks.bank {
        Some(bank) => {
            let window = router.bank_window as usize;
            let reached = measure(bank, Exchange::iso(), router.links, window, measured).await?;
            Some(reached)
        }
        None => None,
    };
    Ok(Reached {
        messages_per_s,
        payments_per_s,
        events_per_s,
    })
}

impl Reached {
    /// The record, for so many exchanges per second through the router.
    pub(super) fn reached(
        &self,
        messages_per_s: f64,
        payments_per_s: f64,
        events_per_s: f64,
    ) -> record::Floor {
        let share = |reached: f64, floor: Option<f64>| floor.map_or(0.0, |floor| reached / floor);
        record::Floor {
            messages_per_s: self.messages_per_s,
            payments_per_s: self.payments_per_s,
            events_per_s: self.events_per_s,
            reached: share(messages_per_s, self.messages_per_s)
                + share(payments_per_s, self.payments_per_s)
                + share(events_per_s, self.events_per_s),
        }
    }
}

/// Exchanges per second, over so many connections with such a window.
///
/// # Errors
/// When the simulator does not answer.
async fn measure(
    address: SocketAddr,
    exchange: Exchange,
    connections: u32,
    window: usize,
    measured: Duration,
) -> Result<f64, BenchError> {
    let (tell, told) = oneshot::channel();
    on_own_thread(THREAD.to_owned(), async move {
        let driven = drive_all(address, exchange, connections, window, measured).await;
        // Whoever waited may have given up.
        tell.send(driven).ok();
    })?;
    let told = told.await.map_err(|_| BenchError::SinkDied)?;
    told.map_err(BenchError::Floor)
}

async fn drive_all(
    address: SocketAddr,
    exchange: Exchange,
    connections: u32,
    window: usize,
    measured: Duration,
) -> io::Result<f64> {
    let mut sockets = Vec::new();
    for _ in 0..connections {
        sockets.push(greet(address, &exchange).await?);
    }
    let start = Instant::now() + WARM_UP;
    let end = start + measured;
    let mut tasks = JoinSet::new();
    for socket in sockets {
        tasks.spawn(drive(socket, exchange.clone(), window, start, end));
    }
    let mut answered = 0;
    while let Some(ended) = tasks.join_next().await {
        answered += ended.map_err(io::Error::other)??;
    }
    Ok(answered as f64 / measured.as_secs_f64())
}

async fn greet(address: SocketAddr, exchange: &Exchange) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    socket.write_all(&exchange.greeting).await?;
    let mut input = BytesMut::new();
    while exchange.length.of_first(&input)?.is_none() {
        read(&mut socket, &mut input).await?;
    }
    Ok(socket)
}

async fn read(socket: &mut TcpStream, input: &mut BytesMut) -> io::Result<()> {
    input.reserve(READ_BYTES);
    match timeout(ANSWER_MAX, socket.read_buf(input)).await {
        Ok(Ok(0)) => Err(io::Error::other("the simulator has hung up")),
        Ok(read) => read.map(drop),
        Err(_) => Err(io::Error::other("the simulator does not answer")),
    }
}

/// Keeps the window full; how many answers came while it was measured.
async fn drive(
    mut socket: TcpStream,
    exchange: Exchange,
    window: usize,
    start: Instant,
    end: Instant,
) -> io::Result<u64> {
    let requests = exchange.request.repeat(window);
    let mut input = BytesMut::with_capacity(READ_BYTES);
    let mut room = window;
    let mut answered = 0;
    loop {
        let octets = requests.get(..room * exchange.request.len());
        socket.write_all(octets.unwrap_or_default()).await?;
        read(&mut socket, &mut input).await?;
        room = 0;
        while let Some(length) = exchange.length.of_first(&input)? {
            input.advance(length);
            room += 1;
        }
        let now = Instant::now();
        if now >= end {
            return Ok(answered);
        }
        if now >= start {
            answered += room as u64;
        }
    }
}
