//! Between the contract's messages and Sampan's own.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    bank_event::bank_event,
    fields::{AddressFields, BodyFields, Fields},
};
use crate::{
    inbox::{self, Delivery, EventKind},
    message::{
        Acceptance, Body, Message, MessageOutcome, MessageRef, MessageResult, Operation,
        TrafficClass, Transliteration,
    },
    outcome::Reason,
    rpc::{
        fault::{self, Fault},
        proto::{
            self, CancelRequest, OperationResult, QueryRequest, QueryResult, ReplaceRequest,
            SubmitResult,
        },
    },
    smpp::{Address, COctetString, CommandStatus, Npi, Ton, text::Coding},
};

/// The longest id of a caller, in bytes.
const REQUEST_ID_LENGTH_MAX: usize = 64;

/// SMPP 3.4 5.2.23: 64 characters and a NUL.
const MESSAGE_ID_LENGTH_MAX: usize = 64;

/// SMPP 3.4 5.2.8: 20 characters and a NUL.
const NUMBER_LENGTH_MAX: usize = 20;

/// SMPP 3.4 5.2.11: 5 characters and a NUL.
const SERVICE_TYPE_LENGTH_MAX: usize = 5;

/// SMPP 3.4 5.2.14.
const PRIORITY_MAX: u8 = 3;

/// Optional parameters per message. The standard has 44 tags; a message with more is a mistake.
const TLVS_MAX: usize = 64;

/// A name of an SMSC or of a route is configured, and no configured name is longer.
const NAME_LENGTH_MAX: usize = 64;

pub(super) fn request_id(id: &str) -> Result<(), Fault> {
    match id.len() {
        0 => Err(Fault::new("request_id", "empty")),
        1..=REQUEST_ID_LENGTH_MAX => Ok(()),
        length => Err(Fault::new(
            "request_id",
            format!("{length} bytes, at most {REQUEST_ID_LENGTH_MAX}"),
        )),
    }
}

pub(super) fn message(id: &str, fields: &Fields<'_>) -> Result<Message, Fault> {
    request_id(id)?;
    unnamed_message(fields)
}

/// The message of a request whose id has been looked at, or that has none.
pub(super) fn unnamed_message(fields: &Fields<'_>) -> Result<Message, Fault> {
    fault::ascii("route", fields.route, NAME_LENGTH_MAX)?;
    let coding = coding(fields.coding)?;
    Ok(Message {
        source: fields
            .source
            .as_ref()
            .map(|source| address("source", source))
            .transpose()?,
        destination: present_address("destination", fields.destination.as_ref())?,
        body: body(fields.body.as_ref(), coding)?,
        route: fields.route.to_owned(),
        receipt: fields.receipt,
        validity_s: fields.validity_s,
        service_type: service_type(fields.service_type)?,
        priority: priority(fields.priority)?,
        protocol_id: fault::octet("protocol_id", fields.protocol_id)?,
        tlvs: tlvs(fields.tlvs)?,
        schedule_s: fields.schedule_s,
        class: class(fields.traffic_class)?,
        transliteration: transliteration(fields.transliteration)?,
        resend_after_unknown: fields.resend_after_unknown,
    })
}

fn class(class: i32) -> Result<TrafficClass, Fault> {
    match proto::TrafficClass::try_from(class) {
        Ok(proto::TrafficClass::Normal) => Ok(TrafficClass::Normal),
        Ok(proto::TrafficClass::Urgent) => Ok(TrafficClass::Urgent),
        Ok(proto::TrafficClass::Bulk) => Ok(TrafficClass::Bulk),
        Err(_) => Err(Fault::new(
            "traffic_class",
            format!("{class} is no TrafficClass"),
        )),
    }
}

