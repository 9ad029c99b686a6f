//! One table as a log of segments: what a commit changes is one value more in redb, whatever the
//! number of rows.
//!
//! A row of its own in redb's tree costs more than a microsecond, and a busy router writes, overwrites
//! and removes several for each message. Rows here mostly die young and in order, so the tail of the
//! log is dead by the time that it is in the way; what still lives there moves to the head.
//!
//! It must never remove a segment but the oldest one: an older copy of a row that a later segment
//! overwrites or removes would come back with the next start. What it knows in memory is only right
//! while every commit succeeds; after a failure it is read anew.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use redb::{ReadableTable, Table as Segments};

use super::{
    Change,
    index::{Index, SegmentTag},
    segment::{Entries, Entry},
};

/// Of a page that holds one value, redb needs fewer bytes for itself. A page has a power of two of bytes and
/// is cleared and written as a whole: a segment of a few bytes more would cost twice as much.
const PAGE_HEAD_BYTES: usize = 64;

/// When the log cuts and cleans itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// A segment has no more bytes, unless a row is larger by itself. Large ones cost redb less; a small
    /// one is sooner dead as a whole, and takes less of its cache.
    pub(super) segment_bytes: usize,
    /// Dead bytes that are left where they are, because moving the living would cost more.
    pub(super) dead_bytes_min: u64,
    /// Living bytes that a commit may move at least; else it moves up to twice what it writes, so that
    /// no commit waits long and the log gets shorter all the same.
    pub(super) moved_bytes_min: u64,
    /// Dead segments that a commit may remove at least; else twice as many as it writes. Days of tiny
    /// commits leave a hundred thousand of them, which no commit should wait for.
    pub(super) removed_min: u64,
}

impl Limits {
    pub(super) const STORE: Self = Self {
        segment_bytes: (128 << 10) - PAGE_HEAD_BYTES,
        dead_bytes_min: 4 << 20,
        moved_bytes_min: 256 << 10,
        removed_min: 1_024,
    };
}

/// What is known of one table.
pub(super) struct Log {
    limits: Limits,
    index: Index,
    /// Those in redb, the oldest first; their numbers have no gap.
    segments: VecDeque<Segment>,
    /// The number of the head.
    next: u64,
    /// The segment that is being written.
    head: Segment,
    body: Vec<u8>,
    /// Of all segments but the head.
    bytes: u64,
    live_bytes: u64,
}

#[derive(Clone, Copy, Default)]
struct Segment {
    bytes: u64,
    live_rows: u64,
    /// About so many of the bytes are those of live rows.
    live_bytes: u64,
}

impl Segment {
    fn gain(&mut self, bytes: usize) {
        self.live_rows += 1;
        self.live_bytes += bytes as u64;
    }

    /// One of its rows is dead, taken to be as large as the others. Tells how many bytes that is.
    fn lose(&mut self) -> u64 {
        let lost = self.live_bytes / self.live_rows.max(1);
        self.live_rows = self.live_rows.saturating_sub(1);
        self.live_bytes -= lost;
        lost
    }
}

