//! The port for operators and their machines: `/live`, `/ready` and `/metrics`. It tells and changes
//! nothing, and shows no phone, key or code.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use metrics::gauge;
use tokio::time::timeout;

use super::parts::Ended;
use crate::{
    metrics::{Metrics, READY},
    store::{Store, at},
};

/// Who asks whether the program is ready asks again within seconds.
const CHECK_MAX: Duration = Duration::from_secs(2);

/// What the port tells of.
pub(super) struct Admin {
    pub(super) metrics: Arc<Metrics>,
    pub(super) store: Store,
    pub(super) ended: Ended,
    pub(super) stopping: Arc<AtomicBool>,
}

impl Admin {
    pub(super) fn router(self) -> Router {
        Router::new()
            .route("/live", get(async || "live\n"))
            .route("/ready", get(ready))
            .route("/metrics", get(metrics))
            .with_state(Arc::new(self))
    }

    /// Why the program is not ready, a line each; nothing if it is.
    async fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.stopping.load(Relaxed) {
            reasons.push("stopping\n".to_owned());
        }
        for worker in self.ended.names() {
            reasons.push(format!("worker {worker}: has ended by itself; restart\n"));
        }
        if let Err(why) = within(self.look_into_store()).await {
            reasons.push(format!("store: {why}\n"));
        }
        reasons
    }

    async fn look_into_store(&self) -> Result<(), String> {
        let read = self.store.read().await;
        let mut read = read.map_err(|error| error.to_string())?;
        let done = sqlx::query("SELECT 1").execute(&mut *read).await;
        done.map_err(|error| at("any")(error).to_string())?;
        Ok(())
    }
}

async fn within(check: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let checked = timeout(CHECK_MAX, check).await;
    checked.unwrap_or_else(|_| Err(format!("no answer within {} s", CHECK_MAX.as_secs())))
}

async fn ready(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    let reasons = admin.reasons().await;
    match reasons.is_empty() {
        true => (StatusCode::OK, "ready\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, reasons.concat()),
    }
}

async fn metrics(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
    // At the moment of the look, so that it cannot be older than the other figures.
    let is_ready = admin.reasons().await.is_empty();
    admin
        .metrics
        .scope(|| gauge!(READY).set(f64::from(u8::from(is_ready))));
    ([(header::CONTENT_TYPE, PROMETHEUS)], admin.metrics.render())
}
