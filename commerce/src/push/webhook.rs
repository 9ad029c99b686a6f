//! How the answer of a webhook is read, as the specification of Standard Webhooks suggests it.

use std::time::Duration;

use axum::http::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};

use crate::deliveries::Verdict;

/// What an answer means for the delivery. A body says nothing.
pub(super) fn verdict(status: StatusCode, headers: &HeaderMap) -> Verdict {
    let code = status.as_u16();
    match status {
        _ if status.is_success() => Verdict::Done,
        StatusCode::GONE => Verdict::Undeliverable {
            why: "the webhook answered HTTP status 410: it wants no more messages".to_owned(),
        },
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Verdict::Failed {
            why: format!("the webhook answered HTTP status {code}: it wants to be left alone"),
            not_before: retry_after(headers),
        },
        _ if status.is_redirection() => Verdict::failed(format!(
            "the webhook answered HTTP status {code}; no redirect is followed, so its URL has to be changed"
        )),
        _ => Verdict::failed(format!("the webhook answered HTTP status {code}")),
    }
}

/// In seconds. A date is not read: it is only as good as two clocks.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, retry_after: Option<&'static str>) -> Verdict {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(RETRY_AFTER, value.parse().unwrap());
        }
        verdict(StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn every_2xx_is_done_and_nothing_else() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(of(status, None), Verdict::Done, "{status}");
        }
        for status in [101, 301, 302, 307, 400, 401, 404, 500, 502, 504] {
            let failed = of(status, Some("5"));
            let is_failed = matches!(
                &failed,
                Verdict::Failed {
                    not_before: None,
                    ..
                }
            );
            assert!(is_failed, "{status}: {failed:?}");
        }
    }

    #[test]
    fn a_webhook_can_ask_to_be_left_alone_for_a_number_of_seconds() {
        let not_before = |status, retry_after| match of(status, retry_after) {
            Verdict::Failed { not_before, .. } => not_before,
            other => panic!("{other:?}"),
        };
        let minute = Some(Duration::from_secs(60));
        assert_eq!(not_before(429, Some("60")), minute);
        assert_eq!(not_before(503, Some(" 60 ")), minute);
        for date in [Some("Wed, 21 Oct 2026 07:28:00 GMT"), Some("-1"), None] {
            assert_eq!(not_before(503, date), None);
        }
    }

    #[test]
    fn a_webhook_that_is_gone_gets_no_more() {
        assert!(matches!(of(410, None), Verdict::Undeliverable { .. }));
    }
}
