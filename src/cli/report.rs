//! How a command tells an outcome: a headline and fields for people, or one JSON object for
//! programs. Both come from the same fields, so that neither knows more.

use std::{
    fmt,
    io::{self, Write},
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Args;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::Trouble;
use crate::rpc::proto::Reason;

/// Column at which the values begin: the longest name and two spaces.
const NAME_COLUMNS: usize = 24;

/// For people or for programs.
#[derive(Args)]
pub(super) struct Form {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Form {
    pub(super) fn is_json(&self) -> bool {
        self.json
    }
}

/// Fields in the order in which they are told.
pub(super) struct Report(Vec<(String, Value)>);

impl Report {
    /// An outcome by its name in the contract, without the prefix that protobuf makes it carry.
    pub(super) fn new(outcome: &str) -> Self {
        Self(vec![("outcome".to_owned(), outcome.into())])
    }

    /// A further field.
    pub(super) fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// Writes it to standard output.
    pub(super) fn print(&self, form: &Form) -> Result<(), Trouble> {
        let text = if form.json {
            let json = serde_json::to_string(self);
            json.map_err(|error| Trouble::Failure(format!("JSON: {error}")))? + "\n"
        } else {
            self.to_string()
        };
        Ok(io::stdout().lock().write_all(text.as_bytes())?)
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// A field a line. People see only fields that say something.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            let value = in_words(value);
            if !value.is_empty() {
                writeln!(f, "{name:<NAME_COLUMNS$}{value}")?;
            }
        }
        Ok(())
    }
}

fn in_words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => harmless(text),
        Value::Array(values) => values.iter().map(in_words).collect::<Vec<_>>().join(", "),
        Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// A peer's text cannot move the cursor or recolour the terminal.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A reason by its name, or nothing.
pub(super) fn reason(reason: Reason) -> Value {
    match reason {
        Reason::Unspecified => Value::Null,
        reason => bare(reason.as_str_name(), "REASON_").into(),
    }
}

/// A name of the contract without the prefix that protobuf makes it carry.
pub(super) fn bare<'a>(name: &'a str, prefix: &str) -> &'a str {
    name.strip_prefix(prefix).unwrap_or(name)
}

/// The text, or nothing where the contract says nothing by an empty one.
pub(super) fn some(text: String) -> Value {
    match text.as_str() {
        "" => Value::Null,
        _ => text.into(),
    }
}

/// An id for a caller that gave none: the time in milliseconds, and 64 bits of chance.
pub(super) fn made_up_id() -> String {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    // A clock before 1970 leaves it to chance alone.
    let millis = since_epoch.map_or(0, |duration| duration.as_millis());
    format!("cli-{millis}-{:016x}", fastrand::u64(..))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report::new("NOT_SENT")
            .with("reason", reason(Reason::NoLink))
            .with("retry_is_safe", true)
            .with("smsc", some(String::new()))
            .with("message_ids", vec!["a\u{1b}[31m", "b"])
    }

    #[test]
    fn people_see_what_says_something_and_no_control_characters() {
        assert_eq!(
            report().to_string(),
            "outcome                 NOT_SENT\n\
             reason                  NO_LINK\n\
             retry_is_safe           yes\n\
             message_ids             a\\u{1b}[31m, b\n"
        );
    }

    #[test]
    fn programs_get_every_field_in_the_same_order() {
        assert_eq!(
            serde_json::to_string(&report()).unwrap(),
            r#"{"outcome":"NOT_SENT","reason":"NO_LINK","retry_is_safe":true,"smsc":null,"message_ids":["a\u001b[31m","b"]}"#
        );
    }

    #[test]
    fn made_up_ids_fit_the_contract_and_differ() {
        let (one, other) = (made_up_id(), made_up_id());
        assert!(one.len() <= 64 && one.is_ascii());
        assert_ne!(one, other);
    }
}
