//! Which peer serves a request: immutable tables and a pure look-up.
//!
//! A table is built once from the configuration and replaced as a whole. It knows names, not
//! connections: whether a peer is healthy is told by whoever asks.
//!
//! Of the routes with a prefix of the destination, a message takes the first one whose conditions
//! it meets, in this order:
//!
//! 1. the longest prefix;
//! 2. the most conditions, of source, client, keyword and coding;
//! 3. the order of the file.
//!
//! A message that names a route takes that one, whatever its destination; of the conditions only
//! the client's holds, because who may use a route is not the caller's choice.

mod conditions;
mod explain;
mod plan;
mod prefix;
#[cfg(test)]
mod properties;
mod smscs;
#[cfg(test)]
mod testing;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use self::prefix::PrefixTable;
pub use self::{
    conditions::{Asked, BodyCoding, Conditions, Keyword, SourcePattern, Unmet},
    explain::{Explanation, Health},
    plan::Plan,
    smscs::{Choice, Member, Point, SMSCS_MAX, SmscSet, Sticky},
};
use crate::{message::Message, smpp::Address};

/// The way of certain messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRoute {
    /// By which a caller can choose it.
    pub name: Arc<str>,
    /// Digits with which the destination begins; none if it can be chosen by name only. An empty
    /// prefix matches every destination.
    pub prefixes: Vec<String>,
    /// What else a message has to be.
    pub conditions: Conditions,
    /// The SMSCs, and the choice among them.
    pub smscs: SmscSet,
    /// How many further SMSCs a message is offered to after one did not take it.
    pub failover_max: u8,
    /// The sender of messages that name none.
    pub default_source: Option<Address>,
}

/// The way of payments with certain cards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRoute {
    /// Digits with which the card number begins. An empty prefix matches every card.
    pub card_prefixes: Vec<String>,
    /// The bank.
    pub bank: Arc<str>,
}

/// All routes.
#[derive(Debug, Default)]
pub struct Routes {
    messages: Vec<Arc<MessageRoute>>,
    by_name: HashMap<Arc<str>, usize>,
    by_prefix: PrefixTable,
    /// The routes of a prefix in the order in which they are looked at, by the prefix's id. Prefixes
    /// with the same routes share one list.
    candidates: Vec<Box<[u32]>>,
    banks: Vec<Arc<str>>,
    by_card: PrefixTable,
}

/// Why no route serves a message, for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// It names one that is not there.
    NoSuchName,
    /// It names one that its client may not use.
    NotForClient,
    /// None has a prefix of its destination.
    NoPrefix,
    /// Some have, and it meets the conditions of none.
    NoneFits,
}

impl Routes {
    /// Builds the tables. Of two payment routes with the same prefix the first one holds; the
    /// configuration refuses such files before.
    pub fn new(messages: Vec<MessageRoute>, payments: Vec<PaymentRoute>) -> Self {
        let (by_prefix, candidates) = by_prefix(&messages);
        let mut by_card = BTreeMap::new();
        for (id, route) in (0..).zip(&payments) {
            for prefix in &route.card_prefixes {
                by_card.entry(prefix.as_bytes().to_vec()).or_insert(id);
            }
        }
        let messages: Vec<_> = messages.into_iter().map(Arc::new).collect();
        let names = messages.iter().map(|route| Arc::clone(&route.name));
        Self {
            by_name: names.zip(0..).collect(),
            messages,
            by_prefix,
            candidates,
            banks: payments.into_iter().map(|route| route.bank).collect(),
            by_card: PrefixTable::new(by_card.into_iter().collect()),
        }
    }

