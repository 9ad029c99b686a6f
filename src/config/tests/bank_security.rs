//! `[bank.mac]`, `[bank.key_exchange]`, `[bank.pin]` and `[process]`.

use std::{path::Path, sync::Arc};

use super::*;
use crate::iso8583::{
    mti::Class,
    security::{MacLength, MacRules, PinPolicy},
};

const KEY: &str = "0123456789ABCDEFFEDCBA9876543210";

/// The environment of these tests.
fn env(name: &str) -> Option<String> {
    Some(match name {
        "MAC" | "KEK" | "PEK" => KEY.into(),
        "DES" => KEY[..16].into(),
        "TWINS" => KEY[..16].repeat(2),
        "TEXT" => "no-key-at-all".into(),
        other => return super::env(other),
    })
}

/// The sound text with lines more at the end of its `[[bank]]`, at line 12.
fn with_bank(lines: &str) -> Result<Config, Faults> {
    let text = with_before("[[message_route]]", lines);
    Config::parse(&text, Path::new("/nowhere"), &env)
}

fn mac(lines: &str) -> Arc<MacRules> {
    let config = with_bank(lines).unwrap_or_else(|faults| panic!("{faults}"));
    let security = &config.banks[0].session.security;
    Arc::clone(security.mac.as_ref().unwrap())
}

#[track_caller]
fn refuses(lines: &str, expected: &[&str]) {
    let faults = with_bank(lines).err().map(|faults| faults.to_string());
    let faults = faults.unwrap_or_default();
    assert_eq!(faults, expected.join("\n"));
    for secret in [KEY, "no-key-at-all"] {
        assert!(!faults.contains(secret));
    }
}

#[test]
fn without_a_section_there_is_no_mac_and_a_pin_is_refused() {
    let config = sound(SOUND);
    let security = &config.banks[0].session.security;
    assert!(security.mac.is_none());
    assert!(matches!(security.pin, PinPolicy::Refuse));
    assert!(!config.process.core_dumps);
    assert!(config.process.huge_pages);
}

#[test]
fn a_mac_has_its_algorithm_key_and_classes() {
    let rules = mac("[bank.mac]\nalgorithm = \"x9.19\"\nkey_env = \"MAC\"");
    assert_eq!(rules.classes, [Class::Financial, Class::Reversal]);
    assert!(rules.required_on_answers && rules.exchange.is_none());
    let key = rules.keys.current().unwrap();
    assert_eq!(key.check_value().to_string(), "08D7B4");
    let rules = mac("[bank.mac]\nalgorithm = \"aes-cmac\"\nkey_env = \"MAC\"\n\
         length_bytes = 4\nmessages = [\"08xx\"]\nrequired_on_answers = false");
    assert_eq!(rules.classes, [Class::NetworkManagement]);
    assert_eq!(rules.length, MacLength::Four);
    assert!(!rules.required_on_answers);
}

#[test]
fn a_key_has_one_place_its_length_and_no_trace_in_a_fault() {
    refuses(
        "[bank.mac]",
        &[
            "configuration:12: bank[0].mac.algorithm: is missing",
            "configuration:12: bank[0].mac: needs exactly one of key_env, key_file and from_key_exchange = true",
        ],
    );
    refuses(
        "[bank.mac]\nalgorithm = \"x9.19\"\nkey_env = \"MAC\"\nkey_file = \"x\"",
        &["configuration:15: bank[0].mac.key_file: needs exactly one of key_env and key_file"],
    );
    refuses(
        "[bank.mac]\nalgorithm = \"x9.9\"\nkey_env = \"MAC\"",
        &[
            "configuration:14: bank[0].mac.key_env: the key is 16 bytes long; the key of an X9.9 MAC has 8",
        ],
    );
    refuses(
        "[bank.mac]\nalgorithm = \"x9.19\"\nkey_env = \"TWINS\"",
        &[
            "configuration:14: bank[0].mac.key_env: the key has two equal halves, which makes triple DES as weak as single DES",
        ],
    );
    refuses(
        "[bank.mac]\nalgorithm = \"x9.19\"\nkey_env = \"TEXT\"",
        &["configuration:14: bank[0].mac.key_env: the value of TEXT is not all hexadecimal digits"],
    );
    refuses(
        "[bank.mac]\nalgorithm = \"md5\"\nkey_env = \"MAC\"\nlength_bytes = 6\nmessages = [\"0200\"]",
        &[
            "configuration:13: bank[0].mac.algorithm: \"md5\" is none of x9.9, x9.19, aes-cmac",
            "configuration:15: bank[0].mac.length_bytes: is neither 8 nor 4",
            "configuration:16: bank[0].mac.messages[0]: \"0200\" is none of 01xx, 02xx, 03xx, 04xx, 05xx, 06xx, 07xx, 08xx",
        ],
    );
}

