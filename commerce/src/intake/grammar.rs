//! The grammar of subscribers' messages, as the configuration has it: which words begin which command,
//! and what cards are called besides.
//!
//! ```text
//!   MUA MOBI100   VI BAN MB10   mua mobi 100   MUA MOBI100 1      buy
//!   123456   OK 123456   y 123 456                                confirm
//!   HUY …   TC …   TRA CUU …   HD …                               cancel, status, help
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{
    command::Command,
    shown::{ShownWord, ShownWords},
    words::words,
};
use crate::{otp::Code, word::CardTypeId};

/// Characters of a text that is looked at; a command has a few dozen.
pub const TEXT_LENGTH_MAX: usize = 2_000;

/// Keywords of a command; more would be a mistake.
const KEYWORDS_MAX: usize = 32;

/// Other names of cards; a catalogue has some hundred card types.
const ALIASES_MAX: usize = 1_000;

/// The words of the configuration, read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "GrammarWords")]
pub struct Grammar {
    /// The longest keywords first, so that none hides a longer one.
    keywords: Vec<(Vec<String>, Kind)>,
    aliases: BTreeMap<String, CardTypeId>,
    shown: ShownWords,
}

/// The table `[sms.grammar]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrammarWords {
    /// What begins a purchase.
    pub buy: Vec<String>,
    /// What may stand before a one-time password.
    pub confirm: Vec<String>,
    /// What gives a purchase up.
    pub cancel: Vec<String>,
    /// What asks for the last purchase.
    pub status: Vec<String>,
    /// What asks for help.
    pub help: Vec<String>,
    /// Other names of card types.
    pub aliases: BTreeMap<String, String>,
}

impl Default for GrammarWords {
    fn default() -> Self {
        let list = |keywords: &[&str]| keywords.iter().map(|word| (*word).to_owned()).collect();
        Self {
            buy: list(&["MUA", "VI BAN"]),
            confirm: list(&["OK", "Y", "XN"]),
            cancel: list(&["HUY"]),
            status: list(&["TC", "TRA CUU"]),
            help: list(&["HD", "HELP"]),
            aliases: BTreeMap::new(),
        }
    }
}

/// What is wrong with the words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrammarFault {
    /// A keyword without a letter.
    #[error("sms.grammar: the keyword {0:?} has no letter of A to Z")]
    Keyword(String),
    /// A keyword of two commands.
    #[error("sms.grammar: the keyword {0:?} stands twice")]
    Twice(String),
    /// A command that nobody can give.
    #[error("sms.grammar.buy: has no keyword")]
    NoBuy,
    /// A list that is too long.
    #[error(
        "sms.grammar: a command has at most {KEYWORDS_MAX} keywords, and there are at most {ALIASES_MAX} aliases"
    )]
    TooMany,
    /// Another name that cannot be written or is no card type's.
    #[error(
        "sms.grammar.aliases.{0}: wanted is a name of letters and digits that stands once, and a \
         CARDTYPEID of capital letters and digits"
    )]
    Alias(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Buy,
    Confirm,
    Cancel,
    Status,
    Help,
}

impl TryFrom<GrammarWords> for Grammar {
    type Error = GrammarFault;

    fn try_from(given: GrammarWords) -> Result<Self, GrammarFault> {
        if given.buy.is_empty() {
            return Err(GrammarFault::NoBuy);
        }
        let shown = ShownWords {
            buy: first_shown(&given.buy),
            cancel: first_shown(&given.cancel),
            status: first_shown(&given.status),
        };
        let mut keywords = Vec::new();
        for (list, kind) in [
            (given.buy, Kind::Buy),
            (given.confirm, Kind::Confirm),
            (given.cancel, Kind::Cancel),
            (given.status, Kind::Status),
            (given.help, Kind::Help),
        ] {
            if list.len() > KEYWORDS_MAX {
                return Err(GrammarFault::TooMany);
            }
            for text in list {
                keywords.push((keyword(&text)?, kind));
            }
        }
        let mut seen = BTreeSet::new();
        if let Some((twice, _)) = keywords.iter().find(|(words, _)| !seen.insert(words)) {
            return Err(GrammarFault::Twice(twice.join(" ")));
        }
        keywords.sort_by_key(|(words, _)| std::cmp::Reverse(words.len()));
        let aliases = aliases(given.aliases)?;
        Ok(Self {
            keywords,
            aliases,
            shown,
        })
    }
}

/// The first keyword of a list that can be shown, as [`words`] have it.
fn first_shown(keywords: &[String]) -> Option<ShownWord> {
    let mut shown = keywords
        .iter()
        .map(|text| ShownWord::of(&words(text).join(" ")));
    shown.find_map(|word| word)
}

