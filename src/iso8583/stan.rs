//! The system trace audit number, DE11: what a response is matched to its request by.

use std::fmt;

/// A STAN, 0 to 999,999. Who gives them out decides on their uniqueness; see [`Stans`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stan(u32);

/// A source of STANs. It lies outside the session: a bank sees one sequence over all its links.
pub trait Stans {
    /// The next STAN, one that no exchange in flight with this bank holds.
    fn next_stan(&mut self) -> Stan;
}

impl Stan {
    /// The greatest STAN, six nines.
    pub const MAX: Self = Self(999_999);

    /// `None` above 999,999.
    pub const fn new(number: u32) -> Option<Self> {
        if number <= Self::MAX.0 {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Reads the six digits of DE11. `None` for anything else.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let digits: &[u8; 6] = value.try_into().ok()?;
        let mut number = 0;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            number = number * 10 + u32::from(digit - b'0');
        }
        Some(Self(number))
    }

    /// The number, 0 to 999,999.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The six digits of DE11.
    pub fn digits(self) -> [u8; 6] {
        super::amount::zero_filled(u64::from(self.0))
    }
}

impl fmt::Display for Stan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

impl fmt::Debug for Stan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stan({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stan_is_six_digits_and_nothing_else() {
        assert_eq!(Stan::parse(b"000124").unwrap().get(), 124);
        assert_eq!(Stan::new(124).unwrap().digits(), *b"000124");
        assert_eq!(Stan::MAX.digits(), *b"999999");
        assert_eq!(Stan::new(1_000_000), None);
        for wrong in [&b"00124"[..], b"0000124", b"+00124", b" 00124", b""] {
            assert_eq!(Stan::parse(wrong), None);
        }
    }
}
