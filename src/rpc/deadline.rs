//! Until when a request may be dispatched.

use std::time::{Duration, Instant};

use tonic::metadata::MetadataMap;

use super::settings::RpcSettings;

/// The configured bounds of deadlines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    default: Duration,
    max: Duration,
}

impl Deadlines {
    pub(super) fn new(settings: &RpcSettings) -> Self {
        Self {
            default: settings.default_deadline.min(settings.deadline_max),
            max: settings.deadline_max,
        }
    }

    /// The moment for a request that came at `received` and asks for `deadline_ms` (0: the default).
    pub(super) fn at(self, received: Instant, deadline_ms: u32) -> Instant {
        received
            + match deadline_ms {
                0 => self.default,
                asked => Duration::from_millis(asked.into()).min(self.max),
            }
    }

    /// The same bounds, and no later than the `grpc-timeout` of the call.
    pub(super) fn within_call(self, metadata: &MetadataMap) -> Self {
        let call = metadata
            .get("grpc-timeout")
            .and_then(|value| parse_timeout(value.to_str().ok()?))
            .unwrap_or(self.max);
        Self {
            default: self.default.min(call),
            max: self.max.min(call),
        }
    }
}

/// A `grpc-timeout`: 1 to 8 digits and a unit (gRPC over HTTP/2, "Timeout"). `None` for anything
/// else, which the transport ignores alike.
fn parse_timeout(text: &str) -> Option<Duration> {
    let unit_at = text.len().checked_sub(1)?;
    let (digits, unit) = text.split_at_checked(unit_at)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINES: Deadlines = Deadlines {
        default: Duration::from_secs(5),
        max: Duration::from_secs(60),
    };

    fn call(timeout: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", timeout.parse().unwrap());
        metadata
    }

    #[test]
    fn a_request_without_a_deadline_gets_the_default_and_a_long_one_is_cut() {
        let now = Instant::now();
        assert_eq!(DEADLINES.at(now, 0), now + Duration::from_secs(5));
        assert_eq!(DEADLINES.at(now, 1_500), now + Duration::from_millis(1_500));
        assert_eq!(DEADLINES.at(now, u32::MAX), now + Duration::from_secs(60));
    }

    #[test]
    fn the_smaller_of_the_requests_and_the_calls_deadline_holds() {
        let now = Instant::now();
        let short = DEADLINES.within_call(&call("250m"));
        assert_eq!(short.at(now, 0), now + Duration::from_millis(250));
        assert_eq!(short.at(now, 100), now + Duration::from_millis(100));
        assert_eq!(short.at(now, 9_000), now + Duration::from_millis(250));
        let long = DEADLINES.within_call(&call("1H"));
        assert_eq!(long.at(now, 0), now + Duration::from_secs(5));
    }

    #[test]
    fn every_unit_of_a_grpc_timeout_is_understood_and_nonsense_is_not() {
        assert_eq!(parse_timeout("2M"), Some(Duration::from_secs(120)));
        assert_eq!(parse_timeout("3S"), Some(Duration::from_secs(3)));
        assert_eq!(parse_timeout("5u"), Some(Duration::from_micros(5)));
        assert_eq!(parse_timeout("7n"), Some(Duration::from_nanos(7)));
        for nonsense in ["", "S", "123456789S", "-1S", "1x", "1é"] {
            assert_eq!(parse_timeout(nonsense), None, "{nonsense}");
        }
    }
}
