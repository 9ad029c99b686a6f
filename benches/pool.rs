//! What it costs to spread a batch over the links of a pool that are up.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![allow(missing_docs, reason = "criterion_group makes a public function")]

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sampan::{
    link::{
        Lane, Queued, Shared,
        settings::{LinkSettings, Reach},
    },
    metrics::Metrics,
    pool::Pool,
    status::PeerKind,
};

/// One bind, a common pool, and as many as a large carrier gives.
const LINKS: [u16; 4] = [1, 4, 50, 500];

/// One message, and a batch of a busy stream.
const BATCHES: [usize; 2] = [1, 64];

/// As large as what a link is really given.
struct Job([u64; 5]);

impl Queued for Job {
    fn lane(&self) -> Lane {
        Lane::ONLY
    }
}

fn pool(links: u16) -> Pool<Job> {
    let second = Duration::from_secs(1);
    let settings = Arc::new(LinkSettings {
        peer: "one".into(),
        reach: Reach::dial("127.0.0.1:2775"),
        links,
        window: 256,
        queue_max: 1_000,
        response_timeout: second,
        connect_timeout: second,
        reconnect_min: second,
        reconnect_max: second,
        refused_pause: second,
        drain_timeout: second,
    });
    let metrics = Metrics::new().unwrap();
    let links = (1..=links).map(|number| {
        let metrics = metrics.link(PeerKind::Smsc, "one", "one/1");
        let link = Shared::new(PeerKind::Smsc, &settings, number, metrics);
        link.play_open();
        Arc::new(link)
    });
    Pool::new("one".into(), links.collect())
}

/// The time of so many submissions, without that of their links' tasks.
fn submissions(pool: &Pool<Job>, times: u64, batch: usize) -> Duration {
    let mut taken = Vec::new();
    (0..times)
        .map(|_| {
            let mut jobs: VecDeque<_> = (0..batch).map(|_| Job([7; 5])).collect();
            let began = Instant::now();
            pool.submit(&mut jobs).unwrap();
            let took = began.elapsed();
            for link in pool.links() {
                link.play_take(batch, &mut taken);
            }
            assert_eq!(
                taken.drain(..).map(|job| job.0[0]).sum::<u64>(),
                7 * batch as u64
            );
            took
        })
        .sum()
}

fn choice(c: &mut Criterion) {
    for batch in BATCHES {
        let mut group = c.benchmark_group(format!("pool, {batch} at a time"));
        group.throughput(Throughput::Elements(batch as u64));
        for links in LINKS {
            let pool = pool(links);
            group.bench_function(format!("{links} links"), |b| {
                b.iter_custom(|times| submissions(&pool, times, batch));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, choice);
criterion_main!(benches);
