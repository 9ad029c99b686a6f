//! Does what is due. Several machines may do so: each takes some purchases for the time of a lease.
//!
//! A worker that takes a purchase puts it off by the lease and raises its version; whatever it does later
//! names that version. So one that was away for too long changes nothing any more, and one that is gone is
//! followed by another when the lease is over. The bank knows a charge by its id, however many ask.

use std::{sync::Arc, time::Duration};

use metrics::counter;
use sqlx::Row as _;
use tokio::time::sleep;
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
    metrics::PURCHASE_STEPS_FAILED,
    moment::UnixMs,
    otp, outgoing,
    port::Banks,
    seal::Keys,
    store::{Store, StoreError, at},
    word::Id,
    work::side_by_side,
};

/// Purchases that are worked on at once: a bank that takes ten seconds holds up none of fifty new ones a
/// second for long, and the router is not asked more at once than it takes.
const AT_ONCE_MAX: usize = 64;

/// For how long a worker has what it took: a call and what follows from it.
const LEASE_MS: i64 = 2 * CALL_MAX.as_millis() as i64;

/// When it is tried to give back a purchase whose step the database has cut off: soon, because most often
/// it comes again within seconds, and not for longer than the lease.
const GIVE_BACK_AFTER: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(9),
    Duration::from_secs(27),
];

/// Does what is due until it is told to stop; what is begun then is ended.
pub async fn run(
    store: Store,
    keys: Keys,
    banks: Arc<dyn Banks>,
    clock: Clock,
    stop: CancellationToken,
) {
    let (own, its_clock) = (store.clone(), Arc::clone(&clock));
    let take = move |room| {
        let (store, clock) = (own.clone(), Arc::clone(&its_clock));
        async move { take(&store, clock(), room).await }
    };
    let perform = move |(purchase, taken_at)| {
        let (store, keys) = (store.clone(), keys.clone());
        let (banks, clock) = (Arc::clone(&banks), Arc::clone(&clock));
        async move { do_next(&store, &keys, &*banks, &clock, purchase, taken_at).await }
    };
    side_by_side(AT_ONCE_MAX, stop, take, perform).await;
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
        do_next(store, keys, banks, clock, purchase, taken_at).await;
    }
    Ok(count)
}

/// Does the next step of a purchase that was taken. One that fails is done again: at once when the database
/// is there again, and otherwise after the lease.
async fn do_next(
    store: &Store,
    keys: &Keys,
    banks: &dyn Banks,
    clock: &Clock,
    mut purchase: Purchase,
    taken_at: UnixMs,
) {
    let version = purchase.version;
    let error = match perform(store, keys, banks, clock, &mut purchase, taken_at).await {
        // If somebody else was faster, he does what there is to do.
        Ok(()) | Err(PurchaseError::Raced(_)) => return,
        Err(error) => error,
    };
    counter!(PURCHASE_STEPS_FAILED).increment(1);
    tracing::warn!(purchase = %purchase.id, %error, "a purchase's step is tried again later");
    if error.of_store().is_some() {
        let versions = (version, purchase.version);
        give_back(store, &purchase.id, versions, clock).await;
    }
}

/// Lets a purchase be due again before its lease is over, once the database is there to say so.
async fn give_back(store: &Store, id: &Id, versions: (i64, i64), clock: &Clock) {
    for pause in GIVE_BACK_AFTER {
        sleep(pause).await;
        let given = async {
            let mut write = store.write().await?;
            record::give_back(&mut write, id, versions, clock()).await?;
            write.commit().await
        };
        if given.await.is_ok() {
            return;
        }
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
    purchase: &mut Purchase,
    taken_at: UnixMs,
) -> Result<(), PurchaseError> {
    match decide::call(purchase, taken_at) {
        Call::Expire => expire(store, keys, purchase, clock()).await?,
        Call::TooLate => too_late(store, keys, purchase, clock()).await?,
        Call::LookAtMessage => look_at_message(store, keys, purchase, clock()).await?,
        Call::Fulfil => fulfil(store, keys, purchase, clock()).await?,
        Call::Rest => {}
        call @ (Call::Charge | Call::Find | Call::Reverse) => {
            ask(store, keys, banks, clock, purchase, call).await?;
            if purchase.state == State::FundsHeld {
                fulfil(store, keys, purchase, clock()).await?;
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
