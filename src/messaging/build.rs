//! From a message to the PDUs that carry it. Pure; errors name the request's field for the caller.

use bytes::{Bytes, BytesMut};

use super::body::Content;
use crate::{
    message::{Message, MessageRef, Operation},
    smpp::{
        Address, COctetString, MessageId, ShortMessage, Tag, Tlvs,
        compose::TextSettings,
        pdu::{CancelSm, Prepared, QuerySm, ReplaceSm, SubmitSm, SubmitText},
        text::{self, Coding, Encoded},
    },
};

/// A message that is ready to go.
pub(super) struct Built<P> {
    /// What goes to the SMSC.
    pub(super) pdus: Pdus<P>,
    /// Messages on the air, which is what it costs: the number of PDUs, except where the SMSC makes
    /// several out of one message_payload.
    pub(super) parts: u8,
}

/// What was made of the PDUs of one message.
pub(super) enum Pdus<P> {
    /// The common case.
    One(P),
    /// A long text, in the order of its parts.
    Parts(Vec<P>),
}

impl<P> Pdus<P> {
    /// How many there are; what rates count.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Parts(parts) => parts.len(),
        }
    }
}

/// The longest relative time that has no months or years, whose length the SMSC would choose
/// (SMPP 3.4 7.1.1).
const RELATIVE_TIME_S_MAX: u32 = 31 * 86_400;

/// The submit_sm of a message, as `each` makes them; `reference` is asked for only if it needs parts.
pub(super) fn submit<P>(
    message: &Message,
    source: Option<&Address>,
    settings: &TextSettings,
    reference: impl FnOnce() -> u16,
    each: impl FnMut(SubmitText<'_>) -> P,
) -> Result<Built<P>, String> {
    let source = source.ok_or("source: missing, and the route has no default_source")?;
    not_over_before_it_begins(message)?;
    let mut frame = SubmitSm {
        service_type: message.service_type,
        source: *source,
        destination: message.destination,
        protocol_id: message.protocol_id,
        priority_flag: priority(message.priority)?,
        schedule_delivery_time: relative_time("schedule_s", message.schedule_s)?,
        validity_period: relative_time("validity_s", message.validity_s)?,
        registered_delivery: u8::from(message.receipt),
        tlvs: tlvs(&message.tlvs)?,
        ..SubmitSm::default()
    };
    let content = Content::of(message, settings)?;
    content.pdus(&mut frame, settings.splitting, reference, each)
}

/// Both times count from when the SMSC gets the message (SMPP 3.4 7.1.1.2).
fn not_over_before_it_begins(message: &Message) -> Result<(), String> {
    let (schedule_s, validity_s) = (message.schedule_s, message.validity_s);
    match validity_s != 0 && validity_s <= schedule_s {
        false => Ok(()),
        true => Err(format!(
            "validity_s: {validity_s} is over before schedule_s, {schedule_s}; both count from the submission"
        )),
    }
}

/// The text of replace_sm, which says neither its coding nor that it has a header: it is not to be
/// in a coding that the SMSC does not take for granted.
fn encode<'t>(
    text: &'t str,
    coding: Coding,
    settings: &TextSettings,
) -> Result<Encoded<'t>, String> {
    let preferred = match coding {
        Coding::Automatic => text::encode(text, settings.default_coding).ok(),
        Coding::Gsm7 | Coding::Latin1 | Coding::Ucs2 => None,
    };
    match preferred {
        Some(encoded) => Ok(encoded),
        None => text::encode(text, coding).map_err(|error| format!("text: {error}")),
    }
}

/// The PDU of an operation.
pub(super) fn operation(operation: Operation, settings: &TextSettings) -> Result<Prepared, String> {
    let octets = &mut BytesMut::new();
    Ok(match operation {
        Operation::Query(message) => {
            let (message_id, source) = reference(&message)?;
            Prepared::of(&QuerySm { message_id, source }, octets)
        }
        Operation::Cancel(message, destination) => {
            let (message_id, source) = reference(&message)?;
            let cancel_sm = CancelSm {
                service_type: COctetString::EMPTY,
                message_id,
                source,
                destination,
            };
            Prepared::of(&cancel_sm, octets)
        }
        Operation::Replace {
            message,
            text,
            coding,
            receipt,
            validity_s,
        } => {
            let (message_id, source) = reference(&message)?;
            let encoded = encode(&text, coding, settings)?;
            let replace_sm = ReplaceSm {
                message_id,
                source,
                schedule_delivery_time: COctetString::EMPTY,
                validity_period: relative_time("validity_s", validity_s)?,
                registered_delivery: u8::from(receipt),
                sm_default_msg_id: 0,
                short_message: ShortMessage::new(encoded.data.into_owned())
                    .map_err(|error| format!("text: {error}; replace_sm has one part"))?,
            };
            Prepared::of(&replace_sm, octets)
        }
    })
}

