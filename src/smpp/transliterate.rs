//! Vietnamese in the letters of GSM 03.38: what the alphabet lacks becomes its nearest letter.
//!
//! "Đặng" becomes "Dang", a curly quote a straight one. What the alphabet has stays: "và" keeps its
//! accent. Letters of other scripts stay too, so that whoever asked sees that the text does not fit
//! and can leave it as it was. Composed and combining forms of a letter have the same result.

use std::borrow::Cow;

/// Replaces the Vietnamese letters and the punctuation of phones that GSM 03.38 does not have.
/// Borrows where there is nothing to replace.
pub fn transliterate(text: &str) -> Cow<'_, str> {
    if text.is_ascii() && !text.contains(['`', '\t']) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if let Some(vowel) = plain_vowel(character) {
            let first = characters.next_if(|&next| is_mark(next));
            let more = first.and_then(|_| characters.next_if(|&next| is_mark(next)));
            while characters.next_if(|&next| is_mark(next)).is_some() {}
            plain.push(match (first, more) {
                (None, _) => kept(character).unwrap_or(vowel),
                (Some(mark), None) => composed(character, mark).unwrap_or(vowel),
                (Some(_), Some(_)) => vowel,
            });
        } else if let Some(replacement) = replacement(character) {
            plain.push_str(replacement);
        } else {
            plain.push(character);
        }
    }
    match plain == text {
        true => Cow::Borrowed(text),
        false => Cow::Owned(plain),
    }
}

/// The vowel without its marks, if it is one of Vietnamese.
fn plain_vowel(character: char) -> Option<char> {
    let vowel = match character.to_lowercase().next()? {
        'a' | 'à' | 'á' | 'â' | 'ã' | 'ă' => 'a',
        'e' | 'è' | 'é' | 'ê' => 'e',
        'i' | 'ì' | 'í' | 'ĩ' => 'i',
        'o' | 'ò' | 'ó' | 'ô' | 'õ' | 'ơ' => 'o',
        'u' | 'ù' | 'ú' | 'ũ' | 'ư' => 'u',
        'y' | 'ý' => 'y',
        // The block of Latin Extended Additional that was made for Vietnamese, in its order.
        '\u{1EA0}'..='\u{1EB7}' => 'a',
        '\u{1EB8}'..='\u{1EC7}' => 'e',
        '\u{1EC8}'..='\u{1ECB}' => 'i',
        '\u{1ECC}'..='\u{1EE3}' => 'o',
        '\u{1EE4}'..='\u{1EF1}' => 'u',
        '\u{1EF2}'..='\u{1EF9}' => 'y',
        _ => return None,
    };
    Some(match character.is_uppercase() {
        true => vowel.to_ascii_uppercase(),
        false => vowel,
    })
}

/// The marks of Vietnamese: grave, acute, circumflex, tilde, breve, hook above, horn, dot below.
fn is_mark(character: char) -> bool {
    matches!(
        character,
        '\u{0300}'..='\u{0303}' | '\u{0306}' | '\u{0309}' | '\u{031B}' | '\u{0323}'
    )
}

/// The accented letters of Vietnamese that GSM 03.38 has.
fn kept(character: char) -> Option<char> {
    matches!(character, 'à' | 'è' | 'é' | 'ì' | 'ò' | 'ù' | 'É').then_some(character)
}

/// The same from a letter and its one mark.
fn composed(letter: char, mark: char) -> Option<char> {
    Some(match (letter, mark) {
        ('a', '\u{0300}') => 'à',
        ('e', '\u{0300}') => 'è',
        ('e', '\u{0301}') => 'é',
        ('E', '\u{0301}') => 'É',
        ('i', '\u{0300}') => 'ì',
        ('o', '\u{0300}') => 'ò',
        ('u', '\u{0300}') => 'ù',
        _ => return None,
    })
}

