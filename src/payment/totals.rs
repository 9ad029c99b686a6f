//! What a bank's payments of one settlement day come to, and whether the bank has come to the same.
//!
//! Made of the records whenever it is asked for, so there is no second book that could differ from
//! them. It must never call a day balanced of which it has forgotten a payment, or of which the bank
//! told nothing.
//!
//! # What counts
//! A payment belongs to the day that the bank's answer names (DE15), or its request, or to its local
//! date (DE13). One that was not answered and then taken back counts as nothing: the bank may have
//! booked both the debit and its reversal, or neither. So what is compared is what is left of debits
//! after their reversals, never the one or the other.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{desk::Desk, record::Record, state::State};
use crate::iso8583::{
    Message,
    amount::{parse_digits, zero_filled},
};

/// A month and day, DE15, four digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SettlementDay([u8; 4]);

impl SettlementDay {
    /// `MMDD`; `None` for what is no four digits.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let digits: [u8; 4] = value.try_into().ok()?;
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then_some(Self(digits))
    }
}

/// How many, and how much of the bank's currency in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub number: u64,
    /// How much.
    pub amount_minor: u64,
}

impl Sum {
    fn add(&mut self, amount_minor: u64) {
        self.number += 1;
        self.amount_minor = self.amount_minor.saturating_add(amount_minor);
    }
}

/// What the payments of one day come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Purchases and withdrawals that the bank approved: DE76 and DE88.
    pub debits: Sum,
    /// Those of them that were taken back, and how much of them: DE77 and DE89.
    pub debit_reversals: Sum,
    /// Transfers that the bank approved: DE78.
    pub transfers: u64,
    /// Those of them that were taken back: DE79.
    pub transfer_reversals: u64,
    /// Balances and mini statements: DE80.
    pub inquiries: u64,
    /// Payments that are being made or taken back, that could not be taken back, or that were settled by
    /// hand: what the bank has booked of them is not known.
    pub open: u64,
    /// A payment of this day was forgotten for want of room, so that all of this is too low.
    pub is_incomplete: bool,
}

/// Whether two books agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// DE66 1.
    In,
    /// DE66 2.
    Out,
    /// DE66 3: the bank told no totals, or a payment of the day is forgotten.
    Incomparable,
}

impl Balance {
    /// DE66, the settlement code.
    pub fn settlement_code(self) -> &'static str {
        match self {
            Self::In => "1",
            Self::Out => "2",
            Self::Incomparable => "3",
        }
    }

    /// A word, for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "in_balance",
            Self::Out => "out_of_balance",
            Self::Incomparable => "incomparable",
        }
    }
}

/// The elements that a bank tells its totals by.
const TOLD: std::ops::RangeInclusive<u8> = 74..=97;

/// Days of which the bank's totals are remembered, for whoever asks; the lowest go first. As many as a year
/// has, and some that are none.
const DAYS_MAX: usize = 400;

/// What both sides say of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayBooks {
    /// What our payments come to.
    pub ours: Totals,
    /// The elements of the bank's last reconciliation of the day; empty if none came since the start.
    pub theirs: Vec<(u8, Bytes)>,
}

impl DayBooks {
    /// Whether they agree.
    pub fn balance(&self) -> Balance {
        self.ours.compare(&self.theirs)
    }
}

/// The totals that a message tells.
pub fn told(message: &Message) -> Vec<(u8, Bytes)> {
    let totals = message.iter().filter(|(number, _)| TOLD.contains(number));
    totals
        .map(|(number, value)| (number, Bytes::copy_from_slice(value)))
        .collect()
}

/// A total and that of its reversals, as elements: what is left is compared.
struct Pair {
    whole: u8,
    reversed: u8,
    ours: i128,
}

