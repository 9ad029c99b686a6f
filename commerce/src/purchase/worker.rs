//! Does what is due. Several machines may do so: each takes some purchases for the time of a lease.
//!
//! A worker that takes a purchase puts it off by the lease and raises its version; whatever it does later
//! names that version. So one that was away for too long changes nothing any more, and one that is gone is
//! followed by another when the lease is over. The bank knows a charge by its id, however many ask.

use std::{sync::Arc, time::Duration};

use sqlx::Row as _;
use tokio::{
    task::{JoinError, JoinSet},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    CHARGE_WINDOW_MS, Purchase, PurchaseError, State,
    charge::{CALL_MAX, ask},
    decide::{self, Call},
    fulfil::fulfil,
    notice,
    record::{self, COLUMNS, Turn, add_event},
    step,
};
use crate::{
    clock::Clock,
    moment::UnixMs,
    otp, outgoing,
    port::Banks,
    seal::Keys,
    store::{Store, StoreError, at},
};

/// Purchases that are worked on at once: a bank that takes ten seconds holds up none of fifty new ones a
/// second for long, and the router is not asked more at once than it takes.
const AT_ONCE_MAX: usize = 64;

/// For how long a worker has what it took: a call and what follows from it.
const LEASE_MS: i64 = 2 * CALL_MAX.as_millis() as i64;

/// Between two looks while nothing is due: what a subscriber does not notice.
const IDLE: Duration = Duration::from_millis(200);

/// Does what is due until it is told to stop; what is begun then is ended.
pub async fn run(
    store: Store,
    keys: Keys,
    banks: Arc<dyn Banks>,
    clock: Clock,
    stop: CancellationToken,
) {
    let mut tasks = JoinSet::new();
    while !stop.is_cancelled() {
        while let Some(ended) = tasks.try_join_next() {
            note_joined(ended);
        }
        let free = AT_ONCE_MAX - tasks.len();
        let taken = take(&store, clock(), free).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "no purchases can be taken at the moment");
            Vec::new()
        });
        if taken.is_empty() {
            stop.run_until_cancelled(sleep(IDLE)).await;
        }
        for (purchase, taken_at) in taken {
            let (store, keys) = (store.clone(), keys.clone());
            let (banks, clock) = (banks.clone(), clock.clone());
            tasks.spawn(async move {
                perform(&store, &keys, &*banks, &clock, purchase, taken_at).await
            });
        }
    }
    while let Some(ended) = tasks.join_next().await {
        note_joined(ended);
    }
}

/// One round, one purchase after the other: takes what is due, does its next step, and says how much it
/// was.
///
/// # Errors
/// The database. What was taken is taken again after its lease.
pub async fn work(
    store: &Store,
    keys: &Keys,
    banks: &dyn Banks,
    clock: &Clock,
) -> Result<usize, PurchaseError> {
    let taken = take(store, clock(), AT_ONCE_MAX).await?;
    let count = taken.len();
    for (purchase, taken_at) in taken {
        note_end(perform(store, keys, banks, clock, purchase, taken_at).await);
    }
    Ok(count)
}

fn note_end(ended: Result<(), PurchaseError>) {
    match ended {
        // If somebody else was faster, he does what there is to do.
        Ok(()) | Err(PurchaseError::Raced(_)) => {}
        Err(error) => {
            metrics::counter!("commerce_purchase_steps_failed_total").increment(1);
            tracing::warn!(%error, "a purchase's step is tried again later");
        }
    }
}

fn note_joined(joined: Result<Result<(), PurchaseError>, JoinError>) {
    match joined {
        Ok(ended) => note_end(ended),
        Err(error) => tracing::error!(%error, "a purchase's task ended early"),
    }
}

