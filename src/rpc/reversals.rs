//! The Reversals service: what the bank has not taken back yet, for operators.
//!
//! It changes how a payment ends, so only operators may call it.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::{
    auth,
    client::Client,
    payments::translate::{payment_result, reversal},
    proto::{
        self, ListReversalsRequest, ListReversalsResult, PaymentResult, ResolveReversalRequest,
        RetryReversalRequest,
    },
};
use crate::{
    client::{ClientName, PaymentId, PaymentKey},
    payment::{OpenReversal, OperatorError, PaymentAnswer, Payments},
};

/// Reversals in one answer; an operator with more has to talk to the bank, not to read a list.
const LISTED_MAX: usize = 10_000;

/// The longest reason of a settlement, in characters.
const REASON_LENGTH_MAX: usize = 500;

/// `sampan.v1.Reversals`
pub(super) struct ReversalsService {
    payments: Arc<Payments>,
}

impl ReversalsService {
    pub(super) fn new(payments: Arc<Payments>) -> Self {
        Self { payments }
    }
}

#[tonic::async_trait]
impl proto::reversals_server::Reversals for ReversalsService {
    async fn list(
        &self,
        request: Request<ListReversalsRequest>,
    ) -> Result<Response<ListReversalsResult>, Status> {
        operator(&request)?;
        let ListReversalsRequest { bank, failed_only } = request.into_inner();
        let bank = Some(bank.as_str()).filter(|bank| !bank.is_empty());
        let open = self.payments.reversals(bank, failed_only).await;
        Ok(Response::new(ListReversalsResult {
            total: open.len() as u64,
            reversals: open.into_iter().take(LISTED_MAX).map(told).collect(),
        }))
    }

    async fn retry(
        &self,
        request: Request<RetryReversalRequest>,
    ) -> Result<Response<PaymentResult>, Status> {
        let operator = operator(&request)?;
        let RetryReversalRequest { client, payment_id } = request.into_inner();
        let key = key(&client, &payment_id)?;
        let answered = self.payments.retry_reversal(key, operator.name()).await;
        respond(&payment_id, answered)
    }

    async fn resolve(
        &self,
        request: Request<ResolveReversalRequest>,
    ) -> Result<Response<PaymentResult>, Status> {
        let operator = operator(&request)?;
        let ResolveReversalRequest {
            client,
            payment_id,
            reason,
        } = request.into_inner();
        let key = key(&client, &payment_id)?;
        if reason.trim().is_empty() || reason.chars().count() > REASON_LENGTH_MAX {
            return Err(Status::invalid_argument(format!(
                "reason: say in 1 to {REASON_LENGTH_MAX} characters what was found and done"
            )));
        }
        let operator = operator.name();
        let answered = self.payments.resolve_reversal(key, operator, reason).await;
        respond(&payment_id, answered)
    }
}

/// The caller, if it is an operator.
pub(super) fn operator<T>(request: &Request<T>) -> Result<Arc<Client>, Status> {
    let client = auth::caller(request)?;
    if client.is_operator() {
        return Ok(client);
    }
    Err(Status::permission_denied(format!(
        "client {} is no operator; set operator = true in its [[client]]",
        client.name()
    )))
}

fn key(client: &str, payment_id: &str) -> Result<PaymentKey, Status> {
    let field = |name: &str| Status::invalid_argument(format!("{name}: names no payment"));
    Ok(PaymentKey {
        client: ClientName::parse(client).ok_or_else(|| field("client"))?,
        id: PaymentId::parse(payment_id).ok_or_else(|| field("payment_id"))?,
    })
}

fn respond(
    payment_id: &str,
    answered: Result<PaymentAnswer, OperatorError>,
) -> Result<Response<PaymentResult>, Status> {
    match answered {
        Ok(answer) => Ok(Response::new(payment_result(payment_id, answer))),
        Err(error @ OperatorError::Unknown(..)) => Err(Status::not_found(error.to_string())),
        Err(error @ OperatorError::State { .. }) => {
            Err(Status::failed_precondition(error.to_string()))
        }
        Err(error @ OperatorError::Stopped) => Err(Status::unavailable(error.to_string())),
    }
}

fn told(open: OpenReversal) -> proto::OpenReversal {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    proto::OpenReversal {
        client: open.key.client.to_string(),
        payment_id: open.key.id.as_str().to_owned(),
        bank: open.bank.to_string(),
        accepted_ms: open.began_utc_ms,
        amount_minor: open.amount_minor,
        currency: text(&open.currency),
        stan: open.stan.to_string(),
        retrieval_reference: text(&open.retrieval_reference),
        has_failed: open.has_failed,
        reversal: open.reversal.map(reversal),
    }
}
