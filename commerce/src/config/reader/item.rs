//! A value of the file: of which type it is, and whether it is what it should be.

use std::{fmt::Display, ops::RangeInclusive};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Document, Place};

/// How much of a value a fault repeats, in characters: enough to recognise it in its line.
const SHOWN_MAX: usize = 40;

/// A value that is there.
pub(crate) struct Item<'d> {
    document: &'d Document,
    place: Place,
    value: &'d DeValue<'d>,
}

impl<'d> Item<'d> {
    pub(super) fn new(document: &'d Document, place: Place, value: &'d DeValue<'d>) -> Self {
        Self {
            document,
            place,
            value,
        }
    }

    pub(super) fn into_place(self) -> Place {
        self.place
    }

    /// Records that it is wrong.
    pub(crate) fn fault(&self, what: impl Into<String>) {
        self.document.fault(&self.place, what);
    }

    /// An integer within limits.
    pub(crate) fn number<N>(&self, limits: RangeInclusive<N>) -> Option<N>
    where
        N: Copy + Display + PartialOrd + TryFrom<i64>,
    {
        let Some(written) = self.value.as_integer() else {
            self.wrong_type("an integer");
            return None;
        };
        let number = i64::from_str_radix(written.as_str(), written.radix());
        let number = number.ok().and_then(|number| N::try_from(number).ok());
        let number = number.filter(|number| limits.contains(number));
        if number.is_none() {
            let (given, least, most) = (written.to_string(), limits.start(), limits.end());
            self.fault(format!(
                "{} is not between {least} and {most}",
                shown(&given)
            ));
        }
        number
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            self.wrong_type("true or false");
        }
        value
    }

    /// A text in the form that `parse` accepts, which otherwise says what the text is not.
    pub(crate) fn text<T, F: Display>(&self, parse: impl Fn(&str) -> Result<T, F>) -> Option<T> {
        let text = self.characters()?;
        parse(text)
            .inspect_err(|what| self.fault(format!("{:?} {what}", shown(text))))
            .ok()
    }

    /// The same for a text that must not be repeated.
    pub(crate) fn secret<T, F: Display>(&self, parse: impl Fn(&str) -> Result<T, F>) -> Option<T> {
        parse(self.characters()?)
            .inspect_err(|what| self.fault(format!("the value {what}")))
            .ok()
    }

    /// The elements of a list.
    pub(crate) fn elements(&self) -> Vec<Item<'d>> {
        let Some(array) = self.value.as_array() else {
            self.wrong_type("a list");
            return Vec::new();
        };
        let element = |(index, value): (usize, &'d Spanned<DeValue<'d>>)| {
            let key = format!("{}[{index}]", self.place.key);
            let place = self.document.place(value.span(), key);
            Item::new(self.document, place, value.get_ref())
        };
        array.iter().enumerate().map(element).collect()
    }

    pub(super) fn table(&self) -> Option<&'d DeTable<'d>> {
        let table = self.value.as_table();
        if table.is_none() {
            self.wrong_type("a table");
        }
        table
    }

    fn characters(&self) -> Option<&'d str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.wrong_type("a string");
        }
        text
    }

    /// Names the types only, so that no secret shows.
    fn wrong_type(&self, expected: &str) {
        let found = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.fault(format!("{found} where {expected} belongs"));
    }
}

/// The beginning of a text, on one line.
pub(super) fn shown(text: &str) -> String {
    let printable = |char: char| if char.is_control() { '?' } else { char };
    let mut shown: String = text.chars().take(SHOWN_MAX).map(printable).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown
}
