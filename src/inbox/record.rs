//! The rows of the inbox in the store: an event of a subscription, or a part of a message that is not
//! whole yet. What cannot be read gives nothing, and breaks nothing.

use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::{
    bank_event::{AboutPayment, BankEvent, Reconciliation},
    event::{AboutRequest, Address, Event, EventKind, MobileOriginated, Receipt},
};
use crate::iso8583::Mti;

/// The first octet of every row; another form gets another number.
const VERSION: u8 = 1;

/// What a row holds.
pub(super) struct Record {
    /// The subscription that it is for; `None` for a part that waits for the others.
    pub subscription: Option<Arc<str>>,
    /// Milliseconds since 1970.
    pub received_at_ms: i64,
    pub event: Event,
}

/// Writes a row.
pub(super) fn encode(subscription: Option<&str>, received_at_ms: i64, event: &Event) -> Vec<u8> {
    let mut to = Vec::with_capacity(256);
    to.push(VERSION);
    optional(&mut to, subscription.map(str::as_bytes));
    to.extend(received_at_ms.to_be_bytes());
    octets(&mut to, event.peer.as_bytes());
    octets(&mut to, event.link.as_bytes());
    address(&mut to, &event.source);
    address(&mut to, &event.destination);
    match &event.kind {
        EventKind::Message(message) => put_message(&mut to, message),
        EventKind::Receipt(receipt) => put_receipt(&mut to, receipt),
        EventKind::Bank(event) => put_bank_event(&mut to, event),
    }
    to
}

fn put_message(to: &mut Vec<u8>, message: &MobileOriginated) {
    to.push(0);
    optional(to, message.text.as_deref().map(str::as_bytes));
    octets(to, &message.data);
    to.extend([message.data_coding, message.esm_class, message.parts]);
    octets(to, &message.user_data_header);
    octets(to, &message.missing_parts);
    put_tlvs(to, &message.tlvs);
}

fn put_receipt(to: &mut Vec<u8>, receipt: &Receipt) {
    to.push(1);
    octets(to, &receipt.message_id);
    to.push(receipt.message_state);
    for field in [
        &receipt.error,
        &receipt.submit_date,
        &receipt.done_date,
        &receipt.data,
    ] {
        octets(to, field);
    }
    put_tlvs(to, &receipt.tlvs);
    let about = receipt.request.as_ref();
    optional(to, about.map(|about| about.request_id.as_bytes()));
    if let Some(about) = about {
        octets(to, about.client.as_bytes());
        to.extend([about.part, about.parts, about.whole_state]);
    }
}

fn put_bank_event(to: &mut Vec<u8>, event: &BankEvent) {
    to.push(2);
    to.extend(event.mti.digits());
    put_elements(to, &event.elements);
    let about = event.payment.as_ref();
    optional(to, about.map(|about| about.payment_id.as_bytes()));
    if let Some(about) = about {
        octets(to, about.client.as_bytes());
    }
    let reconciliation = event.reconciliation.as_ref();
    optional(to, reconciliation.map(|own| &own.settlement_code[..]));
    if let Some(own) = reconciliation {
        put_elements(to, &own.ours);
        to.extend(own.open.to_be_bytes());
    }
}

