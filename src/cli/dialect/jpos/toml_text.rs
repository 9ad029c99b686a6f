//! Texts of another file, written into a TOML file.

/// A basic string in its quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => quoted.push(' '),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// A comment: a line that begins with `# `, in lines of readable length.
pub(super) fn comment(text: &str) -> String {
    const WIDTH: usize = 98;
    let mut lines = vec!["#".to_owned()];
    for word in text.split(|character: char| character.is_whitespace() || character.is_control()) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("# {word}")),
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_another_file_cannot_leave_its_quotes() {
        assert_eq!(quoted("a\" = 1 \\ \n\u{7f}é"), "\"a\\\" = 1 \\\\   é\"");
    }

    #[test]
    fn a_comment_stays_a_comment() {
        assert_eq!(comment("a\nb = 1\u{7f}x"), "# a b = 1 x\n");
        let long = comment(&"word ".repeat(50));
        assert!(long.lines().count() > 2 && long.lines().all(|line| line.starts_with('#')));
    }
}
