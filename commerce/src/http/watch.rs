//! What is told of every call: a line in the log, figures, and headers that keep browsers careful.
//!
//! Told are the pattern of the route and never the path, the query string, a header or a body: they may
//! hold keys, phones and codes.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{
        HeaderValue, Method,
        header::{
            CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
            X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    response::Response,
};
use metrics::{Gauge, counter, gauge, histogram};

use super::Caller;
use crate::{
    metrics::{HTTP_IN_FLIGHT, HTTP_REQUEST_SECONDS, HTTP_REQUESTS, Metrics},
    network::Network,
};

/// For answers that say nothing else of it: they load and run nothing, and stand in no frame.
const CAREFUL: [(HeaderName, HeaderValue); 4] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

/// What watching needs.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) trusted_proxies: Arc<[Network]>,
}

/// A request that is being answered, or whose caller goes away.
struct InFlight(Gauge);

impl InFlight {
    fn enter(metrics: &Metrics) -> Self {
        let gauge = metrics.scope(|| gauge!(HTTP_IN_FLIGHT));
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// Goes around all routes.
pub(crate) async fn watched(
    State(watch): State<Watch>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let _in_flight = InFlight::enter(&watch.metrics);
    let method = known(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let caller = Caller::of(
        request.extensions(),
        request.headers(),
        &watch.trusted_proxies,
    );
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    let metrics = Arc::clone(&watch.metrics);
    let mut answer = metrics.around(next.run(request)).await;
    for (name, value) in CAREFUL {
        answer.headers_mut().entry(name).or_insert(value);
    }
    let took = began.elapsed();
    let status = answer.status().as_u16();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let from = caller.map(|Caller(address)| tracing::field::display(address));
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(target: "commerce::access", from, method, route, status, took_ms, "answered");
    watch.metrics.scope(|| {
        let labels = [
            ("method", method.to_owned()),
            ("route", route.to_owned()),
            ("status", status.to_string()),
        ];
        counter!(HTTP_REQUESTS, &labels).increment(1);
        histogram!(HTTP_REQUEST_SECONDS, "route" => route.to_owned()).record(took);
    });
    answer
}

/// A caller may make up methods, and each would be a figure of its own.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
