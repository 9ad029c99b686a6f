//! The description of an API, served as JSON. What an API is, its own module says.

use axum::{Router, http::header, routing::get};
use utoipa::openapi::OpenApi;

/// The route of a description.
pub(crate) fn described(path: &str, document: &OpenApi) -> Router {
    let text = document.to_json();
    let text = text.inspect_err(|error| tracing::error!(%error, path, "no API description"));
    let text = text.unwrap_or_default();
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Router::new().route(path, get(async move || (kind, text)))
}
