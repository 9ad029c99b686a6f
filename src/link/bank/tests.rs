//! What a request's end says of its octets: a bank that does not read must not get late what its
//! caller was told is over.

mod elsewhere;

use std::{path::Path, time::Duration};

use bytes::Bytes;

use super::*;
use crate::{
    config::Config,
    iso8583::{MatchElements, stan::Stan},
    link::driver::Connection,
    metrics::Metrics,
    outbox::Outbox,
    status::PeerKind,
};

const SECOND: Duration = Duration::from_secs(1);

struct Counter(u32);

impl Stans for Counter {
    fn next_stan(&mut self) -> Stan {
        self.0 += 1;
        Stan::new(self.0).unwrap()
    }
}

struct NobodyLate;

impl Late for NobodyLate {
    fn late(&self, _answers: Vec<(MatchKey, Message)>) {}
}

/// Declines what the bank asks.
struct Declines;

impl Requests for Declines {
    fn asked(&self, requests: Vec<BankRequest>) {
        for request in requests {
            request.answer_with("40");
        }
    }
}

/// A bank that wants no sign-on, so that the output of its links is their requests alone.
fn settings(keys: &str) -> Arc<BankSettings> {
    let text = format!(
        "[[bank]]\nname = \"vault\"\naddress = \"bank.test:8583\"\ncurrency = \"VND\"\n\
         terminal_id = \"T1\"\nmerchant_id = \"M1\"\nsign_on = \"\"\necho_ms = 0\n\
         response_timeout_ms = 1000\n{keys}\n"
    );
    let mut config = Config::parse(&text, Path::new(""), &|_| None).unwrap();
    Arc::new(config.banks.remove(0))
}

fn shared(settings: &BankSettings, number: u16) -> Arc<Shared<BankJob>> {
    let settings = Arc::new(settings.link.clone());
    let metrics = Metrics::new().unwrap();
    let metrics = metrics.link(PeerKind::Bank, "vault", &format!("vault/{number}"));
    Arc::new(Shared::new(PeerKind::Bank, &settings, number, metrics))
}

fn link_of(
    settings: &Arc<BankSettings>,
    (shared, sibling): (Arc<Shared<BankJob>>, Option<Sibling>),
    late: Arc<dyn Late>,
) -> BankLink {
    let metrics = Metrics::new().unwrap().bank_link("vault", &shared.name);
    let stans = Box::new(Counter(900_000));
    let settings = Arc::clone(settings);
    BankLink::new(
        settings,
        (shared, sibling),
        (late, Arc::new(Declines)),
        stans,
        metrics,
    )
}

fn link() -> BankLink {
    let settings = settings("");
    let shared = shared(&settings, 1);
    link_of(&settings, (shared, None), Arc::new(NobodyLate))
}

/// A bank link on a clock that only the test moves.
struct Scene {
    link: BankLink,
    outbox: Arc<Outbox<Exchange>>,
    start: Instant,
}

impl Scene {
    fn new() -> Self {
        let (mut link, start) = (link(), Instant::now());
        link.connected(start);
        Self {
            link,
            outbox: Outbox::new(),
            start,
        }
    }

    fn submit(&mut self, stan: u32) {
        let job = job(&self.outbox, stan, self.start + SECOND);
        self.link.submit(self.start, job);
    }

    /// The stream takes so many octets and holds none of them back.
    fn writes(&mut self, octets: usize) {
        self.link.wrote(octets);
        self.link.flushed();
    }

    fn times_out(&mut self) {
        self.link.handle_timeout(self.start + SECOND);
    }

    /// The ends of the exchanges by their STANs.
    async fn told(&mut self, count: usize) -> Vec<(u32, Exchange)> {
        self.link.flush(self.start);
        let mut told = Vec::new();
        self.outbox.take_ready(&mut told).await;
        assert_eq!(told.len(), count);
        told.sort_by_key(|(stan, _)| *stan);
        told
    }

    fn is_cut(&self) -> bool {
        matches!(self.link.phase(), Phase::Cut(_))
    }
}

fn job(outbox: &Arc<Outbox<Exchange>>, stan: u32, deadline: Instant) -> BankJob {
    let mut message = Message::new("0200".parse().unwrap());
    message.set(11, format!("{stan:06}"));
    BankJob {
        key: MatchElements::default().key_of(&message).unwrap(),
        message: Bytes::from_static(&[b'0'; 100]),
        deadline,
        reply: outbox.reply(stan),
    }
}

#[tokio::test]
async fn a_request_that_was_written_times_out_and_the_link_stays() {
    let mut scene = Scene::new();
    scene.submit(1);
    let octets = scene.link.output().len();
    scene.writes(octets);
    scene.times_out();
    assert_eq!(scene.link.phase(), Phase::Up);
    assert!(matches!(scene.told(1).await[0], (1, Exchange::TimedOut)));
}

