//! Files and environment variables that the configuration points to.
//!
//! Relative paths are taken from the directory of the configuration file, so that it may be loaded
//! from anywhere.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::reader::{Item, Table};

/// No file that belongs to a configuration is longer; more is a wrong path, such as a device.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Where files and variables come from.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'s> {
    pub(super) base_dir: &'s Path,
    pub(super) env: &'s dyn Fn(&str) -> Option<String>,
}

impl Surroundings<'_> {
    /// The path that a key names.
    pub(super) fn path(&self, item: &Item<'_>) -> Option<PathBuf> {
        item.text(|text| match text {
            "" => Err("names no file".into()),
            text => Ok(self.base_dir.join(text)),
        })
    }

    /// The path that a key names and the text of the file.
    pub(super) fn file(&self, item: &Item<'_>) -> Option<(PathBuf, String)> {
        let path = self.path(item)?;
        let text = read_at(&path, item)?;
        Some((path, text))
    }

    /// A PEM file that holds what it should.
    pub(super) fn pem(&self, item: &Item<'_>, holds: Pem) -> Option<PathBuf> {
        let (path, text) = self.file(item)?;
        let found = text
            .lines()
            .any(|line| line.starts_with("-----BEGIN ") && line.contains(holds.label()));
        if !found {
            let what = format!("{} holds no PEM {}", path.display(), holds.label());
            item.fault(what, None);
        }
        found.then_some(path)
    }

    /// A secret that stands in the file, in a variable or in a file of its own, whichever of the
    /// three keys is there; `parse` says what the secret is not.
    pub(super) fn secret<T>(
        &self,
        table: &Table<'_>,
        [plain, variable, file]: [&'static str; 3],
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let given = [table.get(plain), table.get(variable), table.get(file)];
        if given.iter().flatten().count() != 1 {
            let what = format!("needs exactly one of {plain}, {variable} and {file}");
            let place = given.iter().flatten().nth(1).map(Item::place);
            table
                .document()
                .fault(place.unwrap_or(table.place()), what, None);
            return None;
        }
        match given {
            [Some(item), ..] => item.secret(parse),
            [_, Some(item), _] => self.variable(&item, parse),
            [.., Some(item)] => self.secret_file(&item, parse),
            [None, None, None] => None,
        }
    }

    /// A key that stands in a variable or in a file of its own, and never in the configuration, which
    /// is copied and shown around.
    pub(super) fn key<T>(
        &self,
        table: &Table<'_>,
        [variable, file]: [&'static str; 2],
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match [table.get(variable), table.get(file)] {
            [Some(item), None] => self.variable(&item, parse),
            [None, Some(item)] => self.secret_file(&item, parse),
            [_, second] => {
                let what = format!("needs exactly one of {variable} and {file}");
                let place = second.as_ref().map_or(table.place(), Item::place);
                table.document().fault(place, what, None);
                None
            }
        }
    }

    fn variable<T>(&self, item: &Item<'_>, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let name = item.text(variable_name)?;
        self.variable_named(&name, item, parse)
    }

    /// The secret in an environment variable.
    pub(super) fn variable_named<T>(
        &self,
        name: &str,
        item: &Item<'_>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let Some(value) = (self.env)(name).map(Zeroizing::new) else {
            item.fault(
                format!("the environment variable {name} is not set, or is not UTF-8"),
                None,
            );
            return None;
        };
        sound_and_not_empty(&value, parse)
            .inspect_err(|what| item.fault(format!("the value of {name} {what}"), None))
            .ok()
    }

    fn secret_file<T>(
        &self,
        item: &Item<'_>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.secret_at(&self.path(item)?, item, parse)
    }

    /// The secret that a file holds in its only line.
    pub(super) fn secret_at<T>(
        &self,
        path: &Path,
        item: &Item<'_>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = Zeroizing::new(read_at(path, item)?);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        sound_and_not_empty(line, parse)
            .inspect_err(|what| {
                item.fault(format!("the content of {} {what}", path.display()), None);
            })
            .ok()
    }
}

/// The text of the file that a key names.
fn read_at(path: &Path, item: &Item<'_>) -> Option<String> {
    read_text(path)
        .inspect_err(|error| {
            item.fault(format!("{} cannot be read: {error}", path.display()), None);
        })
        .ok()
}

/// What a PEM file holds.
#[derive(Clone, Copy)]
pub(super) enum Pem {
    Certificate,
    PrivateKey,
}

impl Pem {
    fn label(self) -> &'static str {
        match self {
            Self::Certificate => "CERTIFICATE",
            Self::PrivateKey => "PRIVATE KEY",
        }
    }
}

/// The text of a file of bounded length.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!(
            "it is longer than {FILE_BYTES_MAX} bytes"
        )));
    }
    Ok(text)
}

pub(super) fn variable_name(text: &str) -> Result<String, String> {
    let sound = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    sound
        .then(|| text.into())
        .ok_or_else(|| "is no name of an environment variable".into())
}

/// An empty secret from elsewhere is one that was forgotten; who means it writes it down.
fn sound_and_not_empty<T>(
    value: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, String> {
    match value {
        "" => Err("is empty".into()),
        value => parse(value),
    }
}
