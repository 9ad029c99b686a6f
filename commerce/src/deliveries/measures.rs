//! What is measured of deliveries. Targets are no labels: there may be hundreds.

use metrics::{counter, gauge};

use super::{Figures, Kind, queue::Next};
use crate::{
    metrics::{DELIVERIES_DEAD, DELIVERIES_WAITING, DELIVERY_ATTEMPTS, DELIVERY_OLDEST_SECONDS},
    moment::UnixMs,
};

pub(super) fn ended(kind: Kind, next: &Next) {
    let result = match next {
        Next::Done => "done",
        Next::Again { .. } => "failed",
        Next::Dead { .. } => "dead",
    };
    counter!(DELIVERY_ATTEMPTS, "kind" => kind.word(), "result" => result).increment(1);
}

pub(super) fn show(figures: &[Figures], now: UnixMs) {
    for of_kind in figures {
        let kind = of_kind.kind.word();
        let oldest = of_kind.oldest_made_at.unwrap_or(now);
        let age_ms = now.0.saturating_sub(oldest.0).max(0);
        gauge!(DELIVERIES_WAITING, "kind" => kind).set(of_kind.waiting as f64);
        gauge!(DELIVERIES_DEAD, "kind" => kind).set(of_kind.dead as f64);
        gauge!(DELIVERY_OLDEST_SECONDS, "kind" => kind).set(age_ms as f64 / 1_000.0);
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn attempts_and_figures_are_measured_by_kind() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let figures = Figures {
            kind: Kind::Fibo,
            waiting: 3,
            dead: 2,
            oldest_made_at: Some(UnixMs(1_000)),
        };
        metrics::with_local_recorder(&recorder, || {
            ended(Kind::Webhook, &Next::Done);
            show(&[figures], UnixMs(61_500));
        });
        let shown = recorder.handle().render();
        for line in [
            "commerce_delivery_attempts_total{kind=\"webhook\",result=\"done\"} 1",
            "commerce_deliveries_waiting{kind=\"fibo\"} 3",
            "commerce_deliveries_dead{kind=\"fibo\"} 2",
            "commerce_delivery_oldest_age_seconds{kind=\"fibo\"} 60.5",
        ] {
            assert!(shown.contains(line), "{shown}");
        }
    }
}
