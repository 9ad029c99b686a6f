//! The GSM 03.38 default alphabet and its extension table, one septet per octet.

/// Announces a character of the extension table.
pub(super) const ESCAPE: u8 = 0x1B;

/// The default alphabet by septet. The escape's own place holds NUL, which no septet stands for.
pub(super) const ALPHABET: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', //
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\0', 'Æ', 'æ', 'ß', 'É', //
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', //
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', //
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', //
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', //
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', //
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à', //
];

/// The extension table: septet after the escape, character.
pub(super) const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{0C}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// Marks a character of [`SEPTETS`] that has none.
const NONE: u8 = 0xFF;
/// Marks a septet of [`SEPTETS`] that follows an escape.
const EXTENDED: u8 = 0x80;

/// The septets of U+0000 to U+00FF, built from the two tables above.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
const SEPTETS: [u8; 256] = {
    let mut septets = [NONE; 256];
    let mut septet = 0;
    while septet < 128 {
        let code = ALPHABET[septet] as usize;
        if code < 256 && septet != ESCAPE as usize {
            septets[code] = septet as u8;
        }
        septet += 1;
    }
    let mut entry = 0;
    while entry < EXTENSION.len() {
        let (septet, character) = EXTENSION[entry];
        if (character as usize) < 256 {
            septets[character as usize] = EXTENDED | septet;
        }
        entry += 1;
    }
    septets
};

/// The octets of UTF-8 that stand for themselves in the default alphabet.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
const IS_ITSELF: [bool; 256] = {
    let mut same = [false; 256];
    let mut octet = 0;
    while octet < 128 {
        same[octet] = SEPTETS[octet] as usize == octet;
        octet += 1;
    }
    same
};

/// True when the text's octets are its septets already, as in most short messages in English.
pub(super) fn is_itself(text: &str) -> bool {
    text.bytes()
        .all(|octet| IS_ITSELF.get(usize::from(octet)).copied().unwrap_or(false))
}

/// Appends the septets of `character`, or says that it has none.
#[must_use]
pub(super) fn push(character: char, out: &mut Vec<u8>) -> bool {
    match septet(character) {
        NONE => return false,
        extended if extended & EXTENDED != 0 => {
            out.extend_from_slice(&[ESCAPE, extended & !EXTENDED]);
        }
        septet => out.push(septet),
    }
    true
}

fn septet(character: char) -> u8 {
    match character {
        'Δ' => 0x10,
        'Φ' => 0x12,
        'Γ' => 0x13,
        'Λ' => 0x14,
        'Ω' => 0x15,
        'Π' => 0x16,
        'Ψ' => 0x17,
        'Σ' => 0x18,
        'Θ' => 0x19,
        'Ξ' => 0x1A,
        '€' => EXTENDED | 0x65,
        other => SEPTETS.get(other as usize).copied().unwrap_or(NONE),
    }
}

/// Reads septets, one per octet; `None` when an octet is not a septet.
///
/// After an escape, a septet that the extension table does not have shows the default alphabet's
/// character, and an escape at the end or after an escape shows a space (GSM 03.38 6.2.1.1).
pub(super) fn decode(octets: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(octets.len());
    let mut octets = octets.iter().copied();
    while let Some(octet) = octets.next() {
        if octet != ESCAPE {
            text.push(*ALPHABET.get(usize::from(octet))?);
            continue;
        }
        text.push(match octets.next() {
            None | Some(ESCAPE) => ' ',
            Some(septet) => extended(septet).or(ALPHABET.get(usize::from(septet)).copied())?,
        });
    }
    Some(text)
}

fn extended(septet: u8) -> Option<char> {
    EXTENSION
        .iter()
        .find(|entry| entry.0 == septet)
        .map(|entry| entry.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_septet_comes_back_from_its_character() {
        let all = (0..128)
            .filter(|&septet| septet != ESCAPE)
            .map(|septet| vec![septet]);
        let pairs = EXTENSION.iter().map(|&(septet, _)| vec![ESCAPE, septet]);
        for septets in all.chain(pairs) {
            let text = decode(&septets).unwrap();
            let mut again = Vec::new();
            assert!(text.chars().all(|character| push(character, &mut again)));
            assert_eq!(again, septets);
        }
    }

    #[test]
    fn an_octet_above_127_is_no_septet() {
        assert_eq!(decode(&[0x41, 0x80]), None);
        assert_eq!(decode(&[ESCAPE, 0xFF]), None);
    }

    #[test]
    fn an_escape_without_an_extended_character_shows_what_the_standard_says() {
        assert_eq!(decode(&[ESCAPE, 0x41]).unwrap(), "A");
        assert_eq!(decode(&[0x41, ESCAPE]).unwrap(), "A ");
        assert_eq!(decode(&[ESCAPE, ESCAPE]).unwrap(), " ");
    }

    #[test]
    fn what_stands_for_itself_leaves_out_the_octets_that_differ() {
        assert!(is_itself("Your code is on its way. Bye!\n"));
        for text in [
            "a@b", "$5", "a_b", "`", "{", "é", "\u{1B}", "\u{00}", "\u{7F}",
        ] {
            assert!(!is_itself(text), "{text:?}");
        }
    }
}
