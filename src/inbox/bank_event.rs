//! What a bank began of its own accord, as upstream services get it: a chargeback, an advice, a
//! request that nobody has to decide.
//!
//! It holds what may be kept and told, and nothing else: whoever makes one has masked the card number
//! and left out PIN, tracks, chip data and MACs.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::iso8583::Mti;

/// A message that a bank began.
#[derive(Clone, PartialEq, Eq)]
pub struct BankEvent {
    /// Its message type; that of the first sending, should this have been a repeat.
    pub mti: Mti,
    /// The elements that may be told, rising by number. DE2 has its first six and last four digits.
    pub elements: Vec<(u8, Bytes)>,
    /// The payment that it is about; `None` where none is known.
    pub payment: Option<AboutPayment>,
    /// What our books say, if it is a reconciliation.
    pub reconciliation: Option<Reconciliation>,
}

/// What came of comparing a bank's totals with ours.
#[derive(Clone, PartialEq, Eq)]
pub struct Reconciliation {
    /// DE66 of the answer: 1 in balance, 2 out of balance, 3 not to be compared.
    pub settlement_code: Bytes,
    /// Our totals, as the elements that the bank tells its own by.
    pub ours: Vec<(u8, Bytes)>,
    /// Payments of the day of which nobody knows yet what the bank has booked.
    pub open: u64,
}

/// Which payment a bank's message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AboutPayment {
    /// The upstream service.
    pub client: Arc<str>,
    /// The caller's id.
    pub payment_id: Arc<str>,
}

impl BankEvent {
    /// The value of an element.
    pub fn element(&self, number: u8) -> Option<&Bytes> {
        let own = self.elements.iter().find(|(own, _)| *own == number);
        own.map(|(_, value)| value)
    }

    /// Octets of what it carries.
    pub fn bytes(&self) -> usize {
        let of = |elements: &[(u8, Bytes)]| -> usize {
            elements.iter().map(|(_, value)| value.len() + 1).sum()
        };
        let elements =
            of(&self.elements) + self.reconciliation.as_ref().map_or(0, |own| of(&own.ours));
        let about = |about: &AboutPayment| about.client.len() + about.payment_id.len();
        elements + self.payment.as_ref().map_or(0, about)
    }
}

/// Without its elements.
impl fmt::Debug for BankEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BankEvent")
            .field("mti", &self.mti)
            .field("payment", &self.payment)
            .finish_non_exhaustive()
    }
}
