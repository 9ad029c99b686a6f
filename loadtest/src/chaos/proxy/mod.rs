//! The network between the router and one bank: a TCP proxy that passes, delays and stalls, cuts
//! connections, and tampers with single frames. It never makes up a message and never takes one away
//! without ending the connection, because TCP does neither.
//!
//! `lane` is one direction as a state machine; here are the sockets.

mod lane;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::sleep_until,
};

pub(crate) use lane::{Ending, Tamper, Way};
use lane::{Lane, Step};

/// Tampers that wait for a frame, per direction of a connection; more are not armed.
const ARMED_MAX: usize = 16;
/// Room for one read.
const READ_OCTETS: usize = 16 * 1024;
/// Pause after a failed accept, which is most often a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What all connections suffer until it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weather {
    /// How much later everything arrives, both ways.
    pub(crate) delay_ms: u64,
    /// Nothing arrives this way.
    pub(crate) stalled: Option<Way>,
}

/// What one connection suffers once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    /// It ends at once.
    Cut(Ending),
    /// Its next frame this way is tampered with.
    Tamper(Way, Tamper),
}

/// The network in front of one bank. It ends when it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

struct Shared {
    bank: SocketAddr,
    weather: watch::Sender<Weather>,
    live: Mutex<Vec<Arc<Live>>>,
    cuts: AtomicU64,
}

/// A connection that can be struck.
struct Live {
    to_bank: mpsc::Sender<Tamper>,
    from_bank: mpsc::Sender<Tamper>,
    cut: watch::Sender<Option<Ending>>,
}

impl Live {
    /// Ends the connection; false if it has ended already.
    fn cut(&self, ending: Ending) -> bool {
        self.cut.send_if_modified(|cut| {
            let is_first = cut.is_none();
            *cut = cut.or(Some(ending));
            is_first
        })
    }
}

impl Shared {
    fn live(&self) -> MutexGuard<'_, Vec<Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self, live: &Live, ending: Ending) {
        if live.cut(ending) {
            self.cuts.fetch_add(1, Relaxed);
        }
    }
}

