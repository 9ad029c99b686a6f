//! One run: networks, floor, router, load, and what it came to.

use std::{path::Path, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    BenchError,
    clock::Window,
    config::Networks,
    floor,
    load::{Book, Ended, Events, Generator, Load, Subscribers},
    measure::{Measured, measure},
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
    let networks = world.networks();
    let floor = match times.floor.is_zero() {
        true => None,
        false => Some(floor::of(scenario, networks, times.floor).await?),
    };
    let router = Router::start(places.program, places.folder, scenario, networks).await?;
    let outcome = Outcome::of(scenario, times, &world, &router).await?;
    router.stop().await?;
    Ok(outcome.record(scenario, run, floor))
}

/// What a run came to.
struct Outcome {
    messages: Option<Book>,
    payments: Option<Book>,
    events: Option<Book>,
    window: Window,
    measured: Measured,
    peak_mib: f64,
    faults: Vec<String>,
}

impl Outcome {
    /// Loads the router until the end of the window and the last answer.
    async fn of(
        scenario: &Scenario,
        times: Times,
        world: &World,
        router: &Router,
    ) -> Result<Self, BenchError> {
        let messages = caller(scenario.message_load(), router, times).await?;
        let payments = caller(scenario.payment_load(), router, times).await?;
        let subscribers = match scenario.subscribers() {
            0 => None,
            subscribers => Some(Subscribers::open(&router.rpc, subscribers).await?),
        };
        let window = Window::after(times.warm_up, times.measured);
        let events = subscribers.map(|it| it.run(window)).transpose()?;
        world.deliver(true);
        let (messages, payments, measured) = tokio::join!(
            run_to_end(messages, window),
            run_to_end(payments, window),
            measure(router, window)
        );
        let book = |ended: Option<Ended>| ended.map(|ended| ended.book);
        let (messages, payments, measured) = (book(messages?), book(payments?), measured?);
        world.deliver(false);
        let mut faults = Vec::new();
        let events = match events {
            Some(events) => Some(world.last_of(events, &mut faults).await),
            None => None,
        };
        Ok(Self {
            messages,
            payments,
            events,
            window,
            measured,
            peak_mib: router.usage()?.memory.peak_kib as f64 / 1_024.0,
            faults,
        })
    }

    fn record(self, scenario: &Scenario, run: u32, floor: Option<floor::Reached>) -> Record {
        let mut faults = self.faults;
        let kinds = [
            ("messages", &self.messages),
            ("payments", &self.payments),
            ("events", &self.events),
        ];
        let mut answered = 0;
        for (kind, book) in kinds {
            let Some(book) = book else { continue };
            answered += book.in_window;
            faults.extend(book.wrongs().iter().map(|wrong| format!("{kind}: {wrong}")));
        }
        let is_clean = faults.is_empty();
        // That says nothing of the router where the machine is busy with others.
        let late = kinds.into_iter().filter(|(_, book)| {
            let in_window = book.as_ref().map(|book| book.in_window);
            in_window == Some(0)
        });
        faults.extend(late.map(|(kind, _)| format!("{kind}: none came in the measured time")));
        let messages = self.messages.as_ref().map(record::Traffic::of);
        let payments = self.payments.as_ref().map(record::Traffic::of);
        let events = self.events.as_ref().map(record::Traffic::of);
        let floor = floor.map(|floor| {
            let per_s = |it: &Option<record::Traffic>| it.as_ref().map_or(0.0, |it| it.per_s);
            let pdus_per_s = per_s(&messages) * scenario.parts() as f64;
            floor.reached(pdus_per_s, per_s(&payments), per_s(&events))
        });
        Record {
            scenario: scenario.name.clone(),
            about: scenario.about.clone(),
            run,
            seconds: self.window.seconds(),
            settings: scenario.settings(),
            is_clean,
            faults,
            messages,
            payments,
            events,
            router: self.measured.router(answered, self.window, self.peak_mib),
            harness: self.measured.harness(answered),
            floor,
            machine: self.measured.machine(),
            bars: scenario.bars.clone(),
            point: None,
        }
    }
}

/// The networks of a run.
struct World {
    smsc: Option<Sink>,
    bank: Option<Sink>,
}

impl World {
    async fn start(scenario: &Scenario) -> Result<Self, BenchError> {
        let delay = scenario.delay();
        let smsc = match scenario.router.smscs > 0 {
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

/// Callers that are connected. The rate of those that take a share of a closed loop is found first.
async fn caller(
    load: Option<Load>,
    router: &Router,
    times: Times,
) -> Result<Option<Generator>, BenchError> {
    let Some(mut load) = load else {
        return Ok(None);
    };
    if let Some(share) = load.share {
        let generator = Generator::connect(&router.rpc, load).await?;
        let window = Window::after(times.warm_up, times.measured.min(CALIBRATED_MAX));
        let book = generator.run(window).await?.book;
        load.per_s = Some(book.in_window as f64 / window.seconds() * share);
    }
    Generator::connect(&router.rpc, load).await.map(Some)
}

async fn run_to_end(
    generator: Option<Generator>,
    window: Window,
) -> Result<Option<Ended>, BenchError> {
    match generator {
        Some(generator) => generator.run(window).await.map(Some),
        None => Ok(None),
    }
}
