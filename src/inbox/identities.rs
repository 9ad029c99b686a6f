//! Who is who among what banks began lately, so that a repeat makes no second event. Pure: time is
//! passed in, in milliseconds since 1970, because it has to outlive the process.
//!
//! A bank repeats until it has its answer, after a night without a link too. It must never take one
//! message for another: whoever makes an identity puts into it all that a repeat keeps.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use super::notices::Told;

/// Identities kept at most; the oldest go first. Some eight megabytes.
pub const IDENTITIES_MAX: usize = 65_536;

/// What a message of a bank and its repeats have in common, and no other message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity(pub [u8; 16]);

/// What was accepted within the window, and what is on its way to the store.
pub(super) struct Identities {
    window_ms: i64,
    /// By the key of its row.
    known: HashMap<Identity, u64>,
    rows: VecDeque<(u64, i64, Identity)>,
    /// With the repeats that came meanwhile, and wait for the same commit. Banks have a limited number
    /// of requests open, so this is limited too.
    arriving: HashMap<Identity, Vec<Told>>,
}

impl Identities {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            window_ms: i64::try_from(window.as_millis()).unwrap_or(i64::MAX),
            known: HashMap::new(),
            rows: VecDeque::new(),
            arriving: HashMap::new(),
        }
    }

    /// Whether the event of this one is durable.
    pub(super) fn knows(&self, identity: Identity) -> bool {
        self.known.contains_key(&identity)
    }

    /// Lets a repeat wait for the first one, if that is on its way to the store; gives back what tells
    /// its bank if it is not.
    pub(super) fn wait(&mut self, identity: Identity, told: Told) -> Option<Told> {
        match self.arriving.get_mut(&identity) {
            Some(waiting) => {
                waiting.push(told);
                None
            }
            None => Some(told),
        }
    }

    /// It is on its way to the store.
    pub(super) fn arrives(&mut self, identity: Identity) {
        self.arriving.insert(identity, Vec::new());
    }

    /// It is not any more. Gives the repeats that have waited for it.
    pub(super) fn arrived(&mut self, identity: Identity) -> Vec<Told> {
        self.arriving.remove(&identity).unwrap_or_default()
    }

    /// Its event is durable, and its row has this key; keys grow.
    pub(super) fn remember(&mut self, key: u64, at_ms: i64, identity: Identity) {
        self.known.insert(identity, key);
        self.rows.push_back((key, at_ms, identity));
    }

    /// Forgets what is too old or too much; gives the lowest key that stays, if any went.
    pub(super) fn expire(&mut self, now_ms: i64) -> Option<u64> {
        let mut gone = None;
        while let Some((key, at_ms, identity)) = self.rows.front().copied() {
            let is_young = now_ms.saturating_sub(at_ms) <= self.window_ms;
            if is_young && self.rows.len() <= IDENTITIES_MAX {
                break;
            }
            self.rows.pop_front();
            if self.known.get(&identity) == Some(&key) {
                self.known.remove(&identity);
            }
            gone = Some(key + 1);
        }
        gone
    }
}

/// An identity as it is stored.
pub(super) fn encode(at_ms: i64, identity: Identity) -> Vec<u8> {
    [&at_ms.to_be_bytes()[..], &identity.0].concat()
}

/// Reads one; `None` if it is none.
pub(super) fn decode(row: &[u8]) -> Option<(i64, Identity)> {
    let (at_ms, rest) = row.split_first_chunk()?;
    let identity = Identity(rest.try_into().ok()?);
    Some((i64::from_be_bytes(*at_ms), identity))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(number: u64) -> Identity {
        Identity(u128::from(number).to_be_bytes())
    }

    #[test]
    fn an_identity_is_known_for_the_window_and_no_longer() {
        let mut identities = Identities::new(Duration::from_millis(100));
        identities.remember(7, 1_000, identity(1));
        identities.remember(8, 1_050, identity(2));
        assert_eq!(identities.expire(1_100), None);
        assert_eq!(identities.expire(1_101), Some(8));
        assert!(!identities.knows(identity(1)) && identities.knows(identity(2)));
    }

    #[test]
    fn the_oldest_go_where_there_are_too_many() {
        let mut identities = Identities::new(Duration::MAX);
        for number in 0..IDENTITIES_MAX as u64 + 3 {
            identities.remember(number, 0, identity(number));
        }
        assert_eq!(identities.expire(0), Some(3));
        assert!(!identities.knows(identity(2)) && identities.knows(identity(3)));
    }

    #[test]
    fn a_row_holds_the_time_and_the_identity() {
        let row = encode(5, identity(9));
        assert_eq!(decode(&row), Some((5, identity(9))));
        assert_eq!(decode(&row[1..]), None);
    }
}
