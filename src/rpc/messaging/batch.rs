//! The requests of a batch, read straight from its octets.
//!
//! Nearly all requests are a text to a number. These are translated where they stand, so that nothing
//! is made that lives only until it is translated. A batch with anything else in it, or with octets
//! that make no sense, is left to prost as a whole: it alone decides what is wrong. A test holds both
//! against each other.

use std::{str, sync::Arc};

use prost::{DecodeError, Message as _};

use super::{
    fields::{AddressFields, BodyFields, Fields},
    translate,
};
use crate::{
    message::Message,
    rpc::{
        codec::Question,
        fault::Fault,
        proto::{self, SubmitRequest},
    },
};

/// A request for a message, translated as far as it can be without its caller.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(super) id: Arc<str>,
    pub(super) message: Result<Box<Message>, Fault>,
    pub(super) deadline_ms: u32,
}

impl Asked {
    fn new(id: &str, fields: &Fields<'_>, deadline_ms: u32) -> Self {
        Self {
            id: id.into(),
            message: translate::message(id, fields).map(Box::new),
            deadline_ms,
        }
    }
}

impl From<SubmitRequest> for Asked {
    fn from(request: SubmitRequest) -> Self {
        Self::new(
            &request.request_id,
            &Fields::from(&request),
            request.deadline_ms,
        )
    }
}

/// A `SubmitBatch`, translated.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AskedBatch(pub(super) Vec<Asked>);

impl Question for AskedBatch {
    fn read(octets: &[u8]) -> Result<Self, DecodeError> {
        if let Some(plain) = plain_batch(octets) {
            return Ok(Self(plain));
        }
        let batch = proto::SubmitBatch::decode(octets)?;
        Ok(Self(batch.requests.into_iter().map(Into::into).collect()))
    }
}

/// What a request with a text of common length takes; the room for a batch is made by it.
const REQUEST_OCTETS: usize = 64;

/// A field's number with its wire type: a number is 0, octets with their length are 2.
const fn key(field: u64, wire_type: u64) -> u64 {
    field << 3 | wire_type
}

const NUMBER: u64 = 0;
const OCTETS: u64 = 2;

fn plain_batch(octets: &[u8]) -> Option<Vec<Asked>> {
    const REQUESTS: u64 = key(1, OCTETS);

    let mut requests = Vec::with_capacity(octets.len() / REQUEST_OCTETS + 1);
    let mut reader = Reader(octets);
    while let Some(key) = reader.key()? {
        match key {
            REQUESTS => requests.push(plain_request(reader.octets()?)?),
            _ => return None,
        }
    }
    Some(requests)
}

fn plain_request(octets: &[u8]) -> Option<Asked> {
    const REQUEST_ID: u64 = key(1, OCTETS);
    const SOURCE: u64 = key(2, OCTETS);
    const DESTINATION: u64 = key(3, OCTETS);
    const TEXT: u64 = key(4, OCTETS);
    const CODING: u64 = key(6, NUMBER);
    const ROUTE: u64 = key(7, OCTETS);
    const RECEIPT: u64 = key(8, NUMBER);
    const VALIDITY_S: u64 = key(9, NUMBER);
    const DEADLINE_MS: u64 = key(10, NUMBER);
    const SERVICE_TYPE: u64 = key(11, OCTETS);
    const PRIORITY: u64 = key(12, NUMBER);
    const PROTOCOL_ID: u64 = key(13, NUMBER);
    const SCHEDULE_S: u64 = key(15, NUMBER);
    const TRAFFIC_CLASS: u64 = key(16, NUMBER);
    const TRANSLITERATION: u64 = key(17, NUMBER);
    const RESEND_AFTER_UNKNOWN: u64 = key(18, NUMBER);

    let (mut id, mut deadline_ms, mut fields) = ("", 0, Fields::default());
    let mut reader = Reader(octets);
    while let Some(key) = reader.key()? {
        match key {
            REQUEST_ID => id = reader.text()?,
            // One that comes twice is to be merged, which prost knows how to do.
            SOURCE if fields.source.is_none() => fields.source = Some(reader.address()?),
            DESTINATION if fields.destination.is_none() => {
                fields.destination = Some(reader.address()?);
            }
            TEXT => fields.body = Some(BodyFields::Text(reader.text()?)),
            CODING => fields.coding = reader.number()? as i32,
            ROUTE => fields.route = reader.text()?,
            RECEIPT => fields.receipt = reader.number()? != 0,
            VALIDITY_S => fields.validity_s = reader.number()? as u32,
            DEADLINE_MS => deadline_ms = reader.number()? as u32,
            SERVICE_TYPE => fields.service_type = reader.text()?,
            PRIORITY => fields.priority = reader.number()? as u32,
            PROTOCOL_ID => fields.protocol_id = reader.number()? as u32,
            SCHEDULE_S => fields.schedule_s = reader.number()? as u32,
            TRAFFIC_CLASS => fields.traffic_class = reader.number()? as i32,
            TRANSLITERATION => fields.transliteration = reader.number()? as i32,
            RESEND_AFTER_UNKNOWN => fields.resend_after_unknown = reader.number()? != 0,
            _ => return None,
        }
    }
    Some(Asked::new(id, &fields, deadline_ms))
}

