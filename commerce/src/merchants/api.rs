//! What a merchant may ask: how an order stands, and to give one back. `POST /v1/merchant/…`, JSON, signed as
//! his IPNs are.
//!
//! An order that is asked about twice is the same twice; one that is given back twice is given back once.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Extension, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    MerchantError,
    call::{self, CallFault},
    find,
    orders::{self, Order},
};
use crate::{
    clock::Clock,
    http::{Caller, Refusal},
    moment::UnixMs,
    money::Vnd,
    purchase::{self, Outcome, PurchaseError, Told},
    rate::{Limiter, Rate, caller_at},
    seal::Keys,
    store::{Store, StoreError},
    word::{Id, Reference},
};

/// Bytes of a request's body: three short fields, many times over.
const BODY_BYTES_MAX: usize = 4 << 10;

/// Tries of what meets others: a third one means that the database is overloaded.
const TRIES_MAX: u32 = 3;

/// What the API works with.
#[derive(Clone)]
pub struct Api {
    store: Store,
    keys: Keys,
    clock: Clock,
    rate: Rate,
    limiter: Arc<Limiter<IpAddr>>,
}

/// The routes of the API.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/merchant/query", post(query))
        .route("/v1/merchant/refund", post(refund))
        .method_not_allowed_fallback(async || ApiError::new(Code::Method, "this call is a POST"))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(api)
}

impl Api {
    /// Works with these books and keys, and lets each address call at that rate.
    pub fn new(store: Store, keys: Keys, clock: Clock, rate: Rate) -> Self {
        Self {
            store,
            keys,
            clock,
            rate,
            limiter: Arc::default(),
        }
    }
}

#[derive(Deserialize)]
struct Query {
    merchant: String,
    order: String,
}

#[derive(Deserialize)]
struct Refund {
    merchant: String,
    order: String,
    amount: i64,
}

/// How an order stands.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    told: Told<'a>,
    /// In our own words; empty if nobody has begun to pay.
    state: &'static str,
}

async fn query(
    State(api): State<Api>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let now = (api.clock)();
    let body = admit(&api, caller, body, now)?;
    let asked: Query = read(&body)?;
    let merchant = believe(&api, &asked.merchant, &headers, &body, now).await?;
    let order = ordered(&api, &merchant, &asked.order).await?;
    let Some(id) = &order.purchase else {
        return Ok(unpaid(&order, now));
    };
    let mut store = api.store.read().await?;
    let found = purchase::find(&mut store, id).await?;
    answer(&found.ok_or_else(unknown)?)
}

