//! Decides which partners a message goes to, and queues it for them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{PartnerKind, PushError, partner};
use crate::{
    deliveries::{self, Kind, Parcel, Queued},
    moment::UnixMs,
    phone::Phone,
    seal::Keys,
    store::Write,
    word::Id,
};

/// A message of a subscriber.
#[derive(Clone, Copy)]
pub struct Mo<'a> {
    /// By which it is known for ever.
    pub guid: &'a Id,
    /// Who wrote it.
    pub from: &'a Phone,
    /// The number that he wrote to, perhaps empty.
    pub to: &'a str,
    /// What he wrote.
    pub text: &'a str,
    /// When it came.
    pub received_at: UnixMs,
}

/// A message as partners get it: the body of a webhook as it is, and what a FiboSMS page is called with.
#[derive(Serialize, Deserialize)]
pub(super) struct Event<'a> {
    #[serde(rename = "type", borrow)]
    event_type: Cow<'a, str>,
    timestamp: Cow<'a, str>,
    pub(super) data: Data<'a>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Data<'a> {
    #[serde(borrow)]
    guid: Cow<'a, str>,
    pub(super) phone: Cow<'a, str>,
    to: Cow<'a, str>,
    pub(super) message: Cow<'a, str>,
}

/// Queues a message for each active partner whom it is for, in the change that records it, and says for how
/// many. The same message again is queued for nobody twice.
///
/// # Errors
/// A payload cannot be sealed, or is longer than any message.
pub async fn route(
    write: &mut Write,
    keys: &Keys,
    mo: &Mo<'_>,
    now: UnixMs,
) -> Result<usize, PushError> {
    let partners = partner::filters(write.connection()).await?;
    let wanting = partners.iter().filter(|(.., filter)| filter.fits(mo));
    let wanting: Vec<_> = wanting.collect();
    if wanting.is_empty() {
        return Ok(0);
    }
    let payload = payload(mo);
    let mut queued = 0;
    for (target, kind, _) in wanting {
        let kind = match kind {
            PartnerKind::Fibo => Kind::Fibo,
            PartnerKind::Json => Kind::Webhook,
        };
        let parcel = Parcel {
            kind,
            target,
            guid: mo.guid,
            payload: &payload,
        };
        match deliveries::queue(write, keys, parcel, now).await? {
            Queued::Waits | Queued::Dead => queued += 1,
            Queued::Stands => {}
        }
    }
    Ok(queued)
}

fn payload(mo: &Mo<'_>) -> Zeroizing<String> {
    let event = Event {
        event_type: "message.received".into(),
        timestamp: rfc3339(mo.received_at).into(),
        data: Data {
            guid: mo.guid.as_str().into(),
            phone: mo.from.as_str().into(),
            to: mo.to.into(),
            message: mo.text.into(),
        },
    };
    // Texts alone, which are always JSON.
    Zeroizing::new(serde_json::to_string(&event).unwrap_or_default())
}

/// As `2026-11-22T16:59:59.999Z`. A clock that is thousands of years off is shown as 1970.
fn rfc3339(at: UnixMs) -> String {
    let seconds = OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1_000));
    let time = seconds.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, (hour, minute, second)) = (time.date(), time.to_hms());
    let ms = at.0.rem_euclid(1_000);
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_told_as_the_specification_of_webhooks_recommends() {
        let mo = Mo {
            guid: &"mo-1".parse().unwrap(),
            from: &"84912345678".parse().unwrap(),
            to: "8049",
            text: "Đặt \"1\"",
            received_at: UnixMs(1_795_366_799_999),
        };
        assert_eq!(
            payload(&mo).as_str(),
            r#"{"type":"message.received","timestamp":"2026-11-22T16:59:59.999Z","data":{"guid":"mo-1","phone":"84912345678","to":"8049","message":"Đặt \"1\""}}"#
        );
    }

    #[test]
    fn the_longest_message_fits_a_delivery() {
        // 255 parts of 67 characters, of which JSON makes the most that it can.
        let text = "\u{1}".repeat(255 * 67);
        let mo = Mo {
            guid: &"g".repeat(64).parse().unwrap(),
            from: &"849123456789012".parse().unwrap(),
            to: "8049",
            text: &text,
            received_at: UnixMs(0),
        };
        assert!(payload(&mo).len() <= deliveries::PAYLOAD_BYTES_MAX);
    }
}