fn transliteration(wanted: i32) -> Result<Transliteration, Fault> {
    match proto::Transliteration::try_from(wanted) {
        Ok(proto::Transliteration::Default) => Ok(Transliteration::Default),
        Ok(proto::Transliteration::Off) => Ok(Transliteration::Off),
        Ok(proto::Transliteration::On) => Ok(Transliteration::On),
        Err(_) => Err(Fault::new(
            "transliteration",
            format!("{wanted} is no Transliteration"),
        )),
    }
}

fn present_address(field: &str, address: Option<&AddressFields<'_>>) -> Result<Address, Fault> {
    match address {
        Some(given) => self::address(field, given),
        None => Err(Fault::new(field, "missing")),
    }
}

fn address(field: &str, address: &AddressFields<'_>) -> Result<Address, Fault> {
    let octet = |field, value: Option<u32>| value.map(|v| fault::octet(field, v)).transpose();
    let checked = || {
        fault::ascii_present("number", address.number, NUMBER_LENGTH_MAX)?;
        let ton = octet("ton", address.ton)?.map(Ton);
        let npi = octet("npi", address.npi)?.map(Npi);
        Address::of(address.number, ton, npi)
            .map_err(|error| Fault::new("number", error.to_string()))
    };
    checked().map_err(|fault: Fault| fault.inside(field))
}

fn service_type(text: &str) -> Result<COctetString<6>, Fault> {
    const FIELD: &str = "service_type";
    fault::ascii(FIELD, text, SERVICE_TYPE_LENGTH_MAX)?;
    COctetString::new(text).map_err(|error| Fault::new(FIELD, error.to_string()))
}

fn body(body: Option<&BodyFields<'_>>, coding: Coding) -> Result<Body, Fault> {
    match body {
        Some(BodyFields::Text(text)) => Ok(Body::Text {
            text: (*text).to_owned(),
            coding,
        }),
        Some(BodyFields::Binary(binary)) => Ok(Body::Binary {
            data: binary.data.clone(),
            data_coding: fault::octet("binary.data_coding", binary.data_coding)?,
            has_user_data_header: binary.has_user_data_header,
        }),
        None => Err(Fault::new("body", "missing: set text or binary")),
    }
}

fn coding(coding: i32) -> Result<Coding, Fault> {
    match proto::Coding::try_from(coding) {
        Ok(proto::Coding::Automatic) => Ok(Coding::Automatic),
        Ok(proto::Coding::Gsm7) => Ok(Coding::Gsm7),
        Ok(proto::Coding::Latin1) => Ok(Coding::Latin1),
        Ok(proto::Coding::Ucs2) => Ok(Coding::Ucs2),
        Err(_) => Err(Fault::new("coding", format!("{coding} is no Coding"))),
    }
}

fn priority(priority: u32) -> Result<u8, Fault> {
    match fault::octet("priority", priority) {
        Ok(level @ 0..=PRIORITY_MAX) => Ok(level),
        _ => {
            let what = format!("{priority} is not between 0 and {PRIORITY_MAX}");
            Err(Fault::new("priority", what))
        }
    }
}

fn tlvs(tlvs: &[proto::Tlv]) -> Result<Vec<(u16, Bytes)>, Fault> {
    if tlvs.len() > TLVS_MAX {
        let what = format!("{} of them, at most {TLVS_MAX}", tlvs.len());
        return Err(Fault::new("tlvs", what));
    }
    let mut checked = Vec::with_capacity(tlvs.len());
    for (position, tlv) in tlvs.iter().enumerate() {
        let Ok(tag) = u16::try_from(tlv.tag) else {
            let what = format!("{} is not between 0 and 65535", tlv.tag);
            return Err(Fault::new(format!("tlvs[{position}].tag"), what));
        };
        if tlv.value.len() > usize::from(u16::MAX) {
            let what = format!("{} bytes, at most {}", tlv.value.len(), u16::MAX);
            return Err(Fault::new(format!("tlvs[{position}].value"), what));
        }
        checked.push((tag, tlv.value.clone()));
    }
    Ok(checked)
}

