//! The upstream service of the run: streams of messages, and a subscriber that acknowledges their
//! receipts. As lean as the contract allows: what it costs, the router has not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use sampan::rpc::proto::{
    Acknowledge, Address, Event, Outcome, ReceiveRequest, SubmitBatch, SubmitRequest,
    SubmitResults, Subscribe, event::Kind, receive_request::Request, submit_request::Body,
};
use tokio::{sync::mpsc, time::sleep};
use tokio_stream::wrappers::ReceiverStream;

use super::tally::{self, Tally};
use crate::{EndureError, router};

/// Messages in one batch.
const BATCH: u64 = 256;
/// Messages of one stream without an outcome: below the router's own limit of 8,192 per stream and
/// per client.
const IN_FLIGHT_MAX: u64 = 2_048;
/// Accepted messages without a receipt, over all streams: the SMSC holds no more than these back.
const OWED_MAX: u64 = 50_000;
/// The pause of a stream that may send nothing before receipts come.
const PAUSE: Duration = Duration::from_millis(1);
const UNACKNOWLEDGED_MAX: u32 = 10_000;
const ON_THEIR_WAY: usize = 1_024;
const DEADLINE_MS: u32 = 60_000;

/// Messages without a receipt at a time: those that are owed one, and those that still have no outcome.
pub(super) fn without_receipt_max(streams: u32) -> u64 {
    OWED_MAX + u64::from(streams) * IN_FLIGHT_MAX
}

/// What all streams share.
pub(super) struct Load {
    pub(super) messages: u64,
    pub(super) next: AtomicU64,
    pub(super) tally: Tally,
}

impl Load {
    pub(super) fn new(messages: u64) -> Self {
        Self {
            messages,
            next: AtomicU64::new(0),
            tally: Tally::new(messages),
        }
    }

    /// The next batch; `None` when all are taken.
    fn batch(&self) -> Option<SubmitBatch> {
        let first = self.next.fetch_add(BATCH, Relaxed);
        let end = (first + BATCH).min(self.messages);
        let requests: Vec<SubmitRequest> = (first..end).map(request).collect();
        (!requests.is_empty()).then_some(SubmitBatch { requests })
    }

    fn book_results(&self, results: &SubmitResults) {
        let counts = &self.tally.counts;
        let (mut told, mut accepted, mut again) = (0, 0, 0);
        for result in &results.results {
            let number = tally::number_of(&result.request_id);
            if !number.is_some_and(|number| self.tally.told.add(number)) {
                again += 1;
                continue;
            }
            told += 1;
            accepted += u64::from(result.outcome() == Outcome::Accepted);
        }
        counts.told.fetch_add(told, Relaxed);
        counts.accepted.fetch_add(accepted, Relaxed);
        counts.told_again.fetch_add(again, Relaxed);
    }

    fn book_events(&self, events: &[Event]) {
        let counts = &self.tally.counts;
        let (mut first, mut again, mut marked, mut nobodys) = (0, 0, 0, 0);
        for event in events {
            let number = match &event.kind {
                Some(Kind::Receipt(receipt)) => tally::number_of(&receipt.request_id),
                _ => None,
            };
            match number {
                None => nobodys += 1,
                Some(number) if self.tally.receipts.add(number) => first += 1,
                Some(_) => {
                    again += 1;
                    marked += u64::from(event.redelivered);
                }
            }
        }
        counts.receipts.fetch_add(first, Relaxed);
        counts.receipts_again.fetch_add(again, Relaxed);
        counts.redelivered.fetch_add(marked, Relaxed);
        counts.receipts_of_nobody.fetch_add(nobodys, Relaxed);
    }

    /// Sends as long as there is anything to send, and waits for every outcome.
    pub(super) async fn submit(self: Arc<Self>, rpc: String) -> Result<(), EndureError> {
        let mut client = router::messaging(&rpc).await?;
        let (batches, sent) = mpsc::channel(ON_THEIR_WAY);
        let call = client.submit_stream(ReceiverStream::new(sent)).await?;
        let mut results = call.into_inner();
        let mut unanswered = 0;
        let mut is_all_sent = false;
        loop {
            while !is_all_sent
                && unanswered + BATCH <= IN_FLIGHT_MAX
                && self.tally.owed() < OWED_MAX
            {
                match self.batch() {
                    None => is_all_sent = true,
                    Some(batch) => {
                        unanswered += batch.requests.len() as u64;
                        // The router's end is gone only if the call has failed, which is told below.
                        batches.send(batch).await.ok();
                    }
                }
            }
            if unanswered == 0 {
                if is_all_sent {
                    return Ok(());
                }
                sleep(PAUSE).await;
                continue;
            }
            let Some(batch) = results.message().await? else {
                return Err(tonic::Status::aborted("the stream of results has ended").into());
            };
            unanswered = unanswered.saturating_sub(batch.results.len() as u64);
            self.book_results(&batch);
        }
    }

    /// Takes and acknowledges receipts until it is dropped.
    pub(super) async fn receive(self: Arc<Self>, rpc: String) -> Result<(), EndureError> {
        let mut client = router::messaging(&rpc).await?;
        let (requests, sent) = mpsc::channel(ON_THEIR_WAY);
        let subscribe = Subscribe {
            max_unacknowledged: UNACKNOWLEDGED_MAX,
            ..Subscribe::default()
        };
        // There is room, and the other end is in our hands.
        requests.send(ask(Request::Subscribe(subscribe))).await.ok();
        let call = client.receive(ReceiverStream::new(sent)).await?;
        let mut batches = call.into_inner();
        while let Some(batch) = batches.message().await? {
            self.book_events(&batch.events);
            let ids = batch.events.iter().map(|event| event.delivery_id);
            let acknowledge = Acknowledge {
                delivery_ids: ids.collect(),
            };
            // Without the router nothing is to be acknowledged, and the next read says so.
            requests
                .send(ask(Request::Acknowledge(acknowledge)))
                .await
                .ok();
        }
        Err(tonic::Status::aborted("the stream of events has ended").into())
    }
}

fn ask(request: Request) -> ReceiveRequest {
    ReceiveRequest {
        request: Some(request),
    }
}

fn request(number: u64) -> SubmitRequest {
    SubmitRequest {
        request_id: tally::request_id(number),
        destination: Some(Address {
            number: format!("8498{:07}", number % 10_000_000),
            ..Address::default()
        }),
        body: Some(Body::Text(format!("Your code is {number}"))),
        receipt: true,
        deadline_ms: DEADLINE_MS,
        ..SubmitRequest::default()
    }
}
