//! The rows of deliveries that wait: how they come in, are taken for an attempt, and go out again.
//!
//! An attempt is fenced by the delivery's series and number of attempts: the end of one that was given up
//! changes nothing.

use std::{fmt, time::Duration};

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{Attempt, DeliveryError, Kind, Verdict, schedule, unfit};
use crate::{
    moment::UnixMs,
    seal::{Keys, SealFault, envelope},
    store::{StoreError, Write, at},
    word::Id,
};

/// Octets of a payload. The longest message of a subscriber has 255 parts, which is less in any coding.
pub const PAYLOAD_BYTES_MAX: usize = 128 << 10;

/// Deliveries that wait for one target. Further ones are dead letters at once, so that a target which is
/// down for days loses nothing and fills no queue.
pub const WAITING_MAX: i64 = 10_000;

/// Targets that are looked at in one pass, those first whose delivery has waited longest.
const TARGETS_MAX: i64 = 512;

/// Characters of a reason that is kept.
const WHY_CHARS_MAX: usize = 300;

/// What is to be delivered.
#[derive(Clone, Copy)]
pub struct Parcel<'a> {
    /// Of which kind.
    pub kind: Kind,
    /// For whom.
    pub target: &'a Id,
    /// By which the target knows it again.
    pub guid: &'a Id,
    /// What is to be told.
    pub payload: &'a str,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    /// It waits for its first attempt.
    Waits,
    /// There is one to this target with this guid already.
    Stands,
    /// Too many wait for this target: it is a dead letter.
    Dead,
}

/// A target to which something is due.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Target {
    pub(super) kind: Kind,
    pub(super) id: Id,
}

/// A delivery that was taken for an attempt, and the place where the attempt's end belongs.
pub(super) struct Taken {
    pub(super) target: Target,
    guid: Id,
    number: i64,
    series: i64,
    attempts: u32,
    sealed: Vec<u8>,
}

impl Taken {
    /// For the carrier. A payload whose key is missing fails alone and holds up no other.
    pub(super) fn open(&self, keys: &Keys) -> Result<Attempt, DeliveryError> {
        let Target { kind, id } = &self.target;
        let payload = envelope::open(keys, &context(*kind, id, &self.guid), &self.sealed);
        Ok(Attempt {
            kind: *kind,
            target: id.clone(),
            guid: self.guid.clone(),
            payload: payload.map_err(|fault| seal_error(id, &self.guid, fault))?,
            number: self.attempts,
        })
    }

    /// What the verdict makes of the delivery. `chance` is from 0 to 1.
    pub(super) fn next(&self, verdict: Verdict, chance: f64) -> Next {
        match verdict {
            Verdict::Done => Next::Done,
            Verdict::Undeliverable { why } => Next::Dead { why: short(why) },
            Verdict::Failed { why, not_before } => {
                let why = short(why);
                match schedule::wait(self.target.kind, self.attempts, not_before, chance) {
                    Some(after) => Next::Again { after, why },
                    None => Next::Dead { why },
                }
            }
        }
    }
}

/// Without the payload.
impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target { kind, id } = &self.target;
        let (attempt, guid) = (self.attempts, &self.guid);
        write!(f, "attempt {attempt} of {} {guid} to {id}", kind.word())
    }
}

/// Puts a delivery into the queue, in the same change as what it tells of.
///
/// # Errors
/// It is too long, or cannot be sealed.
pub async fn queue(
    write: &mut Write,
    keys: &Keys,
    parcel: Parcel<'_>,
    now: UnixMs,
) -> Result<Queued, DeliveryError> {
    let Parcel {
        kind,
        target,
        guid,
        payload,
    } = parcel;
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(DeliveryError::Long(payload.len()));
    }
    let is_full = is_full(write.connection(), kind, target).await?;
    let (state, why, ended) = match is_full {
        false => ("waiting", "", None),
        true => ("dead", "too many wait for this target", Some(now.0)),
    };
    let context = context(kind, target, guid);
    let sealed = envelope::seal(keys.current(), &context, payload.as_bytes());
    let sealed = sealed.map_err(|fault| seal_error(target, guid, fault))?;
    let insert = "INSERT INTO delivery (kind, target, guid, payload, payload_key, state, why,
            due_at_ms, made_at_ms, ended_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)
        ON CONFLICT (kind, target, guid) DO NOTHING";
    let inserted = sqlx::query(insert)
        .bind(kind.word())
        .bind(target.as_str())
        .bind(guid.as_str())
        .bind(sealed)
        .bind(keys.current().id().to_string())
        .bind(state)
        .bind(why)
        .bind(now.0)
        .bind(ended)
        .execute(write.connection());
    Ok(
        match inserted.await.map_err(at("delivery"))?.rows_affected() {
            0 => Queued::Stands,
            _ if is_full => Queued::Dead,
            _ => Queued::Waits,
        },
    )
}

async fn is_full(connection: &mut AnyConnection, kind: Kind, id: &Id) -> Result<bool, StoreError> {
    let select = "SELECT number FROM delivery
        WHERE kind = $1 AND target = $2 AND state = 'waiting' LIMIT 1 OFFSET $3";
    let row = sqlx::query(select)
        .bind(kind.word())
        .bind(id.as_str())
        .bind(WAITING_MAX - 1)
        .fetch_optional(connection);
    Ok(row.await.map_err(at("delivery"))?.is_some())
}

