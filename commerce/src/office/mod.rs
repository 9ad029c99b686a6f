//! The back office: pages for those who run the shop, under `/office`.
//!
//! Pages are made here and are whole without a script. Nobody sees one without a login, nothing is
//! changed without the form's own token, and what was changed is in the audit log in the same change.
//! A PIN code is shown to an admin who says why, once that is written down, and nowhere else.

mod chart;
mod failure;
mod layout;
mod login;
pub mod operators;
mod pages;
mod parts;
mod password;
mod read;
mod request;
mod role;
mod sessions;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, header},
    middleware::map_response,
    response::Response,
    routing::{any, get, post},
};

pub use login::{ADDRESS_MS, ADDRESS_TRIES_MAX, LOCKED_MS, OPERATOR_TRIES_MAX};
pub use password::{Hardness, HashError, Hashed, Hasher, Password, PasswordFault};
pub use role::{Role, RoleFault};
pub use sessions::{Cookies, IDLE_MS, WHOLE_MS};

use crate::{clock::Clock, moment::UnixMs, seal::Keys, stock::FILE_BYTES_MAX, store::Store};
use failure::Failure;

/// Bytes of a form: a few short fields, many times over.
const FORM_BYTES_MAX: usize = 16 << 10;

/// What a browser may do with our pages: show them, with our style, and send forms back to us.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'";

/// What the office works with.
#[derive(Clone)]
pub struct Office {
    /// The database.
    pub store: Store,
    /// The keys of PIN codes.
    pub keys: Keys,
    /// Where passwords are hashed.
    pub hasher: Hasher,
    /// How browsers keep their tokens.
    pub cookies: Cookies,
    /// The time.
    pub clock: Clock,
}

/// The office as its pages know it.
#[derive(Clone)]
struct Desk {
    office: Arc<Office>,
}

impl Desk {
    fn now(&self) -> UnixMs {
        (self.office.clock)()
    }
}

/// The routes of the office. Tries to log in are counted by [`Caller`](crate::http::Caller); without it
/// all of them are of one.
pub fn router(office: Office) -> Router {
    let upload =
        post(pages::stock::import).layer(DefaultBodyLimit::max(FILE_BYTES_MAX + FORM_BYTES_MAX));
    Router::new()
        .route("/office", get(pages::overview::show))
        .route(
            "/office/login",
            get(pages::login::show).post(pages::login::log_in),
        )
        .route("/office/logout", post(pages::login::log_out))
        .route(
            "/office/me",
            get(pages::me::show).post(pages::me::set_password),
        )
        .route("/office/purchases", get(pages::purchases::list))
        .route("/office/purchases/{id}", get(pages::purchases::show))
        .route(
            "/office/purchases/{id}/resolve",
            post(pages::purchases::resolve),
        )
        .route("/office/sales", get(pages::sales::list))
        .route("/office/sales/{number}", get(pages::sales::show))
        .route(
            "/office/cards/{card_type}/{serial}",
            get(pages::cards::show),
        )
        .route(
            "/office/cards/{card_type}/{serial}/code",
            post(pages::cards::code),
        )
        .route("/office/stock", get(pages::stock::list))
        .route("/office/stock/{card_type}", get(pages::stock::show))
        .route("/office/stock/{card_type}/import", upload)
        .route(
            "/office/stock/{card_type}/on-sale",
            post(pages::stock::set_on_sale),
        )
        .route("/office/ledger", get(pages::ledger::show))
        .route("/office/ledger/accounts", get(pages::ledger::accounts))
        .route(
            "/office/ledger/accounts/{name}",
            get(pages::ledger::statement),
        )
        .route(
            "/office/ledger/entries/{reference}",
            get(pages::ledger::entry),
        )
        .route(
            "/office/agents",
            get(pages::agents::list).post(pages::agents::add),
        )
        .route("/office/agents/{id}", get(pages::agents::show))
        .route("/office/agents/{id}/deposit", post(pages::agents::deposit))
        .route("/office/agents/{id}/keys", post(pages::agents::make_key))
        .route("/office/agents/{id}/keys/end", post(pages::agents::end_key))
        .route("/office/agents/{id}/prices", post(pages::agents::set_price))
        .route("/office/merchants", get(pages::merchants::list))
        .route("/office/merchants/{id}", get(pages::merchants::show))
        .route("/office/deliveries", get(pages::deliveries::list))
        .route("/office/deliveries/{number}", get(pages::deliveries::show))
        .route(
            "/office/deliveries/{number}/replay",
            post(pages::deliveries::replay),
        )
        .route(
            "/office/deliveries/{number}/drop",
            post(pages::deliveries::drop),
        )
        .route(
            "/office/operators",
            get(pages::operators::list).post(pages::operators::add),
        )
        .route("/office/operators/{name}", get(pages::operators::show))
        .route(
            "/office/operators/{name}/role",
            post(pages::operators::set_role),
        )
        .route(
            "/office/operators/{name}/password",
            post(pages::operators::set_password),
        )
        .route(
            "/office/operators/{name}/active",
            post(pages::operators::set_active),
        )
        .route("/office/audit", get(pages::audit::list))
        .route("/office/style.css", get(layout::style))
        .route("/office/mark.svg", get(layout::mark_file))
        .route("/office/{*rest}", any(async || Failure::Missing("page")))
        .method_not_allowed_fallback(async || Failure::Method)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(map_response(guarded))
        .with_state(Desk {
            office: Arc::new(office),
        })
}

/// What every answer says, an error too.
async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let never = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(never);
    response
}
