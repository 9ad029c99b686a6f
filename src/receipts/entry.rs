//! One message whose receipts are awaited, packed: a million of them are kept in memory, and the
//! bytes are also its record in the store.
//!
//! ```text
//!  version 1 | since 4 | destination 4 | parts 1 | client length 1 | id length 1
//!  | state of each part 1 × parts | digest of each part's id 16 × parts | client | id
//! ```

use std::sync::Arc;

use super::state::{self, State};
use crate::{client::ClientName, digest::Digest};

const VERSION: u8 = 1;
const SINCE: usize = 1;
const DESTINATION: usize = 5;
const PARTS: usize = 9;
const CLIENT: usize = 10;
const ID: usize = 11;
const STATES: usize = 12;
const DIGEST: usize = 16;

/// The digest of a part without an id that could be found again.
const NO_ID: [u8; DIGEST] = [0; DIGEST];

/// The end of a number, to tell whether two are one in spite of prefixes: at most eight digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail(u32);

impl Tail {
    const DIGITS: usize = 8;
    const DIGITS_SHIFT: u32 = 27;

    /// The last digits of a number; `+`, an international prefix, and leading zeros do not count.
    pub(super) fn of(number: &[u8]) -> Self {
        let number = number.strip_prefix(b"+").unwrap_or(number);
        if number.is_empty() || !number.iter().all(u8::is_ascii_digit) {
            return Self(0);
        }
        let zeros = number.iter().take_while(|digit| **digit == b'0').count();
        let start = zeros.max(number.len().saturating_sub(Self::DIGITS));
        let digits = number.get(start..).unwrap_or_default();
        let value = digits
            .iter()
            .fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
        // Eight digits take 27 bits, and their number stands above them.
        Self((digits.len() as u32) << Self::DIGITS_SHIFT | value)
    }

    /// Whether two numbers may be one. What has no digits is compared with nothing.
    pub(super) fn may_be(self, other: Self) -> bool {
        self.0 == 0 || other.0 == 0 || self == other
    }
}

/// What is known of a message when its SMSC accepts it.
pub(super) struct Facts<'a> {
    pub(super) client: &'a ClientName,
    pub(super) id: &'a str,
    pub(super) destination: Tail,
    pub(super) since_s: u32,
    /// By part; `None` where the SMSC gave no id that could come back.
    pub(super) digests: &'a [Option<Digest>],
}

/// A message whose receipts are awaited.
pub(super) struct Entry(Box<[u8]>);

impl Entry {
    /// `None` if there are more parts, or longer names, than there can be.
    pub(super) fn new(facts: &Facts<'_>) -> Option<Self> {
        let (client, id) = (facts.client.as_str().as_bytes(), facts.id.as_bytes());
        let parts = facts.digests.len();
        let mut bytes = Vec::with_capacity(STATES + parts * (1 + DIGEST) + client.len() + id.len());
        bytes.push(VERSION);
        bytes.extend(facts.since_s.to_le_bytes());
        bytes.extend(facts.destination.0.to_le_bytes());
        for length in [parts, client.len(), id.len()] {
            bytes.push(u8::try_from(length).ok()?);
        }
        bytes.resize(STATES + parts, state::NONE);
        for digest in facts.digests {
            bytes.extend(digest.map_or(NO_ID, Digest::to_bytes));
        }
        bytes.extend(client);
        bytes.extend(id);
        Some(Self(bytes.into()))
    }

    /// A record of the store; `None` if it is none that this version wrote.
    pub(super) fn from_record(record: &[u8]) -> Option<Self> {
        let entry = Self(record.into());
        let lengths = |at: usize| record.get(at).copied().map(usize::from);
        let parts = lengths(PARTS)?;
        let whole = STATES + parts * (1 + DIGEST) + lengths(CLIENT)? + lengths(ID)?;
        let is_sound = record.first() == Some(&VERSION) && record.len() == whole && parts > 0;
        (is_sound && entry.request().is_some()).then_some(entry)
    }

    /// As it is stored.
    pub(super) fn record(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// Seconds since 1970 when it was accepted, or when its last part reached an end.
    pub(super) fn since_s(&self) -> u32 {
        self.word(SINCE)
    }

    pub(super) fn set_since_s(&mut self, since_s: u32) {
        if let Some(place) = self.0.get_mut(SINCE..DESTINATION) {
            place.copy_from_slice(&since_s.to_le_bytes());
        }
    }

    pub(super) fn destination(&self) -> Tail {
        Tail(self.word(DESTINATION))
    }

    pub(super) fn parts(&self) -> u8 {
        self.0.get(PARTS).copied().unwrap_or_default()
    }

    /// What was last told of each part.
    pub(super) fn states(&self) -> impl Iterator<Item = State> + '_ {
        let states = self.0.get(STATES..STATES + usize::from(self.parts()));
        states.unwrap_or_default().iter().copied().map(State)
    }

