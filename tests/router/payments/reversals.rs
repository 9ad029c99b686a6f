//! What was not answered, or is not wanted any more, is taken back until the bank says so.

use loadtest::{
    bank::{Bank, BankBehaviour, Reversing},
    fault::{DelayMs, Timing, Trigger},
};
use sampan::rpc::proto::{
    ListReversalsRequest, LookupRequest, PaymentOutcome, Reason, ResolveReversalRequest,
    RetryReversalRequest, ReverseRequest,
};

use super::{generous, router_for};
use crate::support::{assert_payments_agree, charge, eventually, lookup_settled, purchase, soon};

/// Quick enough for a test: repeats after 30 ms.
const HASTY: &str = "response_timeout_ms = 100\n[bank.reversal]\nrepeat_min_ms = 30";

fn silent_after_debiting() -> BankBehaviour {
    BankBehaviour {
        silent: Trigger::First(1),
        silent_debits: true,
        ..generous()
    }
}

fn reverse(number: usize) -> ReverseRequest {
    ReverseRequest {
        payment_id: purchase(number).payment_id,
        ..ReverseRequest::default()
    }
}

#[tokio::test]
async fn an_unanswered_payment_is_reversed_with_0420_then_0421_until_the_bank_acknowledges() {
    let bank = Bank::start(BankBehaviour {
        reversing: Reversing {
            silent_first: 1,
            malfunction_first: 1,
            ..Reversing::default()
        },
        ..silent_after_debiting()
    })
    .await
    .unwrap();
    let router = router_for(&bank, HASTY).await;
    let told = charge(&router.payments(), purchase(1)).await;
    assert_eq!(told.outcome(), PaymentOutcome::Reversing);
    assert_eq!(told.reason(), Reason::Timeout);
    assert!(!told.retry_is_safe);

    let stored = lookup_settled(&router.payments(), &told.payment_id).await;
    let settled = stored.payment.unwrap();
    assert_eq!(settled.outcome(), PaymentOutcome::Reversed);
    let reversal = settled.reversal.clone().unwrap();
    assert_eq!(reversal.attempts, 3);
    assert_eq!(reversal.response_code, "00");
    let books = bank.books();
    assert_payments_agree([&settled], &books);
    let entry = books.by_rrn(&told.retrieval_reference).unwrap();
    assert!(entry.debited && entry.reversed);
    assert_eq!(entry.reversal_messages, 3);
    assert_eq!(books.totals.repeats_changed, 0);
}

#[tokio::test]
async fn a_reversal_that_the_bank_refuses_is_an_operators_and_says_so() {
    let bank = Bank::start(BankBehaviour {
        silent: Trigger::Always,
        reversing: Reversing {
            malfunction_first: 1,
            ..Reversing::default()
        },
        ..generous()
    })
    .await
    .unwrap();
    let keys = "response_timeout_ms = 100\n[bank.reversal]\nrepeat_min_ms = 30\nretry_codes = []";
    let router = router_for(&bank, keys).await;
    let told = charge(&router.payments(), purchase(1)).await;
    assert_eq!(told.outcome(), PaymentOutcome::Reversing);
    let stored = lookup_settled(&router.payments(), &told.payment_id).await;
    let settled = stored.payment.unwrap();
    assert_eq!(settled.outcome(), PaymentOutcome::ReversalFailed);
    assert_eq!(settled.reversal.unwrap().response_code, "96");
    assert!(!settled.retry_is_safe);
    assert_eq!(bank.totals().reversal_messages, 1);
}

