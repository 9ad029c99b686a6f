//! Between the contract's payments and Sampan's own. Faults name the field, never its value.

use std::{str, sync::Arc};

use bytes::Bytes;

use crate::{
    iso8583::{Stan, currency::Currency},
    payment::{
        AccountType, Money, Pan, Payment, PaymentAnswer, PaymentId, PaymentOutcome, ReversalStatus,
        Transaction,
    },
    rpc::{
        fault::{self, Fault},
        proto::{self, LookupResult, PaymentKind, PaymentResult, TransactRequest, element},
    },
};

/// A configured name is no longer.
const BANK_LENGTH_MAX: usize = 64;

/// DE102 and DE103.
const ACCOUNT_ID_LENGTH_MAX: usize = 28;

/// DE41.
const TERMINAL_ID_LENGTH_MAX: usize = 8;

/// DE42.
const MERCHANT_ID_LENGTH_MAX: usize = 15;

/// DE14, YYMM.
const EXPIRY_LENGTH: usize = 4;

/// DE37.
const RETRIEVAL_REFERENCE_LENGTH: usize = 12;

/// The longest value that an element can have: its length has three digits.
const ELEMENT_LENGTH_MAX: usize = 999;

/// What a caller is told of a payment whose end is not known yet.
const PENDING: &str = "the bank's answer is awaited; ask Lookup for the end";

pub(super) fn payment(id: &Arc<str>, request: TransactRequest) -> Result<Payment, Fault> {
    let id = PaymentId::parse(Arc::clone(id)).ok_or_else(|| {
        let what = format!("must be 1 to {} printable ASCII", PaymentId::LENGTH_MAX);
        Fault::new("payment_id", what)
    })?;
    let transaction = transaction(&request)?;
    let pan =
        Pan::parse(&request.pan).ok_or_else(|| Fault::new("pan", "must be 8 to 19 digits"))?;
    fault::ascii("bank", &request.bank, BANK_LENGTH_MAX)?;
    expiry(&request.expiry)?;
    retrieval_reference(&request.retrieval_reference)?;
    Ok(Payment {
        id,
        transaction,
        bank: request.bank,
        pan,
        from_account_id: text(
            "from_account_id",
            request.from_account_id,
            ACCOUNT_ID_LENGTH_MAX,
        )?,
        to_account_id: text(
            "to_account_id",
            request.to_account_id,
            ACCOUNT_ID_LENGTH_MAX,
        )?,
        terminal_id: text("terminal_id", request.terminal_id, TERMINAL_ID_LENGTH_MAX)?,
        merchant_id: text("merchant_id", request.merchant_id, MERCHANT_ID_LENGTH_MAX)?,
        expiry: request.expiry.into(),
        retrieval_reference: request.retrieval_reference.into(),
        elements: elements(request.elements)?,
    })
}

fn transaction(request: &TransactRequest) -> Result<Transaction, Fault> {
    let from = account_type("from_account", request.from_account)?;
    let to = account_type("to_account", request.to_account)?;
    let kind = PaymentKind::try_from(request.kind)
        .map_err(|_| Fault::new("kind", format!("{} is no PaymentKind", request.kind)))?;
    if to != AccountType::Default && kind != PaymentKind::Transfer {
        return Err(Fault::new("to_account", "only a transfer has one"));
    }
    let amount = request.amount.as_ref();
    Ok(match kind {
        PaymentKind::Unspecified => return Err(Fault::new("kind", "missing")),
        PaymentKind::Purchase => Transaction::Purchase {
            amount: money(amount)?,
            from,
        },
        PaymentKind::Withdrawal => Transaction::Withdrawal {
            amount: money(amount)?,
            from,
        },
        PaymentKind::Transfer => Transaction::Transfer {
            amount: money(amount)?,
            from,
            to,
        },
        PaymentKind::Balance => {
            no_money(amount)?;
            Transaction::Balance { from }
        }
        PaymentKind::MiniStatement => {
            no_money(amount)?;
            Transaction::MiniStatement { from }
        }
    })
}

