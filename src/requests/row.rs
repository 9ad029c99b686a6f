//! A request id with its outcome, packed: as it is kept, and as it is stored.
//!
//! ```text
//!  stored:  version 2 | digest 16 | fingerprint 8 | since 4 | outcome
//!  outcome: nothing while there is none, else
//!           kind 1 | parts 1 | attempts 1 | smsc length 1 | smsc | what the kind says
//!           where only some parts were accepted: count of ids 1 | each: length 1 | id, before
//!           what the kind says
//! ```

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    digest::Digest,
    message::{Acceptance, MessageOutcome, MessageResult},
    outcome::Reason,
    smpp::CommandStatus,
};

/// Rows of version 1 had another fingerprint.
const VERSION: u8 = 2;
const ACCEPTED_ONE: u8 = 1;
const ACCEPTED_MANY: u8 = 2;
const REJECTED: u8 = 3;
const UNKNOWN: u8 = 4;
/// Added to the kind where ids of accepted parts stand before the rest.
const WITH_PARTS: u8 = 0x80;

/// The reasons why an end is unknown; their places are stored.
const REASONS: [Reason; 5] = [
    Reason::Internal,
    Reason::Timeout,
    Reason::LinkLost,
    Reason::BadAnswer,
    Reason::Stopping,
];

/// What is stored of one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row<'a> {
    pub(super) digest: Digest,
    pub(super) fingerprint: u64,
    /// Seconds since 1970 of the last change.
    pub(super) since_s: u32,
    /// Packed; empty if there is none.
    pub(super) outcome: &'a [u8],
}

impl<'a> Row<'a> {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(29 + self.outcome.len());
        bytes.push(VERSION);
        bytes.extend(self.digest.to_bytes());
        bytes.extend(self.fingerprint.to_le_bytes());
        bytes.extend(self.since_s.to_le_bytes());
        bytes.extend(self.outcome);
        bytes
    }

    /// `None` if it is no row that this version wrote.
    pub(super) fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (digest, rest) = rest.split_first_chunk()?;
        let (fingerprint, rest) = rest.split_first_chunk()?;
        let (since_s, outcome) = rest.split_first_chunk()?;
        let is_sound =
            *version == VERSION && (outcome.is_empty() || unpack(outcome, None).is_some());
        is_sound.then(|| Self {
            digest: Digest::from_bytes(*digest),
            fingerprint: u64::from_le_bytes(*fingerprint),
            since_s: u32::from_le_bytes(*since_s),
            outcome,
        })
    }
}

/// Packs an outcome behind what is there already.
pub(super) fn pack(outcome: &MessageOutcome, bytes: &mut Vec<u8>) {
    let smsc = outcome.smsc.as_deref().unwrap_or_default().as_bytes();
    let smsc = smsc.get(..255).unwrap_or(smsc);
    let kind = match &outcome.result {
        MessageResult::Accepted(Acceptance::Id(_)) => ACCEPTED_ONE,
        MessageResult::Accepted(_) => ACCEPTED_MANY,
        MessageResult::Rejected { .. } => REJECTED,
        MessageResult::NotSent { .. } | MessageResult::Unknown { .. } => UNKNOWN,
    };
    let parts_accepted = &outcome.parts_accepted;
    let kind = match parts_accepted.is_empty() {
        true => kind,
        false => kind | WITH_PARTS,
    };
    bytes.extend([kind, outcome.parts, outcome.attempts, smsc.len() as u8]);
    bytes.extend(smsc);
    if !parts_accepted.is_empty() {
        // A message has at most 255 parts.
        bytes.push(parts_accepted.len() as u8);
        push_ids(bytes, parts_accepted);
    }
    match &outcome.result {
        MessageResult::Accepted(Acceptance::Id(id)) => bytes.extend(id),
        MessageResult::Accepted(Acceptance::Ids(ids)) => push_ids(bytes, ids),
        MessageResult::Accepted(Acceptance::State { .. } | Acceptance::Done) => {}
        MessageResult::Rejected { status, temporary } => {
            bytes.extend(status.0.to_le_bytes());
            bytes.push(u8::from(*temporary));
        }
        MessageResult::NotSent { reason, detail } | MessageResult::Unknown { reason, detail } => {
            let place = REASONS.iter().position(|known| known == reason);
            bytes.push(place.unwrap_or_default() as u8);
            bytes.extend(detail.as_bytes());
        }
    }
}

/// The head of what [`pack`] made, to the name of the SMSC, and what follows it.
pub(super) fn split_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [_, _, _, smsc_length] = bytes.first_chunk()?;
    bytes.split_at_checked(4 + usize::from(*smsc_length))
}

/// The SMSC that a head names.
pub(super) fn smsc_of(head: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(head.get(4..)?).ok()?;
    (!name.is_empty()).then_some(name)
}

