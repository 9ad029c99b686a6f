//! Routes and messages for the tests of this module.

use bytes::Bytes;

use super::{Choice, Conditions, Keyword, Member, MessageRoute, SmscSet};
use crate::{
    client::ClientName,
    message::{Address, Body, Message, TrafficClass, Transliteration},
    smpp::text::Coding,
};

pub(super) fn message(number: &str, text: &str) -> Message {
    Message {
        source: None,
        destination: Address {
            number: Bytes::copy_from_slice(number.as_bytes()),
            ton: None,
            npi: None,
        },
        body: Body::Text {
            text: text.into(),
            coding: Coding::Automatic,
        },
        route: String::new(),
        receipt: false,
        validity_s: 0,
        service_type: Bytes::new(),
        priority: 0,
        protocol_id: 0,
        tlvs: Vec::new(),
        schedule_s: 0,
        class: TrafficClass::Normal,
        transliteration: Transliteration::Default,
        resend_after_unknown: false,
    }
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