impl Totals {
    /// As the elements of a reconciliation (ISO 8583:1987, DE74 to DE80, DE86 to DE89).
    pub fn elements(&self) -> Vec<(u8, Bytes)> {
        let number = |number: u64| Bytes::copy_from_slice(&zero_filled::<10>(number));
        let amount = |amount: u64| Bytes::copy_from_slice(&zero_filled::<16>(amount));
        vec![
            (74, number(0)),
            (75, number(0)),
            (76, number(self.debits.number)),
            (77, number(self.debit_reversals.number)),
            (78, number(self.transfers)),
            (79, number(self.transfer_reversals)),
            (80, number(self.inquiries)),
            (86, amount(0)),
            (87, amount(0)),
            (88, amount(self.debits.amount_minor)),
            (89, amount(self.debit_reversals.amount_minor)),
        ]
    }

    /// Compares what the bank tells in a reconciliation.
    fn compare(&self, theirs: &[(u8, Bytes)]) -> Balance {
        let left = |whole: u64, reversed: u64| i128::from(whole) - i128::from(reversed);
        let (debits, reversals) = (self.debits, self.debit_reversals);
        let pair = |whole, reversed, ours| Pair {
            whole,
            reversed,
            ours,
        };
        // Sampan makes no credits.
        let pairs = [
            pair(74, 75, 0),
            pair(86, 87, 0),
            pair(78, 79, left(self.transfers, self.transfer_reversals)),
            pair(76, 77, left(debits.number, reversals.number)),
            pair(88, 89, left(debits.amount_minor, reversals.amount_minor)),
        ];
        let told: Vec<_> = pairs
            .iter()
            .filter(|pair| {
                [pair.whole, pair.reversed]
                    .iter()
                    .any(|own| get(theirs, *own).is_some())
            })
            .collect();
        let says_debits = told.iter().any(|pair| [76, 88].contains(&pair.whole));
        if self.is_incomplete || !says_debits {
            return Balance::Incomparable;
        }
        match told.iter().all(|pair| pair.agrees(theirs)) {
            true => Balance::In,
            false => Balance::Out,
        }
    }
}

impl Pair {
    fn agrees(&self, theirs: &[(u8, Bytes)]) -> bool {
        let of = |number| match get(theirs, number) {
            None => Some(0),
            Some(value) => parse_digits(value).map(i128::from),
        };
        let left = of(self.whole).zip(of(self.reversed));
        left.is_some_and(|(whole, reversed)| whole - reversed == self.ours)
    }
}

fn get(elements: &[(u8, Bytes)], number: u8) -> Option<&Bytes> {
    let own = elements.iter().find(|(own, _)| *own == number);
    own.map(|(_, value)| value)
}

impl Desk {
    /// What both sides say of a day; `theirs`, if it is given, is from now on what the bank says. It looks
    /// at every record, so it is for once a day.
    pub(super) fn books(
        &mut self,
        day: SettlementDay,
        theirs: Option<Vec<(u8, Bytes)>>,
    ) -> DayBooks {
        if let Some(theirs) = theirs {
            self.theirs.insert(day, theirs);
            while self.theirs.len() > DAYS_MAX {
                self.theirs.pop_first();
            }
        }
        DayBooks {
            ours: self.totals(day),
            theirs: self.theirs.get(&day).cloned().unwrap_or_default(),
        }
    }

    fn totals(&self, day: SettlementDay) -> Totals {
        let mut totals = Totals {
            is_incomplete: self.evicted.contains(&day),
            ..Totals::default()
        };
        for record in self.records.iter().flatten() {
            if day_of(record) == Some(day) {
                self.count(record, &mut totals);
            }
        }
        totals
    }

