//! Payments one at a time: each wrong field is named, and no card number ever comes back.

use sampan::rpc::proto::{
    AccountType, Element, LookupRequest, Money, PaymentKind, PaymentOutcome, PaymentResult, Reason,
    ReverseRequest, TransactRequest, element::Value,
};
use tonic::Code;

use crate::support::Running;

const PAN: &str = "9704361234567890";

pub(crate) fn purchase(payment_id: &str) -> TransactRequest {
    TransactRequest {
        payment_id: payment_id.into(),
        kind: PaymentKind::Purchase.into(),
        pan: PAN.into(),
        amount: Some(Money {
            amount_minor: 10_000,
            currency: "VND".into(),
        }),
        ..TransactRequest::default()
    }
}

fn with(change: impl FnOnce(&mut TransactRequest)) -> TransactRequest {
    let mut request = purchase("p-1");
    change(&mut request);
    request
}

fn amount(change: impl FnOnce(&mut Money)) -> TransactRequest {
    with(|request| change(request.amount.as_mut().unwrap()))
}

fn element(number: u32, value: Option<Value>) -> Element {
    Element { number, value }
}

async fn result(server: &Running, request: TransactRequest) -> PaymentResult {
    server
        .payments()
        .await
        .transact(request)
        .await
        .unwrap()
        .into_inner()
}

#[tokio::test]
async fn a_sound_payment_goes_down_and_its_outcome_comes_back_under_its_id() {
    let server = Running::start().await;
    let balance = with(|r| {
        r.kind = PaymentKind::Balance.into();
        r.amount = None;
    });
    let transfer = with(|r| {
        r.kind = PaymentKind::Transfer.into();
        r.to_account = AccountType::Savings.into();
    });
    for request in [purchase("p-1"), balance, transfer] {
        let result = result(&server, request).await;
        assert_eq!(result.payment_id, "p-1");
        assert_eq!(result.outcome(), PaymentOutcome::NotSent);
        assert_eq!(result.reason(), Reason::NoRoute);
        assert!(result.retry_is_safe);
    }
}

#[tokio::test]
async fn each_wrong_field_of_a_payment_is_named_without_its_value() {
    let server = Running::start().await;
    let text = || Some(Value::Text("x".into()));
    let cases = [
        (
            with(|r| r.payment_id.clear()),
            "payment_id: must be 1 to 64 printable ASCII",
        ),
        (with(|r| r.kind = 0), "kind: missing"),
        (with(|r| r.kind = 77), "kind: 77 is no PaymentKind"),
        (
            with(|r| r.pan = "970436123456789x".into()),
            "pan: must be 8 to 19 digits",
        ),
        (
            with(|r| r.pan.push_str("1234")),
            "pan: must be 8 to 19 digits",
        ),
        (
            with(|r| r.amount = None),
            "amount: missing; this kind moves money",
        ),
        (
            with(|r| r.kind = PaymentKind::Balance.into()),
            "amount: this kind moves no money; leave it out",
        ),
        (
            amount(|a| a.amount_minor = 0),
            "amount.amount_minor: must be between 1 and 999999999999 (DE4)",
        ),
        (
            amount(|a| a.amount_minor = 1_000_000_000_000),
            "amount.amount_minor: must be between 1 and 999999999999 (DE4)",
        ),
        (
            amount(|a| a.currency = "dong".into()),
            "amount.currency: must be an ISO 4217 code of three letters, such as VND",
        ),
        (
            with(|r| r.from_account = 5),
            "from_account: 5 is no AccountType",
        ),
        (
            with(|r| r.to_account = 1),
            "to_account: only a transfer has one",
        ),
        (
            with(|r| r.terminal_id = "T".repeat(9)),
            "terminal_id: 9 bytes, at most 8",
        ),
        (
            with(|r| r.merchant_id = "M".repeat(16)),
            "merchant_id: 16 bytes, at most 15",
        ),
        (
            with(|r| r.from_account_id = "1".repeat(29)),
            "from_account_id: 29 bytes, at most 28",
        ),
        (
            with(|r| r.expiry = "3013".into()),
            "expiry: must be YYMM, or empty",
        ),
        (
            with(|r| r.retrieval_reference = "short".into()),
            "retrieval_reference: must be 12 characters, or empty",
        ),
        (
            with(|r| r.elements = vec![element(65, text())]),
            "elements[0].number: 65 is not between 2 and 128, or is 65",
        ),
        (
            with(|r| r.elements = vec![element(48, None)]),
            "elements[0].value: missing: set text or binary",
        ),
        (
            with(|r| r.elements = vec![element(48, text()), element(48, text())]),
            "elements[1].number: element 48 is given twice",
        ),
    ];
    for (request, detail) in cases {
        let result = result(&server, request).await;
        assert_eq!(result.detail, detail);
        assert_eq!(result.outcome(), PaymentOutcome::NotSent, "{detail}");
        assert_eq!(result.reason(), Reason::Invalid, "{detail}");
        assert!(!format!("{result:?}").contains("970436"), "{detail}");
    }
}

#[tokio::test]
async fn what_was_never_made_is_not_found_and_not_reversed() {
    let server = Running::start().await;
    let mut payments = server.payments().await;
    for payment_id in ["p-1", "", "p 1"] {
        let lookup = LookupRequest {
            payment_id: payment_id.into(),
        };
        let found = payments.lookup(lookup).await.unwrap().into_inner();
        assert!(!found.found && found.payment.is_none(), "{payment_id}");
        let reverse = ReverseRequest {
            payment_id: payment_id.into(),
            ..ReverseRequest::default()
        };
        let refused = payments.reverse(reverse).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{payment_id}");
    }
}
