//! Tables of a dialect file, read key by key, and the faults that are found on the way.

use super::{DialectError, DialectFault};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The words of a key, each with its meaning.
pub(super) type Choices<T> = &'static [(&'static str, T)];

/// All faults of a file, each with the place of the text where it was found.
pub(super) struct Faults<'a> {
    pub(super) text: &'a str,
    pub(super) found: Vec<(usize, String)>,
}

impl Faults<'_> {
    pub(super) fn add(&mut self, span: &Range<usize>, what: String) {
        self.found.push((span.start, what));
    }

    /// How many there are by now.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    pub(super) fn into_error(mut self) -> DialectError {
        self.found.sort_by_key(|(start, _)| *start);
        let line = |start: usize| {
            let before = self.text.as_bytes().get(..start).unwrap_or_default();
            before.iter().filter(|byte| **byte == b'\n').count() + 1
        };
        let fault = |(start, what)| DialectFault {
            line: line(start),
            what,
        };
        DialectError {
            faults: self.found.into_iter().map(fault).collect(),
        }
    }
}

/// A table of the file, of which every key must have been asked for.
pub(super) struct Section<'a> {
    table: &'a DeTable<'a>,
    pub(super) span: Range<usize>,
    pub(super) whose: &'a str,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub(super) fn new(table: &'a DeTable<'a>, span: Range<usize>, whose: &'a str) -> Self {
        Self {
            table,
            span,
            whose,
            known: Vec::new(),
        }
    }

    pub(super) fn optional(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.push(key);
        self.table.get(key)
    }

    pub(super) fn required(
        &mut self,
        key: &'static str,
        faults: &mut Faults<'_>,
    ) -> Option<&'a Spanned<DeValue<'a>>> {
        let found = self.optional(key);
        if found.is_none() {
            self.missing(key, faults);
        }
        found
    }

    fn missing(&self, key: &str, faults: &mut Faults<'_>) {
        faults.add(
            &self.span,
            format!("{} does not give its {key}", self.whose),
        );
    }

    pub(super) fn text(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<&'a str> {
        let value = self.required(key, faults)?;
        self.as_text(key, value, faults)
    }

    pub(super) fn as_text(
        &self,
        key: &str,
        value: &'a Spanned<DeValue<'a>>,
        faults: &mut Faults<'_>,
    ) -> Option<&'a str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            let what = format!("{}: {key} must be a text in quotes", self.whose);
            faults.add(&value.span(), what);
        }
        text
    }

    pub(super) fn number(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<u16> {
        let value = self.required(key, faults)?;
        let number = value.get_ref().as_integer();
        let number = number.and_then(|n| u16::from_str_radix(n.as_str(), n.radix()).ok());
        if number.is_none() {
            let what = format!("{}: {key} must be a number from 1 to 65535", self.whose);
            faults.add(&value.span(), what);
        }
        number
    }

    /// The meaning of a word, or the default of a key that may be left out.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: Choices<T>,
        default: Option<T>,
        faults: &mut Faults<'_>,
    ) -> Option<T> {
        let Some(value) = self.optional(key) else {
            if default.is_none() {
                self.missing(key, faults);
            }
            return default;
        };
        let text = self.as_text(key, value, faults)?;
        let found = choices.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            let (whose, words) = (self.whose, words.join(", "));
            faults.add(
                &value.span(),
                format!("{whose}: {key} {text:?} is not known; use one of: {words}"),
            );
        }
        found.map(|(_, meaning)| *meaning)
    }

    /// A key that may be left out, which is no.
    pub(super) fn boolean(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<bool> {
        let Some(value) = self.optional(key) else {
            return Some(false);
        };
        let found = value.get_ref().as_bool();
        if found.is_none() {
            let what = format!("{}: {key} must be true or false", self.whose);
            faults.add(&value.span(), what);
        }
        found
    }

    /// Something is wrong with the table as a whole.
    pub(super) fn fault(&self, what: impl std::fmt::Display, faults: &mut Faults<'_>) {
        faults.add(&self.span, format!("{}: {what}", self.whose));
    }

    pub(super) fn refuse_unknown(&self, faults: &mut Faults<'_>) {
        for key in self.table.keys() {
            if !self.known.iter().any(|known| known == key.get_ref()) {
                let what = format!(
                    "{} has no key {:?}; it has: {}",
                    self.whose,
                    key.get_ref(),
                    self.known.join(", ")
                );
                faults.add(&key.span(), what);
            }
        }
    }
}
