//! The results of a batch of payments, written as protobuf straight from the outcomes.
//!
//! Nearly all payments are approved or declined; for these a `PaymentResult` of ten strings that live only
//! until they are written would cost more than the writing. All others are written by prost. A test
//! holds both against each other.

use std::sync::Arc;

use bytes::BufMut;
use prost::Message as _;

use super::translate;
use crate::{
    payment::{PaymentAnswer, PaymentOutcome},
    rpc::{codec::Answer, proto},
};

/// A `PaymentResults`, encoded.
pub(crate) struct EncodedPayments(Vec<u8>);

/// What a result takes with ids and elements of common length; others make the buffer grow.
const RESULT_OCTETS: usize = 192;

/// Keys of `PaymentResults.results` and of the fields of `PaymentResult` and `Element`: the field's
/// number, and 0 for a number or 2 for octets with their length.
mod key {
    pub(super) const RESULTS: u8 = 1 << 3 | 2;
    pub(super) const PAYMENT_ID: u8 = 1 << 3 | 2;
    pub(super) const OUTCOME: u8 = 2 << 3;
    pub(super) const RETRY_IS_SAFE: u8 = 3 << 3;
    pub(super) const RESPONSE_CODE: u8 = 4 << 3 | 2;
    pub(super) const AUTHORIZATION_ID: u8 = 5 << 3 | 2;
    pub(super) const STAN: u8 = 6 << 3 | 2;
    pub(super) const RETRIEVAL_REFERENCE: u8 = 7 << 3 | 2;
    pub(super) const ELEMENTS: u8 = 8 << 3 | 2;
    pub(super) const BANK: u8 = 11 << 3 | 2;
    pub(super) const NUMBER: u8 = 1 << 3;
    pub(super) const TEXT: u8 = 2 << 3 | 2;
    pub(super) const BINARY: u8 = 3 << 3 | 2;
}

impl EncodedPayments {
    pub(super) fn of(told: Vec<(Arc<str>, PaymentAnswer)>) -> Self {
        let mut out = Vec::with_capacity(told.len() * RESULT_OCTETS);
        let mut result = Vec::with_capacity(RESULT_OCTETS);
        for (id, answer) in told {
            result.clear();
            match Answered::of(&id, &answer) {
                Some(answered) => answered.write(&mut result),
                None => translate::payment_result(&id, answer).encode_raw(&mut result),
            }
            put_octets(&mut out, key::RESULTS, &result);
        }
        Self(out)
    }
}

impl Answer for EncodedPayments {
    fn octets(&self) -> usize {
        self.0.len()
    }

    fn write(&self, out: &mut impl BufMut) {
        out.put_slice(&self.0);
    }
}

/// A payment that the bank approved or declined, and that is not taken back.
struct Answered<'a> {
    payment_id: &'a str,
    outcome: proto::PaymentOutcome,
    stan: [u8; 6],
    bank: &'a str,
    answer: &'a PaymentAnswer,
}

