//! From a message to the PDUs that carry it. Pure; errors name the request's field for the caller.

use bytes::Bytes;

use crate::{
    link::{SmscRequest, settings::SmscSettings},
    message::{Address, Body, Message, MessageRef, Operation},
    smpp::{
        self, COctetString, MessageId, Npi, ShortMessage, Tag, Tlvs, Ton,
        pdu::{CancelSm, EsmClass, QuerySm, ReplaceSm, SubmitSm},
        segment::{Segments, segments},
        text::{self, Coding, Encoded},
    },
};

/// The PDUs of one message.
pub(super) enum Pdus {
    /// The common case.
    One(SubmitSm),
    /// A long text, in the order of its parts.
    Parts(Vec<SubmitSm>),
}

impl Pdus {
    /// How many there are; what rates count.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Parts(parts) => parts.len(),
        }
    }
}

/// Digits from which on a number is taken for an international one; shorter ones are short codes.
const INTERNATIONAL_DIGITS_MIN: usize = 7;

/// The most characters of an alphanumeric sender that a handset shows (GSM 03.40 9.1.2.5).
const ALPHANUMERIC_MAX: usize = 11;

/// The longest relative validity_period that has no months or years (SMPP 3.4 7.1.1).
const VALIDITY_S_MAX: u32 = 31 * 86_400;

const SHORT_MESSAGE_OCTETS_MAX: usize = smpp::octets::SHORT_MESSAGE_OCTETS_MAX;

/// The submit_sm of a message; `reference` is asked for only if it needs parts.
pub(super) fn submit(
    message: &Message,
    source: Option<&Address>,
    settings: &SmscSettings,
    reference: impl FnOnce() -> u8,
) -> Result<Pdus, String> {
    let source = source.ok_or("source: missing, and the route has no default_source")?;
    let frame = SubmitSm {
        service_type: field("service_type", &message.service_type)?,
        source: address("source", source)?,
        destination: address("destination", &message.destination)?,
        protocol_id: message.protocol_id,
        priority_flag: priority(message.priority)?,
        validity_period: validity(message.validity_s)?,
        registered_delivery: u8::from(message.receipt),
        tlvs: tlvs(&message.tlvs)?,
        ..SubmitSm::default()
    };
    match &message.body {
        Body::Binary {
            data,
            data_coding,
            has_user_data_header,
        } => {
            let esm_class = match has_user_data_header {
                true => EsmClass::UDHI,
                false => EsmClass::DEFAULT,
            };
            let frame = SubmitSm {
                esm_class,
                data_coding: *data_coding,
                ..frame
            };
            binary(frame, data).map(Pdus::One)
        }
        Body::Text { text, coding } => text_pdus(frame, text, *coding, settings, reference),
    }
}

fn text_pdus(
    frame: SubmitSm,
    text: &str,
    coding: Coding,
    settings: &SmscSettings,
    reference: impl FnOnce() -> u8,
) -> Result<Pdus, String> {
    let encoded = encode(text, coding, settings)?;
    let is_short = encoded.data.len() <= 140;
    let reference = if is_short { 0 } else { reference() };
    let data_coding = encoded.data_coding;
    let segments = segments(&encoded, reference).map_err(|error| format!("text: {error}"))?;
    let esm_class = segments.esm_class();
    let pdu = |frame: SubmitSm, data: Bytes| {
        let short_message = ShortMessage::new(data).map_err(|error| format!("text: {error}"))?;
        Ok(SubmitSm {
            esm_class,
            data_coding,
            short_message,
            ..frame
        })
    };
    match segments {
        Segments::Whole(data) => pdu(frame, data).map(Pdus::One),
        Segments::Parts(parts) => {
            let pdus = parts.into_iter().map(|data| pdu(frame.clone(), data));
            pdus.collect::<Result<_, String>>().map(Pdus::Parts)
        }
    }
}

/// The SMSC's own coding is tried first where the caller leaves the choice.
fn encode(text: &str, coding: Coding, settings: &SmscSettings) -> Result<Encoded, String> {
    let preferred = match coding {
        Coding::Automatic => text::encode(text, settings.default_coding).ok(),
        Coding::Gsm7 | Coding::Latin1 | Coding::Ucs2 => None,
    };
    match preferred {
        Some(encoded) => Ok(encoded),
        None => text::encode(text, coding).map_err(|error| format!("text: {error}")),
    }
}

/// Bytes go as they are: in short_message, or in message_payload if they are too many for it.
fn binary(mut frame: SubmitSm, data: &Bytes) -> Result<SubmitSm, String> {
    if data.len() <= SHORT_MESSAGE_OCTETS_MAX {
        frame.short_message =
            ShortMessage::new(data.clone()).map_err(|error| format!("binary.data: {error}"))?;
    } else {
        frame
            .tlvs
            .push(Tag::MESSAGE_PAYLOAD, data)
            .map_err(|error| format!("binary.data: {error}"))?;
    }
    Ok(frame)
}

