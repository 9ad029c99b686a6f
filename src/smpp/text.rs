//! Characters to the octets of a short message and back (SMPP 3.4 5.2.19, GSM 03.38).
//!
//! Nothing is lost or replaced on the way out: a character that the coding does not have is an
//! error that names the character alone.

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;

use super::gsm7;
use super::language::{NationalLanguage, Shifts};

/// `data_coding` of the SMSC's default alphabet, here GSM 03.38 with one septet per octet.
pub const DATA_CODING_DEFAULT: u8 = 0;
/// `data_coding` of IA5, which is ASCII.
pub const DATA_CODING_IA5: u8 = 1;
/// `data_coding` of ISO 8859-1.
pub const DATA_CODING_LATIN1: u8 = 3;
/// `data_coding` of UCS-2, big endian.
pub const DATA_CODING_UCS2: u8 = 8;

/// Message class codings over the default alphabet: flash, ME, SIM, TE (GSM 03.38 section 4).
pub(super) const DATA_CODINGS_CLASS_DEFAULT: std::ops::RangeInclusive<u8> = 0xF0..=0xF3;

/// How a text is put into octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Coding {
    /// The cheapest that loses nothing: GSM 7-bit, else UCS-2.
    #[default]
    Automatic,
    /// GSM 03.38 with its extension table.
    Gsm7,
    /// ISO 8859-1.
    Latin1,
    /// UCS-2, with surrogate pairs for what lies beyond.
    Ucs2,
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Automatic => "any coding",
            Self::Gsm7 => "GSM 03.38",
            Self::Latin1 => "ISO 8859-1",
            Self::Ucs2 => "UCS-2",
        })
    }
}

/// A text as octets.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded<'t> {
    /// The octets, not yet split. They are those of the text itself where the coding leaves it as it
    /// is.
    pub data: Cow<'t, [u8]>,
    /// The coding as the PDU says it.
    pub data_coding: u8,
    /// The table of single shifts that a header of each part has to name.
    pub single_shift: Option<NationalLanguage>,
}

/// The length alone: the octets are a message's text.
impl fmt::Debug for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "data_coding {} <{} octets>",
            self.data_coding,
            self.data.len()
        )
    }
}

/// A character that the coding does not have. The fault is the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{} at position {position} is not in {coding}: use another coding or character",
    character.escape_unicode())]
pub struct TextError {
    /// The first such character.
    pub character: char,
    /// Its index among the text's characters, from zero.
    pub position: usize,
    /// The coding that was asked for.
    pub coding: Coding,
}

/// Puts `text` into octets.
///
/// # Errors
/// [`TextError`] when the coding lacks a character; [`Coding::Automatic`] and [`Coding::Ucs2`]
/// lack none.
pub fn encode(text: &str, coding: Coding) -> Result<Encoded<'_>, TextError> {
    match coding {
        Coding::Automatic => Ok(gsm7(text).unwrap_or_else(|_| ucs2(text))),
        Coding::Gsm7 => gsm7(text),
        Coding::Latin1 => latin1(text),
        Coding::Ucs2 => Ok(ucs2(text)),
    }
}

fn gsm7(text: &str) -> Result<Encoded<'_>, TextError> {
    if gsm7::plain_octets(text.as_bytes()) == text.len() {
        return Ok(default_alphabet(Cow::Borrowed(text.as_bytes())));
    }
    let mut data = Vec::with_capacity(text.len());
    let rest = gsm7::put(text, &mut data);
    match rest.chars().next() {
        None => Ok(default_alphabet(data.into())),
        Some(character) => Err(TextError {
            character,
            position: text.chars().count() - rest.chars().count(),
            coding: Coding::Gsm7,
        }),
    }
}

fn default_alphabet(data: Cow<'_, [u8]>) -> Encoded<'_> {
    Encoded {
        data,
        data_coding: DATA_CODING_DEFAULT,
        single_shift: None,
    }
}

/// GSM 03.38 with a language's single shifts in place of the extension table, which they contain;
/// `None` if the text has other characters.
pub(super) fn gsm7_of(text: &str, language: NationalLanguage) -> Option<Encoded<'static>> {
    let mut data = Vec::with_capacity(text.len());
    let mut characters = gsm7::put(text, &mut data).chars();
    while let Some(character) = characters.next() {
        data.extend_from_slice(&[gsm7::ESCAPE, language.single(character)?]);
        characters = gsm7::put(characters.as_str(), &mut data).chars();
    }
    Some(Encoded {
        single_shift: Some(language),
        ..default_alphabet(data.into())
    })
}

