//! The description of the merchants' calls, made of the calls themselves.

use axum::Router;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{ApiKey, ApiKeyValue, SecurityScheme},
    },
};

use super::{api, fault};
use crate::http::described;

/// Where the description is.
pub(crate) const DOCUMENT: &str = "/v1/merchant/openapi.json";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Merchants",
        description = "What a shop may ask of the orders that its customers pay here. A call is JSON, and signed: \
            `X-Sampan-Signature` is the HMAC-SHA256 of `X-Sampan-Timestamp`, a dot and the body, octet by \
            octet, under the shop's secret. An error is `{\"error\":{\"code\",\"message\"}}`.",
    ),
    paths(api::query, api::refund),
    components(schemas(fault::Failure)),
    modifiers(&Signed),
    security(("timestamp" = [], "signature" = [])),
)]
struct Merchants;

/// Says by which headers a merchant proves who he is.
struct Signed;

impl Modify for Signed {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        for (name, header, meaning) in [
            (
                "timestamp",
                "X-Sampan-Timestamp",
                "seconds since 1970, within 15 minutes of our clock",
            ),
            (
                "signature",
                "X-Sampan-Signature",
                "HMAC-SHA256 of `TIMESTAMP.BODY`, 64 small hexadecimal digits",
            ),
        ] {
            let key = ApiKeyValue::with_description(header, meaning);
            components.add_security_scheme(name, SecurityScheme::ApiKey(ApiKey::Header(key)));
        }
    }
}

/// The description in OpenAPI 3.1.
pub fn document() -> Document {
    Merchants::openapi()
}

/// The route of the description.
pub(crate) fn router() -> Router {
    described(DOCUMENT, &document())
}
