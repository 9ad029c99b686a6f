//! `[[message_route]]` and `[[payment_route]]`: prefixes, conditions, and peers that exist. The rules
//! between routes are in `route_rules`.

use std::sync::Arc;

use super::{
    form,
    peer::Peers,
    reader::{Item, Place, Table},
    route_rules::{Callers, Claims},
    taken::Taken,
};
use crate::{
    route::{
        BodyCoding, Choice, Conditions, Keyword, Member, MessageRoute, PaymentRoute, SMSCS_MAX,
        SmscSet, SourcePattern, Sticky,
    },
    smpp::Address,
};

/// Digits of an address, SMPP 3.4 5.2.8: 21 octets with the NUL.
const NUMBER_LENGTH_MAX: usize = 20;
/// Characters of an alphanumeric sender, 3GPP TS 23.040 9.1.2.5: 11 septets in 10 octets.
const SENDER_LENGTH_MAX: usize = 11;
/// Digits of a card number, ISO/IEC 7812-1.
const CARD_LENGTH_MAX: usize = 19;

/// Elements of a condition: a message is held against one after the other.
const CONDITION_MAX: usize = 100;
/// The largest weight; whoever counts in shares of a million has mistaken it for something else.
const WEIGHT_MAX: u32 = 10_000;

/// Reads one message route. `None` only with a fault recorded.
pub(super) fn read_message(
    table: &Table<'_>,
    names: &mut Taken<Arc<str>>,
    claims: &mut Claims,
    peers: &Peers,
    callers: &Callers,
) -> Option<MessageRoute> {
    let name = table.required("name").and_then(|item| {
        let name = item.text(form::name)?;
        let shown = format!("{name:?}");
        names.take(Arc::clone(&name), &shown, &item).then_some(name)
    });
    let prefixes = prefixes(&table.elements("prefixes"));
    let conditions = conditions(table, callers);
    if let Some(conditions) = &conditions {
        claims.take(&prefixes, conditions);
        warn_of_idle_conditions(table, conditions, prefixes.is_empty());
    }
    let smscs = smscs(table, peers);
    let failover_max = table.number("failover_max", 2, 0..=SMSCS_MAX as u8 - 1);
    let default_source = match table.get("default_source") {
        Some(item) => Some(item.text(sender)?),
        None => None,
    };
    Some(MessageRoute {
        name: name?,
        prefixes: prefixes.into_iter().map(|(prefix, _)| prefix).collect(),
        conditions: conditions?,
        smscs: smscs?,
        failover_max,
        default_source,
    })
}

fn prefixes(elements: &[Item<'_>]) -> Vec<(String, Place)> {
    let prefix = |element: &Item<'_>| {
        let prefix = element.text(form::digits(0, NUMBER_LENGTH_MAX))?;
        Some((prefix, element.place().clone()))
    };
    elements.iter().filter_map(prefix).collect()
}

fn conditions(table: &Table<'_>, callers: &Callers) -> Option<Conditions> {
    let sources = condition(table, "sources", source_pattern);
    let clients = condition(table, "clients", form::client_name);
    callers.check(&table.elements("clients"));
    let keywords = condition(table, "keywords", |word| {
        Keyword::parse(word).ok_or_else(|| "is no single word".into())
    });
    let codings = condition(table, "codings", |given| {
        let words = BodyCoding::WORDS;
        let found = words.iter().find(|(word, _)| *word == given);
        found
            .map(|(_, coding)| *coding)
            .ok_or_else(|| "is none of gsm7, latin1, ucs2, binary".into())
    });
    Some(Conditions {
        sources: sources?,
        clients: clients?,
        keywords: keywords?,
        codings: codings?,
    })
}

/// A list that is empty where anything will do. `None` only with a fault recorded.
fn condition<T>(
    table: &Table<'_>,
    key: &'static str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<Vec<T>> {
    let elements = table.elements(key);
    if elements.len() > CONDITION_MAX {
        let what = format!("has {} elements, at most {CONDITION_MAX}", elements.len());
        table.document().fault(&table.place_of(key), what, None);
    }
    let read: Vec<T> = elements
        .iter()
        .filter_map(|element| element.text(&parse))
        .collect();
    (read.len() == elements.len()).then_some(read)
}

