//! From a deliver_sm or data_sm to an event for upstream services. Pure translation.

use std::sync::Arc;

use bytes::Bytes;
use time::PrimitiveDateTime;

use crate::{
    inbox::{Address, Event, EventKind, MobileOriginated, Receipt},
    smpp::{
        self, Tag, Tlvs, concatenation,
        language::Shifts,
        pdu::{DataSm, DeliverSm, EsmClass},
        receipt::{self, Unmarked},
        text,
    },
};

/// An event that does not know yet by which link it came.
pub(super) struct Parts {
    source: Address,
    destination: Address,
    kind: EventKind,
}

impl Parts {
    pub(super) fn into_event(self, peer: &Arc<str>, link: &Arc<str>) -> Event {
        Event {
            peer: Arc::clone(peer),
            link: Arc::clone(link),
            source: self.source,
            destination: self.destination,
            kind: self.kind,
        }
    }
}

pub(super) fn from_deliver_sm(pdu: &DeliverSm, unmarked: Unmarked) -> Parts {
    let kind = match receipt::Receipt::of(pdu, unmarked) {
        Some(receipt) => EventKind::Receipt(receipt_event(&receipt, pdu.text(), &pdu.tlvs)),
        None => EventKind::Message(message(
            pdu.text(),
            pdu.data_coding,
            pdu.esm_class,
            &pdu.tlvs,
        )),
    };
    Parts {
        source: address(&pdu.source),
        destination: address(&pdu.destination),
        kind,
    }
}

pub(super) fn from_data_sm(pdu: &DataSm, unmarked: Unmarked) -> Parts {
    // A receipt in a data_sm has its id and state in TLVs alone; the text has the same form.
    let as_deliver_sm = DeliverSm {
        esm_class: pdu.esm_class,
        data_coding: pdu.data_coding,
        tlvs: pdu.tlvs.clone(),
        ..DeliverSm::default()
    };
    Parts {
        source: address(&pdu.source),
        destination: address(&pdu.destination),
        kind: from_deliver_sm(&as_deliver_sm, unmarked).kind,
    }
}

fn address<const MAX: usize>(address: &smpp::Address<MAX>) -> Address {
    Address {
        number: Bytes::copy_from_slice(address.addr.as_bytes()),
        ton: Some(address.ton.0),
        npi: Some(address.npi.0),
    }
}

fn message(data: Bytes, data_coding: u8, esm_class: EsmClass, tlvs: &Tlvs) -> MobileOriginated {
    let split = match esm_class.has_user_data_header() {
        true => concatenation::split_header(&data),
        false => None,
    };
    let (user_data_header, data) = match split {
        Some((_, text)) => (data.slice(..data.len() - text.len()), text),
        None => (Bytes::new(), data),
    };
    MobileOriginated {
        text: text::decode_shifted(data_coding, &data, Shifts::in_header(&user_data_header)),
        data,
        data_coding,
        esm_class: esm_class.0,
        user_data_header,
        tlvs: others(tlvs),
        ..MobileOriginated::default()
    }
}

fn receipt_event(receipt: &receipt::Receipt, data: Bytes, tlvs: &Tlvs) -> Receipt {
    let date = |date: Option<PrimitiveDateTime>| date.map(date_digits).unwrap_or_default();
    let network_error = receipt
        .network_error
        .map(|(network, code)| format!("{network:02x}{code:04x}"));
    Receipt {
        message_id: receipt
            .message_id
            .as_ref()
            .map(|id| Bytes::copy_from_slice(id.as_bytes()))
            .unwrap_or_default(),
        message_state: receipt.state.map_or(0, |state| state.0),
        error: receipt
            .error
            .clone()
            .or(network_error)
            .map(Bytes::from)
            .unwrap_or_default(),
        submit_date: date(receipt.submit_date),
        done_date: date(receipt.done_date),
        data,
        tlvs: others(tlvs),
        request: None,
    }
}

/// `YYMMDDhhmmss`, whichever of its forms the SMSC used.
fn date_digits(date: PrimitiveDateTime) -> Bytes {
    let (year, month) = (date.year().rem_euclid(100), u8::from(date.month()));
    let (hour, minute, second) = date.as_hms();
    format!(
        "{year:02}{month:02}{:02}{hour:02}{minute:02}{second:02}",
        date.day()
    )
    .into()
}

/// All parameters but the text, which is told in its own field.
fn others(tlvs: &Tlvs) -> Vec<(u16, Bytes)> {
    tlvs.iter()
        .filter(|tlv| tlv.tag != Tag::MESSAGE_PAYLOAD)
        .map(|tlv| (tlv.tag.0, tlv.value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smpp::ShortMessage;

    #[test]
    fn a_receipts_dates_are_told_in_one_form_whichever_the_smsc_used() {
        let text = "id:7 sub:001 dlvrd:001 submit date:2611220130 done date:20261122013059 \
            stat:DELIVRD err:000 text:";
        let pdu = DeliverSm {
            esm_class: EsmClass(0x04),
            short_message: ShortMessage::new(Bytes::from_static(text.as_bytes())).unwrap(),
            ..DeliverSm::default()
        };
        let EventKind::Receipt(receipt) = from_deliver_sm(&pdu, Unmarked::IsMessage).kind else {
            panic!("a receipt was sent");
        };
        assert_eq!(receipt.submit_date, "261122013000");
        assert_eq!(receipt.done_date, "261122013059");
    }
}