impl Log {
    /// That of an empty table.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            index: Index::default(),
            segments: VecDeque::new(),
            next: 0,
            head: Segment::default(),
            body: Vec::new(),
            bytes: 0,
            live_bytes: 0,
        }
    }

    /// That of a table as it is in redb.
    ///
    /// # Errors
    /// It cannot be read, or a segment is damaged.
    pub(super) fn replay(
        limits: Limits,
        table: &impl ReadableTable<u64, &'static [u8]>,
    ) -> Result<Self, redb::Error> {
        let mut log = Self::new(limits);
        for found in table.iter()? {
            let (number, segment) = found?;
            let number = number.value();
            if !log.segments.is_empty() && log.next != number {
                return Err(missing(log.next));
            }
            log.next = number;
            for entry in Entries::of(segment.value()) {
                log.apply(entry.map_err(|_| damaged(number))?);
            }
            log.close_head(segment.value().len());
        }
        Ok(log)
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> u64 {
        self.index.len()
    }

    /// Writes changes in their order, and cleans up. After an error, and if the transaction is not
    /// committed, the log is of no use any more.
    pub(super) fn write<'a>(
        &mut self,
        table: &mut Segments<'_, u64, &'static [u8]>,
        changes: impl Iterator<Item = &'a Change>,
    ) -> Result<(), redb::Error> {
        let (mut written, first) = (0, self.next);
        for change in changes {
            written += self.append_all(table, change)?;
        }
        let mut movable = (2 * written).max(self.limits.moved_bytes_min);
        let mut removable = (2 * (self.next - first + 1)).max(self.limits.removed_min);
        self.drop_dead(table, &mut removable)?;
        // Where no more may be removed, the oldest may be a dead one with nothing to move.
        while movable > 0 && removable > 0 && self.is_wasteful() {
            movable = movable.saturating_sub(self.move_oldest(table)?);
            self.drop_dead(table, &mut removable)?;
        }
        self.flush(table)
    }

    fn append_all(
        &mut self,
        table: &mut Segments<'_, u64, &'static [u8]>,
        change: &Change,
    ) -> Result<u64, redb::Error> {
        match change {
            Change::Put { key, value, .. } => self.append(table, Entry::Put { key: *key, value }),
            Change::Remove { key, .. } => self.append(table, Entry::Remove { key: *key }),
            Change::RemoveBelow { key, .. } => self.append(table, Entry::RemoveBelow { key: *key }),
            Change::Batch(batch) => batch
                .entries()
                .try_fold(0, |written, entry| Ok(written + self.append(table, entry)?)),
        }
    }

    /// Writes one change to the head; tells how many bytes that took. A row that is not there is not
    /// removed.
    fn append(
        &mut self,
        table: &mut Segments<'_, u64, &'static [u8]>,
        entry: Entry<'_>,
    ) -> Result<u64, redb::Error> {
        if self.body.len() + entry.bytes() > self.limits.segment_bytes {
            self.flush(table)?;
        }
        let before = self.body.len();
        if self.apply(entry) {
            entry.write(&mut self.body);
        }
        Ok((self.body.len() - before) as u64)
    }

    /// Notes what a change of the head does; whether it does anything.
    fn apply(&mut self, entry: Entry<'_>) -> bool {
        match entry {
            Entry::Put { key, value } => {
                self.head.gain(value.len());
                if let Some(before) = self.index.insert(key, tag(self.next)) {
                    self.lose(before);
                }
                true
            }
            Entry::Remove { key } => match self.index.remove(key) {
                Some(before) => {
                    self.lose(before);
                    true
                }
                None => false,
            },
            Entry::RemoveBelow { key } => {
                let rows = self.index.len();
                while let Some(first) = self.index.first().filter(|first| *first < key) {
                    if let Some(before) = self.index.remove(first) {
                        self.lose(before);
                    }
                }
                self.index.len() < rows
            }
        }
    }

    /// A row of a segment is dead.
    fn lose(&mut self, segment: SegmentTag) {
        if segment == tag(self.next) {
            self.head.lose();
            return;
        }
        let place = segment.wrapping_sub(tag(self.oldest()));
        if let Some(segment) = self.segments.get_mut(place as usize) {
            self.live_bytes -= segment.lose();
        }
    }

    /// The number of the oldest segment.
    fn oldest(&self) -> u64 {
        self.next - self.segments.len() as u64
    }

    /// Whether the dead take up so much that the living should move.
    fn is_wasteful(&self) -> bool {
        !self.segments.is_empty() && self.bytes > 2 * self.live_bytes + self.limits.dead_bytes_min
    }

    /// Writes what lives in the oldest segment to the head; tells how many bytes that took.
    fn move_oldest(
        &mut self,
        table: &mut Segments<'_, u64, &'static [u8]>,
    ) -> Result<u64, redb::Error> {
        let oldest = self.oldest();
        let segment = match table.get(oldest)? {
            Some(segment) => segment.value().to_vec(),
            None => return Err(missing(oldest)),
        };
        let entries: Result<Vec<_>, _> = Entries::of(&segment).collect();
        let mut moved = 0;
        // From the end, where the last copy of a row is; once that has moved the others are dead.
        for entry in entries.map_err(|_| damaged(oldest))?.into_iter().rev() {
            if let Entry::Put { key, .. } = entry
                && self.index.get(key) == Some(tag(oldest))
            {
                moved += self.append(table, entry)?;
            }
        }
        match self.segments.front() {
            Some(segment) if segment.live_rows > 0 => Err(damaged(oldest)),
            _ => Ok(moved),
        }
    }

    /// Removes the oldest segments as long as nothing lives in them, and counts them off.
    fn drop_dead(
        &mut self,
        table: &mut Segments<'_, u64, &'static [u8]>,
        removable: &mut u64,
    ) -> Result<(), redb::Error> {
        while *removable > 0
            && let Some(segment) = self.segments.front().filter(|own| own.live_rows == 0)
        {
            *removable -= 1;
            self.bytes -= segment.bytes;
            table.remove(self.oldest())?;
            self.segments.pop_front();
        }
        Ok(())
    }

    /// Puts the head into redb and begins a new one.
    fn flush(&mut self, table: &mut Segments<'_, u64, &'static [u8]>) -> Result<(), redb::Error> {
        if self.body.is_empty() {
            return Ok(());
        }
        table.insert(self.next, self.body.as_slice())?;
        let bytes = self.body.len();
        self.body.clear();
        self.close_head(bytes);
        Ok(())
    }

    fn close_head(&mut self, bytes: usize) {
        let mut head = std::mem::take(&mut self.head);
        head.bytes = bytes as u64;
        self.bytes += head.bytes;
        self.live_bytes += head.live_bytes;
        self.segments.push_back(head);
        self.next += 1;
    }
}

