//! A subscriber that acknowledges MO and receipts as they come. The moment at which the SMSC sent one
//! stands at the end of its text.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use prost::Message as _;
use sampan::rpc::proto::{Acknowledge, ReceiveRequest, Subscribe, receive_request::Request};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Channel};

use super::{
    THREAD,
    book::Book,
    fields::{Fields, Value, all},
    id::{MOMENT_BYTES, read_hex},
    lock, on_own_thread,
    raw::{RECEIVE, RawCodec, caller, connect, path, request},
};
use crate::bench::{
    BenchError,
    clock::{Window, now_ns},
};

/// What the router may hand over unacknowledged: the most that it allows.
const UNACKNOWLEDGED_MAX: u32 = 10_000;
/// Acknowledgements on their way to the connection.
const ON_THEIR_WAY: usize = 256;

/// Subscribers of the default subscription, which wait for what comes.
pub(in crate::bench) struct Subscribers {
    go: oneshot::Sender<Arc<Mutex<Book>>>,
    over: oneshot::Sender<()>,
}

impl Subscribers {
    /// Opens so many calls for the subscription.
    ///
    /// # Errors
    /// When the router does not take them.
    pub(in crate::bench) async fn open(rpc: &str, subscribers: usize) -> Result<Self, BenchError> {
        let rpc = rpc.to_owned();
        let (go, book) = oneshot::channel();
        let (tell_ready, ready) = oneshot::channel();
        let (over, is_over) = oneshot::channel();
        on_own_thread(format!("{THREAD}-sub"), async move {
            let opened = match open_all(&rpc, subscribers).await {
                Ok(opened) => opened,
                Err(error) => {
                    tell_ready.send(Err(error)).ok();
                    return;
                }
            };
            // Whoever waits may have given up.
            tell_ready.send(Ok(())).ok();
            let Ok(book) = book.await else { return };
            tokio::select! {
                () = acknowledge_all(opened, book) => {}
                _ = is_over => {}
            }
        })?;
        ready.await.map_err(|_| BenchError::GeneratorDied)??;
        Ok(Self { go, over })
    }

    /// Acknowledges from now on.
    ///
    /// # Errors
    /// When the subscribers' thread has ended.
    pub(in crate::bench) fn run(self, window: Window) -> Result<Events, BenchError> {
        let book = Arc::new(Mutex::new(Book::new(window)?));
        let sent = self.go.send(Arc::clone(&book));
        sent.map_err(|_| BenchError::GeneratorDied)?;
        Ok(Events {
            book,
            _over: self.over,
        })
    }
}

/// What the subscribers get, until this is dropped.
pub(in crate::bench) struct Events {
    book: Arc<Mutex<Book>>,
    _over: oneshot::Sender<()>,
}

impl Events {
    /// How many came so far.
    pub(in crate::bench) fn came(&self) -> u64 {
        lock(&self.book).answered
    }

    /// The book, of which the SMSC says that so many were taken.
    pub(in crate::bench) fn book(self, taken: u64) -> Book {
        let mut book = lock(&self.book).clone();
        book.sent = taken;
        book
    }
}

async fn open_all(rpc: &str, subscribers: usize) -> Result<Vec<Subscriber>, BenchError> {
    let mut opened = Vec::new();
    for client in 0..subscribers {
        opened.push(Subscriber::open(connect(rpc).await?, client).await?);
    }
    Ok(opened)
}

async fn acknowledge_all(subscribers: Vec<Subscriber>, book: Arc<Mutex<Book>>) {
    let mut calls = JoinSet::new();
    for subscriber in subscribers {
        calls.spawn(subscriber.run(Arc::clone(&book)));
    }
    while let Some(ended) = calls.join_next().await {
        let ended = ended.unwrap_or_else(|error| Err(Status::internal(error.to_string())));
        if let Err(status) = ended {
            lock(&book).fault(&status);
        }
    }
}

/// A call that is open.
struct Subscriber {
    requests: mpsc::Sender<Bytes>,
    events: Streaming<Bytes>,
}

