//! The handles of links, of SMSCs and banks alike. They are fetched as a link comes into being, never
//! per request.

use metrics::{Counter, Gauge, counter, gauge};

use crate::{
    smpp::session::BindRefusal,
    status::{LinkState, PeerKind},
};

use super::{
    Metrics, ResponseTimes,
    names::{
        LINK_ANSWERED, LINK_BINDS_REFUSED, LINK_IN_FLIGHT, LINK_LOST, LINK_PAUSED,
        LINK_PROTOCOL_ERRORS, LINK_QUEUED, LINK_QUEUED_BY_CLASS, LINK_RATE_WAITS, LINK_RECONNECTS,
        LINK_STATE, LINK_SUBMITTED, LINK_THROTTLED_SECONDS, LINK_THROTTLES, LINK_TIMEOUTS,
        LINK_UNMATCHED, LINK_UP, LINK_WINDOW,
    },
};

impl Metrics {
    /// The handles of one link.
    pub fn link(&self, kind: PeerKind, peer: &str, link: &str) -> LinkMetrics {
        let labels = [
            ("kind", kind.as_str().to_owned()),
            ("peer", peer.to_owned()),
            ("link", link.to_owned()),
        ];
        let labels = &labels;
        let refused = |why: &str| match kind {
            PeerKind::Smsc => {
                let [kind, peer, link] = labels.clone();
                counter!(
                    LINK_BINDS_REFUSED,
                    &[kind, peer, link, ("why", why.to_owned())]
                )
            }
            PeerKind::Bank => Counter::noop(),
        };
        let state = |state: LinkState| {
            let [kind, peer, link] = labels.clone();
            let handle = gauge!(
                LINK_STATE,
                &[kind, peer, link, ("state", state.as_str().to_owned())]
            );
            (state, handle)
        };
        let class = |class: &str| {
            let [kind, peer, link] = labels.clone();
            let labels = [kind, peer, link, ("class", class.to_owned())];
            gauge!(LINK_QUEUED_BY_CLASS, &labels)
        };
        // No payment goes before another, so a bank has no classes.
        let classes: &[&str] = match kind {
            PeerKind::Smsc => &["urgent", "normal", "bulk"],
            PeerKind::Bank => &[],
        };
        let metrics = self.with(|| LinkMetrics {
            submitted: counter!(LINK_SUBMITTED, labels),
            answered: counter!(LINK_ANSWERED, labels),
            timeouts: counter!(LINK_TIMEOUTS, labels),
            lost: counter!(LINK_LOST, labels),
            reconnects: counter!(LINK_RECONNECTS, labels),
            throttles: counter!(LINK_THROTTLES, labels),
            throttled_seconds: counter!(LINK_THROTTLED_SECONDS, labels),
            rate_waits: counter!(LINK_RATE_WAITS, labels),
            unmatched: counter!(LINK_UNMATCHED, labels),
            protocol_errors: counter!(LINK_PROTOCOL_ERRORS, labels),
            refused_credentials: refused("credentials"),
            refused_already_bound: refused("already_bound"),
            refused_other: refused("other"),
            up: gauge!(LINK_UP, labels),
            states: LinkState::ALL.map(state),
            in_flight: gauge!(LINK_IN_FLIGHT, labels),
            window: gauge!(LINK_WINDOW, labels),
            queued: gauge!(LINK_QUEUED, labels),
            queued_by_class: classes.iter().copied().map(class).collect(),
            paused: gauge!(LINK_PAUSED, labels),
            response_seconds: self.response_times.of(labels),
        });
        metrics.enter(LinkState::Down);
        metrics
    }
}

/// The handles of one link; see the constants' meanings in this module.
#[allow(
    missing_docs,
    reason = "the metrics' meanings stand in one place, COUNTERS and GAUGES"
)]
#[derive(Clone)]
pub struct LinkMetrics {
    pub submitted: Counter,
    pub answered: Counter,
    pub timeouts: Counter,
    pub lost: Counter,
    pub reconnects: Counter,
    pub throttles: Counter,
    pub throttled_seconds: Counter,
    pub rate_waits: Counter,
    pub unmatched: Counter,
    pub protocol_errors: Counter,
    refused_credentials: Counter,
    refused_already_bound: Counter,
    refused_other: Counter,
    up: Gauge,
    states: [(LinkState, Gauge); LinkState::ALL.len()],
    pub in_flight: Gauge,
    pub window: Gauge,
    pub queued: Gauge,
    pub queued_by_class: Vec<Gauge>,
    pub paused: Gauge,
    pub response_seconds: ResponseTimes,
}

impl LinkMetrics {
    /// Counts a refused bind by what follows from it.
    pub fn bind_refused(&self, class: BindRefusal) {
        let counter = match class {
            BindRefusal::Credentials => &self.refused_credentials,
            BindRefusal::AlreadyBound => &self.refused_already_bound,
            BindRefusal::Other => &self.refused_other,
        };
        counter.increment(1);
    }

    /// Tells the link's new state.
    pub fn enter(&self, state: LinkState) {
        self.up.set(f64::from(u8::from(state == LinkState::Up)));
        for (other, gauge) in &self.states {
            gauge.set(f64::from(u8::from(*other == state)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::figure, *};

    #[test]
    fn a_link_is_in_one_state_at_a_time_and_begins_down() {
        let metrics = Metrics::new().unwrap();
        let link = metrics.link(PeerKind::Bank, "vietcom", "vietcom/1");
        let state = |state: &str| {
            let series = format!(
                r#"sampan_link_state{{kind="bank",peer="vietcom",link="vietcom/1",state="{state}"}}"#
            );
            figure(&metrics.render(), &series).map(str::to_owned)
        };
        assert_eq!(state("down").as_deref(), Some("1"));
        link.enter(LinkState::Draining);
        assert_eq!(state("down").as_deref(), Some("0"));
        assert_eq!(state("draining").as_deref(), Some("1"));
    }
}
