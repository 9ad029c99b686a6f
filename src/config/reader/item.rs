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
pub(in crate::config) struct Item<'d> {
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

    /// Where it stands.
    pub(in crate::config) fn place(&self) -> &Place {
        &self.place
    }

    /// Where it stands, once nothing else is asked of it.
    pub(super) fn into_place(self) -> Place {
        self.place
    }

    /// Whether it is a table.
    pub(in crate::config) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// Records that it is wrong.
    pub(in crate::config) fn fault(&self, what: impl Into<String>, hint: Option<String>) {
        self.document.fault(&self.place, what, hint);
    }

    /// Records that it is doubtful.
    pub(in crate::config) fn warn(&self, what: impl Into<String>, hint: Option<String>) {
        self.document.warn(&self.place, what, hint);
    }

    /// An integer within limits.
    pub(in crate::config) fn number<N>(&self, limits: RangeInclusive<N>) -> Option<N>
    where
        N: Copy + Display + PartialOrd + TryFrom<i64>,
    {
        let Some(written) = self.value.as_integer() else {
            self.wrong_type("an integer");
            return None;
        };
        let number = i64::from_str_radix(written.as_str(), written.radix())
            .ok()
            .and_then(|number| N::try_from(number).ok())
            .filter(|number| limits.contains(number));
        if number.is_none() {
            self.fault(
                format!(
                    "{} is not between {} and {}",
                    shown(&written.to_string()),
                    limits.start(),
                    limits.end()
                ),
                None,
            );
        }
        number
    }

    /// `true` or `false`.
    pub(in crate::config) fn boolean(&self) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            self.wrong_type("true or false");
        }
        value
    }

    /// A text in the form that `parse` accepts, which otherwise says what the text is not.
    pub(in crate::config) fn text<T>(
        &self,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.characters()?;
        parse(text)
            .inspect_err(|what| self.fault(format!("{:?} {what}", shown(text)), None))
            .ok()
    }

    /// The same without a fault, where one is recorded already.
    pub(in crate::config) fn quietly<T>(
        &self,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        parse(self.value.as_str()?).ok()
    }

    /// The same for a text that must not be repeated.
    pub(in crate::config) fn secret<T>(
        &self,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        parse(self.characters()?)
            .inspect_err(|what| self.fault(format!("the value {what}"), None))
            .ok()
    }

    /// The elements of a list.
    pub(in crate::config) fn elements(&self) -> Vec<Item<'d>> {
        let Some(array) = self.value.as_array() else {
            self.wrong_type("a list");
            return Vec::new();
        };
        let element = |(index, value): (usize, &'d Spanned<DeValue<'d>>)| Item {
            document: self.document,
            place: self
                .document
                .place(value.span(), format!("{}[{index}]", self.place.key)),
            value: value.get_ref(),
        };
        array.iter().enumerate().map(element).collect()
    }

    /// Whether it is a list without elements.
    pub(in crate::config) fn is_empty_list(&self) -> bool {
        self.value.as_array().is_some_and(|array| array.is_empty())
    }

    fn characters(&self) -> Option<&'d str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.wrong_type("a string");
        }
        text
    }

    /// A table.
    pub(super) fn table(&self) -> Option<&'d DeTable<'d>> {
        let table = self.value.as_table();
        if table.is_none() {
            self.wrong_type("a table");
        }
        table
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
        let unit = self.place.key.rsplit_once('_').map(|(_, unit)| unit);
        let hint = match (expected, unit) {
            ("an integer", Some("ms")) => Some("write milliseconds without quotes or unit".into()),
            ("an integer", Some("s")) => Some("write seconds without quotes or unit".into()),
            _ => None,
        };
        self.fault(format!("{found} where {expected} belongs"), hint);
    }
}

/// The beginning of a text, on one line.
pub(super) fn shown(text: &str) -> String {
    let printable = |c: char| if c.is_control() { '?' } else { c };
    let mut shown: String = text.chars().take(SHOWN_MAX).map(printable).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown
}
