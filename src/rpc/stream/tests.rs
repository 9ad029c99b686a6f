//! The pipeline against a floor below that answers when the test says so.

use std::sync::Mutex;

use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::*;
use crate::rpc::unfold::Unfold;

/// What is below: it keeps the tags until the test answers them.
#[derive(Default)]
struct Below {
    batches: Mutex<Vec<Vec<u32>>>,
    outbox: Mutex<Option<Arc<Outbox<Told>>>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Answered,
    Refused(Reason, String),
    Abandoned,
}

impl outbox::Outcome for Told {
    fn abandoned() -> Self {
        Self::Abandoned
    }
}

impl Below {
    fn tags(&self) -> Vec<u32> {
        self.batches.lock().unwrap().concat()
    }

    fn answer(&self, tags: &[u32]) {
        let outbox = self.outbox.lock().unwrap().clone().unwrap();
        for tag in tags {
            outbox.reply(*tag).send(Told::Answered);
        }
    }

    fn answer_all(&self) {
        let tags = std::mem::take(&mut *self.batches.lock().unwrap()).concat();
        self.answer(&tags);
    }
}

impl Traffic for Below {
    const KIND: Kind = Kind::Payment;

    type Request = &'static str;
    type Down = u32;
    type Outcome = Told;
    type Answer = (String, Told);

    fn id(request: &&'static str) -> Arc<str> {
        (*request).into()
    }

    fn translate(
        &self,
        _client: &ClientName,
        _id: &Arc<str>,
        request: &'static str,
        tag: u32,
        _received: Instant,
    ) -> Result<u32, Fault> {
        match request {
            "bad" => Err(Fault::new("field", "wrong")),
            _ => Ok(tag),
        }
    }

    fn hand_on(&self, _client: &ClientName, tags: Vec<u32>, outbox: &Arc<Outbox<Told>>) {
        self.batches.lock().unwrap().push(tags);
        *self.outbox.lock().unwrap() = Some(Arc::clone(outbox));
    }

    fn refused(reason: Reason, detail: String) -> Told {
        Told::Refused(reason, detail)
    }

    fn answer(id: Arc<str>, outcome: Told) -> (String, Told) {
        (id.as_ref().to_owned(), outcome)
    }
}

impl Batched for Below {
    type Batch = Vec<&'static str>;
    type Answers = Vec<(String, Told)>;

    fn requests(batch: Vec<&'static str>) -> Vec<&'static str> {
        batch
    }

    fn answers(answers: Vec<(String, Told)>) -> Vec<(String, Told)> {
        answers
    }
}

type Inbound = UnboundedReceiverStream<Result<Vec<&'static str>, Status>>;

/// One call, seen from outside.
struct Call {
    below: Arc<Below>,
    client: Arc<Client>,
    stopping: CancellationToken,
    /// `None` after the caller's last batch.
    caller: Option<mpsc::UnboundedSender<Result<Vec<&'static str>, Status>>>,
    results: Unfold<Exchange<Below, Inbound>>,
}

impl Call {
    fn open(client_max: u32, stream_max: u32) -> Self {
        let below = Arc::new(Below::default());
        let client = Client::new(ClientName::parse("shop").unwrap(), client_max);
        let stopping = CancellationToken::new();
        let (caller, inbound) = mpsc::unbounded_channel();
        let pipeline = Pipeline::new(Arc::clone(&below), Arc::clone(&client), stream_max);
        let exchange = Exchange::new(pipeline, inbound.into(), stopping.clone());
        Self {
            below,
            client,
            stopping,
            caller: Some(caller),
            results: Unfold::new(exchange),
        }
    }