pub(super) fn query(request: QueryRequest) -> Result<Operation, Fault> {
    let message = message_ref(request.smsc, request.message_id, request.source)?;
    Ok(Operation::Query(message))
}

pub(super) fn cancel(request: CancelRequest) -> Result<Operation, Fault> {
    let message = message_ref(request.smsc, request.message_id, request.source)?;
    let destination = request.destination.as_ref().map(Into::into);
    let destination = present_address("destination", destination.as_ref())?;
    Ok(Operation::Cancel(message, destination))
}

pub(super) fn replace(request: ReplaceRequest) -> Result<Operation, Fault> {
    Ok(Operation::Replace {
        message: message_ref(request.smsc, request.message_id, request.source)?,
        text: request.text,
        coding: coding(request.coding)?,
        receipt: request.receipt,
        validity_s: request.validity_s,
    })
}

fn message_ref(
    smsc: String,
    message_id: String,
    source: Option<proto::Address>,
) -> Result<MessageRef, Fault> {
    fault::ascii_present("smsc", &smsc, NAME_LENGTH_MAX)?;
    fault::ascii_present("message_id", &message_id, MESSAGE_ID_LENGTH_MAX)?;
    Ok(MessageRef {
        smsc,
        message_id: message_id.into(),
        source: present_address("source", source.as_ref().map(Into::into).as_ref())?,
    })
}

pub(super) fn submit_result(request_id: Arc<str>, outcome: MessageOutcome) -> SubmitResult {
    let retry_is_safe = outcome.retry_is_safe();
    let smsc = outcome.smsc.as_deref().unwrap_or_default().to_owned();
    let parts = outcome.parts.into();
    let attempts = outcome.attempts.into();
    let repeated = outcome.repeated;
    let message_ids = outcome.message_ids().iter().map(|id| text(id)).collect();
    let (told, _) = Told::of(outcome.result);
    SubmitResult {
        request_id: request_id.as_ref().to_owned(),
        outcome: told.outcome.into(),
        retry_is_safe,
        message_ids,
        rejection: told.rejection,
        reason: told.reason.into(),
        detail: told.detail,
        smsc,
        parts,
        repeated,
        attempts,
    }
}

pub(super) fn operation_result(request_id: Arc<str>, outcome: MessageOutcome) -> OperationResult {
    operation(request_id, outcome).0
}

pub(super) fn query_result(request_id: Arc<str>, outcome: MessageOutcome) -> QueryResult {
    let (result, acceptance) = operation(request_id, outcome);
    let mut answer = QueryResult {
        result: Some(result),
        ..QueryResult::default()
    };
    if let Some(Acceptance::State {
        message_state: state,
        final_date,
        error_code,
    }) = acceptance
    {
        answer.state = message_state(state);
        answer.final_date = text(&final_date);
        answer.error_code = error_code.into();
    }
    answer
}

fn operation(
    request_id: Arc<str>,
    outcome: MessageOutcome,
) -> (OperationResult, Option<Acceptance>) {
    let retry_is_safe = outcome.retry_is_safe();
    let smsc = outcome.smsc.as_deref().unwrap_or_default().to_owned();
    let (told, acceptance) = Told::of(outcome.result);
    let result = OperationResult {
        request_id: request_id.as_ref().to_owned(),
        outcome: told.outcome.into(),
        retry_is_safe,
        rejection: told.rejection,
        reason: told.reason.into(),
        detail: told.detail,
        smsc,
    };
    (result, acceptance)
}

/// The fields that results of submissions and of operations have in common.
struct Told {
    outcome: proto::Outcome,
    rejection: Option<proto::Rejection>,
    reason: proto::Reason,
    detail: String,
}

