//! Tags and lengths in characters, one subfield behind the other: `001003ABC002001X` with three
//! characters each. Many a bank's DE48 and DE120 to DE127 are made so.

use super::{Cursor, Fault, JoinFault, Label, Part, Shown, SplitFault};

/// No dialect that is known has tags of more characters.
pub(super) const TAG_CHARACTERS_MAX: u8 = 8;
/// Four digits count more than an element can hold.
pub(super) const LENGTH_DIGITS_MAX: u8 = 4;

/// Subfields of a tag, a length and a value each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    tag_characters: usize,
    length_digits: usize,
    known: Box<[NamedTag]>,
}

/// A tag that the dialect has a word for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedTag {
    /// The tag's characters.
    pub tag: Box<str>,
    /// What it is.
    pub name: Box<str>,
    /// Whether its value may be seen; see [`Shown`].
    pub clear: bool,
}

/// Why there can be no such subfields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaggedError {
    /// No tag, or one that is too long.
    #[error("tag must be from 1 to {TAG_CHARACTERS_MAX} characters")]
    TagCharacters,
    /// No length, or one of too many digits.
    #[error("length must be from 1 to {LENGTH_DIGITS_MAX} digits")]
    LengthDigits,
    /// A name for what can be no tag.
    #[error("{0:?} is no tag of {1} letters or digits")]
    Tag(Box<str>, usize),
    /// Two names for one tag.
    #[error("the tag {0:?} is named twice")]
    Twice(Box<str>),
}

impl Tagged {
    /// Subfields with tags of so many characters and lengths of so many digits, and the words for
    /// some of them.
    ///
    /// # Errors
    /// [`TaggedError`] says what cannot be.
    pub fn new(
        tag_characters: u8,
        length_digits: u8,
        known: Vec<NamedTag>,
    ) -> Result<Self, TaggedError> {
        if !(1..=TAG_CHARACTERS_MAX).contains(&tag_characters) {
            return Err(TaggedError::TagCharacters);
        }
        if !(1..=LENGTH_DIGITS_MAX).contains(&length_digits) {
            return Err(TaggedError::LengthDigits);
        }
        let tag_characters = usize::from(tag_characters);
        for (index, NamedTag { tag, .. }) in known.iter().enumerate() {
            if !is_tag(tag.as_bytes(), tag_characters) {
                return Err(TaggedError::Tag(tag.clone(), tag_characters));
            }
            if known.iter().take(index).any(|other| other.tag == *tag) {
                return Err(TaggedError::Twice(tag.clone()));
            }
        }
        Ok(Self {
            tag_characters,
            length_digits: usize::from(length_digits),
            known: known.into(),
        })
    }

    /// How many characters a tag has.
    pub fn tag_characters(&self) -> usize {
        self.tag_characters
    }

    /// How many digits a length has.
    pub fn length_digits(&self) -> usize {
        self.length_digits
    }

    /// The tags that the dialect has words for.
    pub fn known(&self) -> &[NamedTag] {
        &self.known
    }

    pub(super) fn split<'a>(
        &'a self,
        all_clear: bool,
        value: &'a [u8],
        parts: &mut Vec<Part<'a>>,
    ) -> Result<(), Fault> {
        let mut rest = Cursor::new(value, 0);
        while !rest.is_at_end() {
            let position = rest.position;
            let tag = self.take_tag(&mut rest)?;
            let length = rest.take_number(self.length_digits)?;
            let value = rest.take(length)?;
            let known = self.known.iter().find(|known| *known.tag == *tag);
            parts.push(Part {
                label: Label::Characters(tag, known.map(|known| &*known.name)),
                depth: 0,
                position,
                value,
                shown: match all_clear || known.is_some_and(|known| known.clear) {
                    true => Shown::Text,
                    false => Shown::Hidden,
                },
            });
        }
        Ok(())
    }

    /// Other bytes are refused, so that what is shown as a tag is no piece of a value which stands
    /// where a tag should.
    fn take_tag<'a>(&self, rest: &mut Cursor<'a>) -> Result<&'a str, Fault> {
        let tag = rest.peek(self.tag_characters)?;
        match std::str::from_utf8(tag) {
            Ok(text) if is_tag(tag, self.tag_characters) => {
                rest.take(self.tag_characters).map(|_| text)
            }
            _ => rest.fault(SplitFault::Tag(self.tag_characters)),
        }
    }

    pub(super) fn put(
        &self,
        label: &str,
        value: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), JoinFault> {
        if !is_tag(label.as_bytes(), self.tag_characters) {
            let what = "its tags are letters and digits, all of one length";
            return Err(JoinFault::Label(what));
        }
        let (length, digits) = (value.len(), self.length_digits);
        let written = format!("{length:0digits$}");
        if written.len() > digits {
            let allowed = format!("what {digits} digits can count").into();
            return Err(JoinFault::Length { length, allowed });
        }
        for bytes in [label.as_bytes(), written.as_bytes(), value] {
            output.extend_from_slice(bytes);
        }
        Ok(())
    }
}

fn is_tag(bytes: &[u8], characters: usize) -> bool {
    bytes.len() == characters && bytes.iter().all(u8::is_ascii_alphanumeric)
}
