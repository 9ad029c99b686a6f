//! Requests that are encoded once. Of each further batch only the ids and the numbers are new, and
//! these are written over those of the batch before.

use bytes::Bytes;
use prost::Message as _;
use sampan::rpc::proto::{
    Address, Money, PaymentKind, SubmitRequest, TransactRequest, submit_request::Body,
};

use super::id::{ID_BYTES, Id, write_decimal};

/// The number that messages come from and MO go to.
pub(in crate::bench) const SERVICE: &str = "8049";
/// What every destination begins with, and the digits behind it that differ.
pub(in crate::bench) const DESTINATION_PREFIX: &str = "8498";
const DESTINATION_DIGITS: usize = 7;
/// What every card number begins with, and the digits behind it that differ.
pub(in crate::bench) const CARD_PREFIX: &str = "970436";
const CARD_DIGITS: usize = 10;
/// So late that no request of a run is refused for it.
const DEADLINE_MS: u32 = 60_000;
/// `requests` of a SubmitBatch and of a TransactBatch: field 1, length-delimited.
const REQUESTS_KEY: u8 = 0x0A;

/// What one request is, without a batch around it.
pub(in crate::bench) struct Shape {
    octets: Vec<u8>,
    id_at: usize,
    digits_at: usize,
    digits: usize,
}

impl Shape {
    /// A message with a text of so many characters of GSM 7 bit.
    pub(in crate::bench) fn message(text_chars: usize, receipt: bool) -> Self {
        let destination = format!("{DESTINATION_PREFIX}{}", blank(DESTINATION_DIGITS));
        let request = SubmitRequest {
            request_id: blank(ID_BYTES),
            source: Some(Address {
                number: SERVICE.to_owned(),
                ..Address::default()
            }),
            destination: Some(Address {
                number: destination,
                ..Address::default()
            }),
            body: Some(Body::Text("a".repeat(text_chars))),
            receipt,
            deadline_ms: DEADLINE_MS,
            ..SubmitRequest::default()
        };
        Self::of(
            request.encode_to_vec(),
            DESTINATION_PREFIX,
            DESTINATION_DIGITS,
        )
    }

    /// A purchase.
    pub(in crate::bench) fn payment() -> Self {
        let request = TransactRequest {
            payment_id: blank(ID_BYTES),
            kind: PaymentKind::Purchase.into(),
            pan: format!("{CARD_PREFIX}{}", blank(CARD_DIGITS)),
            amount: Some(Money {
                amount_minor: 10_000,
                currency: "VND".to_owned(),
            }),
            deadline_ms: DEADLINE_MS,
            ..TransactRequest::default()
        };
        Self::of(request.encode_to_vec(), CARD_PREFIX, CARD_DIGITS)
    }

    /// The id is the first run of so many blanks, the digits are the blanks behind the prefix.
    fn of(octets: Vec<u8>, prefix: &str, digits: usize) -> Self {
        let number = format!("{prefix}{}", blank(digits));
        let id_at = find(&octets, blank(ID_BYTES).as_bytes());
        let digits_at = find(&octets, number.as_bytes()) + prefix.len();
        Self {
            octets,
            id_at,
            digits_at,
            digits,
        }
    }
}

/// A digit, so that a request with blanks is one like any other.
fn blank(count: usize) -> String {
    "0".repeat(count)
}

/// Where the octets begin; the shapes above have what is looked for.
fn find(octets: &[u8], wanted: &[u8]) -> usize {
    let mut windows = octets.windows(wanted.len());
    windows
        .position(|window| window == wanted)
        .unwrap_or_default()
}

/// A batch that is sent again and again.
pub(in crate::bench) struct Batch {
    octets: Vec<u8>,
    shape: Shape,
    /// Where the octets of each request begin.
    begins: Vec<usize>,
    stream: u64,
    next: u64,
}

impl Batch {
    /// Of so many requests, of the stream with this number.
    pub(in crate::bench) fn new(shape: Shape, requests: usize, stream: usize) -> Self {
        let mut octets = Vec::new();
        let mut begins = Vec::new();
        for _ in 0..requests {
            octets.push(REQUESTS_KEY);
            // A vector takes any length.
            prost::encode_length_delimiter(shape.octets.len(), &mut octets).ok();
            begins.push(octets.len());
            octets.extend_from_slice(&shape.octets);
        }
        Self {
            octets,
            shape,
            begins,
            stream: stream as u64,
            next: 0,
        }
    }