fn keyword(text: &str) -> Result<Vec<String>, GrammarFault> {
    let has_letter = |word: &String| word.bytes().any(|byte| byte.is_ascii_uppercase());
    let words = words(text);
    // A number alone would hide one-time passwords.
    let is_keyword = words.iter().any(has_letter);
    is_keyword
        .then_some(words)
        .ok_or_else(|| GrammarFault::Keyword(text.to_owned()))
}

fn aliases(given: BTreeMap<String, String>) -> Result<BTreeMap<String, CardTypeId>, GrammarFault> {
    if given.len() > ALIASES_MAX {
        return Err(GrammarFault::TooMany);
    }
    let mut aliases = BTreeMap::new();
    for (name, card_type) in given {
        let fault = || GrammarFault::Alias(name.clone());
        let card_type = card_type.parse().map_err(|_| fault())?;
        let alias = words(&name).concat();
        if alias.is_empty() || aliases.insert(alias, card_type).is_some() {
            return Err(fault());
        }
    }
    Ok(aliases)
}

impl Grammar {
    /// What subscribers are told to write.
    pub fn shown(&self) -> ShownWords {
        self.shown
    }

    /// What a text asks for.
    pub fn read(&self, text: &str) -> Command {
        if text.chars().nth(TEXT_LENGTH_MAX).is_some() {
            return Command::Unknown;
        }
        let words = words(text);
        let begun = self.keywords.iter().find_map(|(keyword, kind)| {
            let rest = words.strip_prefix(keyword.as_slice())?;
            Some((*kind, rest))
        });
        match begun {
            Some((Kind::Buy, rest)) => self.buy(rest),
            Some((Kind::Confirm, rest)) => confirm(rest),
            Some((Kind::Cancel, _)) => Command::Cancel,
            Some((Kind::Status, _)) => Command::Status,
            Some((Kind::Help, _)) => Command::Help,
            None => confirm(&words),
        }
    }

    /// A card is one word, or letters and digits with a blank between; after it may stand the number
    /// of cards, which is 1.
    fn buy(&self, rest: &[String]) -> Command {
        let has_digits = |word: &String| word.bytes().any(|byte| byte.is_ascii_digit());
        let card = match rest {
            [card] => card.clone(),
            [card, count] if has_digits(card) && count == "1" => card.clone(),
            [name, value] if !has_digits(name) && is_number(value) => [&**name, value].concat(),
            [name, value, count] if !has_digits(name) && is_number(value) && count == "1" => {
                [&**name, value].concat()
            }
            _ => return Command::Unknown,
        };
        let known = self.aliases.get(&card).cloned();
        match known.or_else(|| card.parse().ok()) {
            Some(card_type) => Command::Buy { card_type },
            None => Command::Unknown,
        }
    }
}