/// What is left of a message's octets. `None` is always for prost to explain.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The key of the next field; `Some(None)` at the end.
    fn key(&mut self) -> Option<Option<u64>> {
        match self.0.is_empty() {
            true => Some(None),
            false => self.number().map(Some),
        }
    }

    #[inline]
    fn number(&mut self) -> Option<u64> {
        let (&first, rest) = self.0.split_first()?;
        if first < 0x80 {
            self.0 = rest;
            return Some(first.into());
        }
        self.long_number()
    }

    /// Seven bits an octet, the lowest first. More than nine octets are for prost to look at.
    fn long_number(&mut self) -> Option<u64> {
        let length = self.0.iter().take(9).position(|octet| *octet < 0x80)? + 1;
        let (octets, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        let bits = octets.iter().rev();
        Some(bits.fold(0, |number, octet| number << 7 | u64::from(octet & 0x7F)))
    }

    fn octets(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (octets, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(octets)
    }

    fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.octets()?).ok()
    }

    fn ascii(&mut self) -> Option<&'a [u8]> {
        self.octets().filter(|octets| octets.is_ascii())
    }

    fn address(&mut self) -> Option<AddressFields<'a>> {
        const DIGITS: u64 = key(1, OCTETS);
        const TON: u64 = key(2, NUMBER);
        const NPI: u64 = key(3, NUMBER);

        let mut address = AddressFields::default();
        let mut reader = Reader(self.octets()?);
        while let Some(key) = reader.key()? {
            match key {
                DIGITS => address.number = reader.ascii()?,
                TON => address.ton = Some(reader.number()? as u32),
                NPI => address.npi = Some(reader.number()? as u32),
                _ => return None,
            }
        }
        Some(address)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;
    use crate::rpc::proto::{Address, BinaryBody, SubmitBatch, submit_request::Body};

    fn address() -> impl Strategy<Value = Address> {
        let kind = || option::of(0_u32..300);
        ("[0-9]{0,12}|\\PC{0,4}", kind(), kind()).prop_map(|(number, ton, npi)| Address {
            number,
            ton,
            npi,
        })
    }

    fn body() -> impl Strategy<Value = Body> {
        prop_oneof![
            8 => "\\PC{0,200}".prop_map(Body::Text),
            1 => vec(any::<u8>(), 0..20).prop_map(|data| {
                let data = data.into();
                Body::Binary(BinaryBody { data, ..BinaryBody::default() })
            }),
        ]
    }

    /// Requests of any sense, most of them plain.
    fn request() -> impl Strategy<Value = SubmitRequest> {
        let small = || prop_oneof![4 => 0_u32..5, 1 => any::<u32>()];
        let choice = || prop_oneof![4 => 0..4, 1 => any::<i32>()];
        let texts = ("\\PC{0,70}", "[a-z]{0,3}", "[a-z]{0,6}");
        let addresses = (option::of(address()), option::of(address()));
        let numbers = (small(), small(), small(), small(), small());
        let choices = (choice(), choice(), choice(), any::<bool>(), any::<bool>());
        (texts, addresses, option::of(body()), numbers, choices).prop_map(
            |((request_id, route, service_type), (source, destination), body, numbers, choices)| {
                SubmitRequest {
                    request_id,
                    source,
                    destination,
                    body,
                    route,
                    service_type,
                    validity_s: numbers.0,
                    deadline_ms: numbers.1,
                    priority: numbers.2,
                    protocol_id: numbers.3,
                    schedule_s: numbers.4,
                    coding: choices.0,
                    traffic_class: choices.1,
                    transliteration: choices.2,
                    receipt: choices.3,
                    resend_after_unknown: choices.4,
                    tlvs: Vec::new(),
                }
            },
        )
    }

    /// As prost reads it.
    fn expected(octets: &[u8]) -> Result<AskedBatch, DecodeError> {
        let batch = SubmitBatch::decode(octets)?;
        Ok(AskedBatch(
            batch.requests.into_iter().map(Into::into).collect(),
        ))
    }

    fn encoded(requests: Vec<SubmitRequest>) -> Vec<u8> {
        SubmitBatch { requests }.encode_to_vec()
    }

    #[test]
    fn a_text_to_a_number_is_read_without_prost() {
        let request = SubmitRequest {
            request_id: "1".into(),
            destination: Some(Address {
                number: "84901234567".into(),
                ..Address::default()
            }),
            body: Some(Body::Text("xin chào".into())),
            receipt: true,
            validity_s: 600,
            ..SubmitRequest::default()
        };
        let octets = encoded(vec![request.clone(), request]);
        let plain = plain_batch(&octets).map(AskedBatch);
        assert_eq!(plain, expected(&octets).ok());
        assert!(plain.unwrap().0.iter().all(|asked| asked.message.is_ok()));
    }

    proptest! {
        #[test]
        fn every_batch_is_read_as_prost_reads_it(requests in vec(request(), 0..4)) {
            let octets = encoded(requests);
            prop_assert_eq!(AskedBatch::read(&octets), expected(&octets));
        }

        #[test]
        fn octets_that_were_spoilt_are_judged_as_prost_judges_them(
            requests in vec(request(), 1..3),
            spoils in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut octets = encoded(requests);
            for (at, octet) in spoils {
                if let Some(place) = octets.len().checked_sub(1).map(|last| at.index(last + 1)) {
                    octets[place] = octet;
                }
            }
            octets.truncate(cut.index(octets.len() * 2 + 1));
            prop_assert_eq!(AskedBatch::read(&octets), expected(&octets));
        }

        #[test]
        fn any_octets_at_all_are_judged_as_prost_judges_them(octets in vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(AskedBatch::read(&octets), expected(&octets));
        }
    }
}
