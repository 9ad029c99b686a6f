//! The files in `config/`: they load, and the reference says what the reader does.

use std::collections::BTreeMap;

use ::toml::de::{DeTable, DeValue};

use super::*;

const DEMO: &str = include_str!("../../../config/demo.toml");
const REFERENCE: &str = include_str!("../../../config/reference.toml");

/// Every key that a text shows, as the reader names it, with its value as it is written.
fn keys_of(text: &str) -> BTreeMap<String, String> {
    fn walk(section: &str, table: &DeTable<'_>, text: &str, keys: &mut BTreeMap<String, String>) {
        for (key, value) in table {
            let path = match section {
                "" => key.get_ref().to_string(),
                section => format!("{section}.{}", key.get_ref()),
            };
            match value.get_ref() {
                DeValue::Table(inner) => walk(&path, inner, text, keys),
                DeValue::Array(list)
                    if list.first().is_some_and(|item| item.get_ref().is_table()) =>
                {
                    for inner in list.iter().filter_map(|item| item.get_ref().as_table()) {
                        walk(&format!("{path}[]"), inner, text, keys);
                    }
                }
                // Of several examples of a section, the first one shows the defaults.
                _ => drop(
                    keys.entry(path)
                        .or_insert_with(|| text[value.span()].to_owned()),
                ),
            }
        }
    }
    let mut keys = BTreeMap::new();
    walk("", DeTable::parse(text).unwrap().get_ref(), text, &mut keys);
    keys
}

/// The document that the reader made of the reference, examples behind `#:` included.
fn document_of(text: &str) -> Document {
    let surroundings = Surroundings {
        base_dir: Path::new("/nowhere"),
        env: &|_| None,
    };
    Document::read(text, |root| read(root, surroundings)).0
}

fn with_examples() -> String {
    REFERENCE.replace("#: ", "")
}

#[test]
fn the_reference_loads_without_a_warning() {
    warned(REFERENCE, &[]);
}

#[test]
fn the_reference_shows_every_key_that_the_reader_knows() {
    let shown = keys_of(&with_examples());
    let is_shown = |key: &String| {
        let below = [format!("{key}."), format!("{key}[].")];
        shown.contains_key(key)
            || shown
                .keys()
                .any(|other| below.iter().any(|below| other.starts_with(below)))
    };
    let missing: Vec<String> = document_of(&with_examples())
        .known_keys()
        .into_iter()
        .filter(|key| !is_shown(key))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn the_reference_shows_no_key_that_the_reader_does_not_know() {
    let faults = parse(&with_examples()).unwrap_err();
    let unknown: Vec<String> = faults
        .iter()
        .filter(|fault| fault.what.contains("no known key"))
        .map(ToString::to_string)
        .collect();
    assert_eq!(unknown, [""; 0]);
}

#[test]
fn the_reference_shows_the_defaults_that_the_reader_has() {
    // Ways of writing that mean the same; the one list that is shown filled is empty by default.
    let plain = |value: &str| match value {
        "[\"84\"]" => "[]".to_owned(),
        "0x34" => "52".to_owned(),
        "[0x58, 0x14]" => "[88, 20]".to_owned(),
        "[0x08, 0x14, 0x58, 0x64]" => "[8, 20, 88, 100]".to_owned(),
        value => value.to_owned(),
    };
    let shown = keys_of(&with_examples());
    let defaults = document_of(&with_examples()).defaults.into_inner();
    assert!(defaults.len() > 50, "only {} defaults", defaults.len());
    for ((section, key), default) in defaults {
        let path = format!("{section}.{key}");
        let shown = shown.get(&path).map(|value| plain(value));
        assert_eq!(shown, Some(default), "{path}");
    }
}

#[test]
fn the_demo_loads_without_a_warning() {
    let config = sound(DEMO);
    assert_eq!(config.warnings, []);
    let peer = |link: &crate::link::settings::LinkSettings| {
        (link.peer.to_string(), link.reach.to_string(), link.links)
    };
    let smscs: Vec<_> = config.smscs.iter().map(|smsc| peer(&smsc.link)).collect();
    assert_eq!(
        smscs,
        [
            ("viettel".into(), "127.0.0.1:27751".into(), 3),
            ("mobifone".into(), "127.0.0.1:27752".into(), 2),
        ]
    );
    let banks: Vec<_> = config.banks.iter().map(|bank| peer(&bank.link)).collect();
    assert_eq!(
        banks,
        [
            ("vietcom".into(), "127.0.0.1:27761".into(), 2),
            ("dongabank".into(), "127.0.0.1:27762".into(), 2),
        ]
    );
    assert_eq!(config.rpc.listen.to_string(), "127.0.0.1:27770");
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:27790");
    assert_eq!(config.message_routes.len(), 3);
    assert_eq!(config.payment_routes.len(), 2);
}