/// The PDU of an operation.
pub(super) fn operation(
    operation: Operation,
    settings: &SmscSettings,
) -> Result<SmscRequest, String> {
    Ok(match operation {
        Operation::Query(message) => {
            let (message_id, source) = reference(&message)?;
            SmscRequest::Query(QuerySm { message_id, source })
        }
        Operation::Cancel(message, destination) => {
            let (message_id, source) = reference(&message)?;
            SmscRequest::Cancel(CancelSm {
                service_type: COctetString::EMPTY,
                message_id,
                source,
                destination: address("destination", &destination)?,
            })
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
            SmscRequest::Replace(ReplaceSm {
                message_id,
                source,
                schedule_delivery_time: COctetString::EMPTY,
                validity_period: validity(validity_s)?,
                registered_delivery: u8::from(receipt),
                sm_default_msg_id: 0,
                short_message: ShortMessage::new(encoded.data)
                    .map_err(|error| format!("text: {error}; replace_sm has one part"))?,
            })
        }
    })
}

fn reference(message: &MessageRef) -> Result<(MessageId, smpp::Address), String> {
    if message.message_id.is_empty() {
        return Err("message_id: missing".into());
    }
    let id = MessageId::new(message.message_id.clone())
        .map_err(|error| format!("message_id: {error}"))?;
    Ok((id, address("source", &message.source)?))
}

/// An address with its kind, chosen by its look where the caller does not say.
fn address(field: &str, address: &Address) -> Result<smpp::Address, String> {
    let number = address.number.strip_prefix(b"+").unwrap_or(&address.number);
    if number.is_empty() {
        return Err(format!("{field}.number: missing"));
    }
    let is_digits = number.iter().all(u8::is_ascii_digit);
    let (ton, npi) = match (is_digits, number.len()) {
        (true, INTERNATIONAL_DIGITS_MIN..) => (Ton::INTERNATIONAL, Npi::ISDN),
        (true, _) => (Ton::NETWORK_SPECIFIC, Npi::UNKNOWN),
        (false, _) => (Ton::ALPHANUMERIC, Npi::UNKNOWN),
    };
    let ton = address.ton.map_or(ton, Ton);
    let npi = address.npi.map_or(npi, Npi);
    if ton == Ton::ALPHANUMERIC && number.len() > ALPHANUMERIC_MAX {
        return Err(format!(
            "{field}.number: {} characters, and an alphanumeric address has {ALPHANUMERIC_MAX} at most",
            number.len()
        ));
    }
    smpp::Address::new(ton, npi, number).map_err(|error| format!("{field}.number: {error}"))
}

fn field<const MAX: usize>(name: &str, value: &[u8]) -> Result<COctetString<MAX>, String> {
    COctetString::new(value).map_err(|error| format!("{name}: {error}"))
}

fn priority(priority: u8) -> Result<u8, String> {
    match priority {
        0..=3 => Ok(priority),
        _ => Err(format!("priority: {priority} is not between 0 and 3")),
    }
}

/// A relative time, `YYMMDDhhmmss000R` (SMPP 3.4 7.1.1.2).
fn validity(validity_s: u32) -> Result<COctetString<17>, String> {
    match validity_s {
        0 => Ok(COctetString::EMPTY),
        1..=VALIDITY_S_MAX => {
            let (days, hours) = (validity_s / 86_400, validity_s / 3600 % 24);
            let (minutes, seconds) = (validity_s / 60 % 60, validity_s % 60);
            let time = format!("0000{days:02}{hours:02}{minutes:02}{seconds:02}000R");
            field("validity_s", time.as_bytes())
        }
        _ => Err(format!(
            "validity_s: {validity_s} is more than {VALIDITY_S_MAX}, 31 days"
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

    fn kind(number: &'static str) -> (u8, u8) {
        let plain = Address {
            number: Bytes::from_static(number.as_bytes()),
            ton: None,
            npi: None,
        };
        let address = address("source", &plain).unwrap();
        (address.ton.0, address.npi.0)
    }

    #[test]
    fn the_kind_of_an_address_follows_from_its_look() {
        assert_eq!(kind("84901234567"), (1, 1));
        assert_eq!(kind("+84901234567"), (1, 1));
        assert_eq!(kind("8049"), (3, 0));
        assert_eq!(kind("VnMart"), (5, 0));
    }

    #[test]
    fn the_callers_kind_of_an_address_stands() {
        let given = Address {
            number: Bytes::from_static(b"84901234567"),
            ton: Some(0),
            npi: Some(9),
        };
        let address = address("source", &given).unwrap();
        assert_eq!((address.ton.0, address.npi.0), (0, 9));
    }

    #[test]
    fn a_validity_is_a_relative_time_of_days_and_less() {
        let text = |s| validity(s).map(|time| time.to_text());
        assert_eq!(text(0).unwrap(), "");
        assert_eq!(text(90_061).unwrap(), "000001010101000R");
        assert_eq!(text(VALIDITY_S_MAX).unwrap(), "000031000000000R");
        let error = text(VALIDITY_S_MAX + 1).unwrap_err();
        assert_eq!(error, "validity_s: 2678401 is more than 2678400, 31 days");
    }

    #[test]
    fn a_long_alphanumeric_sender_is_refused_by_name() {
        let long = Address {
            number: Bytes::from_static(b"VnMartPayment"),
            ton: None,
            npi: None,
        };
        assert_eq!(
            address("source", &long).unwrap_err(),
            "source.number: 13 characters, and an alphanumeric address has 11 at most"
        );
    }
}
