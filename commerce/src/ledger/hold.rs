//! Money set aside for a purchase until it is known what becomes of it.
//!
//! ```text
//!   place ─► pending ─┬─ capture ─► posted     all of it, or a part: the rest goes back
//!                     ├─ void ────► voided     all goes back
//!                     └─ expire ──► expired    all goes back, once its time is over
//! ```
//!
//! A hold ends once. Its end and the entry that moves the money are one step, so that no money is in
//! two places. Its time decides, not whoever carries it out: what is over cannot be captured any more,
//! even if nobody has expired it yet.

use std::fmt;

use sqlx::{AnyConnection, Row as _};

use super::{
    Account, Entry, EntryFault, LedgerError, Line, Posted,
    post::{conflict, post_within},
};
use crate::{
    moment::UnixMs,
    money::Vnd,
    store::{StoreError, Write, at},
    word::{Id, Reference},
};

/// What is to be set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The purchase that it is for.
    pub id: Id,
    /// Whose money.
    pub source: Account,
    /// How much.
    pub amount: Vnd,
    /// When it goes back if nothing else has become of it.
    pub expires_at: UnixMs,
}

/// Where a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldState {
    /// The money is set aside.
    Pending,
    /// It was captured, all or a part.
    Posted,
    /// It went back because the purchase was given up.
    Voided,
    /// It went back because its time was over.
    Expired,
}

impl HoldState {
    fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Posted => "posted",
            Self::Voided => "voided",
            Self::Expired => "expired",
        }
    }

    fn of(word: &str) -> Result<Self, StoreError> {
        let all = [Self::Pending, Self::Posted, Self::Voided, Self::Expired];
        let found = all.into_iter().find(|state| state.word() == word);
        found.ok_or_else(|| unfit("a state that is none"))
    }
}

impl fmt::Display for HoldState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

fn unfit(reason: &str) -> StoreError {
    StoreError::Unfit {
        table: "hold",
        reason: reason.to_owned(),
    }
}

/// Sets money aside. The same hold again is the same hold, whatever has become of it.
///
/// # Errors
/// The source has less, or the id stands for another hold.
pub async fn place(write: &mut Write, hold: &Hold, now: UnixMs) -> Result<Posted, LedgerError> {
    if !hold.source.can_be_held() {
        return Err(LedgerError::NotHeld(hold.source.clone()));
    }
    if !hold.amount.is_positive() {
        return Err(EntryFault::Nothing(hold.source.clone()).into());
    }
    let reference = reference(&hold.id, "placed")?;
    let lines = [
        Line::debit(hold.source.clone(), hold.amount),
        Line::credit(Account::Hold(hold.id.clone()), hold.amount),
    ];
    let entry = Entry::new(reference.clone(), now, lines)?;
    let mut step = write.step().await?;
    let insert = "INSERT INTO hold (id, source, amount, state, expires_at_ms)
        VALUES ($1, $2, $3, 'pending', $4) ON CONFLICT (id) DO NOTHING";
    let inserted = sqlx::query(insert)
        .bind(hold.id.as_str())
        .bind(hold.source.to_string())
        .bind(hold.amount.dong())
        .bind(hold.expires_at.0)
        .execute(&mut *step);
    if inserted.await.map_err(at("hold"))?.rows_affected() == 0 {
        let known = load(&mut step, &hold.id).await?;
        let same = known.source == hold.source && known.amount == hold.amount;
        return same
            .then_some(Posted::Stands)
            .ok_or_else(|| conflict(&reference));
    }
    let posted = post_within(&mut step, &entry).await?;
    step.commit().await.map_err(at("hold"))?;
    Ok(posted)
}

/// Gives what is held to those whom the purchase pays; what is left goes back.
///
/// # Errors
/// The hold is over or has ended otherwise, or is of less.
pub async fn capture(
    write: &mut Write,
    id: &Id,
    shares: &[(Account, Vnd)],
    now: UnixMs,
) -> Result<Posted, LedgerError> {
    end(write, id, HoldState::Posted, shares, now).await
}

/// Gives everything back.
///
/// # Errors
/// The hold has ended otherwise.
pub async fn void(write: &mut Write, id: &Id, now: UnixMs) -> Result<Posted, LedgerError> {
    end(write, id, HoldState::Voided, &[], now).await
}

/// Gives everything back because the time is over.
///
/// # Errors
/// It is not over, or the hold has ended otherwise.
pub async fn expire(write: &mut Write, id: &Id, now: UnixMs) -> Result<Posted, LedgerError> {
    end(write, id, HoldState::Expired, &[], now).await
}

/// Holds whose time is over, the oldest first, at most so many.
///
/// # Errors
/// The database.
pub async fn due(
    connection: &mut AnyConnection,
    now: UnixMs,
    holds_max: u32,
) -> Result<Vec<Id>, LedgerError> {
    let select = "SELECT id FROM hold WHERE state = 'pending' AND expires_at_ms <= $1
        ORDER BY expires_at_ms, id LIMIT $2";
    let rows = sqlx::query(select)
        .bind(now.0)
        .bind(i64::from(holds_max))
        .fetch_all(connection);
    let rows = rows.await.map_err(at("hold"))?;
    let ids = rows.iter().map(|row| {
        let id: String = row.try_get(0).map_err(at("hold"))?;
        Ok(id.parse().map_err(|_| unfit("an id that is none"))?)
    });
    ids.collect()
}

