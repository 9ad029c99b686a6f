//! Sends what waits. Several machines may do so: each takes some for the time of a lease.
//!
//! The router knows a message by its id and sends it once, so that asking again after a crash or a lost
//! answer is harmless, and so is a lease that ends too early.

use std::{sync::Arc, time::Duration};

use sqlx::{Row as _, any::AnyRow};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    OutgoingError,
    queue::{State, context, forget, unfit},
};
use crate::{
    backoff,
    clock::Clock,
    moment::UnixMs,
    port::{Message, Messages, Sent, Unheard, Urgency},
    seal::{Keys, envelope},
    store::{Store, StoreError, Write, at},
    word::Id,
};

/// Messages of one round: a second's worth for a small SMSC, and no more calls than that at once.
const BATCH_MAX: i64 = 64;

/// How long a call may take before it counts as not heard. Longer than the router's own deadlines.
const CALL_MAX: Duration = Duration::from_secs(30);

/// For how long a worker has what it took: a call and the note of its outcome.
const LEASE_MS: i64 = 60_000;

/// Between two looks while nothing waits: what a subscriber does not notice.
const IDLE: Duration = Duration::from_millis(200);

/// The first wait of what was not heard, and the longest.
const AGAIN_FIRST_MS: i64 = 500;
const AGAIN_MOST_MS: i64 = 30_000;

/// Characters of a reason that are kept.
const WHY_CHARS_MAX: usize = 200;

/// For how long it is kept what became of a message: as long as subscribers ask.
const KEPT_MS: i64 = 30 * 24 * 3_600_000;

/// How often that is looked at: often enough for [`super::FORGOTTEN_MAX`] at a time to keep up with thirty
/// messages a second.
const FORGET_EVERY_MS: i64 = 15_000;

/// Sends what waits until it is told to stop, and forgets what is long done.
pub async fn run(
    store: Store,
    keys: Keys,
    messages: Arc<dyn Messages>,
    clock: Clock,
    stop: CancellationToken,
) {
    let mut forget_at = clock();
    while !stop.is_cancelled() {
        if clock() >= forget_at {
            forget_at = clock().plus_ms(FORGET_EVERY_MS);
            forget_old(&store, clock()).await;
        }
        let worked = work(&store, &keys, &messages, &clock).await;
        let sent = worked.unwrap_or_else(|error| {
            tracing::warn!(%error, "messages are not sent at the moment");
            0
        });
        if sent == 0 {
            stop.run_until_cancelled(sleep(IDLE)).await;
        }
    }
}

/// One round: takes what is due, sends it, and says how much it was.
///
/// # Errors
/// The database. What was taken is taken again after its lease.
pub async fn work(
    store: &Store,
    keys: &Keys,
    messages: &Arc<dyn Messages>,
    clock: &Clock,
) -> Result<usize, OutgoingError> {
    let now = clock();
    if !is_any_due(store, now).await? {
        return Ok(0);
    }
    let taken = take(store, now).await?;
    let count = taken.len();
    let mut calls = JoinSet::new();
    for one in taken {
        let (store, keys) = (store.clone(), keys.clone());
        let (messages, clock) = (messages.clone(), clock.clone());
        calls.spawn(async move { send(&store, &keys, &*messages, &clock, one).await });
    }
    while let Some(ended) = calls.join_next().await {
        match ended {
            Ok(sent) => sent?,
            Err(error) => tracing::error!(%error, "a message's task ended early"),
        }
    }
    Ok(count)
}

/// A message that is taken.
struct Taken {
    message: Sealed,
    attempts: i64,
}

struct Sealed {
    id: Id,
    to: String,
    text: Vec<u8>,
    urgency: Urgency,
    validity_s: u32,
}

async fn is_any_due(store: &Store, now: UnixMs) -> Result<bool, StoreError> {
    let mut read = store.read().await?;
    let select = "SELECT 1 FROM outgoing WHERE state = 'waiting' AND due_at_ms <= $1 LIMIT 1";
    let row = sqlx::query(select).bind(now.0).fetch_optional(&mut *read);
    Ok(row.await.map_err(at("outgoing"))?.is_some())
}

/// Ends what is too late, and takes what is due, one change.
async fn take(store: &Store, now: UnixMs) -> Result<Vec<Taken>, OutgoingError> {
    let mut write = store.write().await?;
    end_late(&mut write, now).await?;
    let update = format!(
        "WITH next AS MATERIALIZED (
            SELECT id FROM outgoing WHERE state = 'waiting' AND due_at_ms <= $1
            ORDER BY urgent DESC, due_at_ms LIMIT $3 {skip}
        )
        UPDATE outgoing SET due_at_ms = $2, attempts = attempts + 1, may_have = 1
        WHERE id IN (SELECT id FROM next) AND state = 'waiting' AND due_at_ms <= $1
        RETURNING id, phone, text, urgent, validity_s, attempts",
        skip = write.dialect().skip_taken(),
    );
    let rows = sqlx::query(&update)
        .bind(now.0)
        .bind(now.plus_ms(LEASE_MS).0)
        .bind(BATCH_MAX)
        .fetch_all(write.connection());
    let rows = rows.await.map_err(at("outgoing"))?;
    let taken = rows.iter().map(read).collect::<Result<_, _>>()?;
    write.commit().await?;
    Ok(taken)
}

