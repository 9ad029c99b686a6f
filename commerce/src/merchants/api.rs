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
use utoipa::ToSchema;

use super::{
    call::{self, CallFault},
    fault::{ApiError, Code, Failures, RefundFailures},
    find,
    orders::{self, Order},
};
use crate::{
    clock::Clock,
    http::Caller,
    moment::UnixMs,
    money::Vnd,
    purchase::{self, Outcome, PurchaseError, Told},
    rate::{Limiter, Rate, caller_at},
    seal::Keys,
    store::Store,
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
        .method_not_allowed_fallback(async || {
            ApiError::new(Code::MethodNotAllowed, "this call is a POST")
        })
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

/// Which order is meant.
#[derive(Deserialize, ToSchema)]
pub(super) struct Query {
    /// As it is registered.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$", example = "shop-1")]
    merchant: String,
    /// The shop's own number of it.
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,128}$", example = "DH-1001")]
    order: String,
}

/// Which order is given back.
#[derive(Deserialize, ToSchema)]
pub(super) struct Refund {
    /// As it is registered.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$", example = "shop-1")]
    merchant: String,
    /// The shop's own number of it.
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,128}$", example = "DH-1001")]
    order: String,
    /// The whole amount of the order, in dong.
    #[schema(minimum = 1, example = 150_000)]
    amount: i64,
}

/// How an order stands, as an IPN tells it, with one field more.
#[derive(ToSchema)]
#[schema(as = OrderStatus)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what the one below writes")]
pub(super) struct OrderStatus {
    /// As it is registered.
    merchant: String,
    /// The shop's own number of it.
    order: String,
    /// Ours of its payment; empty if nobody has begun to pay.
    purchase: String,
    /// In dong.
    #[schema(minimum = 1)]
    amount: i64,
    /// What came of it: the money is the shop's, it came to nothing, nobody can say yet, or it was given back.
    #[schema(pattern = "^(PAID|FAILED|PENDING|REFUNDED)$")]
    result: String,
    /// The bank's, if it declined; otherwise empty.
    response_code: String,
    /// Since when it is so, in seconds since 1970.
    at: i64,
    /// In our own words, for people; empty if nobody has begun to pay.
    state: String,
}

/// How an order stands.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    told: Told<'a>,
    /// In our own words; empty if nobody has begun to pay.
    state: &'static str,
}

/// Says how an order stands.
///
/// It may be asked as often as is wanted, and changes nothing.
#[utoipa::path(
    post,
    path = "/v1/merchant/query",
    operation_id = "orderQuery",
    tag = "Merchants",
    request_body = Query,
    responses((status = 200, body = OrderStatus, description = "How it stands"), Failures),
)]
pub(super) async fn query(
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

/// Gives an order back: the whole amount, of one that is `PAID`, within 23 hours.
///
/// It is given back once, however often the same is sent; the bank takes it back from then on, and an IPN tells
/// of the end.
#[utoipa::path(
    post,
    path = "/v1/merchant/refund",
    operation_id = "orderRefund",
    tag = "Merchants",
    request_body = Refund,
    responses(
        (status = 200, body = OrderStatus, description = "It is given back, or was before"),
        Failures,
        RefundFailures,
    ),
)]
pub(super) async fn refund(
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
        taken.map_err(|_| {
            ApiError::new(Code::RateLimited, "too many calls; come again in a second")
        })?;
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

pub(super) fn json(content: &impl Serialize) -> Response {
    match serde_json::to_string(content) {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer to a merchant cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_the_fields_that_are_described_and_no_others() {
        let (merchant, order) = ("shop-1".parse().unwrap(), "DH-1".parse().unwrap());
        let amount = Vnd::new(1).unwrap();
        let told = Told::unpaid(&merchant, &order, amount, Outcome::Pending, UnixMs(0));
        let answer = serde_json::to_value(Answer { told, state: "" }).unwrap();
        let answered: Vec<&String> = answer.as_object().unwrap().keys().collect();
        let document = serde_json::to_value(super::super::document()).unwrap();
        let described = &document["components"]["schemas"]["OrderStatus"]["properties"];
        let described: Vec<&String> = described.as_object().unwrap().keys().collect();
        assert_eq!(answered, described);
    }
}
