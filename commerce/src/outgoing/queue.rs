//! The messages that wait, and what is known of those that do not any more.

use std::fmt;

use sqlx::{AnyConnection, Row as _};

use super::OutgoingError;
use crate::{
    moment::UnixMs,
    phone::Phone,
    port::{Message, Urgency},
    seal::{Keys, envelope},
    store::{StoreError, Write, at},
    word::Id,
};

/// Octets of a text: four parts of a long message.
pub const TEXT_BYTES_MAX: usize = 612;

/// Rows that [`forget`] takes away at once, so that it holds nobody up.
pub const FORGOTTEN_MAX: u32 = 500;

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is to be sent.
    Waiting,
    /// An SMSC has it.
    Accepted,
    /// It was not taken.
    Refused,
    /// Nobody knows whether the subscriber has it.
    Unknown,
    /// Its time was over before it was sent.
    Late,
}

impl State {
    /// As it stands in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Late => "late",
        }
    }

    fn of(word: &str) -> Result<Self, StoreError> {
        let all = [
            Self::Waiting,
            Self::Accepted,
            Self::Refused,
            Self::Unknown,
            Self::Late,
        ];
        let found = all.into_iter().find(|state| state.word() == word);
        found.ok_or_else(|| unfit("a state that is none"))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What an SMSC's receipt says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// The handset has it.
    Delivered,
    /// It will not get there.
    Failed,
}

/// Lets a message go out once the change is made. The same id again is the same message, whatever its
/// text.
///
/// # Errors
/// The text is too long, or cannot be sealed.
pub async fn queue(
    write: &mut Write,
    keys: &Keys,
    message: &Message,
    now: UnixMs,
) -> Result<(), OutgoingError> {
    if message.text.len() > TEXT_BYTES_MAX {
        return Err(OutgoingError::TooLong(message.id.clone()));
    }
    let sealed = envelope::seal(
        keys.current(),
        &context(&message.id),
        message.text.as_bytes(),
    );
    let sealed = sealed.map_err(|fault| OutgoingError::Seal {
        id: message.id.clone(),
        fault,
    })?;
    // A message of no time at all would never be sent.
    let validity_s = i64::from(message.validity_s.max(1));
    let insert = "INSERT INTO outgoing (id, phone, text, urgent, validity_s, valid_until_ms,
            due_at_ms, created_at_ms, updated_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $7) ON CONFLICT (id) DO NOTHING";
    let inserted = sqlx::query(insert)
        .bind(message.id.as_str())
        .bind(message.to.as_str())
        .bind(sealed)
        .bind(i64::from(message.urgency == Urgency::Urgent))
        .bind(validity_s)
        .bind(now.plus_ms(validity_s * 1_000).0)
        .bind(now.0)
        .execute(write.connection());
    inserted.await.map_err(at("outgoing"))?;
    Ok(())
}

/// Where a message stands; nothing if there is none, or it was forgotten.
///
/// # Errors
/// The database.
pub async fn state(
    connection: &mut AnyConnection,
    id: &Id,
) -> Result<Option<State>, OutgoingError> {
    let select = sqlx::query("SELECT state FROM outgoing WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(connection);
    let Some(row) = select.await.map_err(at("outgoing"))? else {
        return Ok(None);
    };
    let word: String = row.try_get(0).map_err(at("outgoing"))?;
    Ok(Some(State::of(&word)?))
}

/// Messages to a phone that were queued since a time.
pub(crate) async fn count_since(
    connection: &mut AnyConnection,
    phone: &Phone,
    since: UnixMs,
) -> Result<i64, StoreError> {
    let select = "SELECT COUNT(*) FROM outgoing WHERE phone = $1 AND created_at_ms > $2";
    let row = sqlx::query(select)
        .bind(phone.as_str())
        .bind(since.0)
        .fetch_one(connection);
    let row = row.await.map_err(at("outgoing"))?;
    row.try_get(0).map_err(at("outgoing"))
}

/// Notes an SMSC's receipt. It says nothing about money, and what was delivered stays so.
///
/// # Errors
/// The database.
pub async fn receipt(
    write: &mut Write,
    id: &Id,
    receipt: Receipt,
    now: UnixMs,
) -> Result<(), OutgoingError> {
    let word = match receipt {
        Receipt::Delivered => "delivered",
        Receipt::Failed => "failed",
    };
    let update = "UPDATE outgoing SET receipt = $2, updated_at_ms = $3
        WHERE id = $1 AND (receipt IS NULL OR receipt <> 'delivered')";
    let updated = sqlx::query(update)
        .bind(id.as_str())
        .bind(word)
        .bind(now.0)
        .execute(write.connection());
    updated.await.map_err(at("outgoing"))?;
    Ok(())
}

/// Takes away messages of which nothing has been new since a time, at most [`FORGOTTEN_MAX`], and says how many.
///
/// # Errors
/// The database.
pub async fn forget(write: &mut Write, before: UnixMs) -> Result<u64, OutgoingError> {
    let delete = "DELETE FROM outgoing WHERE id IN (
            SELECT id FROM outgoing WHERE state <> 'waiting' AND updated_at_ms < $1
            ORDER BY updated_at_ms LIMIT $2
        )";
    let deleted = sqlx::query(delete)
        .bind(before.0)
        .bind(i64::from(FORGOTTEN_MAX))
        .execute(write.connection());
    Ok(deleted.await.map_err(at("outgoing"))?.rows_affected())
}

pub(crate) fn context(id: &Id) -> Vec<u8> {
    format!("sms {id}").into_bytes()
}

pub(super) fn unfit(reason: &str) -> StoreError {
    StoreError::Unfit {
        table: "outgoing",
        reason: reason.to_owned(),
    }
}
