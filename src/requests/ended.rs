//! Request ids that have ended, with their outcomes: written one behind the other in the order in
//! which they ended, and forgotten from the front.
//!
//! ```text
//!  row: digest 16 | fingerprint 4 | number | since | head 1 | rest: length × 4 + form | rest
//!       the numbers as varints, the first two as what they differ from those of the chunk
//! ```
//!
//! Rows stand in chunks, each of which goes as a whole after its last row, so that nothing grows by
//! copying. A row in the middle is never taken out: the table of places knows which rows count. It
//! must never hold more than its chunks, nor reach a place that it did not give.

use std::collections::VecDeque;

use super::{digits::Form, heads::Heads, row::Row};
use crate::{digest::Digest, message::MessageOutcome};

/// Octets of a chunk: large enough that what stays free at its end is next to nothing. A row that is
/// longer has a chunk of its own.
const CHUNK_OCTETS: usize = 1 << OFFSET_BITS;
const OFFSET_BITS: u32 = 16;

/// Chunks at most, so that a place has 31 bits. The two gigabytes are 200 octets for each of ten
/// million ids, and more ids cannot be configured.
const CHUNKS_MAX: usize = 1 << (31 - OFFSET_BITS);

/// What a row takes besides its outcome, at most.
const ROW_OCTETS_MAX: usize = 16 + 4 + 3 * 10 + 1;

/// The ids.
#[derive(Default)]
pub(super) struct Ended {
    chunks: VecDeque<Chunk>,
    /// Chunks that are gone: the number of the first one.
    gone: usize,
    /// Where the oldest row begins in it.
    oldest: usize,
    heads: Heads,
}

struct Chunk {
    /// Of its first row.
    number: u64,
    since_s: u32,
    octets: Vec<u8>,
}

/// An id that has ended.
pub(super) struct EndedId<'a> {
    pub(super) digest: Digest,
    /// Half of it: that a caller has used an id twice in error is missed once in four billion times.
    fingerprint: u32,
    /// Under which it is stored.
    pub(super) number: u64,
    /// Seconds since 1970 of its end.
    pub(super) since_s: u32,
    /// Of its outcome.
    head: u8,
    /// What follows the head: so many octets, in this form.
    rest: (usize, Form, &'a [u8]),
}

impl EndedId<'_> {
    /// Whether this fingerprint is that of the request.
    pub(super) fn is_of(&self, fingerprint: u64) -> bool {
        self.fingerprint == fingerprint as u32
    }
}

impl Ended {
    /// What it has taken.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.chunks
            .iter()
            .map(|chunk| chunk.octets.capacity())
            .sum()
    }

    /// Whether there is room without forgetting one.
    pub(super) fn has_room(&self) -> bool {
        self.chunks.len() < CHUNKS_MAX
    }

    /// Adds the newest, which is stored under `number`, and gives its place.
    pub(super) fn push(&mut self, number: u64, id: &Row<'_>) -> u32 {
        let (head, rest) = self.heads.shorten(id.outcome);
        let form = Form::of(rest);
        let octets_max = ROW_OCTETS_MAX + form.octets(rest.len());
        let last = self
            .chunks
            .back()
            .map_or(CHUNK_OCTETS, |chunk| chunk.octets.len());
        if last + octets_max > CHUNK_OCTETS {
            self.chunks.push_back(Chunk {
                number,
                since_s: id.since_s,
                octets: Vec::with_capacity(octets_max.max(CHUNK_OCTETS)),
            });
        }
        let chunk_number = self.gone + self.chunks.len() - 1;
        let Some(chunk) = self.chunks.back_mut() else {
            return 0;
        };
        let offset = chunk.octets.len();
        chunk.octets.extend(id.digest.to_bytes());
        chunk.octets.extend((id.fingerprint as u32).to_le_bytes());
        push_difference(&mut chunk.octets, number, chunk.number);
        push_difference(&mut chunk.octets, id.since_s.into(), chunk.since_s.into());
        chunk.octets.push(head);
        push_varint(&mut chunk.octets, (rest.len() as u64) << 2 | form as u64);
        form.push(rest, &mut chunk.octets);
        ((chunk_number % CHUNKS_MAX) << OFFSET_BITS | offset) as u32
    }

    /// The id at a place.
    pub(super) fn get(&self, place: u32) -> Option<EndedId<'_>> {
        let (chunk, row) = self.row(place)?;
        Some(read(chunk, row)?.0)
    }

    /// Whether the id at a place has this digest.
    pub(super) fn is(&self, place: u32, digest: Digest) -> bool {
        let row = self.row(place);
        row.is_some_and(|(_, row)| row.first_chunk() == Some(&digest.to_bytes()))
    }

    fn row(&self, place: u32) -> Option<(&Chunk, &[u8])> {
        let number = place as usize >> OFFSET_BITS;
        let chunk = self
            .chunks
            .get(number.wrapping_sub(self.gone) % CHUNKS_MAX)?;
        let row = chunk.octets.get(place as usize % CHUNK_OCTETS..)?;
        Some((chunk, row))
    }

    /// The outcome of an id.
    pub(super) fn outcome(&self, id: &EndedId<'_>) -> Option<MessageOutcome> {
        let (length, form, octets) = id.rest;
        let mut rest = Vec::with_capacity(length);
        form.read(octets, length, &mut rest);
        self.heads.unpack(id.head, &rest)
    }

    /// The oldest, with its place.
    pub(super) fn oldest(&self) -> Option<(u32, EndedId<'_>)> {
        let place = (self.gone % CHUNKS_MAX) << OFFSET_BITS | self.oldest;
        Some((place as u32, self.get(place as u32)?))
    }

    /// Forgets the oldest.
    pub(super) fn pop(&mut self) {
        let Some(chunk) = self.chunks.front() else {
            return;
        };
        let row = chunk.octets.get(self.oldest..).unwrap_or_default();
        self.oldest = match read(chunk, row) {
            Some((_, after)) if !after.is_empty() => chunk.octets.len() - after.len(),
            Some(_) | None => {
                self.chunks.pop_front();
                self.gone += 1;
                0
            }
        };
    }
}

