//! What comes in from an SMSC or a bank, as upstream services get it. Words only: nothing here decides.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use super::bank_event::BankEvent;
use crate::smpp::concatenation::{Concatenation, split_header};

/// A number as an SMSC gave it: longer ones than can be sent to come in data_sm (SMPP 3.4 5.2.9).
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Digits, or the characters of an alphanumeric sender.
    pub number: Bytes,
    /// Type of number; `None` where there is no such thing, as of a bank's name.
    pub ton: Option<u8>,
    /// Numbering plan indicator; `None` where there is no such thing.
    pub npi: Option<u8>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({} characters)", self.number.len())
    }
}

/// A message that a subscriber of the mobile network sent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MobileOriginated {
    /// Decoded, where data_coding names a text coding.
    pub text: Option<String>,
    /// As received, without the user data header.
    pub data: Bytes,
    /// SMPP 3.4 5.2.19.
    pub data_coding: u8,
    /// SMPP 3.4 5.2.12.
    pub esm_class: u8,
    /// Empty if there was none.
    pub user_data_header: Bytes,
    /// Tag and value as received, message_payload excepted.
    pub tlvs: Vec<(u16, Bytes)>,
    /// Of how many parts it was put together; 0 and 1 are a message by itself.
    pub parts: u8,
    /// The parts that did not arrive in time, from 1.
    pub missing_parts: Vec<u8>,
}

impl MobileOriginated {
    /// Which part of which long message this is; `None` for a message by itself.
    pub fn concatenation(&self) -> Option<Concatenation> {
        let in_header = split_header(&self.user_data_header).and_then(|(found, _)| found);
        in_header
            .or_else(|| self.sar())
            .filter(|part| part.total > 1)
    }

    /// SMPP 3.4 5.3.2.22 to 24.
    fn sar(&self) -> Option<Concatenation> {
        let value = |tag| Some(&self.tlvs.iter().find(|tlv| tlv.0 == tag)?.1[..]);
        let (&[high, low], &[total], &[number]) = (value(0x020c)?, value(0x020e)?, value(0x020f)?)
        else {
            return None;
        };
        (1..=total).contains(&number).then_some(Concatenation {
            reference: u16::from_be_bytes([high, low]),
            total,
            number,
        })
    }
}

/// A delivery receipt.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The SMSC's id of the message that this is about, as received.
    pub message_id: Bytes,
    /// SMPP 3.4 5.2.28; 0 if the receipt names none.
    pub message_state: u8,
    /// The `err` field, or network_error_code in hexadecimal, or empty.
    pub error: Bytes,
    /// `YYMMDDhhmmss` in the SMSC's own time, or empty.
    pub submit_date: Bytes,
    /// The same.
    pub done_date: Bytes,
    /// The receipt's text as received.
    pub data: Bytes,
    /// Tag and value as received.
    pub tlvs: Vec<(u16, Bytes)>,
    /// The request that it is about; `None` where that is not known.
    pub request: Option<AboutRequest>,
}

/// Which request a receipt is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AboutRequest {
    /// The caller's id.
    pub request_id: Arc<str>,
    /// The upstream service.
    pub client: Arc<str>,
    /// Which part, from 1.
    pub part: u8,
    /// Of how many.
    pub parts: u8,
    /// The state of the whole message, SMPP 3.4 5.2.28.
    pub whole_state: u8,
}

/// The kinds of event.
#[derive(Clone, PartialEq, Eq)]
pub enum EventKind {
    /// From a subscriber of the mobile network.
    Message(MobileOriginated),
    /// From the SMSC, about a message that was sent.
    Receipt(Receipt),
    /// From a bank, which began it of its own accord.
    Bank(BankEvent),
}

/// An event for upstream services.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    /// The SMSC or bank that it comes from.
    pub peer: Arc<str>,
    /// Which link brought it.
    pub link: Arc<str>,
    /// Who sent it. Of a bank's event it is the bank, by its name: all that it begins stays in order.
    pub source: Address,
    /// To which number; of a bank's event empty.
    pub destination: Address,
    /// What it is.
    pub kind: EventKind,
}

impl Event {
    /// Octets of what it carries: numbers, text, data, and TLVs. It is what a backlog is bounded by
    /// beside its number of events, so what every event costs is not in it.
    pub fn bytes(&self) -> usize {
        let of_tlvs = |tlvs: &[(u16, Bytes)]| -> usize {
            let of_one = |tlv: &(u16, Bytes)| size_of::<u16>() + tlv.1.len();
            tlvs.iter().map(of_one).sum()
        };
        let carried = match &self.kind {
            EventKind::Message(message) => {
                let text = message.text.as_ref().map_or(0, String::len);
                text + message.data.len() + message.user_data_header.len() + of_tlvs(&message.tlvs)
            }
            EventKind::Receipt(receipt) => {
                let about = |about: &AboutRequest| about.request_id.len() + about.client.len();
                receipt.message_id.len()
                    + receipt.data.len()
                    + of_tlvs(&receipt.tlvs)
                    + receipt.request.as_ref().map_or(0, about)
            }
            EventKind::Bank(event) => event.bytes(),
        };
        self.source.number.len() + self.destination.number.len() + carried
    }
}

/// An event that is handed over.
#[derive(Clone)]
pub struct Delivery {
    /// Under which it is to be acknowledged.
    pub id: u64,
    /// What it is.
    pub event: Arc<Event>,
    /// When its peer brought it, in milliseconds since 1970.
    pub received_at_ms: i64,
    /// It may have been handed over before.
    pub redelivered: bool,
}
