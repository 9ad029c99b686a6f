//! What people see of deliveries, and what they can do with one: send it again, or drop it.
//!
//! Each change is made within a change of the caller's, who records who did it.

use std::{fmt, str::FromStr};

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{Kind, queue::id, unfit};
use crate::{
    moment::UnixMs,
    store::{StoreError, Write, at},
    word::Id,
};

/// Deliveries of one page.
pub const LIST_MAX: u32 = 200;

/// Where a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for its next attempt, or for the end of one.
    Waiting,
    /// The target has it.
    Done,
    /// All attempts have failed.
    Dead,
    /// Somebody has given it up.
    Dropped,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Done, Self::Dead, Self::Dropped];

    /// As the table has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Dropped => "dropped",
        }
    }
}

/// A delivery as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its number.
    pub number: i64,
    /// Its kind.
    pub kind: Kind,
    /// For whom.
    pub target: Id,
    /// By which the target knows it.
    pub guid: Id,
    /// Where it is.
    pub state: State,
    /// Which series of attempts it is, from 1; each replay is a further one.
    pub series: u32,
    /// Attempts of this series that were begun.
    pub attempts: u32,
    /// When it is next looked at, while it waits.
    pub due_at: UnixMs,
    /// The last failure, or why it was dropped; perhaps empty.
    pub why: String,
    /// When it was queued.
    pub made_at: UnixMs,
    /// When it ended.
    pub ended_at: Option<UnixMs>,
    /// Whether it can be sent again.
    pub has_payload: bool,
}

/// Why a text is no reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reason has 3 to {} characters on one line", Reason::LENGTH_MAX)]
pub struct ReasonFault;

/// Why somebody drops a delivery, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Reason {
    /// The most characters.
    pub const LENGTH_MAX: usize = 200;
}

impl FromStr for Reason {
    type Err = ReasonFault;

    fn from_str(text: &str) -> Result<Self, ReasonFault> {
        let text = text.trim();
        let fits = (3..=Self::LENGTH_MAX).contains(&text.chars().count());
        if !fits || text.chars().any(char::is_control) {
            return Err(ReasonFault);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which deliveries a page shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In this state alone.
    pub state: Option<State>,
    /// To this target alone.
    pub target: Option<Id>,
    /// With lower numbers than this, which is the last of the page before.
    pub before: Option<i64>,
}

const COLUMNS: &str =
    "number, kind, target, guid, state, series, attempts, due_at_ms, why, made_at_ms,
    ended_at_ms, CASE WHEN payload IS NULL THEN 0 ELSE 1 END";

/// A page of deliveries, the last queued first.
///
/// # Errors
/// The database.
pub async fn list(
    connection: &mut AnyConnection,
    filter: &Filter,
    count: u32,
) -> Result<Vec<Delivery>, StoreError> {
    // A state is a word of ours, and in the text so that its index is used.
    let state = filter.state.map_or(String::new(), |state| {
        format!("AND state = '{}'", state.word())
    });
    let select = format!(
        "SELECT {COLUMNS} FROM delivery
        WHERE number < $1 AND ($2 = '' OR target = $2) {state} ORDER BY number DESC LIMIT $3"
    );
    let rows = sqlx::query(&select)
        .bind(filter.before.unwrap_or(i64::MAX))
        .bind(filter.target.as_ref().map_or("", Id::as_str))
        .bind(i64::from(count.min(LIST_MAX)))
        .fetch_all(connection);
    rows.await
        .map_err(at("delivery"))?
        .iter()
        .map(delivery)
        .collect()
}

/// One delivery.
///
/// # Errors
/// The database.
pub async fn find(
    connection: &mut AnyConnection,
    number: i64,
) -> Result<Option<Delivery>, StoreError> {
    let select = format!("SELECT {COLUMNS} FROM delivery WHERE number = $1");
    let row = sqlx::query(&select).bind(number).fetch_optional(connection);
    row.await
        .map_err(at("delivery"))?
        .as_ref()
        .map(delivery)
        .transpose()
}

/// Begins a new series of attempts under the same guid, of a delivery that has ended and still has its
/// payload. Says whether there was one.
///
/// # Errors
/// The database.
pub async fn replay(write: &mut Write, number: i64, now: UnixMs) -> Result<bool, StoreError> {
    let update = "UPDATE delivery SET state = 'waiting', series = series + 1, attempts = 0,
            due_at_ms = $2, ended_at_ms = NULL
        WHERE number = $1 AND state <> 'waiting' AND payload IS NOT NULL";
    let updated = sqlx::query(update)
        .bind(number)
        .bind(now.0)
        .execute(write.connection());
    Ok(updated.await.map_err(at("delivery"))?.rows_affected() == 1)
}

/// The same with up to [`LIST_MAX`] dead letters of a target, the oldest first. Says how many there were.
///
/// # Errors
/// The database.
pub async fn replay_dead(
    write: &mut Write,
    kind: Kind,
    target: &Id,
    now: UnixMs,
) -> Result<u64, StoreError> {
    let update = "UPDATE delivery SET state = 'waiting', series = series + 1, attempts = 0,
            due_at_ms = $3, ended_at_ms = NULL
        WHERE state = 'dead' AND number IN (
            SELECT number FROM delivery WHERE state = 'dead' AND kind = $1 AND target = $2
            ORDER BY number LIMIT $4
        )";
    let updated = sqlx::query(update)
        .bind(kind.word())
        .bind(target.as_str())
        .bind(now.0)
        .bind(i64::from(LIST_MAX))
        .execute(write.connection());
    Ok(updated.await.map_err(at("delivery"))?.rows_affected())
}

/// Gives up a delivery that is dead or waits. An attempt that is just being made goes on, and its end is not
/// noted. Says whether there was one.
///
/// # Errors
/// The database.
pub async fn drop(
    write: &mut Write,
    number: i64,
    reason: &Reason,
    now: UnixMs,
) -> Result<bool, StoreError> {
    let update = "UPDATE delivery SET state = 'dropped', why = $2, ended_at_ms = $3
        WHERE number = $1 AND state IN ('waiting', 'dead')";
    let updated = sqlx::query(update)
        .bind(number)
        .bind(reason.0.as_str())
        .bind(now.0)
        .execute(write.connection());
    Ok(updated.await.map_err(at("delivery"))?.rows_affected() == 1)
}

fn delivery(row: &AnyRow) -> Result<Delivery, StoreError> {
    let text = |column| row.try_get::<String, _>(column).map_err(at("delivery"));
    let number = |column| row.try_get::<i64, _>(column).map_err(at("delivery"));
    let count = |column| u32::try_from(number(column)?).map_err(|_| unfit("a count that is none"));
    let word = text(4)?;
    let state = State::ALL.into_iter().find(|state| state.word() == word);
    let ended_at: Option<i64> = row.try_get(10).map_err(at("delivery"))?;
    Ok(Delivery {
        number: number(0)?,
        kind: Kind::of_word(&text(1)?)?,
        target: id(row, 2)?,
        guid: id(row, 3)?,
        state: state.ok_or_else(|| unfit("a state that is none"))?,
        series: count(5)?,
        attempts: count(6)?,
        due_at: UnixMs(number(7)?),
        why: text(8)?,
        made_at: UnixMs(number(9)?),
        ended_at: ended_at.map(UnixMs),
        has_payload: number(11)? == 1,
    })
}
