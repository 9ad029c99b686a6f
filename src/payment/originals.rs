//! The part of the desk that finds a payment by what its bank says of it: a chargeback names its
//! original by DE90 and DE37.
//!
//! It must never name a payment by chance: a STAN alone comes again within a day.

use bytes::Bytes;

use super::{PaymentKey, desk::Desk, record::Record};
use crate::iso8583::{Message, OriginalData, Stan};

/// What a bank's message says of the payment that it is about. Card data.
pub struct AboutOriginal {
    /// DE90, if it can be read.
    data: Option<OriginalData>,
    /// DE37.
    reference: Option<Bytes>,
    /// DE2.
    pan: Option<Bytes>,
}

impl AboutOriginal {
    /// What a message says of its original.
    pub fn of(message: &Message) -> Self {
        let copy = |number| message.get(number).map(Bytes::copy_from_slice);
        let data = message.get(90);
        Self {
            data: data.and_then(|digits| OriginalData::parse(digits).ok()),
            reference: copy(37),
            pan: copy(2),
        }
    }

    /// The STAN of the original: that of DE90, or the end of a DE37 as Sampan makes it.
    fn stan(&self) -> Option<Stan> {
        match &self.data {
            Some(data) => Some(data.stan),
            None => Stan::parse(self.reference.as_ref()?.get(6..)?),
        }
    }

    /// Whether a payment of that STAN is the one: sent at the very second, or under the same reference.
    fn means(&self, record: &Record) -> bool {
        let is_its_card = self
            .pan
            .as_deref()
            .is_none_or(|pan| record.request.get(2) == Some(pan));
        let is_its_time = self.data.as_ref().is_some_and(|data| {
            let sent_at = record.request.get(7);
            sent_at == Some(data.transmission().as_slice())
        });
        let is_its_reference = self.reference.as_deref() == Some(record.retrieval_reference());
        is_its_card && (is_its_time || is_its_reference)
    }
}

impl Desk {
    /// The payment that a bank's message is about, if it is kept.
    pub(super) fn find(&self, about: &AboutOriginal) -> Option<PaymentKey> {
        self.by_stan
            .of(about.stan()?)
            .filter_map(|id| self.records.get(id as usize)?.as_ref())
            .find(|record| about.means(record))
            .map(|record| record.key.clone())
    }
}
