//! How a payment ends that the bank answers, or never gets.

use loadtest::{
    bank::{Account, Bank, BankBehaviour, ResponseCode},
    fault::Trigger,
};
use sampan::{
    rpc::proto::{Money, PaymentKind, PaymentOutcome, Reason, TransactRequest, element::Value},
    status::LinkState,
};

use super::{generous, router_for};
use crate::support::{
    Setup, assert_payments_agree, charge, charge_all, eventually, lookup_settled, purchase,
};

fn balance_of(kind: PaymentKind) -> TransactRequest {
    TransactRequest {
        kind: kind.into(),
        amount: None,
        ..purchase(1)
    }
}

#[tokio::test]
async fn payments_over_all_links_are_approved_and_the_books_hold_their_sum() {
    let bank = Bank::start(generous()).await.unwrap();
    let router = router_for(&bank, "links = 3\nwindow = 8").await;
    let told = charge_all(router.payments(), (0..1_000).map(purchase).collect()).await;
    for own in told.values() {
        assert_eq!(own.outcome(), PaymentOutcome::Approved);
        assert_eq!(own.response_code, "00");
        assert!(!own.retry_is_safe);
    }
    let books = bank.books();
    assert_payments_agree(told.values(), &books);
    assert_eq!(books.totals.debited_minor, (1_000..2_000).sum::<u64>());
    assert!(router.of("vietcom").iter().all(|link| link.answered > 100));
}

#[tokio::test]
async fn a_payment_without_the_funds_is_declined_with_the_banks_code_and_moves_nothing() {
    let bank = Bank::start(BankBehaviour {
        accounts: vec![Account::new("9704360000000001", 500)],
        ..BankBehaviour::default()
    })
    .await
    .unwrap();
    let router = router_for(&bank, "").await;
    let result = charge(&router.payments(), purchase(1)).await;
    assert_eq!(result.outcome(), PaymentOutcome::Declined);
    assert_eq!(result.response_code, "51");
    assert!(result.retry_is_safe, "a declined payment debits nothing");
    assert_eq!(bank.totals().debits, 0);
    assert_eq!(bank.totals().reversal_messages, 0);
}

#[tokio::test]
async fn the_same_id_with_the_same_body_gets_the_stored_outcome_and_one_debit() {
    let bank = Bank::start(generous()).await.unwrap();
    let router = router_for(&bank, "").await;
    let first = charge(&router.payments(), purchase(1)).await;
    let second = charge(&router.payments(), purchase(1)).await;
    assert_eq!(first.outcome(), PaymentOutcome::Approved);
    assert_eq!(first, second);
    assert_eq!(bank.totals().requests, 1);
}

#[tokio::test]
async fn the_same_id_while_the_first_is_pending_gets_the_same_outcome_and_one_debit() {
    let bank = Bank::start(generous()).await.unwrap();
    let router = router_for(&bank, "").await;
    let client = router.payments();
    let (first, second) = tokio::join!(charge(&client, purchase(1)), charge(&client, purchase(1)));
    assert_eq!(first.outcome(), PaymentOutcome::Approved);
    assert_eq!(first, second);
    assert_eq!(bank.totals().requests, 1);
}

#[tokio::test]
async fn the_same_id_with_another_body_is_refused_and_reaches_no_bank() {
    let bank = Bank::start(generous()).await.unwrap();
    let router = router_for(&bank, "").await;
    charge(&router.payments(), purchase(1)).await;
    let other = TransactRequest {
        payment_id: purchase(1).payment_id,
        ..purchase(2)
    };
    let result = charge(&router.payments(), other).await;
    assert_eq!(result.outcome(), PaymentOutcome::NotSent);
    assert_eq!(result.reason(), Reason::IdReused);
    assert_eq!(bank.totals().requests, 1);
    let stored = lookup_settled(&router.payments(), &purchase(1).payment_id).await;
    assert_eq!(stored.payment.unwrap().outcome(), PaymentOutcome::Approved);
}

#[tokio::test]
async fn balance_and_mini_statement_are_unknown_when_unanswered_and_never_reversed() {
    let bank = Bank::start(BankBehaviour {
        silent: Trigger::First(2),
        ..generous()
    })
    .await
    .unwrap();
    let router = router_for(&bank, "response_timeout_ms = 100").await;
    for kind in [PaymentKind::Balance, PaymentKind::MiniStatement] {
        let request = TransactRequest {
            payment_id: kind.as_str_name().to_owned(),
            ..balance_of(kind)
        };
        let result = charge(&router.payments(), request).await;
        assert_eq!(result.outcome(), PaymentOutcome::Unknown);
        assert_eq!(result.reason(), Reason::Timeout);
        assert!(result.retry_is_safe, "it moves no money");
    }
    // On the same link: a reversal would have been written before this one.
    let next = charge(&router.payments(), purchase(3)).await;
    assert_eq!(next.outcome(), PaymentOutcome::Approved);
    assert_eq!(bank.totals().reversal_messages, 0);
}

