//! Walks a TOML text and collects every fault of it at once.
//!
//! There is no serde here: it stops at the first fault and prints values, among them secrets. Instead
//! each section asks its [`Table`] for the keys that it knows, with default and limits; what was not
//! asked for is an unknown key. A faulty key yields its default, or `None` where it has none, so that
//! reading goes on. A reader gives `None` only with a fault recorded.

mod item;
mod table;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Path, PathBuf},
};

use toml::de::DeTable;

pub(crate) use self::{item::Item, table::Table};
use super::fault::{Fault, Faults};

/// A text that is being read.
pub(crate) struct Document {
    /// Offsets at which lines begin.
    line_starts: Vec<usize>,
    /// From where relative paths are taken.
    base_dir: PathBuf,
    faults: RefCell<Vec<Fault>>,
    /// What was asked for, by section without indices, such as `s2sell.agent[]`.
    known: RefCell<BTreeMap<String, BTreeSet<&'static str>>>,
    /// The defaults as TOML, by section and key; the annotated reference has to show the same.
    #[cfg(test)]
    pub(super) defaults: RefCell<BTreeMap<(String, &'static str), String>>,
}

/// Where a table or a value stands.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    line: usize,
    key: String,
}

impl Document {
    /// Reads a text by a function that gets the outermost table. A text that is not TOML is not read
    /// further: what a broken line was meant to say would be a guess.
    ///
    /// # Errors
    /// Every fault.
    pub(crate) fn read<T>(
        text: &str,
        base_dir: &Path,
        by: impl FnOnce(&Table<'_>) -> Option<T>,
    ) -> Result<T, Faults> {
        let document = Self::new(text, base_dir);
        let content = document.walk(text, by);
        Faults::judge(content, document.faults.into_inner())
    }

    pub(super) fn walk<T>(
        &self,
        text: &str,
        by: impl FnOnce(&Table<'_>) -> Option<T>,
    ) -> Option<T> {
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            // The parser's own message is a fixed text, so it cannot repeat what stands in the file.
            let span = error.span().unwrap_or(text.len()..text.len());
            let place = self.place(span, String::new());
            self.fault(&place, format!("not TOML: {}", error.message()));
        }
        if errors.is_empty() {
            return Table::outermost(self, root.get_ref(), by);
        }
        None
    }

    pub(super) fn new(text: &str, base_dir: &Path) -> Self {
        let after_line_feeds = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Self {
            line_starts: std::iter::once(0).chain(after_line_feeds).collect(),
            base_dir: base_dir.to_owned(),
            faults: RefCell::default(),
            known: RefCell::default(),
            #[cfg(test)]
            defaults: RefCell::default(),
        }
    }

    fn fault(&self, place: &Place, what: impl Into<String>) {
        self.faults.borrow_mut().push(Fault {
            line: place.line,
            key: place.key.clone(),
            what: what.into(),
        });
    }

    fn place(&self, span: Range<usize>, key: String) -> Place {
        Place {
            line: self
                .line_starts
                .partition_point(|start| *start <= span.start),
            key,
        }
    }

    /// Every key that was asked for, with its section.
    #[cfg(test)]
    pub(super) fn known_keys(&self) -> Vec<String> {
        let known = self.known.borrow();
        let in_section = |(section, keys): (&String, &BTreeSet<&'static str>)| {
            let keys = keys.iter().map(|key| join(section, key));
            keys.collect::<Vec<_>>()
        };
        known.iter().flat_map(in_section).collect()
    }
}

fn join(above: &str, key: &str) -> String {
    match above {
        "" => key.into(),
        above => format!("{above}.{key}"),
    }
}
