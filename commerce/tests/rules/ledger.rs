//! The rules of double entry, and that the database holds them itself.

use commerce::{
    ledger::{self, LedgerError, Limits, Posted},
    store::Store,
};

use crate::{
    books::{NOW, account, assert_balanced, balance, by_hand, entry, post, vnd},
    databases::on_both,
};

/// An entry of two postings as the ledger would write it, without its last statement.
const HALF: [&str; 5] = [
    "INSERT INTO account (name, kind, side) VALUES ('fees', 'fees', -1)",
    "INSERT INTO account (name, kind, side) VALUES ('refunds', 'refunds', 1)",
    "INSERT INTO entry (reference, postings, at_ms) VALUES ('e', 2, 0)",
    "UPDATE account SET balance = 5, postings = 1",
    "INSERT INTO posting (entry, line, account, amount, number, balance)
     VALUES ('e', 1, 'fees', -5, 1, 5)",
];

fn with(last: &'static str) -> Vec<&'static str> {
    HALF.into_iter().chain([last]).collect()
}

on_both! {
    async fn an_entry_moves_money_in_each_accounts_own_sense(store: Store) {
        let deposit = entry("d1", "bank:b:settlement", "agent:a:deposit", 100);
        assert_eq!(post(&store, &deposit).await, Ok(Posted::New));
        let sale = entry("s1", "agent:a:deposit", "stock:MOBI10", 40);
        assert_eq!(post(&store, &sale).await, Ok(Posted::New));
        assert_eq!(balance(&store, "bank:b:settlement").await, 100);
        assert_eq!(balance(&store, "agent:a:deposit").await, 60);
        assert_eq!(balance(&store, "stock:MOBI10").await, -40);
        assert_eq!(balance(&store, "agent:other:deposit").await, 0);
        assert_balanced(&store).await;
    }

    async fn the_same_reference_is_the_same_entry_or_an_error(store: Store) {
        let deposit = entry("d1", "bank:b:settlement", "agent:a:deposit", 100);
        assert_eq!(post(&store, &deposit).await, Ok(Posted::New));
        assert_eq!(post(&store, &deposit).await, Ok(Posted::Stands));
        let other = entry("d1", "bank:b:settlement", "agent:a:deposit", 101);
        let refused = post(&store, &other).await;
        assert!(matches!(refused, Err(LedgerError::Conflict { .. })), "{refused:?}");
        let other = entry("d1", "bank:b:settlement", "agent:b:deposit", 100);
        let refused = post(&store, &other).await;
        assert!(matches!(refused, Err(LedgerError::Conflict { .. })), "{refused:?}");
        assert_eq!(balance(&store, "agent:a:deposit").await, 100);
    }

    async fn of_many_at_once_with_one_reference_one_is_new(store: Store) {
        let deposit = entry("d1", "bank:b:settlement", "agent:a:deposit", 100);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let (store, deposit) = (store.clone(), deposit.clone());
            tasks.spawn(async move { post(&store, &deposit).await.unwrap() });
        }
        let posted = tasks.join_all().await;
        assert_eq!(posted.iter().filter(|posted| **posted == Posted::New).count(), 1);
        assert_eq!(balance(&store, "agent:a:deposit").await, 100);
        assert_balanced(&store).await;
    }

    async fn nobody_spends_what_he_has_not_paid_in(store: Store) {
        post(&store, &entry("d1", "bank:b:settlement", "agent:a:deposit", 100)).await.unwrap();
        let refused = post(&store, &entry("s1", "agent:a:deposit", "stock:MOBI10", 101)).await;
        let wanted = LedgerError::Limit {
            account: account("agent:a:deposit"),
            balance: vnd(-1),
        };
        assert_eq!(refused, Err(wanted));
        post(&store, &entry("s2", "agent:a:deposit", "stock:MOBI10", 100)).await.unwrap();
        assert_balanced(&store).await;
    }

    async fn a_refused_entry_leaves_the_rest_of_its_change_and_its_reference_free(store: Store) {
        let mut write = store.write().await.unwrap();
        let deposit = entry("d1", "bank:b:settlement", "agent:a:deposit", 100);
        ledger::post(&mut write, &deposit).await.unwrap();
        let sale = entry("s1", "agent:a:deposit", "stock:MOBI10", 101);
        ledger::post(&mut write, &sale).await.unwrap_err();
        let sale = entry("s1", "agent:a:deposit", "stock:MOBI10", 99);
        assert_eq!(ledger::post(&mut write, &sale).await, Ok(Posted::New));
        write.commit().await.unwrap();
        assert_eq!(balance(&store, "agent:a:deposit").await, 1);
        assert_balanced(&store).await;
    }

    async fn an_account_keeps_within_the_limits_it_was_given(store: Store) {
        let customer = account("customer:c:airtime");
        let limits = |floor, ceiling| Limits {
            floor: Some(vnd(floor)),
            ceiling: Some(vnd(ceiling)),
        };
        let mut write = store.write().await.unwrap();
        ledger::set_limits(&mut write, &customer, limits(0, 500)).await.unwrap();
        write.commit().await.unwrap();
        let top_up = |reference, dong| {
            entry(reference, "bank:b:settlement", "customer:c:airtime", dong)
        };
        post(&store, &top_up("t1", 500)).await.unwrap();
        let refused = post(&store, &top_up("t2", 1)).await;
        assert!(matches!(refused, Err(LedgerError::Limit { .. })), "{refused:?}");

        let mut write = store.write().await.unwrap();
        let refused = ledger::set_limits(&mut write, &customer, limits(0, 499)).await;
        assert!(matches!(refused, Err(LedgerError::Limit { .. })), "{refused:?}");
    }

    async fn a_statement_goes_on_where_its_last_page_ended(store: Store) {
        for number in 1..=5 {
            let reference = format!("d{number}");
            let deposit = entry(&reference, "bank:b:settlement", "agent:a:deposit", number);
            post(&store, &deposit).await.unwrap();
        }
        post(&store, &entry("s1", "agent:a:deposit", "stock:MOBI10", 7)).await.unwrap();
        let mut read = store.read().await.unwrap();
        let agent = account("agent:a:deposit");
        let mut lines = Vec::new();
        loop {
            let after = lines.last().map_or(0, |line: &ledger::StatementLine| line.number);
            let page = ledger::statement(&mut read, &agent, after, 4).await.unwrap();
            if page.is_empty() {
                break;
            }
            lines.extend(page);
        }
        let numbers: Vec<_> = lines.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
        let balances: Vec<_> = lines.iter().map(|line| line.balance.dong()).collect();
        assert_eq!(balances, [1, 3, 6, 10, 15, 8]);
        assert_eq!(lines[5].amount, vnd(-7));
        assert_eq!(lines[5].entry.as_str(), "s1");
        assert_eq!(lines[5].at, NOW);
    }

    async fn the_trial_balance_gathers_accounts_by_what_they_are(store: Store) {
        post(&store, &entry("d1", "bank:b:settlement", "agent:a:deposit", 100)).await.unwrap();
        post(&store, &entry("d2", "bank:c:settlement", "agent:b:deposit", 50)).await.unwrap();
        let mut read = store.read().await.unwrap();
        let rows = ledger::trial_balance(&mut read).await.unwrap();
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (row.kind.as_str(), row.accounts, row.debit.dong()))
            .collect();
        assert_eq!(rows, [("agent", 2, -150), ("bank", 2, 150)]);
    }

    async fn the_database_takes_the_entry_that_the_next_rules_break(store: Store) {
        let last = "INSERT INTO posting (entry, line, account, amount, number, balance)
            VALUES ('e', 2, 'refunds', 5, 1, 5)";
        by_hand(&store, &with(last)).await.unwrap();
        assert_balanced(&store).await;
    }

    async fn the_database_refuses_an_entry_that_does_not_sum_to_zero(store: Store) {
        let last = "INSERT INTO posting (entry, line, account, amount, number, balance)
            VALUES ('e', 2, 'refunds', 4, 1, 4)";
        let mut statements = with(last);
        statements.insert(5, "UPDATE account SET balance = 4 WHERE name = 'refunds'");
        let refused = by_hand(&store, &statements).await.unwrap_err();
        assert!(refused.contains("sums to zero"), "{refused}");
    }

    async fn the_database_refuses_an_entry_without_all_its_postings(store: Store) {
        by_hand(&store, &HALF).await.unwrap_err();
        let refused = by_hand(&store, &HALF[..3]).await.unwrap_err();
        assert!(refused.to_lowercase().contains("foreign key"), "{refused}");
        let one = "INSERT INTO entry (reference, postings, at_ms) VALUES ('e', 1, 0)";
        by_hand(&store, &[one]).await.unwrap_err();
    }

    async fn the_database_refuses_a_posting_that_does_not_carry_its_balance_on(store: Store) {
        let last = "INSERT INTO posting (entry, line, account, amount, number, balance)
            VALUES ('e', 2, 'refunds', 5, 1, 6)";
        let refused = by_hand(&store, &with(last)).await.unwrap_err();
        assert!(refused.contains("carries on"), "{refused}");
        let last = "INSERT INTO posting (entry, line, account, amount, number, balance)
            VALUES ('e', 2, 'refunds', 5, 2, 5)";
        let refused = by_hand(&store, &with(last)).await.unwrap_err();
        assert!(refused.contains("carries on"), "{refused}");
    }

    async fn the_database_refuses_to_change_or_delete_what_stands(store: Store) {
        post(&store, &entry("d1", "bank:b:settlement", "agent:a:deposit", 100)).await.unwrap();
        for (statement, why) in [
            ("UPDATE posting SET amount = amount * 2", "never changed"),
            ("UPDATE entry SET at_ms = 0", "never changed"),
            ("DELETE FROM posting", "never deleted"),
            ("DELETE FROM entry", "never deleted"),
            ("UPDATE account SET side = -side", "stays what it is"),
            ("UPDATE account SET balance = -1 WHERE name = 'agent:a:deposit'", "account_limits"),
            ("UPDATE account SET balance = 2000000000000000000 WHERE floor IS NULL", "balance"),
        ] {
            let refused = by_hand(&store, &[statement]).await.unwrap_err();
            assert!(refused.contains(why), "{statement}: {refused}");
        }
        by_hand(&store, &["DELETE FROM account"]).await.unwrap_err();
        assert_balanced(&store).await;
    }

    async fn the_database_refuses_a_posting_added_to_an_entry_that_stands(store: Store) {
        post(&store, &entry("d1", "bank:b:settlement", "agent:a:deposit", 100)).await.unwrap();
        post(&store, &entry("d2", "bank:b:settlement", "agent:b:deposit", 100)).await.unwrap();
        let move_agent = "UPDATE account SET balance = 105, postings = 2
            WHERE name = 'agent:b:deposit'";
        let add = "INSERT INTO posting (entry, line, account, amount, number, balance)
            VALUES ('d1', 3, 'agent:b:deposit', -5, 2, 105)";
        let refused = by_hand(&store, &[move_agent, add]).await.unwrap_err();
        assert!(refused.contains("announced"), "{refused}");
        let add = add.replace("'d1', 3", "'none', 1");
        let refused = by_hand(&store, &[move_agent, &add]).await.unwrap_err();
        assert!(refused.contains("announced"), "{refused}");
    }

    async fn a_balance_that_was_changed_by_hand_is_found(store: Store) {
        post(&store, &entry("d1", "bank:b:settlement", "agent:a:deposit", 100)).await.unwrap();
        let change = "UPDATE account SET balance = 101 WHERE name = 'agent:a:deposit'";
        by_hand(&store, &[change]).await.unwrap();
        let mut read = store.read().await.unwrap();
        assert_eq!(ledger::faults(&mut read).await.unwrap(), ["agent:a:deposit"]);
    }
}

#[tokio::test]
async fn sqlite_does_not_let_a_row_be_replaced_past_its_triggers() {
    let (_folder, location) = crate::databases::sqlite();
    let store = Store::open(&location).await.unwrap();
    post(
        &store,
        &entry("d1", "bank:b:settlement", "agent:a:deposit", 100),
    )
    .await
    .unwrap();
    for statement in [
        "INSERT OR REPLACE INTO entry (reference, postings, at_ms) VALUES ('d1', 2, 0)",
        "INSERT OR REPLACE INTO posting SELECT * FROM posting WHERE line = 1",
    ] {
        let refused = by_hand(&store, &[statement]).await.unwrap_err();
        assert!(refused.contains("never deleted"), "{statement}: {refused}");
    }
}
