//! The verdict: one printed line for each thing that was to hold.

use std::fmt;

/// Whether everything held so far.
#[derive(Default)]
pub(crate) struct Verdict {
    failed: usize,
    lines: usize,
}

impl Verdict {
    /// Prints what was to hold and whether it did.
    pub(crate) fn line(&mut self, holds: bool, what: impl fmt::Display) {
        self.lines += 1;
        self.failed += usize::from(!holds);
        println!("  {} {what}", if holds { "ok    " } else { "FAILED" });
    }

    /// Whether every line held; a verdict without lines proves nothing.
    pub(crate) fn holds(&self) -> bool {
        self.failed == 0 && self.lines > 0
    }

    /// Prints the sum.
    pub(crate) fn conclude(&self) {
        match self.failed {
            0 => println!("All {} lines hold.", self.lines),
            failed => println!("{failed} of {} lines FAILED.", self.lines),
        }
    }
}

/// A number with its digits in groups of three.
pub(crate) struct Grouped(pub(crate) u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut grouped = String::with_capacity(digits.len() * 4 / 3);
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        f.pad(&grouped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_that_fails_fails_the_whole() {
        let mut verdict = Verdict::default();
        assert!(!verdict.holds(), "nothing was proved yet");
        verdict.line(true, "a");
        assert!(verdict.holds());
        verdict.line(false, "b");
        verdict.line(true, "c");
        assert!(!verdict.holds());
    }

    #[test]
    fn digits_are_grouped_from_the_right() {
        let grouped = [0, 999, 1_000, 10_000_000].map(|n| Grouped(n).to_string());
        assert_eq!(grouped, ["0", "999", "1,000", "10,000,000"]);
    }
}
