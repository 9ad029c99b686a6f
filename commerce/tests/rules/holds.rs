//! Money that is set aside, and that it ends in one place.

use commerce::{
    ledger::{self, Hold, HoldState, LedgerError, Posted},
    moment::UnixMs,
    store::Store,
};

use crate::{
    books::{NOW, account, assert_balanced, balance, entry, post, vnd},
    databases::on_both,
};

const LATER: UnixMs = UnixMs(NOW.0 + 60_000);

fn hold(id: &str, dong: i64) -> Hold {
    Hold {
        id: id.parse().unwrap(),
        source: account("customer:c:airtime"),
        amount: vnd(dong),
        expires_at: LATER,
    }
}

async fn place(store: &Store, hold: &Hold) -> Result<Posted, LedgerError> {
    let mut write = store.write().await?;
    let posted = ledger::place(&mut write, hold, NOW).await?;
    write.commit().await?;
    Ok(posted)
}

async fn capture(store: &Store, id: &str, dong: i64, now: UnixMs) -> Result<Posted, LedgerError> {
    let shares = [(account("merchant:m:payable"), vnd(dong))];
    let mut write = store.write().await?;
    let posted = ledger::capture(&mut write, &id.parse().unwrap(), &shares, now).await?;
    write.commit().await?;
    Ok(posted)
}

async fn void(store: &Store, id: &str) -> Result<Posted, LedgerError> {
    let mut write = store.write().await?;
    let posted = ledger::void(&mut write, &id.parse().unwrap(), NOW).await?;
    write.commit().await?;
    Ok(posted)
}

async fn expire(store: &Store, id: &str, now: UnixMs) -> Result<Posted, LedgerError> {
    let mut write = store.write().await?;
    let posted = ledger::expire(&mut write, &id.parse().unwrap(), now).await?;
    write.commit().await?;
    Ok(posted)
}

/// A customer with 100 and a hold of 60.
async fn begin(store: &Store) {
    post(
        store,
        &entry("d1", "bank:b:settlement", "customer:c:airtime", 100),
    )
    .await
    .unwrap();
    assert_eq!(place(store, &hold("p1", 60)).await, Ok(Posted::New));
}

/// What customer, hold and merchant have.
async fn parts(store: &Store) -> (i64, i64, i64) {
    assert_balanced(store).await;
    (
        balance(store, "customer:c:airtime").await,
        balance(store, "hold:p1").await,
        balance(store, "merchant:m:payable").await,
    )
}

on_both! {
    async fn what_is_held_cannot_be_spent_otherwise(store: Store) {
        begin(&store).await;
        assert_eq!(parts(&store).await, (40, 60, 0));
        let refused = place(&store, &hold("p2", 41)).await;
        assert!(matches!(refused, Err(LedgerError::Limit { .. })), "{refused:?}");
        assert_eq!(place(&store, &hold("p2", 40)).await, Ok(Posted::New));
    }

    async fn the_same_hold_again_is_the_same_and_another_is_refused(store: Store) {
        begin(&store).await;
        assert_eq!(place(&store, &hold("p1", 60)).await, Ok(Posted::Stands));
        let refused = place(&store, &hold("p1", 30)).await;
        assert!(matches!(refused, Err(LedgerError::Conflict { .. })), "{refused:?}");
        assert_eq!(parts(&store).await, (40, 60, 0));
    }

    async fn a_hold_is_captured_whole(store: Store) {
        begin(&store).await;
        assert_eq!(capture(&store, "p1", 60, NOW).await, Ok(Posted::New));
        assert_eq!(parts(&store).await, (40, 0, 60));
        assert_eq!(capture(&store, "p1", 60, NOW).await, Ok(Posted::Stands));
        assert_eq!(parts(&store).await, (40, 0, 60));
    }

    async fn what_is_not_captured_goes_back(store: Store) {
        begin(&store).await;
        assert_eq!(capture(&store, "p1", 25, NOW).await, Ok(Posted::New));
        assert_eq!(parts(&store).await, (75, 0, 25));
        let refused = capture(&store, "p1", 35, NOW).await;
        assert!(matches!(refused, Err(LedgerError::Conflict { .. })), "{refused:?}");
    }

    async fn more_than_is_held_is_never_captured(store: Store) {
        begin(&store).await;
        for dong in [61, 0, -1] {
            let refused = capture(&store, "p1", dong, NOW).await;
            assert!(matches!(refused, Err(LedgerError::HoldTooSmall(_))), "{refused:?}");
        }
        assert_eq!(parts(&store).await, (40, 60, 0));
    }

    async fn a_hold_ends_once(store: Store) {
        begin(&store).await;
        assert_eq!(void(&store, "p1").await, Ok(Posted::New));
        assert_eq!(void(&store, "p1").await, Ok(Posted::Stands));
        for refused in [capture(&store, "p1", 60, NOW).await, expire(&store, "p1", LATER).await] {
            let ended = LedgerError::HoldEnded {
                id: "p1".parse().unwrap(),
                state: HoldState::Voided,
            };
            assert_eq!(refused, Err(ended));
        }
        assert_eq!(parts(&store).await, (100, 0, 0));
        let by_hand = ["UPDATE hold SET state = 'pending', ended_at_ms = NULL"];
        let refused = crate::books::by_hand(&store, &by_hand).await.unwrap_err();
        assert!(refused.contains("ends once"), "{refused}");
    }

    async fn a_hold_whose_time_is_over_can_only_go_back(store: Store) {
        begin(&store).await;
        let early = expire(&store, "p1", UnixMs(LATER.0 - 1)).await;
        assert!(matches!(early, Err(LedgerError::HoldNotOver(_))), "{early:?}");
        let late = capture(&store, "p1", 60, LATER).await;
        assert!(matches!(late, Err(LedgerError::HoldOver(_))), "{late:?}");

        let mut read = store.read().await.unwrap();
        assert_eq!(ledger::due(&mut read, NOW, 10).await.unwrap(), []);
        let due = ledger::due(&mut read, LATER, 10).await.unwrap();
        assert_eq!(due, ["p1".parse().unwrap()]);
        drop(read);
        assert_eq!(expire(&store, "p1", LATER).await, Ok(Posted::New));
        assert_eq!(parts(&store).await, (100, 0, 0));
        let mut read = store.read().await.unwrap();
        assert_eq!(ledger::due(&mut read, LATER, 10).await.unwrap(), []);
        let state = ledger::hold_state(&mut read, &"p1".parse().unwrap()).await;
        assert_eq!(state, Ok(HoldState::Expired));
    }

    async fn only_somebodys_money_can_be_held(store: Store) {
        let ours = Hold { source: account("bank:b:settlement"), ..hold("p1", 60) };
        let refused = place(&store, &ours).await;
        assert!(matches!(refused, Err(LedgerError::NotHeld(_))), "{refused:?}");
        for dong in [0, -1] {
            let refused = place(&store, &hold("p1", dong)).await;
            assert!(matches!(refused, Err(LedgerError::Entry(_))), "{refused:?}");
        }
        let refused = void(&store, "p1").await;
        assert!(matches!(refused, Err(LedgerError::NoHold(_))), "{refused:?}");
    }
}
