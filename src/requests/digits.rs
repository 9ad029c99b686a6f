//! Hexadecimal digits, which the message ids of most SMSCs are made of, at two an octet.
//!
//! It must never change a text: what has any other character is left as it is.

/// How a text is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Plain,
    /// Two digits an octet, `A` to `F`, the first one in the low half.
    Upper,
    /// The same with `a` to `f`.
    Lower,
}

impl Form {
    /// That in which a text is shortest.
    pub(super) fn of(text: &[u8]) -> Self {
        let (mut has_upper, mut has_lower) = (false, false);
        for octet in text {
            match octet {
                b'0'..=b'9' => {}
                b'A'..=b'F' => has_upper = true,
                b'a'..=b'f' => has_lower = true,
                _ => return Self::Plain,
            }
        }
        match (has_upper, has_lower) {
            (true, true) => Self::Plain,
            (_, false) => Self::Upper,
            (false, true) => Self::Lower,
        }
    }

    /// That of two bits that have its number.
    pub(super) fn from_bits(bits: u64) -> Option<Self> {
        [Self::Plain, Self::Upper, Self::Lower]
            .into_iter()
            .find(|form| *form as u64 == bits & 0b11)
    }

    /// What a text of this length takes.
    pub(super) fn octets(self, length: usize) -> usize {
        match self {
            Self::Plain => length,
            Self::Upper | Self::Lower => length.div_ceil(2),
        }
    }

    /// Adds a text that [`Form::of`] gave this form.
    pub(super) fn push(self, text: &[u8], octets: &mut Vec<u8>) {
        match self {
            Self::Plain => octets.extend(text),
            Self::Upper | Self::Lower => {
                let (pairs, rest) = text.as_chunks();
                octets.extend(
                    pairs
                        .iter()
                        .map(|[low, high]| value(*low) | value(*high) << 4),
                );
                octets.extend(rest.iter().map(|last| value(*last)));
            }
        }
    }

    /// Adds the text of this length.
    pub(super) fn read(self, octets: &[u8], length: usize, text: &mut Vec<u8>) {
        let letters = match self {
            Self::Plain => return text.extend(octets),
            Self::Upper => b'A',
            Self::Lower => b'a',
        };
        let digit = |value| match value {
            0..10 => b'0' + value,
            _ => letters + (value - 10),
        };
        let digits = octets.iter().flat_map(|both| [both & 0xf, both >> 4]);
        text.extend(digits.take(length).map(digit));
    }
}

/// Of a digit.
fn value(digit: u8) -> u8 {
    // The letters of either case have their value less 9 in their low bits.
    (digit & 0xf) + 9 * (digit >> 6)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_comes_back_as_it_was(
            text in prop_oneof!["[0-9]{0,40}", "[0-9A-F]{0,9}", "[0-9a-f]{0,9}", "[0-9a-fA-G]{0,9}"],
        ) {
            let form = Form::of(text.as_bytes());
            let (mut octets, mut read) = (Vec::new(), Vec::new());
            form.push(text.as_bytes(), &mut octets);
            prop_assert_eq!(octets.len(), form.octets(text.len()));
            form.read(&octets, text.len(), &mut read);
            prop_assert_eq!(read, text.as_bytes());
        }
    }

    #[test]
    fn digits_of_one_case_take_half() {
        for (text, form) in [
            ("0123456789", Form::Upper),
            ("4F2A", Form::Upper),
            ("4f2a", Form::Lower),
            ("4f2A", Form::Plain),
            ("4f2g", Form::Plain),
        ] {
            assert_eq!(Form::of(text.as_bytes()), form, "{text}");
        }
    }
}
