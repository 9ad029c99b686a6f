//! A subscriber's number.

use std::{fmt, str::FromStr};

/// The country whose numbers may be written with a leading 0.
const HOME: &str = "84";

/// Why a text is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no phone number: wanted are 8 to 15 digits with the country's code, or a leading 0")]
pub struct PhoneFault;

/// A number as the networks carry it: 8 to 15 digits, country code first (ITU-T E.164).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(String);

impl Phone {
    /// The digits, such as `84912345678`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What may be shown to others and logged: the first four digits and the last three.
    pub fn masked(&self) -> String {
        let (first, rest) = self.0.split_at(4);
        format!("{first}…{}", &rest[rest.len() - 3..])
    }
}

/// Takes `84912345678`, `+84912345678` and `0912345678`, with blanks, dots or hyphens between.
impl FromStr for Phone {
    type Err = PhoneFault;

    fn from_str(text: &str) -> Result<Self, PhoneFault> {
        let written = text.trim();
        let digits: String = written
            .strip_prefix('+')
            .unwrap_or(written)
            .chars()
            .filter(|char| !" .-".contains(*char))
            .collect();
        let number = match digits.strip_prefix('0') {
            Some(national) if !written.starts_with('+') => format!("{HOME}{national}"),
            _ => digits,
        };
        let is_number = (8..=15).contains(&number.len())
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && !number.starts_with('0');
        is_number.then_some(Self(number)).ok_or(PhoneFault)
    }
}

/// All of it, for the networks and those who may see it.
impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Masked, because a log is read by many.
impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        for text in [
            "84912345678",
            "+84912345678",
            "0912345678",
            " 0912 345.678 ",
            "+84 912-345-678",
        ] {
            assert_eq!(text.parse::<Phone>().unwrap().as_str(), "84912345678");
        }
        for text in [
            "",
            "0",
            "1234567",
            "+0912345678",
            "84912x45678",
            "٠٩١٢٣٤٥٦٧٨",
            "1234567890123456",
        ] {
            assert_eq!(text.parse::<Phone>(), Err(PhoneFault), "{text}");
        }
    }

    #[test]
    fn a_number_is_masked_where_it_is_shown_by_accident() {
        let phone: Phone = "84912345678".parse().unwrap();
        assert_eq!(format!("{phone:?}"), "Phone(8491…678)");
    }
}
