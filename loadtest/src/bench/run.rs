//! One run: networks, floor, router, load, and what it came to.

use std::{path::Path, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    BenchError,
    clock::Window,
    config::Networks,
    floor,
    load::{Book, Events, Generator, Load, Subscribers},
    measure::measure,
    record::{self, Record},
    router::Router,
    scenario::Scenario,
    sink::{Counts, Sink},
};

/// How long a closed loop is measured at most, of which an open one takes a share.
const CALIBRATED_MAX: Duration = Duration::from_secs(3);
/// How long the last events may take.
const EVENTS_MAX: Duration = Duration::from_secs(10);
const DRAIN_LOOK: Duration = Duration::from_millis(10);

/// How long what is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) warm_up: Duration,
    pub(super) measured: Duration,
    /// Zero leaves the floor out.
    pub(super) floor: Duration,
}

/// Where what is found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    pub(super) program: &'a Path,
    /// Under which the router's files are.
    pub(super) folder: Option<&'a Path>,
}

/// Runs a scenario once.
///
/// # Errors
/// When there is no router, or the harness itself fails. What the router does wrong is in the record.
pub(super) async fn once(
    scenario: &Scenario,
    run: u32,
    times: Times,
    places: Places<'_>,
) -> Result<Record, BenchError> {
    let world = World::start(scenario).await?;
    let floor = match times.floor.is_zero() {
        true => None,
        false => Some(floor::of(scenario, world.networks(), times.floor).await?),
    };
    let networks = world.networks();
    let router = Router::start(places.program, places.folder, scenario, networks).await?;
    let messages = paced(scenario.message_load(), &router, times).await?;
    let payments = paced(scenario.payment_load(), &router, times).await?;
    let (m, p) = (
        connect(messages, &router).await?,
        connect(payments, &router).await?,
    );
    let subscribers = match scenario.subscribers() {
        0 => None,
        subscribers => Some(Subscribers::open(&router.rpc, subscribers).await?),
    };
    let window = Window::after(times.warm_up, times.measured);
    let events = match subscribers {
        Some(subscribers) => Some(subscribers.run(window)?),
        None => None,
    };
    world.deliver(true);
    let (m, p, measured) = tokio::join!(
        book_of(m, window),
        book_of(p, window),
        measure(&router, window)
    );
    let (m, p, measured) = (m?, p?, measured?);
    world.deliver(false);
    let mut faults = Vec::new();
    let events = match events {
        Some(events) => Some(world.last_of(events, &mut faults).await),
        None => None,
    };
    let peak_mib = router.usage()?.memory.peak_kib as f64 / 1_024.0;
    router.stop().await?;

    let kinds = [("messages", &m), ("payments", &p), ("events", &events)];
    let mut answered = 0;
    for (kind, book) in kinds {
        let Some(book) = book else { continue };
        answered += book.in_window;
        let wrongs = book.wrongs().into_iter();
        faults.extend(wrongs.map(|wrong| format!("{kind}: {wrong}")));
        if book.in_window == 0 {
            faults.push(format!("{kind}: none was answered in the measured time"));
        }
    }
    let traffic = |book: Option<&Book>, load: Option<Load>| {
        book.map(|book| record::Traffic::of(book, load.and_then(|load| load.per_s)))
    };
    let messages = traffic(m.as_ref(), messages);
    let payments = traffic(p.as_ref(), payments);
    let events = traffic(events.as_ref(), None);
    let floor = floor.map(|floor| {
        let per_s = |it: &Option<record::Traffic>| it.as_ref().map_or(0.0, |it| it.per_s);
        let pdus_per_s = per_s(&messages) * scenario.parts() as f64;
        floor.reached(pdus_per_s, per_s(&payments), per_s(&events))
    });
    Ok(Record {
        scenario: scenario.name.clone(),
        about: scenario.about.clone(),
        run,
        seconds: window.seconds(),
        settings: scenario.settings(),
        is_clean: faults.is_empty(),
        faults,
        messages,
        payments,
        events,
        router: measured.router(answered, window, peak_mib),
        harness: measured.harness(answered),
        floor,
        machine: measured.machine(),
        bars: scenario.bars.clone(),
        point: None,
    })
}

/// The networks of a run.
struct World {
    smsc: Option<Sink>,
    bank: Option<Sink>,
}

impl World {
    async fn start(scenario: &Scenario) -> Result<Self, BenchError> {
        let delay = scenario.delay();
        let smsc = match scenario.has_smsc() {
            true => Some(Sink::smsc(scenario.delivering(), delay).await?),
            false => None,
        };
        let bank = match scenario.payments.is_some() {
            true => Some(Sink::bank(delay).await?),
            false => None,
        };
        Ok(Self { smsc, bank })
    }

    fn networks(&self) -> Networks {
        Networks {
            smsc: self.smsc.as_ref().map(|sink| sink.address),
            bank: self.bank.as_ref().map(|sink| sink.address),
        }
    }

    fn deliver(&self, delivers: bool) {
        if let Some(smsc) = &self.smsc {
            smsc.deliver(delivers);
        }
    }

    /// Waits until everything that the SMSC has delivered is answered and acknowledged.
    async fn last_of(&self, events: Events, faults: &mut Vec<String>) -> Book {
        let deadline = Instant::now() + EVENTS_MAX;
        let counts = self.smsc.as_ref().map(|smsc| smsc.counts.as_ref());
        let seen = || counts.map_or((0, 0, 0), Counts::seen);
        loop {
            let (delivered, taken, refused) = seen();
            let is_over = delivered == taken + refused && events.came() == taken;
            if is_over || Instant::now() >= deadline {
                if delivered != taken + refused {
                    let what = "were delivered by the SMSC, so many answered";
                    faults.push(format!("events: {delivered} {what}: {}", taken + refused));
                }
                if refused > 0 {
                    faults.push(format!("events: {refused} were refused"));
                }
                return events.book(taken);
            }
            sleep(DRAIN_LOOK).await;
        }
    }
}

/// The load with the rate that its share of a closed loop comes to.
async fn paced(
    load: Option<Load>,
    router: &Router,
    times: Times,
) -> Result<Option<Load>, BenchError> {
    let Some(mut load) = load else {
        return Ok(None);
    };
    if let Some(share) = load.share {
        let generator = Generator::connect(&router.rpc, load).await?;
        let window = Window::after(times.warm_up, times.measured.min(CALIBRATED_MAX));
        let book = generator.run(window).await?;
        load.per_s = Some(book.in_window as f64 / window.seconds() * share);
    }
    Ok(Some(load))
}

async fn connect(load: Option<Load>, router: &Router) -> Result<Option<Generator>, BenchError> {
    match load {
        Some(load) => Generator::connect(&router.rpc, load).await.map(Some),
        None => Ok(None),
    }
}

async fn book_of(generator: Option<Generator>, window: Window) -> Result<Option<Book>, BenchError> {
    match generator {
        Some(generator) => generator.run(window).await.map(Some),
        None => Ok(None),
    }
}
