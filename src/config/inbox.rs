//! `[store]`, `[inbox]` and `[[subscription]]`: what survives a restart, and who receives what comes in.

use std::{path::PathBuf, slice, sync::Arc};

use super::{
    files::Surroundings,
    form,
    peer::{MILLIS_MAX, Peers},
    reader::Table,
    route_rules::Callers,
    taken::Taken,
};
use crate::inbox::{
    BACKLOG_MAX_BYTES_DEFAULT, BACKLOG_MAX_DEFAULT, BANK_DUPLICATE_WINDOW_DEFAULT, InboxSettings,
    NumberPattern, SubscriptionSettings, fold,
};

/// The longest time in which a repetition is looked for: an SMSC that is gone for a day starts anew.
const DUPLICATE_WINDOW_MAX_S: u64 = 86_400;

/// The same for banks: what is older is a matter for the bank's books.
const BANK_DUPLICATE_WINDOW_MAX_S: u64 = 30 * 86_400;

/// Events of one subscription at most; each takes about a kilobyte of memory.
const BACKLOG_MAX: usize = 10_000_000;

/// Octets of one subscription's events: below, a single long message would fill it; above, it is more
/// than a machine has.
const BACKLOG_BYTES: std::ops::RangeInclusive<usize> = 1 << 16..=1 << 40;

/// Reads `[store]`. `None` only with a fault recorded.
pub(super) fn store(table: &Table<'_>, surroundings: Surroundings<'_>) -> Option<PathBuf> {
    surroundings.path(&table.required("path")?)
}

/// Reads `[inbox]`; the subscriptions are sections of their own.
pub(super) fn inbox(table: &Table<'_>) -> InboxSettings {
    let longest_s = DUPLICATE_WINDOW_MAX_S;
    InboxSettings {
        redeliver_after: table.millis("redeliver_after_ms", 30_000, 1..=MILLIS_MAX),
        duplicate_window: table.seconds("duplicate_window_s", 120, 0..=longest_s),
        bank_duplicate_window: table.seconds(
            "bank_duplicate_window_s",
            BANK_DUPLICATE_WINDOW_DEFAULT.as_secs(),
            0..=BANK_DUPLICATE_WINDOW_MAX_S,
        ),
        reassemble: table.boolean("reassemble", true),
        reassembly_timeout: table.millis("reassembly_timeout_ms", 60_000, 1..=MILLIS_MAX),
        subscriptions: Vec::new(),
    }
}

/// Reads one `[[subscription]]`. `None` only with a fault recorded.
pub(super) fn subscription(
    table: &Table<'_>,
    names: &mut Taken<Arc<str>>,
    peers: &Peers,
    callers: &Callers,
) -> Option<SubscriptionSettings> {
    let name = table.required("name").and_then(|item| {
        let name = item.text(form::name)?;
        let shown = format!("{name:?}");
        names.take(Arc::clone(&name), &shown, &item).then_some(name)
    });
    let client_named = |key| {
        let item = table.get(key)?;
        callers.check(slice::from_ref(&item));
        Some(item.text(form::client_name))
    };
    let client = client_named("client");
    let receipts_of = client_named("receipts_of");
    let smscs = table.elements("smscs");
    let banks = table.elements("banks");
    let (messages, receipts, bank_events) = (
        table.boolean("messages", true),
        table.boolean("receipts", true),
        // A service that was made for messages is not sent chargebacks by surprise.
        table.boolean("bank_events", false),
    );
    if !messages && !receipts && !bank_events {
        let what = "with neither messages nor receipts nor bank_events it gets nothing";
        table.document().warn(table.place(), what, None);
    } else {
        warn_of_idle_filters(table, messages, receipts, bank_events);
    }
    let client = match client {
        Some(name) => Some(name?),
        None => None,
    };
    let receipts_of = match receipts_of {
        Some(name) => Some(name?),
        None => None,
    };
    Some(SubscriptionSettings {
        client,
        messages,
        receipts,
        bank_events,
        banks: banks.iter().filter_map(|item| peers.bank(item)).collect(),
        smscs: smscs.iter().filter_map(|item| peers.smsc(item)).collect(),
        destinations: table.list("destinations", &[], NumberPattern::parse),
        keywords: table.list("keywords", &[], keyword),
        receipts_of: receipts_of.map(|client| client.as_str().into()),
        backlog_max: table.number("backlog_max", BACKLOG_MAX_DEFAULT, 1..=BACKLOG_MAX),
        backlog_max_bytes: table.number(
            "backlog_max_bytes",
            BACKLOG_MAX_BYTES_DEFAULT,
            BACKLOG_BYTES,
        ),
        name: name?,
    })
}

fn warn_of_idle_filters(table: &Table<'_>, messages: bool, receipts: bool, bank_events: bool) {
    for (key, is_idle, of) in [
        ("destinations", !messages, "messages"),
        ("keywords", !messages, "messages"),
        ("receipts_of", !receipts, "receipts"),
        ("banks", !bank_events, "bank_events"),
    ] {
        // A list that says "all" filters nothing.
        let item = table.get(key).filter(|item| !item.is_empty_list());
        if let Some(item) = item.filter(|_| is_idle) {
            let what = format!("is not looked at, because the subscription gets no {of}");
            item.warn(what, None);
        }
    }
}

/// One word, folded.
fn keyword(text: &str) -> Result<String, String> {
    match !text.is_empty() && !text.contains(char::is_whitespace) {
        true => Ok(fold(text)),
        false => Err("is not one word".into()),
    }
}
