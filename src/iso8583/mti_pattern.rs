//! Which message types somebody means: four digits, or `x` for any digit.

use std::fmt;

use super::Mti;
use super::mti::{Class, Function};

/// A pattern such as `0422`, `062x` or `06xx`. A repeat counts as what it repeats.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MtiPattern([Option<u8>; 4]);

impl MtiPattern {
    /// Reads four characters, each a digit or `x`. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let places: [u8; 4] = text.as_bytes().try_into().ok()?;
        let is_sound = |place: &u8| place.is_ascii_digit() || *place == b'x';
        let digit = |place: u8| place.is_ascii_digit().then_some(place);
        places.iter().all(is_sound).then(|| Self(places.map(digit)))
    }

    /// Whether a message is of this type.
    pub fn matches(self, mti: Mti) -> bool {
        let digits = mti.original().digits();
        self.0
            .iter()
            .zip(digits)
            .all(|(place, digit)| place.is_none_or(|place| place == digit))
    }

    /// Whether any message of that class and function is of this type.
    pub fn covers(self, class: Class, function: Function) -> bool {
        let [_, own_class, own_function, _] = self.0;
        let [_, class, function, _] = Mti::new(class, function).digits();
        own_class.is_none_or(|own| own == class) && own_function.is_none_or(|own| own == function)
    }
}

impl fmt::Display for MtiPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|place| write!(f, "{}", char::from(place.unwrap_or(b'x'))))
    }
}

impl fmt::Debug for MtiPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MtiPattern({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, mti: &str) -> bool {
        MtiPattern::parse(pattern)
            .unwrap()
            .matches(mti.parse().unwrap())
    }

    #[test]
    fn an_x_stands_for_any_digit_and_a_repeat_for_what_it_repeats() {
        assert!(matches("0422", "0422") && matches("0422", "0423"));
        assert!(!matches("0422", "0420"));
        assert!(matches("06xx", "0600") && matches("06xx", "0642"));
        assert!(!matches("062x", "0600"));
    }

    #[test]
    fn what_is_not_four_digits_or_x_is_no_pattern() {
        for text in ["", "042", "04222", "042y", "04 2"] {
            assert_eq!(MtiPattern::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_pattern_covers_a_class_and_function_if_any_such_message_matches() {
        let covers = |text, class, function| {
            let pattern = MtiPattern::parse(text).unwrap();
            pattern.covers(class, function)
        };
        assert!(covers("02xx", Class::Financial, Function::Request));
        assert!(!covers("022x", Class::Financial, Function::Request));
        assert!(covers("xx0x", Class::Authorization, Function::Request));
    }
}