fn put_elements(to: &mut Vec<u8>, elements: &[(u8, Bytes)]) {
    // There are 128 elements at most.
    to.extend(
        u32::try_from(elements.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
    );
    for (number, value) in elements {
        to.push(*number);
        octets(to, value);
    }
}

fn octets(to: &mut Vec<u8>, octets: &[u8]) {
    // A PDU is far smaller than 4 GiB, so the length is never cut.
    to.extend(
        u32::try_from(octets.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
    );
    to.extend_from_slice(octets);
}

fn optional(to: &mut Vec<u8>, value: Option<&[u8]>) {
    to.push(u8::from(value.is_some()));
    if let Some(value) = value {
        octets(to, value);
    }
}

fn address(to: &mut Vec<u8>, address: &Address) {
    octets(to, &address.number);
    for indicator in [address.ton, address.npi] {
        to.extend([u8::from(indicator.is_some()), indicator.unwrap_or_default()]);
    }
}

fn put_tlvs(to: &mut Vec<u8>, tlvs: &[(u16, Bytes)]) {
    to.extend(u32::try_from(tlvs.len()).unwrap_or(u32::MAX).to_be_bytes());
    for (tag, value) in tlvs {
        to.extend(tag.to_be_bytes());
        octets(to, value);
    }
}

/// Reads a row; `None` if it is none of this form.
pub(super) fn decode(row: &[u8]) -> Option<Record> {
    let mut from = Reader(Bytes::copy_from_slice(row));
    if from.octet()? != VERSION {
        return None;
    }
    let record = Record {
        subscription: match from.optional()? {
            Some(name) => Some(text(&name)?),
            None => None,
        },
        received_at_ms: from.0.try_get_i64().ok()?,
        event: Event {
            peer: from.text()?,
            link: from.text()?,
            source: from.address()?,
            destination: from.address()?,
            kind: match from.octet()? {
                0 => EventKind::Message(from.message()?),
                1 => EventKind::Receipt(from.receipt()?),
                2 => EventKind::Bank(from.bank_event()?),
                _ => return None,
            },
        },
    };
    from.0.is_empty().then_some(record)
}

fn text(octets: &Bytes) -> Option<Arc<str>> {
    std::str::from_utf8(octets).ok().map(Arc::from)
}

struct Reader(Bytes);

impl Reader {
    fn octet(&mut self) -> Option<u8> {
        self.0.try_get_u8().ok()
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.0.try_get_u32().ok()?).ok()
    }

    fn octets(&mut self) -> Option<Bytes> {
        let length = self.count()?;
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }

    fn optional(&mut self) -> Option<Option<Bytes>> {
        match self.octet()? {
            0 => Some(None),
            _ => self.octets().map(Some),
        }
    }

    fn text(&mut self) -> Option<Arc<str>> {
        text(&self.octets()?)
    }

    fn address(&mut self) -> Option<Address> {
        let number = self.octets()?;
        let mut indicator = || {
            let (is_set, value) = (self.octet()?, self.octet()?);
            Some((is_set == 1).then_some(value))
        };
        Some(Address {
            number,
            ton: indicator()?,
            npi: indicator()?,
        })
    }

    fn tlvs(&mut self) -> Option<Vec<(u16, Bytes)>> {
        let mut tlvs = Vec::new();
        for _ in 0..self.count()? {
            tlvs.push((self.0.try_get_u16().ok()?, self.octets()?));
        }
        Some(tlvs)
    }

    fn message(&mut self) -> Option<MobileOriginated> {
        let text = match self.optional()? {
            Some(octets) => Some(String::from_utf8(octets.to_vec()).ok()?),
            None => None,
        };
        let data = self.octets()?;
        let (data_coding, esm_class, parts) = (self.octet()?, self.octet()?, self.octet()?);
        Some(MobileOriginated {
            text,
            data,
            data_coding,
            esm_class,
            parts,
            user_data_header: self.octets()?,
            missing_parts: self.octets()?.to_vec(),
            tlvs: self.tlvs()?,
        })
    }

    fn bank_event(&mut self) -> Option<BankEvent> {
        let digits = [self.octet()?, self.octet()?, self.octet()?, self.octet()?];
        let mti = Mti::parse(digits).ok()?;
        let elements = self.elements()?;
        let payment = match self.optional()? {
            None => None,
            Some(payment_id) => Some(AboutPayment {
                payment_id: text(&payment_id)?,
                client: self.text()?,
            }),
        };
        let reconciliation = match self.optional()? {
            None => None,
            Some(settlement_code) => Some(Reconciliation {
                settlement_code,
                ours: self.elements()?,
                open: self.0.try_get_u64().ok()?,
            }),
        };
        Some(BankEvent {
            mti,
            elements,
            payment,
            reconciliation,
        })
    }

    fn elements(&mut self) -> Option<Vec<(u8, Bytes)>> {
        let mut elements = Vec::new();
        for _ in 0..self.count()? {
            elements.push((self.octet()?, self.octets()?));
        }
        Some(elements)
    }

    fn receipt(&mut self) -> Option<Receipt> {
        Some(Receipt {
            message_id: self.octets()?,
            message_state: self.octet()?,
            error: self.octets()?,
            submit_date: self.octets()?,
            done_date: self.octets()?,
            data: self.octets()?,
            tlvs: self.tlvs()?,
            request: match self.optional()? {
                None => None,
                Some(request_id) => Some(AboutRequest {
                    request_id: text(&request_id)?,
                    client: self.text()?,
                    part: self.octet()?,
                    parts: self.octet()?,
                    whole_state: self.octet()?,
                }),
            },
        })
    }
}
