//! `[[message_route]]` and `[[payment_route]]`.

use super::*;
use crate::route::{BodyCoding, Choice, Sticky};

#[test]
fn a_route_leads_to_peers_that_exist() {
    refused(
        &with("smscs = [\"one\"]", "smscs = [\"one\", \"two\"]"),
        &["configuration:15: message_route[0].smscs[1]: \"two\" is the name of no [[smsc]]"],
    );
    refused(
        &with("smscs = [\"one\"]", "smscs = [\"vault\"]"),
        &["configuration:15: message_route[0].smscs[0]: \"vault\" is a bank, not an SMSC"],
    );
    refused(
        &with("bank = \"vault\"", "bank = \"one\""),
        &["configuration:18: payment_route[0].bank: \"one\" is an SMSC, not a bank"],
    );
}

#[test]
fn a_peer_with_a_fault_of_its_own_is_no_dangling_reference() {
    refused(
        &with("\"smsc.test:2775\"", "\"smsc.test:0\""),
        &[
            "configuration:3: smsc[0].address: \"smsc.test:0\" is not host:port, such as smsc.example.net:2775",
        ],
    );
}

#[test]
fn a_message_route_leads_to_no_receiver() {
    refused(
        &with_before("[[bank]]", "bind = \"receiver\""),
        &[
            "configuration:16: message_route[0].smscs[0]: \"one\" is bound as receiver and takes no messages",
        ],
    );
}

#[test]
fn two_routes_share_no_prefix_and_no_name() {
    refused(
        &with_before(
            "[[payment_route]]",
            "[[message_route]]\nname = \"all\"\nprefixes = [\"8490\", \"84\"]\nsmscs = [\"one\"]",
        ),
        &[
            "configuration:17: message_route[1].name: \"all\" is taken already in line 13",
            "configuration:18: message_route[1].prefixes[1]: \"84\" is taken already in line 14",
        ],
    );
    refused(
        &with("[\"9704\"]", "[\"9704\", \"9704\"]"),
        &[
            "configuration:17: payment_route[0].card_prefixes[1]: \"9704\" is taken already in line 17",
        ],
    );
}

/// The sound text with two SMSCs and these keys in its message route, and what follows it.
fn routed(smscs: &str, keys: &str, more: &str) -> String {
    let second = "[[smsc]]\nname = \"two\"\naddress = \"smsc.test:2776\"\nsystem_id = \"sampan\"\npassword = \"secret\"\n";
    let text = with("smscs = [\"one\"]", &format!("smscs = {smscs}\n{keys}"));
    let (peers, routes) = text.split_once("[[bank]]").unwrap();
    let (messages, payments) = routes.split_once("[[payment_route]]").unwrap();
    format!("{peers}{second}[[bank]]{messages}{more}\n[[payment_route]]{payments}")
}

/// A further message route to both SMSCs.
fn route(name: &str, prefix: &str, keys: &str) -> String {
    format!(
        "[[message_route]]\nname = \"{name}\"\nprefixes = [\"{prefix}\"]\nsmscs = [\"one\", \"two\"]\n{keys}\n"
    )
}

const BOTH: &str = "[\"one\", \"two\"]";

#[test]
fn a_route_has_conditions_weights_and_costs() {
    let config = sound(&routed(
        "[{ name = \"two\", weight = 70, cost = 120 }, \"one\"]",
        "choice = \"weighted\"\nsticky = \"destination\"\nfailover_max = 0\n\
         sources = [\"VnMart\", \"+84901*\"]\nclients = [\"shop\"]\nkeywords = [\"OTP\"]\n\
         codings = [\"gsm7\", \"binary\"]",
        "",
    ));
    let route = &config.message_routes[0];
    assert_eq!(route.smscs.choice(), Choice::Weighted(Sticky::Destination));
    let members: Vec<_> = route
        .smscs
        .members()
        .iter()
        .map(|own| (&*own.name, own.weight, own.cost))
        .collect();
    assert_eq!(members, [("two", 70, Some(120)), ("one", 1, None)]);
    assert_eq!((route.failover_max, route.conditions.count()), (0, 4));
    let sources = route.conditions.sources.iter().map(ToString::to_string);
    assert_eq!(sources.collect::<Vec<_>>(), ["VnMart", "84901*"]);
    assert_eq!(
        route.conditions.codings,
        [BodyCoding::Gsm7, BodyCoding::Binary]
    );
}

