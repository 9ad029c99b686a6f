//! What nearly all outcomes begin with (how it ended, parts, attempts, the SMSC) is one of a few dozen:
//! kept once, an octet stands for it in each outcome.
//!
//! It must never make an outcome another one: what it has no octet for stays as it is.

use std::{collections::HashMap, sync::Arc};

use super::row;
use crate::message::MessageOutcome;

/// Heads that have an octet; others stand in their outcomes. They are as many as there are SMSCs
/// times usual numbers of parts, and are never forgotten.
const HEADS_MAX: usize = 255;

/// Stands before an outcome that has its head.
const WHOLE: u8 = 255;

/// The heads.
#[derive(Default)]
pub(super) struct Heads {
    heads: Vec<Head>,
    places: HashMap<Box<[u8]>, u8>,
    /// That of the last outcome, which is nearly always that of the next one.
    last: u8,
}

struct Head {
    octets: Box<[u8]>,
    /// Lends its name, so that outcomes which are told again share it.
    smsc: Option<Arc<str>>,
}

impl Heads {
    /// A packed outcome as an octet and what is to follow it.
    pub(super) fn shorten<'a>(&mut self, outcome: &'a [u8]) -> (u8, &'a [u8]) {
        let Some((head, rest)) = row::split_head(outcome) else {
            return (WHOLE, outcome);
        };
        let last = self.heads.get(usize::from(self.last));
        if last.is_some_and(|last| *last.octets == *head) {
            return (self.last, rest);
        }
        match self.place(head) {
            Some(place) => {
                self.last = place;
                (place, rest)
            }
            None => (WHOLE, outcome),
        }
    }

    fn place(&mut self, head: &[u8]) -> Option<u8> {
        if let Some(place) = self.places.get(head) {
            return Some(*place);
        }
        let place = self.heads.len();
        if place == HEADS_MAX {
            return None;
        }
        let smsc = row::smsc_of(head).map(Arc::from);
        let octets = head.into();
        self.heads.push(Head { octets, smsc });
        self.places.insert(head.into(), place as u8);
        Some(place as u8)
    }

    /// The outcome of what [`Heads::shorten`] gave.
    pub(super) fn unpack(&self, head: u8, rest: &[u8]) -> Option<MessageOutcome> {
        if head == WHOLE {
            return row::unpack(rest, None);
        }
        let head = self.heads.get(usize::from(head))?;
        row::unpack(&[&head.octets, rest].concat(), head.smsc.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An outcome that was accepted after so many attempts, as it is packed.
    fn packed(attempts: u8, parts: u8) -> Vec<u8> {
        [&[1, parts, attempts, 7][..], b"viettel4F2A"].concat()
    }

    #[test]
    fn more_heads_than_have_octets_are_told_as_they_were() {
        let mut heads = Heads::default();
        for parts in 1..=2 {
            for attempts in 0..=255 {
                let outcome = packed(attempts, parts);
                let (head, rest) = heads.shorten(&outcome);
                assert_eq!(heads.unpack(head, rest), row::unpack(&outcome, None));
            }
        }
        assert_eq!(heads.heads.len(), HEADS_MAX);
    }

    #[test]
    fn outcomes_that_are_told_again_share_the_name_of_their_smsc() {
        let mut heads = Heads::default();
        let outcome = packed(1, 1);
        let (head, rest) = heads.shorten(&outcome);
        let [one, other] = [(); 2].map(|()| heads.unpack(head, rest).unwrap().smsc.unwrap());
        assert!(Arc::ptr_eq(&one, &other));
    }
}