/// A one-time password, perhaps in groups.
fn confirm(words: &[String]) -> Command {
    // Two groups of three is how people read one out.
    let is_code = matches!(words.len(), 1 | 2) && words.iter().all(|word| is_number(word));
    match Code::parse(&words.concat()) {
        Some(code) if is_code => Command::Confirm { code },
        _ => Command::Unknown,
    }
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grammar() -> Grammar {
        let text = "aliases = { MB10 = 'MOBI10', 'vp 20' = 'VINA20' }";
        toml::from_str(text).unwrap()
    }

    fn buys(text: &str) -> Option<String> {
        match grammar().read(text) {
            Command::Buy { card_type } => Some(card_type.to_string()),
            _ => None,
        }
    }

    fn confirms(text: &str) -> Option<String> {
        match grammar().read(text) {
            Command::Confirm { code } => Some(code.reveal().to_owned()),
            _ => None,
        }
    }

    #[test]
    fn a_card_is_bought_by_its_name_however_it_is_written() {
        for text in [
            "MUA MOBI100",
            "mua mobi100",
            "  Mua   Mobi100 . ",
            "\u{201c}MUA MOBI100\u{201d}",
            "mua mobi 100",
            "MUA MOBI100 1",
            "MUA MOBI 100 1",
            "Múa Mobi100!",
            "ＭＵＡ　ＭＯＢＩ１００",
            "VI BAN MOBI100",
            "ví bán mobi100",
        ] {
            assert_eq!(buys(text).as_deref(), Some("MOBI100"), "{text}");
        }
        assert_eq!(buys("VI BAN MB10").as_deref(), Some("MOBI10"));
        assert_eq!(buys("vi ban mb 10").as_deref(), Some("MOBI10"));
        assert_eq!(buys("mua vp20").as_deref(), Some("VINA20"));
    }

    #[test]
    fn nothing_is_bought_by_guessing() {
        for text in [
            "",
            "MUA",
            "VI BAN",
            "VI MOBI100",
            "MOBI100",
            "MUAMOBI100",
            "MUA MOBI100 2",
            "MUA MOBI100 000",
            "MUA MOBI 100.000",
            "MUA MOBI100 VINA50",
            "MUA MOBI MOBI",
            "MUA МОBI100",
            "MUA THEDIENTHOAIMOBIFONE100",
            "toi muon MUA MOBI100",
        ] {
            assert_eq!(grammar().read(text), Command::Unknown, "{text}");
        }
    }

    #[test]
    fn a_one_time_password_confirms_alone_or_after_its_word() {
        for text in [
            "123456",
            " '123456'. ",
            "123 456",
            "OK 123456",
            "ok, 123456",
            "Y 123456",
            "xn: 123-456",
            "１２３４５６",
        ] {
            assert_eq!(confirms(text).as_deref(), Some("123456"), "{text}");
        }
        for text in [
            "OK",
            "12345",
            "1234567",
            "1 2 3 4 5 6",
            "OK 12345a",
            "123456 OK",
            "١٢٣٤٥٦",
            "MOBI 123456",
        ] {
            assert_eq!(confirms(text), None, "{text}");
        }
    }

    #[test]
    fn what_asks_or_gives_up_may_be_followed_by_anything() {
        for (text, wanted) in [
            ("HUY", Command::Cancel),
            ("hủy mobi100", Command::Cancel),
            ("TC", Command::Status),
            ("Tra cứu giao dịch", Command::Status),
            ("HD", Command::Help),
            ("help me", Command::Help),
        ] {
            assert_eq!(grammar().read(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_one_time_password_is_never_shown() {
        let shown = format!("{:?}", grammar().read("OK 123456"));
        assert!(
            shown.contains("Confirm") && !shown.contains("123456"),
            "{shown}"
        );
    }

    #[test]
    fn words_that_contradict_each_other_are_refused_by_name() {
        let fault = |text: &str| toml::from_str::<Grammar>(text).unwrap_err().to_string();
        for (text, named) in [
            ("buy = []", "sms.grammar.buy"),
            ("buy = ['123456']", "123456"),
            ("buy = ['MUA', 'múa']", "\"MUA\" stands twice"),
            ("cancel = ['ok']", "\"OK\" stands twice"),
            ("aliases = { MB10 = 'mobi10' }", "aliases.MB10"),
            ("aliases = { '.' = 'MOBI10' }", "aliases.."),
            (
                "aliases = { MB10 = 'MOBI10', mb10 = 'MOBI20' }",
                "aliases.mb10",
            ),
            ("bye = ['HUY']", "unknown field"),
        ] {
            let fault = fault(text);
            assert!(fault.contains(named), "{text}: {fault}");
        }
        let many = vec!["'A'"; KEYWORDS_MAX + 1].join(",");
        assert!(fault(&format!("help = [{many}]")).contains("at most 32"));
    }

    #[test]
    fn without_any_words_there_are_those_that_are_usual() {
        let usual = Grammar::try_from(GrammarWords::default()).unwrap();
        assert_eq!(usual.shown(), ShownWords::default());
        assert_eq!(toml::from_str(""), Ok(usual));
    }

    #[test]
    fn subscribers_are_told_the_first_word_that_is_short_and_plain() {
        let text = "buy = ['mua thẻ cào điện thoại', 'Nạp thẻ', 'MUA']\ncancel = []\nstatus = ['KT Д', 'KT']";
        let shown = toml::from_str::<Grammar>(text).unwrap().shown();
        let told = |word: Option<ShownWord>| word.map(|word| word.to_string());
        assert_eq!(told(shown.buy).as_deref(), Some("NAP THE"));
        assert_eq!(told(shown.cancel), None);
        assert_eq!(told(shown.status).as_deref(), Some("KT"));
    }

    #[test]
    fn a_text_that_is_too_long_is_not_looked_at() {
        let blanks = " ".repeat(TEXT_LENGTH_MAX - 6);
        assert!(confirms(&format!("{blanks}123456")).is_some());
        assert_eq!(confirms(&format!("{blanks} 123456")), None);
    }

    proptest! {
        #[test]
        fn every_text_is_some_command(text in "\\PC{0,2100}|.{0,2100}|(MUA|OK|[0-9 ])(\\PC| ){0,40}") {
            let command = grammar().read(&text);
            prop_assert_eq!(&command, &grammar().read(&text.to_ascii_uppercase()));
            prop_assert_eq!(&command, &grammar().read(&format!(" {text}. ")));
        }
    }
}
