//! The S2Sell API, by which agents sell cards without a stock of their own: `/mcapi/s2sell/…`.
//!
//! Thin: it lets in who may call, reads what is wanted, asks the floors below, and gives the answer its
//! shape. It never puts a PIN code or a key into an error.

mod admit;
mod answer;
mod calls;
mod describe;
mod error;
mod kept;
mod request;
mod settings;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{MethodRouter, get},
};

pub use describe::document;
use error::{ApiError, Code};
pub use settings::Settings;
pub(crate) use {describe::router as docs, error::refuse};

use crate::{clock::Clock, moment::UnixMs, rate::Limiter, seal::Keys, store::Store, word::Id};

/// Bytes of a request's body: two short fields, many times over.
const BODY_BYTES_MAX: usize = 4 << 10;

/// Under which path the API is.
const BASE: &str = "/mcapi";

/// What the API works with.
#[derive(Clone)]
pub struct Api {
    store: Store,
    keys: Keys,
    clock: Clock,
    settings: Arc<Settings>,
    limiter: Arc<Limiter<Id>>,
}

/// The calls below the base.
fn routes() -> [(&'static str, MethodRouter<Api>); 5] {
    [
        ("/s2sell/category", get(calls::categories)),
        ("/s2sell/category/{CATECODE}", get(calls::offers)),
        (
            "/s2sell/card/{CARDTYPEID}",
            get(calls::card_type).post(calls::buy),
        ),
        ("/s2sell/card/{CARDTYPEID}/{CARDSERIESNO}", get(calls::card)),
        ("/s2sell/txn/{SELLDESTNO}", get(calls::sale)),
    ]
}

/// The routes of the API.
pub fn router(api: Api) -> Router {
    let routes = routes().into_iter();
    let calls = routes.fold(Router::new(), |router, (path, calls)| {
        router.route(path, calls)
    });
    let calls = calls
        .fallback(async || ApiError::new(Code::NotFound, "there is no such call"))
        .method_not_allowed_fallback(async || {
            ApiError::new(Code::MethodNotAllowed, "this call has another method")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(api);
    Router::new().nest(BASE, calls)
}

impl Api {
    /// Works with these books, keys of PIN codes, time and settings.
    pub fn new(store: Store, keys: Keys, clock: Clock, settings: Settings) -> Self {
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

    /// For how long what the catalogue says may be kept.
    fn max_age(&self) -> Option<Duration> {
        Some(self.settings.catalogue_max_age)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let routes = routes().map(|(path, _)| format!("{BASE}{path}"));
        let described = document().paths.paths.into_keys();
        assert_eq!(BTreeSet::from(routes), described.collect::<BTreeSet<_>>());
    }
}