impl<'a> Answered<'a> {
    fn of(payment_id: &'a str, answer: &'a PaymentAnswer) -> Option<Self> {
        let outcome = match &answer.outcome {
            PaymentOutcome::Approved => proto::PaymentOutcome::Approved,
            PaymentOutcome::Declined => proto::PaymentOutcome::Declined,
            _ => return None,
        };
        let response = &answer.response;
        let is_plain = answer.reversal.is_none()
            && response.code().is_ascii()
            && response.authorization_id().is_ascii()
            && answer.retrieval_reference.is_ascii();
        is_plain.then_some(Self {
            payment_id,
            outcome,
            stan: answer.stan?.digits(),
            bank: answer.bank.as_deref().unwrap_or_default(),
            answer,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let response = &self.answer.response;
        put_text(out, key::PAYMENT_ID, self.payment_id.as_bytes());
        out.extend([key::OUTCOME, self.outcome as u8]);
        if self.answer.retry_is_safe() {
            out.extend([key::RETRY_IS_SAFE, 1]);
        }
        put_text(out, key::RESPONSE_CODE, response.code());
        put_text(out, key::AUTHORIZATION_ID, response.authorization_id());
        put_text(out, key::STAN, &self.stan);
        let reference = &self.answer.retrieval_reference;
        put_text(out, key::RETRIEVAL_REFERENCE, reference);
        for (number, value) in response.others() {
            put_element(out, number, value);
        }
        put_text(out, key::BANK, self.bank.as_bytes());
    }
}

/// An empty text is not written.
fn put_text(out: &mut Vec<u8>, key: u8, text: &[u8]) {
    if !text.is_empty() {
        put_octets(out, key, text);
    }
}

fn put_octets(out: &mut Vec<u8>, key: u8, octets: &[u8]) {
    out.push(key);
    put_number(out, octets.len());
    out.extend_from_slice(octets);
}

fn put_element(out: &mut Vec<u8>, number: u8, value: &[u8]) {
    let key = match translate::is_text(value) {
        true => key::TEXT,
        false => key::BINARY,
    };
    let number = usize::from(number);
    let [number_octets, length_octets] = [number, value.len()].map(prost::length_delimiter_len);
    out.push(key::ELEMENTS);
    put_number(out, 1 + number_octets + 1 + length_octets + value.len());
    out.push(key::NUMBER);
    put_number(out, number);
    put_octets(out, key, value);
}

fn put_number(out: &mut Vec<u8>, number: usize) {
    // It fails only where there is no room, and this grows.
    prost::encode_length_delimiter(number, out).ok();
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::{collection::vec, option, prelude::*};

    use super::*;
    use crate::{iso8583::Stan, journal::KeptResponse, outcome::Reason, payment::ReversalStatus};

    fn outcome() -> impl Strategy<Value = PaymentOutcome> {
        prop_oneof![
            4 => Just(PaymentOutcome::Approved),
            4 => Just(PaymentOutcome::Declined),
            1 => Just(PaymentOutcome::Reversing),
            1 => ".{0,20}".prop_map(|detail| PaymentOutcome::NotSent {
                reason: Reason::Deadline,
                detail,
            }),
        ]
    }

    fn octets(length_max: usize) -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => vec(b' '..=b'~', 0..length_max),
            1 => vec(any::<u8>(), 0..length_max),
        ]
    }

    fn response() -> impl Strategy<Value = KeptResponse> {
        let others = vec((2..=128_u8, octets(300)), 0..4);
        (octets(4), octets(8), others).prop_map(|(code, authorization_id, others)| {
            let others = others.iter().map(|(number, value)| (*number, &value[..]));
            KeptResponse::new(&code, &authorization_id, others)
        })
    }

    fn reversal() -> impl Strategy<Value = ReversalStatus> {
        option::of(1..1_000_u64).prop_map(|actual_amount_minor| ReversalStatus {
            reason: Reason::Timeout,
            attempts: 1,
            response_code: Bytes::new(),
            stan: Stan::MAX,
            actual_amount_minor,
        })
    }

    fn answer() -> impl Strategy<Value = PaymentAnswer> {
        let bank = option::of("[a-z]{0,130}".prop_map(Into::into));
        let stan = option::weighted(0.9, (1..=999_999_u32).prop_map(|n| Stan::new(n).unwrap()));
        let rare = option::weighted(0.1, reversal());
        (outcome(), bank, stan, octets(13), response(), rare).prop_map(
            |(outcome, bank, stan, reference, response, reversal)| PaymentAnswer {
                bank,
                stan,
                retrieval_reference: reference.into(),
                response,
                reversal,
                ..PaymentAnswer::bare(outcome)
            },
        )
    }

    proptest! {
        #[test]
        fn results_are_the_octets_that_prost_would_write(
            told in vec(("\\PC{0,140}", answer()), 0..4)
        ) {
            let told: Vec<(Arc<str>, _)> =
                told.into_iter().map(|(id, answer)| (id.into(), answer)).collect();
            let results = told
                .iter()
                .map(|(id, answer)| translate::payment_result(id, answer.clone()))
                .collect();
            let expected = proto::PaymentResults { results }.encode_to_vec();
            prop_assert_eq!(EncodedPayments::of(told).0, expected);
        }
    }
}
