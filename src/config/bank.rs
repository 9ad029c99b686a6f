//! `[[bank]]`: a bank, its links, its dialect, and what it wants in every message.

use std::sync::Arc;

use bytes::BytesMut;

use super::{
    bank_asked, bank_match, bank_security,
    files::Surroundings,
    form,
    peer::{self, Kind, LinkDefaults, MILLIS_MAX, Peers},
    reach::{self, ListenKeys},
    reader::Table,
};
use crate::{
    iso8583::{
        Dialect, Framing, MatchElement, Message, Mti,
        currency::Currency,
        frame::BODY_BYTES_MAX,
        security::Security,
        session::{SessionSettings, SignOnBy},
    },
    link::settings::{BankSettings, Greeting, ReversalSettings, ReversalStan},
};

/// DE41, ans 8.
const TERMINAL_ID_LENGTH_MAX: usize = 8;
/// DE42, ans 15.
const MERCHANT_ID_LENGTH_MAX: usize = 15;
/// DE32 and DE33, n ..11.
const INSTITUTION_ID_LENGTH_MAX: usize = 11;
/// The least holds an 0800 with few elements.
const MESSAGE_BYTES: std::ops::RangeInclusive<usize> = 64..=BODY_BYTES_MAX;
/// About 1 KiB each: 10 GiB.
const RECORDS_MAX: usize = 10_000_000;
/// Codes of a reversal's reason are 2 digits in DE39 and 4 in most banks' own elements.
const REASON_LENGTH_MAX: usize = 16;
/// Far above any bank's window.
const IN_FLIGHT_MAX: usize = 10_000;
/// Thirty days; what is older belongs into the bank's books.
const SECONDS_MAX: u64 = 30 * 86_400;

const LISTEN: ListenKeys = ListenKeys {
    listen: "listen",
    from: "listen_from",
};

const LINK: LinkDefaults = LinkDefaults {
    links_key: "links",
    window: 64,
    response_timeout_ms: 30_000,
};

/// Reads one bank. `None` only with a fault recorded.
pub(super) fn read(
    table: &Table<'_>,
    peers: &mut Peers,
    surroundings: Surroundings<'_>,
) -> Option<BankSettings> {
    let name = peers.name(table, Kind::Bank);
    // ISO 8583 has no word by which a bank that has connected could prove that it is one.
    let greeting = Some((Greeting::None, false));
    let reach = reach::read(table, &LISTEN, peers, greeting, surroundings);
    let link = peer::link(table, name, reach, &LINK);
    let dialect = dialect(table, surroundings);
    let currency = table.required_text("currency", currency);
    let terminal_id = table.required_text("terminal_id", form::ascii(1, TERMINAL_ID_LENGTH_MAX));
    let merchant_id = table.required_text("merchant_id", form::ascii(1, MERCHANT_ID_LENGTH_MAX));
    let institution = form::digits_or_none(1, INSTITUTION_ID_LENGTH_MAX);
    let acquirer_id = table.text("acquirer_id", "", &institution);
    let forwarder_id = table.text("forwarder_id", "", &institution);
    let merchant_category = table.text("merchant_category", "", form::digits_or_none(4, 4));
    let pos_entry_mode = table.text("pos_entry_mode", "012", form::digits(3, 3));
    let pos_condition = table.text("pos_condition", "00", form::digits(2, 2));
    let local_offset = table.text("local_offset", "+00:00", form::utc_offset);
    let elements = network_elements(
        table,
        &[
            (18, &merchant_category),
            (32, &acquirer_id),
            (33, &forwarder_id),
            (41, &terminal_id),
            (42, &merchant_id),
        ],
    );
    let matching = bank_match::read(
        table,
        &[
            (MatchElement::Acquirer, "acquirer_id", &acquirer_id),
            (MatchElement::Forwarder, "forwarder_id", &forwarder_id),
        ],
    );
    let security = bank_security::read(table, dialect.as_deref(), surroundings);
    let session = session(table, dialect.clone(), elements, security);
    let approved_codes = codes(table, "approved_codes", &["00"]);
    let records_max = table.number("records_max", 1_000_000, 1..=RECORDS_MAX);
    let retention = table.seconds("retention_s", 86_400, 0..=SECONDS_MAX);
    let asked = bank_asked::read(table, retention);
    let reversal = table.table("reversal", |table| reversal(table, dialect.as_deref()));
    let matching = matching?;
    Some(BankSettings {
        link: link?,
        session: session?,
        dialect: dialect?,
        match_by: matching.match_by,
        stan_per: matching.stan_per,
        answers_on: matching.answers_on,
        approved_codes: approved_codes?,
        currency: currency?,
        terminal_id: terminal_id?,
        merchant_id: merchant_id?,
        acquirer_id: acquirer_id?,
        forwarder_id: forwarder_id?,
        merchant_category: merchant_category?,
        pos_entry_mode: pos_entry_mode?,
        pos_condition: pos_condition?,
        local_offset: local_offset?,
        reversal: reversal?,
        asked: asked?,
        records_max,
        retention,
    })
}

