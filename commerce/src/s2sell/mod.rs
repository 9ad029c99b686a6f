//! The S2Sell API, by which agents sell cards without a stock of their own: `/mcapi/s2sell/…`.
//!
//! Thin: it says who calls, reads what is wanted, asks the floors below, and gives the answer its
//! shape. It never puts a PIN code or a key into an error.

mod answer;
mod request;

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::HeaderMap,
    response::Response,
    routing::get,
};

use answer::{ApiError, Code};

use crate::{
    agents,
    app::{Context, Parts},
    catalogue,
    clock::Clock,
    moment::UnixMs,
    sales::{self, Purchase},
    seal::Keys,
    store::Store,
    word::Id,
};

/// Bytes of a request's body: two short fields, many times over.
const BODY_BYTES_MAX: usize = 4 << 10;

/// What the API works with.
#[derive(Clone)]
pub struct Api {
    /// The database.
    pub store: Store,
    /// The keys of PIN codes.
    pub keys: Keys,
    /// The time.
    pub clock: Clock,
}

/// Joins the program, if the API is offered.
pub(crate) fn join(context: &Context, parts: &mut Parts) {
    if context.config.s2sell.is_none() {
        return;
    }
    let api = Api {
        store: context.store.clone(),
        keys: context.config.keys.clone(),
        clock: Arc::clone(&context.clock),
    };
    parts.serve(router(api), answer::refuse);
}

/// The routes of the API.
pub fn router(api: Api) -> Router {
    let purchase = get(card_type).post(buy);
    let calls = Router::new()
        .route("/s2sell/category", get(categories))
        .route("/s2sell/category/{category}", get(offers))
        .route("/s2sell/card/{card_type}", purchase)
        .route("/s2sell/card/{card_type}/{serial}", get(card))
        .route("/s2sell/txn/{sell_dest_no}", get(sale))
        .fallback(async || ApiError::new(Code::NotFound, "there is no such call"))
        .method_not_allowed_fallback(async || {
            ApiError::new(Code::Method, "this call has another method")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(api);
    Router::new().nest("/mcapi", calls)
}

impl Api {
    fn now(&self) -> UnixMs {
        (self.clock)()
    }

    /// Whose key the request has.
    async fn agent(&self, headers: &HeaderMap) -> Result<Id, ApiError> {
        let refused = || ApiError::new(Code::Unauthorized, "X-API-Key is missing or not valid");
        let key = headers.get("x-api-key").ok_or_else(refused)?;
        let mut read = self.store.read().await?;
        let agent = agents::of_key(&mut read, key.as_bytes(), self.now()).await?;
        agent.ok_or_else(refused)
    }
}

async fn categories(State(api): State<Api>, headers: HeaderMap) -> Result<Response, ApiError> {
    api.agent(&headers).await?;
    let mut read = api.store.read().await?;
    let categories = catalogue::categories(&mut read).await?;
    answer::categories(&categories)
}

async fn offers(
    State(api): State<Api>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let agent = api.agent(&headers).await?;
    let category = request::named("CATECODE", &request::path(path)?)?;
    let mut read = api.store.read().await?;
    let offers = catalogue::offers(&mut read, &agent, &category, api.now()).await?;
    answer::offers(&offers)
}

async fn card_type(
    State(api): State<Api>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let agent = api.agent(&headers).await?;
    let card_type = request::named("CARDTYPEID", &request::path(path)?)?;
    let mut read = api.store.read().await?;
    let offer = catalogue::offer(&mut read, &agent, &card_type, api.now()).await?;
    let missing = || ApiError::new(Code::NotFound, "the card type is not on sale");
    answer::offer(&offer.ok_or_else(missing)?)
}

async fn buy(
    State(api): State<Api>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let agent = api.agent(&headers).await?;
    let too_long = |_| ApiError::new(Code::Invalid, "the body is too long or was cut off");
    let form = request::form(&body.map_err(too_long)?)?;
    let purchase = Purchase {
        agent,
        card_type: request::named("CARDTYPEID", &request::path(path)?)?,
        count: form.count,
        sell_dest_no: form.sell_dest_no,
        idempotency_key: request::idempotency_key(&headers)?,
    };
    let sale = sales::buy(&api.store, &api.keys, &purchase, api.now()).await?;
    answer::sale(&sale)
}

async fn card(
    State(api): State<Api>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let agent = api.agent(&headers).await?;
    let (card_type, serial) = request::path(path)?;
    let card_type = request::named("CARDTYPEID", &card_type)?;
    let serial = request::named("CARDSERIESNO", &serial)?;
    let mut read = api.store.read().await?;
    let found = sales::find_card(&mut read, &api.keys, &agent, &card_type, &serial).await?;
    let missing = || ApiError::new(Code::NotFound, "this agent has bought no such card");
    let (number, card) = found.ok_or_else(missing)?;
    answer::card(number, &card)
}

async fn sale(
    State(api): State<Api>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let agent = api.agent(&headers).await?;
    let sell_dest_no = request::named("SELLDESTNO", &request::path(path)?)?;
    let mut read = api.store.read().await?;
    let sales = sales::find(&mut read, &api.keys, &agent, &sell_dest_no).await?;
    if sales.is_empty() {
        return Err(ApiError::new(
            Code::NotFound,
            "nothing was sold under this SELLDESTNO",
        ));
    }
    answer::sales(&sales)
}
