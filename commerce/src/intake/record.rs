//! The messages that were received, so that each is dealt with once. Their texts are sealed.
//!
//! A message comes twice in two ways: the router hands it over again because it has not heard that it
//! was dealt with, under the same delivery id; or an SMSC repeats it because it has not heard the router,
//! under another one. A router whose store was lost counts its ids anew, so an id alone says nothing.

use std::time::Duration;

use sqlx::{Row as _, any::AnyRow};
use zeroize::Zeroizing;

use super::{
    command::Command,
    event::Arrived,
    handle::{HandleError, Handled},
};
use crate::{
    moment::UnixMs,
    seal::{Keys, SealFault, envelope},
    store::{StoreError, Write, at},
    word::Id,
};

/// Earlier messages of a number that one is compared with. Whoever writes more within the window may
/// have an older one dealt with twice, which costs him an answer.
const COMPARED_MAX: i64 = 100;

/// Whether a message was here before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It was not.
    New,
    /// The router hands it over again.
    Delivered,
    /// An SMSC repeats it.
    Repeated,
}

/// What became of a message.
pub(super) enum Kept {
    /// It was dealt with.
    Handled(Handled),
    /// It is a repetition.
    Repeated,
    /// It is no text, or by nobody who can be answered.
    Unread,
    /// It could not be dealt with, and why.
    Failed(String),
}

impl Kept {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Handled(_) => "handled",
            Self::Repeated => "repeated",
            Self::Unread => "unread",
            Self::Failed(_) => "failed",
        }
    }

    fn outcome(&self) -> &str {
        match self {
            Self::Handled(Handled(word)) => word,
            Self::Repeated | Self::Unread => "",
            Self::Failed(why) => why,
        }
    }
}

/// Waits until no other change deals with a message of that number, and keeps others waiting.
pub(super) async fn take_turn(
    write: &mut Write,
    source: &str,
    now: UnixMs,
) -> Result<(), StoreError> {
    let upsert = "INSERT INTO mo_source (source, last_at_ms) VALUES ($1, $2)
        ON CONFLICT (source) DO UPDATE SET last_at_ms = excluded.last_at_ms";
    let done = sqlx::query(upsert)
        .bind(source)
        .bind(now.0)
        .execute(write.connection());
    done.await.map_err(at("mo_source"))?;
    Ok(())
}

/// Whether a message was here before; without a window only if it is handed over again.
pub(super) async fn seen(
    write: &mut Write,
    keys: &Keys,
    arrived: &Arrived,
    window: Option<Duration>,
) -> Result<Seen, HandleError> {
    let mut seen = Seen::New;
    for row in earlier(write, arrived, window).await? {
        let earlier = Earlier::read(&row, keys)?;
        if earlier.text != arrived.text {
            if earlier.command == Command::Cancel.word() {
                // Whoever has given up what he asked for before may ask for it anew.
                break;
            }
            continue;
        }
        if earlier.is_same_delivery(arrived) {
            return Ok(Seen::Delivered);
        }
        seen = Seen::Repeated;
    }
    Ok(seen)
}

/// The same delivery, if it is there, and those of the window, the newest first.
async fn earlier(
    write: &mut Write,
    arrived: &Arrived,
    window: Option<Duration>,
) -> Result<Vec<AnyRow>, StoreError> {
    // Nothing is in a window of less than nothing.
    let window = window.map_or(-1, |window| {
        i64::try_from(window.as_millis()).unwrap_or(i64::MAX)
    });
    let received_at = arrived.received_at.0;
    let select = "SELECT id, text, is_text, delivery_id, smsc, received_at_ms, command FROM mo
        WHERE source = $1 AND destination = $2 AND (delivery_id = $3 AND received_at_ms = $4
            OR received_at_ms BETWEEN $5 AND $6 AND state <> 'failed')
        ORDER BY CASE WHEN delivery_id = $3 THEN 0 ELSE 1 END, number DESC LIMIT $7";
    let rows = sqlx::query(select)
        .bind(&arrived.source)
        .bind(&arrived.destination)
        .bind(arrived.delivery_id)
        .bind(received_at)
        .bind(received_at.saturating_sub(window))
        .bind(received_at.saturating_add(window))
        .bind(COMPARED_MAX)
        .fetch_all(write.connection());
    rows.await.map_err(at("mo"))
}

