//! `[keys]`: where the keys of PIN codes and other secrets are; none stands in the file itself.

use super::super::{Table, reader::Item};
use crate::seal::{KeySource, Keys, MasterKey};

/// Earlier keys: each look at a PIN code of unknown key tries them all.
const PREVIOUS_MAX: usize = 8;

pub(in super::super) fn read(table: &Table<'_>) -> Option<Keys> {
    let current = table.required("current").and_then(|item| key(table, &item));
    let previous = table.elements("previous");
    if let Some(item) = previous.get(PREVIOUS_MAX) {
        item.fault(format!("is one more than {PREVIOUS_MAX}; reseal first"));
    }
    let previous: Vec<_> = previous
        .iter()
        .filter_map(|item| key(table, item))
        .collect();
    Some(Keys::new(current?, previous))
}

/// Reads a key from where the item says it is.
fn key(table: &Table<'_>, item: &Item<'_>) -> Option<MasterKey> {
    source(table, item)?
        .read()
        .inspect_err(|fault| item.fault(fault.to_string()))
        .ok()
}

/// Where a secret stands.
pub(super) fn source(table: &Table<'_>, item: &Item<'_>) -> Option<KeySource> {
    // Who pastes the secret itself must not find it in a log.
    item.secret(|text| match text.split_once(':') {
        Some(("env", name)) if !name.is_empty() => Ok(KeySource::Environment(name.to_owned())),
        Some(("file", path)) if !path.is_empty() => Ok(KeySource::File(table.path(path))),
        _ => Err("is neither env:VARIABLE nor file:PATH; a secret itself does not belong here"),
    })
}