#[tokio::test]
async fn an_operator_sees_a_failed_reversal_and_has_it_tried_again_as_0421() {
    let bank = Bank::start(BankBehaviour {
        reversing: Reversing {
            malfunction_first: 1,
            ..Reversing::default()
        },
        ..silent_after_debiting()
    })
    .await
    .unwrap();
    let keys = "response_timeout_ms = 100\n[bank.reversal]\nrepeat_min_ms = 30\nretry_codes = []";
    let router = router_for(&bank, keys).await;
    let told = charge(&router.payments(), purchase(1)).await;
    let stored = lookup_settled(&router.payments(), &told.payment_id).await;
    assert_eq!(
        stored.payment.unwrap().outcome(),
        PaymentOutcome::ReversalFailed
    );

    let mut operator = router.reversals();
    let failed = ListReversalsRequest {
        failed_only: true,
        ..ListReversalsRequest::default()
    };
    let listed = operator.list(failed.clone()).await.unwrap().into_inner();
    let [open] = &listed.reversals[..] else {
        panic!("{listed:?}")
    };
    assert_eq!(open.retrieval_reference, told.retrieval_reference);
    assert_eq!((open.client.as_str(), open.has_failed), ("local", true));
    let retry = RetryReversalRequest {
        client: open.client.clone(),
        payment_id: open.payment_id.clone(),
    };
    soon("the retry", operator.retry(retry)).await.unwrap();
    let stored = lookup_settled(&router.payments(), &told.payment_id).await;
    let settled = stored.payment.unwrap();
    assert_eq!(settled.outcome(), PaymentOutcome::Reversed);
    let books = bank.books();
    assert_payments_agree([&settled], &books);
    let entry = books.by_rrn(&told.retrieval_reference).unwrap();
    assert_eq!(entry.reversal_messages, 2);
    assert_eq!(books.totals.repeats_changed, 0);
    let listed = operator.list(failed).await.unwrap().into_inner();
    assert_eq!(listed.total, 0);
}

#[tokio::test]
async fn a_reversal_that_an_operator_settled_by_hand_is_sent_no_more() {
    let bank = Bank::start(BankBehaviour {
        reversing: Reversing {
            silent_first: 1_000,
            ..Reversing::default()
        },
        ..silent_after_debiting()
    })
    .await
    .unwrap();
    let router = router_for(&bank, HASTY).await;
    let told = charge(&router.payments(), purchase(1)).await;
    assert_eq!(told.outcome(), PaymentOutcome::Reversing);
    let resolve = ResolveReversalRequest {
        client: "local".into(),
        payment_id: told.payment_id.clone(),
        reason: "credited by hand, ticket 4711".into(),
    };
    let mut operator = router.reversals();
    let resolved = soon("the settlement", operator.resolve(resolve)).await;
    assert_eq!(
        resolved.unwrap().into_inner().outcome(),
        PaymentOutcome::Resolved
    );
    let stored = lookup_settled(&router.payments(), &told.payment_id).await;
    let settled = stored.payment.unwrap();
    assert_eq!(settled.outcome(), PaymentOutcome::Resolved);
    assert_eq!(settled.detail, "credited by hand, ticket 4711");
    assert!(!settled.retry_is_safe);
    let stopped = router.stop().await;
    assert_eq!(stopped.unsettled_payments, 0);
}

#[tokio::test]
async fn a_reversal_whose_budget_is_spent_is_an_operators() {
    let bank = Bank::start(BankBehaviour {
        reversing: Reversing {
            silent_first: 1_000,
            ..Reversing::default()
        },
        ..silent_after_debiting()
    })
    .await
    .unwrap();
    let keys = "response_timeout_ms = 100\n[bank.reversal]\nrepeat_min_ms = 30\nbudget_s = 1";
    let router = router_for(&bank, keys).await;
    let told = charge(&router.payments(), purchase(1)).await;
    let stored = lookup_settled(&router.payments(), &told.payment_id).await;
    let settled = stored.payment.unwrap();
    assert_eq!(settled.outcome(), PaymentOutcome::ReversalFailed);
    assert!(settled.reversal.unwrap().attempts > 1);
}

