//! What a bank's totals are answered: whether they are ours, and ours.
//!
//! It decides nothing about money: a difference is for an accountant.

use bytes::Bytes;

use crate::{
    inbox::Reconciliation,
    iso8583::{Message, answer, mti::Class},
    link::settings::AskedSettings,
    payment::{Balance, DayBooks, SettlementDay, Totals},
};

/// DE66, the settlement code.
const SETTLEMENT_CODE: u8 = 66;

/// The day that a reconciliation is about: DE15. `None` for every other message, and where it is told
/// none, so that nothing can be compared.
pub(super) fn day(message: &Message) -> Option<SettlementDay> {
    SettlementDay::parse(message.get(15).filter(|_| is_one(message))?)
}

/// Whether a message is a reconciliation.
pub(super) fn is_one(message: &Message) -> bool {
    message.mti().class == Class::Reconciliation
}

/// What came of comparing.
pub(super) struct Compared {
    pub(super) balance: Balance,
    ours: Totals,
}

impl From<Option<DayBooks>> for Compared {
    /// Without books there is nothing to compare.
    fn from(books: Option<DayBooks>) -> Self {
        let balance = books.as_ref().map(DayBooks::balance);
        Self {
            balance: balance.unwrap_or(Balance::Incomparable),
            ours: books.unwrap_or_default().ours,
        }
    }
}

impl Compared {
    /// For the event.
    pub(super) fn reconciliation(&self) -> Reconciliation {
        Reconciliation {
            settlement_code: Bytes::from_static(self.balance.settlement_code().as_bytes()),
            ours: self.ours.elements(),
            open: self.ours.open,
        }
    }

    /// The answer: whether they agree, and where they do not, our totals.
    pub(super) fn answer(&self, message: &Message, settings: &AskedSettings) -> Option<Message> {
        let code = match self.balance {
            Balance::In => super::ACKNOWLEDGED,
            Balance::Out | Balance::Incomparable => &settings.out_of_balance_code,
        };
        let mut answer = answer::to(message, code)?;
        answer.set(SETTLEMENT_CODE, self.balance.settlement_code());
        if self.balance == Balance::Out {
            for (number, value) in self.ours.elements() {
                answer.set(number, value);
            }
        }
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::{Sum, told_totals};

    fn settings() -> AskedSettings {
        AskedSettings {
            hand_up: Vec::new(),
            elements: Vec::new(),
            reconcile: true,
            out_of_balance_code: "95".into(),
            busy_code: "96".into(),
        }
    }

    fn told(amount: &str) -> Message {
        let mut message = Message::new("0500".parse().unwrap());
        message.set(11, "000007").set(15, "1122");
        message.set(76, "0000000001").set(88, amount);
        message
    }

    fn compared(message: &Message) -> Compared {
        let debits = Sum {
            number: 1,
            amount_minor: 10_000,
        };
        let ours = Totals {
            debits,
            ..Totals::default()
        };
        let theirs = told_totals(message);
        Compared::from(Some(DayBooks { ours, theirs }))
    }

    #[test]
    fn totals_that_agree_are_answered_00_and_in_balance() {
        let message = told("0000000000010000");
        let compared = compared(&message);
        let answer = compared.answer(&message, &settings()).unwrap();
        assert_eq!(answer.mti().to_string(), "0510");
        let of = |number| answer.text(number);
        assert_eq!((of(11), of(15)), (Some("000007"), Some("1122")));
        assert_eq!((of(39), of(66), of(88)), (Some("00"), Some("1"), None));
    }

    #[test]
    fn totals_that_differ_are_answered_with_ours() {
        let message = told("0000000000020000");
        let compared = compared(&message);
        let answer = compared.answer(&message, &settings()).unwrap();
        let of = |number| answer.text(number);
        assert_eq!((of(39), of(66)), (Some("95"), Some("2")));
        assert_eq!(of(88), Some("0000000000010000"));
    }

    #[test]
    fn a_reconciliation_without_a_day_or_a_desk_is_never_in_balance() {
        let mut message = told("0000000000010000");
        assert!(Compared::from(None).balance == Balance::Incomparable);
        message.remove(15);
        assert_eq!(day(&message), None);
    }
}
