//! For how much a merchant may sell at once.

use crate::money::Vnd;

/// From the least to the most, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts {
    least: Vnd,
    most: Vnd,
}

/// Why these are no limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the least amount has to be more than nothing and no more than the most")]
pub struct AmountsFault;

impl Amounts {
    /// From one to the other.
    ///
    /// # Errors
    /// The least is nothing, or more than the most.
    pub fn new(least: Vnd, most: Vnd) -> Result<Self, AmountsFault> {
        let fits = least.is_positive() && least <= most;
        fits.then_some(Self { least, most }).ok_or(AmountsFault)
    }

    /// The least.
    pub fn least(self) -> Vnd {
        self.least
    }

    /// The most.
    pub fn most(self) -> Vnd {
        self.most
    }

    /// Whether an order may cost that much.
    pub fn allow(self, amount: Vnd) -> bool {
        (self.least..=self.most).contains(&amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_allowed_from_the_least_to_the_most() {
        let vnd = |dong| Vnd::new(dong).unwrap();
        let amounts = Amounts::new(vnd(1_000), vnd(5_000)).unwrap();
        let allowed = [999, 1_000, 5_000, 5_001].map(|dong| amounts.allow(vnd(dong)));
        assert_eq!(allowed, [false, true, true, false]);
        for (least, most) in [(0, 1), (-1, 1), (2, 1)] {
            assert_eq!(Amounts::new(vnd(least), vnd(most)), Err(AmountsFault));
        }
    }
}
