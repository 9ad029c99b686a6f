//! What the router hands over, read. What cannot be what it should is named and left, never an error:
//! it would come again for ever.

use zeroize::Zeroizing;

use super::{
    bank_event::BankEvent,
    handle::{Delivery, Receipt},
};
use crate::{
    moment::UnixMs,
    router::proto::{self, Address, Event, MessageState, event::Kind},
};

/// Characters of a number or of an SMSC's name: a configured name has at most 64.
const NAME_LENGTH_MAX: usize = 64;

/// Characters of a network's error; SMPP has three or six.
const ERROR_LENGTH_MAX: usize = 32;

/// An event.
pub(super) enum Arrival {
    Message(Arrived),
    Receipt(Receipt),
    Bank(Box<BankEvent>),
    /// Nothing of ours, and why.
    Nothing(&'static str),
}

/// A message of a subscriber as it has come.
pub(super) struct Arrived {
    pub(super) delivery_id: i64,
    pub(super) smsc: String,
    pub(super) source: String,
    pub(super) destination: String,
    /// `None` if it is no text.
    pub(super) text: Option<Zeroizing<String>>,
    /// No part is missing.
    pub(super) is_whole: bool,
    pub(super) received_at: UnixMs,
}

impl Arrival {
    pub(super) fn of(event: Event) -> Self {
        let delivery_id = event.delivery_id.cast_signed();
        let received_at = UnixMs(event.received_at_ms);
        match event.kind {
            Some(Kind::Message(message)) => Self::Message(Arrived {
                delivery_id,
                smsc: plain(&event.smsc, NAME_LENGTH_MAX),
                source: number(event.source),
                destination: number(event.destination),
                text: message.text.map(Zeroizing::new),
                is_whole: message.missing_parts.is_empty(),
                received_at,
            }),
            Some(Kind::Receipt(receipt)) => self::receipt(&receipt, received_at),
            Some(Kind::Bank(bank)) => {
                let event = BankEvent::of(delivery_id, &bank, received_at);
                Self::Bank(Box::new(event))
            }
            None => Self::Nothing("an event of a later version of the router"),
        }
    }
}

fn receipt(receipt: &proto::Receipt, received_at: UnixMs) -> Arrival {
    let Ok(message) = receipt.request_id.parse() else {
        return Arrival::Nothing("a receipt of a message that is not known any more");
    };
    Arrival::Receipt(Receipt {
        message,
        delivery: delivery(receipt.whole_state),
        error: plain(&receipt.error, ERROR_LENGTH_MAX),
        received_at,
    })
}

fn delivery(state: i32) -> Delivery {
    match MessageState::try_from(state).unwrap_or_default() {
        MessageState::Enroute => Delivery::Enroute,
        MessageState::Delivered => Delivery::Delivered,
        MessageState::Expired
        | MessageState::Deleted
        | MessageState::Undeliverable
        | MessageState::Rejected => Delivery::Failed,
        MessageState::Accepted => Delivery::Accepted,
        MessageState::Unspecified | MessageState::Unknown => Delivery::Unknown,
    }
}

fn number(address: Option<Address>) -> String {
    let number = address.map(|address| address.number);
    plain(&number.unwrap_or_default(), NAME_LENGTH_MAX)
}

/// A text from elsewhere as both databases take it: PostgreSQL has no NUL in texts.
pub(super) fn plain(text: &str, length_max: usize) -> String {
    let visible = text.chars().filter(|char| !char.is_control());
    visible.take(length_max).collect()
}