    fn count(&self, record: &Record, totals: &mut Totals) {
        let code = record.response.code();
        let approved_codes = &self.settings.approved_codes;
        let was_approved = approved_codes.iter().any(|own| own.as_bytes() == code);
        let is_reversed = match record.state {
            State::Approved => false,
            State::Reversed if was_approved => true,
            State::Reversed | State::Declined | State::NotSent | State::Unknown => return,
            State::Journalling
            | State::Dispatched
            | State::Cancelling
            | State::Reversing
            | State::ReversalFailed
            | State::Resolved => {
                totals.open += 1;
                return;
            }
        };
        match record.request.get(3).and_then(|code| code.get(..2)) {
            Some(b"40") => {
                totals.transfers += 1;
                totals.transfer_reversals += u64::from(is_reversed);
            }
            Some(b"30" | b"35") => totals.inquiries += 1,
            _ => {
                let own_currency = self.settings.currency.digits();
                if record.request.get(49) != Some(own_currency.as_slice()) {
                    return;
                }
                let amount = record.amount.and_then(|digits| parse_digits(&digits));
                let amount = amount.unwrap_or_default();
                totals.debits.add(amount);
                if is_reversed {
                    let kept = record.actual_amount_minor.unwrap_or_default();
                    totals.debit_reversals.add(amount.saturating_sub(kept));
                }
            }
        }
    }
}

/// Days of which a payment was forgotten too early. There are 366 at most, and days come again after a
/// year, when nobody asks for the old one any more.
pub(super) type Evicted = BTreeSet<SettlementDay>;

/// The day that a payment belongs to.
pub(super) fn day_of(record: &Record) -> Option<SettlementDay> {
    let day = record
        .response
        .other(15)
        .or_else(|| record.request.get(15))
        .or_else(|| record.request.get(13))?;
    SettlementDay::parse(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals() -> Totals {
        Totals {
            debits: Sum {
                number: 3,
                amount_minor: 60_000,
            },
            debit_reversals: Sum {
                number: 1,
                amount_minor: 10_000,
            },
            ..Totals::default()
        }
    }

    fn told(elements: &[(u8, &str)]) -> Vec<(u8, Bytes)> {
        let mut message = Message::new("0500".parse().unwrap());
        message.set(15, "1122");
        for (number, value) in elements {
            message.set(*number, value);
        }
        super::told(&message)
    }

    #[test]
    fn books_agree_if_what_is_left_after_reversals_is_the_same() {
        let gross = [
            (76, "0000000004"),
            (77, "0000000002"),
            (88, "0000000000090000"),
            (89, "0000000000040000"),
        ];
        assert_eq!(totals().compare(&told(&gross)), Balance::In);
        let net = [(76, "0000000002"), (88, "0000000000050000")];
        assert_eq!(totals().compare(&told(&net)), Balance::In);
    }

    #[test]
    fn another_number_amount_or_a_credit_that_nobody_made_is_a_difference() {
        for elements in [
            [(76, "0000000003"), (88, "0000000000050000")],
            [(76, "0000000002"), (88, "0000000000050001")],
            [(76, "0000000002"), (74, "0000000001")],
            [(76, "0000000002"), (78, "0000000001")],
            [(76, "0000000002"), (88, "00000000000x0000")],
        ] {
            assert_eq!(
                totals().compare(&told(&elements)),
                Balance::Out,
                "{elements:?}"
            );
        }
    }

    #[test]
    fn without_the_banks_debits_or_with_a_forgotten_payment_nothing_is_compared() {
        assert_eq!(totals().compare(&told(&[])), Balance::Incomparable);
        let forgotten = Totals {
            is_incomplete: true,
            ..totals()
        };
        let theirs = told(&[(76, "0000000002"), (88, "0000000000050000")]);
        assert_eq!(forgotten.compare(&theirs), Balance::Incomparable);
    }

    #[test]
    fn our_totals_are_told_in_the_elements_of_the_standard() {
        let elements = totals().elements();
        let of = |number| {
            elements
                .iter()
                .find(|own| own.0 == number)
                .unwrap()
                .1
                .clone()
        };
        assert_eq!((of(76), of(77)), ("0000000003".into(), "0000000001".into()));
        assert_eq!(of(88), "0000000000060000");
        assert_eq!(of(89), "0000000000010000");
    }
}
