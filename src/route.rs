//! Which peer serves a request: immutable tables and a pure look-up.
//!
//! A table is built once from the configuration and replaced as a whole. It knows names, not
//! connections: whether a peer is healthy is the pool's business.

use std::{collections::HashMap, sync::Arc};

use crate::message::Address;

/// The way of messages with certain destinations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRoute {
    /// By which a caller can choose it.
    pub name: Arc<str>,
    /// Digits with which the destination begins; none if it can be chosen by name only. An empty
    /// prefix matches every destination.
    pub prefixes: Vec<String>,
    /// The SMSCs, the preferred one first; the others serve while it has no healthy bind.
    pub smscs: Vec<Arc<str>>,
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
    messages_by_name: HashMap<Arc<str>, Arc<MessageRoute>>,
    messages_by_prefix: PrefixTable<Arc<MessageRoute>>,
    banks_by_card: PrefixTable<Arc<str>>,
}

impl Routes {
    /// Builds the tables. Of two routes with the same prefix the first one holds; the
    /// configuration refuses such files before.
    pub fn new(messages: Vec<MessageRoute>, payments: Vec<PaymentRoute>) -> Self {
        let mut routes = Self::default();
        for route in messages {
            let route = Arc::new(route);
            for prefix in &route.prefixes {
                routes.messages_by_prefix.insert(prefix, Arc::clone(&route));
            }
            routes
                .messages_by_name
                .insert(Arc::clone(&route.name), route);
        }
        for route in payments {
            for prefix in &route.card_prefixes {
                routes.banks_by_card.insert(prefix, Arc::clone(&route.bank));
            }
        }
        routes
    }

    /// The message route of that name.
    pub fn message_by_name(&self, name: &str) -> Option<&Arc<MessageRoute>> {
        self.messages_by_name.get(name)
    }

    /// The message route with the longest prefix of the destination.
    pub fn message_by_destination(&self, number: &[u8]) -> Option<&Arc<MessageRoute>> {
        self.messages_by_prefix.longest(number)
    }

    /// The bank with the longest prefix of the card number.
    pub fn bank_by_card(&self, pan: &[u8]) -> Option<&Arc<str>> {
        self.banks_by_card.longest(pan)
    }
}

/// Longest-prefix look-up over decimal digits: one step per digit, however many prefixes there are.
#[derive(Debug)]
struct PrefixTable<T> {
    nodes: Vec<Node<T>>,
}

#[derive(Debug)]
struct Node<T> {
    /// Index of the node for each further digit; 0, the root, stands for none.
    children: [u32; 10],
    value: Option<T>,
}

impl<T> Node<T> {
    fn new() -> Self {
        Self {
            children: [0; 10],
            value: None,
        }
    }
}

impl<T> Default for PrefixTable<T> {
    fn default() -> Self {
        Self {
            nodes: vec![Node::new()],
        }
    }
}

impl<T> PrefixTable<T> {
    fn insert(&mut self, prefix: &str, value: T) {
        let mut at = 0;
        for digit in digits(prefix.as_bytes()) {
            at = match self.nodes[at].children[digit] {
                0 => {
                    let new = self.nodes.len();
                    self.nodes.push(Node::new());
                    self.nodes[at].children[digit] = new as u32;
                    new
                }
                child => child as usize,
            };
        }
        self.nodes[at].value.get_or_insert(value);
    }

    fn longest(&self, number: &[u8]) -> Option<&T> {
        let mut node = &self.nodes[0];
        let mut found = node.value.as_ref();
        for digit in digits(number) {
            match node.children[digit] {
                0 => break,
                child => node = &self.nodes[child as usize],
            }
            found = node.value.as_ref().or(found);
        }
        found
    }
}

/// The leading digits of a number, without the `+` of the international form.
fn digits(number: &[u8]) -> impl Iterator<Item = usize> {
    number
        .strip_prefix(b"+")
        .unwrap_or(number)
        .iter()
        .map_while(|byte| byte.is_ascii_digit().then(|| usize::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(name: &str, prefixes: &[&str]) -> MessageRoute {
        MessageRoute {
            name: name.into(),
            prefixes: prefixes.iter().map(ToString::to_string).collect(),
            smscs: vec!["one".into()],
            default_source: None,
        }
    }

    fn chosen(routes: &Routes, number: &str) -> Option<String> {
        routes
            .message_by_destination(number.as_bytes())
            .map(|route| route.name.to_string())
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
        assert_eq!(chosen(&routes, "84981234567").as_deref(), Some("viettel"));
        assert_eq!(chosen(&routes, "+84971234567").as_deref(), Some("viettel"));
        assert_eq!(chosen(&routes, "84901234567").as_deref(), Some("vietnam"));
        assert_eq!(chosen(&routes, "8").as_deref(), None);
    }

    #[test]
    fn without_a_matching_prefix_only_an_empty_one_serves() {
        let routes = Routes::new(vec![route("vietnam", &["84"])], vec![]);
        assert_eq!(chosen(&routes, "12025550100"), None);
        let routes = Routes::new(
            vec![route("vietnam", &["84"]), route("rest", &[""])],
            vec![],
        );
        assert_eq!(chosen(&routes, "12025550100").as_deref(), Some("rest"));
        assert_eq!(chosen(&routes, "VnMart").as_deref(), Some("rest"));
    }

    #[test]
    fn a_route_without_prefixes_is_found_by_name_only() {
        let routes = Routes::new(vec![route("otp", &[])], vec![]);
        assert!(routes.message_by_name("otp").is_some());
        assert_eq!(chosen(&routes, "84981234567"), None);
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