#[test]
fn a_condition_that_cannot_be_met_or_cannot_fail_is_refused() {
    refused(
        &routed(
            BOTH,
            "sources = [\"*\"]\nclients = [\"a b\"]\nkeywords = [\"two words\"]\ncodings = [\"utf8\"]",
            "",
        ),
        &[
            "configuration:21: message_route[0].sources[0]: \"*\" fits every source",
            "configuration:22: message_route[0].clients[0]: \"a b\" is no name of 1 to 64 letters, digits, '.', '_' and '-'",
            "configuration:23: message_route[0].keywords[0]: \"two words\" is no single word",
            "configuration:24: message_route[0].codings[0]: \"utf8\" is none of gsm7, latin1, ucs2, binary",
        ],
    );
    let any = sound(&routed(BOTH, "keywords = []", ""));
    assert_eq!(any.message_routes[0].conditions.count(), 0);
    let many = format!("keywords = {:?}", ["otp"; 101]);
    refused(
        &routed(BOTH, &many, ""),
        &["configuration:21: message_route[0].keywords: has 101 elements, at most 100"],
    );
}

#[test]
fn the_cheapest_needs_the_cost_of_each() {
    refused(
        &routed(
            "[{ name = \"one\", cost = 90 }, { name = \"two\" }]",
            "choice = \"cheapest\"",
            "",
        ),
        &[
            "configuration:20: message_route[0].smscs[1]: has no cost; choice = \"cheapest\" needs that of each SMSC",
        ],
    );
    refused(
        &routed(BOTH, "choice = \"cheapest\"", ""),
        &[
            "configuration:20: message_route[0].smscs[0]: has no cost; choice = \"cheapest\" needs that of each SMSC",
            "configuration:20: message_route[0].smscs[1]: has no cost; choice = \"cheapest\" needs that of each SMSC",
        ],
    );
}

#[test]
fn a_weighted_choice_needs_a_weight() {
    refused(
        &routed(
            "[{ name = \"one\", weight = 0 }, { name = \"two\", weight = 0 }]",
            "choice = \"weighted\"",
            "",
        ),
        &["configuration:20: message_route[0].smscs: gives no SMSC a weight; 0 only stands by"],
    );
    refused(
        &routed(
            "[{ name = \"one\", weight = -1, share = 2 }, { weight = 2 }]",
            "choice = \"heaviest\"",
            "",
        ),
        &[
            "configuration:20: message_route[0].smscs[0].weight: -1 is not between 0 and 10000",
            "configuration:20: message_route[0].smscs[0].share: is no known key",
            "configuration:20: message_route[0].smscs[1].name: is missing",
            "configuration:21: message_route[0].choice: \"heaviest\" is none of ordered, weighted, cheapest",
        ],
    );
}

#[test]
fn a_key_that_the_choice_does_not_use_is_warned_of() {
    warned(
        &routed(
            "[{ name = \"one\", weight = 2 }, \"two\"]",
            "sticky = \"destination\"",
            "",
        ),
        &[
            "x.toml:20: warning: message_route[0].smscs[0].weight: has no meaning where choice is \"ordered\"",
            "x.toml:21: warning: message_route[0].sticky: has no meaning where choice is \"ordered\"; only a weighted choice changes from message to message",
        ],
    );
}

#[test]
fn routes_with_the_same_prefix_differ_in_a_condition() {
    sound(&routed(
        BOTH,
        "",
        &route("otp", "84", "keywords = [\"otp\"]"),
    ));
    refused(
        &routed(
            BOTH,
            "keywords = [\"otp\", \"PIN\"]",
            &route("otp", "84", "keywords = [\"pin\", \"OTP\"]"),
        ),
        &[
            "configuration:24: message_route[1].prefixes[0]: \"84\" is taken already in line 19; no message can tell the two routes apart",
        ],
    );
}

#[test]
fn a_route_that_no_message_ever_takes_is_warned_of() {
    warned(
        &routed(
            BOTH,
            "keywords = [\"otp\", \"pin\"]",
            &route("pin", "84", "keywords = [\"pin\"]"),
        ),
        &[
            "x.toml:24: warning: message_route[1].prefixes[0]: no message to \"84\" ever takes this route; what meets its conditions meets those of line 19 before",
        ],
    );
    // The other way round, the wider one serves what the narrower one leaves.
    warned(
        &routed(
            BOTH,
            "keywords = [\"pin\"]",
            &route("both", "84", "keywords = [\"otp\", \"pin\"]"),
        ),
        &[],
    );
}

#[test]
fn conditions_of_a_route_without_prefixes_are_warned_of_but_for_its_clients() {
    let text = routed(BOTH, "keywords = [\"otp\"]\nclients = [\"shop\"]", "");
    let text = text.replacen("prefixes = [\"84\"]\n", "", 1);
    warned(
        &text,
        &[
            "x.toml:20: warning: message_route[0].keywords: is not looked at, because a route without prefixes is chosen by its name; give the route prefixes; \"\" matches every destination",
        ],
    );
}