/// What is due and of no use any more is not sent.
async fn end_late(write: &mut Write, now: UnixMs) -> Result<(), StoreError> {
    let update = format!(
        "WITH late AS MATERIALIZED (
            SELECT id FROM outgoing
            WHERE state = 'waiting' AND due_at_ms <= $1 AND valid_until_ms <= $1
            ORDER BY due_at_ms LIMIT $2 {skip}
        )
        UPDATE outgoing SET state = CASE WHEN may_have = 1 THEN 'unknown' ELSE 'late' END,
            text = NULL, due_at_ms = NULL, updated_at_ms = $1
        WHERE id IN (SELECT id FROM late) AND state = 'waiting' AND due_at_ms <= $1",
        skip = write.dialect().skip_taken(),
    );
    let updated = sqlx::query(&update)
        .bind(now.0)
        .bind(BATCH_MAX)
        .execute(write.connection());
    updated.await.map_err(at("outgoing"))?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Taken, StoreError> {
    let number = |column| row.try_get::<i64, _>(column).map_err(at("outgoing"));
    let id: String = row.try_get(0).map_err(at("outgoing"))?;
    Ok(Taken {
        message: Sealed {
            id: id.parse().map_err(|_| unfit("an id that is none"))?,
            to: row.try_get(1).map_err(at("outgoing"))?,
            text: row.try_get(2).map_err(at("outgoing"))?,
            urgency: match number(3)? {
                1 => Urgency::Urgent,
                _ => Urgency::Normal,
            },
            validity_s: number(4)?
                .try_into()
                .map_err(|_| unfit("a validity that is none"))?,
        },
        attempts: number(5)?,
    })
}

fn open(keys: &Keys, sealed: Sealed) -> Result<Message, OutgoingError> {
    let opened = envelope::open(keys, &context(&sealed.id), &sealed.text);
    let text = opened.map_err(|fault| OutgoingError::Seal {
        id: sealed.id.clone(),
        fault,
    })?;
    Ok(Message {
        to: sealed
            .to
            .parse()
            .map_err(|_| unfit("a phone that is none"))?,
        id: sealed.id,
        text,
        urgency: sealed.urgency,
        validity_s: sealed.validity_s,
    })
}

async fn send(
    store: &Store,
    keys: &Keys,
    messages: &dyn Messages,
    clock: &Clock,
    taken: Taken,
) -> Result<(), OutgoingError> {
    let message = open(keys, taken.message)?;
    let sent = match timeout(CALL_MAX, messages.send(&message)).await {
        Ok(sent) => sent,
        Err(_) => Err(Unheard("it took too long".to_owned())),
    };
    let now = clock();
    let mut write = store.write().await?;
    note(&mut write, &message.id, taken.attempts, sent, now).await?;
    write.commit().await?;
    Ok(())
}

/// Writes down what became of a try. A later try of the same message has its own outcome, which is the
/// same.
async fn note(
    write: &mut Write,
    id: &Id,
    attempts: i64,
    sent: Result<Sent, Unheard>,
    now: UnixMs,
) -> Result<(), StoreError> {
    let ended = |state, why| (state, None, 1, why);
    let wait_ms = backoff::wait_ms(attempts, AGAIN_FIRST_MS, AGAIN_MOST_MS);
    let again = Some(now.plus_ms(wait_ms).0);
    let (state, due_at, may_have, why) = match sent {
        Ok(Sent::Accepted) => ended(State::Accepted, String::new()),
        Ok(Sent::Unknown) => ended(State::Unknown, String::new()),
        Ok(Sent::Refused { again: false, why }) => (State::Refused, None, 0, why),
        Ok(Sent::Refused { again: true, why }) => (State::Waiting, again, 0, why),
        Err(Unheard(why)) => (State::Waiting, again, 1, why),
    };
    metrics::counter!("commerce_messages_total", "outcome" => state.word()).increment(1);
    let update = "UPDATE outgoing SET state = $3, due_at_ms = $4, may_have = $5, why = $6,
            updated_at_ms = $7, text = CASE WHEN $3 = 'waiting' THEN text ELSE NULL END
        WHERE id = $1 AND attempts = $2 AND state = 'waiting'";
    let updated = sqlx::query(update)
        .bind(id.as_str())
        .bind(attempts)
        .bind(state.word())
        .bind(due_at)
        .bind(may_have)
        .bind(why.chars().take(WHY_CHARS_MAX).collect::<String>())
        .bind(now.0)
        .execute(write.connection());
    updated.await.map_err(at("outgoing"))?;
    Ok(())
}

async fn forget_old(store: &Store, now: UnixMs) {
    let forgotten = async {
        let mut write = store.write().await?;
        forget(&mut write, now.plus_ms(-KEPT_MS)).await?;
        write.commit().await?;
        Ok::<_, OutgoingError>(())
    };
    if let Err(error) = forgotten.await {
        tracing::warn!(%error, "old messages are not forgotten at the moment");
    }
}