impl Subscriber {
    async fn open(channel: Channel, client: usize) -> Result<Self, Status> {
        let (requests, sent) = mpsc::channel(ON_THEIR_WAY);
        let subscribe = Request::Subscribe(Subscribe {
            max_unacknowledged: UNACKNOWLEDGED_MAX,
            ..Subscribe::default()
        });
        // There is room, and the other end is in our hands.
        requests.send(octets(subscribe)).await.ok();
        let mut grpc = caller(channel);
        let ready = grpc.ready().await;
        ready.map_err(|error| Status::unavailable(error.to_string()))?;
        let sent = request(client, ReceiverStream::new(sent));
        let opened = grpc.streaming(sent, path(RECEIVE), RawCodec).await?;
        Ok(Self {
            requests,
            events: opened.into_inner(),
        })
    }

    /// Acknowledges whatever comes.
    async fn run(mut self, book: Arc<Mutex<Book>>) -> Result<(), Status> {
        while let Some(batch) = self.events.message().await? {
            let delivery_ids = note(&batch, &book);
            let acknowledge = Request::Acknowledge(Acknowledge { delivery_ids });
            // Without the router nothing is to be acknowledged, and the next read says so.
            self.requests.send(octets(acknowledge)).await.ok();
        }
        Err(Status::aborted("the router has ended the subscription"))
    }
}

fn octets(request: Request) -> Bytes {
    let request = ReceiveRequest {
        request: Some(request),
    };
    request.encode_to_vec().into()
}

/// Notes a ReceiveBatch; the delivery ids of its events.
fn note(batch: &[u8], book: &Mutex<Book>) -> Vec<u64> {
    let now_ns = now_ns();
    let mut book = lock(book);
    let mut delivery_ids = Vec::new();
    for event in all(batch, 1) {
        let (delivery_id, at_ns) = read(event);
        delivery_ids.extend(delivery_id);
        match at_ns {
            Some(at_ns) => book.event(at_ns, now_ns),
            None => book.stranger(),
        }
    }
    delivery_ids
}

/// The delivery id of an Event, and the moment in its MobileOriginated.data (fields 6 and 2) or
/// Receipt.data (fields 7 and 6).
fn read(event: &[u8]) -> (Option<u64>, Option<u64>) {
    let (mut delivery_id, mut at_ns) = (None, None);
    for field in Fields::of(event) {
        match field {
            (1, Value::Number(id)) => delivery_id = Some(id),
            (6, Value::Octets(message)) => at_ns = all(message, 2).find_map(moment),
            (7, Value::Octets(receipt)) => at_ns = all(receipt, 6).find_map(moment),
            _ => {}
        }
    }
    (delivery_id, at_ns)
}

fn moment(data: &[u8]) -> Option<u64> {
    let begin = data.len().checked_sub(MOMENT_BYTES)?;
    read_hex(data.get(begin..)?)
}

#[cfg(test)]
mod tests {
    use sampan::rpc::proto::{Event, MobileOriginated, Receipt, event::Kind};

    use super::*;

    fn event(kind: Kind) -> Vec<u8> {
        let event = Event {
            delivery_id: 77,
            smsc: "smsc0".to_owned(),
            kind: Some(kind),
            redelivered: true,
            ..Event::default()
        };
        event.encode_to_vec()
    }

    #[test]
    fn the_moment_of_an_event_stands_at_the_end_of_its_text() {
        let message = MobileOriginated {
            text: Some("NAP 50 00000000000000ff".to_owned()),
            data: "NAP 50 00000000000000ff".into(),
            ..MobileOriginated::default()
        };
        assert_eq!(read(&event(Kind::Message(message))), (Some(77), Some(255)));
        let receipt = Receipt {
            message_id: "1".to_owned(),
            data: "id:1 text:0000000000000010".into(),
            ..Receipt::default()
        };
        assert_eq!(read(&event(Kind::Receipt(receipt))), (Some(77), Some(16)));
    }

    #[test]
    fn an_event_of_somebody_else_is_acknowledged_without_a_moment() {
        let message = MobileOriginated {
            data: "hello".into(),
            ..MobileOriginated::default()
        };
        assert_eq!(read(&event(Kind::Message(message))), (Some(77), None));
    }
}
