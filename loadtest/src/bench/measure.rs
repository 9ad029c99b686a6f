//! What the router and the harness use of the machine while it is measured.

use std::{thread, time::Duration};

use loadtest::usage::{self, Cpu};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    BenchError,
    clock::{self, Window},
    load, record,
    router::{Router, Usage},
    sink,
};

/// How often the memory is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What was used between the ends of the window.
pub(super) struct Measured {
    router: [Usage; 2],
    generator: Cpu,
    sinks: Cpu,
    machine: [usage::Machine; 2],
    rss_mib: Vec<f64>,
}

struct Reading {
    router: Usage,
    generator: Cpu,
    sinks: Cpu,
    machine: usage::Machine,
}

impl Reading {
    fn now(router: &Router) -> Result<Self, BenchError> {
        Ok(Self {
            router: router.usage()?,
            generator: usage::cpu_of_threads(load::THREAD).map_err(BenchError::Usage)?,
            sinks: usage::cpu_of_threads(sink::THREAD).map_err(BenchError::Usage)?,
            machine: usage::machine().map_err(BenchError::Usage)?,
        })
    }
}

/// Measures from the start of the window to its end.
///
/// # Errors
/// When the router ends by itself.
pub(super) async fn measure(router: &Router, window: Window) -> Result<Measured, BenchError> {
    sleep_until(clock::instant(window.start_ns)).await;
    let before = Reading::now(router)?;
    let end = clock::instant(window.end_ns);
    let mut rss_mib = Vec::new();
    while Instant::now() < end {
        if let Some(kib) = router.rss_kib() {
            rss_mib.push(kib as f64 / 1_024.0);
        }
        sleep(LOOK.min(end - Instant::now())).await;
    }
    let after = Reading::now(router)?;
    Ok(Measured {
        router: [before.router, after.router],
        generator: after.generator - before.generator,
        sinks: after.sinks - before.sinks,
        machine: [before.machine, after.machine],
        rss_mib,
    })
}

impl Measured {
    fn router_cpu(&self) -> Cpu {
        self.router[1].cpu - self.router[0].cpu
    }

    /// What the router used for each of so many.
    pub(super) fn router(&self, answered: u64, window: Window, peak_mib: f64) -> record::Router {
        let cpu = self.router_cpu();
        let [before, after] = &self.router;
        let each = |count: u64| per(count as f64 * 1_000.0, answered);
        let calls = before.reads_and_writes.zip(after.reads_and_writes);
        record::Router {
            user_us: each(cpu.user_ms),
            system_us: each(cpu.system_ms),
            cpu_us: each(cpu.total_ms()),
            cores: cpu.total_ms() as f64 / 1_000.0 / window.seconds(),
            cpu_ms_per_s: cpu.total_ms() as f64 / window.seconds(),
            peak_mib,
            rss_mib: self.rss_mib.clone(),
            sleeps_per_1000: each(after.sleeps - before.sleeps),
            reads_per_1000: calls.map(|(before, after)| each(after.0 - before.0)),
            writes_per_1000: calls.map(|(before, after)| each(after.1 - before.1)),
        }
    }

    /// What the harness used for each of so many.
    pub(super) fn harness(&self, answered: u64) -> record::Harness {
        record::Harness {
            generator_us: per(self.generator.total_ms() as f64 * 1_000.0, answered),
            sinks_us: per(self.sinks.total_ms() as f64 * 1_000.0, answered),
        }
    }

    /// What else the machine did.
    pub(super) fn machine(&self) -> record::Machine {
        let [before, after] = &self.machine;
        let busy_ms = (after.busy_ms - before.busy_ms) as f64;
        let idle_ms = (after.idle_ms - before.idle_ms) as f64;
        let all_ms = (busy_ms + idle_ms).max(1.0);
        let cpus = [self.router_cpu(), self.generator, self.sinks];
        let own_ms: u64 = cpus.into_iter().map(Cpu::total_ms).sum();
        record::Machine {
            cores: thread::available_parallelism().map_or(0, usize::from),
            others_percent: (busy_ms - own_ms as f64).max(0.0) / all_ms * 100.0,
            idle_percent: idle_ms / all_ms * 100.0,
        }
    }
}

/// Of nothing there is no share.
fn per(sum: f64, count: u64) -> f64 {
    match count {
        0 => 0.0,
        count => sum / count as f64,
    }
}
