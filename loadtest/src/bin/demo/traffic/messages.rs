//! Messages: one stream for each route, so that a throttled SMSC does not hold the other one up.

use std::{collections::HashMap, ops::Range, sync::atomic::Ordering::Relaxed};

use sampan::rpc::proto::{
    Address, Outcome, SubmitBatch, SubmitRequest, SubmitResult, messaging_client::MessagingClient,
    submit_request::Body,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use crate::{DemoError, progress::Counts};

/// Messages in one batch.
const BATCH: usize = 50;

/// Messages without an outcome, per stream: enough to keep every window full.
const IN_FLIGHT: usize = 300;

/// A prefix of each SMSC's route.
const PREFIXES: [&str; 2] = ["8498", "8490"];

/// Of the messages of each SMSC, how often one asks for a receipt.
const RECEIPT_EVERY: u32 = 5;
/// Of all messages, how often a pair is long, one for each SMSC.
const LONG_EVERY: u32 = 50;

/// A message and what its caller was told.
pub(crate) struct SentMessage {
    /// One for each message, so that the books can be searched by it.
    pub(crate) destination: String,
    pub(crate) result: SubmitResult,
}

/// All messages.
pub(crate) struct MessageBooklet {
    /// The number of requests.
    pub(crate) requested: u32,
    pub(crate) sent: Vec<SentMessage>,
}

impl MessageBooklet {
    /// Those of one SMSC that ended so.
    pub(crate) fn of(&self, smsc: &str, outcome: Outcome) -> impl Iterator<Item = &SentMessage> {
        self.sent
            .iter()
            .filter(move |own| own.result.smsc == smsc && own.result.outcome() == outcome)
    }
}

/// Sends the messages of these numbers and waits for the outcome of each.
pub(crate) async fn send(
    client: &MessagingClient<Channel>,
    numbers: Range<u32>,
    counts: &Counts,
) -> Result<Vec<SentMessage>, DemoError> {
    let requests = |parity: u32| {
        let numbers = numbers.clone();
        numbers
            .filter(move |number| number % 2 == parity)
            .map(request)
    };
    let (even, odd) = tokio::try_join!(
        stream(client, requests(0), counts),
        stream(client, requests(1), counts),
    )?;
    Ok(even.into_iter().chain(odd).collect())
}

/// A few messages beside the ones that are compared.
pub(crate) async fn drip(
    client: &MessagingClient<Channel>,
    drop: u32,
    counts: &Counts,
) -> Result<(), DemoError> {
    let requests = (0..10).map(|place| request(1_000_000 + drop % 100_000 * 10 + place));
    stream(client, requests, counts).await?;
    Ok(())
}

fn request(number: u32) -> SubmitRequest {
    let prefix = PREFIXES[number as usize % PREFIXES.len()];
    let mut text = format!("Message {number} of the demo.");
    if number % LONG_EVERY < 2 {
        text.push_str(&" It goes on and on.".repeat(10));
    }
    SubmitRequest {
        request_id: format!("message-{number}"),
        destination: Some(Address {
            number: format!("{prefix}{number:07}"),
            ..Address::default()
        }),
        body: Some(Body::Text(text)),
        receipt: (number / 2).is_multiple_of(RECEIPT_EVERY),
        deadline_ms: 30_000,
        ..SubmitRequest::default()
    }
}

/// One stream: keeps so many in flight, sends what there is room for in one batch.
async fn stream(
    client: &MessagingClient<Channel>,
    mut requests: impl Iterator<Item = SubmitRequest>,
    counts: &Counts,
) -> Result<Vec<SentMessage>, DemoError> {
    let (batches, sent) = mpsc::channel(IN_FLIGHT);
    let mut client = client.clone();
    let mut results = client
        .submit_stream(ReceiverStream::new(sent))
        .await?
        .into_inner();
    let mut destinations = HashMap::new();
    let mut told = Vec::new();
    loop {
        while destinations.len() < IN_FLIGHT {
            let room = BATCH.min(IN_FLIGHT - destinations.len());
            let batch: Vec<SubmitRequest> = requests.by_ref().take(room).collect();
            if batch.is_empty() {
                break;
            }
            for request in &batch {
                let destination = request.destination.clone().unwrap_or_default().number;
                destinations.insert(request.request_id.clone(), destination);
            }
            // The router's end is gone only if the call has failed, and that is told below.
            batches.send(SubmitBatch { requests: batch }).await.ok();
        }
        if destinations.is_empty() {
            return Ok(told);
        }
        let Some(batch) = results.message().await? else {
            return Err(tonic::Status::aborted("the stream of results has ended").into());
        };
        counts.messages.fetch_add(batch.results.len(), Relaxed);
        for result in batch.results {
            let Some(destination) = destinations.remove(&result.request_id) else {
                return Err(DemoError::SecondOutcome(result.request_id));
            };
            told.push(SentMessage {
                destination,
                result,
            });
        }
    }
}
