//! What a command is given through a file or standard input, in bounded length.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use super::Trouble;

/// The name that stands for standard input.
const STDIN: &str = "-";

/// No capture, dialect or message that a person handles is longer; more is a wrong path, such as a
/// device.
const INPUT_BYTES_MAX: u64 = 16 << 20;

/// Whether standard input is meant.
pub(super) fn is_stdin(name: &str) -> bool {
    name == STDIN
}

/// The text of a file, or of standard input for `-`.
pub(super) fn read_text(path: &Path) -> Result<String, Trouble> {
    let read = if path == Path::new(STDIN) {
        read_bounded(io::stdin().lock())
    } else {
        File::open(path).and_then(read_bounded)
    };
    read.map_err(|error| Trouble::Usage(format!("{}: cannot be read: {error}", path.display())))
}

/// All of standard input.
pub(super) fn read_stdin() -> Result<String, Trouble> {
    read_text(Path::new(STDIN))
}

/// What a line holds: editors and `echo` end it with a line feed that is not meant.
pub(super) fn without_line_end(mut text: String) -> String {
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    text
}

fn read_bounded(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(INPUT_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > INPUT_BYTES_MAX {
        let what = format!("it is longer than {INPUT_BYTES_MAX} bytes");
        return Err(io::Error::other(what));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_input_is_refused_and_not_read_to_its_end() {
        let error = read_bounded(io::repeat(b'0')).unwrap_err();
        assert_eq!(error.to_string(), "it is longer than 16777216 bytes");
    }

    #[test]
    fn a_file_that_is_not_there_is_wrong_usage() {
        let trouble = read_text(Path::new("/nowhere/pan")).unwrap_err();
        assert!(matches!(trouble, Trouble::Usage(_)));
        assert!(
            trouble
                .to_string()
                .starts_with("/nowhere/pan: cannot be read: ")
        );
    }
}