fn account_type(field: &str, value: i32) -> Result<AccountType, Fault> {
    match proto::AccountType::try_from(value) {
        Ok(proto::AccountType::Default) => Ok(AccountType::Default),
        Ok(proto::AccountType::Savings) => Ok(AccountType::Savings),
        Ok(proto::AccountType::Current) => Ok(AccountType::Current),
        Err(_) => Err(Fault::new(field, format!("{value} is no AccountType"))),
    }
}

fn money(money: Option<&proto::Money>) -> Result<Money, Fault> {
    let Some(given) = money else {
        return Err(Fault::new("amount", "missing; this kind moves money"));
    };
    let currency = Currency::from_alpha(&given.currency).ok_or_else(|| {
        Fault::new(
            "amount.currency",
            "must be an ISO 4217 code of three letters, such as VND",
        )
    })?;
    Money::new(given.amount_minor, currency).ok_or_else(|| {
        let what = format!("must be between 1 and {} (DE4)", Money::AMOUNT_MINOR_MAX);
        Fault::new("amount.amount_minor", what)
    })
}

fn no_money(money: Option<&proto::Money>) -> Result<(), Fault> {
    match money {
        None => Ok(()),
        Some(_) => Err(Fault::new(
            "amount",
            "this kind moves no money; leave it out",
        )),
    }
}

fn expiry(expiry: &str) -> Result<(), Fault> {
    let digits = expiry.len() == EXPIRY_LENGTH && expiry.bytes().all(|b| b.is_ascii_digit());
    let month = expiry.get(2..).unwrap_or_default();
    if expiry.is_empty() || (digits && ("01"..="12").contains(&month)) {
        return Ok(());
    }
    Err(Fault::new("expiry", "must be YYMM, or empty"))
}

fn retrieval_reference(reference: &str) -> Result<(), Fault> {
    if !matches!(reference.len(), 0 | RETRIEVAL_REFERENCE_LENGTH) {
        let what = format!("must be {RETRIEVAL_REFERENCE_LENGTH} characters, or empty");
        return Err(Fault::new("retrieval_reference", what));
    }
    fault::ascii("retrieval_reference", reference, RETRIEVAL_REFERENCE_LENGTH)
}

fn text(field: &str, text: String, length_max: usize) -> Result<Bytes, Fault> {
    fault::ascii(field, &text, length_max)?;
    Ok(text.into())
}

fn elements(elements: Vec<proto::Element>) -> Result<Vec<(u8, Bytes)>, Fault> {
    // A bit per element number tells which ones were there.
    let mut seen = 0_u128;
    let mut checked = Vec::with_capacity(elements.len().min(128));
    for (position, element) in elements.into_iter().enumerate() {
        let (number, value) = self::element(element)
            .map_err(|fault| fault.inside(&format!("elements[{position}]")))?;
        let bit = 1_u128 << (number - 1);
        if seen & bit != 0 {
            let what = format!("element {number} is given twice");
            return Err(Fault::new(format!("elements[{position}].number"), what));
        }
        seen |= bit;
        checked.push((number, value));
    }
    Ok(checked)
}

fn element(element: proto::Element) -> Result<(u8, Bytes), Fault> {
    let number = match u8::try_from(element.number) {
        // 65 announces a third bitmap, which ISO 8583:1987 does not have.
        Ok(number @ (2..=64 | 66..=128)) => number,
        _ => {
            let what = format!("{} is not between 2 and 128, or is 65", element.number);
            return Err(Fault::new("number", what));
        }
    };
    let value = match element.value {
        Some(element::Value::Text(text)) => text.into(),
        Some(element::Value::Binary(octets)) => octets,
        None => return Err(Fault::new("value", "missing: set text or binary")),
    };
    if value.len() > ELEMENT_LENGTH_MAX {
        let what = format!("{} bytes, at most {ELEMENT_LENGTH_MAX}", value.len());
        return Err(Fault::new("value", what));
    }
    Ok((number, value))
}