/// Holds that are over and still pending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many.
    pub holds: i64,
    /// For how long the oldest has been over; 0 without one.
    pub oldest_ms: i64,
}

/// What [`due`] has still to give.
///
/// # Errors
/// The database.
pub async fn backlog(connection: &mut AnyConnection, now: UnixMs) -> Result<Backlog, LedgerError> {
    let select = "SELECT COUNT(*), COALESCE(MIN(expires_at_ms), $1) FROM hold
        WHERE state = 'pending' AND expires_at_ms <= $1";
    let row = sqlx::query(select).bind(now.0).fetch_one(connection);
    let row = row.await.map_err(at("hold"))?;
    let oldest: i64 = row.try_get(1).map_err(at("hold"))?;
    Ok(Backlog {
        holds: row.try_get(0).map_err(at("hold"))?,
        oldest_ms: now.0.saturating_sub(oldest),
    })
}

/// Where a hold stands.
///
/// # Errors
/// There is none.
pub async fn hold_state(connection: &mut AnyConnection, id: &Id) -> Result<HoldState, LedgerError> {
    Ok(load(connection, id).await?.state)
}

struct Known {
    source: Account,
    amount: Vnd,
    state: HoldState,
}

async fn load(connection: &mut AnyConnection, id: &Id) -> Result<Known, LedgerError> {
    let row = sqlx::query("SELECT source, amount, state FROM hold WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(connection);
    let row = row.await.map_err(at("hold"))?;
    let row = row.ok_or_else(|| LedgerError::NoHold(id.clone()))?;
    let source: String = row.try_get(0).map_err(at("hold"))?;
    let state: String = row.try_get(2).map_err(at("hold"))?;
    Ok(Known {
        source: source
            .parse()
            .map_err(|_| unfit("a source that is no account"))?,
        amount: Vnd::new(row.try_get(1).map_err(at("hold"))?)?,
        state: HoldState::of(&state)?,
    })
}

async fn end(
    write: &mut Write,
    id: &Id,
    state: HoldState,
    shares: &[(Account, Vnd)],
    now: UnixMs,
) -> Result<Posted, LedgerError> {
    let mut step = write.step().await?;
    let hold = load(&mut step, id).await?;
    let entry = ending(id, state, &hold, shares, now)?;
    if !turn(&mut step, id, state, now).await? {
        // Read again, because another may have ended it since.
        let found = load(&mut step, id).await?.state;
        check_ended_so(id, found, state)?;
    }
    let posted = post_within(&mut step, &entry).await?;
    step.commit().await.map_err(at("hold"))?;
    Ok(posted)
}

/// Ends a hold if it is pending and its time allows it.
async fn turn(
    connection: &mut AnyConnection,
    id: &Id,
    state: HoldState,
    now: UnixMs,
) -> Result<bool, LedgerError> {
    let update = "UPDATE hold SET state = $2, ended_at_ms = $3 WHERE id = $1 AND state = 'pending'
        AND ($2 = 'voided' OR ($2 = 'posted') = (expires_at_ms > $3))";
    let updated = sqlx::query(update)
        .bind(id.as_str())
        .bind(state.word())
        .bind(now.0)
        .execute(connection);
    Ok(updated.await.map_err(at("hold"))?.rows_affected() == 1)
}

/// A hold that has ended in the wanted way has its entry, which [`post_within`] compares.
fn check_ended_so(id: &Id, found: HoldState, wanted: HoldState) -> Result<(), LedgerError> {
    match found {
        state if state == wanted => Ok(()),
        HoldState::Pending if wanted == HoldState::Posted => Err(LedgerError::HoldOver(id.clone())),
        HoldState::Pending => Err(LedgerError::HoldNotOver(id.clone())),
        state => Err(LedgerError::HoldEnded {
            id: id.clone(),
            state,
        }),
    }
}

/// The entry that moves what is held.
fn ending(
    id: &Id,
    state: HoldState,
    hold: &Known,
    shares: &[(Account, Vnd)],
    now: UnixMs,
) -> Result<Entry, LedgerError> {
    let taken = Vnd::sum(shares.iter().map(|(_, amount)| *amount))?;
    let left = hold.amount.minus(taken)?;
    if left < Vnd::ZERO || shares.iter().any(|(_, amount)| !amount.is_positive()) {
        return Err(LedgerError::HoldTooSmall(id.clone()));
    }
    let mut lines = vec![Line::debit(Account::Hold(id.clone()), hold.amount)];
    let credits = shares.iter().cloned();
    lines.extend(credits.map(|(account, amount)| Line::credit(account, amount)));
    if left.is_positive() {
        lines.push(Line::credit(hold.source.clone(), left));
    }
    Ok(Entry::new(reference(id, state.word())?, now, lines)?)
}

/// What the entry of a step of a hold is known by. An id is short enough for it.
fn reference(id: &Id, step: &str) -> Result<Reference, StoreError> {
    let reference = format!("hold:{id}:{step}").parse();
    reference.map_err(|_| unfit("an id that is too long"))
}
