//! The calls, each with its part of the description.

use axum::{
    body::Bytes,
    extract::{
        Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::HeaderMap,
    response::Response,
};

use super::{
    Api,
    admit::Admitted,
    answer::{self, CardBody, CategoryBody, OfferBody, Sold},
    error::{ApiError, Code, Failures, PurchaseFailures},
    kept,
    request::{self, BuyForm},
};
use crate::{
    catalogue,
    sales::{self, Purchase},
};

/// Lists the categories.
#[utoipa::path(
    get,
    path = "/mcapi/s2sell/category",
    operation_id = "categoryList",
    tag = "S2Sell",
    responses(
        (status = 200, body = Vec<CategoryBody>, description = "All categories",
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "What If-None-Match names still stands"),
        Failures,
    ),
)]
pub(super) async fn categories(
    State(api): State<Api>,
    _: Admitted,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut read = api.store.read().await?;
    let categories = catalogue::categories(&mut read).await?;
    let bodies: Vec<_> = categories.iter().map(CategoryBody::new).collect();
    kept::answer(&headers, api.max_age(), &bodies)
}

/// Lists what is on sale in a category, at the agent's own prices.
#[utoipa::path(
    get,
    path = "/mcapi/s2sell/category/{CATECODE}",
    operation_id = "categoryCardList",
    tag = "S2Sell",
    params(("CATECODE" = String, Path, pattern = "^[A-Z0-9]{1,4}$", example = "MOBI")),
    responses(
        (status = 200, body = Vec<OfferBody>, description = "Card types on sale, perhaps none",
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "What If-None-Match names still stands"),
        Failures,
    ),
)]
pub(super) async fn offers(
    State(api): State<Api>,
    Admitted(viewer): Admitted,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let category = request::named("CATECODE", &request::path(path)?)?;
    let mut read = api.store.read().await?;
    let offers = catalogue::offers(&mut read, &viewer.agent, &category, api.now()).await?;
    let bodies: Vec<_> = offers.iter().map(OfferBody::listed).collect();
    kept::answer(&headers, api.max_age(), &bodies)
}

/// Shows a card type, and whether there is a card.
#[utoipa::path(
    get,
    path = "/mcapi/s2sell/card/{CARDTYPEID}",
    operation_id = "cardTypeView",
    tag = "S2Sell",
    params(("CARDTYPEID" = String, Path, pattern = "^[A-Z0-9]{1,20}$", example = "MOBI10")),
    responses(
        (status = 200, body = OfferBody, description = "The card type",
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "What If-None-Match names still stands"),
        Failures,
    ),
)]
pub(super) async fn card_type(
    State(api): State<Api>,
    Admitted(viewer): Admitted,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let card_type = request::named("CARDTYPEID", &request::path(path)?)?;
    let mut read = api.store.read().await?;
    let offer = catalogue::offer(&mut read, &viewer.agent, &card_type, api.now()).await?;
    let missing = || ApiError::new(Code::NotFound, "the card type is not on sale");
    // Whether there is a card may change at any moment.
    kept::answer(
        &headers,
        None,
        &OfferBody::single(&offer.ok_or_else(missing)?),
    )
}

/// Buys cards. As many are sold as there are and as the deposit pays; fewer than wanted come with an
/// error beside the result.
#[utoipa::path(
    post,
    path = "/mcapi/s2sell/card/{CARDTYPEID}",
    operation_id = "cardBuy",
    tag = "S2Sell",
    params(
        ("CARDTYPEID" = String, Path, pattern = "^[A-Z0-9]{1,20}$", example = "MOBI10"),
        ("Idempotency-Key" = Option<String>, Header, pattern = "^[A-Za-z0-9._-]{1,64}$",
            description = "A purchase that is sent again under its key happens once"),
    ),
    request_body(content = BuyForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = Sold, description = "What was sold"),
        Failures,
        PurchaseFailures,
    ),
)]
pub(super) async fn buy(
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

/// Shows a card that the agent has bought.
#[utoipa::path(
    get,
    path = "/mcapi/s2sell/card/{CARDTYPEID}/{CARDSERIESNO}",
    operation_id = "cardBuyView",
    tag = "S2Sell",
    params(
        ("CARDTYPEID" = String, Path, pattern = "^[A-Z0-9]{1,20}$", example = "MOBI10"),
        ("CARDSERIESNO" = String, Path, pattern = "^[A-Za-z0-9.-]{1,20}$",
            example = "029091000008229", description = "Small and capital letters are the same"),
    ),
    responses(
        (status = 200, body = Vec<CardBody>, description = "The card"),
        Failures,
    ),
)]
pub(super) async fn card(
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

/// Shows what the agent's last ten purchases under a number of his sold, for an answer that was lost.
#[utoipa::path(
    get,
    path = "/mcapi/s2sell/txn/{SELLDESTNO}",
    operation_id = "cardBuyLookup",
    tag = "S2Sell",
    params(
        ("SELLDESTNO" = String, Path, pattern = "^[A-Za-z0-9._-]{1,40}$", example = "order-7"),
    ),
    responses(
        (status = 200, body = Sold, description = "What was sold"),
        Failures,
    ),
)]
pub(super) async fn sale(
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
