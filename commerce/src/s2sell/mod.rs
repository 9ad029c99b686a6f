//! The S2Sell API, by which agents sell cards without a stock of their own: `/mcapi/s2sell/…`.
//!
//! Thin: it lets in who may call, reads what is wanted, asks the floors below, and gives the answer its
//! shape. It never puts a PIN code or a key into an error.

mod admit;
mod answer;
mod rate;
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

use admit::Admitted;
use answer::{ApiError, Code};
use rate::Limiter;

use crate::{
    app::{Context, Parts},
    catalogue,
    clock::Clock,
    config::S2SellSettings,
    moment::UnixMs,
    sales::{self, Purchase},
    seal::Keys,
    store::Store,
};

/// Bytes of a request's body: two short fields, many times over.
const BODY_BYTES_MAX: usize = 4 << 10;

/// What the API works with.
#[derive(Clone)]
pub struct Api {
    store: Store,
    keys: Keys,
    clock: Clock,
    settings: Arc<S2SellSettings>,
    limiter: Arc<Limiter>,
}

/// Joins the program, if the API is offered.
pub(crate) fn join(context: &Context, parts: &mut Parts) {
    let Some(settings) = context.config.s2sell.clone() else {
        return;
    };
    let (store, keys) = (context.store.clone(), context.config.keys.clone());
    let api = Api::new(store, keys, Arc::clone(&context.clock), settings);
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
    /// Works with these books, keys of PIN codes, time and settings.
    pub fn new(store: Store, keys: Keys, clock: Clock, settings: S2SellSettings) -> Self {
        Self {
            store,
            keys,
            clock,
            settings: Arc::new(settings),
            limiter: Arc::default(),
        }
    }

    fn now(&self) -> UnixMs {
        (self.clock)()
    }
}

async fn categories(State(api): State<Api>, _: Admitted) -> Result<Response, ApiError> {
    let mut read = api.store.read().await?;
    let categories = catalogue::categories(&mut read).await?;
    answer::categories(&categories)
}

async fn offers(
    State(api): State<Api>,
    Admitted(viewer): Admitted,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let category = request::named("CATECODE", &request::path(path)?)?;
    let mut read = api.store.read().await?;
    let offers = catalogue::offers(&mut read, &viewer.agent, &category, api.now()).await?;
    answer::offers(&offers)
}

async fn card_type(
    State(api): State<Api>,
    Admitted(viewer): Admitted,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let card_type = request::named("CARDTYPEID", &request::path(path)?)?;
    let mut read = api.store.read().await?;
    let offer = catalogue::offer(&mut read, &viewer.agent, &card_type, api.now()).await?;
    let missing = || ApiError::new(Code::NotFound, "the card type is not on sale");
    answer::offer(&offer.ok_or_else(missing)?)
}

async fn buy(
    State(api): State<Api>,
    Admitted(buyer): Admitted,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let too_long = |_| ApiError::new(Code::Invalid, "the body is too long or was cut off");
    let form = request::form(&body.map_err(too_long)?)?;
    let purchase = Purchase {
        buyer,
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
    Admitted(viewer): Admitted,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, ApiError> {
    let (card_type, serial) = request::path(path)?;
    let card_type = request::named("CARDTYPEID", &card_type)?;
    let serial = request::named("CARDSERIESNO", &serial)?;
    let card = (&card_type, &serial);
    let found = sales::find_card(&api.store, &api.keys, &viewer, card, api.now()).await?;
    let missing = || ApiError::new(Code::NotFound, "this agent has bought no such card");
    let (number, card) = found.ok_or_else(missing)?;
    answer::card(number, &card)
}

async fn sale(
    State(api): State<Api>,
    Admitted(viewer): Admitted,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let sell_dest_no = request::named("SELLDESTNO", &request::path(path)?)?;
    let now = api.now();
    let sales = sales::find(&api.store, &api.keys, &viewer, &sell_dest_no, now).await?;
    if sales.is_empty() {
        return Err(ApiError::new(
            Code::NotFound,
            "nothing was sold under this SELLDESTNO",
        ));
    }
    answer::sales(&sales)
}
