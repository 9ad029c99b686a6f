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

/// Octets that are looked at together: as many as the vector registers of each processor hold.
const BLOCK_OCTETS: usize = 16;

/// Whether an octet of UTF-8 is its own septet: letters, digits, line ends and most punctuation.
///
/// Arithmetic without a branch, which the compiler makes one of for all octets of a block.
const fn is_itself(octet: u8) -> bool {
    let is_letter = (octet | 0x20).wrapping_sub(b'a') < 26;
    let is_other = (octet.wrapping_sub(b' ') < 0x20) & (octet != b'$');
    is_letter | is_other | (octet == b'\n') | (octet == b'\r')
}

/// The same by octet, for those that are looked at one by one.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
const IS_ITSELF: [bool; 256] = {
    let mut table = [false; 256];
    let mut octet = 0;
    while octet < table.len() {
        table[octet] = is_itself(octet as u8);
        octet += 1;
    }
    table
};

/// How many octets at the start are their own septets: all, in most short messages in English.
pub(super) fn plain_octets(octets: &[u8]) -> usize {
    let (blocks, _) = octets.as_chunks::<BLOCK_OCTETS>();
    let plain_blocks = blocks.iter().take_while(|block| is_plain(block)).count();
    // What is left over is looked at with octets before it, which are plain.
    if plain_blocks == blocks.len() && octets.last_chunk().is_some_and(is_plain) {
        return octets.len();
    }
    let in_blocks = plain_blocks * BLOCK_OCTETS;
    let rest = octets.get(in_blocks..).unwrap_or_default();
    let in_rest = rest
        .iter()
        .take_while(|&&octet| IS_ITSELF[usize::from(octet)]);
    in_blocks + in_rest.count()
}

fn is_plain(block: &[u8; BLOCK_OCTETS]) -> bool {
    let each = block.iter().map(|&octet| is_itself(octet));
    each.fold(true, |all, is_itself| all & is_itself)
}

/// Appends the septets of `text` up to its first character that has none, and returns the text from
/// there on.
#[must_use]
pub(super) fn put<'t>(text: &'t str, out: &mut Vec<u8>) -> &'t str {
    let mut rest = text;
    loop {
        let plain = plain_octets(rest.as_bytes());
        let (plain, next) = rest.split_at_checked(plain).unwrap_or(("", rest));
        out.extend_from_slice(plain.as_bytes());
        let mut characters = next.chars();
        match characters.next().map(septet) {
            None | Some(NONE) => return next,
            Some(extended) if extended & EXTENDED != 0 => {
                out.extend_from_slice(&[ESCAPE, extended & !EXTENDED]);
            }
            Some(septet) => out.push(septet),
        }
        rest = characters.as_str();
    }
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
    let mut rest = octets;
    loop {
        let (plain, next) = rest.split_at_checked(plain_octets(rest))?;
        text.push_str(str::from_utf8(plain).ok()?);
        let (character, after) = match next {
            [] => return Some(text),
            [ESCAPE] => (' ', &[][..]),
            [ESCAPE, ESCAPE, after @ ..] => (' ', after),
            [ESCAPE, septet, after @ ..] => {
                (extended(*septet).or_else(|| default(*septet))?, after)
            }
            [septet, after @ ..] => (default(*septet)?, after),
        };
        text.push(character);
        rest = after;
    }
}

fn default(septet: u8) -> Option<char> {
    ALPHABET.get(usize::from(septet)).copied()
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
            assert_eq!(put(&text, &mut again), "");
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
    fn an_octet_is_plain_exactly_where_its_character_has_that_septet() {
        for octet in 0..=255 {
            let is_own_septet = septet(char::from(octet)) == octet && octet < 128;
            assert_eq!(is_itself(octet), is_own_septet, "{octet:#04x}");
        }
    }

    #[test]
    fn plain_octets_end_before_the_first_other_one_wherever_it_is() {
        let plain = [b'a'; 50];
        assert_eq!(plain_octets(&plain), 50);
        for index in 0..plain.len() {
            let mut octets = plain;
            octets[index] = b'@';
            assert_eq!(plain_octets(&octets), index);
        }
    }

    #[test]
    fn what_lacks_a_septet_is_left_from_there_on() {
        let mut out = Vec::new();
        assert_eq!(put("5 €❤ and more", &mut out), "❤ and more");
        assert_eq!(out, [b'5', b' ', ESCAPE, 0x65]);
    }
}
