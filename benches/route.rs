//! What the choice of a route costs per message, in a table of 100,000 prefixes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark fails by panicking"
)]
#![allow(missing_docs, reason = "criterion_group makes a public function")]

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sampan::{
    client::ClientName,
    message::{Body, Message},
    route::{
        Asked, Choice, Conditions, Keyword, Member, MessageRoute, Plan, Routes, SmscSet, Sticky,
    },
    smpp::Address,
};

const PREFIXES: u64 = 100_000;
/// As many as networks that an operator has contracts with.
const ROUTES: u64 = 50;
/// Messages per round, each to another number, so that the table does not stay in the first cache.
const MESSAGES: u64 = 1_024;

/// The n-th number of any length, the same at each run.
fn digits(n: u64, length: usize) -> String {
    let number = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    format!("{number:014}")[..length].to_owned()
}

fn message(number: String) -> Message {
    let destination = Address::of(number, None, None).unwrap();
    Message::new(destination, Body::text("OTP 123456"))
}

fn routes(conditions: &Conditions) -> Routes {
    let weighted = |name: &str, weight| Member {
        weight,
        ..Member::new(name)
    };
    let prefixes = |route| {
        let own = (0..PREFIXES).filter(move |n| n % ROUTES == route);
        own.map(|n| digits(n, 5 + (n % 3) as usize)).collect()
    };
    let route = |number| MessageRoute {
        name: format!("route-{number}").into(),
        prefixes: prefixes(number),
        conditions: conditions.clone(),
        smscs: SmscSet::new(
            Choice::Weighted(Sticky::None),
            vec![weighted("a", 70), weighted("b", 20), weighted("c", 10)],
        ),
        failover_max: 2,
        default_source: None,
    };
    let rest = MessageRoute {
        prefixes: vec![String::new()],
        conditions: Conditions::default(),
        ..route(ROUTES)
    };
    let all = (0..ROUTES).map(route).chain([rest]);
    Routes::new(all.collect(), Vec::new())
}

fn choose(c: &mut Criterion) {
    let client = ClientName::parse("shop").unwrap();
    let messages: Vec<Message> = (0..MESSAGES).map(|n| message(digits(n * 97, 11))).collect();
    let plain = routes(&Conditions::default());
    let with_keyword = routes(&Conditions {
        keywords: vec![Keyword::parse("otp").unwrap()],
        ..Conditions::default()
    });
    let mut group = c.benchmark_group("route");
    group.throughput(Throughput::Elements(MESSAGES));
    group.measurement_time(Duration::from_secs(3));
    for (name, routes) in [("prefix", &plain), ("prefix and keyword", &with_keyword)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                for message in &messages {
                    black_box(routes.choose(&Asked::new(&client, message)).ok());
                }
            });
        });
    }
    group.bench_function("prefix and weighted SMSC", |b| {
        let mut turn = 0;
        b.iter(|| {
            for message in &messages {
                turn += 1;
                let route = plain.choose(&Asked::new(&client, message)).unwrap();
                let number = message.destination.addr.as_bytes();
                let mut plan = Plan::new(Arc::clone(route), || turn, number);
                black_box(plan.next(|_| true));
            }
        });
    });
    group.finish();
}

fn build(c: &mut Criterion) {
    let mut group = c.benchmark_group("route");
    group.sample_size(10);
    group.bench_function("build", |b| b.iter(|| routes(&Conditions::default())));
    group.finish();
}

criterion_group!(benches, choose, build);
criterion_main!(benches);
