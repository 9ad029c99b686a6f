//! Messages with receipts by the million, and what the router occupies meanwhile: flat, once the
//! tables of its configured bounds are full.
//!
//! `load` is the upstream service, `tally` what it was told, `samples` what it occupied.

mod load;
mod samples;
mod tally;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use clap::Args;
use loadtest::{
    fault::DelayMs,
    smsc::{BookKeeping, Delivering, Smsc, SmscBehaviour},
    usage,
};
use tokio::{task::JoinSet, time::interval};

use self::{
    load::Load,
    samples::{Sample, Span},
};
use crate::{
    Common, EndureError,
    router::{Home, Router, Setup},
    verdict::{Grouped, Verdict},
};

/// The router's window on each bind, and the SMSC's.
const WINDOW: u32 = 256;
/// From a message's acceptance to its receipt.
const RECEIPT_AFTER_MS: u64 = 10;
/// Without any progress for so long, the run is given up.
const PATIENCE: Duration = Duration::from_secs(30);
const PROGRESS_PERCENT: u64 = 5;
/// What the issue allows.
const SPREAD_MAX_PERCENT: f64 = 20.0;
#[derive(Args)]
pub(crate) struct Options {
    /// Messages, each with a receipt.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1_000..=1_000_000_000))]
    messages: u64,
    /// Bound of the router's tables of request ids and of awaited receipts, small so that they are
    /// full early.
    #[arg(long, default_value_t = 200_000)]
    kept: u64,
    /// Messages after which the memory counts: every bounded table is full by then and has dropped old
    /// entries for new ones. Three fillings of those that --kept bounds; the largest one of a fixed
    /// size, what SMSCs delivered lately, takes 262,144 receipts.
    #[arg(long, default_value_t = 600_000)]
    warm: u64,
    /// Streams that send.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    streams: u32,
    /// From one look at the memory to the next.
    #[arg(long, default_value_t = 1_000, value_name = "MS", value_parser = clap::value_parser!(u64).range(10..))]
    sample_ms: u64,
}

impl Options {
    /// The bounds, as the router's configuration has them.
    fn bounds(&self) -> String {
        let kept = self.kept;
        format!("[receipts]\npending_max = {kept}\n\n[requests]\nids_max = {kept}\n")
    }

    /// With fewer kept than may be without a receipt, the router would forget messages before their
    /// receipts come: these would be nobody's, and the run would wait for them in vain.
    fn check(&self) -> Result<(), EndureError> {
        let needed = load::without_receipt_max(self.streams);
        match self.kept < needed {
            true => Err(EndureError::TooFewKept {
                kept: self.kept,
                needed,
                streams: self.streams,
            }),
            false => Ok(()),
        }
    }
}

/// Sends everything and judges.
pub(crate) async fn prove(common: &Common, options: &Options) -> Result<Verdict, EndureError> {
    options.check()?;
    let smsc = Smsc::start(behaviour()).await.map_err(EndureError::Smsc)?;
    let setup = Setup {
        smsc: smsc.address(),
        binds: common.binds,
        window: WINDOW,
        durable: !common.no_store,
        rpc: None,
        more: &options.bounds(),
    };
    let home = Home::new(common, &setup)?;
    let router = home.start().await?;
    router.until_links_up().await?;
    println!(
        "{} messages with receipts, {} streams, {} binds; the router keeps {} request ids and awaits {} \
         receipts at most; its memory counts from {} messages on",
        Grouped(options.messages),
        options.streams,
        common.binds,
        Grouped(options.kept),
        Grouped(options.kept),
        Grouped(options.warm),
    );
    let load = Arc::new(Load::new(options.messages));
    let began = Instant::now();
    let samples = run(options, &load, &router, &home).await?;
    let took = began.elapsed();
    // It still lives: what the processors did for it can be read.
    let cpu = usage::cpu(router.pid()).map_err(EndureError::Proc)?;
    let mut verdict = Verdict::default();
    let summary = Summary {
        options,
        load: &load,
        samples: &samples,
        took,
        cpu_ms: cpu.total_ms(),
        lost: smsc.totals().receipts_lost,
        protocol_errors: smsc.totals().protocol_errors,
    };
    summary.judge(&mut verdict);
    verdict.conclude();
    Ok(verdict)
}

