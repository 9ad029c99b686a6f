//! The shapes of the answers: the fields in the order of the specification's examples, all of them
//! strings.

use std::fmt::Display;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    agents::AgentError,
    catalogue::{CatalogueError, Category, Offer},
    http::Refusal,
    sales::{Sale, SaleError, Short},
    stock::Card,
    store::StoreError,
};

/// What is wrong, as programs read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Invalid,
    Unauthorized,
    Address,
    Deposit,
    NotFound,
    Method,
    OutOfStock,
    KeyUsed,
    TooOften,
    Busy,
    Internal,
}

impl Code {
    fn word(self) -> &'static str {
        match self {
            Self::Invalid => "INVALID",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Address => "ADDRESS_NOT_ALLOWED",
            Self::Deposit => "INSUFFICIENT_DEPOSIT",
            Self::NotFound => "NOT_FOUND",
            Self::Method => "METHOD_NOT_ALLOWED",
            Self::OutOfStock => "OUT_OF_STOCK",
            Self::KeyUsed => "IDEMPOTENCY_KEY_USED",
            Self::TooOften => "RATE_LIMITED",
            Self::Busy => "BUSY",
            Self::Internal => "INTERNAL",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Address => StatusCode::FORBIDDEN,
            Self::Deposit => StatusCode::PAYMENT_REQUIRED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::OutOfStock => StatusCode::CONFLICT,
            Self::KeyUsed => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooOften => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Why there is no other answer.
#[derive(Debug)]
pub(super) struct ApiError {
    code: Code,
    message: String,
    retry_after_s: Option<i64>,
}

impl ApiError {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retry_after_s: None,
        }
    }

    pub(super) fn too_often(retry_after_s: i64) -> Self {
        let message = format!("too many calls; nothing was done, come again in {retry_after_s} s");
        Self {
            retry_after_s: Some(retry_after_s),
            ..Self::new(Code::TooOften, message)
        }
    }

    /// The cause is for the operator; the caller hears nothing of our tables.
    fn internal(cause: &dyn Display) -> Self {
        tracing::error!(%cause, "an S2Sell call failed");
        Self::new(Code::Internal, "the service cannot do this now")
    }

    fn busy() -> Self {
        let message = "the service is busy; nothing was sold, so do the same again";
        Self {
            retry_after_s: Some(1),
            ..Self::new(Code::Busy, message)
        }
    }
}

/// What a call hears that the program itself refuses.
pub(super) fn refuse(refusal: Refusal) -> Response {
    let error = match refusal {
        Refusal::Busy => ApiError::busy(),
        Refusal::Late => ApiError::new(
            Code::Internal,
            "the answer took too long; after a purchase, look it up before sending it again",
        ),
    };
    error.into_response()
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            error if error.is_busy() => Self::busy(),
            error => Self::internal(&error),
        }
    }
}

impl From<AgentError> for ApiError {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Store(error) => error.into(),
            AgentError::Randomness | AgentError::Networks(_) => Self::internal(&error),
        }
    }
}

impl From<CatalogueError> for ApiError {
    fn from(error: CatalogueError) -> Self {
        SaleError::from(error).into()
    }
}

impl From<SaleError> for ApiError {
    fn from(error: SaleError) -> Self {
        let code = match &error {
            SaleError::NotOnSale(_) => Code::NotFound,
            SaleError::OutOfStock(_) => Code::OutOfStock,
            SaleError::Deposit => Code::Deposit,
            SaleError::KeyUsed => Code::KeyUsed,
            error if error.is_busy() => return Self::busy(),
            error => return Self::internal(error),
        };
        Self::new(code, error.to_string())
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'static str,
    message: &'a str,
}

/// An error alone, what was sold, or both.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Vec<CardBody<'a>>>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = Some(ErrorBody {
            code: self.code.word(),
            message: &self.message,
        });
        let body = Body {
            error,
            result: None,
        };
        let status = self.code.status();
        let mut answer = json(status, &body).unwrap_or_else(|_| status.into_response());
        if let Some(retry_after_s) = self.retry_after_s {
            let headers = answer.headers_mut();
            headers.insert(header::RETRY_AFTER, retry_after_s.into());
        }
        answer
    }
}