#[test]
fn a_client_of_a_route_exists_where_no_other_can_call() {
    let client = |rpc: &str| {
        let token =
            "token_sha256 = \"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"";
        format!("{rpc}[[client]]\nname = \"shop\"\n{token}\n")
    };
    let routes = routed(BOTH, "clients = [\"shop\", \"shob\"]", "");
    warned(
        &format!("{}{routes}", client("")),
        &[
            "x.toml:24: warning: message_route[0].clients[1]: \"shob\" is the name of no [[client]]; only a caller on this machine can give itself that name",
        ],
    );
    warned(&routes, &[]);
    let open = client("[rpc]\nlisten = \"0.0.0.0:7070\"\n");
    refused(
        &format!("{open}{routes}"),
        &[
            "configuration:2: rpc.listen: 0.0.0.0:7070 is open to the network and has no TLS; add [rpc.tls], or listen on 127.0.0.1",
            "configuration:26: message_route[0].clients[1]: \"shob\" is the name of no [[client]]",
        ],
    );
}

#[test]
fn a_route_names_no_more_smscs_than_it_can_remember_to_have_tried() {
    let many = format!("{:?}", ["one"; 33]);
    let faults = parse(&routed(&many, "", "")).unwrap_err().to_string();
    assert!(faults.contains("names 33 SMSCs, at most 32"), "{faults}");
}

#[test]
fn messages_and_cards_may_share_a_prefix() {
    sound(&with("[\"9704\"]", "[\"84\"]"));
}

#[test]
fn a_route_names_each_smsc_once_and_one_at_least() {
    refused(
        &with("smscs = [\"one\"]", "smscs = [\"one\", \"one\"]"),
        &["configuration:15: message_route[0].smscs[1]: \"one\" is taken already in line 15"],
    );
    refused(
        &with("smscs = [\"one\"]", "smscs = []"),
        &["configuration:15: message_route[0].smscs: is empty; the route would lead nowhere"],
    );
    refused(
        &with("card_prefixes = [\"9704\"]", "card_prefixes = []"),
        &[
            "configuration:17: payment_route[0].card_prefixes: is empty; the route would serve no card",
        ],
    );
}

#[test]
fn a_route_without_a_name_or_a_goal_is_refused() {
    refused(
        "[[message_route]]\n[[payment_route]]",
        &[
            "configuration:1: message_route[0].name: is missing",
            "configuration:1: message_route[0].smscs: is missing",
            "configuration:2: payment_route[0].card_prefixes: is missing",
            "configuration:2: payment_route[0].bank: is missing",
        ],
    );
}

#[test]
fn a_prefix_is_digits_only() {
    refused(
        &with("[\"84\"]", "[\"+84\", \"\"]"),
        &["configuration:14: message_route[0].prefixes[0]: \"+84\" is not 0 to 20 digits"],
    );
}

#[test]
fn a_default_sender_fits_an_address() {
    let source = |sender: &str| {
        with_before(
            "[[payment_route]]",
            &format!("default_source = \"{sender}\""),
        )
    };
    for sender in ["8049", "VnMart", "+84901234567", "elevenchars"] {
        let config = sound(&source(sender));
        let address = config.message_routes[0].default_source.as_ref().unwrap();
        assert_eq!(address.addr.to_text(), sender.trim_start_matches('+'));
    }
    let wrong = "configuration:16: message_route[0].default_source:";
    refused(
        &source("twelve_chars"),
        &[&format!(
            "{wrong} \"twelve_chars\" has 12 characters; the field takes 11"
        )],
    );
    refused(&source(""), &[&format!("{wrong} \"\" is empty")]);
    refused(&source("+"), &[&format!("{wrong} \"+\" has no digits")]);
}

#[test]
fn peers_that_no_route_leads_to_are_warned_of() {
    let peers_only = SOUND.split_once("[[message_route]]").unwrap().0;
    let files = SOUND.split_once("[store]").unwrap().1;
    warned(
        &format!("{peers_only}[store]{files}"),
        &[
            "x.toml:2: warning: smsc[0].name: no [[message_route]] leads to \"one\"; it gets no messages",
            "x.toml:7: warning: bank[0].name: no [[payment_route]] leads to \"vault\"; it gets only payments that name it",
        ],
    );
}

#[test]
fn a_receiver_needs_no_route() {
    let smsc_only = SOUND.split_once("[[bank]]").unwrap().0;
    let store = "[store]\npath = \"sampan.redb\"";
    warned(&format!("{smsc_only}bind = \"receiver\"\n{store}"), &[]);
}
