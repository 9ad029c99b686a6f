//! What a merchant's call hears that is not gone on with: a code for programs, a sentence for people. A cause
//! that is ours is for the log, and no value of the call is repeated.

use std::collections::BTreeMap;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{
        Content, Ref, RefOr,
        response::{Response as Described, ResponseBuilder},
    },
};

use super::{MerchantError, api::json};
use crate::{http::Refusal, purchase::PurchaseError, store::StoreError};

/// What is wrong, as programs read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Code)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Code {
    Invalid,
    Unauthorized,
    NotFound,
    MethodNotAllowed,
    NotRefundable,
    RateLimited,
    Internal,
    Busy,
}

impl Code {
    /// Those that every call may hear.
    const OF_ALL: [Self; 7] = [
        Self::Invalid,
        Self::Unauthorized,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RateLimited,
        Self::Internal,
        Self::Busy,
    ];

    fn status(self) -> StatusCode {
        match self {
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotRefundable => StatusCode::CONFLICT,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// For the description of the API.
    fn meaning(self) -> &'static str {
        match self {
            Self::Invalid => "`INVALID`: the body is not what this call takes",
            Self::Unauthorized => {
                "`UNAUTHORIZED`: no such merchant, a wrong signature, or a time that is not near"
            }
            Self::NotFound => "`NOT_FOUND`: no customer was sent here with this order",
            Self::MethodNotAllowed => "`METHOD_NOT_ALLOWED`: the call is a POST",
            Self::NotRefundable => {
                "`NOT_REFUNDABLE`: the order is not paid, costs another amount, or it is too late"
            }
            Self::RateLimited => "`RATE_LIMITED`: too many calls; nothing was done",
            Self::Internal => "`INTERNAL`: the service cannot do it; ask how the order stands",
            Self::Busy => "`BUSY`: nothing was done; the same may be sent again",
        }
    }

    fn describe(self) -> (String, RefOr<Described>) {
        let content = Content::new(Some(Ref::from_schema_name("Failure")));
        let response = ResponseBuilder::new()
            .description(self.meaning())
            .content("application/json", content);
        (self.status().as_str().to_owned(), response.build().into())
    }
}

/// What every call may hear, for its description.
pub(super) struct Failures;

impl IntoResponses for Failures {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        Code::OF_ALL.map(Code::describe).into()
    }
}

/// What only a refund may hear.
pub(super) struct RefundFailures;

impl IntoResponses for RefundFailures {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        [Code::NotRefundable.describe()].into()
    }
}

/// What is wrong.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ErrorBody<'a> {
    /// For programs.
    code: Code,
    /// For people. It never repeats a value.
    message: &'a str,
}

/// An answer without a result.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Failure<'a> {
    error: ErrorBody<'a>,
}

/// Why there is no other answer.
#[derive(Debug)]
pub(super) struct ApiError {
    code: Code,
    message: String,
}

impl ApiError {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    fn busy() -> Self {
        Self::new(Code::Busy, "nothing was done; send the same again")
    }

    /// Whose fault is ours; the reason is for the log.
    fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "a call of a merchant was not answered");
        let message = "the service cannot do it now; ask how the order stands";
        Self::new(Code::Internal, message)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error.is_busy() {
            true => Self::busy(),
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
            error if error.is_busy() => Self::busy(),
            error => Self::internal(error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (code, message) = (self.code, self.message.as_str());
        let error = ErrorBody { code, message };
        (code.status(), json(&Failure { error })).into_response()
    }
}

/// What the program refuses before it comes here.
pub(crate) fn refuse(refusal: Refusal) -> Response {
    let error = match refusal {
        Refusal::Busy => ApiError::busy(),
        Refusal::Late => {
            ApiError::new(Code::Internal, "it took too long; ask how the order stands")
        }
    };
    error.into_response()
}
