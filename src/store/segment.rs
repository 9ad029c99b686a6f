//! The form of a segment: changes of a table one after the other, as they were committed.
//!
//! ```text
//!   put     1  key (8, little-endian)  length (4, little-endian)  value
//!   remove  2  key (8)
//!   below   3  key (8): every lower key is removed
//! ```
//!
//! It must never panic on what it reads: a damaged file is told, not followed.

const PUT: u8 = 1;
const REMOVE: u8 = 2;
const BELOW: u8 = 3;

/// One change, as a segment holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    Put { key: u64, value: &'a [u8] },
    Remove { key: u64 },
    RemoveBelow { key: u64 },
}

impl Entry<'_> {
    /// How many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        const KIND_AND_KEY: usize = 1 + size_of::<u64>();
        match *self {
            Self::Put { value, .. } => KIND_AND_KEY + size_of::<u32>() + value.len(),
            Self::Remove { .. } | Self::RemoveBelow { .. } => KIND_AND_KEY,
        }
    }

    /// Appends it. A value of 4 GiB does not fit, and none passes the limits of the store.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        let (kind, key) = match *self {
            Self::Put { key, .. } => (PUT, key),
            Self::Remove { key } => (REMOVE, key),
            Self::RemoveBelow { key } => (BELOW, key),
        };
        to.push(kind);
        to.extend_from_slice(&key.to_le_bytes());
        if let Self::Put { value, .. } = *self {
            to.extend_from_slice(&(value.len() as u32).to_le_bytes());
            to.extend_from_slice(value);
        }
    }
}

/// The changes of a segment; `Err` ends them where the segment is damaged.
pub(super) struct Entries<'a> {
    rest: &'a [u8],
}

/// A segment that no store wrote.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damaged;

impl<'a> Entries<'a> {
    pub(super) fn of(segment: &'a [u8]) -> Self {
        Self { rest: segment }
    }

    /// Bytes behind the last entry.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    fn read(&mut self) -> Option<Entry<'a>> {
        let kind = *self.take(1)?.first()?;
        let key = u64::from_le_bytes(self.take(8)?.try_into().ok()?);
        Some(match kind {
            PUT => {
                let len = u32::from_le_bytes(self.take(4)?.try_into().ok()?);
                let value = self.take(usize::try_from(len).ok()?)?;
                Entry::Put { key, value }
            }
            REMOVE => Entry::Remove { key },
            BELOW => Entry::RemoveBelow { key },
            _ => return None,
        })
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.read().ok_or(Damaged);
        if entry.is_err() {
            self.rest = &[];
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_every_cut_is_told() {
        let entries = [
            Entry::Put {
                key: 7,
                value: b"abc",
            },
            Entry::Remove { key: u64::MAX },
            Entry::RemoveBelow { key: 0 },
            Entry::Put { key: 8, value: b"" },
        ];
        let (mut segment, mut ends) = (Vec::new(), vec![0]);
        for entry in entries {
            let before = segment.len();
            entry.write(&mut segment);
            assert_eq!(segment.len() - before, entry.bytes());
            ends.push(segment.len());
        }
        let read: Vec<_> = Entries::of(&segment).map(Result::unwrap).collect();
        assert_eq!(read, entries);
        for cut in 0..segment.len() {
            let is_told = Entries::of(&segment[..cut]).any(|entry| entry.is_err());
            assert_eq!(is_told, !ends.contains(&cut), "cut at {cut}");
        }
    }

    #[test]
    fn the_form_is_the_one_that_is_described() {
        let mut segment = Vec::new();
        let (key, value) = (0x0102, b"xy".as_slice());
        Entry::Put { key, value }.write(&mut segment);
        Entry::Remove { key }.write(&mut segment);
        Entry::RemoveBelow { key }.write(&mut segment);
        let expected =
            b"\x01\x02\x01\0\0\0\0\0\0\x02\0\0\0xy\x02\x02\x01\0\0\0\0\0\0\x03\x02\x01\0\0\0\0\0\0";
        assert_eq!(segment, expected);
        assert!(matches!(
            Entries::of(b"\x04\0\0\0\0\0\0\0\0").next(),
            Some(Err(Damaged))
        ));
    }
}
