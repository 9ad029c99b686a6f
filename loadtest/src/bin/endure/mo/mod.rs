//! MO at a constant rate, kill -9 in the middle, and what is left of them: the subscriber's set must
//! be the SMSC's set of ESME_ROK.
//!
//! `message` makes the MO, `subscriber` takes them from whichever router lives, `ledger` judges.

mod ledger;
mod message;
mod subscriber;

use std::time::{Duration, Instant};

use clap::Args;
use loadtest::smsc::{BookKeeping, Delivering, DeliveryEnd, Smsc, SmscBehaviour, status};
use tokio::{
    sync::{oneshot, watch},
    time::{interval, sleep, sleep_until},
};

use self::{
    ledger::{Findings, Judge, Promised},
    message::Shape,
    subscriber::{Living, Subscriber},
};
use crate::{
    Common, EndureError,
    router::{Home, Router, Setup},
    verdict::{Grouped, Verdict},
};

/// How often the SMSC sends what is due by the rate.
const TICK: Duration = Duration::from_millis(5);
/// The SMSC's window on each bind.
const WINDOW: usize = 64;
/// The wait after a temporary error.
const RETRY_MS: u64 = 200;
/// What still waits after the last MO must move within this.
const PATIENCE: Duration = Duration::from_secs(30);
/// After everything has arrived: the time in which a stray duplicate would.
const QUIET: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(50);
/// The share of the wanted rate that has to be achieved for the run to count.
const RATE_MIN: f64 = 0.95;

#[derive(Args)]
pub(crate) struct Options {
    /// MO per second.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    rate: u64,
    /// How long each run sends.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(2..=86_400))]
    seconds: u64,
    /// Runs, each with a router and a store of its own.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// kill -9 in each run, spread over it: one is in its middle.
    #[arg(long, default_value_t = 1)]
    kills: u32,
    /// How long the router stays dead.
    #[arg(long, default_value_t = 0, value_name = "MS")]
    dead_ms: u64,
    /// Every so many MO come in two parts; 0 is none.
    #[arg(long, default_value_t = 20, value_name = "N")]
    long_every: u64,
    /// How long the subscriber holds its acknowledgements back.
    #[arg(long, default_value_t = 20, value_name = "MS")]
    hold_ms: u64,
    /// For how long after it was written an acknowledgement may be lost in a kill.
    #[arg(long, default_value_t = 1_000, value_name = "MS")]
    acknowledgement_ms: u64,
}

/// All runs; the verdict is over them together.
pub(crate) async fn prove(common: &Common, options: &Options) -> Result<Verdict, EndureError> {
    let mut verdict = Verdict::default();
    for run in 1..=options.runs {
        println!(
            "run {run} of {}: {} MO/s for {} s over {} binds, {} kill -9",
            options.runs, options.rate, options.seconds, common.binds, options.kills
        );
        let (run, router) = Run::start(common, options).await?;
        let outcome = run.finish(router).await?;
        outcome.judge(options, &mut verdict);
    }
    verdict.conclude();
    Ok(verdict)
}

/// What the SMSC learns of each MO: the ends of its parts.
type Ends = Vec<oneshot::Receiver<DeliveryEnd>>;

/// A run: the SMSC, the subscriber, and the home of its several routers.
struct Run<'a> {
    options: &'a Options,
    shape: Shape,
    home: Home,
    smsc: Smsc,
    living: watch::Sender<Living>,
    subscriber: Subscriber,
}

/// What a run came to.
struct Outcome {
    findings: Findings,
    strange: u64,
    kills: usize,
    sent_per_s: f64,
    /// From the last MO to the last acknowledgement.
    settled_in: Duration,
    /// Temporary errors that the SMSC got, in deliver_sm sent again beside those unanswered.
    repeated: u64,
    protocol_errors: u64,
    store_bytes: u64,
}

impl<'a> Run<'a> {
    /// Starts the SMSC, a router and the subscriber.
    async fn start(common: &Common, options: &'a Options) -> Result<(Self, Router), EndureError> {
        let behaviour = SmscBehaviour {
            books: BookKeeping::CountsOnly,
            delivering: Delivering {
                window: WINDOW,
                retry_ms: RETRY_MS,
                // It never gives up: what it was not promised, it keeps.
                attempts_max: u32::MAX,
                ..Delivering::default()
            },
            ..SmscBehaviour::default()
        };
        let smsc = Smsc::start(behaviour).await.map_err(EndureError::Smsc)?;
        let setup = Setup {
            smsc: smsc.address(),
            binds: common.binds,
            window: 10,
            durable: !common.no_store,
            rpc: None,
            more: "",
        };
        let home = Home::new(common, &setup)?;
        let router = home.start().await?;
        router.until_links_up().await?;
        let (living, lives) = watch::channel(Living {
            life: 0,
            rpc: Some(router.rpc().to_owned()),
        });
        let shape = Shape {
            long_every: options.long_every,
        };
        let hold = Duration::from_millis(options.hold_ms);
        let run = Self {
            options,
            shape,
            home,
            smsc,
            living,
            subscriber: Subscriber::start(lives, shape, hold),
        };
        Ok((run, router))
    }

