//! A payment as the content of a row, before it is sealed.
//!
//! ```text
//!   version 1 | bank | client | payment id | fingerprint 16 | began 8 | stan 3 | message
//!   | response: DE39, DE38, count, (number 1, value) each | late DE39 | stage
//!
//!   message:  MTI 4 | count | (number 1, value) each, rising
//!   reversal: reason 1 | message | began 8 | attempts 4 | DE39
//!   stage:    1 sending
//!           | 2 ended: end 1, reason 1 where it has one, at 8
//!           | 3 reversing: reversal
//!           | 4 reversal ended: reversal, end 1, operator and reason where resolved, at 8
//! ```
//!
//! Texts, values and codes stand after their length ([`wire`](super::wire)); numbers have the high
//! byte first. Elements are kept as the standard describes them, whatever the bank's dialect makes of
//! them, so that a change of the dialect does not touch what is kept. What may never be kept is left
//! out here once more, should whoever made the payment have forgotten it.

use super::{
    End, Kept, KeptRequest, KeptResponse, KeptReversal, ReversalEnd, Stage,
    kept::is_never_kept,
    wire::{Cursor, Damaged, put_count, put_octets},
};
use crate::{
    client::{ClientName, PaymentId, PaymentKey},
    digest::{Digest, DigestKey},
    iso8583::{Message, Mti, Stan},
    outcome::Reason,
};

/// The first byte of a content; another layout gets another number.
const VERSION: u8 = 1;

/// The elements of a message have the numbers up to this one.
const NUMBER_MAX: u8 = 128;

/// The journal's own row, number 0.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    /// What fingerprints are made with.
    pub(super) digest_key: DigestKey,
    /// No number from here on was ever given to a row.
    pub(super) reserved: u64,
}

impl Meta {
    pub(super) fn encode(&self, to: &mut Vec<u8>) {
        to.push(VERSION);
        to.extend(self.digest_key.to_bytes());
        to.extend(self.reserved.to_be_bytes());
    }

    pub(super) fn decode(content: &[u8]) -> Result<Self, Damaged> {
        let mut from = Cursor::new(content);
        version(&mut from)?;
        let meta = Self {
            digest_key: DigestKey::from_bytes(from.array()?),
            reserved: u64::from_be_bytes(from.array()?),
        };
        from.end()?;
        Ok(meta)
    }
}

/// Appends a payment.
pub(super) fn encode(kept: &Kept, to: &mut Vec<u8>) {
    to.push(VERSION);
    put_octets(to, kept.bank.as_bytes());
    put_octets(to, kept.key.client.as_str());
    put_octets(to, kept.key.id.as_str());
    to.extend(kept.fingerprint.to_bytes());
    to.extend(kept.began_utc_ms.to_be_bytes());
    let [_, stan @ ..] = kept.stan.get().to_be_bytes();
    to.extend(stan);
    to.extend(kept.request.mti().digits());
    put_count(to, kept.request.elements().iter().count());
    to.extend_from_slice(kept.request.elements().octets());
    put_octets(to, kept.response.code());
    put_octets(to, kept.response.authorization_id());
    put_elements(to, || kept.response.others());
    put_octets(to, &kept.late_response_code);
    put_stage(to, &kept.stage);
}

fn put_message(to: &mut Vec<u8>, message: &Message) {
    to.extend(message.mti().digits());
    put_elements(to, || message.iter());
}

