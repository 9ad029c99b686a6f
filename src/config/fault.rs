//! What is wrong with a configuration file, and where.
//!
//! A fault never repeats a secret, and never repeats more than a few characters of anything else.

use std::{
    error::Error,
    fmt,
    path::{Path, PathBuf},
};

/// A place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Position {
    /// The file as a whole, such as one that cannot be read.
    File,
    /// A line, counted from 1.
    Line(usize),
    /// A line and a character in it, both counted from 1. Only syntax errors are that exact.
    Column(usize, usize),
}

impl Position {
    fn line(self) -> usize {
        match self {
            Self::File => 0,
            Self::Line(line) | Self::Column(line, _) => line,
        }
    }
}

/// One thing that is wrong, or in a warning doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where in the file.
    pub position: Position,
    /// The key, such as `smsc[1].window`; entries are counted from 0. Empty if it is no key's fault.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it, where that can be said.
    pub hint: Option<String>,
}

impl Fault {
    /// Sorts by line; several faults of one line stay in the order in which they were found.
    pub(super) fn sort(faults: &mut [Self]) {
        faults.sort_by_key(|fault| fault.position.line());
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with one file, in the order of its lines. At least one fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    file: PathBuf,
    faults: Vec<Fault>,
}

impl Faults {
    /// The name that stands for a text which came from no file.
    const NO_FILE: &str = "configuration";

    /// The content of a text that has no faults, or else all of them.
    pub(super) fn judge<T>(content: Option<T>, mut faults: Vec<Fault>) -> Result<T, Self> {
        match content {
            Some(content) if faults.is_empty() => return Ok(content),
            // Each reader promises not to do this.
            None if faults.is_empty() => faults.push(Fault {
                position: Position::File,
                key: String::new(),
                what: "cannot be used, though no fault was found: an error of Sampan".into(),
                hint: None,
            }),
            Some(_) | None => Fault::sort(&mut faults),
        }
        Err(Self {
            file: Self::NO_FILE.into(),
            faults,
        })
    }

    /// A file that could not even be read.
    pub(super) fn unreadable(file: &Path, what: String) -> Self {
        Self {
            file: file.into(),
            faults: vec![Fault {
                position: Position::File,
                key: String::new(),
                what,
                hint: None,
            }],
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

impl fmt::Display for Faults {
    /// One line for each fault, without a line feed after the last one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}{fault}", Prefix(&self.file, fault.position))?;
        }
        Ok(())
    }
}

impl Error for Faults {}

/// `config/demo.toml:17: `, as compilers write it, so that editors jump to the place.
pub(super) struct Prefix<'a>(pub(super) &'a Path, pub(super) Position);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.0.display();
        match self.1 {
            Position::File => write!(f, "{file}: "),
            Position::Line(line) => write!(f, "{file}:{line}: "),
            Position::Column(line, column) => write!(f, "{file}:{line}:{column}: "),
        }
    }
}