    /// Sends and kills, waits until everything has arrived, and judges.
    async fn finish(self, router: Router) -> Result<Outcome, EndureError> {
        let began = Instant::now();
        let send = async { Ok((self.send(began).await, began.elapsed())) };
        let ((sent, sent_for), (router, deaths)) =
            tokio::try_join!(send, self.kill_all(began, router))?;
        let settled_in = self.settle(sent.len()).await?;
        drop(router);
        Ok(self.outcome(sent, &deaths, sent_for, settled_in))
    }

    /// The SMSC's side: the rate stays what it is, whether the router lives or not.
    async fn send(&self, began: Instant) -> Vec<Ends> {
        let wanted = self.options.rate * self.options.seconds;
        let mut sent: Vec<Ends> = Vec::new();
        let mut ticks = interval(TICK);
        while (sent.len() as u64) < wanted {
            ticks.tick().await;
            let due = (began.elapsed().as_secs_f64() * self.options.rate as f64) as u64;
            for number in sent.len() as u64..due.min(wanted) {
                let parts = self.shape.deliveries(number).into_iter();
                sent.push(parts.map(|part| self.smsc.inject(part)).collect());
            }
        }
        sent
    }

    /// Kills each router in its turn and starts the next one on the same store.
    async fn kill_all(
        &self,
        began: Instant,
        mut router: Router,
    ) -> Result<(Router, Vec<Instant>), EndureError> {
        let mut deaths = Vec::new();
        for after in kill_times(self.options) {
            sleep_until((began + after).into()).await;
            self.living.send_replace(Living {
                life: deaths.len(),
                rpc: None,
            });
            deaths.push(Instant::now());
            router.kill()?;
            sleep(Duration::from_millis(self.options.dead_ms)).await;
            let restarted = Instant::now();
            router = self.home.start().await?;
            self.living.send_replace(Living {
                life: deaths.len(),
                rpc: Some(router.rpc().to_owned()),
            });
            println!(
                "  kill -9 after {:.1} s; serves again {} ms after its start",
                after.as_secs_f64(),
                restarted.elapsed().as_millis()
            );
        }
        Ok((router, deaths))
    }

    /// Waits until the SMSC has its answers and the subscriber its MO; how long that took. It gives
    /// up, and leaves the rest to the verdict, when nothing moves any more.
    async fn settle(&self, sent: usize) -> Result<Duration, EndureError> {
        let began = Instant::now();
        let state = || {
            let totals = self.smsc.totals();
            let waiting = totals.mo - totals.mo_acknowledged - totals.mo_lost;
            (waiting, self.subscriber.booked().handed.len())
        };
        let mut last = state();
        let mut moved = Instant::now();
        while last != (0, sent) && moved.elapsed() < PATIENCE {
            sleep(LOOK).await;
            let now = state();
            if now != last {
                (last, moved) = (now, Instant::now());
            }
        }
        let took = began.elapsed();
        sleep(QUIET).await;
        Ok(took)
    }

    fn outcome(
        &self,
        sent: Vec<Ends>,
        deaths: &[Instant],
        sent_for: Duration,
        settled_in: Duration,
    ) -> Outcome {
        let judge = Judge {
            deaths,
            acknowledgement_takes: Duration::from_millis(self.options.acknowledgement_ms),
        };
        let booked = self.subscriber.booked();
        let mut findings = Findings::default();
        let sent_per_s = sent.len() as f64 / sent_for.as_secs_f64();
        for (number, ends) in (0..).zip(sent) {
            let handed = booked.handed.get(&number).map_or(&[][..], Vec::as_slice);
            judge.add(&mut findings, promised(ends), handed);
        }
        let totals = self.smsc.totals();
        Outcome {
            strange: booked.strange,
            kills: deaths.len(),
            sent_per_s,
            settled_in,
            repeated: totals
                .deliveries_repeated
                .saturating_sub(findings.unanswered),
            protocol_errors: totals.protocol_errors,
            store_bytes: self.home.store_bytes(),
            findings,
        }
    }
}