    /// The route that serves a message.
    ///
    /// # Errors
    /// None does, and why.
    pub fn choose(&self, asked: &Asked<'_>) -> Result<&Arc<MessageRoute>, NoRoute> {
        let name = asked.message().route.as_str();
        if !name.is_empty() {
            let route = self.named(name).ok_or(NoRoute::NoSuchName)?;
            return match route.conditions.unmet_client(asked) {
                None => Ok(route),
                Some(_) => Err(NoRoute::NotForClient),
            };
        }
        let mut refusal = NoRoute::NoPrefix;
        for (_, route) in self.with_prefix_of(asked.message().destination.addr.as_bytes()) {
            if route.conditions.unmet(asked).is_none() {
                return Ok(route);
            }
            refusal = NoRoute::NoneFits;
        }
        Err(refusal)
    }

    /// The bank with the longest prefix of the card number.
    pub fn bank_by_card(&self, pan: &[u8]) -> Option<&Arc<str>> {
        let (_, id) = self.by_card.of(pan).next()?;
        self.banks.get(id as usize)
    }

    fn named(&self, name: &str) -> Option<&Arc<MessageRoute>> {
        self.messages.get(*self.by_name.get(name)?)
    }

    /// The routes with a prefix of the number in the order in which they are looked at, each with
    /// the prefix's length.
    fn with_prefix_of(&self, number: &[u8]) -> impl Iterator<Item = (u8, &Arc<MessageRoute>)> {
        self.by_prefix.of(number).flat_map(move |(length, id)| {
            let candidates = self.candidates.get(id as usize);
            let routes = candidates.into_iter().flatten();
            routes.filter_map(move |route| Some((length, self.messages.get(*route as usize)?)))
        })
    }
}

fn by_prefix(routes: &[MessageRoute]) -> (PrefixTable, Vec<Box<[u32]>>) {
    let mut own: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (id, route) in (0..).zip(routes) {
        for prefix in &route.prefixes {
            own.entry(prefix).or_default().push(id);
        }
    }
    let mut ids: HashMap<Vec<u32>, u32> = HashMap::new();
    let mut candidates = Vec::new();
    let mut prefixes = Vec::with_capacity(own.len());
    for (prefix, mut list) in own {
        // Stable, so routes with as many conditions stay in the order of the file.
        list.sort_by_key(|id| Reverse(routes[*id as usize].conditions.count()));
        list.dedup();
        let id = *ids.entry(list).or_insert_with_key(|list| {
            candidates.push(list.as_slice().into());
            candidates.len() as u32 - 1
        });
        prefixes.push((prefix.as_bytes().to_vec(), id));
    }
    (PrefixTable::new(prefixes), candidates)
}

