//! What is wrong with a file of settings, and where. A fault repeats a few characters of a value and
//! nothing of a secret.

use std::{
    error::Error,
    fmt,
    path::{Path, PathBuf},
};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, counted from 1; 0 if it is the file as a whole.
    pub line: usize,
    /// The key, such as `http.listen`; entries of lists are counted from 0. Empty if it is no key's.
    pub key: String,
    /// What is wrong, and what to do about it.
    pub what: String,
}

/// Everything that is wrong with one file, in the order of its lines. At least one fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    file: PathBuf,
    faults: Vec<Fault>,
}

impl Faults {
    /// The content of a text that has no faults, or else all of them.
    pub(super) fn judge<T>(content: Option<T>, mut faults: Vec<Fault>) -> Result<T, Self> {
        match content {
            Some(content) if faults.is_empty() => return Ok(content),
            // Each reader promises not to do this.
            None if faults.is_empty() => faults.push(Fault::of_file(
                "cannot be used, though no fault was found: an error of commerce",
            )),
            Some(_) | None => faults.sort_by_key(|fault| fault.line),
        }
        Err(Self {
            file: "configuration".into(),
            faults,
        })
    }

    /// A file that cannot even be read.
    pub(super) fn unreadable(file: &Path, why: impl fmt::Display) -> Self {
        Self {
            file: file.into(),
            faults: vec![Fault::of_file(&format!("cannot be read: {why}"))],
        }
    }

    /// Says which file it was.
    pub(super) fn of_file(mut self, file: &Path) -> Self {
        self.file = file.into();
        self
    }

    /// Each fault by itself.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter()
    }
}

impl Fault {
    fn of_file(what: &str) -> Self {
        Self {
            line: 0,
            key: String::new(),
            what: what.to_owned(),
        }
    }
}

/// One line for each fault, `FILE:LINE: KEY: WHAT`, without a line feed after the last one.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:", self.file.display())?;
            if fault.line > 0 {
                write!(f, "{}:", fault.line)?;
            }
            if !fault.key.is_empty() {
                write!(f, " {}:", fault.key)?;
            }
            write!(f, " {}", fault.what)?;
        }
        Ok(())
    }
}

impl Error for Faults {}
