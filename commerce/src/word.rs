//! The short words that name things in the books: who, which sale, which card type.
//!
//! A word is checked once, where it comes in. Those of this file hold no blank, quotation mark or
//! slash, so they may stand in an account's name, a URL or a log line as they are.

/// Why a text is not such a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not 1 to {length_max} characters of {characters}")]
pub struct WordFault {
    characters: &'static str,
    length_max: usize,
}

impl WordFault {
    pub(crate) fn new(characters: &'static str, length_max: usize) -> Self {
        Self {
            characters,
            length_max,
        }
    }
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

        impl std::str::FromStr for $name {
            type Err = $crate::word::WordFault;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let rule: fn(char) -> bool = $rule;
                let length = text.chars().count();
                if (1..=Self::LENGTH_MAX).contains(&length) && text.chars().all(rule) {
                    return Ok(Self(text.to_owned()));
                }
                Err($crate::word::WordFault::new($characters, Self::LENGTH_MAX))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

pub(crate) use word;

word! {
    /// Who or what an account belongs to: a customer, an agent, a bank, a purchase.
    Id, 64, "letters, digits, '.', '_' and '-'",
    |char| char.is_ascii_alphanumeric() || "._-".contains(char)
}

word! {
    /// What an entry is known by, chosen by whoever makes it; one reference is one entry.
    Reference, 128, "letters, digits, '.', '_', '-' and ':'",
    |char| char.is_ascii_alphanumeric() || "._-:".contains(char)
}

word! {
    /// A kind of card, as `MOBI100`; it never changes.
    CardTypeId, 20, "capital letters and digits",
    |char| char.is_ascii_uppercase() || char.is_ascii_digit()
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