/// Of what is no vowel: Đ, and what phones write where a keyboard has another key.
fn replacement(character: char) -> Option<&'static str> {
    Some(match character {
        'Đ' => "D",
        'đ' => "d",
        // The sign of the currency is a small d with strokes.
        '₫' => "d",
        '\u{2018}'..='\u{201B}' | '\u{2032}' | '`' | '´' => "'",
        '\u{201C}'..='\u{201F}' | '\u{2033}' | '«' | '»' => "\"",
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '•' | '·' => "-",
        '…' => "...",
        '×' => "x",
        '\t' | '\u{00A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{3000}' => " ",
        // Shown nowhere: a break that may be, a byte order mark, a hyphen that may be.
        '\u{200B}' | '\u{FEFF}' | '\u{00AD}' => "",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::smpp::text::{Coding, encode};

    /// Every letter of Vietnamese with a mark: composed, decomposed, and in GSM 03.38.
    const LETTERS: &[(&str, &str, &str)] = &[
        ("à", "a\u{300}", "à"),
        ("á", "a\u{301}", "a"),
        ("ả", "a\u{309}", "a"),
        ("ã", "a\u{303}", "a"),
        ("ạ", "a\u{323}", "a"),
        ("ă", "a\u{306}", "a"),
        ("ằ", "a\u{306}\u{300}", "a"),
        ("ắ", "a\u{306}\u{301}", "a"),
        ("ẳ", "a\u{306}\u{309}", "a"),
        ("ẵ", "a\u{306}\u{303}", "a"),
        ("ặ", "a\u{323}\u{306}", "a"),
        ("â", "a\u{302}", "a"),
        ("ầ", "a\u{302}\u{300}", "a"),
        ("ấ", "a\u{302}\u{301}", "a"),
        ("ẩ", "a\u{302}\u{309}", "a"),
        ("ẫ", "a\u{302}\u{303}", "a"),
        ("ậ", "a\u{323}\u{302}", "a"),
        ("è", "e\u{300}", "è"),
        ("é", "e\u{301}", "é"),
        ("ẻ", "e\u{309}", "e"),
        ("ẽ", "e\u{303}", "e"),
        ("ẹ", "e\u{323}", "e"),
        ("ê", "e\u{302}", "e"),
        ("ề", "e\u{302}\u{300}", "e"),
        ("ế", "e\u{302}\u{301}", "e"),
        ("ể", "e\u{302}\u{309}", "e"),
        ("ễ", "e\u{302}\u{303}", "e"),
        ("ệ", "e\u{323}\u{302}", "e"),
        ("ì", "i\u{300}", "ì"),
        ("í", "i\u{301}", "i"),
        ("ỉ", "i\u{309}", "i"),
        ("ĩ", "i\u{303}", "i"),
        ("ị", "i\u{323}", "i"),
        ("ò", "o\u{300}", "ò"),
        ("ó", "o\u{301}", "o"),
        ("ỏ", "o\u{309}", "o"),
        ("õ", "o\u{303}", "o"),
        ("ọ", "o\u{323}", "o"),
        ("ô", "o\u{302}", "o"),
        ("ồ", "o\u{302}\u{300}", "o"),
        ("ố", "o\u{302}\u{301}", "o"),
        ("ổ", "o\u{302}\u{309}", "o"),
        ("ỗ", "o\u{302}\u{303}", "o"),
        ("ộ", "o\u{323}\u{302}", "o"),
        ("ơ", "o\u{31B}", "o"),
        ("ờ", "o\u{31B}\u{300}", "o"),
        ("ớ", "o\u{31B}\u{301}", "o"),
        ("ở", "o\u{31B}\u{309}", "o"),
        ("ỡ", "o\u{31B}\u{303}", "o"),
        ("ợ", "o\u{31B}\u{323}", "o"),
        ("ù", "u\u{300}", "ù"),
        ("ú", "u\u{301}", "u"),
        ("ủ", "u\u{309}", "u"),
        ("ũ", "u\u{303}", "u"),
        ("ụ", "u\u{323}", "u"),
        ("ư", "u\u{31B}", "u"),
        ("ừ", "u\u{31B}\u{300}", "u"),
        ("ứ", "u\u{31B}\u{301}", "u"),
        ("ử", "u\u{31B}\u{309}", "u"),
        ("ữ", "u\u{31B}\u{303}", "u"),
        ("ự", "u\u{31B}\u{323}", "u"),
        ("ỳ", "y\u{300}", "y"),
        ("ý", "y\u{301}", "y"),
        ("ỷ", "y\u{309}", "y"),
        ("ỹ", "y\u{303}", "y"),
        ("ỵ", "y\u{323}", "y"),
    ];

    #[test]
    fn every_letter_of_vietnamese_becomes_its_nearest_in_both_forms_and_both_cases() {
        // Of the capitals with one mark, GSM 03.38 has É alone.
        let capital = |plain: &str| match plain {
            "é" => "É".to_owned(),
            "à" | "è" | "ì" | "ò" | "ù" => {
                let plain = plain.replace('à', "A").replace('è', "E");
                plain.replace('ì', "I").replace('ò', "O").replace('ù', "U")
            }
            other => other.to_uppercase(),
        };
        assert_eq!(LETTERS.len(), 66);
        for (letter, decomposed, plain) in LETTERS {
            assert_eq!(transliterate(letter), *plain, "{letter}");
            assert_eq!(transliterate(decomposed), *plain, "{letter} decomposed");
            let upper = capital(plain);
            assert_eq!(transliterate(&letter.to_uppercase()), upper, "{letter}");
            assert_eq!(transliterate(&decomposed.to_uppercase()), upper, "{letter}");
        }
        assert_eq!(transliterate("Đđ"), "Dd");
    }

    #[test]
    fn a_tone_that_follows_a_composed_vowel_is_taken_with_it() {
        // So writes an older Vietnamese keyboard: the vowel composed, its tone combining.
        assert_eq!(
            transliterate("Viê\u{323}t Nam, đươ\u{300}ng"),
            "Viet Nam, duong"
        );
    }

    #[test]
    fn a_sentence_reads_as_its_unaccented_form() {
        assert_eq!(
            transliterate("Quý khách Đặng Thị Hưởng đã trả 1.250.000₫"),
            "Quy khach Dang Thi Huong da tra 1.250.000d"
        );
    }

    #[test]
    fn the_punctuation_of_phones_becomes_that_of_keyboards() {
        assert_eq!(
            transliterate("‘a’ “b” c–d—e…\u{A0}f\u{200B}g"),
            "'a' \"b\" c-d-e... fg"
        );
    }

    #[test]
    fn other_letters_and_their_marks_stay_as_they_are() {
        for text in ["n\u{303}", "漢字 😀", "привет", "Œuvre ñ", "k\u{323}"] {
            assert_eq!(transliterate(text), text);
        }
    }

    proptest! {
        #[test]
        fn vietnamese_always_fits_gsm_03_38_and_is_not_changed_twice(
            at in proptest::collection::vec((0..LETTERS.len(), any::<bool>()), 0..60),
        ) {
            let letter = |(at, composed): (usize, bool)| match composed {
                true => LETTERS[at].0,
                false => LETTERS[at].1,
            };
            let text: String = at.iter().copied().map(letter).collect();
            let plain = transliterate(&text);
            prop_assert!(encode(&plain, Coding::Gsm7).is_ok());
            prop_assert_eq!(transliterate(&plain), plain.clone());
        }

        #[test]
        fn what_gsm_03_38_has_is_never_changed(text in "[ -_a-zàèéìòùÉñäöüßÇ£¥Δ€{}~\\[\\]\n]{0,80}") {
            prop_assume!(encode(&text, Coding::Gsm7).is_ok());
            prop_assert_eq!(transliterate(&text), text.clone());
        }

        #[test]
        fn any_text_is_taken(text in "\\PC{0,100}") {
            prop_assert!(transliterate(&text).len() <= text.len() * 3);
        }
    }
}
