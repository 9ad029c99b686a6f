//! `sampan dialect check`: what a dialect makes of a message, told so that it can be laid beside the
//! bank's specification: every element, what Sampan needs of them, and whole messages byte by byte.

mod example;
mod needs;
mod table;

use std::fmt::{self, Write as _};

use crate::iso8583::Dialect;

/// What there is to say about a dialect.
pub(super) struct Explanation {
    pub(super) text: String,
    /// Whether every payment and every reversal can be written.
    pub(super) is_fit: bool,
}

/// Explains a dialect that could be read.
pub(super) fn explain(dialect: &Dialect) -> Explanation {
    let mut text = String::new();
    let needs = needs::needs(dialect);
    // Writing to a String fails only if a Display does, and none of these can.
    match write_all(dialect, &needs, &mut text) {
        Ok(()) | Err(fmt::Error) => {}
    }
    Explanation {
        text,
        is_fit: needs.failing.is_empty(),
    }
}

fn write_all(dialect: &Dialect, needs: &needs::Needs, text: &mut String) -> fmt::Result {
    writeln!(text, "dialect {}", dialect.name())?;
    table::write(dialect, text)?;
    needs.write(text)?;
    for message in example::messages(dialect) {
        writeln!(text)?;
        example::write(dialect, &message, text)?;
    }
    Ok(())
}
