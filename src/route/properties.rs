//! The tables against a scan of all routes, for any tables and messages.

use std::cmp::Reverse;

use proptest::prelude::*;

use super::{testing, *};
use crate::{client::ClientName, message::Message};

const WORDS: [&str; 3] = ["otp", "pin", "tin"];
const SOURCES: [&str; 4] = ["8049", "80*", "VnMart", "V*"];
const CLIENTS: [&str; 2] = ["shop", "bank"];

fn some_of<T: Clone + std::fmt::Debug + 'static>(all: Vec<T>) -> impl Strategy<Value = Vec<T>> {
    let most = all.len();
    prop_oneof![
        2 => Just(Vec::new()),
        1 => prop::sample::subsequence(all, 1..=most),
    ]
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let words = WORDS.map(|word| Keyword::parse(word).unwrap());
    let sources = SOURCES.map(SourcePattern::parse);
    let clients = CLIENTS.map(|name| ClientName::parse(name).unwrap());
    let codings = BodyCoding::WORDS.map(|(_, coding)| coding);
    (
        some_of(sources.to_vec()),
        some_of(clients.to_vec()),
        some_of(words.to_vec()),
        some_of(codings.to_vec()),
    )
        .prop_map(|(sources, clients, keywords, codings)| Conditions {
            sources,
            clients,
            keywords,
            codings,
        })
}

fn route() -> impl Strategy<Value = MessageRoute> {
    let prefixes = prop::collection::vec("[0-2]{0,4}", 0..4);
    (prefixes, conditions()).prop_map(|(prefixes, conditions)| MessageRoute {
        prefixes,
        conditions,
        ..testing::route("", &[])
    })
}

fn routes() -> impl Strategy<Value = Vec<MessageRoute>> {
    prop::collection::vec(route(), 0..30).prop_map(|mut routes| {
        for (number, route) in routes.iter_mut().enumerate() {
            route.name = format!("route-{number}").into();
        }
        routes
    })
}

fn message() -> impl Strategy<Value = Message> {
    let source = prop::option::of(prop::sample::select(vec![
        "8049", "8050", "VnMart", "Other",
    ]));
    let body = prop::sample::select(vec!["otp 1", "PIN 2", "tin đ", "hello", "binary"]);
    ("[+]?[0-2]{1,6}", source, body).prop_map(|(number, source, body)| {
        let mut message = match body {
            "binary" => testing::binary(&number),
            text => testing::message(&number, text),
        };
        message.source = source.map(|number| Address::of(number, None, None).unwrap());
        message
    })
}

/// The rule as it is told, without any table.
fn scan<'a>(routes: &'a [MessageRoute], asked: &Asked<'_>) -> Option<&'a str> {
    let number = asked.message().destination.addr;
    let number = number.to_text();
    let number = number.trim_start_matches('+');
    let fitting = routes.iter().enumerate().filter_map(|(place, route)| {
        let own = route.prefixes.iter().filter(|own| number.starts_with(*own));
        let longest = own.map(String::len).max()?;
        let count = route.conditions.count();
        let rank = (Reverse(longest), Reverse(count), place);
        route
            .conditions
            .unmet(asked)
            .is_none()
            .then_some((rank, route))
    });
    fitting
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, route)| &*route.name)
}

proptest! {
    #[test]
    fn the_tables_choose_what_a_scan_chooses(
        routes in routes(),
        messages in prop::collection::vec((message(), prop::sample::select(CLIENTS.to_vec())), 1..20),
    ) {
        let tables = Routes::new(routes.clone(), Vec::new());
        for (message, client) in messages {
            let client = ClientName::parse(client).unwrap();
            let asked = Asked::new(&client, &message);
            let chosen = tables.choose(&asked).ok().map(|route| &*route.name);
            prop_assert_eq!(chosen, scan(&routes, &asked));
            let told = tables.explain(&asked, 0, &|_| Health::Up);
            prop_assert_eq!(told.route.as_deref().ok(), chosen);
        }
    }

    #[test]
    fn conditions_that_cover_others_are_met_by_whatever_meets_those(
        wide in conditions(),
        narrow in conditions(),
        message in message(),
        client in prop::sample::select(CLIENTS.to_vec()),
    ) {
        let client = ClientName::parse(client).unwrap();
        let asked = Asked::new(&client, &message);
        if wide.covers(&narrow) && narrow.unmet(&asked).is_none() {
            prop_assert_eq!(wide.unmet(&asked), None);
        }
    }
}