pub(super) fn lookup_result(payment_id: String, found: Option<PaymentAnswer>) -> LookupResult {
    let late_response_code = found
        .as_ref()
        .map(|answer| field(&answer.late_response_code))
        .unwrap_or_default();
    LookupResult {
        found: found.is_some(),
        payment: found.map(|answer| payment_result(&payment_id, answer)),
        late_response_code,
    }
}

pub(in crate::rpc) fn payment_result(payment_id: &str, answer: PaymentAnswer) -> PaymentResult {
    let retry_is_safe = answer.retry_is_safe();
    let (outcome, reason, detail) = outcome(answer.outcome);
    let reversal_reason = answer.reversal.as_ref().map(|reversal| reversal.reason);
    PaymentResult {
        payment_id: payment_id.to_owned(),
        outcome: outcome.into(),
        retry_is_safe,
        response_code: field(answer.response.code()),
        authorization_id: field(answer.response.authorization_id()),
        stan: answer.stan.map(stan).unwrap_or_default(),
        retrieval_reference: field(&answer.retrieval_reference),
        elements: answer.response.others().map(told_element).collect(),
        reason: reason
            .or(reversal_reason)
            .map(proto::Reason::from)
            .unwrap_or_default()
            .into(),
        detail,
        bank: answer.bank.as_deref().unwrap_or_default().to_owned(),
        reversal: answer.reversal.map(reversal),
    }
}

fn outcome(
    outcome: PaymentOutcome,
) -> (
    proto::PaymentOutcome,
    Option<crate::outcome::Reason>,
    String,
) {
    use proto::PaymentOutcome as Told;
    let bare = |told| (told, None, String::new());
    match outcome {
        PaymentOutcome::Approved => bare(Told::Approved),
        PaymentOutcome::Declined => bare(Told::Declined),
        PaymentOutcome::NotSent { reason, detail } => (Told::NotSent, Some(reason), detail),
        PaymentOutcome::Reversing => bare(Told::Reversing),
        PaymentOutcome::Reversed => bare(Told::Reversed),
        PaymentOutcome::ReversalFailed => bare(Told::ReversalFailed),
        PaymentOutcome::Resolved { detail } => (Told::Resolved, None, detail),
        PaymentOutcome::Unknown { reason, detail } => (Told::Unknown, Some(reason), detail),
        PaymentOutcome::Pending => (Told::Pending, None, PENDING.to_owned()),
    }
}

pub(in crate::rpc) fn reversal(reversal: ReversalStatus) -> proto::Reversal {
    proto::Reversal {
        reason: proto::Reason::from(reversal.reason).into(),
        attempts: reversal.attempts,
        response_code: field(&reversal.response_code),
        stan: stan(reversal.stan),
        actual_amount_minor: reversal.actual_amount_minor.unwrap_or(0),
    }
}

fn stan(stan: Stan) -> String {
    stan.to_string()
}

/// Whether the value of an element is told as text.
pub(super) fn is_text(value: &[u8]) -> bool {
    value.iter().all(|octet| matches!(octet, b' '..=b'~'))
}

fn told_element((number, value): (u8, &[u8])) -> proto::Element {
    let value = match str::from_utf8(value) {
        Ok(text) if is_text(value) => element::Value::Text(text.to_owned()),
        _ => element::Value::Binary(Bytes::copy_from_slice(value)),
    };
    proto::Element {
        number: number.into(),
        value: Some(value),
    }
}

pub(in crate::rpc) fn told_elements(elements: &[(u8, Bytes)]) -> Vec<proto::Element> {
    let elements = elements.iter().map(|(number, value)| (*number, &value[..]));
    elements.map(told_element).collect()
}

/// A field that is ASCII by the dialect. A bank that sends anything else cannot break a result.
pub(in crate::rpc) fn field(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