/// What the SMSC knows of an MO by now.
fn promised(ends: Ends) -> Promised {
    let mut promised = Promised {
        is_acknowledged: !ends.is_empty(),
        unanswered: 0,
    };
    for mut end in ends {
        // Without an end it is still in the SMSC's hands: not acknowledged.
        let end = end.try_recv().ok();
        promised.is_acknowledged &= end.is_some_and(|end| end.status == Some(status::ROK));
        promised.unanswered += end.map_or(0, |end| u64::from(end.unanswered));
    }
    promised
}

/// When the kills are: evenly over the run, each moved by up to a quarter of the distance, so that
/// they hit different moments of the router's turn.
fn kill_times(options: &Options) -> Vec<Duration> {
    let distance = options.seconds as f64 / f64::from(options.kills + 1);
    (1..=options.kills)
        .map(|kill| distance * (f64::from(kill) + (fastrand::f64() - 0.5) / 2.0))
        .map(Duration::from_secs_f64)
        .collect()
}

impl Outcome {
    fn judge(&self, options: &Options, verdict: &mut Verdict) {
        let Self {
            findings: found,
            strange,
            kills,
            sent_per_s,
            settled_in,
            repeated,
            protocol_errors,
            store_bytes,
        } = self;
        let count = |number: u64| Grouped(number);
        println!(
            "  {} MO sent at {sent_per_s:.0}/s; {} deliver_sm unanswered at a kill, {} sent again after a \
             temporary error; settled in {:.1} s; store {} KiB",
            count(found.sent),
            count(found.unanswered),
            count(*repeated),
            settled_in.as_secs_f64(),
            count(store_bytes / 1024),
        );
        verdict.line(
            *kills == options.kills as usize,
            format_args!("{kills} kill -9"),
        );
        verdict.line(
            *sent_per_s >= options.rate as f64 * RATE_MIN,
            format_args!(
                "the SMSC sent {sent_per_s:.0} MO/s, {} wanted",
                options.rate
            ),
        );
        verdict.line(
            found.acknowledged == found.sent,
            format_args!(
                "{} of {} MO were answered ESME_ROK in the end",
                count(found.acknowledged),
                count(found.sent)
            ),
        );
        verdict.line(
            found.missing == 0,
            format_args!(
                "{} acknowledged MO are missing at the subscriber",
                count(found.missing)
            ),
        );
        verdict.line(
            found.handed == found.acknowledged && found.handed_unacknowledged == 0,
            format_args!(
                "the subscriber's set of {} is the SMSC's set of ESME_ROK; {} beside it, {} texts of \
                 nobody",
                count(found.handed),
                count(found.handed_unacknowledged),
                count(*strange)
            ),
        );
        verdict.line(*strange == 0, "every text is byte-exact");
        verdict.line(
            found.unmarked == 0,
            format_args!(
                "{} of {} duplicates are not marked as redelivered ({} first deliveries are)",
                count(found.unmarked),
                count(found.duplicates),
                count(found.marked_first)
            ),
        );
        verdict.line(
            found.unexplained == 0,
            format_args!(
                "{} duplicates where no acknowledgement was lost; {} where the subscriber's was, {} where \
                 the SMSC's answer was",
                count(found.unexplained),
                count(found.acknowledgement_lost),
                count(found.answer_lost)
            ),
        );
        verdict.line(
            *protocol_errors == 0,
            format_args!("{protocol_errors} protocol errors at the SMSC"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(seconds: u64, kills: u32) -> Options {
        Options {
            rate: 1,
            seconds,
            runs: 1,
            kills,
            dead_ms: 0,
            long_every: 0,
            hold_ms: 0,
            acknowledgement_ms: 0,
        }
    }

    #[test]
    fn kills_are_spread_over_the_run_and_leave_time_around_each() {
        for _ in 0..100 {
            let times = kill_times(&options(60, 1));
            assert!(times.iter().all(|at| (22..=38).contains(&at.as_secs())));
            let times = kill_times(&options(60, 9));
            assert_eq!(times.len(), 9);
            assert!(
                times
                    .windows(2)
                    .all(|pair| pair[1] - pair[0] >= Duration::from_secs(3))
            );
        }
    }

    #[test]
    fn an_mo_is_acknowledged_only_if_all_of_its_parts_are() {
        let part = |status, unanswered| {
            let (tell, told) = oneshot::channel();
            let end = DeliveryEnd {
                status,
                attempts: 1,
                unanswered,
            };
            tell.send(end).unwrap();
            told
        };
        let both = promised(vec![part(Some(status::ROK), 2), part(Some(status::ROK), 1)]);
        assert_eq!((both.is_acknowledged, both.unanswered), (true, 3));
        assert!(!promised(vec![part(Some(status::ROK), 0), part(None, 1)]).is_acknowledged);
        let (_under_way, told) = oneshot::channel();
        assert!(!promised(vec![told]).is_acknowledged);
        assert!(!promised(Vec::new()).is_acknowledged);
    }
}
