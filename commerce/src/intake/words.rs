//! A text as its words: without accents, blanks, punctuation or case, so that it is the same text however
//! a telephone wrote it. It takes any text; time and room are those of its length.

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// The words of a text in capitals. Letters of other alphabets stay, so that a word with one is no word
/// of ours.
pub(super) fn words(text: &str) -> Vec<String> {
    // Full-width and other compatible forms become plain ones, and accents characters of their own.
    let folded: String = text
        .nfkd()
        .filter(|char| !is_combining_mark(*char))
        .flat_map(|char| plain(char).to_uppercase())
        .collect();
    let words = folded.split(|char: char| !char.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// The one letter of Vietnamese whose stroke is no accent.
fn plain(char: char) -> char {
    match char {
        'đ' | 'Đ' => 'D',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_same_however_a_telephone_wrote_it() {
        for text in [
            "TRA CUU DO",
            "  tra\tcuu\r\ndo ",
            "Tra cứu đỏ",
            "Tra cu\u{31b}\u{301}u d\u{309}o",
            "ＴＲＡ　ＣＵＵ　ＤＯ",
            "\"Tra-Cuu, do...\"",
            "tra\u{a0}cuu\u{200b}do",
        ] {
            assert_eq!(words(text), ["TRA", "CUU", "DO"], "{text}");
        }
        assert_eq!(words("１２３４５６."), ["123456"]);
        assert_eq!(words(" .,!? "), [""; 0]);
    }

    #[test]
    fn a_letter_of_another_alphabet_makes_another_word() {
        // A Cyrillic М, which looks like ours.
        assert_eq!(words("МUA MOBI100"), ["МUA", "MOBI100"]);
        assert_ne!(words("МUA"), words("MUA"));
    }
}
