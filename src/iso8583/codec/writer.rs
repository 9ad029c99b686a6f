//! Where a message is written to: a buffer that is made longer in large steps and cut at the end, so
//! that each value costs a copy and little else.

use bytes::BytesMut;

/// Bytes by which the buffer grows at least: more than most messages have.
const STEP_BYTES: usize = 512;

/// Writes behind what a buffer holds already.
pub(super) struct Writer<'o> {
    output: &'o mut BytesMut,
    /// Where the next byte goes; what the buffer holds from there on is room.
    at: usize,
}

impl<'o> Writer<'o> {
    pub(super) fn new(output: &'o mut BytesMut) -> Self {
        let at = output.len();
        Self { output, at }
    }

    /// How much the buffer holds.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What has been written from `start` on.
    pub(super) fn since(&mut self, start: usize) -> &mut [u8] {
        self.output.get_mut(start..self.at).unwrap_or_default()
    }

    /// The next bytes, for the caller to write all of them.
    #[inline(always)]
    pub(super) fn room(&mut self, bytes: usize) -> &mut [u8] {
        let start = self.at;
        self.at += bytes;
        if self.at > self.output.len() {
            self.grow();
        }
        self.output.get_mut(start..self.at).unwrap_or_default()
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        self.output.resize(self.at + STEP_BYTES, 0);
    }

    #[inline(always)]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        copy(bytes, self.room(bytes.len()));
    }

    pub(super) fn fill(&mut self, byte: u8, count: usize) {
        self.room(count).fill(byte);
    }

    /// Cuts off what is not a message.
    pub(super) fn end(self, bytes: usize) {
        self.output.truncate(bytes);
    }
}

/// A copy between slices of one length. Most values are shorter than the call of a copy is worth: their
/// first and last bytes are copied, which overlap.
#[inline(always)]
fn copy(from: &[u8], to: &mut [u8]) {
    match from.len() {
        8..=16 => copy_ends::<8>(from, to),
        4..=7 => copy_ends::<4>(from, to),
        17..=32 => copy_ends::<16>(from, to),
        2..=3 => copy_ends::<2>(from, to),
        _ => {
            for (own, byte) in to.iter_mut().zip(from) {
                *own = *byte;
            }
        }
    }
}

#[inline(always)]
fn copy_ends<const N: usize>(from: &[u8], to: &mut [u8]) {
    if let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) {
        if let Some(own) = to.first_chunk_mut::<N>() {
            *own = *first;
        }
        if let Some(own) = to.last_chunk_mut::<N>() {
            *own = *last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_each_length_stand_one_behind_the_other() {
        let value: Vec<u8> = (0..100).collect();
        let mut output = BytesMut::from(&b"before"[..]);
        let mut writer = Writer::new(&mut output);
        let mut expected = b"before".to_vec();
        for length in 0..value.len() {
            writer.put(&value[..length]);
            expected.extend_from_slice(&value[..length]);
        }
        let end = writer.at();
        writer.end(end);
        assert_eq!(output, expected);
    }

    #[test]
    fn room_that_was_not_written_to_is_cut_off() {
        let mut output = BytesMut::new();
        let mut writer = Writer::new(&mut output);
        writer.fill(b'0', 2);
        writer.put(b"123");
        assert_eq!(writer.since(1), b"0123");
        writer.end(4);
        assert_eq!(output, "0012");
    }
}
