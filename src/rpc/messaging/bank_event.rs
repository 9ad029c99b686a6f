//! From what a bank began to the contract's words for it.

use std::str;

use bytes::Bytes;

use crate::{
    inbox,
    iso8583::{OriginalData, amount::parse_digits, currency::Currency},
    rpc::{
        payments::translate::{field, told_elements},
        proto,
        proto::{Balance, BankEvent, BankEventKind, Money, PaymentReference},
    },
};

pub(super) fn bank_event(bank: &str, event: inbox::BankEvent) -> BankEvent {
    let text = |number| {
        event
            .element(number)
            .map_or_else(String::new, |value| field(value))
    };
    let kind = match &event.reconciliation {
        Some(_) => BankEventKind::Reconciliation,
        None if event.mti.is_chargeback() => BankEventKind::Chargeback,
        None => BankEventKind::Other,
    };
    BankEvent {
        bank: bank.to_owned(),
        kind: kind.into(),
        message_type: event.mti.to_string(),
        masked_pan: text(2),
        amount: money(&event),
        stan: text(11),
        retrieval_reference: text(37),
        reason_code: text(39),
        transmitted: text(7),
        local_date: text(13),
        settlement_date: text(15),
        terminal_id: text(41),
        merchant_id: text(42),
        original: event.element(90).and_then(original),
        payment: event.payment.as_ref().map(|about| PaymentReference {
            client: about.client.as_ref().to_owned(),
            payment_id: about.payment_id.as_ref().to_owned(),
        }),
        reconciliation: event.reconciliation.map(reconciliation),
        elements: told_elements(&event.elements),
    }
}

fn reconciliation(own: inbox::Reconciliation) -> proto::Reconciliation {
    let balance = match &own.settlement_code[..] {
        b"1" => Balance::In,
        b"2" => Balance::Out,
        _ => Balance::Incomparable,
    };
    proto::Reconciliation {
        balance: balance.into(),
        ours: told_elements(&own.ours),
        open: own.open,
    }
}

/// DE4 and DE49, three digits.
fn money(event: &inbox::BankEvent) -> Option<Money> {
    let numeric = str::from_utf8(event.element(49)?).ok()?.parse().ok()?;
    Some(Money {
        amount_minor: parse_digits(event.element(4)?)?,
        currency: Currency::from_numeric(numeric)?.alpha().to_owned(),
    })
}

fn original(value: &Bytes) -> Option<proto::OriginalData> {
    let original = OriginalData::parse(value).ok()?;
    Some(proto::OriginalData {
        message_type: original.mti.to_string(),
        stan: original.stan.to_string(),
        transmitted: field(original.transmission()),
    })
}
