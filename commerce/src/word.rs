//! The short words that name things in the books: who, which sale, which card type.
//!
//! A word is checked once, where it comes in. None can hold a blank, a quotation mark or a slash, so
//! it may stand in an account's name, a URL or a log line as it is.

use std::{fmt, str::FromStr};

/// Why a text is not such a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not 1 to {length_max} characters of {characters}")]
pub struct WordFault {
    characters: &'static str,
    length_max: usize,
}

/// Declares a word: its characters, in words and as a rule, and its greatest length.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $length_max:literal, $characters:literal, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The most characters that it has.
            pub const LENGTH_MAX: usize = $length_max;

            /// Its text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = WordFault;

            fn from_str(text: &str) -> Result<Self, WordFault> {
                let rule: fn(u8) -> bool = $rule;
                if (1..=Self::LENGTH_MAX).contains(&text.len()) && text.bytes().all(rule) {
                    return Ok(Self(text.to_owned()));
                }
                Err(WordFault { characters: $characters, length_max: Self::LENGTH_MAX })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

word! {
    /// Who or what an account belongs to: a customer, an agent, a bank, a purchase.
    Id, 64, "letters, digits, '.', '_' and '-'",
    |byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

word! {
    /// What an entry is known by, chosen by whoever makes it; one reference is one entry.
    Reference, 128, "letters, digits, '.', '_', '-' and ':'",
    |byte| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte)
}

word! {
    /// A kind of card, as `MOBI100`; it never changes.
    CardTypeId, 20, "capital letters and digits",
    |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_its_own_characters_and_length_and_no_others() {
        for text in ["a", "84912345678", "A.b_c-d", &"x".repeat(64)] {
            assert_eq!(text.parse::<Id>().unwrap().as_str(), text);
        }
        for text in ["", "a b", "a:b", "a/b", "a'b", "ă", &"x".repeat(65)] {
            assert!(text.parse::<Id>().is_err(), "{text}");
        }
        assert!("sale:7:posted".parse::<Reference>().is_ok());
        assert!("MOBI100".parse::<CardTypeId>().is_ok());
        assert!("mobi100".parse::<CardTypeId>().is_err());
        let why = "".parse::<CardTypeId>().unwrap_err().to_string();
        assert_eq!(
            why,
            "is not 1 to 20 characters of capital letters and digits"
        );
    }
}
