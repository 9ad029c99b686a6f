//! What a response is found by: the class of the MTI, and the elements that the bank gives back as it
//! got them. Which ones, each bank says; the STAN alone is the common use.
//!
//! The class is always part of the key because some banks want a reversal under the STAN of what it
//! reverses: a late 0210 and the 0430 then differ by class alone. Function and originator are folded
//! away, so that 0210 finds 0200, 0430 finds 0420 and 0421, and a bank that answers 0420 with 0410
//! is understood too.
//!
//! Architecture invariant: two keys are equal only if every element is. A key is the values
//! themselves at their full width, never a digest of them.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use super::mti::Class;
use super::{Message, Mti};

/// DE11, the system trace audit number.
pub(super) const DE_STAN: u8 = 11;

/// Every element at its full width.
const KEY_OCTETS_MAX: usize = 83;

/// An element that an answer can be found by: one that names the exchange and that banks echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchElement {
    /// DE7, n10: MMDDhhmmss in UTC.
    TransmissionTime,
    /// DE11, n6.
    Stan,
    /// DE12, n6: hhmmss at the terminal.
    LocalTime,
    /// DE13, n4: MMDD at the terminal.
    LocalDate,
    /// DE32, n..11: the acquiring institution.
    Acquirer,
    /// DE33, n..11: the forwarding institution.
    Forwarder,
    /// DE37, an12: the retrieval reference number.
    Rrn,
    /// DE41, ans8.
    Terminal,
    /// DE42, ans15.
    Merchant,
}

impl MatchElement {
    /// Every one, by its number.
    pub const ALL: [Self; 9] = [
        Self::TransmissionTime,
        Self::Stan,
        Self::LocalTime,
        Self::LocalDate,
        Self::Acquirer,
        Self::Forwarder,
        Self::Rrn,
        Self::Terminal,
        Self::Merchant,
    ];

    /// Its number among the data elements.
    pub const fn number(self) -> u8 {
        match self {
            Self::TransmissionTime => 7,
            Self::Stan => DE_STAN,
            Self::LocalTime => 12,
            Self::LocalDate => 13,
            Self::Acquirer => 32,
            Self::Forwarder => 33,
            Self::Rrn => 37,
            Self::Terminal => 41,
            Self::Merchant => 42,
        }
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TransmissionTime => "transmission_time",
            Self::Stan => "stan",
            Self::LocalTime => "local_time",
            Self::LocalDate => "local_date",
            Self::Acquirer => "acquirer",
            Self::Forwarder => "forwarder",
            Self::Rrn => "rrn",
            Self::Terminal => "terminal",
            Self::Merchant => "merchant",
        }
    }

    /// How long it is at most (ISO 8583:1987, table of data elements).
    const fn width(self) -> u8 {
        match self {
            Self::LocalDate => 4,
            Self::Stan | Self::LocalTime => 6,
            Self::Terminal => 8,
            Self::TransmissionTime => 10,
            Self::Acquirer | Self::Forwarder => 11,
            Self::Rrn => 12,
            Self::Merchant => 15,
        }
    }

    const fn is_text(self) -> bool {
        matches!(self, Self::Rrn | Self::Terminal | Self::Merchant)
    }

    /// Writes a value at its full width: digits with zeros before them, text with spaces behind, as
    /// dialects fill them up. `None` for what is no value of the element.
    fn put(self, value: &[u8], room: &mut [u8]) -> Option<()> {
        if self.is_text() {
            let value = value.trim_ascii_end();
            if value.is_empty() {
                return None;
            }
            room.fill(b' ');
            room.get_mut(..value.len())?.copy_from_slice(value);
            return Some(());
        }
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let start = room.len().checked_sub(value.len())?;
        room.fill(b'0');
        room.get_mut(start..)?.copy_from_slice(value);
        Some(())
    }
}

/// Its number and what it is called, such as `DE41 (terminal)`.
impl fmt::Display for MatchElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DE{} ({})", self.number(), self.as_str())
    }
}

/// What a bank's answers are found by, besides their class: at least one element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchElements(Box<[MatchElement]>);

/// The STAN alone.
impl Default for MatchElements {
    fn default() -> Self {
        Self([MatchElement::Stan].into())
    }
}

/// Such as `stan, terminal`.
impl fmt::Display for MatchElements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, element) in self.0.iter().enumerate() {
            let before = if place > 0 { ", " } else { "" };
            write!(f, "{before}{}", element.as_str())?;
        }
        Ok(())
    }
}

impl MatchElements {
    /// These, in whatever order and each once; `None` if there is none.
    pub fn new(elements: impl IntoIterator<Item = MatchElement>) -> Option<Self> {
        let mut elements: Vec<MatchElement> = elements.into_iter().collect();
        elements.sort_unstable();
        elements.dedup();
        (!elements.is_empty()).then(|| Self(elements.into()))
    }

    /// Whether an element is one of them.
    pub fn contains(&self, element: MatchElement) -> bool {
        self.0.contains(&element)
    }