    pub(super) fn state(&self, part: u8) -> State {
        self.states().nth(part.into()).unwrap_or(State(state::NONE))
    }

    pub(super) fn set_state(&mut self, part: u8, state: State) {
        if part < self.parts()
            && let Some(place) = self.0.get_mut(STATES + usize::from(part))
        {
            *place = state.0;
        }
    }

    /// The digests of the parts' ids.
    pub(super) fn digests(&self) -> impl Iterator<Item = Option<Digest>> + '_ {
        let parts = usize::from(self.parts());
        let start = STATES + parts;
        let bytes = self.0.get(start..start + parts * DIGEST);
        let (digests, _) = bytes.unwrap_or_default().as_chunks::<DIGEST>();
        digests
            .iter()
            .map(|bytes| (*bytes != NO_ID).then(|| Digest::from_bytes(*bytes)))
    }

    /// The digest of a part's id, if it has one that could be found again.
    pub(super) fn digest(&self, part: u8) -> Option<Digest> {
        self.digests().nth(part.into()).flatten()
    }

    /// Gives a part that had no id the digest of one; false if it had one, or there is no such part.
    pub(super) fn complete(&mut self, part: u8, digest: Digest) -> bool {
        if part >= self.parts() {
            return false;
        }
        let start = STATES + usize::from(self.parts()) + usize::from(part) * DIGEST;
        match self.0.get_mut(start..start + DIGEST) {
            Some(place) if *place == NO_ID => {
                place.copy_from_slice(&digest.to_bytes());
                true
            }
            Some(_) | None => false,
        }
    }

    /// Whose message, and its id.
    pub(super) fn request(&self) -> Option<(ClientName, Arc<str>)> {
        let client_length = usize::from(*self.0.get(CLIENT)?);
        let names = self
            .0
            .get(STATES + usize::from(self.parts()) * (1 + DIGEST)..)?;
        let (client, id) = names.split_at_checked(client_length)?;
        let client = ClientName::parse(std::str::from_utf8(client).ok()?)?;
        Some((client, std::str::from_utf8(id).ok()?.into()))
    }

    fn word(&self, at: usize) -> u32 {
        let bytes = self.0.get(at..at + 4).unwrap_or(&[0; 4]);
        bytes
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u32::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(digests: &[Option<Digest>]) -> Entry {
        Entry::new(&Facts {
            client: &ClientName::parse("shop").unwrap(),
            id: "order-17",
            destination: Tail::of(b"84901234567"),
            since_s: 1_800_000_000,
            digests,
        })
        .unwrap()
    }

    #[test]
    fn an_entry_is_its_record() {
        let digests = [Some(Digest::from_bytes([3; 16])), None];
        let mut entry = entry(&digests);
        entry.set_state(1, State(2));
        let again = Entry::from_record(&entry.record()).unwrap();
        let (client, id) = again.request().unwrap();
        assert_eq!((client.as_str(), &*id), ("shop", "order-17"));
        assert_eq!(again.digests().collect::<Vec<_>>(), digests);
        assert_eq!(again.states().collect::<Vec<_>>(), [State(0xFF), State(2)]);
        assert_eq!(again.since_s(), 1_800_000_000);
        assert_eq!(again.destination(), Tail::of(b"84901234567"));
    }

    #[test]
    fn a_record_that_is_cut_or_of_another_version_is_no_entry() {
        let record = entry(&[Some(Digest::from_bytes([3; 16]))]).record();
        for length in 0..record.len() {
            assert!(Entry::from_record(&record[..length]).is_none(), "{length}");
        }
        let mut other = record;
        other[0] = 2;
        assert!(Entry::from_record(&other).is_none());
    }

    #[test]
    fn the_record_of_one_part_with_a_uuid_takes_70_bytes() {
        let entry = Entry::new(&Facts {
            client: &ClientName::parse("shop1").unwrap(),
            id: "0e999f21-81ef-4974-a414-3de98174e3c7",
            destination: Tail::of(b"84901234567"),
            since_s: 0,
            digests: &[Some(Digest::from_bytes([3; 16]))],
        });
        assert_eq!(entry.unwrap().record().len(), 70);
    }

    #[test]
    fn numbers_are_one_whether_national_international_or_with_a_plus() {
        let same =
            |one: &str, other: &str| Tail::of(one.as_bytes()).may_be(Tail::of(other.as_bytes()));
        assert!(same("84901234567", "+84901234567"));
        assert!(same("84901234567", "0901234567"));
        assert!(same("0084901234567", "901234567"));
        assert!(same("84900000012", "0900000012"));
        assert!(same("8049", "8049"));
        assert!(!same("84901234567", "84901234568"));
        assert!(!same("84900000012", "12"));
        assert!(!same("8049", "49"));
    }

    #[test]
    fn a_sender_in_letters_is_compared_with_no_number() {
        assert!(Tail::of(b"VnMart").may_be(Tail::of(b"84901234567")));
        assert!(Tail::of(b"").may_be(Tail::of(b"84901234567")));
    }
}