    fn send(&self, batch: &[&'static str]) {
        let caller = self.caller.as_ref().unwrap();
        caller.send(Ok(batch.to_vec())).unwrap();
    }

    /// Lets the exchange do what it can; there must be nothing to tell.
    fn turn(&mut self) {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let polled = std::pin::Pin::new(&mut self.results).poll_next(&mut context);
        assert!(polled.is_pending());
    }

    async fn ids(&mut self) -> Vec<String> {
        let answers = self.results.next().await.unwrap().unwrap();
        answers.into_iter().map(|(id, _)| id).collect()
    }
}

#[tokio::test]
async fn a_batch_goes_down_with_one_call_and_its_outcomes_come_up_in_one_message() {
    let mut call = Call::open(100, 100);
    call.send(&["a", "b", "c"]);
    call.turn();
    assert_eq!(call.below.batches.lock().unwrap().len(), 1);
    call.below.answer_all();
    assert_eq!(call.ids().await, ["a", "b", "c"]);
    let counts = call.client.counts();
    assert_eq!((counts.messages, counts.payments), (0, 3));
}

#[tokio::test]
async fn results_carry_the_right_id_in_whatever_order_they_come() {
    let mut call = Call::open(100, 100);
    call.send(&["a", "b", "c"]);
    call.turn();
    let tags = call.below.tags();
    call.below.answer(&[tags[2], tags[0]]);
    assert_eq!(call.ids().await, ["c", "a"]);
    call.send(&["d"]);
    call.below.answer(&[tags[1]]);
    assert_eq!(call.ids().await, ["b"]);
}

#[tokio::test]
async fn no_more_is_read_than_may_be_in_flight_until_outcomes_leave() {
    let mut call = Call::open(100, 2);
    call.send(&["a", "b", "c"]);
    call.send(&["d"]);
    call.turn();
    let tags = call.below.tags();
    assert_eq!(tags.len(), 2);
    call.below.answer(&tags[..1]);
    assert_eq!(call.ids().await, ["a"]);
    call.turn();
    assert_eq!(call.below.tags().len(), 3, "one left, so one more went");
    assert_eq!(call.client.counts().in_flight, 2);
}

#[tokio::test]
async fn a_bad_item_is_answered_by_its_field_and_the_others_go_on() {
    let mut call = Call::open(100, 100);
    call.send(&["a", "bad"]);
    let told = call.results.next().await.unwrap().unwrap();
    let detail = "requests[1].field: wrong".to_owned();
    let refused = ("bad".to_owned(), Told::Refused(Reason::Invalid, detail));
    assert_eq!(told, [refused]);
    call.below.answer_all();
    assert_eq!(call.ids().await, ["a"]);
    assert_eq!(call.client.counts().refused_invalid, 1);
}

#[tokio::test]
async fn over_the_clients_limit_a_request_is_not_sent() {
    let mut call = Call::open(1, 100);
    call.send(&["a", "b"]);
    let told = call.results.next().await.unwrap().unwrap();
    assert!(matches!(&told[..], [(id, Told::Refused(Reason::Limit, _))] if id == "b"));
    assert_eq!(call.client.counts().in_flight, 1);
    call.below.answer_all();
    assert_eq!(call.ids().await, ["a"]);
    let counts = call.client.counts();
    assert_eq!((counts.in_flight, counts.refused_limit), (0, 1));
}

#[tokio::test]
async fn the_call_ends_only_after_every_outcome_is_told() {
    let mut call = Call::open(100, 100);
    call.send(&["a", "b"]);
    call.caller = None;
    call.turn();
    call.below.answer_all();
    assert_eq!(call.ids().await, ["a", "b"]);
    assert!(call.results.next().await.is_none());
    assert!(call.results.next().await.is_none());
}

#[tokio::test]
async fn a_broken_request_stream_ends_the_call_with_its_error_after_the_outcomes() {
    let mut call = Call::open(100, 100);
    call.send(&["a"]);
    let broken = Err(Status::data_loss("broken"));
    call.caller.take().unwrap().send(broken).unwrap();
    call.turn();
    call.below.answer_all();
    assert_eq!(call.ids().await, ["a"]);
    let end = call.results.next().await.unwrap().unwrap_err();
    assert_eq!(end.code(), tonic::Code::DataLoss);
    assert!(call.results.next().await.is_none());
}

#[tokio::test]
async fn a_stop_reads_no_more_tells_what_was_read_and_then_says_so() {
    let mut call = Call::open(100, 2);
    call.send(&["a", "b", "c"]);
    call.turn();
    call.stopping.cancel();
    call.send(&["d"]);
    call.turn();
    call.below.answer_all();
    assert_eq!(call.ids().await, ["a", "b"]);
    let told = call.results.next().await.unwrap().unwrap();
    assert!(matches!(&told[..], [(id, Told::Refused(Reason::Stopping, _))] if id == "c"));
    let end = call.results.next().await.unwrap().unwrap_err();
    assert_eq!(end.code(), tonic::Code::Unavailable);
    assert_eq!(call.below.tags(), [0_u32; 0], "d was never read");
}

#[tokio::test]
async fn a_caller_that_goes_away_keeps_its_limit_until_its_requests_have_ended() {
    let mut call = Call::open(100, 100);
    call.send(&["a", "b"]);
    call.turn();
    let (below, client) = (Arc::clone(&call.below), Arc::clone(&call.client));
    let tags = below.tags();
    below.answer(&tags[..1]);
    drop(call);
    assert_eq!(client.counts().in_flight, 2);
    below.answer(&tags[1..]);
    while client.counts().in_flight > 0 {
        tokio::task::yield_now().await;
    }
    let counts = client.counts();
    assert_eq!((counts.discarded, counts.streams), (2, 0));
}

#[tokio::test]
async fn a_message_of_results_holds_no_more_than_a_batch() {
    let count = u32::try_from(BATCH_ITEMS_MAX).unwrap() + 1;
    let mut call = Call::open(count, count);
    call.send(&vec!["a"; BATCH_ITEMS_MAX]);
    call.send(&["b"]);
    call.turn();
    call.below.answer_all();
    assert_eq!(call.ids().await.len(), BATCH_ITEMS_MAX);
    assert_eq!(call.ids().await, ["b"]);
}

#[tokio::test]
async fn what_exceeds_a_batch_is_refused_item_by_item() {
    let mut call = Call::open(10_000, 10_000);
    call.send(&vec!["a"; BATCH_ITEMS_MAX + 1]);
    let told = call.results.next().await.unwrap().unwrap();
    let detail = "requests[1000]: a batch holds at most 1000 requests".to_owned();
    assert_eq!(
        told,
        [("a".to_owned(), Told::Refused(Reason::Invalid, detail))]
    );
}
