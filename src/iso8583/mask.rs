//! The values of elements as they may be shown: in logs, traces, errors and `sampan decode`.
//!
//! What is not known to be harmless is hidden: private and reserved elements carry card codes,
//! one-time passwords and keys in many a bank's dialect. PCI DSS 3.4 lets at most the first six and
//! the last four digits of a card number be seen.

use std::fmt;

/// How much of an element may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disclosure {
    /// All of it.
    Clear,
    /// The first six and last four characters, of 13 or more; the last four of 8 or more.
    Card,
    /// The last four characters, of 8 or more.
    Tail,
    /// Only how long it is.
    Hidden,
}

/// How much of an element may be seen, by its number.
pub fn disclosure(number: u8) -> Disclosure {
    match number {
        2 => Disclosure::Card,
        // Extended account number, and the accounts of a transfer.
        34 | 102 | 103 => Disclosure::Tail,
        // Expiry, tracks, PIN and its security data, private data, chip data, MACs.
        14 | 35 | 36 | 45..=48 | 52 | 53 | 55..=64 => Disclosure::Hidden,
        3..=33 | 37..=44 | 49..=51 | 54 => Disclosure::Clear,
        66..=95 | 97..=101 => Disclosure::Clear,
        _ => Disclosure::Hidden,
    }
}

/// The value of an element as it may be shown.
pub fn masked(number: u8, value: &[u8]) -> Masked<'_> {
    Masked { number, value }
}

/// The value of an element as it may be shown, by [`masked`].
#[derive(Clone, Copy)]
pub struct Masked<'a> {
    number: u8,
    value: &'a [u8],
}

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (head, tail) = match (disclosure(self.number), self.value.len()) {
            (Disclosure::Clear, _) => return write!(f, "{}", self.value.escape_ascii()),
            (Disclosure::Card, 13..) => (6, 4),
            (Disclosure::Card | Disclosure::Tail, 8..) => (0, 4),
            (_, length) => return write!(f, "<hidden, {length} bytes>"),
        };
        let hidden = self.value.len() - head - tail;
        let head = self.value.get(..head).unwrap_or_default();
        let tail = self
            .value
            .get(self.value.len() - tail..)
            .unwrap_or_default();
        write!(f, "{}", head.escape_ascii())?;
        write!(f, "{:*<hidden$}{}", "", tail.escape_ascii())
    }
}

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(number: u8, value: &str) -> String {
        masked(number, value.as_bytes()).to_string()
    }

    #[test]
    fn a_card_number_shows_at_most_the_first_six_and_the_last_four() {
        assert_eq!(shown(2, "9704361234561234"), "970436******1234");
        assert_eq!(shown(2, "9704361234561"), "970436***4561");
        assert_eq!(shown(2, "970436123456"), "********3456");
        assert_eq!(shown(2, "1234567"), "<hidden, 7 bytes>");
    }

    #[test]
    fn accounts_show_their_last_four() {
        for number in [34, 102, 103] {
            assert_eq!(shown(number, "0011001234567"), "*********4567");
        }
    }

    #[test]
    fn tracks_pins_macs_and_private_data_show_their_length_only() {
        for number in [
            14, 35, 36, 45, 48, 52, 53, 55, 62, 64, 96, 120, 126, 127, 128,
        ] {
            assert_eq!(shown(number, "12345678"), "<hidden, 8 bytes>", "{number}");
        }
    }

    #[test]
    fn harmless_elements_are_clear_with_control_bytes_escaped() {
        assert_eq!(shown(39, "00"), "00");
        assert_eq!(shown(43, "a\nb\u{1b}"), "a\\nb\\x1b");
    }

    #[test]
    fn a_number_that_is_no_element_is_hidden() {
        assert!(
            [0, 1, 65, 129, 255]
                .iter()
                .all(|n| disclosure(*n) == Disclosure::Hidden)
        );
    }
}
