//! The pages where customers pay merchants: `/pay`.
//!
//! ```text
//!   GET /pay?…&signature=  a merchant's signed link   ─► 303 /pay/TOKEN
//!   GET /pay/TOKEN         what there is to do or to know
//!   POST …/phone, …/code, …/resend, …/cancel          ─► 303 /pay/TOKEN, or the page with what was wrong
//!   GET …/status           the stage, for the page's script
//!   GET …/return           ─► 303 the merchant's own page, signed
//! ```
//!
//! Where an order stands is in the database and nowhere else; a page says what is there. It never says more
//! than is known, and nothing about a phone that its owner would not tell himself. It works without its
//! script, sets no cookie, and loads nothing from elsewhere.

mod begin;
mod calls;
mod link;
mod pages;
mod stage;
mod tidy;
mod token;
mod words;

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{
        HeaderValue,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
        },
    },
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::{get, post},
};

pub(crate) use tidy::run as tidy;

use crate::{
    clock::Clock,
    http::Refusal,
    moment::UnixMs,
    purchase::Rules,
    rate::{Limiter, Rate},
    seal::Keys,
    store::Store,
};

/// Bytes of a form: two short fields, many times over.
const BODY_BYTES_MAX: usize = 4 << 10;

/// Of every answer here. Forms go to us alone, and nothing is kept by a browser or told to another site.
const CAREFUL: [(HeaderName, HeaderValue); 3] = [
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// What the pages work with.
#[derive(Clone)]
pub struct Checkout {
    store: Store,
    keys: Keys,
    clock: Clock,
    rules: Rules,
    rate: Rate,
    limiter: Arc<Limiter<IpAddr>>,
}

impl Checkout {
    /// Works with these books, keys and rules, and lets each address call at that rate.
    pub fn new(store: Store, keys: Keys, clock: Clock, rules: Rules, rate: Rate) -> Self {
        Self {
            store,
            keys,
            clock,
            rules,
            rate,
            limiter: Arc::default(),
        }
    }

    fn now(&self) -> UnixMs {
        (self.clock)()
    }
}

/// The pages.
pub fn router(checkout: Checkout) -> Router {
    Router::new()
        .route("/pay", get(calls::follow))
        .route("/pay/{token}", get(calls::show))
        .route("/pay/{token}/phone", post(calls::phone).get(calls::back))
        .route("/pay/{token}/code", post(calls::code).get(calls::back))
        .route("/pay/{token}/resend", post(calls::resend).get(calls::back))
        .route("/pay/{token}/cancel", post(calls::cancel).get(calls::back))
        .route("/pay/{token}/status", get(calls::status))
        .route("/pay/{token}/return", get(calls::leave))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(checkout)
        .route("/pay/assets/checkout.css", get(style))
        .route("/pay/assets/checkout.js", get(script))
        .layer(map_response(careful))
}

async fn careful(mut answer: Response) -> Response {
    for (name, value) in CAREFUL {
        answer.headers_mut().entry(name).or_insert(value);
    }
    answer
}

async fn style() -> Response {
    asset("text/css", include_str!("assets/checkout.css"))
}

async fn script() -> Response {
    asset("text/javascript", include_str!("assets/checkout.js"))
}

fn asset(kind: &'static str, content: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "max-age=300")];
    (headers, content).into_response()
}

/// What the program refuses before it comes here, as a page that anybody can read.
pub(crate) fn refuse(refusal: Refusal) -> Response {
    let mut answer = match refusal {
        Refusal::Busy => calls::Fault::Busy,
        Refusal::Late => calls::Fault::Ours,
    }
    .into_response();
    for (name, value) in CAREFUL {
        answer.headers_mut().insert(name, value);
    }
    answer
}