fn latin1(text: &str) -> Result<Encoded<'static>, TextError> {
    let octet = |(position, character)| {
        u8::try_from(u32::from(character)).map_err(|_| TextError {
            character,
            position,
            coding: Coding::Latin1,
        })
    };
    let data = text
        .chars()
        .enumerate()
        .map(octet)
        .collect::<Result<Vec<u8>, _>>()?;
    Ok(Encoded {
        data: data.into(),
        data_coding: DATA_CODING_LATIN1,
        single_shift: None,
    })
}

pub(super) fn ucs2(text: &str) -> Encoded<'static> {
    let data: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    Encoded {
        data: data.into(),
        data_coding: DATA_CODING_UCS2,
        single_shift: None,
    }
}

/// Reads the octets of a text; a user data header must have been taken off.
///
/// `None` when `data_coding` is not that of a text, or the octets do not fit it: then they have to
/// be handed on as they are.
pub fn decode(data_coding: u8, octets: &[u8]) -> Option<String> {
    match data_coding {
        DATA_CODING_DEFAULT => gsm7::decode(octets),
        coding if DATA_CODINGS_CLASS_DEFAULT.contains(&coding) => gsm7::decode(octets),
        DATA_CODING_IA5 if octets.is_ascii() => String::from_utf8(octets.to_vec()).ok(),
        DATA_CODING_LATIN1 => Some(octets.iter().copied().map(char::from).collect()),
        DATA_CODING_UCS2 => {
            let (units, rest) = octets.as_chunks::<2>();
            let units: Vec<u16> = units.iter().copied().map(u16::from_be_bytes).collect();
            rest.is_empty()
                .then(|| String::from_utf16(&units).ok())
                .flatten()
        }
        _ => None,
    }
}

/// The same with the tables that the user data header names, which matter to GSM 03.38 alone.
pub fn decode_shifted(data_coding: u8, octets: &[u8], shifts: Shifts) -> Option<String> {
    match data_coding {
        _ if shifts == Shifts::default() => decode(data_coding, octets),
        DATA_CODING_DEFAULT => shifts.decode(octets),
        coding if DATA_CODINGS_CLASS_DEFAULT.contains(&coding) => shifts.decode(octets),
        _ => decode(data_coding, octets),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn automatic_takes_gsm7_where_it_loses_nothing_and_ucs2_otherwise() {
        let euro = encode("5 €", Coding::Automatic).unwrap();
        assert_eq!(
            (euro.data_coding, &euro.data[..]),
            (0, &[0x35, 0x20, 0x1B, 0x65][..])
        );
        let vietnamese = encode("Đã", Coding::Automatic).unwrap();
        assert_eq!(vietnamese.data_coding, 8);
        assert_eq!(&vietnamese.data[..], [0x01, 0x10, 0x00, 0xE3]);
    }

    #[test]
    fn characters_of_the_default_alphabet_have_the_septets_of_the_standard() {
        let encoded = encode("@£$_Ωé[Ç", Coding::Gsm7).unwrap();
        assert_eq!(
            &encoded.data[..],
            [0x00, 0x01, 0x02, 0x11, 0x15, 0x05, 0x1B, 0x3C, 0x09]
        );
    }

    #[test]
    fn a_character_that_the_coding_lacks_is_named_with_its_position_and_nothing_else_is() {
        let error = encode("PIN 1234 ❤", Coding::Gsm7).unwrap_err();
        assert_eq!((error.character, error.position), ('❤', 9));
        assert!(!error.to_string().contains("1234"));
        let error = encode("a€", Coding::Latin1).unwrap_err();
        assert_eq!((error.character, error.position), ('€', 1));
    }

    #[test]
    fn a_character_beyond_the_basic_plane_is_a_surrogate_pair() {
        let encoded = encode("😀", Coding::Ucs2).unwrap();
        assert_eq!(&encoded.data[..], [0xD8, 0x3D, 0xDE, 0x00]);
    }

    #[test]
    fn octets_that_are_no_text_of_their_coding_are_not_decoded() {
        assert_eq!(decode(DATA_CODING_UCS2, &[0x00]), None);
        assert_eq!(decode(DATA_CODING_UCS2, &[0xD8, 0x3D]), None);
        assert_eq!(decode(DATA_CODING_IA5, &[0x80]), None);
        assert_eq!(decode(4, b"binary"), None);
        assert_eq!(decode(0xF0, &[0x00]).as_deref(), Some("@"));
    }

    proptest! {
        #[test]
        fn decode_of_encode_is_the_text(text in "\\PC{0,200}") {
            let encoded = encode(&text, Coding::Automatic).unwrap();
            let read = decode(encoded.data_coding, &encoded.data);
            prop_assert_eq!(read.as_ref(), Some(&text));
        }

        #[test]
        fn any_octets_decode_without_panic(coding: u8, octets: Vec<u8>) {
            let text = decode(coding, &octets);
            prop_assert!(text.is_none_or(|text| text.len() <= octets.len() * 3));
        }
    }
}
