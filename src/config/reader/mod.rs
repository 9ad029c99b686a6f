//! Walks a TOML document and collects every fault of it at once.
//!
//! There is no serde here: it stops at the first fault, forgets the line, and prints values, among
//! them secrets. Instead each section asks its [`Table`] for the keys that it knows, with default
//! and limits. What was not asked for is an unknown key. A faulty key yields its default, or `None`
//! where it has none, so that reading goes on; [`Document::into_faults`] tells in the end whether
//! what was read may be used.

mod item;
mod table;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use toml::de::DeTable;

pub(super) use self::{item::Item, table::Table};
use super::fault::{Fault, Position};

/// A text that is being read.
pub(super) struct Document {
    /// Offsets at which lines begin.
    line_starts: Vec<usize>,
    faults: RefCell<Vec<Fault>>,
    warnings: RefCell<Vec<Fault>>,
    /// What was asked for, by section without indices, such as `bank[].reversal`.
    known: RefCell<BTreeMap<String, BTreeSet<&'static str>>>,
    /// The defaults as TOML, by section and key; the reference has to show the same.
    #[cfg(test)]
    pub(super) defaults: RefCell<BTreeMap<(String, &'static str), String>>,
}

/// Where a table or a value stands, to speak of it later.
#[derive(Clone, Debug)]
pub(super) struct Place {
    line: usize,
    key: String,
}

impl Place {
    /// The line, counted from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// The key with those above it, such as `smsc[1].window`.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    fn fault(&self, what: String, hint: Option<String>) -> Fault {
        Fault {
            position: Position::Line(self.line),
            key: self.key.clone(),
            what,
            hint,
        }
    }
}

impl Document {
    /// Reads a text by the given function, which gets the outermost table. A text that is not TOML
    /// has its syntax errors recorded and is not read further: what a broken line was meant to say
    /// would be a guess, and so would each fault that follows from it.
    pub(super) fn read<T>(
        text: &str,
        by: impl FnOnce(&Table<'_>) -> Option<T>,
    ) -> (Self, Option<T>) {
        let document = Self::new(text);
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            document.syntax_fault(text, error);
        }
        if !errors.is_empty() {
            return (document, None);
        }
        let read = Table::outermost(&document, root.get_ref(), by);
        (document, read)
    }

    fn new(text: &str) -> Self {
        let after_line_feeds = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Self {
            line_starts: std::iter::once(0).chain(after_line_feeds).collect(),
            faults: RefCell::default(),
            warnings: RefCell::default(),
            known: RefCell::default(),
            #[cfg(test)]
            defaults: RefCell::default(),
        }
    }

    /// Records that something is wrong.
    pub(super) fn fault(&self, place: &Place, what: impl Into<String>, hint: Option<String>) {
        self.faults
            .borrow_mut()
            .push(place.fault(what.into(), hint));
    }

    /// Records that something is doubtful.
    pub(super) fn warn(&self, place: &Place, what: impl Into<String>, hint: Option<String>) {
        self.warnings
            .borrow_mut()
            .push(place.fault(what.into(), hint));
    }

    /// All faults and all warnings, each in the order in which they were found.
    pub(super) fn into_faults(self) -> (Vec<Fault>, Vec<Fault>) {
        (self.faults.into_inner(), self.warnings.into_inner())
    }

    /// Every key that was asked for, with its section.
    #[cfg(test)]
    pub(super) fn known_keys(&self) -> Vec<String> {
        let known = self.known.borrow();
        let in_section = |(section, keys): (&String, &BTreeSet<&'static str>)| {
            keys.iter()
                .map(|key| join(section, key))
                .collect::<Vec<_>>()
        };
        known.iter().flat_map(in_section).collect()
    }

    /// The parser's own message is a fixed text, so it cannot repeat what stands in the file.
    fn syntax_fault(&self, text: &str, error: &toml::de::Error) {
        let offset = error.span().map_or(text.len(), |span| span.start);
        let line = self.line_of(offset);
        let line_start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let before = text.get(line_start..offset).unwrap_or("");
        self.faults.borrow_mut().push(Fault {
            position: Position::Column(line, before.chars().count() + 1),
            key: String::new(),
            what: format!("not TOML: {}", error.message()),
            hint: None,
        });
    }

    fn line_of(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    fn place(&self, span: Range<usize>, key: String) -> Place {
        Place {
            line: self.line_of(span.start),
            key,
        }
    }
}

fn join(above: &str, key: &str) -> String {
    match above {
        "" => key.into(),
        above => format!("{above}.{key}"),
    }
}
