//! Receive: events to a subscriber, acknowledgements back.

use std::{collections::VecDeque, sync::Arc};

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Status, Streaming};

use super::translate;
use crate::{
    inbox::{AttachError, Consumer, Delivery, Inbox},
    rpc::{
        BATCH_ITEMS_MAX,
        client::{Client, OpenStream},
        proto::{Event, ReceiveBatch, ReceiveRequest, Subscribe, receive_request},
        unfold::{Step, Steps},
    },
};

/// The subscriber's end of the inbox for one call.
pub(in crate::rpc) struct Reception {
    consumer: Arc<Consumer>,
    /// Taken from the inbox, not told yet.
    ready: VecDeque<Delivery>,
    stopping: CancellationToken,
    /// Ends when the caller's side ends, with what was wrong with it.
    acknowledging: JoinHandle<Result<(), Status>>,
    /// Whether the call's error was told, after which there is nothing more.
    failed: bool,
    /// Ends the reader of acknowledgements when the call is over.
    _over: DropGuard,
    _open: OpenStream,
}

impl Reception {
    /// Waits for the subscription that begins the call.
    ///
    /// Acknowledgements have a task of their own, so that the SMSC gets its answer also while the
    /// caller is slow to fetch events.
    pub(in crate::rpc) async fn open(
        inbox: &Arc<Inbox>,
        client: &Arc<Client>,
        mut requests: Streaming<ReceiveRequest>,
        stopping: CancellationToken,
    ) -> Result<Self, Status> {
        let first = requests.message().await?.and_then(|first| first.request);
        let Some(receive_request::Request::Subscribe(subscribe)) = first else {
            return Err(Status::invalid_argument(
                "the first request of Receive must be subscribe",
            ));
        };
        let consumer = Arc::new(attach(inbox, client, &subscribe)?);
        let over = CancellationToken::new();
        let acknowledging =
            tokio::spawn(acknowledge(Arc::clone(&consumer), requests, over.clone()));
        Ok(Self {
            consumer,
            ready: VecDeque::new(),
            stopping,
            acknowledging,
            failed: false,
            _over: over.drop_guard(),
            _open: OpenStream::new(client),
        })
    }
}

impl Steps for Reception {
    type Item = Result<ReceiveBatch, Status>;

    async fn step(mut self) -> Step<Self> {
        if self.failed {
            return None;
        }
        match self.events().await {
            Ok(events) if events.is_empty() => None,
            Ok(events) => Some((Ok(ReceiveBatch { events }), self)),
            Err(status) => {
                self.failed = true;
                Some((Err(status), self))
            }
        }
    }
}

impl Reception {
    /// The next events, one batch at most; none if the caller ended the call.
    async fn events(&mut self) -> Result<Vec<Event>, Status> {
        if self.ready.is_empty() {
            tokio::select! {
                ended = &mut self.acknowledging => {
                    let fault = |_| Status::internal("acknowledgements failed; a fault of Sampan");
                    return ended.map_err(fault)?.map(|()| Vec::new());
                }
                () = self.stopping.cancelled() => {
                    return Err(Status::unavailable("Sampan is stopping; subscribe elsewhere"));
                }
                ready = self.consumer.next() => self.ready = ready.into(),
            }
        }
        let count = self.ready.len().min(BATCH_ITEMS_MAX);
        Ok(self.ready.drain(..count).map(translate::event).collect())
    }
}

fn attach(inbox: &Arc<Inbox>, client: &Client, subscribe: &Subscribe) -> Result<Consumer, Status> {
    let name = &subscribe.subscription;
    inbox
        .attach(name, client.name(), subscribe.max_unacknowledged)
        .map_err(|error| match error {
            AttachError::Unknown => Status::not_found(format!(
                "subscribe.subscription: no [[subscription]] is named {name:?}"
            )),
            AttachError::Forbidden => Status::permission_denied(format!(
                "subscribe.subscription: {name:?} belongs to another client"
            )),
        })
}

/// Reads acknowledgements until the caller sends no more or the call is over.
async fn acknowledge(
    consumer: Arc<Consumer>,
    mut requests: Streaming<ReceiveRequest>,
    over: CancellationToken,
) -> Result<(), Status> {
    loop {
        let request = tokio::select! {
            () = over.cancelled() => return Ok(()),
            request = requests.message() => request?,
        };
        match request.map(|request| request.request) {
            None => return Ok(()),
            Some(Some(receive_request::Request::Acknowledge(acknowledge))) => {
                // How many were in time is the inbox's to know.
                consumer.acknowledge(&acknowledge.delivery_ids);
            }
            Some(Some(receive_request::Request::Subscribe(_))) => {
                return Err(Status::invalid_argument(
                    "subscribe: only the first request of Receive; open another call",
                ));
            }
            Some(None) => {
                return Err(Status::invalid_argument("request: set acknowledge"));
            }
        }
    }
}
