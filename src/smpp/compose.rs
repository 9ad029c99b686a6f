//! Which coding a text gets: the cheapest in parts that loses nothing, and a transliteration only
//! where that is wanted and pays.
//!
//! Pure. What is sent and what is previewed come from here alike, so they cannot disagree.

use std::borrow::Cow;

use super::language::NationalLanguage;
use super::segment::{self, Splitting};
use super::text::{self, Coding, Encoded, TextError};
use super::transliterate::transliterate;

/// How an SMSC takes texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TextSettings {
    /// What an automatic coding tries first, and what replace_sm uses.
    pub default_coding: Coding,
    /// Whether an automatic coding may be ISO 8859-1: the SMSC has to translate it for the handset.
    pub latin1: bool,
    /// Whose letters an automatic coding may take from the single shift tables of GSM 03.38; the
    /// handset has to know them.
    pub national_language: Option<NationalLanguage>,
    /// How a message that does not fit one PDU is carried.
    pub splitting: Splitting,
    /// Whether letters that GSM 03.38 lacks are replaced where the caller does not say.
    pub transliterate: bool,
}

/// A text ready to be split.
#[derive(Clone, PartialEq, Eq)]
pub struct Composed<'t> {
    /// As it will arrive.
    pub text: Cow<'t, str>,
    /// Never [`Coding::Automatic`].
    pub coding: Coding,
    /// Its octets.
    pub encoded: Encoded<'t>,
}

/// Chooses the coding of a text where the caller does not, and puts it into octets.
///
/// A transliteration has to be wanted, applies to [`Coding::Automatic`] and [`Coding::Gsm7`] alone,
/// and to a text only as a whole: one that would need UCS-2 all the same stays as it was.
///
/// # Errors
/// [`TextError`] when the coding that the caller wants lacks a character.
pub fn compose<'t>(
    text: &'t str,
    coding: Coding,
    settings: &TextSettings,
    may_transliterate: bool,
) -> Result<Composed<'t>, TextError> {
    match coding {
        Coding::Automatic => Ok(automatic(text, settings, may_transliterate)),
        Coding::Gsm7 => as_it_is(text, coding).or_else(|lacking| match may_transliterate {
            true => simplified(text).ok_or(lacking),
            false => Err(lacking),
        }),
        Coding::Latin1 | Coding::Ucs2 => as_it_is(text, coding),
    }
}

fn automatic<'t>(text: &'t str, settings: &TextSettings, may_transliterate: bool) -> Composed<'t> {
    let lossless = lossless(text, settings);
    if !may_transliterate || lossless.coding == Coding::Gsm7 {
        return lossless;
    }
    let is_gsm7 = || text::encode(text, Coding::Gsm7).is_ok();
    let Some(simplified) = simplified(text).filter(|_| !is_gsm7()) else {
        return lossless;
    };
    let (parts, parts_lossless) = (parts(&simplified, settings), parts(&lossless, settings));
    let pays = match lossless.coding {
        // Half the room per character: it is kept only where the replacements, which may be
        // longer than what they replace, need even more.
        Coding::Ucs2 => parts <= parts_lossless,
        // Letters are not given up for nothing.
        _ => parts < parts_lossless,
    };
    match pays {
        true => simplified,
        false => lossless,
    }
}

/// The SMSC's own coding if it has all of the text, else the cheapest that has.
fn lossless<'t>(text: &'t str, settings: &TextSettings) -> Composed<'t> {
    if settings.default_coding != Coding::Automatic
        && let Ok(preferred) = as_it_is(text, settings.default_coding)
    {
        return preferred;
    }
    let gsm7 = match as_it_is(text, Coding::Gsm7) {
        // Nothing is cheaper than one part; with several, a text full of characters of the extension
        // table, which take two septets each, may be cheaper in another coding.
        Ok(whole) if parts(&whole, settings) == 1 => return whole,
        gsm7 => gsm7.ok(),
    };
    let latin1 = match settings.latin1 {
        true => as_it_is(text, Coding::Latin1).ok(),
        false => None,
    };
    let national = match gsm7 {
        Some(_) => None,
        None => national(text, settings),
    };
    // Of those with the same number of parts the first one is taken.
    [gsm7, national, latin1]
        .into_iter()
        .flatten()
        .chain([ucs2(text)])
        .min_by_key(|composed| parts(composed, settings))
        .unwrap_or_else(|| ucs2(text))
}

