//! Answers that an agent may keep: the catalogue, for a day at most, as the specification says. Who
//! asks again with the tag of what he keeps hears that it still stands.

use std::{fmt::Write as _, time::Duration};

use axum::{
    http::{
        HeaderMap, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY},
    },
    response::{IntoResponse, Response},
};
use ring::digest::{SHA256, digest};
use serde::Serialize;

use super::error::ApiError;

/// Bytes of a tag: two answers of one call with the same tag do not happen.
const TAG_BYTES: usize = 16;

/// Answers, or says that what the caller keeps still stands. Without an age he has to ask each time.
pub(super) fn answer(
    request: &HeaderMap,
    max_age: Option<Duration>,
    body: &impl Serialize,
) -> Result<Response, ApiError> {
    let text = serde_json::to_string(body).map_err(|error| ApiError::internal(&error))?;
    let tag = tag(&text);
    let stands = is_named(request, &tag);
    let age = match max_age {
        Some(age) => format!("private, max-age={}", age.as_secs()),
        None => "private, no-cache".to_owned(),
    };
    // Prices are the agent's own, and the key says who he is.
    let headers = [
        (CACHE_CONTROL, age),
        (ETAG, tag),
        (VARY, "X-API-Key".into()),
    ];
    if stands {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let kind = [(CONTENT_TYPE, "application/json")];
    Ok((StatusCode::OK, headers, kind, text).into_response())
}

fn tag(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    let bytes = digest.as_ref().iter().take(TAG_BYTES);
    let hex = bytes.fold(String::new(), |mut hex, byte| {
        // Writing into a String cannot fail.
        write!(hex, "{byte:02x}").unwrap_or_default();
        hex
    });
    format!("\"{hex}\"")
}

/// Whether the caller names the tag among those that he keeps (RFC 9110 13.1.2: compared weakly).
fn is_named(request: &HeaderMap, tag: &str) -> bool {
    let lists = request.get_all(IF_NONE_MATCH).iter();
    let mut named = lists.flat_map(|list| list.as_bytes().split(|byte| *byte == b','));
    named.any(|named| {
        let named = named.trim_ascii();
        named == b"*" || named.strip_prefix(b"W/").unwrap_or(named) == tag.as_bytes()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_among_others_and_whether_or_not_it_is_called_weak() {
        let tag = tag("[]");
        assert_eq!(tag.len(), 2 + 2 * TAG_BYTES);
        let is_named = |lists: &[&str]| {
            let mut headers = HeaderMap::new();
            for list in lists {
                headers.append(IF_NONE_MATCH, list.parse().unwrap());
            }
            super::is_named(&headers, &tag)
        };
        assert!(is_named(&[&tag]));
        assert!(is_named(&["*"]));
        assert!(is_named(&["\"other\"", &format!("\"more\" , W/{tag}")]));
        assert!(!is_named(&[]));
        assert!(!is_named(&["", "\"other\"", tag.trim_matches('"')]));
        assert_ne!(super::tag("[]"), super::tag("[ ]"));
    }
}
