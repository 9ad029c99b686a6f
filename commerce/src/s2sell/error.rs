//! What a call hears that is not gone on with: a code for programs, a sentence for people. A cause that
//! is ours is told to the operator alone.

use std::{collections::BTreeMap, fmt::Display};

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{
    IntoResponses, PartialSchema as _, ToSchema,
    openapi::{
        Content, Ref, RefOr,
        header::HeaderBuilder,
        response::{Response as Described, ResponseBuilder},
    },
};

use super::answer::json;
use crate::{
    agents::AgentError, catalogue::CatalogueError, http::Refusal, sales::SaleError,
    store::StoreError,
};

/// What is wrong, as programs read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Code {
    Invalid,
    Unauthorized,
    AddressNotAllowed,
    InsufficientDeposit,
    NotFound,
    MethodNotAllowed,
    OutOfStock,
    IdempotencyKeyUsed,
    RateLimited,
    Internal,
    Busy,
}

impl Code {
    /// Those that every call may hear.
    const OF_ALL: [Self; 8] = [
        Self::Invalid,
        Self::Unauthorized,
        Self::AddressNotAllowed,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RateLimited,
        Self::Internal,
        Self::Busy,
    ];

    /// Those that only a purchase may hear.
    const OF_PURCHASES: [Self; 3] = [
        Self::InsufficientDeposit,
        Self::OutOfStock,
        Self::IdempotencyKeyUsed,
    ];

    fn status(self) -> StatusCode {
        match self {
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::AddressNotAllowed => StatusCode::FORBIDDEN,
            Self::InsufficientDeposit => StatusCode::PAYMENT_REQUIRED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::OutOfStock => StatusCode::CONFLICT,
            Self::IdempotencyKeyUsed => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// For the description of the API.
    fn meaning(self) -> &'static str {
        match self {
            Self::Invalid => "`INVALID`: something wanted is not well formed",
            Self::Unauthorized => "`UNAUTHORIZED`: the key is missing, wrong or has ended",
            Self::AddressNotAllowed => {
                "`ADDRESS_NOT_ALLOWED`: the agent is bound to networks, and this is none of them"
            }
            Self::InsufficientDeposit => {
                "`INSUFFICIENT_DEPOSIT`: the deposit pays for no card; nothing was sold"
            }
            Self::NotFound => {
                "`NOT_FOUND`: no such call, card type on sale, bought card or purchase"
            }
            Self::MethodNotAllowed => "`METHOD_NOT_ALLOWED`: the call has another method",
            Self::OutOfStock => "`OUT_OF_STOCK`: there is no card; nothing was sold",
            Self::IdempotencyKeyUsed => {
                "`IDEMPOTENCY_KEY_USED`: the key stands for another purchase; nothing was sold"
            }
            Self::RateLimited => "`RATE_LIMITED`: too many calls; nothing was done",
            Self::Busy => "`BUSY`: nothing was sold; the same may be sent again",
            Self::Internal => {
                "`INTERNAL`: the service cannot do it; after a purchase, look it up before sending \
                 it again"
            }
        }
    }

    fn has_retry_after(self) -> bool {
        matches!(self, Self::RateLimited | Self::Busy)
    }

    fn describe(self) -> (String, RefOr<Described>) {
        let content = Content::new(Some(Ref::from_schema_name("Failure")));
        let mut response = ResponseBuilder::new()
            .description(self.meaning())
            .content("application/json", content);
        if self.has_retry_after() {
            let seconds = HeaderBuilder::new().schema(Some(u32::schema())).build();
            response = response.header("Retry-After", seconds);
        }
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

/// What only a purchase may hear.
pub(super) struct PurchaseFailures;

impl IntoResponses for PurchaseFailures {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        Code::OF_PURCHASES.map(Code::describe).into()
    }
}

/// What is wrong.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorBody<'a> {
    /// For programs.
    pub(super) code: Code,
    /// For people. It never repeats a value.
    pub(super) message: &'a str,
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
            ..Self::new(Code::RateLimited, message)
        }
    }

    pub(super) fn internal(cause: &dyn Display) -> Self {
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
pub(crate) fn refuse(refusal: Refusal) -> Response {
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
            SaleError::Deposit => Code::InsufficientDeposit,
            SaleError::KeyUsed => Code::IdempotencyKeyUsed,
            error if error.is_busy() => return Self::busy(),
            error => return Self::internal(error),
        };
        Self::new(code, error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = ErrorBody {
            code: self.code,
            message: &self.message,
        };
        let status = self.code.status();
        let answer = json(status, &Failure { error });
        let mut answer = answer.unwrap_or_else(|_| status.into_response());
        if let Some(retry_after_s) = self.retry_after_s {
            let headers = answer.headers_mut();
            headers.insert(header::RETRY_AFTER, retry_after_s.into());
        }
        answer
    }
}