fn warn_of_idle_conditions(table: &Table<'_>, conditions: &Conditions, is_by_name_only: bool) {
    let keys = [
        ("sources", conditions.sources.is_empty()),
        ("keywords", conditions.keywords.is_empty()),
        ("codings", conditions.codings.is_empty()),
    ];
    for (key, is_absent) in keys {
        if is_by_name_only && !is_absent {
            table.document().warn(
                &table.place_of(key),
                "is not looked at, because a route without prefixes is chosen by its name",
                Some("give the route prefixes; \"\" matches every destination".into()),
            );
        }
    }
}

fn smscs(table: &Table<'_>, peers: &Peers) -> Option<SmscSet> {
    let choice = choice(table);
    let item = table.required("smscs")?;
    refuse_empty(&item, "the route would lead nowhere");
    let elements = item.elements();
    if elements.len() > SMSCS_MAX {
        let what = format!("names {} SMSCs, at most {SMSCS_MAX}", elements.len());
        item.fault(what, None);
    }
    let mut named = Taken::default();
    let members: Vec<Member> = elements
        .iter()
        .filter_map(|element| member(table, element, &mut named, peers, choice))
        .collect();
    let has_no_weight = members.iter().all(|member| member.weight == 0);
    if let Some(Choice::Weighted(_)) = choice
        && has_no_weight
        && !members.is_empty()
    {
        item.fault("gives no SMSC a weight", Some("0 only stands by".into()));
    }
    Some(SmscSet::new(choice?, members))
}

fn choice(table: &Table<'_>) -> Option<Choice> {
    let words = [
        ("ordered", Choice::Ordered),
        ("weighted", Choice::Weighted(Sticky::None)),
        ("cheapest", Choice::Cheapest),
    ];
    let choice = table.choice("choice", "ordered", &words);
    let words = [("none", Sticky::None), ("destination", Sticky::Destination)];
    let sticky = table.choice("sticky", "none", &words);
    match (choice?, sticky?) {
        (Choice::Weighted(_), sticky) => Some(Choice::Weighted(sticky)),
        (choice, Sticky::None) => Some(choice),
        (choice, Sticky::Destination) => {
            table.document().warn(
                &table.place_of("sticky"),
                format!("has no meaning where choice is {:?}", choice.to_string()),
                Some("only a weighted choice changes from message to message".into()),
            );
            Some(choice)
        }
    }
}

/// An SMSC by its name alone, or with weight and cost.
fn member(
    table: &Table<'_>,
    element: &Item<'_>,
    named: &mut Taken<Arc<str>>,
    peers: &Peers,
    choice: Option<Choice>,
) -> Option<Member> {
    let mut once = |item: &Item<'_>| {
        let name = peers.smsc(item)?;
        let shown = format!("{name:?}");
        named.take(Arc::clone(&name), &shown, item).then_some(name)
    };
    let member = match element.is_table() {
        false => Member::new(&once(element)?),
        true => table.element_table("smscs", element, |own| {
            let name = own.required("name").and_then(|item| once(&item));
            let weight = match own.get("weight") {
                Some(item) => {
                    warn_of_idle_weight(own, choice);
                    item.number(0..=WEIGHT_MAX)
                }
                None => Some(1),
            };
            let cost = match own.get("cost") {
                Some(item) => Some(item.number(0..=u32::MAX)?),
                None => None,
            };
            Some(Member {
                name: name?,
                weight: weight?,
                cost,
            })
        })?,
    };
    if choice == Some(Choice::Cheapest) && member.cost.is_none() {
        element.fault(
            "has no cost",
            Some("choice = \"cheapest\" needs that of each SMSC".into()),
        );
    }
    Some(member)
}

fn warn_of_idle_weight(member: &Table<'_>, choice: Option<Choice>) {
    if let Some(choice @ (Choice::Ordered | Choice::Cheapest)) = choice {
        member.document().warn(
            &member.place_of("weight"),
            format!("has no meaning where choice is {:?}", choice.to_string()),
            None,
        );
    }
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
    Address::of(number, None, None).map_err(|error| error.to_string())
}

/// A sender, or its beginning and a `*`.
fn source_pattern(text: &str) -> Result<SourcePattern, String> {
    let fixed = text.strip_suffix('*').unwrap_or(text);
    if fixed.trim_start_matches('+').is_empty() {
        return Err("fits every source".into());
    }
    form::ascii(1, NUMBER_LENGTH_MAX)(fixed)?;
    Ok(SourcePattern::parse(text))
}
