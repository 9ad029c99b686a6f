//! Routes and messages for the tests of this module.

use bytes::Bytes;

use super::{Choice, Conditions, Keyword, Member, MessageRoute, SmscSet};
use crate::{
    client::ClientName,
    message::{Body, Message},
    smpp::Address,
};

pub(super) fn message(number: &str, text: &str) -> Message {
    let destination = Address::of(number, None, None).unwrap();
    Message::new(destination, Body::text(text))
}

pub(super) fn binary(number: &str) -> Message {
    Message {
        body: Body::Binary {
            data: Bytes::from_static(b"otp"),
            data_coding: 4,
            has_user_data_header: false,
        },
        ..message(number, "")
    }
}

pub(super) fn route(name: &str, prefixes: &[&str]) -> MessageRoute {
    MessageRoute {
        name: name.into(),
        prefixes: prefixes.iter().map(ToString::to_string).collect(),
        conditions: Conditions::default(),
        smscs: SmscSet::new(Choice::Ordered, ["a", "b", "c"].map(Member::new).into()),
        failover_max: 2,
        default_source: None,
    }
}

pub(super) fn with_keywords(mut route: MessageRoute, words: &[&str]) -> MessageRoute {
    let words = words.iter().map(|word| Keyword::parse(word).unwrap());
    route.conditions.keywords = words.collect();
    route
}

pub(super) fn with_clients(mut route: MessageRoute, names: &[&str]) -> MessageRoute {
    let names = names.iter().map(|name| ClientName::parse(name).unwrap());
    route.conditions.clients = names.collect();
    route
}