fn put_elements<'v, I>(to: &mut Vec<u8>, elements: impl Fn() -> I)
where
    I: Iterator<Item = (u8, &'v [u8])>,
{
    let kept = || elements().filter(|(number, _)| !is_never_kept(*number));
    put_count(to, kept().count());
    for (number, value) in kept() {
        to.push(number);
        put_octets(to, value);
    }
}

fn put_stage(to: &mut Vec<u8>, stage: &Stage) {
    match stage {
        Stage::Sending => to.push(1),
        Stage::Ended { end, at_utc_ms } => {
            to.push(2);
            put_end(to, *end);
            to.extend(at_utc_ms.to_be_bytes());
        }
        Stage::Reversing(reversal) => {
            to.push(3);
            put_reversal(to, reversal);
        }
        Stage::ReversalEnded {
            reversal,
            end,
            at_utc_ms,
        } => {
            to.push(4);
            put_reversal(to, reversal);
            put_reversal_end(to, end);
            to.extend(at_utc_ms.to_be_bytes());
        }
    }
}

fn put_end(to: &mut Vec<u8>, end: End) {
    match end {
        End::Approved => to.push(1),
        End::Declined => to.push(2),
        End::NotSent(why) => to.extend([3, reason_octet(why)]),
        End::Unknown(why) => to.extend([4, reason_octet(why)]),
    }
}

fn put_reversal(to: &mut Vec<u8>, reversal: &KeptReversal) {
    to.push(reason_octet(reversal.reason));
    put_message(to, &reversal.message);
    to.extend(reversal.began_utc_ms.to_be_bytes());
    to.extend(reversal.attempts.to_be_bytes());
    put_octets(to, &reversal.response_code);
}

fn put_reversal_end(to: &mut Vec<u8>, end: &ReversalEnd) {
    match end {
        ReversalEnd::Accepted => to.push(1),
        ReversalEnd::Failed => to.push(2),
        ReversalEnd::Resolved { operator, reason } => {
            to.push(3);
            put_octets(to, operator);
            put_octets(to, reason);
        }
    }
}

/// Reads a payment.
pub(super) fn decode(content: &[u8]) -> Result<Kept, Damaged> {
    let mut from = Cursor::new(content);
    version(&mut from)?;
    let kept = Kept {
        bank: from.text()?.into(),
        key: payment_key(&mut from)?,
        fingerprint: Digest::from_bytes(from.array()?),
        began_utc_ms: i64::from_be_bytes(from.array()?),
        stan: stan(&mut from)?,
        request: KeptRequest::of(&message(&mut from)?, |_| true),
        response: KeptResponse::new(
            from.octets()?,
            from.octets()?,
            elements(&mut from)?.into_iter(),
        ),
        late_response_code: from.bytes()?,
        stage: stage(&mut from)?,
    };
    from.end()?;
    Ok(kept)
}

fn version(from: &mut Cursor<'_>) -> Result<(), Damaged> {
    let unknown = from.damaged("its version is unknown; run the Sampan that wrote it");
    match from.octet()? {
        VERSION => Ok(()),
        _ => Err(unknown),
    }
}

fn payment_key(from: &mut Cursor<'_>) -> Result<PaymentKey, Damaged> {
    let no_client = from.damaged("it is no name of a client");
    let client = ClientName::parse(from.text()?).ok_or(no_client)?;
    let no_id = from.damaged("it is no id of a payment");
    let id = PaymentId::parse(from.text()?).ok_or(no_id)?;
    Ok(PaymentKey { client, id })
}

fn stan(from: &mut Cursor<'_>) -> Result<Stan, Damaged> {
    let wrong = from.damaged("it is no STAN");
    let [a, b, c] = from.array()?;
    Stan::new(u32::from_be_bytes([0, a, b, c])).ok_or(wrong)
}

fn message(from: &mut Cursor<'_>) -> Result<Message, Damaged> {
    let wrong = from.damaged("it is no MTI");
    let mti = Mti::parse(from.array()?).map_err(|_| wrong)?;
    let mut message = Message::new(mti);
    let mut before = 1;
    let wrong = from.damaged("its elements are not in rising order from 2 to 128");
    for (number, value) in elements(from)? {
        if !(before + 1..=NUMBER_MAX).contains(&number) {
            return Err(wrong);
        }
        before = number;
        message.set(number, value);
    }
    Ok(message)
}

fn elements<'b>(from: &mut Cursor<'b>) -> Result<Vec<(u8, &'b [u8])>, Damaged> {
    let count = from.count()?;
    // The count may be damaged; only what is there is kept.
    let mut elements = Vec::new();
    for _ in 0..count {
        elements.push((from.octet()?, from.octets()?));
    }
    Ok(elements)
}

fn stage(from: &mut Cursor<'_>) -> Result<Stage, Damaged> {
    let unknown = from.damaged("its stage is unknown");
    Ok(match from.octet()? {
        1 => Stage::Sending,
        2 => Stage::Ended {
            end: end(from)?,
            at_utc_ms: i64::from_be_bytes(from.array()?),
        },
        3 => Stage::Reversing(reversal(from)?),
        4 => Stage::ReversalEnded {
            reversal: reversal(from)?,
            end: reversal_end(from)?,
            at_utc_ms: i64::from_be_bytes(from.array()?),
        },
        _ => return Err(unknown),
    })
}

fn end(from: &mut Cursor<'_>) -> Result<End, Damaged> {
    let unknown = from.damaged("its end is unknown");
    Ok(match from.octet()? {
        1 => End::Approved,
        2 => End::Declined,
        3 => End::NotSent(reason(from)?),
        4 => End::Unknown(reason(from)?),
        _ => return Err(unknown),
    })
}

fn reversal(from: &mut Cursor<'_>) -> Result<KeptReversal, Damaged> {
    Ok(KeptReversal {
        reason: reason(from)?,
        message: message(from)?,
        began_utc_ms: i64::from_be_bytes(from.array()?),
        attempts: u32::from_be_bytes(from.array()?),
        response_code: from.bytes()?,
    })
}

fn reversal_end(from: &mut Cursor<'_>) -> Result<ReversalEnd, Damaged> {
    let unknown = from.damaged("the end of its reversal is unknown");
    Ok(match from.octet()? {
        1 => ReversalEnd::Accepted,
        2 => ReversalEnd::Failed,
        3 => ReversalEnd::Resolved {
            operator: from.text()?.to_owned(),
            reason: from.text()?.to_owned(),
        },
        _ => return Err(unknown),
    })
}

/// What stands for a reason in a record. It must never change its meaning.
fn reason_octet(reason: Reason) -> u8 {
    match reason {
        Reason::Invalid => 1,
        Reason::NoRoute => 2,
        Reason::NoLink => 3,
        Reason::QueueFull => 4,
        Reason::Deadline => 5,
        Reason::Timeout => 6,
        Reason::LinkLost => 7,
        Reason::Stopping => 8,
        Reason::Limit => 9,
        Reason::Journal => 10,
        Reason::BadAnswer => 11,
        Reason::Cancelled => 12,
        Reason::IdReused => 13,
        Reason::Internal => 14,
    }
}

fn reason(from: &mut Cursor<'_>) -> Result<Reason, Damaged> {
    let unknown = from.damaged("its reason is unknown");
    Ok(match from.octet()? {
        1 => Reason::Invalid,
        2 => Reason::NoRoute,
        3 => Reason::NoLink,
        4 => Reason::QueueFull,
        5 => Reason::Deadline,
        6 => Reason::Timeout,
        7 => Reason::LinkLost,
        8 => Reason::Stopping,
        9 => Reason::Limit,
        10 => Reason::Journal,
        11 => Reason::BadAnswer,
        12 => Reason::Cancelled,
        13 => Reason::IdReused,
        14 => Reason::Internal,
        _ => return Err(unknown),
    })
}