/// Takes what is due for the time of a lease. Before a bank is asked for the first time, this says so.
async fn take(
    store: &Store,
    now: UnixMs,
    purchases_max: usize,
) -> Result<Vec<(Purchase, UnixMs)>, PurchaseError> {
    if purchases_max == 0 || !is_any_due(store, now).await? {
        return Ok(Vec::new());
    }
    let mut write = store.write().await?;
    let update = format!(
        "WITH next AS MATERIALIZED (
            SELECT id FROM purchase WHERE due_at_ms <= $1 ORDER BY due_at_ms LIMIT $3 {skip}
        )
        UPDATE purchase SET due_at_ms = $2, version = version + 1, attempts = attempts + 1,
            charge_asked_at_ms = CASE
                WHEN state = 'CHARGING' AND charge_asked_at_ms IS NULL AND confirmed_at_ms > $4
                THEN $1 ELSE charge_asked_at_ms END
        WHERE id IN (SELECT id FROM next) AND due_at_ms <= $1
        RETURNING {COLUMNS}",
        skip = write.dialect().skip_taken(),
    );
    let rows = sqlx::query(&update)
        .bind(now.0)
        .bind(now.plus_ms(LEASE_MS).0)
        .bind(i64::try_from(purchases_max).unwrap_or(i64::MAX))
        .bind(now.plus_ms(-CHARGE_WINDOW_MS).0)
        .fetch_all(write.connection());
    let rows = rows.await.map_err(at("purchase"))?;
    let taken = rows.iter().map(|row| Ok((record::read(row)?, now)));
    let taken = taken.collect::<Result<_, StoreError>>()?;
    write.commit().await?;
    Ok(taken)
}

/// Looks without taking the writer's place, because most of the time nothing is.
async fn is_any_due(store: &Store, now: UnixMs) -> Result<bool, StoreError> {
    let mut read = store.read().await?;
    let row = sqlx::query("SELECT 1 AS due FROM purchase WHERE due_at_ms <= $1 LIMIT 1")
        .bind(now.0)
        .fetch_optional(&mut *read);
    let row = row.await.map_err(at("purchase"))?;
    Ok(row.is_some_and(|row| !row.is_empty()))
}

/// Does the next step of a purchase that was taken; and once it is paid, hands it out at once.
async fn perform(
    store: &Store,
    keys: &Keys,
    banks: &dyn Banks,
    clock: &Clock,
    mut purchase: Purchase,
    taken_at: UnixMs,
) -> Result<(), PurchaseError> {
    match decide::call(&purchase, taken_at) {
        Call::Expire => expire(store, keys, &mut purchase, clock()).await?,
        Call::TooLate => too_late(store, keys, &mut purchase, clock()).await?,
        Call::LookAtMessage => look_at_message(store, keys, &mut purchase, clock()).await?,
        Call::Fulfil => fulfil(store, keys, &mut purchase, clock()).await?,
        Call::Rest => {}
        call @ (Call::Charge | Call::Find | Call::Reverse) => {
            ask(store, keys, banks, clock, &mut purchase, call).await?;
            if purchase.state == State::FundsHeld {
                fulfil(store, keys, &mut purchase, clock()).await?;
            }
        }
    }
    Ok(())
}

async fn expire(
    store: &Store,
    keys: &Keys,
    purchase: &mut Purchase,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let mut write = store.write().await?;
    otp::revoke(&mut write, &purchase.id).await?;
    let turn = Turn::to(State::Expired);
    step::go(&mut write, keys, purchase, turn, now).await?;
    Ok(write.commit().await?)
}

async fn too_late(
    store: &Store,
    keys: &Keys,
    purchase: &mut Purchase,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let mut write = store.write().await?;
    let turn = Turn::to(State::Failed).because(super::Why::TooLate);
    step::go(&mut write, keys, purchase, turn, now).await?;
    Ok(write.commit().await?)
}

/// A purchase is complete once an SMSC has its message. One whose message may not have arrived stays
/// fulfilled; its card code can be asked for again.
async fn look_at_message(
    store: &Store,
    keys: &Keys,
    purchase: &mut Purchase,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let mut write = store.write().await?;
    let state = outgoing::state(write.connection(), &notice::last_id(purchase)?).await?;
    match state {
        Some(outgoing::State::Accepted) => {
            let turn = Turn::to(State::Completed);
            step::go(&mut write, keys, purchase, turn, now).await?;
        }
        Some(outgoing::State::Waiting) => {
            let due_at = decide::due_again(purchase.attempts, now);
            record::put_off(&mut write, purchase, Some(due_at)).await?;
        }
        ended => {
            record::put_off(&mut write, purchase, None).await?;
            let what = ended.map_or("forgotten", outgoing::State::word);
            let detail = format!("the message is {what}");
            add_event(&mut write, purchase, Some(purchase.state), &detail, now).await?;
        }
    }
    Ok(write.commit().await?)
}
