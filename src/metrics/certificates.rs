//! The gauges of the certificates that the `tls` sections name. They are fetched as the router starts.

use metrics::{Gauge, gauge};
use time::OffsetDateTime;

use super::{Metrics, names::PEER_CERTIFICATE_EXPIRES};

impl Metrics {
    /// A certificate of a peer's section that is good until `end`; `kind` is `ca` or `client`.
    pub fn certificate(
        &self,
        peer: &str,
        kind: &'static str,
        end: OffsetDateTime,
    ) -> CertificateMetrics {
        let peer = peer.to_owned();
        self.with(|| CertificateMetrics {
            expires: gauge!(PEER_CERTIFICATE_EXPIRES, "peer" => peer, "kind" => kind),
            end,
        })
    }
}

/// How long a certificate is good for.
#[derive(Clone)]
pub struct CertificateMetrics {
    expires: Gauge,
    end: OffsetDateTime,
}

impl CertificateMetrics {
    /// Brings the gauge up to date.
    pub fn publish(&self, now: OffsetDateTime) {
        self.expires.set((self.end - now).as_seconds_f64());
    }
}
