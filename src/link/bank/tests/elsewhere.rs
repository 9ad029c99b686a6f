//! Answers that come by another link of the bank than their request went by.

use std::sync::Mutex;

use super::*;
use crate::link::siblings::Siblings;

/// What nobody waited for.
#[derive(Default)]
struct Book(Mutex<Vec<MatchKey>>);

impl Late for Book {
    fn late(&self, answers: Vec<(MatchKey, Message)>) {
        let keys = answers.into_iter().map(|(key, _)| key);
        self.0.lock().unwrap().extend(keys);
    }
}

/// Two links of one bank.
struct Pair {
    links: [BankLink; 2],
    late: Arc<Book>,
    outbox: Arc<Outbox<Exchange>>,
    start: Instant,
}

impl Pair {
    fn new(keys: &str) -> Self {
        let settings = settings(keys);
        let shared = [1, 2].map(|number| shared(&settings, number));
        let siblings = Arc::new(Siblings::new(shared.to_vec()));
        let late = Arc::new(Book::default());
        let start = Instant::now();
        let mut place = 0;
        let links = shared.map(|shared| {
            let sibling = Some(Sibling::new(Arc::clone(&siblings), place));
            place += 1;
            let book = Arc::clone(&late);
            let mut link = link_of(&settings, (shared, sibling), book);
            link.connected(start);
            link
        });
        Self {
            links,
            late,
            outbox: Outbox::new(),
            start,
        }
    }

    /// The first link sends a request and has it written.
    fn sends(&mut self, stan: u32) {
        let job = job(&self.outbox, stan, self.start + SECOND);
        let link = &mut self.links[0];
        link.submit(self.start, job);
        let octets = link.output().len();
        link.wrote(octets);
        link.flushed();
    }

    /// The second link hears a 0210 of DE11 and DE39.
    fn hears_elsewhere(&mut self, stan: u32) {
        let frame = format!("002802100020000002000000{stan:06}00");
        let link = &mut self.links[1];
        link.receive(self.start, &mut BytesMut::from(frame.as_str()));
        link.flush(self.start);
    }

    /// The first link's next turn.
    fn turns(&mut self) {
        let mut responses = Vec::new();
        let link = &mut self.links[0];
        link.shared.take_responses(&mut responses);
        for response in responses {
            link.respond(self.start, response);
        }
        link.flush(self.start);
    }

    async fn told(&mut self) -> (u32, Exchange) {
        self.links[0].flush(self.start);
        let mut told = Vec::new();
        self.outbox.take_ready(&mut told).await;
        assert_eq!(told.len(), 1);
        told.remove(0)
    }

    fn late(&self) -> usize {
        self.late.0.lock().unwrap().len()
    }
}

#[tokio::test]
async fn an_answer_by_another_link_ends_the_exchange_once_and_frees_its_window() {
    let mut pair = Pair::new("");
    pair.sends(1);
    pair.hears_elsewhere(1);
    assert_eq!(
        pair.links[0].in_flight(),
        1,
        "until its own link has seen it"
    );
    pair.turns();
    assert_eq!(pair.links[0].in_flight(), 0);
    assert!(matches!(pair.told().await, (1, Exchange::Answered(_))));
    pair.hears_elsewhere(1);
    pair.turns();
    assert_eq!(pair.late(), 1, "the same answer again is of nobody");
}

#[tokio::test]
async fn of_a_timeout_and_an_answer_that_waits_to_be_taken_the_first_one_decides() {
    let mut pair = Pair::new("");
    pair.sends(1);
    pair.hears_elsewhere(1);
    pair.links[0].handle_timeout(pair.start + SECOND);
    assert_eq!(pair.late(), 0);
    pair.turns();
    assert!(matches!(pair.told().await, (1, Exchange::TimedOut)));
    assert_eq!(pair.late(), 1);
}

#[tokio::test]
async fn an_answer_that_missed_its_timeout_is_late_only_after_the_timeout_is_told() {
    let mut pair = Pair::new("");
    pair.sends(1);
    pair.links[0].handle_timeout(pair.start + SECOND);
    pair.hears_elsewhere(1);
    assert_eq!(pair.late(), 0);
    assert!(matches!(pair.told().await, (1, Exchange::TimedOut)));
    pair.turns();
    assert_eq!(pair.late(), 1);
}

#[tokio::test]
async fn an_answer_after_the_end_of_its_link_is_late() {
    let mut pair = Pair::new("");
    pair.sends(1);
    pair.links[0].disconnected(pair.start);
    pair.hears_elsewhere(1);
    assert!(matches!(pair.told().await, (1, Exchange::Lost)));
    assert_eq!(pair.late(), 1);
}

#[tokio::test]
async fn an_answer_that_was_there_before_the_end_of_its_link_counts() {
    let mut pair = Pair::new("");
    pair.sends(1);
    pair.hears_elsewhere(1);
    pair.links[0].disconnected(pair.start);
    assert!(matches!(pair.told().await, (1, Exchange::Answered(_))));
    assert_eq!(pair.late(), 0);
}

#[tokio::test]
async fn an_answer_without_an_element_of_the_key_is_of_no_request_and_says_which() {
    let mut pair = Pair::new("match = [\"stan\", \"terminal\"]");
    pair.hears_elsewhere(1);
    assert_eq!(pair.late(), 0);
    let errors = pair.links[1].shared.status().last_errors;
    assert!(errors[0].what.contains("DE41 (terminal)"), "{errors:?}");
}