#[derive(Serialize)]
#[serde(rename_all = "UPPERCASE")]
struct CategoryBody<'a> {
    catename: &'a str,
    catecode: &'a str,
}

impl<'a> CategoryBody<'a> {
    fn new(category: &'a Category) -> Self {
        Self {
            catename: category.name.as_str(),
            catecode: category.code.as_str(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "UPPERCASE")]
struct OfferBody<'a> {
    cardvalue: String,
    cardname: &'a str,
    /// The specification has it for a single card type alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    storeavail: Option<&'static str>,
    sellvalue: String,
    cardtypeid: &'a str,
}

impl<'a> OfferBody<'a> {
    fn new(offer: &'a Offer, storeavail: Option<&'static str>) -> Self {
        Self {
            cardvalue: offer.value.to_string(),
            cardname: offer.name.as_str(),
            storeavail,
            sellvalue: offer.sell_value.to_string(),
            cardtypeid: offer.id.as_str(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "UPPERCASE")]
struct CardBody<'a> {
    cardpincode: &'a str,
    cardseriesno: &'a str,
    cardexpiredate: String,
    cardaccno: &'a str,
    selltxnid: String,
}

impl<'a> CardBody<'a> {
    fn new(number: i64, card: &'a Card) -> Self {
        Self {
            cardpincode: card.pin.reveal(),
            cardseriesno: card.serial.printed(),
            cardexpiredate: card.expires_on.to_string(),
            cardaccno: card
                .account_no
                .as_ref()
                .map_or("", |account_no| account_no.as_str()),
            selltxnid: number.to_string(),
        }
    }
}

fn bodies(sale: &Sale) -> impl Iterator<Item = CardBody<'_>> {
    sale.cards
        .iter()
        .map(|card| CardBody::new(sale.number, card))
}

pub(super) fn categories(categories: &[Category]) -> Result<Response, ApiError> {
    let bodies: Vec<_> = categories.iter().map(CategoryBody::new).collect();
    json(StatusCode::OK, &bodies)
}

pub(super) fn offers(offers: &[Offer]) -> Result<Response, ApiError> {
    let bodies: Vec<_> = offers
        .iter()
        .map(|offer| OfferBody::new(offer, None))
        .collect();
    json(StatusCode::OK, &bodies)
}

pub(super) fn offer(offer: &Offer) -> Result<Response, ApiError> {
    let storeavail = if offer.in_stock { "1" } else { "0" };
    json(StatusCode::OK, &OfferBody::new(offer, Some(storeavail)))
}

/// A purchase of which a part was sold has an error beside its result, and is well all the same: a
/// client that reads no body of a failure would lose the cards that it has paid for.
pub(super) fn sale(sale: &Sale) -> Result<Response, ApiError> {
    let error = sale.short.map(|short| match short {
        Short::Stock => (Code::OutOfStock, "there were fewer cards than wanted"),
        Short::Deposit => (
            Code::Deposit,
            "the deposit paid for fewer cards than wanted",
        ),
    });
    let error = error.map(|(code, message)| ErrorBody {
        code: code.word(),
        message,
    });
    let body = Body {
        error,
        result: Some(bodies(sale).collect()),
    };
    json(StatusCode::OK, &body)
}

pub(super) fn sales(sales: &[Sale]) -> Result<Response, ApiError> {
    let body = Body {
        error: None,
        result: Some(sales.iter().flat_map(bodies).collect()),
    };
    json(StatusCode::OK, &body)
}

pub(super) fn card(number: i64, card: &Card) -> Result<Response, ApiError> {
    json(StatusCode::OK, &[CardBody::new(number, card)])
}

/// What holds PIN codes must not be kept on the way.
fn json(status: StatusCode, body: &impl Serialize) -> Result<Response, ApiError> {
    let text = serde_json::to_string(body).map_err(|error| ApiError::internal(&error))?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((status, headers, text).into_response())
}