#[test]
fn a_key_exchange_and_the_mac_that_uses_it_belong_together() {
    let both = "[bank.mac]\nalgorithm = \"x9.19\"\nfrom_key_exchange = true\n\
        [bank.key_exchange]\nkek_env = \"KEK\"";
    let rules = mac(both);
    assert!(rules.keys.current().is_none());
    let exchange = rules.exchange.as_ref().unwrap();
    assert_eq!(exchange.code.to_string(), "161");
    assert_eq!(
        (exchange.layout.element, exchange.layout.check_bytes),
        (48, 3)
    );
    assert!(exchange.request_at_sign_on);
    refuses(
        "[bank.mac]\nalgorithm = \"x9.19\"\nfrom_key_exchange = true",
        &["configuration:6: bank[0]: mac.from_key_exchange needs [bank.key_exchange]"],
    );
    refuses(
        "[bank.key_exchange]\nkek_env = \"KEK\"",
        &[
            "configuration:12: bank[0].key_exchange: is of no use without [bank.mac] and its from_key_exchange = true",
        ],
    );
    refuses(
        &both.replace("from_key_exchange = true", "key_env = \"MAC\""),
        &[
            "configuration:15: bank[0].key_exchange: is of no use while [bank.mac] has a key of its own; set from_key_exchange = true there, or remove the section",
        ],
    );
    refuses(
        &both.replace("from_key", "key_env = \"MAC\"\nfrom_key"),
        &["configuration:14: bank[0].mac.key_env: is of no use with from_key_exchange = true"],
    );
}

#[test]
fn a_key_exchange_fits_its_cipher_its_element_and_its_check_value() {
    let with = |lines: &str| {
        format!(
            "[bank.mac]\nalgorithm = \"x9.19\"\nfrom_key_exchange = true\n[bank.key_exchange]\n{lines}"
        )
    };
    refuses(
        &with("kek_env = \"DES\""),
        &[
            "configuration:16: bank[0].key_exchange.kek_env: the value of DES is 8 bytes long; a key encryption key has 16 or 24",
        ],
    );
    refuses(
        &with("kek_env = \"KEK\"\nkey_element = 53"),
        &[
            "configuration:17: bank[0].key_exchange.key_element: element 53 of the dialect cannot hold such a key and its check value",
        ],
    );
    refuses(
        &with("kek_env = \"KEK\"\nkey_element = 44"),
        &[
            "configuration:17: bank[0].key_exchange.key_element: element 44 is shown by traces and `sampan decode`",
        ],
    );
    refuses(
        &with("kek_env = \"KEK\"\ncheck_value_digits = 5\ncheck_value = \"cmac\""),
        &[
            "configuration:17: bank[0].key_exchange.check_value_digits: is odd; an octet has two digits",
        ],
    );
    refuses(
        &with("kek_env = \"KEK\"\ncheck_value = \"cmac\""),
        &["configuration:17: bank[0].key_exchange.check_value: cmac is for AES keys"],
    );
}

#[test]
fn pins_are_translated_with_two_keys_or_passed_or_refused() {
    let pin = |lines: &str| {
        let config = with_bank(lines).unwrap_or_else(|faults| panic!("{faults}"));
        format!("{:?}", config.banks[0].session.security.pin)
    };
    assert_eq!(pin("[bank.pin]\nmode = \"pass\""), "Pass");
    let both = "[bank.pin]\nmode = \"translate\"\nfrom_key_env = \"PEK\"\nto_key_env = \"KEK\"\n\
        to_format = \"iso-3\"";
    assert_eq!(pin(both), "Translate");
    refuses(
        "[bank.pin]\nmode = \"translate\"\nfrom_key_env = \"DES\"",
        &[
            "configuration:12: bank[0].pin: needs exactly one of to_key_env and to_key_file",
            "configuration:14: bank[0].pin.from_key_env: the value of DES is 8 bytes long; a PIN encryption key has 16 or 24",
        ],
    );
}

#[test]
fn no_key_is_in_the_debug_output_of_a_configuration() {
    let config = with_bank("[bank.mac]\nalgorithm = \"x9.19\"\nkey_env = \"MAC\"").unwrap();
    let shown = format!("{config:?}{:?}", config.banks[0].session);
    assert!(
        !shown.contains("012345") && !shown.contains("1, 35, 69"),
        "{shown}"
    );
}
