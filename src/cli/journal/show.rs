//! A payment of the journal as a line of a list, as a page, and as JSON. Card data is masked, or left
//! out.

use std::{
    fmt::{self, Write as _},
    time::{Duration, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::{
    clock,
    iso8583::{Message, amount::parse_digits, currency::Currency, mask::masked},
    journal::{End, Kept, KeptReversal, ReversalEnd, Stage, Stored},
};

/// Above the lines of a list.
pub(super) const HEADLINE: &str = concat!(
    "NUMBER       BEGAN                        BANK                 CLIENT               ",
    "PAYMENT                          STATE           STAN   RRN                    AMOUNT  CODE\n"
);

/// A payment in one line.
pub(super) fn line(stored: &Stored) -> String {
    let kept = &stored.kept;
    let amount = match (amount_minor(kept), currency(kept)) {
        (Some(amount), Some(currency)) => format!("{amount} {currency}"),
        (Some(amount), None) => amount.to_string(),
        (None, _) => "-".to_owned(),
    };
    format!(
        "{:<12} {:<28} {:<20} {:<20} {:<32} {:<15} {} {:<12} {:>16}  {}\n",
        stored.number,
        utc(kept.began_utc_ms),
        kept.bank,
        kept.key.client,
        kept.key.id.as_str(),
        kept.state().as_str(),
        kept.stan,
        text(kept, 37).unwrap_or_else(|| "-".to_owned()),
        amount,
        some(kept.response.code()).unwrap_or_else(|| "-".to_owned()),
    )
}

/// A payment with all that is kept of it, as it may be shown.
pub(super) fn whole(stored: &Stored) -> String {
    let kept = &stored.kept;
    let mut page = Page::default();
    page.field("number", stored.number);
    page.field("client", &kept.key.client);
    page.field("payment_id", kept.key.id.as_str());
    page.field("bank", &kept.bank);
    page.field("state", kept.state().as_str());
    page.field("began", utc(kept.began_utc_ms));
    if let Some(settled) = kept.settled_utc_ms() {
        page.field("settled", utc(settled));
    }
    match &kept.stage {
        Stage::Ended {
            end: End::NotSent(why) | End::Unknown(why),
            ..
        } => page.field("reason", why.as_str()),
        Stage::ReversalEnded {
            end: ReversalEnd::Resolved { operator, reason },
            ..
        } => {
            page.field("resolved_by", operator.escape_debug());
            page.field("resolved_because", reason.escape_debug());
        }
        Stage::Sending
        | Stage::Ended { .. }
        | Stage::Reversing(_)
        | Stage::ReversalEnded { .. } => {}
    }
    page.field("key", stored.key);
    page.message("request", &kept.request.to_message());
    for (name, value) in [
        ("response_code", kept.response.code()),
        ("authorization_id", kept.response.authorization_id()),
        ("late_response_code", &kept.late_response_code),
    ] {
        if let Some(value) = some(value) {
            page.field(name, value);
        }
    }
    for (number, value) in kept.response.others() {
        page.field(&format!("response_de{number}"), masked(number, value));
    }
    if let Some(reversal) = kept.reversal() {
        page.reversal(reversal);
    }
    page.0
}

/// A payment for a program, without card data.
pub(super) fn json(stored: &Stored) -> Value {
    let kept = &stored.kept;
    let reversal = kept.reversal().map(|reversal| {
        json!({
            "reason": reversal.reason.as_str(),
            "stan": reversal.message.stan().map(|stan| stan.to_string()),
            "attempts": reversal.attempts,
            "response_code": some(&reversal.response_code),
        })
    });
    json!({
        "number": stored.number,
        "client": kept.key.client.as_str(),
        "payment_id": kept.key.id.as_str(),
        "bank": &*kept.bank,
        "state": kept.state().as_str(),
        "began": utc(kept.began_utc_ms),
        "settled": kept.settled_utc_ms().map(utc),
        "stan": kept.stan.to_string(),
        "rrn": text(kept, 37),
        "amount_minor": amount_minor(kept),
        "currency": currency(kept),
        "response_code": some(kept.response.code()),
        "late_response_code": some(&kept.late_response_code),
        "reversal": reversal,
    })
}

/// Names and values, a line each.
#[derive(Default)]
struct Page(String);

impl Page {
    fn field(&mut self, name: &str, value: impl fmt::Display) {
        // Writing to a string cannot fail.
        writeln!(self.0, "{name:<24}{value}").ok();
    }

    fn message(&mut self, name: &str, message: &Message) {
        self.field(name, message.mti());
        for (number, value) in message.iter() {
            self.field(&format!("{name}_de{number}"), masked(number, value));
        }
    }

    fn reversal(&mut self, reversal: &KeptReversal) {
        self.field("reversal_reason", reversal.reason.as_str());
        self.field("reversal_began", utc(reversal.began_utc_ms));
        self.field("reversal_attempts", reversal.attempts);
        if let Some(code) = some(&reversal.response_code) {
            self.field("reversal_response_code", code);
        }
        self.message("reversal", &reversal.message);
    }
}

/// DE4, in minor units.
fn amount_minor(kept: &Kept) -> Option<u64> {
    parse_digits(kept.request.get(4)?)
}

/// DE49 as the letters of ISO 4217, or as it stands there if it is none.
fn currency(kept: &Kept) -> Option<String> {
    let digits = text(kept, 49)?;
    let known = digits.parse().ok().and_then(Currency::from_numeric);
    Some(known.map_or(digits, |known| known.alpha().to_owned()))
}

fn text(kept: &Kept, number: u8) -> Option<String> {
    kept.request.get(number).and_then(some)
}

/// A code of the bank, in characters that harm no terminal; `None` if it is empty.
fn some(value: impl AsRef<[u8]>) -> Option<String> {
    let value = value.as_ref();
    (!value.is_empty()).then(|| value.escape_ascii().to_string())
}

/// The first millisecond of the year 10000.
const YEAR_10000_MS: i64 = 253_402_300_800_000;

/// A record's time as text. One that no clock gave is shown as the number that it is.
fn utc(utc_ms: i64) -> String {
    match u64::try_from(utc_ms) {
        Ok(ms) if utc_ms < YEAR_10000_MS => clock::utc_text(UNIX_EPOCH + Duration::from_millis(ms)),
        _ => format!("{utc_ms} ms"),
    }
}
