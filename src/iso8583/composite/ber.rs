//! BER-TLV as chip cards speak it: EMV Book 3, Annex B, which is ISO/IEC 8825-1 with definite
//! lengths of at most two bytes behind their first.

use super::{Cursor, Fault, JoinFault, Label, Part, Shown, SplitFault};
use crate::iso8583::field::hex_value;
use std::fmt;

/// EMV assigns tags of one and two bytes, kernels and wallets some of three; four is one to spare.
pub const TAG_BYTES_MAX: usize = 4;
/// The templates of a card's answer lie at most four deep in each other (6F, A5, BF0C, 61). What a
/// peer nests deeper is no chip data, and splitting it must not cost a deep stack.
pub const DEPTH_MAX: usize = 8;
/// What a length of `82` and two bytes can give.
pub const VALUE_BYTES_MAX: usize = 0xFFFF;

/// A tag of one to four bytes (Annex B1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(u32);

impl Tag {
    /// A tag as it is written: hexadecimal, such as `9F26`. `None` for what is no whole tag.
    pub fn parse(text: &str) -> Option<Self> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if !rest.is_empty() || pairs.len() > TAG_BYTES_MAX {
            return None;
        }
        let byte = |[high, low]: &[u8; 2]| Some(hex_value(*high)? << 4 | hex_value(*low)?);
        let written: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
        let mut cursor = Cursor::new(&written, 0);
        let tag = take_tag(&mut cursor).ok()?;
        // 00 is fill, not a tag.
        (cursor.is_at_end() && tag.0 != 0).then_some(tag)
    }

    /// The tag that these bytes are, the first one being the most significant.
    pub(super) const fn of(bytes: u32) -> Self {
        Self(bytes)
    }

    /// Whether its value is made of objects (bit 6 of the first byte).
    pub fn is_constructed(self) -> bool {
        let (bytes, start) = self.bytes();
        bytes.get(start).is_some_and(|first| first & 0x20 != 0)
    }

    /// Four bytes, and where in them the tag begins: no tag begins with 00.
    fn bytes(self) -> ([u8; TAG_BYTES_MAX], usize) {
        (self.0.to_be_bytes(), self.0.leading_zeros() as usize / 8)
    }
}

/// Appends the objects of a value to `parts`, as far as they can be read.
pub(super) fn split<'a>(value: &'a [u8], parts: &mut Vec<Part<'a>>) -> Result<(), Fault> {
    split_objects(Cursor::new(value, 0), 0, parts)
}

fn split_objects<'a>(
    mut objects: Cursor<'a>,
    depth: usize,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), Fault> {
    while !pass_over_fill(&mut objects)? {
        let position = objects.position;
        if depth == DEPTH_MAX {
            return objects.fault(SplitFault::Depth);
        }
        let tag = take_tag(&mut objects)?;
        let length = take_length(&mut objects)?;
        let content = objects.position;
        let value = objects.take(length)?;
        parts.push(Part {
            label: Label::Tag(tag),
            depth,
            position,
            value,
            shown: Shown::of_tag(tag),
        });
        if tag.is_constructed() {
            split_objects(Cursor::new(value, content), depth + 1, parts)?;
        }
    }
    Ok(())
}

/// Whether nothing but fill was left. 00 is fill wherever an object could begin (Annex B). FF is
/// fill too in ISO/IEC 7816-4, but also the first byte of tags such as FF8105: so it is taken for
/// fill only where nothing else follows.
fn pass_over_fill(objects: &mut Cursor<'_>) -> Result<bool, Fault> {
    let is_fill = |byte: &u8| matches!(byte, 0x00 | 0xFF);
    if objects.bytes.iter().all(is_fill) {
        return Ok(true);
    }
    let zeros = objects.bytes.iter().take_while(|byte| **byte == 0).count();
    objects.take(zeros)?;
    Ok(false)
}

fn take_tag(from: &mut Cursor<'_>) -> Result<Tag, Fault> {
    let start = from.position;
    let first = from.take_byte()?;
    let mut tag = u32::from(first);
    if first & 0x1F != 0x1F {
        return Ok(Tag(tag));
    }
    for _ in 1..TAG_BYTES_MAX {
        let next = from.take_byte()?;
        tag = tag << 8 | u32::from(next);
        if next & 0x80 == 0 {
            return Ok(Tag(tag));
        }
    }
    let why = SplitFault::LongTag;
    Err(Fault {
        position: start,
        why,
    })
}

fn take_length(from: &mut Cursor<'_>) -> Result<usize, Fault> {
    let position = from.position;
    let more = match from.take_byte()? {
        short @ 0..=0x7F => return Ok(usize::from(short)),
        0x81 => 1,
        0x82 => 2,
        other => {
            let why = SplitFault::LengthForm(other);
            return Err(Fault { position, why });
        }
    };
    let bytes = from.take(more)?;
    Ok(bytes
        .iter()
        .fold(0, |length, byte| length << 8 | usize::from(*byte)))
}

/// Appends an object with the shortest length that gives its value's. The value of a constructed
/// tag is taken as it is: objects that were put before.
///
/// # Errors
/// [`JoinFault::Length`] over [`VALUE_BYTES_MAX`].
pub fn put(tag: Tag, value: &[u8], output: &mut Vec<u8>) -> Result<(), JoinFault> {
    let [.., high, low] = value.len().to_be_bytes();
    let (bytes, start) = tag.bytes();
    let tag = bytes.get(start..).unwrap_or_default();
    let length: &[u8] = match value.len() {
        0..=0x7F => &[low],
        0x80..=0xFF => &[0x81, low],
        0x100..=VALUE_BYTES_MAX => &[0x82, high, low],
        length => {
            let allowed = format!("up to {VALUE_BYTES_MAX}").into();
            return Err(JoinFault::Length { length, allowed });
        }
    };
    for bytes in [tag, length, value] {
        output.extend_from_slice(bytes);
    }
    Ok(())
}

pub(super) fn put_labelled(
    label: &str,
    value: &[u8],
    output: &mut Vec<u8>,
) -> Result<(), JoinFault> {
    let tag = Tag::parse(label).ok_or(JoinFault::Label("it has hexadecimal tags, such as 9F26"))?;
    put(tag, value, output)
}

/// Hexadecimal, upper case.
impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, start) = self.bytes();
        let digits = bytes.get(start..).unwrap_or_default();
        let text: String = digits.iter().map(|byte| format!("{byte:02X}")).collect();
        f.pad(&text)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({self})")
    }
}
