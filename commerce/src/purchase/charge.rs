//! Asks the bank, and writes down what it said. Nothing is open in the database while it is asked.

use std::{future::Future, time::Duration};

use tokio::time::timeout;

use super::{
    Purchase, PurchaseError, State, charge_id,
    decide::{self, Call, Heard, Next},
    notice, record, step,
};
use crate::{
    clock::Clock,
    customers,
    moment::UnixMs,
    port::{Banks, Charge, Charged, Unheard},
    seal::Keys,
    store::{Store, Write},
};

/// How long a call may take before it counts as not heard. Longer than a bank is given to answer.
pub(super) const CALL_MAX: Duration = Duration::from_secs(45);

/// After so long a subscriber is told that the end of his charge is not known.
const TELL_AFTER_MS: i64 = 30_000;

/// Tries to write down what a bank said while the database is busy. After them it is asked again.
const TRIES_MAX: u32 = 5;

/// Asks the bank and goes on from its answer.
pub(super) async fn ask(
    store: &Store,
    keys: &Keys,
    banks: &dyn Banks,
    clock: &Clock,
    purchase: &mut Purchase,
    call: Call,
) -> Result<(), PurchaseError> {
    let id = charge_id(&purchase.id)?;
    let heard = match call {
        Call::Charge => {
            let mut read = store.read().await?;
            let account = customers::account(&mut read, keys, &purchase.phone).await?;
            drop(read);
            let charge = Charge {
                id,
                bank: purchase.bank.clone(),
                account,
                amount: purchase.amount,
            };
            said(in_time(banks.charge(&charge)).await)
        }
        Call::Reverse => said(in_time(banks.reverse(&id)).await),
        _ => match in_time(banks.find(&id)).await {
            Ok(Some(charged)) => Heard::Said(charged),
            Ok(None) => Heard::NeverHad,
            Err(unheard) => Heard::Nothing(unheard),
        },
    };
    let mut tries = 1;
    loop {
        match follow(store, keys, purchase, &heard, clock()).await {
            Err(error) if error.is_busy() && tries < TRIES_MAX => tries += 1,
            done => return done,
        }
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, Unheard>>) -> Result<T, Unheard> {
    match timeout(CALL_MAX, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(Unheard("it took too long".to_owned())),
    }
}

fn said(answer: Result<Charged, Unheard>) -> Heard {
    match answer {
        Ok(charged) => Heard::Said(charged),
        Err(unheard) => Heard::Nothing(unheard),
    }
}

/// Does what follows from an answer, one change.
async fn follow(
    store: &Store,
    keys: &Keys,
    purchase: &mut Purchase,
    heard: &Heard,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let mut write = store.write().await?;
    let mut changed = purchase.clone();
    match decide::next(purchase, heard.clone(), now) {
        Next::Go(turn) => step::go(&mut write, keys, &mut changed, turn, now).await?,
        Next::Stay => stay(&mut write, keys, &mut changed, now).await?,
    }
    write.commit().await?;
    *purchase = changed;
    Ok(())
}

async fn stay(
    write: &mut Write,
    keys: &Keys,
    purchase: &mut Purchase,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let due_at = decide::due_again(purchase.attempts, now);
    record::put_off(write, purchase, Some(due_at)).await?;
    let confirmed_at = purchase.confirmed_at.unwrap_or(purchase.created_at);
    let is_long = now >= confirmed_at.plus_ms(TELL_AFTER_MS);
    if purchase.state == State::Unknown && is_long {
        notice::tell(write, keys, purchase, now).await?;
    }
    Ok(())
}