    /// Of one request, which stands alone.
    pub(in crate::bench) fn unary(shape: Shape, stream: usize) -> Self {
        Self {
            octets: shape.octets.clone(),
            shape,
            begins: vec![0],
            stream: stream as u64,
            next: 0,
        }
    }

    /// How many requests it has.
    pub(in crate::bench) fn len(&self) -> usize {
        self.begins.len()
    }

    /// How many requests were made so far.
    pub(in crate::bench) fn made(&self) -> u64 {
        self.next
    }

    /// The next requests, meant to leave at this moment.
    pub(in crate::bench) fn next(&mut self, at_ns: u64) -> Bytes {
        for begin in &self.begins {
            let id = Id {
                stream: self.stream,
                number: self.next,
                at_ns,
            };
            let id_at = begin + self.shape.id_at;
            if let Some(place) = self.octets.get_mut(id_at..id_at + ID_BYTES) {
                id.write(place);
            }
            let digits_at = begin + self.shape.digits_at;
            if let Some(place) = self
                .octets
                .get_mut(digits_at..digits_at + self.shape.digits)
            {
                write_decimal(scattered(self.stream, self.next), place);
            }
            self.next += 1;
        }
        Bytes::copy_from_slice(&self.octets)
    }
}

/// Numbers of subscribers and cards are not dialled in their order.
fn scattered(stream: u64, number: u64) -> u64 {
    // Knuth's multiplicative hash: 2^64 over the golden ratio.
    (stream << 40 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24
}

#[cfg(test)]
mod tests {
    use sampan::rpc::proto::{SubmitBatch, TransactBatch};

    use super::*;

    fn ids<'a>(ids: impl Iterator<Item = &'a String>) -> Vec<Id> {
        ids.map(|id| Id::read(id.as_bytes()).unwrap()).collect()
    }

    fn expected(stream: u64, numbers: std::ops::Range<u64>, at_ns: u64) -> Vec<Id> {
        let id = |number| Id {
            stream,
            number,
            at_ns,
        };
        numbers.map(id).collect()
    }

    #[test]
    fn a_batch_of_messages_is_one_of_the_contract_and_no_id_comes_twice() {
        let mut batch = Batch::new(Shape::message(300, true), 3, 7);
        for (numbers, at_ns) in [(0..3, 1), (3..6, 99)] {
            let sent = SubmitBatch::decode(batch.next(at_ns)).unwrap().requests;
            let found = ids(sent.iter().map(|request| &request.request_id));
            assert_eq!(found, expected(7, numbers, at_ns));
            for request in &sent {
                assert_eq!(request.body, Some(Body::Text("a".repeat(300))));
                let destination = &request.destination.as_ref().unwrap().number;
                assert!(destination.starts_with(DESTINATION_PREFIX));
                assert_eq!(destination.len(), 11);
                assert!(request.receipt);
            }
        }
        assert_eq!(batch.made(), 6);
    }

    #[test]
    fn a_batch_of_payments_is_one_of_the_contract() {
        let mut batch = Batch::new(Shape::payment(), 2, 0);
        let sent = TransactBatch::decode(batch.next(5)).unwrap().requests;
        assert_eq!(
            ids(sent.iter().map(|request| &request.payment_id)),
            expected(0, 0..2, 5)
        );
        for request in &sent {
            assert!(request.pan.starts_with(CARD_PREFIX) && request.pan.len() == 16);
            assert_eq!(request.amount.as_ref().unwrap().amount_minor, 10_000);
        }
    }

    #[test]
    fn a_single_request_stands_without_a_batch() {
        let mut batch = Batch::unary(Shape::message(20, false), 1);
        batch.next(1);
        let sent = SubmitRequest::decode(batch.next(2)).unwrap();
        assert_eq!(ids([&sent.request_id].into_iter()), expected(1, 1..2, 2));
    }
}
