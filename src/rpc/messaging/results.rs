//! The results of a batch, written as protobuf straight from the outcomes.
//!
//! Nearly all outcomes are one accepted message; for these a `SubmitResult` of strings that live only
//! until they are written would cost more than the writing. All others are written by prost. A test
//! holds both against each other.

use std::sync::Arc;

use bytes::BufMut;
use prost::Message as _;

use super::translate;
use crate::{
    message::{Acceptance, MessageOutcome, MessageResult},
    rpc::{codec::Answer, proto},
};

/// A `SubmitResults`, encoded.
pub(crate) struct EncodedResults(Vec<u8>);

/// What a result takes with ids and names of common length; others make the buffer grow.
const RESULT_OCTETS: usize = 96;

/// Keys of `SubmitResults.results` and of the fields of `SubmitResult`: the field's number, and 0 for
/// a number or 2 for octets with their length.
mod key {
    pub(super) const RESULTS: u8 = 1 << 3 | 2;
    pub(super) const REQUEST_ID: u8 = 1 << 3 | 2;
    pub(super) const OUTCOME: u8 = 2 << 3;
    pub(super) const MESSAGE_IDS: u8 = 4 << 3 | 2;
    pub(super) const SMSC: u8 = 8 << 3 | 2;
    pub(super) const PARTS: u8 = 9 << 3;
    pub(super) const REPEATED: u8 = 10 << 3;
    pub(super) const ATTEMPTS: u8 = 11 << 3;
}

/// The longest text, and the largest number, whose length or value is one octet of a varint.
const ONE_OCTET_MAX: usize = 0x7F;

impl EncodedResults {
    pub(super) fn of(told: Vec<(Arc<str>, MessageOutcome)>) -> Self {
        let mut out = Vec::with_capacity(told.len() * RESULT_OCTETS);
        for (id, outcome) in told {
            match Accepted::of(&id, &outcome) {
                Some(accepted) => accepted.write(&mut out),
                None => {
                    let result = translate::submit_result(id, outcome);
                    out.put_u8(key::RESULTS);
                    prost::encode_length_delimiter(result.encoded_len(), &mut out).ok();
                    result.encode_raw(&mut out);
                }
            }
        }
        Self(out)
    }
}

impl Answer for EncodedResults {
    fn octets(&self) -> usize {
        self.0.len()
    }

    fn write(&self, out: &mut impl BufMut) {
        out.put_slice(&self.0);
    }
}

/// The outcome of a message that was accepted in one part, with nothing in it that is long.
struct Accepted<'a> {
    request_id: &'a [u8],
    message_id: &'a [u8],
    smsc: &'a [u8],
    parts: u8,
    attempts: u8,
    repeated: bool,
}

impl<'a> Accepted<'a> {
    fn of(id: &'a str, outcome: &'a MessageOutcome) -> Option<Self> {
        let MessageResult::Accepted(Acceptance::Id(message_id)) = &outcome.result else {
            return None;
        };
        let accepted = Self {
            request_id: id.as_bytes(),
            message_id,
            smsc: outcome.smsc.as_deref().unwrap_or_default().as_bytes(),
            parts: outcome.parts,
            attempts: outcome.attempts,
            repeated: outcome.repeated,
        };
        let is_short = |octets: &[u8]| (1..=ONE_OCTET_MAX).contains(&octets.len());
        let is_small = |number: u8| (1..=ONE_OCTET_MAX).contains(&number.into());
        let is_plain = message_id.is_ascii()
            && [accepted.request_id, message_id, accepted.smsc]
                .into_iter()
                .all(is_short)
            && is_small(accepted.parts)
            && is_small(accepted.attempts);
        is_plain.then_some(accepted)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let texts = self.request_id.len() + self.message_id.len() + self.smsc.len();
        // Three texts with key and length, three numbers with key, and what is rarely there.
        let octets = texts + 3 * 2 + 3 * 2 + 2 * usize::from(self.repeated);
        out.push(key::RESULTS);
        match octets {
            0..=ONE_OCTET_MAX => out.push(octets as u8),
            // Three texts of at most 127 octets: two octets of a varint are enough.
            _ => out.extend([(octets & ONE_OCTET_MAX) as u8 | 0x80, (octets >> 7) as u8]),
        }
        put_text(out, key::REQUEST_ID, self.request_id);
        out.extend([key::OUTCOME, proto::Outcome::Accepted as u8]);
        put_text(out, key::MESSAGE_IDS, self.message_id);
        put_text(out, key::SMSC, self.smsc);
        out.extend([key::PARTS, self.parts]);
        if self.repeated {
            out.extend([key::REPEATED, 1]);
        }
        out.extend([key::ATTEMPTS, self.attempts]);
    }
}

fn put_text(out: &mut Vec<u8>, key: u8, text: &[u8]) {
    out.extend([key, text.len() as u8]);
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::{outcome::Reason, smpp::CommandStatus};

    fn result() -> impl Strategy<Value = MessageResult> {
        let id = prop_oneof![
            4 => "[0-9a-f]{0,20}".prop_map(String::into_bytes),
            1 => proptest::collection::vec(any::<u8>(), 0..255),
        ];
        let id = id.prop_map(Bytes::from);
        let ids = proptest::collection::vec(id.clone(), 0..4);
        prop_oneof![
            8 => id.prop_map(|id| MessageResult::Accepted(Acceptance::Id(id))),
            1 => ids.prop_map(|ids| MessageResult::Accepted(Acceptance::Ids(ids))),
            1 => (any::<u32>(), any::<bool>()).prop_map(|(status, temporary)| {
                let status = CommandStatus(status);
                MessageResult::Rejected { status, temporary }
            }),
            1 => ".{0,20}".prop_map(|detail| {
                let reason = Reason::Deadline;
                MessageResult::NotSent { reason, detail }
            }),
        ]
    }

    fn outcome() -> impl Strategy<Value = MessageOutcome> {
        let smsc = proptest::option::of("[a-z]{0,130}".prop_map(Into::into));
        let numbers = (any::<u8>(), 0_u8..3, any::<bool>());
        (result(), smsc, numbers).prop_map(|(result, smsc, (parts, attempts, repeated))| {
            MessageOutcome {
                result,
                smsc,
                parts,
                parts_accepted: Vec::new(),
                attempts,
                repeated,
            }
        })
    }

    proptest! {
        #[test]
        fn results_are_the_octets_that_prost_would_write(
            told in proptest::collection::vec(("\\PC{0,140}", outcome()), 0..4)
        ) {
            let told: Vec<(Arc<str>, _)> =
                told.into_iter().map(|(id, outcome)| (id.into(), outcome)).collect();
            let results = told
                .iter()
                .map(|(id, outcome)| translate::submit_result(Arc::clone(id), outcome.clone()))
                .collect();
            let expected = proto::SubmitResults { results }.encode_to_vec();
            prop_assert_eq!(EncodedResults::of(told).0, expected);
        }
    }
}
