//! The router's journal as `sampan journal export` prints it: one JSON line for each payment.

use std::{collections::HashMap, io, path::Path, process::Command};

use serde::Deserialize;

use super::{caller::request, config};

/// How far a payment is, as the journal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Its bytes may have left.
    Sending,
    /// The bank approved.
    Approved,
    /// The bank declined.
    Declined,
    /// No byte left.
    NotSent,
    /// Unanswered, and moves no money.
    Unknown,
    /// It is being taken back.
    Reversing,
    /// It was taken back.
    Reversed,
    /// A person has to look.
    ReversalFailed,
    /// A person has looked.
    Resolved,
}

impl State {
    /// Whether nothing more will happen by itself, and a debit stands or does not.
    pub(crate) fn is_settled(self) -> bool {
        matches!(
            self,
            Self::Approved | Self::Declined | Self::NotSent | Self::Reversed
        )
    }
}

/// A payment in the journal.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// How far it is.
    pub(crate) state: State,
    /// The line as it was printed; the router masks what must be masked.
    pub(crate) line: String,
}

/// Why there is no journal to read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    #[error("the journal's export cannot be run: {0}")]
    Run(#[source] io::Error),
    #[error("the journal's export failed: {0}")]
    Failed(String),
    #[error("line {line} of the journal's export: {source}")]
    Line {
        line: usize,
        source: serde_json::Error,
    },
}

/// Reads the journal of a router that has ended.
pub(crate) fn export(
    program: &Path,
    config: &Path,
) -> Result<HashMap<u32, Vec<Row>>, JournalError> {
    let output = Command::new(program)
        .args(config::JOURNAL_EXPORT)
        .arg(config)
        .output()
        .map_err(JournalError::Run)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(JournalError::Failed(said.trim().to_owned()));
    }
    read(&String::from_utf8_lossy(&output.stdout))
}

fn read(text: &str) -> Result<HashMap<u32, Vec<Row>>, JournalError> {
    /// The fields that are compared; the line has more.
    #[derive(Deserialize)]
    struct Line {
        payment_id: String,
        state: State,
    }
    let mut rows = HashMap::<u32, Vec<Row>>::new();
    for (place, line) in text.lines().enumerate() {
        let read: Line = serde_json::from_str(line).map_err(|source| JournalError::Line {
            line: place + 1,
            source,
        })?;
        // Only this run's payments are in a journal that this run has made.
        if let Some(number) = request::number(&read.payment_id) {
            let (state, line) = (read.state, line.to_owned());
            rows.entry(number).or_default().push(Row { state, line });
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_export_is_read_by_payment() {
        let text = r#"{"client":"local","payment_id":"chaos-7","bank":"vietcom","state":"reversal_failed","stan":"000001","response_code":"","reversal":{"attempts":3,"response_code":"12","stan":"000002"}}
{"client":"local","payment_id":"chaos-8","bank":"vietcom","state":"not_sent","stan":"","response_code":"","reversal":null}
"#;
        let rows = read(text).unwrap();
        assert_eq!(rows[&7][0].state, State::ReversalFailed);
        assert_eq!(rows[&8][0].state, State::NotSent);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        let text = "{\"payment_id\":\"chaos-7\",\"state\":\"sending\"}\n{\"state\":\"lost\"}\n";
        let error = read(text).unwrap_err().to_string();
        assert!(error.starts_with("line 2 "), "{error}");
    }
}
