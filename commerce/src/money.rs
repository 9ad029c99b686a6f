//! Amounts in Vietnamese dong, which has no smaller coin: whole numbers, never a float.
//!
//! No sum may wrap: what does not fit is an error of its own.

use std::{fmt, str::FromStr};

/// An amount in dong, negative where something is owed the other way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vnd(i64);

/// Why something is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyFault {
    /// It is beyond [`Vnd::MAX`].
    #[error("is more than {} dong", Vnd::MAX.0)]
    TooLarge,
    /// It is no number of dong.
    #[error("is not a whole number of dong, as 9450 or 9450.00")]
    NoAmount,
}

impl Vnd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Sixty times all money in Vietnam; two of them still fit 64 bits in both databases.
    pub const MAX: Self = Self(1_000_000_000_000_000_000);

    /// That many dong.
    ///
    /// # Errors
    /// It is beyond [`Vnd::MAX`] in either direction.
    pub const fn new(dong: i64) -> Result<Self, MoneyFault> {
        if dong < -Self::MAX.0 || dong > Self::MAX.0 {
            return Err(MoneyFault::TooLarge);
        }
        Ok(Self(dong))
    }

    /// How many dong.
    pub const fn dong(self) -> i64 {
        self.0
    }

    /// Whether it is more than nothing.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// The same the other way.
    pub const fn negated(self) -> Self {
        Self(-self.0)
    }

    /// Both together.
    ///
    /// # Errors
    /// They are beyond [`Vnd::MAX`].
    pub fn plus(self, other: Self) -> Result<Self, MoneyFault> {
        // Neither is beyond MAX, so the sum fits 64 bits.
        Self::new(self.0 + other.0)
    }

    /// What is left without the other.
    ///
    /// # Errors
    /// It is beyond [`Vnd::MAX`].
    pub fn minus(self, other: Self) -> Result<Self, MoneyFault> {
        self.plus(other.negated())
    }

    /// So many times the amount.
    ///
    /// # Errors
    /// It is beyond [`Vnd::MAX`].
    pub fn times(self, count: u32) -> Result<Self, MoneyFault> {
        let product = self.0.checked_mul(i64::from(count));
        product.ok_or(MoneyFault::TooLarge).and_then(Self::new)
    }

    /// All of them together.
    ///
    /// # Errors
    /// A sum on the way is beyond [`Vnd::MAX`].
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyFault> {
        amounts.into_iter().try_fold(Self::ZERO, Self::plus)
    }
}

/// As card sellers print it, `9450.00`.
impl fmt::Display for Vnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.00", self.0)
    }
}

/// Reads `9450` and `9450.00`.
impl FromStr for Vnd {
    type Err = MoneyFault;

    fn from_str(text: &str) -> Result<Self, MoneyFault> {
        let whole = text.strip_suffix(".00").unwrap_or(text);
        let digits = whole.strip_prefix('-').unwrap_or(whole);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(MoneyFault::NoAmount);
        }
        let dong = whole.parse().map_err(|_| MoneyFault::TooLarge)?;
        Self::new(dong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_printed_with_the_two_zeros_of_its_sellers_and_read_with_or_without_them() {
        let amount = Vnd::new(9_450).unwrap();
        assert_eq!(amount.to_string(), "9450.00");
        assert_eq!("9450.00".parse(), Ok(amount));
        assert_eq!("9450".parse(), Ok(amount));
        assert_eq!("-9450.00".parse(), Ok(amount.negated()));
    }

    #[test]
    fn what_is_not_a_whole_number_of_dong_is_refused() {
        for text in [
            "", "-", ".00", "9450.50", "9450.0", "9,450", "+1", " 1", "1e3", "--1",
        ] {
            assert_eq!(text.parse::<Vnd>(), Err(MoneyFault::NoAmount), "{text}");
        }
        let text = "9".repeat(30);
        assert_eq!(text.parse::<Vnd>(), Err(MoneyFault::TooLarge));
    }

    #[test]
    fn no_sum_wraps() {
        let one = Vnd::new(1).unwrap();
        assert_eq!(Vnd::MAX.plus(one), Err(MoneyFault::TooLarge));
        assert_eq!(Vnd::MAX.negated().minus(one), Err(MoneyFault::TooLarge));
        assert_eq!(Vnd::MAX.times(2), Err(MoneyFault::TooLarge));
        assert_eq!(Vnd::MAX.times(u32::MAX), Err(MoneyFault::TooLarge));
        assert_eq!(Vnd::sum([Vnd::MAX, one.negated(), one]), Ok(Vnd::MAX));
        assert_eq!(Vnd::new(i64::MIN), Err(MoneyFault::TooLarge));
    }
}