/// The targets to which something is due.
pub(super) async fn due_targets(
    connection: &mut AnyConnection,
    now: UnixMs,
) -> Result<Vec<Target>, StoreError> {
    let select = "SELECT kind, target FROM delivery WHERE state = 'waiting' AND due_at_ms <= $1
        GROUP BY kind, target ORDER BY min(due_at_ms), kind, target LIMIT $2";
    let rows = sqlx::query(select)
        .bind(now.0)
        .bind(TARGETS_MAX)
        .fetch_all(connection);
    let rows = rows.await.map_err(at("delivery"))?;
    let target = |row: &AnyRow| {
        let kind: String = row.try_get(0).map_err(at("delivery"))?;
        Ok(Target {
            kind: Kind::of_word(&kind)?,
            id: id(row, 1)?,
        })
    };
    rows.iter().map(target).collect()
}

/// Takes up to so many deliveries to a target that are due, counts an attempt of each, and keeps others from
/// them until the lease ends.
pub(super) async fn take(
    write: &mut Write,
    target: &Target,
    count: usize,
    lease_until: UnixMs,
    now: UnixMs,
) -> Result<Vec<Taken>, StoreError> {
    let skip = write.dialect().skip_taken();
    let update = format!(
        "WITH next AS MATERIALIZED (
            SELECT number FROM delivery WHERE kind = $1 AND target = $2 AND state = 'waiting'
                AND due_at_ms <= $3 AND attempts < $4
            ORDER BY due_at_ms, number LIMIT $5 {skip}
        )
        UPDATE delivery SET attempts = attempts + 1, due_at_ms = $6
        WHERE number IN (SELECT number FROM next) AND state = 'waiting' AND due_at_ms <= $3
        RETURNING number, guid, series, attempts, payload"
    );
    let rows = sqlx::query(&update)
        .bind(target.kind.word())
        .bind(target.id.as_str())
        .bind(now.0)
        .bind(i64::from(target.kind.attempts_max()))
        .bind(i64::try_from(count).unwrap_or(i64::MAX))
        .bind(lease_until.0)
        .fetch_all(write.connection());
    let rows = rows.await.map_err(at("delivery"))?;
    let taken = rows.iter().map(|row| taken(target, row));
    let mut taken = taken.collect::<Result<Vec<_>, _>>()?;
    taken.sort_by_key(|taken| taken.number);
    Ok(taken)
}

fn taken(target: &Target, row: &AnyRow) -> Result<Taken, StoreError> {
    let number = |column| row.try_get::<i64, _>(column).map_err(at("delivery"));
    Ok(Taken {
        target: target.clone(),
        guid: id(row, 1)?,
        number: number(0)?,
        series: number(2)?,
        attempts: u32::try_from(number(3)?).map_err(|_| unfit("a number of attempts"))?,
        sealed: row.try_get(4).map_err(at("delivery"))?,
    })
}

/// Makes dead letters of those whose last attempt was never ended: its worker has crashed.
pub(super) async fn bury(
    write: &mut Write,
    target: &Target,
    now: UnixMs,
) -> Result<u64, StoreError> {
    let update = "UPDATE delivery SET state = 'dead', ended_at_ms = $3,
            why = 'the last attempt was cut off; whether it arrived is not known'
        WHERE kind = $1 AND target = $2 AND state = 'waiting' AND due_at_ms <= $3 AND attempts >= $4";
    let updated = sqlx::query(update)
        .bind(target.kind.word())
        .bind(target.id.as_str())
        .bind(now.0)
        .bind(i64::from(target.kind.attempts_max()))
        .execute(write.connection());
    Ok(updated.await.map_err(at("delivery"))?.rows_affected())
}

/// What an attempt's end makes of its delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Done,
    Again { after: Duration, why: String },
    Dead { why: String },
}

fn short(why: String) -> String {
    why.chars().take(WHY_CHARS_MAX).collect()
}

/// Ends an attempt, unless it was given up: its lease is over and another has begun, or somebody has dropped
/// or replayed the delivery.
pub(super) async fn end(
    write: &mut Write,
    taken: &Taken,
    next: &Next,
    now: UnixMs,
) -> Result<bool, StoreError> {
    let (state, why, due, ended) = match next {
        Next::Done => ("done", "", now.0, Some(now.0)),
        Next::Dead { why } => ("dead", why.as_str(), now.0, Some(now.0)),
        Next::Again { after, why } => {
            let after_ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
            (
                "waiting",
                why.as_str(),
                now.0.saturating_add(after_ms),
                None,
            )
        }
    };
    let update = "UPDATE delivery SET state = $4, why = $5, due_at_ms = $6, ended_at_ms = $7
        WHERE number = $1 AND series = $2 AND attempts = $3 AND state = 'waiting'";
    let updated = sqlx::query(update)
        .bind(taken.number)
        .bind(taken.series)
        .bind(i64::from(taken.attempts))
        .bind(state)
        .bind(why)
        .bind(due)
        .bind(ended)
        .execute(write.connection());
    Ok(updated.await.map_err(at("delivery"))?.rows_affected() == 1)
}

/// None of the three holds a blank.
pub(crate) fn context(kind: Kind, target: &Id, guid: &Id) -> Vec<u8> {
    format!("delivery {} {target} {guid}", kind.word()).into_bytes()
}

pub(super) fn seal_error(target: &Id, guid: &Id, fault: SealFault) -> DeliveryError {
    DeliveryError::Seal {
        target: target.clone(),
        guid: guid.clone(),
        fault,
    }
}

pub(super) fn id(row: &AnyRow, column: usize) -> Result<Id, StoreError> {
    let text: String = row.try_get(column).map_err(at("delivery"))?;
    text.parse()
        .map_err(|_| unfit("a target or guid that is none"))
}
