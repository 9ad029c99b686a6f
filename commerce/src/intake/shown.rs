//! The words of the grammar that subscribers are told to write. They are short and of plain letters, so
//! that a message with all of them is one part in the GSM alphabet.

use std::fmt;

/// Characters of a word that is shown: three of them leave room for the sentence that explains them.
pub const SHOWN_LENGTH_MAX: usize = 16;

/// A keyword that can be shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShownWord {
    letters: [u8; SHOWN_LENGTH_MAX],
    length: usize,
}

impl ShownWord {
    /// Nothing if it is longer or has other characters than capital letters, digits and blanks.
    pub fn of(words: &str) -> Option<Self> {
        let is_plain =
            |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ';
        let mut letters = [0; SHOWN_LENGTH_MAX];
        letters
            .get_mut(..words.len())?
            .copy_from_slice(words.as_bytes());
        let length = words.len();
        let is_shown = length > 0 && words.bytes().all(is_plain);
        is_shown.then_some(Self { letters, length })
    }

    fn as_str(&self) -> &str {
        let letters = self.letters.get(..self.length).unwrap_or_default();
        str::from_utf8(letters).unwrap_or_default()
    }
}

impl fmt::Display for ShownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ShownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// What subscribers are told to write; nothing where the grammar has no word that can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownWords {
    /// Before the name of a card.
    pub buy: Option<ShownWord>,
    /// To give a purchase up.
    pub cancel: Option<ShownWord>,
    /// To ask for the last one.
    pub status: Option<ShownWord>,
}

/// Those of the usual grammar.
impl Default for ShownWords {
    fn default() -> Self {
        Self {
            buy: ShownWord::of("MUA"),
            cancel: ShownWord::of("HUY"),
            status: ShownWord::of("TC"),
        }
    }
}