/// With the single shifts of the SMSC's language. They need a header in each part, which is Sampan's
/// to write only where it writes headers.
fn national<'t>(text: &'t str, settings: &TextSettings) -> Option<Composed<'t>> {
    let language = settings.national_language?;
    let composed = Composed {
        text: Cow::Borrowed(text),
        coding: Coding::Gsm7,
        encoded: text::gsm7_of(text, language)?,
    };
    let has_headers = matches!(settings.splitting, Splitting::Udh8 | Splitting::Udh16);
    (has_headers || parts(&composed, settings) == 1).then_some(composed)
}

fn parts(composed: &Composed<'_>, settings: &TextSettings) -> usize {
    // What needs more parts than a message may have is refused later, if nothing else is left.
    segment::size(&composed.encoded, settings.splitting).map_or(usize::MAX, |size| size.parts)
}

fn as_it_is(text: &str, coding: Coding) -> Result<Composed<'_>, TextError> {
    text::encode(text, coding).map(|encoded| Composed {
        text: Cow::Borrowed(text),
        coding,
        encoded,
    })
}

fn ucs2(text: &str) -> Composed<'_> {
    Composed {
        text: Cow::Borrowed(text),
        coding: Coding::Ucs2,
        encoded: text::ucs2(text),
    }
}