/// The row at the beginning of `octets`, and what follows it.
fn read<'a>(chunk: &Chunk, octets: &'a [u8]) -> Option<(EndedId<'a>, &'a [u8])> {
    let (digest, rest) = octets.split_first_chunk()?;
    let (fingerprint, rest) = rest.split_first_chunk()?;
    let (number, rest) = difference(rest, chunk.number)?;
    let (since_s, rest) = difference(rest, chunk.since_s.into())?;
    let (head, rest) = rest.split_first()?;
    let (length_and_form, rest) = varint(rest)?;
    let (length, form) = (
        usize::try_from(length_and_form >> 2).ok()?,
        Form::from_bits(length_and_form)?,
    );
    let (octets, rest) = rest.split_at_checked(form.octets(length))?;
    let id = EndedId {
        digest: Digest::from_bytes(*digest),
        fingerprint: u32::from_le_bytes(*fingerprint),
        number,
        since_s: u32::try_from(since_s).ok()?,
        head: *head,
        rest: (length, form, octets),
    };
    Some((id, rest))
}

/// Adds what a number differs from another; small differences of either sign are short.
fn push_difference(octets: &mut Vec<u8>, number: u64, from: u64) {
    let difference = number.wrapping_sub(from).cast_signed();
    push_varint(octets, (difference << 1 ^ difference >> 63).cast_unsigned());
}

fn difference(octets: &[u8], from: u64) -> Option<(u64, &[u8])> {
    let (folded, rest) = varint(octets)?;
    let difference = folded >> 1 ^ 0_u64.wrapping_sub(folded & 1);
    Some((from.wrapping_add(difference), rest))
}

fn push_varint(octets: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        octets.push(number as u8 | 0x80);
        number >>= 7;
    }
    octets.push(number as u8);
}

fn varint(octets: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (place, octet) in octets.iter().enumerate().take(10) {
        number |= u64::from(octet & 0x7f) << (7 * place);
        if *octet < 0x80 {
            return Some((number, octets.get(place + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u64, outcome: &[u8]) -> Row<'_> {
        Row {
            digest: Digest::from_bytes([number as u8; 16]),
            fingerprint: !number,
            since_s: number.wrapping_mul(0x9e37_79b9) as u32,
            outcome,
        }
    }

    fn octets() -> impl Strategy<Value = usize> {
        prop_oneof![0..100_usize, 15_000..30_000_usize, Just(CHUNK_OCTETS)]
    }

    proptest! {
        #[test]
        fn each_id_is_at_its_place_until_it_is_the_oldest_and_goes(
            steps in prop::collection::vec((any::<u64>(), octets(), 0..3_usize), 0..60),
        ) {
            let mut ended = Ended::default();
            let mut model = VecDeque::new();
            for (number, octets, gone) in steps {
                let outcome = vec![number as u8; octets];
                let place = ended.push(number, &id(number, &outcome));
                model.push_back((place, number));
                for _ in 0..gone {
                    ended.pop();
                    model.pop_front();
                }
                for (place, number) in &model {
                    let (found, expected) = (ended.get(*place).unwrap(), id(*number, &[]));
                    prop_assert_eq!(found.number, *number);
                    prop_assert!(found.is_of(expected.fingerprint));
                    prop_assert_eq!(found.since_s, expected.since_s);
                    prop_assert!(ended.is(*place, expected.digest));
                }
                let oldest = ended.oldest().map(|(place, id)| (place, id.number));
                prop_assert_eq!(oldest, model.front().copied());
            }
            prop_assert_eq!(model.is_empty(), ended.chunks.is_empty());
        }
    }

    #[test]
    fn places_are_right_however_many_chunks_have_gone() {
        let mut ended = Ended {
            gone: CHUNKS_MAX - 2,
            ..Ended::default()
        };
        let outcome = vec![0; CHUNK_OCTETS];
        let places: Vec<_> = (0..4)
            .map(|number| ended.push(number, &id(number, &outcome)))
            .collect();
        for (number, place) in (0..).zip(places) {
            assert_eq!(ended.get(place).unwrap().number, number);
            assert_eq!(ended.oldest().unwrap().0, place);
            ended.pop();
        }
        assert!(ended.chunks.is_empty());
    }
}