fn reference(message: &MessageRef) -> Result<(MessageId, Address), String> {
    if message.message_id.is_empty() {
        return Err("message_id: missing".into());
    }
    let id = MessageId::new(message.message_id.clone())
        .map_err(|error| format!("message_id: {error}"))?;
    Ok((id, message.source))
}

fn priority(priority: u8) -> Result<u8, String> {
    match priority {
        0..=3 => Ok(priority),
        _ => Err(format!("priority: {priority} is not between 0 and 3")),
    }
}

/// A relative time, `YYMMDDhhmmss000R` (SMPP 3.4 7.1.1.2); empty for none.
#[inline]
fn relative_time(name: &str, seconds: u32) -> Result<COctetString<17>, String> {
    match seconds {
        0 => Ok(COctetString::EMPTY),
        1..=RELATIVE_TIME_S_MAX => {
            let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
            let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
            let time = format!("0000{days:02}{hours:02}{minutes:02}{seconds:02}000R");
            COctetString::new(time).map_err(|error| format!("{name}: {error}"))
        }
        _ => Err(format!(
            "{name}: {seconds} is more than {RELATIVE_TIME_S_MAX}, 31 days"
        )),
    }
}

fn tlvs(given: &[(u16, Bytes)]) -> Result<Tlvs, String> {
    let mut tlvs = Tlvs::EMPTY;
    for (index, (tag, value)) in given.iter().enumerate() {
        tlvs.push(Tag(*tag), value)
            .map_err(|error| format!("tlvs[{index}]: {error}"))?;
    }
    Ok(tlvs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_relative_and_has_days_and_less() {
        let text = |s| relative_time("schedule_s", s).map(|time| time.to_text());
        assert_eq!(text(0).unwrap(), "");
        assert_eq!(text(1).unwrap(), "000000000001000R");
        assert_eq!(text(90_061).unwrap(), "000001010101000R");
        assert_eq!(text(RELATIVE_TIME_S_MAX).unwrap(), "000031000000000R");
        let error = text(RELATIVE_TIME_S_MAX + 1).unwrap_err();
        assert_eq!(error, "schedule_s: 2678401 is more than 2678400, 31 days");
    }

    fn timed(schedule_s: u32, validity_s: u32) -> Result<SubmitSm, String> {
        let address = Address::international("84901234567").unwrap();
        let body = crate::message::Body::text("a");
        let message = Message {
            source: Some(address),
            validity_s,
            schedule_s,
            ..Message::new(address, body)
        };
        let settings = TextSettings::default();
        let source = message.source.as_ref();
        let pdu = |pdu: SubmitText<'_>| pdu.to_submit_sm();
        match submit(&message, source, &settings, || 1, pdu)?.pdus {
            Pdus::One(pdu) => Ok(pdu),
            Pdus::Parts(_) => Err("one letter has one part".into()),
        }
    }

    #[test]
    fn schedule_and_validity_are_in_the_pdu() {
        let pdu = timed(3600, 7200).unwrap();
        assert_eq!(pdu.schedule_delivery_time.to_text(), "000000010000000R");
        assert_eq!(pdu.validity_period.to_text(), "000000020000000R");
        let plain = timed(0, 0).unwrap();
        assert_eq!(plain.schedule_delivery_time, COctetString::EMPTY);
        assert_eq!(plain.validity_period, COctetString::EMPTY);
    }

    #[test]
    fn a_wrong_time_is_refused_by_its_field() {
        let refused = |schedule_s, validity_s| timed(schedule_s, validity_s).unwrap_err();
        assert!(refused(2_678_401, 0).starts_with("schedule_s: 2678401 is more"));
        assert!(refused(0, 2_678_401).starts_with("validity_s: 2678401 is more"));
        assert_eq!(
            refused(3600, 3600),
            "validity_s: 3600 is over before schedule_s, 3600; both count from the submission"
        );
    }
}
