//! Rules about each octet of a short text, asked eight octets at a time: numbers are looked at for every
//! message, and a loop over their octets costs several times as much. It knows no PDU.

/// Octets of a word.
const WORD: usize = 8;

/// Whether all are digits.
pub(crate) fn are_digits(octets: &[u8]) -> bool {
    const HIGH_HALVES: u64 = u64::from_ne_bytes([0xF0; WORD]);
    const ZEROS: u64 = u64::from_ne_bytes([b'0'; WORD]);
    // What is above 9 in its low half carries into the high one; from 0x3_ nothing leaves the octet.
    const TO_CARRY: u64 = u64::from_ne_bytes([6; WORD]);
    all(octets, |word| {
        word & HIGH_HALVES == ZEROS && (word + TO_CARRY) & HIGH_HALVES == ZEROS
    })
}

/// Whether all are printable ASCII, the space included.
pub(crate) fn are_printable(octets: &[u8]) -> bool {
    const HIGHEST_BITS: u64 = u64::from_ne_bytes([0x80; WORD]);
    const TO_SPACE: u64 = u64::from_ne_bytes([0x80 - b' '; WORD]);
    const TO_DEL: u64 = u64::from_ne_bytes([1; WORD]);
    all(octets, |word| {
        // Octets below 0x80 stay below 0x100 with what is added, so that none touches the next.
        word & HIGHEST_BITS == 0
            && (word + TO_SPACE) & HIGHEST_BITS == HIGHEST_BITS
            && (word + TO_DEL) & HIGHEST_BITS == 0
    })
}

/// Whether it holds for all words; `holds` must hold for eight zeros as characters.
#[inline]
fn all(octets: &[u8], holds: impl Fn(u64) -> bool) -> bool {
    if let Some(last) = octets.last_chunk() {
        let (words, _) = octets.as_chunks();
        let mut all = words.iter().chain([last]);
        // The last word overlaps the one before it, so that nothing is left over.
        return all.all(|word| holds(u64::from_le_bytes(*word)));
    }
    let mut word = [b'0'; WORD];
    for (own, octet) in word.iter_mut().zip(octets) {
        *own = *octet;
    }
    holds(u64::from_le_bytes(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_octet_at_each_place_is_judged_as_by_itself() {
        for length in 0..=20 {
            assert!(are_digits(&vec![b'7'; length]) && are_printable(&vec![b' '; length]));
            for place in 0..length {
                for octet in 0..=u8::MAX {
                    let mut octets = vec![b'0'; length];
                    octets[place] = octet;
                    assert_eq!(are_digits(&octets), octet.is_ascii_digit(), "{octets:?}");
                    let is_printable = matches!(octet, b' '..=b'~');
                    assert_eq!(are_printable(&octets), is_printable, "{octets:?}");
                }
            }
        }
    }

    #[test]
    fn neighbours_do_not_change_each_others_judgement() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let octets = [b'0', b'9', first, second, b'0', b'9', b'1', b'2'];
                let both = [first, second];
                assert_eq!(are_digits(&octets), both.iter().all(u8::is_ascii_digit));
                let is_printable = |octet: &u8| matches!(octet, b' '..=b'~');
                assert_eq!(are_printable(&octets), both.iter().all(is_printable));
            }
        }
    }
}
