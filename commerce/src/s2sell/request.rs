//! Reads what a caller wants. A value is never repeated in an error.

use std::{fmt::Display, str::FromStr};

use axum::{
    extract::{Path, rejection::PathRejection},
    http::HeaderMap,
};
use utoipa::ToSchema;

use super::error::{ApiError, Code};
use crate::{
    sales::{BuyCount, SellDestNo},
    word::Id,
};

/// What is wanted.
#[derive(ToSchema)]
#[allow(
    dead_code,
    reason = "read by the function below, which is more patient than serde"
)]
pub(super) struct BuyForm {
    /// How many cards, 1 to 40.
    #[schema(rename = "BUYCOUNT", minimum = 1, maximum = 40)]
    buycount: u32,
    /// The agent's own number of the purchase, by which it can be looked up.
    #[schema(
        rename = "SELLDESTNO",
        pattern = "^[A-Za-z0-9._-]{0,40}$",
        nullable = false
    )]
    selldestno: Option<String>,
}

/// What a purchase's body says.
pub(super) struct Form {
    pub(super) count: BuyCount,
    pub(super) sell_dest_no: Option<SellDestNo>,
}

/// Takes the parts of the path that stand for something.
pub(super) fn path<T>(path: Result<Path<T>, PathRejection>) -> Result<T, ApiError> {
    match path {
        Ok(Path(parts)) => Ok(parts),
        Err(_) => Err(ApiError::new(Code::Invalid, "the path is not UTF-8")),
    }
}

/// Reads a value of that name.
pub(super) fn named<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, ApiError> {
    text.parse()
        .map_err(|fault: T::Err| ApiError::new(Code::Invalid, format!("{name} {fault}")))
}

/// Reads `BUYCOUNT=1&SELLDESTNO=…`, in which other fields are passed over.
pub(super) fn form(body: &[u8]) -> Result<Form, ApiError> {
    let (mut count, mut sell_dest_no) = (None, None);
    for (name, value) in form_urlencoded::parse(body) {
        let field = match &*name {
            "BUYCOUNT" => &mut count,
            "SELLDESTNO" => &mut sell_dest_no,
            _ => continue,
        };
        if field.replace(value).is_some() {
            return Err(ApiError::new(
                Code::Invalid,
                format!("{name} is there twice"),
            ));
        }
    }
    let wrong = || ApiError::new(Code::Invalid, "BUYCOUNT is not a number from 1 to 40");
    // Without the sign that numbers may have elsewhere.
    let count = count.filter(|count| count.bytes().all(|byte| byte.is_ascii_digit()));
    let count = count.and_then(|count| count.parse().ok());
    let sell_dest_no = sell_dest_no.filter(|text| !text.is_empty());
    Ok(Form {
        count: count.and_then(BuyCount::new).ok_or_else(wrong)?,
        sell_dest_no: sell_dest_no
            .map(|text| named("SELLDESTNO", &text))
            .transpose()?,
    })
}

/// The `Idempotency-Key`, if there is one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<Id>, ApiError> {
    let key = headers.get("idempotency-key");
    let text = key.map(|key| key.to_str().unwrap_or_default());
    text.map(|text| named("Idempotency-Key", text)).transpose()
}