#[tokio::test]
async fn a_balance_is_told_as_the_bank_gave_it() {
    let bank = Bank::start(BankBehaviour {
        accounts: vec![Account::new("9704360000000001", 1_234_500)],
        ..BankBehaviour::default()
    })
    .await
    .unwrap();
    let router = router_for(&bank, "").await;
    let result = charge(&router.payments(), balance_of(PaymentKind::Balance)).await;
    assert_eq!(result.outcome(), PaymentOutcome::Approved);
    let amounts = result.elements.iter().find(|own| own.number == 54).unwrap();
    let Some(Value::Text(amounts)) = &amounts.value else {
        panic!("DE54 is no text");
    };
    assert!(amounts.contains("000001234500"), "{amounts}");
}

#[tokio::test]
async fn a_bank_that_refuses_the_sign_on_gets_no_payment_and_the_link_tells_its_code() {
    let bank = Bank::start(BankBehaviour {
        refuse_network: Some(ResponseCode::INOPERATIVE),
        ..generous()
    })
    .await
    .unwrap();
    let router = Setup::new("")
        .bank("vietcom", &bank, "")
        .payment_route("vietcom")
        .start()
        .await;
    router
        .until("the refusal is told", |links| {
            links[0].state == LinkState::Down && !links[0].last_error.is_empty()
        })
        .await;
    let told = router.of("vietcom")[0].last_error.clone();
    assert!(told.contains("91"), "{told}");
    let result = charge(&router.payments(), purchase(1)).await;
    assert_eq!(result.outcome(), PaymentOutcome::NotSent);
    assert_eq!(result.reason(), Reason::NoLink);
    assert!(result.retry_is_safe);
    assert_eq!(bank.totals().requests, 0);
}

#[tokio::test]
async fn a_deadline_that_passes_behind_a_full_window_leaves_the_payment_not_sent() {
    let bank = Bank::start(BankBehaviour {
        silent: Trigger::Always,
        ..generous()
    })
    .await
    .unwrap();
    let router = router_for(&bank, "window = 1\nresponse_timeout_ms = 60000").await;
    let mut client = router.payments();
    let first = tokio::spawn(async move { client.transact(purchase(1)).await });
    eventually("the window is full", async || bank.totals().requests == 1).await;
    let late = TransactRequest {
        deadline_ms: 100,
        ..purchase(2)
    };
    let result = charge(&router.payments(), late).await;
    assert_eq!(result.outcome(), PaymentOutcome::NotSent);
    assert_eq!(result.reason(), Reason::Deadline);
    assert!(result.retry_is_safe);
    assert_eq!(bank.totals().requests, 1);
    first.abort();
}

#[tokio::test]
async fn what_cannot_be_charged_is_told_with_the_field_and_reaches_no_bank() {
    let bank = Bank::start(generous()).await.unwrap();
    let router = router_for(&bank, "").await;
    let too_much = TransactRequest {
        amount: Some(Money {
            amount_minor: 1_000_000_000_000,
            currency: "VND".to_owned(),
        }),
        ..purchase(1)
    };
    let no_route = TransactRequest {
        pan: "4111111111111111".to_owned(),
        ..purchase(2)
    };
    let no_bank = TransactRequest {
        bank: "vietcomm".to_owned(),
        ..purchase(3)
    };
    for (request, reason, named) in [
        (too_much, Reason::Invalid, "amount"),
        (no_route, Reason::NoRoute, "pan"),
        (no_bank, Reason::NoRoute, "vietcomm"),
    ] {
        let result = charge(&router.payments(), request).await;
        assert_eq!(result.outcome(), PaymentOutcome::NotSent);
        assert_eq!(result.reason(), reason, "{}", result.detail);
        assert!(result.detail.contains(named), "{}", result.detail);
        assert!(!result.detail.contains("4111111111111111"));
    }
    let next = charge(&router.payments(), purchase(4)).await;
    assert_eq!(next.outcome(), PaymentOutcome::Approved);
    assert_eq!(bank.totals().requests, 1);
}