fn session(
    table: &Table<'_>,
    dialect: Option<Arc<Dialect>>,
    elements: Vec<(u8, Box<[u8]>)>,
    security: Option<Security>,
) -> Option<SessionSettings> {
    let sign_on = table.text("sign_on", "001", form::network_code_or_none);
    let sign_on_by = table.choice(
        "sign_on_by",
        "sampan",
        &[("sampan", SignOnBy::Us), ("bank", SignOnBy::Bank)],
    );
    if let (Some(None), Some(SignOnBy::Bank)) = (sign_on, sign_on_by) {
        let what = "the bank cannot sign on without a code";
        let hint = "set sign_on to DE70 of its 0800";
        let place = table.place_of("sign_on_by");
        table.document().fault(&place, what, Some(hint.into()));
    }
    let sign_off = table.text("sign_off", "002", form::network_code_or_none);
    let echo = table.text("echo", "301", form::network_code);
    let cutover = table.text("cutover", "201", form::network_code_or_none);
    let sign_on_timeout = table.millis("sign_on_timeout_ms", 10_000, 1..=MILLIS_MAX);
    let echo_period = table.millis("echo_ms", 60_000, 0..=MILLIS_MAX);
    let answer_timeout = table.millis("echo_timeout_ms", 10_000, 1..=MILLIS_MAX);
    let unsupported_code = table.text("unsupported_code", "40", form::response_code);
    let keep_alive = table.boolean("keep_alive", false);
    let message_bytes_max = table.number("message_max_bytes", BODY_BYTES_MAX, MESSAGE_BYTES);
    let dialect = dialect?;
    let settings = SessionSettings {
        framing: Framing::new(dialect.header(), message_bytes_max, keep_alive),
        dialect,
        sign_on: sign_on?,
        sign_on_by: sign_on_by?,
        sign_off: sign_off?,
        echo: echo?,
        cutover: cutover?,
        sign_on_timeout,
        echo_period: Some(echo_period).filter(|period| !period.is_zero()),
        answer_timeout,
        elements,
        unsupported_code: unsupported_code?,
        security: security?,
    };
    settings
        .check()
        .inspect_err(|error| {
            let what = format!("the dialect cannot write an 0800: {error}");
            let place = table.place_of("dialect");
            table.document().fault(&place, what, None);
        })
        .is_ok()
        .then_some(settings)
}

/// The elements that each 0800 carries besides, with the values that payments have.
fn network_elements(table: &Table<'_>, values: &[(u8, &Option<String>)]) -> Vec<(u8, Box<[u8]>)> {
    let mut elements: Vec<(u8, Box<[u8]>)> = Vec::new();
    for item in table.elements("network_elements") {
        let Some(number) = item.number(1..=128) else {
            continue;
        };
        let value = values.iter().find(|(known, _)| *known == number);
        match value {
            None => {
                let known: Vec<String> = values.iter().map(|(n, _)| n.to_string()).collect();
                item.fault(format!("{number} is none of {}", known.join(", ")), None);
            }
            // The value's own key has a fault already.
            Some((_, None)) => {}
            Some((_, Some(value))) if value.is_empty() => {
                item.fault(format!("element {number} has no value in this bank"), None);
            }
            Some((_, Some(value))) => elements.push((number, value.as_bytes().into())),
        }
    }
    elements
}

