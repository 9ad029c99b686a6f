//! The Payments service: financial requests to banks, their reversal and their look-up.

mod results;
pub(super) mod translate;

use std::{sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

pub(crate) use self::results::EncodedPayments;
use super::{
    auth,
    client::Kind,
    deadline::Deadlines,
    fault::Fault,
    proto::{
        self, LookupRequest, LookupResult, PaymentResult, ReverseRequest, TransactBatch,
        TransactRequest,
    },
    services::Services,
    settings::RpcSettings,
    stream::{Batched, Exchange, Pipeline, Traffic},
    unfold::Unfold,
};
use crate::{
    client::ClientName,
    outcome::Reason,
    payment::{PaymentAnswer, PaymentId, PaymentOutbox, PaymentRequest, Payments, ReverseError},
};

/// `sampan.v1.Payments`
pub(super) struct PaymentsService {
    payments: Arc<Payments>,
    deadlines: Deadlines,
    stream_in_flight_max: u32,
    stopping: CancellationToken,
}

impl PaymentsService {
    pub(super) fn new(
        services: &Services,
        settings: &RpcSettings,
        deadlines: Deadlines,
        stopping: CancellationToken,
    ) -> Self {
        Self {
            payments: Arc::clone(&services.payments),
            deadlines,
            stream_in_flight_max: settings.stream_in_flight_max,
            stopping,
        }
    }

    fn transactions(&self, deadlines: Deadlines) -> Arc<Transactions> {
        Arc::new(Transactions {
            payments: Arc::clone(&self.payments),
            deadlines,
        })
    }
}

#[tonic::async_trait]
impl proto::payments_server::Payments for PaymentsService {
    type TransactStreamStream = Unfold<Exchange<Transactions, Streaming<TransactBatch>>>;

    async fn transact(
        &self,
        request: Request<TransactRequest>,
    ) -> Result<Response<PaymentResult>, Status> {
        let client = auth::caller(&request)?;
        let transactions = self.transactions(self.deadlines.within_call(request.metadata()));
        let (id, answer) = Pipeline::new(transactions, client, 1)
            .exchange(request.into_inner())
            .await?;
        Ok(Response::new(translate::payment_result(&id, answer)))
    }

    async fn transact_stream(
        &self,
        request: Request<Streaming<TransactBatch>>,
    ) -> Result<Response<Self::TransactStreamStream>, Status> {
        let client = auth::caller(&request)?;
        let transactions = self.transactions(self.deadlines);
        let pipeline = Pipeline::new(transactions, client, self.stream_in_flight_max);
        let exchange = Exchange::new(pipeline, request.into_inner(), self.stopping.clone());
        Ok(Response::new(Unfold::new(exchange)))
    }

    async fn reverse(
        &self,
        request: Request<ReverseRequest>,
    ) -> Result<Response<PaymentResult>, Status> {
        let client = auth::caller(&request)?;
        let ReverseRequest {
            payment_id,
            actual_amount_minor,
        } = request.into_inner();
        let actual = Some(actual_amount_minor).filter(|amount| *amount > 0);
        let reversed = match PaymentId::parse(payment_id.as_str()) {
            Some(id) => self.payments.reverse(client.name(), &id, actual).await,
            // What cannot be an id was never one.
            None => Err(ReverseError::Unknown),
        };
        let answer = reversed.map_err(|error| match error {
            ReverseError::Unknown => {
                Status::not_found(format!("client {}: {error}", client.name()))
            }
            ReverseError::Amount { .. } | ReverseError::NoMoney => {
                Status::invalid_argument(error.to_string())
            }
            ReverseError::Stopped => Status::unavailable(error.to_string()),
        })?;
        Ok(Response::new(translate::payment_result(
            &payment_id,
            answer,
        )))
    }

    async fn lookup(
        &self,
        request: Request<LookupRequest>,
    ) -> Result<Response<LookupResult>, Status> {
        let client = auth::caller(&request)?;
        let payment_id = request.into_inner().payment_id;
        let found = match PaymentId::parse(payment_id.as_str()) {
            Some(id) => self.payments.lookup(client.name(), &id).await,
            None => None,
        };
        Ok(Response::new(translate::lookup_result(payment_id, found)))
    }
}

/// Payments on their way out.
pub(super) struct Transactions {
    payments: Arc<Payments>,
    deadlines: Deadlines,
}

impl Traffic for Transactions {
    const KIND: Kind = Kind::Payment;

    type Request = TransactRequest;
    type Down = PaymentRequest;
    type Outcome = PaymentAnswer;
    type Answer = (Arc<str>, PaymentAnswer);

    fn id(request: &TransactRequest) -> Arc<str> {
        request.payment_id.as_str().into()
    }

    fn translate(
        &self,
        _client: &ClientName,
        id: &Arc<str>,
        request: TransactRequest,
        tag: u32,
        received: Instant,
    ) -> Result<PaymentRequest, Fault> {
        let deadline = self.deadlines.at(received, request.deadline_ms);
        Ok(PaymentRequest {
            tag,
            payment: translate::payment(id, request)?,
            deadline,
        })
    }

    fn hand_on(
        &self,
        client: &ClientName,
        requests: Vec<PaymentRequest>,
        outbox: &Arc<PaymentOutbox>,
    ) {
        self.payments.transact(client, requests, outbox);
    }

    fn refused(reason: Reason, detail: String) -> PaymentAnswer {
        PaymentAnswer::not_sent(reason, detail)
    }

    fn answer(id: Arc<str>, outcome: PaymentAnswer) -> (Arc<str>, PaymentAnswer) {
        (id, outcome)
    }
}

impl Batched for Transactions {
    type Batch = TransactBatch;
    type Answers = EncodedPayments;

    fn requests(batch: TransactBatch) -> Vec<TransactRequest> {
        batch.requests
    }

    fn answers(told: Vec<(Arc<str>, PaymentAnswer)>) -> EncodedPayments {
        EncodedPayments::of(told)
    }
}
