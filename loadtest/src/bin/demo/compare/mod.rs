//! What the callers were told beside what the books of the networks say.

mod kills;
mod messages;
mod payments;
pub(crate) mod purchases;

use crate::{networks::Networks, report::Grouped, traffic::Told};

/// Every line of the table, and what the demo wanted to show and could not.
pub(crate) struct Comparison {
    pub(crate) sections: Vec<Section>,
    /// What did not occur, as the end of a sentence.
    pub(crate) missing: Vec<String>,
}

impl Comparison {
    /// Whether every line agrees and everything occurred.
    pub(crate) fn is_sound(&self) -> bool {
        self.differing() == 0 && self.missing.is_empty()
    }

    /// The number of lines that do not agree.
    pub(crate) fn differing(&self) -> usize {
        let lines = self.sections.iter().flat_map(|section| &section.lines);
        lines.filter(|line| line.difference.is_some()).count()
    }

    /// The number of lines.
    pub(crate) fn lines(&self) -> usize {
        self.sections.iter().map(|own| own.lines.len()).sum()
    }
}

/// The lines of one peer.
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) lines: Vec<Line>,
}

/// One thing that was told beside the same thing on the books.
pub(crate) struct Line {
    pub(crate) what: &'static str,
    pub(crate) told: String,
    pub(crate) books: String,
    /// What is wrong; `None` if the two agree.
    pub(crate) difference: Option<String>,
}

impl Line {
    fn new(what: &'static str, told: impl ToString, books: impl ToString) -> Self {
        Self {
            what,
            told: told.to_string(),
            books: books.to_string(),
            difference: None,
        }
    }

    /// The line, with a difference if `wrong` is not zero.
    fn none(mut self, wrong: usize, of_what: &str) -> Self {
        if wrong > 0 && self.difference.is_none() {
            self.difference = Some(format!("{} {of_what}", Grouped(wrong as u64)));
        }
        self
    }

    /// The line, with a difference if the two are not equal.
    fn equal(self, told: u64, books: u64) -> Self {
        let (wrong, side) = match told >= books {
            true => (told - books, "more told"),
            false => (books - told, "more on the books"),
        };
        self.none(usize::try_from(wrong).unwrap_or(usize::MAX), side)
    }
}

/// Compares messages and payments; [`purchases`] adds its own later, when the books have moved on.
pub(crate) fn compare(told: &Told, networks: &Networks) -> Comparison {
    let mut comparison = Comparison {
        sections: Vec::new(),
        missing: Vec::new(),
    };
    messages::compare(told, &networks.smscs, &mut comparison);
    payments::compare(&told.payments, &networks.banks, &mut comparison);
    kills::compare(told, networks, &mut comparison);
    comparison
}

/// A count with the noun that it counts.
fn counted(count: usize, noun: &str) -> String {
    format!("{} {noun}", Grouped(count as u64))
}
