//! The fields of a `SubmitRequest`, wherever they stand: in prost's struct, or in the octets that came.
//! They are only read here; what they may be is the translation's business.

use crate::rpc::proto::{self, SubmitRequest, submit_request};

/// The contract's fields by their names there, as they were sent.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) source: Option<AddressFields<'a>>,
    pub(super) destination: Option<AddressFields<'a>>,
    pub(super) body: Option<BodyFields<'a>>,
    pub(super) coding: i32,
    pub(super) route: &'a str,
    pub(super) receipt: bool,
    pub(super) validity_s: u32,
    pub(super) service_type: &'a str,
    pub(super) priority: u32,
    pub(super) protocol_id: u32,
    pub(super) tlvs: &'a [proto::Tlv],
    pub(super) schedule_s: u32,
    pub(super) traffic_class: i32,
    pub(super) transliteration: i32,
    pub(super) resend_after_unknown: bool,
}

#[derive(Default)]
pub(super) struct AddressFields<'a> {
    /// ASCII, or what prost has found to be UTF-8.
    pub(super) number: &'a [u8],
    pub(super) ton: Option<u32>,
    pub(super) npi: Option<u32>,
}

pub(super) enum BodyFields<'a> {
    Text(&'a str),
    Binary(&'a proto::BinaryBody),
}

impl<'a> From<&'a SubmitRequest> for Fields<'a> {
    fn from(request: &'a SubmitRequest) -> Self {
        Self {
            source: request.source.as_ref().map(Into::into),
            destination: request.destination.as_ref().map(Into::into),
            body: request.body.as_ref().map(|body| match body {
                submit_request::Body::Text(text) => BodyFields::Text(text),
                submit_request::Body::Binary(binary) => BodyFields::Binary(binary),
            }),
            coding: request.coding,
            route: &request.route,
            receipt: request.receipt,
            validity_s: request.validity_s,
            service_type: &request.service_type,
            priority: request.priority,
            protocol_id: request.protocol_id,
            tlvs: &request.tlvs,
            schedule_s: request.schedule_s,
            traffic_class: request.traffic_class,
            transliteration: request.transliteration,
            resend_after_unknown: request.resend_after_unknown,
        }
    }
}

impl<'a> From<&'a proto::Address> for AddressFields<'a> {
    fn from(address: &'a proto::Address) -> Self {
        Self {
            number: address.number.as_bytes(),
            ton: address.ton,
            npi: address.npi,
        }
    }
}
