//! The end of a router: what is in flight is finished, and what is owed to the bank is told to it.

use std::time::{Duration, Instant};

use loadtest::{
    bank::{Bank, BankBehaviour, Reversing},
    fault::{DelayMs, Timing, Trigger},
};
use sampan::rpc::proto::{PaymentOutcome, Reason};

use super::{generous, router_for};
use crate::support::{Setup, charge, eventually, purchase};

#[tokio::test]
async fn a_stop_waits_for_the_answer_to_a_payment_and_its_caller_gets_it() {
    let bank = Bank::start(BankBehaviour {
        timing: Timing {
            delay: DelayMs::fixed(300),
            ..Timing::default()
        },
        ..generous()
    })
    .await
    .unwrap();
    let router = router_for(&bank, "").await;
    let client = router.payments();
    let pending = tokio::spawn(async move { charge(&client, purchase(1)).await });
    eventually("the bank has it", async || bank.totals().debits == 1).await;
    let stopped = router.stop().await;
    assert_eq!(stopped.unsettled_payments, 0);
    assert_eq!(pending.await.unwrap().outcome(), PaymentOutcome::Approved);
}

#[tokio::test]
async fn a_stop_waits_until_the_bank_has_acknowledged_the_reversals() {
    let bank = Bank::start(BankBehaviour {
        silent: Trigger::Always,
        silent_debits: true,
        reversing: Reversing {
            malfunction_first: 3,
            ..Reversing::default()
        },
        ..generous()
    })
    .await
    .unwrap();
    let keys = "response_timeout_ms = 50\n[bank.reversal]\nrepeat_min_ms = 50";
    let router = router_for(&bank, keys).await;
    let told = charge(&router.payments(), purchase(1)).await;
    assert_eq!(told.outcome(), PaymentOutcome::Reversing);
    let stopped = router.stop().await;
    assert_eq!(stopped.unsettled_payments, 0);
    let totals = bank.totals();
    assert_eq!((totals.debits, totals.reversed), (1, 1));
    assert_eq!(totals.reversal_messages, 4);
}

#[tokio::test]
async fn a_stop_that_runs_out_of_time_says_how_many_payments_are_not_settled() {
    let bank = Bank::start(BankBehaviour {
        silent: Trigger::Always,
        silent_debits: true,
        reversing: Reversing {
            malfunction_first: 1_000,
            ..Reversing::default()
        },
        ..generous()
    })
    .await
    .unwrap();
    let router = Setup::new("[stop]\ntimeout_ms = 300")
        .bank(
            "vietcom",
            &bank,
            "response_timeout_ms = 50\n[bank.reversal]\nrepeat_min_ms = 50",
        )
        .payment_route("vietcom")
        .start_up()
        .await;
    charge(&router.payments(), purchase(1)).await;
    assert_eq!(router.stop().await.unsettled_payments, 1);
}

/// How long a stop takes at most in these tests, as configured.
const STOP: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_stop_takes_back_what_a_silent_bank_leaves_unanswered_even_behind_a_full_window() {
    let bank = Bank::start(BankBehaviour {
        silent: Trigger::Always,
        silent_debits: true,
        ..generous()
    })
    .await
    .unwrap();
    let router = Setup::new("[stop]\ntimeout_ms = 2000")
        .bank("vietcom", &bank, "window = 2\nresponse_timeout_ms = 60000")
        .payment_route("vietcom")
        .start_up()
        .await;
    let begin = |number| {
        let client = router.payments();
        tokio::spawn(async move { charge(&client, purchase(number)).await })
    };
    let silent = [begin(1), begin(2)];
    eventually("the window is full", async || bank.totals().debits == 2).await;
    let queued = begin(3);
    router
        .until("one payment waits for the window", |links| {
            links[0].queued == 1
        })
        .await;
    let began = Instant::now();
    let stopped = router.stop().await;
    assert!(began.elapsed() < STOP + Duration::from_millis(500));
    assert_eq!(stopped.unsettled_payments, 0);
    for payment in silent {
        let told = payment.await.unwrap();
        assert_eq!(told.outcome(), PaymentOutcome::Reversing);
        assert_eq!(told.reason(), Reason::Stopping);
    }
    let told = queued.await.unwrap();
    assert_eq!(told.outcome(), PaymentOutcome::NotSent);
    assert!(told.retry_is_safe);
    let books = bank.books();
    assert_eq!((books.totals.debits, books.totals.reversed), (2, 2));
    assert_eq!(books.standing().count(), 0);
    assert_eq!(books.protocol_errors, []);
}

#[tokio::test]
async fn a_stop_ends_in_time_and_counts_what_is_open_when_a_bank_answers_nothing_at_all() {
    let bank = Bank::start(generous()).await.unwrap();
    let router = Setup::new("[stop]\ntimeout_ms = 2000")
        .bank("vietcom", &bank, "response_timeout_ms = 60000")
        .payment_route("vietcom")
        .start_up()
        .await;
    bank.set_behaviour(BankBehaviour {
        black_hole: true,
        ..generous()
    });
    let client = router.payments();
    let pending = tokio::spawn(async move { charge(&client, purchase(1)).await });
    router
        .until("the payment is in flight", |links| links[0].in_flight == 1)
        .await;
    let began = Instant::now();
    assert_eq!(router.stop().await.unsettled_payments, 1);
    assert!(began.elapsed() < STOP + Duration::from_millis(500));
    assert_eq!(pending.await.unwrap().outcome(), PaymentOutcome::Reversing);
}
