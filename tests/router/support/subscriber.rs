//! An upstream service that takes whatever comes in, acknowledges it, and keeps count.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use sampan::rpc::proto::{
    Acknowledge, Event, ReceiveRequest, Subscribe, event::Kind, messaging_client::MessagingClient,
    receive_request::Request,
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::transport::Channel;

use super::soon;

/// Takes events until it is dropped.
pub(crate) struct Subscriber {
    events: Arc<Mutex<Vec<Event>>>,
    taking: JoinHandle<()>,
}

impl Subscriber {
    /// Opens a subscription to everything.
    pub(crate) async fn new(client: MessagingClient<Channel>) -> Self {
        Self::of(client, "").await
    }

    /// Opens a subscription of the configuration.
    pub(crate) async fn of(mut client: MessagingClient<Channel>, name: &str) -> Self {
        let (requests, sent) = mpsc::channel(16);
        let subscribe = Request::Subscribe(Subscribe {
            subscription: name.to_owned(),
            ..Subscribe::default()
        });
        requests.send(request(subscribe)).await.unwrap();
        let batches = client.receive(ReceiverStream::new(sent));
        let mut batches = soon("the subscription", batches)
            .await
            .unwrap()
            .into_inner();
        let events = Arc::<Mutex<Vec<Event>>>::default();
        let taken = Arc::clone(&events);
        let taking = tokio::spawn(async move {
            // The stream ends with the router, and the test decides when that is.
            while let Some(Ok(batch)) = batches.next().await {
                let delivery_ids = batch.events.iter().map(|event| event.delivery_id).collect();
                taken.lock().unwrap().extend(batch.events);
                let acknowledge = Request::Acknowledge(Acknowledge { delivery_ids });
                if requests.send(request(acknowledge)).await.is_err() {
                    return;
                }
            }
        });
        Self { events, taking }
    }

    /// What came from this SMSC so far; "" is from no SMSC, which is from a bank.
    pub(crate) fn events(&self, smsc: &str) -> Vec<Event> {
        let events = self.events.lock().unwrap();
        let own = events.iter().filter(|event| event.smsc == smsc);
        own.cloned().collect()
    }

    /// How many of each kind came from this SMSC: `message`, `receipt`, and of those `correlated`,
    /// which name a request.
    pub(crate) fn counts(&self, smsc: &str) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for event in self.events.lock().unwrap().iter() {
            let (kind, is_correlated) = match &event.kind {
                Some(Kind::Message(_)) => ("message", false),
                Some(Kind::Receipt(receipt)) => ("receipt", !receipt.request_id.is_empty()),
                Some(Kind::Bank(_)) | None => ("neither", false),
            };
            if event.smsc == smsc {
                *counts.entry(kind).or_default() += 1;
                *counts.entry("correlated").or_default() += u64::from(is_correlated);
            }
        }
        counts
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.taking.abort();
    }
}

fn request(request: Request) -> ReceiveRequest {
    ReceiveRequest {
        request: Some(request),
    }
}
