//! The description of the API, made of the calls themselves, and a page to try it.

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, header},
    middleware::{Next, from_fn},
    response::Response,
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{ApiKey, ApiKeyValue, SecurityScheme},
    },
};
use utoipa_swagger_ui::{Config, SwaggerUi, Url};

use super::{calls, error};
use crate::{http::described, merchants};

/// Where the description is.
const DOCUMENT: &str = "/mcapi/openapi.json";

/// The page's own scripts and styles, and calls of this service alone. Its styles are partly written
/// into the page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'",
);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "S2Sell",
        description = "Cards for agents without a stock of their own. Every value is a string. An \
            error is `{\"error\":{\"code\",\"message\"}}`; nothing was sold unless an answer has a \
            `result`, and only after `INTERNAL` this is not known.",
    ),
    paths(
        calls::categories,
        calls::offers,
        calls::card_type,
        calls::buy,
        calls::card,
        calls::sale,
    ),
    components(schemas(error::Failure)),
    modifiers(&Key),
    security(("key" = [])),
)]
struct S2Sell;

/// Says by which header an agent proves who he is.
struct Key;

impl Modify for Key {
    fn modify(&self, document: &mut Document) {
        let key = ApiKeyValue::with_description("X-API-Key", "64 hexadecimal digits");
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::ApiKey(ApiKey::Header(key)));
    }
}

/// The description in OpenAPI 3.1.
pub fn document() -> Document {
    S2Sell::openapi()
}

/// The routes of the description and of the page, which may show the merchants' calls too.
pub(crate) fn router(with_merchants: bool) -> Router {
    let merchants = with_merchants.then(|| Url::new("Merchants", merchants::DOCUMENT));
    let all = [Url::new("S2Sell", DOCUMENT)].into_iter().chain(merchants);
    let page = SwaggerUi::new("/docs").config(Config::new(all).validator_url("none"));
    let page = Router::from(page).layer(from_fn(with_policy));
    described(DOCUMENT, &document()).merge(page)
}

async fn with_policy(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    answer
}