fn push_ids(bytes: &mut Vec<u8>, ids: &[Bytes]) {
    for id in ids {
        // An id has at most 255 octets, or the session would not have taken it.
        let id = id.get(..255).unwrap_or(id);
        bytes.push(id.len() as u8);
        bytes.extend(id);
    }
}

/// What [`pack`] made, as a repeated outcome. `smsc` lends its name where it is the same.
pub(super) fn unpack(bytes: &[u8], smsc: Option<&Arc<str>>) -> Option<MessageOutcome> {
    let ([kind, parts, attempts, smsc_length], rest) = bytes.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(usize::from(*smsc_length))?;
    let name = std::str::from_utf8(name).ok()?;
    let smsc = match smsc {
        Some(smsc) if **smsc == *name => Some(Arc::clone(smsc)),
        Some(_) | None => (!name.is_empty()).then(|| name.into()),
    };
    let (parts_accepted, rest) = match kind & WITH_PARTS {
        0 => (Vec::new(), rest),
        _ => {
            let (count, rest) = rest.split_first()?;
            ids(rest, usize::from(*count))?
        }
    };
    let result = match kind & !WITH_PARTS {
        ACCEPTED_ONE => MessageResult::Accepted(Acceptance::Id(Bytes::copy_from_slice(rest))),
        ACCEPTED_MANY => MessageResult::Accepted(Acceptance::Ids(ids(rest, usize::MAX)?.0)),
        REJECTED => {
            let (status, rest) = rest.split_first_chunk()?;
            let [temporary] = rest else { return None };
            MessageResult::Rejected {
                status: CommandStatus(u32::from_le_bytes(*status)),
                temporary: *temporary != 0,
            }
        }
        UNKNOWN => {
            let (reason, detail) = rest.split_first()?;
            MessageResult::Unknown {
                reason: REASONS.get(usize::from(*reason)).copied()?,
                detail: String::from_utf8(detail.to_vec()).ok()?,
            }
        }
        _ => return None,
    };
    Some(MessageOutcome {
        result,
        smsc,
        parts: *parts,
        parts_accepted,
        attempts: *attempts,
        repeated: true,
    })
}

/// At most so many ids, and what follows them.
fn ids(mut bytes: &[u8], count_max: usize) -> Option<(Vec<Bytes>, &[u8])> {
    let mut ids = Vec::new();
    while ids.len() < count_max
        && let Some((length, rest)) = bytes.split_first()
    {
        let (id, rest) = rest.split_at_checked(usize::from(*length))?;
        ids.push(Bytes::copy_from_slice(id));
        bytes = rest;
    }
    Some((ids, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(result: MessageResult) -> MessageOutcome {
        MessageOutcome {
            result,
            smsc: Some("viettel".into()),
            parts: 2,
            parts_accepted: Vec::new(),
            attempts: 1,
            repeated: true,
        }
    }

    fn partly(outcome: MessageOutcome) -> MessageOutcome {
        let parts_accepted = vec![Bytes::new(), Bytes::from_static(b"4F2B")];
        MessageOutcome {
            parts_accepted,
            ..outcome
        }
    }

    fn packed(outcome: &MessageOutcome) -> Vec<u8> {
        let mut bytes = Vec::new();
        pack(outcome, &mut bytes);
        bytes
    }

    fn outcomes() -> Vec<MessageOutcome> {
        let id = |id: &'static str| Bytes::from_static(id.as_bytes());
        [
            MessageResult::Accepted(Acceptance::Id(id("4F2A"))),
            MessageResult::Accepted(Acceptance::Ids(vec![id("4F2A"), id(""), id("4F2C")])),
            MessageResult::Rejected {
                status: CommandStatus(0x0b),
                temporary: true,
            },
            MessageResult::Unknown {
                reason: Reason::Timeout,
                detail: "no answer".into(),
            },
        ]
        .map(outcome)
        .into_iter()
        .flat_map(|outcome| [outcome.clone(), partly(outcome)])
        .collect()
    }

    #[test]
    fn an_outcome_comes_back_as_it_was_and_says_that_it_is_repeated() {
        for outcome in outcomes() {
            assert_eq!(unpack(&packed(&outcome), None), Some(outcome));
        }
    }

    #[test]
    fn a_row_that_is_cut_is_none_or_an_intent_and_never_panics() {
        for outcome in outcomes() {
            let outcome = packed(&outcome);
            let row = Row {
                digest: Digest::from_bytes([9; 16]),
                fingerprint: 77,
                since_s: 1_800_000_000,
                outcome: &outcome,
            };
            let bytes = row.to_bytes();
            assert_eq!(Row::from_bytes(&bytes), Some(row));
            for length in 0..29 {
                assert_eq!(Row::from_bytes(&bytes[..length]), None);
            }
        }
    }
}
