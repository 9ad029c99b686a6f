//! Requests, and callers that hold the router to one outcome for each of them.

use std::collections::HashMap;

use sampan::rpc::proto::{
    Address, LookupRequest, LookupResult, Money, PaymentKind, PaymentOutcome, PaymentResult,
    SubmitBatch, SubmitRequest, SubmitResult, TransactBatch, TransactRequest,
    messaging_client::MessagingClient, payments_client::PaymentsClient, submit_request::Body,
};
use tokio_stream::StreamExt as _;
use tonic::transport::Channel;

use super::{eventually, soon};

/// Requests in one batch.
const BATCH: usize = 50;

/// A message that no other one of the test is like.
pub(crate) fn message(number: usize) -> SubmitRequest {
    SubmitRequest {
        request_id: format!("message-{number}"),
        destination: Some(Address {
            number: format!("8498{number:07}"),
            ..Address::default()
        }),
        body: Some(Body::Text(format!("text {number}"))),
        deadline_ms: 20_000,
        ..SubmitRequest::default()
    }
}

/// As [`message`], with this text.
pub(crate) fn message_with_text(number: usize, text: &str) -> SubmitRequest {
    SubmitRequest {
        body: Some(Body::Text(text.to_owned())),
        ..message(number)
    }
}

/// Sends one message.
pub(crate) async fn submit(
    client: &MessagingClient<Channel>,
    request: SubmitRequest,
) -> SubmitResult {
    let mut client = client.clone();
    let result = soon("the outcome of a message", client.submit(request)).await;
    result.unwrap().into_inner()
}

/// Sends messages on one stream. Each has to have exactly one outcome.
pub(crate) async fn submit_all(
    mut client: MessagingClient<Channel>,
    requests: Vec<SubmitRequest>,
) -> HashMap<String, SubmitResult> {
    let count = requests.len();
    let batches: Vec<SubmitBatch> = requests
        .chunks(BATCH)
        .map(|chunk| SubmitBatch {
            requests: chunk.to_vec(),
        })
        .collect();
    let results = client.submit_stream(tokio_stream::iter(batches));
    let mut results = soon("the stream of results", results)
        .await
        .unwrap()
        .into_inner();
    let mut told = HashMap::new();
    while let Some(batch) = soon("the next results", results.next()).await {
        for result in batch.unwrap().results {
            let again = told.insert(result.request_id.clone(), result);
            assert_eq!(again, None, "a request has two outcomes");
        }
    }
    assert_eq!(told.len(), count, "a request has no outcome");
    told
}

/// A purchase whose amount tells it from the others.
pub(crate) fn purchase(number: usize) -> TransactRequest {
    TransactRequest {
        payment_id: format!("payment-{number}"),
        kind: PaymentKind::Purchase.into(),
        pan: "9704360000000001".to_owned(),
        amount: Some(Money {
            amount_minor: 1_000 + number as u64,
            currency: "VND".to_owned(),
        }),
        deadline_ms: 20_000,
        ..TransactRequest::default()
    }
}

/// Makes one payment.
pub(crate) async fn charge(
    client: &PaymentsClient<Channel>,
    request: TransactRequest,
) -> PaymentResult {
    let mut client = client.clone();
    let result = soon("the outcome of a payment", client.transact(request)).await;
    result.unwrap().into_inner()
}

/// Makes payments on one stream. Each has to have exactly one outcome.
pub(crate) async fn charge_all(
    mut client: PaymentsClient<Channel>,
    requests: Vec<TransactRequest>,
) -> HashMap<String, PaymentResult> {
    let count = requests.len();
    let batches: Vec<TransactBatch> = requests
        .chunks(BATCH)
        .map(|chunk| TransactBatch {
            requests: chunk.to_vec(),
        })
        .collect();
    let results = client.transact_stream(tokio_stream::iter(batches));
    let mut results = soon("the stream of results", results)
        .await
        .unwrap()
        .into_inner();
    let mut told = HashMap::new();
    while let Some(batch) = soon("the next results", results.next()).await {
        for result in batch.unwrap().results {
            let again = told.insert(result.payment_id.clone(), result);
            assert_eq!(again, None, "a payment has two outcomes");
        }
    }
    assert_eq!(told.len(), count, "a payment has no outcome");
    told
}

/// What is stored of a payment, once nothing more will become of it.
pub(crate) async fn lookup_settled(client: &PaymentsClient<Channel>, id: &str) -> LookupResult {
    let mut stored = LookupResult::default();
    eventually("the payment is settled", async || {
        let request = LookupRequest {
            payment_id: id.to_owned(),
        };
        stored = client.clone().lookup(request).await.unwrap().into_inner();
        let outcome = stored.payment.as_ref().map(PaymentResult::outcome);
        !matches!(
            outcome,
            None | Some(PaymentOutcome::Reversing | PaymentOutcome::Pending)
        )
    })
    .await;
    stored
}