async fn refund(
    State(api): State<Api>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let now = (api.clock)();
    let body = admit(&api, caller, body, now)?;
    let asked: Refund = read(&body)?;
    let merchant = believe(&api, &asked.merchant, &headers, &body, now).await?;
    let order = ordered(&api, &merchant, &asked.order).await?;
    let not_paid = || PurchaseError::from(purchase::Refusal::from(purchase::NoRefund::NotPaid));
    let id = order.purchase.ok_or_else(not_paid)?;
    let amount = Vnd::new(asked.amount);
    let amount = amount.map_err(|fault| ApiError::new(Code::Invalid, format!("amount {fault}")))?;
    let mut tries = 1;
    loop {
        let mut write = api.store.write().await?;
        let refunded = purchase::refund(&mut write, &api.keys, &merchant, &id, amount, now).await;
        match refunded {
            Ok(purchase) => {
                write.commit().await?;
                return answer(&purchase);
            }
            Err(error) if error.is_busy() && tries < TRIES_MAX => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

fn admit(
    api: &Api,
    caller: Option<Extension<Caller>>,
    body: Result<Bytes, BytesRejection>,
    now: UnixMs,
) -> Result<Bytes, ApiError> {
    if let Some(Extension(Caller(address))) = caller {
        let taken = api.limiter.take(api.rate, &caller_at(address), now);
        taken
            .map_err(|_| ApiError::new(Code::TooOften, "too many calls; come again in a second"))?;
    }
    body.map_err(|_| ApiError::new(Code::Invalid, "the body is too long or was cut off"))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let wrong = |_| {
        ApiError::new(
            Code::Invalid,
            "the body is no JSON with the fields of this call",
        )
    };
    serde_json::from_slice(body).map_err(wrong)
}

/// The merchant whose signature the call has.
async fn believe(
    api: &Api,
    merchant: &str,
    headers: &HeaderMap,
    body: &[u8],
    now: UnixMs,
) -> Result<Id, ApiError> {
    let refused = || {
        let why = "the merchant is unknown, or X-Sampan-Signature is not that of X-Sampan-Timestamp, a dot \
                   and the body";
        ApiError::new(Code::Unauthorized, why)
    };
    let id: Id = merchant.parse().map_err(|_| refused())?;
    let found = {
        let mut store = api.store.read().await?;
        find(&mut store, &api.keys, &id, now).await?
    };
    let (_, secrets) = found.ok_or_else(refused)?;
    let header = |name| headers.get(name).map(|value| value.as_bytes());
    let (timestamp, signature) = (header(call::TIMESTAMP), header(call::SIGNATURE));
    match call::verify(&secrets, timestamp, signature, body, now) {
        Ok(()) => Ok(id),
        Err(fault) => {
            tracing::warn!(merchant = %id, ?fault, "a call of a merchant is not believed");
            Err(match fault {
                CallFault::Signature => refused(),
                CallFault::Time => {
                    let why = "X-Sampan-Timestamp is more than 15 minutes from now; set the clock";
                    ApiError::new(Code::Unauthorized, why)
                }
            })
        }
    }
}

fn unknown() -> ApiError {
    ApiError::new(Code::NotFound, "no customer was sent here with this order")
}

async fn ordered(api: &Api, merchant: &Id, order: &str) -> Result<Order, ApiError> {
    let reference: Reference = order.parse().map_err(|_| unknown())?;
    let mut store = api.store.read().await?;
    let found = orders::find(&mut store, merchant, &reference).await?;
    found.ok_or_else(unknown)
}

fn answer(purchase: &purchase::Purchase) -> Result<Response, ApiError> {
    let told = Told::of(purchase).ok_or_else(unknown)?;
    Ok(json(&Answer {
        told,
        state: purchase.state.word(),
    }))
}

/// Nobody has begun to pay, and nobody can any more once its time is over.
fn unpaid(order: &Order, now: UnixMs) -> Response {
    let (outcome, at) = match order.is_open(now) {
        true => (Outcome::Pending, order.opened_at),
        false => (Outcome::Failed, order.open_until),
    };
    let asked = &order.asked;
    let told = Told::unpaid(&asked.merchant, &asked.reference, asked.amount, outcome, at);
    json(&Answer { told, state: "" })
}

fn json(content: &impl Serialize) -> Response {
    match serde_json::to_string(content) {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer to a merchant cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What is wrong, as programs read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Invalid,
    Unauthorized,
    NotFound,
    Method,
    NotRefundable,
    TooOften,
    Busy,
    Internal,
}

impl Code {
    fn parts(self) -> (StatusCode, &'static str) {
        match self {
            Self::Invalid => (StatusCode::BAD_REQUEST, "INVALID"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            Self::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED"),
            Self::NotRefundable => (StatusCode::CONFLICT, "NOT_REFUNDABLE"),
            Self::TooOften => (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "BUSY"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"),
        }
    }
}

/// Why there is no other answer.
#[derive(Debug)]
struct ApiError {
    code: Code,
    message: String,
}

impl ApiError {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// Whose fault is ours; the reason is for the log.
    fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "a call of a merchant was not answered");
        Self::new(
            Code::Internal,
            "the service cannot do it now; ask how the order stands",
        )
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error.is_busy() {
            true => Self::new(Code::Busy, "nothing was done; send the same again"),
            false => Self::internal(error),
        }
    }
}

impl From<MerchantError> for ApiError {
    fn from(error: MerchantError) -> Self {
        match error {
            MerchantError::Store(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<PurchaseError> for ApiError {
    fn from(error: PurchaseError) -> Self {
        match error {
            PurchaseError::Refused(refusal) => Self::new(Code::NotRefundable, refusal.to_string()),
            error if error.is_busy() => {
                Self::new(Code::Busy, "nothing was done; send the same again")
            }
            error => Self::internal(error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, word) = self.code.parts();
        let error = serde_json::json!({"error": {"code": word, "message": self.message}});
        (status, json(&error)).into_response()
    }
}

/// What the program refuses before it comes here.
pub(crate) fn refuse(refusal: Refusal) -> Response {
    let error = match refusal {
        Refusal::Busy => ApiError::new(Code::Busy, "nothing was done; send the same again"),
        Refusal::Late => {
            ApiError::new(Code::Internal, "it took too long; ask how the order stands")
        }
    };
    error.into_response()
}
