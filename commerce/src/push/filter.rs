//! Which messages a partner gets.

use std::{fmt, str::FromStr};

use super::Mo;
use crate::word::word;

/// Why a text is no keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterFault {
    /// It is no single word.
    #[error("a keyword is one word of at most {} characters", Keyword::LENGTH_MAX)]
    Keyword,
}

word! {
    /// The number that subscribers write to, as `8049`.
    ServiceNumber, 21, "letters, digits and '+'",
    |char| char.is_ascii_alphanumeric() || char == '+'
}

word! {
    /// How a subscriber's number begins, country code first, as `8490`.
    Prefix, 15, "digits",
    |char| char.is_ascii_digit()
}

/// The first word of a message, in any letters' case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyword(String);

impl Keyword {
    /// The most characters.
    pub const LENGTH_MAX: usize = 32;

    /// In lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Keyword {
    type Err = FilterFault;

    fn from_str(text: &str) -> Result<Self, FilterFault> {
        let text = text.trim();
        let is_word = !text.is_empty() && !text.contains(char::is_whitespace);
        if !is_word || text.chars().count() > Self::LENGTH_MAX {
            return Err(FilterFault::Keyword);
        }
        Ok(Self(text.to_lowercase()))
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What must fit for a message to be a partner's. What is not given fits every message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The number that it was sent to.
    pub number: Option<ServiceNumber>,
    /// Its first word.
    pub keyword: Option<Keyword>,
    /// How the subscriber's number begins.
    pub prefix: Option<Prefix>,
}

impl Filter {
    /// Whether a message is this partner's.
    pub(super) fn fits(&self, mo: &Mo<'_>) -> bool {
        let number = self.number.as_ref().is_none_or(|own| own.as_str() == mo.to);
        let first_word = || mo.text.split_whitespace().next().unwrap_or_default();
        let is_keyword = |own: &Keyword| first_word().to_lowercase() == own.0;
        let begins = |own: &Prefix| mo.from.as_str().starts_with(own.as_str());
        number
            && self.prefix.as_ref().is_none_or(begins)
            && self.keyword.as_ref().is_none_or(is_keyword)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::UnixMs;

    fn fits(filter: &Filter, to: &str, text: &str) -> bool {
        filter.fits(&Mo {
            guid: &"g".parse().unwrap(),
            from: &"84912345678".parse().unwrap(),
            to,
            text,
            received_at: UnixMs(0),
        })
    }

    #[test]
    fn all_that_a_filter_names_must_fit() {
        let filter = Filter {
            number: Some("8049".parse().unwrap()),
            keyword: Some("đặt".parse().unwrap()),
            prefix: Some("8491".parse().unwrap()),
        };
        assert!(fits(&filter, "8049", "  ĐẶT hàng"));
        assert!(!fits(&filter, "8050", "ĐẶT hàng"));
        assert!(!fits(&filter, "8049", "ĐẶTHÀNG"));
        assert!(!fits(&filter, "8049", ""));
        let viettel = Filter {
            prefix: Some("8497".parse().unwrap()),
            ..filter
        };
        assert!(!fits(&viettel, "8049", "ĐẶT hàng"));
        assert!(fits(&Filter::default(), "", ""));
    }

    #[test]
    fn a_keyword_is_one_word() {
        assert_eq!(" MUA ".parse::<Keyword>().unwrap().as_str(), "mua");
        for text in ["", "  ", "MUA THE", &"x".repeat(33)] {
            assert_eq!(text.parse::<Keyword>(), Err(FilterFault::Keyword), "{text}");
        }
    }
}
