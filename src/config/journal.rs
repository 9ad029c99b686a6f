//! `[journal]`: where payments are recorded, and the keys that the records are under.

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use super::{
    files::{Surroundings, variable_name},
    reader::{Item, Table},
};
use crate::journal::{JournalSettings, Keys, MasterKey};

/// Reads the section. `None` only with a fault recorded.
pub(super) fn read(table: &Table<'_>, surroundings: Surroundings<'_>) -> Option<JournalSettings> {
    let path = table
        .required("path")
        .and_then(|item| surroundings.path(&item));
    let current = current_key(table, surroundings);
    let mut previous: Vec<MasterKey> = Vec::new();
    for item in table.elements("previous_keys") {
        let Some(key) = previous_key(&item, surroundings) else {
            continue;
        };
        let known = current.iter().chain(&previous);
        if known.into_iter().any(|known| known.id() == key.id()) {
            item.warn("is the same key as another one of the journal", None);
        } else {
            previous.push(key);
        }
    }
    Some(JournalSettings {
        path: path?,
        keys: Keys::new(current?, previous),
    })
}

/// The key of `key_env` or `key_file`. There is none that stands in the configuration itself: that is
/// copied, mailed and kept under version control.
fn current_key(table: &Table<'_>, surroundings: Surroundings<'_>) -> Option<MasterKey> {
    match (table.get("key_env"), table.get("key_file")) {
        (Some(item), None) => {
            let name = item.text(variable_name)?;
            surroundings.variable_named(&name, &item, MasterKey::parse)
        }
        (None, Some(item)) => key_at(&surroundings.path(&item)?, &item, surroundings),
        (None, None) => {
            let hint = "`openssl rand -hex 32` makes a key";
            let what = "needs key_env or key_file";
            table
                .document()
                .fault(table.place(), what, Some(hint.into()));
            None
        }
        (Some(_), Some(item)) => {
            item.fault("needs one of key_env and key_file, not both", None);
            None
        }
    }
}

/// An earlier key, of the variable or the file that an entry names.
fn previous_key(item: &Item<'_>, surroundings: Surroundings<'_>) -> Option<MasterKey> {
    enum Source {
        Variable(String),
        File(String),
    }
    let source = item.text(|text| match text.split_once(':') {
        Some(("env", name)) => variable_name(name).map(Source::Variable),
        Some(("file", path)) if !path.is_empty() => Ok(Source::File(path.to_owned())),
        _ => Err("is neither env: with a variable nor file: with a path".into()),
    });
    match source? {
        Source::Variable(name) => surroundings.variable_named(&name, item, MasterKey::parse),
        Source::File(path) => key_at(&surroundings.base_dir.join(path), item, surroundings),
    }
}

fn key_at(path: &Path, item: &Item<'_>, surroundings: Surroundings<'_>) -> Option<MasterKey> {
    let key = surroundings.secret_at(path, item, MasterKey::parse)?;
    // A file that cannot be looked at was not read either.
    let mode = path.metadata().map_or(0, |file| file.permissions().mode());
    if mode & 0o007 != 0 {
        let what = format!("every user of this machine may read {}", path.display());
        item.warn(what, Some("chmod 600".into()));
    }
    Some(key)
}
