//! The ids of requests: which stream, which number of it, and when it was to be sent. 32 hexadecimal
//! digits, about as long as the UUIDs that services use.

/// Octets of an id.
pub(in crate::bench) const ID_BYTES: usize = 32;
/// Octets of a moment.
pub(in crate::bench) const MOMENT_BYTES: usize = 16;

/// A request as its id names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) struct Id {
    /// 16 bits.
    pub(in crate::bench) stream: u64,
    /// 48 bits.
    pub(in crate::bench) number: u64,
    /// By the harness's clock.
    pub(in crate::bench) at_ns: u64,
}

impl Id {
    /// Writes the id over `place`, which has [`ID_BYTES`] octets.
    pub(in crate::bench) fn write(self, place: &mut [u8]) {
        let Some((name, moment)) = place.split_at_mut_checked(ID_BYTES - MOMENT_BYTES) else {
            return;
        };
        write_hex(self.stream << 48 | self.number, name);
        write_hex(self.at_ns, moment);
    }

    /// Reads an id; `None` if it is none of ours.
    pub(in crate::bench) fn read(octets: &[u8]) -> Option<Self> {
        let (name, moment) = octets.split_first_chunk::<MOMENT_BYTES>()?;
        let name = read_hex(name)?;
        Some(Self {
            stream: name >> 48,
            number: name & 0xFFFF_FFFF_FFFF,
            at_ns: read_hex(moment)?,
        })
    }
}

/// Writes a number as hexadecimal digits, as many as fit the place.
pub(in crate::bench) fn write_hex(number: u64, place: &mut [u8]) {
    let mut rest = number;
    for octet in place.iter_mut().rev() {
        let digit = (rest & 0xF) as u8;
        *octet = if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        };
        rest >>= 4;
    }
}

/// Writes a number as decimal digits, as many as fit the place.
pub(in crate::bench) fn write_decimal(number: u64, place: &mut [u8]) {
    let mut rest = number;
    for octet in place.iter_mut().rev() {
        *octet = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

/// Reads 16 hexadecimal digits.
pub(in crate::bench) fn read_hex(digits: &[u8]) -> Option<u64> {
    if digits.len() != MOMENT_BYTES {
        return None;
    }
    digits.iter().try_fold(0, |sum, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(sum << 4 | u64::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_stream_number_and_moment() {
        let id = Id {
            stream: 0x3E7,
            number: 0x1234_5678_9ABC,
            at_ns: u64::MAX - 1,
        };
        let mut octets = [0; ID_BYTES];
        id.write(&mut octets);
        assert_eq!(&octets, b"03e7123456789abcfffffffffffffffe");
        assert_eq!(Id::read(&octets), Some(id));
    }

    #[test]
    fn what_is_no_id_is_told() {
        for octets in [&b""[..], b"1", &[b'0'; 31], &[b'0'; 33], &[b'X'; 32]] {
            assert_eq!(Id::read(octets), None);
        }
    }

    #[test]
    fn decimal_digits_fill_their_place() {
        let mut place = *b"8498xxxxxxx";
        write_decimal(12_345, &mut place[4..]);
        assert_eq!(&place, b"84980012345");
    }
}
