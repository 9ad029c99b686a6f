//! The shapes of the answers: the fields in the order of the specification's examples, all of them
//! strings.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{ApiError, Code, ErrorBody};
use crate::{
    catalogue::{Category, Offer},
    sales::{Sale, Short},
    stock::Card,
};

/// A group of card types.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE", deny_unknown_fields)]
pub(super) struct CategoryBody<'a> {
    /// Its name, in any letters.
    #[schema(min_length = 1, max_length = 32)]
    catename: &'a str,
    /// Its code.
    #[schema(pattern = "^[A-Z0-9]{1,4}$")]
    catecode: &'a str,
}

impl<'a> CategoryBody<'a> {
    pub(super) fn new(category: &'a Category) -> Self {
        Self {
            catename: category.name.as_str(),
            catecode: category.code.as_str(),
        }
    }
}

/// A card type on sale.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE", deny_unknown_fields)]
pub(super) struct OfferBody<'a> {
    /// What it is worth to its buyer, in dong.
    #[schema(pattern = r"^[0-9]+\.00$")]
    cardvalue: String,
    /// Its name, in any letters.
    #[schema(min_length = 1, max_length = 64)]
    cardname: &'a str,
    /// Whether there is a card: 1 or 0. Only where a single card type is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[01]$", nullable = false)]
    storeavail: Option<&'static str>,
    /// What the agent pays, in dong.
    #[schema(pattern = r"^[0-9]+\.00$")]
    sellvalue: String,
    /// Its id, which never changes.
    #[schema(pattern = "^[A-Z0-9]{1,20}$")]
    cardtypeid: &'a str,
}

impl<'a> OfferBody<'a> {
    /// As one of many.
    pub(super) fn listed(offer: &'a Offer) -> Self {
        Self {
            cardvalue: offer.value.to_string(),
            cardname: offer.name.as_str(),
            storeavail: None,
            sellvalue: offer.sell_value.to_string(),
            cardtypeid: offer.id.as_str(),
        }
    }

    /// As the one that was asked for.
    pub(super) fn single(offer: &'a Offer) -> Self {
        let storeavail = if offer.in_stock { "1" } else { "0" };
        Self {
            storeavail: Some(storeavail),
            ..Self::listed(offer)
        }
    }
}

/// A card that was bought.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE", deny_unknown_fields)]
pub(super) struct CardBody<'a> {
    /// Its PIN code, for its buyer alone.
    #[schema(pattern = "^[A-Za-z0-9-]{1,40}$")]
    cardpincode: &'a str,
    /// Its serial, as it is printed.
    #[schema(pattern = "^[A-Za-z0-9.-]{1,20}$")]
    cardseriesno: &'a str,
    /// The last day on which it can be used.
    #[schema(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    cardexpiredate: String,
    /// What some games want beside the PIN code; often empty.
    #[schema(max_length = 40)]
    cardaccno: &'a str,
    /// The number of the purchase.
    #[schema(pattern = "^[0-9]+$")]
    selltxnid: String,
}

impl<'a> CardBody<'a> {
    fn new(number: i64, card: &'a Card) -> Self {
        let account_no = card.account_no.as_ref();
        Self {
            cardpincode: card.pin.reveal(),
            cardseriesno: card.serial.printed(),
            cardexpiredate: card.expires_on.to_string(),
            cardaccno: account_no.map_or("", |account_no| account_no.as_str()),
            selltxnid: number.to_string(),
        }
    }
}

/// What was sold; with an error, fewer cards than wanted.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sold<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<ErrorBody<'a>>,
    #[schema(min_items = 1)]
    result: Vec<CardBody<'a>>,
}

fn bodies(sale: &Sale) -> impl Iterator<Item = CardBody<'_>> {
    let cards = sale.cards.iter();
    cards.map(|card| CardBody::new(sale.number, card))
}

/// A purchase of which a part was sold has an error beside its result, and is well all the same: a
/// client that reads no body of a failure would lose the cards that it has paid for.
pub(super) fn sale(sale: &Sale) -> Result<Response, ApiError> {
    let error = sale.short.map(|short| match short {
        Short::Stock => ErrorBody {
            code: Code::OutOfStock,
            message: "there were fewer cards than wanted",
        },
        Short::Deposit => ErrorBody {
            code: Code::InsufficientDeposit,
            message: "the deposit paid for fewer cards than wanted",
        },
    });
    let result = bodies(sale).collect();
    json(StatusCode::OK, &Sold { error, result })
}

pub(super) fn sales(sales: &[Sale]) -> Result<Response, ApiError> {
    let result = sales.iter().flat_map(bodies).collect();
    let error = None;
    json(StatusCode::OK, &Sold { error, result })
}

pub(super) fn card(number: i64, card: &Card) -> Result<Response, ApiError> {
    json(StatusCode::OK, &[CardBody::new(number, card)])
}

/// What holds PIN codes must not be kept on the way.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Result<Response, ApiError> {
    let text = serde_json::to_string(body).map_err(|error| ApiError::internal(&error))?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((status, headers, text).into_response())
}
