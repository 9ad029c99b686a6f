//! No interleaving of concurrent purchases and holds makes or loses money.
//!
//! Tasks work on few customers, purchases and holds, so that they meet: the same purchase twice, one
//! hold captured, voided and expired at once, more bought than anybody has.

use std::sync::Arc;

use commerce::{
    ledger::{self, Hold, LedgerError, Posted},
    moment::UnixMs,
    store::Store,
};
use proptest::{
    prelude::{Strategy, any, prop_oneof},
    test_runner::{Config, TestRunner},
};
use tokio::{runtime::Runtime, task::JoinSet};

use crate::{
    books::{NOW, account, assert_balanced, balance, entry, post, vnd},
    databases,
};

const CUSTOMERS: u8 = 3;
const PAID_IN: i64 = 1_000;
const HOLDS: u8 = 6;
const TASKS: usize = 8;
const STEPS: usize = 60;
/// Each case is some hundred durable commits.
const CASES: u32 = 6;

#[derive(Clone, Debug)]
enum Step {
    Purchase { id: u8, customer: u8, dong: i64 },
    Place { id: u8, customer: u8, dong: i64 },
    Capture { id: u8, dong: i64 },
    Void { id: u8 },
    Expire { id: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let (customer, hold, dong) = (0..CUSTOMERS, 0..HOLDS, 1..400_i64);
    prop_oneof![
        (0..20_u8, customer.clone(), dong.clone())
            .prop_map(|(id, customer, dong)| Step::Purchase { id, customer, dong }),
        (hold.clone(), customer, dong.clone()).prop_map(|(id, customer, dong)| Step::Place {
            id,
            customer,
            dong
        }),
        (hold.clone(), dong).prop_map(|(id, dong)| Step::Capture { id, dong }),
        (hold, any::<bool>()).prop_map(|(id, void)| match void {
            true => Step::Void { id },
            false => Step::Expire { id },
        }),
    ]
}

/// Holds of even numbers can be captured and voided now, those of odd numbers are over.
fn hold(id: u8, customer: u8, dong: i64) -> Hold {
    let over = id % 2 == 1;
    Hold {
        id: format!("h{id}").parse().unwrap(),
        source: account(&format!("customer:c{customer}:airtime")),
        amount: vnd(dong),
        expires_at: UnixMs(if over { NOW.0 } else { NOW.0 + 1 }),
    }
}

/// What a step gave the merchant.
async fn run(store: &Store, step: &Step) -> Result<i64, LedgerError> {
    let mut write = store.write().await?;
    let id = |id: &u8| format!("h{id}").parse().unwrap();
    let (posted, dong) = match step {
        Step::Purchase { id, customer, dong } => {
            let (reference, customer) = (format!("b{id}"), format!("customer:c{customer}:airtime"));
            let entry = entry(&reference, &customer, "merchant:m:payable", *dong);
            (ledger::post(&mut write, &entry).await?, *dong)
        }
        Step::Place { id, customer, dong } => {
            let hold = hold(*id, *customer, *dong);
            (ledger::place(&mut write, &hold, NOW).await?, 0)
        }
        Step::Capture { id: hold, dong } => {
            let shares = [(account("merchant:m:payable"), vnd(*dong))];
            (
                ledger::capture(&mut write, &id(hold), &shares, NOW).await?,
                *dong,
            )
        }
        Step::Void { id: hold } => (ledger::void(&mut write, &id(hold), NOW).await?, 0),
        Step::Expire { id: hold } => (ledger::expire(&mut write, &id(hold), NOW).await?, 0),
    };
    write.commit().await?;
    Ok(if posted == Posted::New { dong } else { 0 })
}

/// Whether a refusal is one of those that the books are to give.
fn is_expected(error: &LedgerError) -> bool {
    !matches!(
        error,
        LedgerError::Store(_)
            | LedgerError::Entry(_)
            | LedgerError::Money(_)
            | LedgerError::NotHeld(_)
    )
}

async fn no_money_is_made_or_lost(store: &Store, steps: Vec<Step>) {
    for customer in 0..CUSTOMERS {
        let (reference, name) = (
            format!("d{customer}"),
            format!("customer:c{customer}:airtime"),
        );
        post(
            store,
            &entry(&reference, "bank:b:settlement", &name, PAID_IN),
        )
        .await
        .unwrap();
    }
    let steps = Arc::new(steps);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (store, steps) = (store.clone(), steps.clone());
        tasks.spawn(async move {
            let mut given = 0;
            for step in steps.iter().skip(task).step_by(TASKS) {
                match run(&store, step).await {
                    Ok(dong) => given += dong,
                    Err(error) => assert!(is_expected(&error), "{step:?}: {error}"),
                }
            }
            given
        });
    }
    let given: i64 = tasks.join_all().await.into_iter().sum();

    assert_balanced(store).await;
    assert_eq!(balance(store, "merchant:m:payable").await, given);
    let mut left = 0;
    for customer in 0..CUSTOMERS {
        let has = balance(store, &format!("customer:c{customer}:airtime")).await;
        assert!(has >= 0);
        left += has;
    }
    for hold in 0..HOLDS {
        left += balance(store, &format!("hold:h{hold}")).await;
    }
    assert_eq!(left + given, i64::from(CUSTOMERS) * PAID_IN);
}

fn every_interleaving(open: impl Fn(&Runtime) -> (Option<tempfile::TempDir>, Store)) {
    let runtime = Runtime::new().unwrap();
    // Which tasks meet differs from run to run, so a seed kept for the next run would say nothing.
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let cases = proptest::collection::vec(step(), STEPS);
    let ran = TestRunner::new(config).run(&cases, |steps| {
        let (_folder, store) = open(&runtime);
        runtime.block_on(no_money_is_made_or_lost(&store, steps));
        runtime.block_on(store.close());
        Ok(())
    });
    ran.unwrap();
}

mod no_interleaving_of_purchases_and_holds_makes_or_loses_money {
    use super::*;

    #[test]
    fn sqlite() {
        every_interleaving(|runtime| {
            let (folder, location) = databases::sqlite();
            (
                Some(folder),
                runtime.block_on(Store::open(&location)).unwrap(),
            )
        });
    }

    #[test]
    fn postgresql() {
        let probe = Runtime::new().unwrap();
        if probe.block_on(databases::postgres()).is_none() {
            return;
        }
        every_interleaving(|runtime| {
            let location = runtime.block_on(databases::postgres()).unwrap();
            (None, runtime.block_on(Store::open(&location)).unwrap())
        });
    }
}
