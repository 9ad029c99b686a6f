//! How much of all calls together is borne, and how long one may take.
//!
//! A call that is refused hears it in the shape of the API that it was for.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use tokio::{sync::Semaphore, time::timeout};

/// Why a call is not gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too many others are under way. Nothing was done.
    Busy,
    /// It took too long. What it was for may have been done.
    Late,
}

/// Gives a refusal the shape of an API.
pub type Refuse = fn(Refusal) -> Response;

/// How much is borne.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests at once; others are refused.
    pub requests_max: usize,
    /// By when a request is answered.
    pub request_timeout: Duration,
    /// Bytes of a request's body, where a call has no limit of its own.
    pub body_bytes_max: usize,
}

/// Holds all calls to the same limits.
#[derive(Clone)]
pub struct Guard {
    places: Arc<Semaphore>,
    timeout: Duration,
    body_bytes_max: usize,
}

impl Guard {
    /// With these limits, which all routers share that it is put around.
    pub fn new(limits: Limits) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits.requests_max)),
            timeout: limits.request_timeout,
            body_bytes_max: limits.body_bytes_max,
        }
    }

    /// Puts itself around a router. A limit of the router's own for bodies goes before.
    pub fn around(&self, router: Router, refuse: Refuse) -> Router {
        router
            .layer(DefaultBodyLimit::max(self.body_bytes_max))
            .layer(from_fn_with_state((self.clone(), refuse), admit))
    }
}

async fn admit(
    State((guard, refuse)): State<(Guard, Refuse)>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(_place) = guard.places.try_acquire() else {
        return refuse(Refusal::Busy);
    };
    let answer = timeout(guard.timeout, next.run(request)).await;
    answer.unwrap_or_else(|_| refuse(Refusal::Late))
}

/// As people read it.
pub fn plainly(refusal: Refusal) -> Response {
    let (status, text) = match refusal {
        Refusal::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the service is busy; try again in a moment\n",
        ),
        Refusal::Late => (
            StatusCode::GATEWAY_TIMEOUT,
            "the answer took too long; look what was done before doing it again\n",
        ),
    };
    (status, [(header::RETRY_AFTER, "1")], text).into_response()
}
