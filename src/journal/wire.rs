//! The bytes of which records are made: octets after their length, numbers, one after the other.
//!
//! Reading never panics and never trusts a length: what does not fit is [`Damaged`], with its place.

use bytes::Bytes;

/// A record that is not what this version writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot be read at byte {at}: {what}")]
pub struct Damaged {
    /// Where in the content, counted from 0.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// Writes a length or a count: seven bits in a byte, the low ones first, the top bit on all but the
/// last one.
pub(super) fn put_count(to: &mut Vec<u8>, count: usize) {
    let mut rest = count;
    while rest >= 0x80 {
        to.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

/// Writes octets after their length.
pub(super) fn put_octets(to: &mut Vec<u8>, octets: impl AsRef<[u8]>) {
    let octets = octets.as_ref();
    put_count(to, octets.len());
    to.extend_from_slice(octets);
}

/// Reads what the functions above have written.
pub(super) struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Cursor<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// That something is wrong here.
    pub(super) fn damaged(&self, what: &'static str) -> Damaged {
        Damaged { at: self.at, what }
    }

    /// As many octets as asked for.
    pub(super) fn take(&mut self, count: usize) -> Result<&'b [u8], Damaged> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..count);
        let taken = taken.ok_or_else(|| self.damaged("it is cut short"))?;
        self.at += count;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let at = self.at;
        let what = "it is cut short";
        let array = self.take(N)?.first_chunk().copied();
        array.ok_or(Damaged { at, what })
    }

    pub(super) fn octet(&mut self) -> Result<u8, Damaged> {
        self.array().map(|[octet]| octet)
    }

    /// A length or a count.
    pub(super) fn count(&mut self) -> Result<usize, Damaged> {
        let at = self.at;
        let what = "a length is too large";
        let mut count: u32 = 0;
        for shift in [0, 7, 14, 21, 28] {
            let octet = u32::from(self.octet()?);
            let bits = octet & 0x7f;
            // The last byte has room for the four bits that are left of 32.
            if shift == 28 && octet > 0x0f {
                break;
            }
            count |= bits << shift;
            if octet < 0x80 {
                return usize::try_from(count).map_err(|_| Damaged { at, what });
            }
        }
        Err(Damaged { at, what })
    }

    /// Octets after their length.
    pub(super) fn octets(&mut self) -> Result<&'b [u8], Damaged> {
        let count = self.count()?;
        self.take(count)
    }

    /// The same, to keep.
    pub(super) fn bytes(&mut self) -> Result<Bytes, Damaged> {
        self.octets().map(Bytes::copy_from_slice)
    }

    /// Octets that are UTF-8.
    pub(super) fn text(&mut self) -> Result<&'b str, Damaged> {
        let at = self.at;
        let what = "it is no text";
        std::str::from_utf8(self.octets()?).map_err(|_| Damaged { at, what })
    }

    /// That nothing follows.
    pub(super) fn end(&self) -> Result<(), Damaged> {
        match self.at == self.bytes.len() {
            true => Ok(()),
            false => Err(self.damaged("something follows its end")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_takes_a_byte_for_each_seven_bits() {
        for (count, bytes) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
            (u32::MAX as usize, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut to = Vec::new();
            put_count(&mut to, count);
            assert_eq!(to, bytes);
            assert_eq!(Cursor::new(bytes).count(), Ok(count));
        }
    }

    #[test]
    fn a_count_of_more_than_32_bits_is_damage_at_its_first_byte() {
        for bytes in [[0xff, 0xff, 0xff, 0xff, 0x10], [0xff; 5]] {
            let error = Cursor::new(&bytes).count().unwrap_err();
            assert_eq!(
                error.to_string(),
                "cannot be read at byte 0: a length is too large"
            );
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_damage_behind_the_length() {
        let error = Cursor::new(&[3, 1, 2]).octets().unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot be read at byte 1: it is cut short"
        );
    }
}
