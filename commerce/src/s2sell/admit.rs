//! Who calls, and whether he may: his key, the address that he calls from, and how often he does.

use axum::{
    extract::FromRequestParts,
    http::{header::HeaderName, request::Parts},
};

use super::{
    Api,
    error::{ApiError, Code},
};
use crate::{agents, http::Caller, views::Viewer};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// An agent who may call.
pub(super) struct Admitted(pub(super) Viewer);

impl FromRequestParts<Api> for Admitted {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let refused = || ApiError::new(Code::Unauthorized, "X-API-Key is missing or not valid");
        let key = parts.headers.get(X_API_KEY).ok_or_else(refused)?;
        let now = api.now();
        let mut read = api.store.read().await?;
        let holder = agents::of_key(&mut read, key.as_bytes(), now).await?;
        let holder = holder.ok_or_else(refused)?;
        let address = parts.extensions.get::<Caller>();
        let address = address.map(|Caller(address)| *address);
        if !holder.may_call_from(address) {
            return Err(ApiError::new(
                Code::AddressNotAllowed,
                "this agent may not call from this address",
            ));
        }
        api.limiter
            .take(api.settings.rate_of(&holder.agent), &holder.agent, now)
            .map_err(|too_often| ApiError::too_often(too_often.retry_after_s))?;
        Ok(Self(Viewer {
            agent: holder.agent,
            key_prefix: holder.key_prefix,
            address,
        }))
    }
}