fn simplified(text: &str) -> Option<Composed<'_>> {
    let simplified = transliterate(text);
    let encoded = text::encode(&simplified, Coding::Gsm7).ok()?;
    let encoded = Encoded {
        data: encoded.data.into_owned().into(),
        ..encoded
    };
    Some(Composed {
        text: simplified,
        coding: Coding::Gsm7,
        encoded,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: TextSettings = TextSettings {
        default_coding: Coding::Automatic,
        latin1: false,
        national_language: None,
        splitting: Splitting::Udh8,
        transliterate: false,
    };
    const LATIN1: TextSettings = TextSettings {
        latin1: true,
        ..PLAIN
    };

    fn chosen(text: &str, settings: &TextSettings) -> Coding {
        compose(text, Coding::Automatic, settings, false)
            .unwrap()
            .coding
    }

    fn simplified(text: &str, coding: Coding) -> (String, Coding) {
        let composed = compose(text, coding, &PLAIN, true).unwrap();
        (composed.text.into_owned(), composed.coding)
    }

    #[test]
    fn the_cheapest_coding_that_loses_nothing_is_gsm7_then_latin1_if_allowed_then_ucs2() {
        assert_eq!(chosen("5 €", &LATIN1), Coding::Gsm7);
        assert_eq!(chosen("ação", &LATIN1), Coding::Latin1);
        assert_eq!(chosen("ação", &PLAIN), Coding::Ucs2);
        assert_eq!(chosen("Đã", &LATIN1), Coding::Ucs2);
    }

    #[test]
    fn letters_of_the_smscs_language_are_single_shifts_unless_the_smsc_writes_the_headers() {
        let settings = |splitting| TextSettings {
            national_language: Some(NationalLanguage::Portuguese),
            splitting,
            ..LATIN1
        };
        let chosen = |text: &str, splitting| {
            let settings = settings(splitting);
            let composed = compose(text, Coding::Automatic, &settings, false).unwrap();
            (composed.coding, composed.encoded.single_shift)
        };
        let national = (Coding::Gsm7, Some(NationalLanguage::Portuguese));
        assert_eq!(chosen("ação", Splitting::Udh8), national);
        assert_eq!(chosen("ação", Splitting::Sar), national);
        assert_eq!(chosen("acao", Splitting::Udh8), (Coding::Gsm7, None));
        let long = format!("{}ã", "a".repeat(200));
        assert_eq!(chosen(&long, Splitting::Udh8), national);
        assert_eq!(chosen(&long, Splitting::Sar), (Coding::Latin1, None));
        assert_eq!(chosen("Đã", Splitting::Udh8), (Coding::Ucs2, None));
    }

    #[test]
    fn cheap_is_counted_in_parts() {
        // 100 brackets: 200 septets, two parts of GSM 03.38, but 100 octets of ISO 8859-1.
        assert_eq!(chosen(&"[".repeat(100), &LATIN1), Coding::Latin1);
        assert_eq!(chosen(&"[".repeat(100), &PLAIN), Coding::Gsm7);
        assert_eq!(chosen(&"[".repeat(80), &LATIN1), Coding::Gsm7);
        // 150 letters: one part of GSM 03.38, two of ISO 8859-1.
        assert_eq!(chosen(&"a".repeat(150), &LATIN1), Coding::Gsm7);
    }

    #[test]
    fn the_smscs_own_coding_goes_first_if_it_has_the_text() {
        let ucs2 = TextSettings {
            default_coding: Coding::Ucs2,
            ..PLAIN
        };
        assert_eq!(chosen("abc", &ucs2), Coding::Ucs2);
        let latin1 = TextSettings {
            default_coding: Coding::Latin1,
            ..PLAIN
        };
        assert_eq!(chosen("abc", &latin1), Coding::Latin1);
        assert_eq!(chosen("Đã", &latin1), Coding::Ucs2);
    }

    #[test]
    fn vietnamese_becomes_gsm7_only_where_it_is_wanted() {
        let wanted = simplified("Đặng", Coding::Automatic);
        assert_eq!(wanted, ("Dang".to_owned(), Coding::Gsm7));
        assert_eq!(chosen("Đặng", &PLAIN), Coding::Ucs2);
    }

    #[test]
    fn a_text_that_needs_ucs2_all_the_same_keeps_its_letters() {
        for text in ["Đặng 😀", "Đặng 漢"] {
            let kept = simplified(text, Coding::Automatic);
            assert_eq!(kept, (text.to_owned(), Coding::Ucs2));
        }
    }

    #[test]
    fn a_text_of_gsm7_is_not_touched() {
        let (text, coding) = simplified("và 5 €", Coding::Automatic);
        assert_eq!((&text[..], coding), ("và 5 €", Coding::Gsm7));
        let ucs2 = TextSettings {
            default_coding: Coding::Ucs2,
            ..PLAIN
        };
        let composed = compose("và", Coding::Automatic, &ucs2, true).unwrap();
        assert_eq!(composed.coding, Coding::Ucs2);
    }

    #[test]
    fn no_letter_is_given_up_for_a_message_that_becomes_no_cheaper() {
        // 70 ellipses are one part of UCS-2 and 210 septets, two parts.
        let dots = "…".repeat(70);
        assert_eq!(simplified(&dots, Coding::Automatic), (dots, Coding::Ucs2));
        let short = compose("ação", Coding::Automatic, &LATIN1, true).unwrap();
        assert_eq!((&*short.text, short.coding), ("ação", Coding::Latin1));
    }

    #[test]
    fn the_callers_coding_stands_and_gsm7_may_be_reached_by_simplifying() {
        let gsm7 = simplified("Đặng", Coding::Gsm7);
        assert_eq!(gsm7, ("Dang".to_owned(), Coding::Gsm7));
        let ucs2 = simplified("Đặng", Coding::Ucs2);
        assert_eq!(ucs2, ("Đặng".to_owned(), Coding::Ucs2));
        let refused = compose("Đặng 😀", Coding::Gsm7, &PLAIN, true);
        assert_eq!(refused.err().map(|lacking| lacking.character), Some('Đ'));
        assert!(compose("Đ", Coding::Gsm7, &PLAIN, false).is_err());
    }

    proptest! {
        #[test]
        fn no_other_lossless_coding_has_fewer_parts(
            text in "[a-z\\[\\]€]{0,400}|[a-zãõ\\[]{0,400}|[a-zđ😀]{0,200}",
            latin1: bool,
        ) {
            let settings = TextSettings { latin1, ..PLAIN };
            let chosen = compose(&text, Coding::Automatic, &settings, false).unwrap();
            prop_assert_eq!(&*chosen.text, &text);
            let decoded = text::decode(chosen.encoded.data_coding, &chosen.encoded.data);
            prop_assert_eq!(decoded.as_ref(), Some(&text));
            for coding in [Coding::Gsm7, Coding::Latin1, Coding::Ucs2] {
                if coding == Coding::Latin1 && !latin1 {
                    continue;
                }
                if let Ok(other) = as_it_is(&text, coding) {
                    prop_assert!(parts(&chosen, &settings) <= parts(&other, &settings));
                }
            }
        }
    }
}