fn behaviour() -> SmscBehaviour {
    SmscBehaviour {
        books: BookKeeping::CountsOnly,
        delivering: Delivering {
            delay: DelayMs::fixed(RECEIPT_AFTER_MS),
            window: WINDOW as usize,
            attempts_max: u32::MAX,
            ..Delivering::default()
        },
        ..SmscBehaviour::default()
    }
}

/// Runs the load to its end, and looks at the router once a second.
async fn run(
    options: &Options,
    load: &Arc<Load>,
    router: &Router,
    home: &Home,
) -> Result<Vec<Sample>, EndureError> {
    let rpc = router.rpc().to_owned();
    // Both end with these sets: a part that fails ends the run.
    let mut subscriber = JoinSet::new();
    subscriber.spawn(Arc::clone(load).receive(rpc.clone()));
    let mut streams = JoinSet::new();
    for _ in 0..options.streams {
        streams.spawn(Arc::clone(load).submit(rpc.clone()));
    }
    let mut watch = Watch::new(options, load);
    let mut ticks = interval(Duration::from_millis(options.sample_ms));
    let counts = &load.tally.counts;
    loop {
        tokio::select! {
            Some(ended) = streams.join_next() => ended??,
            Some(ended) = subscriber.join_next() => ended??,
            _ = ticks.tick() => {
                let memory = usage::memory(router.pid()).map_err(EndureError::Proc)?;
                watch.see(memory.rss_kib, home.store_bytes())?;
                let is_settled = counts.receipts.load(Relaxed) >= counts.accepted.load(Relaxed);
                if streams.is_empty() && is_settled {
                    return Ok(watch.samples);
                }
            }
        }
    }
}

/// The samples, the progress that is printed, and the patience.
struct Watch<'a> {
    messages: u64,
    load: &'a Load,
    samples: Vec<Sample>,
    steps_printed: u64,
    began: Instant,
    moved: Instant,
    moved_to: (u64, u64),
}

impl<'a> Watch<'a> {
    fn new(options: &Options, load: &'a Load) -> Self {
        Self {
            messages: options.messages,
            load,
            samples: Vec::new(),
            steps_printed: 0,
            began: Instant::now(),
            moved: Instant::now(),
            moved_to: (0, 0),
        }
    }

    fn see(&mut self, rss_kib: u64, store_bytes: u64) -> Result<(), EndureError> {
        let counts = &self.load.tally.counts;
        let (told, done) = (counts.told.load(Relaxed), counts.receipts.load(Relaxed));
        let sample = Sample {
            done,
            rss_kib,
            store_bytes,
        };
        self.samples.push(sample);
        self.print(sample);
        if (told, done) != self.moved_to {
            (self.moved_to, self.moved) = ((told, done), Instant::now());
        } else if self.moved.elapsed() >= PATIENCE {
            let limit_s = PATIENCE.as_secs();
            return Err(EndureError::Stuck {
                limit_s,
                told,
                receipts: done,
                nobodys: counts.receipts_of_nobody.load(Relaxed),
                wanted: self.messages,
            });
        }
        Ok(())
    }

    /// A line for each 5 % of the receipts.
    fn print(&mut self, sample: Sample) {
        let step = sample.done * 100 / self.messages / PROGRESS_PERCENT;
        if step <= self.steps_printed {
            return;
        }
        self.steps_printed = step;
        let per_s = sample.done as f64 / self.began.elapsed().as_secs_f64();
        println!(
            "  {:>3} %  {:>11} messages  {:>9}/s  {:>7} MiB  store {:>6} MiB",
            step * PROGRESS_PERCENT,
            Grouped(sample.done),
            Grouped(per_s as u64),
            Grouped(sample.rss_kib / 1024),
            Grouped(sample.store_bytes >> 20),
        );
    }
}

