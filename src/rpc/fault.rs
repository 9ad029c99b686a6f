//! What is wrong with a field of a caller's request.
//!
//! The text names the field and the rule. It never repeats the value, which may be card data or
//! the text of a message.

use std::fmt;

use crate::smpp::octet_words::are_printable;

/// A field that cannot be what it says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    field: String,
    what: String,
}

impl Fault {
    pub(super) fn new(field: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            what: what.into(),
        }
    }

    /// A fault of the request as a whole.
    pub(super) fn whole(what: impl Into<String>) -> Self {
        Self::new("", what)
    }

    /// The same fault, seen from the message that holds the field.
    pub(super) fn inside(mut self, field: &str) -> Self {
        self.field = match self.field.as_str() {
            "" => field.to_owned(),
            inner => format!("{field}.{inner}"),
        };
        self
    }

    /// The same fault, seen from the batch that holds the request.
    pub(super) fn in_batch(self, position: Option<usize>) -> Self {
        match position {
            Some(position) => self.inside(&format!("requests[{position}]")),
            None => self,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.what)
    }
}

/// The number as an octet.
pub(super) fn octet(field: &str, value: u32) -> Result<u8, Fault> {
    u8::try_from(value).map_err(|_| Fault::new(field, format!("{value} is not between 0 and 255")))
}

/// Printable ASCII without NUL, `length_max` characters at most; may be empty.
pub(super) fn ascii(field: &str, text: impl AsRef<[u8]>, length_max: usize) -> Result<(), Fault> {
    let text = text.as_ref();
    if text.len() > length_max {
        let what = format!("{} bytes, at most {length_max}", text.len());
        return Err(Fault::new(field, what));
    }
    match are_printable(text) {
        true => Ok(()),
        false => Err(Fault::new(field, "must be printable ASCII")),
    }
}

/// As [`ascii`], and not empty.
pub(super) fn ascii_present(
    field: &str,
    text: impl AsRef<[u8]>,
    length_max: usize,
) -> Result<(), Fault> {
    let text = text.as_ref();
    if text.is_empty() {
        return Err(Fault::new(field, "empty"));
    }
    ascii(field, text, length_max)
}