/// An earlier message, as far as another one is compared with it.
struct Earlier {
    text: Option<Zeroizing<String>>,
    delivery_id: i64,
    smsc: String,
    received_at_ms: i64,
    command: String,
}

impl Earlier {
    fn read(row: &AnyRow, keys: &Keys) -> Result<Self, HandleError> {
        let id: String = row.try_get(0).map_err(at("mo"))?;
        let sealed: Vec<u8> = row.try_get(1).map_err(at("mo"))?;
        let is_text: i64 = row.try_get(2).map_err(at("mo"))?;
        let text = envelope::open(keys, &context(&id), &sealed).map_err(|why| wrong(&id, why))?;
        Ok(Self {
            text: (is_text == 1).then_some(text),
            delivery_id: row.try_get(3).map_err(at("mo"))?,
            smsc: row.try_get(4).map_err(at("mo"))?,
            received_at_ms: row.try_get(5).map_err(at("mo"))?,
            command: row.try_get(6).map_err(at("mo"))?,
        })
    }

    fn is_same_delivery(&self, arrived: &Arrived) -> bool {
        self.delivery_id == arrived.delivery_id
            && self.smsc == arrived.smsc
            && self.received_at_ms == arrived.received_at.0
    }
}

/// Records a message and what became of it.
pub(super) async fn keep(
    write: &mut Write,
    keys: &Keys,
    id: &Id,
    arrived: &Arrived,
    command: &Command,
    kept: &Kept,
    now: UnixMs,
) -> Result<(), HandleError> {
    let text = arrived.text.as_ref().map_or("", |text| text.as_str());
    let sealed = envelope::seal(keys.current(), &context(id.as_str()), text.as_bytes());
    let insert =
        "INSERT INTO mo (id, delivery_id, smsc, source, destination, text, is_text, command,
            state, outcome, received_at_ms, at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let done = sqlx::query(insert)
        .bind(id.as_str())
        .bind(arrived.delivery_id)
        .bind(&arrived.smsc)
        .bind(&arrived.source)
        .bind(&arrived.destination)
        .bind(sealed.map_err(|fault| wrong(id.as_str(), fault))?)
        .bind(i64::from(arrived.text.is_some()))
        .bind(command.word())
        .bind(kept.word())
        .bind(kept.outcome())
        .bind(arrived.received_at.0)
        .bind(now.0)
        .execute(write.connection());
    done.await.map_err(at("mo"))?;
    Ok(())
}

/// Forgets up to so many messages from before a time, and says how many.
///
/// # Errors
/// The database.
pub async fn forget(write: &mut Write, before: UnixMs, rows_max: u32) -> Result<u64, StoreError> {
    let mut forgotten = 0;
    for (table, delete) in [
        (
            "mo",
            "DELETE FROM mo WHERE number IN
                (SELECT number FROM mo WHERE at_ms < $1 ORDER BY at_ms LIMIT $2)",
        ),
        (
            "mo_source",
            "DELETE FROM mo_source WHERE last_at_ms < $1 AND source IN
                (SELECT source FROM mo_source WHERE last_at_ms < $1 LIMIT $2)",
        ),
    ] {
        let done = sqlx::query(delete)
            .bind(before.0)
            .bind(i64::from(rows_max))
            .execute(write.connection());
        forgotten = done
            .await
            .map_err(at(table))?
            .rows_affected()
            .max(forgotten);
    }
    Ok(forgotten)
}

pub(crate) fn context(id: &str) -> Vec<u8> {
    format!("mo {id}").into_bytes()
}

fn wrong(id: &str, fault: SealFault) -> HandleError {
    HandleError::Fault(format!("the text of message {id} {fault}"))
}
