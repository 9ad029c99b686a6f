//! Messages that asked for receipts and were told UNKNOWN because their SMSC had not answered in time:
//! what is needed of them for the receipts to find them, should it answer after all.
//!
//! It must never touch the outcome, which stands, and keeps neither text nor sender of a message.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use crate::{
    client::ClientName, link::LATE_FOR, receipts::Expected, recent::Recent, smpp::COctetString,
};

/// Messages that are remembered; the oldest is forgotten for a new one. Each takes some 250 bytes, and
/// an SMSC that is silent with a thousand requests in flight leaves half as many behind in [`LATE_FOR`].
pub(super) const UNANSWERED_MAX: usize = 50_000;

/// A message of which parts were not answered.
pub(super) struct Unanswered {
    /// Who asked.
    pub(super) client: ClientName,
    /// The caller's id.
    pub(super) id: Arc<str>,
    /// The number that it went to.
    pub(super) destination: COctetString<21>,
    /// The ids that the SMSC has given, by part; empty for each of the others.
    pub(super) message_ids: Vec<Bytes>,
}

impl Unanswered {
    /// As its receipts are expected.
    pub(super) fn expected(&self) -> Expected<'_> {
        Expected {
            client: &self.client,
            id: &self.id,
            destination: self.destination.as_bytes(),
            message_ids: &self.message_ids,
        }
    }
}

/// All of them, by the generations of their flights.
pub(super) struct LateAnswers(Recent<u32, Unanswered>);

impl Default for LateAnswers {
    fn default() -> Self {
        Self(Recent::new(UNANSWERED_MAX, LATE_FOR))
    }
}

impl LateAnswers {
    pub(super) fn remember(&mut self, now: Instant, generation: u32, message: Unanswered) {
        self.0.insert(now, generation, message);
    }

    /// The SMSC has given the id of a part. Gives the message with all ids that are known by now; `None`
    /// if it is none that is remembered, or the part has an id already.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        generation: u32,
        part: usize,
        id: Bytes,
    ) -> Option<&Unanswered> {
        let message = self.0.get_mut(now, generation)?;
        let place = message.message_ids.get_mut(part)?;
        if !place.is_empty() {
            return None;
        }
        *place = id;
        Some(message)
    }

    pub(super) fn expire(&mut self, now: Instant) {
        self.0.expire(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unanswered(message_ids: &[&'static str]) -> Unanswered {
        Unanswered {
            client: ClientName::parse("shop").unwrap(),
            id: "order-1".into(),
            destination: "84901234567".parse().unwrap(),
            message_ids: message_ids.iter().map(|id| Bytes::from(*id)).collect(),
        }
    }

    #[test]
    fn each_part_gets_its_id_once_and_every_later_one_sees_it() {
        let (mut late, now) = (LateAnswers::default(), Instant::now());
        late.remember(now, 7, unanswered(&["a", "", ""]));
        let mut ids = |generation, part, id: &'static str| {
            let found = late.answered(now, generation, part, id.into());
            found.map(|own| own.message_ids.clone())
        };
        assert_eq!(ids(7, 2, "c").unwrap(), ["a", "", "c"]);
        assert_eq!(ids(7, 1, "b").unwrap(), ["a", "b", "c"]);
        assert_eq!(ids(7, 0, "x"), None, "it had one");
        assert_eq!(ids(7, 3, "x"), None, "there is no such part");
        assert_eq!(ids(8, 0, "x"), None, "it is another message");
    }

    #[test]
    fn a_message_is_forgotten_when_the_links_have_forgotten_it() {
        let (mut late, now) = (LateAnswers::default(), Instant::now());
        late.remember(now, 7, unanswered(&[""]));
        let id = Bytes::from_static(b"a");
        assert!(late.answered(now + LATE_FOR, 7, 0, id).is_none());
    }
}
