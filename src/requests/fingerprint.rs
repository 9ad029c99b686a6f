//! What tells a request from another one with the same id: sixty-four bits of all that is sent. It
//! must be the same for each repetition of a request, and in every version that reads the same rows.

use crate::{
    digest::DigestKey,
    message::{Body, Message},
    smpp::{Address, text::Coding},
};

/// Sixty-four bits of what a request sends. Whom it may overtake and where it may be tried again is
/// not part of it: a retry may be more urgent.
///
/// The lengths of all fields come first, so that neighbouring ones cannot be taken for each other.
pub(super) fn fingerprint(key: DigestKey, message: &Message) -> u64 {
    let mut all = key.begin_fingerprint();
    let source = message.source.as_ref();
    let source_number = source.map_or(&[][..], |source| source.addr.as_bytes());
    let destination_number = message.destination.addr.as_bytes();
    let service_type = message.service_type.as_bytes();
    let (body, octets) = body(&message.body);
    // Two addresses and a service_type have 20 octets at most, the name of a route 64.
    all.number(
        (source_number.len() as u64) << 56
            | (destination_number.len() as u64) << 48
            | (service_type.len() as u64) << 40
            | (message.route.len() as u64) << 32
            | (message.tlvs.len() as u64) << 24
            | u64::from(body),
    );
    all.number(
        u64::from(message.receipt) << 56
            | (message.transliteration as u64) << 48
            | u64::from(message.priority) << 44
            | u64::from(message.protocol_id) << 36
            | source.map_or(0, kind) << 16
            | kind(&message.destination),
    );
    all.number(u64::from(message.validity_s) << 32 | u64::from(message.schedule_s));
    all.octets(source_number);
    all.octets(destination_number);
    all.octets(service_type);
    all.octets(message.route.as_bytes());
    all.field(octets);
    for (tag, value) in &message.tlvs {
        all.number((*tag).into());
        all.field(value);
    }
    all.end()
}

/// What a body is, in 18 bits, and its octets.
fn body(body: &Body) -> (u32, &[u8]) {
    match body {
        Body::Text { text, coding } => {
            let coding = match coding {
                Coding::Automatic => 0,
                Coding::Gsm7 => 1,
                Coding::Latin1 => 2,
                Coding::Ucs2 => 3,
            };
            (coding, text.as_bytes())
        }
        Body::Binary {
            data,
            data_coding,
            has_user_data_header,
        } => {
            let header = u32::from(*has_user_data_header);
            (1 << 17 | header << 8 | u32::from(*data_coding), data)
        }
    }
}

/// The kind of an address, in 16 bits.
fn kind(address: &Address) -> u64 {
    u64::from(address.ton.0) << 8 | u64::from(address.npi.0)
}