#[tokio::test]
async fn a_request_of_which_no_octet_left_is_not_sent_and_the_link_is_cut() {
    let mut scene = Scene::new();
    scene.submit(1);
    scene.times_out();
    assert!(scene.is_cut());
    let told = scene.told(1).await;
    assert!(matches!(told[0], (1, Exchange::NotSent(Reason::NoLink))));
}

#[tokio::test]
async fn a_request_that_is_written_in_part_times_out_and_the_link_is_cut() {
    let mut scene = Scene::new();
    scene.submit(1);
    scene.submit(2);
    let octets = scene.link.output().len();
    scene.writes(octets / 2 - 1);
    scene.times_out();
    assert!(scene.is_cut());
    let told = scene.told(2).await;
    assert!(matches!(told[0], (1, Exchange::TimedOut)));
    assert!(matches!(told[1], (2, Exchange::NotSent(Reason::NoLink))));
}

#[tokio::test]
async fn what_tls_holds_back_has_not_been_written() {
    let mut scene = Scene::new();
    scene.submit(1);
    let octets = scene.link.output().len();
    scene.link.wrote(octets);
    scene.times_out();
    assert!(scene.is_cut());
    assert!(matches!(scene.told(1).await[0], (1, Exchange::TimedOut)));
}

#[tokio::test]
async fn a_lost_connection_tells_what_was_written_apart_from_what_was_not() {
    let mut scene = Scene::new();
    scene.submit(1);
    scene.submit(2);
    let octets = scene.link.output().len();
    scene.writes(octets / 2 + 1);
    scene.submit(3);
    scene.link.disconnected(scene.start);
    let told = scene.told(3).await;
    assert!(matches!(told[0], (1, Exchange::Lost)));
    assert!(matches!(told[1], (2, Exchange::Lost)), "a part was written");
    assert!(matches!(told[2], (3, Exchange::NotSent(Reason::NoLink))));
}

#[tokio::test]
async fn what_was_written_as_last_words_may_have_arrived() {
    let mut scene = Scene::new();
    scene.submit(1);
    assert!(!scene.link.last_words().is_empty());
    scene.link.disconnected(scene.start);
    assert!(matches!(scene.told(1).await[0], (1, Exchange::Lost)));
}

#[tokio::test]
async fn a_request_that_is_given_up_unwritten_is_not_sent_and_the_link_is_cut() {
    let mut scene = Scene::new();
    scene.submit(1);
    scene.link.give_up();
    assert!(scene.is_cut());
    let told = scene.told(1).await;
    assert!(matches!(told[0], (1, Exchange::NotSent(_))));
}

#[tokio::test]
async fn the_next_connection_begins_to_count_anew() {
    let mut scene = Scene::new();
    scene.submit(1);
    scene.times_out();
    scene.link.disconnected(scene.start);
    scene.link.output().clear();
    scene.told(1).await;
    scene.link.connected(scene.start);
    assert_eq!(scene.link.phase(), Phase::Up);
    scene.submit(2);
    let octets = scene.link.output().len();
    scene.writes(octets);
    scene.times_out();
    assert_eq!(scene.link.phase(), Phase::Up);
    assert!(matches!(scene.told(1).await[0], (2, Exchange::TimedOut)));
}

#[tokio::test]
async fn through_a_pipe_that_the_bank_does_not_empty_nothing_comes_late() {
    const PIPE_OCTETS: usize = 150;
    let mut link = link();
    let (shared, outbox) = (Arc::clone(&link.shared), Outbox::new());
    let (peer, stream) = tokio::io::duplex(PIPE_OCTETS);
    let serving = tokio::spawn({
        let shared = Arc::clone(&shared);
        async move {
            let mut connection = Connection::new(stream, &mut link, &shared);
            let ended = connection.serve().await;
            (ended, connection.is_cut())
        }
    });
    while !shared.is_up() {
        tokio::task::yield_now().await;
    }
    // The first fits the pipe, the second in part, the third not at all.
    let deadline = Instant::now() + 60 * SECOND;
    let mut jobs = (1..=3)
        .map(|stan| job(&outbox, stan, deadline))
        .collect::<std::collections::VecDeque<_>>();
    shared.enqueue(&mut jobs, 3).unwrap();
    let (ended, is_cut) = serving.await.unwrap();
    assert!(is_cut);
    assert!(ended.why.contains("does not read"), "{}", ended.why);
    assert_eq!(ended.again, Again::Soon);
    let mut told = Vec::new();
    outbox.take_ready(&mut told).await;
    told.sort_by_key(|(stan, _)| *stan);
    assert!(matches!(told[0], (1, Exchange::TimedOut)), "{told:?}");
    assert!(matches!(told[1], (2, Exchange::TimedOut)), "{told:?}");
    let not_sent = matches!(told[2], (3, Exchange::NotSent(Reason::NoLink)));
    assert!(not_sent, "{told:?}");
    drop(peer);
}