/// A built-in dialect, or that of a file, each of whose errors becomes a fault of its own.
fn dialect(table: &Table<'_>, surroundings: Surroundings<'_>) -> Option<Arc<Dialect>> {
    let Some(item) = table.get("dialect") else {
        return Some(Arc::new(Dialect::iso8583_1987_ascii().clone()));
    };
    if let Some(built_in) = item.text(|name| Ok(Dialect::built_in(name)))? {
        return Some(Arc::new(built_in.clone()));
    }
    let (path, text) = surroundings.file(&item)?;
    match Dialect::parse(&text) {
        Ok(dialect) => Some(Arc::new(dialect)),
        Err(errors) => {
            for error in &errors.faults {
                item.fault(
                    format!("{}:{}: {}", path.display(), error.line, error.what),
                    None,
                );
            }
            None
        }
    }
}

fn currency(text: &str) -> Result<Currency, String> {
    Currency::from_alpha(text)
        .ok_or_else(|| "is no currency of ISO 4217, three capital letters such as VND".into())
}

fn reversal(table: &Table<'_>, dialect: Option<&Dialect>) -> Option<ReversalSettings> {
    let mti = table.choice(
        "mti",
        "0420",
        &[
            ("0420", Mti::REVERSAL_ADVICE),
            ("0400", Mti::REVERSAL_REQUEST),
        ],
    );
    let reason_element = table.choice(
        "reason_element",
        "39",
        &[("39", 39), ("25", 25), ("60", 60), ("63", 63)],
    );
    let reason = form::ascii(1, REASON_LENGTH_MAX);
    let timeout_code = table.text("timeout_code", "68", &reason);
    let cancel_code = table.text("cancel_code", "17", &reason);
    let error_code = table.text("error_code", "06", &reason);
    for (key, code) in [
        ("timeout_code", &timeout_code),
        ("cancel_code", &cancel_code),
        ("error_code", &error_code),
    ] {
        reason_fits(table, key, dialect, reason_element, code.as_deref());
    }
    let in_flight_max = table.number("in_flight_max", 16, 1..=IN_FLIGHT_MAX);
    let stan = table.choice(
        "stan",
        "new",
        &[
            ("new", ReversalStan::New),
            ("original", ReversalStan::Original),
        ],
    );
    let repeat_min = table.millis("repeat_min_ms", 2_000, 1..=MILLIS_MAX);
    let repeat_max = table.millis("repeat_max_ms", 60_000, 1..=MILLIS_MAX);
    let budget = table.seconds("budget_s", 86_400, 1..=SECONDS_MAX);
    let final_codes = codes(table, "final_codes", &["00"]);
    let retry_codes = table.list("retry_codes", &["91", "96"], form::response_code);
    peer::in_order(
        table,
        "repeat_min_ms",
        "repeat_max_ms",
        repeat_min <= repeat_max,
    );
    let final_codes = final_codes?;
    if let Some(code) = retry_codes.iter().find(|code| final_codes.contains(code)) {
        let what = format!("{code:?} is in retry_codes and in final_codes");
        table.document().fault(table.place(), what, None);
    }
    Some(ReversalSettings {
        mti: mti?,
        reason_element: reason_element?,
        in_flight_max,
        timeout_code: timeout_code?,
        cancel_code: cancel_code?,
        error_code: error_code?,
        stan: stan?,
        repeat_min,
        repeat_max,
        budget,
        final_codes,
        retry_codes,
    })
}

/// A reason that its element cannot hold would make every reversal a dead letter.
fn reason_fits(
    table: &Table<'_>,
    key: &'static str,
    dialect: Option<&Dialect>,
    element: Option<u8>,
    code: Option<&str>,
) {
    let (Some(dialect), Some(element), Some(code)) = (dialect, element, code) else {
        return;
    };
    let mut message = Message::new(Mti::REVERSAL_ADVICE);
    message.set(element, code);
    if let Err(error) = dialect.encode(&message, &mut BytesMut::new()) {
        let what = format!("{code:?} does not fit DE{element}: {error}");
        table.document().fault(&table.place_of(key), what, None);
    }
}

/// Response codes of which there has to be one: without any, no payment would be approved and no
/// reversal would ever end.
fn codes(table: &Table<'_>, key: &'static str, default: &[&str]) -> Option<Vec<String>> {
    table.list_not_empty(key, default, form::response_code)
}
