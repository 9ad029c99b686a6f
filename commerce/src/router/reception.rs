//! The stream of what comes in. It ends with an error and is opened again by whoever reads it; what was
//! not acknowledged comes again.

use std::collections::VecDeque;

use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::{
    Router,
    failure::Failure,
    proto::{
        Acknowledge, Event, ReceiveBatch, ReceiveRequest, Subscribe, receive_request::Request,
    },
};
use crate::{port::Unheard, word::Id};

/// Events that the router hands over before one is acknowledged: several for each that is being dealt with,
/// and few enough that little comes again after a fault.
pub(crate) const UNACKNOWLEDGED_MAX: u32 = 64;

/// Acknowledgements that wait for the connection: one for each event, and the subscription itself.
const ACKNOWLEDGEMENTS_MAX: usize = 1 + UNACKNOWLEDGED_MAX as usize;

/// A subscription that is being read.
pub(crate) struct Reception {
    batches: Streaming<ReceiveBatch>,
    ready: VecDeque<Event>,
    requests: mpsc::Sender<ReceiveRequest>,
}

impl Router {
    /// Subscribes.
    pub(crate) async fn receive(&self, subscription: &Id) -> Result<Reception, Unheard> {
        let (requests, sent) = mpsc::channel(ACKNOWLEDGEMENTS_MAX);
        let subscribe = Subscribe {
            max_unacknowledged: UNACKNOWLEDGED_MAX,
            subscription: subscription.to_string(),
        };
        send(&requests, Request::Subscribe(subscribe)).await?;
        let mut messaging = self.messaging();
        let called = messaging.receive(ReceiverStream::new(sent));
        // Without a place of its own: it lasts as long as commerce does.
        let begun = timeout(self.settings().call_timeout, called).await;
        let begun = begun.map_err(|_| Unheard("it does not begin the subscription".to_owned()))?;
        let batches = begun.map_err(|status| Failure::of(&status).into_unheard())?;
        Ok(Reception {
            batches: batches.into_inner(),
            ready: VecDeque::new(),
            requests,
        })
    }
}

impl Reception {
    /// The next event, once there is one.
    pub(crate) async fn next(&mut self) -> Result<Event, Unheard> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            let batch = self.batches.message().await;
            let batch = batch.map_err(|status| Failure::of(&status).into_unheard())?;
            let batch = batch.ok_or_else(|| Unheard("it has ended the subscription".to_owned()))?;
            self.ready.extend(batch.events);
        }
    }

    /// By which events are acknowledged, by as many as like.
    pub(crate) fn acknowledgements(&self) -> Acknowledgements {
        Acknowledgements(self.requests.clone())
    }
}

/// The way back of a subscription.
#[derive(Clone)]
pub(crate) struct Acknowledgements(mpsc::Sender<ReceiveRequest>);

impl Acknowledgements {
    /// Lets the router forget an event.
    pub(crate) async fn acknowledge(&self, delivery_id: u64) -> Result<(), Unheard> {
        let acknowledge = Acknowledge {
            delivery_ids: vec![delivery_id],
        };
        send(&self.0, Request::Acknowledge(acknowledge)).await
    }
}

async fn send(requests: &mpsc::Sender<ReceiveRequest>, request: Request) -> Result<(), Unheard> {
    let request = ReceiveRequest {
        request: Some(request),
    };
    let sent = requests.send(request).await;
    sent.map_err(|_| Unheard("it has ended the subscription".to_owned()))
}