#[tokio::test]
async fn a_late_answer_changes_nothing_that_was_told_and_is_recorded() {
    let bank = Bank::start(BankBehaviour {
        timing: Timing {
            late: Trigger::First(1),
            late_ms: 400,
            ..Timing::default()
        },
        ..generous()
    })
    .await
    .unwrap();
    let router = router_for(&bank, HASTY).await;
    let told = charge(&router.payments(), purchase(1)).await;
    assert_eq!(told.outcome(), PaymentOutcome::Reversing);
    lookup_settled(&router.payments(), &told.payment_id).await;
    let mut client = router.payments();
    eventually("the late answer is recorded", async || {
        let request = LookupRequest {
            payment_id: told.payment_id.clone(),
        };
        let stored = client.lookup(request).await.unwrap().into_inner();
        assert_eq!(stored.payment.unwrap().outcome(), PaymentOutcome::Reversed);
        stored.late_response_code == "00"
    })
    .await;
    let books = bank.books();
    assert_eq!(books.standing().count(), 0);
    assert_eq!(books.totals.reversed, 1);
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_no_approval_and_the_money_comes_back() {
    let bank = Bank::start(BankBehaviour {
        garbage: Trigger::First(1),
        ..generous()
    })
    .await
    .unwrap();
    let router = router_for(&bank, HASTY).await;
    let told = charge(&router.payments(), purchase(1)).await;
    assert_eq!(told.outcome(), PaymentOutcome::Reversing);
    let stored = lookup_settled(&router.payments(), &told.payment_id).await;
    assert_eq!(stored.payment.unwrap().outcome(), PaymentOutcome::Reversed);
    assert_eq!(bank.books().standing().count(), 0);
    let next = charge(&router.payments(), purchase(2)).await;
    assert_eq!(next.outcome(), PaymentOutcome::Approved);
}

#[tokio::test]
async fn an_approved_payment_that_its_caller_takes_back_is_reversed_once() {
    let bank = Bank::start(generous()).await.unwrap();
    let router = router_for(&bank, HASTY).await;
    let approved = charge(&router.payments(), purchase(1)).await;
    assert_eq!(approved.outcome(), PaymentOutcome::Approved);
    for _ in 0..2 {
        let mut client = router.payments();
        let told = soon("the reversal", client.reverse(reverse(1)))
            .await
            .unwrap();
        let outcome = told.into_inner().outcome();
        assert!(
            [PaymentOutcome::Reversing, PaymentOutcome::Reversed].contains(&outcome),
            "{outcome:?}"
        );
    }
    let stored = lookup_settled(&router.payments(), &approved.payment_id).await;
    let settled = stored.payment.unwrap();
    assert_eq!(settled.outcome(), PaymentOutcome::Reversed);
    assert_eq!(settled.reversal.unwrap().reason(), Reason::Cancelled);
    let totals = bank.totals();
    assert_eq!((totals.debits, totals.reversed), (1, 1));
    assert_eq!(totals.reversal_messages, 1);
}

#[tokio::test]
async fn a_pending_payment_that_its_caller_takes_back_is_never_told_approved() {
    let bank = Bank::start(BankBehaviour {
        timing: Timing {
            delay: DelayMs::fixed(200),
            ..Timing::default()
        },
        ..generous()
    })
    .await
    .unwrap();
    let router = router_for(&bank, "[bank.reversal]\nrepeat_min_ms = 30").await;
    let client = router.payments();
    let pending = tokio::spawn(async move { charge(&client, purchase(1)).await });
    eventually("the bank has it", async || bank.totals().debits == 1).await;
    let mut client = router.payments();
    soon("the reversal", client.reverse(reverse(1)))
        .await
        .unwrap();
    let told = pending.await.unwrap();
    assert!(
        [PaymentOutcome::Reversing, PaymentOutcome::Reversed].contains(&told.outcome()),
        "{told:?}"
    );
    let stored = lookup_settled(&router.payments(), &told.payment_id).await;
    assert_eq!(stored.payment.unwrap().outcome(), PaymentOutcome::Reversed);
    assert_eq!(bank.books().standing().count(), 0);
}

#[tokio::test]
async fn an_id_that_nobody_used_is_not_found() {
    let bank = Bank::start(generous()).await.unwrap();
    let router = router_for(&bank, "").await;
    let mut client = router.payments();
    let refused = soon("the refusal", client.reverse(reverse(1))).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::NotFound);
    let request = LookupRequest {
        payment_id: "nobody".to_owned(),
    };
    let stored = soon("the look-up", client.lookup(request)).await.unwrap();
    assert!(!stored.into_inner().found);
}