impl Told {
    fn of(result: MessageResult) -> (Self, Option<Acceptance>) {
        let without_reason = |outcome, rejection| Self {
            outcome,
            rejection,
            reason: proto::Reason::Unspecified,
            detail: String::new(),
        };
        let with_reason = |outcome, reason: Reason, detail| Self {
            outcome,
            rejection: None,
            reason: reason.into(),
            detail,
        };
        match result {
            MessageResult::Accepted(acceptance) => (
                without_reason(proto::Outcome::Accepted, None),
                Some(acceptance),
            ),
            MessageResult::Rejected { status, temporary } => {
                let rejection = Some(rejection(status, temporary));
                (without_reason(proto::Outcome::Rejected, rejection), None)
            }
            MessageResult::NotSent { reason, detail } => {
                (with_reason(proto::Outcome::NotSent, reason, detail), None)
            }
            MessageResult::Unknown { reason, detail } => {
                (with_reason(proto::Outcome::Unknown, reason, detail), None)
            }
        }
    }
}

fn rejection(status: CommandStatus, temporary: bool) -> proto::Rejection {
    proto::Rejection {
        command_status: status.0,
        name: status.to_string(),
        temporary,
    }
}

/// A state that the standard does not know is told as unspecified.
fn message_state(state: u8) -> i32 {
    proto::MessageState::try_from(i32::from(state))
        .unwrap_or_default()
        .into()
}

/// A field that is ASCII by the standard. An SMSC that sends anything else cannot break a result.
fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

pub(super) fn event(delivery: Delivery) -> proto::Event {
    // Several subscriptions may share the event; where none does, nothing is copied.
    let event = Arc::unwrap_or_clone(delivery.event);
    let told = proto::Event {
        delivery_id: delivery.id,
        link: event.link.as_ref().to_owned(),
        redelivered: delivery.redelivered,
        received_at_ms: delivery.received_at_ms,
        ..proto::Event::default()
    };
    let kind = match event.kind {
        EventKind::Message(message) => proto::event::Kind::Message(message.into()),
        EventKind::Receipt(receipt) => proto::event::Kind::Receipt(receipt.into()),
        EventKind::Bank(begun) => {
            let kind = proto::event::Kind::Bank(bank_event(&event.peer, begun));
            return proto::Event {
                kind: Some(kind),
                ..told
            };
        }
    };
    proto::Event {
        smsc: event.peer.as_ref().to_owned(),
        source: Some(event.source.into()),
        destination: Some(event.destination.into()),
        kind: Some(kind),
        ..told
    }
}

impl From<inbox::Address> for proto::Address {
    fn from(address: inbox::Address) -> Self {
        Self {
            number: text(&address.number),
            ton: address.ton.map(u32::from),
            npi: address.npi.map(u32::from),
        }
    }
}

impl From<inbox::MobileOriginated> for proto::MobileOriginated {
    fn from(message: inbox::MobileOriginated) -> Self {
        Self {
            text: message.text,
            data: message.data,
            data_coding: message.data_coding.into(),
            esm_class: message.esm_class.into(),
            user_data_header: message.user_data_header,
            tlvs: message.tlvs.into_iter().map(tlv).collect(),
            parts: u32::from(message.parts.max(1)),
            missing_parts: message.missing_parts.into_iter().map(u32::from).collect(),
        }
    }
}

impl From<inbox::Receipt> for proto::Receipt {
    fn from(receipt: inbox::Receipt) -> Self {
        let mut told = Self {
            message_id: text(&receipt.message_id),
            state: message_state(receipt.message_state),
            error: text(&receipt.error),
            submit_date: text(&receipt.submit_date),
            done_date: text(&receipt.done_date),
            data: receipt.data,
            tlvs: receipt.tlvs.into_iter().map(tlv).collect(),
            ..Self::default()
        };
        if let Some(about) = receipt.request {
            told.request_id = about.request_id.as_ref().to_owned();
            told.client = about.client.as_ref().to_owned();
            told.part = about.part.into();
            told.parts = about.parts.into();
            told.whole_state = message_state(about.whole_state);
        }
        told
    }
}

fn tlv((tag, value): (u16, Bytes)) -> proto::Tlv {
    proto::Tlv {
        tag: tag.into(),
        value,
    }
}
