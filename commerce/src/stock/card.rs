//! A card as its buyer gets it.

use std::{fmt, str::FromStr};

use crate::{
    moment::Day,
    seal::PinCode,
    word::{CardTypeId, WordFault, word},
};

/// A card's serial as it is printed. Small and capital letters are the same letter.
#[derive(Clone, Debug, Eq)]
pub struct Serial {
    printed: String,
    key: String,
}

impl Serial {
    /// The most characters that it has.
    pub const LENGTH_MAX: usize = 20;

    /// As it is printed.
    pub fn printed(&self) -> &str {
        &self.printed
    }

    /// In capitals, as it is looked for.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl FromStr for Serial {
    type Err = WordFault;

    fn from_str(text: &str) -> Result<Self, WordFault> {
        let is_serial = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        if (1..=Self::LENGTH_MAX).contains(&text.len()) && text.bytes().all(is_serial) {
            return Ok(Self {
                printed: text.to_owned(),
                key: text.to_ascii_uppercase(),
            });
        }
        Err(WordFault::new(
            "letters, digits, '-' and '.'",
            Self::LENGTH_MAX,
        ))
    }
}

impl PartialEq for Serial {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.printed)
    }
}

word! {
    /// What some games want beside the PIN code.
    AccountNo, 40, "visible ASCII characters",
    |char| char.is_ascii_graphic()
}

/// A card with its PIN code in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its type.
    pub card_type: CardTypeId,
    /// Its serial.
    pub serial: Serial,
    /// Its PIN code.
    pub pin: PinCode,
    /// The last day on which it can be used.
    pub expires_on: Day,
    /// What some games want beside the PIN code.
    pub account_no: Option<AccountNo>,
}

/// How the audit log names a card.
pub fn audit_subject(card_type: &CardTypeId, serial: &Serial) -> String {
    format!("card:{card_type}:{}", serial.key())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_is_the_same_in_small_and_capital_letters() {
        let serial = |text: &str| text.parse::<Serial>();
        assert_eq!(serial("ab-1.2"), serial("AB-1.2"));
        assert_eq!(serial("ab-1.2").unwrap().to_string(), "ab-1.2");
        for text in ["", "a b", "a_b", "ă", &"1".repeat(21)] {
            assert!(serial(text).is_err(), "{text}");
        }
    }
}
