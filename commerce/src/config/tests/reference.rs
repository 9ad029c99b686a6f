//! The annotated reference says what the reader does.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::*;

const REFERENCE: &str = include_str!("../../../../config/commerce.toml");

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
                DeValue::Array(list) if list.iter().any(|item| item.get_ref().is_table()) => {
                    for inner in list.iter().filter_map(|item| item.get_ref().as_table()) {
                        walk(&format!("{path}[]"), inner, text, keys);
                    }
                }
                _ => drop(keys.insert(path, text[value.span()].to_owned())),
            }
        }
    }
    let mut keys = BTreeMap::new();
    walk("", DeTable::parse(text).unwrap().get_ref(), text, &mut keys);
    keys
}

fn with_examples() -> String {
    REFERENCE.replace("#: ", "")
}

/// The reference, with keys that are there.
fn readable(text: &str) -> String {
    text.replace("env:COMMERCE_KEY", "file:key")
        .replace("env:COMMERCE_ROUTER_TOKEN", "file:key")
        .replace("\"partners-ca.pem\"", "\"key\"")
}

/// What the reader made of the reference with its examples.
fn document() -> Document {
    let (folder, _) = folder();
    let document = Document::new("", folder.path());
    assert!(document.walk(&readable(&with_examples()), read).is_some());
    document
}

#[test]
fn the_reference_loads_with_and_without_its_examples() {
    let (folder, _) = folder();
    for text in [REFERENCE.to_owned(), with_examples()] {
        let config = Config::parse(&readable(&text), folder.path()).unwrap();
        assert!(config.s2sell.is_some());
    }
}

#[test]
fn subscribers_are_told_the_words_of_the_configured_grammar() {
    let (folder, _) = folder();
    let text = format!("{}\n", readable(REFERENCE));
    let usual = Config::parse(&text, folder.path()).unwrap();
    let own = text.replace("[\"MUA\", \"VI BAN\"]", "[\"NAP\"]");
    assert_ne!(own, text);
    let own = Config::parse(&own, folder.path()).unwrap();
    let told = |config: &Config| config.purchase.words.buy.map(|word| word.to_string());
    assert_eq!(told(&usual).as_deref(), Some("MUA"));
    assert_eq!(told(&own).as_deref(), Some("NAP"));
}

#[test]
fn the_reference_shows_every_key_that_the_reader_knows() {
    let shown = keys_of(&with_examples());
    let is_shown = |key: &String| {
        let below = [format!("{key}."), format!("{key}[].")];
        let is_below = |other: &String| below.iter().any(|below| other.starts_with(below));
        shown.contains_key(key) || shown.keys().any(is_below)
    };
    let mut missing = document().known_keys();
    missing.retain(|key| !is_shown(key));
    assert_eq!(missing, [""; 0]);
}

#[test]
fn the_reference_shows_the_defaults_that_the_reader_has() {
    let shown = keys_of(&with_examples());
    let defaults = document().defaults.into_inner();
    assert!(defaults.len() > 15, "only {} defaults", defaults.len());
    for ((section, key), default) in defaults {
        let path = format!("{section}.{key}");
        // A list of tables stands as tables.
        if default != "[]" || shown.contains_key(&path) {
            assert_eq!(shown.get(&path), Some(&default), "{path}");
        }
    }
}
