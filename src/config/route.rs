//! `[[message_route]]` and `[[payment_route]]`: prefixes that no two routes share, peers that exist.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    form,
    peer::Peers,
    reader::{Item, Table},
    taken::Taken,
};
use crate::{
    message::Address,
    route::{MessageRoute, PaymentRoute},
};

/// Digits of an address, SMPP 3.4 5.2.8: 21 octets with the NUL.
const NUMBER_LENGTH_MAX: usize = 20;
/// Characters of an alphanumeric sender, 3GPP TS 23.040 9.1.2.5: 11 septets in 10 octets.
const SENDER_LENGTH_MAX: usize = 11;
/// Digits of a card number, ISO/IEC 7812-1.
const CARD_LENGTH_MAX: usize = 19;

/// Reads one message route. `None` only with a fault recorded.
pub(super) fn read_message(
    table: &Table<'_>,
    names: &mut Taken<Arc<str>>,
    prefixes: &mut Taken<String>,
    peers: &Peers,
) -> Option<MessageRoute> {
    let name = table.required("name").and_then(|item| {
        let name = item.text(form::name)?;
        let shown = format!("{name:?}");
        names.take(Arc::clone(&name), &shown, &item).then_some(name)
    });
    let own_prefixes = free_prefixes(&table.elements("prefixes"), NUMBER_LENGTH_MAX, prefixes);
    let smscs = table.required("smscs").map(|item| smscs(&item, peers));
    let default_source = match table.get("default_source") {
        Some(item) => Some(item.text(sender)?),
        None => None,
    };
    Some(MessageRoute {
        name: name?,
        prefixes: own_prefixes,
        smscs: smscs?,
        default_source,
    })
}

/// Reads one payment route. `None` only with a fault recorded.
pub(super) fn read_payment(
    table: &Table<'_>,
    prefixes: &mut Taken<String>,
    peers: &Peers,
) -> Option<PaymentRoute> {
    let card_prefixes = table.required("card_prefixes").map(|item| {
        refuse_empty(&item, "the route would serve no card");
        free_prefixes(&item.elements(), CARD_LENGTH_MAX, prefixes)
    });
    let bank = table.required("bank").and_then(|item| peers.bank(&item));
    Some(PaymentRoute {
        card_prefixes: card_prefixes?,
        bank: bank?,
    })
}

fn smscs(item: &Item<'_>, peers: &Peers) -> Vec<Arc<str>> {
    refuse_empty(item, "the route would lead nowhere");
    let mut named = Taken::default();
    item.elements()
        .iter()
        .filter_map(|element| {
            let name = peers.smsc(element)?;
            let shown = format!("{name:?}");
            named
                .take(Arc::clone(&name), &shown, element)
                .then_some(name)
        })
        .collect()
}

fn free_prefixes(
    elements: &[Item<'_>],
    length_max: usize,
    taken: &mut Taken<String>,
) -> Vec<String> {
    elements
        .iter()
        .filter_map(|element| {
            let prefix = element.text(form::digits(0, length_max))?;
            let shown = format!("{prefix:?}");
            taken
                .take(prefix.clone(), &shown, element)
                .then_some(prefix)
        })
        .collect()
}

fn refuse_empty(item: &Item<'_>, why: &str) {
    if item.is_empty_list() {
        item.fault("is empty", Some(why.into()));
    }
}

/// Digits, or the characters of an alphanumeric sender.
fn sender(text: &str) -> Result<Address, String> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let length_max = match digits.bytes().all(|b| b.is_ascii_digit()) {
        true => NUMBER_LENGTH_MAX,
        false => SENDER_LENGTH_MAX,
    };
    let number = form::ascii(1, length_max)(text)?;
    if digits.is_empty() {
        return Err("has no digits".into());
    }
    Ok(Address {
        number: Bytes::from(number),
        ton: None,
        npi: None,
    })
}