impl NoRoute {
    /// For the caller: which field, what is wrong, what to do.
    pub fn told(self, message: &Message) -> String {
        match self {
            Self::NoSuchName => format!(
                "route: there is no message_route {:?} in the configuration",
                message.route
            ),
            Self::NotForClient => format!(
                "route: message_route {:?} is not for this client; its key clients says for whom",
                message.route
            ),
            Self::NoPrefix => "destination.number: no message_route has a prefix of it; \
                 name a route, or configure one"
                .into(),
            Self::NoneFits => "destination.number: the message meets the conditions of no \
                 message_route with a prefix of it; `sampan route` says which condition of which"
                .into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::*, *};
    use crate::client::ClientName;

    fn chosen(routes: &Routes, number: &str) -> Result<String, NoRoute> {
        chosen_for(routes, &message(number, "hello"))
    }

    fn chosen_for(routes: &Routes, message: &crate::message::Message) -> Result<String, NoRoute> {
        let client = ClientName::parse("shop").unwrap();
        let route = routes.choose(&Asked::new(&client, message))?;
        Ok(route.name.to_string())
    }

    fn found(name: &str) -> Result<String, NoRoute> {
        Ok(name.to_owned())
    }

    #[test]
    fn the_longest_prefix_decides() {
        let routes = Routes::new(
            vec![
                route("vietnam", &["84"]),
                route("viettel", &["8498", "8497"]),
            ],
            vec![],
        );
        assert_eq!(chosen(&routes, "84981234567"), found("viettel"));
        assert_eq!(chosen(&routes, "+84971234567"), found("viettel"));
        assert_eq!(chosen(&routes, "84901234567"), found("vietnam"));
        assert_eq!(chosen(&routes, "8"), Err(NoRoute::NoPrefix));
    }

    #[test]
    fn without_a_matching_prefix_only_an_empty_one_serves() {
        let routes = Routes::new(vec![route("vietnam", &["84"])], vec![]);
        assert_eq!(chosen(&routes, "12025550100"), Err(NoRoute::NoPrefix));
        let routes = Routes::new(
            vec![route("vietnam", &["84"]), route("rest", &[""])],
            vec![],
        );
        assert_eq!(chosen(&routes, "12025550100"), found("rest"));
        assert_eq!(chosen(&routes, "VnMart"), found("rest"));
    }

    #[test]
    fn of_one_prefix_the_route_with_more_conditions_is_looked_at_first_then_the_files_order() {
        let routes = Routes::new(
            vec![
                route("plain", &["84"]),
                with_keywords(route("first", &["84"]), &["otp"]),
                with_keywords(route("second", &["84"]), &["otp", "pin"]),
                with_clients(
                    with_keywords(route("most", &["84"]), &["otp"]),
                    &["other", "bank"],
                ),
            ],
            vec![],
        );
        let of = |text: &str| chosen_for(&routes, &message("84901234567", text));
        assert_eq!(of("OTP 1234"), found("first"));
        assert_eq!(of("pin 1234"), found("second"));
        assert_eq!(of("hello"), found("plain"));
    }

    #[test]
    fn a_longer_prefix_goes_before_more_conditions_and_a_shorter_one_serves_what_it_does_not() {
        let routes = Routes::new(
            vec![
                with_keywords(route("otp", &["84"]), &["otp"]),
                with_keywords(route("viettel", &["8498"]), &["pin"]),
                route("mobifone", &["8490"]),
            ],
            vec![],
        );
        let of = |number: &str, text: &str| chosen_for(&routes, &message(number, text));
        assert_eq!(of("84981234567", "otp 1"), found("otp"));
        assert_eq!(of("84981234567", "pin 1"), found("viettel"));
        assert_eq!(of("84901234567", "otp 1"), found("mobifone"));
        assert_eq!(of("84981234567", "hello"), Err(NoRoute::NoneFits));
    }

    #[test]
    fn a_named_route_serves_any_destination_and_only_its_clients() {
        let routes = Routes::new(
            vec![
                with_keywords(route("otp", &[]), &["otp"]),
                with_clients(route("bank", &["84"]), &["bank"]),
            ],
            vec![],
        );
        let named = |name: &str| {
            let mut message = message("12025550100", "hello");
            message.route = name.into();
            chosen_for(&routes, &message)
        };
        assert_eq!(named("otp"), found("otp"));
        assert_eq!(named("bank"), Err(NoRoute::NotForClient));
        assert_eq!(named("volt"), Err(NoRoute::NoSuchName));
        assert_eq!(chosen(&routes, "84981234567"), Err(NoRoute::NoneFits));
    }

    #[test]
    fn a_card_goes_to_the_bank_with_its_longest_prefix() {
        let bank = |name: &str, prefixes: &[&str]| PaymentRoute {
            card_prefixes: prefixes.iter().map(ToString::to_string).collect(),
            bank: name.into(),
        };
        let routes = Routes::new(
            vec![],
            vec![bank("napas", &["9704"]), bank("vcb", &["970436"])],
        );
        assert_eq!(
            routes.bank_by_card(b"9704361234567890").map(|b| &**b),
            Some("vcb")
        );
        assert_eq!(
            routes.bank_by_card(b"9704151234567890").map(|b| &**b),
            Some("napas")
        );
        assert_eq!(routes.bank_by_card(b"4111111111111111"), None);
    }
}
