//! The subscriber: takes receipts and MO, remembers them, then acknowledges them.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::Ordering::Relaxed},
};

use sampan::rpc::proto::{
    Acknowledge, ReceiveBatch, ReceiveRequest, Subscribe, event::Kind,
    messaging_client::MessagingClient, receive_request::Request,
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Channel};

use crate::{DemoError, progress::Counts};

/// Acknowledgements on their way.
const ACKNOWLEDGEMENTS: usize = 64;

/// What came in. An event may come again if its acknowledgement was lost with the SMSC's
/// connection, so each is remembered once.
#[derive(Clone, Default)]
pub(crate) struct Received {
    /// SMSC and message id.
    pub(crate) receipts: HashSet<(String, String)>,
    /// SMSC and text.
    pub(crate) messages: HashSet<(String, String)>,
}

#[derive(Default)]
struct Shared {
    received: Mutex<Received>,
    counts: OnceLock<Arc<Counts>>,
}

impl Shared {
    fn received(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the events of a batch and gives their ids back.
    fn take(&self, batch: ReceiveBatch) -> Vec<u64> {
        let mut received = self.received();
        let mut ids = Vec::with_capacity(batch.events.len());
        for event in batch.events {
            ids.push(event.delivery_id);
            match event.kind {
                Some(Kind::Receipt(receipt)) => {
                    received.receipts.insert((event.smsc, receipt.message_id));
                }
                Some(Kind::Message(message)) => {
                    let text = message.text.unwrap_or_default();
                    received.messages.insert((event.smsc, text));
                }
                Some(Kind::Bank(_)) | None => {}
            }
        }
        if let Some(counts) = self.counts.get() {
            counts.events.fetch_add(ids.len(), Relaxed);
        }
        ids
    }
}

/// A running subscription; it ends when it is dropped.
pub(crate) struct Subscriber {
    shared: Arc<Shared>,
    task: JoinHandle<Result<(), Status>>,
}

impl Subscriber {
    /// Subscribes to everything.
    pub(crate) async fn subscribe(mut client: MessagingClient<Channel>) -> Result<Self, DemoError> {
        let (requests, sent) = mpsc::channel(ACKNOWLEDGEMENTS);
        let subscribe = Request::Subscribe(Subscribe::default());
        // There is room, and the other end is in our hands.
        requests.send(request(subscribe)).await.ok();
        let batches = client
            .receive(ReceiverStream::new(sent))
            .await?
            .into_inner();
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(acknowledge(batches, requests, Arc::clone(&shared)));
        Ok(Self { shared, task })
    }

    /// Shows what comes in from now on.
    pub(crate) fn count_in(&self, counts: &Arc<Counts>) {
        // It is set once, before any traffic.
        self.shared.counts.set(Arc::clone(counts)).ok();
    }

    /// What came in so far.
    pub(crate) fn received(&self) -> Received {
        self.shared.received().clone()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn request(request: Request) -> ReceiveRequest {
    ReceiveRequest {
        request: Some(request),
    }
}

async fn acknowledge(
    mut batches: Streaming<ReceiveBatch>,
    requests: mpsc::Sender<ReceiveRequest>,
    shared: Arc<Shared>,
) -> Result<(), Status> {
    while let Some(batch) = batches.message().await? {
        let delivery_ids = shared.take(batch);
        let acknowledge = Request::Acknowledge(Acknowledge { delivery_ids });
        // Without the router nothing is to be acknowledged, and the next read says so.
        requests.send(request(acknowledge)).await.ok();
    }
    Ok(())
}
