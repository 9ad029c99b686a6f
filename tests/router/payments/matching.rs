//! How answers find their requests: by which elements, and by which link they come.

use loadtest::{
    bank::{Bank, BankBehaviour},
    fault::Trigger,
};
use sampan::rpc::proto::{PaymentOutcome, PaymentResult, TransactRequest};

use super::{generous, router_for};
use crate::support::{
    assert_payments_agree, charge, charge_all, eventually, lookup_settled, purchase,
};

/// A bank that answers everything by the link behind the one that asked.
fn elsewhere() -> BankBehaviour {
    BankBehaviour {
        answers_elsewhere: Trigger::Always,
        ..generous()
    }
}

#[tokio::test]
async fn payments_that_are_answered_by_another_link_are_approved_once_and_free_their_windows() {
    let bank = Bank::start(elsewhere()).await.unwrap();
    let keys = "links = 2\nwindow = 8\nanswers_on = \"any-link\"";
    let router = router_for(&bank, keys).await;
    let told = charge_all(router.payments(), (0..500).map(purchase).collect()).await;
    for own in told.values() {
        assert_eq!(own.outcome(), PaymentOutcome::Approved, "{own:?}");
    }
    assert_payments_agree(told.values(), &bank.books());
    assert_eq!(bank.totals().elsewhere, 500);
    let links = router.of("vietcom");
    assert!(links.iter().all(|link| link.in_flight == 0), "{links:?}");
    let answered: u64 = links.iter().map(|link| link.answered).sum();
    assert_eq!(answered, 500, "each with the link that sent its request");
    let bank_label = "bank=\"vietcom\"";
    assert_eq!(
        router.figure("sampan_bank_answers_handed_over_total", bank_label),
        500
    );
    let unmatched = router.figure("sampan_link_unmatched_answers_total", "peer=\"vietcom\"");
    assert_eq!(unmatched, 0);
}

#[tokio::test]
async fn a_reversal_that_is_acknowledged_by_another_link_is_over() {
    let bank = Bank::start(BankBehaviour {
        silent: Trigger::First(1),
        silent_debits: true,
        ..elsewhere()
    })
    .await
    .unwrap();
    let keys = "links = 2\nresponse_timeout_ms = 300\nanswers_on = \"any-link\"";
    let router = router_for(&bank, keys).await;
    let result = charge(&router.payments(), purchase(1)).await;
    assert_eq!(result.outcome(), PaymentOutcome::Reversing);
    let settled = lookup_settled(&router.payments(), &result.payment_id).await;
    let outcome = settled.payment.as_ref().map(PaymentResult::outcome);
    assert_eq!(outcome, Some(PaymentOutcome::Reversed), "{settled:?}");
    assert_eq!(bank.totals().reversal_messages, 1);
}

#[tokio::test]
async fn where_answers_come_by_the_same_link_another_one_answers_nothing() {
    let bank = Bank::start(elsewhere()).await.unwrap();
    let router = router_for(&bank, "links = 2\nresponse_timeout_ms = 300").await;
    let result = charge(&router.payments(), purchase(1)).await;
    assert_eq!(result.outcome(), PaymentOutcome::Reversing);
    eventually("the answer is counted", async || {
        router.figure("sampan_link_unmatched_answers_total", "peer=\"vietcom\"") > 0
    })
    .await;
    bank.set_behaviour(generous());
    let settled = lookup_settled(&router.payments(), &result.payment_id).await;
    let outcome = settled.payment.as_ref().map(PaymentResult::outcome);
    assert_eq!(outcome, Some(PaymentOutcome::Reversed), "{settled:?}");
}

#[tokio::test]
async fn terminals_that_count_their_own_stans_are_paid_at_once() {
    let bank = Bank::start(generous()).await.unwrap();
    let keys = "links = 2\nmatch = [\"stan\", \"terminal\", \"rrn\"]\nstan_per = \"terminal\"";
    let router = router_for(&bank, keys).await;
    let at_terminal = |number: usize| TransactRequest {
        terminal_id: format!("T{}", number % 10),
        ..purchase(number)
    };
    let told = charge_all(router.payments(), (0..200).map(at_terminal).collect()).await;
    for own in told.values() {
        assert_eq!(own.outcome(), PaymentOutcome::Approved, "{own:?}");
    }
    assert_eq!(bank.totals().approved, 200);
    let stans = bank
        .books()
        .entries
        .into_iter()
        .map(|entry| entry.stan.to_string());
    let stans: std::collections::HashSet<String> = stans.collect();
    assert_eq!(stans.len(), 20, "ten terminals, twenty payments each");
}
