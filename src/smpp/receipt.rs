//! Delivery receipts: what a deliver_sm says about an earlier message (SMPP 3.4 5.2.12, appendix
//! B).
//!
//! The TLVs are believed first, then the text. Nothing is ever taken from the text's own `text:`
//! field: there the subscriber's words are repeated, and they could forge another message's
//! receipt.

use std::fmt;

use time::{Date, Month, PrimitiveDateTime, Time};

use super::octets::MessageId;
use super::pdu::DeliverSm;

/// The state of a message (SMPP 3.4 5.2.28). Unknown values are preserved.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageState(pub u8);

impl MessageState {
    /// Under way.
    pub const ENROUTE: Self = Self(1);
    /// Delivered.
    pub const DELIVERED: Self = Self(2);
    /// Its validity ended first.
    pub const EXPIRED: Self = Self(3);
    /// Deleted.
    pub const DELETED: Self = Self(4);
    /// Cannot be delivered.
    pub const UNDELIVERABLE: Self = Self(5);
    /// Read by customer service on the subscriber's behalf; many SMSCs mean "taken over".
    pub const ACCEPTED: Self = Self(6);
    /// Invalid.
    pub const UNKNOWN: Self = Self(7);
    /// Rejected.
    pub const REJECTED: Self = Self(8);

    /// The names of states in receipts (appendix B). The long ones are off the standard and in use.
    const NAMES: [(&'static str, Self); 15] = [
        ("ENROUTE", Self::ENROUTE),
        ("DELIVRD", Self::DELIVERED),
        ("EXPIRED", Self::EXPIRED),
        ("DELETED", Self::DELETED),
        ("UNDELIV", Self::UNDELIVERABLE),
        ("ACCEPTD", Self::ACCEPTED),
        ("UNKNOWN", Self::UNKNOWN),
        ("REJECTD", Self::REJECTED),
        ("EN_ROUTE", Self::ENROUTE),
        ("DELIVERED", Self::DELIVERED),
        ("UNDELIVERABLE", Self::UNDELIVERABLE),
        ("UNDELIVERED", Self::UNDELIVERABLE),
        ("UNDELIVRD", Self::UNDELIVERABLE),
        ("ACCEPTED", Self::ACCEPTED),
        ("REJECTED", Self::REJECTED),
    ];

    /// The name in a receipt's `stat:` field, or `None` for an unknown value.
    pub fn name(self) -> Option<&'static str> {
        Self::NAMES
            .iter()
            .find(|entry| entry.1 == self)
            .map(|entry| entry.0)
    }

    /// The state of a `stat:` field.
    fn from_name(name: &[u8]) -> Option<Self> {
        let is_name = |entry: &&(&str, Self)| entry.0.as_bytes().eq_ignore_ascii_case(name);
        Self::NAMES.iter().find(is_name).map(|entry| entry.1)
    }
}

impl fmt::Display for MessageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for MessageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What to do with a message that reads like a receipt while its esm_class does not say so.
///
/// Some SMSCs never set esm_class; where one does, a subscriber could forge receipts by text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unmarked {
    /// It is a message.
    #[default]
    IsMessage,
    /// It is a receipt when it has `id:` and `stat:`.
    MayBeReceipt,
}

/// What is known of an earlier message. Times are in the SMSC's own zone, which it does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// Which message, as the SMSC writes it here: formats may differ from submit_sm_resp's.
    pub message_id: Option<MessageId>,
    /// Its state.
    pub state: Option<MessageState>,
    /// Short messages submitted (`sub:`).
    pub submitted: Option<u16>,
    /// Short messages delivered (`dlvrd:`).
    pub delivered: Option<u16>,
    /// When it was submitted.
    pub submit_date: Option<PrimitiveDateTime>,
    /// When it reached its state.
    pub done_date: Option<PrimitiveDateTime>,
    /// The SMSC's or the network's error, alphanumeric (`err:`).
    pub error: Option<String>,
    /// The network's error from its TLV: network type, code.
    pub network_error: Option<(u8, u16)>,
}