impl Proxy {
    /// Listens on a free port of loopback for connections to `bank`.
    pub(crate) async fn start(bank: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            bank,
            weather: watch::Sender::default(),
            live: Mutex::default(),
            cuts: AtomicU64::new(0),
        });
        let listening = tokio::spawn(listen(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            listening,
        })
    }

    /// Where the router finds the bank.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that were cut so far.
    pub(crate) fn cuts(&self) -> u64 {
        self.shared.cuts.load(Relaxed)
    }

    /// Changes what all connections suffer.
    pub(crate) fn set_weather(&self, weather: Weather) {
        self.shared.weather.send_replace(weather);
    }

    /// Strikes one of the live connections, if there is any.
    pub(crate) fn strike(&self, pick: u32, strike: Strike) {
        let live = self.shared.live();
        let Some(struck) = live.get(pick as usize % live.len().max(1)) else {
            return;
        };
        // A connection that is full of tampers, or ends just now, is struck enough.
        match strike {
            Strike::Cut(ending) => self.shared.cut(struck, ending),
            Strike::Tamper(Way::ToBank, tamper) => drop(struck.to_bank.try_send(tamper)),
            Strike::Tamper(Way::FromBank, tamper) => drop(struck.from_bank.try_send(tamper)),
        }
    }

    /// Cuts all connections.
    pub(crate) fn cut_all(&self, ending: Ending) {
        for live in self.shared.live().iter() {
            self.shared.cut(live, ending);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and all connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((router, _)) => {
                    connections.spawn(relay(router, Arc::clone(&shared)));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

/// One connection to its end. A bank that is down refuses it, and so the router loses it.
async fn relay(router: TcpStream, shared: Arc<Shared>) {
    let Ok(bank) = TcpStream::connect(shared.bank).await else {
        return;
    };
    // Without it single octets would be put together again; a failure only makes it less cruel.
    router.set_nodelay(true).ok();
    bank.set_nodelay(true).ok();
    let (from_router, to_router) = router.into_split();
    let (from_bank, to_bank) = bank.into_split();
    let (arm_to_bank, armed_to_bank) = mpsc::channel(ARMED_MAX);
    let (arm_from_bank, armed_from_bank) = mpsc::channel(ARMED_MAX);
    let live = Arc::new(Live {
        to_bank: arm_to_bank,
        from_bank: arm_from_bank,
        cut: watch::Sender::new(None),
    });
    shared.live().push(Arc::clone(&live));
    let pump = |way, source, sink, armed| Pump {
        way,
        source,
        sink,
        armed,
        weather: shared.weather.subscribe(),
        live: Arc::clone(&live),
        shared: Arc::clone(&shared),
        lane: Lane::default(),
    };
    tokio::join!(
        pump(Way::ToBank, from_router, to_bank, armed_to_bank).run(),
        pump(Way::FromBank, from_bank, to_router, armed_from_bank).run(),
    );
    shared.live().retain(|own| !Arc::ptr_eq(own, &live));
}

/// One direction of one connection with its sockets.
struct Pump {
    way: Way,
    source: OwnedReadHalf,
    sink: OwnedWriteHalf,
    armed: mpsc::Receiver<Tamper>,
    weather: watch::Receiver<Weather>,
    live: Arc<Live>,
    shared: Arc<Shared>,
    lane: Lane,
}

impl Pump {
    async fn run(mut self) {
        let mut cut = self.live.cut.subscribe();
        let ended = tokio::select! {
            () = self.pass() => None,
            // The sender lives as long as this does.
            Ok(ending) = cut.wait_for(Option::is_some) => *ending,
        };
        match ended {
            Some(Ending::Reset) => {
                // A failure leaves an ordinary close, which is the next best end.
                self.sink.as_ref().set_zero_linger().ok();
                self.sink.forget();
            }
            // Closes this direction, and the socket once the other one has ended too.
            Some(Ending::Closed) | None => drop(self.sink),
        }
    }

    /// Passes what comes until the sender has ended, the receiver is gone, or a tamper cuts.
    async fn pass(&mut self) {
        let mut octets = BytesMut::with_capacity(READ_OCTETS);
        loop {
            let weather = *self.weather.borrow_and_update();
            let is_stalled = weather.stalled == Some(self.way);
            let wake = match self.lane.next(Instant::now(), is_stalled) {
                Step::Write(octets) => {
                    if self.sink.write_all(&octets).await.is_err() {
                        return;
                    }
                    continue;
                }
                Step::Cut(ending) => {
                    self.shared.cut(&self.live, ending);
                    // Now the cut is waited for, which ends both directions.
                    return std::future::pending().await;
                }
                Step::End => return,
                Step::Wait(wake) => wake,
            };
            octets.clear();
            octets.reserve(READ_OCTETS);
            tokio::select! {
                // What was told before some octets came must hold for them.
                biased;
                Some(tamper) = self.armed.recv() => self.lane.arm(tamper),
                Ok(()) = self.weather.changed() => {}
                read = self.source.read_buf(&mut octets), if self.lane.reads() => {
                    let due = Instant::now() + Duration::from_millis(weather.delay_ms);
                    match read {
                        Ok(1..) => self.lane.take(&octets, due),
                        Ok(0) | Err(_) => self.lane.end(due),
                    }
                }
                () = until(wake) => {}
            }
        }
    }
}

async fn until(wake: Option<Instant>) {
    match wake {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long octets may take that must arrive.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A peer on each side of a proxy.
    async fn connected() -> (Proxy, TcpStream, TcpStream) {
        let bank = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = Proxy::start(bank.local_addr().unwrap()).await.unwrap();
        let router = TcpStream::connect(proxy.address()).await.unwrap();
        let (bank, _) = bank.accept().await.unwrap();
        // Only a connection that has passed something can be struck for certain.
        let (mut router, mut bank) = (router, bank);
        exchange(&mut router, &mut bank, b"0001x").await;
        exchange(&mut bank, &mut router, b"0001y").await;
        (proxy, router, bank)
    }

    async fn exchange(from: &mut TcpStream, to: &mut TcpStream, octets: &[u8]) {
        from.write_all(octets).await.unwrap();
        expect(to, octets).await;
    }

    async fn expect(to: &mut TcpStream, octets: &[u8]) {
        let mut read = vec![0; octets.len()];
        let reading = to.read_exact(&mut read);
        tokio::time::timeout(PATIENCE, reading)
            .await
            .expect("it did not arrive")
            .unwrap();
        assert_eq!(read, octets);
    }

    #[tokio::test]
    async fn a_closed_connection_ends_for_both_and_counts_once() {
        let (proxy, mut router, mut bank) = connected().await;
        proxy.strike(7, Strike::Cut(Ending::Closed));
        proxy.cut_all(Ending::Closed);
        assert_eq!(router.read(&mut [0; 1]).await.unwrap(), 0);
        assert_eq!(bank.read(&mut [0; 1]).await.unwrap(), 0);
        assert_eq!(proxy.cuts(), 1);
    }

    #[tokio::test]
    async fn a_reset_connection_ends_in_an_error_for_both() {
        let (proxy, mut router, mut bank) = connected().await;
        proxy.strike(0, Strike::Cut(Ending::Reset));
        for end in [&mut router, &mut bank] {
            let error = end.read(&mut [0; 1]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
    }

    #[tokio::test]
    async fn a_tamper_strikes_the_next_frame_of_its_way_alone() {
        let (proxy, mut router, mut bank) = connected().await;
        proxy.strike(0, Strike::Tamper(Way::FromBank, Tamper::Duplicate));
        exchange(&mut router, &mut bank, b"0001a").await;
        bank.write_all(b"0001b").await.unwrap();
        expect(&mut router, b"0001b0001b").await;
        exchange(&mut bank, &mut router, b"0001c").await;
    }

    #[tokio::test]
    async fn what_is_stalled_arrives_once_the_weather_clears() {
        let (proxy, mut router, mut bank) = connected().await;
        proxy.set_weather(Weather {
            stalled: Some(Way::ToBank),
            ..Weather::default()
        });
        router.write_all(b"0001a").await.unwrap();
        // The other way is open, and shows that the stalled octets had the time to pass.
        exchange(&mut bank, &mut router, b"0001b").await;
        let mut none = [0; 1];
        assert!(bank.try_read(&mut none).is_err());
        proxy.set_weather(Weather::default());
        expect(&mut bank, b"0001a").await;
    }

    #[tokio::test]
    async fn what_a_dead_router_wrote_still_reaches_the_bank() {
        let (_proxy, mut router, mut bank) = connected().await;
        router.write_all(b"0001a").await.unwrap();
        drop(router);
        let mut read = Vec::new();
        bank.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"0001a");
    }
}
