//! The bitmaps that announce which elements follow (ISO 8583:1987 4.2): bit 1 of the first is the
//! presence of the second.

/// Which of the elements 2 to 128 are present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bitmap {
    // The most significant bit is the element with the least number, as on the wire.
    primary: u64,
    secondary: u64,
}

/// The bit of the primary bitmap that announces the secondary one.
const SECONDARY_FOLLOWS: u64 = 1 << 63;

impl Bitmap {
    /// Bitmaps as received: the primary one, and the secondary one where the first announced it.
    pub fn from_bits(primary: u64, secondary: u64) -> Self {
        Self {
            primary: primary & !SECONDARY_FOLLOWS,
            secondary,
        }
    }

    /// Whether a received primary bitmap announces a secondary one.
    pub fn announces_secondary(primary: u64) -> bool {
        primary & SECONDARY_FOLLOWS != 0
    }

    /// Marks an element from 2 to 128 as present; other numbers have no bit of their own, and
    /// `false` says so.
    #[must_use]
    pub fn insert(&mut self, number: u8) -> bool {
        match number {
            2..=64 => self.primary |= 1 << (64 - number),
            65..=128 => self.secondary |= 1 << (128 - number),
            _ => return false,
        }
        true
    }

    /// The primary bitmap as it travels, and the secondary one if any element needs it.
    pub fn bits(self) -> (u64, Option<u64>) {
        if self.secondary == 0 {
            (self.primary, None)
        } else {
            (self.primary | SECONDARY_FOLLOWS, Some(self.secondary))
        }
    }

    /// How many elements are present.
    pub fn len(self) -> usize {
        (self.primary.count_ones() + self.secondary.count_ones()) as usize
    }

    /// Whether no element is present.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The numbers of the elements present, rising.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        ones(self.primary)
            .map(|bit| bit + 1)
            .chain(ones(self.secondary).map(|bit| bit + 65))
    }
}

/// The positions of the set bits, the most significant one being 0.
fn ones(mut bits: u64) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let position = bits.leading_zeros();
        if position == u64::BITS {
            return None;
        }
        bits &= !(SECONDARY_FOLLOWS >> position);
        Some(position as u8)
    })
}

/// Eight bytes as sixteen hexadecimal characters, upper case.
pub fn to_hex(bits: u64) -> [u8; 16] {
    let mut text = [0; 16];
    let (first, last) = text.split_at_mut(8);
    first.copy_from_slice(&eight_characters((bits >> 32) as u32));
    last.copy_from_slice(&eight_characters(bits as u32));
    text
}

/// All eight characters of a number at once, each in a byte of one greater number.
fn eight_characters(bits: u32) -> [u8; 8] {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    // Halves move apart until each half-byte has a byte to itself.
    let mut nibbles = u64::from(bits);
    for (shift, mask) in [
        (16, 0x0000_FFFF_0000_FFFF),
        (8, 0x00FF_00FF_00FF_00FF),
        (4, 0x0F0F_0F0F_0F0F_0F0F),
    ] {
        nibbles = (nibbles | nibbles << shift) & mask;
    }
    // From 10 on, adding 6 reaches the half-byte above, and `A` does not follow `9`.
    let letters = (nibbles + 6 * EACH) >> 4 & EACH;
    let gap = u64::from(b'A' - b'9' - 1);
    (nibbles + u64::from(b'0') * EACH + letters * gap).to_be_bytes()
}

/// Reads sixteen hexadecimal characters of either case.
///
/// # Errors
/// The index of the first byte that is no hexadecimal character.
pub fn from_hex(text: &[u8; 16]) -> Result<u64, usize> {
    let mut bits = 0;
    for (index, character) in text.iter().enumerate() {
        let nibble = super::field::hex_value(*character).ok_or(index)?;
        bits = bits << 4 | u64::from(nibble);
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn element_2_is_the_second_bit_and_64_the_last() {
        let mut bitmap = Bitmap::default();
        assert!(bitmap.insert(2) && bitmap.insert(64));
        assert_eq!(bitmap.bits(), (0x4000_0000_0000_0001, None));
        assert_eq!(bitmap.iter().collect::<Vec<_>>(), [2, 64]);
    }

    #[test]
    fn an_element_over_64_sets_bit_1_and_brings_the_secondary_bitmap() {
        let mut bitmap = Bitmap::default();
        assert!(bitmap.insert(70));
        assert_eq!(bitmap.bits(), (1 << 63, Some(0x0400_0000_0000_0000)));
        assert_eq!(bitmap.iter().collect::<Vec<_>>(), [70]);
    }

    #[test]
    fn numbers_without_a_bit_are_refused() {
        let mut bitmap = Bitmap::default();
        assert!(![0, 1, 129, 255].into_iter().any(|n| bitmap.insert(n)));
        assert!(bitmap.is_empty());
    }

    #[test]
    fn every_element_has_its_own_bit() {
        let mut bitmap = Bitmap::default();
        assert!((2..=128).all(|number| bitmap.insert(number)));
        assert!(bitmap.iter().eq(2..=128));
        assert_eq!(bitmap.len(), 127);
    }

    #[test]
    fn hexadecimal_is_read_in_either_case_and_written_in_upper_case() {
        assert_eq!(to_hex(0x7234_0541_28C2_8801), *b"7234054128C28801");
        assert_eq!(to_hex(0x0123_4567_89AB_CDEF), *b"0123456789ABCDEF");
        assert_eq!(from_hex(b"7234054128c28801"), Ok(0x7234_0541_28C2_8801));
    }

    #[test]
    fn a_byte_that_is_no_hexadecimal_character_is_named_by_its_index() {
        assert_eq!(from_hex(b"7234054128C2880G"), Err(15));
        assert_eq!(from_hex(b"+234054128C28801"), Err(0));
    }
}