impl Receipt {
    /// The receipt in `deliver_sm`, or `None` when it is a message.
    pub fn of(deliver_sm: &DeliverSm, unmarked: Unmarked) -> Option<Self> {
        let tlvs = &deliver_sm.tlvs;
        let tlv_id = tlvs.receipted_message_id();
        let is_marked = deliver_sm.esm_class.is_receipt() || tlv_id.is_some();
        if !is_marked && unmarked == Unmarked::IsMessage {
            return None;
        }
        let mut receipt = Self::from_text(&deliver_sm.text());
        let reads_like_one = receipt.message_id.is_some() && receipt.state.is_some();
        if !is_marked && !reads_like_one {
            return None;
        }
        receipt.message_id = tlv_id.or(receipt.message_id);
        receipt.state = tlvs.message_state().map(MessageState).or(receipt.state);
        receipt.network_error = tlvs.network_error_code();
        Some(receipt)
    }

    /// Reads a receipt's text. Fields may be missing or in any order; the first of a name counts.
    fn from_text(text: &[u8]) -> Self {
        let mut receipt = Self::default();
        let mut rest = text;
        while let Some((key, after)) = next_key(rest) {
            if key == Key::Text {
                break;
            }
            let (value, next) = take_value(after);
            receipt.set(key, value);
            rest = next;
        }
        receipt
    }

    fn set(&mut self, key: Key, value: &[u8]) {
        match key {
            Key::Id => set_first(&mut self.message_id, message_id(value)),
            Key::Stat => set_first(&mut self.state, MessageState::from_name(value)),
            Key::Sub => set_first(&mut self.submitted, number(value)),
            Key::Dlvrd => set_first(&mut self.delivered, number(value)),
            Key::SubmitDate => set_first(&mut self.submit_date, date(value)),
            Key::DoneDate => set_first(&mut self.done_date, date(value)),
            Key::Err => set_first(&mut self.error, error(value)),
            Key::Text => {}
        }
    }
}

fn set_first<T>(slot: &mut Option<T>, value: Option<T>) {
    if slot.is_none() {
        *slot = value;
    }
}

/// The fields of a receipt's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Id,
    Sub,
    Dlvrd,
    SubmitDate,
    DoneDate,
    Stat,
    Err,
    Text,
}

impl Key {
    const WRITTEN: [(&'static [u8], Self); 8] = [
        (b"id:", Self::Id),
        (b"sub:", Self::Sub),
        (b"dlvrd:", Self::Dlvrd),
        (b"submit date:", Self::SubmitDate),
        (b"done date:", Self::DoneDate),
        (b"stat:", Self::Stat),
        (b"err:", Self::Err),
        (b"text:", Self::Text),
    ];

    fn at_start_of(text: &[u8]) -> Option<(Self, &[u8])> {
        Self::WRITTEN.iter().find_map(|(written, key)| {
            let (start, rest) = text.split_at_checked(written.len())?;
            start.eq_ignore_ascii_case(written).then_some((*key, rest))
        })
    }
}

/// The first key at the start of a word, and what follows it.
fn next_key(text: &[u8]) -> Option<(Key, &[u8])> {
    let mut rest = text;
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return None;
        }
        if let Some(found) = Key::at_start_of(rest) {
            return Some(found);
        }
        rest = split_word(rest).1;
    }
}

/// The word after a key. Where the value is missing, the next word is a key and is left alone.
fn take_value(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    if Key::at_start_of(text).is_some() {
        return (&[], text);
    }
    split_word(text)
}

fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, &[]))
}

fn message_id(value: &[u8]) -> Option<MessageId> {
    MessageId::new(value.to_vec())
        .ok()
        .filter(|id| !id.is_empty())
}

fn error(value: &[u8]) -> Option<String> {
    let is_code = !value.is_empty() && value.iter().all(u8::is_ascii_alphanumeric);
    is_code.then(|| String::from_utf8_lossy(value).into_owned())
}

