//! A message to the PDU that carries it: what the router does for each one before a link gets it.

use std::hint::black_box;

use bytes::BytesMut;

use crate::message::{Body, Message};
use crate::smpp::Address;
use crate::smpp::compose::TextSettings;
use crate::smpp::pdu::{Prepared, SubmitText};
use crate::{TIMES, named, routes};

#[path = "../../../src/messaging/body.rs"]
mod body;
#[path = "../../../src/messaging/build.rs"]
mod build;

/// Messages of one gRPC message, whose PDUs share an allocation.
const BATCH: u32 = 64;

pub(crate) fn run() {
    message_to_pdu(&message());
}

/// A text of 57 characters to one number.
fn message() -> Message {
    let address = |number: &'static str| Address::of(number, None, None).unwrap();
    Message {
        source: Some(address("84900000001")),
        body: Body::text("Your order of two bags of rice is on its way to Hai Phong"),
        ..routes::message("84912345678".to_owned())
    }
}

#[inline(never)]
fn message_to_pdu(message: &Message) {
    named("message_to_pdu");
    let settings = TextSettings::default();
    let source = message.source.as_ref();
    for _ in 0..TIMES / BATCH {
        let mut octets = BytesMut::with_capacity(256 * BATCH as usize);
        for _ in 0..BATCH {
            let message = black_box(message);
            let prepared = |pdu: SubmitText<'_>| Prepared::of(&pdu, &mut octets);
            let settings = black_box(&settings);
            black_box(build::submit(message, source, settings, || 1, prepared).unwrap());
        }
    }
}
