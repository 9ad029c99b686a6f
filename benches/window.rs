//! What it costs to register a request and to take it out by its answer, with a full window.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![allow(missing_docs, reason = "criterion_group makes a public function")]

use std::{hint::black_box, time::Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sampan::window::{Index, Keyed, Ring, Window};

/// Windows of a careful SMSC, of a busy bind, and the greatest that is of use.
const WINDOWS: [u32; 3] = [10, 256, 65_536];

fn turn<I: Index<Key = u32>>(c: &mut Criterion, name: &str) {
    let now = Instant::now();
    let mut group = c.benchmark_group(format!("window, {name}"));
    group.throughput(Throughput::Elements(1));
    for size in WINDOWS {
        let mut window = Window::<I, u64>::new(size);
        (0..size).for_each(|key| window.insert(key, now, 7).unwrap());
        let mut oldest = 0;
        group.bench_function(format!("{size} in flight"), |b| {
            b.iter(|| {
                black_box(window.take(oldest).unwrap());
                window.insert(oldest + size, now, 7).unwrap();
                oldest += 1;
            });
        });
    }
    group.finish();
}

fn windows(c: &mut Criterion) {
    turn::<Ring>(c, "ring");
    turn::<Keyed<u32>>(c, "keyed");
}

criterion_group!(benches, windows);
criterion_main!(benches);
