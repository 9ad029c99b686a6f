//! Payments with a bank that does not speak ASCII. The simulator's packed form shares nothing with the
//! router's codec.

use loadtest::{
    bank::{Bank, BankBehaviour, Wire},
    fault::Trigger,
};
use sampan::rpc::proto::{Element, PaymentOutcome, PaymentResult, TransactRequest, element::Value};

use super::{generous, router_for};
use crate::support::{
    assert_payments_agree, charge, charge_all, eventually, lookup_settled, purchase,
};

const PACKED: &str = r#"dialect = "iso8583-1987-bcd""#;

#[tokio::test]
async fn a_bank_of_packed_digits_is_signed_on_to_and_paid_like_any_other() {
    let bank = Bank::start(BankBehaviour {
        wire: Wire::Packed,
        ..generous()
    })
    .await
    .unwrap();
    let router = router_for(&bank, &format!("{PACKED}\n[bank.pin]\nmode = \"pass\"")).await;
    let told = charge_all(router.payments(), (0..200).map(purchase).collect()).await;
    for own in told.values() {
        assert_eq!(own.outcome(), PaymentOutcome::Approved, "{own:?}");
    }
    // An element of every shape: an odd number of digits, a track, text, bytes.
    let element = |number, text: &str| Element {
        number,
        value: Some(Value::Text(text.to_owned())),
    };
    let request = TransactRequest {
        payment_id: "every-shape".to_owned(),
        pan: "9704360000000000018".to_owned(),
        elements: vec![
            element(28, "D00000500"),
            element(35, "9704360000000000018=2512101"),
            element(48, "order 7"),
            Element {
                number: 52,
                value: Some(Value::Binary(
                    vec![0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF].into(),
                )),
            },
        ],
        ..purchase(7)
    };
    let result = charge(&router.payments(), request).await;
    assert_eq!(result.outcome(), PaymentOutcome::Approved, "{result:?}");
    let books = bank.books();
    assert_payments_agree(told.values().chain([&result]), &books);
    assert!(books.protocol_errors.is_empty(), "{books}");
}

#[tokio::test]
async fn a_silent_bank_of_packed_digits_gets_the_reversal_that_names_its_original() {
    let bank = Bank::start(BankBehaviour {
        wire: Wire::Packed,
        silent: Trigger::Every(1),
        silent_debits: true,
        ..generous()
    })
    .await
    .unwrap();
    let keys = format!("{PACKED}\nresponse_timeout_ms = 200");
    let router = router_for(&bank, &keys).await;
    let result = charge(&router.payments(), purchase(1)).await;
    assert_eq!(result.outcome(), PaymentOutcome::Reversing);
    let settled = lookup_settled(&router.payments(), &result.payment_id).await;
    let outcome = settled.payment.as_ref().map(PaymentResult::outcome);
    assert_eq!(outcome, Some(PaymentOutcome::Reversed), "{settled:?}");
    eventually("the debit undone", async || bank.totals().reversed == 1).await;
}
