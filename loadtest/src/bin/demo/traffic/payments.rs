//! Payments: one stream for each bank, so that a bank that keeps silent does not hold the other up.

use std::{collections::HashMap, ops::Range, sync::atomic::Ordering::Relaxed};

use sampan::rpc::proto::{
    LookupRequest, Money, PaymentKind, PaymentOutcome, PaymentResult, TransactBatch,
    TransactRequest, payments_client::PaymentsClient,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use crate::{DemoError, Options, progress::Counts};

/// Payments in one batch.
const BATCH: usize = 10;

/// Payments without an outcome, per stream.
const IN_FLIGHT: usize = 40;

/// The prefixes of the two banks' cards, and how many cards each has.
const PREFIXES: [&str; 2] = ["970436", "970406"];
const CARDS: u32 = 200;

/// A payment and what its caller was told.
pub(crate) struct MadePayment {
    /// DE37, chosen by the caller, so that the books can be searched by it.
    pub(crate) retrieval_reference: String,
    pub(crate) amount_minor: u64,
    /// The first thing that was told.
    pub(crate) first: PaymentOutcome,
    /// What was known of it last.
    pub(crate) result: PaymentResult,
}

/// All payments.
pub(crate) struct PaymentBooklet {
    /// The number of requests.
    pub(crate) requested: u32,
    pub(crate) made: Vec<MadePayment>,
}

impl PaymentBooklet {
    /// Those of one bank that ended so.
    pub(crate) fn of(
        &self,
        bank: &str,
        outcome: PaymentOutcome,
    ) -> impl Iterator<Item = &MadePayment> {
        self.made
            .iter()
            .filter(move |own| own.result.bank == bank && own.result.outcome() == outcome)
    }

    /// Asks after every payment that is being reversed; how many still are.
    pub(crate) async fn look_up(
        &mut self,
        client: &PaymentsClient<Channel>,
        counts: &Counts,
    ) -> Result<usize, DemoError> {
        let mut client = client.clone();
        let mut reversing = 0;
        for own in &mut self.made {
            if own.result.outcome() != PaymentOutcome::Reversing {
                continue;
            }
            let payment_id = own.result.payment_id.clone();
            let stored = client.lookup(LookupRequest { payment_id }).await?;
            if let Some(known) = stored.into_inner().payment {
                own.result = known;
            }
            reversing += usize::from(own.result.outcome() == PaymentOutcome::Reversing);
        }
        counts.reversing.store(reversing, Relaxed);
        Ok(reversing)
    }
}

/// Makes the payments of these numbers and waits for what is told of each.
pub(crate) async fn charge(
    client: &PaymentsClient<Channel>,
    numbers: Range<u32>,
    seed: u64,
    counts: &Counts,
) -> Result<Vec<MadePayment>, DemoError> {
    let requests = |parity: u32| {
        let numbers = numbers.clone();
        numbers
            .filter(move |number| number % 2 == parity)
            .map(move |number| request(seed, number))
    };
    let (even, odd) = tokio::try_join!(
        stream(client, requests(0), counts),
        stream(client, requests(1), counts),
    )?;
    Ok(even.into_iter().chain(odd).collect())
}

/// A payment beside the ones that are compared.
pub(crate) async fn drip(
    client: &PaymentsClient<Channel>,
    options: &Options,
    drop: u32,
    counts: &Counts,
) -> Result<(), DemoError> {
    let one = [request(options.seed, 1_000_000 + drop)].into_iter();
    stream(client, one, counts).await?;
    Ok(())
}

fn request(seed: u64, number: u32) -> TransactRequest {
    let mut dice = fastrand::Rng::with_seed(seed.wrapping_mul(1_000_003) ^ u64::from(number));
    let prefix = PREFIXES[number as usize % PREFIXES.len()];
    let kind = match dice.u32(0..4) {
        0 => PaymentKind::Withdrawal,
        _ => PaymentKind::Purchase,
    };
    TransactRequest {
        payment_id: format!("payment-{number}"),
        kind: kind.into(),
        pan: format!("{prefix}{:010}", dice.u32(0..CARDS)),
        amount: Some(Money {
            amount_minor: dice.u64(10..=600) * 1_000,
            currency: "VND".to_owned(),
        }),
        retrieval_reference: format!("{number:012}"),
        deadline_ms: 30_000,
        ..TransactRequest::default()
    }
}

/// One stream: keeps so many in flight, sends what there is room for in one batch.
async fn stream(
    client: &PaymentsClient<Channel>,
    mut requests: impl Iterator<Item = TransactRequest>,
    counts: &Counts,
) -> Result<Vec<MadePayment>, DemoError> {
    let (batches, sent) = mpsc::channel(IN_FLIGHT);
    let mut client = client.clone();
    let mut results = client
        .transact_stream(ReceiverStream::new(sent))
        .await?
        .into_inner();
    let mut open = HashMap::new();
    let mut told = Vec::new();
    loop {
        while open.len() < IN_FLIGHT {
            let room = BATCH.min(IN_FLIGHT - open.len());
            let batch: Vec<TransactRequest> = requests.by_ref().take(room).collect();
            if batch.is_empty() {
                break;
            }
            for request in &batch {
                let amount_minor = request.amount.as_ref().map_or(0, |own| own.amount_minor);
                let reference = request.retrieval_reference.clone();
                open.insert(request.payment_id.clone(), (reference, amount_minor));
            }
            // The router's end is gone only if the call has failed, and that is told below.
            batches.send(TransactBatch { requests: batch }).await.ok();
        }
        if open.is_empty() {
            return Ok(told);
        }
        let Some(batch) = results.message().await? else {
            return Err(tonic::Status::aborted("the stream of results has ended").into());
        };
        counts.payments.fetch_add(batch.results.len(), Relaxed);
        for result in batch.results {
            let Some((retrieval_reference, amount_minor)) = open.remove(&result.payment_id) else {
                return Err(DemoError::SecondOutcome(result.payment_id));
            };
            let first = result.outcome();
            let reversing = usize::from(first == PaymentOutcome::Reversing);
            counts.reversing.fetch_add(reversing, Relaxed);
            told.push(MadePayment {
                retrieval_reference,
                amount_minor,
                first,
                result,
            });
        }
    }
}