/// Gives every row of a table, in the order of the keys.
///
/// # Errors
/// It cannot be read, or a segment is damaged.
pub(super) fn each_row(
    table: &impl ReadableTable<u64, &'static [u8]>,
    each: &mut dyn FnMut(u64, &[u8]),
) -> Result<(), redb::Error> {
    let mut held = None;
    for place in places(table)? {
        let segment = match held.take() {
            Some((number, segment)) if number == place.segment => segment,
            _ => table
                .get(place.segment)?
                .ok_or_else(|| missing(place.segment))?,
        };
        let value = segment.value().get(place.from..place.from + place.len);
        each(place.key, value.ok_or_else(|| damaged(place.segment))?);
        held = Some((place.segment, segment));
    }
    Ok(())
}

/// Where a live row is.
struct Place {
    key: u64,
    segment: u64,
    from: usize,
    len: usize,
}

/// Where all live rows of a table are, in the order of the keys.
fn places(table: &impl ReadableTable<u64, &'static [u8]>) -> Result<Vec<Place>, redb::Error> {
    let mut index = Log::replay(Limits::STORE, table)?.index;
    let mut places = Vec::with_capacity(usize::try_from(index.len()).unwrap_or_default());
    let mut puts = Vec::new();
    for found in table.iter()? {
        let (number, bytes) = found?;
        let (number, bytes) = (number.value(), bytes.value());
        let mut entries = Entries::of(bytes);
        while let Some(entry) = entries.next() {
            if let Entry::Put { key, value } = entry.map_err(|_| damaged(number))? {
                puts.push(Place {
                    key,
                    segment: number,
                    from: bytes.len() - entries.left() - value.len(),
                    len: value.len(),
                });
            }
        }
        // From the end: the last copy in its last segment is the row.
        for put in puts.drain(..).rev() {
            if index.get(put.key) == Some(tag(number)) {
                index.remove(put.key);
                places.push(put);
            }
        }
    }
    places.sort_unstable_by_key(|place| place.key);
    Ok(places)
}

fn tag(number: u64) -> SegmentTag {
    number as SegmentTag
}

fn damaged(number: u64) -> redb::Error {
    redb::Error::Corrupted(format!("segment {number} is damaged"))
}

fn missing(number: u64) -> redb::Error {
    redb::Error::Corrupted(format!("segment {number} is missing"))
}
