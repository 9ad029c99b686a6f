//! Sends what waits. Several machines may do so: each takes some for the time of a lease.
//!
//! The router knows a message by its id and sends it once, so that asking again after a crash or a lost
//! answer is harmless, and so is a lease that ends too early. A message that takes long, or whose text
//! cannot be opened, holds up no other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use metrics::counter;
use sqlx::{Row as _, any::AnyRow};
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    OutgoingError,
    queue::{State, context, forget, unfit},
};
use crate::{
    backoff,
    clock::Clock,
    metrics::{MESSAGES, carried},
    moment::UnixMs,
    port::{Message, Messages, Sent, Unheard, Urgency},
    seal::{Keys, envelope},
    store::{Store, StoreError, Write, at},
    word::Id,
    work::side_by_side,
};

/// Calls at once: a second's worth for a small SMSC, and no more than the router is asked at once.
const AT_ONCE_MAX: usize = 64;

/// How long a call may take before it counts as not heard. The router goes on with it, and says under the
/// same id what became of it.
const CALL_MAX: Duration = Duration::from_secs(15);

/// For how long a worker has what it took: a call and the note of its outcome. What a crash has cut off
/// goes on after it, within the life of a one-time password.
const LEASE_MS: i64 = 20_000;

/// The first wait of what was not heard, and the longest.
const AGAIN_FIRST_MS: i64 = 500;
const AGAIN_MOST_MS: i64 = 30_000;

/// Characters of a reason that are kept.
const WHY_CHARS_MAX: usize = 200;

/// Messages that are ended at once because they are too late, so that the change is short.
const LATE_MAX: i64 = 64;

/// For how long it is kept what became of a message: as long as subscribers ask.
const KEPT_MS: i64 = 30 * 24 * 3_600_000;

/// How often that is looked at: often enough for [`super::FORGOTTEN_MAX`] at a time to keep up with thirty
/// messages a second.
const FORGET_EVERY_MS: i64 = 15_000;

/// What a worker works with.
struct Desk {
    store: Store,
    keys: Keys,
    messages: Arc<dyn Messages>,
    clock: Clock,
    forget_at: AtomicI64,
}

/// Sends what waits until it is told to stop, and forgets what is long done. Calls that are begun then are
/// ended.
pub async fn run(
    store: Store,
    keys: Keys,
    messages: Arc<dyn Messages>,
    clock: Clock,
    stop: CancellationToken,
) {
    let desk = Arc::new(Desk::new(store, keys, messages, clock));
    let own = Arc::clone(&desk);
    let take = move |room| {
        let desk = Arc::clone(&own);
        async move {
            desk.forget_old().await;
            desk.take(room).await
        }
    };
    let perform = move |taken| {
        let desk = Arc::clone(&desk);
        async move { desk.send(taken).await }
    };
    side_by_side(AT_ONCE_MAX, stop, take, perform).await;
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
    let (messages, clock) = (Arc::clone(messages), Arc::clone(clock));
    let desk = Arc::new(Desk::new(store.clone(), keys.clone(), messages, clock));
    let taken = desk.take(AT_ONCE_MAX).await?;
    let count = taken.len();
    let mut calls = JoinSet::new();
    for one in taken {
        let desk = Arc::clone(&desk);
        calls.spawn(carried(async move { desk.send(one).await }));
    }
    while let Some(ended) = calls.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a message's task ended early");
        }
    }
    Ok(count)
}

impl Desk {
    fn new(store: Store, keys: Keys, messages: Arc<dyn Messages>, clock: Clock) -> Self {
        let forget_at = AtomicI64::new(clock().0);
        Self {
            store,
            keys,
            messages,
            clock,
            forget_at,
        }
    }

    async fn take(&self, room: usize) -> Result<Vec<Taken>, OutgoingError> {
        let now = (self.clock)();
        match is_any_due(&self.store, now).await? {
            true => take(&self.store, now, room).await,
            false => Ok(Vec::new()),
        }
    }

    /// Sends a message, and writes down what became of it. If that cannot be written, or the text cannot
    /// be opened, the message is taken again.
    async fn send(&self, taken: Taken) {
        let (id, attempts) = (taken.message.id.clone(), taken.attempts);
        let sent = match open(&self.keys, taken.message) {
            Ok(message) => match timeout(CALL_MAX, self.messages.send(&message)).await {
                Ok(sent) => sent,
                Err(_) => Err(Unheard("it took too long".to_owned())),
            },
            Err(error) => {
                tracing::error!(%error, "a message cannot be sent; look at the keys");
                Err(Unheard(error.to_string()))
            }
        };
        if let Err(error) = self.note(&id, attempts, sent).await {
            tracing::warn!(message = %id, %error, "a message's outcome is not noted; it is asked for again");
        }
    }

    async fn note(
        &self,
        id: &Id,
        attempts: i64,
        sent: Result<Sent, Unheard>,
    ) -> Result<(), StoreError> {
        let mut write = self.store.write().await?;
        note(&mut write, id, attempts, sent, (self.clock)()).await?;
        write.commit().await
    }

    async fn forget_old(&self) {
        let now = (self.clock)();
        if now.0 < self.forget_at.load(Relaxed) {
            return;
        }
        self.forget_at
            .store(now.plus_ms(FORGET_EVERY_MS).0, Relaxed);
        let forgotten = async {
            let mut write = self.store.write().await?;
            forget(&mut write, now.plus_ms(-KEPT_MS)).await?;
            write.commit().await?;
            Ok::<_, OutgoingError>(())
        };
        if let Err(error) = forgotten.await {
            tracing::warn!(%error, "old messages are not forgotten at the moment");
        }
    }
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
async fn take(store: &Store, now: UnixMs, room: usize) -> Result<Vec<Taken>, OutgoingError> {
    let room = i64::try_from(room).unwrap_or(i64::MAX);
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
        .bind(room)
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
        .bind(LATE_MAX)
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
    counter!(MESSAGES, "outcome" => state.word()).increment(1);
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
