//! What SMSCs have delivered lately, to tell a repetition from a second message of the same words.
//!
//! An SMSC whose connection died before our answer reached it sends the same again over another one,
//! perhaps before this side has noticed the death, or while the first is on its way to the disk. Over
//! the same connection, or later while the earlier one lives, it is a message of its own. Pure: time
//! is passed in, in milliseconds since 1970, because it has to outlive the process.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use ring::digest::{Context, SHA256};

use super::event::{Event, EventKind};

/// Fingerprints kept at most; the oldest go first. Some fifty megabytes.
pub const SEEN_MAX: usize = 262_144;

/// What two deliveries of the same PDU have in common.
pub(super) type Fingerprint = [u8; 16];

/// The connection that brought something; `None` is one of an earlier process.
pub(super) type Connection = Option<(Arc<str>, u64)>;

/// The fingerprint of an event: all that the SMSC told, and not the link.
pub(super) fn fingerprint(event: &Event) -> Fingerprint {
    let mut hash = Context::new(&SHA256);
    let mut add = |octets: &[u8]| {
        hash.update(&octets.len().to_be_bytes());
        hash.update(octets);
    };
    add(event.peer.as_bytes());
    add(&event.source.number);
    add(&event.destination.number);
    let tlvs = match &event.kind {
        EventKind::Message(message) => {
            add(&[0, message.esm_class, message.data_coding]);
            add(&message.user_data_header);
            add(&message.data);
            &message.tlvs[..]
        }
        EventKind::Receipt(receipt) => {
            add(&[1, receipt.message_state]);
            add(&receipt.message_id);
            add(&receipt.data);
            &receipt.tlvs
        }
        // What it is a repeat of, a bank says itself; see the identities.
        EventKind::Bank(event) => {
            add(&[2]);
            add(&event.mti.digits());
            for (number, value) in &event.elements {
                add(&[*number]);
                add(value);
            }
            &[]
        }
    };
    for (tag, value) in tlvs {
        add(&tag.to_be_bytes());
        add(value);
    }
    // A digest has 32 bytes.
    let digest = hash.finish();
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}

/// For how long the same over another connection counts as a repetition although the first one seems
/// to live: an SMSC turns to another bind at once, and nobody writes a message twice as fast.
pub(super) const DOUBT_MS: i64 = 5_000;

/// What an event is to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repetition {
    /// A message of its own.
    None,
    /// Of one that is on its way to the store, and may not get there.
    OfArriving,
    /// Of one that is durable.
    OfStored,
}

/// When and by which connection something came.
struct Last {
    key: u64,
    at_ms: i64,
    connection: Connection,
}

/// What was accepted within the window.
pub(super) struct Seen {
    window_ms: i64,
    last: HashMap<Fingerprint, Last>,
    /// What is on its way to the store, by whom; as much as the store lets wait.
    arriving: HashMap<Fingerprint, Connection>,
    /// The groups that were stored together, by their key in the store.
    groups: VecDeque<(u64, i64, Vec<Fingerprint>)>,
    /// Fingerprints in the groups; the same one may be in many.
    held: usize,
}

impl Seen {
    pub(super) fn new(window_ms: i64) -> Self {
        Self {
            window_ms,
            // At half of what it has room for, a map clears away in place what was removed; with
            // more in it, it would grow once more, some time after it was full.
            last: HashMap::with_capacity(2 * SEEN_MAX),
            arriving: HashMap::new(),
            groups: VecDeque::new(),
            held: 0,
        }
    }

    /// Whether the SMSC sends something again, over `connection`; `has_ended` tells it of another one.
    pub(super) fn repetition(
        &self,
        of: &Fingerprint,
        now_ms: i64,
        connection: &Connection,
        has_ended: impl Fn(&Connection) -> bool,
    ) -> Repetition {
        if let Some(last) = self.last.get(of)
            && last.connection != *connection
            && (now_ms - last.at_ms <= DOUBT_MS || has_ended(&last.connection))
        {
            return Repetition::OfStored;
        }
        match self.arriving.get(of) {
            Some(earlier) if earlier != connection => Repetition::OfArriving,
            Some(_) | None => Repetition::None,
        }
    }

    /// Something is on its way to the store.
    pub(super) fn arrives(&mut self, what: Fingerprint, connection: &Connection) {
        self.arriving.insert(what, connection.clone());
    }

    /// What one connection brought is not on its way to the store any more.
    pub(super) fn not_arriving(&mut self, fingerprints: &[Fingerprint], connection: &Connection) {
        for fingerprint in fingerprints {
            // Another connection's copy may still be on its way.
            if self.arriving.get(fingerprint) == Some(connection) {
                self.arriving.remove(fingerprint);
            }
        }
    }

    /// Remembers what one connection brought and is durable under `key`; keys grow.
    pub(super) fn remember(
        &mut self,
        key: u64,
        at_ms: i64,
        fingerprints: Vec<Fingerprint>,
        connection: &Connection,
    ) {
        self.not_arriving(&fingerprints, connection);
        for fingerprint in &fingerprints {
            let last = Last {
                key,
                at_ms,
                connection: connection.clone(),
            };
            self.last.insert(*fingerprint, last);
        }
        self.held += fingerprints.len();
        self.groups.push_back((key, at_ms, fingerprints));
    }

    /// Forgets what is too old or too much; gives the lowest key that stays, if any went.
    pub(super) fn expire(&mut self, now_ms: i64) -> Option<u64> {
        let mut gone = None;
        while let Some((_, at_ms, _)) = self.groups.front() {
            if now_ms.saturating_sub(*at_ms) <= self.window_ms && self.held <= SEEN_MAX {
                break;
            }
            let Some((key, _, fingerprints)) = self.groups.pop_front() else {
                break;
            };
            self.held -= fingerprints.len();
            for fingerprint in fingerprints {
                if self
                    .last
                    .get(&fingerprint)
                    .is_some_and(|last| last.key == key)
                {
                    self.last.remove(&fingerprint);
                }
            }
            gone = Some(key + 1);
        }
        gone
    }
}

/// A group as it is stored.
pub(super) fn encode(at_ms: i64, fingerprints: &[Fingerprint]) -> Vec<u8> {
    let mut row = at_ms.to_be_bytes().to_vec();
    row.extend(fingerprints.as_flattened());
    row
}

/// Reads a group; `None` if it is none.
pub(super) fn decode(row: &[u8]) -> Option<(i64, Vec<Fingerprint>)> {
    let (at_ms, rest) = row.split_first_chunk()?;
    let (fingerprints, left) = rest.as_chunks();
    left.is_empty()
        .then(|| (i64::from_be_bytes(*at_ms), fingerprints.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_memory_does_not_grow_any_more_however_much_comes() {
        let mut seen = Seen::new(i64::MAX);
        let begun_with = seen.last.capacity();
        const GROUP: u64 = 1_024;
        for key in 0..8 * SEEN_MAX as u64 / GROUP {
            let numbers = key * GROUP..(key + 1) * GROUP;
            let fingerprint = |number: u64| {
                // Spread, as digests are.
                u128::from(number)
                    .wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
                    .to_le_bytes()
            };
            seen.remember(key, 0, numbers.map(fingerprint).collect(), &None);
            seen.expire(0);
            assert!(seen.last.len() <= SEEN_MAX);
        }
        // Its room is counted without what is not cleared away yet.
        assert!(
            seen.last.capacity() <= begun_with,
            "{}",
            seen.last.capacity()
        );
    }
}
