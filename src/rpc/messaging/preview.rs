//! The contract's Preview in Sampan's own words and back. What a submission would refuse, a preview
//! refuses with the same reason and the same words.

use super::{fields::Fields, translate};
use crate::{
    client::ClientName,
    messaging::{Messaging, Preview, Refusal},
    outcome::Reason,
    rpc::proto::{
        self, PreviewRequest, PreviewResult, SubmitRequest, preview_request, submit_request,
    },
    smpp::{segment::Splitting, text::Coding},
};

/// What the message would become.
pub(super) fn preview(
    messaging: &Messaging,
    client: &ClientName,
    request: PreviewRequest,
) -> PreviewResult {
    let told = translate::unnamed_message(&Fields::from(&submission(request)))
        .map_err(|fault| (Reason::Invalid, fault.to_string()))
        .and_then(|message| messaging.preview(client, &message));
    match told {
        Ok(preview) => result(preview),
        Err(refusal) => not_sent(refusal),
    }
}

fn submission(request: PreviewRequest) -> SubmitRequest {
    SubmitRequest {
        source: request.source,
        destination: request.destination,
        body: request.body.map(|body| match body {
            preview_request::Body::Text(text) => submit_request::Body::Text(text),
            preview_request::Body::Binary(binary) => submit_request::Body::Binary(binary),
        }),
        coding: request.coding,
        route: request.route,
        transliteration: request.transliteration,
        ..SubmitRequest::default()
    }
}

fn not_sent((reason, detail): Refusal) -> PreviewResult {
    PreviewResult {
        outcome: proto::Outcome::NotSent.into(),
        reason: proto::Reason::from(reason).into(),
        detail,
        ..PreviewResult::default()
    }
}

fn result(preview: Preview) -> PreviewResult {
    let carriage = preview.carriage;
    let count = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    PreviewResult {
        route: preview.route.as_ref().to_owned(),
        smsc: preview.smsc.as_ref().to_owned(),
        coding: coding(carriage.coding).into(),
        data_coding: carriage.data_coding.into(),
        parts: carriage.parts.into(),
        units: count(carriage.units),
        units_left: count(carriage.units_left),
        splitting: splitting(carriage.splitting).into(),
        text: carriage.text.unwrap_or_default(),
        ..PreviewResult::default()
    }
}

/// Bytes that are no text have no coding of the contract's; their data_coding says what they are.
fn coding(coding: Option<Coding>) -> proto::Coding {
    match coding {
        Some(Coding::Gsm7) => proto::Coding::Gsm7,
        Some(Coding::Latin1) => proto::Coding::Latin1,
        Some(Coding::Ucs2) => proto::Coding::Ucs2,
        Some(Coding::Automatic) | None => proto::Coding::Automatic,
    }
}

fn splitting(splitting: Option<Splitting>) -> proto::Splitting {
    match splitting {
        None => proto::Splitting::None,
        Some(Splitting::Udh8) => proto::Splitting::Udh8,
        Some(Splitting::Udh16) => proto::Splitting::Udh16,
        Some(Splitting::Sar) => proto::Splitting::Sar,
        Some(Splitting::Payload) => proto::Splitting::Payload,
    }
}
