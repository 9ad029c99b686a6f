//! Octets from the hexadecimal that people copy out of logs and captures.

/// Why a text is no hexadecimal. The text itself is not repeated: it may hold card data.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HexError {
    /// A character that does not belong.
    #[error("character {0} of the input is neither hexadecimal nor white space")]
    NotHex(usize),
    /// Half an octet at the end of a word.
    #[error("the digits that end at character {0} of the input are odd in number")]
    Half(usize),
    /// Nothing there.
    #[error("the input holds no octets")]
    Empty,
}

/// The octets of words of hexadecimal digits, each with or without `0x`. Positions in errors count
/// characters from 1.
pub(super) fn parse(text: &str) -> Result<Vec<u8>, HexError> {
    let mut octets = Vec::with_capacity(text.len() / 2);
    let mut high = None;
    let mut characters = text.chars().enumerate().peekable();
    let mut at_word_start = true;
    while let Some((index, character)) = characters.next() {
        if character.is_whitespace() {
            at_word_start = true;
            continue;
        }
        let next_is_x = |(_, next): &(usize, char)| matches!(next, 'x' | 'X');
        if at_word_start && character == '0' && characters.next_if(next_is_x).is_some() {
            at_word_start = false;
            continue;
        }
        at_word_start = false;
        let digit = character
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
            .ok_or(HexError::NotHex(index + 1))?;
        high = match high {
            None => Some(digit),
            Some(high) => {
                octets.push(high << 4 | digit);
                None
            }
        };
    }
    match (high, octets.is_empty()) {
        (Some(_), _) => Err(HexError::Half(text.trim_end().chars().count())),
        (None, true) => Err(HexError::Empty),
        (None, false) => Ok(octets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_0x_do_not_matter() {
        for text in [
            "00000010ff",
            "0x00000010FF",
            " 00 00\n00\t10 fF\r\n",
            "0x00 0x00 0x00 0X10 0xff",
            "0 0 0 0 0 0 1 0 f f",
        ] {
            assert_eq!(parse(text), Ok(vec![0, 0, 0, 0x10, 0xFF]), "{text:?}");
        }
    }

    #[test]
    fn what_does_not_belong_is_told_by_its_place_and_not_repeated() {
        assert_eq!(parse("00 0g"), Err(HexError::NotHex(5)));
        assert_eq!(parse("000x10"), Err(HexError::NotHex(4)));
        assert_eq!(parse("é0"), Err(HexError::NotHex(1)));
        assert_eq!(parse("00 001\n"), Err(HexError::Half(6)));
        assert_eq!(parse("0x"), Err(HexError::Empty));
        assert_eq!(parse(" \n"), Err(HexError::Empty));
    }
}
