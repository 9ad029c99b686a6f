//! The choice of a route in a table of 100,000 prefixes.

use std::{hint::black_box, sync::Arc};

use crate::client::ClientName;
use crate::message::{Body, Message};
use crate::route::{
    Asked, Choice, Conditions, Keyword, Member, MessageRoute, Plan, Routes, SmscSet, Sticky,
};
use crate::smpp::Address;
use crate::{TIMES, named};

const PREFIXES: u64 = 100_000;
/// As many as networks that an operator has contracts with.
const ROUTES: u64 = 50;

pub(crate) fn run() {
    let client = ClientName::parse("shop").unwrap();
    let messages: Vec<Message> = (0..u64::from(TIMES))
        .map(|n| message(digits(n * 97, 11)))
        .collect();
    let plain = table(&Conditions::default());
    route_prefix(&plain, &client, &messages);
    route_and_smsc(&plain, &client, &messages);
    let conditions = Conditions {
        keywords: vec![Keyword::parse("otp").unwrap()],
        ..Conditions::default()
    };
    route_keyword(&table(&conditions), &client, &messages);
}

/// The n-th number of any length, the same at each run.
fn digits(n: u64, length: usize) -> String {
    let number = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    format!("{number:014}")[..length].to_owned()
}

/// A short text to that number.
pub(crate) fn message(number: String) -> Message {
    let destination = Address::of(number, None, None).unwrap();
    Message::new(destination, Body::text("OTP 123456"))
}

fn table(conditions: &Conditions) -> Routes {
    let weighted = |name: &str, weight| Member {
        weight,
        ..Member::new(name)
    };
    let route = |number| MessageRoute {
        name: format!("route-{number}").into(),
        prefixes: (number..PREFIXES)
            .step_by(ROUTES as usize)
            .map(|n| digits(n, 5 + (n % 3) as usize))
            .collect(),
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
    Routes::new((0..ROUTES).map(route).chain([rest]).collect(), Vec::new())
}

#[inline(never)]
fn route_prefix(routes: &Routes, client: &ClientName, messages: &[Message]) {
    named("route_prefix");
    for message in messages {
        black_box(routes.choose(&Asked::new(client, message)).ok());
    }
}

#[inline(never)]
fn route_keyword(routes: &Routes, client: &ClientName, messages: &[Message]) {
    named("route_keyword");
    for message in messages {
        black_box(routes.choose(&Asked::new(client, message)).ok());
    }
}

#[inline(never)]
fn route_and_smsc(routes: &Routes, client: &ClientName, messages: &[Message]) {
    named("route_and_smsc");
    let mut turn = 0;
    for message in messages {
        turn += 1;
        let route = routes.choose(&Asked::new(client, message)).unwrap();
        let number = message.destination.addr.as_bytes();
        let mut plan = Plan::new(Arc::clone(route), || turn, number);
        black_box(plan.next(|_| true));
    }
}
