//! Banks that die in the middle of traffic.

use std::collections::HashMap;

use loadtest::{
    bank::{Bank, BankBehaviour},
    fault::{DelayMs, Timing, Trigger},
};
use sampan::rpc::proto::{PaymentOutcome, PaymentResult};

use super::{generous, router_for};
use crate::support::{
    Router, assert_payments_agree, charge_all, eventually, lookup_settled, purchase,
};

/// A bank that never got a payment answers 25 to its reversal: nothing was debited, and nothing
/// will be.
const KEYS: &str = "links = 3\nwindow = 16\nresponse_timeout_ms = 1000\n[bank.reversal]\n\
    repeat_min_ms = 30\nfinal_codes = [\"00\", \"25\"]";

/// What became of the payments after their reversals.
async fn settled(
    router: &Router,
    told: HashMap<String, PaymentResult>,
) -> HashMap<String, PaymentResult> {
    let mut settled = HashMap::new();
    for (id, result) in told {
        let result = match result.outcome() {
            PaymentOutcome::Reversing => lookup_settled(&router.payments(), &id)
                .await
                .payment
                .unwrap(),
            _ => result,
        };
        settled.insert(id, result);
    }
    settled
}

#[tokio::test]
async fn a_killed_bank_leaves_no_payment_without_an_outcome_and_no_debit_without_an_approval() {
    let bank = Bank::start(BankBehaviour {
        timing: Timing {
            delay: DelayMs::between(1, 10),
            ..Timing::default()
        },
        ..generous()
    })
    .await
    .unwrap();
    let router = router_for(&bank, KEYS).await;
    let traffic = charge_all(router.payments(), (0..2_000).map(purchase).collect());
    let traffic = tokio::spawn(traffic);
    eventually("traffic flows", async || bank.totals().approved > 300).await;
    bank.kill().await;
    let told = traffic.await.unwrap();
    let count = |outcome| told.values().filter(|own| own.outcome() == outcome).count();
    assert!(count(PaymentOutcome::Approved) > 0);
    assert!(count(PaymentOutcome::NotSent) > 0);
    let reversing = count(PaymentOutcome::Reversing);
    assert!((1..=48).contains(&reversing), "{reversing} are reversed");
    assert!(
        told.values()
            .filter(|own| own.outcome() == PaymentOutcome::NotSent)
            .all(|own| own.retry_is_safe)
    );

    bank.restart().await.unwrap();
    router.until_up().await;
    let mut settled = settled(&router, told).await;
    let after = charge_all(router.payments(), (2_000..2_200).map(purchase).collect()).await;
    assert!(
        after
            .values()
            .all(|own| own.outcome() == PaymentOutcome::Approved)
    );
    settled.extend(after);
    assert!(
        settled
            .values()
            .all(|own| own.outcome() != PaymentOutcome::ReversalFailed)
    );
    let books = bank.books();
    assert_payments_agree(settled.values(), &books);
    let approved_minor: u64 = (0..2_200)
        .filter(|number| {
            settled[&purchase(*number).payment_id].outcome() == PaymentOutcome::Approved
        })
        .map(|number| purchase(number).amount.unwrap().amount_minor)
        .sum();
    let net_minor = books.totals.debited_minor - books.totals.reversed_minor;
    assert_eq!(net_minor, approved_minor);
}

#[tokio::test]
async fn a_bank_that_drops_its_links_after_debiting_gets_every_one_of_those_debits_back() {
    let bank = Bank::start(BankBehaviour {
        disconnect: Trigger::Every(40),
        disconnect_debits: true,
        silent: Trigger::Every(37),
        silent_debits: true,
        ..generous()
    })
    .await
    .unwrap();
    let router = router_for(&bank, KEYS).await;
    let mut told = HashMap::new();
    for round in 0..5 {
        router.until_up().await;
        let requests = (round * 100..(round + 1) * 100).map(purchase).collect();
        told.extend(charge_all(router.payments(), requests).await);
    }
    let settled = settled(&router, told).await;
    let reversed = settled
        .values()
        .filter(|own| own.outcome() == PaymentOutcome::Reversed);
    assert!(reversed.count() > 5);
    let books = bank.books();
    assert!(books.totals.disconnected > 1);
    assert!(books.totals.unanswered > 1);
    assert_payments_agree(settled.values(), &books);
}
