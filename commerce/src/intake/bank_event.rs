//! What banks begin of their own accord: chargebacks, advices and their totals, kept for people.
//!
//! Of a card number it keeps the first six and the last four digits, whatever it was handed.

use std::fmt;

use super::event::plain;
use crate::{
    moment::UnixMs,
    router::proto::{self, Balance, BankEventKind},
    store::{StoreError, Write, at},
};

/// Characters of a field. The longest, a payment's id or a name, has 64.
const FIELD_LENGTH_MAX: usize = 64;

/// Digits of a card number that are kept at its beginning and at its end (PCI DSS 3.4).
const PAN_FIRST: usize = 6;
const PAN_LAST: usize = 4;

/// An event of a bank.
pub(super) struct BankEvent {
    delivery_id: i64,
    pub(super) bank: String,
    pub(super) kind: &'static str,
    message_type: String,
    masked_pan: String,
    amount_minor: Option<i64>,
    currency: String,
    stan: String,
    retrieval_reference: String,
    reason_code: String,
    transmitted: String,
    settlement_date: String,
    original_stan: String,
    original_transmitted: String,
    payment_client: String,
    payment_id: String,
    balance: &'static str,
    received_at: UnixMs,
}

impl BankEvent {
    pub(super) fn of(delivery_id: i64, event: &proto::BankEvent, received_at: UnixMs) -> Self {
        let field = |text: &str| plain(text, FIELD_LENGTH_MAX);
        let original = event.original.clone().unwrap_or_default();
        let payment = event.payment.clone().unwrap_or_default();
        let amount = event.amount.clone().unwrap_or_default();
        Self {
            delivery_id,
            bank: field(&event.bank),
            kind: kind(event.kind),
            message_type: field(&event.message_type),
            masked_pan: masked(&field(&event.masked_pan)),
            amount_minor: event
                .amount
                .as_ref()
                .and_then(|amount| i64::try_from(amount.amount_minor).ok()),
            currency: field(&amount.currency),
            stan: field(&event.stan),
            retrieval_reference: field(&event.retrieval_reference),
            reason_code: field(&event.reason_code),
            transmitted: field(&event.transmitted),
            settlement_date: field(&event.settlement_date),
            original_stan: field(&original.stan),
            original_transmitted: field(&original.transmitted),
            payment_client: field(&payment.client),
            payment_id: field(&payment.payment_id),
            balance: event.reconciliation.as_ref().map_or("", balance),
            received_at,
        }
    }

    /// Keeps it, once, and says whether it is new.
    pub(super) async fn keep(&self, write: &mut Write, now: UnixMs) -> Result<bool, StoreError> {
        let insert = "INSERT INTO bank_event (delivery_id, bank, kind, message_type, masked_pan,
                amount_minor, currency, stan, retrieval_reference, reason_code, transmitted,
                settlement_date, original_stan, original_transmitted, payment_client, payment_id,
                balance, received_at_ms, at_ms)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                $19)
            ON CONFLICT DO NOTHING";
        let done = sqlx::query(insert)
            .bind(self.delivery_id)
            .bind(&self.bank)
            .bind(self.kind)
            .bind(&self.message_type)
            .bind(&self.masked_pan)
            .bind(self.amount_minor)
            .bind(&self.currency)
            .bind(&self.stan)
            .bind(&self.retrieval_reference)
            .bind(&self.reason_code)
            .bind(&self.transmitted)
            .bind(&self.settlement_date)
            .bind(&self.original_stan)
            .bind(&self.original_transmitted)
            .bind(&self.payment_client)
            .bind(&self.payment_id)
            .bind(self.balance)
            .bind(self.received_at.0)
            .bind(now.0)
            .execute(write.connection());
        Ok(done.await.map_err(at("bank_event"))?.rows_affected() == 1)
    }
}

/// Without card number and amount.
impl fmt::Debug for BankEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "bank {} has begun a {} ({}, STAN {}) about payment {:?}",
            self.bank, self.kind, self.message_type, self.stan, self.payment_id
        )
    }
}

fn kind(kind: i32) -> &'static str {
    match BankEventKind::try_from(kind).unwrap_or_default() {
        BankEventKind::Chargeback => "chargeback",
        BankEventKind::Reconciliation => "reconciliation",
        BankEventKind::Other | BankEventKind::Unspecified => "other",
    }
}

fn balance(reconciliation: &proto::Reconciliation) -> &'static str {
    match Balance::try_from(reconciliation.balance).unwrap_or_default() {
        Balance::In => "in",
        Balance::Out => "out",
        Balance::Incomparable => "incomparable",
        Balance::Unspecified => "",
    }
}

fn masked(pan: &str) -> String {
    let last = pan.chars().count().saturating_sub(PAN_LAST).max(PAN_FIRST);
    let shown = |place: usize| place < PAN_FIRST || place >= last;
    let chars = pan.chars().enumerate();
    chars
        .map(|(place, char)| if shown(place) { char } else { '*' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_is_kept_without_its_middle_whatever_was_handed_over() {
        assert_eq!(masked("970412******1234"), "970412******1234");
        assert_eq!(masked("9704121234561234"), "970412******1234");
        assert_eq!(masked("97041212"), "97041212");
        assert_eq!(masked(""), "");
    }
}
