//! Why there is no other page, as a page. It says whose fault it is and what to do, and nothing of our
//! tables or of what was typed.

use std::fmt::Display;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    layout,
    login::LoginError,
    operators::OperatorError,
    password::HashError,
    role::{Right, Role},
};
use crate::{
    agents::AgentError, catalogue::CatalogueError, customers::CustomerError, ledger::LedgerError,
    moment::DayFault, purchase::PurchaseError, stock::StockError, store::StoreError,
};

/// Why there is no other page.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nobody is logged in.
    LoggedOut,
    /// The form is not of this session.
    Form,
    /// The role has not that right.
    Right(Right, Role),
    /// There is no such thing.
    Missing(&'static str),
    /// Another method is meant.
    Method,
    /// What was sent is wrong, and how.
    Wrong(String),
    /// It cannot be done as things stand.
    Conflict(String),
    /// Too much was sent.
    TooLong,
    /// Too often.
    TooMany(&'static str),
    /// Nothing was done for lack of time.
    Busy,
    /// It is our fault.
    Internal,
}

impl Failure {
    /// The cause is for whoever runs the service.
    pub(super) fn internal(cause: &dyn Display) -> Self {
        tracing::error!(%cause, "a page of the back office failed");
        Self::Internal
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::LoggedOut => StatusCode::SEE_OTHER,
            Self::Form | Self::Right(..) => StatusCode::FORBIDDEN,
            Self::Missing(_) => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Wrong(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::LoggedOut => "Please log in",
            Self::Form => "This form is no longer valid",
            Self::Right(..) => "Not with your role",
            Self::Missing(_) => "Not found",
            Self::Method => "Not in this way",
            Self::Wrong(_) => "That cannot be right",
            Self::Conflict(_) => "Not as things stand",
            Self::TooLong => "Too large",
            Self::TooMany(_) => "Too often",
            Self::Busy => "Busy",
            Self::Internal => "Our fault",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::LoggedOut => "Your session is over.".to_owned(),
            Self::Form => {
                "Nothing was changed. Load the page again and repeat what you did; if you \
                 came here from another site, do not."
                    .to_owned()
            }
            Self::Right(right, role) => format!(
                "This needs the role {}; yours is {role}. Ask an admin. Nothing was changed.",
                right.least()
            ),
            Self::Missing(what) => format!("There is no such {what}."),
            Self::Method => "This address is not to be called so. Nothing was changed.".to_owned(),
            Self::Wrong(why) | Self::Conflict(why) => format!("{why}. Nothing was changed."),
            Self::TooLong => "More was sent than is taken. Nothing was changed.".to_owned(),
            Self::TooMany(why) => format!("{why}. Nothing was changed."),
            Self::Busy => {
                "There was no time for this. Nothing was changed; do it again.".to_owned()
            }
            Self::Internal => {
                "The service cannot do this now; its log says why. Look whether it was \
                 done before you do it again."
                    .to_owned()
            }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if matches!(self, Self::LoggedOut) {
            return layout::redirect("/office/login");
        }
        let page = layout::plain(self.title(), &self.text());
        let mut response = (self.status(), page).into_response();
        if matches!(self, Self::Busy | Self::TooMany(_)) {
            let soon = header::HeaderValue::from_static("60");
            response.headers_mut().insert(header::RETRY_AFTER, soon);
        }
        response
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        if error.is_busy() {
            return Self::Busy;
        }
        Self::internal(&error)
    }
}

impl From<HashError> for Failure {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::Busy,
            error => Self::internal(&error),
        }
    }
}

impl From<LoginError> for Failure {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Wrong => Self::LoggedOut,
            LoginError::Address => Self::TooMany(
                "There were too many tries to log in from your address. Wait fifteen minutes",
            ),
            LoginError::Hash(error) => error.into(),
            LoginError::Store(error) => error.into(),
        }
    }
}

impl From<OperatorError> for Failure {
    fn from(error: OperatorError) -> Self {
        match error {
            OperatorError::Unknown(_) => Self::Missing("operator"),
            OperatorError::Store(error) => error.into(),
            error => Self::Conflict(sentence(&error)),
        }
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Store(error) => error.into(),
            AgentError::Networks(_) => Self::Conflict(sentence(&error)),
            AgentError::Randomness => Self::internal(&error),
        }
    }
}

impl From<StockError> for Failure {
    fn from(error: StockError) -> Self {
        match error {
            StockError::Store(error) => error.into(),
            StockError::NoCardType(_) => Self::Missing("card type"),
            error => Self::internal(&error),
        }
    }
}

impl From<CatalogueError> for Failure {
    fn from(error: CatalogueError) -> Self {
        match error {
            CatalogueError::Store(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Store(error) => error.into(),
            LedgerError::Conflict { .. } | LedgerError::Limit { .. } => {
                Self::Conflict(sentence(&error))
            }
            error => Self::internal(&error),
        }
    }
}

impl From<CustomerError> for Failure {
    fn from(error: CustomerError) -> Self {
        match error {
            CustomerError::Store(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

impl From<PurchaseError> for Failure {
    fn from(error: PurchaseError) -> Self {
        match &error {
            PurchaseError::NotFound(_) => Self::Missing("purchase"),
            PurchaseError::NotSettled { .. } | PurchaseError::Raced(_) => {
                Self::Conflict(sentence(&error))
            }
            other => match other.of_store() {
                Some(error) => error.clone().into(),
                None => Self::internal(&error),
            },
        }
    }
}

/// The clock is thousands of years off.
impl From<DayFault> for Failure {
    fn from(fault: DayFault) -> Self {
        Self::internal(&format!("the clock's day {fault}"))
    }
}

/// An error as a sentence begins.
fn sentence(error: &dyn Display) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), chars.as_str())
}
