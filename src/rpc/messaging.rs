//! The Messaging service: SMS out, what is known of them, and what comes in.

mod bank_event;
mod batch;
mod explain;
mod fields;
mod preview;
mod receive;
mod results;
mod translate;

use std::{sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

pub use self::explain::explain_offline;
use self::{batch::Asked, explain::AskedRoute, receive::Reception};
pub(crate) use self::{batch::AskedBatch, results::EncodedResults};
use super::{
    auth,
    client::{Client, Kind},
    deadline::Deadlines,
    fault::Fault,
    proto::{
        self, CancelRequest, ExplainRouteRequest, OperationResult, PreviewRequest, PreviewResult,
        QueryRequest, QueryResult, ReceiveRequest, ReplaceRequest, RouteExplanation, SubmitRequest,
        SubmitResult,
    },
    services::Services,
    settings::RpcSettings,
    stream::{Batched, Exchange, Pipeline, Traffic},
    unfold::Unfold,
};
use crate::{
    client::ClientName,
    inbox::Inbox,
    message::{MessageOutbox, MessageOutcome, MessageRequest, Operation, OperationRequest},
    messaging::Messaging,
    outcome::Reason,
};

/// `sampan.v1.Messaging`
pub(super) struct MessagingService {
    messaging: Arc<Messaging>,
    inbox: Arc<Inbox>,
    deadlines: Deadlines,
    stream_in_flight_max: u32,
    stopping: CancellationToken,
}

impl MessagingService {
    pub(super) fn new(
        services: &Services,
        settings: &RpcSettings,
        deadlines: Deadlines,
        stopping: CancellationToken,
    ) -> Self {
        Self {
            messaging: Arc::clone(&services.messaging),
            inbox: Arc::clone(&services.inbox),
            deadlines,
            stream_in_flight_max: settings.stream_in_flight_max,
            stopping,
        }
    }

    fn submissions(&self, deadlines: Deadlines) -> Arc<Submissions> {
        Arc::new(Submissions {
            messaging: Arc::clone(&self.messaging),
            deadlines,
        })
    }

    /// One operation on a message that was accepted before.
    async fn operate(
        &self,
        client: Arc<Client>,
        deadlines: Deadlines,
        request: AskedOperation,
    ) -> Result<(Arc<str>, MessageOutcome), Status> {
        let operations = Arc::new(Operations {
            messaging: Arc::clone(&self.messaging),
            deadlines,
        });
        Pipeline::new(operations, client, 1).exchange(request).await
    }
}

#[tonic::async_trait]
impl proto::messaging_server::Messaging for MessagingService {
    type SubmitStreamStream = Unfold<Exchange<Submissions, Streaming<AskedBatch>>>;
    type ReceiveStream = Unfold<Reception>;

    async fn submit(
        &self,
        request: Request<SubmitRequest>,
    ) -> Result<Response<SubmitResult>, Status> {
        let client = auth::caller(&request)?;
        let submissions = self.submissions(self.deadlines.within_call(request.metadata()));
        Pipeline::new(submissions, client, 1)
            .exchange(request.into_inner().into())
            .await
            .map(|(id, outcome)| Response::new(translate::submit_result(id, outcome)))
    }

    async fn submit_stream(
        &self,
        request: Request<Streaming<AskedBatch>>,
    ) -> Result<Response<Self::SubmitStreamStream>, Status> {
        let client = auth::caller(&request)?;
        let submissions = self.submissions(self.deadlines);
        let pipeline = Pipeline::new(submissions, client, self.stream_in_flight_max);
        let exchange = Exchange::new(pipeline, request.into_inner(), self.stopping.clone());
        Ok(Response::new(Unfold::new(exchange)))
    }

    async fn query(&self, request: Request<QueryRequest>) -> Result<Response<QueryResult>, Status> {
        let client = auth::caller(&request)?;
        let deadlines = self.deadlines.within_call(request.metadata());
        let request = AskedOperation::from(request.into_inner());
        let (id, outcome) = self.operate(client, deadlines, request).await?;
        Ok(Response::new(translate::query_result(id, outcome)))
    }

    async fn cancel(
        &self,
        request: Request<CancelRequest>,
    ) -> Result<Response<OperationResult>, Status> {
        let client = auth::caller(&request)?;
        let deadlines = self.deadlines.within_call(request.metadata());
        let request = AskedOperation::from(request.into_inner());
        let (id, outcome) = self.operate(client, deadlines, request).await?;
        Ok(Response::new(translate::operation_result(id, outcome)))
    }

    async fn replace(
        &self,
        request: Request<ReplaceRequest>,
    ) -> Result<Response<OperationResult>, Status> {
        let client = auth::caller(&request)?;
        let deadlines = self.deadlines.within_call(request.metadata());
        let request = AskedOperation::from(request.into_inner());
        let (id, outcome) = self.operate(client, deadlines, request).await?;
        Ok(Response::new(translate::operation_result(id, outcome)))
    }

    async fn preview(
        &self,
        request: Request<PreviewRequest>,
    ) -> Result<Response<PreviewResult>, Status> {
        let client = auth::caller(&request)?;
        let result = preview::preview(&self.messaging, client.name(), request.into_inner());
        Ok(Response::new(result))
    }

    async fn explain_route(
        &self,
        request: Request<ExplainRouteRequest>,
    ) -> Result<Response<RouteExplanation>, Status> {
        let caller = auth::caller(&request)?;
        let asked = AskedRoute::read(request.into_inner(), caller.name())
            .map_err(|fault| Status::invalid_argument(fault.to_string()))?;
        let explanation = self.messaging.explain_route(&asked.client, &asked.message);
        Ok(Response::new(explain::told(explanation)))
    }

    async fn receive(
        &self,
        request: Request<Streaming<ReceiveRequest>>,
    ) -> Result<Response<Self::ReceiveStream>, Status> {
        let client = auth::caller(&request)?;
        let requests = request.into_inner();
        let reception =
            Reception::open(&self.inbox, &client, requests, self.stopping.clone()).await?;
        Ok(Response::new(Unfold::new(reception)))
    }
}

/// Messages on their way out.
pub(super) struct Submissions {
    messaging: Arc<Messaging>,
    deadlines: Deadlines,
}

impl Traffic for Submissions {
    const KIND: Kind = Kind::Message;

    type Request = Asked;
    type Down = MessageRequest;
    type Outcome = MessageOutcome;
    type Answer = (Arc<str>, MessageOutcome);

    fn id(request: &Asked) -> Arc<str> {
        Arc::clone(&request.id)
    }

    fn translate(
        &self,
        _client: &ClientName,
        _id: &Arc<str>,
        request: Asked,
        tag: u32,
        received: Instant,
    ) -> Result<MessageRequest, Fault> {
        let deadline = self.deadlines.at(received, request.deadline_ms);
        Ok(MessageRequest {
            tag,
            id: request.id,
            message: request.message?,
            deadline,
        })
    }

    fn hand_on(
        &self,
        client: &ClientName,
        requests: Vec<MessageRequest>,
        outbox: &Arc<MessageOutbox>,
    ) {
        self.messaging.submit(client, requests, outbox);
    }

    fn refused(reason: Reason, detail: String) -> MessageOutcome {
        MessageOutcome::not_sent(reason, detail)
    }

    fn answer(id: Arc<str>, outcome: MessageOutcome) -> (Arc<str>, MessageOutcome) {
        (id, outcome)
    }
}

impl Batched for Submissions {
    type Batch = AskedBatch;
    type Answers = EncodedResults;

    fn requests(batch: AskedBatch) -> Vec<Asked> {
        batch.0
    }

    fn answers(told: Vec<(Arc<str>, MessageOutcome)>) -> EncodedResults {
        EncodedResults::of(told)
    }
}

/// Query, Cancel and Replace.
struct Operations {
    messaging: Arc<Messaging>,
    deadlines: Deadlines,
}

/// An operation as a caller asks for it.
struct AskedOperation {
    request_id: String,
    operation: Result<Operation, Fault>,
    deadline_ms: u32,
}

impl From<QueryRequest> for AskedOperation {
    fn from(mut request: QueryRequest) -> Self {
        Self {
            request_id: std::mem::take(&mut request.request_id),
            deadline_ms: request.deadline_ms,
            operation: translate::query(request),
        }
    }
}

impl From<CancelRequest> for AskedOperation {
    fn from(mut request: CancelRequest) -> Self {
        Self {
            request_id: std::mem::take(&mut request.request_id),
            deadline_ms: request.deadline_ms,
            operation: translate::cancel(request),
        }
    }
}

impl From<ReplaceRequest> for AskedOperation {
    fn from(mut request: ReplaceRequest) -> Self {
        Self {
            request_id: std::mem::take(&mut request.request_id),
            deadline_ms: request.deadline_ms,
            operation: translate::replace(request),
        }
    }
}

impl Traffic for Operations {
    const KIND: Kind = Kind::Message;

    type Request = AskedOperation;
    type Down = OperationRequest;
    type Outcome = MessageOutcome;
    type Answer = (Arc<str>, MessageOutcome);

    fn id(request: &AskedOperation) -> Arc<str> {
        request.request_id.as_str().into()
    }

    fn translate(
        &self,
        _client: &ClientName,
        id: &Arc<str>,
        request: AskedOperation,
        tag: u32,
        received: Instant,
    ) -> Result<OperationRequest, Fault> {
        translate::request_id(id)?;
        Ok(OperationRequest {
            tag,
            operation: request.operation?,
            deadline: self.deadlines.at(received, request.deadline_ms),
        })
    }

    fn hand_on(
        &self,
        _client: &ClientName,
        requests: Vec<OperationRequest>,
        outbox: &Arc<MessageOutbox>,
    ) {
        for request in requests {
            self.messaging.operate(request, outbox);
        }
    }

    fn refused(reason: Reason, detail: String) -> MessageOutcome {
        MessageOutcome::not_sent(reason, detail)
    }

    fn answer(id: Arc<str>, outcome: MessageOutcome) -> (Arc<str>, MessageOutcome) {
        (id, outcome)
    }
}
