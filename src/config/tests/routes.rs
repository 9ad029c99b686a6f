//! `[[message_route]]` and `[[payment_route]]`.

use super::*;

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
        assert_eq!(address.number, sender);
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
    warned(
        peers_only,
        &[
            "x.toml:2: warning: smsc[0].name: no [[message_route]] leads to \"one\"; it gets no messages",
            "x.toml:7: warning: bank[0].name: no [[payment_route]] leads to \"vault\"; it gets only payments that name it",
        ],
    );
}

#[test]
fn a_receiver_needs_no_route() {
    let smsc_only = SOUND.split_once("[[bank]]").unwrap().0;
    warned(&format!("{smsc_only}bind = \"receiver\""), &[]);
}
