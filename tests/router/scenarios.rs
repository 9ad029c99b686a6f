//! Misbehaving SMSCs, each as a file of `loadtest/scenarios/smsc/` says, beside a healthy one.
//!
//! In every scenario the callers get the outcomes that the file names, the healthy SMSC's traffic
//! and binds are not disturbed, and at the end nothing is left in a queue, a window or a table.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use loadtest::{
    fault::DelayMs,
    smsc::{
        Delivering, Smsc, SmscBehaviour,
        scenario::{After, Callers, Count, Expect, Scenario},
        scripted::ScriptedSmsc,
    },
};
use sampan::{
    rpc::proto::{
        Outcome, SubmitRequest, SubmitResult, event::Kind, messaging_client::MessagingClient,
    },
    status::{LinkState, LinkStatus},
};
use tokio::{
    sync::Semaphore,
    task::{JoinSet, LocalSet},
};
use tonic::transport::Channel;

use crate::support::{Router, Setup, Subscriber, eventually, message, submit, submit_all};

/// The SMSC that misbehaves, and the one that does not.
const SCRIPTED: &str = "scripted";
const HEALTHY: &str = "healthy";

/// Scenarios that run at the same time: most of them wait.
const TOGETHER: usize = 8;

/// Messages in one go of the healthy SMSC's callers.
const STEP: usize = 20;

/// A message of theirs whose receipt is awaited all the time, and its id at the healthy SMSC, which a
/// scenario may name.
const AWAITED: usize = 9_999_999;
const AWAITED_ID: &str = "1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_ends_as_its_file_says() {
    // Each in a task of its own, so that one that fails does not hide the others.
    LocalSet::new().run_until(run_all()).await;
}

async fn run_all() {
    let only = std::env::var("SCENARIO").ok();
    let room = Arc::new(Semaphore::new(TOGETHER));
    let mut running = JoinSet::new();
    let mut names = HashMap::new();
    for scenario in Scenario::all().unwrap() {
        let name = scenario.name.clone();
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let room = Arc::clone(&room);
        let task = running.spawn_local(async move {
            let _room = room.acquire().await.unwrap();
            run(scenario).await;
        });
        names.insert(task.id(), name);
    }
    assert!(!names.is_empty(), "there is no such scenario");
    let mut failed = Vec::new();
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            failed.push(format!("{}: {error}", names[&error.id()]));
        }
    }
    assert!(failed.is_empty(), "failed:\n{}", failed.join("\n"));
}

