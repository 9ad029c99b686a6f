//! An entry before it is in the books: a value of this type sums to zero.

use super::Account;
use crate::{
    moment::UnixMs,
    money::{MoneyFault, Vnd},
    word::Reference,
};

/// Postings of one entry: forty cards and their fees fit twice. More would hold up other changes.
pub const ENTRY_POSTINGS_MAX: usize = 64;

/// One side of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub(super) account: Account,
    /// A debit is positive, a credit negative.
    pub(super) amount: Vnd,
}

impl Line {
    /// Adds to what we have, or takes from what we owe.
    pub fn debit(account: Account, amount: Vnd) -> Self {
        Self { account, amount }
    }

    /// Takes from what we have, or adds to what we owe.
    pub fn credit(account: Account, amount: Vnd) -> Self {
        Self {
            account,
            amount: amount.negated(),
        }
    }
}

/// Money that moves between accounts, at one time and for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(super) reference: Reference,
    pub(super) at: UnixMs,
    /// By the names of their accounts, which all entries lock in this order.
    pub(super) lines: Vec<(String, Line)>,
}

/// Why lines are no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// Money moves from one account to another.
    #[error("an entry has 2 to {ENTRY_POSTINGS_MAX} postings, not {0}")]
    Postings(usize),
    /// One account is there twice.
    #[error("an entry names account {0} twice")]
    Twice(Account),
    /// Nothing moves.
    #[error("an entry moves nothing on account {0}")]
    Nothing(Account),
    /// Debits and credits differ.
    #[error("the debits of an entry are {0} more than its credits")]
    Unbalanced(Vnd),
    /// Too much.
    #[error("the sum of an entry {0}")]
    Money(#[from] MoneyFault),
}

impl Entry {
    /// Checks the lines.
    ///
    /// # Errors
    /// They are no entry.
    pub fn new(
        reference: Reference,
        at: UnixMs,
        lines: impl IntoIterator<Item = Line>,
    ) -> Result<Self, EntryFault> {
        let named = |line: Line| (line.account.to_string(), line);
        let mut lines: Vec<_> = lines.into_iter().map(named).collect();
        lines.sort_by(|(one, _), (other, _)| one.cmp(other));
        if !(2..=ENTRY_POSTINGS_MAX).contains(&lines.len()) {
            return Err(EntryFault::Postings(lines.len()));
        }
        if let Some(pair) = lines.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(EntryFault::Twice(pair[0].1.account.clone()));
        }
        if let Some((_, line)) = lines.iter().find(|(_, line)| line.amount == Vnd::ZERO) {
            return Err(EntryFault::Nothing(line.account.clone()));
        }
        match Vnd::sum(lines.iter().map(|(_, line)| line.amount))? {
            Vnd::ZERO => Ok(Self {
                reference,
                at,
                lines,
            }),
            difference => Err(EntryFault::Unbalanced(difference)),
        }
    }

    /// What it is known by.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(lines: &[(&str, i64)]) -> Result<Entry, EntryFault> {
        let lines = lines.iter().map(|(account, dong)| Line {
            account: account.parse().unwrap(),
            amount: Vnd::new(*dong).unwrap(),
        });
        Entry::new("test".parse().unwrap(), UnixMs(0), lines)
    }

    #[test]
    fn an_entry_sums_to_zero_over_at_least_two_accounts() {
        assert!(entry(&[("bank:b:settlement", 5), ("agent:a:deposit", -5)]).is_ok());
        assert_eq!(entry(&[]), Err(EntryFault::Postings(0)));
        assert_eq!(entry(&[("fees", 0)]), Err(EntryFault::Postings(1)));
        assert_eq!(
            entry(&[("fees", 5), ("refunds", -4)]),
            Err(EntryFault::Unbalanced(Vnd::new(1).unwrap()))
        );
        assert!(matches!(
            entry(&[("fees", 5), ("fees", -5)]),
            Err(EntryFault::Twice(Account::Fees))
        ));
        assert!(matches!(
            entry(&[("fees", 0), ("refunds", 0)]),
            Err(EntryFault::Nothing(_))
        ));
    }
}