/// What a run came to.
struct Summary<'a> {
    options: &'a Options,
    load: &'a Load,
    samples: &'a [Sample],
    took: Duration,
    cpu_ms: u64,
    lost: u64,
    protocol_errors: u64,
}

impl Summary<'_> {
    fn judge(&self, verdict: &mut Verdict) {
        let messages = self.options.messages;
        println!(
            "{} messages in {:.0} s: {:.0}/s, {:.1} µs of processor each in the router",
            Grouped(messages),
            self.took.as_secs_f64(),
            messages as f64 / self.took.as_secs_f64(),
            self.cpu_ms as f64 * 1_000.0 / messages as f64,
        );
        let counts = &self.load.tally.counts;
        let of = |count: &std::sync::atomic::AtomicU64| Grouped(count.load(Relaxed));
        let is = |count: &std::sync::atomic::AtomicU64, wanted| count.load(Relaxed) == wanted;
        verdict.line(
            is(&counts.told, messages) && is(&counts.told_again, 0),
            format_args!(
                "{} of {} messages have exactly one outcome, {} more were told",
                of(&counts.told),
                Grouped(messages),
                of(&counts.told_again)
            ),
        );
        verdict.line(
            is(&counts.accepted, messages),
            format_args!("{} were ACCEPTED", of(&counts.accepted)),
        );
        let (again, marked) = (&counts.receipts_again, &counts.redelivered);
        verdict.line(
            is(&counts.receipts, messages) && is(&counts.receipts_of_nobody, 0),
            format_args!(
                "{} receipts reached their requests, {} are of nobody, the SMSC gave {} up",
                of(&counts.receipts),
                of(&counts.receipts_of_nobody),
                Grouped(self.lost)
            ),
        );
        verdict.line(
            again.load(Relaxed) == marked.load(Relaxed),
            format_args!(
                "{} receipts came again, {} of them marked",
                of(again),
                of(marked)
            ),
        );
        verdict.line(
            self.protocol_errors == 0,
            format_args!("{} protocol errors at the SMSC", self.protocol_errors),
        );
        self.judge_memory(verdict);
    }

    fn judge_memory(&self, verdict: &mut Verdict) {
        let warm = self.options.warm;
        let Some(span) = Span::of(self.samples, warm) else {
            verdict.line(
                false,
                format_args!(
                    "fewer than {} samples after {} messages: send more, or look more often",
                    samples::SAMPLES_MIN,
                    Grouped(warm)
                ),
            );
            return;
        };
        let mib = |kib: u64| kib as f64 / 1024.0;
        verdict.line(
            span.spread_percent() <= SPREAD_MAX_PERCENT,
            format_args!(
                "memory after {} messages: {:.1} to {:.1} MiB, {:.1} % apart, at most {SPREAD_MAX_PERCENT} % \
                 allowed ({} samples; first quarter {:.1} MiB, last {:.1} MiB)",
                Grouped(warm),
                mib(span.rss_min_kib),
                mib(span.rss_max_kib),
                span.spread_percent(),
                span.samples,
                mib(span.rss_first_kib),
                mib(span.rss_last_kib),
            ),
        );
        println!(
            "         the store's file: {} to {} MiB",
            Grouped(span.store_min_bytes >> 20),
            Grouped(span.store_max_bytes >> 20)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_kept_than_may_be_without_a_receipt_is_refused_with_the_reason() {
        let options = |kept, streams| Options {
            messages: 1_000,
            kept,
            warm: 0,
            streams,
            sample_ms: 10,
        };
        let needed = load::without_receipt_max(2);
        assert!(options(needed, 2).check().is_ok());
        assert!(options(needed, 3).check().is_err());
        let error = options(needed - 1, 2).check().unwrap_err().to_string();
        assert!(error.contains("--kept 54095 is too few"), "{error}");
    }
}