async fn run(scenario: Scenario) {
    let name = scenario.name.clone();
    let (callers, expect) = (scenario.callers.clone(), scenario.expect.clone());
    let keys = scenario.router.clone();
    let sections = format!("[stop]\ntimeout_ms = 1000\n{}", scenario.sections);
    // One that dials begins once the router listens.
    let (scripted, dials_in) = match scenario.dials_in {
        true => (None, Some(scenario)),
        false => (Some(ScriptedSmsc::start(scenario).await.unwrap()), None),
    };
    let healthy = Smsc::start(SmscBehaviour {
        delivering: Delivering {
            delay: DelayMs::fixed(600_000),
            ..Delivering::default()
        },
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    let setup = match &scripted {
        Some(scripted) => Setup::new(&sections).smsc_at(SCRIPTED, scripted.address(), &keys),
        None => Setup::new(&sections).smsc_reached(SCRIPTED, &keys),
    };
    let router = setup
        .smsc(HEALTHY, &healthy, "binds = 2")
        .named_route(SCRIPTED, "84981", &[SCRIPTED])
        .named_route(HEALTHY, "84982", &[HEALTHY])
        .start()
        .await;
    router
        .until("the healthy SMSC is bound", |links| {
            of(links, HEALTHY).all(|link| link.state == LinkState::Up)
        })
        .await;
    let dial = |scenario| ScriptedSmsc::dial(router.listens_for(SCRIPTED), scenario);
    let scripted = scripted.or_else(|| dials_in.map(dial)).unwrap();
    let subscriber = Subscriber::new(router.messaging()).await;
    let awaited = submit(&router.messaging(), to(HEALTHY, AWAITED, true)).await;
    assert_eq!(awaited.message_ids, [AWAITED_ID]);
    let traffic = Traffic::start(router.messaging());
    let mut next = 0;
    for callers in &callers {
        follow(&name, &router, callers, &mut next).await;
    }
    check(&name, &router, &scripted, &subscriber, &expect).await;
    let sent = traffic.end().await;
    undisturbed(&name, &router, &healthy, sent).await;
    drop(subscriber);
    router.stop().await;
}

fn of<'a>(links: &'a [LinkStatus], peer: &'a str) -> impl Iterator<Item = &'a LinkStatus> {
    links.iter().filter(move |link| *link.peer == *peer)
}

/// Callers of the healthy SMSC, who go on until they are told to end.
struct Traffic {
    ending: Arc<AtomicBool>,
    sending: tokio::task::JoinHandle<usize>,
}

impl Traffic {
    fn start(client: MessagingClient<Channel>) -> Self {
        let ending = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&ending);
        let sending = tokio::spawn(async move {
            let mut sent = 0;
            while !asked.load(Relaxed) {
                let requests = (sent..sent + STEP).map(|number| to(HEALTHY, number, false));
                let told = submit_all(client.clone(), requests.collect()).await;
                for result in told.values() {
                    assert_eq!(result.outcome(), Outcome::Accepted, "{}", result.detail);
                }
                sent += STEP;
                tokio::task::yield_now().await;
            }
            sent
        });
        Self { ending, sending }
    }

    async fn end(self) -> usize {
        self.ending.store(true, Relaxed);
        self.sending.await.unwrap()
    }
}

fn to(route: &str, number: usize, receipt: bool) -> SubmitRequest {
    let own = message(number);
    SubmitRequest {
        request_id: format!("{route}-{}", own.request_id),
        route: route.to_owned(),
        receipt,
        ..own
    }
}

/// Lets callers do as the file says.
async fn follow(name: &str, router: &Router, callers: &Callers, next: &mut usize) {
    let since = match callers.after {
        After::Start => None,
        After::Up => Some(("the bind is up", LinkState::Up)),
        After::Back => Some(("the bind is up again", LinkState::Up)),
        After::Down => Some(("the bind has failed", LinkState::Down)),
    };
    if let Some((what, state)) = since {
        let holds = |link: &LinkStatus| match callers.after {
            After::Back => link.reconnects > 0,
            After::Down => !link.last_error.is_empty(),
            After::Up | After::Start => true,
        };
        router
            .until(&format!("{name}: {what}"), |links| {
                of(links, SCRIPTED).all(|link| link.state == state && holds(link))
            })
            .await;
    }
    let numbers = *next..*next + callers.messages;
    *next = numbers.end;
    let requests = numbers.map(|number| to(SCRIPTED, number, callers.receipts));
    let told = submit_all(router.messaging(), requests.collect()).await;
    let mut counts = BTreeMap::<String, u64>::new();
    for result in told.values() {
        for name in names_of(result) {
            *counts.entry(name).or_default() += 1;
        }
    }
    for outcome in ["accepted", "rejected", "not_sent", "unknown"] {
        let named = callers.outcomes.keys();
        let is_named = named
            .map(|key| key.split(':').next())
            .any(|key| key == Some(outcome));
        let count = counts.get(outcome).copied().unwrap_or(0);
        assert!(is_named || count == 0, "{name}: {counts:?}");
    }
    for (key, wanted) in &callers.outcomes {
        let count = counts.get(key).copied().unwrap_or(0);
        assert!(
            wanted.holds(count),
            "{name}: {key} {wanted:?}, but {counts:?}"
        );
    }
}

/// The outcome alone, and with what it says more.
fn names_of(result: &SubmitResult) -> Vec<String> {
    let reason = result
        .reason()
        .as_str_name()
        .trim_start_matches("REASON_")
        .to_lowercase();
    let (name, more) = match result.outcome() {
        Outcome::Accepted => ("accepted", None),
        Outcome::Rejected => (
            "rejected",
            result.rejection.as_ref().map(|own| own.name.clone()),
        ),
        Outcome::NotSent => ("not_sent", Some(reason)),
        Outcome::Unknown => ("unknown", Some(reason)),
        Outcome::Unspecified => ("none", None),
    };
    let more = more.map(|more| format!("{name}:{more}"));
    std::iter::once(name.to_owned()).chain(more).collect()
}

/// Waits until everything is as the file wants it at the end.
async fn check(
    name: &str,
    router: &Router,
    scripted: &ScriptedSmsc,
    subscriber: &Subscriber,
    expect: &Expect,
) {
    let link = || router.of(SCRIPTED).remove(0);
    if let Some(up) = expect.up {
        becomes(name, "up", Count::Exactly(up.into()), || {
            u64::from(link().state == LinkState::Up)
        })
        .await;
    }
    if let Some(wanted) = expect.reconnects {
        becomes(name, "reconnects", wanted, || link().reconnects).await;
    }
    if let Some(wanted) = &expect.last_error {
        let told = link().last_error;
        assert!(told.contains(wanted), "{name}: last error {told:?}");
    }
    for (metric, wanted) in &expect.metrics {
        becomes(name, metric, *wanted, || figure(router, metric)).await;
    }
    for (pdu, wanted) in &expect.seen {
        becomes(name, pdu, *wanted, || scripted.seen().of(pdu)).await;
    }
    for (kind, wanted) in &expect.events {
        becomes(name, kind, *wanted, || {
            let counts = subscriber.counts(SCRIPTED);
            counts.get(kind.as_str()).copied().unwrap_or(0)
        })
        .await;
    }
    no_receipt_of_others(name, subscriber);
    let mut wanted = expect.echoed.clone();
    wanted.sort_unstable();
    eventually(&format!("{name}: echoed"), async || {
        let mut echoed = scripted.seen().echoed().to_vec();
        echoed.sort_unstable();
        wanted.is_empty() || echoed == wanted
    })
    .await;
    assert_eq!(scripted.seen().of("unreadable"), 0, "{name}");
}

/// A receipt names a request that was sent to its own SMSC, or none.
fn no_receipt_of_others(name: &str, subscriber: &Subscriber) {
    for event in subscriber.events(SCRIPTED) {
        if let Some(Kind::Receipt(receipt)) = event.kind {
            let request = receipt.request_id;
            let is_own = request.is_empty() || request.starts_with(SCRIPTED);
            assert!(is_own, "{name}: a receipt for {request}");
        }
    }
}

async fn becomes(name: &str, what: &str, wanted: Count, now: impl Fn() -> u64) {
    let what = format!("{name}: {what} is {wanted:?}");
    eventually(&what, async || wanted.holds(now())).await;
}

/// The sum of a metric over the scripted SMSC's links, or of one that belongs to no peer;
/// `{label="value"}` may narrow it.
fn figure(router: &Router, metric: &str) -> u64 {
    let (metric, label) = metric.split_once('{').unwrap_or((metric, "}"));
    let label = label.trim_end_matches('}');
    let own = format!("peer=\"{SCRIPTED}\"");
    let text = router.app.metrics().render();
    text.lines()
        .filter_map(|line| line.strip_prefix(metric)?.strip_prefix('{'))
        .filter(|line| line.contains(&own) || !line.contains("peer="))
        .filter(|line| line.contains(label))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum::<f64>() as u64
}

/// The healthy SMSC got all of its traffic on its first binds, and the process holds nothing.
async fn undisturbed(name: &str, router: &Router, healthy: &Smsc, sent: usize) {
    let links = router.of(HEALTHY);
    assert_eq!(links.len(), 2, "{name}");
    for link in links {
        assert_eq!(link.state, LinkState::Up, "{name}: {}", link.last_error);
        assert_eq!((link.reconnects, link.timed_out), (0, 0), "{name}");
    }
    assert!(sent >= STEP, "{name}: no healthy traffic");
    let books = healthy.books();
    assert_eq!(books.messages.len(), sent + 1, "{name}");
    assert_eq!(books.protocol_errors, [], "{name}");
    router
        .until(
            &format!("{name}: nothing is queued or in flight"),
            |links| {
                links
                    .iter()
                    .all(|link| link.queued == 0 && link.in_flight == 0)
            },
        )
        .await;
    eventually(&format!("{name}: no table holds anything"), async || {
        let text = router.app.metrics().render();
        let held = [
            "sampan_inbox_backlog",
            "sampan_inbox_unacknowledged",
            "sampan_client_in_flight{",
        ];
        text.lines()
            .filter(|line| held.iter().any(|name| line.starts_with(name)))
            .all(|line| line.ends_with(" 0"))
    })
    .await;
    let one_more = submit_all(router.messaging(), vec![to(HEALTHY, sent, false)]).await;
    assert!(
        one_more
            .values()
            .all(|own| own.outcome() == Outcome::Accepted),
        "{name}"
    );
}