    /// The key of a message, the same for a request, its repeats and its response.
    ///
    /// # Errors
    /// [`Unmatchable`] with the first element that is missing, blank, or none of its kind.
    pub fn key_of(&self, message: &Message) -> Result<MatchKey, Unmatchable> {
        let mti = message.mti();
        let mut key = MatchKey {
            class: mti.class,
            length: 0,
            octets: [0; KEY_OCTETS_MAX],
        };
        let mut rest = key.octets.as_mut_slice();
        for &element in &self.0 {
            let unmatchable = Unmatchable { mti, element };
            // There is room for every element at its full width.
            let (room, after) = rest
                .split_at_mut_checked(element.width().into())
                .ok_or(unmatchable)?;
            let value = message.get(element.number());
            value
                .and_then(|value| element.put(value, room))
                .ok_or(unmatchable)?;
            key.length += element.width();
            rest = after;
        }
        Ok(key)
    }
}

/// A message that lacks an element of its bank's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {mti} has no {element} to match it by, or none of the right kind")]
pub struct Unmatchable {
    /// What kind of message it was.
    pub mti: Mti,
    /// What it lacks.
    pub element: MatchElement,
}

/// The key of an exchange in flight with one bank, made by its [`MatchElements`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MatchKey {
    class: Class,
    /// How many of the octets there are; the others are zeros.
    length: u8,
    octets: [u8; KEY_OCTETS_MAX],
}

impl MatchKey {
    /// Which kind of exchange it is.
    pub const fn class(self) -> Class {
        self.class
    }

    fn octets(&self) -> &[u8] {
        let length = usize::from(self.length);
        self.octets.get(..length).unwrap_or_default()
    }
}

/// Over what there is of it: the key of a STAN costs as much as a STAN.
impl Hash for MatchKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.class.hash(state);
        state.write(self.octets());
    }
}

impl fmt::Debug for MatchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.class, self.octets().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(mti: &str, elements: &[(u8, &str)]) -> Message {
        let mut message = Message::new(mti.parse().unwrap());
        for (number, value) in elements {
            message.set(*number, *value);
        }
        message
    }

    fn key(mti: &str, stan: &str) -> Result<MatchKey, Unmatchable> {
        MatchElements::default().key_of(&message(mti, &[(11, stan)]))
    }

    fn by(elements: &[MatchElement]) -> MatchElements {
        MatchElements::new(elements.iter().copied()).unwrap()
    }

    #[test]
    fn a_response_and_a_repeat_have_the_key_of_the_original() {
        for [request, other] in [
            ["0200", "0210"],
            ["0200", "0201"],
            ["0220", "0230"],
            ["0221", "0230"],
            ["0420", "0421"],
            ["0421", "0430"],
            ["0400", "0410"],
            ["0420", "0410"],
        ] {
            assert_eq!(
                key(request, "000124").unwrap(),
                key(other, "000124").unwrap()
            );
        }
    }

    #[test]
    fn a_reversal_under_the_same_stan_has_another_key() {
        assert_ne!(key("0430", "000124"), key("0210", "000124"));
        assert_ne!(key("0210", "000124"), key("0210", "000125"));
    }

    #[test]
    fn a_key_of_more_elements_differs_if_one_of_them_does() {
        let elements = by(&[MatchElement::Stan, MatchElement::Terminal]);
        let of = |stan, terminal| {
            let message = message("0200", &[(11, stan), (41, terminal)]);
            elements.key_of(&message).unwrap()
        };
        assert_eq!(of("000124", "T1"), of("000124", "T1"));
        assert_ne!(of("000124", "T1"), of("000124", "T2"));
        assert_ne!(of("000124", "T1"), of("000125", "T1"));
    }

    #[test]
    fn what_a_bank_fills_up_is_the_same_value() {
        let elements = by(&[MatchElement::Terminal, MatchElement::Acquirer]);
        let sent = message("0200", &[(32, "970499"), (41, "T1")]);
        let echoed = message("0210", &[(32, "00000970499"), (41, "T1      ")]);
        assert_eq!(elements.key_of(&sent), elements.key_of(&echoed));
    }

    #[test]
    fn all_elements_together_fit_a_key() {
        let values = [
            (7, "0921073244"),
            (11, "000124"),
            (12, "143244"),
            (13, "0921"),
            (32, "97049912345"),
            (33, "97049912345"),
            (37, "226514000124"),
            (41, "T0000001"),
            (42, "VNMART000000001"),
        ];
        let elements = by(&MatchElement::ALL);
        let whole = elements.key_of(&message("0200", &values)).unwrap();
        assert_eq!(whole.octets().len(), KEY_OCTETS_MAX);
        for (left_out, _) in values {
            let others = values.into_iter().filter(|(number, _)| *number != left_out);
            let lacking = message("0210", &others.collect::<Vec<_>>());
            let error = elements.key_of(&lacking).unwrap_err();
            assert_eq!(error.element.number(), left_out);
        }
    }

    #[test]
    fn a_message_without_a_sound_element_has_no_key_and_says_which() {
        let mti = Mti::FINANCIAL_RESPONSE;
        let element = MatchElement::Stan;
        let unmatchable = Err(Unmatchable { mti, element });
        for wrong in ["12a456", "1234567", "+12345", ""] {
            assert_eq!(key("0210", wrong), unmatchable, "{wrong:?}");
        }
        let elements = by(&[MatchElement::Terminal]);
        let blank = message("0210", &[(11, "000124"), (41, "        ")]);
        let error = elements.key_of(&blank).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the 0210 has no DE41 (terminal) to match it by, or none of the right kind"
        );
    }

    #[test]
    fn there_is_no_key_of_nothing() {
        assert_eq!(MatchElements::new([]), None);
    }
}