fn number<T: std::str::FromStr>(value: &[u8]) -> Option<T> {
    let all_digits = value.iter().all(u8::is_ascii_digit);
    all_digits
        .then(|| std::str::from_utf8(value).ok()?.parse().ok())
        .flatten()
}

/// Reads YYMMDDhhmm, YYMMDDhhmmss, YYYYMMDDhhmmss, or where the second cannot be, YYYYMMDDhhmm.
fn date(value: &[u8]) -> Option<PrimitiveDateTime> {
    match value.len() {
        10 | 12 => date_with_year(value, 2).or_else(|| date_with_year(value, 4)),
        14 => date_with_year(value, 4),
        _ => None,
    }
}

fn date_with_year(value: &[u8], year_digits: usize) -> Option<PrimitiveDateTime> {
    const CENTURY: i32 = 2000;
    let (year, rest) = value.split_at_checked(year_digits)?;
    let year: i32 = number(year)?;
    let year = if year_digits == 2 {
        CENTURY + year
    } else {
        year
    };
    let (pairs, []) = rest.as_chunks::<2>() else {
        return None;
    };
    let mut pairs = pairs.iter().map(|pair| number::<u8>(pair));
    let month = Month::try_from(pairs.next()??).ok()?;
    let date = Date::from_calendar_date(year, month, pairs.next()??).ok()?;
    let (hour, minute) = (pairs.next()??, pairs.next()??);
    let second = pairs.next().unwrap_or(Some(0))?;
    Some(PrimitiveDateTime::new(
        date,
        Time::from_hms(hour, minute, second).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::smpp::octets::ShortMessage;
    use crate::smpp::pdu::EsmClass;
    use crate::smpp::tlv::{Tag, Tlvs};

    fn deliver(esm_class: u8, text: &str, tlvs: Tlvs) -> DeliverSm {
        let short_message = ShortMessage::new(text.to_owned()).unwrap();
        DeliverSm {
            esm_class: EsmClass(esm_class),
            short_message,
            tlvs,
            ..DeliverSm::default()
        }
    }

    fn receipt(text: &str) -> Receipt {
        Receipt::of(&deliver(0x04, text, Tlvs::EMPTY), Unmarked::IsMessage).unwrap()
    }

    fn id(receipt: &Receipt) -> String {
        receipt.message_id.as_ref().unwrap().to_text()
    }

    fn at(year: i32, month: Month, day: u8, time: (u8, u8, u8)) -> Option<PrimitiveDateTime> {
        let time = Time::from_hms(time.0, time.1, time.2).unwrap();
        Some(PrimitiveDateTime::new(
            Date::from_calendar_date(year, month, day).unwrap(),
            time,
        ))
    }

    #[test]
    fn the_text_of_appendix_b_is_read_whole() {
        let receipt = receipt(
            "id:0123456789 sub:001 dlvrd:000 submit date:2611220130 done date:2611220131 \
             stat:UNDELIV err:0A1 text:Hello",
        );
        assert_eq!(id(&receipt), "0123456789");
        assert_eq!(receipt.state, Some(MessageState::UNDELIVERABLE));
        assert_eq!((receipt.submitted, receipt.delivered), (Some(1), Some(0)));
        assert_eq!(
            receipt.submit_date,
            at(2026, Month::November, 22, (1, 30, 0))
        );
        assert_eq!(receipt.done_date, at(2026, Month::November, 22, (1, 31, 0)));
        assert_eq!(receipt.error.as_deref(), Some("0A1"));
    }

    #[test]
    fn keys_in_any_case_and_order_with_spaces_after_the_colon_are_read() {
        let receipt = receipt("Stat: DELIVRD ID: a-B/7 Done Date: 20261122013059 ERR:");
        assert_eq!(id(&receipt), "a-B/7");
        assert_eq!(receipt.state, Some(MessageState::DELIVERED));
        assert_eq!(
            receipt.done_date,
            at(2026, Month::November, 22, (1, 30, 59))
        );
        assert_eq!(receipt.error, None);
    }

    #[test]
    fn dates_have_10_12_or_14_digits() {
        assert_eq!(
            date(b"2611220130"),
            at(2026, Month::November, 22, (1, 30, 0))
        );
        assert_eq!(
            date(b"261122013059"),
            at(2026, Month::November, 22, (1, 30, 59))
        );
        assert_eq!(
            date(b"20261122013059"),
            at(2026, Month::November, 22, (1, 30, 59))
        );
        assert_eq!(
            date(b"202611220130"),
            at(2026, Month::November, 22, (1, 30, 0))
        );
        for wrong in [
            "2613220130",
            "26112201",
            "26112201300",
            "26-1220130",
            "2611222530",
        ] {
            assert_eq!(date(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn an_id_in_the_text_field_is_never_taken() {
        let forged = receipt("sub:001 stat:DELIVRD err:000 text:id:999 stat:REJECTD");
        assert_eq!(forged.message_id, None);
        assert_eq!(forged.state, Some(MessageState::DELIVERED));
        let second = receipt("id:1 stat:DELIVRD Text: id:2 stat:EXPIRED");
        assert_eq!(id(&second), "1");
        let empty_then_text = receipt("id: text: id:3");
        assert_eq!(empty_then_text.message_id, None);
    }

    #[test]
    fn a_key_within_a_word_is_no_key() {
        assert_eq!(receipt("grid:5 stat:DELIVRD").message_id, None);
    }

    #[test]
    fn tlvs_are_believed_before_the_text() {
        let tlvs = Tlvs::EMPTY
            .with(Tag::RECEIPTED_MESSAGE_ID, b"4F2A\0")
            .and_then(|tlvs| tlvs.with(Tag::MESSAGE_STATE, &[3]))
            .and_then(|tlvs| tlvs.with(Tag::NETWORK_ERROR_CODE, &[3, 0, 27]))
            .unwrap();
        let deliver = deliver(0, "id:20266 stat:DELIVRD", tlvs);
        let receipt = Receipt::of(&deliver, Unmarked::IsMessage).unwrap();
        assert_eq!(id(&receipt), "4F2A");
        assert_eq!(receipt.state, Some(MessageState::EXPIRED));
        assert_eq!(receipt.network_error, Some((3, 27)));
    }

    #[test]
    fn esm_class_is_tested_by_its_bits() {
        for esm_class in [0x04, 0x08, 0x20, 0x44, 0x07, 0x24] {
            assert!(EsmClass(esm_class).is_receipt(), "{esm_class:#04x}");
        }
        for esm_class in [0x00, 0x03, 0x40, 0x10, 0x18, 0x80] {
            assert!(!EsmClass(esm_class).is_receipt(), "{esm_class:#04x}");
        }
    }

    #[test]
    fn an_unmarked_message_is_a_receipt_only_where_that_is_configured() {
        let deliver = deliver(0, "id:1 stat:DELIVRD", Tlvs::EMPTY);
        assert_eq!(Receipt::of(&deliver, Unmarked::IsMessage), None);
        assert!(Receipt::of(&deliver, Unmarked::MayBeReceipt).is_some());
    }

    #[test]
    fn an_unmarked_message_without_id_and_state_stays_a_message() {
        let deliver = deliver(0, "id:1 is my order", Tlvs::EMPTY);
        assert_eq!(Receipt::of(&deliver, Unmarked::MayBeReceipt), None);
    }

    #[test]
    fn a_marked_receipt_that_says_nothing_is_still_no_message() {
        assert_eq!(receipt("delivered, have a nice day"), Receipt::default());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "((id|stat|err|text|done date):? ?|\\PC){0,40}") {
            let receipt = Receipt::from_text(text.as_bytes());
            prop_assert!(receipt.message_id.is_none_or(|id| text.contains(&id.to_text())));
        }
    }
}
