//! Which of a bank's messages are handed up, and which are declined.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::{
    iso8583::{Mti, mti::Class},
    link::settings::AskedSettings,
};

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sorted {
    /// It becomes an event.
    HandedUp,
    /// It is compared with our books.
    Reconciled,
    /// Nobody takes it.
    Declined {
        /// Nothing of its class was declined before.
        is_first_of_class: bool,
    },
}

/// Sorts the messages of one bank.
pub(super) struct Sorter {
    settings: AskedSettings,
    /// A bit for each class of which something was declined.
    declined: AtomicU8,
}

impl Sorter {
    pub(super) fn new(settings: AskedSettings) -> Self {
        Self {
            settings,
            declined: AtomicU8::new(0),
        }
    }

    pub(super) fn sort(&self, mti: Mti) -> Sorted {
        // A notification of totals wants no answer; whoever wants it names it in hand_up.
        if mti.class == Class::Reconciliation && self.settings.reconcile && mti.response().is_some()
        {
            return Sorted::Reconciled;
        }
        let hand_up = &self.settings.hand_up;
        if hand_up.iter().any(|pattern| pattern.matches(mti)) {
            return Sorted::HandedUp;
        }
        // There are eight classes, numbered from 0.
        let bit = 1 << (mti.class as u8);
        let before = self.declined.fetch_or(bit, Relaxed);
        let is_first_of_class = before & bit == 0;
        Sorted::Declined { is_first_of_class }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::MtiPattern;

    #[test]
    fn what_is_not_handed_up_is_declined_and_the_first_of_each_class_stands_out() {
        let sorter = Sorter::new(AskedSettings {
            hand_up: vec![MtiPattern::parse("042x").unwrap()],
            elements: Vec::new(),
            reconcile: true,
            out_of_balance_code: "95".into(),
            busy_code: "96".into(),
        });
        let sort = |mti: &str| sorter.sort(mti.parse().unwrap());
        let declined = |is_first_of_class| Sorted::Declined { is_first_of_class };
        assert_eq!(sort("0422"), Sorted::HandedUp);
        assert_eq!(sort("0423"), Sorted::HandedUp);
        assert_eq!(sort("0500"), Sorted::Reconciled);
        assert_eq!(sort("0523"), Sorted::Reconciled);
        assert_eq!(sort("0540"), declined(true), "a notification");
        assert_eq!(sort("0200"), declined(true));
        assert_eq!(sort("0220"), declined(false));
        assert_eq!(sort("0600"), declined(true));
    }
}
