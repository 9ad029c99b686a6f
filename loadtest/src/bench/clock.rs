//! The clock of the harness: nanoseconds since it was first asked. It travels in the ids and texts of
//! what is sent, so that nothing has to be remembered to know how long an answer took.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds by this clock.
pub(super) fn now_ns() -> u64 {
    ns(ORIGIN.elapsed())
}

/// The moment as tokio wants it.
pub(super) fn instant(at_ns: u64) -> tokio::time::Instant {
    tokio::time::Instant::from_std(*ORIGIN + Duration::from_nanos(at_ns))
}

/// A duration in nanoseconds; the clock lasts for centuries.
pub(super) fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What is measured: from the end of the warm-up to the end of the load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
}

impl Window {
    /// From now on, after a warm-up.
    pub(super) fn after(warm_up: Duration, measured: Duration) -> Self {
        let start_ns = now_ns() + ns(warm_up);
        Self {
            start_ns,
            end_ns: start_ns + ns(measured),
        }
    }

    pub(super) fn holds(self, at_ns: u64) -> bool {
        (self.start_ns..self.end_ns).contains(&at_ns)
    }

    pub(super) fn seconds(self) -> f64 {
        (self.end_ns - self.start_ns) as f64 / 1e9
    }
}
